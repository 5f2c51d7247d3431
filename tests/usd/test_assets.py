"""Procedural assets: sizes, geometry, materials, determinism, and wrapped user files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pxr import Usd, UsdGeom, UsdShade
from tailgate.assets import ASSET_CLASSES, AssetUnitsWarning, cache_folder, from_usd, generate, resolve_asset_class
from tailgate.assets.body import Body, reach, walking
from tailgate.assets.library import build
from tailgate.config.rig import configs_root
from tailgate.errors import UserError
from tailgate.runtime.spec import RunOptions, resolve
from tailgate.runtime.stage_check import StageRequest
from tailgate.stage.triangles import read_triangles


def meshes(stage: Usd.Stage) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, points, triangles and corner normals of each mesh, in the file's own frame."""
    found = []
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Mesh):
            mesh = UsdGeom.Mesh(prim)
            assert set(mesh.GetFaceVertexCountsAttr().Get()) == {3}
            triangles = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
            found.append((prim.GetName(), np.array(mesh.GetPointsAttr().Get(), float), triangles, np.array(mesh.GetNormalsAttr().Get(), float)))
    return found


@pytest.mark.parametrize("asset_class", sorted(ASSET_CLASSES))
def test_every_class_is_a_sound_asset(asset_class: str, tmp_path: Path) -> None:
    spec = ASSET_CLASSES[asset_class]
    for seed in (0, 5):
        stage = Usd.Stage.Open(str(generate(asset_class, seed, tmp_path)))
        assert stage.GetDefaultPrim().GetPath() == "/Asset"
        assert UsdGeom.GetStageUpAxis(stage) == "Z" and UsdGeom.GetStageMetersPerUnit(stage) == 1.0
        parts = meshes(stage)
        points = np.concatenate([p for _, p, _, _ in parts])
        assert np.isfinite(points).all()
        assert abs(points[:, 2].min()) < 1e-4
        ratio = np.ptp(points, axis=0) / spec.size
        assert (ratio > 0.4).all() and (ratio < 2.2).all(), ratio
        assert abs(points[:, :2].mean(0)).max() < 0.5 * max(spec.size)
        count, slivers, volume = 0, 0, 0.0
        for name, p, t, normals in parts:
            a, b, c = (p[t[:, k]] for k in range(3))
            cross = np.cross(b - a, c - a)
            slivers += int((np.linalg.norm(cross, axis=1) < 1e-12).sum())
            volume += float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
            count += len(t)
            assert len(normals) == 3 * len(t), name
            assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3), name
            assert (np.einsum("ij,ij->i", np.repeat(cross, 3, axis=0), normals) > 0).mean() > 0.99, name
        assert 50 <= count <= 12_500
        assert slivers <= 0.01 * count
        assert volume > 0, "faces must look outward"


@pytest.mark.parametrize("asset_class", sorted(ASSET_CLASSES))
def test_materials_are_bound_and_have_a_reflectance(asset_class: str, tmp_path: Path) -> None:
    stage = Usd.Stage.Open(str(generate(asset_class, 1, tmp_path)))
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Mesh):
            material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
            assert material.GetPath() == f"/Asset/Looks/{prim.GetName()}"
            reflectance = material.GetPrim().GetAttribute("tailgate:reflectance").Get()
            if prim.GetName().startswith("retro"):
                assert 200 < reflectance < 1500
            else:
                assert (0.01 if prim.GetName().startswith("glass") else 0.03) - 1e-6 <= reflectance <= 1.0
            opacity = UsdShade.Shader(material.GetPrim().GetChild("Surface")).GetInput("opacity").Get()
            assert (opacity < 1) == (prim.GetName().startswith("glass") and asset_class != "bottle")
            if prim.GetName() == "rubber":
                assert reflectance == pytest.approx(0.05)
            color = UsdShade.Shader(material.GetPrim().GetChild("Surface")).GetInput("diffuseColor").Get()
            assert all(0 <= v <= 1 for v in color)


def test_same_seed_gives_the_same_bytes_and_another_seed_another_shape(tmp_path: Path) -> None:
    for asset_class in ("person", "car", "wheelchair_user", "mug"):
        first, again = generate(asset_class, 3, tmp_path / "a"), generate(asset_class, 3, tmp_path / "b")
        assert first.name == again.name and first.read_bytes() == again.read_bytes()
        other = generate(asset_class, 4, tmp_path / "a")
        assert other.name != first.name
        boxes = [np.ptp(np.concatenate([p for _, p, _, _ in meshes(Usd.Stage.Open(str(f)))]), axis=0) for f in (first, other)]
        assert np.abs(boxes[0] - boxes[1]).max() > 1e-3


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    here = generate("traffic_cone", 7, tmp_path / "here")
    code = f"from tailgate.assets import generate; print(generate('traffic_cone', 7, r'{tmp_path / 'there'}'))"
    there = Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    assert there.name == here.name and there.read_bytes() == here.read_bytes()


def test_the_cache_is_used_and_holds_no_scratch(tmp_path: Path) -> None:
    path = generate("bollard", 0, tmp_path)
    stamp = path.stat().st_mtime_ns
    assert generate("bollard", 0, tmp_path) == path and path.stat().st_mtime_ns == stamp
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_fixing_one_parameter_moves_no_other() -> None:
    free, _ = build("car", 11)
    fixed, _ = build("car", 11, {"color": [0.1, 0.2, 0.3]})
    assert fixed.used["color"] == (0.1, 0.2, 0.3)
    assert {k: v for k, v in free.used.items() if k != "color"} == {k: v for k, v in fixed.used.items() if k != "color"}


@pytest.mark.parametrize(
    "params, words",
    [
        ({"statur": 1.7}, "did you mean 'stature'"),
        ({"stature": 5.0}, "from 0.9 to 2.1"),
        ({"stature": float("nan")}, "must be finite"),
        ({"age": "adul"}, "did you mean 'adult'"),
        ({"bag": 1}, "true or false"),
        ({"top_color": [1, 2]}, "three numbers"),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(params: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        generate("person", 0, tmp_path, params)
    assert not list(tmp_path.iterdir())


def test_names_of_public_label_sets_resolve() -> None:
    pairs = {"PEDESTRIAN": "person", "Traffic Cone": "traffic_cone", "CONSTRUCTION_CONE": "traffic_cone", "bus.rigid": "bus", "Cyclist": "cyclist"}
    assert {name: resolve_asset_class(name) for name in pairs} == pairs
    names = [n for spec in ASSET_CLASSES.values() for n in spec.synonyms]
    assert len(names) == len(set(names)) and not set(names) & set(ASSET_CLASSES)
    with pytest.raises(UserError, match="did you mean 'bollard'"):
        resolve_asset_class("bolard")


def test_a_person_has_human_proportions() -> None:
    fixed = {"stature": 1.75, "age": "adult", "vigour": 0.0, "head": "bald", "bag": False, "top": "tshirt", "bottom": "trousers"}
    _, parts = build("person", 2, fixed)
    points = np.concatenate([p.mesh.points for p in parts])
    assert np.ptp(points[:, 2]) == pytest.approx(1.75, abs=0.06)

    trunk = np.concatenate([p.mesh.points for p in parts if p.name in ("cloth_upper", "skin")])

    def width(low: float, high: float) -> float:
        return float(np.ptp(trunk[(trunk[:, 2] > low * 1.75) & (trunk[:, 2] < high * 1.75), 1]))

    neck, head, shoulders = width(0.87, 0.91), width(0.92, 0.97), width(0.76, 0.80)
    assert neck < head < shoulders
    assert 0.38 < shoulders < 0.60 and 0.13 < head < 0.19


def test_walking_keeps_bone_lengths_and_swings_opposite_arms() -> None:
    body = Body(1.8)
    for phase in np.linspace(0, 1, 7):
        pose = walking(body, float(phase))
        assert np.linalg.norm(pose.ankles - pose.knees, axis=1) == pytest.approx(0.246 * body.unit)
        assert np.linalg.norm(pose.wrists - pose.elbows, axis=1) == pytest.approx(0.146 * body.unit)
    strike = walking(body, 0.0)
    assert strike.ankles[0, 0] > strike.ankles[1, 0] and strike.wrists[0, 0] < strike.wrists[1, 0]


def test_inverse_kinematics_reaches_the_target_or_stretches_towards_it() -> None:
    root, target = np.zeros(3), np.array([0.5, 0.0, 0.0])
    middle, end = reach(root, target, (0.4, 0.3), np.array([0.0, 0.0, 1.0]))
    assert np.allclose(end, target) and np.linalg.norm(middle) == pytest.approx(0.4) and np.linalg.norm(end - middle) == pytest.approx(0.3)
    assert middle[2] > 0
    _, end = reach(root, 4 * target, (0.4, 0.3), np.array([0.0, 0.0, 1.0]))
    assert np.linalg.norm(end) == pytest.approx(0.7, rel=0.01)


def user_cube(path: Path, size: tuple[float, float, float], units: float, up: str) -> Path:
    """A user's file: one box with a corner at the origin."""
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, up)
    UsdGeom.SetStageMetersPerUnit(stage, units)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/Thing").GetPrim())
    mesh = UsdGeom.Mesh.Define(stage, "/Thing/Box")
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * size
    mesh.CreatePointsAttr([tuple(map(float, c)) for c in corners])
    mesh.CreateFaceVertexCountsAttr([4] * 6)
    mesh.CreateFaceVertexIndicesAttr([0, 1, 3, 2, 4, 6, 7, 5, 0, 4, 5, 1, 2, 3, 7, 6, 0, 2, 6, 4, 1, 5, 7, 3])
    stage.Save()
    return path


def wrapped_box(path: Path) -> np.ndarray:
    stage = Usd.Stage.Open(str(path))
    box = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"]).ComputeWorldBound(stage.GetDefaultPrim()).ComputeAlignedRange()
    return np.array([box.GetMin(), box.GetMax()])


def test_a_users_file_is_turned_scaled_and_stood_on_the_ground(tmp_path: Path) -> None:
    source = user_cube(tmp_path / "car.usda", (180.0, 150.0, 440.0), 0.01, "Y")
    box = wrapped_box(from_usd(source, "car", tmp_path / "cache"))
    assert np.allclose(box, [[-2.2, -0.9, 0], [2.2, 0.9, 1.5]], atol=1e-6)


def test_what_a_users_file_shows_counts(tmp_path: Path) -> None:
    stage = Usd.Stage.CreateNew(str(tmp_path / "cone.usda"))
    UsdGeom.SetStageUpAxis(stage, "Z")
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/Thing").GetPrim())
    cone = UsdGeom.Cone.Define(stage, "/Thing/body")
    cone.CreateRadiusAttr().Set(0.2, 5)
    cone.CreateHeightAttr(0.8)
    for name, hide in {"guide": lambda c: c.CreatePurposeAttr("guide"), "hidden": lambda c: c.CreateVisibilityAttr("invisible")}.items():
        hide(UsdGeom.Cube.Define(stage, f"/Thing/{name}"))
    stage.Save()
    wrapper = Usd.Stage.Open(str(from_usd(tmp_path / "cone.usda", "traffic_cone", tmp_path / "cache")))
    points, _ = read_triangles(wrapper.GetDefaultPrim())
    assert np.allclose([points.min(0), points.max(0)], [[-0.2, -0.2, 0], [0.2, 0.2, 0.8]], atol=1e-6)


def test_an_absurd_unit_is_replaced_and_said_aloud(tmp_path: Path) -> None:
    source = user_cube(tmp_path / "car.usda", (440.0, 180.0, 150.0), 1.0, "Z")
    with pytest.warns(AssetUnitsWarning, match="440 m; read in centimetres"):
        path = from_usd(source, "car", tmp_path / "cache")
    assert np.allclose(wrapped_box(path)[1], [2.2, 0.9, 1.5], atol=1e-6)


def test_files_that_are_no_asset_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.usd").write_text("not a stage")
    empty = tmp_path / "empty.usda"
    Usd.Stage.CreateNew(str(empty)).Save()
    bare = Usd.Stage.CreateNew(str(tmp_path / "bare.usda"))
    UsdGeom.Xform.Define(bare, "/Only")
    bare.Save()
    refusals = {"missing.usd": "must exist", "text.usd": "must open as USD", "empty.usda": "empty stage", "bare.usda": "must hold a mesh or solid"}
    for name, words in refusals.items():
        with pytest.raises(UserError, match=words):
            from_usd(tmp_path / name, None, tmp_path / "cache")
    huge = user_cube(tmp_path / "huge.usda", (1e9, 1e9, 1e9), 1.0, "Z")
    with pytest.raises(UserError, match="plausible size"):
        from_usd(huge, "car", tmp_path / "cache")


def test_one_cache_whoever_asks(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TAILGATE_CACHE", "~/kept")
    spec = resolve(RunOptions(configs_root() / "budgets" / "quickstart.yaml"))
    assert spec.cache == StageRequest(None).cache == cache_folder() == tmp_path / "kept"
