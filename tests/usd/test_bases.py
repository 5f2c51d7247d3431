"""Base scenes: geometry, labels, contexts, determinism."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pxr import Usd, UsdGeom, UsdShade
from tailgate.assets import BASES, build_base
from tailgate.errors import UserError
from tailgate.stage.labels import get_label

KINDS = {"lane", "sidewalk", "crosswalk", "parking", "aisle", "surface", "ego"}
EXPECTED = {
    "street": {"road", "sidewalk", "building", "vegetation", "terrain", "pole"},
    "warehouse": {"floor", "wall", "rack", "cargo", "pillar", "ceiling"},
    "table_top": {"table", "floor", "wall", "chair", "shelf"},
}
TRIANGLES = {"street": (50_000, 250_000), "warehouse": (50_000, 250_000), "table_top": (2_000, 50_000)}


@pytest.fixture(scope="module", params=sorted(BASES))
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Usd.Stage]:
    options = {"table_top": {"chairs": 2}, "street": {"trees": 0.8}}.get(request.param, {})
    return request.param, Usd.Stage.Open(str(build_base(request.param, 0, options, tmp_path_factory.mktemp("bases"))))


def world_mesh(prim: Usd.Prim) -> tuple[np.ndarray, np.ndarray]:
    mesh, matrix = UsdGeom.Mesh(prim), np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(Usd.TimeCode.Default()))
    points = np.array(mesh.GetPointsAttr().Get(), float) @ matrix[:3, :3] + matrix[3, :3]
    return points, np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)


def rendered(stage: Usd.Stage) -> list[Usd.Prim]:
    return [p for p in stage.Traverse() if p.IsA(UsdGeom.Mesh) and UsdGeom.Mesh(p).ComputePurpose() != "guide"]


def test_geometry_is_sound_and_within_budget(base: tuple[str, Usd.Stage]) -> None:
    name, stage = base
    assert stage.GetDefaultPrim().GetPath() == "/World"
    assert len(list(stage.Traverse())) < 400
    count = slivers = 0
    for prim in rendered(stage):
        points, triangles = world_mesh(prim)
        assert np.isfinite(points).all() and len(triangles), prim.GetPath()
        a, b, c = (points[triangles[:, k]] for k in range(3))
        slivers += int((np.linalg.norm(np.cross(b - a, c - a), axis=1) < 1e-10).sum())
        count += len(triangles)
    assert TRIANGLES[name][0] <= count <= TRIANGLES[name][1]
    assert slivers <= 0.01 * count


def test_every_mesh_has_a_class_and_a_material(base: tuple[str, Usd.Stage]) -> None:
    name, stage = base
    labels = set()
    for prim in rendered(stage):
        label = get_label(prim, "class")
        assert label, prim.GetPath()
        labels.add(label)
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        assert material, prim.GetPath()
        assert 0 < material.GetPrim().GetAttribute("tailgate:reflectance").Get() <= 1
    assert EXPECTED[name] <= labels


def contexts(stage: Usd.Stage) -> dict[str, tuple[str, float, np.ndarray]]:
    found = {}
    for prim in stage.GetPrimAtPath("/World/Contexts").GetChildren():
        kind, width = prim.GetAttribute("tailgate:context").Get(), prim.GetAttribute("tailgate:width").Get()
        found[prim.GetName()] = (kind, width, np.array(UsdGeom.PointBased(prim).GetPointsAttr().Get(), float))
    return found


def test_contexts_are_complete(base: tuple[str, Usd.Stage]) -> None:
    name, stage = base
    found = contexts(stage)
    assert {kind for kind, _, _ in found.values()} <= KINDS
    assert all(width > 0 and len(points) >= 2 for _, width, points in found.values())
    assert found["ego"][0] == "ego"
    for prim in stage.GetPrimAtPath("/World/Contexts").GetChildren():
        assert UsdGeom.Imageable(prim).ComputePurpose() == "guide"
        assert (UsdGeom.BasisCurves(prim).GetTypeAttr().Get() == "linear") if prim.IsA(UsdGeom.BasisCurves) else prim.IsA(UsdGeom.Mesh)
    wanted = {"street": {"lane", "sidewalk", "crosswalk", "surface"}, "warehouse": {"aisle", "surface"}, "table_top": {"surface"}}[name]
    assert wanted <= {kind for kind, _, _ in found.values()}


def left_of(spot: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Positive where ``spot`` lies left of the edges p → q, seen from above."""
    return (q[:, 0] - p[:, 0]) * (spot[1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (spot[0] - p[:, 0])


def test_contexts_lie_on_what_they_are_for(base: tuple[str, Usd.Stage]) -> None:
    """Straight down from a context there is ground at its own height, within a kerb's bevel."""
    name, stage = base
    soup = [world_mesh(p) for p in rendered(stage) if get_label(p, "class") in ("road", "sidewalk", "floor", "table", "rug")]
    corners = np.concatenate([points[triangles] for points, triangles in soup])
    for context, (kind, _, points) in contexts(stage).items():
        spot = points.mean(0) if kind == "surface" else points[len(points) // 2]
        spot = spot + [0.013, 0.017, 0.0]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        inside = (left_of(spot, a, b) > 0) & (left_of(spot, b, c) > 0) & (left_of(spot, c, a) > 0)
        heights = corners[inside].mean(1)[:, 2]
        assert len(heights) and np.abs(heights - spot[2]).min() < 0.012, (name, context)


def test_street_lanes_drive_on_the_right(tmp_path: Path) -> None:
    stage = Usd.Stage.Open(str(build_base("street", 2, {"lanes": 2, "parking": "both", "crosswalks": 2, "length": 150}, tmp_path)))
    found = contexts(stage)
    for k in (0, 1):
        forward, backward = found[f"lane_forward_{k}"][2], found[f"lane_backward_{k}"][2]
        assert forward[-1, 0] > forward[0, 0] and (forward[:, 1] < 0).all()
        assert backward[-1, 0] < backward[0, 0] and (backward[:, 1] > 0).all()
        assert np.ptp(forward[:, 0]) == pytest.approx(150)
    ego = found["ego"][2]
    assert np.allclose(ego[:, 1], found["lane_forward_1"][2][0, 1]) and ego[:, 0].max() <= 75 - 60 + 1e-3
    assert {"parking_left", "parking_right", "crosswalk_0", "crosswalk_1", "sidewalk_left", "sidewalk_right"} <= set(found)
    height = found["sidewalk_left"][2][0, 2]
    assert height >= 0.1 and found["sidewalk_surface_left"][2][0, 2] == pytest.approx(height, abs=2e-5)


def test_table_surface_is_inside_the_table(tmp_path: Path) -> None:
    for shape in ("rectangular", "round"):
        stage = Usd.Stage.Open(str(build_base("table_top", 1, {"shape": shape}, tmp_path)))
        top, _ = world_mesh(stage.GetPrimAtPath("/World/table/top"))
        surface = contexts(stage)["table"][2]
        assert np.allclose(surface[:, 2], top[:, 2].max(), atol=1e-5)
        assert (np.abs(surface[:, :2]).max(0) < np.abs(top[:, :2]).max(0)).all()
        ego = contexts(stage)["ego"][2]
        assert np.linalg.norm(ego[-1, :2]) < np.linalg.norm(ego[0, :2]), "the rig faces the table"


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in BASES:
        first, again = build_base(name, 6, None, tmp_path / "a"), build_base(name, 6, None, tmp_path / "b")
        assert first.name == again.name and first.read_bytes() == again.read_bytes()
    assert build_base("table_top", 7, None, tmp_path / "a").read_bytes() != build_base("table_top", 6, None, tmp_path / "a").read_bytes()


def test_unknown_bases_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'warehouse'"):
        build_base("warehous", 0, None, tmp_path)
    with pytest.raises(UserError, match="parameter of base 'street'.*did you mean 'floors'"):
        build_base("street", 0, {"floor": 3}, tmp_path)
    with pytest.raises(UserError, match="from 0 to 1"):
        build_base("street", 0, {"trees": 7}, tmp_path)
    assert not list(tmp_path.iterdir())
