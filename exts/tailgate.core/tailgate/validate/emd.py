"""Optimal transport between point clouds: exact on small clouds, sliced on large ones."""

from __future__ import annotations

import numpy as np

from tailgate.errors import UserError


def _cloud(points: np.ndarray, name: str) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[0] == 0 or points.shape[1] == 0:
        raise UserError(f"{name} must be points of shape (n, d) with n at least 1, got shape {points.shape}")
    if not np.isfinite(points).all():
        raise UserError(f"{name} must hold finite coordinates, got NaN or infinity")
    return points


def emd(p: np.ndarray, q: np.ndarray) -> float:
    """Exact earth mover's distance with uniform weights and Euclidean cost [m] (Rubner et al. 2000; network simplex of POT).

    Never below ``chamfer``. The cost matrix is n × m: meant for resampled crops (256 points), for larger clouds use ``sliced_w1``.

    Args:
        p, q: points [n, d] and [m, d], metres.

    Raises:
        UserError: an empty cloud, NaN or infinity, or POT is not installed.
    """
    try:
        import ot
    except ImportError as error:
        raise UserError("emd needs the package POT, which is not installed: pip install 'tailgate[standalone]'") from error
    p, q = _cloud(p, "P"), _cloud(q, "Q")
    origin = p.mean(axis=0)
    cost = ot.dist(p - origin, q - origin, metric="euclidean")
    return float(ot.emd2(ot.unif(len(p)), ot.unif(len(q)), cost, numItermax=10_000_000))


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
        p, q: points [n, d] and [m, d], metres; sizes may differ (no resampling).
        unit: unit vectors [K, d].
    """
    p, q = _cloud(p, "P"), _cloud(q, "Q")
    return np.array([w1_samples(p @ u, q @ u) for u in np.asarray(unit, dtype=np.float64)])
