"""Cramér's V and its family-wise permutation test; entropy and its selection."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.association import associations, cramers_v
from tailgate.validate.entropy import most_uncertain, mutual_information, predictive_entropy


def _units(seed: int, n: int) -> tuple[dict, dict]:
    draw = np.random.default_rng(seed)
    labels = {c: draw.random(n) < share for c, share in (("car", 0.7), ("person", 0.4), ("wheelchair", 0.05))}
    light = draw.choice(["day", "dusk", "night"], size=n, p=[0.6, 0.3, 0.1])
    return labels, {"light": light, "road": np.where(light == "night", "wet", draw.choice(["wet", "dry"], size=n)), "place": ["here"] * n}


def test_v_equals_scipy_and_its_bounds():
    from scipy.stats.contingency import association

    table = np.array([[3, 9, 4], [7, 1, 5]])
    assert cramers_v(table) == pytest.approx(association(table, method="cramer"))
    assert cramers_v([[7, 0], [0, 9]]) == pytest.approx(1.0) and cramers_v([[1, 2], [3, 6]]) == pytest.approx(0.0, abs=1e-12)
    assert cramers_v([[7, 0, 0], [0, 9, 0]]) == pytest.approx(1.0), "a column that holds nothing does not count"
    for bad in ([[1, 2]], [[0, 0], [1, 2]], [[-1, 2], [3, 4]], [1, 2]):
        with pytest.raises(UserError, match="contingency"):
            cramers_v(bad)


def test_pairs_are_those_that_vary_and_v_is_cramers():
    labels, conditions = _units(0, 80)
    found = associations({**labels, "always": [True] * 80, "never": [False] * 80}, conditions)
    assert [(a.label, a.condition) for a in found] == [(c, k) for c in labels for k in ("light", "road")]
    table = [[np.sum((labels["car"] == s) & (conditions["light"] == v)) for v in ("day", "dusk", "night")] for s in (False, True)]
    assert found[0].v == pytest.approx(cramers_v(table))
    assert associations({"always": [True] * 5}, conditions) == [] == associations(labels, {})


def test_false_alarms_are_family_wise():
    wrong = sum(any(a.v > a.limit for a in associations(*_units(seed, 12), seed=seed)) for seed in range(100))
    assert wrong <= 5


def test_an_association_is_found():
    labels, conditions = _units(1, 80)
    labels["wheelchair"] = (np.asarray(conditions["light"]) == "night") & (np.arange(80) % 4 > 0)
    found = {(a.label, a.condition): a for a in associations(labels, conditions)}
    assert found["wheelchair", "light"].v > found["wheelchair", "light"].limit
    assert found["car", "light"].v <= found["car", "light"].limit
    assert ("wheelchair", "light") not in {(a.label, a.condition) for a in associations(labels, conditions, {("wheelchair", "light")})}


def test_entropy_by_hand():
    sure, torn = np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), np.full((3, 1, 2), 0.5)
    assert predictive_entropy(sure)[0] == pytest.approx(np.log(2)) and mutual_information(sure)[0] == pytest.approx(np.log(2), abs=1e-6)
    assert predictive_entropy(torn)[0] == pytest.approx(np.log(2)) and mutual_information(torn)[0] == pytest.approx(0.0, abs=1e-12)


def test_selection_takes_ties():
    assert most_uncertain(np.arange(101.0), 95).indices.tolist() == list(range(95, 101))
    assert len(most_uncertain(np.full(100, 0.3)).indices) == 100


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: predictive_entropy(np.ones((2, 3))), "passes, samples"),
        (lambda: mutual_information(np.ones((2, 3, 4))), "logits"),
        (lambda: most_uncertain(np.array([np.nan])), "finite"),
        (lambda: most_uncertain(np.ones(3), 101), "percentile"),
    ],
)
def test_bad_input(call, word):
    with pytest.raises(UserError, match=word):
        call()
