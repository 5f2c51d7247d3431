"""Random numbers of LiDAR responses: counter-based normals of cells, and normals that are alike along a beam's sweep, as readable numpy code.

``lidar_kernels`` holds the same for Warp.
"""

from __future__ import annotations

import math

import numpy as np

TAPS = 64
"""Longest moving average that correlates noise and losses along a beam [columns]."""
LEAST_TAP = math.log(0.05)
"""Log of the smallest weight of that average, the largest being 1."""
MAX_CORRELATION = 0.96
"""Correlation of neighbouring columns that this length can still hold."""
BIAS_SEED = 7919
"""Seed of the per-beam range offsets: they belong to the device, not to the frame."""
NOISE, DROP, INTENSITY, BIAS, AIR, PLACE, NOISE_GRAIN, DROP_GRAIN, NOISE_TAIL, INTENSITY_TAIL = range(10)
"""Random streams of one cell."""
BEYOND = 1 << 30
"""Added to the number of a cell before a scan's first column where the scan does not wrap."""


def _pcg_twin(state: np.ndarray) -> np.ndarray:
    """PCG-RXS-M-XS 32 (O'Neill 2014), on uint32."""
    with np.errstate(over="ignore"):
        b = state.astype(np.uint32) * np.uint32(747796405) + np.uint32(2891336453)
        c = ((b >> ((b >> np.uint32(28)) + np.uint32(4))) ^ b) * np.uint32(277803737)
        return (c >> np.uint32(22)) ^ c


def normal_twin(seed: int, cell: np.ndarray, stream: int) -> np.ndarray:
    """Standard normal of one cell and stream (Box and Muller 1958)."""
    with np.errstate(over="ignore"):
        key = _pcg_twin(np.asarray(cell).astype(np.uint32) + _pcg_twin(np.asarray(stream, dtype=np.uint32)))
        a = _pcg_twin(np.uint32(seed) + key)
        b = _pcg_twin(a)
    u, v = ((x >> np.uint32(8)).astype(np.float64) / 16777216.0 for x in (a, b))
    return np.sqrt(-2 * np.log(np.maximum(u, 1e-9))) * np.cos(2 * np.pi * v)


def cell_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Number of each cell (beams, columns, echoes), echo by echo, so that a further echo leaves the random numbers of the others as they are."""
    beams, columns, echoes = shape
    return np.arange(beams * columns * echoes).reshape(echoes, beams, columns).transpose(1, 2, 0).copy()


def taps_of(correlation: float) -> np.ndarray:
    """Weights of the moving average whose neighbours correlate at ``correlation`` (a truncated AR(1) response), unit variance, float32 [taps].

    The last weight fades in with the correlation, so that no setting of it makes the response jump.
    """
    rho = min(max(correlation, 0.0), MAX_CORRELATION)
    last = min(LEAST_TAP / math.log(rho), TAPS - 1.0) if rho > 0 else 0.0
    k = np.arange(math.ceil(last) + 1)
    weights = rho**k * np.clip(last + 1.0 - k, 0.0, 1.0)
    return (weights / np.linalg.norm(weights)).astype(np.float32)


def latent_twin(seed: int, shape: tuple[int, ...], stream: int, correlation: float, wrap: bool) -> np.ndarray:
    """Correlated standard normal along columns; without wrap the first columns look back at cells of their own beyond the edge."""
    cells = cell_numbers(shape)
    out = np.zeros(shape)
    for k, weight in enumerate(taps_of(correlation)):
        back = np.roll(cells, k, axis=1)
        if not wrap:
            back[:, :k] += BEYOND
        out += float(weight) * normal_twin(seed, back, stream)
    return out


def normal_cdf_twin(z: np.ndarray) -> np.ndarray:
    """Normal distribution function, |error| < 8e-8 (Zelen and Severo 1964, Abramowitz and Stegun 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = np.exp(-0.5 * z * z) * 0.3989422804 * poly
    return np.where(z >= 0, 1 - upper, upper)
