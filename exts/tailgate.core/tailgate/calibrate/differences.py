"""What each setting of a simulator does to its statistics: finite differences, on one set of scenes after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.calibrate.auxiliary import Auxiliary
from tailgate.calibrate.problem import Problem
from tailgate.validate.sketch import Sketch


@dataclass(frozen=True)
class Difference:
    """Either half of the blocks at both ends of a step of one setting, and where these lie, as shares of its bounds."""

    blocks: tuple[list[Sketch], list[Sketch]]
    ends: tuple[float, float]

    @property
    def length(self) -> float:
        """From the second end to the first, in shares of the bounds."""
        return self.ends[0] - self.ends[1]

    def spans(self, u: float) -> bool:
        """Whether a value lies between the ends."""
        return min(self.ends) <= u <= max(self.ends)


class Differences:
    """The latest differences seen on each set of scenes."""

    def __init__(self, problem: Problem):
        self.problem, self.sets = problem, problem.slopes or [problem.simulate]
        self.looks: dict[int, list[Difference]] = {}

    def look(self, turn: int, at: np.ndarray, steps: np.ndarray, both: bool = True) -> None:
        """Take differences on the scenes whose turn it is: over ``steps`` [k] to either side of a point of the unit cube, as far as the bounds reach,
        or towards their middle alone."""
        values, simulate = self.problem.values, self.sets[turn % len(self.sets)]
        here, seen = _halves(simulate(values(at))), []
        for k, step in enumerate(np.copysign(steps, 0.5 - at)):
            ahead, behind = at.copy(), at.copy()
            ahead[k] += step
            behind[k] = np.clip(at[k] - step, 0.0, 1.0) if both else at[k]
            blocks = _halves(simulate(values(ahead))), here if behind[k] == at[k] else _halves(simulate(values(behind)))
            seen.append(Difference(blocks, (float(ahead[k]), float(behind[k]))))
        self.looks[turn % len(self.sets)] = seen

    def jacobian(self, auxiliary: Auxiliary, at: np.ndarray) -> np.ndarray:
        """Slopes of the auxiliary vector of either half of the blocks, [2, components, settings], over all differences that span a point: chance is
        as large in a short one as in a long one, so that they count by the square of their length."""
        columns = []
        for u, of_setting in zip(at, zip(*self.looks.values(), strict=True), strict=True):
            spanning = [d for d in of_setting if d.spans(u)]
            moved = sum(d.length * np.stack([auxiliary(a) - auxiliary(b) for a, b in zip(*d.blocks, strict=True)]) for d in spanning)
            columns.append(moved / sum(d.length**2 for d in spanning))
        return np.stack(columns, axis=2)


def _halves(scenes: Sequence[Sequence[Sketch]]) -> list[Sketch]:
    """Every other block and those between, of the same one where there is no other."""
    blocks = [block for scene in scenes for block in scene]
    return [Sketch.total(blocks[k % len(blocks) :: 2]) for k in range(2)]
