"""Planes through the neighbours of a cell: analytic answers, and the kernel against its twin."""

from dataclasses import fields

import numpy as np
import pytest
from tailgate.geometry.beams import directions
from tailgate.geometry.local_planes import local_planes, local_planes_twin, wraps


def _corner(noise=0.0, lost=0.0):
    """Ground 1.8 m below and a wall 15 m ahead, 32 x 300 cells."""
    az = np.tile(np.linspace(-70, 70, 300), (32, 1))
    el = np.repeat(np.linspace(6, -20, 32), 300).reshape(32, 300)
    d = directions(az, el)
    ground = np.where(d[..., 2] < -0.02, 1.8 / np.maximum(-d[..., 2], 1e-9), np.inf)
    wall = 15.0 / d[..., 0]
    r = np.minimum(ground, wall)
    cosine = np.where(ground < wall, np.abs(d[..., 2]), d[..., 0])
    draw = np.random.default_rng(3)
    r = r + noise * draw.standard_normal(r.shape)
    return np.where(draw.random(r.shape) < lost, 0.0, r).astype(np.float32), az, el, cosine


def test_exact_planes_are_found_at_any_incidence():
    r, az, el, cosine = _corner()
    planes = local_planes(r, az, el)
    flat = planes.wide_rms < 1e-4
    assert flat.mean() > 0.7
    np.testing.assert_allclose(planes.wide_range[flat], r[flat], rtol=1e-5)
    np.testing.assert_allclose(planes.incidence[flat], cosine[flat], atol=2e-3)


def test_a_cell_does_not_see_itself():
    r, az, el, _ = _corner()
    alone = local_planes(r, az, el)
    r[16, 150] = 1.0
    moved = local_planes(r, az, el)
    assert moved.wide_range[16, 150] == alone.wide_range[16, 150]
    assert moved.wide_range[16, 151] != alone.wide_range[16, 151]


def test_residuals_scaled_by_leverage_have_the_noise_of_one_return():
    r, az, el, _ = _corner(noise=0.02)
    planes = local_planes(r, az, el)
    flat = (planes.wide_rms < 0.04) & (planes.wide_count == 44)
    residual = (r - planes.wide_range)[flat] / np.sqrt(1 + planes.leverage[flat])
    assert 1.4826 * np.median(np.abs(residual)) == pytest.approx(0.02, rel=0.05)


def test_kernel_matches_twin():
    r, az, el, _ = _corner(noise=0.02, lost=0.2)
    kernel, twin = local_planes(r, az, el), local_planes_twin(r, az, el)
    for f in fields(kernel):
        a, b = getattr(kernel, f.name), getattr(twin, f.name)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=f.name)


def test_fewer_than_four_neighbours_give_no_plane():
    r, az, el, _ = _corner()
    sparse = np.zeros_like(r)
    sparse[10, 100:102] = r[10, 100:102]
    planes = local_planes(sparse, az, el)
    assert np.isnan(planes.wide_range).all() and np.isnan(planes.near_range).all()


def test_a_full_turn_wraps():
    assert wraps(np.tile(np.arange(360.0), (4, 1)))
    assert not wraps(np.tile(np.arange(90.0), (4, 1)))
