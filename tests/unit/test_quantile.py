"""Student's t against scipy's, and its symmetry."""

import pytest
from scipy.stats import t
from tailgate.validate.quantile import student_t


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 20, 33, 250])
@pytest.mark.parametrize("level", [0.01, 0.3, 0.51, 0.8, 0.95, 0.975, 0.9999])
def test_quantiles_are_scipys(level, freedom):
    assert student_t(level, freedom) == pytest.approx(float(t.ppf(level, freedom)), rel=1e-8)


def test_the_median_is_zero_and_sides_mirror():
    assert student_t(0.5, 5) == pytest.approx(0.0, abs=1e-12)
    assert student_t(0.1, 5) == -student_t(0.9, 5)
