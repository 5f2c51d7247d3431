"""M3C2: planes with known distances, the twin, what has no distance."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.m3c2 import MIN_POINTS, Scale, m3c2, m3c2_twin, signed_distances, summary


def plane(n: int, seed: int, height: float = 0.0, noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.c_[rng.random((n, 2)) * 8, height + noise * rng.normal(size=n)]


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_step_between_two_planes_with_its_sign(noise):
    p, q = plane(3000, 0, noise=noise), plane(3000, 1, 0.25, noise)
    up, down = summary(m3c2(p, q, p[::50])), summary(m3c2(q, p, q[::50]))
    assert up.median == pytest.approx(0.25, abs=0.1 * noise + 1e-6) and down.median == pytest.approx(-0.25, abs=0.1 * noise + 1e-6)
    assert up.nan_ratio == 0.0 and up.cores == 60


def test_the_distance_is_along_a_tilted_normal():
    turn = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    p, q = plane(4000, 2) @ turn.T, plane(4000, 3, 0.2) @ turn.T
    assert signed_distances(p, q, p[::40]) == pytest.approx(0.2, abs=1e-5)


def test_a_shift_within_the_plane_is_no_distance():
    p = plane(4000, 4)
    assert np.nanmax(np.abs(m3c2(p, p + [0.3, 0.3, 0.0], p[::40]))) < 1e-6


@pytest.mark.parametrize("nested", [False, True])
def test_kernel_and_twin_agree(nested):
    rng = np.random.default_rng(5)
    p = np.concatenate([plane(1500, 6, noise=0.05), rng.random((500, 3)) * [8, 8, 3]]).astype(np.float32)
    q = (p[rng.permutation(len(p))][:1700] + rng.normal(0, 0.05, (1700, 3))).astype(np.float32)
    scale = Scale((0.4, 0.9), 0.4, 2.0, nested=nested)
    ours, twin = m3c2(p, q, p[::20], scale), m3c2_twin(p, q, p[::20], scale)
    assert np.array_equal(np.isnan(ours), np.isnan(twin)) and np.nanmax(np.abs(ours - twin)) < 1e-9


def test_core_points_without_a_plane_or_a_counterpart_have_no_distance():
    flat = plane(2000, 7)
    line = np.c_[np.linspace(0, 1, 9), np.full((9, 2), 4.0)] + [20.0, 0, 0]
    p = np.concatenate([flat, [[30.0, 4, 0]], line])
    q = plane(2000, 8, 0.1)
    cores = np.array([[4.0, 4, 0], [30.0, 4, 0], [20.5, 4, 4]])
    found = signed_distances(p, q, cores)
    assert found[0] == pytest.approx(0.1, abs=1e-6) and np.isnan(found[1:]).all()
    assert np.isnan(signed_distances(p, q + [0, 0, 9], cores)).all()
    result = summary(found)
    assert result.nan_ratio == pytest.approx(2 / 3) and result.median == pytest.approx(0.1, abs=1e-6)


def test_nothing_to_summarize_is_said():
    with pytest.raises(UserError, match="got none of 4"):
        summary(np.full(4, np.nan))


def test_other_places_too_few_points_and_bad_scales_are_refused():
    p = plane(500, 9)
    with pytest.raises(UserError, match="one place"):
        m3c2(p, p + [500.0, 0, 0], p[::10])
    with pytest.raises(UserError, match=f"the real cloud P must hold at least {MIN_POINTS} points, got one point"):
        signed_distances(p[:1], p, p)
    with pytest.raises(UserError, match="the core points must hold finite"):
        m3c2(p, p, np.full((1, 3), np.nan))
    with pytest.raises(UserError, match="must be positive"):
        Scale((0.5, -1.0))
