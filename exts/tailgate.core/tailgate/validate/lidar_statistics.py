"""Statistics of organised LiDAR scans that need no knowledge of the scene: holes, range noise, intensity and runs of missing returns.

They read what a real scan has (range, intensity and the directions of its cells) and take the scene from the neighbours: a plane is fitted
around every cell without the cell itself (``tailgate.geometry.local_planes``), and the cell is compared with it. The same code scores real and
synthetic scans. Where coordinates were stored in steps above MAX_STEP (``SensorFrame.rounding``), range noise is not counted.

* ``hole_rate``: among cells with at least 4 of their 8 neighbours on one plane, the missing ones, by interpolated range and incidence.
* ``range_noise`` [m]: distance of a return from its plane, with the sign of the range error, divided by sqrt(1 + leverage) so that it spreads as one
  return does. It is taken perpendicular to the plane: along the beam, relief of a few millimetres would drown every device at grazing incidence.
* ``beam_noise`` [m]: the same against the two neighbours on the same beam only, which a constant offset of the beam cannot move.
* ``noise_spectrum``: share of the pairs of returns a lag apart on a beam that lie on one side of their planes, each beam's offset in a sector taken
  out. Correlation and share: see ``depth_statistics``.
* ``intensity``: intensity of returns on planes, by range and incidence; not counted in a scan that holds none (0 everywhere).
* ``intensity_texture``: its change from return to return on the same planes: distance from the mean of both neighbours on the beam over that mean.
  Dark and bright places agree about it far better than about intensity itself.
* ``run_length`` [cells]: lengths of runs of missing returns along a beam between two returns of nearly equal range.
* ``return_rate``: share of missing returns among the beams that look down by 4 to 15 deg, by that angle. Such a beam meets the ground within 14
  heights of the sensor, so what it loses it loses to the device; what level beams lose depends on the place, and what steep ones lose on the vehicle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tailgate.frames import SensorFrame, host
from tailgate.geometry.beams import directions
from tailgate.geometry.local_planes import LocalPlanes, local_planes, wraps
from tailgate.geometry.rounding import Rounding
from tailgate.memory import recall
from tailgate.validate.sketch import Sketch, Statistic, add_blocks, bins

RANGE_EDGES = (1.0, 6.0, 12.0, 25.0, 50.0, 120.0)
"""Strata of range [m]."""
ANGLE_EDGES = (0.0, 40.0, 65.0, 80.0, 90.0)
"""Strata of incidence from the normal [deg]."""
DOWN_EDGES = (4.0, 8.0, 15.0)
"""Strata of downward angle [deg]."""
SECTORS = 12
"""Azimuth sectors: the place blocks of one scan."""
MIN_NEAR, MIN_WIDE = 4, 24
"""Neighbours needed in the 8-neighbourhood and in the 5 x 9 window."""
MAX_RUN = 20
MAX_OFF = 0.12
"""A return further from the plane than this lies on another surface [m]."""
SMOOTH, SMOOTH_SHARE = 0.02, 2.0
"""See ``noise_tolerance``."""
MIN_COSINE = float(np.cos(np.deg2rad(ANGLE_EDGES[-2])))
"""Range noise is counted up to 80 deg of incidence: beyond, the distance from a plane is the surface's relief and not the device's noise."""
_COSINE_EDGES = tuple(-np.cos(np.deg2rad(ANGLE_EDGES)))
MAX_STEP = 0.016
"""Coarsest storage step of coordinates at which range noise is still counted [m]: its own spread is step / sqrt(12) = 4.6 mm."""

LAGS = (1, 3, 8)
"""Lags of the noise spectrum [columns]: neighbours, within the wide window, beyond it."""


def strata(ranges: Sequence[float], angles: Sequence[float]) -> tuple[str, ...]:
    """Names of the strata between edges of range [m] and incidence [deg], angles within ranges."""
    return tuple(f"{near:g}-{far:g} m, {low:g}-{high:g} deg" for near, far in pairwise(ranges) for low, high in pairwise(angles))


_STRATA = strata(RANGE_EDGES, ANGLE_EDGES)
_RANGE_STRATA = tuple(f"{low:g}-{high:g} m" for low, high in zip(RANGE_EDGES[:-1], RANGE_EDGES[1:], strict=True))
_DOWN_STRATA = tuple(f"{low:g}-{high:g} deg down" for low, high in zip(DOWN_EDGES[:-1], DOWN_EDGES[1:], strict=True))
_NOISE_HALF = (0.0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12)
_NOISE_EDGES = tuple(-v for v in reversed(_NOISE_HALF[1:])) + _NOISE_HALF

LIDAR_STATISTICS: dict[str, Statistic] = {
    "hole_rate": Statistic("hole_rate", "share", (-0.5, 0.5, 1.5), _STRATA),
    "range_noise": Statistic("range_noise", "m", _NOISE_EDGES, _STRATA),
    "beam_noise": Statistic("beam_noise", "m", _NOISE_EDGES, _STRATA),
    "noise_spectrum": Statistic("noise_spectrum", "share", (-0.5, 0.5, 1.5), tuple(f"{lag} columns" for lag in LAGS), 1000),
    "intensity": Statistic("intensity", "1", tuple(0.02 * k - 0.005 for k in range(52)), _STRATA),
    "intensity_texture": Statistic("intensity_texture", "1", tuple(2.0 * (k / 30) ** 2 for k in range(31)), _STRATA),
    "run_length": Statistic("run_length", "cells", tuple(k + 0.5 for k in range(MAX_RUN + 1)), _RANGE_STRATA, 50),
    "return_rate": Statistic("return_rate", "share", (-0.5, 0.5, 1.5), _DOWN_STRATA, 2000),
}


def plane_tolerance(rng: np.ndarray) -> np.ndarray:
    """Spread perpendicular to a plane below which neighbours count as lying on it [m]: several times any ranging LiDAR's noise."""
    return 0.05 + 0.001 * rng


def noise_tolerance(wide_rms: np.ndarray) -> float:
    """Spread up to which a patch of surface shows the device's noise and not its own relief [m].

    SMOOTH, or more for a device so noisy that SMOOTH_SHARE times the lower quartile of all spreads [n] exceeds it. Hedges, gravel and the sides of
    cars stay out, so that places agree about one device.
    """
    return max(SMOOTH, SMOOTH_SHARE * float(np.quantile(wide_rms, 0.25))) if len(wide_rms) else SMOOTH


def stratum_of(rng: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Index of the range x incidence stratum, -1 outside; range [m], |cos| of incidence."""
    out = np.full(np.shape(rng), -1)
    with np.errstate(invalid="ignore"):
        known = (rng >= RANGE_EDGES[0]) & (rng < RANGE_EDGES[-1]) & np.isfinite(cosine)
    out[known] = bins(rng[known], RANGE_EDGES) * (len(ANGLE_EDGES) - 1) + bins(-cosine[known], _COSINE_EDGES)
    return out


@dataclass(frozen=True, eq=False)
class Cells:
    """What ranges tell of every cell, (beams, columns); strata are -1 where a cell does not count.

    Attributes:
        hole_stratum, missing: stratum by the near plane's range, and 1.0 where no return came.
        noise_stratum, residual: stratum by the wide plane's range, and the scaled distance from the plane [m].
        beam_residual: the same against the neighbours on the beam; NaN where one of them has no noise stratum [m].
        plane_stratum: stratum of all returns on wide planes.
        sector: azimuth sector, 0..SECTORS - 1.
        planes: the fits.
        wrap: the last column borders the first.
    """

    hole_stratum: np.ndarray
    missing: np.ndarray
    noise_stratum: np.ndarray
    residual: np.ndarray
    beam_residual: np.ndarray
    plane_stratum: np.ndarray
    sector: np.ndarray
    planes: LocalPlanes
    wrap: bool


def measure_cells(sensor: SensorFrame, device: str | None = None) -> Cells:
    """Compare every cell of the first echo with the planes through its neighbours.

    Args:
        sensor: organised scan with range [m], azimuth and elevation [deg]; beams ordered by elevation, either way.
        device: that fits the planes; by default the one where the ranges are.
    """
    device = device or str(getattr(sensor.channel("range"), "device", "cpu"))
    rng, azimuth, elevation = first_echo(sensor.channel("range")), *(host(sensor.channel(name)) for name in ("azimuth", "elevation"))
    told = tuple(channel.tobytes() for channel in (rng, azimuth, elevation))
    scan = ("cells", id(sensor.T_world_sensor), id(sensor.rounding))
    return recall(scan, told, lambda: _cells(rng, (azimuth, elevation), sensor.rounding, device))


def _cells(rng: np.ndarray, beams: tuple[np.ndarray, np.ndarray], rounding: Rounding | None, device: str) -> Cells:
    azimuth, elevation = beams
    planes = local_planes(rng, azimuth, elevation, device)
    with np.errstate(invalid="ignore"):
        near = (planes.near_count >= MIN_NEAR) & (planes.near_rms <= plane_tolerance(planes.near_range))
        wide = (rng > 0) & (planes.wide_count >= MIN_WIDE) & (planes.wide_rms <= plane_tolerance(planes.wide_range))
        residual = (rng - planes.wide_range) * planes.incidence / np.sqrt(1.0 + planes.leverage)
        on_plane = np.abs(residual) <= MAX_OFF
    hole = np.where(near, stratum_of(planes.near_range, planes.incidence), -1)
    plane = np.where(wide, stratum_of(planes.wide_range, planes.incidence), -1)
    steady = wide & (planes.wide_rms <= noise_tolerance(planes.wide_rms[wide]) + 0.001 * planes.wide_range)
    noise = np.where(steady & on_plane & (planes.incidence > MIN_COSINE), plane, -1)
    if rounding:
        counted = noise >= 0
        coarse = rounding.steps(directions(azimuth[counted], elevation[counted]) * rng[counted][:, None]) > MAX_STEP
        noise[counted] = np.where(coarse, -1, noise[counted])
    beam = along_beam_residual(np.where(noise >= 0, rng, 0.0), azimuth) * planes.incidence
    return Cells(hole, (rng <= 0).astype(np.float64), noise, residual, beam, plane, sector_of(azimuth), planes, wraps(azimuth))


def sector_of(azimuth: np.ndarray) -> np.ndarray:
    """Azimuth sector (place block) of directions [deg], 0..SECTORS - 1."""
    return np.clip(((azimuth % 360.0) * (SECTORS / 360.0)).astype(np.int64), 0, SECTORS - 1)


def along_beam_residual(rng: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Range minus that of the line through both neighbours on the beam, scaled to spread as one return [m]; NaN without both.

    Inverse range is interpolated by azimuth, which is exact for planes up to the square of the column step.

    Args:
        rng, azimuth: [m] and [deg], (beams, columns).
    """
    before, after = _beside(np.where(rng > 0, 1.0 / np.where(rng > 0, rng, 1.0), np.nan), azimuth)
    back = (azimuth - np.roll(azimuth, 1, axis=1) + 180.0) % 360.0 - 180.0
    span = back + np.roll(back, -1, axis=1)
    share = np.where(np.abs(span) > 1e-6, back / np.where(np.abs(span) > 1e-6, span, 1.0), np.nan)
    return (rng - 1.0 / (before + (after - before) * share)) / np.sqrt(1.0 + share**2 + (1.0 - share) ** 2)


def noise_spectrum(cells: Cells) -> list[np.ndarray]:
    """For each of LAGS, 1 where a return and the one that many columns on lie on one side of their planes, -1 where they do not, 0 where either
    tells nothing, int8 (beams, columns)."""
    sign = np.zeros(cells.residual.shape, np.int8)
    ring, column = np.nonzero(cells.noise_stratum >= 0)
    block, residual = ring * SECTORS + cells.sector[ring, column], cells.residual[ring, column]
    order = np.lexsort((residual, block))
    first = np.flatnonzero(np.diff(block[order], prepend=-1))
    count = np.diff(first, append=len(order))
    middle = np.zeros(cells.sector.shape[0] * SECTORS)
    middle[block[order[first]]] = residual[order[first + count // 2]] if len(first) else 0.0
    sign[ring, column] = np.sign(residual - middle[block])
    out = []
    for lag in LAGS:
        product = sign * np.roll(sign, -lag, axis=1)
        if not cells.wrap:
            product[:, -lag:] = 0
        out.append(product)
    return out


def intensity_texture(rng: np.ndarray, intensity: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Distance of each return's intensity from the mean of both neighbours on its beam, over that mean; NaN without both or where they are 0.

    Args:
        rng, intensity, azimuth: [m], 0..1 and [deg], (beams, columns).
    """
    before, after = _beside(np.where(rng > 0, intensity, np.nan).astype(np.float64), azimuth)
    mean = 0.5 * (before + after)
    return np.abs(intensity - mean) / np.where(mean > 0, mean, np.nan)


def _beside(values: np.ndarray, azimuth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of the columns before and after; NaN beyond the ends of a scan that is no full turn."""
    before, after = np.roll(values, 1, axis=1), np.roll(values, -1, axis=1)
    if not wraps(azimuth):
        before[:, 0] = after[:, -1] = np.nan
    return before, after


def lidar_sketches(sensor: SensorFrame, device: str | None = None, cells: Cells | None = None) -> list[Sketch]:
    """Counts of LIDAR_STATISTICS, one sketch per azimuth sector (place block); their sum describes the scan. ``cells`` where they are measured."""
    cells = cells or measure_cells(sensor, device)
    ranged = recall(("range sketches", id(sensor.T_world_sensor)), cells, lambda: _range_sketches(sensor, cells))
    return [Sketch.total(of_sector) for of_sector in zip(ranged, _intensity_sketches(sensor, cells), strict=True)]


def _range_sketches(sensor: SensorFrame, cells: Cells) -> list[Sketch]:
    sketches = [Sketch() for _ in range(SECTORS)]
    found = {
        "hole_rate": (cells.hole_stratum, cells.missing),
        "range_noise": (cells.noise_stratum, cells.residual),
        "beam_noise": (cells.noise_stratum, cells.beam_residual),
        "return_rate": (down_stratum(sensor), cells.missing),
    }
    for name, (stratum, value) in found.items():
        add_blocks(sketches, LIDAR_STATISTICS[name], cells.sector, stratum, value)
    for band, alike in enumerate(noise_spectrum(cells)):
        told = alike.nonzero()
        value = (alike[told] > 0).astype(np.float64)
        add_blocks(sketches, LIDAR_STATISTICS["noise_spectrum"], cells.sector[told], np.full(len(value), band), value)
    runs = missing_runs(first_echo(sensor.channel("range")), cells.wrap)
    sector, length = cells.sector[runs.ring, runs.column], runs.length.astype(np.float64)
    add_blocks(sketches, LIDAR_STATISTICS["run_length"], sector, runs.stratum, length)
    return sketches


def _intensity_sketches(sensor: SensorFrame, cells: Cells) -> list[Sketch]:
    sketches = [Sketch() for _ in range(SECTORS)]
    rng, intensity = (first_echo(sensor.channel(name)) for name in ("range", "intensity"))
    if intensity.any():
        texture = intensity_texture(rng, intensity, host(sensor.channel("azimuth")))
        for name, value in (("intensity", intensity), ("intensity_texture", texture)):
            add_blocks(sketches, LIDAR_STATISTICS[name], cells.sector, cells.plane_stratum, value)
    return sketches


def down_stratum(sensor: SensorFrame) -> np.ndarray:
    """Index of the downward angle's stratum of each cell in the world, -1 for beams that look less far down, (beams, columns)."""
    azimuth, elevation = (np.deg2rad(host(sensor.channel(c))) for c in ("azimuth", "elevation"))
    x, y, z = np.asarray(sensor.T_world_sensor)[0, 2, :3].astype(np.float32)
    up = z * np.sin(elevation)
    if x or y:
        up = up + np.cos(elevation) * (x * np.cos(azimuth) + y * np.sin(azimuth))
    band = np.searchsorted(np.sin(np.deg2rad(DOWN_EDGES)), -up, side="right") - 1
    return np.where(band < len(_DOWN_STRATA), band, -1)


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
    start = np.flatnonzero(np.diff(ring, prepend=-1))
    follower = np.arange(1, len(ring) + 1)
    follower[np.append(start[1:], len(ring)) - 1] = start
    length = column[follower] - column - 1
    if wrap:
        length[length < 0] += cols
    some = np.flatnonzero((length >= 1) & (length <= MAX_RUN))
    near, far = rng[ring[some], column[some]], rng[ring[some], column[follower[some]]]
    flat = np.abs(near - far) < 0.3 + 0.02 * np.minimum(near, far)
    keep, near = some[flat], near[flat]
    i = np.searchsorted(RANGE_EDGES, near, side="right") - 1
    return Runs(ring[keep], column[keep], length[keep], np.where(i < len(_RANGE_STRATA), i, -1))


def first_echo(channel: Any) -> np.ndarray:
    """The first echo of a channel (beams, columns, echoes), on the host."""
    return host(channel)[..., 0]
