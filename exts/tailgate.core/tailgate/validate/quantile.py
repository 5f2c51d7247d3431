"""Quantiles that limits are read from."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np


def over_draws(values: np.ndarray, plain: Callable[[np.ndarray], np.ndarray], skipping: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A statistic of each column [D, S], [..., S]: ``plain`` of those without NaN at once, and of others ``skipping``, which leaves NaN out and is
    far slower."""
    complete = ~np.isnan(values).any(axis=0)
    if complete.all():
        return plain(values)
    rest = skipping(values[:, ~complete])
    out = np.empty((*rest.shape[:-1], values.shape[1]))
    out[..., ~complete], out[..., complete] = rest, plain(values[:, complete])
    return out


@lru_cache(maxsize=1024)
def student_t(level: float, freedom: int) -> float:
    """Quantile of Student's t: the value below which a share ``level`` lies.

    Found by bisection on the closed form of the distribution for whole degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).

    Args:
        level: in (0, 1).
        freedom: degrees of freedom, at least 1.
    """
    if level < 0.5:
        return -student_t(1.0 - level, freedom)
    high = 1.0
    while _within(high, freedom) < 2.0 * level - 1.0:
        high *= 2.0
    low = 0.0
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if _within(middle, freedom) < 2.0 * level - 1.0 else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Probability that |T| <= t."""
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine_sq = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(freedom // 2):
        total += term
        term *= cosine_sq * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total
