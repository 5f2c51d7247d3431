"""Constant errors of a LiDAR's beams, in range and azimuth, from its own scans: what the factory's calibration left of each laser.

A beam whose range is wrong by b and whose azimuth is reported too large by e lies beside the planes through the beams around it: by b - e dr/da along
the beam, where the surface recedes by dr/da as azimuth grows. A range error shows on every surface alike, an azimuth error on oblique walls, on
either side of the street with another sign (two of the parameters of Glennie and Lichti 2010, Remote Sensing 2, 1610-1624). Both are found for each
beam by robust least squares and taken out, and again with the shifted beams (Richardson's iteration), until every one lies on the planes of the
others. What many neighbouring beams share cannot be seen that way and stays out, for it bends no surface either. Beams of one device err alike, so
each is drawn towards none by how badly it is known against how much they differ (James and Stein 1961).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.frames import SensorFrame
from tailgate.geometry.local_planes import WIDE
from tailgate.validate.lidar_statistics import SECTORS, Cells, measure_cells

ROUNDS, SCANS = 12, 8
"""Rounds of the iteration, and the most scans it looks at."""
MIN_RETURNS, MIN_BLOCKS = 20, 6
"""Returns on planes for an azimuth sector of a scan to tell of a beam, and sectors for the beam's errors to be told."""
REWEIGHTED = 4
"""Rounds of reweighting within a fit."""
OUTLIER = 2.0
"""Returns off by this many robust standard deviations weigh half (Cauchy's weight)."""
TOLD = 0.6
"""Share of the variance between beams that must be their own, and not chance, for any error to be told."""
LEAST = 1e-3, 1e-4
"""Smaller standard deviations of range [m] and azimuth [rad] count as none: no statistic feels them."""
_MEDIAN_SQUARE = 0.4549
"""Median of the square of a standard normal."""
_WEAK = 1e-12
"""Keeps sums that tell nothing from dividing by 0."""


@dataclass(frozen=True)
class BeamErrors:
    """Errors of every beam's range [m] and reported azimuth [deg]; 0 for all where most lie within what chance allows. Their medians are 0."""

    range: list[Estimate]
    azimuth: list[Estimate]


def beam_errors(scans: Sequence[SensorFrame]) -> BeamErrors:
    """Estimate the constant errors of all beams.

    Args:
        scans: organised scans of one device.
    """
    scans = scans[:: -(-len(scans) // SCANS)]
    total = np.zeros((len(np.asarray(scans[0].channel("range"))), 2))
    own = np.zeros(2)
    for k in range(ROUNDS):
        step, error, blocks = _fit([_beside_planes(scan, total) for scan in scans], len(total))
        told = blocks >= MIN_BLOCKS
        own = own if k else _own(step[told], error[told])
        kept = own / np.maximum(own + error**2, _WEAK)
        total = np.where(told[:, None], kept * (total + step), total)
    if told.any():
        total = np.where(told[:, None], total - np.median(total[told], axis=0), 0.0)
    half = 2.0 * error * np.sqrt(kept)
    unit, words = (1.0, 180.0 / np.pi), ("", ", where they recede to one side")
    return BeamErrors(*(_estimates(total[:, k] * unit[k], half[:, k] * unit[k], told, blocks, words[k]) for k in range(2)))


def _own(found: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Variance [2] of the errors (beams, 2) without what chance adds to those that are known best; 0 where that is much of it or all is tiny."""
    out = np.zeros(2)
    for k in range(2) if len(found) else ():
        sure = error[:, k] <= np.median(error[:, k])
        spread, chance = np.median(found[sure, k] ** 2) / _MEDIAN_SQUARE, np.median(error[sure, k] ** 2)
        out[k] = spread - chance if spread > max(chance / (1.0 - TOLD), LEAST[k] ** 2) else 0.0
    return out


def _estimates(value: np.ndarray, half: np.ndarray, told: np.ndarray, n: np.ndarray, words: str) -> list[Estimate]:
    """Values and half intervals [beams] with words on how they were found."""
    if not value.any():
        return [Estimate(0.0, 0.0, 0.0, int(k), bool(told.any()), "the beams lie on the planes of their neighbours") for k in n]
    how, none = f"the beam's distance from the planes of those beside it{words}", "too few planes lie before the beam"
    return [
        Estimate(float(v), float(v - h), float(v + h), int(k), True, how) if known else Estimate(0.0, -np.inf, np.inf, int(k), False, none)
        for v, h, k, known in zip(value, half, n, told, strict=True)
    ]


@dataclass(frozen=True)
class _Returns:
    """Returns on planes, one row each: beam, azimuth sector, distance from the plane [m], its growth with errors of range [1] and azimuth [m/rad]."""

    beam: np.ndarray
    sector: np.ndarray
    off: np.ndarray
    by: np.ndarray


def _beside_planes(scan: SensorFrame, errors: np.ndarray) -> _Returns:
    """Returns of a scan without these errors [m], [rad] of its beams (beams, 2)."""
    rng, azimuth = np.asarray(scan.channel("range")), np.asarray(scan.channel("azimuth"))
    moved = {
        "range": np.where(rng > 0, rng - errors[:, :1, None], 0.0).astype(np.float32),
        "azimuth": (azimuth - np.rad2deg(errors[:, 1:])).astype(np.float32),
    }
    cells = measure_cells(replace(scan, channels={**scan.channels, **moved}))
    recedes = _slope(moved["range"][..., 0].astype(np.float64), azimuth)
    beam, column = np.nonzero((cells.noise_stratum >= 0) & np.isfinite(recedes))
    return _rows(cells, beam, column, recedes[beam, column])


def _rows(cells: Cells, beam: np.ndarray, column: np.ndarray, recedes: np.ndarray) -> _Returns:
    cosine = cells.planes.incidence[beam, column].astype(np.float64)
    off = cells.residual[beam, column] * np.sqrt(1.0 + cells.planes.leverage[beam, column])
    return _Returns(beam, cells.sector[beam, column], off, np.stack([cosine, -cosine * recedes], axis=1))


def _slope(rng: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """How range grows with azimuth along each beam [m/rad], across the window of its plane; NaN without returns at both ends."""
    ahead, back = (np.where((r := np.roll(rng, shift, axis=1)) > 0, r, np.nan) for shift in (-WIDE[1], WIDE[1]))
    turn = (np.roll(azimuth, -WIDE[1], axis=1) - np.roll(azimuth, WIDE[1], axis=1) + 180.0) % 360.0 - 180.0
    return (ahead - back) / np.deg2rad(np.where(np.abs(turn) > 1e-6, turn, np.nan))


def _fit(parts: Sequence[_Returns], beams: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of each beam [m], [rad] and their standard errors, (beams, 2), and sectors that tell of it, [beams].

    Sectors of all scans alike are left out in turn for the standard errors (delete-a-group jackknife): scans of one place repeat each other.
    """
    rows = _Returns(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("beam", "sector", "off", "by")))
    block, found = rows.beam * SECTORS + rows.sector, np.zeros((beams, 2))
    weight = np.ones(len(block))
    for _ in range(REWEIGHTED):
        sums = _sums(rows, block, weight, beams)
        found = _solved(*(s.sum(axis=1) for s in sums))
        off = rows.off - (rows.by * found[rows.beam]).sum(axis=1)
        scale = 1.4826 * np.median(np.abs(off)) if len(off) else 1.0
        weight = 1.0 / (1.0 + (off / (OUTLIER * max(scale, 1e-4))) ** 2)
    count = np.stack([np.bincount(p.beam * SECTORS + p.sector, minlength=beams * SECTORS).reshape(beams, SECTORS) for p in parts])
    blocks = (count >= MIN_RETURNS).sum(axis=(0, 2))
    without = np.stack([_solved(*(s.sum(axis=1) - s[:, k] for s in sums)) for k in range(SECTORS)])
    n = np.maximum((count.sum(axis=0) > 0).sum(axis=1), 2)[:, None]
    error = np.sqrt((n - 1) / n * ((without - found) ** 2).sum(axis=0))
    return found, error, blocks


def _sums(rows: _Returns, block: np.ndarray, weight: np.ndarray, beams: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of each beam and sector: (beams, SECTORS, 2, 2) and (beams, SECTORS, 2)."""

    def add(values: np.ndarray) -> np.ndarray:
        return np.bincount(block, values * weight, beams * SECTORS).reshape(beams, SECTORS)

    first, second = rows.by.T
    cross = add(first * second)
    left = np.stack([np.stack([add(first**2), cross], axis=-1), np.stack([cross, add(second**2)], axis=-1)], axis=-2)
    return left, np.stack([add(first * rows.off), add(second * rows.off)], axis=-1)


def _solved(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions of normal equations (beams, 2, 2) and (beams, 2); 0 where they tell nothing."""
    return np.linalg.solve(left + _WEAK * np.eye(2), right[..., None])[..., 0]
