"""What of a stage is shown: instancers, visibility, purpose, time samples, units, broken input."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, Usd, UsdGeom
from tailgate.stage.extract import Extraction
from tailgate.stage.labels import set_labels
from tailgate.stage.triangles import read_triangles


def scatter(stage, path, prototypes, kinds, positions):
    made = UsdGeom.PointInstancer.Define(stage, path)
    made.CreatePrototypesRel().SetTargets(prototypes)
    made.CreateProtoIndicesAttr(kinds)
    made.CreatePositionsAttr([Gf.Vec3f(*map(float, p)) for p in positions])
    return made


def notes(stage):
    return "\n".join(Extraction(stage, {}).run().skipped)


def test_point_instancer_places_scales_turns_and_hides():
    stage = kit.new_stage()
    made = scatter(stage, "/World/many", ["/World/many/box", "/World/many/ball"], [0, 0, 1, 0], [(k * 10, 0, 0) for k in range(4)])
    box = kit.box(stage, "/World/many/box", (0, 0, 0), (1, 2, 3), T=kit.pose(z=5))
    set_labels(box.GetPrim(), "class", "car")
    UsdGeom.Sphere.Define(stage, "/World/many/ball")
    made.CreateScalesAttr([Gf.Vec3f(1), Gf.Vec3f(2), Gf.Vec3f(1), Gf.Vec3f(1)])
    turn = Gf.Quath(float(np.cos(np.pi / 4)), 0, 0, float(np.sin(np.pi / 4)))
    made.CreateOrientationsAttr([Gf.Quath(1, 0, 0, 0), turn, Gf.Quath(1, 0, 0, 0), Gf.Quath(1, 0, 0, 0)])
    made.CreateIdsAttr([7, 8, 9, 10])
    made.CreateInvisibleIdsAttr([10])
    UsdGeom.Xform(stage.GetPrimAtPath("/World")).AddTranslateOp().Set((0, 0, 1))
    arrays = Extraction(stage, {"car": 4}).run()
    assert arrays.instance_mover == [-1] * 3 and arrays.instance_prototype == [0, 0, 1]
    assert {arrays.slots[arrays.instance_slot[i]][1] for i in (0, 1)} == {4} and arrays.slots[arrays.instance_slot[2]][1] == 0
    corner = arrays.prototypes[0].points.max(0)
    places = [(T @ [*corner, 1])[:3] for T in arrays.instance_pose[:2]]
    np.testing.assert_allclose(places[0], [1, 2, 9], atol=1e-3)
    np.testing.assert_allclose(places[1], [10 - 4, 2, 17], atol=2e-2)
    assert arrays.skipped == []


def test_nested_instancers_and_those_in_movers_are_flattened():
    stage = kit.new_stage()
    inner = scatter(stage, "/World/lib/pair", ["/World/lib/pair/box"], [0, 0], [(0, 0, 0), (2, 0, 0)])
    kit.box(stage, "/World/lib/pair/box", (0, 0, 0), (1, 1, 1))
    stage.GetPrimAtPath("/World/lib").SetSpecifier(Sdf.SpecifierOver)
    scatter(stage, "/World/rows", [inner.GetPath()], [0, 0], [(0, 0, 0), (0, 5, 0)])
    path = kit.mover(stage, "car_v0_0", 3, kit.pose(x=4))
    own = scatter(stage, f"{path}/wheels", [f"{path}/wheels/wheel"], [0] * 4, [(x, y, 0) for x in (0, 2) for y in (0, 1)])
    UsdGeom.Cylinder.Define(stage, f"{path}/wheels/wheel").CreateRadiusAttr(0.3)
    arrays = Extraction(stage, {"car": 1}).run()
    assert arrays.instance_mover == [-1, -1, 0] and len(arrays.prototypes[0].triangles) == 24
    assert len(arrays.prototypes[1].points) % 4 == 0 and {tuple(s[1:]) for s in arrays.slots[-4:]} == {(1, 3, 0)}
    points, triangles = read_triangles(stage.GetPrimAtPath("/World/rows"))
    assert len(triangles) == 48 and points[:, 1].max() == 6
    own.GetPrototypesRel().AddTarget(own.GetPath())
    own.GetProtoIndicesAttr().Set([0, 0, 0, 1])
    assert "is its own prototype" in notes(stage)


@pytest.mark.parametrize("kinds, positions, words", [([0, 3], 2, "must name a prototype for every index"), ([0, 0], 1, "one position, orientation")])
def test_broken_instancers_are_named(kinds, positions, words):
    stage = kit.new_stage()
    scatter(stage, "/World/many", ["/World/many/box"], kinds, [(0, 0, 0)] * positions)
    kit.box(stage, "/World/many/box", (0, 0, 0), (1, 1, 1))
    assert words in notes(stage)


def test_visibility_and_purpose():
    stage = kit.new_stage()
    for k, purpose in enumerate(("default", "render", "proxy", "guide")):
        group = UsdGeom.Xform.Define(stage, f"/World/{purpose}")
        group.CreatePurposeAttr(purpose)
        kit.box(stage, f"/World/{purpose}/box", (k, 0, 0), (k + 1, 1, 1))
    kit.box(stage, "/World/default/hidden", (50, 0, 0), (51, 1, 1)).CreateVisibilityAttr("invisible")
    (prototype,) = Extraction(stage, {}).run().prototypes
    assert len(prototype.triangles) == 24 and prototype.points[:, 0].max() == 2
    UsdGeom.Imageable(stage.GetPrimAtPath("/World")).MakeInvisible()
    assert not Extraction(stage, {}).run().prototypes


def test_time_samples_are_read_at_the_first_one():
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    points = np.array(made.GetPointsAttr().Get())
    made.GetPointsAttr().Clear()
    made.GetPointsAttr().Set([Gf.Vec3f(*map(float, p)) for p in points * 2], 10)
    made.GetPointsAttr().Set([Gf.Vec3f(*map(float, p)) for p in points * 9], 20)
    made.AddTranslateOp().Set((5, 0, 0), 3)
    other = kit.box(stage, "/World/gone", (0, 0, 0), (99, 1, 1))
    other.CreateVisibilityAttr().Set("invisible", 1)
    other.GetVisibilityAttr().Set("inherited", 2)
    (prototype,) = Extraction(stage, {}).run().prototypes
    np.testing.assert_allclose([prototype.points.min(0), prototype.points.max(0)], [[5, 0, 0], [7, 2, 2]])


def test_the_start_of_the_time_range_is_read_where_it_is_declared():
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    place = made.AddTranslateOp()
    for time, x in ((-10, 100), (10, 120)):
        place.Set((x, 0, 0), time)
    assert Extraction(stage, {}).run().prototypes[0].points[:, 0].min() == 100
    stage.SetStartTimeCode(2.5)
    assert Extraction(stage, {}).run().prototypes[0].points[:, 0].min() == pytest.approx(112.5)


def test_units_and_up_axis(tmp_path):
    path = str(tmp_path / "part.usda")
    part = Usd.Stage.CreateNew(path)
    UsdGeom.SetStageMetersPerUnit(part, 0.01)
    UsdGeom.SetStageUpAxis(part, UsdGeom.Tokens.y)
    part.SetDefaultPrim(UsdGeom.Xform.Define(part, "/part").GetPrim())
    kit.box(part, "/part/box", (0, 0, 0), (100, 200, 300))
    part.Save()
    (own,) = Extraction(part, {}).run().prototypes
    np.testing.assert_allclose([own.points.min(0), own.points.max(0)], [[0, -3, 0], [1, 0, 2]], atol=1e-6)
    stage = kit.new_stage()
    holder = UsdGeom.Xform.Define(stage, "/World/part")
    holder.GetPrim().GetReferences().AddReference(path)
    assert "part.usda is in units of 0.01 m with Y up, the stage in 1 m with Z up" in notes(stage)
    holder.AddScaleOp(opSuffix="unitsResolve").Set((0.01, 0.01, 0.01))
    assert "part.usda" not in notes(stage)


def test_instanceable_references_are_shown(tmp_path):
    stage = kit.new_stage()
    kit.box(stage, "/World/lib/box", (0, 0, 0), (1, 1, 1))
    for k in range(3):
        prim = UsdGeom.Xform.Define(stage, f"/World/copy_{k}")
        prim.AddTranslateOp().Set((2.0 * k + 2, 0, 0))
        prim.GetPrim().GetReferences().AddInternalReference("/World/lib")
        prim.GetPrim().SetInstanceable(True)
        set_labels(prim.GetPrim(), "class", f"c{k}")
    arrays = Extraction(stage, {"c0": 5, "c1": 6, "c2": 7}).run()
    (prototype,) = arrays.prototypes
    semantic = np.array(arrays.slots)[prototype.face_slot, 1]
    left = prototype.points[prototype.triangles].min((1, 2))
    assert sorted(semantic.tolist()) == [0] * 12 + [5] * 12 + [6] * 12 + [7] * 12 and len(left) == 48
    middle = prototype.points[prototype.triangles].mean(1)[:, 0]
    for label, x in ((5, 2.5), (6, 4.5), (7, 6.5)):
        assert middle[semantic == label].mean() == pytest.approx(x)


def test_a_variant_that_is_none_is_named():
    stage = kit.new_stage()
    kit.box(stage, "/World/rest", (0, 0, 0), (1, 1, 1))
    house = UsdGeom.Xform.Define(stage, "/World/house").GetPrim()
    variants = house.GetVariantSets().AddVariantSet("look")
    for name in ("brick", "wood"):
        variants.AddVariant(name)
    variants.SetVariantSelection("wod")
    assert "prim /World/house: its variant look must be one of brick, wood, got wod (did you mean 'wood'?); none is shown" in notes(stage)
    variants.SetVariantSelection("wood")
    assert "variant" not in notes(stage)


def test_a_selection_in_a_variant_set_that_is_not_there_is_named(tmp_path):
    """As where an asset was flattened and lost its sets; one that a referenced file has is there."""
    asset = Usd.Stage.CreateNew(str(tmp_path / "house.usda"))
    house = UsdGeom.Xform.Define(asset, "/house").GetPrim()
    house.GetVariantSets().AddVariantSet("look").AddVariant("wood")
    asset.SetDefaultPrim(house)
    asset.GetRootLayer().Save()
    stage = kit.new_stage()
    kit.box(stage, "/World/rest", (0, 0, 0), (1, 1, 1))
    for name, chosen in (("sound", "look"), ("typo", "lok"), ("lost", "size")):
        prim = UsdGeom.Xform.Define(stage, f"/World/{name}").GetPrim()
        if name != "lost":
            prim.GetReferences().AddReference(str(tmp_path / "house.usda"))
        prim.GetVariantSets().SetSelection(chosen, "wood")
    said = [line for line in notes(stage).splitlines() if "variant" in line]
    assert said == [
        "prim /World/lost: it selects size = wood, and has no variant set size; none is shown",
        "prim /World/typo: it selects lok = wood, and has no variant set lok (did you mean 'look'?); none is shown",
    ]


def test_points_that_are_not_finite_and_cyclic_references_are_named(tmp_path):
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    points = [Gf.Vec3f(p) for p in made.GetPointsAttr().Get()]
    points[6] = Gf.Vec3f(float("nan"), 0, 0)
    made.GetPointsAttr().Set(points)
    kit.box(stage, "/World/a/inner", (5, 5, 5), (6, 6, 6))
    stage.GetPrimAtPath("/World/a").GetReferences().AddInternalReference("/World")
    stage.GetPrimAtPath("/World/box").GetReferences().AddReference(str(tmp_path / "absent.usd"))
    arrays = Extraction(stage, {}).run()
    text = "\n".join(arrays.skipped)
    assert "/World/box: points that are not finite" in text.replace("prims /World/a/box, ", "prim ")
    assert np.isfinite(arrays.prototypes[0].points).all()
    if hasattr(stage, "GetCompositionErrors"):
        assert "composition:" in text and "absent.usd" in text


@pytest.mark.parametrize("kind, values", [("uniform", 6), ("vertex", 8), ("varying", 8), ("faceVarying", 24)])
def test_indexed_primvars(kind, values):
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    colours = made.CreateDisplayColorPrimvar(kind)
    colours.Set([Gf.Vec3f(1, 0, 0), Gf.Vec3f(0, 1, 0)])
    colours.SetIndices([k % 2 for k in range(values)])
    normals = UsdGeom.PrimvarsAPI(made).CreatePrimvar("normals", Sdf.ValueTypeNames.Normal3fArray, kind)
    normals.Set([Gf.Vec3f(0, 0, 2), Gf.Vec3f(3, 0, 0)])
    normals.SetIndices([k % 2 for k in range(values)])
    (prototype,) = Extraction(stage, {}).run().prototypes
    first = {"uniform": [0, 0, 0], "vertex": [0, 3, 2], "varying": [0, 3, 2], "faceVarying": [0, 1, 2]}[kind]
    odd = np.array(first) % 2
    np.testing.assert_allclose(prototype.corner_colour[0], np.array([[1, 0, 0], [0, 1, 0]])[odd])
    np.testing.assert_allclose(prototype.corner_normal[0], np.array([[0, 0, 1], [1, 0, 0]])[odd])


def test_types_that_nobody_knows_and_procedurals_are_named():
    stage = kit.new_stage()
    for name, kind in {"box": "Mehs", "graph": "OmniGraph", "grass": "GenerativeProcedural", "group": "", "scope": "Scope"}.items():
        stage.DefinePrim(f"/World/{name}", kind)
    assert [line.split(" is ")[0] for line in Extraction(stage, {}).run().skipped] == [
        "prim /World/box: Mehs", "prim /World/graph: OmniGraph", "prim /World/grass: GenerativeProcedural",
    ]  # fmt: skip
    assert "did you mean 'Mesh'" in notes(stage)


def test_motion_that_is_not_played_is_named():
    stage = kit.new_stage()
    moved, hidden, still = (kit.box(stage, f"/World/{name}", (0, 0, 0), (1, 1, 1)) for name in ("moved", "hidden", "still"))
    for time in (1, 2.5):
        moved.AddTranslateOp() if time == 1 else None
        moved.GetOrderedXformOps()[0].Set((time, 0, 0), time)
        hidden.CreateVisibilityAttr().Set("inherited" if time == 1 else "invisible", time)
        still.GetPointsAttr().Set(still.GetPointsAttr().Get(), 7)
    assert notes(stage) == "prims /World/hidden, /World/moved: its motion is not played, one moment of it is shown"
