"""What indirect inference is asked: a reference, a simulator of its statistics, and the bounds of the settings that move them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tailgate.distributions import Ranged
from tailgate.validate.sketch import Sketch, Statistic

Simulate = Callable[[dict[str, float]], list[list[Sketch]]]
"""Settings' values -> for each scene the sketches of its blocks; the same random numbers at every call."""


@dataclass(frozen=True)
class Problem:
    """What to fit.

    Attributes:
        reference: sketches of the reference, one per independent block.
        statistics: which statistics to match.
        priors: setting -> bounds; the middle is where the search starts.
        seen_by: setting -> the statistics it is fitted against; what it does to others is left out. Settings seen by the same ones are a family.
        simulate: what a search can afford hundreds of times.
        felt_by: setting -> further statistics that it moves without being fitted against them: its error is one of the settings that are.
        slopes: the same on sets of further scenes, of which a Jacobian of the last steps can afford one; empty where there are no more.
        finely: the same on all, a dozen times; None where there are no more.
        shortest: least finite difference, as a share of the bounds, that random losses do not drown.
        chance: most chance in the square of a difference, over what the setting does; where there is more, the next one is longer. Infinite where
            statistics bend over long ones.
    """

    reference: Sequence[Sketch]
    statistics: Mapping[str, Statistic]
    priors: Mapping[str, Ranged]
    seen_by: Mapping[str, Sequence[str]]
    simulate: Simulate
    felt_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    slopes: Sequence[Simulate] = ()
    finely: Simulate | None = None
    shortest: float = 0.05
    chance: float = np.inf

    @property
    def names(self) -> list[str]:
        """Settings in the order of vectors."""
        return sorted(self.priors)

    def values(self, u: np.ndarray) -> dict[str, float]:
        """Settings' values at a point of the unit cube of their bounds."""
        return {n: float(self.priors[n]._from_unit(float(v))) for n, v in zip(self.names, u, strict=True)}

    def families(self) -> list[np.ndarray]:
        """Settings that are fitted against the same statistics, as indices, in the order of ``seen_by``."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for name, statistics in self.seen_by.items():
            if name in self.names:
                groups.setdefault(tuple(statistics), []).append(self.names.index(name))
        return [np.array(group) for group in groups.values()]

    def seen(self, statistic: np.ndarray) -> np.ndarray:
        """Whether a setting is fitted against a component, by the components' statistics; bool [components, settings]."""
        return np.stack([np.isin(statistic, self.seen_by[name]) for name in self.names], axis=1)

    def felt(self, statistic: np.ndarray) -> np.ndarray:
        """Whether a setting moves a component, fitted against it or not; bool [components, settings]."""
        return np.stack([np.isin(statistic, (*self.seen_by[n], *self.felt_by.get(n, ()))) for n in self.names], axis=1)


def total(scenes: Sequence[Sequence[Sketch]]) -> Sketch:
    """Sum over all blocks of all scenes."""
    return Sketch.total(block for scene in scenes for block in scene)
