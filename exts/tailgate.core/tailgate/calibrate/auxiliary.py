"""The auxiliary vector of indirect inference: cumulative histograms, scaled and weighted, and how well each side knows it.

The cumulative histogram of every statistic and stratum is scaled so that its squared difference is the Cramér distance over the reference's own
spread: unit-free, smooth where the settings act smoothly, and small when the 1-D Wasserstein distance is. Each stratum weighs by how well it is
known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.calibrate.problem import Problem, total
from tailgate.validate.sketch import Sketch, Statistic

MISFIT = 0.04
"""Standard deviation of an average stratum's scaled distance that no simulator is expected to undercut, until more is known."""
_COARSE = 20
"""Strata into which a statistic is split before each may be wrong by more than that: what the simulator does not know of a scene averages out less
in a finer one."""
_FLOOR = 0.001
"""Standard deviation of a stratum's scaled distance below which none is taken to be known."""
_ENOUGH = 8
"""Strata of a statistic that say what variance is usual among them."""
_MOST_WIDER = 10.0
"""A stratum's jackknife is widened so much at most, where others of its statistic spread more."""
_MIN_BLOCKS = 1.8
"""A stratum that fewer blocks carry tells of those blocks rather than of the sensor."""


@dataclass(frozen=True)
class Known:
    """Rows whose sums of squares are jackknife variances of the auxiliary vector: over the reference's blocks, over simulated scenes and over
    simulated blocks, [n, components] each."""

    reference: np.ndarray
    scenes: np.ndarray
    blocks: np.ndarray


class Auxiliary:
    """Turns sketches into the auxiliary vector; strata, scales and weights are set by the reference and one simulation.

    Attributes:
        parts: statistic -> rows of its strata [s] and the scales of their components [s, bins].
        known: the weighted rows.
        variance: of each stratum's scaled distance, unweighted [strata].
        share: of each stratum, how much it counts for its size: the root of its count over the average [strata].
        weight: of each stratum [strata].
    """

    def __init__(self, problem: Problem, scenes: Sequence[Sequence[Sketch]], misfit: Mapping[str, float] | None = None):
        simulated = [block for scene in scenes for block in scene]
        sides = problem.reference, simulated
        totals = [Sketch.total(blocks) for blocks in sides]
        self.parts, share = {}, []
        for name, statistic in problem.statistics.items():
            real, made = (np.broadcast_to(s.counts.get(name, 0.0), statistic.shape) for s in totals)
            widths = np.diff(statistic.edges)
            spread_out = np.minimum(*(_effective_blocks(blocks, name, statistic) for blocks in sides))
            common = np.minimum(real.sum(1), made.sum(1))
            rows = np.flatnonzero((common >= statistic.min_count) & (spread_out >= _MIN_BLOCKS))
            if len(rows):
                cdf = np.cumsum(real[rows], axis=1) / real[rows].sum(1, keepdims=True)
                spread = np.maximum((cdf * (1 - cdf) * widths).sum(1), 1e-3 * widths.sum())
                # Over the average spread at least: a narrow stratum is near in the unit that its statistic is judged in.
                spread = np.maximum(spread, np.average(spread, weights=common[rows]))
                self.parts[name] = rows, np.sqrt(widths / spread[:, None])
                share.append(np.sqrt(common[rows] / common[rows].mean()))
        known = Known(*(self._jackknife(part) for part in (problem.reference, [Sketch.total(scene) for scene in scenes], simulated)))
        of_reference, of_scenes, of_blocks = (self.by_stratum((rows**2).sum(0)) for rows in (known.reference, known.scenes, known.blocks))
        alone = of_reference + np.maximum(of_scenes, of_blocks)
        self.share = np.concatenate(share or [np.zeros(0)])
        self.variance = np.maximum(alone, self._usual(alone))
        assumed = {name: MISFIT * np.sqrt(max(len(rows) / _COARSE, 1.0)) for name, (rows, _) in self.parts.items()}
        error = np.array([(misfit or assumed)[name] for name in self.statistic_of_strata()]) / self.share
        self.weight = 1.0 / np.sqrt(self.variance + error**2 + _FLOOR**2)
        wider = np.minimum(np.sqrt(self.variance / np.maximum(alone, 1e-30)), _MOST_WIDER)
        weight = np.repeat(self.weight * wider, self._bins())
        self.known = Known(known.reference * weight, known.scenes * weight, known.blocks * weight)
        at = 0
        for name, (rows, scale) in self.parts.items():
            self.parts[name] = rows, scale * self.weight[at : at + len(rows), None]
            at += len(rows)

    def __call__(self, sketch: Sketch) -> np.ndarray:
        """The auxiliary vector [components]."""
        return self._vectors({name: sketch.counts[name][None] for name in self.parts if name in sketch.counts}, 1)[0]

    def _usual(self, variance: np.ndarray) -> np.ndarray:
        """Variance of a stratum of its size, by others of its statistic [strata]: a few blocks may agree by chance. 0 where too few strata tell."""
        usual, statistic = np.zeros_like(variance), self.statistic_of_strata()
        for name, (rows, _) in self.parts.items():
            own = statistic == name
            if len(rows) >= _ENOUGH:
                usual[own] = np.median(variance[own] * self.share[own] ** 2) / self.share[own] ** 2
        return usual

    def statistic_of(self) -> np.ndarray:
        """Name of the statistic behind each component."""
        return np.repeat(self.statistic_of_strata(), self._bins())

    def statistic_of_strata(self) -> np.ndarray:
        """Name of the statistic behind each stratum."""
        return np.array([name for name, (rows, _) in self.parts.items() for _ in rows], dtype=object)

    def by_stratum(self, components: np.ndarray) -> np.ndarray:
        """Sums over the components of each stratum, [components] -> [strata]."""
        return np.add.reduceat(components, self.starts()) if len(components) else np.zeros(0)

    def starts(self) -> np.ndarray:
        """First component of each stratum."""
        return np.concatenate([[0], np.cumsum(self._bins())[:-1]]).astype(int)

    def over(self, other: Auxiliary) -> np.ndarray:
        """Weights of the same components over those of another [components]."""
        return np.repeat(self.weight / other.weight, self._bins())

    def spread(self, wrong: np.ndarray, sampling: float) -> np.ndarray:
        """Weighted variance of components [components]: ``sampling`` times that of an average one by chance; where it is ``wrong``, that of its
        stratum by chance and misfit, less for a larger one."""
        by_chance = (sampling * self.variance + _FLOOR**2) / self._bins()
        by_distance = self.variance + (MISFIT / self.share) ** 2
        return np.where(wrong, *(np.repeat(v * self.weight**2, self._bins()) for v in (by_distance, by_chance)))

    def misfit(self, residual: np.ndarray) -> dict[str, float]:
        """What of a residual [components] sampling does not explain, by statistic: standard deviation of an average stratum's scaled distance; others
        err by this over their share.

        By the method of moments, as of true effects in a meta-analysis (DerSimonian and Laird 1986); 0 where chance could leave as much.
        """
        found, squares = {}, self.by_stratum(residual**2) / np.maximum(self.weight, 1e-30) ** 2
        statistic = self.statistic_of_strata()
        for name in self.parts:
            own = statistic == name
            variance = self.variance[own]
            # Variances of single strata are uncertain themselves: none may decide alone.
            weight = 1.0 / (variance + np.median(variance) + _FLOOR**2)
            excess, chance = (weight * (squares[own] - variance)).sum(), np.sqrt(2.0) * np.linalg.norm(weight * variance)
            found[name] = float(np.sqrt(excess / (weight / self.share[own] ** 2).sum())) if excess > 2.0 * chance else 0.0
        return found

    def _bins(self) -> np.ndarray:
        """Components of each stratum."""
        return np.array([scale.shape[1] for _, scale in self.parts.values() for _ in scale], dtype=int)

    def _vectors(self, counts: Mapping[str, np.ndarray], n: int) -> np.ndarray:
        """Auxiliary vectors [n, components] of counts [n, strata, bins] by statistic."""
        out = [np.zeros((n, 0))]
        for name, (rows, scale) in self.parts.items():
            own = counts[name][:, rows] if name in counts else np.zeros((n, *scale.shape))
            out.append((scale * np.cumsum(own, axis=2) / np.maximum(own.sum(2, keepdims=True), 1e-9)).reshape(n, -1))
        return np.concatenate(out, axis=1)

    def _jackknife(self, blocks: Sequence[Sketch]) -> np.ndarray:
        """Rows whose sum of squares is the jackknife variance of the auxiliary vector, [blocks, components]."""
        n = len(blocks)
        if n < 2:
            return np.zeros((1, sum(scale.size for _, scale in self.parts.values())))
        whole, left_out = Sketch.total(blocks), {}
        for name in self.parts:
            own = np.stack([np.broadcast_to(b.counts.get(name, 0.0), whole.counts[name].shape) for b in blocks])
            left_out[name] = whole.counts[name] - own
        vectors = self._vectors(left_out, n)
        return (vectors - vectors.mean(0)) * np.sqrt((n - 1) / n)


def residual_of(auxiliary: Auxiliary, problem: Problem, scenes: Sequence[Sequence[Sketch]]) -> np.ndarray:
    """Auxiliary vector of the scenes less that of the reference, [components]."""
    return auxiliary(total(scenes)) - auxiliary(Sketch.total(problem.reference))


def _effective_blocks(blocks: Sequence[Sketch], name: str, statistic: Statistic) -> np.ndarray:
    """Blocks that share each stratum's counts evenly would be this many, [strata]; a single block counts as enough."""
    counts = np.stack([np.broadcast_to(b.counts.get(name, 0.0), statistic.shape).sum(1) for b in blocks])
    effective = counts.sum(0) ** 2 / np.maximum((counts**2).sum(0), 1e-9)
    return effective if len(blocks) > 1 else np.full(counts.shape[1], _MIN_BLOCKS)
