"""Reading a stage: topology, materials, labels, movers and what changes from clip to clip."""

import time

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, UsdGeom, UsdLux, UsdShade
from tailgate.stage.extract import Extraction
from tailgate.stage.labels import get_label, set_labels
from tailgate.stage.materials import COLUMNS
from tailgate.stage.meshes import clip_ears, read_shape, triangulate
from tailgate.stage.normals import smooth_normals, smooth_normals_twin
from tailgate.stage.watch import StageWatch


def area(points, triangles):
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return 0.5 * np.cross(b - a, c - a)


@pytest.mark.parametrize("own", ["", "bush"])
def test_copies_take_the_label_of_their_instancer(own):
    """Prototypes may lie anywhere; a label of their own stands before the instancer's."""
    stage = kit.new_stage()
    part = kit.box(stage, "/Prototypes/part", (0, 0, 0), (1, 1, 1)).GetPrim()
    stage.GetPrimAtPath("/Prototypes").SetSpecifier(Sdf.SpecifierOver)
    copies = UsdGeom.PointInstancer.Define(stage, "/World/trees")
    copies.GetPrototypesRel().AddTarget("/Prototypes/part")
    copies.CreateProtoIndicesAttr([0])
    copies.CreatePositionsAttr([Gf.Vec3f(5, 0, 0)])
    set_labels(copies.GetPrim(), "class", "tree")
    if own:
        set_labels(part, "class", own)
    arrays = Extraction(stage, {"tree": 7, "bush": 8}).run()
    assert arrays.slots[arrays.instance_slot[0]][1] == (8 if own else 7)


def test_labels_are_inherited():
    stage = kit.new_stage()
    child = UsdGeom.Xform.Define(stage, "/World/a/b").GetPrim()
    set_labels(stage.GetPrimAtPath("/World/a"), "class", "car")
    assert get_label(child, "class") == "car"
    set_labels(child, "class", ["van", "vehicle"])
    assert get_label(child, "class") == "van" and get_label(child, "other") is None


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_concave_polygons_keep_their_area(axis, reverse):
    flat = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
    ring = np.insert(flat, axis, 0.5, axis=1)
    order = np.arange(5)[::-1] if reverse else np.arange(5)
    corners, polygon = triangulate(np.array([5]), order, ring)
    got = area(ring, order[corners])
    np.testing.assert_allclose(np.abs(got).sum(), 10.0)
    assert np.ptp(np.sign(got[:, axis])) == 0
    assert len(clip_ears(ring[order])) == 3 and (polygon == 0).all()


def test_left_handed_and_mirrored_meshes_face_outwards():
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (-1, -1, -1), (1, 1, 1))
    for orientation in ("rightHanded", "leftHanded"):
        made.CreateOrientationAttr(orientation)
        for mirror in (1.0, -1.0):
            data = read_shape(made.GetPrim(), np.diag([mirror, 2.0, 1.0, 1.0]))
            outward = (area(data.points, data.triangles) * data.points[data.triangles].mean(1)).sum(1)
            assert (outward > 0).all() == (orientation == "rightHanded")
            facing = (data.corner_normal * area(data.points, data.triangles)[:, None]).sum(-1)
            assert (facing > 0).all()


def test_holes_and_subsets():
    stage = kit.new_stage()
    red, blue = kit.material(stage, "/World/red", (1.0, 0.0, 0.0)), kit.material(stage, "/World/blue", (0.0, 0.0, 1.0))
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), red)
    made.CreateHoleIndicesAttr([5])
    subset = UsdShade.MaterialBindingAPI(made).CreateMaterialBindSubset("top", [1, 2])
    UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(blue)
    arrays = Extraction(stage, {}).run()
    prototype, table = arrays.prototypes[0], arrays.material_table()
    assert len(prototype.triangles) == 10 and table.shape == (2, COLUMNS)
    colours = table[np.array(arrays.slots)[prototype.face_slot, 0], :3]
    np.testing.assert_array_equal(colours[:, 2], [0, 0, 1, 1, 1, 1, 0, 0, 0, 0])


def test_smooth_normals_match_their_twin():
    gen = np.random.default_rng(2)
    points = np.round(gen.normal(size=(40, 3)), 1)
    points[20:30] = points[:10]
    triangles = gen.integers(0, 40, (90, 3)).astype(np.int32)
    for crease in (20.0, 90.0, 180.0):
        np.testing.assert_allclose(smooth_normals(points, triangles, crease), smooth_normals_twin(points, triangles, crease), atol=1e-6)


def test_smooth_normals_respect_creases():
    points, faces = kit.sphere(32)
    normals = smooth_normals(points, np.array(faces), 40.0)
    area_ok = np.linalg.norm(area(points, np.array(faces)), axis=1) > 1e-9
    assert (normals[area_ok] * points[np.array(faces)][area_ok]).sum(-1).min() > 0.99
    cube = kit.BOX_FACES
    corners, _ = triangulate(np.full(6, 4), np.array(cube).ravel(), np.zeros((8, 3)))
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    made.CreateSubdivisionSchemeAttr("catmullClark")
    data = read_shape(made.GetPrim(), np.eye(4))
    np.testing.assert_allclose(np.abs(data.corner_normal).max(-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("kind, values", [("constant", 1), ("uniform", 6), ("vertex", 8), ("faceVarying", 24)])
def test_display_colours(kind, values):
    stage = kit.new_stage()
    made = kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    rgb = np.linspace(0.1, 0.9, values * 3).reshape(values, 3)
    made.CreateDisplayColorPrimvar(kind).Set([Gf.Vec3f(*map(float, c)) for c in rgb])
    arrays = Extraction(stage, {}).run()
    prototype, base = arrays.prototypes[0], arrays.material_table()[0]
    if kind == "constant":
        np.testing.assert_allclose(base[:3], rgb[0], atol=1e-6)
        assert base[9] == pytest.approx(rgb[0] @ [0.2126, 0.7152, 0.0722], abs=1e-6)
    else:
        first = {"uniform": rgb[[0, 0, 0]], "vertex": rgb[[0, 3, 2]], "faceVarying": rgb[[0, 1, 2]]}[kind]
        np.testing.assert_allclose(prototype.corner_colour[0], first, atol=1e-6)


def test_what_cannot_be_shown_is_named():
    stage = kit.new_stage()
    UsdGeom.BasisCurves.Define(stage, "/World/wire")
    UsdLux.PortalLight.Define(stage, "/World/panel")
    guide = kit.ground(stage, "/World/guide")
    UsdGeom.Imageable(guide).CreatePurposeAttr("guide")
    kit.mesh(stage, "/World/broken", [(0, 0, 0)], [(0, 1, 2)])
    watch = StageWatch(stage, {})
    text = "\n".join(watch.arrays.skipped)
    watch.close()
    for name in ("/World/wire: BasisCurves", "/World/panel: PortalLight", "/World/broken: mesh"):
        assert name in text
    assert "guide" not in text and not watch.arrays.prototypes


def test_an_empty_look_is_said():
    stage = kit.new_stage()
    kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1))
    watch = StageWatch(stage, {"car": 1, "van": 2})
    assert "stage: there is no light and nothing glows, pictures are black" in watch.arrays.skipped
    assert "stage: no shape carries a label of the classes car, van, semantic images are empty" in watch.arrays.skipped
    watch.close()


def test_equal_movers_share_a_prototype_and_instance_proxies_are_read():
    stage = kit.new_stage()
    for k in range(3):
        path = kit.mover(stage, f"car_v0_{k}", k + 1, kit.pose(x=3.7 * k, yaw_deg=31 * k))
        kit.box(stage, f"{path}/body", (-1, -1, 0), (1, 1, 2))
    kit.box(stage, "/World/lib/box", (0, 0, 0), (1, 1, 1))
    copy = UsdGeom.Xform.Define(stage, "/World/copy").GetPrim()
    copy.GetReferences().AddInternalReference("/World/lib")
    copy.SetInstanceable(True)
    arrays = Extraction(stage, {"car": 7}).run()
    assert len(arrays.prototypes) == 2 and arrays.instance_mover == [-1, 0, 1, 2]
    assert len(arrays.prototypes[0].triangles) == 24
    assert [tuple(s[1:]) for s in arrays.slots[-3:]] == [(7, 1, 0), (7, 2, 1), (7, 3, 2)]
    np.testing.assert_allclose([arrays.movers[1].lower, arrays.movers[1].upper], [[-1, -1, 0], [1, 1, 2]])


def test_updates_follow_the_stage():
    stage = kit.new_stage()
    kit.lights(stage, sky=0.5, sun=3.0, sun_direction=(1, 0, 1))
    red = kit.material(stage, "/World/red", (1.0, 0.0, 0.0), reflectance=0.3)
    path = kit.mover(stage, "car_v0_0", 1, kit.pose(x=1))
    kit.box(stage, f"{path}/body", (0, 0, 0), (1, 1, 1), red)
    UsdGeom.Xform.Define(stage, "/Tailgate/Rig").AddTransformOp().Set(kit.gf(kit.pose(x=5, yaw_deg=90)))
    watch = StageWatch(stage, {"car": 1})
    state = watch.update()
    np.testing.assert_allclose(state.T_world_rig, kit.pose(x=5, yaw_deg=90), atol=1e-12)
    np.testing.assert_allclose(state.lights.sun_direction, np.array([1, 0, 1]) / np.sqrt(2), atol=1e-6)
    prim = stage.GetPrimAtPath(path)
    prim.GetAttribute("xformOp:transform").Set(kit.gf(kit.pose(x=2, scale=3)))
    stage.GetPrimAtPath("/World/red/Surface").GetAttribute("inputs:diffuseColor").Set(Gf.Vec3f(0, 1, 0))
    stage.GetPrimAtPath("/World/red").GetAttribute("tailgate:reflectance").Set(0.6)
    moved = watch.update()
    np.testing.assert_allclose(moved.T_world_mover[0], kit.pose(x=2, scale=3), atol=1e-12)
    np.testing.assert_allclose(moved.materials[0, [0, 1, 9]], [0, 1, 0.6], atol=1e-6)
    prim.GetAttribute("visibility").Set("invisible")
    hidden = watch.update()
    assert hidden.version == state.version and not hidden.visible[0]
    UsdGeom.Mesh(stage.GetPrimAtPath(f"{path}/body")).GetPointsAttr().Set([Gf.Vec3f(0, 0, k) for k in range(8)])
    assert watch.update().version == state.version + 1
    watch.close()
    watch.close()


def test_two_hundred_movers_update_fast():
    stage = kit.new_stage()
    kit.ground(stage, "/World/ground")
    for k in range(200):
        path = kit.mover(stage, f"box_v0_{k}", k + 1, kit.pose(x=k))
        kit.box(stage, f"{path}/body", (0, 0, 0), (1, 1, 1))
    watch = StageWatch(stage, {})
    attributes = [stage.GetPrimAtPath(f"/Tailgate/Objects/box_v0_{k}").GetAttribute("xformOp:transform") for k in range(200)]
    spent = []
    for turn in range(5):
        with Sdf.ChangeBlock():
            for k, attribute in enumerate(attributes):
                attribute.Set(kit.gf(kit.pose(x=k, y=turn)))
        start = time.perf_counter()
        state = watch.update()
        spent.append(time.perf_counter() - start)
        assert state.version == 1 and (state.T_world_mover[:, 1, 3] == turn).all()
    watch.close()
    assert min(spent) < 0.03  # 2-4 ms on an idle core; the margin is for a busy one
