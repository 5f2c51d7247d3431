"""What a check says of stages with one flaw each, and of a sound one nothing."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, Usd, UsdGeom, UsdLux, UsdShade
from tailgate.assets import build_base
from tailgate.stage.check import TOPICS, check_stage, content
from tailgate.stage.composition import composition_errors
from tailgate.stage.labels import set_labels
from tailgate.stage.layers import open_base
from tailgate.stage.marks import mark_context


def sound():
    """A level plaza, labelled and lit, with a lane across it."""
    stage = kit.new_stage()
    set_labels(kit.ground(stage, "/World/plaza", half=20).GetPrim(), "class", "plaza")
    UsdLux.DomeLight.Define(stage, "/World/sky")
    lane(stage, "/World/lane", [(-15, 0, 0), (15, 0, 0)])
    return stage


def lane(stage, path, points, kind="lane", width=3.5):
    curve = UsdGeom.BasisCurves.Define(stage, path)
    curve.CreatePointsAttr([Gf.Vec3f(*map(float, p)) for p in points])
    curve.CreateCurveVertexCountsAttr([len(points)])
    curve.CreateTypeAttr("linear")
    mark_context(stage, path, kind, stage.GetRootLayer(), width)
    return curve


def said(stage, topic, severity=None):
    """Sentences of one topic."""
    return [f.sentence for f in check_stage(stage).findings if f.topic == topic and severity in (None, f.severity)]


def test_a_sound_stage_is_ready_and_stays_as_it_is():
    stage = sound()
    before = stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString()
    report = check_stage(stage)
    assert report.ok and not report.of("warning") and report.verdict == "ready: nothing to mend"
    assert (stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString()) == before
    facts = report.facts
    assert facts["triangles"] == 2 and facts["classes"] == ["plaza"] and facts["lights"] == ["/World/sky"]
    assert facts["contexts"][0]["length_m"] == 30 and facts["contexts"][0]["heading"] == "0 deg"
    assert {f["topic"] for f in report.to_json()["findings"]} <= set(TOPICS)


@pytest.mark.parametrize("name", ["street", "warehouse", "table_top"])
def test_built_in_bases_have_nothing_to_mend(tmp_path, name):
    report = check_stage(open_base(build_base(name, 0, {}, tmp_path)))
    assert report.ok and not report.of("warning"), [f.sentence for f in report.findings]


def car(stage, path, k=1.0, label="car"):
    """A car-sized box, its sides times ``k``."""
    box = kit.box(stage, path, (5, 5, 0), (5 + 4.5 * k, 5 + 1.8 * k, 1.5 * k))
    if label:
        set_labels(box.GetPrim(), "class", label)
    return box


@pytest.mark.parametrize("declared, modelled", [(1.0, 0.01), (0.01, 1.0), (1.0, 0.0254), (0.001, 0.01), (1.0, 0.001)])
def test_a_wrong_unit_is_guessed_from_what_is_known(declared, modelled):
    stage = kit.new_stage()
    UsdGeom.SetStageMetersPerUnit(stage, declared)
    k = 1 / modelled
    kit.ground(stage, "/World/floor", half=20 * k)
    car(stage, "/World/a", k)
    set_labels(kit.box(stage, "/World/cone", (0, 0, 0), (0.4 * k, 0.4 * k, 0.7 * k)).GetPrim(), "class", "traffic cone")
    set_labels(kit.box(stage, "/World/who", (9 * k, 0, 0), (9.5 * k, 0.5 * k, 1.75 * k)).GetPrim(), "class", "pedestrian")
    (problem,) = said(stage, "units", "problem")
    assert f"high at metersPerUnit {declared:g}, and 2 more of 3 things of known size do not fit either" in problem
    assert f"metersPerUnit {modelled:g}" in problem and f"--meters-per-unit {modelled:g}" in problem
    UsdGeom.SetStageMetersPerUnit(stage, modelled)
    assert not said(stage, "units")


def test_names_tell_where_no_label_does():
    stage = kit.new_stage()
    car(stage, "/World/RedSedan_02", 100.0, label="")
    (problem,) = said(stage, "units", "problem")
    assert problem.startswith("car /World/RedSedan_02 is 150 m high at metersPerUnit 1; 60.8 cm to 3.8 m are plausible, and metersPerUnit 0.01 (")
    set_labels(stage.GetPrimAtPath("/World/RedSedan_02"), "class", "sculpture")
    assert not said(stage, "units", "problem"), "a label says more than a name"


def test_one_thing_of_a_wrong_size_is_not_the_stages_unit():
    stage = sound()
    for k in range(3):
        car(stage, f"/World/car_{k}")
    car(stage, "/World/toy", 0.1)
    (warning,) = said(stage, "units")
    assert warning.startswith("/World/toy: a car 15 cm high; 60.8 cm to 3.8 m are plausible")


def test_copies_of_a_wrong_size_are_one_finding():
    """A crate as high as a table is none."""
    stage = sound()
    car(stage, "/World/right")
    for k in range(2):
        car(stage, f"/World/toy_{k}", 0.1)
    set_labels(kit.box(stage, "/World/crate", (0, 0, 0), (1, 1, 1)).GetPrim(), "class", "crate")
    (warning,) = said(stage, "units")
    assert warning.startswith("/World/toy_0, /World/toy_1: a car 15 cm high") and "check their scales or labels" in warning


def test_a_unit_that_is_not_declared():
    """Said with what the stage would be in metres; a note where known things fit."""
    stage = Usd.Stage.CreateInMemory()
    kit.ground(stage, "/World/floor", half=40)
    (warning,) = said(stage, "units", "warning")
    assert "declares no metersPerUnit, and USD takes 0.01, which makes it 80 cm long; in metres it would be 80 m" in warning
    assert "tailgate mark STAGE --meters-per-unit UNIT" in warning
    car(stage, "/World/car", 100.0)
    assert not said(stage, "units", "warning") and len(said(stage, "units", "note")) == 1


LONG = "120 km long at metersPerUnit 1; it would be 1.2 km in cent"


@pytest.mark.parametrize("half, words", [(0.001, "the whole scene is 2 mm long"), (60_000, LONG)])
def test_a_scene_of_an_absurd_size(half, words):
    stage = kit.new_stage()
    kit.ground(stage, "/World/floor", half=half)
    (warning,) = said(stage, "units")
    assert words in warning


def test_layers_of_other_units_are_named(tmp_path):
    part = Usd.Stage.CreateNew(str(tmp_path / "part.usda"))
    UsdGeom.SetStageMetersPerUnit(part, 0.0254)
    part.SetDefaultPrim(UsdGeom.Xform.Define(part, "/part").GetPrim())
    part.GetRootLayer().Save()
    stage = sound()
    stage.OverridePrim("/World/part").GetReferences().AddReference(str(tmp_path / "part.usda"))
    assert "part.usda is in units of 0.0254 m" in said(stage, "units", "warning")[0] and "unitsResolve" in said(stage, "units")[0]


def test_a_stage_without_contexts_is_told_what_could_be_one():
    stage = kit.new_stage()
    kit.ground(stage, "/World/floor", half=5)
    (problem,) = said(stage, "contexts")
    assert "no place to stand" in problem and "tailgate mark STAGE --context /World/floor=surface" in problem
    assert said(stage, "ground") == ["/World/floor: this looks like the ground: 100 m² that face up at a height of 0.00 m"]
    model = kit.new_stage()
    kit.mesh(model, "/World/thing", *kit.sphere(24))
    assert "use it for a class" in said(model, "ground")[0] and "/PATH/TO/CURVE" in said(model, "contexts")[0]


def test_what_labels_call_a_road_is_proposed_as_a_lane():
    """As far as it could be made one: a square is no lane. The command is one for all."""
    stage = kit.new_stage()
    set_labels(kit.ground(stage, "/World/ground", half=50).GetPrim(), "class", "terrain")
    for name, label, low, high in (
        ("road", "Road", (-40, -4, 0), (40, 4, 0.1)),
        ("walk", "sidewalk", (-40, 5, 0), (40, 7, 0.2)),
        ("square", "street", (10, 20, 0), (30, 40, 0.1)),
    ):
        set_labels(kit.box(stage, f"/World/{name}", low, high).GetPrim(), "class", label)
    (problem,) = said(stage, "contexts")
    assert "tailgate mark STAGE --context /World/road=lane --context /World/walk=sidewalk -o NEW.usda" in problem


def test_commands_name_a_file_as_it_is_typed(tmp_path, monkeypatch):
    """From the working folder, quoted where it must be; whole where it lies elsewhere."""
    file = tmp_path / "my stages" / "plaza.usda"
    file.parent.mkdir()
    stage = Usd.Stage.CreateNew(str(file))
    kit.ground(stage, "/World/floor", half=5)
    monkeypatch.chdir(tmp_path)
    assert "tailgate mark 'my stages/plaza.usda' --context" in said(stage, "contexts")[0]
    monkeypatch.chdir(file.parent)
    assert "tailgate mark plaza.usda --context" in said(stage, "contexts")[0]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f"tailgate mark '{file}' --context" in said(stage, "contexts")[0]


def test_hills_alone_are_ground_and_a_table_alone_is_not():
    x, y = np.meshgrid(np.linspace(-20, 20, 41), np.linspace(-20, 20, 41))
    points = np.stack([x, y, 0.8 * np.sin(x / 4) * np.cos(y / 4)], -1).reshape(-1, 3)
    cells = [(k, k + 1, k + 42, k + 41) for row in range(40) for k in range(41 * row, 41 * row + 40)]
    stage = kit.new_stage()
    kit.mesh(stage, "/World/hills", points, cells)
    assert "/World/hills: this looks like the ground" in said(stage, "ground")[0]
    stage = kit.new_stage()
    kit.box(stage, "/World/leg", (0, 0, 0), (0.1, 0.1, 0.7))
    kit.box(stage, "/World/top", (-0.7, -0.4, 0.7), (0.7, 0.4, 0.75))
    assert "nothing in the stage is wide, low and level" in said(stage, "ground")[0]


def test_contexts_and_the_ground_below_them():
    stage = sound()
    for name, points in (("high", [(-9, 3, 2), (9, 3, 2)]), ("gap", [(10, -3, 0), (30, -3, 0)]), ("off", [(-9, 6, 0.2), (9, 6, 0.2)])):
        lane(stage, f"/World/{name}", points)
    kit.box(stage, "/World/wall", (-14, -11, 0), (14, -8.5, 3))
    lane(stage, "/World/inside", [(-12, -10, 0), (12, -10, 0)], width=2)
    kit.mesh(stage, "/World/fence", [(1.2, 5, 0), (1.2, 7, 0), (1.2, 7, 2), (1.2, 5, 2)], [(0, 1, 2, 3)])
    slope = kit.mesh(stage, "/World/slope", [(0, 12, 0), (10, 12, 3), (10, 18, 3), (0, 18, 0)], [(0, 1, 2, 3)])
    mark_context(stage, "/World/slope", "surface", stage.GetRootLayer())
    ground = {f.prim: f for f in check_stage(stage).findings if f.topic == "ground"}
    assert "the lane high has no ground within 0.6 m anywhere: the ground is 2.00 m below it" in ground["/World/high"].sentence
    assert ground["/World/high"].severity == "problem" and ground["/World/gap"].severity == "warning"
    assert float(ground["/World/gap"].found.split()[0]) == pytest.approx(50, abs=6)
    assert ground["/World/off"].severity == "note" and "lies 0.20 m above the ground" in ground["/World/off"].found
    assert ground["/World/inside"].severity == "problem" and "100 % of the lane inside lies inside a solid" in ground["/World/inside"].found
    assert ground["/World/slope"].severity == "problem" and "leans more than 6 degrees" in ground["/World/slope"].found
    (through,) = said(stage, "ground", "warning")[1:]
    assert "the lane off runs through something solid in 1 place, first near x 0.8 m, y 6.0 m" in through
    slope.GetOrientationAttr().Set("leftHanded")
    assert any("faces that look down" in s for s in said(stage, "ground", "note"))


@pytest.mark.parametrize(
    "points, kind, width, words",
    [
        ([(0, 0, 0), (0.5, 0, 0)], "lane", 3.0, "the lane odd is 0.5 m long"),
        ([(0, 0, 0), (9, 0, 0)], "lane", 350.0, "is 350 m wide; 2 to 8 m are usual"),
        ([(0, 0, 0), (0, 1, 9)], "sidewalk", 2.0, "rises 900 % of its length"),
    ],
)
def test_splines_that_make_no_sense(points, kind, width, words):
    stage = sound()
    lane(stage, "/World/odd", points, kind, width)
    assert any(words in s for s in said(stage, "contexts"))


def test_kinds_of_contexts():
    stage = kit.new_stage()
    kit.ground(stage, "/World/plaza", half=20)
    lane(stage, "/World/path", [(-9, 0, 0), (9, 0, 0)], "ego")
    assert "the only context is the rig's own path" in said(stage, "contexts", "problem")[0]
    stage.GetPrimAtPath("/World/path").GetAttribute("tailgate:context").Set("egoo")
    assert "unknown tailgate:context of /World/path 'egoo' (did you mean 'ego'?)" in said(stage, "contexts", "problem")[0]
    stage.GetPrimAtPath("/World/path").GetAttribute("tailgate:context").Set("lane")
    stage.GetPrimAtPath("/World/path").RemoveProperty("tailgate:width")
    assert any("has no tailgate:width; 1 m is taken" in s for s in said(stage, "contexts", "warning"))


def test_labels():
    stage = sound()
    old = kit.box(stage, "/World/crate", (1, 1, 0), (2, 2, 1)).GetPrim()
    for name, value in (("semanticType", "class"), ("semanticData", "crate")):
        old.CreateAttribute(f"semantic:Semantics:params:{name}", Sdf.ValueTypeNames.String).Set(value)
    set_labels(kit.box(stage, "/World/both", (3, 1, 0), (4, 2, 1)).GetPrim(), "class", ["box", "crate"])
    set_labels(kit.box(stage, "/World/lib/part", (0, 0, 0), (1, 1, 1)).GetPrim(), "class", "box")
    for k in range(2):
        copy = stage.DefinePrim(f"/World/copy_{k}", "Xform")
        copy.GetReferences().AddInternalReference("/World/lib")
        copy.SetInstanceable(True)
    many = UsdGeom.PointInstancer.Define(stage, "/World/many")
    many.CreatePrototypesRel().SetTargets(["/World/many/cup"])
    many.CreateProtoIndicesAttr([0, 0])
    many.CreatePositionsAttr([Gf.Vec3f(5, 5, 0), Gf.Vec3f(6, 5, 0)])
    set_labels(kit.box(stage, "/World/many/cup", (0, 0, 0), (0.1, 0.1, 0.1)).GetPrim(), "class", "mug")
    text = "\n".join(said(stage, "labels"))
    assert "/World/crate: is labelled 'crate' by the old SemanticsAPI, which is not read" in text and "--upgrade-labels" in text
    assert "/World/both: holds several classes (box, crate)" in text
    assert "/World/copy_0/part, /World/copy_1/part: is labelled inside an instance; it counts here, Isaac Sim ignores it" in text
    assert "/World/many/cup: is labelled below a PointInstancer" in text


def test_what_is_not_labelled():
    stage = sound()
    kit.ground(stage, "/World/lawn", half=80, z=-1)
    (note,) = said(stage, "labels")
    assert "94 % of the shown area carries no class" in note and "/World/lawn" in note
    stage.GetPrimAtPath("/World/plaza").RemoveProperty("semantics:labels:class")
    assert "nothing in the stage carries a class" in said(stage, "labels", "warning")[0]


def test_lights_that_do_not_shine():
    stage = sound()
    stage.RemovePrim("/World/sky")
    assert "no light shines and nothing glows" in said(stage, "lights", "warning")[0]
    UsdLux.RectLight.Define(stage, "/World/flat").CreateWidthAttr(0.0)
    UsdLux.SphereLight.Define(stage, "/World/off").CreateIntensityAttr(0.0)
    UsdLux.SphereLight.Define(stage, "/World/below").CreateIntensityAttr(-5.0)
    text = "\n".join(said(stage, "lights", "warning"))
    assert "no light shines" in text and "/World/off: the light has no intensity" in text and "/World/flat: a light without an area" in text
    assert "/World/below: the light's intensity or colour is negative" in text
    UsdLux.SphereLight.Define(stage, "/World/on").CreateIntensityAttr(9.0)
    assert "1 light of the stage's own; they add to those" in "\n".join(said(stage, "lights", "note"))
    assert check_stage(stage).facts["lights"] == ["/World/on"]


def test_broken_geometry_is_said_and_the_rest_shown():
    stage = sound()
    nan = kit.box(stage, "/World/nan", (0, 0, 0), (1, 1, 1))
    points = list(nan.GetPointsAttr().Get())
    points[6] = Gf.Vec3f(float("nan"), 0, 0)
    nan.GetPointsAttr().Set(points)
    kit.mesh(stage, "/World/range", [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 7)])
    kit.mesh(stage, "/World/thin", [(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 2, 0)], [(0, 1, 2), (0, 1, 2), (0, 2, 3)])
    UsdGeom.Xformable(kit.box(stage, "/World/none", (0, 0, 0), (1, 1, 1))).AddScaleOp().Set((0, 1, 1))
    text = "\n".join(said(stage, "geometry"))
    assert "prim /World/nan: points that are not finite, or lie beyond 1e+09 m, their faces are left out" in text
    assert "prim /World/range: mesh with broken topology" in text
    assert "/World/thin: 2 of 3 triangles have no area; they are not seen" in text
    assert "prim /World/none: its transform is not finite or flattens it" in text
    empty = kit.new_stage()
    assert "the stage shows nothing; it must show at least one mesh or solid" in said(empty, "geometry", "problem")[0]


def test_a_stage_far_from_its_origin():
    stage = kit.new_stage()
    kit.box(stage, "/World/crate", (0, 0, 0), (1, 1, 1), T=kit.pose(500123.0, 5400321.0, 312.0))
    assert "it lies 5423 km from the origin, positions there are 0.5 m apart" in "\n".join(said(stage, "geometry"))


def test_a_part_far_from_the_origin():
    """A shape and an instancer's copies are named one by one where something else lies near."""
    stage = kit.new_stage()
    kit.box(stage, "/World/near", (-1, -1, 0), (1, 1, 1))
    kit.box(stage, "/World/crate", (0, 0, 0), (1, 1, 1), T=kit.pose(500123.0, 5400321.0, 312.0))
    copies = UsdGeom.PointInstancer.Define(stage, "/World/copies")
    kit.box(stage, "/World/copies/one", (0, 0, 0), (1, 1, 1))
    copies.GetPrototypesRel().AddTarget("/World/copies/one")
    copies.CreateProtoIndicesAttr([0, 0])
    copies.CreatePositionsAttr([Gf.Vec3f(3, 0, 0), Gf.Vec3f(20_000, 0, 0)])
    assert "prims /World/copies, /World/crate: it lies more than 10 km from the origin" in "\n".join(said(stage, "geometry"))
    copies.GetPositionsAttr().Set([Gf.Vec3f(3, 0, 0), Gf.Vec3f(9_000, 0, 0)])
    assert "prim /World/crate: it lies more than 10 km" in "\n".join(said(stage, "geometry"))
    for path in ("/World/near", "/World/crate"):
        stage.RemovePrim(path)
    copies.GetPositionsAttr().Set([Gf.Vec3f(30_000, 0, 0), Gf.Vec3f(40_000, 0, 0)])
    assert "stage: it lies 40 km from the origin" in "\n".join(said(stage, "geometry"))


@pytest.mark.parametrize("away", [(1e6, 0), (30_000, -40_000)])
def test_a_shape_astray_does_not_hide_the_rest(away):
    """It is named; size, ground and picture are those of what lies together, in whatever order the shapes come."""
    for first in ("astray", "within"):
        stage = kit.new_stage()
        kit.box(stage, f"/World/{first}", (0, 0, 0), (1, 1, 1), T=kit.pose(*away, 0))
        kit.ground(stage, "/World/plaza", half=15)
        facts = check_stage(stage).facts
        assert facts["size_m"][:2] == [30, 30] and facts["floor"]["path"] == "/World/plaza"
        assert any(f"/World/{first}: it lies more than 10 km" in line for line in said(stage, "geometry"))


def test_many_triangles(monkeypatch):
    stage = sound()
    monkeypatch.setattr(content, "MANY", 1)
    (warning,) = said(stage, "geometry")
    assert "million triangles; reading them takes about" in warning


def test_missing_files_and_cycles_in_a_sentence_each(tmp_path):
    (tmp_path / "other.usda").write_text('#usda 1.0\ndef Xform "X" {}\n')
    (tmp_path / "broken.usda").write_text("rubbish")
    (tmp_path / "scene.usda").write_text(
        '#usda 1.0\n(subLayers = [@gone.usda@])\ndef Xform "World" {\n'
        'def Xform "a" (references = </World>) {}\ndef Xform "b" (references = @absent.usd@) {}\n'
        'def Xform "c" (references = @other.usda@</Nope>) {}\ndef Xform "d" (payload = @other.usda@) {}\n'
        'def Xform "e" (inherits = </World/e>) {}\ndef Xform "f" (references = @broken.usda@) {}\n'
        'def Xform "g" (references = @parts/krate.usda@) {}\n}\n'
    )
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/crate.usda").write_text("#usda 1.0\n")
    stage = open_base(tmp_path / "scene.usda")
    assert dict((path, words) for path, words in composition_errors(stage)) == {
        "": "the sublayer gone.usda of scene.usda cannot be opened",
        "/World/a": "its reference of /World leads back to itself",
        "/World/b": "a reference names absent.usd, which was not found",
        "/World/c": "a reference names /Nope in other.usda, and there is no such prim",
        "/World/d": "a payload names other.usda, which has no default prim",
        "/World/e": "its inheritance of /World/e leads back to itself",
        "/World/f": "a reference names broken.usda, which is not a valid USD file",
        "/World/g": "a reference names parts/krate.usda, which was not found (did you mean 'crate.usda'?)",
    }
    assert len(said(stage, "composition", "problem")) == 8


def test_a_cycle_of_files_names_the_file(tmp_path):
    for own, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{own}.usda").write_text(f'#usda 1.0\ndef Xform "A" (references = @{other}.usda@</A>) {{}}\n')
    ((_, words),) = composition_errors(open_base(tmp_path / "one.usda"))
    assert words == "its reference of /A in two.usda leads back to itself"


def test_images_that_are_not_there(tmp_path):
    stage = sound()
    made = kit.material(stage, "/World/Looks/wood", (0.5, 0.4, 0.3))
    texture = UsdShade.Shader.Define(stage, "/World/Looks/wood/Map")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(str(tmp_path / "wood.png"))
    shader = UsdShade.Shader(stage.GetPrimAtPath("/World/Looks/wood/Surface"))
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(texture.ConnectableAPI(), "rgb")
    kit.box(stage, "/World/board", (0, 0, 0), (1, 1, 1), made)
    (warning,) = said(stage, "textures")
    assert warning.startswith("/World/Looks/wood: image ") and "wood.png cannot be read" in warning
    (tmp_path / "woods.png").write_bytes(b"")
    assert "wood.png cannot be read (did you mean 'woods.png'?)" in said(stage, "textures")[0]
    UsdShade.MaterialBindingAPI.Apply(stage.GetPrimAtPath("/World/plaza")).Bind(made)
    stage.GetPrimAtPath("/World/plaza").GetRelationship("material:binding").SetTargets(["/World/Looks/woood"])
    assert "/World/Looks/woood that it is bound to is not there (did you mean '/World/Looks/wood'?)" in " ".join(said(stage, "renderer"))
    assert "wood.png" not in "".join(said(stage, "renderer")), "said once, not twice"


def test_what_the_renderer_passes_over_is_said_once_by_name():
    stage = sound()
    for k in range(3):
        UsdGeom.Points.Define(stage, f"/World/dust_{k}")
    assert said(stage, "renderer") == ["prims /World/dust_0, /World/dust_1, /World/dust_2: Points is not shown, only meshes and solids are"]


def test_prims_with_one_flaw_are_all_named_while_they_are_few():
    """Classes that a check lists are those of what is shown."""
    stage = sound()
    for k in range(6):
        UsdGeom.Points.Define(stage, f"/World/dust_{k}")
    (line,) = said(stage, "renderer")
    assert line == "prims /World/dust_0 and 5 more: Points is not shown, only meshes and solids are"
    stage.RemovePrim("/World/dust_5")
    (line,) = said(stage, "renderer")
    assert "/World/dust_0, /World/dust_1, /World/dust_2, /World/dust_3, /World/dust_4: Points" in line
    set_labels(stage.GetPrimAtPath("/World/dust_0"), "class", "dust")
    assert check_stage(stage).facts["classes"] == ["plaza"]


def test_payloads_that_are_not_loaded(tmp_path):
    (tmp_path / "part.usda").write_text('#usda 1.0\n(defaultPrim = "part")\ndef Sphere "part" {}\n')
    stage = sound()
    stage.OverridePrim("/World/part").GetPayloads().AddPayload(str(tmp_path / "part.usda"))
    assert not said(stage, "composition")
    stage.Unload("/World/part")
    assert said(stage, "composition", "warning")[0].startswith("/World/part: its payload is not loaded; what it was to bring in is missing")


def test_copies_lights_and_cameras_name_what_is_passed_over():
    stage = sound()
    many = UsdGeom.PointInstancer.Define(stage, "/World/many")
    many.CreatePrototypesRel().SetTargets(["/World/many/cup"])
    many.CreateProtoIndicesAttr([0, 0])
    many.CreatePositionsAttr([Gf.Vec3f(5, 5, 0), Gf.Vec3f(6, 5, 0)])
    kit.box(stage, "/World/many/cup", (0, 0, 0), (0.1, 0.1, 0.1))
    UsdGeom.PrimvarsAPI(many).CreatePrimvar("displayColor", Sdf.ValueTypeNames.Color3fArray, "vertex").Set([Gf.Vec3f(1, 0, 0), Gf.Vec3f(0, 1, 0)])
    assert "prim /World/many: primvars that vary over the copies of a PointInstancer are not honoured" in said(stage, "renderer")
    lamp = UsdLux.SphereLight.Define(stage, "/World/lamp")
    lamp.CreateFiltersRel().SetTargets(["/World/filter"])
    sky = UsdLux.DomeLight.Define(stage, "/World/sky")
    UsdLux.LightAPI(sky).GetShadowLinkCollectionAPI().CreateExcludesRel().SetTargets(["/World/many"])
    UsdGeom.Camera.Define(stage, "/World/eye").CreateExposureAttr(2.0)
    text = "\n".join([*said(stage, "lights"), *said(stage, "cameras")])
    for words in ("/World/lamp: light filters are not honoured", "/World/sky: everything throws its shadow",
                  "/World/eye: its exposure is not honoured"):  # fmt: skip
        assert words in text


def test_cameras():
    stage = sound()
    UsdGeom.Camera.Define(stage, "/World/eye").CreateProjectionAttr("orthographic")
    assert "camera /World/eye must be a perspective one, as real cameras are, got orthographic" in said(stage, "cameras")[0]
    stage.RemovePrim("/World/eye")
    assert said(stage, "cameras") == ["there is no camera; none is needed, a run's rig brings its sensors"]


def test_display_opacity():
    """One value is taken over, nothing is cut away, what varies is said."""
    from tailgate.stage.extract import Extraction
    from tailgate.stage.materials import CUTOUT

    stage = kit.new_stage()
    for name, values in (("clear", [0.0]), ("half", [0.5]), ("solid", [1.0]), ("varies", [0.2, 1.0] * 4)):
        made = kit.box(stage, f"/World/{name}", (0, 0, 0), (1, 1, 1))
        made.CreateDisplayOpacityPrimvar("constant" if len(values) == 1 else "vertex").Set(values)
    arrays = Extraction(stage, {}).run()
    table = arrays.material_table()
    rows = {span.prim.GetName(): table[arrays.slots[arrays.prototypes[0].face_slot[span.first]][0]] for span in arrays.spans}
    np.testing.assert_allclose([rows[name][8] for name in ("clear", "half", "solid", "varies")], [0, 0.5, 1, 0.6], atol=1e-6)
    assert rows["clear"][CUTOUT] > 1 and rows["half"][CUTOUT] == 0
    assert any("/World/varies: display opacity that varies" in line for line in arrays.skipped)


def test_display_opacity_is_seen():
    """A black sheet before a white wall takes away its opacity's share of the light."""
    seen = {}
    for opacity in (0.0, 0.5, 1.0):
        stage = kit.new_stage()
        kit.lights(stage, sky=1.0)
        for name, x, half, colour, values in (("wall", 30, 40, 1.0, [1.0]), ("sheet", 2, 0.7, 0.0, [opacity])):
            made = kit.mesh(stage, f"/World/{name}", [(x, -half, -half), (x, half, -half), (x, half, half), (x, -half, half)], [(3, 2, 1, 0)])
            made.CreateDisplayColorPrimvar("constant").Set([Gf.Vec3f(colour)])
            made.CreateDisplayOpacityPrimvar("constant").Set(values)
        channels = kit.render(stage, kit.rig_of(kit.pinhole(32, 24)), samples=16).sensors["camera"].channels
        seen[opacity] = float(channels["HdrColor"][8:16, 10:22, :3].mean()), float(np.median(channels["distance_to_image_plane"]))
    assert seen[0.0][1] == pytest.approx(30, abs=1e-2) and seen[1.0][1] == pytest.approx(2, abs=1e-3)
    assert seen[0.5][0] - seen[1.0][0] == pytest.approx((seen[0.0][0] - seen[1.0][0]) / 2, rel=0.05)


def test_copies_of_equal_shapes_are_counted_once_each():
    stage = kit.new_stage()
    for k in range(3):
        scatter = UsdGeom.PointInstancer.Define(stage, f"/World/many_{k}")
        UsdGeom.Cube.Define(stage, f"/World/many_{k}/box")
        scatter.CreatePrototypesRel().SetTargets([f"/World/many_{k}/box"])
        scatter.CreateProtoIndicesAttr([0, 0])
        scatter.CreatePositionsAttr([Gf.Vec3f(10 * k, y, 0) for y in (0, 5)])
    set_labels(stage.GetPrimAtPath("/World/many_1/box"), "class", "car")
    report = check_stage(stage)
    assert report.facts["triangles_shown"] == 6 * 12
    assert any("67 % of the shown area carries no class" in line for line in said(stage, "labels"))
