"""The tail of real label files against golden values, and their plans as a user meets them."""

import json
from pathlib import Path

import golden
import numpy as np
import pytest
from tailgate.config.budget import Budget
from tailgate.config.load import load
from tailgate.datasets.labels import read_labels, tail_classes, tail_threshold
from tailgate.plan import PlanOptions, plan

FILES = [
    ("labels/taco_annotations.json", "labels/taco_annotations.json", False),
    ("labels/taco_annotations.json (categories without annotations counted as 0)", "labels/taco_annotations.json", True),
    ("labels/kitti_tracking (all files, DontCare left out)", "labels/kitti_tracking", False),
    ("labels/av2_b87683ae_annotations.npz", "labels/av2_b87683ae_annotations.npz", False),
    ("av2/7fab2350/annotations.npz", "av2/7fab2350/annotations.npz", False),
]


@pytest.mark.parametrize("name, path, zeros", FILES, ids=[f[0] for f in FILES])
def test_counts_and_tail_of_real_labels(data_root, name, path, zeros):
    folder = golden.folder()
    if folder is None:
        pytest.skip("no golden values here: set TAILGATE_GOLDEN to their folder")
    case = next(c for c in json.loads((folder / "metrics.json").read_text())["cases"] if c["id"] == f"tail/{name}")
    expected = case["expected"]
    counts = {c: n for c, n in read_labels(data_root / path).counts().items() if n or zeros}
    assert counts == expected["counts"]
    assert tail_threshold(counts, expected["percentile"]) == pytest.approx(expected["threshold"], abs=case["atol"])
    assert tail_classes(counts, expected["percentile"]) == expected["tail"]


def test_av2_plan_reads_back(data_root, tmp_path):
    options = PlanOptions(data_root / "av2/7fab2350/annotations.npz", data=data_root, output=tmp_path / "budget.yaml")
    result = plan(options)
    budget = load(Budget, tmp_path / "budget.yaml")
    assert budget == result.budget and budget.rig == "av2:av2/7fab2350/calibration.json"
    assert {c.class_ for c in budget.cells} == {"CONSTRUCTION_CONE", "STROLLER"}
    assert sum(c.target for c in budget.cells) == sum(result.missing.values()) == 760
    assert result.priors["STROLLER"].tracks == 1 and budget.priors["STROLLER"].range is None and budget.priors["STROLLER"].n == 122
    assert any("TRUCK_CAB (155 of 11,364)" in s and "--classes tail,TRUCK_CAB" in s for s in result.said)


def test_av2_boxes_hold_the_points_they_declare(data_root):
    """Turning the points of a sweep into each box of the table and counting those inside gives the declared number."""
    table = read_labels(data_root / "av2/7fab2350/annotations.npz")
    with np.load(data_root / "av2/7fab2350/annotations.npz") as held:
        declared = held["num_interior_pts"]
    stamp = "315966265259836000"
    points = np.load(data_root / f"av2/7fab2350/lidar_{stamp}.npz")["xyz"].astype(np.float64)
    rows = np.flatnonzero(np.array([table.frames[f].endswith(stamp) for f in table.frame_index]))
    inside = []
    for r in rows:
        c, s = np.cos(table.yaw[r]), np.sin(table.yaw[r])
        local = (points - table.centre[r]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        inside.append(np.all(np.abs(local) <= table.size[r] / 2, axis=1).sum())
    assert np.abs(np.array(inside) - declared[rows]).max() <= np.maximum(3, 0.02 * declared[rows].max())
    assert sum(inside) == pytest.approx(declared[rows].sum(), rel=0.01)


def test_kitti_boxes_hold_points_of_the_sweep(data_root):
    """Boxes turned from the camera frame to the forward-left-up frame hold LiDAR points once moved by the calibration."""
    table = read_labels(data_root / "kitti/label_2")
    for frame in ("000000", "000001", "000002"):
        calib = dict(line.split(":") for line in (data_root / f"kitti/calib/{frame}.txt").read_text().splitlines() if line.strip())
        Tr, R0 = np.array(calib["Tr_velo_to_cam"].split(), float).reshape(3, 4), np.array(calib["R0_rect"].split(), float).reshape(3, 3)
        points = np.fromfile(data_root / f"kitti/velodyne/{frame}.bin", "<f4").reshape(-1, 4)[:, :3].astype(np.float64)
        x, y, z = R0 @ (Tr[:, :3] @ points.T + Tr[:, 3:])
        ego = np.stack([z, -x, -y], axis=1)
        for r in np.flatnonzero(table.frame_index == table.frames.index(frame)):
            c, s = np.cos(table.yaw[r]), np.sin(table.yaw[r])
            local = (ego - table.centre[r]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            assert np.all(np.abs(local) <= table.size[r] / 2 + 0.1, axis=1).sum() >= 5


def test_nuscenes_boxes_hold_points_of_the_sweep(data_root):
    table = read_labels(data_root / "nuscenes/info.json")
    info = json.loads((data_root / "nuscenes/info.json").read_text())["data_list"][0]
    T = np.array(info["lidar_points"]["lidar2ego"])
    points = np.fromfile(next((data_root / "nuscenes").glob("*.pcd.bin")), "<f4").reshape(-1, 5)[:, :3].astype(np.float64) @ T[:3, :3].T + T[:3, 3]
    total = 0
    for r in range(len(table)):
        c, s = np.cos(table.yaw[r]), np.sin(table.yaw[r])
        local = (points - table.centre[r]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        total += int(np.all(np.abs(local) <= table.size[r] / 2, axis=1).sum())
    declared = sum(i["num_lidar_pts"] for i in info["instances"] if i["bbox_label_3d"] >= 0)
    assert total == pytest.approx(declared, rel=0.05)


def test_a_folder_of_several_label_sets_asks_which(data_root):
    from tailgate.errors import UserError

    with pytest.raises(UserError, match="several label sets"):
        read_labels(Path(data_root) / "labels")
