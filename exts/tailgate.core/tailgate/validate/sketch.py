"""Additive sensor statistics: histograms by stratum that sum over frames, blocks and workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

_FEW = 64
"""Up to so many edges, comparing with each beats searching: vector code compares many values at once."""


@dataclass(frozen=True)
class Statistic:
    """What one statistic counts.

    Attributes:
        name: "range_noise", "hole_rate", ….
        unit: unit of the binned value.
        edges: bin edges of the value, [B + 1], ascending. A rate is binned as 0 (kept) / 1 (missing) with edges [0, 0.5, 1].
        strata: names of the strata, [S].
        min_count: below this many values on either side a stratum is unjudged.
    """

    name: str
    unit: str
    edges: tuple[float, ...]
    strata: tuple[str, ...]
    min_count: int = 200

    @property
    def shape(self) -> tuple[int, int]:
        """(S, B)."""
        return len(self.strata), len(self.edges) - 1


@dataclass
class Sketch:
    """Counts of several statistics over one block of data (a frame, a sector, a batch, a recording)."""

    counts: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, statistic: Statistic, stratum: np.ndarray, value: np.ndarray) -> None:
        """Count values [n] in their strata [n] (index; negative = none). Values beyond the edges go to the outer bins."""
        add_blocks([self], statistic, 0, stratum, value)

    def add_counts(self, statistic: Statistic, counts: np.ndarray) -> None:
        """Count values that are counted already, [S, B]."""
        self.counts[statistic.name] = self.counts.get(statistic.name, 0.0) + np.asarray(counts, np.float64)

    def __add__(self, other: Sketch) -> Sketch:
        both = self.counts.keys() & other.counts.keys()
        return Sketch({**self.counts, **other.counts, **{n: self.counts[n] + other.counts[n] for n in both}})

    @staticmethod
    def total(sketches: Iterable[Sketch]) -> Sketch:
        """Sum of many sketches."""
        counts: dict[str, np.ndarray] = {}
        for sketch in sketches:
            for name, own in sketch.counts.items():
                if name in counts:
                    counts[name] += own
                else:
                    counts[name] = np.array(own, np.float64)
        return Sketch(counts)


def add_blocks(sketches: Sequence[Sketch], statistic: Statistic, block: np.ndarray | int, stratum: np.ndarray, value: np.ndarray) -> None:
    """``Sketch.add`` to many sketches at once: each value goes to the sketch of its block (index; one for all); all arrays alike in shape."""
    s, b = statistic.shape
    stratum, value = np.asarray(stratum), np.asarray(value, np.float64)
    keep = (stratum >= 0) & (stratum < s) & np.isfinite(value)
    if not keep.all():
        at = np.flatnonzero(keep)
        block, stratum, value = (a.ravel()[at] if isinstance(a, np.ndarray) else a for a in (block, stratum, value))
    cell = (block * s + stratum) * b + bins(value, statistic.edges)
    counts = np.bincount(cell.ravel(), minlength=len(sketches) * s * b).reshape(len(sketches), s, b)
    for sketch, own in zip(sketches, counts, strict=True):
        sketch.add_counts(statistic, own)


def bins(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Index 0 … B - 1 of the bin that holds each value [n], edges [B + 1] rising; values beyond the edges go to the outer bins."""
    return edges_below(values, edges[1:-1], np.greater_equal)


def edges_below(values: np.ndarray, edges: Sequence[float], beyond: np.ufunc = np.greater) -> np.ndarray:
    """How many of the edges, which rise, each value [n] is ``beyond``, int64 [n]."""
    values, edges = np.asarray(values, np.float64), np.asarray(edges, np.float64)
    if len(edges) > _FEW:
        return np.searchsorted(edges, values, side="left" if beyond is np.greater else "right")
    found, past = np.zeros(values.shape, np.uint8), np.empty(values.shape, bool)
    for edge in edges:
        found += beyond(values, edge, out=past).view(np.uint8)
    return found.astype(np.int64)


def w1(p: np.ndarray, q: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """1-D Wasserstein distance of histograms: counts [..., B] on both sides (broadcast), mass spread evenly inside each bin, distances [...] in the
    unit of the edges; NaN if empty."""
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.cumsum(p, axis=-1) / p.sum(axis=-1, keepdims=True) - np.cumsum(q, axis=-1) / q.sum(axis=-1, keepdims=True)
    before = np.concatenate([np.zeros_like(gap[..., :1]), gap[..., :-1]], axis=-1)
    low, high = np.abs(before), np.abs(gap)
    both = low + high
    area, crossing = 0.5 * both, ((before < 0) & (gap > 0)) | ((before > 0) & (gap < 0))
    area[crossing] = (low[crossing] ** 2 + high[crossing] ** 2) / np.maximum(2 * both[crossing], 1e-300)
    return np.sum(area * np.diff(edges), axis=-1)


def w1_twin(p: np.ndarray, q: np.ndarray, edges: tuple[float, ...], knots: int = 200_000) -> float:
    """Readable twin of ``w1`` for one pair: the area between the two piecewise-linear CDFs on a fine grid."""
    x = np.linspace(edges[0], edges[-1], knots)
    cdf = [np.interp(x, edges, np.concatenate([[0.0], np.cumsum(h) / h.sum()])) for h in (p, q)]
    return float(np.abs(cdf[0] - cdf[1])[1:].sum() * (x[1] - x[0]))


@dataclass(frozen=True)
class StratumDistance:
    """W1 of one statistic in one stratum, with the sample sizes."""

    statistic: str
    stratum: str
    value: float | None
    n_real: int
    n_synthetic: int
    unit: str


def compare(real: Sketch, synthetic: Sketch, statistics: Mapping[str, Statistic]) -> list[StratumDistance]:
    """W1 per statistic and stratum; value None where either side holds fewer than ``min_count`` values."""
    out = []
    for name, stat in statistics.items():
        p, q = (np.broadcast_to(s.counts.get(name, 0.0), stat.shape) for s in (real, synthetic))
        for i, stratum in enumerate(stat.strata):
            enough = min(p[i].sum(), q[i].sum()) >= stat.min_count
            value = float(w1(p[i], q[i], stat.edges)) if enough else None
            out.append(StratumDistance(name, stratum, value, int(p[i].sum()), int(q[i].sum()), stat.unit))
    return out


def common_mix(parts: Iterable[Sketch], statistics: Mapping[str, Statistic]) -> dict[tuple[str, str], float]:
    """Weight of each (statistic, stratum): the smallest count over the parts of a reference, so that W1 to any part is averaged over one mix of
    strata and the parts can be compared."""
    held = list(parts)
    mix = {}
    for name, stat in statistics.items():
        least = np.min([np.broadcast_to(p.counts.get(name, 0.0), stat.shape).sum(axis=1) for p in held], axis=0)
        mix.update({(name, stratum): float(n) for stratum, n in zip(stat.strata, least, strict=True)})
    return mix


def summarize(distances: Iterable[StratumDistance], mix: Mapping[tuple[str, str], float] | None = None) -> dict[str, float]:
    """One W1 per statistic: the mean over judged strata, weighted by ``mix`` (see ``common_mix``), by default by the real sample size."""
    sums: dict[str, list[float]] = {}
    for d in distances:
        weight = d.n_real if mix is None else mix[d.statistic, d.stratum]
        if d.value is not None and weight > 0:
            entry = sums.setdefault(d.statistic, [0.0, 0.0])
            entry[0] += d.value * weight
            entry[1] += weight
    return {name: total / weight for name, (total, weight) in sums.items()}
