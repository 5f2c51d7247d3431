"""Association of labels with conditions: Cramér's V (Cramér 1946), judged against permutations for all pairs at once.

A network learns whatever predicts the label: if every wheelchair stands in the rain, rain becomes a wheelchair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from tailgate.errors import UserError
from tailgate.rng import rng
from tailgate.validate.scorecard import Null

PERMUTATIONS = 999
LEVEL = 0.01
"""Chance that any pair of a set without associations is called one (family-wise): sets are judged round after round, 0.05 would refuse too many."""

_BLOCK = 2**20
"""Permuted units held at a time."""


@dataclass(frozen=True)
class Association:
    """One label with one condition.

    Attributes:
        label, condition: their names.
        v: Cramér's V, 0..1.
        limit: V above which the pair stands out from permutations, every pair tested taken into account.
        null: V of the permutations of this pair alone.
    """

    label: str
    condition: str
    v: float
    limit: float
    null: Null


def cramers_v(table: np.ndarray) -> float:
    """Cramér's V of a contingency table [r, c] of counts, without bias correction: 0 = independent, 1 = one tells the other.

    Raises:
        UserError: not a table of non-negative counts, or fewer than two rows or columns that hold anything.
    """
    table = np.asarray(table, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise UserError(f"a contingency table must hold counts of 0 or more in rows and columns, got shape {table.shape}")
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        raise UserError("a contingency table must hold two rows and two columns with counts, got fewer: nothing varies")
    return float(np.sqrt(_chi_squared(table) / (table.sum() * (min(table.shape) - 1))))


def associations(
    labels: Mapping[str, Sequence[bool]], conditions: Mapping[str, Sequence[str]], pinned: Set[tuple[str, str]] = frozenset(), seed: int = 0
) -> list[Association]:
    """Test every label against every condition over the same units (frames, or whole clips where frames hang together).

    Units' conditions are permuted together, and a pair is judged by the largest standardized chi-squared over all pairs (step-one max-T; Westfall &
    Young 1993): the chance of any false alarm is LEVEL at any sample size, however many pairs there are and however they depend on each other.
    Labels and conditions that do not vary are left out.

    Args:
        labels: class name -> whether each unit shows it.
        conditions: name such as ``light`` -> value of each unit.
        pinned: (label, condition) pairs that are tied together on purpose and not tested.
        seed: of the permutations.
    """
    shown = {name: np.asarray(values, dtype=bool) for name, values in labels.items()}
    shown = {name: values for name, values in shown.items() if 0 < values.sum() < len(values)}
    held = {name: np.unique(np.asarray(values, dtype=np.str_), return_inverse=True)[1].ravel() for name, values in conditions.items()}
    held = {name: codes for name, codes in held.items() if len(codes) and codes.max() > 0}
    pairs = [(label, condition) for label in shown for condition in held]
    tested = [i for i, pair in enumerate(pairs) if pair not in pinned]
    if not tested:
        return []
    matrix = np.stack(list(shown.values())).astype(np.float64)
    draw = rng(seed, "association", 0, 0, 0, "permutations")
    orders = [np.arange(matrix.shape[1]), *(draw.permutation(matrix.shape[1]) for _ in range(PERMUTATIONS))]
    block = max(1, _BLOCK // matrix.shape[1])
    parts = [_by_order(matrix, held.values(), np.stack(orders[k : k + block])) for k in range(0, len(orders), block)]
    values = np.concatenate(parts)[:, tested]
    centre, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-12)
    largest = np.sort(((values - centre) / spread).max(axis=1))
    critical = largest[int(np.ceil((1.0 - LEVEL) * len(largest))) - 1]
    v = np.sqrt(values / matrix.shape[1])
    limits = np.sqrt(np.maximum(centre + critical * spread, 0.0) / matrix.shape[1])
    return [Association(*pairs[i], float(v[0, k]), float(limits[k]), Null.of(v[1:, k])) for k, i in enumerate(tested)]


def _chi_squared(table: np.ndarray) -> float:
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(np.sum((table - expected) ** 2 / expected))


def _by_order(shown: np.ndarray, conditions: Iterable[np.ndarray], orders: np.ndarray) -> np.ndarray:
    """Pearson's chi-squared of each label [L, n] (0 or 1) with each condition's codes [n], units taken in each order [B, n]: [B, pairs].

    It is the sum over both rows of a 2 × k table: the row of the units that show the label, scaled by 1 / (1 - its share).
    """
    share = shown.mean(axis=1)
    out = []
    for codes in conditions:
        sizes = np.bincount(codes).astype(np.float64)
        counts = np.tensordot(np.eye(len(sizes))[codes[orders]], shown, axes=(1, 1))
        out.append(np.sum((counts - sizes[:, None] * share) ** 2 / sizes[:, None], axis=1) / (share * (1.0 - share)))
    return np.stack(out, axis=2).reshape(len(orders), -1)
