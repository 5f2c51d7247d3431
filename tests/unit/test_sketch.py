"""W1 of histograms: analytic cases and the twin."""

import numpy as np
import pytest
from tailgate.validate.sketch import w1, w1_twin


def test_a_shift_by_whole_bins_is_its_length():
    p, q = np.zeros(10), np.zeros(10)
    p[2], q[5] = 7.0, 3.0
    assert w1(p, q, tuple(range(11))) == pytest.approx(3.0) and w1(p, p, tuple(range(11))) == 0


def test_twin_agrees():
    rng, edges = np.random.default_rng(3), (0.0, 0.1, 0.3, 0.35, 0.8, 1.5, 2.0)
    for _ in range(5):
        p, q = rng.integers(0, 50, (2, 6)) + 1.0
        assert w1(p, q, edges) == pytest.approx(w1_twin(p, q, edges), abs=1e-4)
