"""Exact streets before a LiDAR."""

import numpy as np
import pytest
from tailgate.calibrate.scene import KERB, RECESS, street_scan
from tailgate.config.rig import load_sensor


@pytest.fixture(scope="module")
def model():
    return load_sensor("hdl64e")[0].model_copy(update={"columns": 720, "beam_height_m": []})


def seen(model, seed):
    """Points on surfaces in the street's frame, [n, 3]."""
    scan = street_scan(model, seed, boxes=0)
    return scan.points()["xyz"] + scan.T_world_sensor[0, :3, 3]


@pytest.mark.parametrize("seed", range(3))
def test_pavements_are_raised_by_a_kerb(model, seed):
    points = seen(model, seed)
    road = points[np.abs(points[:, 1]) < 3.4]
    assert np.abs(road[:, 2]).max() < 1e-3
    beside = points[(np.abs(points[:, 1]) > 6.1) & (points[:, 2] < KERB[1] + 0.05)]
    height = np.median(beside[:, 2])
    assert KERB[0] <= height <= KERB[1] and np.quantile(np.abs(beside[:, 2] - height), 0.9) < 1e-3


def test_windows_lie_behind_their_wall(model):
    points = seen(model, 1)
    high = points[(points[:, 2] > 1.0) & (points[:, 2] < 3.0) & (np.abs(points[:, 0]) < 6.0) & (points[:, 1] > 7.0)]
    depths = np.unique(np.round(high[:, 1], 3))
    steps = np.diff(depths)
    assert any(RECESS[0] - 2e-3 <= step <= RECESS[1] + 2e-3 for step in steps), depths
