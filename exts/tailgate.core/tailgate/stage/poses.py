"""Poses of prims as USD composes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom


def pose_of(prim: Usd.Prim, cache: UsdGeom.XformCache, root: Usd.Prim | None = None) -> np.ndarray:
    """T_root_prim [4, 4] at the cache's time, of the stage without a root; not a number where USD cannot read the operations of a transform."""
    from pxr import Tf

    try:
        matrix = cache.GetLocalToWorldTransform(prim) if root is None else cache.ComputeRelativeTransform(prim, root)[0]
    except Tf.ErrorException:
        return np.full((4, 4), np.nan)
    return np.array(matrix).T
