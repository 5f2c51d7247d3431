"""Pictures of a stage that a user brings, by the embedded renderer: from above, and from a camera. The stage itself is never written to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.config.camera import CameraModel
from tailgate.config.rig import T_FORWARD_OPTICAL, MountedSensor, ResolvedRig, rotation
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId, Sample

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.check import StageReport
    from tailgate.stage.contexts import Context

SIDE, WIDTH, WHOLE = 760, 980, 1682
"""Pixels: longer side of the view from above where it is nearly square, width of the view from a camera, width of a view of what is long."""
SAMPLES = 4
"""Rays to each light per pixel."""
LONG = 1.8
"""Sides of a scene differ by at least this factor where it is long."""
HIGH = 4.0
"""The camera above is this many sides of the scene away, which is nearly a parallel projection."""
LEAST = 5e-4
"""A scene is shown as at least twice as wide [m]: what has no extent has one place all the same."""
CUT = 2.0
"""A roof is cut away this far above the contexts or the floor [m]."""
ROOFED = 0.5
"""Share of contexts with something above them from which on it counts as a roof."""
LOOK = "/TailgateLook"
"""Where our own lights are, in a session layer of our own."""
EYE = 1.6
"""Height of a view along a context [m]."""


@dataclass(frozen=True)
class View:
    """A picture and the camera it was taken with.

    Attributes:
        title: what it shows.
        image: RGB uint8 [H, W, 3].
        model, T_world_camera: intrinsics and pose with optical axes, float64 [4, 4].
    """

    title: str
    image: np.ndarray
    model: CameraModel
    T_world_camera: np.ndarray

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Columns and rows of world points [n, 3] m that lie before the camera, float64 [n, 2]."""
        T = np.linalg.inv(self.T_world_camera)
        local = points @ T[:3, :3].T + T[:3, 3]
        return self.model.intrinsics.image_points(local)


class Look:
    """A stage that is read once for all pictures of it; what its session layer gets in between is seen. Call ``close`` when done."""

    def __init__(self, stage: Usd.Stage):
        from tailgate.render.raytrace import WarpBackend

        self.stage, self._backend = stage, WarpBackend(samples=SAMPLES)
        self._backend.open(stage, ResolvedRig("look", {}), {})

    def shoot(self, model: CameraModel, T_world_camera: np.ndarray) -> Frame:
        """One frame of one camera."""
        self._backend.rig = ResolvedRig("look", {"camera": MountedSensor(model, "look", T_world_camera)})
        self._backend.apply(Sample(FrameId("look", 0, 0)))
        return asyncio.run(self._backend.capture())

    def close(self) -> None:
        """Release the stage."""
        self._backend.close()


def views(stage: Usd.Stage, report: StageReport, contexts: tuple[Context, ...]) -> list[View]:
    """The stage from above, and from its first camera that makes an image, else along a context, else from a corner.

    Raises:
        UserError: it shows nothing.
    """
    from pxr import Sdf

    from tailgate.stage.layers import ROOT, beside

    if not report.facts["shapes"]:
        raise UserError("a stage that shows nothing has no picture", report.stage)
    shown = beside(stage)
    Sdf.CreatePrimInLayer(shown.GetSessionLayer(), ROOT).active = False
    if not report.facts["lights"]:
        _light(shown)
    look = Look(shown)
    try:
        return [_from_above(look, report.facts, contexts), _from_camera(look, report.facts, contexts)]
    finally:
        look.close()


def _light(stage: Usd.Stage) -> None:
    """A sky and a sun, in the session layer of a stage of our own."""
    from pxr import Gf, UsdGeom, UsdLux

    stage.SetEditTarget(stage.GetSessionLayer())
    UsdLux.DomeLight.Define(stage, f"{LOOK}/Sky").CreateIntensityAttr(0.35)
    sun = UsdLux.DistantLight.Define(stage, f"{LOOK}/Sun")
    sun.CreateIntensityAttr(3.0)
    sun.CreateNormalizeAttr(True)
    up = Gf.Vec3d(0, 1, 0) if UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.y else Gf.Vec3d(0, 0, 1)
    towards = Gf.Rotation(Gf.Vec3d(0, 0, 1), up + Gf.Vec3d(0.5, 0.35, 0.35))
    UsdGeom.Xformable(sun).AddTransformOp().Set(Gf.Matrix4d(towards, Gf.Vec3d(0, 0, 0)))


def _light_room(stage: Usd.Stage, low: np.ndarray, high: np.ndarray, height: float) -> None:
    """Four lamps under a roof that is cut away, over all that is shown, where our own sun does not reach."""
    from pxr import Gf, UsdLux

    from tailgate.stage.extract import world_correction

    if not stage.GetPrimAtPath(f"{LOOK}/Sun"):
        return
    T_stage_world = np.linalg.inv(world_correction(stage))
    size = high - low
    for k, (u, v) in enumerate(((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))):
        lamp = UsdLux.SphereLight.Define(stage, f"{LOOK}/Lamp_{k}")
        place = T_stage_world @ [low[0] + u * size[0], low[1] + v * size[1], height - 0.05, 1.0]
        lamp.AddTranslateOp().Set(Gf.Vec3d(*place[:3].tolist()))
        lamp.CreateRadiusAttr(float(0.01 * size[0] * np.linalg.norm(T_stage_world[:3, 0])))
        lamp.CreateIntensityAttr(900.0)


def picture(frame: Frame) -> np.ndarray:
    """Colours of a frame's first camera, RGB uint8 [H, W, 3]."""
    camera = next(sensor for sensor in frame.sensors.values() if sensor.kind == "camera")
    return np.ascontiguousarray(np.asarray(camera.channel("rgb"))[..., :3])


def region(facts: dict[str, Any], contexts: tuple[Context, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What the view from above shows: contexts with a margin, else all; two corners [3] m of a square, or of a strip along x where it is long."""
    low = np.array(facts["low_m"])
    high = low + np.array(facts["size_m"])
    if contexts:
        points = np.concatenate([c.points for c in contexts])[:, :2]
        margin = 0.06 * float(np.ptp(points, axis=0).max()) + max((2 * c.width for c in contexts if c.is_spline), default=0.0)
        low, high = np.array([*(points.min(0) - margin), low[2]]), np.array([*(points.max(0) + margin), high[2]])
    middle, half = (low[:2] + high[:2]) / 2, np.maximum(0.53 * (high - low)[:2], LEAST + 1e-6 * np.abs(high[:2]))
    half = np.maximum(half, half.max() / 3) if half[0] > LONG * half[1] else np.full(2, half.max())
    return np.array([*(middle - half), low[2]]), np.array([*(middle + half), high[2]])


def _from_above(look: Look, facts: dict[str, Any], contexts: tuple[Context, ...]) -> View:
    low, high = region(facts, contexts)
    across, down = float(high[0] - low[0]), float(high[1] - low[1])
    columns = WHOLE if across > 1.01 * down else SIDE
    rows = round(columns * down / across)
    height = high[2] + HIGH * across
    ground = [c.points[:, 2] for c in contexts] or [[facts["floor"]["height_m"]] if facts["floor"] else [high[2]]]
    base = float(np.median(np.concatenate(ground)))
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = [*((low + high) / 2)[:2], height]
    focal = columns * (height - base) / across
    shape = {"width": columns, "height": rows, "fx": focal, "fy": focal, "cx": (columns - 1) / 2, "cy": (rows - 1) / 2}
    model = CameraModel(**shape, near=1e-3 * across, far=10 * (height - low[2]) + 1)
    view = View("from above", np.zeros((0, 0, 3), np.uint8), model, T)
    frame = look.shoot(model, T)
    cut = base + (CUT if contexts else max(CUT, 0.25 * (high[2] - base)))
    if base < high[2] and _roofed(frame, view, contexts, cut):
        model = model.model_copy(update={"near": height - cut})
        _light_room(look.stage, low, high, cut)
        frame = look.shoot(model, T)
    return replace(view, image=picture(frame), model=model)


def _roofed(frame: Frame, view: View, contexts: tuple[Context, ...], cut: float) -> bool:
    """Whether what is seen from above of most contexts (of the whole, without any) is higher than ``cut`` [m]."""
    depth = np.asarray(frame.sensors["camera"].channel("distance_to_image_plane"))
    top = view.T_world_camera[2, 3] - depth
    if contexts:
        at = np.round(view.pixels(np.concatenate([c.points for c in contexts]))).astype(int).clip(0, np.array(top.shape[::-1]) - 1)
        top = top[at[:, 1], at[:, 0]]
    seen = top[np.isfinite(top)]
    return bool(len(seen) and (seen > cut).mean() > ROOFED)


def _from_camera(look: Look, facts: dict[str, Any], contexts: tuple[Context, ...]) -> View:
    from tailgate.stage.cameras import read_camera
    from tailgate.stage.walk import Notes

    for path in facts["cameras"]:
        try:
            model, T = read_camera(look.stage, path, WIDTH, Notes())
        except UserError:
            continue
        return View(f"camera {path}", picture(look.shoot(model.model_copy(update={"focus": None}), T)), model, T)
    path = next((c for kind in ("ego", "lane", "aisle", "sidewalk") for c in contexts if c.kind == kind and c.is_spline), None)
    model = CameraModel(width=WIDTH, height=SIDE * 3 // 4, fx=700, fy=700, cx=WIDTH / 2 - 0.5, cy=SIDE * 3 / 8 - 0.5, near=1e-3, far=1e6)
    if path is not None:
        at, heading = path.at(np.array([0.02 * path.length]))
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = rotation((0.0, 4.0, float(heading[0]))), at[0] + [0, 0, EYE]
        return View(f"along {path.path}", picture(look.shoot(model, T @ T_FORWARD_OPTICAL)), model, T @ T_FORWARD_OPTICAL)
    low, high = region(facts, contexts)
    T = from_corner(low, np.minimum(high, np.array(facts["low_m"]) + np.array(facts["size_m"])), model)
    return View("from a corner", picture(look.shoot(model, T)), model, T)


def from_corner(low: np.ndarray, high: np.ndarray, model: CameraModel) -> np.ndarray:
    """T_world_camera that looks down at a box over one of its corners, as near as shows it whole."""
    middle = (low + high) / 2
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]) - middle
    T = np.eye(4)
    T[:3, :3] = rotation((0.0, 28.0, 130.0)) @ T_FORWARD_OPTICAL[:3, :3]
    local = np.abs(corners @ T[:3, :3]) / [0.45 * model.width / model.fx, 0.45 * model.height / model.fy, 1.0]
    T[:3, 3] = middle - T[:3, 2] * float((local[:, :2].max(1) - corners @ T[:3, 2]).max())
    return T
