"""Labelled boxes of real LiDAR data: which returns they hold and which rays cross them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailgate.frames import Objects, ObjectView


def quaternion_matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] of quaternions w, x, y, z of any length [..., 4]."""
    w, x, y, z = np.moveaxis(np.asarray(q, dtype=np.float64) / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def inside_box(xyz: np.ndarray, T_frame_box: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Whether points [n, 3] of a frame lie in a box (pose in that frame, length width height [m]), bool [n]."""
    local = (xyz - T_frame_box[:3, 3]) @ T_frame_box[:3, :3]
    return (np.abs(local) <= size / 2).all(axis=1)


def rays_through_box(rays: np.ndarray, T_sensor_box: np.ndarray, size: np.ndarray) -> int:
    """How many unit rays [n, 3] from the sensor's origin cross a box (slab test; Kay and Kajiya 1986)."""
    centre = T_sensor_box[:3, 3]
    distance, reach = np.linalg.norm(centre), np.linalg.norm(size) / 2
    if distance > reach:
        rays = rays[rays @ centre > np.sqrt(distance**2 - reach**2)]
    direction, origin = rays @ T_sensor_box[:3, :3], -centre @ T_sensor_box[:3, :3]
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (-size / 2 - origin) / direction, (size / 2 - origin) / direction
    enter, leave = np.fmin(a, b).max(axis=1), np.fmax(a, b).min(axis=1)
    return int(((leave >= enter) & (leave > 0)).sum())


def label_returns(channels: dict[str, np.ndarray], T_sensor_box: np.ndarray, size: np.ndarray, semantic: np.ndarray) -> ObjectView:
    """Write ``instance`` (row + 1) and ``semantic`` into organised channels and return what the LiDAR sees of each box.

    ``alone`` counts the rays that cross the box, which is more than those that would hit the object in it. A return inside two boxes goes to
    the smaller one.

    Args:
        channels: organised scan; gains ``instance`` and ``semantic``, uint32 (beams, columns, echoes).
        T_sensor_box: poses in the sensor frame, [N, 4, 4].
        size: length, width, height [m], [N, 3].
        semantic: semantic id per box, [N].
    """
    from tailgate.geometry.beams import directions

    rays = directions(channels["azimuth"], channels["elevation"])
    rng = channels["range"]
    instance, classes = np.zeros(rng.shape, np.uint32), np.zeros(rng.shape, np.uint32)
    cells = np.argwhere(rng > 0)
    xyz = rays[cells[:, 0], cells[:, 1]] * rng[tuple(cells.T)][:, None].astype(np.float64)
    for row in sorted(range(len(size)), key=lambda i: (-float(np.prod(size[i])), i)):
        held = tuple(cells[inside_box(xyz, T_sensor_box[row], size[row])].T)
        instance[held], classes[held] = row + 1, semantic[row]
    channels["instance"], channels["semantic"] = instance, classes
    visible = np.bincount(instance.ravel(), minlength=len(size) + 1)[1:].astype(np.int32)
    flat = rays.reshape(-1, 3)
    alone = np.array([rays_through_box(flat, T, s) for T, s in zip(T_sensor_box, size, strict=True)], dtype=np.int32)
    alone = np.maximum(alone, visible)
    return lidar_view(visible, alone, np.linalg.norm(T_sensor_box[:, :3, 3], axis=1))


def lidar_view(visible: np.ndarray, alone: np.ndarray, distance: np.ndarray) -> ObjectView:
    """ObjectView of a LiDAR from counts and distances [m], each [N]."""
    none = np.full((len(visible), 4), -1, dtype=np.float32)
    occluded = np.where(alone > 0, 1.0 - visible / np.maximum(alone, 1), 1.0).astype(np.float32)
    return ObjectView(none, none.copy(), visible, alone, occluded, np.zeros(len(visible), np.float32), distance.astype(np.float32))


def objects_of(class_name: list[str], T_world_box: np.ndarray, size: np.ndarray, track: Sequence[str] = ()) -> Objects:
    """Objects with instance ids from 1 in row order; ``asset`` stays empty for real data."""
    count = len(class_name)
    boxes = T_world_box.reshape(count, 4, 4), size.reshape(count, 3)
    return Objects(np.arange(1, count + 1, dtype=np.int32), list(class_name), *boxes, [""] * count, list(track))


def class_ids(names: list[str]) -> dict[str, int]:
    """Semantic id of each class from 1, in alphabetical order."""
    return {name: i for i, name in enumerate(sorted(set(names)), start=1)}
