"""Read-only geometry for placement: ground below a point, overlap with the base scene and each other, and how much of a target is hidden.

Rays are always traced on the CPU, so that a sample is the same whichever device or backend renders it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tailgate.geometry.queries import Box, inside_solids, volumes_overlap
from tailgate.geometry.trace import TraceScene
from tailgate.randomize.protocol import Placed
from tailgate.randomize.slots import AssetShape, AssetSlot
from tailgate.stage.contexts import GROUND_SEARCH
from tailgate.stage.layers import pose_matrix

SILHOUETTE_CELLS = 24
"""Cells across a target's silhouette; each counts once, so near and dense surfaces weigh no more than their image."""

SILHOUETTES = 8
"""Silhouettes that are remembered."""


class SceneQueries:
    """Geometry of the base scene and of the assets.

    Args:
        base: the base scene, on the CPU (``geometry.queries.static_scene``).
    """

    def __init__(self, base: TraceScene):
        self._base = base
        self.has_base = base.instances > 0
        self._objects = TraceScene("cpu")
        self._prototypes: dict[Path, int] = {}
        self._shown: tuple = ()
        self._silhouettes: dict[tuple, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def ground(self, points: np.ndarray) -> np.ndarray:
        """Height of the base scene [m] at points [n, 3], searched within GROUND_SEARCH of their z; their own z where there is none."""
        points = np.atleast_2d(np.asarray(points, float))
        if not self.has_base:
            return points[:, 2].copy()
        start = points + [0.0, 0.0, GROUND_SEARCH]
        hits = self._base.trace(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape), 2 * GROUND_SEARCH)
        return np.where(hits.instance >= 0, start[:, 2] - np.where(hits.instance >= 0, hits.t, 0.0), points[:, 2])

    def hits_base(self, slot: AssetSlot, pose: Sequence[float]) -> bool:
        """True if the object's box would cut something of the base scene above its ground contact (a wall, a pole, a parked car), or lie in it."""
        if not self.has_base:
            return False
        starts, ends = _probe_lines(slot.shape)
        T = np.array(pose_matrix(*pose))
        starts, ends = (p @ T[:3, :3].T + T[:3, 3] for p in (starts, ends))
        cut = (self._base.trace(starts, ends - starts, 1.0).instance >= 0).any()
        return bool(cut or inside_solids(self._base, (starts[:1] + ends[:1]) / 2)[0])

    def inside_base(self, point: np.ndarray) -> bool:
        """True if a point [3] lies in something solid of the base scene."""
        return self.has_base and bool(inside_solids(self._base, point[None])[0])

    def stands_flat(self, slot: AssetSlot, pose: Sequence[float], tolerance: float = 0.04) -> bool:
        """True if the ground under the footprint's corners is level with the origin within ``tolerance`` [m]."""
        corners = footprint(slot, pose, -0.15 * slot.size[:2].min())
        ground = self.ground(np.column_stack([corners, np.full(4, pose[2])]))
        return bool(np.abs(ground - pose[2]).max() <= tolerance)

    def visible_share(self, eye: np.ndarray, target: Placed, others: Sequence[Placed], tick: int = 0) -> float:
        """Share of the target's silhouette that reaches ``eye`` [3], 0..1, given other objects and the base scene.

        Points spread over the target's surface are binned by direction; each filled bin counts once. 1 - share estimates ``ObjectView.occluded``.
        """
        rays, bins, blocked = self._silhouette(eye, target, tick)
        shown = [p for p in others if p.slot.name != target.slot.name]
        if shown:
            self._show(shown, tick)
            blocked = blocked | (self._objects.trace(eye, rays, 0.999).instance >= 0)
        count = np.bincount(bins)
        free = np.bincount(bins, weights=~blocked)
        filled = count > 0
        return float((free[filled] / count[filled]).mean())

    def _silhouette(self, eye: np.ndarray, target: Placed, tick: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rays from ``eye`` to the target's surface, their bins and whether the base scene blocks them; of the last few targets, since an occluder is
        slid before one many times."""
        key = (target.slot.name, target.pose(tick), eye.tobytes())
        if key not in self._silhouettes:
            T = np.array(pose_matrix(*target.pose(tick)))
            points = target.slot.shape.surface @ T[:3, :3].T + T[:3, 3]
            rays, free = points - eye, np.zeros(len(points), bool)
            blocked = self._base.trace(eye, rays, 0.995).instance >= 0 if self.has_base else free
            if len(self._silhouettes) == SILHOUETTES:
                self._silhouettes.clear()
            self._silhouettes[key] = rays, _direction_bins(eye, points), blocked
        return self._silhouettes[key]

    def _show(self, placed: Sequence[Placed], tick: int) -> None:
        key = tuple((p.slot.name, p.pose(tick)) for p in placed)
        if key != self._shown:
            ids = np.array([self._prototype(p.slot.shape) for p in placed])
            self._objects.set_instances(ids, np.array([pose_matrix(*p.pose(tick)) for p in placed]))
            self._shown = key

    def _prototype(self, shape: AssetShape) -> int:
        if shape.file not in self._prototypes:
            self._prototypes[shape.file] = self._objects.add_prototype(shape.points, shape.triangles)
        return self._prototypes[shape.file]


def _direction_bins(eye: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bin of each point [n] in a square grid over the directions from ``eye`` to the points."""
    rays = points - eye
    forward = rays.mean(0) / np.linalg.norm(rays.mean(0))
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([0.0, 1.0, 0.0])
    depth = np.maximum(rays @ forward, 1e-6)
    plane = np.stack([rays @ right / depth, rays @ np.cross(right, forward) / depth], axis=1)
    low, high = plane.min(0), plane.max(0)
    cells = np.floor((plane - low) / max((high - low).max(), 1e-9) * (SILHOUETTE_CELLS - 1e-6)).astype(np.int64)
    return cells[:, 0] * SILHOUETTE_CELLS + cells[:, 1]


def _probe_lines(shape: AssetShape) -> tuple[np.ndarray, np.ndarray]:
    """Lines through an asset's box above its feet, own frame: both diagonals and both middles at three heights, and four upright edges."""
    low, high = shape.low, shape.high
    height = high[2] - low[2]
    cx, cy = (low[:2] + high[:2]) / 2
    plan = [
        ((low[0], low[1]), (high[0], high[1])),
        ((low[0], high[1]), (high[0], low[1])),
        ((low[0], cy), (high[0], cy)),
        ((cx, low[1]), (cx, high[1])),
    ]
    floor = low[2] + max(0.1 * height, min(0.25, 0.3 * height))
    starts, ends = [], []
    for z in (floor, (floor + high[2]) / 2, high[2]):
        for a, b in plan:
            starts.append((*a, z))
            ends.append((*b, z))
    for x in (low[0], high[0]):
        for y in (low[1], high[1]):
            starts.append((x, y, floor))
            ends.append((x, y, high[2]))
    return np.array(starts), np.array(ends)


def may_hide(near: Placed, far: Placed, eye: np.ndarray) -> bool:
    """False if ``near`` cannot hide any of ``far`` from ``eye`` [3]: it stands wholly behind it or in another direction."""
    gap = [np.linalg.norm(np.array(p.pose(0)[:3]) - eye) for p in (near, far)]
    if gap[0] - np.linalg.norm(near.slot.size) > gap[1] + np.linalg.norm(far.slot.size):
        return False
    (az_n, el_n, b_n), (az_f, el_f, b_f) = (_corner_angles(p, eye) for p in (near, far))
    near_az, far_az = _wrap(az_n - b_n), _wrap(az_f - b_n)
    apart = near_az.max() < far_az.min() or far_az.max() < near_az.min()
    return not apart and el_n.max() >= el_f.min() and el_f.max() >= el_n.min()


def _corner_angles(placed: Placed, eye: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Azimuth and elevation [rad] of the box corners [8], and the bearing of their middle."""
    low, high = placed.slot.shape.low, placed.slot.shape.high
    corners = np.array([[x, y, z, 1.0] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    rays = (corners @ np.array(pose_matrix(*placed.pose(0))).T)[:, :3] - eye
    middle = rays.mean(0)
    elevation = np.arctan2(rays[:, 2], np.hypot(rays[:, 0], rays[:, 1]))
    return np.arctan2(rays[:, 1], rays[:, 0]), elevation, float(np.arctan2(middle[1], middle[0]))


def _wrap(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def box_of(slot: AssetSlot, pose: Sequence[float], margin: float = 0.0) -> Box:
    """World box of an object, its footprint widened by ``margin`` [m] on every side."""
    low, high = slot.shape.low, slot.shape.high
    T = np.array(pose_matrix(*pose))
    T[:3, 3] = T[:3, :3] @ ((low + high) / 2) + T[:3, 3]
    return Box(T, high - low + np.array([2 * margin, 2 * margin, 0.0]))


def footprint(slot: AssetSlot, pose: Sequence[float], margin: float = 0.0) -> np.ndarray:
    """Corners [4, 2] of the box seen from above, widened by ``margin`` [m], in order around it."""
    return box_of(slot, pose, margin).footprint()


def overlaps(slot: AssetSlot, poses: Sequence[Sequence[float]], others: Sequence[Placed], gap: float = 0.05) -> bool:
    """True if a slot moving through ``poses`` (one per tick) would come nearer than ``gap`` [m] to another object's box at some tick."""
    ticks = max([len(poses), *(len(o.poses) for o in others)], default=1)
    for tick in range(ticks if others else 0):
        own = box_of(slot, poses[min(tick, len(poses) - 1)])
        if volumes_overlap(own, [box_of(o.slot, o.pose(tick)) for o in others], gap).any():
            return True
    return False
