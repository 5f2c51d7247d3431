"""The classifier two-sample test: exact under the null, strong against differences, honest about groups."""

import numpy as np
import pytest
from scipy.stats import kstest
from tailgate.errors import UserError
from tailgate.validate.c2st import _Folds, _pairs, _units, c2st


def _samples(seed: int, n: int, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


def _clustered(seed: int, groups: int, rows: int, name: str) -> tuple[np.ndarray, list[str]]:
    """Rows of a group share most of what they are."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(groups, 1, 4)) + 0.5 * draw.normal(size=(groups, rows, 4))
    return values.reshape(-1, 4), [f"{name}{g}" for g in range(groups) for _ in range(rows)]


def test_p_is_uniform_for_equal_distributions():
    p = [c2st(_samples(i, 40), _samples(10_000 + i, 30), permutations=99, seed=i).p for i in range(150)]
    assert kstest(p, "uniform").pvalue > 0.01 and np.mean(np.array(p) <= 0.05) <= 0.11


def test_p_is_uniform_for_rows_that_hang_together():
    p = []
    for i in range(100):
        (a, ga), (b, gb) = _clustered(i, 12, 5, "r"), _clustered(10_000 + i, 9, 5, "s")
        p.append(c2st(a, b, groups=(ga, gb), permutations=99, seed=i).p)
    assert kstest(p, "uniform").pvalue > 0.01 and np.mean(np.array(p) <= 0.05) <= 0.12
    assert c2st(a, b, permutations=99).p == 0.01, "without groups the same rows look like a difference"


def test_what_differs_is_found_and_named():
    other = _samples(2, 300)
    other[:, 2] *= 2.0
    result = c2st(_samples(1, 300), other, names=["a", "b", "c", "d"])
    assert result.p < 0.01 and 0.6 < result.auc < 0.75
    assert list(result.importances)[0] == "c" and result.importances["c"] > 5 * max(abs(result.importances[k]) for k in "abd")


def test_a_difference_no_single_feature_shows():
    other = _samples(2, 300)
    other[:, 1] = 0.8 * other[:, 0] + 0.6 * other[:, 1]
    assert c2st(_samples(1, 300), other).p < 0.01


def test_units_of_measure_do_not_matter():
    a, b, scale = _samples(1, 60), _samples(2, 60), np.array([1e-6, 1.0, 1e3, 1e9])
    assert c2st(a, b, permutations=19) == c2st(a * scale, b * scale, permutations=19)


def test_disjoint_sets_are_always_told_apart_and_a_constant_never():
    assert c2st(_samples(1, 40), _samples(2, 40) + 9.0, permutations=99).auc == 1.0
    assert c2st(np.ones((20, 2)), np.ones((20, 2)), permutations=19) == c2st(np.zeros((20, 2)), np.zeros((20, 2)), permutations=19)
    assert c2st(np.ones((20, 2)), np.ones((20, 2)), permutations=19).auc == pytest.approx(0.5)


def test_no_group_is_on_both_sides_of_a_fold():
    groups = (["place1"] * 3 + ["place2", "place3"], ["place1", "place1", "clip1", "clip2", "clip2"])
    folds = _Folds(*_units((np.zeros((5, 1)), np.zeros((5, 1))), groups), 0)
    names = np.array([g for side in groups for g in side])
    assert len(folds.rows) == 3
    for train, held in folds.splits():
        assert not set(names[train]) & set(names[held])
        assert len(set(folds.labels()[held])) == 2
    shuffled = folds.labels(np.random.default_rng(0))
    assert all(len(set(zip(names, shuffled, strict=True))) <= 7 for _ in range(3)) and shuffled[5] == shuffled[6]


def test_pairs_count_ties_half():
    right, pairs = _pairs(np.array([[1.0], [2.0], [2.0], [0.0]]), np.array([[0], [1], [0], [1]]))
    assert (right[0], pairs[0]) == (1.5, 4)


@pytest.mark.parametrize(
    ("x", "y", "more", "word"),
    [
        (np.full((5, 2), np.nan), np.ones((5, 2)), {}, "finite"),
        (np.ones((5, 2)), np.ones((5, 3)), {}, "equally wide"),
        (np.ones(5), np.ones((5, 3)), {}, r"\(n, D\)"),
        (np.ones((5, 2)), np.ones((5, 2)), {"names": ["a"]}, "one name"),
        (np.ones((5, 2)), np.ones((5, 2)), {"groups": (["a"], ["b"])}, "one entry a row"),
        (np.ones((5, 2)), np.ones((5, 2)), {"groups": (["a"] * 5, ["b"] * 5)}, "two groups"),
    ],
)
def test_bad_input(x, y, more, word):
    with pytest.raises(UserError, match=word):
        c2st(x, y, **more)
