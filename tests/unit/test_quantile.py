"""Student's t against scipy's, and its symmetry; quantiles over draws of which some are missing."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import t
from tailgate.validate.quantile import over_draws, student_t


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 20, 33, 250])
@pytest.mark.parametrize("level", [0.01, 0.3, 0.51, 0.8, 0.95, 0.975, 0.9999])
def test_quantiles_are_scipys(level, freedom):
    assert student_t(level, freedom) == pytest.approx(float(t.ppf(level, freedom)), rel=1e-8)


def test_the_median_is_zero_and_sides_mirror():
    assert student_t(0.5, 5) == pytest.approx(0.0, abs=1e-12)
    assert student_t(0.1, 5) == -student_t(0.9, 5)


@pytest.mark.parametrize("missing", [0.0, 0.02, 0.9])
def test_draws_that_are_missing_do_not_count(missing):
    draw = np.random.default_rng(5)
    values = np.where(draw.random((40, 30)) < missing, np.nan, draw.normal(size=(40, 30)))
    values[0] = 0.0
    for plain, skipping in ((np.median, np.nanmedian), (partial(np.quantile, q=[0.5, 0.95]), partial(np.nanquantile, q=[0.5, 0.95]))):
        found = over_draws(values, partial(plain, axis=0), partial(skipping, axis=0))
        np.testing.assert_array_equal(found, skipping(values, axis=0))
