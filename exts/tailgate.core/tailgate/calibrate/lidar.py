"""Estimate a LiDAR's response from its own scans by moments, and (``fit_response``) by simulation.

Moments need real scans only. What they cannot tell apart without the scene (the range limit, and the level and spread of intensity, which hang on the
materials) is marked so; ``fit_response`` takes these from exact synthetic scans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.lidar_fit import fit_response
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.sensors.lidar import INTENSITY_REFERENCE, NEAR_LENGTH
from tailgate.validate.lidar_statistics import SECTORS, Cells, measure_cells

__all__ = ["estimate_lidar", "fit_response", "non_negative_fit"]

RANGE_BINS = np.array([1.0, 3.0, 5.0, 8.0, 12.0, 17.0, 24.0, 34.0, 48.0, 70.0])
ANGLE_BINS = np.array([0.0, 15.0, 30.0, 42.0, 53.0, 62.0, 69.0, 75.0, 80.0])
"""Bins of range [m] and incidence [deg] whose moments the laws are fitted to."""
MIN_BIN = 80
FAR_LOSS = 30.0
"""Losses are read up to this range [m]: beyond it the range limit takes over."""
FOLDS = 8
"""Groups of the delete-a-group jackknife over place blocks."""
_BIAS_LEVERAGE = (36 / 44) ** 2 + 4 * (9 / 44) ** 2
"""Variance of a ring's mean residual over that of its offset: of a cell's 44 neighbours 8 lie on its own ring and 9 on each of four others."""


@dataclass(frozen=True)
class Pool:
    """Measured cells of all scans, one row each, with NaN where a value was not measured.

    Attributes:
        block: place block (scan and azimuth sector).
        ring: beam.
        range, cosine: of the wide plane [m], 0..1, for cells on planes.
        residual, beam_residual: along the beam [m].
        intensity: 0..1.
        hole_range: range of the near plane [m] for hole candidates.
        missing: 1.0 where a hole candidate has no return, else 0.0.
        after_missing: the same of the next column of the beam, NaN where that is no candidate.
    """

    block: np.ndarray
    ring: np.ndarray
    range: np.ndarray
    cosine: np.ndarray
    residual: np.ndarray
    beam_residual: np.ndarray
    intensity: np.ndarray
    hole_range: np.ndarray
    missing: np.ndarray
    after_missing: np.ndarray

    def without(self, fold: int) -> Pool:
        """The pool without every FOLDS-th block."""
        keep = self.block % FOLDS != fold
        return Pool(**{name: value[keep] for name, value in vars(self).items()})


def estimate_lidar(frames: Sequence[SensorFrame], model: LidarModel) -> dict[str, Estimate]:
    """Estimate response parameters from scans by the method of moments.

    Args:
        frames: organised scans of one device with range, intensity and directions.
        model: the device; parameters that its response does not have are left out (all are given for an empty response).

    Returns:
        An Estimate per parameter of ``sensors.lidar.LidarResponse`` but ``intensity_step``, with jackknife intervals.
    """
    if not frames:
        raise UserError("estimating a LiDAR response needs at least one scan, got none")
    pool = _pool([measure_cells(f) for f in frames])
    laws: dict[str, tuple[Callable[[Pool], dict[str, float]], str]] = {
        "noise": (_noise, "spread about local planes by range and incidence"),
        "drop": (_drop, "missing cells on local planes by range and incidence"),
        "intensity": (_intensity, "slope of log intensity on log cosine and log range"),
    }
    out: dict[str, Estimate] = {}
    for law, how in laws.values():
        whole = law(pool)
        folds = [law(pool.without(k)) for k in range(FOLDS)]
        for name, value in whole.items():
            out[name] = _with_interval(name, value, [f[name] for f in folds], int(np.isfinite(pool.range).sum()), how)
    scene = "the scene's materials decide as much: use fit_response with exact scans"
    for name in ("intensity_incidence", "intensity_range"):
        out[name] = replace(out[name], identifiable=False, why=scene)
    for name in ("range_10pct", "intensity_gain", "intensity_contrast", "intensity_spread"):
        out[name] = Estimate(float("nan"), float("nan"), float("nan"), 0, False, scene)
    return {name: e for name, e in out.items() if not model.response or name in model.response}


def non_negative_fit(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Least squares with non-negative coefficients, exact by trying every subset of at most five columns.

    Args:
        design: [n, k], k <= 5.
        values, weights: [n]; weights multiply squared residuals.
    """
    root = np.sqrt(weights)
    best, best_error = np.zeros(design.shape[1]), float(np.sum(weights * values**2))
    for size in range(1, design.shape[1] + 1):
        for subset in combinations(range(design.shape[1]), size):
            columns = design[:, subset]
            solution = np.linalg.lstsq(columns * root[:, None], values * root, rcond=None)[0]
            error = float(np.sum(weights * (values - columns @ solution) ** 2))
            if (solution >= 0).all() and error < best_error - 1e-15:
                best, best_error = np.zeros(design.shape[1]), error
                best[list(subset)] = solution
    return best


def _pool(measured: list[Cells]) -> Pool:
    parts = []
    for k, cells in enumerate(measured):
        cosine = np.maximum(cells.planes.incidence.astype(np.float64), 1e-3)
        on, hole = cells.noise_stratum >= 0, cells.hole_stratum >= 0
        nan = np.full(cosine.shape, np.nan)
        missing = np.where(hole, cells.missing, np.nan)
        parts.append(
            {
                "block": k * SECTORS + cells.sector,
                "ring": np.broadcast_to(np.arange(cosine.shape[0])[:, None], cosine.shape),
                "range": np.where(on, cells.planes.wide_range, nan),
                "cosine": cosine,
                "residual": np.where(on, cells.residual / cosine, nan),
                "beam_residual": np.where(on, cells.beam_residual / cosine, nan),
                "intensity": np.where(on, cells.intensity, nan),
                "hole_range": np.where(hole, cells.planes.near_range, nan),
                "missing": missing,
                "after_missing": np.roll(missing, -1, axis=1),
            }
        )
    return Pool(**{name: np.concatenate([p[name].ravel() for p in parts]) for name in parts[0]})


def _bins(rng: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Index of the range x incidence bin, -1 outside."""
    i = np.searchsorted(RANGE_BINS, rng, side="right") - 1
    j = np.searchsorted(ANGLE_BINS, np.rad2deg(np.arccos(np.clip(cosine, 0, 1))), side="right") - 1
    inside = np.isfinite(rng) & (i >= 0) & (i < len(RANGE_BINS) - 1) & (j >= 0) & (j < len(ANGLE_BINS) - 1)
    return np.where(inside, i * (len(ANGLE_BINS) - 1) + j, -1)


def _robust(values: np.ndarray) -> float:
    """Standard deviation of a normal with this median absolute deviation about zero."""
    return float(1.4826 * np.median(np.abs(values))) if len(values) else float("nan")


def _noise(pool: Pool) -> dict[str, float]:
    """Noise law from the residuals without their rings' offsets, correlation from the residuals along a beam."""
    use = np.isfinite(pool.residual) & np.isfinite(pool.range)
    rows = {n: getattr(pool, n)[use] for n in ("ring", "range", "cosine", "residual", "beam_residual")}
    offset, spread, filled = np.zeros(int(rows["ring"].max()) + 1), 0.0, []
    steep = rows["cosine"] > np.cos(np.deg2rad(70.0))
    for k in range(len(offset)):
        mine = rows["residual"][(rows["ring"] == k) & steep]
        if len(mine) >= MIN_BIN:
            offset[k] = np.median(mine)
            spread += 1.57 * np.var(mine) / len(mine)
            filled.append(k)
    bias = max(float(np.var(offset[filled])) - spread / max(len(filled), 1), 0.0) / _BIAS_LEVERAGE if filled else 0.0
    residual = rows["residual"] - offset[rows["ring"]]
    index = _bins(rows["range"], rows["cosine"])
    design, variance, weight, ratios = [], [], [], []
    for b in np.unique(index[index >= 0]):
        here = index == b
        if here.sum() < MIN_BIN:
            continue
        r, cosine = float(np.mean(rows["range"][here])), rows["cosine"][here]
        v = _robust(residual[here]) ** 2
        design.append([1.0, r**2, float(np.mean((1 - cosine**2) / cosine**2))])
        variance.append(v)
        weight.append(here.sum() / v**2)
        along = rows["beam_residual"][here]
        ratios.append((_robust(along[np.isfinite(along)]) ** 2 / v, here.sum()))
    if len(variance) < 3:
        return dict.fromkeys(("noise_sigma", "noise_per_metre", "noise_incidence", "noise_correlation", "beam_bias"), float("nan"))
    law = np.sqrt(non_negative_fit(np.array(design), np.array(variance), np.array(weight)))
    ratio = float(np.average([q for q, _ in ratios], weights=[n for _, n in ratios]))
    rho = float(np.clip(2.0 - np.sqrt(max(1.0 + 3.0 * ratio, 0.0)), 0.0, 0.85))
    return {
        "noise_sigma": float(law[0]),
        "noise_per_metre": float(law[1]),
        "noise_incidence": float(law[2]),
        "noise_correlation": rho,
        "beam_bias": float(np.sqrt(bias)),
    }


def _drop(pool: Pool) -> dict[str, float]:
    """Loss law from hole rates; correlation from pairs of neighbouring candidates."""
    use = np.isfinite(pool.missing) & (pool.hole_range < FAR_LOSS)
    r, cosine, missing, after = pool.hole_range[use], pool.cosine[use], pool.missing[use], pool.after_missing[use]
    index = _bins(r, cosine)
    design, rate, weight, expected = [], [], [], []
    for b in np.unique(index[index >= 0]):
        here = index == b
        if here.sum() < MIN_BIN:
            continue
        p = float(missing[here].mean())
        at, grazing = float(r[here].mean()), float(np.mean((1 - cosine[here]) ** 2))
        design.append([1.0, float(np.exp(-at / NEAR_LENGTH)), at, grazing])
        rate.append(p)
        weight.append(here.sum() / max(p * (1 - p), 0.002))
        pairs = here & np.isfinite(after)
        expected.append((p, int(pairs.sum()), float((missing[pairs] * after[pairs]).sum())))
    names = ("drop_base", "drop_near", "drop_per_metre", "drop_incidence")
    if len(rate) < 4:
        return dict.fromkeys((*names, "drop_correlation"), float("nan"))
    law = non_negative_fit(np.array(design), np.array(rate), np.array(weight))
    return {**{n: float(v) for n, v in zip(names, law, strict=True)}, "drop_correlation": _tetrachoric(expected)}


def _tetrachoric(bins: list[tuple[float, int, float]]) -> float:
    """Correlation of two normals for which thresholding gives the counted pairs; bins hold (rate, pairs, pairs missing together)."""
    from statistics import NormalDist

    normal, counted = NormalDist(), sum(both for _, _, both in bins)
    x = np.linspace(-6.0, 6.0, 481)
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    cdf = np.array([normal.cdf(v) for v in x])

    def together(rho: float) -> float:
        total = 0.0
        for rate, pairs, _ in bins:
            if 0.0 < rate < 1.0 and pairs:
                a = normal.inv_cdf(rate)
                total += pairs * float(np.sum(density * (x <= a) * np.interp((a - rho * x) / np.sqrt(1 - rho**2), x, cdf)))
        return total

    low, high = 0.0, 0.85
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if together(middle) < counted else (low, middle)
    return 0.5 * (low + high)


def _intensity(pool: Pool) -> dict[str, float]:
    """Slopes of log intensity on log cosine and log(10 m / range)."""
    use = np.isfinite(pool.intensity) & (pool.intensity > 0) & (pool.intensity < 1) & np.isfinite(pool.range)
    names = ("intensity_incidence", "intensity_range")
    if use.sum() < MIN_BIN:
        return dict.fromkeys(names, float("nan"))
    x = np.stack([np.ones(use.sum()), np.log(pool.cosine[use]), np.log(INTENSITY_REFERENCE / pool.range[use])], axis=1)
    slopes = np.linalg.lstsq(x, np.log(pool.intensity[use]), rcond=None)[0]
    return dict(zip(names, (float(slopes[1]), float(slopes[2])), strict=True))


def _with_interval(name: str, value: float, folds: list[float], n: int, how: str) -> Estimate:
    """Delete-a-group jackknife interval (Kott 2001) of two standard errors."""
    if not np.isfinite(value) or not np.isfinite(folds).all():
        return Estimate(float("nan"), float("nan"), float("nan"), n, False, f"too few returns on planes for the {how}")
    error = float(np.sqrt((FOLDS - 1) / FOLDS * np.sum((np.array(folds) - np.mean(folds)) ** 2)))
    low, high = max(value - 2 * error, 0.0), value + 2 * error
    sharp = value > 0 and high - low < 2 * value
    return Estimate(value, low, high, n, sharp, how if sharp else f"{how}: its interval is wider than its value")
