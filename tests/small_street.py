"""A small street made by hand: 90 m of road along x with a sidewalk on either side, and a rig with one camera and one LiDAR."""

import os
from functools import cache
from pathlib import Path

import numpy as np
from tailgate.config.budget import Budget
from tailgate.config.rig import ResolvedRig, resolve
from tailgate.config.scenario import Scenario
from tailgate.config.sensor import Rig
from tailgate.randomize.draw import ClipRequest, draw_sample
from tailgate.randomize.scenario import OpenScenario, open_scenario

ALL = [
    "weather.conditions",
    "lighting.sun_sky",
    "camera.rig_pose",
    "placement.contexts",
    "occlusion.blockers",
    "distractors.scatter",
    "materials.surfaces",
    "sensor_noise.response",
    "labels.annotator",
]


def small_rig() -> ResolvedRig:
    """A camera at 1.6 m and a 16-beam LiDAR at 1.8 m, both looking forward."""
    noise = {"noise_sigma": {"dist": {"kind": "ranged", "low": 0.005, "high": 0.05, "unit": "m"}, "role": "calibrated"}}
    camera = {"type": "camera", "width": 320, "height": 240, "fx": 260, "fy": 260, "cx": 159.5, "cy": 119.5}
    lidar = {"type": "lidar", "elevation_deg": [float(e) for e in np.linspace(-15, 5, 16)], "columns": 360, "response": noise}
    sensors = {"camera": {"model": camera, "mount": {"xyz": [1.0, 0, 1.6]}}, "lidar": {"model": lidar, "mount": {"xyz": [0, 0, 1.8]}}}
    return resolve(Rig.model_validate({"name": "small", "sensors": sensors}))


def write_street(path: Path) -> Path:
    """Road of 90 x 7 m at z = 0, sidewalks of 2 m at z = 0.15, a wall behind one of them, a bench's surface, and their contexts."""
    from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade
    from tailgate.stage.labels import set_labels

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())

    def quad(name: str, corners: list, color: tuple, label: str) -> None:
        mesh = UsdGeom.Mesh.Define(stage, f"/World/{name}")
        mesh.CreatePointsAttr([Gf.Vec3f(*c) for c in corners])
        mesh.CreateFaceVertexCountsAttr([4])
        mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
        mesh.CreateSubdivisionSchemeAttr("none")
        material = UsdShade.Material.Define(stage, f"/World/Looks/{name}")
        shader = UsdShade.Shader.Define(stage, f"/World/Looks/{name}/Surface")
        shader.CreateIdAttr("UsdPreviewSurface")
        shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(*color))
        shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.8)
        material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
        UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)
        set_labels(mesh.GetPrim(), "class", label)

    def context(name: str, kind: str, width: float, points: list) -> None:
        curve = UsdGeom.BasisCurves.Define(stage, f"/World/Contexts/{name}")
        curve.CreateTypeAttr("linear")
        curve.CreatePointsAttr([Gf.Vec3f(*p) for p in points])
        curve.CreateCurveVertexCountsAttr([len(points)])
        curve.GetPrim().CreateAttribute("tailgate:context", Sdf.ValueTypeNames.Token).Set(kind)
        curve.GetPrim().CreateAttribute("tailgate:width", Sdf.ValueTypeNames.Float).Set(width)

    quad("asphalt", [(-45, -3.5, 0), (45, -3.5, 0), (45, 3.5, 0), (-45, 3.5, 0)], (0.1, 0.1, 0.1), "road")
    quad("paving_left", [(-45, 3.5, 0.15), (45, 3.5, 0.15), (45, 5.5, 0.15), (-45, 5.5, 0.15)], (0.3, 0.3, 0.3), "sidewalk")
    quad("paving_right", [(-45, -5.5, 0.15), (45, -5.5, 0.15), (45, -3.5, 0.15), (-45, -3.5, 0.15)], (0.3, 0.3, 0.3), "sidewalk")
    quad("brick_wall", [(-45, 6, 0), (-45, 6, 5), (45, 6, 5), (45, 6, 0)], (0.4, 0.2, 0.15), "building")
    context("ego", "ego", 3.0, [(-40, -1.75, 0), (40, -1.75, 0)])
    context("lane_away", "lane", 3.5, [(-45, -1.75, 0), (45, -1.75, 0)])
    context("lane_back", "lane", 3.5, [(45, 1.75, 0), (-45, 1.75, 0)])
    context("sidewalk_left", "sidewalk", 2.0, [(-45, 4.5, 0.15), (0, 4.5, 0.15), (45, 4.5, 0.15)])
    context("sidewalk_right", "sidewalk", 2.0, [(-45, -4.5, 0.15), (45, -4.5, 0.15)])
    bench = UsdGeom.Mesh.Define(stage, "/World/Contexts/bench")
    bench.CreatePointsAttr([Gf.Vec3f(*c) for c in [(30, -9, 0.75), (32, -9, 0.75), (32, -8, 0.75), (30, -8, 0.75)]])
    bench.CreateFaceVertexCountsAttr([4])
    bench.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
    bench.GetPrim().CreateAttribute("tailgate:context", Sdf.ValueTypeNames.Token).Set("surface")
    stage.GetRootLayer().Save()
    return path


def small_budget(**changes) -> Budget:
    """Cells for a person between 6 and 20 m, and for one at dusk in the rain half hidden."""
    cells = [
        {"class": "person", "range": [6, 20], "target": 4},
        {"class": "person", "range": [8, 20], "occlusion": [0.3, 0.7], "light": "dusk", "weather": "rain", "target": 4},
        {"class": "cyclist", "range": [6, 25], "target": 2},
    ]
    return Budget.model_validate({"name": "small", "seed": 5, "cells": cells, "scenarios": [{"file": "small"}], "rig": "small", **changes})


def small_scenario(base: Path, **changes) -> Scenario:
    """All street randomizers on the small street."""
    data = {
        "name": "small",
        "base": str(base),
        "variants": 1,
        "slots": 2,
        "distractors": ["car", "bicycle"],
        "randomizers": [{"use": name, **({"options": OCCLUDERS} if name == "occlusion.blockers" else {})} for name in ALL],
    }
    return Scenario.model_validate({**data, **changes})


OCCLUDERS = {"classes": ["car", "motorcycle"]}


def asset_cache() -> Path:
    """Folder that all tests of a session share."""
    return Path(os.environ["TAILGATE_CACHE"])


def open_small(**changes) -> OpenScenario:
    """The small scenario, opened anew; ``changes`` replace parts of the scenario."""
    path = asset_cache() / "small_street.usda"
    base = path if path.is_file() else write_street(path)
    return open_scenario(small_scenario(base, **changes), small_budget(), small_rig(), asset_cache())


@cache
def shared() -> OpenScenario:
    """The small scenario, opened once per session; for drawing only."""
    return open_small()


def draw(opened: OpenScenario, index: int, cell: int | None = None, attempt: int = 0):
    """Draw clip ``index`` for one of the budget's cells."""
    pinned = None if cell is None else opened.budget.cells[cell]
    return draw_sample(opened, opened.settings, ClipRequest(0, index, attempt, pinned, opened.budget.seed))
