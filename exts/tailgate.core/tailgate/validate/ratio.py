"""The headline: how far synthetic data is from real data, in units of how far real data is from other real data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.validate.deviation import magnitudes
from tailgate.validate.sketch import Sketch, Statistic

QUANTILES = (0.25, 0.5, 0.9)
SHARE_OF_MIN = 4
"""A block's stratum counts from a quarter of the statistic's ``min_count`` up."""
MIN_BLOCKS = 3
"""A feature counts where at least this many real blocks have it."""
MIN_SHARED = 3
"""Features two blocks must share to be compared."""


@dataclass(frozen=True)
class DistanceRatio:
    """The ratio and what it is made of.

    Attributes:
        value: synthetic / real; 1 = as close to real as real places are to each other, smaller is closer. None where it cannot be formed.
        synthetic: mean distance of a synthetic block to the nearest real one.
        real: mean distance of a real block to the nearest other real one.
        n_synthetic, n_real: blocks that could be compared.
        across_groups: whether «other real» means another group.
        error: standard error of ``value`` over the synthetic frames; None where they are not told apart or fewer than two.
    """

    value: float | None
    synthetic: float | None
    real: float | None
    n_synthetic: int
    n_real: int
    across_groups: bool
    error: float | None = None


def distance_ratio(
    real_blocks: Mapping[str, Sequence[Sketch]] | Sequence[Sketch],
    synthetic_blocks: Sequence[Sketch],
    statistics: Mapping[str, Statistic],
    frames: Sequence[str] | None = None,
) -> DistanceRatio:
    """Distance of synthetic blocks to the nearest real block ÷ distance of real blocks to the nearest other real block.

    A block is described by place-invariant features: for each statistic and stratum it holds enough values of, the mean and the quantiles 25, 50
    and 90 % of the value (residuals by magnitude; of a rate only the mean), each standardized by its spread over the real blocks. Two blocks are as
    far apart as the root mean square difference over the features both have. «Other» is a block of another group where there are at least two
    groups, else any other block. So that both sides choose from equally many candidates, the nearest real block of a synthetic one is averaged over
    leaving each group out in turn.

    Args:
        real_blocks: group -> its blocks, or the blocks of a single group.
        synthetic_blocks: blocks of the same kind.
        statistics: name -> what it counts.
        frames: frame of each synthetic block, for the standard error: blocks of one frame are not independent.
    """
    groups = real_blocks if isinstance(real_blocks, Mapping) else {"": real_blocks}
    names = sorted(g for g in groups if groups[g])
    group = np.repeat(np.arange(len(names)), [len(groups[g]) for g in names])
    real = block_features([b for g in names for b in groups[g]], statistics)
    synthetic = block_features(synthetic_blocks, statistics)
    floor = _floors(statistics)
    usable = np.isfinite(real).sum(axis=0) >= MIN_BLOCKS if len(real) else np.zeros(len(floor), dtype=bool)
    real, synthetic = real[:, usable], synthetic[:, usable]
    if not real.size or not synthetic.size:
        return DistanceRatio(None, None, None, 0, 0, len(names) > 1)
    spread = np.maximum(np.nanstd(real, axis=0), floor[usable])
    real, synthetic = real / spread, synthetic / spread
    among = _block_distances(real, real)
    across = len(names) > 1
    among[group[:, None] == group[None, :] if across else np.eye(len(real), dtype=bool)] = np.inf
    towards = _block_distances(synthetic, real)
    if across:
        nearest = np.stack([np.where(group[None, :] == g, np.inf, towards).min(axis=1) for g in range(len(names))])
    else:
        nearest = towards.min(axis=1)[None]
    theirs, each = among.min(axis=1), np.mean(nearest, axis=0)
    theirs, ours = theirs[np.isfinite(theirs)], each[np.isfinite(each)]
    if not len(theirs) or not len(ours) or theirs.mean() <= 0:
        return DistanceRatio(None, None, None, len(ours), len(theirs), across)
    scale = float(theirs.mean())
    error = _standard_error(each / scale, frames) if frames is not None else None
    return DistanceRatio(float(ours.mean()) / scale, float(ours.mean()), scale, len(ours), len(theirs), across, error)


def _standard_error(values: np.ndarray, frames: Sequence[str]) -> float | None:
    """Standard error of the mean of values [n] that come in clusters (frames): the linearized variance of a ratio of sums (Cochran 1977, §6)."""
    known = np.isfinite(values)
    _, cluster = np.unique(np.asarray(frames)[known], return_inverse=True)
    if not len(cluster) or cluster.max() < 1:
        return None
    residual = np.bincount(cluster, values[known] - values[known].mean())
    count = len(residual)
    return float(np.sqrt(count / (count - 1) * np.sum(residual**2)) / known.sum())


def feature_names(statistics: Mapping[str, Statistic]) -> list[tuple[str, str, str]]:
    """Statistic, stratum and what of it ("mean", "25 %", …) of each column of ``block_features``."""
    parts = {n: ("mean", *(f"{q:.0%}" for q in QUANTILES if s.shape[1] > 2)) for n, s in statistics.items()}
    return [(name, stratum, part) for name, s in statistics.items() for part in parts[name] for stratum in s.strata]


def block_features(blocks: Sequence[Sketch], statistics: Mapping[str, Statistic]) -> np.ndarray:
    """Features of each block, float64 [blocks, F]; NaN where a stratum holds too few values. Columns as in ``feature_names``."""
    columns = []
    for name, statistic in statistics.items():
        value = magnitudes(statistic)
        order = np.argsort(value, kind="stable")
        held = [np.broadcast_to(b.counts.get(name, 0.0), statistic.shape) for b in blocks]
        counts = np.array(held).reshape(len(blocks), *statistic.shape)[..., order]
        n = counts.sum(axis=-1)
        enough = n >= max(statistic.min_count / SHARE_OF_MIN, 1)
        cdf = np.cumsum(counts, axis=-1) / np.where(enough, n, np.nan)[..., None]
        columns.append(np.where(enough, counts @ value[order] / np.maximum(n, 1), np.nan))
        if statistic.shape[1] > 2:
            for share in QUANTILES:
                columns.append(np.where(enough, value[order][np.argmax(cdf >= share, axis=-1)], np.nan))
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(blocks), 0))


def _floors(statistics: Mapping[str, Statistic]) -> np.ndarray:
    """Smallest spread a feature is divided by: a bin's width for quantiles and a twentieth for means, 0.005 for rates; as ``block_features``, [F]."""
    out: list[float] = []
    for statistic in statistics.values():
        strata, bins = statistic.shape
        width = float(np.min(np.diff(statistic.edges)))
        out += [0.005 if bins == 2 else 0.05 * width] * strata
        out += [width] * (strata * len(QUANTILES) if bins > 2 else 0)
    return np.array(out)


def _block_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Root mean square difference over shared features of blocks [A, F] and [B, F]: [A, B], inf where too few are shared."""
    has_a, has_b = np.isfinite(a).astype(float), np.isfinite(b).astype(float)
    a, b = np.nan_to_num(a, nan=0.0), np.nan_to_num(b, nan=0.0)
    shared = has_a @ has_b.T
    squares = np.maximum((a**2) @ has_b.T + has_a @ (b**2).T - 2 * a @ b.T, 0.0)
    return np.where(shared >= MIN_SHARED, np.sqrt(squares / np.maximum(shared, 1)), np.inf)
