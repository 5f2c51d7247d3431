"""What is made wrong in a LiDAR scan. Each function takes a scan, a strength and a generator, and returns the channels that become others."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.geometry.local_planes import local_planes
from tailgate.validate.lidar_statistics import MAX_OFF, MIN_NEAR, MIN_WIDE, RANGE_EDGES, measure_cells, plane_tolerance

MIN_RETURNS = 200
"""Returns on smooth planes that a range band needs for a noise of its own."""
STEEP = 0.5
"""Least cosine of incidence of the returns that tell the noise along the beam: beyond, it is the surface's relief."""

FILL_PASSES = 4
"""Times that missing cells are looked for and filled: runs up to eight cells wide close from both sides."""

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


def lost_firings(sensor: SensorFrame, divisor: float, rng: np.random.Generator) -> Channels:
    """Lose whole firings, spread evenly from a random first one, so that one in ``divisor`` stays: another firing grid."""
    columns = np.asarray(sensor.channel("range")).shape[1]
    turn = np.floor((np.arange(columns + 1) + rng.integers(columns)) / divisor)
    lost = turn[1:] == turn[:-1]
    return without(sensor, np.broadcast_to(lost, np.asarray(sensor.channel("range")).shape[:2]))


def no_ray_drop(sensor: SensorFrame, share: float, rng: np.random.Generator) -> Channels:
    """Fill missing cells whose neighbours lie on one plane with that plane; the return before on the beam gives intensity and labels.

    What is filled may make its own neighbours fillable, so a few passes are made.
    """
    filled = {name: np.array(sensor.channels[name]) for name in ("range", "intensity", "semantic", "instance") if name in sensor.channels}
    wanted = rng.random(filled["range"].shape[:2]) < share
    for _ in range(FILL_PASSES):
        first = filled["range"][..., 0]
        planes = local_planes(first, sensor.channel("azimuth"), sensor.channel("elevation"))
        with np.errstate(invalid="ignore"):
            hole = wanted & (first <= 0) & (planes.near_count >= MIN_NEAR) & (planes.near_rms <= plane_tolerance(planes.near_range))
        if not hole.any():
            break
        before = _return_before(first)
        for name, values in filled.items():
            values[hole, 0] = planes.near_range[hole] if name == "range" else np.take_along_axis(values[..., 0], before, axis=1)[hole]
    return filled


def smoothed_normals(sensor: SensorFrame, share: float, rng: np.random.Generator) -> Channels:
    """Move returns on planes by a share of the way to the plane of their neighbours in the wide window, as a surface without relief has them."""
    ranges = np.array(sensor.channel("range"), dtype=np.float32)
    planes = local_planes(ranges[..., 0], sensor.channel("azimuth"), sensor.channel("elevation"))
    with np.errstate(invalid="ignore"):
        on_plane = (ranges[..., 0] > 0) & (planes.wide_count >= MIN_WIDE) & (planes.wide_rms <= plane_tolerance(planes.wide_range))
        on_plane &= np.abs(ranges[..., 0] - planes.wide_range) * planes.incidence <= MAX_OFF
    ranges[on_plane, 0] += np.float32(share) * (planes.wide_range - ranges[..., 0])[on_plane]
    return {"range": ranges}


def wrong_intensity(sensor: SensorFrame, share: float, rng: np.random.Generator) -> Channels:
    """Blend every return's intensity with the scan's median: at 1 all returns are equally bright, as from a simulator without an intensity model."""
    if "intensity" not in sensor.channels:
        return {}
    returned = np.asarray(sensor.channel("range")) > 0
    intensity = np.asarray(sensor.channels["intensity"])
    level = np.float32(np.median(intensity[returned])) if returned.any() else np.float32(0.0)
    return {"intensity": np.where(returned, intensity + np.float32(share) * (level - intensity), intensity)}


def _return_before(first: np.ndarray) -> np.ndarray:
    """Column of the nearest return at or before each cell of its beam, around the turn; its own where the beam has none; range (beams, columns)."""
    column = np.broadcast_to(np.arange(first.shape[1]), first.shape)
    before = np.maximum.accumulate(np.where(first > 0, column, -1), axis=1)
    last = before[:, -1:]
    return np.where(before >= 0, before, np.where(last >= 0, last, column))
