"""Constant errors of a LiDAR's beams, in range and azimuth, from its own scans: what the factory's calibration left of each laser.

A beam whose range is wrong by b and whose azimuth is reported too large by e lies beside the planes through the beams around it: by b - e dr/da along
the beam, where the surface recedes by dr/da as azimuth grows. A range error shows on every surface alike, an azimuth error on oblique walls, on
either side of the street with another sign (two of the parameters of Glennie and Lichti 2010, Remote Sensing 2, 1610-1624). The planes move with the
errors of the beams around, so all are found at once, by robust least squares with a normal prior (a mixed model, Henderson 1975), and again with the
shifted beams.

An error that many neighbouring beams share moves their planes along and bends no surface; a road that is not plane bends all that beams see of it
alike. So surfaces have an error of their own, alike for neighbouring beams (an Ornstein-Uhlenbeck process over beams): it takes what
beams share, the prior draws that towards none, and the intervals have the prior's spread of it. How widely beams and surfaces err is estimated as
well (EM).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.frames import SensorFrame
from tailgate.geometry.beams import directions
from tailgate.geometry.local_planes import WIDE
from tailgate.validate.lidar_statistics import SECTORS, measure_cells

ROUNDS, SCANS = 5, 8
"""Rounds of the iteration, and the most scans it looks at."""
MIN_RETURNS, MIN_BLOCKS = 20, 3
"""Returns on planes for an azimuth sector of a scan to tell of a beam, and sectors for the beam's errors to be told."""
PRIOR = np.array([0.03, 0.002])
"""Standard deviations of the errors of range [m] and azimuth [rad] before anything is seen, and at most: the accuracy of spinning devices in data
sheets."""
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
BENT, ALIKE = 2e-3, 8.0
"""Standard deviation of surfaces around the planes, before anything is seen [m], and over how many beams it falls to 1/e."""
HALF = 2.4
"""Half intervals in standard errors: 2 by the normal law, and errors of hidden ones were 1.2 times what the fit says (1.0 to 1.4, by scene)."""
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
    """Estimate the constant errors of all beams; what many beams share is drawn towards none.

    Args:
        scans: organised scans of one device, with ``rounding`` where their coordinates were stored coarsely.
    """
    scans = scans[:: -(-len(scans) // SCANS)]
    beams = len(np.asarray(scans[0].channel("range")))
    total, prior, chance, known = np.zeros((beams, 2)), PRIOR, np.tile(PRIOR, (beams, 1)), np.zeros(2, dtype=bool)
    for k in range(ROUNDS):
        found, blocks = _fit(_beside_planes(scans, total), total, prior)
        told = blocks >= MIN_BLOCKS
        if k == 0 and told.any():
            chance, known = found.chance, np.median(found.chance[told], axis=0) < KNOWN * PRIOR
            prior = np.where(known & _beyond_chance(found.alone[told], chance[told]), PRIOR, _NONE)
        total = np.where(prior > _NONE, total + found.step, 0.0)
        if told.any():
            usual = np.sqrt(np.mean((total**2 + found.error**2)[told], axis=0))
            prior = np.where(prior > _NONE, np.clip(usual, LEAST, PRIOR), _NONE)
    unit, half = np.array([1.0, 180.0 / np.pi]), HALF * np.where(prior > _NONE, found.error, np.maximum(chance, LEAST))
    return BeamErrors(*(_estimates(v, h, told & sure, blocks) for v, h, sure in zip((total * unit).T, (half * unit).T, known, strict=True)))


def unnamed(errors: Sequence[Estimate]) -> Estimate | None:
    """Spread of the range errors that these do not name [m], of as many beams as were not told; None where none was told."""
    told = [e for e in errors if e.identifiable]
    if not told:
        return None
    if not any(e.value for e in errors):
        return Estimate(0.0, 0.0, float(LEAST[0]), len(told), True, told[0].why)
    if len(told) == len(errors):
        return Estimate(0.0, 0.0, 0.0, len(told), True, "range_offset_m names the error of every beam")
    spread = float(np.sqrt(np.mean([e.value**2 + ((e.high - e.low) / (2 * HALF)) ** 2 for e in told])))
    half = 2.0 * spread / np.sqrt(2.0 * len(told))
    why = f"spread of the {len(told)} beams that were told, for the {len(errors) - len(told)} that were not"
    return Estimate(spread, max(spread - half, 0.0), spread + half, len(told), True, why)


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
    how = "the beam's distance from the planes of those beside it; what many beams share is not seen, and its interval has it"
    none = "too few planes lie before the beam"
    return [
        Estimate(float(v), float(v - h), float(v + h), int(k), True, how) if known else Estimate(0.0, -np.inf, np.inf, int(k), False, none)
        for v, h, k, known in zip(value, half, n, told, strict=True)
    ]


@dataclass(frozen=True)
class _Returns:
    """Returns on planes, one row each, and what is common to those of a beam.

    Attributes:
        beam, block: beam, and azimuth sector of one scan.
        off: distance from the plane [m].
        by: its growth with the range error of the beam against its plane [1], with that of azimuth [m/rad], and with the surface's own [1].
        beside: errors of all beams -> those of each against its plane [beams, beams].
        stored: standard deviation of coordinates by their storage [m], [beams].
    """

    beam: np.ndarray
    block: np.ndarray
    off: np.ndarray
    by: np.ndarray
    beside: np.ndarray
    stored: np.ndarray


def _beside_planes(scans: Sequence[SensorFrame], errors: np.ndarray) -> _Returns:
    """Returns of scans without these errors [m], [rad] of their beams (beams, 2)."""
    rows, beams = [], len(errors)
    moves, steps = np.zeros((beams, beams)), np.zeros(beams)
    for k, scan in enumerate(scans):
        rng, azimuth = np.asarray(scan.channel("range")), np.asarray(scan.channel("azimuth"))
        moved = {
            "range": np.where(rng > 0, rng - errors[:, :1, None], 0.0).astype(np.float32),
            "azimuth": (azimuth - np.rad2deg(errors[:, 1:])).astype(np.float32),
        }
        cells = measure_cells(replace(scan, channels={**scan.channels, **moved}))
        r, rays = moved["range"][..., 0].astype(np.float64), directions(moved["azimuth"], scan.channel("elevation"))
        recedes = _recedes(r, azimuth)
        beam, column = at = np.nonzero((cells.noise_stratum >= 0) & np.isfinite(recedes))
        cosine = cells.planes.incidence[at].astype(np.float64)
        off = cells.residual[at] * np.sqrt(1.0 + cells.planes.leverage[at])
        moves += _moves(r, rays, at)
        if scan.rounding:
            steps += np.bincount(beam, scan.rounding.steps(rays[at] * r[at][:, None]), beams)
        rows.append((beam, k * SECTORS + cells.sector[at], off, np.c_[cosine, -cosine * recedes[at], np.ones(len(beam))]))
    beam, block, off, by = (np.concatenate(column) for column in zip(*rows, strict=True))
    count = np.maximum(np.bincount(beam, minlength=beams), 1)
    return _Returns(beam, block, off, by, np.eye(beams) - moves / count[:, None], steps / count / np.sqrt(12.0))


def _moves(rng: np.ndarray, rays: np.ndarray, at: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How far the planes of a beam's cells move along it with a range error of each beam, summed over cells [beams, beams].

    Inverse range is fitted, so a return of range r in direction q moves the plane by (r̂ r)² d · M⁻¹ q of its error in direction d, with M the sum of
    r⁴ q qᵀ over the window. In single cells these shares hold the noise that they weigh; on average they do not.
    """
    (beam, column), (half, width) = at, WIDE
    v, m = rays * rng[..., None] ** 2, np.einsum("...i,...j->...ij", rays, rays) * rng[..., None, None] ** 4
    of_v, of_m = (sum(np.roll(x, k, axis=1) for k in range(-width, width + 1)) for x in (v, m))
    row = beam[:, None] + np.arange(-half, half + 1)
    inside = (row >= 0) & (row < len(rng))
    row = np.clip(row, 0, len(rng) - 1)
    V, M = of_v[row, column[:, None]] * inside[..., None], of_m[row, column[:, None]] * inside[..., None, None]
    V[:, half] -= v[at]
    a = np.linalg.solve(M.sum(axis=1) - m[at], rays[at][..., None])[..., 0]
    out = np.zeros((len(rng), len(rng)))
    np.add.at(out, (beam[:, None], row), rng[at][:, None] ** 2 * np.einsum("ni,nki->nk", a, V))
    return out


def _recedes(rng: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """How range grows with azimuth along each beam [m/rad], across the window of its plane; NaN without returns at both ends."""
    ahead, back = (np.where((r := np.roll(rng, shift, axis=1)) > 0, r, np.nan) for shift in (-WIDE[1], WIDE[1]))
    turn = (np.roll(azimuth, -WIDE[1], axis=1) - np.roll(azimuth, WIDE[1], axis=1) + 180.0) % 360.0 - 180.0
    return (ahead - back) / np.deg2rad(np.where(np.abs(turn) > 1e-6, turn, np.nan))


@dataclass(frozen=True)
class _Found:
    """Steps of the errors [m], [rad] and their standard errors; the same of each beam with the others held; (beams, 2) each. Distance of the surface
    from the planes of each beam [m] and the standard deviation of that [m]."""

    step: np.ndarray
    error: np.ndarray
    alone: np.ndarray
    chance: np.ndarray
    surface: np.ndarray
    bent: float


def _fit(rows: _Returns, total: np.ndarray, prior: np.ndarray) -> tuple[_Found, np.ndarray]:
    """Steps of the errors, and azimuth sectors that tell of each beam, [beams].

    Returns of one sector share its surfaces, so they tell less than as many of different ones: the variance of the sectors' means over that of
    independent returns divides their weight (the design effect of cluster samples, Kish 1965).
    """
    beams, blocks = len(total), int(rows.block.max(initial=0)) + 1
    block = rows.beam * blocks + rows.block
    count = np.bincount(block, minlength=beams * blocks)
    none, wide = np.zeros_like(total), np.tile(prior, (beams, 1))
    found = _Found(none, wide, none, wide, np.zeros(beams), BENT)
    for _ in range(REWEIGHTED if len(block) else 0):
        off = rows.off - (rows.by * np.c_[rows.beside @ found.step, found.surface][rows.beam]).sum(axis=1)
        scale = max(1.4826 * float(np.median(np.abs(off))), 1e-4)
        weight = 1.0 / (1.0 + (off / (OUTLIER * scale)) ** 2)
        mean = np.bincount(block, weight * off, beams * blocks) / np.maximum(np.bincount(block, weight, beams * blocks), 1e-9)
        sharing = _sharing(np.where(count >= MIN_RETURNS, count * (mean / scale) ** 2, np.nan).reshape(beams, blocks))
        found = _solved(rows, weight / (scale**2 * sharing[rows.beam]), total, prior, found.bent)
    return found, (count.reshape(beams, blocks) >= MIN_RETURNS).sum(axis=1)


def _sharing(squares: np.ndarray) -> np.ndarray:
    """Design effect of each beam from the squared means of its sectors in units of what chance makes of them (beams, blocks): what is usual, or the
    beam's own where that is more."""
    if np.isnan(squares).all():
        return np.ones(len(squares))
    usual = max(float(np.nanmedian(squares)) / _MEDIAN_SQUARE, 1.0)
    return np.maximum(np.nansum(squares, axis=1) / np.maximum(np.isfinite(squares).sum(axis=1), 1), usual)


def _solved(rows: _Returns, weight: np.ndarray, total: np.ndarray, prior: np.ndarray, bent: float) -> _Found:
    """Most likely steps from ``total`` and surfaces, under normal priors of these standard deviations."""
    beams, one = len(total), np.eye(len(total))

    def add(values: np.ndarray) -> np.ndarray:
        return np.bincount(rows.beam, values * weight, beams)

    by, T = rows.by.T, np.stack([rows.beside, rows.beside, one])
    M, v = np.array([[add(a * b) for a in by] for b in by]), np.array([add(a * rows.off) for a in by])
    alike = np.exp(-np.abs(np.subtract.outer(np.arange(beams), np.arange(beams))) / ALIKE)
    surface = bent**2 * alike + np.diag(rows.stored**2)
    P = np.stack([one / prior[0] ** 2, one / prior[1] ** 2, np.linalg.inv(surface)])
    H = np.einsum("pki,pqk,qkj->piqj", T, M, T, optimize=True)
    H[np.arange(3), :, np.arange(3)] += P
    g = np.einsum("pki,pk->pi", T, v) - np.einsum("pij,pj->pi", P, np.vstack([total.T, np.zeros(beams)]))
    V = np.linalg.inv(H.reshape(3 * beams, -1))
    x = (V @ g.ravel()).reshape(3, beams)
    own = np.linalg.inv(np.moveaxis(np.diagonal(H, axis1=1, axis2=3), -1, 0)[:, :2, :2])
    spread = [np.sqrt(np.diagonal(part, axis1=-2, axis2=-1)) for part in (V, own)]
    error = spread[0].reshape(3, beams)[:2].T
    bent = _bent(np.outer(x[2], x[2]) + V[2 * beams :, 2 * beams :], bent**2 * alike, P[2])
    return _Found(x[:2].T, error, np.einsum("kpq,qk->kp", own, g[:2]), spread[1], x[2], bent)


def _bent(square: np.ndarray, alike: np.ndarray, inverse: np.ndarray) -> float:
    """Standard deviation of surfaces [m], by one step of EM from their expected square, from the covariance that beams share so far, and from the
    inverse of that with storage; [beams, beams] each."""
    A = alike @ inverse
    S = A @ square @ A.T + alike - A @ alike
    return float(np.sqrt(max(alike[0, 0] * np.trace(np.linalg.solve(alike, S)) / len(S), 1e-10)))
