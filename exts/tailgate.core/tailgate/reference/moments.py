"""When the returns of a sweep were fired, from what a file stores of it."""

from __future__ import annotations

import numpy as np

from tailgate.errors import UserError

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
SHORTEST, LONGEST = 0.02, 1.0
"""Sweeps last so long [s]; between two units lies a factor of 1000, so that only one makes such a sweep of a span."""
MOST = 2.0
"""Times given in seconds that span more [s] are of no sweep: the slowest device turns in 2 s."""


def offsets_of(seconds: np.ndarray, real: np.ndarray, file: object) -> np.ndarray:
    """Times [s] since any moment, [n], since the first of the ``real`` returns, int32 [n] [ns]; UserError where they are of no sweep."""
    first, span = _span(seconds, real)
    if span > MOST:
        raise UserError(f"time must be in seconds, and of one sweep, which lasts {MOST:g} s at most; it spans {span:g}: check its 'scale'", file)
    return _nanoseconds(seconds - first, real)


def offsets_in_any_unit(stored: np.ndarray, real: np.ndarray) -> tuple[np.ndarray | None, str]:
    """The same of numbers whose unit is not told but makes a sweep of their span, and words; None where no unit does."""
    stored = stored.astype(np.int64) if stored.dtype.kind in "iu" else stored.astype(np.float64)
    first, span = _span(stored, real)
    if span == 0:
        return None, ""
    unit = next((name for name, size in UNITS.items() if SHORTEST <= span * size <= LONGEST), None)
    if unit is None:
        return None, f"Times span {span:g}, which in no unit is a sweep of {SHORTEST:g} to {LONGEST:g} s: they are not read."
    return _nanoseconds((stored - first) * UNITS[unit], real), f"Times are taken as {unit}."


def _span(times: np.ndarray, real: np.ndarray) -> tuple[float, float]:
    """The first time and what lies between it and the last, of real returns whose time is finite; zeros without any."""
    held = times[real & np.isfinite(times)]
    return (held.min(), float(held.max() - held.min())) if len(held) else (times.dtype.type(0), 0.0)


def _nanoseconds(seconds: np.ndarray, real: np.ndarray) -> np.ndarray:
    return np.rint(np.where(real & np.isfinite(seconds), seconds, 0.0) * 1e9).astype(np.int32)
