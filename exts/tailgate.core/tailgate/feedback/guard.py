"""Step 4: real data that feedback never reads tells when the loop begins to fool itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS = 3
"""Rounds in a row that must show it."""
ERRORS = 2.0
"""Standard errors of the difference by which the hold-out must be worse."""


@dataclass(frozen=True)
class Watch:
    """Distance of one round's frames to both parts of the reference.

    Attributes:
        round: number of the round.
        feedback, holdout: distance ratio to the part that feedback reads and to the part it does not; smaller is closer.
        error: standard error of ``holdout`` (bootstrap over frames).
    """

    round: int
    feedback: float
    holdout: float
    error: float


@dataclass(frozen=True)
class Alarm:
    """The loop fools itself.

    Attributes:
        round: the round after which it was noticed.
        best: the round whose settings were closest to the hold-out.
        words: one sentence for people.
    """

    round: int
    best: int
    words: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return vars(self)


def check(history: Sequence[Watch]) -> Alarm | None:
    """Compare the last three rounds with the best round before them.

    The alarm is given where each of the last ``ROUNDS`` rounds is farther from the hold-out than that round by more than ``ERRORS`` standard errors
    of the difference, while each is closer to the feedback part. Both conditions are needed: where both parts recede, the settings are merely bad,
    and feedback sees that itself.

    Args:
        history: all measured rounds in order.
    """
    if len(history) <= ROUNDS:
        return None
    earlier, late = history[:-ROUNDS], history[-ROUNDS:]
    best = min(earlier, key=lambda w: (w.holdout, w.round))
    fooled = all(w.holdout - best.holdout > ERRORS * (w.error**2 + best.error**2) ** 0.5 and w.feedback < best.feedback for w in late)
    if not fooled:
        return None
    last = late[-1]
    words = (
        f"for {ROUNDS} rounds the data came closer to the part of the reference that feedback reads ({best.feedback:.2f} → {last.feedback:.2f}) and"
        f" went away from the part held back ({best.holdout:.2f} → {last.holdout:.2f} ± {last.error:.2f})"
    )
    return Alarm(last.round, best.round, words)
