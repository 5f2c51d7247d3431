"""Read-only questions that placement asks: where the ground is, whether footprints overlap, how much of a box is in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tailgate.geometry.trace import TraceScene

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.extract import StageArrays


@dataclass(frozen=True)
class Box:
    """An oriented box.

    Attributes:
        T_world_box: pose of its centre, float64 [4, 4]; x = length, y = width, z = height.
        size: length, width, height [m], [3].
    """

    T_world_box: np.ndarray
    size: np.ndarray

    def footprint(self) -> np.ndarray:
        """Corners of the base seen from above, in order, [4, 2] m."""
        half = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * np.asarray(self.size)[:2] / 2
        return half @ self.T_world_box[:2, :2].T + self.T_world_box[:2, 3]


def static_scene(stage: Usd.Stage, device: str = "cpu") -> TraceScene:
    """Trace scene of everything that does not move: all shapes outside ``/Tailgate/Objects``, world frame, metres."""
    from tailgate.stage.extract import Extraction

    return scene_of(Extraction(stage, {}).run(), device)


def scene_of(arrays: StageArrays, device: str = "cpu") -> TraceScene:
    """``static_scene`` of a stage that was read already."""
    scene = TraceScene(device)
    static = [i for i, mover in enumerate(arrays.instance_mover) if mover < 0]
    prototypes = [arrays.instance_prototype[i] for i in static]
    ids = {p: scene.add_prototype(arrays.prototypes[p].points, arrays.prototypes[p].triangles) for p in dict.fromkeys(prototypes)}
    scene.set_instances(np.array([ids[p] for p in prototypes], np.int64), np.array([arrays.instance_pose[i] for i in static]))
    return scene


NARROW, LOW, REACH = 3.0, 2.0, 50.0
"""A closed shape is solid rather than a room if it is narrower than the first or lower than the second [m]; faces are sought within the third [m]."""


def inside_solids(scene: TraceScene, points: np.ndarray) -> np.ndarray:
    """Which points lie in a closed shape that is no room, such as a pillar or a crate.

    Of five directions (up and four level ones), four and more must meet a face from behind, by its winding. A shell as large as a room is one,
    whichever way its faces are turned.

    Args:
        points: [N, 3] m.

    Returns:
        bool [N].
    """
    points = np.asarray(points, np.float64).reshape(-1, 3)
    directions = np.array([[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], np.float64)
    hits = scene.trace(np.repeat(points, 5, 0), np.tile(directions, (len(points), 1)), REACH)
    t = hits.t.reshape(-1, 5)
    behind = ((hits.normal.reshape(-1, 5, 3) * directions).sum(2) > 0) & np.isfinite(t)
    small = (t[:, 0] < LOW) | (np.minimum(t[:, 1] + t[:, 2], t[:, 3] + t[:, 4]) < NARROW)
    return (behind.sum(1) >= 4) & small


def footprints_overlap(a: Box, others: list[Box], gap: float = 0.0) -> np.ndarray:
    """Whether the footprint of ``a`` comes closer than ``gap`` [m] along a separating axis to each other one; bool [N].

    Two rectangles are apart exactly when one of their four edge directions separates them (separating-axis theorem).
    """
    if not others:
        return np.zeros(0, bool)
    mine = a.footprint()
    theirs = np.stack([b.footprint() for b in others])
    apart = np.zeros(len(others), bool)
    for edges in (np.repeat(mine[None], len(others), 0), theirs):
        for k in range(2):
            axis = edges[:, k + 1] - edges[:, k]
            axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-12)
            p, q = mine @ axis.T, (theirs * axis[:, None]).sum(-1)
            apart |= (p.min(0) > q.max(1) + gap) | (q.min(1) > p.max(0) + gap)
    return ~apart


def volumes_overlap(a: Box, others: list[Box], gap: float = 0.0) -> np.ndarray:
    """As ``footprints_overlap``, and their height intervals overlap as well; bool [N]. For boxes that stand upright."""
    if not others:
        return np.zeros(0, bool)
    low, high = a.T_world_box[2, 3] - a.size[2] / 2, a.T_world_box[2, 3] + a.size[2] / 2
    centre, half = np.array([b.T_world_box[2, 3] for b in others]), np.array([b.size[2] for b in others]) / 2
    return footprints_overlap(a, others, gap) & (centre - half <= high + gap) & (low <= centre + half + gap)


def box_entries(box: Box, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Parameter at which rays enter a box, inf where they miss it; float64 [N]."""
    R = box.T_world_box[:3, :3]
    o, d = (origin - box.T_world_box[:3, 3]) @ R, directions @ R
    d = np.where(np.abs(d) < 1e-12, 1e-12, d)
    a, b = (-np.asarray(box.size) / 2 - o) / d, (np.asarray(box.size) / 2 - o) / d
    near, far = np.maximum(np.minimum(a, b).max(1), 0.0), np.maximum(a, b).min(1)
    return np.where(near <= far, near, np.inf)


def visible_share(viewpoint: np.ndarray, target: Box, occluders: list[Box], scene: TraceScene | None = None, rays: int = 256) -> float:
    """Share of a box's solid angle that can be seen from a point.

    Rays go to a fixed low-discrepancy set of points on the box's bounding disc that faces the viewer (R2 sequence, Roberts 2018); those that
    meet the box are counted, and of them those that neither another box nor the scene stops earlier.

    Args:
        viewpoint: [3] m.
        target: the box looked at; it need not be in ``scene``.
        occluders: boxes that may stand in the way.
        scene: meshes that may stand in the way.
        rays: number of directions; the share's error is about 1 / sqrt(rays).

    Returns:
        0 (hidden) to 1 (in full view); 0 when the viewpoint is inside the box.
    """
    viewpoint = np.asarray(viewpoint, np.float64)
    ahead = target.T_world_box[:3, 3] - viewpoint
    distance, radius = float(np.linalg.norm(ahead)), float(np.linalg.norm(target.size)) / 2
    if distance < 1e-6 or box_entries(target, viewpoint, ahead[None])[0] == 0.0:
        return 0.0
    ahead /= distance
    side = np.cross(ahead, [0.0, 0.0, 1.0] if abs(ahead[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    k = np.arange(rays) + 0.5
    r, phi = np.sqrt((k * 0.7548776662466927) % 1.0), 2 * np.pi * ((k * 0.5698402909980532) % 1.0)
    tangent = radius / np.sqrt(max(distance**2 - radius**2, (0.05 * radius) ** 2))
    directions = ahead + tangent * r[:, None] * (np.cos(phi)[:, None] * side + np.sin(phi)[:, None] * np.cross(side, ahead))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    entry = box_entries(target, viewpoint, directions)
    directions, entry = directions[np.isfinite(entry)], entry[np.isfinite(entry)]
    if len(entry) == 0:
        return 0.0
    stopped = np.zeros(len(entry), bool)
    for box in occluders:
        stopped |= box_entries(box, viewpoint, directions) < entry
    if scene is not None:
        stopped |= scene.trace(viewpoint, directions, float(entry.max())).t < entry - 1e-3
    return float(1.0 - stopped.mean())
