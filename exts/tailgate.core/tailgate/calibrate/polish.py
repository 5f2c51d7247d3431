"""The last steps of indirect inference: all settings at once, on as many scenes as there are, against few numbers whose covariance is known.

The auxiliary vector has thousands of correlated components and blocks are few, so its covariance is known roughly: what blocks of the simulation
show of it, on a diagonal that outweighs it (shrinkage). That is enough to choose one number a setting, the vector weighed by that covariance times
the setting's Jacobian (two-step estimation, Hansen 1982). Of these summaries the covariance B is known well, over other blocks: those of the
reference. It weighs them against each other and against the uniform prior (Godambe 1960), so that the prior pulls only where the reference says
less. With A the summaries' own Jacobian, the estimate's covariance is the inverse of AᵀB⁻¹A + 12, in units of the bounds.

Blocks of one scene share its materials and surfaces, so they tell less than as many blocks of different scenes. How much less is learnt where scenes
are told apart, on the simulated side (the design effect of cluster samples, Kish 1965). What is left of the distance beyond sampling is a misfit of
the simulator; it weakens its statistics and widens the intervals, and where it is large, the search's point stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.calibrate.auxiliary import MISFIT, Auxiliary, residual_of
from tailgate.calibrate.differences import Differences
from tailgate.calibrate.problem import Problem, Simulate
from tailgate.calibrate.search import MARGIN, REACH, RIDGE
from tailgate.validate.sketch import Sketch

_STEP, _ERRORS, _LONGEST = 0.1, 3.0, 0.3
"""Step of the first finite differences, as a share of the bounds; how many standard errors later ones are long, for sharp statistics are linear over
no more; and the longest, for what hardly moves a statistic shows over a long way or not at all."""
ROUNDS = 4
"""Most Jacobians taken."""
SHRINKAGE = 10.0
"""Variance on the diagonal of the auxiliary vector's covariance, over that of a stratum's average component."""
_CHORDS, _STILL = 4, 3e-3
"""Most steps on one Jacobian, and the move, as a share of the bounds, below which they end."""
_SETTLED, _WITHIN = 0.01, 0.5
"""A round that moved no setting further than this share of the bounds and of its standard error was the last."""


@dataclass(frozen=True)
class Polished:
    """The point and what is known about it.

    Attributes:
        best: point of the unit cube [k].
        covariance: of the point [k, k].
        resolution: share of each setting that the reference decides, 0..1 [k].
        freedom: degrees of freedom of the covariance: scenes less one, of the side that has fewer.
        power: setting [k] -> statistic -> squared response of the auxiliary vector.
        unfitted, fitted: auxiliary distance of the middle of the bounds and of the point.
    """

    best: np.ndarray
    covariance: np.ndarray
    resolution: np.ndarray
    freedom: int
    power: list[dict[str, float]]
    unfitted: float
    fitted: float


class _Round:
    """Summaries of one Jacobian, g = Kᵀ r, with their covariance B and Jacobian A.

    The Jacobian comes twice, of either half of the blocks: chance in it then adds to no product of the two, and so to nobody's information.
    ``reliability`` is what the product of the two holds of a half's own, 0..1 [k].
    """

    def __init__(self, problem: Problem, auxiliary: Auxiliary, jacobian: np.ndarray, misfit: dict[str, float]):
        statistic = auxiliary.statistic_of()
        seen, felt = problem.seen(statistic), problem.felt(statistic)
        halves = [_summaries(problem, auxiliary, half * seen, misfit) for half in jacobian]
        self.K = 0.5 * (halves[0] + halves[1])
        alone, across = (sum((K * half * seen).sum(0) for K, half in zip(halves, order, strict=True)) for order in (jacobian, jacobian[::-1]))
        self.reliability = np.clip(across / np.maximum(alone, 1e-30), 0.0, 1.0)
        self.A = 0.5 * sum(K.T @ (other * felt) for K, other in zip(halves, jacobian[::-1], strict=True))
        self.power = [{n: float((column[statistic == n] ** 2).sum()) for n in auxiliary.parts} for column in (jacobian.mean(0) * seen).T]
        B = self._sampling(auxiliary) + self._misfit(auxiliary, misfit)
        B += (1e-9 * np.trace(B) / len(B) + 1e-12) * np.eye(len(B))
        self.inverse_B = np.linalg.inv(B)
        self.weigh = self.A.T @ self.inverse_B
        self.information = self.weigh @ self.A
        self.covariance = np.linalg.inv(self.information + RIDGE * np.eye(len(B)))
        wrong = np.array([misfit[name] > MISFIT for name in statistic], dtype=bool)
        self.moving = np.ones(len(B), dtype=bool)
        for family in problem.families():
            self.moving[family] = not (seen[:, family].any(axis=1) & wrong).any()

    def _sampling(self, auxiliary: Auxiliary) -> np.ndarray:
        """Covariance of the summaries by chance: of the reference and of the simulation."""
        reference, scenes, blocks = (rows @ self.K for rows in (auxiliary.known.reference, auxiliary.known.scenes, auxiliary.known.blocks))
        of_blocks = blocks.T @ blocks
        if len(scenes) < 2:
            return reference.T @ reference + of_blocks
        effect = np.sqrt(np.maximum((scenes**2).sum(0) / np.maximum((blocks**2).sum(0), 1e-30), 1.0))
        widened = of_blocks * np.outer(effect, effect)
        share = len(effect) / (len(effect) + len(scenes))
        return (reference.T @ reference) * np.outer(effect, effect) + share * widened + (1 - share) * scenes.T @ scenes

    def _misfit(self, auxiliary: Auxiliary, misfit: dict[str, float]) -> np.ndarray:
        """Covariance of the summaries by the simulator's own error: each stratum errs for itself, in the shape of its sampling."""
        rows = np.concatenate([auxiliary.known.reference, auxiliary.known.scenes])
        B, ends = np.zeros((self.K.shape[1],) * 2), np.append(auxiliary.starts(), len(self.K))
        for k, name in enumerate(auxiliary.statistic_of_strata()):
            if misfit[name] > 0 and auxiliary.variance[k] > 0:
                own = rows[:, ends[k] : ends[k + 1]] @ self.K[ends[k] : ends[k + 1]]
                B += (misfit[name] / auxiliary.share[k]) ** 2 / auxiliary.variance[k] * own.T @ own
        return B

    def loss(self, u: np.ndarray, residual: np.ndarray) -> float:
        """Distance of the summaries and of the point from the middle."""
        g = self.K.T @ residual
        return float(g @ self.inverse_B @ g + RIDGE * ((u - 0.5) ** 2).sum())

    def step(self, u: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Gauss-Newton step that stays within the bounds: settings that would leave them stop there, and the others make up for it. A family that the
        simulator does not match stays: more scenes and sharper weights would follow its errors."""
        H = self.information + RIDGE * np.eye(len(u))
        slope = self.weigh @ (self.K.T @ residual) + RIDGE * (u - 0.5)
        low, high = MARGIN - u, 1.0 - MARGIN - u
        move, free = np.zeros(len(u)), self.moving.copy()
        while free.any():
            move[free] = -np.linalg.solve(H[np.ix_(free, free)], slope[free] + H[np.ix_(free, ~free)] @ move[~free])
            beyond = free & ((move < low) | (move > high))
            if not beyond.any():
                break
            move[beyond] = np.clip(move, low, high)[beyond]
            free &= ~beyond
        return move


def polish(problem: Problem, start: np.ndarray) -> Polished:
    """Settle at the point whose summaries match the reference's."""
    finely, differences = problem.finely or problem.simulate, Differences(problem)
    best, scenes, steps = start, finely(problem.values(start)), np.full(len(start), _STEP)
    for k in range(ROUNDS):
        came = best
        plain = Auxiliary(problem, scenes)
        differences.look(k, best, steps, both=k > 0)
        jacobian = differences.jacobian(plain, best)
        misfit = plain.misfit(_unexplained(residual_of(plain, problem, scenes), jacobian.mean(0)))
        auxiliary = Auxiliary(problem, scenes, misfit)
        chosen = _Round(problem, auxiliary, jacobian * auxiliary.over(plain)[:, None], misfit)
        best, scenes = _descend(problem, finely, auxiliary, chosen, best, scenes)
        errors = np.sqrt(np.diag(chosen.covariance))
        longer = steps * np.sqrt((1.0 / np.maximum(chosen.reliability, 1e-9) - 1.0) / problem.chance)
        steps = np.clip(np.maximum(_ERRORS * errors, longer), problem.shortest, _LONGEST)
        if k >= len(differences.sets) and (np.abs(best - came) < _SETTLED + _WITHIN * errors).all():
            break
    middle = finely(problem.values(np.full(len(best), 0.5)))
    unfitted, fitted = (float(np.linalg.norm(residual_of(auxiliary, problem, s))) for s in (middle, scenes))
    freedom = max(min(len(problem.reference), len(scenes)) - 1, 1)
    return Polished(best, chosen.covariance, np.diag(chosen.covariance @ chosen.information), freedom, chosen.power, unfitted, fitted)


def _summaries(problem: Problem, auxiliary: Auxiliary, jacobian: np.ndarray, misfit: dict[str, float]) -> np.ndarray:
    """Weights of the auxiliary vector in each setting's summary, [components, settings]: inverse covariance times Jacobian, family by family.

    Where the simulator errs, its errors and not chance decide which shapes agree: such a statistic counts by its distance alone, as in the search.
    """
    wrong = np.array([misfit.get(name, 0.0) > 0 for name in auxiliary.statistic_of()], dtype=bool)
    diagonal, rows = auxiliary.spread(wrong, SHRINKAGE), auxiliary.known.blocks * ~wrong
    rows = rows * np.sqrt((auxiliary.variance * auxiliary.weight**2).sum() / max((auxiliary.known.blocks**2).sum(), 1e-30))
    K = np.zeros_like(jacobian)
    for family in problem.families():
        own = np.ix_((jacobian[:, family] != 0).any(axis=1), family)
        J, D, X = jacobian[own], diagonal[own[0][:, 0], None], rows[:, own[0][:, 0]]
        inner = np.eye(len(X)) + X @ (X.T / D)
        K[own] = J / D - (X.T / D) @ np.linalg.solve(inner, X @ (J / D))
    return K


def _unexplained(residual: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """What of a residual no setting explains."""
    step = np.linalg.solve(jacobian.T @ jacobian + RIDGE * np.eye(jacobian.shape[1]), jacobian.T @ residual)
    return residual - jacobian @ step


def _descend(
    problem: Problem, finely: Simulate, auxiliary: Auxiliary, chosen: _Round, best: np.ndarray, scenes: list[list[Sketch]]
) -> tuple[np.ndarray, list[list[Sketch]]]:
    """Steps on one Jacobian, halved where they lead up."""
    residual, share = residual_of(auxiliary, problem, scenes), 1.0
    for _ in range(_CHORDS):
        step = np.clip(share * chosen.step(best, residual), -REACH, REACH)
        trial = np.clip(best + step, MARGIN, 1.0 - MARGIN)
        if np.abs(trial - best).max() < _STILL:
            break
        found = finely(problem.values(trial))
        left = residual_of(auxiliary, problem, found)
        if chosen.loss(trial, left) < chosen.loss(best, residual):
            best, scenes, residual, share = trial, found, left, 1.0
        else:
            share /= 3.0
    return best, scenes
