"""Beam tables against recordings of the devices."""

import numpy as np
import pytest
from scan_folder import OUSTER as OUSTER_SCAN
from scan_folder import collect
from tailgate.calibrate.device import check_device
from tailgate.calibrate.lidar_grid import estimate_grid
from tailgate.config.budget import Reference
from tailgate.config.rig import load_sensor
from tailgate.errors import UserError
from tailgate.reference import open_reference
from tailgate.reference.nuscenes import NuScenesReader
from tailgate.reference.points import Returns, lidar_frame_sensor, sweep_channels

NEBULA = {"pandar64": (64, 0.001), "xt32": (32, 0.1), "vlp16": (16, 0.001), "vls128": (128, 0.001)}
"""Device -> beams and largest deviation [deg]: drivers put exact tables into points, XT32 units are calibrated within 0.1 deg."""
OUSTER = {
    "OS-1-64": ("os1_64_gen1", 0.3, 0.2),
    "OS-1-128": ("os1_128", 1.6, 0.03),
    "OS-2-32": ("os2_32", 0.8, None),
    "OS-0-128": ("os0_128", 1.3, None),
}
"""Model name -> our table, largest deviation of its elevations and azimuth offsets [deg] (None: not in the table)."""


def _elevations(channels):
    rng = channels["range"][..., 0]
    return np.array([np.median(e[r > 0]) for e, r in zip(channels["elevation"], rng, strict=True) if (r > 0).sum() > 20])


@pytest.mark.parametrize("device", NEBULA)
def test_elevations_of_decoded_scans(data_root, device):
    path = data_root / "nebula" / f"{device}.npz"
    if not path.is_file():
        pytest.skip(f"no recording of {device} here")
    beams, tolerance = NEBULA[device]
    xyz = np.load(path)["xyz"].astype(np.float64)
    channels, _ = sweep_channels(Returns(xyz, np.zeros(len(xyz), np.float32)), beams, path)
    table, found = np.array(load_sensor(device)[0].elevation_deg), _elevations(channels)
    assert len(found) >= 0.85 * beams
    assert np.abs(found[:, None] - table).min(axis=1).max() < tolerance


def test_elevations_of_a_nuscenes_sweep(data_root):
    if not (data_root / "nuscenes").is_dir():
        pytest.skip("no nuScenes recording here")
    reader = NuScenesReader(data_root / "nuscenes")
    (scan,) = (s for s in reader.read(reader.entries()[0].name).sensors.values() if s.kind == "lidar")
    np.testing.assert_allclose(np.sort(_elevations(scan.channels))[::-1], load_sensor("hdl32e")[0].elevation_deg, atol=0.1)


@pytest.mark.parametrize("device", OUSTER)
def test_ouster_units_lie_about_their_tables(data_root, device):
    files = sorted((data_root / "ouster").glob(f"{device}*.npz"))
    if not files:
        pytest.skip(f"no recording of {device} here")
    name, elevation, aside = OUSTER[device]
    stored, model = np.load(files[0]), load_sensor(name)[0]
    assert np.abs(stored["beam_altitude_deg"] - model.elevation_deg).max() < elevation
    if aside is not None:
        assert np.abs(stored["beam_azimuth_deg"] + model.azimuth_offset_deg).max() < aside


def test_one_device_shows_one_grid_in_every_place(data_root):
    if not (data_root / "kitti" / "velodyne").is_dir():
        pytest.skip("no KITTI sweeps under the data root")
    reference = open_reference(Reference(kind="kitti", root="kitti"), data_root)
    table, unit = load_sensor("hdl64e")[0], load_sensor("hdl64e_kitti")[0]
    for name in sum(reference.split.values(), []):
        found = estimate_grid([reference.read(name).sensors["lidar"]], table)
        applied = found.applied(table)
        np.testing.assert_allclose(applied.elevation_deg[:48], unit.elevation_deg[:48], atol=0.02)
        # The steepest beams see the road at one distance alone, so their height is their neighbours'.
        np.testing.assert_allclose(applied.elevation_deg[48:], unit.elevation_deg[48:], atol=0.08)
        np.testing.assert_allclose(applied.beam_height_m, unit.beam_height_m, atol=0.01)
        assert found.columns.low > table.columns + 30 and abs(applied.columns - unit.columns) < 10
        assert applied.rate_hz == pytest.approx(unit.rate_hz, rel=0.005) and found.blind == []


@pytest.mark.parametrize(("kind", "device", "other"), [("kitti", "hdl64e", "pandar64"), ("av2", "vlp32c", "hdl32e"), ("nuscenes", "hdl32e", "xt32")])
def test_heads_of_vehicles_are_of_their_device_and_of_no_other(data_root, kind, device, other):
    if not (data_root / kind).is_dir():
        pytest.skip(f"no {kind} recording here")
    reference = open_reference(Reference(kind=kind, root=kind), data_root)
    for scan in (s for s in reference.read(reference.split["feedback"][0]).sensors.values() if s.kind == "lidar"):
        check_device([scan], load_sensor(device)[0], device)
        with pytest.raises(UserError, match=f"beside the table of {other}"):
            check_device([scan], load_sensor(other)[0], other)


@pytest.mark.parametrize(
    ("device", "other"), [("pandar64", "hdl64e"), ("xt32", "pandar64"), ("xt32", "vls128"), ("vlp16", "vlp16"), ("vls128", "os1_128")]
)
def test_decoded_scans_are_of_their_device_and_of_no_other(data_root, device, other):
    path = data_root / "nebula" / f"{device}.npz"
    if not path.is_file():
        pytest.skip(f"no recording of {device} here")
    xyz = np.load(path)["xyz"].astype(np.float64)

    def taken_for(name: str) -> None:
        table = load_sensor(name)[0]
        channels, _ = sweep_channels(Returns(xyz, np.zeros(len(xyz), np.float32)), np.array(table.elevation_deg), path)
        check_device([lidar_frame_sensor(channels, name)], table, name)

    taken_for(device)
    if other != device:
        with pytest.raises(UserError, match=f"beside the table of {other}"):
            taken_for(other)


@pytest.mark.parametrize(("device", "other"), [("OS-1-64", "os1_64"), ("OS-1-128", "os0_128"), ("OS-2-32", "os1_32"), ("OS-0-128", "os1_128")])
def test_ouster_scans_are_of_their_device_and_of_no_other(data_root, tmp_path, device, other):
    reader, name = collect(data_root, "ouster", f"{device}*.npz", tmp_path, OUSTER_SCAN), OUSTER[device][0]
    scans = [reader.read(entry.name).sensors["lidar"] for entry in reader.entries()]
    check_device(scans, load_sensor(name)[0], name)
    with pytest.raises(UserError, match=f"beside the table of {other}"):
        check_device(scans, load_sensor(other)[0], other)


@pytest.mark.parametrize("head", ["up_lidar", "down_lidar"])
def test_av2_heads_show_the_manuals_table(data_root, head):
    if not (data_root / "av2" / "7fab2350").is_dir():
        pytest.skip("no AV2 log under the data root")
    reference, table = open_reference(Reference(kind="av2", root="av2"), data_root), load_sensor("vlp32c")[0]
    scans = [reference.read(n).sensors[head] for n in sum(reference.split.values(), [])]
    found = estimate_grid(scans, table)
    np.testing.assert_allclose(found.applied(table).elevation_deg, table.elevation_deg, atol=0.06)
    np.testing.assert_allclose(found.applied(table).azimuth_offset_deg, table.azimuth_offset_deg, atol=0.2)
    assert found.rate.low <= 10.01 and found.rate.high >= 9.99 and abs(found.columns.value - 1808) < 4
