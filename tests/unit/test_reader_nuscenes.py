"""nuScenes tables and info files written by the test: grid, boxes in the ego frame, fillers, and every damage named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.reference.nuscenes import NuScenesReader
from tailgate.reference.open import open_reader

FIRINGS = 360
HALF = np.sqrt(0.5)
EGO = {"translation": [600.0, 1600.0, 0.0], "rotation": [HALF, 0.0, 0.0, HALF]}
"""The vehicle looks along the world's y."""
MOUNT = {"translation": [0.9, 0.0, 1.8], "rotation": [HALF, 0.0, 0.0, -HALF]}
"""The LiDAR's own x looks to the vehicle's right."""
BOX_EGO = np.array([8.0, 2.0, 1.0])


def sweep(moving: float = 0.0) -> np.ndarray:
    """Points on a cylinder of 10 m about the LiDAR, float32 [n, 5]; beam 31 and a wedge give fillers; ``moving`` [m] is undone as in the dataset."""
    firing, ring = np.divmod(np.arange(FIRINGS * 32), 32)
    azimuth, elevation = np.deg2rad(-firing * 360.0 / FIRINGS), np.deg2rad(-30.0 + ring * 4 / 3)
    xyz = 10.0 * np.stack([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)], axis=1)
    xyz[(ring >= 30) | (firing % 90 // 4 == 10)] = 0.0
    xyz[:, 1] -= moving * (1 - firing / FIRINGS)
    return np.column_stack([xyz, np.full(len(xyz), 51.0), ring]).astype("<f4")


def tables() -> dict[str, list[dict]]:
    data = {"token": "d", "sample_token": "s", "ego_pose_token": "e", "calibrated_sensor_token": "c", "timestamp": 1_500_000, "is_key_frame": True}
    box = {"sample_token": "s", "instance_token": "i", "translation": [598.0, 1608.0, 1.0], "rotation": EGO["rotation"], "size": [2.0, 4.0, 1.5]}
    return {
        "scene": [{"token": "sc", "name": "scene-0001"}],
        "sample": [{"token": "s", "scene_token": "sc"}],
        "sample_data": [{**data, "filename": "samples/LIDAR_TOP/a.pcd.bin"}, {**data, "filename": "sweeps/b.pcd.bin", "is_key_frame": False}],
        "calibrated_sensor": [{"token": "c", "sensor_token": "l", **MOUNT}],
        "sensor": [{"token": "l", "channel": "LIDAR_TOP"}],
        "ego_pose": [{"token": "e", **EGO}],
        "sample_annotation": [{"token": "a", **box}],
        "instance": [{"token": "i", "category_token": "k"}],
        "category": [{"token": "k", "name": "vehicle.car"}, {"token": "k2", "name": "animal"}],
    }


def write(root: Path, rows: dict[str, list[dict]], points: np.ndarray) -> Path:
    (root / "v1.0-mini").mkdir(exist_ok=True)
    (root / "samples" / "LIDAR_TOP").mkdir(parents=True, exist_ok=True)
    for name, table in rows.items():
        (root / "v1.0-mini" / f"{name}.json").write_text(json.dumps(table))
    points.tofile(root / "samples" / "LIDAR_TOP" / "a.pcd.bin")
    return root


def info(root: Path, points: np.ndarray) -> Path:
    T = [[0.0, 1.0, 0.0, 0.9], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.8], [0.0, 0.0, 0.0, 1.0]]
    box = {"bbox_label_3d": 0, "bbox_3d": [-2.0, 7.1, -0.8, 4.0, 2.0, 1.5, np.pi / 2]}
    lidar = {"lidar_path": "drive__LIDAR_TOP__1.pcd.bin", "lidar2ego": T}
    row = {"timestamp": 1.5, "lidar_points": lidar, "instances": [box, {**box, "bbox_label_3d": -1}]}
    (root / "info.json").write_text(json.dumps({"metainfo": {"categories": {"car": 0, "bus": 3}}, "data_list": [row]}))
    points.tofile(root / "drive__LIDAR_TOP__1.pcd.bin")
    return root


@pytest.mark.parametrize(("source", "car"), [(lambda root, p: write(root, tables(), p), "vehicle.car"), (info, "car")], ids=["tables", "info"])
def test_one_sweep(tmp_path, source, car):
    reader, entries = open_reader("nuscenes", source(tmp_path, sweep()), {})
    assert len(entries) == 1 and entries[0].time_ns == 1_500_000_000
    frame = reader.read(entries[0].name)
    lidar = frame.sensors["lidar"]
    assert frame.objects.class_name == [car] and set(frame.labels) == {"background", car, "animal" if "." in car else "bus"}
    pose = frame.objects.T_world_box[0]
    assert np.allclose(pose[:3, 3], BOX_EGO) and np.allclose(np.abs(pose[:3, :3]), np.eye(3), atol=1e-9)
    assert frame.objects.size.tolist() == [[4.0, 2.0, 1.5]]
    assert np.allclose(lidar.T_world_sensor[0], [[1, 0, 0, 0.9], [0, 1, 0, 0], [0, 0, 1, 1.8], [0, 0, 0, 1]])
    rng = lidar.channels["range"][..., 0]
    assert rng.shape == (32, FIRINGS) and (rng[:2] == 0).all() and (rng[2:] > 0).sum() == 30 * (FIRINGS - 16)
    assert np.all(np.diff(np.median(lidar.channels["elevation"], axis=1)[2:]) < 0)
    assert np.allclose(rng[2:][rng[2:] > 0] * np.cos(np.deg2rad(lidar.channels["elevation"][2:][rng[2:] > 0])), 10.0, atol=1e-4)
    assert lidar.points()["intensity"].max() == pytest.approx(0.2) and lidar.channels["time_offset"].max() < 50_000_000


def test_returns_in_the_box_are_labelled(tmp_path):
    points = sweep()
    points[40, :3] = [-2.0, 7.1, -0.8]
    reader = NuScenesReader(write(tmp_path, tables(), points))
    frame = reader.read("scene-0001/1500000000")
    assert frame.sensors["lidar"].view.visible.tolist() == [1]
    assert frame.sensors["lidar"].channels["semantic"].max() == frame.labels["vehicle.car"]


def test_fillers_of_a_moving_vehicle_are_no_returns(tmp_path):
    reader = NuScenesReader(write(tmp_path, tables(), sweep(moving=0.8)))
    lidar = reader.read("scene-0001/1500000000").sensors["lidar"]
    assert (lidar.channels["range"] > 0).sum() == 30 * (FIRINGS - 16) and lidar.points()["range"].min() > 9
    assert "100.00 %" in reader.notes[1]


def test_points_out_of_firing_order_are_placed_by_azimuth(tmp_path):
    points = sweep()
    points = points[np.abs(points[:, 0]) + np.abs(points[:, 1]) > 0][np.random.default_rng(6).permutation(30 * (FIRINGS - 16))]
    reader = NuScenesReader(write(tmp_path, tables(), points))
    assert "100.00 %" in reader.notes[1]
    assert reader.read("scene-0001/1500000000").sensors["lidar"].channels["range"].shape[0] == 32


def without(table: str, key: str) -> dict[str, list[dict]]:
    rows = tables()
    rows[table] = [{k: v for k, v in row.items() if k != key} for row in rows[table]]
    return rows


def changed(table: str, **values: object) -> dict[str, list[dict]]:
    rows = tables()
    rows[table] = [{**row, **values} for row in rows[table]]
    return rows


MISTAKES = {
    "no key": (without("sample_annotation", "size"), r"sample_annotation\.json: \[0\]: must hold .* lacks size"),
    "dangling token": (changed("instance", category_token="gone"), r"category\.json: holds no row 'gone'"),
    "no rotation": (changed("ego_pose", rotation=[0, 0, 0, 0]), r"ego_pose\.json: a translation must hold 3 numbers"),
    "short translation": (changed("sample_annotation", translation=[1, 2]), r"sample_annotation\.json: a translation"),
    "no lidar": (changed("sensor", channel="CAM_FRONT"), r"sample_data\.json: names no key sweep of LIDAR_TOP"),
    "rows are no objects": ({**tables(), "scene": [3]}, r"scene\.json: \[0\]: must hold token, name"),
    "file is gone": (changed("sample_data", filename="samples/x.bin"), r"x\.bin: file not found"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_tables_are_named(tmp_path, name):
    rows, match = MISTAKES[name]
    with pytest.raises(UserError, match=match):
        reader = NuScenesReader(write(tmp_path, rows, sweep()))
        reader.read("scene-0001/1500000000")


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(UserError, match="must hold nuScenes tables .* or an info file"):
        NuScenesReader(tmp_path)
    write(tmp_path, tables(), sweep())
    points = tmp_path / "samples" / "LIDAR_TOP" / "a.pcd.bin"
    for content, match in ((b"", "5 float32"), (b"x" * 21, "5 float32"), (np.full(10, 99, "<f4").tobytes(), "rings of 0..31")):
        points.write_bytes(content)
        with pytest.raises(UserError, match=rf"a\.pcd\.bin: .*{match}"):
            NuScenesReader(tmp_path)
    empty = sweep()
    empty[:, :3] = 0
    empty.tofile(points)
    with pytest.raises(UserError, match=r"a\.pcd\.bin: holds no return"):
        NuScenesReader(tmp_path)
    (tmp_path / "v1.0-mini" / "scene.json").write_text('[{"token": ')
    with pytest.raises(UserError, match=r"scene\.json: must be readable JSON"):
        NuScenesReader(tmp_path)
    (tmp_path / "v1.0-mini" / "scene.json").unlink()
    with pytest.raises(UserError, match=r"scene\.json: file not found"):
        NuScenesReader(tmp_path)
    (tmp_path / "v1.0-trainval").mkdir()
    with pytest.raises(UserError, match="several versions"):
        NuScenesReader(tmp_path)
    with pytest.raises(UserError, match=r"unknown version 'v1.0-min' \(did you mean 'v1.0-mini'\?\)"):
        NuScenesReader(tmp_path, {"version": "v1.0-min"})


def test_damaged_info_file_is_named(tmp_path):
    info(tmp_path, sweep())
    tree = json.loads((tmp_path / "info.json").read_text())
    del tree["data_list"][0]["lidar_points"]["lidar2ego"]
    (tmp_path / "info.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"info\.json: is not an info file of version 1\.1: KeyError 'lidar2ego'"):
        NuScenesReader(tmp_path)
