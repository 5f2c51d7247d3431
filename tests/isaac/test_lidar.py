"""RTX LiDARs of the stand-in: the embedded tracer's returns, in scans, frames and Isaac Sim's formats."""

import asyncio

import numpy as np
import pytest
from scene import street
from stage_kit import gf, pose, rig_of
from standin import standin
from standin.gmo import cartesian
from tailgate.config.sensor import LidarModel
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend

BEAMS = [-12.0, -8.0, -4.0, -1.0, 2.0]
MODEL = LidarModel(elevation_deg=BEAMS, columns=180, rate_hz=10.0, range_min=0.5, range_max=60.0)
PATH = "/World/Lidar"
STABLE = {"/rtx-transient/stableIds/enabled": True}


def attributes(model: LidarModel = MODEL, **more) -> dict:
    """Attributes of an OmniLidar like a model."""
    core = {
        "scanRateBaseHz": model.rate_hz,
        "patternFiringRateHz": model.columns * model.rate_hz,
        "nearRangeM": model.range_min,
        "farRangeM": model.range_max,
        "numberOfEmitters": len(model.elevation_deg),
        "emitterState:s001:elevationDeg": list(model.elevation_deg),
        "emitterState:s001:azimuthDeg": [0.0] * len(model.elevation_deg),
        "auxOutputType": "EXTRA",
        **more,
    }
    held = {f"omni:sensor:Core:{name}": value for name, value in core.items()}
    return {**held, "_replicator:rendervar:GenericModelOutput:channels": ["EXTRA"]}


def place(stage, T=None):
    """Move the LiDAR."""
    from pxr import UsdGeom

    xform = UsdGeom.Xformable(stage.GetPrimAtPath(PATH))
    xform.ClearXformOpOrder()
    xform.MakeMatrixXform().Set(gf(pose(0, 0, 1.8) if T is None else T))


def lidar(sim, **more):
    """A street with a LiDAR at (0, 0, 1.8), and its render product."""
    import omni.replicator.core as rep

    sim.use_stage(street())
    rep.orchestrator.set_capture_on_play(False)
    rep.functional.create.omni_lidar(name="Lidar", parent="/World", **attributes(**more))
    place(sim.stage)
    return rep.create.render_product(PATH, (1, 1))


def play() -> None:
    import omni.timeline

    omni.timeline.get_timeline_interface().play()


@pytest.fixture(scope="module")
def embedded():
    """The LiDAR's channels through the embedded renderer."""
    backend = WarpBackend()
    backend.open(street(), rig_of(lidar=MODEL, T_rig=pose(0, 0, 1.8)), {"road": 1, "car": 2})
    try:
        backend.apply(Sample(FrameId("test", 0, 0)))
        return asyncio.run(backend.capture()).sensors["lidar"].points()
    finally:
        backend.close()


def collect(sim, parse, annotator, ticks=7):
    """Frames of the raw output until a scan is complete."""
    frames = []
    for _ in range(ticks):
        sim.update()
        frames.append(parse(annotator.get_data()))
        if frames[-1].numElements and frames[-1].scanComplete:
            return frames
    raise AssertionError("no scan was complete")


def parser(sim):
    if sim.flavour == "6.0":
        from isaacsim.sensors.experimental.rtx import parse_generic_model_output_data

        return parse_generic_model_output_data
    from isaacsim.sensors.rtx import get_gmo_data

    return get_gmo_data


def test_a_scan_is_the_embedded_tracer_s(sim, embedded):
    import omni.replicator.core as rep

    product = lidar(sim)
    annotator = rep.annotators.get("GenericModelOutput").attach(product)
    parse = parser(sim)
    sim.update()
    assert parse(annotator.get_data()).numElements == 0, "nothing is fired while the timeline stands"
    play()
    frames = collect(sim, parse, annotator)
    assert len(frames) == 6, "10 Hz at 60 ticks a second"
    assert frames[0].elementsCoordsType.name == "SPHERICAL" and frames[0].frameOfReference.name == "SENSOR"
    assert [f.scanComplete for f in frames] == [0, 0, 0, 0, 0, 1]
    x, y, z, scalar, flags = (np.concatenate([getattr(f, name) for f in frames]) for name in ("x", "y", "z", "scalar", "flags"))
    hit = flags & 1 == 1
    assert np.array_equal(hit, z > 0) and hit.sum() == len(embedded["xyz"])
    az, el = np.deg2rad(x[hit].astype(float)), np.deg2rad(y[hit].astype(float))
    xyz = np.stack([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)], 1) * z[hit, None].astype(float)
    order, wanted = (np.lexsort(np.round(p, 3).T) for p in (xyz, embedded["xyz"]))
    assert np.allclose(xyz[order], embedded["xyz"][wanted], atol=1e-4)
    assert np.isclose(np.sort(scalar[hit]), np.sort(embedded["intensity"])).all()
    offset = frames[1].timeOffSetNs if sim.flavour == "5.1" else frames[1].timeOffsetNs
    assert offset.min() == 0 and offset.max() < 1e9 / 60 and frames[1].timestampNs >= 1e9 / 60
    with pytest.raises(Exception, match="timeOff"):
        _ = frames[1].timeOffsetNs if sim.flavour == "5.1" else frames[1].timeOffSetNs
    annotator.detach()
    product.destroy()


@pytest.mark.parametrize("flavour", ["5.1", "6.0"])
def test_points_are_named_through_stable_ids(flavour):
    with standin(flavour, settings=STABLE) as sim:
        import omni.replicator.core as rep

        product = lidar(sim)
        raw, names = (rep.annotators.get(n).attach(product) for n in ("GenericModelOutput", "StableIdMap"))
        play()
        sim.update(2)
        frame = parser(sim)(raw.get_data())
        if flavour == "6.0":
            from isaacsim.sensors.experimental.rtx import parse_object_ids, parse_stable_id_map_data

            ids, table = parse_object_ids(frame.objId), parse_stable_id_map_data(names.get_data())
        else:
            from isaacsim.sensors.rtx import LidarRtx

            ids, table = LidarRtx.get_object_ids(frame.objId), LidarRtx.decode_stable_id_mapping(names.get_data().tobytes())
        assert len(ids) == frame.numElements
        paths = {table[i] for i, z in zip(ids, frame.z, strict=True) if z > 0}
        assert paths <= {"/World/Road", "/World/Wall"} | {f"/Tailgate/Objects/{n}/{p}" for n in ("near", "far") for p in ("Body", "Roof")}
        assert "/World/Road" in paths
        for annotator in (raw, names):
            annotator.detach()
        product.destroy()


def test_object_ids_are_zero_without_the_setting(sim51):
    import omni.replicator.core as rep

    product = lidar(sim51)
    raw = rep.annotators.get("GenericModelOutput").attach(product)
    play()
    sim51.update(1)
    assert not parser(sim51)(raw.get_data()).objId.any()
    raw.detach()
    product.destroy()


def test_scan_buffer_holds_the_last_whole_scan(sim51, embedded):
    import omni.replicator.core as rep

    product = lidar(sim51)
    asked = {"outputIntensity": True, "outputDistance": True, "outputTimestamp": True, "transformPoints": True}
    buffer = rep.annotators.get("IsaacCreateRTXLidarScanBuffer", init_params=asked).attach(product)
    play()
    sim51.update(5)
    assert buffer.get_data()["data"].shape == (0, 3)
    sim51.update(1)
    held = buffer.get_data()
    assert held["data"].dtype == np.float32 and held["data"].shape == embedded["xyz"].shape
    assert np.isclose(held["data"][:, 2].min(), 0.0, atol=1e-3), "points are in the world"
    assert set(held["info"]) == {"intensity", "distance", "timestamp", "transform"}
    T = held["info"]["transform"].reshape(4, 4)
    assert np.allclose(T[3], [0, 0, 1.8, 1])
    sim51.update(3)
    assert np.array_equal(buffer.get_data()["data"], held["data"]), "until the next scan is whole"
    buffer.detach()
    product.destroy()


def test_moving_things_are_met_where_they_are_in_each_tick(sim51):
    """A car that drives 1 m per tick leaves returns at several places of one scan."""
    import omni.replicator.core as rep
    from pxr import UsdGeom

    product = lidar(sim51)
    raw = rep.annotators.get("GenericModelOutput").attach(product)
    op = UsdGeom.Xformable(sim51.stage.GetPrimAtPath("/Tailgate/Objects/near")).GetOrderedXformOps()[0]
    at = [8.0]

    def drive(dt: float) -> None:
        at[0] += 1.0
        op.Set(gf(pose(at[0], -0.6, 0)))

    sim51.physics(drive)
    play()
    sim51.update(6)
    assert at[0] == 14.0
    assert len(cartesian(sim51.part(__import__("standin.products", fromlist=["Products"]).Products).all[product.path].given.frame)) > 0
    raw.detach()
    product.destroy()


def test_lidar_sensor_of_6(sim60):
    from isaacsim.sensors.experimental.rtx import Lidar, LidarSensor, parse_generic_model_output_data

    sim60.use_stage(street())
    own = {k: v for k, v in attributes().items() if k.startswith("omni:")}
    prim = Lidar(PATH, accumulate_outputs=True, aux_output_level="BASIC", tick_rate=10.0, attributes=own, translations=[[0, 0, 1.8]])
    sensor = LidarSensor(prim, annotators=["generic-model-output"])
    assert sensor.get_data("generic-model-output") == (None, {})
    play()
    sizes = []
    for _ in range(7):
        sim60.update()
        sizes.append(parse_generic_model_output_data(sensor.get_data("generic-model-output")[0]).numElements)
    assert sizes == [0, 0, 0, 0, 0, len(BEAMS) * 180, 0]
    with pytest.raises(ValueError, match="did you mean 'generic-model-output'"):
        sensor.get_data("generic-model-outputs")
    sensor.detach_annotators("generic-model-output")
    sensor.render_product.destroy()


def test_wrong_tick_rate_gives_no_points_in_6(sim60):
    from isaacsim.sensors.experimental.rtx import Lidar, LidarSensor, parse_generic_model_output_data

    sim60.use_stage(street())
    sensor = LidarSensor(Lidar(PATH, tick_rate=20.0, attributes=attributes()), annotators=["generic-model-output"])
    play()
    sim60.update(8)
    assert parse_generic_model_output_data(sensor.get_data("generic-model-output")[0]).numElements == 0
    sensor.detach_annotators(["generic-model-output"])
    sensor.render_product.destroy()


def test_configurations_need_the_asset_server(sim51):
    import omni.kit.commands

    with pytest.raises(RuntimeError, match="asset server"):
        omni.kit.commands.execute("IsaacSensorCreateRtxLidar", path="/Lidar", config="Example_Rotary")
    with pytest.raises(ValueError, match="did you mean 'Example_Rotary'"):
        omni.kit.commands.execute("IsaacSensorCreateRtxLidar", path="/Lidar", config="Exmple_Rotary")
    ok, prim = omni.kit.commands.execute("IsaacSensorCreateRtxLidar", path="/Lidar", **attributes())
    assert ok and prim.GetTypeName() == "OmniLidar"


def test_solid_state_emitters_fire_once_a_scan(sim51):
    import omni.replicator.core as rep

    sim51.use_stage(street())
    core = {"scanType": "SOLID_STATE", "numberOfEmitters": 3, "scanRateBaseHz": 60.0, "emitterState:s001:elevationDeg": [-10.0, -10.0, 0.0]}
    core |= {"emitterState:s001:azimuthDeg": [-30.0, 30.0, 0.0], "nearRangeM": 0.1, "farRangeM": 60.0, "elementsCoordsType": "CARTESIAN"}
    rep.functional.create.omni_lidar(name="Lidar", parent="/World", **{f"omni:sensor:Core:{k}": v for k, v in core.items()})
    place(sim51.stage)
    product = rep.create.render_product(PATH, (1, 1))
    raw = rep.annotators.get("GenericModelOutput").attach(product)
    play()
    sim51.update(1)
    frame = parser(sim51)(raw.get_data())
    assert frame.numElements == 3
    far = 1.8 / np.tan(np.deg2rad(10.0))
    assert np.allclose(frame.z[:2], -1.8, atol=1e-4)
    assert np.allclose(np.hypot(frame.x[:2], frame.y[:2]), far, atol=1e-3)
    assert np.allclose(np.sort(frame.y[:2]), np.array([-1, 1]) * far * np.sin(np.deg2rad(30)), atol=1e-3)
    raw.detach()
    product.destroy()


def test_a_lidar_that_was_off_or_stopped_begins_a_new_scan(sim):
    import omni.replicator.core as rep
    import omni.timeline

    product = lidar(sim)
    raw, parse = rep.annotators.get("GenericModelOutput").attach(product), parser(sim)
    timeline = omni.timeline.get_timeline_interface()
    play()
    sim.update(4)
    product.hydra_texture.set_updates_enabled(False)
    sim.update(10)
    timeline.stop()
    timeline.commit()
    product.hydra_texture.set_updates_enabled(True)
    sim.update()
    assert parse(raw.get_data()).numElements == 0
    play()
    frames = collect(sim, parse, raw)
    assert len(frames) == 6 and sum(f.numElements for f in frames) == len(BEAMS) * 180
    raw.detach()
    product.destroy()


def test_steps_of_the_orchestrator_are_steps_of_the_scan(sim):
    """A fixed delta_time that divides the scan: the raw output is whole after as many captures."""
    import omni.replicator.core as rep

    product = lidar(sim)
    raw, parse = rep.annotators.get("GenericModelOutput").attach(product), parser(sim)
    play()
    sizes = []
    for _ in range(5):
        sim.run(rep.orchestrator.step_async(rt_subframes=1, delta_time=0.025, pause_timeline=False))
        sizes.append(parse(raw.get_data()).numElements)
    assert sum(sizes) >= len(BEAMS) * 180
    raw.detach()
    product.destroy()


def test_attributes_without_their_schema_mean_nothing(sim51):
    import omni.replicator.core as rep

    sim51.use_stage(street())
    sim51.stage.DefinePrim(PATH, "OmniLidar")
    product = rep.create.render_product(PATH, (1, 1))
    play()
    with pytest.raises(ValueError, match="OmniSensorGenericLidarCoreAPI"):
        sim51.update()
    product.destroy()
