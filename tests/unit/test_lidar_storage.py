"""Storage of returns: kernel against twin, against formats worked out by hand, and what points, files and statistics make of it."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.lidar import exact_scan
from tailgate.calibrate.scene import street_scan
from tailgate.calibrate.storage import find_storage
from tailgate.config.load import validate
from tailgate.config.rig import MountedSensor, ResolvedRig, load_sensor, pose
from tailgate.config.sensor import LidarModel, Mount, Storage
from tailgate.datasets import store
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId, Objects, Sample
from tailgate.geometry.beams import directions
from tailgate.geometry.rounding import Rounding, float16_step
from tailgate.sensors import respond
from tailgate.sensors.lidar import respond_lidar
from tailgate.sensors.lidar_storage import store_returns, store_returns_twin

MOUNT = Mount(xyz=(1.35, 0.0, 1.64), rpy_deg=(179.9, -0.4, -11.5))
HALF = Storage(coordinates="float16", frame="rig", origin=(0.0, 0.0, 0.36))
MILLIMETRE = Storage(coordinates=0.001)


@pytest.fixture(scope="module")
def model():
    return load_sensor("vlp32c")[0].model_copy(update={"columns": 360})


def _rounding(storage):
    return Rounding.of(storage, pose(MOUNT, load_sensor("vlp32c")[0]))


def _responded(model, storage, **params):
    """A street that a sensor on the rig saw, and the rig."""
    device = model.model_copy(update={"storage": storage})
    rig = ResolvedRig("one", {"top": MountedSensor(device, "vlp32c", pose(MOUNT, device))})
    none = Objects(np.zeros(0, np.int32), [], np.zeros((0, 4, 4)), np.zeros((0, 3)), [])
    frame = Frame(FrameId("s", 0, 0), {"top": street_scan(device, 3)}, none, {"background": 0})
    return respond(frame, Sample(FrameId("s", 0, 0), sensors={"top": params}), rig, (1, "s", 0, 0))


@pytest.mark.parametrize("storage", [HALF, MILLIMETRE, Storage(coordinates=0.02, frame="rig")])
def test_kernel_matches_twin(storage):
    draw = np.random.default_rng(1)
    ranges = draw.uniform(0.5, 90.0, (16, 300, 2)).astype(np.float32)
    ranges[draw.random(ranges.shape) < 0.2] = 0.0
    azimuth, elevation = (draw.uniform(-reach, reach, ranges.shape).astype(np.float32) for reach in (180, 40))
    rounding, aim = _rounding(storage), np.stack([azimuth, elevation], axis=-1)
    kernel = store_returns({"range": ranges, "azimuth": azimuth[..., 0], "elevation": elevation[..., 0], "aim": aim}, rounding)
    twin = store_returns_twin(ranges, azimuth, elevation, rounding)
    for found, expected in zip((kernel["range"], *np.moveaxis(kernel["aim"], 3, 0)), twin, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-5)
    np.testing.assert_array_equal(kernel["azimuth_true"], azimuth[..., 0])
    np.testing.assert_array_equal(kernel["aim"][~(ranges > 0)], aim[~(ranges > 0)])
    first = np.argmax(ranges > 0, axis=2)[..., None]
    np.testing.assert_array_equal(kernel["elevation"], np.take_along_axis(kernel["aim"][..., 1], first, axis=2)[..., 0])


def test_half_floats_by_hand():
    """10.003 m ahead lies between the half floats 10.0 and 10.0078125; 100.03 m to the left between 100 and 100.0625."""
    level = np.zeros((1, 1), np.float32)
    for direction, reach, found in ((0.0, 10.003, 10.0), (0.0, 10.005, 10.0078125), (90.0, 100.03, 100.0), (90.0, 100.04, 100.0625)):
        at = {"range": np.full((1, 1, 1), reach, np.float32), "azimuth": level + np.float32(direction), "elevation": level}
        stored = store_returns(at, Rounding(0.0, np.eye(4)))
        assert stored["range"].item() == pytest.approx(found, abs=1e-6) and stored["azimuth"].item() == pytest.approx(direction, abs=1e-6)
    np.testing.assert_allclose(float16_step(np.array([33.0, 63.9, 64.0, -20.0])), [2**-5, 2**-5, 2**-4, 2**-6])


def test_the_frame_of_the_coordinates_is_the_rigs():
    """A sensor 1.35 m ahead of the rig sees a wall 5.1 m ahead of itself: 6.45 m is stored as 6.449..., in steps of 1/256 m."""
    T = np.eye(4)
    T[0, 3] = 1.35
    at = {"range": np.full((1, 1, 1), 5.1, np.float32), "azimuth": np.zeros((1, 1), np.float32), "elevation": np.zeros((1, 1), np.float32)}
    seen = store_returns(at, Rounding.of(Storage(coordinates="float16", frame="rig"), T))["range"].item()
    assert seen == pytest.approx(np.rint(6.45 * 256) / 256 - 1.35, abs=1e-6)
    moved = Storage(coordinates="float16", frame="rig", origin=(1.35, 0.0, 0.0))
    assert store_returns(at, Rounding.of(moved, T))["range"].item() == pytest.approx(float(np.float16(5.1)), abs=1e-6)


@pytest.mark.parametrize("storage", [HALF, MILLIMETRE])
def test_every_echo_is_rounded_by_itself(model, storage):
    scan, device = street_scan(model, 3), model.model_copy(update={"returns": "dual"})
    exact = scan.channel("range")
    ranges = np.concatenate([exact, np.where(exact > 0, 1.5 * exact, 0.0)], axis=2).astype(np.float32)
    channels = {n: np.repeat(scan.channel(n), 2, axis=2) for n in ("incidence", "reflectance", "time_offset")}
    scan = replace(scan, channels={**scan.channels, **channels, "range": ranges}, rounding=_rounding(storage))
    far = device.model_copy(update={"range_max": 5000.0, "range_step": 0.0})
    points = replace(scan, channels=respond_lidar(scan, far, {}, 1)).points(("range_true",))
    rays = directions(scan.channel("azimuth"), scan.channel("elevation"))
    for echo in (0, 1):
        mine = points["echo"] == echo
        cell = points["ring"][mine], points["column"][mine]
        expected = scan.rounding.rounded(rays[cell] * np.float64(points["range_true"][mine, None]))
        # In single precision a point midway between two steps may go to either.
        assert (np.abs(points["xyz"][mine] - expected).max(axis=1) > 1e-4).mean() < 0.01


def test_points_are_the_stored_ones_through_files(model, tmp_path):
    frame = _responded(model, MILLIMETRE, noise_sigma=0.02)
    xyz = frame.sensors["top"].points()["xyz"]
    np.testing.assert_array_equal(xyz, (np.rint(xyz.astype(np.float64) * 1000) / 1000).astype(np.float32))
    store.save(frame, tmp_path / "a")
    back = store.load(tmp_path / "a")
    np.testing.assert_array_equal(back.sensors["top"].points()["xyz"], xyz)
    assert store.digest(back) == store.digest(frame)
    half = _responded(model, HALF, noise_sigma=0.02).sensors["top"]
    stored = half.rounding.stored(half.points()["xyz"].astype(np.float64))
    assert np.abs(stored - stored.astype(np.float16)).max() < 1e-5


def test_storage_comes_after_the_device_and_leaves_the_truth(model):
    plain, half = (_responded(model, storage, noise_sigma=0.02).sensors["top"] for storage in (None, HALF))
    assert plain.rounding is None and "azimuth_true" not in plain.channels
    hit = plain.channel("range") > 0
    np.testing.assert_array_equal(half.channel("range") > 0, hit)
    moved = np.abs(half.channel("range") - plain.channel("range"))[hit]
    assert 1e-3 < moved.mean() < 0.03 and moved.max() < 0.06
    exact = exact_scan(half)
    for name in ("azimuth", "elevation"):
        np.testing.assert_array_equal(exact.channel(name), plain.channel(name))
    np.testing.assert_array_equal(exact.channel("range"), plain.channel("range_true"))


AXLE = Storage(coordinates="float16", frame="rig")
COARSE = Storage(coordinates=0.004, frame="rig", origin=(0.0, 0.0, 0.1015))


@pytest.mark.parametrize("storage", [None, HALF, AXLE, Storage(coordinates="float16"), MILLIMETRE, Storage(coordinates=0.0125), COARSE])
def test_storage_is_found_again(model, storage):
    """From the points alone, whose frame a reader tells only where it is neither the sensor's nor the rig's."""
    scan = _responded(model.model_copy(update={"range_step": 0.0}), storage, noise_sigma=0.02).sensors["top"]
    placed = replace(scan, T_world_sensor=np.stack([pose(MOUNT, model)] * 2))
    told = placed if storage in (HALF, COARSE) else replace(placed, rounding=None)
    found = find_storage([told])
    assert found.storage == storage and found.range_step is None
    assert bool(found.rows()) == (storage is not None) and len(found.notes()) == 1
    assert found.applied(model).storage == storage and found.applied(model).range_step == model.range_step


@pytest.mark.parametrize("step", [0.001, 0.004, 0.008])
def test_a_step_of_range_is_found_again(model, step):
    found = find_storage([_responded(model.model_copy(update={"range_step": step}), None, noise_sigma=0.02).sensors["top"]])
    assert found.storage is None and found.range_step == pytest.approx(step, rel=1e-3)
    assert found.applied(model).range_step == found.range_step


def test_too_few_returns_tell_no_storage(model):
    scan = _responded(model, MILLIMETRE).sensors["top"]
    none = replace(scan, channels={**scan.channels, "range": np.zeros_like(scan.channel("range"))})
    assert find_storage([none]).storage is None


def test_a_storage_that_cannot_be_is_refused():
    table = {"type": "lidar", "elevation_deg": [0.0], "columns": 8}
    assert validate(LidarModel, {**table, "storage": {"coordinates": "float16", "frame": "rig"}}).storage.frame == "rig"
    for bad in ({"coordinates": "float64"}, {"coordinates": 0.0}, {"coordinates": 0.001, "frame": "world"}, {}):
        with pytest.raises(UserError, match="storage"):
            validate(LidarModel, {**table, "storage": bad})
