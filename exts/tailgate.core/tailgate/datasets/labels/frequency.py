"""Head, body and tail: classes by how often they are labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tailgate.errors import UserError


def tail_threshold(counts: Mapping[str, int], percentile: float = 20.0) -> float:
    """Percentile (linear interpolation between order statistics) of the class counts.

    Args:
        counts: samples per class; every class listed takes part, also one with none.
        percentile: 0..100.

    Raises:
        UserError: the percentile is outside 0..100, or there is no class.
    """
    if not 0 <= percentile <= 100:
        raise UserError(f"percentile must be between 0 and 100, got {percentile:g}")
    if not counts:
        raise UserError("the label file holds no class with a sample")
    return float(np.percentile(list(counts.values()), percentile))


def tail_classes(counts: Mapping[str, int], percentile: float = 20.0) -> list[str]:
    """Classes whose count is at or below the threshold, fewest first, ties by name."""
    threshold = tail_threshold(counts, percentile)
    return [c for c, n in sorted(counts.items(), key=lambda item: (item[1], item[0])) if n <= threshold]


@dataclass(frozen=True)
class Buckets:
    """Class-frequency buckets: ``of`` maps class to ``tail``, ``body`` or ``head``."""

    of: dict[str, str]

    def rarest(self, class_names: list[str]) -> str:
        """Bucket of a frame: that of its rarest class (an unknown class counts as tail); ``empty`` without any object."""
        found = {self.of.get(c, "tail") for c in class_names}
        return next((b for b in ("tail", "body", "head") if b in found), "empty")


def buckets(counts: Mapping[str, int], tail_percentile: float = 20.0, head_percentile: float = 80.0) -> Buckets:
    """Sort classes into head, body and tail by percentiles of their counts; a class that is both is tail."""
    tail_at, head_at = tail_threshold(counts, tail_percentile), tail_threshold(counts, head_percentile)
    return Buckets({c: "tail" if n <= tail_at else "head" if n >= head_at else "body" for c, n in counts.items()})
