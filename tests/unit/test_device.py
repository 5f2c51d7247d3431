"""Scans are taken for those of their device however it is mounted, and for no other's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tailgate.calibrate.device import check_device
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.geometry.beams import directions


def known(name: str) -> LidarModel:
    return load_sensor(name)[0].model_copy(update={"columns": 180})


def scan_of(name: str, seed: int = 1) -> SensorFrame:
    return street_scan(known(name), seed)


def changed(scan: SensorFrame, **channels: np.ndarray) -> SensorFrame:
    return replace(scan, channels={**scan.channels, **channels})


def in_vehicle(scan: SensorFrame, pitch: float, shift: tuple[float, float, float]) -> SensorFrame:
    """The scan as points of a vehicle's frame, in which the sensor stands pitched and aside."""
    aims = directions(scan.channel("azimuth"), scan.channel("elevation"))
    rng = np.asarray(scan.channel("range"))
    x, y, z = np.moveaxis((aims * rng[..., :1]) @ Rotation.from_euler("y", pitch, degrees=True).as_matrix().T + shift, -1, 0)
    azimuth, elevation = np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    moved = np.where(rng > 0, np.sqrt(x**2 + y**2 + z**2)[..., None], 0.0)
    return changed(scan, range=moved.astype(np.float32), azimuth=azimuth.astype(np.float32), elevation=elevation.astype(np.float32))


@pytest.mark.parametrize("name", ["hdl64e", "hdl32e", "vlp16", "vlp32c", "os1_64", "xt32"])
@pytest.mark.parametrize(("pitch", "shift"), [(0.0, (0.0, 0.0, 0.0)), (9.0, (0.0, 0.0, 0.0)), (4.0, (1.5, 0.3, 1.8))])
def test_a_device_is_itself_however_it_is_mounted(name, pitch, shift):
    check_device([in_vehicle(scan_of(name), pitch, shift)], known(name), name)


def test_units_beside_their_table_and_hidden_beams_are_the_devices():
    table = known("os1_64")
    unit = table.model_copy(update={"elevation_deg": (np.array(table.elevation_deg) * 0.95 - 0.5).tolist()})
    check_device([street_scan(unit, 1)], table, "os1_64")
    scan = scan_of("hdl64e")
    rng = np.array(scan.channel("range"))
    rng[::5], rng[50:] = 0, 0
    check_device([changed(scan, range=rng)], known("hdl64e"), "hdl64e")


@pytest.mark.parametrize(
    ("of", "taken", "words"),
    [
        ("os1_128", "os0_128", "are they those of os1_128"),
        ("os1_128", "vls128", "are they those of os1_128"),
        ("hdl32e", "xt32", "are they those of hdl32e"),
        ("vlp32c", "hdl32e", "are they those of vlp32c"),
        ("hdl64e", "pandar64", "are they those of hdl64e"),
    ],
)
def test_scans_of_another_device_are_refused(of, taken, words):
    with pytest.raises(UserError, match=rf"beams look [\d.]+ deg beside the table of {taken}.*{words}"):
        check_device([scan_of(of)], known(taken), taken)


@pytest.mark.parametrize("factor", [np.pi / 180, -1.0])
def test_elevations_in_another_unit_or_of_the_other_sign_are_refused(factor):
    scan = scan_of("hdl64e")
    with pytest.raises(UserError, match="another device, rings mixed up, elevations in another unit or negated"):
        check_device([changed(scan, elevation=np.asarray(scan.channel("elevation")) * factor)], known("hdl64e"), "hdl64e")


def test_a_mirrored_scan_of_a_symmetric_device_shows_in_its_azimuth_offsets():
    scan = scan_of("os1_128")
    mirrored = {n: v[::-1] for n, v in scan.channels.items() if n in ("range", "azimuth", "time_offset")}
    check_device([scan], known("os1_128"), "os1_128")
    with pytest.raises(UserError, match="with the other sign: are elevations or azimuth offsets negated"):
        check_device([changed(scan, elevation=-np.asarray(scan.channel("elevation"))[::-1], **mirrored)], known("os1_128"), "os1_128")


def test_scans_with_hardly_a_return_are_refused():
    scan = scan_of("vlp16")
    rng = np.array(scan.channel("range"))
    rng[:, 20:] = 0
    with pytest.raises(UserError, match="too few returns to tell its beams: none has 60"):
        check_device([changed(scan, range=rng)], known("vlp16"), "vlp16")
