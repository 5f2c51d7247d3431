"""Indirect inference (Gouriéroux, Monfort and Renault 1993): settings of a simulator whose output has the statistics of the reference.

The auxiliary vector is the cumulative histogram of every statistic and stratum, scaled so that its squared difference is the Cramér distance over the
reference's own spread: unit-free, smooth where the settings act smoothly, and small when the 1-D Wasserstein distance is. Each stratum weighs by how
well it is known, at first at the middle of the bounds and then at the best point so far (two-step estimation, Hansen 1982). The distance is minimised
by Gauss-Newton steps from the middle, or from an end that suits far better, with the pull of a uniform prior back to the middle.

Blocks of one scene share its materials and surfaces, so they tell less than as many blocks of different scenes. How much less is learnt where scenes
are told apart, on the simulated side, and widens the intervals (the design effect of cluster samples, Kish 1965).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.distributions import Ranged
from tailgate.validate.sketch import Sketch, Statistic

_STEPS = (0.12, 0.06)
"""Steps of the finite differences, as shares of the bounds: of the first round and of the others."""
_ROUNDS, _STILL = 8, 0.02
"""Most rounds, and the move in one round, as a share of the bounds, below which a family has settled."""
_DAMPING = 0.02
"""First damping of each Jacobian's steps, as a share of the curvature."""
_REACH = 0.35
"""Longest step of one iteration, as a share of the bounds."""
_MARGIN = 0.005
_TRIALS = 6
"""Simulations spent on each Jacobian, which is taken at the best point so far."""
_MISFIT = 0.04
"""Standard deviation of a stratum's scaled distance that no simulator is expected to undercut."""
_MIN_BLOCKS = 1.8
"""A stratum that fewer blocks carry tells of those blocks rather than of the sensor."""
_PRIOR_VARIANCE = 1.0 / 12.0
"""Variance of a uniform prior on the bounds."""
_WIDER = 1.5
"""Intervals of the linearised fit are made so much wider: hidden responses lay within them in 84 % of the cases only (benchmarks/truth.py)."""
_DECIDED = 0.6
"""A setting is identified when the reference gives at least this share of its resolution."""


Heard = Callable[[int, int], None]
"""Hears how many simulations are done, of at most about how many."""
_SIMULATIONS = 12
"""Simulations that a setting costs at most, as a rule."""


@dataclass(frozen=True)
class Problem:
    """What to fit.

    Attributes:
        reference: sketches of the reference, one per independent block.
        statistics: which statistics to match.
        priors: setting -> bounds; the middle is where the search starts.
        seen_by: setting -> the statistics it is fitted against; what it does to others is left out. Settings seen by the same ones are a family.
        felt_by: setting -> further statistics that it moves without being fitted against them: its error is one of the settings that are.
        simulate: settings' values -> for each scene the sketches of its blocks; the same random numbers at every call.
    """

    reference: Sequence[Sketch]
    statistics: Mapping[str, Statistic]
    priors: Mapping[str, Ranged]
    seen_by: Mapping[str, Sequence[str]]
    simulate: Callable[[dict[str, float]], list[list[Sketch]]]
    felt_by: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fit:
    """Result of ``fit``: an estimate per setting and the distance before and after."""

    estimates: dict[str, Estimate]
    distance_prior: float
    distance: float


class _Auxiliary:
    """Turns sketches into the auxiliary vector; strata, scales and weights are set by the reference and one simulation."""

    def __init__(self, problem: Problem, scenes: Sequence[Sequence[Sketch]]):
        self.parts, self.share = [], {}
        simulated = [block for scene in scenes for block in scene]
        totals = [Sketch.total(blocks) for blocks in (problem.reference, simulated)]
        for name, statistic in problem.statistics.items():
            real, made = (np.broadcast_to(s.counts.get(name, 0.0), statistic.shape) for s in totals)
            widths = np.diff(statistic.edges)
            spread_out = np.minimum(*(_effective_blocks(blocks, name, statistic) for blocks in (problem.reference, simulated)))
            for row in np.flatnonzero((np.minimum(real.sum(1), made.sum(1)) >= statistic.min_count) & (spread_out >= _MIN_BLOCKS)):
                cdf = np.cumsum(real[row]) / real[row].sum()
                spread = max(float((cdf * (1 - cdf) * widths).sum()), 1e-3 * float(widths.sum()))
                self.parts.append((name, int(row), np.sqrt(widths / spread)))
                self.share[name, int(row)] = float(np.minimum(real[row].sum(), made[row].sum()))
            held = [v for (own, _), v in self.share.items() if own == name]
            self.share.update({key: (v / np.mean(held)) ** 0.25 for key, v in self.share.items() if key[0] == name})
        self._weigh(_Known.of(problem.reference, scenes, self))

    def _weigh(self, known: _Known) -> None:
        """Divide each stratum by its standard deviation, sampling and misfit."""
        variance = (known.reference**2).sum(0) + (known.scenes**2).sum(0)
        weighed, at = [], 0
        for name, row, scale in self.parts:
            own = float(variance[at : at + len(scale)].sum())
            weighed.append((name, row, scale * self.share[name, row] / np.sqrt(own + _MISFIT**2)))
            at += len(scale)
        self.parts = weighed

    def __call__(self, sketch: Sketch) -> np.ndarray:
        out = []
        for name, row, scale in self.parts:
            counts = np.asarray(sketch.counts.get(name, np.zeros((row + 1, len(scale)))))[row]
            out.append(scale * np.cumsum(counts) / max(counts.sum(), 1e-9))
        return np.concatenate(out) if out else np.zeros(0)

    def statistic_of(self) -> np.ndarray:
        """Name of the statistic behind each component."""
        return np.array([name for name, _, scale in self.parts for _ in scale])


@dataclass(frozen=True)
class _Known:
    """Rows whose sums of squares are jackknife variances of the auxiliary vector: over the reference's blocks, over simulated scenes and over
    simulated blocks, [n, components] each."""

    reference: np.ndarray
    scenes: np.ndarray
    blocks: np.ndarray

    @classmethod
    def of(cls, reference: Sequence[Sketch], scenes: Sequence[Sequence[Sketch]], auxiliary: _Auxiliary) -> _Known:
        whole = [Sketch.total(scene) for scene in scenes]
        return cls(*(_jackknife_shifts(part, auxiliary) for part in (reference, whole, [block for scene in scenes for block in scene])))

    def variances(self, gain: np.ndarray) -> np.ndarray:
        """Variances [k] of linear combinations ``gain`` [k, components] of what the reference and the simulation differ by."""
        reference, scenes, blocks = (((rows @ gain.T) ** 2).sum(0) for rows in (self.reference, self.scenes, self.blocks))
        return reference * np.maximum(scenes / np.maximum(blocks, 1e-30), 1.0) + scenes


class _Search:
    """Gauss-Newton on the unit cube of the settings' bounds, with a ridge towards the middle."""

    def __init__(self, problem: Problem):
        self.problem, self.names = problem, sorted(problem.priors)
        self.best = np.full(len(self.names), 0.5)
        self.first = self.scenes = problem.simulate(self.values(self.best))
        self.ridge = 1.0 / _PRIOR_VARIANCE
        self.weigh()

    def weigh(self) -> None:
        """Set up strata, scales and weights by the scenes at the best point."""
        self.auxiliary = _Auxiliary(self.problem, self.scenes)
        statistic = self.auxiliary.statistic_of()
        self.mask = np.stack([np.isin(statistic, self.problem.seen_by[name]) for name in self.names], axis=1)
        self.target = self.auxiliary(Sketch.total(self.problem.reference))
        self.J = np.zeros((len(self.target), len(self.names)))
        self.residual = self.auxiliary(total(self.scenes)) - self.target

    def values(self, u: np.ndarray) -> dict[str, float]:
        """Settings' values at a point of the cube."""
        return {n: float(self.problem.priors[n]._from_unit(float(v))) for n, v in zip(self.names, u, strict=True)}

    def evaluate(self, u: np.ndarray) -> tuple[list[list[Sketch]], np.ndarray]:
        """Simulated scenes and residual at a point."""
        scenes = self.problem.simulate(self.values(u))
        return scenes, self.auxiliary(total(scenes)) - self.target

    def scatter(self, family: np.ndarray) -> None:
        """Start one setting of a family from an end of its bounds where that halves the distance: an effect that is strong at the middle can hide the
        others, and steps from there then lead elsewhere."""
        rows, start = self.mask[:, family].any(axis=1), self.best
        least = self._loss(start, self.residual, rows) / 4.0
        for k in family:
            for end in (_MARGIN, 1.0 - _MARGIN):
                trial = start.copy()
                trial[k] = end
                scenes, residual = self.evaluate(trial)
                loss = self._loss(trial, residual, rows)
                if loss < least:
                    self.best, self.scenes, self.residual, least = trial, scenes, residual, loss

    def descend(self, family: np.ndarray, width: float) -> float:
        """Levenberg-Marquardt steps of one family, the others held: a Jacobian, then trials with Broyden updates until two steps were taken.

        Returns:
            The largest move of a setting.
        """
        start = self.best[family]
        rows = self.mask[:, family].any(axis=1)
        self.J[:, family] = J = self._jacobian(family, width) * self.mask[:, family]
        taken, damping = 0, _DAMPING
        for _ in range(_TRIALS):
            H = J.T @ J + self.ridge * np.eye(len(family))
            gradient = J.T @ self.residual + self.ridge * (self.best[family] - 0.5)
            step = -np.linalg.solve(H + damping * np.diag(np.diag(H)), gradient)
            trial = self.best.copy()
            trial[family] = np.clip(self.best[family] + np.clip(step, -_REACH, _REACH), _MARGIN, 1 - _MARGIN)
            moved = (trial - self.best)[family]
            if np.abs(moved).max() < 2e-3 or taken == 2:
                break
            scenes, residual = self.evaluate(trial)
            J = J + self.mask[:, family] * np.outer(residual - self.residual - J @ moved, moved) / (moved @ moved)
            if self._loss(trial, residual, rows) < self._loss(self.best, self.residual, rows):
                self.best, self.scenes, self.residual = trial, scenes, residual
                damping, taken = damping / 4, taken + 1
            else:
                damping *= 5
        self.J[:, family] = J
        return float(np.abs(self.best[family] - start).max())

    def _loss(self, u: np.ndarray, residual: np.ndarray, rows: np.ndarray) -> float:
        """Squared auxiliary distance in a family's statistics plus the pull to the middle."""
        return float((residual[rows] ** 2).sum() + self.ridge * ((u - 0.5) ** 2).sum())

    def _jacobian(self, family: np.ndarray, width: float) -> np.ndarray:
        """Finite differences at the best point, towards the middle of the bounds, [components, settings of the family]."""
        columns = []
        for k in family:
            step = np.zeros(len(self.names))
            step[k] = width if self.best[k] <= 0.5 else -width
            columns.append((self.evaluate(self.best + step)[1] - self.residual) / step[k])
        return np.stack(columns, axis=1)

    def sensitivity(self) -> tuple[np.ndarray, np.ndarray]:
        """Jacobian of all settings at the best point, [components, settings]: in what they are fitted against, and in what else feels them."""
        statistic = self.auxiliary.statistic_of()
        felt = np.stack([np.isin(statistic, self.problem.felt_by.get(name, ())) for name in self.names], axis=1) & ~self.mask
        whole = np.zeros_like(self.J)
        for family in self.families():
            whole[:, family] = self._jacobian(family, _STEPS[0])
        return whole * self.mask, whole * felt

    def families(self) -> list[np.ndarray]:
        """Settings that are fitted against the same statistics, as indices, in the order of ``seen_by``."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for name, statistics in self.problem.seen_by.items():
            if name in self.names:
                groups.setdefault(tuple(statistics), []).append(self.names.index(name))
        return [np.array(group) for group in groups.values()]


def fit(problem: Problem, heard: Heard = lambda done, most: None) -> Fit:
    """Find the settings whose simulated statistics match the reference.

    Deterministic: the same problem gives the same estimates. Costs 6 to 12 simulations for each setting; ``heard`` is told after each.

    Returns:
        One estimate per setting. The interval covers the sampling of the reference's blocks and of the simulated ones (jackknife, delta method). A
        setting counts as identified where the reference gave most of its resolution (Backus and Gilbert) and the interval is narrower than half the
        bounds.
    """
    most = _SIMULATIONS * len(problem.priors)
    search = _Search(_told(problem, heard, most))
    moving = search.families()
    for family in moving:
        search.scatter(family)
    for k in range(_ROUNDS):
        search.weigh()
        moving = [family for family in moving if search.descend(family, _STEPS[min(k, 1)]) > _STILL or not k]
    search.weigh()
    unfitted = search.auxiliary(total(search.first)) - search.target
    J, felt = search.sensitivity()
    H = J.T @ J + search.ridge * np.eye(len(search.names))
    gain = np.linalg.solve(H, J.T)
    resolution = np.diag(gain @ J)
    pulled = (search.ridge * np.linalg.inv(H) @ np.linalg.inv(H)).diagonal()
    gain = np.linalg.solve(np.eye(len(search.names)) + gain @ felt, gain)
    spread = np.sqrt(_Known.of(problem.reference, search.scenes, search.auxiliary).variances(gain) + pulled)
    heard(most, most)
    counted = {name: int(sum(np.sum(s.counts.get(name, 0.0)) for s in problem.reference)) for name in problem.statistics}
    estimates = {}
    for k, name in enumerate(search.names):
        ends = [float(np.clip(search.best[k] + s * 1.96 * _WIDER * spread[k], 0.0, 1.0)) for s in (-1, 1)]
        decided = bool(resolution[k] >= _DECIDED and ends[1] - ends[0] < 0.5)
        value, low, high = (float(problem.priors[name]._from_unit(u)) for u in (float(search.best[k]), *ends))
        n = sum(counted.get(statistic, 0) for statistic in problem.seen_by[name])
        why = _why(J[:, k], search.auxiliary.statistic_of(), decided, float(resolution[k]))
        estimates[name] = Estimate(value, low, high, n, decided, why)
    return Fit(estimates, float(np.sqrt(unfitted @ unfitted)), float(np.sqrt(search.residual @ search.residual)))


def _told(problem: Problem, heard: Heard, most: int) -> Problem:
    """The problem, with word of each simulation."""
    done = count(1)

    def simulate(values: dict[str, float]) -> list[list[Sketch]]:
        scenes = problem.simulate(values)
        heard(min(next(done), most), most)
        return scenes

    return replace(problem, simulate=simulate)


def total(scenes: Sequence[Sequence[Sketch]]) -> Sketch:
    """Sum over all blocks of all scenes."""
    return Sketch.total(block for scene in scenes for block in scene)


def _jackknife_shifts(blocks: Sequence[Sketch], auxiliary: _Auxiliary) -> np.ndarray:
    """Rows whose sum of squares is the jackknife variance of the auxiliary vector, [blocks, components]."""
    n = len(blocks)
    if n < 2:
        return np.zeros((1, len(auxiliary.statistic_of())))
    total = Sketch.total(blocks)
    left_out = [Sketch({name: counts - b.counts.get(name, 0.0) for name, counts in total.counts.items()}) for b in blocks]
    vectors = np.stack([auxiliary(s) for s in left_out])
    return (vectors - vectors.mean(0)) * np.sqrt((n - 1) / n)


def _effective_blocks(blocks: Sequence[Sketch], name: str, statistic: Statistic) -> np.ndarray:
    """Blocks that share each stratum's counts evenly would be this many, [strata]; a single block counts as enough."""
    counts = np.stack([np.broadcast_to(b.counts.get(name, 0.0), statistic.shape).sum(1) for b in blocks])
    effective = counts.sum(0) ** 2 / np.maximum((counts**2).sum(0), 1e-9)
    return effective if len(blocks) > 1 else np.full(counts.shape[1], _MIN_BLOCKS)


def _why(column: np.ndarray, statistic: np.ndarray, known: bool, resolution: float) -> str:
    if not column.any():
        return "no statistic of the reference responds to it"
    power = {name: float((column[statistic == name] ** 2).sum()) for name in sorted(set(statistic))}
    ranked = sorted(power, key=lambda n: -power[n])[:2]
    strong = [n for n in ranked if power[n] > 0.15 * sum(power.values())]
    moving = " and ".join(strong) + (" moves" if len(strong) == 1 else " move")
    if known:
        return f"it moves {' and '.join(strong)}"
    if resolution >= _DECIDED:
        return f"{moving} with it, but its interval is as wide as half its bounds, so it stays wide"
    return f"{moving} with it, but the reference decides only {max(resolution, 0):.0%} of it, so it stays wide"
