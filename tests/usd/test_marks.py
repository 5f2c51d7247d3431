"""Marks on a stage: contexts, labels, unit, assets; the stage itself stays as it is."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade
from tailgate.assets import from_usd
from tailgate.errors import UserError
from tailgate.randomize.slots import read_shape
from tailgate.runtime.stage_marks import Marks, parse, write_marks
from tailgate.stage.contexts import CONTEXT, REVERSE, WIDTH, read_contexts
from tailgate.stage.excerpt import cut_asset
from tailgate.stage.extract import Extraction
from tailgate.stage.labels import direct_labels, get_label
from tailgate.stage.marks import mark_context, mark_label, upgrade_labels


def road_stage(path=None, unit=1.0):
    """A road of 60 x 7 m with a drawn curve above it, and an instanced lamp, in a unit of choice."""
    stage = kit.new_stage() if path is None else Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, unit)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    k = 1 / unit
    kit.box(stage, "/World/road", (0, 0, -0.2 * k), (60 * k, 7 * k, 0))
    curve = UsdGeom.BasisCurves.Define(stage, "/World/line")
    curve.CreatePointsAttr([Gf.Vec3f(0, 2 * k, 0), Gf.Vec3f(60 * k, 2 * k, 0)])
    curve.CreateCurveVertexCountsAttr([2])
    curve.CreateTypeAttr("linear")
    lamp = UsdGeom.Xform.Define(stage, "/World/lib/lamp")
    kit.box(stage, "/World/lib/lamp/post", (0, 0, 0), (0.1 * k, 0.1 * k, 3 * k))
    copy = UsdGeom.Xform.Define(stage, "/World/copy").GetPrim()
    copy.GetReferences().AddInternalReference(lamp.GetPath())
    copy.SetInstanceable(True)
    if path is not None:
        stage.GetRootLayer().Save()
    return stage


def test_a_curve_becomes_a_lane_in_the_session_layer():
    stage = road_stage(unit=0.01)
    before = stage.GetRootLayer().ExportToString()
    assert mark_context(stage, "/World/line", "lane", width=3.2) == "/World/line"
    (lane,) = read_contexts(stage)
    assert (lane.kind, lane.width, lane.path) == ("lane", pytest.approx(3.2), "/World/line")
    np.testing.assert_allclose(lane.points, [[0, 2, 0], [60, 2, 0]], atol=1e-5)
    mark_context(stage, "/World/line", "sidewalk", reverse=True)
    (walk,) = read_contexts(stage)
    assert walk.kind == "sidewalk" and walk.width == 2.0 and walk.points[0, 0] == pytest.approx(60)
    assert stage.GetRootLayer().ExportToString() == before
    assert not Extraction(stage, {}).run().skipped, "a curve that is a context is not missed in pictures"


def test_a_curves_own_widths_are_taken_where_they_are_those_of_a_road():
    stage = road_stage(unit=0.01)
    curve = UsdGeom.BasisCurves(stage.GetPrimAtPath("/World/line"))
    curve.CreateWidthsAttr([4.0])
    mark_context(stage, "/World/line", "lane")
    assert read_contexts(stage)[0].width == 3.5, "4 cm are a drawn line"
    curve.GetWidthsAttr().Set([420.0])
    mark_context(stage, "/World/line", "lane")
    assert read_contexts(stage)[0].width == pytest.approx(4.2)


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_a_mesh_becomes_a_surface_or_a_lane_of_its_own(unit):
    stage = road_stage(unit=unit)
    assert mark_context(stage, "/World/road", "surface") == "/World/road"
    (surface,) = read_contexts(stage)
    assert surface.area == pytest.approx(420, rel=1e-5) and (np.abs(surface.points[:, 2]) < 1e-6).all(), "its top alone"
    assert len(Extraction(stage, {}).run().spans) == 3, "a mesh that is a context is still shown"
    assert mark_context(stage, "/World/road", "lane") == "/Contexts/road_lane"
    lane = next(c for c in read_contexts(stage) if c.is_spline)
    assert lane.width == pytest.approx(7, rel=1e-4) and lane.length == pytest.approx(60, rel=1e-4)
    np.testing.assert_allclose(lane.points[:, 1:], [[3.5, 0]] * len(lane.points), atol=1e-4)


@pytest.mark.parametrize(
    "path, kind, words",
    [
        ("/World/rod", "lane", "there is no prim '/World/rod' in the stage (did you mean '/World/road'?)"),
        ("World", "lane", "there is no prim 'World'"),
        ("/World/road", "lne", "unknown kind of context 'lne' (did you mean 'lane'?)"),
        ("/World/lib", "lane", "got /World/lib, a prim of type none; did you mean /World/lib/lamp/post?"),
        ("/World/copy/post", "surface", "lies inside the instance /World/copy"),
        ("/World/lib/lamp/post", "lane", "at least twice as long as wide"),
    ],
)
def test_what_cannot_be_a_context(path, kind, words):
    stage = road_stage()
    with pytest.raises(UserError) as refused:
        mark_context(stage, path, kind)
    assert words in str(refused.value) and stage.GetSessionLayer().empty


def test_labels_new_and_old():
    stage = road_stage()
    old = stage.GetPrimAtPath("/World/road")
    old.AddAppliedSchema("SemanticsAPI:Semantics")
    for name, value in (("semanticType", "class"), ("semanticData", "road")):
        old.CreateAttribute(f"semantic:Semantics:params:{name}", Sdf.ValueTypeNames.String).Set(value)
    assert get_label(old, "class") is None
    assert upgrade_labels(stage) == ["/World/road"] and upgrade_labels(stage) == []
    mark_label(stage, "/World/copy", "lamp")
    mark_label(stage, "/World/copy", "street_light")
    assert direct_labels(old, "class") == ["road"] and direct_labels(stage.GetPrimAtPath("/World/copy"), "class") == ["street_light"]
    assert "SemanticsAPI:Semantics" in old.GetMetadata("apiSchemas").GetAddedOrExplicitItems(), "what was there stays"
    with pytest.raises(UserError, match="must be one class, got 'a,b'"):
        mark_label(stage, "/World/copy", "a,b")


def test_an_overlay_refers_to_the_stage_and_can_be_extended(tmp_path):
    (tmp_path / "scenes").mkdir()
    source = tmp_path / "scenes/road.usda"
    road_stage(source, 0.01)
    before, out = source.read_bytes(), tmp_path / "mine.usda"
    said = write_marks(source, out, Marks(contexts=(("/World/line", "lane:3"),), labels=(("/World/road", "road"),)))
    assert said == ["/World/line is a context of kind lane", "/World/road is labelled road"]
    stage = Usd.Stage.Open(str(out))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 0.01 and stage.GetDefaultPrim().GetPath() == "/World"
    assert list(stage.GetRootLayer().subLayerPaths) == ["./scenes/road.usda"] and read_contexts(stage)[0].width == 3
    del stage
    write_marks(out, out, Marks(contexts=(("/World/road", "sidewalk:2:reverse"),), meters_per_unit=0.1, up_axis="y"))
    stage = Usd.Stage.Open(str(out))
    assert len(read_contexts(stage)) == 2 and UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 0.1
    assert source.read_bytes() == before
    with pytest.raises(UserError, match="must not replace the stage"):
        write_marks(source, source, Marks(up_axis="y"))


@pytest.mark.parametrize(
    "marks, words",
    [
        (Marks(), "name something to mark"),
        (Marks(contexts=(("/World/line", "lane:x"),)), "must be KIND"),
        (Marks(contexts=(("/World/line", "lane:-1"),)), "must be from 0 to 1000 m, got -1"),
        (Marks(contexts=(("/World/line", "lane"),), labels=(("/World/lin", "a"),)), "did you mean '/World/line'"),
        (Marks(meters_per_unit=0.0), "metersPerUnit must be"),
        (Marks(up_axis="x"), "up axis must be Y or Z"),
        (Marks(assets=(("/World/line", "box"),)), "an asset must show a mesh, and /World/line holds BasisCurves"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(tmp_path, marks, words):
    road_stage(tmp_path / "road.usda")
    with pytest.raises(UserError, match=words.replace("(", "\\(")):
        write_marks(tmp_path / "road.usda", tmp_path / "mine.usda", marks)
    assert [p.name for p in tmp_path.iterdir()] == ["road.usda"]


def test_parts_of_a_mark():
    assert parse("/a", "lane") == ("lane", 0.0, False) and parse("/a", "aisle:2.5:reverse") == ("aisle", 2.5, True)


def crate_stage(path):
    """A crate of 0.6 x 0.4 x 0.3 m in a group scaled and turned, with its material elsewhere, hidden; part of it instanced."""
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    red = kit.material(stage, "/Looks/red", (0.8, 0.1, 0.1), reflectance=0.4)
    group = UsdGeom.Xform.Define(stage, "/World/shelf")
    group.AddTransformOp().Set(Gf.Matrix4d(0, 0, -10, 0, 0, 10, 0, 0, 10, 0, 0, 0, 500, 80, -300, 1))
    crate = UsdGeom.Xform.Define(stage, "/World/shelf/crate")
    crate.CreateVisibilityAttr("invisible")
    kit.box(stage, "/World/shelf/lib/wall", (0, 0, 0), (6, 3, 4), red)
    part = UsdGeom.Xform.Define(stage, "/World/shelf/crate/part").GetPrim()
    part.GetReferences().AddInternalReference("/World/shelf/lib")
    part.SetInstanceable(True)
    stage.GetRootLayer().Save()
    return stage


def test_a_prim_becomes_an_asset_with_its_material(tmp_path):
    stage = crate_stage(tmp_path / "hall.usda")
    before = stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString()
    file = tmp_path / "crate.usdc"
    cut_asset(stage, "/World/shelf/crate").Export(str(file))
    assert (stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString()) == before
    alone = Usd.Stage.Open(str(file))
    assert not alone.GetCompositionErrors() and not [p for p in alone.Traverse() if "lib" in p.GetName()]
    shape = read_shape(from_usd(file, "crate", tmp_path / "cache"))
    np.testing.assert_allclose(shape.high - shape.low, [0.6, 0.4, 0.3], atol=1e-5)
    assert shape.low[2] == pytest.approx(0, abs=1e-6)
    (mesh,) = [p for p in alone.Traverse() if p.IsA(UsdGeom.Mesh)]
    bound, _ = UsdShade.MaterialBindingAPI(mesh).ComputeBoundMaterial()
    assert bound and bound.GetPrim().GetAttribute("tailgate:reflectance").Get() == pytest.approx(0.4)
    assert UsdShade.Shader(bound.ComputeSurfaceSource()[0]).GetInput("diffuseColor").Get() == Gf.Vec3f(0.8, 0.1, 0.1)


def test_assets_come_with_the_overlay(tmp_path):
    crate_stage(tmp_path / "hall.usda")
    said = write_marks(tmp_path / "hall.usda", tmp_path / "mine.usda", Marks(assets=(("/World/shelf/crate", "crate"),)))
    assert "ontology: {crate: {asset: crate, usd: crate.usdc}}" in said[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crate.usdc", "hall.usda", "mine.usda"]


def test_marks_are_plain_attributes():
    """Users may write them by hand: these names are documented."""
    assert (CONTEXT, WIDTH, REVERSE) == ("tailgate:context", "tailgate:width", "tailgate:reverse")
