"""Statistics that serve the fit of a LiDAR's response alone, and gate nothing: finer than the gate's, so that scenes need not be alike.

Noise and losses change with range and incidence, by a factor of two within one of the gate's strata. Two scenes that fill a stratum differently then
differ in its statistics under one response, and a fit would take that for the device.

* ``range_noise_finely``, ``beam_noise_finely``: sizes of the residuals of ``range_noise`` and ``beam_noise`` by finer range and incidence.
* ``loss``: ``hole_rate`` by finer range and incidence and by the mean intensity of the returns among the 8 neighbours. Dark surfaces are lost first,
  far away and one beside the other; what the device loses everywhere it loses on bright ones too.

Losses are not counted in a scan that holds no intensity.
"""

from __future__ import annotations

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.memory import recall
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, SECTORS, Cells, first_echo, lidar_sketches, measure_cells, strata
from tailgate.validate.sketch import Sketch, Statistic, add_blocks, bins

NOISE_RANGE_EDGES = (1.0, 4.0, 6.0, 8.5, 12.0, 17.0, 25.0, 50.0, 120.0)
NOISE_ANGLE_EDGES = (0.0, 16.0, 28.0, 40.0, 53.0, 65.0, 80.0)
"""Strata of range [m] and incidence from the normal [deg] of noise."""
RANGE_EDGES = (1.0, 3.0, 5.0, 7.0, 9.0, 12.0, 15.0, 20.0, 26.0, 34.0, 44.0, 60.0, 80.0, 120.0)
ANGLE_EDGES = (0.0, 40.0, 60.0, 72.0, 80.0, 85.0, 90.0)
"""The same of losses."""
LIGHT_EDGES = (0.0, 0.03, 0.06, 0.12, 0.25, 1.0)
"""Strata of intensity."""

_LIGHT = tuple(f"intensity {low:g}-{high:g}" for low, high in zip(LIGHT_EDGES[:-1], LIGHT_EDGES[1:], strict=True))
_STRATA = tuple(f"{stratum}, {light}" for stratum in strata(RANGE_EDGES, ANGLE_EDGES) for light in _LIGHT)
_NOISE_STRATA = strata(NOISE_RANGE_EDGES, NOISE_ANGLE_EDGES)
_RATE = (-0.5, 0.5, 1.5)
_SIZES = (0.0, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)

LOSS = Statistic("loss", "share", _RATE, _STRATA)
FINER = {name: Statistic(f"{name}_finely", "m", _SIZES, _NOISE_STRATA, 1000) for name in ("range_noise", "beam_noise")}
"""Statistic of the gate -> what a response is fitted to in its place, where the reference counts it."""
FIT_STATISTICS = {**LIDAR_STATISTICS, **{s.name: s for s in FINER.values()}, LOSS.name: LOSS}
"""What a response is fitted to."""


def fit_sketches(sensor: SensorFrame) -> list[Sketch]:
    """Counts of FIT_STATISTICS, one sketch per azimuth sector."""
    cells = measure_cells(sensor)
    noise = recall(("noise sketches", id(sensor.T_world_sensor)), cells, lambda: noise_sketches(cells))
    parts = lidar_sketches(sensor, cells=cells), noise, loss_sketches(sensor, cells)
    return [Sketch.total(of_sector) for of_sector in zip(*parts, strict=True)]


def noise_sketches(cells: Cells) -> list[Sketch]:
    """Counts of FINER, one sketch per azimuth sector."""
    sketches = [Sketch() for _ in range(SECTORS)]
    own = bins(cells.planes.wide_range, NOISE_RANGE_EDGES) * (len(NOISE_ANGLE_EDGES) - 1) + bins(_degrees(cells.planes.incidence), NOISE_ANGLE_EDGES)
    stratum = np.where(cells.noise_stratum >= 0, own, -1)
    for name, residual in (("range_noise", cells.residual), ("beam_noise", cells.beam_residual)):
        add_blocks(sketches, FINER[name], cells.sector, stratum, np.abs(residual))
    return sketches


def loss_sketches(sensor: SensorFrame, cells: Cells) -> list[Sketch]:
    """Counts of LOSS, one sketch per azimuth sector."""
    sketches = [Sketch() for _ in range(SECTORS)]
    intensity = first_echo(sensor.channel("intensity"))
    if not intensity.any():
        return sketches
    rng = cells.planes.near_range
    counts = (cells.hole_stratum >= 0) & (rng >= RANGE_EDGES[0]) & (rng < RANGE_EDGES[-1])
    light = _around(first_echo(sensor.channel("range")) > 0, intensity)[counts]
    stratum = bins(rng[counts], RANGE_EDGES) * (len(ANGLE_EDGES) - 1) + bins(_degrees(cells.planes.incidence[counts]), ANGLE_EDGES)
    add_blocks(sketches, LOSS, cells.sector[counts], stratum * len(_LIGHT) + bins(light, LIGHT_EDGES), cells.missing[counts])
    return sketches


def _degrees(cosine: np.ndarray) -> np.ndarray:
    """Incidence from the normal by its |cos|."""
    return np.rad2deg(np.arccos(np.clip(cosine, 0.0, 1.0)))


def _around(returned: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    """Mean intensity of the returns among the 8 neighbours, 0 without any, (beams, columns)."""
    total, n = (_neighbours(np.where(returned, value, 0.0)) for value in (intensity, 1.0))
    return total / np.maximum(n, 1.0)


def _neighbours(value: np.ndarray) -> np.ndarray:
    """Sum over the 8 neighbours; columns wrap."""
    padded = np.pad(value, ((1, 1), (0, 0)))
    three = padded[:-2] + padded[1:-1] + padded[2:]
    return three + np.roll(three, 1, axis=1) + np.roll(three, -1, axis=1) - value
