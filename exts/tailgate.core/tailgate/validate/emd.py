"""Optimal transport between point clouds: exact on small clouds, sliced on large ones."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import numpy as np

from tailgate.packages import need
from tailgate.validate.clouds import REAL, SYNTHETIC, checked


def emd(p: np.ndarray, q: np.ndarray) -> float:
    """Exact earth mover's distance with uniform weights and Euclidean cost [m] (Rubner et al. 2000; network simplex of POT).

    Never below ``chamfer``. The cost matrix is n × m: meant for resampled crops (256 points), for larger clouds use ``sliced_w1``.

    Args:
        p, q: points [n, 3] and [m, 3], metres.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses, or POT is not installed.
    """
    return transport(costs(checked(p, REAL), checked(q, SYNTHETIC)))[0]


def pot() -> ModuleType:
    """POT. It imports every array library whose arrays it would take; torch, not needed here, alone takes seconds and 200 MB."""
    switch = "POT_BACKEND_DISABLE_PYTORCH"
    if "torch" in sys.modules or switch in os.environ:
        return need("ot")
    os.environ[switch] = "1"
    try:
        return need("ot")
    finally:
        del os.environ[switch]


def costs(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Distances [m] between all pairs of points [n, 3] and [m, 3], float64 [n, m], of clouds small enough for it."""
    from scipy.spatial.distance import cdist

    origin = p.mean(axis=0, dtype=np.float64)
    return cdist(p - origin, q - origin)


def transport(cost: np.ndarray) -> tuple[float, np.ndarray]:
    """Least mean cost [m] of moving uniform mass along a cost matrix [n, m], and the dual potential of the rows [n]: with uniform weights
    mean(f) + mean over columns of min over rows of (c - f) is a lower bound for any cost matrix c of the same rows, and exact for this one."""
    ot = pot()
    value, log = ot.emd2(ot.unif(cost.shape[0]), ot.unif(cost.shape[1]), cost, numItermax=10_000_000, log=True)
    return float(value), log["u"]


def directions(count: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors, uniform on the sphere: float64 [count, dimension]."""
    u = rng.normal(size=(count, dimension))
    return u / np.linalg.norm(u, axis=1, keepdims=True)


def w1_samples(x: np.ndarray, y: np.ndarray) -> float:
    """Exact 1-D Wasserstein distance of two samples [n], [m] (the area between their empirical CDFs), in the unit of the samples."""
    x, y = np.sort(x), np.sort(y)
    if len(x) == len(y):
        return float(np.abs(x - y).mean())
    both = np.sort(np.concatenate([x, y]))
    cdf_x, cdf_y = (np.searchsorted(s, both[:-1], side="right") / len(s) for s in (x, y))
    return float(np.sum(np.abs(cdf_x - cdf_y) * np.diff(both)))


def sliced_w1(p: np.ndarray, q: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """W1 of the projections onto each direction [m], float64 [K] (Rabin et al. 2011). The mean is ``sliced_w1``; the maximum is at most ``emd``.

    Args:
        p, q: points [n, 3] and [m, 3], metres; sizes may differ (no resampling).
        unit: unit vectors [K, 3].
    """
    p, q = checked(p, REAL).astype(np.float64), checked(q, SYNTHETIC).astype(np.float64)
    return np.array([w1_samples(p @ u, q @ u) for u in np.asarray(unit, dtype=np.float64)])
