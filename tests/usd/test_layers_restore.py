"""The user's stage is untouched: two layers under the session layer, gone after closing."""

import pytest
from small_street import asset_cache, draw, open_small, small_budget, small_rig, small_scenario, write_street
from tailgate.errors import UserError
from tailgate.randomize.apply import apply_sample
from tailgate.randomize.scenario import open_scenario
from tailgate.stage.layers import FrameLayer, SceneLayers, open_base


@pytest.fixture
def stage(tmp_path):
    from pxr import Usd

    stage = Usd.Stage.Open(str(write_street(tmp_path / "street.usda")))
    stage.GetSessionLayer().comment = "the user's own session"
    stage.SetEditTarget(stage.GetSessionLayer())
    return stage


def text(stage):
    return stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString(), stage.ExportToString()


def test_root_session_and_edit_target_are_as_before(stage):
    from pxr import Usd

    before, target = text(stage), stage.GetEditTarget()
    opened = open_scenario(small_scenario("unused.usda"), small_budget(), small_rig(), asset_cache(), stage)
    apply_sample(opened, draw(opened, 1, 1))
    assert stage.GetRootLayer().ExportToString() == before[0] and not stage.GetRootLayer().dirty
    assert stage.GetEditTarget() == target and isinstance(target, Usd.EditTarget)
    assert stage.GetSessionLayer().subLayerPaths[:] == [opened.layers.frame.layer.identifier, opened.layers.pool.layer.identifier]
    opened.close()
    opened.close()
    assert text(stage) == before and stage.GetEditTarget() == target


def test_the_frame_layer_wins_over_the_pool_and_the_root(stage):
    opened = open_scenario(small_scenario("unused.usda"), small_budget(), small_rig(), asset_cache(), stage)
    road = "/World/Looks/asphalt/Surface.inputs:diffuseColor"
    authored = opened.layers.value(road)
    sample = draw(opened, 1, 1)
    apply_sample(opened, sample)
    shown = [e["slot"] for e in sample.values["placement.contexts"]["objects"]]
    assert shown and opened.layers.value(road) != authored
    for slot in opened.slots:
        drawn = {e["slot"] for v in sample.values.values() for e in v.get("objects", []) if isinstance(e, dict)}
        assert opened.layers.value(f"{slot.path}.visibility") == ("inherited" if slot.name in drawn else "invisible")
    with opened.layers.frame.update():
        pass
    assert opened.layers.value(road) == authored and opened.layers.value(f"{opened.slots[0].path}.visibility") == "invisible"
    opened.close()


def test_a_pool_object_is_one_labelled_prim_with_one_transform():
    from pxr import UsdGeom
    from tailgate.stage.labels import get_label

    opened = open_small()
    try:
        for slot in opened.slots:
            prim = opened.stage.GetPrimAtPath(slot.path)
            assert [op.GetOpName() for op in UsdGeom.Xformable(prim).GetOrderedXformOps()] == ["xformOp:transform"]
            assert prim.GetAttribute("tailgate:instance").Get() == slot.instance and get_label(prim, "class") == slot.output_class
            assert get_label(next(iter(prim.GetChildren())), "class") == slot.output_class
    finally:
        opened.close()


def test_one_change_block_per_clip_and_only_what_differs():
    from pxr import Tf, Usd

    opened = open_small()
    notices = []
    listener = Tf.Notice.Register(Usd.Notice.ObjectsChanged, lambda n, s: notices.append(len(n.GetChangedInfoOnlyPaths())), opened.stage)
    sample = draw(opened, 0, 0)
    apply_sample(opened, sample)
    apply_sample(opened, sample)
    listener.Revoke()
    opened.close()
    assert len(notices) == 1 and notices[0] > 0


def test_a_failed_update_writes_nothing():
    frame = FrameLayer()
    frame.declare("/A.x", "float", 1.0)
    before = frame.layer.ExportToString()
    with pytest.raises(KeyError, match="not declared"), frame.update():
        frame.write("/A.x", 2.0)
        frame.write("/A.y", 2.0)
    assert frame.layer.ExportToString() == before
    with frame.update():
        frame.write("/A.x", 2.0)
    assert frame.layer.GetAttributeAtPath("/A.x").default == 2.0
    with frame.update():
        pass
    assert frame.layer.ExportToString() == before


def test_layers_of_others_stay(stage):
    from pxr import Sdf

    other = Sdf.Layer.CreateAnonymous("other")
    stage.GetSessionLayer().subLayerPaths.append(other.identifier)
    layers = SceneLayers(stage)
    layers.attach()
    assert list(stage.GetSessionLayer().subLayerPaths)[-1] == other.identifier
    layers.close()
    assert list(stage.GetSessionLayer().subLayerPaths) == [other.identifier]


def test_bases_that_cannot_be_used_say_why(tmp_path):
    from pxr import Sdf, Usd, UsdGeom

    with pytest.raises(UserError, match="not found"):
        open_base(tmp_path / "none.usda")
    (tmp_path / "broken.usda").write_text("#usda 1.0\n(((")
    with pytest.raises(UserError, match=r"cannot open it: line 2: \S"):
        open_base(tmp_path / "broken.usda")
    with pytest.raises(UserError, match="not found .did you mean 'broken.usda'"):
        open_base(tmp_path / "brokn.usd")
    with pytest.raises(UserError, match="this is a folder"):
        open_base(tmp_path)
    (tmp_path / "sideways.usda").write_text('#usda 1.0\n(upAxis="X")\n')
    with pytest.raises(UserError, match="upAxis must be Y or Z, got X"):
        open_base(tmp_path / "sideways.usda")
    wrong = Usd.Stage.CreateNew(str(tmp_path / "zero.usda"))
    UsdGeom.SetStageMetersPerUnit(wrong, 0.0)
    wrong.Save()
    with pytest.raises(UserError, match="metersPerUnit must be a number of metres above 0, got 0"):
        open_base(tmp_path / "zero.usda")
    with pytest.raises(UserError, match="has no context, so objects have no place to stand.*tailgate mark .*/empty.usda --context"):
        Sdf.Layer.CreateNew(str(tmp_path / "empty.usda")).Save()
        open_scenario(small_scenario(tmp_path / "empty.usda"), small_budget(), small_rig(), asset_cache())
    with pytest.raises(UserError, match="base scene"):
        open_scenario(small_scenario("stret"), small_budget(), small_rig(), asset_cache())
