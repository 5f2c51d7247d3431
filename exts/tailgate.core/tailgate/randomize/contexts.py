"""Contexts: where objects may stand and how they face, read from a stage as plain geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd

CONTEXT_KINDS = ("lane", "parking", "sidewalk", "crosswalk", "aisle", "surface", "ego", "volume")


@dataclass(frozen=True)
class Context:
    """A spline, a surface or a volume.

    Attributes:
        name: name of its prim.
        kind: one of CONTEXT_KINDS.
        width: total width of a spline [m].
        points: knots of a spline, or vertices of a surface, world space float64 [N, 3].
        triangles: int64 [M, 3]; empty for a spline.
    """

    name: str
    kind: str
    width: float
    points: np.ndarray
    triangles: np.ndarray

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
        a, b, c = (self.points[self.triangles[:, k], :2][None] for k in range(3))
        p = points[:, None, :2]

        def side(u: np.ndarray, w: np.ndarray) -> np.ndarray:
            return (w[..., 0] - u[..., 0]) * (p[..., 1] - u[..., 1]) - (w[..., 1] - u[..., 1]) * (p[..., 0] - u[..., 0])

        sides = np.stack([side(a, b), side(b, c), side(c, a)])
        return ((sides >= 0).all(0) | (sides <= 0).all(0)).any(1)

    def _plan_areas(self) -> np.ndarray:
        a, b, c = (self.points[self.triangles[:, k], :2] for k in range(3))
        return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def read_contexts(stage: Usd.Stage) -> tuple[Context, ...]:
    """All prims with a ``tailgate:context`` attribute, in path order.

    Raises:
        UserError: an unknown kind, or a context that is neither curves with two points nor a mesh.
    """
    from pxr import UsdGeom

    from tailgate.errors import UserError, unknown
    from tailgate.stage.triangles import mesh_triangles, world_matrix

    found = []
    for prim in stage.Traverse():
        attribute = prim.GetAttribute("tailgate:context")
        if not attribute or not attribute.HasAuthoredValue():
            continue
        kind = str(attribute.Get())
        if kind not in CONTEXT_KINDS:
            raise unknown(f"tailgate:context of {prim.GetPath()}", kind, CONTEXT_KINDS)
        width_attribute = prim.GetAttribute("tailgate:width")
        width = float(width_attribute.Get()) if width_attribute and width_attribute.HasAuthoredValue() else 1.0
        triangles = np.zeros((0, 3), np.int64)
        if prim.IsA(UsdGeom.Mesh):
            points, triangles = mesh_triangles(prim)
        elif prim.IsA(UsdGeom.BasisCurves):
            T = world_matrix(prim)
            local = np.asarray(UsdGeom.BasisCurves(prim).GetPointsAttr().Get() or np.zeros((0, 3)), dtype=np.float64).reshape(-1, 3)
            points = local @ T[:3, :3].T + T[:3, 3]
        else:
            raise UserError(f"context {prim.GetPath()} must be BasisCurves or a Mesh, got {prim.GetTypeName() or 'no type'}")
        if len(points) < 2:
            raise UserError(f"context {prim.GetPath()} must have at least two points, got {len(points)}")
        found.append((str(prim.GetPath()), Context(prim.GetName(), kind, width, points, triangles)))
    return tuple(context for _, context in sorted(found, key=lambda pair: pair[0]))
