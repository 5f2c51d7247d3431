"""Limits of the class gate at one batch size: one joint limit over its metrics, and which of them show the power to gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tailgate.config.budget import Gate
from tailgate.validate.controls import REQUIRED, REQUIRED_UNSEEN
from tailgate.validate.dogss import DISTANCES, PASS, dogss_score
from tailgate.validate.quantile import student_t
from tailgate.validate.stratum import PARTS, Draws

METRICS = {"dogss": tuple(range(len(DISTANCES))), "js_norm": (PARTS.index("js_norm"),), "js_sliced": (PARTS.index("js_sliced"),)}
"""Metric -> the columns of PARTS it is made of; the largest of them decides."""
POWER = 0.95
"""Share of the batches of each required control that a metric must reject to gate."""


@dataclass(frozen=True)
class Limits:
    """What follows from the draws at one batch size.

    Attributes:
        median, scale: of each of PARTS over real batches [4]; the scale is q95 - median.
        joint: the largest standardized value, (x - median) / scale over the gating metrics, that is allowed.
        limit: of each of PARTS [4], in its unit.
        x_max: distance -> its scale for dogss_score [m].
        power: metric -> control -> share of batches made wrong that it rejects.
        gate_power: control -> the same for all gating metrics together.
        gating: metrics with POWER against each required control, in the order of METRICS.
        budget: metrics whose limit is the budget's ``js_max``.
    """

    median: np.ndarray
    scale: np.ndarray
    joint: float
    limit: np.ndarray
    x_max: dict[str, float]
    power: dict[str, dict[str, float]]
    gate_power: dict[str, float]
    gating: tuple[str, ...]
    budget: tuple[str, ...]

    def standardized(self, parts: np.ndarray, metric: str) -> np.ndarray:
        """Largest standardized value over the metric's parts [..., 4] -> [...]."""
        return ((parts - self.median) / self.scale)[..., METRICS[metric]].max(axis=-1)

    def fails(self, parts: np.ndarray, metric: str) -> np.ndarray:
        """Whether any of the metric's parts [..., 4] lies above its limit."""
        columns = list(METRICS[metric])
        return (parts[..., columns] > self.limit[columns]).any(axis=-1)

    def score(self, parts: np.ndarray) -> float:
        """dogss_score of a batch's parts [4]."""
        return dogss_score(dict(zip(DISTANCES, map(float, parts), strict=False)), self.x_max).score


def class_limits(draws: Draws, groups: int, cfg: Gate) -> Limits:
    """Limits from real batches and from batches made wrong.

    The joint limit is the q95, over real batches, of the largest standardized value of the gating metrics, widened as a prediction for groups that
    the G of the reference do not hold: by √(1 + 1/G) and by Student's t with G - 1 degrees of freedom over the normal quantile, because the spread
    is an estimate from G groups (1.6 × for 4 groups, 1.03 × for 50). It stands in for each metric's own q95, because three of those would reject
    up to 14 % of real batches. x_max of a distance is its limit / (1 - 0.75): ``dogss_min: 0.75`` asks for what 95 % of real batches reach in all
    metrics together, and another value moves the limit on that scale. ``js_max`` is the limit where it is the lower one and at least 95 % of real
    batches lie below it; else it would refuse real data for the bias of small samples.

    Args:
        draws: of the batch size in use.
        groups: number of groups of real crops.
        cfg: dogss_min and js_max.
    """
    median = np.median(draws.real, axis=0)
    scale = np.maximum(np.quantile(draws.real, 0.95, axis=0) - median, np.maximum(0.01 * np.abs(median), 1e-9))
    present = [m for m in METRICS if np.isfinite(draws.real[:, METRICS[m]]).all()]
    widening = float(student_t(0.95, groups - 1) / NormalDist().inv_cdf(0.95) * np.sqrt(1.0 + 1.0 / groups))
    limits = _limits(draws, (median, scale), widening, present, cfg)
    gating = [m for m in present if _has_power(limits.power[m])]
    return _limits(draws, (median, scale), widening, gating, cfg) if gating else limits


def _limits(draws: Draws, null: tuple[np.ndarray, np.ndarray], widening: float, metrics: list[str], cfg: Gate) -> Limits:
    median, scale = null
    columns = [c for m in metrics for c in METRICS[m]]
    joint = widening * float(np.quantile(((draws.real - median) / scale)[:, columns].max(axis=1), 0.95)) if columns else 1.0
    limit = median + joint * scale
    x_max = {name: float(limit[k]) / (1.0 - PASS) for k, name in enumerate(DISTANCES)}
    limit[: len(DISTANCES)] *= (1.0 - cfg.dogss_min) / (1.0 - PASS)
    within = np.quantile(draws.real, 0.95, axis=0) <= cfg.js_max
    budget = tuple(m for m in ("js_norm", "js_sliced") for c in METRICS[m] if within[c] and cfg.js_max < limit[c])
    for metric in budget:
        limit[list(METRICS[metric])] = cfg.js_max
    base = Limits(median, scale, joint, limit, x_max, {}, {}, (), budget)
    power = {m: {name: float(base.fails(w, m).mean()) for name, w in draws.wrong.items() if np.isfinite(w[:, METRICS[m]]).all()} for m in METRICS}
    gating = tuple(m for m in metrics if _has_power(power[m]))
    together = {name: float(np.any([base.fails(w, m) for m in gating], axis=0).mean()) for name, w in draws.wrong.items()} if gating else {}
    return Limits(median, scale, joint, limit, x_max, power, together, gating, budget)


def _has_power(power: Mapping[str, float]) -> bool:
    """Whether each required control is there and is rejected often enough."""
    required = REQUIRED if REQUIRED[0] in power else REQUIRED_UNSEEN
    return all(power.get(name, 0.0) >= POWER for name in required)


def power_words(power: Mapping[str, float]) -> str:
    """What a metric or the gate tells and what it does not, for people."""
    told, missed = ([f"{name} ({share:.0%})" for name, share in power.items() if (share >= POWER) == good] for good in (True, False))
    words = [f"{verb} {', '.join(names)}" for verb, names in (("tells", told), ("does not tell", missed)) if names]
    return " and ".join(words) or "meets no control that applies"
