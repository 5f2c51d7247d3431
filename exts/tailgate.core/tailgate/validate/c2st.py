"""Classifier two-sample test (Lopez-Paz & Oquab 2017): how well can a classifier tell real from synthetic on samples it was not trained on?

The classifier is regularized least squares on the features' normal scores and their RBF map (Nystroem; Williams & Seeger 2001). Its held-out scores
are linear in the labels, so one factorization a fold refits it for every permutation of them: the permutation test is exact, and cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.errors import UserError
from tailgate.rng import kernel_seed, rng
from tailgate.validate.samples import checked_pair

FOLDS = 5
LANDMARKS = 256
"""Centres of the RBF map at most."""
SAMPLES_PER_FREEDOM = 10.0
"""Training samples a degree of freedom of the fit: sets the ridge from the features alone, so that no label chooses it."""
_SHUFFLES = 5
_BLOCK = 2**22
"""Scores held at a time while permutations are ranked."""

Groups = tuple[Sequence[object], Sequence[object]]


@dataclass(frozen=True)
class C2st:
    """Result of the test.

    Attributes:
        auc: held-out area under the ROC curve; 0.5 = alike, 1 = always told apart.
        p: share of label permutations with an AUC at least as large, (1 + k) / (1 + permutations) (Phipson & Smyth 2010); uniform for equal
            distributions.
        importances: feature name -> what the AUC loses when that feature is shuffled among held-out samples, largest first; empty without names.
    """

    auc: float
    p: float
    importances: dict[str, float]


def c2st(
    X: np.ndarray,
    Y: np.ndarray,
    names: Sequence[str] | None = None,
    groups: Groups | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> C2st:
    """Tell real samples [n, D] from synthetic ones [m, D] by cross-validation, and say by which features.

    Args:
        X, Y: finite features, a row a sample.
        names: D feature names; given, the importances are measured.
        groups: what each row of X and of Y belongs to (frame, clip, place). No group is both trained on and held out, and labels are permuted by
            whole groups: rows of one group are not independent. None: every row by itself.
        permutations: label permutations for the p-value.
        seed: of folds, landmarks and permutations.

    Raises:
        UserError: NaN or infinity, another width, lengths that differ, or fewer than two groups on a side.
    """
    sides = _checked(X, Y, names, groups)
    folds = _Folds(*_units(sides, groups), seed)
    features = _normal_scores(np.concatenate(sides))
    expand = _feature_map(features, seed)
    mapped = expand(features)
    auc = _auc(folds, mapped, folds.labels()[:, None])[0]
    draw = rng(seed, "c2st", 0, 0, 0, "permutations")
    width = max(1, _BLOCK // len(features))
    at_least = 0
    for start in range(0, permutations, width):
        labels = np.stack([folds.labels(draw) for _ in range(min(width, permutations - start))], axis=1)
        at_least += int(np.sum(_auc(folds, mapped, labels) >= auc - 1e-12))
    importances = {} if names is None else _importances(folds, features, expand, names, seed)
    return C2st(float(auc), (1 + at_least) / (1 + permutations), importances)


def _checked(X: np.ndarray, Y: np.ndarray, names: Sequence[str] | None, groups: Groups | None) -> tuple[np.ndarray, np.ndarray]:
    sides = checked_pair(X, Y)
    if names is not None and len(names) != sides[0].shape[1]:
        raise UserError(f"names must hold one name a feature ({sides[0].shape[1]}), got {len(names)}")
    if groups is not None and any(len(g) != len(s) for g, s in zip(groups, sides, strict=True)):
        raise UserError(f"groups must hold one entry a row ({len(sides[0])} and {len(sides[1])}), got {len(groups[0])} and {len(groups[1])}")
    return sides


def _units(sides: tuple[np.ndarray, np.ndarray], groups: Groups | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is exchanged as a whole: the unit of each row, each unit's group and each unit's side (1 = synthetic)."""
    n, m = (len(s) for s in sides)
    if groups is None:
        unit, group, side = np.arange(n + m), np.arange(n + m), np.repeat([0, 1], (n, m))
    else:
        names = [str(g) for side in groups for g in side]
        keys = list(zip(np.repeat([0, 1], (n, m)).tolist(), names, strict=True))
        place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        number = {name: i for i, name in enumerate(dict.fromkeys(names))}
        unit = np.array([place[k] for k in keys])
        side, group = np.array([k[0] for k in place]), np.array([number[k[1]] for k in place])
    if min(np.sum(side == 0), np.sum(side == 1)) < 2:
        raise UserError(f"each side must hold at least two groups, got {int(np.sum(side == 0))} real and {int(np.sum(side == 1))} synthetic")
    return unit, group, side


class _Folds:
    """Folds of whole groups with both sides in each, and the permutations that keep them so.

    Attributes:
        unit: unit of each row.
        rows: held-out rows of each fold.
    """

    def __init__(self, unit: np.ndarray, group: np.ndarray, side: np.ndarray, seed: int):
        self.unit, self._side = unit, side
        count = min(FOLDS, int(np.sum(side == 0)), int(np.sum(side == 1)))
        draw = rng(seed, "c2st", 0, 0, 0, "folds")
        fold_of_group = np.full(int(group.max()) + 1, -1)
        for s in (0, 1):
            of_side = draw.permutation(np.unique(group[side == s]))
            dealt = np.bincount(fold_of_group[of_side] + 1, minlength=count + 1)[1:]
            for g in of_side[fold_of_group[of_side] < 0]:
                fold_of_group[g] = np.argmin(dealt)
                dealt[fold_of_group[g]] += 1
        fold = fold_of_group[group]
        self._members = [np.flatnonzero(fold == k) for k in range(count)]
        self.rows = [np.flatnonzero(fold[unit] == k) for k in range(count)]

    def labels(self, draw: np.random.Generator | None = None) -> np.ndarray:
        """Label of each row, 0 or 1; permuted among the units of each fold if a generator is given."""
        side = self._side.copy()
        if draw is not None:
            for members in self._members:
                side[members] = draw.permutation(side[members])
        return side[self.unit]

    def splits(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Training and held-out rows of each fold."""
        for held in self.rows:
            keep = np.ones(len(self.unit), dtype=bool)
            keep[held] = False
            yield np.flatnonzero(keep), held


def _normal_scores(pooled: np.ndarray) -> np.ndarray:
    """Rank of each value among both sides as a normal quantile: no unit, no outlier, and blind to labels. A constant feature becomes 0."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(pooled, axis=0) - 0.5) / len(pooled))


def _feature_map(features: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """The features beside their RBF map around landmarks, with the median distance as its width."""
    from scipy.spatial.distance import pdist
    from sklearn.kernel_approximation import Nystroem

    centres = rng(seed, "c2st", 0, 0, 0, "landmarks").permutation(len(features))[:LANDMARKS]
    squared = float(np.median(pdist(features[centres], "sqeuclidean"))) or 1.0
    kernel = Nystroem(gamma=1.0 / squared, n_components=len(centres), random_state=kernel_seed(seed, "c2st")).fit(features[centres])
    scale = 1.0 / np.sqrt(features.shape[1])
    return lambda rows: np.concatenate([kernel.transform(rows), scale * rows], axis=1)


def _weights(mapped: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Ridge regression of centred labels [n, B] on centred features [n, M], [M, B]."""
    centred = mapped - mapped.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values = np.maximum(values, 0.0)
    fitted = vectors.T @ (centred.T @ (labels - labels.mean(axis=0)))
    return vectors @ (fitted / (values + _ridge(values, len(mapped) / SAMPLES_PER_FREEDOM))[:, None])


def _ridge(values: np.ndarray, freedom: float) -> float:
    """Penalty that leaves ``freedom`` effective degrees of freedom, sum of v / (v + penalty), by bisection on a logarithmic scale."""
    low, high = 1e-9 * (values.max() or 1.0), 1e3 * (values.sum() or 1.0)
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if np.sum(values / (values + middle)) > freedom else (low, middle)
    return float(high)


def _auc(folds: _Folds, mapped: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Held-out AUC of each column of labels [n, B]: the share of pairs within a fold that are ranked rightly, ties counting half."""
    won, pairs = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    for train, held in folds.splits():
        right, all_pairs = _pairs(mapped[held] @ _weights(mapped[train], labels[train]), labels[held])
        won, pairs = won + right, pairs + all_pairs
    return won / pairs


def _pairs(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a positive and a negative that are ranked rightly, and all such pairs, of each column (Mann-Whitney)."""
    from scipy.stats import rankdata

    positive = labels.sum(axis=0)
    right = np.sum(rankdata(scores, axis=0) * labels, axis=0) - positive * (positive + 1) / 2
    return right, positive * (len(labels) - positive)


def _importances(
    folds: _Folds, features: np.ndarray, expand: Callable[[np.ndarray], np.ndarray], names: Sequence[str], seed: int
) -> dict[str, float]:
    """Permutation importance (Breiman 2001) on held-out rows: features that tell the same share it."""
    labels, mapped = folds.labels()[:, None], expand(features)
    draw = rng(seed, "c2st", 0, 0, 0, "importances")
    lost, pairs = np.zeros(len(names)), 0.0
    for train, held in folds.splits():
        weights = _weights(mapped[train], labels[train])
        right, count = _pairs(mapped[held] @ weights, labels[held])
        pairs += float(count[0])
        for feature in range(len(names)):
            for _ in range(_SHUFFLES):
                rows = features[held].copy()
                rows[:, feature] = draw.permutation(rows[:, feature])
                lost[feature] += float(right[0] - _pairs(expand(rows) @ weights, labels[held])[0][0]) / _SHUFFLES
    order = np.argsort(-lost, kind="stable")
    return {names[i]: float(lost[i] / pairs) for i in order}
