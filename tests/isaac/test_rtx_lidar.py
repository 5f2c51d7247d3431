"""LiDARs of the backend ``isaac``: traced by Tailgate on the stage, or by RTX while the timeline plays."""

import numpy as np
import pytest
from rtx_kit import BEAMS, LABELS, SAMPLE, STABLE, capture, differing, drive, embedded, opened, rig, scanner
from scene import street
from stage_kit import gf, pose
from standin import standin
from tailgate.errors import TailgateError, UserError
from tailgate.frames import FrameId, Sample
from tailgate.geometry.firing import firing_grid

NEAR = ("range", "intensity", "reflectance", "azimuth")
"""Equal but for the last bit."""
PATH = "/Tailgate/Objects/near"


@pytest.fixture(params=["5.1", "6.0"])
def sim(request):
    """Both flavours with stable ids."""
    with standin(request.param, settings=STABLE) as made:
        yield made


@pytest.fixture(scope="module")
def wanted():
    return embedded(rig(lidar=scanner()))


def close(a, b):
    """Channels that are nearly equal; reflectance, got from intensity and incidence, where the ray is not grazing."""
    a, b = (frame.sensors["lidar"].channels for frame in (a, b))
    turned = (a["azimuth"] - b["azimuth"] + 180.0) % 360.0 - 180.0
    steep = a["incidence"] > 0.1
    same = all(np.allclose(a[name], b[name], rtol=1e-5, atol=1e-6) for name in ("range", "intensity"))
    return same and np.abs(turned).max() < 1e-4 and np.allclose(a["reflectance"][steep], b["reflectance"][steep], rtol=1e-4)


def test_tailgate_traces_by_default(sim60, wanted):
    """Same bits as outside, with motion within the sweep and fog too; the timeline never plays."""
    import omni.timeline

    hints = {"ego_speed": 12.0, "ego_yaw_rate": 20.0, "fog_extinction": 0.02}
    for sample in (SAMPLE, Sample(FrameId("test", 0, 0), hints=hints)):
        with opened(sim60, rig(lidar=scanner())) as backend:
            got = capture(sim60, backend, sample)
        assert differing(embedded(rig(lidar=scanner()), sample), got) == []
    assert omni.timeline.get_timeline_interface().get_current_time() == 0.0 and not sim60.rendered_frames


@pytest.mark.parametrize("more", [{}, {"direction": "ccw", "rate_hz": 20.0, "blind_sectors_deg": [(30.0, 60.0)]}], ids=["10 Hz", "20 Hz, ccw"])
def test_rtx_gives_the_same_scan(sim, more):
    sensors = rig(lidar=scanner(tracer="rtx", **more))
    want = embedded(rig(lidar=scanner(**more)))
    with opened(sim, sensors) as backend:
        first, second = capture(sim, backend), capture(sim, backend)
    assert differing(want, first, NEAR) == differing(want, second, NEAR) == [] and close(want, first) and close(want, second)
    assert first.hints == []
    assert {n: (c.dtype, c.shape) for n, c in first.sensors["lidar"].channels.items()} == {
        n: (c.dtype, c.shape) for n, c in want.sensors["lidar"].channels.items()
    }


def test_camera_and_lidar_of_one_moment(sim, wanted):
    """Camera products are off while the LiDAR turns, and the other way round; the timeline stands before and after."""
    import omni.timeline
    from stage_kit import pinhole, rig_of

    sensors = rig_of(pinhole(), scanner(tracer="rtx"), T_rig=pose(0, 0, 1.5))
    timeline = omni.timeline.get_timeline_interface()
    with opened(sim, sensors, views=True) as backend:
        frame = capture(sim, backend)
        assert not timeline.is_playing() and timeline.get_current_time() == 0.0
        camera, lidar = sorted(sim.rendered_frames.values(), reverse=True)
        before = dict(sim.rendered_frames)
        sim.update(10)
        assert sim.rendered_frames == before
    assert list(frame.sensors) == list(sensors.sensors)
    assert camera == 65 and lidar < 40


def test_after_a_move_the_scan_is_the_new_one(sim):
    stage = street()
    with opened(sim, rig(lidar=scanner(tracer="rtx")), stage) as backend:
        for y in (-0.6, 2.0):
            stage.GetPrimAtPath(PATH).GetAttribute("xformOp:transform").Set(gf(pose(8, y, 0)))
            got = capture(sim, backend)
    assert differing(embedded(rig(lidar=scanner()), stage=stage), got, NEAR) == []


def test_air_and_motion(sim):
    """Fog dims what RTX measured as it dims our own rays; motion within a sweep is refused, since RTX would not see it."""
    fog = Sample(FrameId("test", 0, 0), hints={"fog_extinction": 0.02})
    with opened(sim, rig(lidar=scanner(tracer="rtx"))) as backend:
        got = capture(sim, backend, fog)
        with pytest.raises(UserError, match="ego_speed .* must be 0 where RTX traces a LiDAR .'lidar'.: it stands still"):
            backend.apply(Sample(FrameId("test", 0, 0), hints={"ego_speed": 3.0}))
    want = embedded(rig(lidar=scanner()), fog)
    assert differing(want, got, NEAR) == [] and close(want, got)


def test_materials_say_what_rtx_sees(sim):
    """Attributes are written in a layer of ours, where nobody else has written any."""
    stage = street()
    stage.GetPrimAtPath("/World/Looks/Red").CreateAttribute("omni:simready:nonvisual:base", _string()).Set("steel")
    root = stage.GetRootLayer().ExportToString()
    with opened(sim, rig(lidar=scanner(tracer="rtx")), stage) as backend:
        capture(sim, backend)
        words = {n: stage.GetPrimAtPath(f"/World/Looks/{n}").GetAttribute("omni:simready:nonvisual:base").Get() for n in ("Red", "Grey")}
        assert words == {"Red": "steel", "Grey": "plastic"}
        assert stage.GetRootLayer().ExportToString() == root
    assert not stage.GetPrimAtPath("/World/Looks/Grey").GetAttribute("omni:simready:nonvisual:base")


def _string():
    from pxr import Sdf

    return Sdf.ValueTypeNames.String


# misbehaviour ---------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["late_lidar", "half_timestamps", "material_31", "missing_stable_ids"])
def test_survived(sim, wanted, name):
    """Late data, short time stamps, unknown materials, prims without an entry in the map: said where something is missing, right elsewhere."""
    sim.misbehave(name)
    stage = street()
    with opened(sim, rig(lidar=scanner(tracer="rtx")), stage) as backend:
        stage.GetPrimAtPath(PATH).GetAttribute("xformOp:transform").Set(gf(pose(8, 2.0, 0)))
        capture(sim, backend)
        stage.GetPrimAtPath(PATH).GetAttribute("xformOp:transform").Set(gf(pose(8, -0.6, 0)))
        got = capture(sim, backend)
    labels = ("semantic", "instance") if name == "missing_stable_ids" else ()
    assert [d for d in differing(wanted, got, (*NEAR, *labels)) if not (labels and "view" in d)] == [] and close(wanted, got)
    said = {"material_31": "RTX knows no material", "missing_stable_ids": "returns are of prims that the renderer does not name"}
    assert all(said[name] in hint for hint in got.hints) and len(got.hints) == (name in said)
    if labels:
        a, b = (frame.sensors["lidar"].channels["semantic"] for frame in (wanted, got))
        assert (b[b > 0] == a[b > 0]).all() and (b != a).any() and (b > 0).any()


def test_a_scan_that_lacks_too_much_is_refused(sim):
    sim.misbehave("partial_scan", share=0.4)
    with opened(sim, rig(lidar=scanner(tracer="rtx"))) as backend:
        with pytest.raises(TailgateError, match="sensor 'lidar': RTX gave 6[0-9]% of the returns that are due in 4 turns"):
            capture(sim, backend)
        sim.behave("partial_scan")
        capture(sim, backend)


@pytest.mark.parametrize(("fault", "words"), [("zero_object_ids", "RTX names no object"), ("no_data", "RTX gave 0% of the returns")])
def test_a_scan_without_names_or_data_is_refused(sim, fault, words):
    sim.misbehave(fault)
    with opened(sim, rig(lidar=scanner(tracer="rtx"))) as backend, pytest.raises(TailgateError, match=f"sensor 'lidar': {words}"):
        capture(sim, backend)


def test_physics_must_not_move_anything(sim):
    """A prim that moves while the timeline plays refuses the frame and names the physics scene; the timeline is stopped all the same."""
    import omni.timeline

    stage = street()
    stage.DefinePrim("/World/Physics", "PhysicsScene")
    attribute = stage.GetPrimAtPath(PATH).GetAttribute("xformOp:transform")
    sim.physics(lambda dt: attribute.Set(gf(pose(8, -0.6 + 0.01, 0))))
    with opened(sim, rig(lidar=scanner(tracer="rtx")), stage) as backend:
        with pytest.raises(UserError, match=f"the physics scene /World/Physics moved {PATH} while the LiDAR turned"):
            capture(sim, backend)
        assert not omni.timeline.get_timeline_interface().is_playing()


def test_bodies_that_would_fall_are_refused_before_they_do(sim):
    from pxr import Sdf

    stage = street()
    body = stage.GetPrimAtPath("/World/Wall")
    body.AddAppliedSchema("PhysicsRigidBodyAPI")
    with opened(sim, rig(lidar=scanner(tracer="rtx")), stage) as backend:
        with pytest.raises(UserError, match="physics .* would move /World/Wall"):
            capture(sim, backend)
        body.CreateAttribute("physics:kinematicEnabled", Sdf.ValueTypeNames.Bool).Set(True)
        capture(sim, backend)
    body.GetAttribute("physics:kinematicEnabled").Set(False)
    with opened(sim, rig(lidar=scanner()), stage) as backend:
        capture(sim, backend)


def test_stable_ids_must_be_on_from_the_start(sim60):
    words = "start Isaac Sim with --/rtx-transient/stableIds/enabled=true"
    with opened(sim60, rig(lidar=scanner(tracer="rtx"))) as backend, pytest.raises(UserError, match=words):
        capture(sim60, backend)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sub_rays": 7, "divergence_mrad": (1.0, 1.0)}, "tracer must be tailgate where sub_rays is 7"),
        ({"ghosts": True}, "tracer must be tailgate"),
        ({"returns": "dual"}, "returns must be strongest"),
        ({"rate_hz": 7.5}, "must be whole numbers .* 7.5"),
    ],
)
def test_what_rtx_cannot_do_is_refused_by_name(sim60, more, words):
    with pytest.raises(UserError, match=f"sensors.lidar: .*{words}"), opened(sim60, rig(lidar=scanner(tracer="rtx", **more))):
        pass
    with opened(sim60, rig(lidar=scanner(**more))):
        pass


# parts ----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"direction": "ccw"}, {"azimuth_fov_deg": 120.0, "azimuth_start_deg": -60.0, "direction": "ccw"}])
def test_columns_of_returns_are_those_that_fired(more):
    from tailgate_rtx.scan import Returns, columns_of

    model = scanner(**more)
    grid = firing_grid(model)
    beam, column = (i.ravel() for i in np.indices(grid.azimuth.shape))
    empty = np.zeros(len(beam))
    jitter = np.random.default_rng(0).uniform(-0.4, 0.4, len(beam)) * model.azimuth_fov_deg / model.columns
    turns = Returns(beam, grid.azimuth[beam, column] + jitter + 360.0 * (beam % 3 - 1), empty, empty, empty, empty, empty)
    assert (columns_of(turns, model, grid) == column).all()
    aside = Returns(np.array([0, 99]), np.array([grid.azimuth[0, 0] - 90 * np.sign(grid.azimuth[0, 1] - grid.azimuth[0, 0]), 0]), *[np.zeros(2)] * 5)
    assert columns_of(aside, model, grid)[1] == -1
    assert model.azimuth_fov_deg == 360.0 or columns_of(aside, model, grid)[0] == -1


def test_distinct_ids():
    from tailgate_rtx.scan import distinct

    ids = np.random.default_rng(1).integers(0, 3, (50, 16)).astype(np.uint8)
    ids[10:20] = ids[0]
    unique, which = distinct(ids)
    assert (unique[which] == ids).all() and len(unique) == len(np.unique(ids, axis=0))
    assert distinct(np.zeros((0, 16), np.uint8))[0].shape == (0, 16)


def test_both_coordinates_are_read():
    from types import SimpleNamespace

    from tailgate_rtx.scan import returns_of

    azimuth, elevation, distance = np.array([10.0, -170.0, 5.0]), np.array([-5.0, 3.0, 0.0]), np.array([7.0, 20.0, 0.0])
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    points = distance * np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    common = {"numElements": 3, "scalar": np.ones(3), "objId": np.zeros(48, np.uint8), "matId": np.zeros(3), "channelId": np.array([1, 2, 3])}
    for kind, values in (("SPHERICAL", (azimuth, elevation, distance)), ("CARTESIAN", points)):
        got = returns_of(SimpleNamespace(**common, elementsCoordsType=kind, **dict(zip("xyz", values, strict=True))))
        assert np.allclose(got.azimuth, azimuth[:2], atol=1e-4) and np.allclose(got.elevation, elevation[:2], atol=1e-4)
        assert np.allclose(got.range, distance[:2]) and got.beam.tolist() == [0, 1] and got.object.shape == (2, 16)


def test_names_of_materials():
    from tailgate.stage.materials import Surface
    from tailgate_rtx.nonvisual import nonvisual

    plain = Surface()
    assert nonvisual("paint_cab", plain) == ("steel", "paint", "none")
    assert nonvisual("PaintedPlastic", plain)[:2] == ("plastic", "none")
    assert nonvisual("plastic_paint", plain)[:2] == ("plastic", "paint")
    assert nonvisual("cloth_upper", plain) == ("fabric", "none", "none")
    assert nonvisual("retro_bands", Surface(reflectance=5.0)) == ("plastic", "none", "retroreflective")
    assert nonvisual("lamp_head", Surface(emissive=(1.0, 1.0, 1.0))) == ("plastic", "none", "emissive")
    assert nonvisual("Thing", Surface(metallic=0.9))[0] == "steel" and nonvisual("Thing", plain)[0] == "plastic"


def test_a_beam_table_becomes_emitters(sim60):
    from tailgate_rtx.releases import CORE, release
    from tailgate_rtx.rig_prims import lidar_attributes

    got = lidar_attributes(scanner(rate_hz=20.0), release())
    assert got[f"{CORE}emitterState:s001:elevationDeg"] == ("float[]", BEAMS["elevation_deg"])
    assert got[f"{CORE}patternFiringRateHz"] == ("uint", 3600) and got["omni:sensor:tickRate"] == ("float", 20.0)
    assert got[f"{CORE}emitterState:s001:fireTimeNs"][1] == [0, 5000, 10000, 15000, 20000, 25000]
    assert LABELS and drive
