"""Recovering the grid of a scan that was stored as a list of points."""

from dataclasses import replace

import numpy as np
import pytest
from point_list import reorganise
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.reference.organise import (
    ENCODER_TICKS,
    align_rings,
    axis_offset,
    doubled,
    recover_grid,
    rings_from_order,
)
from tailgate.reference.points import Returns, sweep_channels
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches
from tailgate.validate.sketch import Sketch, compare, summarize


def test_rings_step_where_azimuth_falls():
    azimuth = np.concatenate([np.arange(5.0, 360.0, 7.0), np.arange(1.0, 300.0, 7.0), np.arange(90.0, 359.0, 7.0)])
    ring = rings_from_order(azimuth)
    assert ring.max() == 2 and (np.diff(ring) >= 0).all()
    assert np.bincount(ring).tolist() == [51, 43, 39]


def test_encoder_and_axis_offset_are_found_from_the_points():
    """Firings every 1.86 ticks of the encoder, two lasers 26 mm to either side of the axis, a third of the returns missing."""
    draw = np.random.default_rng(0)
    tick = 360.0 / ENCODER_TICKS
    fired = np.unique(np.floor(np.arange(2150) * ENCODER_TICKS / 2150).astype(int))
    azimuth, horizontal, ring, truth = [], [], [], []
    for k, offset in enumerate((0.026, -0.026)):
        kept = np.sort(draw.choice(len(fired), 2 * len(fired) // 3, replace=False))
        r = draw.uniform(4.0, 40.0, len(kept))
        a = (fired[kept] + 0.3 * k) * tick - np.rad2deg(np.arcsin(offset / r))
        order = np.argsort(a % 360.0)
        azimuth.append((a % 360.0)[order])
        horizontal.append(r[order])
        ring.append(np.full(len(kept), k))
        truth.append(kept[order])
    azimuth, horizontal, ring, truth = (np.concatenate(x) for x in (azimuth, horizontal, ring, truth))
    found, _, lock = axis_offset(azimuth[ring == 0], horizontal[ring == 0], tick)
    assert found == pytest.approx(0.026, abs=0.001) and lock > 0.95
    grid = recover_grid(ring, azimuth, horizontal)
    assert abs(grid.columns - 2150) <= 3
    assert grid.unplaced <= 4
    step = (np.diff(grid.column) - np.diff(truth))[np.diff(ring) == 0]
    assert np.mean(step == 0) > 0.99


def test_a_synthetic_scan_survives_its_point_list():
    model, _ = load_sensor("vlp16")
    scan = street_scan(model, 1)
    scan = replace(scan, channels=respond_lidar(scan, model, {"noise_sigma": 0.02, "drop_base": 0.05, "range_10pct": 60.0}, 5))
    back = reorganise(scan)
    assert back.channel("range").shape == scan.channel("range").shape
    returns = [int((s.channel("range") > 0).sum()) for s in (scan, back)]
    assert returns[1] >= 0.999 * returns[0]
    before, after = (Sketch.total(lidar_sketches(s)) for s in (scan, back))
    gaps = summarize(compare(before, after, LIDAR_STATISTICS))
    assert gaps["hole_rate"] < 0.002 and gaps["range_noise"] < 5e-4 and gaps["intensity"] < 0.002


@pytest.mark.parametrize("kept", [0.7, 0.5, 0.4, 0.3, 0.2])
def test_columns_of_a_thinned_sweep_are_those_of_its_device(kept):
    """Each return stays by chance, as in thinned sets, fog or a room that a short-range device looks out of."""
    draw = np.random.default_rng(3)
    ring, column = np.nonzero(draw.random((16, 1085)) < kept)
    azimuth = (column + 0.3 + draw.normal(0.0, 0.02, len(column))) * 360.0 / 1085
    grid = recover_grid(ring, azimuth, np.full(len(ring), 10.0))
    assert grid.columns == 1085 and grid.unplaced == 0 and np.array_equal(grid.column, column)


def test_of_two_returns_of_a_firing_the_first_in_the_file_is_kept():
    """Their azimuths differ by rounding, either way."""
    draw = np.random.default_rng(4)
    ring, column = (v.ravel() for v in np.mgrid[:16, :900])
    twice = draw.random(len(ring)) < 0.3
    order = np.argsort(np.concatenate([np.arange(len(ring)), np.flatnonzero(twice) + 0.5]))
    ring, column, second = np.append(ring, ring[twice])[order], np.append(column, column[twice])[order], order >= len(ring)
    azimuth = (column + 0.3) * 0.4 + draw.normal(0.0, 1e-5, len(column))
    distance = np.where(second, 14.0, 10.0)
    grid = recover_grid(ring, azimuth, distance)
    assert np.array_equal(grid.column < 0, second) and np.array_equal(grid.column[~second], column[~second])
    assert doubled(grid, azimuth) == pytest.approx(second.mean())
    head, down = np.deg2rad(azimuth), np.deg2rad(ring + 1.0)
    xyz = distance[:, None] * np.stack([np.cos(head), np.sin(head), -np.tan(down)], axis=1)
    channels, placing = sweep_channels(Returns(xyz, np.zeros(len(xyz), np.float32), ring), 16, "a")
    assert channels["range"].max() < 13.0 and "come from the same firing as another" in placing.sentence("a")


def test_lasers_aside_of_the_head_are_put_in_one_column():
    firing = np.tile(np.arange(400), 4)
    ring = np.repeat(np.arange(4), 400)
    aside = np.array([1.4, -4.2, 4.2, -1.4])
    azimuth = (20.0 - 0.2 * firing + aside[ring]) % 360.0
    grid = align_rings(ring, firing, azimuth)
    middle = grid.column == 200
    spread = (azimuth[middle] - azimuth[middle][0] + 180.0) % 360.0 - 180.0
    assert len(spread) == 4 and np.abs(spread).max() <= 0.2 + 1e-9
