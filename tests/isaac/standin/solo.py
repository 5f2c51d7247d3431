"""Labelled prims that are no movers, each traced alone: what of them would be in the picture were nothing else there."""

from __future__ import annotations

from typing import Any

import numpy as np
from tailgate.geometry.trace import TraceScene

NOWHERE = np.array([1, 1, 0, 0], np.int64)


class Solo:
    """Trees of static labelled prims, built when first asked for.

    Args:
        arrays: the stage's arrays; see ``tailgate.stage.extract.StageArrays``.
        entity: path of a shape -> path of the labelled prim it belongs to, or None.
        device: Warp device.
    """

    def __init__(self, arrays: Any, entity: Any, device: str):
        self._arrays, self._device = arrays, device
        self._of_slot = np.array([entity(p) or "" for p in arrays.slot_prims], object)
        self._trees: dict[str, TraceScene | None] = {}

    def _tree(self, path: str) -> TraceScene | None:
        """The prim's own faces in the world."""
        if path not in self._trees:
            corners = []
            for row, mover in enumerate(self._arrays.instance_mover):
                if mover >= 0:
                    continue
                held = self._arrays.prototypes[self._arrays.instance_prototype[row]]
                faces = held.triangles[self._of_slot[held.face_slot + self._arrays.instance_slot[row]] == path]
                T = np.asarray(self._arrays.instance_pose[row])
                corners.append(held.points[faces.ravel()].astype(np.float64) @ T[:3, :3].T + T[:3, 3])
            points = np.concatenate(corners) if corners else np.zeros((0, 3))
            self._trees[path] = None
            if len(points):
                tree = TraceScene(self._device)
                tree.add_prototype(points, np.arange(len(points)).reshape(-1, 3))
                tree.set_instances(np.zeros(1, np.int64), np.eye(4)[None])
                self._trees[path] = tree
        return self._trees[path]

    def seen(self, path: str, model: Any, T_world_camera: np.ndarray) -> tuple[int, np.ndarray]:
        """Pixels of the prim alone and their bounds, int64 [4] (x_max < x_min where there are none)."""
        tree = self._tree(path)
        if tree is None:
            return 0, NOWHERE
        v, u = np.mgrid[: model.height, : model.width]
        x, y = model.intrinsics.unproject(u.ravel().astype(float), v.ravel().astype(float))
        directions = np.stack([x, y, np.ones_like(x)], 1) @ T_world_camera[:3, :3].T
        hit = np.isfinite(tree.trace(T_world_camera[:3, 3], directions).t)
        if not hit.any():
            return 0, NOWHERE
        u, v = u.ravel()[hit], v.ravel()[hit]
        return int(hit.sum()), np.array([u.min(), v.min(), u.max(), v.max()], np.int64)
