"""Optimal transport: translations, bounds, unequal sizes."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.chamfer import chamfer
from tailgate.validate.emd import directions, emd, sliced_w1, w1_samples


def test_a_translation_costs_its_length():
    p = np.random.default_rng(0).normal(size=(120, 3))
    shift = np.array([0.3, -0.4, 1.2])
    assert emd(p, p[::-1] + shift) == pytest.approx(1.3, rel=1e-9)
    axes = np.eye(3)
    assert sliced_w1(p, p + shift, axes) == pytest.approx(np.abs(shift))


def test_sliced_and_chamfer_bound_it_from_below():
    rng = np.random.default_rng(1)
    p, q = rng.normal(size=(100, 3)), rng.normal(size=(80, 3)) * 1.4
    exact = emd(p, q)
    assert sliced_w1(p, q, directions(50, 3, rng)).max() <= exact + 1e-9
    assert chamfer(p, q) <= exact + 1e-6


def test_unequal_samples_need_no_resampling():
    assert w1_samples(np.array([0.0]), np.array([0.0, 1.0, 2.0])) == pytest.approx(1.0)
    assert w1_samples(np.array([0.0, 4.0]), np.array([1.0, 1.0, 1.0])) == pytest.approx(2.0)


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.full((3, 3), np.nan)])
def test_bad_clouds_are_refused(bad):
    with pytest.raises(UserError, match="Q must"):
        emd(np.zeros((2, 3)), bad)
