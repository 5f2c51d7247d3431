"""Unbiased MMD and Fréchet distance: analytic cases, twins, calibration."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.frechet import frechet
from tailgate.validate.mmd import MEDIAN_ROWS, kid, kid_twin, median_distance, mmd2, mmd2_twin


def _samples(seed: int, n: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


@pytest.mark.parametrize("width", [1, 3, 8, 13])
def test_kernels_equal_their_twins(width):
    x, y = _samples(1, 70, width), _samples(2, 41, width) * 1.2 + 0.1
    assert mmd2(x, y, 1.7) == pytest.approx(mmd2_twin(x, y, 1.7), rel=1e-10, abs=1e-14)
    assert kid(x, y) == pytest.approx(kid_twin(x, y), rel=1e-10, abs=1e-14)


def test_two_points_a_side_by_hand():
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    e = np.exp(-0.5 * np.array([0.0, 1.0, 4.0]))
    assert mmd2(x, y, 1.0) == pytest.approx(e[1] + e[2] - 2 * (e[0] + e[2] + e[1] + e[1]) / 4)
    assert kid(x, y) == pytest.approx(1 + 1 - 2 * (1 + 1 + 1 + 27) / 4)
    assert median_distance(x, y) == 1.0


def test_mmd_of_gaussians_is_the_closed_form_on_average():
    shift, sigma, width = 0.7, 1.3, 2
    within, between = (sigma**2 / (sigma**2 + 2)) ** (width / 2), np.exp(-(shift**2) / (2 * (sigma**2 + 2)))
    values = [mmd2(_samples(i, 60, width), _samples(1000 + i, 50, width) + [shift, 0], sigma) for i in range(200)]
    standard_error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - 2 * within * (1 - between)) < 4 * standard_error


@pytest.mark.parametrize("metric", [lambda x, y: mmd2(x, y, 2.0), kid])
def test_equal_distributions_average_zero(metric):
    values = [metric(_samples(i, 30, 4), _samples(1000 + i, 20, 4)) for i in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values)) and min(values) < 0


def test_large_samples_take_a_part_for_the_width_and_equal_rows_have_one():
    many = _samples(3, MEDIAN_ROWS, 2)
    assert median_distance(many, many + 0.0) == pytest.approx(median_distance(many[:1000], many[1000:]), rel=0.05)
    assert median_distance(np.ones((3, 2)), np.ones((3, 2))) == 1.0
    assert mmd2(np.ones((3, 2)), np.ones((3, 2))) == 0.0


def test_frechet_of_known_gaussians():
    x = _samples(1, 400, 3)
    scale, shift = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, -2.0])
    white = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False)).T)
    assert frechet(white, white * scale + shift) == pytest.approx(np.sum((scale - 1) ** 2) + np.sum(shift**2))
    assert frechet(x, x) == pytest.approx(0.0, abs=1e-9)
    assert frechet(x[:, :1], x[:, :1] + 2.0) == pytest.approx(4.0)
    few = np.tile(x, (1, 3))[:5]
    assert frechet(few, few) == pytest.approx(0.0, abs=1e-5), "fewer rows than features"


@pytest.mark.parametrize("metric", [mmd2, kid, frechet])
def test_bad_input(metric):
    good = np.ones((4, 2))
    for bad, word in ((np.ones((1, 2)), "two rows"), (np.full((4, 2), np.inf), "finite"), (np.ones((4, 3)), "equally wide"), (np.ones(4), "shape")):
        with pytest.raises(UserError, match=word):
            metric(good, bad)
    with pytest.raises(UserError, match="sigma"):
        mmd2(good, good, 0.0)
