"""Exact streets before a LiDAR."""

import numpy as np
import pytest
from tailgate.calibrate.scene import KERB, RECESS, street_scan
from tailgate.config.rig import load_sensor


@pytest.fixture(scope="module")
def model():
    return load_sensor("hdl64e")[0].model_copy(update={"columns": 720, "beam_height_m": []})


def seen(model, seed, relief=1.0):
    """Points on surfaces in the street's frame, [n, 3]."""
    scan = street_scan(model, seed, boxes=0, relief=relief)
    return scan.points()["xyz"] + scan.T_world_sensor[0, :3, 3]


def pavement(points):
    """Height of what lies beside the road [m], and how far nine in ten points are from it at most."""
    beside = points[(np.abs(points[:, 1]) > 6.1) & (points[:, 2] < KERB[1] + 0.05)][:, 2]
    return np.median(beside), np.quantile(np.abs(beside - np.median(beside)), 0.9)


@pytest.mark.parametrize("seed", range(3))
def test_pavements_are_raised_by_a_kerb(model, seed):
    points = seen(model, seed)
    assert np.abs(points[np.abs(points[:, 1]) < 3.4][:, 2]).max() < 1e-3
    height, off = pavement(points)
    assert 0.01 < height <= KERB[1] and off < 1e-3
    assert pavement(seen(model, seed, relief=0.0))[0] == pytest.approx(0.0, abs=1e-3)


def behind(points):
    """Whether points lie on planes along the street that are as far apart as windows and their wall."""
    high = points[(points[:, 2] > 1.0) & (points[:, 2] < 3.0) & (np.abs(points[:, 0]) < 6.0) & (points[:, 1] > 7.0)]
    steps = np.diff(np.unique(np.round(high[:, 1], 3)))
    return bool(((steps > RECESS[0] - 2e-3) & (steps < RECESS[1] + 2e-3)).any())


def test_windows_lie_behind_their_wall(model):
    assert behind(seen(model, 1)) and not behind(seen(model, 1, relief=0.0))
