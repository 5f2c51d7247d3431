"""Time stamps and dropped frames of sensors."""

import json
from dataclasses import replace

import numpy as np
import pytest
from frames_fixture import make_frame
from tailgate.config.camera import Lens
from tailgate.config.rig import MountedSensor, ResolvedRig, load_sensor
from tailgate.datasets.write import WRITERS, write_dataset
from tailgate.errors import UserError
from tailgate.frames import FrameId, Sample
from tailgate.reference.basicwriter import BasicWriterReader
from tailgate.sensors import check_response, delivered, measured, respond
from tailgate.sensors.timing import Timing, stamp

CAMERA, LIDAR = load_sensor("camera_vga")[0], load_sensor("vlp16")[0]


def timed(seed=1, **params):
    """A frame of a camera whose time settings are given, and a LiDAR without any."""
    frame = make_frame(0)
    models = {"camera": CAMERA.model_copy(update={"response": {}}), "lidar": LIDAR.model_copy(update={"response": {}})}
    rig = ResolvedRig("rig", {name: MountedSensor(m, name, np.eye(4)) for name, m in models.items() if name in frame.sensors})
    sample = Sample(FrameId("s", 0, 0), sensors={"camera": params})
    return frame, respond(frame, sample, rig, (seed, "frame"))


def test_offset_and_latency_move_the_stamps_of_one_sensor():
    exact, frame = timed(trigger_offset=3.0, latency=20.0)
    for name, late in (("camera", 23_000_000), ("lidar", 0)):
        assert frame.sensors[name].t_start - exact.sensors[name].t_start == late
        assert frame.sensors[name].t_end - exact.sensors[name].t_end == late
    np.testing.assert_array_equal(frame.sensors["camera"].T_world_sensor, exact.sensors["camera"].T_world_sensor)


def test_jitter_is_normal_independent_and_repeatable():
    sensor = make_frame(0).sensors["camera"]
    late = np.array([stamp(sensor, Timing(latency=10.0, jitter=2.0), seed).t_start for seed in range(3000)]) * 1e-6
    assert late.mean() == pytest.approx(10.0, abs=0.15) and late.std() == pytest.approx(2.0, rel=0.05)
    assert abs(np.corrcoef(late[:-1], late[1:])[0, 1]) < 0.06
    assert stamp(sensor, Timing(jitter=2.0), 5).t_start == stamp(sensor, Timing(jitter=2.0), 5).t_start
    assert stamp(sensor, Timing(), 5) is sensor


def test_dropped_frames_leave_the_sensor_out():
    sensor = make_frame(0).sensors["camera"]
    assert np.mean([stamp(sensor, Timing(dropped=0.3), seed) is None for seed in range(3000)]) == pytest.approx(0.3, abs=0.03)
    _, frame = timed(dropped=1.0)
    assert set(frame.sensors) == {"lidar"}


def test_a_dropped_frame_does_not_change_the_others():
    _, whole = timed()
    _, frame = timed(dropped=1.0)
    for name, channel in whole.sensors["lidar"].channels.items():
        np.testing.assert_array_equal(channel, frame.sensors["lidar"].channels[name])


def test_writers_pass_over_what_is_missing(tmp_path):
    """A dropped camera takes its frame out of the image formats, a dropped LiDAR out of the point formats; the others keep it."""
    whole = make_frame(0), make_frame(1), make_frame(2)
    frames = [replace(f, sensors={n: s for n, s in f.sensors.items() if n != gone}) for f, gone in zip(whole, ("camera", "", "lidar"), strict=True)]
    summary = write_dataset(frames, tmp_path, list(WRITERS))
    assert not summary.left_out and summary.frames == 3
    assert {name: found["frames"] for name, found in summary.formats.items() if "frames" in found} == {
        "basicwriter": 3,
        "kitti": 2,
        "semantickitti": 2,
    }
    assert summary.formats["coco"]["images"] == 2


def test_every_sensor_takes_time_settings_and_refuses_others():
    wrong = load_sensor("rgb_rolling")[0]
    check_response(wrong)
    for model in (CAMERA, LIDAR):
        setting = wrong.response["latency"]
        check_response(model.model_copy(update={"response": {**model.response, "latency": setting}}))
        with pytest.raises(UserError, match="latenc"):
            check_response(model.model_copy(update={"response": {**model.response, "latenc": setting}}))


def test_exposure_follows_the_frame_before():
    """Through ``respond``: the second tick starts from the exposure of the first and has not caught up."""
    frame, _ = timed()
    camera = frame.sensors["camera"]
    hdr = np.full((*camera.channels["rgb"].shape[:2], 4), 0.5, np.float32)
    rig = ResolvedRig("rig", {n: MountedSensor(CAMERA if n == "camera" else LIDAR, n, np.eye(4)) for n in frame.sensors})

    def tick(light, t, before=None):
        channels = {**camera.channels, "HdrColor": hdr * light, "exposure": np.array([0.36 / light], np.float32)}
        seen = replace(camera, channels=channels, t_start=t, t_end=t)
        sample = Sample(FrameId("s", 0, 0), sensors={"camera": {"exposure_lag": 0.2}})
        return respond(replace(frame, sensors={"camera": seen}), sample, rig, (1, str(t)), before)

    first = tick(1.0, 0)
    second = tick(4.0, 100_000_000, first)
    expected = 0.09 * 4 ** np.exp(-0.1 / 0.2)
    assert float(second.sensors["camera"].channels["exposure"][0]) == pytest.approx(expected, rel=1e-4)


def test_stamps_and_drops_move_no_exposure():
    """Automatic exposure runs on exact times, through ticks that are dropped; jitter moves stamps alone."""
    frame, _ = timed()
    camera = frame.sensors["camera"]
    hdr = np.full((*camera.channels["rgb"].shape[:2], 4), 0.5, np.float32)
    rig = ResolvedRig("rig", {"camera": MountedSensor(CAMERA, "camera", np.eye(4))})

    def clip(**params):
        before, got = None, []
        for k in range(5):
            channels = {**camera.channels, "HdrColor": hdr * 4 ** (k > 0), "exposure": np.array([0.36 * 4.0 ** -(k > 0)], np.float32)}
            seen = replace(frame, sensors={"camera": replace(camera, channels=channels, t_start=k * 10**8, t_end=k * 10**8)})
            sample = Sample(FrameId("s", 0, 0), sensors={"camera": {"exposure_lag": 0.2, **params}})
            before = measured(seen, sample, rig, (7, str(k)), before)
            got.append(delivered(before, sample, rig, (7, str(k))).sensors.get("camera"))
        return got

    exact, jittered, lossy = clip(), clip(jitter=30.0), clip(dropped=0.5)
    assert 0 < lossy.count(None) < 5 and all(a.t_start != b.t_start for a, b in zip(exact, jittered, strict=True))
    for plain, *others in zip(exact, jittered, lossy, strict=True):
        for other in (o for o in others if o):
            for name in ("rgb", "exposure"):
                np.testing.assert_array_equal(plain.channels[name], other.channels[name])
    assert len({float(s.channels["exposure"][0]) for s in exact}) == 5


def test_formats_stay_as_they_are_where_one_of_two_cameras_is_lost(tmp_path):
    """Files lie in folders by sensor, and KITTI's are those of the rig's first camera alone, whichever of them misses a frame."""
    whole = [make_frame(k) for k in range(3)]
    both = [replace(f, sensors={"left": f.sensors["camera"], "a_right": f.sensors["camera"], "lidar": f.sensors["lidar"]}) for f in whole]
    frames = [replace(f, sensors={n: s for n, s in f.sensors.items() if n != gone}) for f, gone in zip(both, ("left", "a_right", ""), strict=True)]
    mounted = {n: MountedSensor(LIDAR if n == "lidar" else CAMERA, n, np.eye(4)) for n in both[0].sensors}
    rig = ResolvedRig.from_json(json.loads(json.dumps(ResolvedRig("rig", mounted).to_json(), sort_keys=True)))
    assert list(rig.sensors) == ["left", "a_right", "lidar"]
    summary = write_dataset(frames, tmp_path, ["basicwriter", "kitti"], rig=rig)
    assert not summary.left_out and summary.formats["kitti"]["frames"] == 2
    assert not list((tmp_path / "basicwriter").glob("rgb*.png"))
    assert [len(list((tmp_path / "basicwriter" / n).rglob("rgb_*.png"))) for n in ("left", "a_right")] == [2, 2]
    reader = BasicWriterReader(tmp_path / "basicwriter")
    assert [set(reader.read(entry.name).sensors) for entry in reader.entries()] == [set(frame.sensors) for frame in frames]
    bent = CAMERA.model_copy(update={"lens": Lens(model="brown_conrady", coefficients=[0.1, 0, 0, 0])})
    rig = ResolvedRig("rig", {**mounted, "left": MountedSensor(bent, "left", np.eye(4))})
    assert "left" in write_dataset(frames, tmp_path / "bent", ["kitti"], rig=rig).left_out["kitti"]
