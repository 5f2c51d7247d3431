"""The search of indirect inference: Gauss-Newton on few scenes, from the middle of the bounds or from an end that suits far better, with the pull of
a uniform prior back to the middle."""

from __future__ import annotations

import numpy as np

from tailgate.calibrate.auxiliary import Auxiliary, residual_of
from tailgate.calibrate.problem import Problem
from tailgate.validate.sketch import Sketch

STEPS = (0.12, 0.06)
"""Steps of the finite differences, as shares of the bounds: of the first round and of the others."""
ROUNDS, STILL = 8, 0.02
"""Most rounds, and the move in one round, as a share of the bounds, below which a family has settled."""
_DAMPING = 0.02
"""First damping of each Jacobian's steps, as a share of the curvature."""
REACH = 0.35
"""Longest step of one iteration, as a share of the bounds."""
MARGIN = 0.005
_TRIALS = 6
"""Simulations spent on each Jacobian, which is taken at the best point so far."""
RIDGE = 12.0
"""Inverse of the variance of a uniform prior on the bounds."""


class Search:
    """Gauss-Newton on the unit cube of the settings' bounds, with a ridge towards the middle."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.best = np.full(len(problem.names), 0.5)
        self.scenes = problem.simulate(problem.values(self.best))
        self.weigh()

    def run(self) -> np.ndarray:
        """The best point."""
        moving = self.problem.families()
        for family in moving:
            self.scatter(family)
        for k in range(ROUNDS):
            self.weigh()
            moving = [family for family in moving if self.descend(family, STEPS[min(k, 1)]) > STILL or not k]
        return self.best

    def weigh(self) -> None:
        """Set up strata, scales and weights by the scenes at the best point."""
        self.auxiliary = Auxiliary(self.problem, self.scenes)
        self.mask = self.problem.seen(self.auxiliary.statistic_of())
        self.target = self.auxiliary(Sketch.total(self.problem.reference))
        self.residual = residual_of(self.auxiliary, self.problem, self.scenes)

    def evaluate(self, u: np.ndarray) -> tuple[list[list[Sketch]], np.ndarray]:
        """Simulated scenes and residual at a point."""
        scenes = self.problem.simulate(self.problem.values(u))
        return scenes, residual_of(self.auxiliary, self.problem, scenes)

    def scatter(self, family: np.ndarray) -> None:
        """Start one setting of a family from an end of its bounds where that halves the distance: an effect that is strong at the middle can hide the
        others, and steps from there then lead elsewhere."""
        rows, start = self.mask[:, family].any(axis=1), self.best
        least = self._loss(start, self.residual, rows) / 4.0
        for k in family:
            for end in (MARGIN, 1.0 - MARGIN):
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
        J = self._jacobian(family, width) * self.mask[:, family]
        taken, damping = 0, _DAMPING
        for _ in range(_TRIALS):
            H = J.T @ J + RIDGE * np.eye(len(family))
            gradient = J.T @ self.residual + RIDGE * (self.best[family] - 0.5)
            step = -np.linalg.solve(H + damping * np.diag(np.diag(H)), gradient)
            trial = self.best.copy()
            trial[family] = np.clip(self.best[family] + np.clip(step, -REACH, REACH), MARGIN, 1 - MARGIN)
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
        return float(np.abs(self.best[family] - start).max())

    def _loss(self, u: np.ndarray, residual: np.ndarray, rows: np.ndarray) -> float:
        """Squared auxiliary distance in a family's statistics plus the pull to the middle."""
        return float((residual[rows] ** 2).sum() + RIDGE * ((u - 0.5) ** 2).sum())

    def _jacobian(self, family: np.ndarray, width: float) -> np.ndarray:
        """Finite differences at the best point, towards the middle of the bounds, [components, settings of the family]."""
        columns = []
        for k in family:
            step = np.zeros(len(self.best))
            step[k] = width if self.best[k] <= 0.5 else -width
            columns.append((self.evaluate(self.best + step)[1] - self.residual) / step[k])
        return np.stack(columns, axis=1)
