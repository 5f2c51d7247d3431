"""Points of a vehicle's frame are brought into the sensor's by their rings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.reference.clouds import Cloud, CloudOptions, cloud_channels
from tailgate.reference.mounting import from_highest, in_own_frame


def returns_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    points = street_scan(load_sensor(name)[0].model_copy(update={"columns": 360}), 3).points()
    return points["xyz"].astype(np.float64) + np.random.default_rng(1).normal(0.0, 0.005, (len(points["xyz"]), 3)), points["ring"]


MOUNTED = [((0.0, 0.0, 1.8), 0.0), ((1.2, 0.3, 1.8), 0.0), ((0.0, 0.0, 0.0), 3.0), ((-2.0, 0.0, 3.0), -5.0)]


@pytest.mark.parametrize("name", ["hdl32e", "xt32", "os1_64"])
@pytest.mark.parametrize(("shift", "pitch"), MOUNTED)
def test_points_of_a_vehicle_come_back_into_the_sensors_frame(name, shift, pitch):
    own, ring = returns_of(name)
    vehicle = own @ Rotation.from_euler("y", pitch, degrees=True).as_matrix().T + shift
    vehicle[::50] = 0.0
    found, words = in_own_frame(vehicle, ring)
    real = np.arange(len(own)) % 50 > 0
    assert np.median(np.linalg.norm(found - own, axis=1)[real]) < 0.03 and not found[::50].any() and "Points were moved by" in words
    assert np.array_equal(from_highest(ring[real], own[real]), from_highest(ring[real], vehicle[real]))


@pytest.mark.parametrize("name", ["hdl32e", "vlp16", "hdl64e"])
def test_points_of_the_sensor_stay(name):
    own, ring = returns_of(name)
    assert in_own_frame(own, ring)[0] is own
    assert in_own_frame(own + [0.0, 0.0, 1.8], None)[1] == ""


def test_a_cloud_with_rings_in_a_vehicles_frame_has_the_beams_of_its_device(tmp_path):
    own, ring = returns_of("hdl32e")
    fields = {**dict(zip("xyz", (own + [0.0, 0.0, 1.84]).T, strict=True)), "ring": (31 - ring).astype(np.uint16)}
    channels, placing = cloud_channels(Cloud(fields), CloudOptions(model="hdl32e"), tmp_path / "a.pcd")
    held = channels["range"][..., 0] > 0
    found = [np.median(e[h]) if h.any() else t for e, h, t in zip(channels["elevation"], held, load_sensor("hdl32e")[0].elevation_deg, strict=True)]
    np.testing.assert_allclose(found, load_sensor("hdl32e")[0].elevation_deg, atol=0.05)
    assert "moved by (0.0, 0.0, -1.8) m" in placing.sentence("a.pcd")
