"""Triangles of a stage, in world space, for geometric queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.meshes import read_shape
from tailgate.stage.moment import moment
from tailgate.stage.poses import pose_of
from tailgate.stage.walk import Notes, Walk, ancestors

if TYPE_CHECKING:
    from pxr import Usd


def world_matrix(prim: Usd.Prim) -> np.ndarray:
    """T_world_prim at the stage's moment for column vectors, float64 [4, 4]."""
    from pxr import UsdGeom

    return pose_of(prim, UsdGeom.XformCache(moment(prim)))


def read_triangles(root: Usd.Prim) -> tuple[np.ndarray, np.ndarray]:
    """All visible shapes at and below ``root`` that are rendered: instances included; guides, proxies and contexts not.

    Returns:
        World points float64 [N, 3] [m] and triangles int64 [M, 3]; both may be empty.
    """
    walk = Walk(root.GetStage(), Notes())
    if any(walk.hidden(prim) for prim in (root, *ancestors(root))):
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    points, triangles, count = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], 0
    for shape in walk.flat(root):
        data = read_shape(shape.prim, walk.world(root) @ shape.T)
        if not isinstance(data, str):
            points.append(data.points)
            triangles.append(data.triangles + count)
            count += len(data.points)
    return np.concatenate(points), np.concatenate(triangles)
