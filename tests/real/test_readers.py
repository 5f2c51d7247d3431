"""Every foreign recording reads, and nearly every return finds its cell. The shares are floors for these devices, measured with their causes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scan_folder import OUSTER, collect
from tailgate.reference.nuscenes import NuScenesReader
from tailgate.reference.points import Returns, rings_from_elevation, sweep_channels
from tailgate.reference.semantickitti import SemanticKittiReader

SQUEEZESEG = """kind: lidar_scan
model: hdl64e
frame_suffix: "_"
columns: [x, y, z, intensity, range, label]
range: range
xyz: [x, y, z]
intensity: intensity
semantic: label
labels: {car: 1, pedestrian: 2, cyclist: 3}
"""
BARE = {"pandar64": (64, 0.95), "xt32": (32, 0.95), "qt128": (128, 0.94), "vls128": (128, 0.999), "vlp16": (16, 0.87), "ot128": (128, 0.75)}
"""Device -> beams and least share placed: files of dual returns lose the second ones (VLP-16: 12 %), OT128's middle beams fire twice as often."""


def test_ouster_scans_keep_every_return_where_it_was(data_root, tmp_path):
    reader = collect(data_root, "ouster", "*.npz", tmp_path, OUSTER)
    assert len({e.recording for e in reader.entries()}) == 5
    for entry in reader.entries():
        stored = np.load(tmp_path / f"{entry.name}.npz")
        channels = reader.read(entry.name).sensors["lidar"].channels
        held = stored["range_mm"] > 0
        assert (channels["range"] > 0).sum() == held.sum(), entry
        spread = (channels["azimuth"] - channels["azimuth"][:1] + 180.0) % 360.0 - 180.0
        assert np.ptp(spread, axis=0).max() < 0.4, entry
        xyz = reader.read(entry.name).sensors["lidar"].points()["xyz"]
        mean = stored["xyz"][held].astype(np.float64).mean(axis=0) - xyz.mean(axis=0)
        assert np.abs(mean).max() < 0.1, (entry, mean)


def test_squeezeseg_images_keep_every_point(data_root, tmp_path):
    reader = collect(data_root, "squeezeseg", "*.npy", tmp_path, SQUEEZESEG)
    assert {e.recording for e in reader.entries()} == {"2011_09_26_0001"}
    for entry in reader.entries():
        stored = np.load(tmp_path / f"{entry.name}.npy")
        points = reader.read(entry.name).sensors["lidar"].points()
        column, beam = np.nonzero((stored[..., 4] > 0).T)
        assert np.abs(points["xyz"] - stored[beam, column, :3]).max() < 1e-4
        assert np.array_equal(points["semantic"], stored[beam, column, 5].astype(np.uint32))


@pytest.mark.parametrize("device", BARE)
def test_bare_clouds_find_their_beams(data_root, device):
    path = data_root / "nebula" / f"{device}.npz"
    if not path.is_file():
        pytest.skip(f"no recording of {device} here")
    beams, share = BARE[device]
    xyz = np.load(path)["xyz"].astype(np.float64)
    channels, placing = sweep_channels(Returns(xyz, np.zeros(len(xyz), np.float32)), beams, path)
    assert placing.share >= share, placing
    assert beams * 0.85 <= len(channels["ring"]) <= beams
    held = channels["range"][..., 0] > 0
    spread = [np.ptp(channels["elevation"][k][held[k]]) for k in range(len(held))]
    assert np.median(spread) < 0.05


def test_vlp16_rings_agree_with_its_channels(data_root):
    path = data_root / "nebula" / "vlp16.npz"
    if not path.is_file():
        pytest.skip("no recording of vlp16 here")
    stored = np.load(path)
    xyz = stored["xyz"].astype(np.float64)
    elevation = np.rad2deg(stored["elevation"])
    ring = rings_from_elevation(np.rad2deg(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1]))), 16, path)
    channels = [len(np.unique(stored["channel"][ring == k])) for k in np.unique(ring)]
    assert set(channels) == {1} and all(np.ptp(elevation[ring == k]) < 0.1 for k in np.unique(ring))


def test_nuscenes_sweep(data_root):
    root = data_root / "nuscenes"
    if not root.is_dir():
        pytest.skip("no nuScenes recording here")
    reader = NuScenesReader(root)
    frame = reader.read(reader.entries()[0].name)
    assert "100.00 %" in reader.notes[1]
    told = [r for r in json.loads((root / "info.json").read_text())["data_list"][0]["instances"] if r["bbox_label_3d"] >= 0]
    counted, visible = np.array([r["num_lidar_pts"] for r in told]), frame.sensors["lidar"].view.visible
    assert abs(int(visible.sum()) - int(counted.sum())) < 0.03 * counted.sum() and np.mean(visible == counted) > 0.8
    assert np.median(frame.objects.T_world_box[:, 2, 3]) < 2.0


def test_kitti_sweeps_as_a_semantickitti_sequence(data_root, tmp_path):
    files = sorted((data_root / "kitti" / "velodyne").rglob("*.bin"))
    if not files:
        pytest.skip("no KITTI recording here")
    folder = tmp_path / "sequences" / "00" / "velodyne"
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder)
    reader = SemanticKittiReader(tmp_path)
    for entry in reader.entries():
        lidar = reader.read(entry.name).sensors["lidar"]
        stored = (folder / f"{entry.name.split('/')[1]}.bin").stat().st_size / 16
        assert (lidar.channels["range"] > 0).sum() > 0.999 * stored
