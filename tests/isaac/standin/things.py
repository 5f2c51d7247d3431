"""The labelled prims of one frame: which pixel shows which, their labels, boxes and poses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from .labels import Labels


@dataclass(frozen=True)
class Things:
    """Labelled prims under one filter.

    Attributes:
        row: row of the prim per pixel, -1 for unlabelled shapes, -2 where nothing was hit, int32 (H, W).
        paths: those in the picture in order of first sight, then the others.
        labels: taxonomy -> labels of each, joined.
        seen: how many of them are in the picture.
        to_world: local to world for row vectors, stage units, float64 [n, 4, 4].
        lower, upper: bounds in the prim's own frame, stage units, float64 [n, 3].
        meshes: number of shapes of each.
    """

    row: np.ndarray
    paths: list[str]
    labels: list[dict[str, str]]
    seen: int
    to_world: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    meshes: list[int]


def things_of(stage: Any, labels: Labels, slot: np.ndarray, slot_prims: list[str], bounds: dict[str, tuple[np.ndarray, np.ndarray]]) -> Things:
    """Group the pixels of a picture by labelled prim.

    Args:
        stage: the stage as rendered.
        labels: its labels.
        slot: row of ``slot_prims`` per pixel, -1 where nothing was hit, int32 (H, W).
        slot_prims: paths of shapes.
        bounds: bounds that are known already, by path.
    """
    of_slot = [labels.entity(path) for path in slot_prims]
    rows, first = np.unique(slot, return_index=True)
    in_order = [of_slot[r] for r in rows[np.argsort(first)] if r >= 0]
    seen = list(dict.fromkeys(p for p in in_order if p))
    paths = list(dict.fromkeys([*seen, *(p for p in of_slot if p)]))
    index = {path: n for n, path in enumerate(paths)}
    table = np.array([*(index[p] if p else -1 for p in of_slot), -2], np.int32)
    count = Counter(p for p in of_slot if p)
    to_world, lower, upper = _placed(stage, paths, bounds)
    joined = [labels.joined(p) for p in paths]
    return Things(table[slot], paths, joined, len(seen), to_world, lower, upper, [count[p] for p in paths])


def _placed(stage: Any, paths: list[str], bounds: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose and bounds of prims."""
    from pxr import Usd, UsdGeom

    now = Usd.TimeCode.EarliestTime()
    cache = UsdGeom.XformCache(now)
    boxes = UsdGeom.BBoxCache(now, [UsdGeom.Tokens.default_, UsdGeom.Tokens.render])
    T, low, high = np.tile(np.eye(4), (len(paths), 1, 1)), np.zeros((len(paths), 3)), np.zeros((len(paths), 3))
    for n, path in enumerate(paths):
        prim = stage.GetPrimAtPath(path)
        T[n] = np.array(cache.GetLocalToWorldTransform(prim))
        if path in bounds:
            low[n], high[n] = bounds[path]
        else:
            held = boxes.ComputeUntransformedBound(prim).ComputeAlignedRange()
            if not held.IsEmpty():
                low[n], high[n] = np.array(held.GetMin()), np.array(held.GetMax())
    return T, low, high


def corners(lower: np.ndarray, upper: np.ndarray, to_world: np.ndarray) -> np.ndarray:
    """Corners of boxes in the world, float64 [n, 8, 3]."""
    pick = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], bool)
    local = np.where(pick[None], upper[:, None], lower[:, None])
    return local @ to_world[:, :3, :3] + to_world[:, None, 3, :3]
