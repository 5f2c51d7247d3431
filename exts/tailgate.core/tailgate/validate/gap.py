"""Which differences matter: each statistic in each stratum, synthetic against real, in units of how far real data is from other real data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tailgate.rng import rng
from tailgate.validate.calibration import MIN_PLACES
from tailgate.validate.deviation import magnitudes
from tailgate.validate.places import Places
from tailgate.validate.sketch import Sketch, Statistic, w1

DRAWS = 200
"""Bootstrap draws behind every interval, and random halves of the real places behind every floor."""
LOCATION = 0.5
"""A shift of the mean of at least this share of the distance is called more or less; otherwise the shape of the distribution differs."""


@dataclass(frozen=True)
class Layer:
    """Statistics that are judged alike.

    Attributes:
        family: "sensor", "visual", "latency" or "content".
        modality: "lidar", "rgbd", or "" for what is of no sensor.
        statistics: name -> what it counts.
        by_class: the strata are classes.
    """

    family: str
    modality: str
    statistics: Mapping[str, Statistic]
    by_class: bool = False


@dataclass(frozen=True)
class Difference:
    """One statistic in one stratum.

    Attributes:
        metric, unit, stratum: of the statistic; ``class_name`` where strata are classes.
        family, modality: see ``Layer``.
        value: W1 between all synthetic and all real data, in ``unit``; ``low``, ``high``: 5 and 95 % of it when places and frames are resampled.
        floor: 95 % of W1 between random halves of the real places; None with fewer than MIN_PLACES.
        real, synthetic: mean value; residuals by magnitude.
        direction: "more" or "less" where the mean tells most of the distance, else "narrower", "wider" or "reshaped".
        n_real, n_synthetic: values counted.
    """

    metric: str
    unit: str
    stratum: str
    class_name: str
    family: str
    modality: str
    value: float
    low: float
    high: float
    floor: float | None
    real: float
    synthetic: float
    direction: str
    n_real: int
    n_synthetic: int

    @property
    def ratio(self) -> float | None:
        """Times the floor: below 1 as real data differs from itself."""
        return self.value / self.floor if self.floor else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of ``ratio``."""
        return (self.low / self.floor, self.high / self.floor) if self.floor else None

    @property
    def matters(self) -> bool:
        """Whether the whole interval lies beyond the floor."""
        return self.floor is not None and self.low > self.floor

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "ratio": self.ratio, "interval": self.interval, "matters": self.matters}


def differences(layer: Layer, real: Places, synthetic: Sequence[Sketch], frames: Sequence[str], seed: int = 0) -> list[Difference]:
    """Every stratum both sides hold enough of, in the order of the statistics.

    Args:
        layer: what is compared.
        real: blocks of real data with their places.
        synthetic: blocks of the other side.
        frames: frame of each synthetic block; frames are resampled whole.
        seed: of the resampling.
    """
    out = []
    weights, halves = _draws(real, frames, seed), _halves(real, seed)
    for name, statistic in layer.statistics.items():
        if name not in real.counts or not synthetic:
            continue
        p = real.counts[name]
        q = np.stack([np.broadcast_to(b.counts.get(name, 0.0), statistic.shape) for b in synthetic])
        enough = np.minimum(p.sum(axis=(0, 2)), q.sum(axis=(0, 2))) >= statistic.min_count
        spread = w1(_weighted(weights[0], p), _weighted(weights[1], q), statistic.edges)
        floor = w1(_weighted(halves, p), _weighted(~halves, p), statistic.edges) if len(halves) else None
        for s in np.flatnonzero(enough):
            least = None if floor is None or not np.isfinite(floor[:, s]).mean() > 0.5 else float(np.nanquantile(floor[:, s], 0.95))
            out.append(_difference(layer, statistic, int(s), (p[:, s].sum(axis=0), q[:, s].sum(axis=0)), spread[:, s], least))
    return out


def _difference(
    layer: Layer, statistic: Statistic, s: int, counts: tuple[np.ndarray, np.ndarray], spread: np.ndarray, floor: float | None
) -> Difference:
    value, (p, q) = magnitudes(statistic), (c / c.sum() for c in counts)
    distance = float(w1(*counts, statistic.edges))
    means = float(p @ value), float(q @ value)
    widths = [float(np.sqrt(max(h @ value**2 - m**2, 0.0))) for h, m in zip((p, q), means, strict=True)]
    if abs(means[1] - means[0]) >= LOCATION * distance:
        direction = "more" if means[1] > means[0] else "less"
    else:
        direction = "reshaped" if abs(widths[1] - widths[0]) < 0.1 * max(widths) else "wider" if widths[1] > widths[0] else "narrower"
    known = spread[np.isfinite(spread)]
    low, high = (float(v) for v in np.quantile(known, (0.05, 0.95))) if len(known) else (distance, distance)
    stratum = statistic.strata[s]
    return Difference(
        metric=statistic.name,
        unit=statistic.unit,
        stratum="all" if layer.by_class else stratum,
        class_name=stratum if layer.by_class else "",
        family=layer.family,
        modality=layer.modality,
        value=distance,
        low=min(low, distance),
        high=max(high, distance),
        floor=floor if floor else None,
        real=means[0],
        synthetic=means[1],
        direction=direction,
        n_real=int(counts[0].sum()),
        n_synthetic=int(counts[1].sum()),
    )


def _weighted(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sum of counts [N, S, B] under the weights of each draw [D, N]: [D, S, B]."""
    return (weights.astype(float) @ counts.reshape(len(counts), -1)).reshape(len(weights), *counts.shape[1:])


def _draws(real: Places, frames: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each real and each synthetic block is drawn when whole places and whole frames are drawn with replacement."""
    generator = rng(seed, "", 0, 0, 0, "validate.gap.draws")
    out = []
    for cluster in (real.place, np.unique(np.asarray(frames), return_inverse=True)[1]):
        held = int(cluster.max()) + 1
        out.append(generator.multinomial(held, np.full(held, 1.0 / held), size=DRAWS)[:, cluster])
    return out[0], out[1]


def _halves(real: Places, seed: int) -> np.ndarray:
    """Random halves of the real places, bool [DRAWS, N]; none with too few places."""
    if len(real) < MIN_PLACES:
        return np.zeros((0, len(real.place)), dtype=bool)
    generator = rng(seed, "", 0, 0, 0, "validate.gap.halves")
    return np.stack([np.isin(real.place, generator.permutation(len(real))[: len(real) // 2]) for _ in range(DRAWS)])


def ranked(found: Sequence[Difference]) -> list[Difference]:
    """Largest first: those that matter by how far the interval's lower end lies beyond the floor, then the others by their ratio; content last.

    Content is meant to differ: a budget asks for other classes, distances and conditions than the reference shows.
    """
    return sorted(found, key=lambda d: (d.family == "content", not d.matters, -(d.interval[0] if d.matters else d.ratio or 0.0), d.metric, d.stratum))
