"""Contexts: where objects may stand and how they face, read from a stage as plain geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import UserError, unknown
from tailgate.stage.values import fits, kind_of
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Usd

CONTEXT_KINDS = ("lane", "parking", "sidewalk", "crosswalk", "aisle", "surface", "ego", "volume")
CONTEXT, WIDTH, REVERSE = "tailgate:context", "tailgate:width", "tailgate:reverse"
"""Attributes that make a prim a context: its kind, the width of a spline [m] whatever the unit of the stage, and whether it runs backwards."""
GROUND_SEARCH = 0.6
"""Ground is looked for this far above and below the place that a context names [m]."""
LEVEL = 0.7
"""Faces of a mesh are stood on where the upward part of their unit normal is above this: up to 45 degrees."""


@dataclass(frozen=True)
class Context:
    """A spline, a surface or a volume.

    Attributes:
        name: name of its prim.
        kind: one of CONTEXT_KINDS.
        width: total width of a spline [m].
        points: knots of a spline, or vertices of a surface, z up, world space float64 [N, 3] m.
        triangles: int64 [M, 3]; empty for a spline.
        path: of its prim.
    """

    name: str
    kind: str
    width: float
    points: np.ndarray
    triangles: np.ndarray
    path: str = ""

    @property
    def is_spline(self) -> bool:
        """True for a line with a direction and a width."""
        return len(self.triangles) == 0

    @property
    def area(self) -> float:
        """Area seen from above [m²]."""
        if self.is_spline:
            return self.length * self.width
        return float(np.abs(self._plan_areas()).sum())

    @property
    def length(self) -> float:
        """Length of a spline [m]."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    @property
    def centre(self) -> np.ndarray:
        """Middle of its bounds, [3]."""
        return (self.points.min(0) + self.points.max(0)) / 2

    def at(self, s: np.ndarray, lateral: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Points of a spline.

        Args:
            s: arc length from its start [m], [n]; clipped to the spline.
            lateral: offset to the left of its direction [m], [n].

        Returns:
            Positions [n, 3] and heading of the direction [deg], [n].
        """
        steps = np.diff(self.points, axis=0)
        knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1))])
        s = np.clip(np.atleast_1d(np.asarray(s, float)), 0.0, knots[-1])
        segment = np.clip(np.searchsorted(knots, s, side="right") - 1, 0, len(steps) - 1)
        heading = np.arctan2(steps[segment, 1], steps[segment, 0])
        position = np.stack([np.interp(s, knots, self.points[:, k]) for k in range(3)], axis=1)
        lateral = np.broadcast_to(np.asarray(lateral, float), s.shape)
        position[:, 0] -= np.sin(heading) * lateral
        position[:, 1] += np.cos(heading) * lateral
        return position, np.degrees(heading)

    def nearest(self, point: np.ndarray) -> tuple[float, float]:
        """Arc length and lateral offset [m] of a spline's point nearest to ``point`` [3], seen from above."""
        a, b = self.points[:-1, :2], self.points[1:, :2]
        d = b - a
        length = np.linalg.norm(d, axis=1)
        t = np.clip(((point[:2] - a) * d).sum(1) / np.maximum(length**2, 1e-12), 0, 1)
        off = point[:2] - (a + t[:, None] * d)
        k = int(np.argmin((off**2).sum(1)))
        lateral = float((d[k, 0] * off[k, 1] - d[k, 1] * off[k, 0]) / max(length[k], 1e-12))
        step = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return float(step[:k].sum() + t[k] * step[k]), lateral

    def scatter(self, generator: np.random.Generator, n: int, inset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Draw n points evenly over the context.

        Args:
            inset: distance kept from the edges of a spline's width [m].

        Returns:
            Positions [n, 3]; heading of the context there [deg], [n]: a spline's direction, 0 for surfaces.
        """
        u, v = generator.random((2, n))
        if self.is_spline:
            half = max(self.width / 2 - inset, 0.0)
            return self.at(u * self.length, (2 * v - 1) * half)
        areas = np.abs(self._plan_areas())
        face = np.searchsorted(np.cumsum(areas) / areas.sum(), generator.random(n), side="right").clip(0, len(areas) - 1)
        flip = u + v > 1
        u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
        a, b, c = (self.points[self.triangles[face, k]] for k in range(3))
        return a + u[:, None] * (b - a) + v[:, None] * (c - a), np.zeros(n)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points [n, 3] lie on the context seen from above, bool [n]."""
        points = np.atleast_2d(points)
        if self.is_spline:
            return np.array([abs(self.nearest(p)[1]) <= self.width / 2 for p in points])
        point, triangle = self._plan.near(points[:, :2])
        a, b, c = (self.points[self.triangles[triangle, k], :2] for k in range(3))
        p = points[point, :2]

        def side(u: np.ndarray, w: np.ndarray) -> np.ndarray:
            return (w[:, 0] - u[:, 0]) * (p[:, 1] - u[:, 1]) - (w[:, 1] - u[:, 1]) * (p[:, 0] - u[:, 0])

        sides = np.stack([side(a, b), side(b, c), side(c, a)])
        inside = np.zeros(len(points), bool)
        inside[point[(sides >= 0).all(0) | (sides <= 0).all(0)]] = True
        return inside

    @cached_property
    def _plan(self) -> Plan:
        return Plan(self.points[self.triangles][:, :, :2])

    def _plan_areas(self) -> np.ndarray:
        a, b, c = (self.points[self.triangles[:, k], :2] for k in range(3))
        return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


class Plan:
    """A square grid over triangles seen from above, so that a point meets only those near it.

    Args:
        corners: [M, 3, 2] m.
    """

    def __init__(self, corners: np.ndarray):
        low, high = corners.min(1), corners.max(1)
        self._low = low.min(0)
        self._cell = max(float(np.ptp(corners.reshape(-1, 2), axis=0).max()) / max(np.sqrt(len(corners)), 1.0), 1e-9)
        first, last = (np.floor((edge - self._low) / self._cell).astype(np.int64) for edge in (low, high))
        self._across = int(last[:, 1].max()) + 1
        span = last - first + 1
        triangle = np.repeat(np.arange(len(corners)), span.prod(1))
        nth = np.arange(len(triangle)) - np.repeat(np.cumsum(span.prod(1)) - span.prod(1), span.prod(1))
        cell = (first[triangle, 0] + nth // span[triangle, 1]) * self._across + first[triangle, 1] + nth % span[triangle, 1]
        order = np.argsort(cell, kind="stable")
        self._triangle, self._keys = triangle[order], cell[order]

    def near(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a point and a triangle whose cell it lies in: points [n, 2] m -> rows of points, rows of triangles."""
        place = np.floor((points - self._low) / self._cell).astype(np.int64)
        key = np.where((place[:, 1] >= 0) & (place[:, 1] < self._across), place[:, 0] * self._across + place[:, 1], -1)
        start, stop = np.searchsorted(self._keys, key, "left"), np.searchsorted(self._keys, key, "right")
        point = np.repeat(np.arange(len(points)), stop - start)
        nth = np.arange(len(point)) - np.repeat(np.cumsum(stop - start) - (stop - start), stop - start)
        return point, self._triangle[start[point] + nth]


def read_contexts(stage: Usd.Stage) -> tuple[Context, ...]:
    """All prims with a ``tailgate:context`` attribute, in path order: each curve of a BasisCurves, the upward faces of a Mesh.

    Raises:
        UserError: an unknown kind, or a context that is neither curves with two points nor a mesh that can be stood on.
    """
    found: list[Context] = []
    for prim in stage.Traverse():
        breathe()
        attribute = prim.GetAttribute(CONTEXT)
        if attribute and attribute.HasAuthoredValue():
            found += read_context(prim, str(attribute.Get()))
    return tuple(sorted(found, key=lambda context: context.path))


def read_context(prim: Usd.Prim, kind: str) -> list[Context]:
    """The contexts of one prim, were it marked as ``kind``; see ``read_contexts``."""
    from pxr import UsdGeom

    where = f"context {prim.GetPath()}"
    if kind not in CONTEXT_KINDS:
        raise unknown(f"{CONTEXT} of {prim.GetPath()}", kind, CONTEXT_KINDS)
    attribute = prim.GetAttribute(WIDTH)
    width = attribute.Get() if attribute and attribute.HasAuthoredValue() else 1.0
    if not fits(width, 1.0):
        raise UserError(f"{where} must have {kind_of(1.0)} as {WIDTH}, got {width}")
    if prim.IsA(UsdGeom.Mesh):
        points, triangles = standing_faces(prim)
        if not len(triangles):
            raise UserError(f"{where} must have faces that can be stood on, got a mesh without any that faces up or down")
        return [Context(prim.GetName(), kind, width, points, triangles, str(prim.GetPath()))]
    if not prim.IsA(UsdGeom.BasisCurves):
        raise UserError(f"{where} must be BasisCurves or a Mesh, got {prim.GetTypeName() or 'no type'}")
    lines = read_splines(prim)
    names = [prim.GetName(), *(f"{prim.GetName()}_{k}" for k in range(1, len(lines)))]
    return [Context(name, kind, width, line, np.zeros((0, 3), np.int64), str(prim.GetPath())) for name, line in zip(names, lines, strict=True)]


def read_splines(prim: Usd.Prim) -> list[np.ndarray]:
    """Each curve of a BasisCurves prim as a polyline of at least two points, z up, world space float64 [n, 3] m."""
    from pxr import UsdGeom

    from tailgate.stage.curves import read_polylines
    from tailgate.stage.extract import world_correction
    from tailgate.stage.triangles import world_matrix

    try:
        lines = read_polylines(UsdGeom.BasisCurves(prim))
    except ValueError as error:
        raise UserError(f"context {prim.GetPath()}: {error}") from None
    fewest = min(map(len, lines), default=0)
    if fewest < 2:
        raise UserError(f"context {prim.GetPath()} must have at least two points, got {fewest}")
    T, attribute = world_correction(prim.GetStage()) @ world_matrix(prim), prim.GetAttribute(REVERSE)
    step = -1 if attribute and attribute.Get() else 1
    lines = [(line @ T[:3, :3].T + T[:3, 3])[::step] for line in lines]
    if not all(np.isfinite(line).all() for line in lines):
        raise UserError(f"context {prim.GetPath()} must have finite points, got NaN or infinity")
    return lines


def standing_faces(prim: Usd.Prim) -> tuple[np.ndarray, np.ndarray]:
    """Faces of a Mesh that face up, or where none does those that face down: world points float64 [N, 3] m, z up, and triangles int64 [M, 3]."""
    from tailgate.stage.extract import world_correction
    from tailgate.stage.meshes import read_shape
    from tailgate.stage.triangles import world_matrix

    data = read_shape(prim, world_correction(prim.GetStage()) @ world_matrix(prim))
    if isinstance(data, str):
        raise UserError(f"context {prim.GetPath()} cannot be stood on: {data}")
    a, b, c = (data.points[data.triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    length = np.maximum(np.linalg.norm(normal, axis=1), 1e-30)
    up = normal[:, 2] / length
    kept = data.triangles[up >= LEVEL] if (up >= LEVEL).any() else data.triangles[up <= -LEVEL]
    used, triangles = np.unique(kept, return_inverse=True)
    return data.points[used], triangles.reshape(-1, 3).astype(np.int64)
