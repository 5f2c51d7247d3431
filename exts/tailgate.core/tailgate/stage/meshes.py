"""Read one shape, a ``UsdGeom.Mesh`` or a solid, into triangles with per-corner normals, texture coordinates and colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.composition import hushed
from tailgate.stage.labels import direct_labels
from tailgate.stage.moment import moment
from tailgate.stage.solids import read_solid
from tailgate.stage.values import array
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom

CREASE_DEG = 40.0
"""Edges sharper than this stay sharp when normals are made for a subdivision surface that carries none [deg]."""
FARTHEST = 1e9
"""Largest coordinate that is shown [m]: single precision holds the fourth power of no length beyond 4e9."""
NOT_FINITE = f"points that are not finite, or lie beyond {FARTHEST:g} m, their faces are left out"
NO_COLOUR = "display colours do not fit or are not finite, they are not shown"
LARGE = 5_000_000
"""From this many triangles on, reading a mesh and building its tree takes more than ten seconds, and is said."""


@dataclass(frozen=True)
class MeshData:
    """A triangle mesh.

    Attributes:
        points: float64 [V, 3], the frame and unit of the reader's caller.
        triangles: int32 [F, 3], counter-clockwise seen from outside.
        corner_normal: unit normals, float32 [F, 3, 3].
        corner_colour: linear RGB, float32 [F, 3, 3]; None when no colour varies over the mesh.
        corner_st: texture coordinates, float32 [F, 3, 2]; None when no material asks for them.
        face_part: row of ``parts`` per triangle, int32 [F].
        parts: subset prims with a material of their own; row 0 is the mesh prim itself.
        colour: constant display colour, or None.
        flaws: what was left out or could not be honoured.
    """

    points: np.ndarray
    triangles: np.ndarray
    corner_normal: np.ndarray
    corner_colour: np.ndarray | None
    corner_st: np.ndarray | None
    face_part: np.ndarray
    parts: list[Usd.Prim]
    colour: np.ndarray | None
    flaws: tuple[str, ...] = ()


BLOCK = 500_000
"""Triangles that are looked at in one piece."""

CoordinateName = Callable[["Usd.Prim"], "str | None"]
"""Name of the texture coordinates that the material of a part asks for."""


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
    for p in concave_polygons(corners, polygon, counts, points[indices]):
        ring = starts[p] + np.arange(counts[p])
        corners[polygon == p] = ring[clip_ears(points[indices[ring]])]
    return corners, polygon


def concave_polygons(corners: np.ndarray, polygon: np.ndarray, counts: np.ndarray, corner_points: np.ndarray) -> np.ndarray:
    """Polygons whose fan has a triangle turned against the polygon's own normal (Newell's sum), int [n]; see ``triangulate``."""
    found = [np.zeros(0, np.int64)]
    fans = np.flatnonzero(counts[polygon] > 3)
    ends = np.flatnonzero(np.diff(polygon[fans], append=-1)) + 1
    for first, last in blocks(ends):
        own, of = corners[fans[first:last]], polygon[fans[first:last]]
        normal = double_areas(corner_points, own)
        starts = np.flatnonzero(np.diff(of, prepend=-1))
        total = np.repeat(np.add.reduceat(normal, starts), np.diff(starts, append=len(of)), axis=0)
        against = (normal * total).sum(1) < -1e-9 * np.maximum((total**2).sum(1), 1e-30)
        found.append(np.unique(of[against]))
    return np.concatenate(found)


def blocks(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of about ``BLOCK`` rows that end where groups of rows do (ascending), so that a large mesh does not take memory many times over."""
    first = 0
    while first < (ends[-1] if len(ends) else 0):
        last = int(ends[min(np.searchsorted(ends, first + BLOCK), len(ends) - 1)])
        yield first, last
        first = last
        breathe()


def clip_ears(ring: np.ndarray) -> np.ndarray:
    """Triangulate one simple polygon by ear clipping (Meisters 1975): [n, 3] points in order -> int [n - 2, 3].

    Its outline may touch itself: holes that bridges join to it are holes.
    """
    normal = np.cross(ring, np.roll(ring, -1, 0)).sum(0)
    drop = int(np.abs(normal).argmax())
    flat = np.delete(ring, drop, 1)
    if (normal[drop] < 0) != (drop == 1):
        flat = flat[:, ::-1]
    left, out = np.arange(len(ring)), []
    while len(left) > 3:
        breathe()
        k = find_ear(flat[left])
        out.append(left[[k - 1, k, (k + 1) % len(left)]])
        left = np.delete(left, k)
    return np.array([*out, left])


def find_ear(ring: np.ndarray) -> int:
    """Corner of a counter-clockwise polygon [n, 2] whose triangle with its neighbours lies within it; without one, the flattest corner."""
    before, after = np.roll(ring, 1, 0), np.roll(ring, -1, 0)
    bend = turns(before, ring, after)
    for k in np.flatnonzero(bend > 0):
        p, q, r = before[k], ring[k], after[k]
        apart = (ring != p).any(1) & (ring != q).any(1) & (ring != r).any(1)
        inside = (turns(p, q, ring) >= 0) & (turns(q, r, ring) >= 0) & (turns(r, p, ring) >= 0)
        if not (inside & apart).any():
            return int(k)
    return int(np.abs(bend).argmin())


def turns(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Twice the area of triangles in the plane, above 0 where they turn left: points [..., 2]."""
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def corner_values(values: np.ndarray, kind: str, corners: np.ndarray, indices: np.ndarray, polygon: np.ndarray) -> np.ndarray | None:
    """Spread a primvar over triangle corners.

    Args:
        values: [n, k], flattened.
        kind: interpolation: constant, uniform, vertex, varying or faceVarying.

    Returns:
        [F, 3, k], or None when the count does not match the interpolation.
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


def double_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Normals of faces as long as twice their areas, [F, 3]."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def primvar(prim: Usd.Prim, name: str, width: int) -> tuple[np.ndarray, str]:
    """A primvar without its indices at the stage's moment, own or inherited: (float64 [n, width], interpolation); [0, width] if there is none."""
    from pxr import UsdGeom

    found = UsdGeom.PrimvarsAPI(prim).FindPrimvarWithInheritance(name)
    with hushed():
        flat = found.ComputeFlattened(moment(prim)) if found and found.HasValue() else None
    try:
        values = np.array([] if flat is None else flat, np.float64)
    except (ValueError, TypeError):
        values = np.zeros(0)
    values = values[:, None] if values.ndim == 1 and width == 1 else values
    if not values.size or values.ndim != 2 or values.shape[1] < width:
        return np.zeros((0, width)), "constant"
    return values[:, :width], str(found.GetInterpolation())


def read_normals(mesh: UsdGeom.Mesh, data: tuple) -> tuple[np.ndarray | None, list[str]]:
    """Authored normals per corner (primvar ``normals`` before the attribute): (float32 [F, 3, 3] or None without any that fit, flaws)."""
    values, kind = primvar(mesh.GetPrim(), "normals", 3)
    if len(values) == 0:
        values, kind = array(mesh.GetNormalsAttr(), width=3), mesh.GetNormalsInterpolation()
    if len(values) == 0 and not authored(mesh.GetPrim(), "normals"):
        return None, []
    spread = corner_values(values, kind, *data)
    length = np.zeros(1) if spread is None else np.linalg.norm(spread, axis=2, keepdims=True)
    if not (np.isfinite(length) & (length > 1e-6)).all():
        return None, ["normals do not fit or have no direction, they are made from its faces"]
    return (spread / length).astype(np.float32), []


def read_colour(prim: Usd.Prim, data: tuple) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """Display colour: (constant [3] or None, per corner [F, 3, 3] or None, flaws)."""
    values, kind = primvar(prim, "displayColor", 3)
    if len(values) == 0:
        return None, None, [NO_COLOUR] if authored(prim, "displayColor") else []
    if not np.isfinite(values).all():
        return None, None, [NO_COLOUR]
    if kind == "constant" or len(values) == 1:
        return values[0], None, []
    spread = corner_values(values, kind, *data)
    return (None, None, [NO_COLOUR]) if spread is None else (None, spread.astype(np.float32), [])


def authored(prim: Usd.Prim, name: str) -> bool:
    """Whether a primvar holds values, own or inherited, whether or not they make sense."""
    from pxr import UsdGeom

    found = UsdGeom.PrimvarsAPI(prim).FindPrimvarWithInheritance(name)
    return bool(found and found.HasValue() and np.size(found.Get(moment(prim))))


def read_coordinates(parts: list[Usd.Prim], part: np.ndarray, named: CoordinateName, data: tuple) -> tuple[np.ndarray | None, list[str]]:
    """Texture coordinates per corner, each part's under the name its material asks for: (float32 [F, 3, 2] or None, flaws)."""
    names = [named(p) for p in parts]
    if not any(names):
        return None, []
    out, flaws = np.zeros((len(part), 3, 2), np.float32), []
    for name in sorted({n for n in names if n}):
        values, kind = primvar(parts[0], name, 2)
        spread = corner_values(values, kind, *data)
        rows = np.isin(part, [k for k, n in enumerate(names) if n == name])
        if spread is not None and np.isfinite(spread).all():
            out[rows] = spread[rows]
        elif rows.any():
            flaws.append(f"texture coordinates '{name}' are missing or do not fit, textures show their corner")
    return out, flaws


def read_parts(mesh: UsdGeom.Mesh, polygons: int) -> tuple[list[Usd.Prim], np.ndarray, list[str]]:
    """Material subsets: the mesh prim followed by the subset prims, the row of each polygon, int32 [polygons], and flaws."""
    from pxr import UsdGeom, UsdShade

    parts, part, flaws = [mesh.GetPrim()], np.zeros(polygons, np.int32), []
    for subset in UsdGeom.Subset.GetAllGeomSubsets(mesh):
        prim, family = subset.GetPrim(), subset.GetFamilyNameAttr().Get()
        if family != UsdShade.Tokens.materialBind or subset.GetElementTypeAttr().Get() != UsdGeom.Tokens.face:
            if UsdShade.MaterialBindingAPI(prim).GetDirectBindingRel().HasAuthoredTargets() or direct_labels(prim, "class"):
                flaws.append(f"GeomSubset {prim.GetName()} is no subset of faces of the family materialBind and is not honoured")
            continue
        rows = array(subset.GetIndicesAttr(), np.int64)
        within = (rows >= 0) & (rows < polygons)
        if not within.all():
            flaws.append(f"GeomSubset {prim.GetName()} names faces that the mesh does not have")
        if part[rows[within]].any():
            flaws.append(f"GeomSubset {prim.GetName()} names faces that another one names too, its material is shown there")
        part[rows[within]] = len(parts)
        parts.append(prim)
    return parts, part, flaws


def read_shape(prim: Usd.Prim, T: np.ndarray, named: CoordinateName = lambda part: None) -> MeshData | str:
    """Read a mesh or solid into the frame that ``T`` maps its own frame to.

    Holes are left out; left-handed meshes and mirroring transforms are turned so that triangles stay counter-clockwise from outside. Authored
    normals are kept; without them a subdivision surface gets smooth normals and a polygonal one flat normals. Faces of points that are not
    finite are left out.

    Args:
        prim: a Mesh or one of ``solids.SOLIDS``.
        T: T_frame_prim [4, 4].
        named: name of the texture coordinates to read for a part.

    Returns:
        The mesh, or why it has nothing to show.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        upright = abs(np.linalg.det(T[:3, :3])) >= 1e-12 * np.abs(T[:3, :3]).max() ** 3 > 0
    if not np.isfinite(T).all() or not upright:
        return "its transform is not finite or flattens it"
    if prim.GetTypeName() == "Mesh":
        return read_mesh(prim, T, named)
    try:
        solid = read_solid(prim)
    except ValueError as error:
        return str(error)
    faces = len(solid.triangles)
    if not faces:
        return "it is too flat, too thin or too large to have faces"
    if not np.abs(solid.points @ T[:3, :3].T + T[:3, 3]).max() <= FARTHEST:
        return f"it reaches beyond {FARTHEST:g} m"
    colour, varying, flaws = read_colour(prim, (solid.triangles * 0, np.zeros(1, np.int64), np.zeros(faces, np.int64)))
    if varying is not None:
        flaws = ["display colours that vary over a solid are not shown"]
    st = solid.st if named(prim) else None
    return placed((solid.points, solid.triangles, solid.normals, None, st), T, False, (np.zeros(faces, np.int32), [prim], colour, tuple(flaws)))


def read_mesh(prim: Usd.Prim, T: np.ndarray, named: CoordinateName) -> MeshData | str:
    """Read a ``UsdGeom.Mesh``; see ``read_shape``."""
    from pxr import UsdGeom

    breathe()
    mesh = UsdGeom.Mesh(prim)
    counts, indices = array(mesh.GetFaceVertexCountsAttr(), np.int64), array(mesh.GetFaceVertexIndicesAttr(), np.int64)
    own = array(mesh.GetPointsAttr(), width=3)
    if len(counts) == 0 or len(own) == 0:
        return "mesh without faces"
    if counts.min() < 0 or counts.sum() != len(indices) or indices.min(initial=0) < 0 or indices.max(initial=0) >= len(own):
        return "mesh with broken topology: its indices must number the sum of its counts and lie within its points"
    corners, polygon = triangulate(counts, indices, own)
    breathe()
    with np.errstate(over="ignore", invalid="ignore"):
        finite = (np.abs(own @ T[:3, :3].T + T[:3, 3]) <= FARTHEST).all(1)
    keep = ~np.isin(polygon, array(mesh.GetHoleIndicesAttr(), np.int64)) & finite[indices[corners]].all(1)
    corners, polygon = corners[keep], polygon[keep]
    if len(corners) == 0:
        return "mesh without a face that can be shown"
    own = np.where(finite[:, None], own, 0.0)
    data = (corners, indices, polygon)
    normals, flaws = read_normals(mesh, data)
    colour, corner_colour, misfits = read_colour(prim, data)
    breathe()
    parts, part, strays = read_parts(mesh, len(counts))
    part = part[polygon]
    st, missing = read_coordinates(parts, part, named, data)
    flaws += misfits + strays + missing
    smooth = str(mesh.GetSubdivisionSchemeAttr().Get()) != "none"
    if not finite.all():
        flaws.append(NOT_FINITE)
    if smooth:
        flaws.append("subdivision surfaces are shown as their control mesh with smooth normals")
    if len(corners) > LARGE:
        flaws.append(f"mesh of more than {LARGE // 10**6} million triangles, reading it takes a while")
    arrays = (own, indices[corners].astype(np.int32), normals, corner_colour, st)
    left = str(mesh.GetOrientationAttr().Get()) == "leftHanded"
    return placed(arrays, T, left, (part, parts, colour, tuple(flaws)), CREASE_DEG if smooth else 0.0)


def placed(arrays: tuple, T: np.ndarray, left_handed: bool, rest: tuple, crease_deg: float = 0.0) -> MeshData:
    """Carry a mesh (points, triangles, normals, corner colours, st) into another frame; normals it lacks are made."""
    own, triangles, normals, colours, st = arrays
    points = own @ T[:3, :3].T + T[:3, 3]
    if normals is not None:
        world = normals @ np.linalg.inv(T[:3, :3])
        normals = (world / np.maximum(np.linalg.norm(world, axis=2, keepdims=True), 1e-30)).astype(np.float32)
    if left_handed != (np.linalg.det(T[:3, :3]) < 0):
        triangles, normals, colours, st = (None if a is None else a[:, ::-1].copy() for a in (triangles, normals, colours, st))
    if normals is None:
        from tailgate.stage.normals import smooth_normals

        normals = smooth_normals(points, triangles, crease_deg)
    return MeshData(points, triangles, normals, colours, st, *rest)
