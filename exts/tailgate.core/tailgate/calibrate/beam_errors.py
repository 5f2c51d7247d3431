"""Constant errors of a LiDAR's beams, in range and azimuth, from its own scans: what the factory's calibration left of each laser.

A beam whose range is wrong by b and whose azimuth is reported too large by e lies beside the planes through the beams around it: by b - e dr/da along
the beam, where the surface recedes by dr/da as azimuth grows. A range error shows on every surface alike, an azimuth error on oblique walls, on
either side of the street with another sign (two of the parameters of Glennie and Lichti 2010, Remote Sensing 2, 1610-1624). Both are found for each
beam by robust least squares and taken out, and again with the shifted beams (Richardson's iteration), until every one lies on the planes of the
others. What many neighbouring beams share cannot be seen that way and stays out, for it bends no surface either. Beams are drawn towards no error by
a prior as wide as data sheets allow, so that of two errors that a beam's surfaces do not tell apart neither grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.frames import SensorFrame
from tailgate.geometry.local_planes import WIDE
from tailgate.validate.lidar_statistics import SECTORS, measure_cells

ROUNDS, SCANS = 12, 8
"""Rounds of the iteration, and the most scans it looks at."""
MIN_RETURNS, MIN_BLOCKS = 20, 3
"""Returns on planes for an azimuth sector of a scan to tell of a beam, and sectors for the beam's errors to be told."""
PRIOR = np.array([0.03, 0.002])
"""Standard deviations of the errors of range [m] and azimuth [rad] before anything is seen: the accuracy of spinning devices in data sheets."""
LEAST = np.array([1e-3, 2e-4])
"""Smaller standard deviations between beams count as none: no statistic feels them. 0.2 mrad move a return on a wall seen at 65 degrees from 12 m by
2 mm across it; kerbs and windows of two streets alike made half of that of beams without errors."""
TOLD = 0.6
"""Share of the variance between beams that must be their own, and not chance, for any error of a kind to be told."""
KNOWN = 0.15
"""Standard error of a beam, as a share of the prior's, that most beams must undercut for errors of a kind to be told: what a handful of walls
shows is their own relief."""
REWEIGHTED, OUTLIER = 4, 2.0
"""Rounds of reweighting within a fit; returns off by so many robust standard deviations weigh half (Cauchy's weight)."""
_NONE = 1e-9
"""Standard deviation of an error that is not looked for."""
_MEDIAN_SQUARE = 0.4549
"""Median of the square of a standard normal."""


@dataclass(frozen=True)
class BeamErrors:
    """Errors of every beam's range [m] and reported azimuth [deg]; 0 for all where most lie within what chance allows."""

    range: list[Estimate]
    azimuth: list[Estimate]


def beam_errors(scans: Sequence[SensorFrame]) -> BeamErrors:
    """Estimate the constant errors of all beams; the medians of those that are told are 0.

    Args:
        scans: organised scans of one device.
    """
    scans = scans[:: -(-len(scans) // SCANS)]
    beams = len(np.asarray(scans[0].channel("range")))
    total, prior, chance, known = np.zeros((beams, 2)), PRIOR, np.tile(PRIOR, (beams, 1)), np.zeros(2, dtype=bool)
    for k in range(ROUNDS):
        step, error, blocks = _fit([_beside_planes(scan, total) for scan in scans], total, prior)
        told = blocks >= MIN_BLOCKS
        total = total + np.where(told[:, None], step, 0.0)
        if k == 0 and told.any():
            chance, known = error, np.median(error[told], axis=0) < KNOWN * PRIOR
            prior = np.where(known & _beyond_chance(total[told], error[told]), PRIOR, _NONE)
            total = np.where(prior == PRIOR, total, 0.0)
    if told.any():
        total = np.where(told[:, None] & (prior == PRIOR), total - np.median(total[told], axis=0), 0.0)
    unit, half = np.array([1.0, 180.0 / np.pi]), 2.0 * np.where(prior == PRIOR, error, np.maximum(chance, LEAST))
    return BeamErrors(*(_estimates(v, h, told & sure, blocks) for v, h, sure in zip((total * unit).T, (half * unit).T, known, strict=True)))


def _beyond_chance(found: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Whether beams differ by more than chance, for each kind of error, bool [2]: judged by the half that is known best. (beams, 2) each."""
    sure = error <= np.median(error, axis=0)
    spread, chance = (np.nanmedian(np.where(sure, v**2, np.nan), axis=0) for v in (found, error))
    return spread / _MEDIAN_SQUARE > np.maximum(chance / (1.0 - TOLD), LEAST**2)


def _estimates(value: np.ndarray, half: np.ndarray, told: np.ndarray, n: np.ndarray) -> list[Estimate]:
    """Values and half intervals [beams] with words on how they were found."""
    if not value.any():
        why = "the beams lie on the planes of their neighbours" if told.any() else "too few beams meet surfaces that would show them"
        return [Estimate(0.0, -float(h), float(h), int(k), bool(told.any()), why) for h, k in zip(half, n, strict=True)]
    how, none = "the beam's distance from the planes of those beside it", "too few planes lie before the beam"
    return [
        Estimate(float(v), float(v - h), float(v + h), int(k), True, how) if known else Estimate(0.0, -np.inf, np.inf, int(k), False, none)
        for v, h, k, known in zip(value, half, n, told, strict=True)
    ]


@dataclass(frozen=True)
class _Returns:
    """Returns on planes, one row each: beam, azimuth sector, distance from the plane [m], and its growth with either error [1], [m/rad]."""

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
    recedes = _recedes(moved["range"][..., 0].astype(np.float64), azimuth)
    beam, column = np.nonzero((cells.noise_stratum >= 0) & np.isfinite(recedes))
    cosine = cells.planes.incidence[beam, column].astype(np.float64)
    off = cells.residual[beam, column] * np.sqrt(1.0 + cells.planes.leverage[beam, column])
    return _Returns(beam, cells.sector[beam, column], off, cosine[:, None] * np.c_[np.ones(len(beam)), -recedes[beam, column]])


def _recedes(rng: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """How range grows with azimuth along each beam [m/rad], across the window of its plane; NaN without returns at both ends."""
    ahead, back = (np.where((r := np.roll(rng, shift, axis=1)) > 0, r, np.nan) for shift in (-WIDE[1], WIDE[1]))
    turn = (np.roll(azimuth, -WIDE[1], axis=1) - np.roll(azimuth, WIDE[1], axis=1) + 180.0) % 360.0 - 180.0
    return (ahead - back) / np.deg2rad(np.where(np.abs(turn) > 1e-6, turn, np.nan))


def _fit(parts: Sequence[_Returns], total: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps of the errors [m], [rad] and standard errors, (beams, 2) each, and sectors that tell of each beam, [beams].

    Returns of one sector share its surfaces, so they tell less than as many of different ones: the variance of the sectors' means over that of
    independent returns divides their weight (the design effect of cluster samples, Kish 1965).
    """
    rows = _Returns(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("beam", "sector", "off", "by")))
    beams, block = len(total), rows.beam * SECTORS + rows.sector
    count = np.bincount(block, minlength=beams * SECTORS)
    step, error = np.zeros_like(total), np.tile(prior, (beams, 1))
    for _ in range(REWEIGHTED if len(block) else 0):
        off = rows.off - (rows.by * step[rows.beam]).sum(axis=1)
        scale = max(1.4826 * float(np.median(np.abs(off))), 1e-4)
        weight = 1.0 / (1.0 + (off / (OUTLIER * scale)) ** 2)
        mean = np.bincount(block, weight * off, beams * SECTORS) / np.maximum(np.bincount(block, weight, beams * SECTORS), 1e-9)
        sharing = _sharing(np.where(count >= MIN_RETURNS, count * (mean / scale) ** 2, np.nan).reshape(beams, SECTORS))
        step, error = _solved(rows, weight / (scale**2 * sharing[rows.beam]), total, prior)
    held = [np.bincount(p.beam * SECTORS + p.sector, minlength=beams * SECTORS).reshape(beams, SECTORS) for p in parts]
    return step, error, sum((counts >= MIN_RETURNS).sum(axis=1) for counts in held)


def _sharing(squares: np.ndarray) -> np.ndarray:
    """Design effect of each beam from the squared means of its sectors in units of what chance makes of them (beams, SECTORS): what is usual, or the
    beam's own where that is more."""
    if np.isnan(squares).all():
        return np.ones(len(squares))
    usual = max(float(np.nanmedian(squares)) / _MEDIAN_SQUARE, 1.0)
    return np.maximum(np.nansum(squares, axis=1) / np.maximum(np.isfinite(squares).sum(axis=1), 1), usual)


def _solved(rows: _Returns, weight: np.ndarray, total: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Most likely steps from ``total`` under a normal prior, and standard deviations of what is found, (beams, 2) each."""

    def add(values: np.ndarray) -> np.ndarray:
        return np.bincount(rows.beam, values * weight, len(total))

    by = rows.by.T
    left = np.moveaxis(np.array([[add(a * b) for a in by] for b in by]), -1, 0) + np.diag(prior**-2.0)
    right = np.stack([add(a * rows.off) for a in by], axis=-1) - total / prior**2
    return np.linalg.solve(left, right[..., None])[..., 0], np.sqrt(np.diagonal(np.linalg.inv(left), axis1=1, axis2=2))
