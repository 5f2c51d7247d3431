"""Statistics of organised LiDAR scans that need no knowledge of the scene: holes, range noise, intensity and runs of missing returns.

They read what a real scan has (range, intensity and the directions of its cells) and take the scene from the neighbours: a plane is fitted
around every cell without the cell itself (``tailgate.geometry.local_planes``), and the cell is compared with it. The same code scores real and
synthetic scans. Where the source stored coordinates in steps above MAX_STEP (channel ``range_step``), range noise is not counted.

* ``hole_rate``: among cells with at least 4 of their 8 neighbours on one plane, the missing ones, by interpolated range and incidence.
* ``range_noise`` [m]: measured minus fitted range along the beam, divided by sqrt(1 + leverage) so that it spreads as one return does.
* ``intensity``: intensity of returns on planes, by range and incidence.
* ``run_length`` [cells]: lengths of runs of missing returns along a beam between two returns of nearly equal range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.geometry.local_planes import LocalPlanes, local_planes, wraps
from tailgate.validate.sketch import Sketch, Statistic

RANGE_EDGES = (1.0, 6.0, 12.0, 25.0, 50.0, 120.0)
"""Strata of range [m]."""
ANGLE_EDGES = (0.0, 40.0, 65.0, 80.0, 90.0)
"""Strata of incidence from the normal [deg]."""
SECTORS = 12
"""Azimuth sectors: the place blocks of one scan."""
MIN_NEAR, MIN_WIDE = 4, 24
"""Neighbours needed in the 8-neighbourhood and in the 5 x 9 window."""
MAX_RUN = 20
MAX_STEP = 0.016
"""Coarsest storage step of coordinates at which range noise is still counted [m]: its own spread is step / sqrt(12) = 4.6 mm."""

_STRATA = tuple(
    f"{RANGE_EDGES[i]:g}-{RANGE_EDGES[i + 1]:g} m, {ANGLE_EDGES[j]:g}-{ANGLE_EDGES[j + 1]:g} deg"
    for i in range(len(RANGE_EDGES) - 1)
    for j in range(len(ANGLE_EDGES) - 1)
)
_RANGE_STRATA = tuple(f"{low:g}-{high:g} m" for low, high in zip(RANGE_EDGES[:-1], RANGE_EDGES[1:], strict=True))
_NOISE_HALF = (0.0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4, 0.6)
_NOISE_EDGES = tuple(-v for v in reversed(_NOISE_HALF[1:])) + _NOISE_HALF

LIDAR_STATISTICS: dict[str, Statistic] = {
    "hole_rate": Statistic("hole_rate", "share", (-0.5, 0.5, 1.5), _STRATA),
    "range_noise": Statistic("range_noise", "m", _NOISE_EDGES, _STRATA),
    "intensity": Statistic("intensity", "1", tuple(0.02 * k - 0.005 for k in range(52)), _STRATA),
    "run_length": Statistic("run_length", "cells", tuple(k + 0.5 for k in range(MAX_RUN + 1)), _RANGE_STRATA, 50),
}


def plane_tolerance(rng: np.ndarray) -> np.ndarray:
    """Spread perpendicular to a plane below which neighbours count as lying on it [m]: several times any ranging LiDAR's noise."""
    return 0.06 + 0.0015 * rng


def stratum_of(rng: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Index of the range x incidence stratum, -1 outside; range [m], |cos| of incidence."""
    with np.errstate(invalid="ignore"):
        i = np.searchsorted(RANGE_EDGES, rng, side="right") - 1
        angle = np.rad2deg(np.arccos(np.clip(cosine, 0.0, 1.0)))
        j = np.minimum(np.searchsorted(ANGLE_EDGES, angle, side="right") - 1, len(ANGLE_EDGES) - 2)
        known = np.isfinite(rng) & np.isfinite(cosine) & (i >= 0) & (i < len(RANGE_EDGES) - 1)
    return np.where(known, i * (len(ANGLE_EDGES) - 1) + j, -1)


@dataclass(frozen=True)
class Cells:
    """Per-cell values behind the statistics, (beams, columns); strata are -1 where a cell does not count.

    Attributes:
        hole_stratum, missing: stratum by the near plane's range, and 1.0 where no return came.
        noise_stratum, residual: stratum by the wide plane's range, and the scaled residual [m].
        plane_stratum, intensity: stratum of all returns on wide planes, and their intensity.
        sector: azimuth sector, 0..SECTORS - 1.
        planes: the fits.
    """

    hole_stratum: np.ndarray
    missing: np.ndarray
    noise_stratum: np.ndarray
    residual: np.ndarray
    plane_stratum: np.ndarray
    intensity: np.ndarray
    sector: np.ndarray
    planes: LocalPlanes


def measure_cells(sensor: SensorFrame, device: str = "cpu") -> Cells:
    """Compare every cell of the first echo with the planes through its neighbours.

    Args:
        sensor: organised scan with range [m], intensity, azimuth and elevation [deg]; beams ordered by elevation, either way.
    """
    rng, intensity = (_first_echo(sensor.channel(name)) for name in ("range", "intensity"))
    azimuth, elevation = (_host(sensor.channel(name)) for name in ("azimuth", "elevation"))
    planes = local_planes(rng, azimuth, elevation, device)
    with np.errstate(invalid="ignore"):
        near = (planes.near_count >= MIN_NEAR) & (planes.near_rms <= plane_tolerance(planes.near_range))
        wide = (rng > 0) & (planes.wide_count >= MIN_WIDE) & (planes.wide_rms <= plane_tolerance(planes.wide_range))
        residual = (rng - planes.wide_range) / np.sqrt(1.0 + planes.leverage)
    hole = np.where(near, stratum_of(planes.near_range, planes.incidence), -1)
    plane = np.where(wide, stratum_of(planes.wide_range, planes.incidence), -1)
    noise = plane
    if "range_step" in sensor.channels:
        noise = np.where(_first_echo(sensor.channels["range_step"]) > MAX_STEP, -1, noise)
    sector = np.clip(((azimuth % 360.0) * (SECTORS / 360.0)).astype(np.int64), 0, SECTORS - 1)
    return Cells(hole, (rng <= 0).astype(np.float64), noise, residual, plane, intensity, sector, planes)


def lidar_sketches(sensor: SensorFrame, device: str = "cpu") -> list[Sketch]:
    """Counts of LIDAR_STATISTICS, one sketch per azimuth sector (place block); their sum describes the scan."""
    cells = measure_cells(sensor, device)
    runs = missing_runs(_first_echo(sensor.channel("range")), wraps(_host(sensor.channel("azimuth"))))
    run_sector = cells.sector[runs.ring, runs.column]
    sketches = []
    for k in range(SECTORS):
        here = cells.sector == k
        sketch = Sketch()
        sketch.add(LIDAR_STATISTICS["hole_rate"], cells.hole_stratum[here], cells.missing[here])
        sketch.add(LIDAR_STATISTICS["range_noise"], cells.noise_stratum[here], cells.residual[here])
        sketch.add(LIDAR_STATISTICS["intensity"], cells.plane_stratum[here], cells.intensity[here])
        mine = run_sector == k
        sketch.add(LIDAR_STATISTICS["run_length"], runs.stratum[mine], runs.length[mine].astype(np.float64))
        sketches.append(sketch)
    return sketches


@dataclass(frozen=True)
class Runs:
    """Runs of missing returns: beam, column of the return before, length [cells] and range stratum, each [n]."""

    ring: np.ndarray
    column: np.ndarray
    length: np.ndarray
    stratum: np.ndarray


def missing_runs(rng: np.ndarray, wrap: bool) -> Runs:
    """Runs of at most MAX_RUN missing cells along a beam whose two ends differ by less than 0.3 m + 2 % in range; rng (beams, columns) [m]."""
    rows, cols = rng.shape
    ring, column = np.nonzero(rng > 0)
    if len(ring) < 2:
        return Runs(*(np.empty(0, np.int64) for _ in range(4)))
    first = np.concatenate([[True], ring[1:] != ring[:-1]])
    last = np.concatenate([first[1:], [True]])
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    follower = np.where(last, start, np.arange(len(ring)) + 1)
    length = column[follower] - column + np.where(last, cols, 0) - 1
    near, far = rng[ring, column], rng[ring[follower], column[follower]]
    flat = np.abs(near - far) < 0.3 + 0.02 * np.minimum(near, far)
    keep = flat & (length >= 1) & (length <= MAX_RUN) & (~last | wrap)
    i = np.searchsorted(RANGE_EDGES, near, side="right") - 1
    stratum = np.where(i < len(_RANGE_STRATA), i, -1)
    return Runs(ring[keep], column[keep], length[keep], stratum[keep])


def _host(channel) -> np.ndarray:
    return np.asarray(channel.numpy() if hasattr(channel, "numpy") else channel)


def _first_echo(channel) -> np.ndarray:
    return _host(channel)[..., 0]
