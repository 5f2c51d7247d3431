"""The backend ``isaac`` and the stage of the application: opened, identified, left as it was, watched for edits."""

import asyncio

import pytest
from rtx_kit import LABELS, SAMPLE, capture, differing, drive, embedded, opened, rig
from scene import street
from small_street import small_rig, write_street
from stage_kit import gf, pose
from tailgate.errors import TailgateError, UserError
from tailgate.frames import FrameId, Sample
from tailgate.render.backend import StageDisturbed

COLOUR = ("rgb", "HdrColor", "exposure")
NEAR = "/Tailgate/Objects/near"


@pytest.fixture
def backend(sim60):
    from tailgate_rtx.backend import RtxBackend

    return RtxBackend("cpu")


@pytest.fixture
def base(tmp_path):
    return write_street(tmp_path / "street.usda")


# opening --------------------------------------------------------------------------------------------------------------------------------------------


def test_a_base_is_opened_in_the_application(sim60, backend, base):
    import omni.usd

    stage = drive(sim60, backend.load(base))
    assert stage == omni.usd.get_context().get_stage() and stage.GetPrimAtPath("/World/asphalt")
    assert drive(sim60, backend.load(None)) == stage


def test_bad_bases(sim60, backend, base, tmp_path):
    broken, unitless = tmp_path / "broken.usda", tmp_path / "unitless.usda"
    broken.write_text("#usda 1.0\n(")
    unitless.write_text("#usda 1.0\n(\nmetersPerUnit = 0\n)\n")
    cases = {tmp_path / "none.usda": "this file was not found", broken: "Isaac Sim cannot open it", unitless: "metersPerUnit must be"}
    for file, words in cases.items():
        with pytest.raises(UserError, match=words):
            drive(sim60, backend.load(file))


def test_unsaved_work_is_not_thrown_away(sim60, backend, base, tmp_path):
    stage = drive(sim60, backend.load(base))
    stage.DefinePrim("/World/Mine")
    with pytest.raises(UserError, match="must be saved or closed before .*street.usda has changes"):
        drive(sim60, backend.load(write_street(tmp_path / "other.usda")))
    stage.GetRootLayer().Save()
    drive(sim60, backend.load(tmp_path / "other.usda"))


def test_without_a_stage(sim60, backend):
    sim60.use_stage(street())
    import omni.usd

    omni.usd.get_context().get_stage = None
    from standin.usd import UsdContext

    sim60.part(UsdContext).stage = None
    for ask in (lambda: drive(sim60, backend.load(None)), backend.open_stage_digest):
        with pytest.raises(UserError, match="base '@open' needs an open stage"):
            ask()


# identity -------------------------------------------------------------------------------------------------------------------------------------------


def test_the_digest_knows_content_and_not_our_own_writes(sim60, backend, base, tmp_path):
    from pxr import Sdf, Usd

    top = tmp_path / "top.usda"
    layer = Sdf.Layer.CreateNew(str(top))
    layer.subLayerPaths.append("./street.usda")
    layer.Save()
    stage = drive(sim60, backend.load(top))
    from pxr import UsdGeom

    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    before = backend.open_stage_digest()
    backend.open(stage, small_rig(), LABELS)
    with Usd.EditContext(stage, stage.GetSessionLayer()):
        stage.DefinePrim("/OmniverseKit_Persp", "Camera")
    assert backend.open_stage_digest() == before
    backend.close()
    assert backend.open_stage_digest() == before
    lower = Sdf.Layer.Find(str(base))
    mesh = stage.GetPrimAtPath("/World/asphalt").GetAttribute("points")
    with Usd.EditContext(stage, lower):
        mesh.Set([(-9, -3, 0), (9, -3, 0), (9, 3, 0), (-9, 3, 0)])
    edited = backend.open_stage_digest()
    assert edited != before
    lower.Save()
    assert backend.open_stage_digest() != before


# what is left behind --------------------------------------------------------------------------------------------------------------------------------


def test_the_stage_is_as_before(sim):
    stage = street()
    root, session, target = stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString(), stage.GetEditTarget()
    with opened(sim, rig(), stage) as backend:
        assert stage.GetPrimAtPath("/Tailgate/Rig/camera").GetTypeName() == "Camera"
        capture(sim, backend)
        assert stage.GetRootLayer().ExportToString() == root and stage.GetEditTarget() == target
    assert stage.GetSessionLayer().ExportToString() == session and not stage.GetPrimAtPath("/Tailgate/Rig/camera")


@pytest.mark.parametrize("metres", [1.0, 0.01])
@pytest.mark.parametrize("up", ["Z", "Y"])
def test_a_stage_in_its_own_unit_and_axes(sim60, up, metres):
    """The street referenced into a stage of centimetres, or with y up: the same frame in metres with z up."""
    import numpy as np
    from pxr import Usd, UsdGeom
    from tailgate.stage.extract import world_correction
    from tailgate.stage.layers import RESOLVE

    inner = street()
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, up)
    UsdGeom.SetStageMetersPerUnit(stage, metres)
    for name in ("World", "Tailgate"):
        prim = UsdGeom.Xform.Define(stage, f"/{name}")
        prim.GetPrim().GetReferences().AddReference(inner.GetRootLayer().identifier, f"/{name}")
        prim.AddTransformOp(opSuffix=RESOLVE.rsplit(":", 1)[1]).Set(gf(np.linalg.inv(world_correction(stage))))
    with opened(sim60, rig(), stage, views=True) as backend:
        got = capture(sim60, backend)
    want = embedded(rig(), stage=stage)
    assert differing(want, got, (*COLOUR, "distance_to_camera", "distance_to_image_plane", "normals")) == []
    for name in ("distance_to_camera", "distance_to_image_plane", "normals"):
        a, b = (frame.sensors["camera"].channels[name] for frame in (want, got))
        assert np.allclose(a, b, rtol=1e-4, atol=1e-4), name


def test_names_that_usd_has_not(sim60):
    """Sensors whose names are no identifiers, and two that would get one."""
    from dataclasses import replace

    one = rig()
    sensors = {"front camera": one.sensors["camera"], "front-camera": one.sensors["camera"], "1": one.sensors["camera"]}
    with opened(sim60, replace(one, sensors=sensors)) as backend:
        frame = capture(sim60, backend)
    assert list(frame.sensors) == list(sensors)


def test_a_start_that_fails_leaves_nothing(sim60, monkeypatch):
    stage = street()
    session = stage.GetSessionLayer().ExportToString()
    monkeypatch.setattr("tailgate_rtx.cameras.ANNOTATORS", {"HdrColor": ("hdr", None, 4), "HdrColour": ("hdr", None, 4)})
    with opened(sim60, rig(), stage) as backend, pytest.raises(ValueError, match="no annotator 'HdrColour'"):
        capture(sim60, backend)
    assert stage.GetSessionLayer().ExportToString() == session


def test_order_of_calls(sim60, backend):
    with pytest.raises(TailgateError, match="opened before"):
        backend.apply(SAMPLE)
    with pytest.raises(TailgateError, match="opened before"):
        asyncio.run(backend.capture())
    with opened(sim60, rig()) as other, pytest.raises(TailgateError, match="must come before capture"):
        drive(sim60, other.capture())
    assert {name for name, what in backend.hints().items() if what.startswith("refused")} == {"motion_blur", "rolling_shutter", "transparency"}
    backend.close()


# edits ----------------------------------------------------------------------------------------------------------------------------------------------


def disturbed(sim, backend, edit):
    """Whether an edit in the middle of a capture is noticed."""
    backend.apply(SAMPLE)
    task = sim.loop.create_task(backend.capture())
    sim.update(3)
    edit()
    try:
        drive(sim, wait(task))
    except StageDisturbed:
        return True
    return False


async def wait(task):
    return await task


def test_an_edit_makes_the_frame_void_and_the_next_one_is_right(sim):
    stage = street()
    with opened(sim, rig(), stage, views=True) as backend:
        capture(sim, backend)
        attribute = stage.GetPrimAtPath(NEAR).GetAttribute("xformOp:transform")
        assert disturbed(sim, backend, lambda: attribute.Set(gf(pose(8, 1.5, 0))))
        assert disturbed(sim, backend, lambda: stage.DefinePrim("/World/New", "Cube"))
        assert disturbed(sim, backend, lambda: stage.RemovePrim("/World/New"))
        moved = capture(sim, backend)
        assert differing(embedded(rig(), stage=stage), moved, COLOUR) == []


def test_what_the_application_writes_for_itself_disturbs_nothing(sim):
    """Viewport cameras, render settings, the timeline's range; the stage is not read again for them either."""
    from pxr import Usd

    stage = street()
    with opened(sim, rig(), stage, views=True) as backend:
        capture(sim, backend)
        version = backend._instruments.live.watch.version

        def edit():
            with Usd.EditContext(stage, stage.GetSessionLayer()):
                stage.DefinePrim("/OmniverseKit_Persp", "Camera").GetAttribute("focalLength").Set(30.0)
                stage.DefinePrim("/Render/PostProcess").CreateAttribute("exposure", _float()).Set(1.0)
            stage.SetEndTimeCode(100.0)

        assert not disturbed(sim, backend, edit)
        capture(sim, backend)
        assert backend._instruments.live.watch.version == version


def _float():
    from pxr import Sdf

    return Sdf.ValueTypeNames.Float


def test_a_playing_timeline_is_stopped(sim):
    import omni.timeline

    timeline = omni.timeline.get_timeline_interface()
    with opened(sim, rig(), views=True) as backend:
        timeline.play()
        sim.update(3)
        assert timeline.is_playing()
        capture(sim, backend, Sample(FrameId("test", 0, 0)))
        assert not timeline.is_playing() and timeline.get_current_time() == 0.0


def test_who_never_leaves_the_stage_alone_is_told_what_changed(sim60, tmp_path, monkeypatch):
    """Nine captures in vain end with the prim that was changed."""
    from small_street import asset_cache, small_budget, small_scenario
    from tailgate.runtime.run import initial_settings
    from tailgate.runtime.spec import RunSpec
    from tailgate.runtime.studio import Studio

    scenario = small_scenario(write_street(tmp_path / "street.usda"))
    from tailgate.registry import backends
    from tailgate_rtx import register

    for table, held in (("_classes", dict(vars(backends)["_classes"])), ("_loaded", vars(backends)["_loaded"])):
        monkeypatch.setattr(backends, table, held)
    register(backends)
    spec = RunSpec(small_budget(), {"small": scenario}, {"small": 1.0}, small_rig(), tmp_path, None, "isaac", "cpu", asset_cache())
    studio = Studio(spec)
    try:
        task = sim60.loop.create_task(studio.shoot("small", initial_settings(spec), 0, spec.budget.cells[0]))
        edits = 0
        while not task.done():
            sim60.tick()
            if sim60.stage and sim60.stage.GetPrimAtPath("/Tailgate/Rig/camera"):
                edits += 1
                sim60.stage.GetPrimAtPath("/World/brick_wall").SetDocumentation(str(edits))
        with pytest.raises(UserError, match="must be left alone .* it was not: /World/brick_wall was changed while the frame was taken"):
            task.result()
    finally:
        studio.close()
