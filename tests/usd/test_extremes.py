"""Stages at the ends of what numbers and files can hold: each is said in a sentence, and what else there is is shown."""

import warnings

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade
from tailgate.errors import UserError
from tailgate.runtime.stage_views import region
from tailgate.stage.check import check_stage
from tailgate.stage.composition import composition_errors
from tailgate.stage.extract import Extraction
from tailgate.stage.layers import open_base

LATIN = b'#usda 1.0\ndef Xform "caf\xe9" {\n}\n'
"""A layer in Latin-1, which USD does not read."""


def notes(stage):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Extraction(stage, {}).run().skipped


def seen(stage):
    return kit.render(stage, kit.rig_of(kit.pinhole(32, 32, 16)), {}).sensors["camera"].channels


@pytest.mark.parametrize("away", [1e9, 1e20, 1e38])
def test_what_lies_beyond_the_reach_of_single_precision_is_left_out(away):
    stage = kit.new_stage()
    kit.box(stage, "/World/near", (3, -1, -1), (4, 1, 1))
    kit.mesh(stage, "/World/far", [(3, 9, 0), (away, -9, 1), (away, 9, 2), (3, 0, 5), (3, 1, 5), (3, 0, 6)], [(0, 1, 2), (3, 4, 5)])
    found = notes(stage)
    assert ("points that are not finite, or lie beyond 1e+09 m, their faces are left out" in "".join(found)) == (away > 1e9)
    assert np.isfinite(seen(stage)["distance_to_camera"]).any()


@pytest.mark.parametrize(
    "kind, sizes, why",
    [
        ("Cylinder", {"radius": 1e20}, "reaches beyond 1e+09 m"),
        ("Cylinder", {"height": 1e20}, "too flat, too thin or too large to have faces"),
        ("Cylinder", {"radius": 1e-30}, "too flat, too thin or too large to have faces"),
        ("Cone", {"height": 1e300}, "too flat, too thin or too large to have faces"),
        ("Cube", {"size": 1e300}, "too flat, too thin or too large to have faces"),
        ("Cube", {"size": 1e12}, "reaches beyond 1e+09 m"),
    ],
)
def test_solids_of_extreme_proportions(kind, sizes, why):
    stage = kit.new_stage()
    kit.box(stage, "/World/near", (3, -1, -1), (4, 1, 1))
    solid = stage.DefinePrim("/World/solid", kind)
    for name, value in sizes.items():
        solid.GetAttribute(name).Set(value)
    assert why in "\n".join(notes(stage)) and np.isfinite(seen(stage)["distance_to_camera"]).any()


def test_copies_beyond_the_reach_are_left_out():
    stage = kit.new_stage()
    instancer = UsdGeom.PointInstancer.Define(stage, "/World/many")
    kit.box(stage, "/World/many/box", (0, 0, 0), (1, 1, 1))
    instancer.CreatePrototypesRel().SetTargets(["/World/many/box"])
    instancer.CreateProtoIndicesAttr([0, 0, 0])
    instancer.CreatePositionsAttr([Gf.Vec3f(0), Gf.Vec3f(1e30, 0, 0), Gf.Vec3f(float("inf"), 0, 0)])
    arrays = Extraction(stage, {}).run()
    assert len(arrays.instance_pose) == 1 and "beyond 1e+09 m, are not shown" in arrays.skipped[0]


@pytest.mark.parametrize("points", [[(1, 1, 1)] * 3, [(1, 1, 0), (1, 1, 1), (1, 1, 2)], [(0, 0, 0), (1e-6, 0, 0), (0, 1e-6, 0)]])
def test_a_stage_without_extent_has_a_view_from_above(points):
    stage = kit.new_stage()
    kit.mesh(stage, "/World/m", points, [(0, 1, 2)])
    low, high = region(check_stage(stage).facts, ())
    assert (high[:2] - low[:2] >= 1e-3).all()


def test_small_sizes_are_told():
    stage = kit.new_stage()
    kit.box(stage, "/World/m", (0, 0, 0), (2e-6, 2e-6, 3e-6))
    assert check_stage(stage).facts["size_m"] == pytest.approx([2e-6, 2e-6, 3e-6], rel=1e-3)


def test_subsets_without_a_material():
    """A subset has no display opacity of its own; one whose material is not there is named."""
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (3, -1, -1), (4, 1, 1))
    plain, gone = (UsdGeom.Subset.CreateGeomSubset(made, n, "face", [k], "materialBind") for k, n in enumerate(("plain", "gone")))
    UsdShade.MaterialBindingAPI.Apply(gone.GetPrim()).GetDirectBindingRel().SetTargets(["/World/Looks/lost"])
    assert plain and notes(stage) == [
        "prim /World/box/gone: the material /World/Looks/lost that it is bound to is not there, its display colour is shown"
    ]


def test_normals_of_indices_beyond_the_values_are_named():
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    normals = UsdGeom.PrimvarsAPI(made).CreatePrimvar("normals", Sdf.ValueTypeNames.Normal3fArray, "vertex")
    normals.Set([Gf.Vec3f(0, 0, 1)])
    normals.SetIndices([0, 0, 7, 0, 0, 0, 0, 0])
    assert "normals do not fit" in notes(stage)[0]


def test_point_instancers_without_indices_or_with_a_prototype_that_is_not_there():
    stage = kit.new_stage()
    instancer = UsdGeom.PointInstancer.Define(stage, "/World/many")
    kit.box(stage, "/World/many/box", (0, 0, 0), (1, 1, 1))
    instancer.CreatePrototypesRel().SetTargets(["/World/many/box", "/World/lost"])
    instancer.CreatePositionsAttr([Gf.Vec3f(0), Gf.Vec3f(1), Gf.Vec3f(2)])
    assert "must hold one position, orientation and scale per index, 0 in all" in notes(stage)[0]
    instancer.CreateProtoIndicesAttr([0, 0, 0])
    assert notes(stage) == []
    instancer.GetProtoIndicesAttr().Set([0, 1, 0])
    arrays = Extraction(stage, {}).run()
    assert len(arrays.instance_pose) == 2 and "a prototype that is not there for index 1, its copies are not shown" in arrays.skipped[0]


def test_layers_that_are_no_text(tmp_path):
    (tmp_path / "latin.usda").write_bytes(LATIN)
    with pytest.raises(UserError, match="USD cannot open it: line 2: parse error"):
        open_base(tmp_path / "latin.usda")
    stage = Usd.Stage.CreateNew(str(tmp_path / "over.usda"))
    stage.GetRootLayer().subLayerPaths.append("./latin.usda")
    stage.DefinePrim("/part").GetReferences().AddReference("./latin.usda")
    stage.Save()
    said = [words for _, words in composition_errors(open_base(tmp_path / "over.usda"))]
    assert said == ["the sublayer latin.usda of over.usda cannot be opened", "a reference names latin.usda, which is not a valid USD file"]


def test_sublayers_that_lead_back(tmp_path):
    stage = Usd.Stage.CreateNew(str(tmp_path / "scene.usda"))
    stage.GetRootLayer().subLayerPaths.append("./scene.usda")
    stage.Save()
    assert composition_errors(open_base(tmp_path / "scene.usda")) == [("", "the sublayers of scene.usda lead back to scene.usda")]


def test_a_referenced_file_that_is_there_was_not_lost(tmp_path):
    (tmp_path / "broken.usd").write_bytes(bytes(range(256)))
    stage = Usd.Stage.CreateNew(str(tmp_path / "scene.usda"))
    for name in ("broken", "lost"):
        stage.DefinePrim(f"/{name}").GetReferences().AddReference(f"./{name}.usd")
    stage.Save()
    said = dict(composition_errors(open_base(tmp_path / "scene.usda")))
    assert "was not found" in said["/lost"] and "was not found" not in said["/broken"]


def test_bindings_without_their_api_say_nothing_of_usd(capfd):
    stage = kit.new_stage()
    look = kit.material(stage, "/World/look", (1.0, 0.0, 0.0))
    kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1)).GetPrim().CreateRelationship("material:binding").SetTargets([look.GetPath()])
    notes(stage)
    assert capfd.readouterr().err == ""
