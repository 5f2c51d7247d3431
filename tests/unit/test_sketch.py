"""W1 of histograms: analytic cases and the twin."""

import numpy as np
import pytest
from tailgate.validate.sketch import Sketch, Statistic, bins, edges_below, w1, w1_twin


def test_a_shift_by_whole_bins_is_its_length():
    p, q = np.zeros(10), np.zeros(10)
    p[2], q[5] = 7.0, 3.0
    assert w1(p, q, tuple(range(11))) == pytest.approx(3.0) and w1(p, p, tuple(range(11))) == 0


def test_twin_agrees():
    rng, edges = np.random.default_rng(3), (0.0, 0.1, 0.3, 0.35, 0.8, 1.5, 2.0)
    for _ in range(5):
        p, q = rng.integers(0, 50, (2, 6)) + 1.0
        assert w1(p, q, edges) == pytest.approx(w1_twin(p, q, edges), abs=1e-4)


@pytest.mark.parametrize("count", [3, 20, 200])
def test_edges_are_counted_as_a_search_finds_them(count):
    rng = np.random.default_rng(count)
    edges = np.sort(rng.normal(size=count))
    for values in (np.concatenate([rng.normal(size=500), edges]), rng.normal(size=(20, 30)).astype(np.float32)):
        np.testing.assert_array_equal(bins(values, edges), np.searchsorted(edges[1:-1], values, side="right"))
        np.testing.assert_array_equal(edges_below(values, edges), np.searchsorted(edges, values, side="left"))


def test_a_total_leaves_its_parts_as_they_are():
    parts = [Sketch({"a": np.array([[1.0, 2.0]])}), Sketch({"a": np.array([[3.0, 4.0]]), "b": np.array([[5]])})]
    total = Sketch.total(parts)
    assert total.counts["a"].tolist() == [[4.0, 6.0]] and total.counts["b"].tolist() == [[5.0]]
    assert parts[0].counts["a"].tolist() == [[1.0, 2.0]] and Sketch.total([]).counts == {}


def test_what_is_outside_the_strata_is_not_counted():
    statistic, sketch = Statistic("noise", "mm", (0.0, 1.0, 2.0), ("a", "b")), Sketch()
    sketch.add(statistic, np.array([0, 1, -1, 2, 1, 0]), np.array([0.5, 7.0, 0.5, 0.5, np.nan, 1.0]))
    assert sketch.counts["noise"].tolist() == [[1.0, 1.0], [0.0, 1.0]]
