"""Calibration of the batch gate at one batch size: limits from real places, false rejects and power on places that had no part in them.

A statistic is standardized by the root mean square of its null, real pseudo-batches against the other places, which few places estimate without
bias where quantiles come out too small. The joint limit holds the largest of K standardized statistics: the quantile 1 - 0.05/2K of Student's t
with P - 1 degrees of freedom for P places (prediction of a new mean whose spread P others tell, Bonferroni over the statistics), or the q95 of the
largest value over the pseudo-batches where that is larger. Few places so give wide limits, and no limit at all below MIN_PLACES.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from tailgate.config.gate import BatchLimits, Rate, RealNull, StatisticGate
from tailgate.rng import rng
from tailgate.validate.controls import statistic_control
from tailgate.validate.places import Places, stratum_distances, weighted
from tailgate.validate.quantile import over_draws, student_t

LEVEL = 0.05
"""Share of real batches that may be rejected, over all modalities."""
MIN_PLACES = 4
"""Fewest places that tell how places differ."""
POWER = 0.95
"""Share of wrong batches that a statistic must reject at a control's stated strength to gate."""
HELD_OUT = 3
"""One place in three is held out of the limits in a trial; the largest batch is what those hold."""
DRAWS, TRIAL_DRAWS, CONTROL_DRAWS = 400, 64, 16
"""Pseudo-batches behind a null, behind that of one trial, and those of them that are made wrong to weigh the strata."""


@dataclass(frozen=True)
class Wrong:
    """The places under a negative control, by strength.

    Attributes:
        by_strength: from weak to strong; aligned with the real places.
        stated: position of the strength at which the gate must notice.
    """

    by_strength: tuple[Places, ...]
    stated: int = 0


@dataclass(frozen=True)
class Fit:
    """Nulls from some of the places.

    Attributes:
        weights: statistic -> weight of each stratum [S].
        strata: statistic -> median and q95 of each stratum's null, NaN where fewer than half of the draws could be judged [S, 2].
        values: statistic -> its draws [D]; only statistics that at least half of the draws could judge.
        places: how many places.
    """

    weights: dict[str, np.ndarray]
    strata: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    places: int

    @cached_property
    def rms(self) -> dict[str, float]:
        """Unit of each standardized statistic."""
        return {n: max(float(np.sqrt(np.nanmean(v**2))), 1e-12) for n, v in self.values.items()}

    def joint(self, level: float = LEVEL) -> float:
        """Limit of the largest statistic, in units of their rms; infinite where none could be judged (a trial may find too few values)."""
        if not self.values:
            return math.inf
        largest = np.max([np.nan_to_num(v / self.rms[n], nan=0.0) for n, v in self.values.items()], axis=0)
        return max(student_t(1 - level / (2 * len(self.values)), self.places - 1), float(np.quantile(largest, 1 - level)))

    def standardize(self, distances: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Distances per statistic and stratum of one batch [1, S], in units of the rms; statistics that cannot be judged are left out."""
        found = {n: float(weighted(distances[n], self.weights[n])[0]) / unit for n, unit in self.rms.items()}
        return {n: z for n, z in found.items() if math.isfinite(z)}


def fit(places: Places, pool: np.ndarray, size: int, generator: np.random.Generator, draws: int = DRAWS) -> Fit:
    """Nulls of batches of ``size`` blocks: drawn from at most half of the places in ``pool``, against the others in it."""
    batches, references = np.zeros((2, draws, len(places.place)), dtype=bool)
    for d in range(draws):
        batch = places.pick(generator.permutation(pool)[: max(len(pool) // 2, 1)], size, generator)
        batches[d, batch] = True
        others = np.zeros(len(places), dtype=bool)
        others[pool] = True
        others[places.place[batch]] = False
        references[d] = others[places.place]
    weights, strata, values = {}, {}, {}
    for name, statistic in places.statistics.items():
        drawn, against = places.total(name, batches), places.total(name, references)
        found = stratum_distances(statistic, drawn, against)
        judged = np.isfinite(found).mean(axis=0) >= 0.5
        strata[name] = np.full((len(judged), 2), np.nan)
        if not judged.any():
            continue
        strata[name][judged] = over_draws(found[:, judged], *(partial(f, q=[0.5, 0.95], axis=0) for f in (np.quantile, np.nanquantile))).T
        control = stratum_distances(statistic, drawn[:CONTROL_DRAWS] @ statistic_control(statistic)[1], against[:CONTROL_DRAWS])
        weights[name] = _stratum_weights(strata[name], control)
        value = weighted(found, weights[name])
        if np.isfinite(value).mean() >= 0.5:
            values[name] = value
    return Fit(weights, strata, values, len(pool))


def _stratum_weights(null: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Effect of the sketch-level control [D, S] over the squared q95 of the null [S, 2], as shares: the weights that separate the control best from
    real data. Equal where it has no effect, 0 for a stratum without a null."""
    judged = np.isfinite(null[:, 1]) & np.isfinite(control).any(axis=0)
    effect, q95 = np.zeros(len(null)), np.nan_to_num(null[:, 1])
    median = over_draws(control[:, judged], *(partial(f, axis=0) for f in (np.median, np.nanmedian)))
    effect[judged] = np.maximum(median - null[judged, 0], 0.0)
    weights = effect / np.maximum(q95, max(1e-3 * float(q95.max()), 1e-12)) ** 2
    weights = weights if weights.any() else judged.astype(float)
    return weights / max(weights.sum(), 1e-300)


@dataclass(frozen=True)
class Trial:
    """One split of the places: nulls from two thirds, a real batch of the other third, and the same blocks under every control and strength."""

    fit: Fit
    real: dict[str, float]
    wrong: dict[str, list[dict[str, float]]]


def trials(places: Places, wrong: Mapping[str, Wrong], size: int, seed: int, splits: int) -> list[Trial]:
    """Repeat random splits of the places into those that set the limits and those that test them."""
    out = []
    for k in range(splits):
        generator = rng(seed, "", 0, k, 0, "validate.gate_trial", size)
        order = generator.permutation(len(places))
        held = max(len(places) // HELD_OUT, 1)
        own = fit(places, np.sort(order[held:]), size, generator, TRIAL_DRAWS)
        batch = np.zeros((1, len(places.place)), dtype=bool)
        batch[0, places.pick(order[:held], size, generator)] = True
        against = {n: places.total(n, np.isin(places.place, order[held:])[None]) for n in own.values}
        found = {c: [own.standardize(_distances(p, batch, against)) for p in w.by_strength] for c, w in wrong.items()}
        out.append(Trial(own, own.standardize(_distances(places, batch, against)), found))
    return out


def _distances(places: Places, batch: np.ndarray, against: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: stratum_distances(places.statistics[n], places.total(n, batch), r) for n, r in against.items()}


def calibrate(places: Places, wrong: Mapping[str, Wrong], size: int, seed: int, splits: int, level: float = LEVEL) -> BatchLimits | None:
    """Limits at one batch size from all places, and what trials on held-out places say of them; None where no statistic could be judged.

    A statistic gates where at least POWER of the held-out batches are rejected under one control at its stated strength. The joint limit is that of
    all statistics that could be judged: were it that of the gating ones alone, those whose spread the places happen to understate would be chosen.

    Args:
        places: at least MIN_PLACES of them.
        wrong: the same places under each negative control.
        size: blocks in a batch, at most what a third of the places hold.
        seed: of draws and splits.
        splits: trials.
        level: share of real batches that may be rejected.
    """
    whole = fit(places, np.arange(len(places)), size, rng(seed, "", 0, 0, 0, "validate.gate_fit", size))
    if not whole.values:
        return None
    run, names = trials(places, wrong, size, seed, splits), list(whole.values)
    joint, beyond = whole.joint(level), [t.fit.joint(level) for t in run]
    power = {
        n: {c: [_share(t.wrong[c][k].get(n, 0.0) > j for t, j in zip(run, beyond, strict=True)) for k in _steps(w)] for c, w in wrong.items()}
        for n in names
    }
    gating = {n for n in names if any(power[n][c][w.stated] >= POWER for c, w in wrong.items())}
    batches = max(len(places.place) // size, 1)

    def rejected(found: list[dict[str, float]]) -> Rate:
        return wilson(_share(any(z > j for n, z in f.items() if n in gating) for f, j in zip(found, beyond, strict=True)), batches)

    return BatchLimits(
        size=size,
        batches=batches,
        joint=joint,
        false_rejects=rejected([t.real for t in run]),
        power={c: [rejected([t.wrong[c][k] for t in run]) for k in _steps(w)] for c, w in wrong.items()},
        statistics={n: _statistic(whole, run, n, joint, n in gating, power[n]) for n in names},
    )


def _steps(wrong: Wrong) -> range:
    return range(len(wrong.by_strength))


def _share(hits) -> float:
    return float(np.mean(list(hits)))


def _statistic(whole: Fit, run: list[Trial], name: str, joint: float, gates: bool, power: dict[str, list[float]]) -> StatisticGate:
    values = whole.values[name][np.isfinite(whole.values[name])]
    median, q95 = (float(v) for v in np.quantile(values, [0.5, 0.95]))
    # Delete-a-third jackknife (Shao and Wu 1989): estimates from two thirds spread by 1/√2 of what those from all would between references.
    others = [np.nanquantile(t.fit.values[name], 0.95) for t in run if name in t.fit.values]
    spread = 1.645 * math.sqrt(HELD_OUT - 1) * float(np.std(others)) if others else 0.0
    null = RealNull(median=median, q95=q95, q95_low=max(q95 - spread, 0.0), q95_high=q95 + spread, rms=whole.rms[name], n=len(values))
    strata = [None if not np.isfinite(v).all() else (float(v[0]), float(v[1])) for v in whole.strata[name]]
    return StatisticGate(null=null, limit=joint * whole.rms[name], gates=gates, weights=whole.weights[name].tolist(), strata=strata, power=power)


def wilson(share: float, n: int, z: float = 1.96) -> Rate:
    """Interval of a share (Wilson 1927) for ``n`` independent trials. A mean over overlapping batches varies at most as over disjoint ones (Hoeffding
    1948), so ``n`` is the number of disjoint batches."""
    centre, half = (share + z * z / (2 * n)) / (1 + z * z / n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Rate(value=share, low=min(max(centre - half, 0.0), share), high=max(min(centre + half, 1.0), share))
