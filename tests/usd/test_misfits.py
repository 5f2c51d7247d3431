"""What a mesh holds that does not fit it is said, and what fits is taken as USD means it."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, UsdGeom, UsdLux, UsdShade
from tailgate.stage.check import check_stage
from tailgate.stage.extract import Extraction
from tailgate.stage.labels import set_labels


def area(prototype):
    corners = prototype.points[prototype.triangles].astype(float)
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()


def coloured(stage, kind="vertex", values=8, colour=(1, 0, 0), bound=None):
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), bound)
    made.CreateDisplayColorPrimvar(kind).Set([Gf.Vec3f(*colour)] * values)
    return made


@pytest.mark.parametrize("first", range(0, 10, 3))
@pytest.mark.parametrize("turn", [1, -1])
def test_a_hole_that_a_bridge_joins_to_the_outline_is_a_hole(first, turn):
    outline = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
    ring = [(*p, 0) for p in (outline[first:] + outline[:first])[::turn]]
    stage = kit.new_stage()
    kit.mesh(stage, "/World/frame", ring, [range(10)])
    assert area(Extraction(stage, {}).run().prototypes[0]) == pytest.approx(12)


def test_outlines_of_many_corners():
    a = np.arange(600) * 2 * np.pi / 600
    r = np.where(np.arange(600) % 4 < 2, 1.0, 1.2)
    ring = np.stack([r * np.cos(a), r * np.sin(a), 0 * a], 1)
    stage = kit.new_stage()
    kit.mesh(stage, "/World/gear", ring, [range(600)])
    exact = 0.5 * np.cross(ring, np.roll(ring, -1, 0)).sum(0)[2]
    assert area(Extraction(stage, {}).run().prototypes[0]) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("kind, values, colour", [("vertex", 3, (1, 0, 0)), ("faceVarying", 23, (1, 0, 0)), ("vertex", 8, (1, float("nan"), 0))])
def test_display_colours_that_do_not_fit_are_named(kind, values, colour):
    stage = kit.new_stage()
    coloured(stage, kind, values, colour)
    arrays = Extraction(stage, {}).run()
    assert arrays.skipped == ["prim /World/box: display colours do not fit or are not finite, they are not shown"]
    assert arrays.prototypes[0].corner_colour is None


def test_indices_beyond_the_values_are_named(capfd):
    stage = kit.new_stage()
    coloured(stage, values=2).GetDisplayColorPrimvar().SetIndices([0, 1, 5, 0, 1, 0, 1, 0])
    assert "display colours do not fit" in Extraction(stage, {}).run().skipped[0] and capfd.readouterr().err == ""


def test_normals_that_do_not_fit_are_named_and_made():
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    made.CreateNormalsAttr([Gf.Vec3f(0, 0, 1)] * 5)
    arrays = Extraction(stage, {}).run()
    assert "normals do not fit" in arrays.skipped[0] and np.abs(arrays.prototypes[0].corner_normal).max(2).min() == 1


def test_subsets_that_do_not_fit_are_named():
    stage = kit.new_stage()
    made, red = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1)), kit.material(stage, "/World/red", (1.0, 0.0, 0.0))
    beyond = UsdShade.MaterialBindingAPI(made).CreateMaterialBindSubset("beyond", [3, 99])
    other, labelled = (UsdGeom.Subset.CreateGeomSubset(made, name, "face", [k]) for k, name in enumerate(("other", "labelled")))
    for subset in (beyond, other):
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(red)
    set_labels(labelled.GetPrim(), "class", "car")
    text = "\n".join(Extraction(stage, {"car": 1}).run().skipped)
    assert "GeomSubset beyond names faces that the mesh does not have" in text
    assert all(f"GeomSubset {name} is no subset of faces of the family materialBind" in text for name in ("other", "labelled"))


def test_display_colours_are_not_those_of_a_material():
    stage = kit.new_stage()
    made = coloured(stage, bound=kit.material(stage, "/World/white", (1.0, 1.0, 1.0)))
    assert Extraction(stage, {}).run().prototypes[0].corner_colour is None
    reading = kit.material(stage, "/World/reading", (0.0, 0.0, 0.0))
    node = UsdShade.Shader.Define(stage, "/World/reading/colour")
    node.CreateIdAttr("UsdPrimvarReader_float3")
    node.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
    node.CreateInput("fallback", Sdf.ValueTypeNames.Float3).Set((0, 0, 0.5))
    UsdShade.Shader(stage.GetPrimAtPath("/World/reading/Surface")).GetInput("diffuseColor").ConnectToSource(node.ConnectableAPI(), "result")
    subset = UsdShade.MaterialBindingAPI(made).CreateMaterialBindSubset("top", [1])
    UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(reading)
    (prototype,) = Extraction(stage, {}).run().prototypes
    shown = [prototype.corner_colour[prototype.face_slot == k].mean((0, 1)) for k in (0, 1)]
    np.testing.assert_allclose(shown, [[1, 1, 1], [1, 0, 0]])
    made.GetDisplayColorPrimvar().GetAttr().Block()
    (prototype,) = Extraction(stage, {}).run().prototypes
    np.testing.assert_allclose(prototype.corner_colour[prototype.face_slot == 1].mean((0, 1)), [0, 0, 0.5])


@pytest.mark.parametrize("purpose", ["preview", "full", ""])
def test_materials_bound_for_one_purpose(purpose):
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    more = {"materialPurpose": purpose} if purpose else {}
    UsdShade.MaterialBindingAPI.Apply(made.GetPrim()).Bind(kit.material(stage, "/World/red", (1.0, 0.0, 0.0)), **more)
    np.testing.assert_allclose(Extraction(stage, {}).run().material_table()[0, :3], [1, 0, 0])


def test_material_inputs_that_are_not_finite_are_named():
    stage = kit.new_stage()
    kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), kit.material(stage, "/World/red", (float("nan"), 0.0, 0.0), float("inf")))
    arrays = Extraction(stage, {}).run()
    np.testing.assert_allclose(arrays.material_table()[0, :4], [0.18, 0.18, 0.18, 0.5], atol=1e-6)
    expected = [f"material /World/red: {words}" for words in ("diffuseColor must be 3 finite numbers", "roughness must be a finite number")]
    assert [line.split(", got")[0] for line in arrays.skipped] == expected


WRONG = [(Sdf.ValueTypeNames.String, "x"), (Sdf.ValueTypeNames.Float, 0.5), (Sdf.ValueTypeNames.Asset, Sdf.AssetPath("no.png")),
         (Sdf.ValueTypeNames.FloatArray, [1.0, 2.0]), (Sdf.ValueTypeNames.Point3fArray, [Gf.Vec3f(float("nan"))])]  # fmt: skip


@pytest.mark.parametrize("path, name", [
    ("/World/box", "points"), ("/World/box", "faceVertexCounts"), ("/World/box", "faceVertexIndices"), ("/World/box", "normals"),
    ("/World/box", "primvars:displayColor"), ("/World/box", "xformOp:scale"), ("/World/box", "semantics:labels:class"), ("/World/can", "axis"),
    ("/World/can", "radius"), ("/World/many", "protoIndices"), ("/World/lamp", "inputs:radius"), ("/World/lamp", "inputs:color"),
    ("/World/look/Surface", "inputs:diffuseColor"), ("/World/look/Surface", "inputs:ior"), ("/World/road", "tailgate:width"),
])  # fmt: skip
def test_values_of_another_kind_are_as_good_as_none(path, name):
    """Files may give an attribute a value of any type, whatever its schema says: the rest of the stage is shown all the same."""
    for kind, value in WRONG:
        stage = kit.new_stage()
        kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), kit.material(stage, "/World/look", (1.0, 0.0, 0.0)))
        kit.box(stage, "/World/rest", (2, 0, 0), (3, 1, 1))
        UsdGeom.Cylinder.Define(stage, "/World/can")
        many = UsdGeom.PointInstancer.Define(stage, "/World/many")
        many.CreatePrototypesRel().SetTargets(["/World/rest"])
        UsdLux.SphereLight.Define(stage, "/World/lamp")
        UsdGeom.BasisCurves.Define(stage, "/World/road").GetPrim().CreateAttribute("tailgate:context", Sdf.ValueTypeNames.Token).Set("lane")
        spec = stage.GetRootLayer().GetPrimAtPath(path)
        if name in spec.attributes:
            spec.RemoveProperty(spec.attributes[name])
        Sdf.AttributeSpec(spec, name, kind).default = value
        if name.startswith("xformOp:"):
            Sdf.AttributeSpec(spec, "xformOpOrder", Sdf.ValueTypeNames.TokenArray).default = [name]
        assert any(finding.topic == "contexts" for finding in check_stage(stage).findings)
        assert "/World/rest" in Extraction(stage, {}).run().slot_prims
