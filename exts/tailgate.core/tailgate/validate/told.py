"""Told apart: how well, and by what, a classifier separates synthetic place blocks from real ones; and a map of both for the eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.rng import kernel_seed, rng
from tailgate.validate.c2st import c2st
from tailgate.validate.ratio import block_features, feature_names
from tailgate.validate.sketch import Sketch, Statistic

PRESENT = 0.8
"""Share of blocks of either side that must have a feature; where it is missing, the median of all stands in."""
FLOOR_SPLITS = 5
MIN_UNITS = 4
"""Fewest real places from which a floor is measured."""
MAX_BLOCKS = 1500
"""Most blocks a side brings to the map: a seeded choice where there are more."""
TOLD = 8
"""Reasons that are named."""
ALPHA = 0.05
"""Largest p-value at which reasons are given: what is not told apart has none."""
LEAST = 0.002
"""Loss of AUC below which a reason is none."""


@dataclass(frozen=True)
class Reason:
    """One feature a classifier uses.

    Attributes:
        metric, stratum, part: the feature: which statistic, where, and what of it ("mean", "25 %", …).
        importance: AUC lost when it is shuffled among blocks it was not trained on.
        direction: "more" or "less" of it in synthetic blocks; "more alike" or "less alike" where the spread among blocks tells more than their
            mean.
    """

    metric: str
    stratum: str
    part: str
    importance: float
    direction: str


@dataclass(frozen=True)
class ToldApart:
    """Verdict of the classifier two-sample test on one modality.

    Attributes:
        auc, p: real against synthetic, on blocks held out by whole places and frames; p over permutations.
        floor: mean AUC of real against other real places, which a classifier may tell apart as well; None with too few places.
        reasons: most important first; none where p exceeds ALPHA.
        blocks: real and synthetic.
    """

    modality: str
    auc: float
    p: float
    floor: float | None
    reasons: tuple[Reason, ...]
    blocks: tuple[int, int]


@dataclass(frozen=True)
class BlockTable:
    """Place blocks as rows of finite features.

    Attributes:
        names: (statistic, stratum, part) of each column.
        rows: [n, F].
        unit: place or frame of each row.
        real: whether a row is real, bool [n].
    """

    names: tuple[tuple[str, str, str], ...]
    rows: np.ndarray
    unit: np.ndarray
    real: np.ndarray

    @classmethod
    def of(
        cls, real: tuple[Sequence[Sketch], Sequence[str]], synthetic: tuple[Sequence[Sketch], Sequence[str]], statistics: Mapping[str, Statistic]
    ) -> BlockTable:
        """Describe the blocks of both sides, each given with the place or frame they belong to. Features that one side lacks are left out."""
        sides = [block_features(blocks, statistics) for blocks, _ in (real, synthetic)]
        names, rows = feature_names(statistics), np.concatenate(sides)
        kept = np.min([np.isfinite(s).mean(axis=0) if len(s) else np.zeros(len(names)) for s in sides], axis=0) >= PRESENT
        rows = rows[:, kept]
        used = np.isfinite(rows).any(axis=1)
        rows = np.where(np.isfinite(rows), rows, np.nanmedian(rows, axis=0)) if rows.size else rows
        unit = np.array([f"real {u}" for u in real[1]] + [f"synthetic {u}" for u in synthetic[1]])
        is_real = np.arange(len(rows)) < len(sides[0])
        chosen = tuple(n for n, k in zip(names, kept, strict=True) if k)
        return cls(chosen, rows[used], unit[used], is_real[used])

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Real and synthetic rows."""
        return self.rows[self.real], self.rows[~self.real]

    @property
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Their places and frames."""
        return self.unit[self.real], self.unit[~self.real]


def told_apart(table: BlockTable, modality: str, seed: int = 0) -> ToldApart | None:
    """Test both sides; None where a side has fewer than two places or frames, or no feature is left."""
    (p, q), (places, frames) = table.sides, table.units
    if not len(table.names) or min(len(set(places)), len(set(frames))) < 2:
        return None
    labels = [" | ".join(n) for n in table.names]
    found = c2st(p, q, labels, (places, frames), seed=seed)
    of = dict(zip(labels, table.names, strict=True))
    strong = [(of[label], loss) for label, loss in found.importances.items() if loss >= LEAST and found.p <= ALPHA][:TOLD]
    reasons = tuple(Reason(*name, float(loss), _direction(p, q, table.names.index(name))) for name, loss in strong)
    return ToldApart(modality, found.auc, found.p, _floor(p, places, seed), reasons, (len(p), len(q)))


def _floor(rows: np.ndarray, places: np.ndarray, seed: int) -> float | None:
    names = sorted(set(places))
    if len(names) < MIN_UNITS:
        return None
    aucs = []
    for k in range(FLOOR_SPLITS):
        half = np.isin(places, rng(seed, "", 0, k, 0, "validate.told.floor").permutation(names)[: len(names) // 2])
        aucs.append(c2st(rows[half], rows[~half], groups=(places[half], places[~half]), permutations=1, seed=seed).auc)
    return float(np.mean(aucs))


def _direction(p: np.ndarray, q: np.ndarray, column: int) -> str:
    """By the larger of: shift of the mean in standard deviations of real blocks; logarithm of the ratio of both sides' spreads."""
    a, b = p[:, column], q[:, column]
    scale = max(float(a.std()), 1e-12)
    shift, spread = float(b.mean() - a.mean()) / scale, float(np.log(max(b.std(), 1e-3 * scale) / scale))
    if abs(shift) >= abs(spread):
        return "more" if shift > 0 else "less"
    return "less alike" if spread > 0 else "more alike"


def embed(table: BlockTable, seed: int = 0) -> np.ndarray:
    """Positions of the blocks on a plane, [n, 2]: t-SNE (van der Maaten & Hinton 2008) of standardized features, started from their principal axes.

    Neighbours on it are alike; distances between far groups mean nothing.
    """
    from sklearn.manifold import TSNE

    rows = table.rows
    scaled = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-12)
    perplexity = float(np.clip((len(rows) - 1) / 3, 2, 30))
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=kernel_seed(seed, "validate.told.embed") % 2**32)
    return tsne.fit_transform(np.clip(scaled, -8, 8)).astype(float)


def thinned(table: BlockTable, seed: int = 0) -> BlockTable:
    """At most MAX_BLOCKS rows of either side."""
    kept = np.zeros(len(table.rows), dtype=bool)
    for k, side in enumerate((table.real, ~table.real)):
        rows = rng(seed, "", 0, k, 0, "validate.told.thinned").permutation(np.flatnonzero(side))[:MAX_BLOCKS]
        kept[rows] = True
    return BlockTable(table.names, table.rows[kept], table.unit[kept], table.real[kept])
