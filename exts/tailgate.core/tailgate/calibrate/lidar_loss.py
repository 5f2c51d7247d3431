"""Statistics of lost returns that serve the fit of a LiDAR's response alone, and gate nothing.

They are finer than ``hole_rate``, and by what the surface sends back. Dark surfaces are lost first, far away and one beside the other; what the
device loses everywhere it loses on bright ones too. What the returns around a missing one brought back tells which it is.

* ``loss``: ``hole_rate`` by finer range and incidence and by the mean intensity of the returns among the 8 neighbours.
* ``loss_pairs``: of cells of one beam a lag apart that both count in ``hole_rate``, the first missing: share of the second ones that are missing too.

Neither is counted in a scan that holds no intensity.
"""

from __future__ import annotations

import numpy as np

from tailgate.frames import SensorFrame, host
from tailgate.geometry.local_planes import wraps
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, SECTORS, Cells, first_echo, lidar_sketches, measure_cells
from tailgate.validate.sketch import Sketch, Statistic, add_blocks, bins

RANGE_EDGES = (1.0, 3.0, 5.0, 7.0, 9.0, 12.0, 15.0, 20.0, 26.0, 34.0, 44.0, 60.0, 80.0, 120.0)
"""Strata of range [m]."""
ANGLE_EDGES = (0.0, 40.0, 60.0, 72.0, 80.0, 85.0, 90.0)
"""Strata of incidence from the normal [deg]."""
LIGHT_EDGES = (0.0, 0.03, 0.06, 0.12, 0.25, 1.0)
"""Strata of intensity."""
LAGS = (1, 2, 3, 5, 8)
"""Lags of pairs [columns]."""
FAR = 15.0
"""Range from which signals may be weak: a stratum of pairs of its own [m]."""

_LIGHT = tuple(f"intensity {low:g}-{high:g}" for low, high in zip(LIGHT_EDGES[:-1], LIGHT_EDGES[1:], strict=True))
_STRATA = tuple(
    f"{RANGE_EDGES[i]:g}-{RANGE_EDGES[i + 1]:g} m, {ANGLE_EDGES[j]:g}-{ANGLE_EDGES[j + 1]:g} deg, {light}"
    for i in range(len(RANGE_EDGES) - 1)
    for j in range(len(ANGLE_EDGES) - 1)
    for light in _LIGHT
)
_PAIR_STRATA = tuple(f"{lag} columns, {where} {FAR:g} m, {light}" for lag in LAGS for where in ("within", "beyond") for light in _LIGHT)
_RATE = (-0.5, 0.5, 1.5)

LOSS_STATISTICS = {"loss": Statistic("loss", "share", _RATE, _STRATA), "loss_pairs": Statistic("loss_pairs", "share", _RATE, _PAIR_STRATA)}
FIT_STATISTICS = {**LIDAR_STATISTICS, **LOSS_STATISTICS}
"""What a response is fitted to."""


def fit_sketches(sensor: SensorFrame) -> list[Sketch]:
    """Counts of FIT_STATISTICS, one sketch per azimuth sector."""
    cells = measure_cells(sensor)
    return [a + b for a, b in zip(lidar_sketches(sensor, cells=cells), loss_sketches(sensor, cells), strict=True)]


def loss_sketches(sensor: SensorFrame, cells: Cells) -> list[Sketch]:
    """Counts of LOSS_STATISTICS, one sketch per azimuth sector."""
    sketches = [Sketch() for _ in range(SECTORS)]
    if not cells.intensity.any():
        return sketches
    light = bins(_around(first_echo(sensor.channel("range")) > 0, cells.intensity), LIGHT_EDGES)
    rng, angle = cells.planes.near_range, np.rad2deg(np.arccos(np.clip(cells.planes.incidence, 0.0, 1.0)))
    counts = (cells.hole_stratum >= 0) & (rng >= RANGE_EDGES[0]) & (rng < RANGE_EDGES[-1])
    stratum = (bins(rng, RANGE_EDGES) * (len(ANGLE_EDGES) - 1) + bins(angle, ANGLE_EDGES)) * len(_LIGHT) + light
    add_blocks(sketches, LOSS_STATISTICS["loss"], cells.sector, np.where(counts, stratum, -1), cells.missing)
    missing = np.where(counts, cells.missing, np.nan)
    ring, column = np.nonzero(counts & (cells.missing > 0))
    columns, wrap = counts.shape[1], wraps(host(sensor.channel("azimuth")))
    where = (rng[ring, column] > FAR) * len(_LIGHT) + light[ring, column]
    for k, lag in enumerate(LAGS):
        stratum = np.where(wrap | (column + lag < columns), 2 * k * len(_LIGHT) + where, -1)
        add_blocks(sketches, LOSS_STATISTICS["loss_pairs"], cells.sector[ring, column], stratum, missing[ring, (column + lag) % columns])
    return sketches


def _around(returned: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    """Mean intensity of the returns among the 8 neighbours, 0 without any, (beams, columns)."""
    total, n = (_neighbours(np.where(returned, value, 0.0)) for value in (intensity, 1.0))
    return total / np.maximum(n, 1.0)


def _neighbours(value: np.ndarray) -> np.ndarray:
    """Sum over the 8 neighbours; columns wrap."""
    padded = np.pad(value, ((1, 1), (0, 0)))
    three = padded[:-2] + padded[1:-1] + padded[2:]
    return three + np.roll(three, 1, axis=1) + np.roll(three, -1, axis=1) - value
