"""Jensen-Shannon divergence: bounds, the twin, classes that are missing."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.emd import directions
from tailgate.validate.js import BINS, EPS, MAX_JS, js_norm, js_norm_by_class, js_norm_by_class_twin, js_of_counts, js_sliced


def test_bounds_and_symmetry():
    p, q = np.array([4.0, 0, 0]), np.array([0, 1.0, 3.0])
    assert js_of_counts(p, p) == 0.0
    assert js_of_counts(p, q) == pytest.approx(np.log(2), abs=1e-6) == js_of_counts(q, p)
    half = js_of_counts(np.array([1.0, 0.0]), np.array([0.5, 0.5]), eps=0.0 + 1e-300)
    assert half == pytest.approx(0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2), rel=1e-9)


def test_kernel_and_twin_agree_per_class():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(4000, 13)), rng.normal(size=(3000, 13)) * 1.1
    classes = rng.integers(6, size=4000), rng.integers(6, size=3000)
    ours = js_norm_by_class(real, classes[0], synthetic, classes[1], 6)
    twin = js_norm_by_class_twin(real, classes[0], synthetic, classes[1], 6)
    # a float32 norm may fall on the other side of a bin edge than a float64 one: one sample in 500 moves the value by up to about 1/500
    assert ours.values == pytest.approx(twin.values, abs=2e-3)
    assert np.array_equal(ours.real, twin.real) and np.array_equal(ours.synthetic, twin.synthetic)


def test_missing_classes_are_named():
    one = np.ones((5, 3))
    found = js_norm_by_class(one, np.zeros(5, int), one, np.full(5, 2), 4)
    assert found.absent == [0]
    assert found.values[0] == found.values[2] == MAX_JS and np.isnan(found.values[1])


def test_equal_norms_of_no_width_are_equal():
    assert js_norm(np.ones((5, 4)), np.ones((5, 4))) == 0.0
    assert js_norm(np.ones((5, 4)), np.ones((9, 4))) == pytest.approx(0.0, abs=1e-7)  # eps weighs differently in 5 and 9 counts


def test_slices_see_what_a_norm_hides():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 2000, 5))
    a[:, 0] += 4
    b[:, 1] += 4
    assert js_norm(a, b) < 0.05 < 0.3 < js_sliced(a, b, np.eye(5)).max()
    assert js_sliced(a, a, directions(7, 5, rng)).max() == 0.0


@pytest.mark.parametrize(
    ("features", "words"), [(np.full((3, 4), np.nan), "finite"), (np.zeros((0, 4)), "at least one"), (np.ones((3, 5)), "equally wide")]
)
def test_bad_features_are_refused(features, words):
    with pytest.raises(UserError, match=words):
        js_norm(np.ones((6, 4)), features)


def test_class_indices_are_checked():
    with pytest.raises(UserError, match="classes must lie in"):
        js_norm_by_class(np.ones((2, 2)), np.array([0, 3]), np.ones((2, 2)), np.array([0, 1]), 2)


def test_defaults_are_those_of_the_definition():
    assert (BINS, EPS) == (50, 1e-8)
