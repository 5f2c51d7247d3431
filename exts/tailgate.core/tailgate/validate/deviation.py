"""Signed, continuous deviations of one frame from the reference: what feedback regresses on the settings' draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tailgate.validate.controls import is_signed
from tailgate.validate.sketch import Sketch, Statistic

SHARE_OF_MIN = 10
"""A frame's stratum counts from a tenth of the statistic's ``min_count`` up."""


def magnitudes(statistic: Statistic) -> np.ndarray:
    """Value of each bin [B], in the statistic's unit: its centre; the centre's magnitude for residuals; 0 and 1 for rates."""
    edges = np.asarray(statistic.edges, dtype=float)
    centres = 0.5 * (edges[:-1] + edges[1:])
    if len(centres) == 2:
        return np.array([0.0, 1.0])
    return np.abs(centres) if is_signed(statistic) else centres


def frame_deviation(frame: Sketch, reference: Sketch, statistics: Mapping[str, Statistic]) -> dict[str, float]:
    """Mean shift of each statistic, in units of the reference's own spread: positive = more than the reference (noise, holes, intensity).

    Per stratum (mean of the frame - mean of the reference) / standard deviation of the reference, averaged over the strata both hold, weighted by the
    frame's counts. Residuals count by magnitude, so that the sign says «noisier» or «cleaner». Statistics without a common stratum are left out.

    Args:
        frame: sketch of one frame.
        reference: sum over the reference.
        statistics: name -> what it counts.
    """
    out = {}
    for name, statistic in statistics.items():
        p, q = (np.broadcast_to(s.counts.get(name, 0.0), statistic.shape) for s in (reference, frame))
        value, n = magnitudes(statistic), q.sum(axis=1)
        keep = (p.sum(axis=1) >= statistic.min_count) & (n >= max(statistic.min_count / SHARE_OF_MIN, 1))
        if not keep.any():
            continue
        real, ours = (h[keep] / h[keep].sum(axis=1, keepdims=True) for h in (p, q))
        mean = real @ value
        spread = np.sqrt(np.maximum(real @ value**2 - mean**2, 0.0))
        floor = 0.05 * float(np.min(np.diff(statistic.edges)))
        out[name] = float(np.average((ours @ value - mean) / np.maximum(spread, floor), weights=n[keep]))
    return out
