"""Maximum mean discrepancy of two samples of features: unbiased, so it may come out below 0 for equal distributions.

``mmd2`` uses an RBF kernel (Gretton et al. 2012, eq. 3), ``kid`` a cubic one (Binkowski et al. 2018). Both are sums over all pairs, made row by
row in float64: memory is linear, and the terms that nearly cancel keep their digits.
"""

from __future__ import annotations

import numpy as np

from tailgate.errors import UserError
from tailgate.geometry.quiet import wp
from tailgate.rng import rng
from tailgate.validate.samples import checked_pair

wp.set_module_options({"enable_backward": False})

MEDIAN_ROWS = 2048
"""Rows at most of which all pairs are formed for the median distance."""
_LANES = 8
_row = wp.types.vector(length=_LANES, dtype=wp.float64)


@wp.kernel
def _rbf_sums(a: wp.array2d(dtype=_row), b: wp.array2d(dtype=_row), same: int, scale: wp.float64, sums: wp.array(dtype=wp.float64)):
    """Sum of exp(-scale |a_i - b_j|^2) over j, without j = i where both are the same sample."""
    i = wp.tid()
    total = wp.float64(0.0)
    for j in range(b.shape[0]):
        if same == 0 or i != j:
            squared = wp.float64(0.0)
            for k in range(a.shape[1]):
                gap = a[i, k] - b[j, k]
                squared += wp.dot(gap, gap)
            total += wp.exp(-scale * squared)
    sums[i] = total


@wp.kernel
def _cubic_sums(a: wp.array2d(dtype=_row), b: wp.array2d(dtype=_row), same: int, scale: wp.float64, sums: wp.array(dtype=wp.float64)):
    """Sum of (scale a_i . b_j + 1)^3 over j, without j = i where both are the same sample."""
    i = wp.tid()
    total = wp.float64(0.0)
    for j in range(b.shape[0]):
        if same == 0 or i != j:
            product = wp.float64(0.0)
            for k in range(a.shape[1]):
                product += wp.dot(a[i, k], b[j, k])
            value = scale * product + wp.float64(1.0)
            total += value * value * value
    sums[i] = total


def mmd2(x: np.ndarray, y: np.ndarray, sigma: float | None = None, device: str = "cpu") -> float:
    """Unbiased squared MMD with the kernel exp(-d² / (2 sigma²)).

    Args:
        x, y: finite features [n, D] and [m, D], two rows or more each.
        sigma: width, in the unit of the features; None: ``median_distance``.
        device: "cpu" or "cuda:0".

    Raises:
        UserError: NaN or infinity, another width, fewer than two rows, or a width that is not positive.
    """
    x, y = checked_pair(x, y)
    sigma = median_distance(x, y) if sigma is None else sigma
    if not sigma > 0:
        raise UserError(f"the kernel width sigma must be above 0, got {sigma:g}")
    return _unbiased(_rbf_sums, x, y, 0.5 / sigma**2, device)


def kid(x: np.ndarray, y: np.ndarray, device: str = "cpu") -> float:
    """Kernel inception distance: unbiased squared MMD with the kernel (x·y / D + 1)³, over all rows at once.

    Args:
        x, y: finite features of a backbone [n, D] and [m, D], two rows or more each.
        device: "cpu" or "cuda:0".

    Raises:
        UserError: NaN or infinity, another width, or fewer than two rows.
    """
    x, y = checked_pair(x, y)
    return _unbiased(_cubic_sums, x, y, 1.0 / x.shape[1], device)


def median_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Median distance of all pairs i < j of the pooled sample (of ``MEDIAN_ROWS`` rows at most, drawn by a fixed seed); 1 where it is 0."""
    from scipy.spatial.distance import pdist

    pooled = np.concatenate([x, y])
    if len(pooled) > MEDIAN_ROWS:
        pooled = pooled[rng(0, "mmd", 0, 0, 0, "median_distance").permutation(len(pooled))[:MEDIAN_ROWS]]
    return float(np.median(pdist(pooled))) or 1.0


def _unbiased(kernel: wp.Kernel, x: np.ndarray, y: np.ndarray, scale: float, device: str) -> float:
    a, b = (_rows(s, device) for s in (x, y))
    n, m = len(x), len(y)
    inner = _total(kernel, a, a, scale) / (n * (n - 1)) + _total(kernel, b, b, scale) / (m * (m - 1))
    return inner - 2.0 * _total(kernel, a, b, scale) / (n * m)


def _rows(features: np.ndarray, device: str) -> wp.array:
    padded = np.pad(features, ((0, 0), (0, -features.shape[1] % _LANES)))
    return wp.array(padded.reshape(len(features), -1, _LANES), dtype=_row, device=device)


def _total(kernel: wp.Kernel, a: wp.array, b: wp.array, scale: float) -> float:
    sums = wp.empty(a.shape[0], dtype=wp.float64, device=a.device)
    wp.launch(kernel, a.shape[0], [a, b, int(a is b), wp.float64(scale), sums], device=a.device)
    return float(sums.numpy().sum())


def mmd2_twin(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    """Readable twin of ``mmd2`` with all pairs at once."""
    from scipy.spatial.distance import cdist

    return _unbiased_twin(*(np.exp(-cdist(a, b, "sqeuclidean") / (2 * sigma**2)) for a, b in ((x, x), (y, y), (x, y))))


def kid_twin(x: np.ndarray, y: np.ndarray) -> float:
    """Readable twin of ``kid`` with all pairs at once."""
    return _unbiased_twin(*((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))))


def _unbiased_twin(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> float:
    n, m = xy.shape
    return float((xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean())
