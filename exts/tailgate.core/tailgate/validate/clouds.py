"""What every cloud metric asks of its clouds: points [n, 3] in metres, enough of them, finite, and near enough to the origin for float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.errors import UserError

REAL, SYNTHETIC = "the real cloud P", "the synthetic cloud Q"
"""Names of the two sides in messages."""
LIMIT = 1e7
"""Coordinates reach below this [m], in any precision: map grids end there, and a float32 step there is 1 m."""
FLOAT32_LIMIT = 2.0**20
"""Coordinates held in float32 reach below this [m]: up to there its step is 1/16 m at most, beyond it coarser than the gaps between returns."""


def _on_device(points: Any) -> bool:
    """Whether this is a Warp array (told by its pointer, so that Warp need not be loaded)."""
    return hasattr(points, "ptr")


def shaped(points: Any, name: str, least: int = 1) -> Any:
    """Return points of shape (n, 3), numpy or Warp (vec3, or float32 [n, 3]) as given; only the shape and the number are looked at.

    Args:
        points: anything numpy can read, or a Warp array.
        name: the side, for messages.
        least: fewest points the metric can be formed from.

    Raises:
        UserError: another shape, or fewer points.
    """
    try:
        array = points if _on_device(points) else np.asarray(points)
    except ValueError:
        raise UserError(f"{name} must be points of shape (n, 3), got rows of different lengths") from None
    components = getattr(array.dtype, "_length_", 1)
    shape = (*array.shape, components) if components > 1 else tuple(array.shape)
    if len(shape) != 2 or shape[1] != 3:
        raise UserError(f"{name} must be points of shape (n, 3), got shape {shape}")
    if _on_device(array) and array.dtype.__name__ not in ("float32", "vec3f"):
        raise UserError(f"{name} must be a Warp array of vec3 or float32, got {array.dtype.__name__}")
    if shape[0] < least:
        got = {0: "an empty cloud", 1: "one point"}.get(shape[0], f"{shape[0]} points")
        raise UserError(f"{name} must hold at least {'one point' if least == 1 else f'{least} points'}, got {got}")
    return array


def refuse_row(name: str, row: int, wrong: int, count: int) -> None:
    """Raise for NaN or infinity in ``wrong`` of ``count`` points, the first of them in ``row``; return where ``wrong`` is 0."""
    if wrong:
        raise UserError(f"{name} must hold finite coordinates, got NaN or infinity in {wrong} of {count} points, first in row {row}")


def refuse_far(name: str, largest: float, single: bool) -> None:
    """Raise where the largest coordinate [m] is at or beyond the limit of its precision (``single``: held in float32)."""
    if largest >= LIMIT:
        raise UserError(f"{name} must have coordinates below {LIMIT:.0e} m, got {largest:.6g} m, where float32 steps are 1 m: are they metres?")
    if single and largest >= FLOAT32_LIMIT:
        step = float(np.spacing(np.float32(largest)))
        raise UserError(
            f"{name} must have coordinates below {FLOAT32_LIMIT:.0f} m of the origin, got {largest:.6g} m, where float32 steps are {step:g} m: "
            "subtract a common origin in float64 first"
        )


def checked(points: Any, name: str, least: int = 1) -> np.ndarray:
    """Points as a host array [n, 3], float32 or float64, after every check.

    Raises:
        UserError: not (n, 3), fewer than ``least`` points, NaN or infinity (with the row), or a coordinate beyond the limit of its precision.
    """
    array = shaped(points, name, least)
    if _on_device(array):
        array = array.numpy().reshape(-1, 3)
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "iuf":
            raise UserError(f"{name} must hold numbers, got {array.dtype}")
        array = array.astype(np.float64)
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        refuse_row(name, int(bad.argmax()), int(bad.sum()), len(array))
    refuse_far(name, float(np.abs(array).max()), array.dtype == np.float32)
    return array


def checked_set(clouds: Any, name: str) -> np.ndarray:
    """A set of equal-size clouds as a host array [A, n, 3]; refusals as ``checked``, naming the cloud.

    Raises:
        UserError: not (sets, points, 3), empty, or a point that ``checked`` refuses.
    """
    try:
        array = np.asarray(clouds)
    except ValueError:
        raise UserError(f"{name} must hold clouds of one size: resample them first") from None
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise UserError(f"{name} must be clouds of shape (sets, points, 3) with points in them, got shape {array.shape}")
    bad = ~np.isfinite(array).all(axis=(1, 2))
    if bad.any():
        cloud = int(bad.argmax())
        checked(array[cloud], f"cloud {cloud} of {name}")
    refuse_far(name, float(np.abs(array).max()), True)
    return array
