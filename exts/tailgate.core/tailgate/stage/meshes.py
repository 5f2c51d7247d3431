"""Read one ``UsdGeom.Mesh`` into triangles with per-corner normals and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom

CREASE_DEG = 40.0
"""Edges sharper than this stay sharp when normals are made for a subdivision surface that carries none [deg]."""


@dataclass(frozen=True)
class MeshData:
    """A triangle mesh.

    Attributes:
        points: float64 [V, 3], the frame and unit of the reader's caller.
        triangles: int32 [F, 3], counter-clockwise seen from outside.
        corner_normal: unit normals, float32 [F, 3, 3].
        corner_colour: linear RGB, float32 [F, 3, 3]; None when no colour varies over the mesh.
        face_part: row of ``parts`` per triangle, int32 [F].
        parts: subset prims with a material of their own; row 0 is the mesh prim itself.
        colour: constant display colour, or None.
    """

    points: np.ndarray
    triangles: np.ndarray
    corner_normal: np.ndarray
    corner_colour: np.ndarray | None
    face_part: np.ndarray
    parts: list[Usd.Prim]
    colour: np.ndarray | None


def value(attribute: Usd.Attribute, kind: type = np.float64) -> np.ndarray:
    """Value of an array attribute at its earliest time, empty if it has none."""
    from pxr import Usd

    got = attribute.Get(Usd.TimeCode.EarliestTime()) if attribute else None
    return np.array(got if got is not None else [], kind)


def triangulate(counts: np.ndarray, indices: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split polygons into triangles: quads and other convex ones as fans, concave ones by ear clipping.

    Args:
        counts: corners per polygon, int [P].
        indices: point of each corner, int [sum(counts)].
        points: float64 [V, 3].

    Returns:
        corners: position in ``indices`` of each triangle's corners, int [F, 3].
        polygon: polygon of each triangle, int [F].
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    fans = np.maximum(counts - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), fans)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(fans) - fans, fans)
    corners = starts[polygon][:, None] + np.stack([np.zeros_like(step), step + 1, step + 2], 1)
    concave = concave_polygons(corners, polygon, points[indices], len(counts)) if len(polygon) else []
    for p in concave:
        ring = starts[p] + np.arange(counts[p])
        corners[polygon == p] = ring[clip_ears(points[indices[ring]])]
    return corners, polygon


def concave_polygons(corners: np.ndarray, polygon: np.ndarray, corner_points: np.ndarray, count: int) -> np.ndarray:
    """Polygons whose fan has a triangle turned against the polygon's own normal (Newell's sum), int [n]."""
    a, b, c = (corner_points[corners[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    total = np.zeros((count, 3))
    np.add.at(total, polygon, normal)
    against = (normal * total[polygon]).sum(1) < -1e-9 * np.maximum((total[polygon] ** 2).sum(1), 1e-30)
    return np.unique(polygon[against])


def clip_ears(ring: np.ndarray) -> np.ndarray:
    """Triangulate one simple polygon by ear clipping (Meisters 1975): [n, 3] points in order -> int [n - 2, 3]."""
    normal = np.cross(ring, np.roll(ring, -1, 0)).sum(0)
    drop = int(np.abs(normal).argmax())
    flat = np.delete(ring, drop, 1)
    if (normal[drop] < 0) != (drop == 1):
        flat = flat[:, ::-1]

    def turn(p: int, q: int, r: int) -> float:
        return float(np.cross(np.append(flat[q] - flat[p], 0), np.append(flat[r] - flat[p], 0))[2])

    left, out = list(range(len(ring))), []
    while len(left) > 3:
        ear = 0
        for k in range(len(left)):
            p, q, r = left[k - 1], left[k], left[(k + 1) % len(left)]
            others = (s for s in left if s not in (p, q, r))
            if turn(p, q, r) > 0 and not any(turn(p, q, s) >= 0 and turn(q, r, s) >= 0 and turn(r, p, s) >= 0 for s in others):
                ear = k
                break
        out.append([left[ear - 1], left[ear], left[(ear + 1) % len(left)]])
        del left[ear]
    return np.array([*out, left])


def corner_values(values: np.ndarray, kind: str, corners: np.ndarray, indices: np.ndarray, polygon: np.ndarray) -> np.ndarray | None:
    """Spread a primvar over triangle corners.

    Args:
        values: [n, 3], flattened.
        kind: interpolation: constant, uniform, vertex, varying or faceVarying.

    Returns:
        [F, 3, 3], or None when the count does not match the interpolation.
    """
    rows = {
        "constant": np.zeros_like(corners),
        "uniform": np.repeat(polygon[:, None], 3, 1),
        "vertex": indices[corners],
        "varying": indices[corners],
        "faceVarying": corners,
    }.get(kind)
    if rows is None or len(values) == 0 or rows.max(initial=0) >= len(values):
        return None
    return values[rows]


def smooth_normals(points: np.ndarray, triangles: np.ndarray, crease_deg: float) -> np.ndarray:
    """Corner normals averaged over the faces at a point that lie within ``crease_deg`` of the corner's own face, float32 [F, 3, 3]."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    face = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-30)
    if crease_deg <= 0:
        return np.repeat(face[:, None], 3, 1).astype(np.float32)
    _, place = np.unique(np.round(points, 6), axis=0, return_inverse=True)
    vertex = place.reshape(-1)[triangles].ravel()
    owner = np.repeat(np.arange(len(triangles)), 3)
    order = np.argsort(vertex, kind="stable")
    sizes = np.bincount(vertex, minlength=int(vertex.max()) + 1)
    first = np.cumsum(sizes) - sizes
    own = np.repeat(np.arange(len(vertex)), sizes[vertex])
    nth = np.arange(len(own)) - np.repeat(np.cumsum(sizes[vertex]) - sizes[vertex], sizes[vertex])
    other = owner[order[first[vertex[own]] + nth]]
    near = (face[owner[own]] * face[other]).sum(1) >= np.cos(np.deg2rad(crease_deg)) - 1e-9
    total = np.stack([np.bincount(own[near], area[other[near], k], len(vertex)) for k in range(3)], 1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    total = np.where(length > 1e-30, total / np.maximum(length, 1e-30), face[owner])
    return total.reshape(-1, 3, 3).astype(np.float32)


def read_normals(mesh: UsdGeom.Mesh, data: tuple) -> np.ndarray | None:
    """Authored normals per corner (primvar ``normals`` before the attribute), float32 [F, 3, 3]; None if there are none that fit."""
    from pxr import UsdGeom

    primvar = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("normals")
    if primvar and primvar.HasAuthoredValue():
        values, kind = np.array(primvar.ComputeFlattened(), np.float64).reshape(-1, 3), primvar.GetInterpolation()
    else:
        values, kind = value(mesh.GetNormalsAttr()).reshape(-1, 3), mesh.GetNormalsInterpolation()
    spread = corner_values(values, kind, *data)
    if spread is None:
        return None
    length = np.linalg.norm(spread, axis=2, keepdims=True)
    if (length < 1e-6).any():
        return None
    return (spread / length).astype(np.float32)


def read_colour(mesh: UsdGeom.Mesh, data: tuple) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Display colour: (constant [3] or None, per corner [F, 3, 3] or None)."""
    primvar = mesh.GetDisplayColorPrimvar()
    if not primvar or not primvar.HasValue():
        return None, None
    flat = primvar.ComputeFlattened()
    values = np.array(flat if flat is not None else [], np.float64).reshape(-1, 3)
    if len(values) and primvar.GetInterpolation() == "constant":
        return values[0], None
    spread = corner_values(values, primvar.GetInterpolation(), *data)
    return None, None if spread is None else spread.astype(np.float32)


def read_parts(mesh: UsdGeom.Mesh, polygons: int) -> tuple[list[Usd.Prim], np.ndarray]:
    """Material subsets: the mesh prim followed by the subset prims, and the row of each polygon, int32 [polygons]."""
    from pxr import UsdShade

    parts, part = [mesh.GetPrim()], np.zeros(polygons, np.int32)
    for subset in UsdShade.MaterialBindingAPI(mesh).GetMaterialBindSubsets():
        rows = value(subset.GetIndicesAttr(), np.int64)
        part[rows[(rows >= 0) & (rows < polygons)]] = len(parts)
        parts.append(subset.GetPrim())
    return parts, part


def read_mesh(mesh: UsdGeom.Mesh, T: np.ndarray) -> MeshData | None:
    """Read a mesh into the frame that ``T`` maps its own frame to; None when it has no face with an area.

    Holes are left out, left-handed meshes and mirroring transforms are turned so that triangles stay counter-clockwise from outside. Authored
    normals are kept; without them a subdivision surface gets smooth normals and a polygonal one flat normals.
    """
    counts, indices = value(mesh.GetFaceVertexCountsAttr(), np.int64), value(mesh.GetFaceVertexIndicesAttr(), np.int64)
    own = value(mesh.GetPointsAttr()).reshape(-1, 3)
    if len(counts) == 0 or counts.sum() != len(indices) or len(own) == 0 or indices.min() < 0 or indices.max() >= len(own):
        return None
    corners, polygon = triangulate(counts, indices, own)
    keep = ~np.isin(polygon, value(mesh.GetHoleIndicesAttr(), np.int64))
    corners, polygon = corners[keep], polygon[keep]
    flip = mesh.GetOrientationAttr().Get() == "leftHanded"
    data = (corners, indices, polygon)
    normals, (colour, corner_colour) = read_normals(mesh, data), read_colour(mesh, data)
    parts, part = read_parts(mesh, len(counts))
    points, triangles = own @ T[:3, :3].T + T[:3, 3], indices[corners].astype(np.int32)
    if normals is not None:
        world = normals @ np.linalg.inv(T[:3, :3])
        normals = (world / np.maximum(np.linalg.norm(world, axis=2, keepdims=True), 1e-30)).astype(np.float32)
    if flip != (np.linalg.det(T[:3, :3]) < 0):
        triangles = triangles[:, ::-1].copy()
        normals, corner_colour = (None if a is None else a[:, ::-1].copy() for a in (normals, corner_colour))
    if normals is None:
        smooth = mesh.GetSubdivisionSchemeAttr().Get() != "none"
        normals = smooth_normals(points, triangles, CREASE_DEG if smooth else 0.0)
    if len(triangles) == 0:
        return None
    return MeshData(points, triangles, normals, corner_colour, part[polygon], parts, colour)
