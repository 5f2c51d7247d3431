"""Closed triangle meshes from few numbers: boxes, lofts, tubes, lathes, extrusions.

All lengths are metres in a frame with x forward, y left, z up. Every function returns triangles that face outward (counter-clockwise seen from
outside), so a closed mesh has a positive signed volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        points: [N, 3] float64, metres.
        triangles: [M, 3] int64, indices into ``points``.
    """

    points: np.ndarray
    triangles: np.ndarray

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """Translate by (x, y, z) metres."""
        return Mesh(self.points + np.array([x, y, z]), self.triangles)

    def turned(self, axis: str, degrees: float) -> Mesh:
        """Rotate about the x, y or z axis through the origin, right-handed."""
        i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        points = self.points.copy()
        points[:, i], points[:, j] = c * self.points[:, i] - s * self.points[:, j], s * self.points[:, i] + c * self.points[:, j]
        return Mesh(points, self.triangles)

    def scaled(self, x: float, y: float | None = None, z: float | None = None) -> Mesh:
        """Scale about the origin; one number scales all axes. A mirror keeps the faces outward."""
        factors = np.array([x, x if y is None else y, x if z is None else z])
        return Mesh(self.points * factors, self.triangles[:, ::-1] if np.prod(factors) < 0 else self.triangles)

    def placed(self, origin: np.ndarray, forward: np.ndarray, up: np.ndarray) -> Mesh:
        """Map the mesh's x to ``forward``, its z to ``up`` (made orthogonal to it) and its origin to ``origin``."""
        x = unit(forward)
        y = unit(np.cross(up, x))
        return Mesh(self.points @ np.stack([x, y, np.cross(x, y)]) + np.asarray(origin), self.triangles)

    def with_mirror(self) -> Mesh:
        """The mesh joined with its mirror image in the plane y = 0."""
        return join(self, self.scaled(1, -1, 1))

    def select(self, faces: np.ndarray) -> Mesh:
        """The triangles where ``faces`` (bool [M] or indices) says so, without unused points."""
        kept = self.triangles[faces]
        used, renumbered = np.unique(kept, return_inverse=True)
        return Mesh(self.points[used], renumbered.reshape(-1, 3))

    def volume(self) -> float:
        """Signed volume [m³]; positive for a closed mesh that faces outward."""
        a, b, c = (self.points[self.triangles[:, k]] for k in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def unit(vector: np.ndarray) -> np.ndarray:
    """Scale vectors [..., 3] to length 1; a zero vector stays zero."""
    vector = np.asarray(vector, float)
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)


def join(*meshes: Mesh) -> Mesh:
    """All triangles of several meshes; their points stay apart, so no edge is smoothed across pieces."""
    starts = np.cumsum([0] + [len(m.points) for m in meshes])
    triangles = [m.triangles + start for m, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([m.points for m in meshes]), np.concatenate(triangles))


def outward(mesh: Mesh) -> Mesh:
    """Flip all triangles of a closed mesh when its volume is negative."""
    return mesh if mesh.volume() >= 0 else Mesh(mesh.points, mesh.triangles[:, ::-1])


def clean(mesh: Mesh, step: float = 1e-6) -> Mesh:
    """Merge points closer than about ``step`` [m] and drop triangles without area."""
    _, first, inverse = np.unique(np.round(mesh.points / step).astype(np.int64), axis=0, return_index=True, return_inverse=True)
    triangles = inverse.reshape(-1)[mesh.triangles]
    return with_area(Mesh(mesh.points[first], triangles))


def with_area(mesh: Mesh) -> Mesh:
    """The triangles of more than 1e-9 m²."""
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    return mesh.select(np.linalg.norm(np.cross(b - a, c - a), axis=1) > 2e-9)


def grid_triangles(rows: int, columns: int, wrap_rows: bool = False, wrap_columns: bool = True) -> np.ndarray:
    """Two triangles per cell of a grid of points, cell by cell in row-major order: [2 · cells, 3]."""
    i, j = np.meshgrid(np.arange(rows - (not wrap_rows)), np.arange(columns - (not wrap_columns)), indexing="ij")
    i, j = i.ravel(), j.ravel()
    down, right = (i + 1) % rows, (j + 1) % columns
    a, b, c, d = i * columns + j, i * columns + right, down * columns + right, down * columns + j
    return np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1).reshape(-1, 3)


def loft(rings: np.ndarray, caps: tuple[bool, bool] = (True, True)) -> Mesh:
    """Skin closed rings of equal size, [S, K, 3]; caps are fans about the first and last ring's centre.

    The sides come first, cell by cell in (ring, column) order, so that cells can be told apart by ``cells``; then the caps.
    """
    rings = np.asarray(rings, float)
    count, sides = rings.shape[:2]
    points, triangles = [rings.reshape(-1, 3)], [grid_triangles(count, sides)]
    column = np.arange(sides)
    for start, wanted, flip in ((0, caps[0], True), ((count - 1) * sides, caps[1], False)):
        if wanted:
            centre = sum(len(p) for p in points)
            points.append(points[0][start : start + sides].mean(0, keepdims=True))
            fan = np.stack([np.full(sides, centre), start + column, start + (column + 1) % sides], 1)
            triangles.append(fan[:, ::-1] if flip else fan)
    return outward(Mesh(np.concatenate(points), np.concatenate(triangles)))


def cells(count: int, sides: int, rows: Sequence[int], columns: Sequence[int]) -> np.ndarray:
    """Triangle indices of the given side cells of ``loft`` over ``count`` rings of ``sides`` points."""
    quads = [(r * sides + c % sides) for r in rows for c in columns if 0 <= r < count - 1]
    return np.array([2 * q + k for q in quads for k in (0, 1)], np.int64)


def ellipse(sides: int, power: float = 2.0) -> np.ndarray:
    """Unit superellipse |x|^p + |y|^p = 1, [sides, 2]; 2 is a circle, higher is squarer."""
    t = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    c, s = np.cos(t), np.sin(t)
    return np.stack([np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)], 1)


def sections(centres: np.ndarray, axes: tuple[np.ndarray, np.ndarray], halves: np.ndarray, sides: int = 14, power: float = 2.0) -> np.ndarray:
    """Rings [S, sides, 3]: superellipses of half sizes ``halves`` [S, 2] along two axes ([3] or [S, 3]) at ``centres`` [S, 3]."""
    centres, halves = np.asarray(centres, float), np.asarray(halves, float)
    u, v = (np.broadcast_to(np.asarray(a, float), centres.shape)[:, None] for a in axes)
    shape = ellipse(sides, power)
    return centres[:, None] + (halves[:, :1] * shape[:, 0])[..., None] * u + (halves[:, 1:] * shape[:, 1])[..., None] * v


def spline(points: Sequence[Sequence[float]], count: int) -> np.ndarray:
    """Catmull-Rom curve through ``points``, [count, D], equal steps of its parameter."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(p) - 3, count)
    i = np.minimum(t.astype(int), len(p) - 4)
    f = (t - i)[:, None]
    a, b, c, d = (p[i + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def tube(path: np.ndarray, radii: float | np.ndarray, sides: int = 10, round_ends: bool = False, side_hint: Sequence[float] = (0, 1, 0)) -> Mesh:
    """A tube along a path [P, 3].

    Args:
        path: centre line.
        radii: one radius, [P] radii, or [P, 2] half sizes along the side direction and across it.
        sides: points per ring.
        round_ends: close with domes, else flat.
        side_hint: the side direction at the start; carried along the path without twist.
    """
    path = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radii, float), (len(path),)) if np.ndim(radii) < 2 else np.asarray(radii, float)
    halves = np.stack([radii, radii], 1) if radii.ndim == 1 else radii
    steps = unit(np.diff(path, axis=0))
    tangents = unit(np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]]))
    side = np.asarray(side_hint, float)
    if np.linalg.norm(np.cross(tangents[0], side)) < 0.1:
        side = np.eye(3)[np.argmin(np.abs(tangents[0]))]
    along = np.empty_like(path)
    for k, tangent in enumerate(tangents):
        side = unit(side - tangent * (side @ tangent))
        along[k] = side
    if round_ends:
        path, halves, along, tangents = _domes(path, halves, along, tangents)
    return clean(loft(sections(path, (along, np.cross(tangents, along)), halves, sides)))


def _domes(path: np.ndarray, halves: np.ndarray, along: np.ndarray, tangents: np.ndarray) -> tuple[np.ndarray, ...]:
    """Add shrinking rings beyond both ends of a tube."""
    angles = np.deg2rad([35.0, 65.0, 86.0])

    def dome(k: int, sign: float) -> tuple[np.ndarray, np.ndarray]:
        radius = halves[k].min()
        return path[k] + sign * tangents[k] * (radius * np.sin(angles))[:, None], halves[k] * np.cos(angles)[:, None]

    (p0, h0), (p1, h1) = dome(0, -1.0), dome(-1, 1.0)
    repeat = lambda a: np.concatenate([a[:1]] * 3 + [a] + [a[-1:]] * 3)  # noqa: E731
    return np.concatenate([p0[::-1], path, p1]), np.concatenate([h0[::-1], halves, h1]), repeat(along), repeat(tangents)


def rod(start: Sequence[float], end: Sequence[float], radius: float, sides: int = 8, round_ends: bool = False) -> Mesh:
    """A straight tube between two points."""
    return tube(np.array([start, end], float), radius, sides, round_ends)


def lathe(profile: Sequence[Sequence[float]], sides: int = 24, closed: bool = False) -> Mesh:
    """Turn a profile of (radius, height) about the z axis. Radius 0 ends in a pole; ``closed`` joins the last point to the first (a tyre)."""
    profile = np.asarray(profile, float)
    t = np.arange(sides) * 2 * np.pi / sides
    rings = np.stack(np.broadcast_arrays(profile[:, :1] * np.cos(t), profile[:, :1] * np.sin(t), profile[:, 1:]), -1)
    if closed:
        return outward(clean(Mesh(rings.reshape(-1, 3), grid_triangles(len(profile), sides, wrap_rows=True))))
    return outward(clean(loft(rings)))


def ellipsoid(radii: Sequence[float], centre: Sequence[float] = (0, 0, 0), sides: int = 14, rings: int = 9) -> Mesh:
    """An ellipsoid with its poles on z."""
    a = np.linspace(-np.pi / 2, np.pi / 2, rings)
    return lathe(np.stack([np.maximum(np.cos(a), 0), np.sin(a)], 1), sides).scaled(*radii).moved(*centre)


def box(size: Sequence[float], centre: Sequence[float] = (0, 0, 0), bevel: float = 0.0) -> Mesh:
    """A box of full ``size`` about ``centre``; ``bevel`` [m] cuts edges and corners at 45°."""
    half = np.asarray(size, float) / 2
    bevel = min(bevel, 0.45 * half.min() * 2)
    if bevel <= 0:
        xy = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half[:2]
        rings = np.stack([np.column_stack([xy, np.full(4, z)]) for z in (-half[2], half[2])])
        return _flat_caps(rings).moved(*centre)
    inner = half - bevel
    octagon = lambda x, y, b: np.array(  # noqa: E731
        [[x - b, -y], [x, -y + b], [x, y - b], [x - b, y], [-x + b, y], [-x, y - b], [-x, -y + b], [-x + b, -y]]
    )
    outline, top = octagon(half[0], half[1], bevel), octagon(half[0], half[1], bevel)
    top = np.clip(top, -inner[:2], inner[:2])
    levels = [(top, -half[2]), (outline, -inner[2]), (outline, inner[2]), (top, half[2])]
    rings = np.stack([np.column_stack([xy, np.full(8, z)]) for xy, z in levels])
    return clean(_flat_caps(rings)).moved(*centre)


def _flat_caps(rings: np.ndarray) -> Mesh:
    """A loft whose end rings are flat and convex: caps without a centre point."""
    count, sides = rings.shape[:2]
    fan = np.stack([np.zeros(sides - 2, int), np.arange(1, sides - 1), np.arange(2, sides)], 1)
    triangles = np.concatenate([grid_triangles(count, sides), fan[:, ::-1], fan + (count - 1) * sides])
    return outward(Mesh(rings.reshape(-1, 3), triangles))


def rounded_rectangle(width: float, height: float, radius: float, corner: int = 4) -> np.ndarray:
    """Outline [4 · corner, 2] of a rectangle about the origin with round corners, counter-clockwise."""
    radius = min(radius, 0.499 * min(width, height))
    a = np.linspace(0, np.pi / 2, corner)
    arc = radius * np.stack([np.cos(a), np.sin(a)], 1)
    inner = np.array([width / 2 - radius, height / 2 - radius])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    outline = []
    for k, sign in enumerate(([1, 1], [-1, 1], [-1, -1], [1, -1])):
        outline.append(arc @ np.linalg.matrix_power(turn, k) + inner * sign)
    return np.concatenate(outline)


def extrude(outline: Sequence[Sequence[float]], thickness: float, axis: str = "y") -> Mesh:
    """Sweep a simple polygon [K, 2] straight along ``axis``, centred on 0.

    The polygon lies in (x, z) for axis y, (y, z) for x and (x, y) for z.
    """
    outline = np.asarray(outline, float)
    k, place = len(outline), {"x": (1, 2, 0), "y": (0, 2, 1), "z": (0, 1, 2)}[axis]
    points = np.empty((2 * k, 3))
    for half, offset in ((slice(0, k), -thickness / 2), (slice(k, 2 * k), thickness / 2)):
        points[half, place[0]], points[half, place[1]], points[half, place[2]] = outline[:, 0], outline[:, 1], offset
    caps = triangulate(outline)
    x, y = outline[:, 0], outline[:, 1]
    ccw = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0
    sides = grid_triangles(2, k)
    sides = sides if ccw else sides[:, ::-1]
    return outward(Mesh(points, np.concatenate([sides, caps[:, ::-1], caps + k])))


def triangulate(outline: np.ndarray) -> np.ndarray:
    """Ear clipping of a simple polygon [K, 2] (Meisters 1975): [K - 2, 3], counter-clockwise."""
    x, y = outline[:, 0], outline[:, 1]
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
    left = list(range(len(outline))) if area > 0 else list(range(len(outline)))[::-1]
    cross = lambda o, a, b: (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])  # noqa: E731
    triangles = []
    while len(left) > 3:
        for k in range(len(left)):
            i, j, m = left[k - 1], left[k], left[(k + 1) % len(left)]
            a, b, c = outline[i], outline[j], outline[m]
            others = (outline[n] for n in left if n not in (i, j, m))
            if cross(a, b, c) > 1e-12 and not any(min(cross(a, b, p), cross(b, c, p), cross(c, a, p)) > -1e-12 for p in others):
                break
        else:
            k, i, j, m = 1, left[0], left[1], left[2]
        triangles.append((i, j, m))
        left.pop(k)
    return np.array([*triangles, tuple(left)], np.int64)


def corner_normals(mesh: Mesh, crease_deg: float = 40.0) -> np.ndarray:
    """Unit normals per triangle corner [M, 3, 3]: area-weighted over the faces around a point that differ by less than ``crease_deg``."""
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    weighted = np.cross(b - a, c - a)
    flat = unit(weighted)
    corners = mesh.triangles.ravel()
    order = np.argsort(corners, kind="stable")
    face = order // 3
    counts = np.bincount(corners, minlength=len(mesh.points))
    starts = np.cumsum(counts) - counts
    per_corner = counts[corners[order]]
    first = np.repeat(np.arange(len(order)), per_corner)
    second = np.arange(len(first)) - np.repeat(np.cumsum(per_corner) - per_corner, per_corner) + np.repeat(starts[corners[order]], per_corner)
    near = np.einsum("ij,ij->i", flat[face[first]], flat[face[second]]) > np.cos(np.deg2rad(crease_deg))
    total = np.zeros((len(order), 3))
    for axis in range(3):
        total[:, axis] = np.bincount(first[near], weighted[face[second[near]], axis], minlength=len(order))
    normals = np.empty_like(total)
    normals[order] = unit(total)
    return normals.reshape(-1, 3, 3)
