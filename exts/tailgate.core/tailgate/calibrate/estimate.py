"""What a reference says about one setting."""

from __future__ import annotations

from dataclasses import dataclass

SHARP = 0.1
"""A setting is identified where its estimate is off by no more than this share of the truth, wherever in the interval that lies."""


@dataclass(frozen=True)
class Estimate:
    """A setting's value as the reference gives it.

    Attributes:
        value: best value, in the setting's unit.
        low, high: 95 % interval.
        n: measurements it rests on.
        identifiable: whether the reference, rather than the prior, decided it.
        why: one clause that tells how it was found, or why it was not.
        open: whether the truth may lie below ``low`` and beyond ``high``, for the search ended there.
        supposes: settings whose search ended at a bound and with which this one trades: it holds if they are right.
    """

    value: float
    low: float
    high: float
    n: int
    identifiable: bool
    why: str
    open: tuple[bool, bool] = (False, False)
    supposes: tuple[str, ...] = ()

    @property
    def margin(self) -> float:
        """Half the interval as a share of the value; infinite at 0."""
        return 0.5 * (self.high - self.low) / abs(self.value) if self.value else float("inf")

    @property
    def error(self) -> float:
        """Largest error of the value, as a share of the truth, for truths within the interval; infinite where that may be 0."""
        if self.low <= 0.0 <= self.high:
            return float("inf")
        return max(abs(self.value / truth - 1.0) for truth in (self.low, self.high))

    @property
    def state(self) -> str:
        """"identified" within ``SHARP``, "roughly" where the reference decided it less sharply or within bounds alone, else "not identified"."""
        if not self.identifiable:
            return "not identified"
        return "identified" if self.error <= SHARP and not any(self.open) and not self.supposes else "roughly"
