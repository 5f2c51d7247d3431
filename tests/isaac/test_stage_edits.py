"""Replicator's and Isaac Sim's helpers that edit a stage, and what annotators make of labels."""

import numpy as np
import pytest
from scene import CAMERA, SIZE, street
from stage_kit import material
from standin import NoBehaviour


def labels_in(sim, **init) -> set[str]:
    """Classes in the street's picture."""
    import omni.replicator.core as rep

    rep.orchestrator.set_capture_on_play(False)
    product = rep.create.render_product(CAMERA, SIZE)
    annotator = rep.annotators.get("semantic_segmentation", init_params=init or None).attach(product)
    sim.run(rep.orchestrator.step_async(delta_time=0.0))
    info = annotator.get_data()["info"]["idToLabels"]
    annotator.detach()
    product.destroy()
    return {",".join(f"{t}={v}" for t, v in sorted(labels.items())) for labels in info.values()}


def test_functional_edits_move_label_and_hide(sim):
    import omni.replicator.core as rep
    from pxr import UsdGeom

    cube = rep.functional.create.cube(position=(1, 2, 3), rotation=(0, 0, 90), semantics={"class": "box"}, name="Cube", parent="/World")
    assert str(cube.GetPath()) == "/World/Cube" and cube.GetTypeName() == "Cube"
    rep.functional.modify.pose(cube, position_value=(4, 5, 6), scale_value=2.0)
    T = np.array(UsdGeom.Xformable(cube).GetLocalTransformation())
    assert np.allclose(T[3], [4, 5, 6, 1]) and np.allclose(T[0, :3], [0, 2, 0])
    rep.functional.modify.pose([cube], rotation_value=(90, 0, 90), rotation_order="XYZ")
    T = np.array(UsdGeom.Xformable(cube).GetLocalTransformation())
    assert np.allclose(T[2, :3] / 2, [1, 0, 0]), "about x first, then z: z comes to -y, then to x"
    rep.functional.modify.visibility(cube, False)
    assert UsdGeom.Imageable(cube).ComputeVisibility() == "invisible"
    again = rep.functional.create.cube(name="Cube", parent="/World")
    assert str(again.GetPath()) == "/World/Cube_01"
    many = rep.functional.create_batch.sphere(count=3, position=np.arange(9.0).reshape(3, 3), name="Ball", parent="/World")
    assert [np.array(UsdGeom.Xformable(p).GetLocalTransformation())[3, 0] for p in many] == [0, 3, 6]
    with pytest.raises(ValueError, match="rotation_order"):
        rep.functional.modify.pose(cube, rotation_value=(0, 0, 0), rotation_order="ZZZ")
    with pytest.raises(NoBehaviour):
        rep.functional.modify.pose(cube, relative_to="/World")


def test_a_camera_looks_where_it_is_told(sim):
    import omni.replicator.core as rep
    from pxr import UsdGeom

    camera = rep.functional.create.camera(position=(0, -5, 1), look_at=(0, 0, 1), look_at_up_axis=(0, 0, 1), clipping_range=(0.01, 100.0), name="Eye")
    T = np.array(UsdGeom.Xformable(camera).GetLocalTransformation())
    assert np.allclose(-T[2, :3], [0, 1, 0]) and np.allclose(T[1, :3], [0, 0, 1])
    assert UsdGeom.Camera(camera).GetHorizontalApertureAttr().Get() == pytest.approx(20.955)
    dome = rep.functional.create.dome_light(intensity=500.0)
    assert dome.GetAttribute("inputs:exposure").Get() == 1.0, "the default doubles it"


def test_labels_by_every_helper(sim):
    import omni.replicator.core as rep
    from isaacsim.core.utils import semantics

    prim = sim.stage.DefinePrim("/World/Thing", "Xform")
    rep.functional.modify.semantics(prim, {"class": "a"})
    rep.functional.modify.semantics(prim, {"class": "b"})
    assert semantics.get_labels(prim) == {"class": ["a", "b"]}
    rep.functional.modify.semantics(prim, {"class": ["c"], "colour": ["red"]}, mode="replace")
    assert semantics.get_labels(prim) == {"class": ["c"], "colour": ["red"]}
    if sim.flavour == "6.0":
        from isaacsim.core.experimental.utils import semantics as newer

        newer.add_labels(prim, labels="d")
        assert newer.get_labels(prim)["class"] == ["c", "d"]
        newer.remove_labels(prim, labels="c", taxonomy="class")
        assert newer.get_labels(prim)["class"] == ["d"]
        newer.remove_all_labels(prim)
    else:
        semantics.add_labels(prim, ["d"])
        assert semantics.get_labels(prim)["class"] == ["d"]
        semantics.remove_labels(prim)
    assert semantics.get_labels(prim) == {}


def test_labels_are_joined_and_filtered(sim):
    import omni.syntheticdata
    from tailgate.stage.labels import set_labels

    sim.use_stage(street())
    set_labels(sim.stage.GetPrimAtPath("/Tailgate/Objects/near/Roof"), "class", "roof")
    set_labels(sim.stage.GetPrimAtPath("/Tailgate/Objects/near"), "make", "own")
    assert {"class=roof, car,make=own", "class=car,make=own", "class=car", "class=road"} <= labels_in(sim)
    omni.syntheticdata.SyntheticData.Get().set_instance_mapping_semantic_filter("class:*")
    assert {"class=roof, car", "class=car", "class=road"} <= labels_in(sim)
    assert labels_in(sim, semanticFilter="class:road") == {"class=road", "class=BACKGROUND", "class=UNLABELLED"}
    with pytest.raises(NoBehaviour, match="semantic filter"):
        omni.syntheticdata.SyntheticData.Get().set_instance_mapping_semantic_filter("class:!car")


def test_a_label_whose_schema_is_not_applied_is_none(sim):
    from pxr import Sdf

    sim.use_stage(street())
    wall = sim.stage.GetPrimAtPath("/World/Wall")
    wall.CreateAttribute("semantics:labels:class", Sdf.ValueTypeNames.TokenArray).Set(["wall"])
    assert "class=wall" not in labels_in(sim)


def test_ids_may_be_fixed_by_a_mapping(sim):
    import omni.replicator.core as rep

    sim.use_stage(street())
    product = rep.create.render_product(CAMERA, SIZE)
    annotator = rep.annotators.get("semantic_segmentation", init_params={"mapping": '{"class:car": 105}'}).attach(product)
    sim.run(rep.orchestrator.step_async())
    held = annotator.get_data()
    assert held["info"]["idToLabels"]["105"] == {"class": "car"} and (held["data"] == 105).any()
    assert held["info"]["idToLabels"]["2"] == {"class": "road"}
    annotator.detach()
    product.destroy()


def test_pooled_copies_are_written_over_and_axes_squeezed(sim):
    import omni.replicator.core as rep

    sim.use_stage(street())
    product = rep.create.render_product(CAMERA, (SIZE[0], 1))
    annotator = rep.annotators.get("distance_to_camera", device="cuda").attach(product)
    sim.run(rep.orchestrator.step_async())
    first = annotator.get_data()
    assert first.shape == (SIZE[0],)
    kept = first.numpy().copy()
    sim.stage.GetPrimAtPath("/Tailgate/Objects/near").SetActive(False)
    sim.stage.GetPrimAtPath("/World/Wall").SetActive(False)
    sim.run(rep.orchestrator.step_async())
    assert np.array_equal(first.numpy(), kept), "until the next call"
    second = annotator.get_data()
    assert first.ptr == second.ptr and not np.array_equal(first.numpy(), kept)
    annotator.detach()
    product.destroy()


def test_non_visual_materials_have_ids(sim):
    made = material(sim.stage, "/World/Looks/Steel", (0.5, 0.5, 0.5)).GetPrim()
    if sim.flavour == "6.0":
        from isaacsim.core.experimental.materials import NonVisualMaterial

        NonVisualMaterial("/World/Looks/Steel", bases="steel", coatings="paint", attributes="retroreflective")
        (number,) = NonVisualMaterial.encode_material_ids([made])
        assert NonVisualMaterial.decode_material_ids([number]) == [("steel", "paint", "retroreflective")]
    else:
        from isaacsim.sensors.rtx import apply_nonvisual_material, decode_material_id, get_material_id

        apply_nonvisual_material(made, "steel", "paint", "retroreflective")
        number = get_material_id(made)
        assert decode_material_id(number) == ("steel", "paint", "retroreflective")
        with pytest.raises(ValueError, match="base must be one of"):
            apply_nonvisual_material(made, "stele")
    assert number == 2 | 1 << 8 | 2 << 11
