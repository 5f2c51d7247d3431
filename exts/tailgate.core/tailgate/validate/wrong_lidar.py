"""What is made wrong in a LiDAR scan. Each function takes a scan, a strength and a generator, and returns the channels that become others."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import RANGE_EDGES, measure_cells

MIN_RETURNS = 200
"""Returns on smooth planes that a range band needs for a noise of its own."""
STEEP = 0.5
"""Least cosine of incidence of the returns that tell the noise along the beam: beyond, it is the surface's relief."""

Channels = dict[str, Any]


def noise(sensor: SensorFrame, factor: float, rng: np.random.Generator) -> Channels:
    """Add Gaussian noise along the beam, independent from return to return, so that the scan's own range noise is multiplied."""
    ranges = np.asarray(sensor.channel("range"))
    sigma = range_noise(sensor)[band_of(ranges)] * np.sqrt(max(factor**2 - 1.0, 0.0))
    moved = np.maximum(ranges + sigma * rng.normal(size=ranges.shape), 1e-3)
    return {"range": np.where(ranges > 0, moved, 0.0).astype(np.float32)}


def density(sensor: SensorFrame, divisor: float, rng: np.random.Generator) -> Channels:
    """Lose returns at random, each firing on its own, so that one in ``divisor`` stays."""
    return without(sensor, rng.random(np.asarray(sensor.channel("range")).shape[:2]) > 1.0 / divisor)


def without(sensor: SensorFrame, lost: np.ndarray) -> Channels:
    """Channels of the scan once the returns of some firings are gone, bool (beams, columns)."""
    changed = {}
    for name in ("range", "intensity", "semantic", "instance"):
        if name in sensor.channels:
            values = np.asarray(sensor.channels[name])
            changed[name] = np.where(lost[..., None], np.zeros((), values.dtype), values)
    return changed


def band_of(ranges: np.ndarray) -> np.ndarray:
    """Index of the range band of each value [m], clipped to the outer bands."""
    return np.clip(np.searchsorted(RANGE_EDGES, ranges, side="right") - 1, 0, len(RANGE_EDGES) - 2)


def range_noise(sensor: SensorFrame) -> np.ndarray:
    """Noise of one return along its beam per band of RANGE_EDGES [m]: 1.4826 times the median distance from smooth planes that are not hit slantwise.

    A band with too few such returns takes the value of the nearest band that has enough; 0 where none has.
    """
    cells = measure_cells(sensor)
    use = (cells.noise_stratum >= 0) & (cells.planes.incidence > STEEP)
    band = band_of(np.asarray(sensor.channel("range"))[..., 0][use])
    error = np.abs(cells.residual[use] / cells.planes.incidence[use])
    known = [k for k in range(len(RANGE_EDGES) - 1) if np.count_nonzero(band == k) >= MIN_RETURNS]
    if not known:
        return np.zeros(len(RANGE_EDGES) - 1)
    sigma = {k: 1.4826 * float(np.median(error[band == k])) for k in known}
    return np.array([sigma[min(known, key=lambda k: (abs(k - i), k))] for i in range(len(RANGE_EDGES) - 1)])
