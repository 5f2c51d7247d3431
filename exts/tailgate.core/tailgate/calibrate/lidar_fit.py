"""Fit a LiDAR's response to a reference by simulation: the parameters whose effect on exact scans looks most like the real statistics.

Statistics of real scans mix the device with the scene (relief, clutter, materials), so moments alone misread it. Here exact synthetic scans pass
through the response, the same statistics are taken, and their W1 distance to the reference is brought down (indirect inference, Gourieroux et al.
1993). One family of parameters at a time, each against the statistics that see it; the random numbers stay the same, so the distance is a smooth and
repeatable function of the parameters.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.config.sensor import LidarModel
from tailgate.config.setting import Setting
from tailgate.distributions import Constant, Ranged
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.rng import kernel_seed, rng
from tailgate.sensors.lidar import LidarResponse, limits_of, respond_lidar, respond_lidar_twin
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches, measure_cells
from tailgate.validate.sketch import Sketch, w1

FAMILIES: dict[str, tuple[str, ...]] = {
    "range_noise": ("noise_sigma", "noise_per_metre", "noise_incidence", "noise_correlation", "beam_bias"),
    "hole_rate": ("drop_base", "drop_near", "drop_per_metre", "drop_incidence", "range_10pct", "drop_correlation"),
    "intensity": ("intensity_gain", "intensity_contrast", "intensity_incidence", "intensity_range", "intensity_spread"),
}
"""Statistic -> the parameters fitted against it, in this order."""
SEEN_BY = {
    "range_noise": {"range_noise": 0.0005, "beam_noise": 0.0005},
    "hole_rate": {"hole_rate": 0.002, "run_length": 0.075},
    "intensity": {"intensity": 0.0025, "intensity_texture": 0.005},
}
"""Statistics that a family's distance adds up, and the smallest W1 that counts as one: below it the fit would chase the histogram's bins."""
MAX_CELLS = 240_000
"""Cells of exact scans that a search passes through the response each time: nearly two sweeps of 64 beams, in sectors from all scans."""
FIRST_STEP, LAST_STEP = 0.25, 0.03
"""Steps of the search, as shares of the bounds."""
DESIGN = 16
"""Points of the Latin hypercube that a search begins with."""
PROBE = 0.15
"""Step of the probes that tell how sharply the distance rises about its minimum."""
RESAMPLES = 24
"""Resamples of the reference's place blocks behind the intervals."""


@dataclass(frozen=True)
class Target:
    """The reference as the fit sees it.

    Attributes:
        counts: statistic -> histogram [S, B] over all place blocks.
        resampled: the same for block-bootstrapped reference data.
        floors: statistic -> W1 per stratum that counts as one, [S]: what resampling the reference's places moves it by (median), so that a stratum
            counts as far as it tells of the device and not of the place.
    """

    counts: dict[str, np.ndarray]
    resampled: list[dict[str, np.ndarray]]
    floors: dict[str, np.ndarray]

    @classmethod
    def of(cls, blocks: Sequence[Sketch], seed: int) -> Target:
        """Total and resampled totals of the place blocks."""
        stacks = {n: np.stack([_counts(b, n) for b in blocks]) for n in LIDAR_STATISTICS}
        draws = [rng(seed, "fit_response", 0, k, 0, "resample").integers(len(blocks), size=len(blocks)) for k in range(RESAMPLES)]
        counts = {n: s.sum(axis=0) for n, s in stacks.items()}
        resampled = [{n: s[d].sum(axis=0) for n, s in stacks.items()} for d in draws]
        floors = {}
        for least in SEEN_BY.values():
            for name, floor in least.items():
                moved = [_stratum_w1(counts[name], r[name], name) for r in resampled]
                floors[name] = np.fmax(np.nanmedian(np.vstack([np.full(len(moved[0]), floor), *moved]), axis=0), floor)
        return cls(counts, resampled, floors)


@dataclass(frozen=True)
class _Minimum:
    """A point [k] in unit bounds and its distance."""

    point: np.ndarray
    value: float


def fit_response(
    blocks: Sequence[Sketch], scans: Sequence[SensorFrame], model: LidarModel, prior: Mapping[str, Setting], seed: int = 0
) -> dict[str, Estimate]:
    """Fit every response parameter that has freedom.

    Args:
        blocks: sketches of the reference's feedback part, one per place block.
        scans: exact synthetic scans of the same device, at least one: ``range_true`` (or ``range``), ``incidence``, ``reflectance``, directions.
        model: the device.
        prior: setting by parameter; Constant ones stay, Ranged ones are searched within their bounds from their mean.
        seed: of the random numbers shared by all trials.

    Returns:
        An Estimate per ranged parameter. Deterministic. ``identifiable`` is False where the reference cannot tell half of the bounds apart.
    """
    if not blocks or not scans:
        raise UserError(f"fitting a LiDAR response needs reference blocks and exact scans, got {len(blocks)} and {len(scans)}")
    target = Target.of(blocks, seed)
    exact = [exact_scan(s) for s in scans]
    params = {name: _middle(setting) for name, setting in prior.items()}
    estimates: dict[str, Estimate] = {}
    for family, members in FAMILIES.items():
        free = {name: prior[name].dist for name in members if name in prior and isinstance(prior[name].dist, Ranged)}
        if not free:
            continue
        trial = _intensity_trial if family == "intensity" else _scan_trial
        measure = trial(_sectors(exact), model, dict(params), seed)
        found, fitted = _fit_family(family, free, params, target, measure)
        params.update(fitted)
        estimates.update(found)
    return estimates


def exact_scan(scan: SensorFrame) -> SensorFrame:
    """The scan with its exact ranges in place of the measured ones."""
    channels = dict(scan.channels)
    channels["range"] = channels.get("range_true", channels["range"])
    return replace(scan, channels=channels)


def distance(target: Target, real: Mapping[str, np.ndarray], counts: Mapping[str, np.ndarray], family: str) -> float:
    """Sum over a family's statistics of the mean over strata of W1 in units of ``target.floors``; ``real`` is the target or a resampled one."""
    total = 0.0
    for name in SEEN_BY[family]:
        found = _stratum_w1(real[name], counts[name], name) / target.floors[name]
        total += float(np.nanmean(found)) if np.isfinite(found).any() else 0.0
    return total


def _stratum_w1(real: np.ndarray, counts: np.ndarray, name: str) -> np.ndarray:
    """W1 per stratum [S]; NaN where the reference holds too few values or the synthetic side none.

    A stratum that the synthetic side fills too thinly still counts, mixed with a flat histogram, so that no parameter can win by making returns
    unmeasurable.
    """
    statistic = LIDAR_STATISTICS[name]
    out = np.full(len(real), np.nan)
    for s, (p, q) in enumerate(zip(real, counts, strict=True)):
        if p.sum() >= statistic.min_count and q.sum() > 0:
            thin = max(0.0, 1.0 - q.sum() / statistic.min_count)
            out[s] = w1(p, q / q.sum() * (1 - thin) + thin / len(q), statistic.edges)
    return out


def _fit_family(
    family: str, free: dict[str, Ranged], params: dict[str, float], target: Target, measure: Callable[[dict[str, float]], dict[str, np.ndarray]]
) -> tuple[dict[str, Estimate], dict[str, float]]:
    """Estimates and values of one family, the other parameters held."""
    names = list(free)
    cache: dict[tuple[float, ...], dict[str, np.ndarray]] = {}

    def counts(point: np.ndarray) -> dict[str, np.ndarray]:
        key = tuple(np.round(point, 6))
        if key not in cache:
            cache[key] = measure({n: free[n]._from_unit(float(u)) for n, u in zip(names, point, strict=True)})
        return cache[key]

    start = np.array([free[n]._unit_interval(params[n]) for n in names])
    found = _search(lambda u: distance(target, target.counts, counts(u), family), start)
    noise = float(np.std([distance(target, r, counts(found.point), family) for r in target.resampled]))
    estimates = {}
    n_real = int(sum(target.counts[s].sum() for s in SEEN_BY[family]))
    for i, name in enumerate(names):
        half = _half_width(found, i, noise, lambda u: distance(target, target.counts, counts(u), family))
        estimates[name] = _estimate(free[name], float(found.point[i]), half, n_real, family, found.value)
    return estimates, {name: e.value for name, e in estimates.items()}


def _search(f: Callable[[np.ndarray], float], start: np.ndarray) -> _Minimum:
    """Minimum in the unit box: the best of a Latin hypercube and the start, then pattern search (Hooke and Jeeves 1961).

    Coordinates are tried in turn, a round that improves is followed by a leap of the same length, and the step halves when none improves.
    """
    draw = rng(0, "fit_response", 0, 0, 0, "design", len(start))
    levels = np.stack([draw.permutation(DESIGN) for _ in start], axis=1)
    points = [np.clip(start, 0.0, 1.0), *((levels + 0.5) / DESIGN)]
    values = [f(p) for p in points]
    best = _Minimum(points[int(np.argmin(values))], float(np.min(values)))
    step = FIRST_STEP
    while step >= LAST_STEP:
        found = _around(f, best, step)
        if found.value < best.value:
            leap = np.clip(2 * found.point - best.point, 0.0, 1.0)
            further = _around(f, _Minimum(leap, f(leap)), step)
            best = further if further.value < found.value else found
        else:
            step /= 2
    return _vertex(f, best, 2 * step)


def _vertex(f: Callable[[np.ndarray], float], best: _Minimum, step: float) -> _Minimum:
    """The minimum moved, axis by axis, to the vertex of the parabola through it and the points one last step either way: the search ends on a grid, a
    parameter need not lie on it."""
    point = best.point.copy()
    for i in range(len(point)):
        sides = [best.point.copy() for _ in range(2)]
        for side, sign in zip(sides, (-1.0, 1.0), strict=True):
            side[i] += sign * step
        if not all(0.0 <= side[i] <= 1.0 for side in sides):
            continue
        below, above = (f(side) - best.value for side in sides)
        if below + above > 0:
            point[i] += np.clip(0.5 * step * (below - above) / (below + above), -step, step)
    value = f(point)
    return _Minimum(point, value) if value < best.value else best


def _around(f: Callable[[np.ndarray], float], centre: _Minimum, step: float) -> _Minimum:
    """The best point met while each coordinate in turn is moved by one step either way and kept where it improves."""
    best = centre
    for i in range(len(centre.point)):
        for sign in (1.0, -1.0):
            trial = best.point.copy()
            trial[i] = np.clip(trial[i] + sign * step, 0.0, 1.0)
            value = f(trial) if trial[i] != best.point[i] else np.inf
            if value < best.value - 1e-9:
                best = _Minimum(trial, value)
                break
    return best


def _half_width(found: _Minimum, axis: int, noise: float, f: Callable[[np.ndarray], float]) -> float:
    """Half width of the interval in unit bounds: where a parabola through the probes has risen by the noise."""
    rises, steps = [], []
    for sign in (1.0, -1.0):
        trial = found.point.copy()
        trial[axis] = np.clip(trial[axis] + sign * PROBE, 0.0, 1.0)
        step = abs(trial[axis] - found.point[axis])
        if step > PROBE / 3:
            rises.append(f(trial) - found.value)
            steps.append(step)
    curvature = float(np.mean([r / s**2 for r, s in zip(rises, steps, strict=True)]))
    return float(np.clip(np.sqrt(noise / max(curvature, 1e-9)), LAST_STEP, 0.5))


def _estimate(dist: Ranged, unit: float, half: float, n: int, family: str, value: float) -> Estimate:
    low, high = (dist._from_unit(float(np.clip(unit + s * half, 0.0, 1.0))) for s in (-1, 1))
    sharp = half < 0.25
    how = f"exact scans through the response match {family} of the reference best (distance {value:.2f})"
    why = how if sharp else f"{family} of the reference hardly depends on it"
    return Estimate(dist._from_unit(unit), low, high, n, sharp, why)


def _scan_trial(
    scans: list[SensorFrame], model: LidarModel, base: dict[str, float], seed: int
) -> Callable[[dict[str, float]], dict[str, np.ndarray]]:
    """Statistics of the scans as a function of parameters: response, then the full measurement."""

    def measure(values: dict[str, float]) -> dict[str, np.ndarray]:
        def one(k: int) -> Sketch:
            channels = respond_lidar(scans[k], model, {**base, **values}, kernel_seed("fit_response", seed, k))
            return Sketch.total(lidar_sketches(replace(scans[k], channels=channels)))

        with ThreadPoolExecutor(min(len(scans), os.cpu_count() or 1)) as pool:
            total = Sketch.total(pool.map(one, range(len(scans))))
        return {n: _counts(total, n) for n in LIDAR_STATISTICS}

    return measure


def _intensity_trial(
    scans: list[SensorFrame], model: LidarModel, base: dict[str, float], seed: int
) -> Callable[[dict[str, float]], dict[str, np.ndarray]]:
    """Intensity statistics as a function of parameters: strata do not depend on intensity, so the scans are measured once. Each return on a plane
    comes with its two neighbours on the beam, which its texture needs; returns that lack one are left out."""
    parts = []
    for k, scan in enumerate(scans):
        channels = respond_lidar(scan, model, base, kernel_seed("fit_response", seed, k))
        stratum = measure_cells(replace(scan, channels=channels)).plane_stratum[:, 1:-1]
        exact = tuple(np.asarray(scan.channel(n), dtype=np.float32)[..., 0] for n in ("range", "incidence", "reflectance"))
        triples = tuple(np.stack([a[:, :-2], a[:, 1:-1], a[:, 2:]], axis=-1) for a in exact)
        keep = (stratum >= 0) & (triples[0] > 0).all(axis=-1)
        parts.append((tuple(a[keep][:, :, None] for a in triples), stratum[keep], kernel_seed("fit_response", seed, k)))
    limits = limits_of(model)

    def measure(values: dict[str, float]) -> dict[str, np.ndarray]:
        wanted = {**base, **values}
        law = LidarResponse.of({n: v for n, v in wanted.items() if n.startswith("intensity")})
        sketch = Sketch()
        for exact, stratum, key in parts:
            intensity = respond_lidar_twin(exact, law, replace(limits, range_min=0.0, range_max=np.inf), key)[1][..., 0]
            mean = 0.5 * (intensity[:, 0] + intensity[:, 2])
            texture = np.abs(intensity[:, 1] - mean) / np.where(mean > 0, mean, np.nan)
            sketch.add(LIDAR_STATISTICS["intensity"], stratum, intensity[:, 1])
            sketch.add(LIDAR_STATISTICS["intensity_texture"], stratum, texture)
        return {n: _counts(sketch, n) for n in SEEN_BY["intensity"]}

    return measure


def _sectors(scans: list[SensorFrame]) -> list[SensorFrame]:
    """From every scan one sector, each further round than the last, together at most MAX_CELLS cells (and at least 64 columns each)."""
    total = sum(int(np.prod(s.channel("range").shape)) for s in scans)
    share, out = min(1.0, MAX_CELLS / total), []
    for k, scan in enumerate(scans):
        beams, columns = scan.channel("range").shape[:2]
        width = max(min(64, columns), int(columns * share))
        start = (columns * k) // len(scans)
        pick = (start + np.arange(width)) % columns
        grids = {n: np.asarray(c) for n, c in scan.channels.items()}
        cut = {n: c[:, pick] if c.ndim >= 2 and c.shape[:2] == (beams, columns) else c for n, c in grids.items()}
        out.append(replace(scan, channels=cut))
    return out


def _counts(sketch: Sketch, name: str) -> np.ndarray:
    return np.broadcast_to(np.asarray(sketch.counts.get(name, 0.0), dtype=np.float64), LIDAR_STATISTICS[name].shape)


def _middle(setting: Setting) -> float:
    if isinstance(setting.dist, Constant):
        return float(setting.dist.value)
    if isinstance(setting.dist, Ranged):
        return float(setting.dist.mean)
    raise UserError(f"a response setting must be a constant or ranged number, got {setting.dist.kind}")
