"""Readable numpy twins of the ray kernels, for tests and small scenes. Cost: rays times triangles."""

from __future__ import annotations

import numpy as np

from tailgate.geometry.trace import Hits


def triangle_hits_twin(origins: np.ndarray, directions: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Meet N rays with F triangles (Möller and Trumbore 1997, "Fast, minimum storage ray-triangle intersection").

    Args:
        origins, directions: float64 [N, 3].
        corners: float64 [F, 3, 3].

    Returns:
        t [N, F] (inf where a triangle is missed) and the weights of corners 0 and 1, each [N, F].
    """
    a, ab, ac = corners[None, :, 0], (corners[:, 1] - corners[:, 0])[None], (corners[:, 2] - corners[:, 0])[None]
    p = np.cross(directions[:, None], ac)
    s = origins[:, None] - a
    q = np.cross(s, ab)
    with np.errstate(divide="ignore", invalid="ignore"):
        det = (ab * p).sum(-1)
        b1, b2 = (s * p).sum(-1) / det, (directions[:, None] * q).sum(-1) / det
        t = (ac * q).sum(-1) / det
        b0 = 1 - b1 - b2
        inside = (det != 0) & (b1 >= 0) & (b2 >= 0) & (b1 + b2 <= 1) & (t >= 0)
    return np.where(inside, t, np.inf), b0, b1


def trace_twin(prototypes: list, ids: np.ndarray, T_world: np.ndarray, rays: tuple[np.ndarray, np.ndarray], t_max: float = 1e6) -> Hits:
    """Trace by testing every triangle of every instance.

    Args:
        prototypes: (points [V, 3], triangles [F, 3]) each.
        ids, T_world: as for ``TraceScene.set_instances``.
        rays: origins and directions [N, 3].
    """
    origins, directions = (np.asarray(r, np.float64).reshape(-1, 3) for r in rays)
    n = len(directions)
    t, instance, face = np.full(n, np.inf), np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    weights, normal = np.zeros((n, 2)), np.zeros((n, 3))
    for i, (prototype, T) in enumerate(zip(ids, T_world, strict=True)):
        points, triangles = prototypes[prototype]
        corners = np.asarray(points, np.float64)[triangles] @ T[:3, :3].T + T[:3, 3]
        own_t, u, v = triangle_hits_twin(origins, directions, corners)
        nearest = own_t.argmin(1)
        row = np.arange(n)
        better = (own_t[row, nearest] < t) & (own_t[row, nearest] <= t_max)
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * np.sign(np.linalg.det(T[:3, :3]))
        cross /= np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)
        t[better], instance[better], face[better] = own_t[row, nearest][better], i, nearest[better]
        weights[better] = np.stack([u, v], -1)[row, nearest][better]
        normal[better] = cross[nearest][better]
    return Hits(t.astype(np.float32), instance, face, weights.astype(np.float32), normal.astype(np.float32))


def tree_twin(lower: np.ndarray, upper: np.ndarray, capacity: int, items: np.ndarray | None = None) -> list:
    """Twin of ``build_kernel``: part boxes [N, 3] by the surface area heuristic (Wald 2007), the largest part first, until there are eight or all fit
    leaves of ``capacity``; then each that does not by itself. A node is the list of its parts, a leaf the set of its items."""
    parts = [np.arange(len(lower)) if items is None else items]
    while len(parts) < 8 and any(len(part) > capacity for part in parts):
        open_ones = [k for k, part in enumerate(parts) if len(part) > capacity]
        widest = max(open_ones, key=lambda k: _half_area(lower[parts[k]], upper[parts[k]]))
        left = _left_side(lower[parts[widest]], upper[parts[widest]], capacity)
        parts.append(parts[widest][~left])
        parts[widest] = parts[widest][left]
    return [set(part.tolist()) if len(part) <= capacity else tree_twin(lower, upper, capacity, part) for part in parts if len(part)]


def _left_side(lower: np.ndarray, upper: np.ndarray, capacity: int) -> np.ndarray:
    """Which boxes lie left of the cheapest of 15 planes per axis between bins of their centres, or the first half where all are in one place, [N]."""
    n, centre = len(lower), lower + upper
    best, left = np.inf, np.arange(n) < n // 2
    for axis in range(3):
        low, high = centre[:, axis].min(), centre[:, axis].max()
        if high == low:
            continue
        bins = np.minimum(((centre[:, axis] - low) * np.float32(16 * 0.9999 / (high - low))).astype(int), 15)
        for plane in range(15):
            side = bins <= plane
            if 0 < side.sum() < n:
                work = sum(_half_area(lower[s], upper[s]) * np.ceil(s.sum() / capacity) for s in (side, ~side))
                if work < best:
                    best, left = work, side
    return left


def _half_area(lower: np.ndarray, upper: np.ndarray) -> float:
    """Half the surface of the box around boxes."""
    x, y, z = upper.max(0) - lower.min(0)
    return x * y + y * z + z * x
