"""What every metric of features asks of its two sides: rows [n, D] of finite numbers, equally wide, enough of them."""

from __future__ import annotations

import numpy as np

from tailgate.errors import UserError


def checked_pair(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Real and synthetic features in float64, [n, D] and [m, D], two rows or more each.

    Raises:
        UserError: another shape, fewer rows, NaN or infinity, or another width on the two sides.
    """
    sides = [np.asarray(s, dtype=np.float64) for s in (x, y)]
    for name, side in zip(("real features", "synthetic features"), sides, strict=True):
        if side.ndim != 2 or side.shape[1] == 0 or len(side) < 2:
            raise UserError(f"{name} must be of shape (n, D) with two rows or more, got {side.shape}")
        wrong = int((~np.isfinite(side)).any(axis=1).sum())
        if wrong:
            raise UserError(f"{name} must be finite, got NaN or infinity in {wrong} of {len(side)} rows")
    if sides[0].shape[1] != sides[1].shape[1]:
        raise UserError(f"real and synthetic features must be equally wide, got {sides[0].shape[1]} and {sides[1].shape[1]}")
    return sides[0], sides[1]
