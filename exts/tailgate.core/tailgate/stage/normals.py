"""Normals at the corners of triangles that carry none: each face's own, or averaged over the faces around a point."""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.stage.meshes import double_areas
from tailgate.turns import breathe

wp.set_module_options({"enable_backward": False})

BLOCK = 500_000
"""Triangles that are looked at in one piece."""
_SAME = 6
"""Points that agree in so many decimals are one point: where a mesh was cut for its texture, its surface goes on."""


def flat_normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Each face's own normal at its corners, float32 [F, 3, 3]."""
    out = np.empty((len(triangles), 3, 3), np.float32)
    for first in range(0, len(triangles), BLOCK):
        area = double_areas(points, triangles[first : first + BLOCK])
        out[first : first + BLOCK] = (area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-30))[:, None]
        breathe()
    return out


@wp.kernel
def _average(
    vertex: wp.array(dtype=wp.int32),
    first: wp.array(dtype=wp.int32),
    corner: wp.array(dtype=wp.int32),
    area: wp.array(dtype=wp.vec3d),
    cosine: wp.float64,
    begin: wp.int32,
    normal: wp.array(dtype=wp.vec3f),
):
    i = begin + wp.tid()
    own = wp.normalize(area[i / 3])
    total = wp.vec3d()
    for k in range(first[vertex[i]], first[vertex[i] + 1]):
        other = area[corner[k] / 3]
        if wp.dot(own, other) >= cosine * wp.length(other):
            total += other
    if wp.length(total) > wp.float64(1.0e-30):
        own = wp.normalize(total)
    normal[i] = wp.vec3f(wp.float32(own[0]), wp.float32(own[1]), wp.float32(own[2]))


def smooth_normals(points: np.ndarray, triangles: np.ndarray, crease_deg: float) -> np.ndarray:
    """Corner normals averaged over the faces at a point that lie within ``crease_deg`` of the corner's own face, weighed by area (Warp kernel).

    Args:
        points: [V, 3].
        triangles: [F, 3].
        crease_deg: [deg]; 0 for flat normals.

    Returns:
        Unit normals, float32 [F, 3, 3]; zero at triangles without an area whose neighbours have none either.
    """
    if crease_deg <= 0:
        return flat_normals(points, triangles)
    area = double_areas(points, triangles)
    breathe()
    vertex = _places(points)[triangles].ravel()
    breathe()
    corner = np.argsort(vertex, kind="stable").astype(np.int32)
    breathe()
    first = np.concatenate([[0], np.cumsum(np.bincount(vertex))]).astype(np.int32)
    given = [wp.array(values, dtype=wp.int32, device="cpu") for values in (vertex, first, corner)]
    given += [wp.array(area, dtype=wp.vec3d, device="cpu"), _least_cosine(crease_deg)]
    normal = wp.empty(len(vertex), dtype=wp.vec3f, device="cpu")
    for begin in range(0, len(vertex), 3 * BLOCK):
        wp.launch(_average, dim=min(3 * BLOCK, len(vertex) - begin), inputs=[*given, begin], outputs=[normal], device="cpu")
        breathe()
    return normal.numpy().reshape(-1, 3, 3)


def smooth_normals_twin(points: np.ndarray, triangles: np.ndarray, crease_deg: float) -> np.ndarray:
    """Readable twin of ``smooth_normals`` for a crease above 0, corner by corner."""
    area = double_areas(points, triangles)
    unit = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-30)
    vertex, out = _places(points)[triangles], np.zeros((len(triangles), 3, 3), np.float32)
    for face, k in np.ndindex(vertex.shape):
        around = np.flatnonzero((vertex == vertex[face, k]).any(axis=1))
        total = area[around[unit[around] @ unit[face] >= _least_cosine(crease_deg)]].sum(axis=0)
        length = np.linalg.norm(total)
        out[face, k] = total / length if length > 1e-30 else unit[face]
    return out


def _least_cosine(crease_deg: float) -> float:
    return float(np.cos(np.deg2rad(crease_deg)) - 1e-9)


def _places(points: np.ndarray) -> np.ndarray:
    """A number for each point, equal for points in one place, int32 [V]."""
    rounded = np.round(points, _SAME) + 0.0
    order = np.lexsort(rounded.T)
    place = np.empty(len(points), np.int32)
    place[order] = np.cumsum(np.append(False, (np.diff(rounded[order], axis=0) != 0).any(axis=1)))
    return place
