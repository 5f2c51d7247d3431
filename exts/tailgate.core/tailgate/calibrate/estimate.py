"""What a reference says about one setting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A setting's value as the reference gives it.

    Attributes:
        value: best value, in the setting's unit.
        low, high: 95 % interval.
        n: measurements it rests on.
        identifiable: whether the reference, rather than the prior, decided it.
        why: one clause that tells how it was found, or why it was not.
    """

    value: float
    low: float
    high: float
    n: int
    identifiable: bool
    why: str
