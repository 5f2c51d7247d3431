"""Density-aware Chamfer distance: analytic answers, the twin, its bounds."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.density import density_aware_chamfer, density_aware_chamfer_twin


def test_one_point_a_side():
    assert density_aware_chamfer([[0.0, 0, 0]], [[0.0, 3, 4]], alpha=0.2) == pytest.approx(1 - np.exp(-1), rel=1e-6)


def test_points_that_share_a_nearest_point_cost_their_number():
    p, q = np.zeros((4, 3)), np.array([[0.0, 0, 0], [100.0, 0, 0]])
    forth, back = 1 - 1 / 4, (0.5 * (1 - 1 / 2) + 0.5 * (1 - np.exp(-100) / 2))
    assert density_aware_chamfer(p, q, alpha=1.0) == pytest.approx((forth + back) / 2, rel=1e-6)


def test_equal_clouds_are_at_zero_and_far_ones_at_one():
    p = np.random.default_rng(0).random((300, 3)).astype(np.float32)
    assert density_aware_chamfer(p, p[::-1]) == 0.0
    assert density_aware_chamfer(p, p + np.float32(50)) == pytest.approx(1.0)
    assert density_aware_chamfer(np.repeat(p, 4, axis=0), np.repeat(p, 4, axis=0)) == pytest.approx(0.75)


@pytest.mark.parametrize("sizes", [(1, 30), (7, 9), (500, 333), (3000, 64)])
def test_kernel_and_twin_agree(sizes):
    rng = np.random.default_rng(sum(sizes))
    p, q = (rng.normal(size=(n, 3)) * [10, 5, 0.3] for n in sizes)
    for alpha in (0.5, 20.0):
        assert density_aware_chamfer(p, q, alpha) == pytest.approx(density_aware_chamfer_twin(p, q, alpha), abs=1e-5)


def test_a_decay_that_is_none_is_refused():
    with pytest.raises(UserError, match="alpha must be positive, got 0"):
        density_aware_chamfer(np.zeros((2, 3)), np.zeros((2, 3)), alpha=0)


def test_a_bunched_cloud_is_farther_than_an_even_one():
    rng = np.random.default_rng(6)
    even, other = rng.random((2, 600, 3))
    bunched = np.concatenate([other[:100], other[:1] + rng.normal(0, 1e-3, (500, 3))])
    assert density_aware_chamfer(even, bunched, 10.0) > density_aware_chamfer(even, other, 10.0) + 0.1
