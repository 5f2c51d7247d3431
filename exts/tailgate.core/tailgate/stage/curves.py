"""Curves of a stage as polylines: BasisCurves of any type, basis and wrap, and the centre lines of strips of triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.values import array

if TYPE_CHECKING:
    from pxr import UsdGeom

PER_SEGMENT = 8
"""Pieces that a cubic segment is cut into; a quarter circle of radius r is then off by 0.0012 r at most."""
BASES = {
    "bezier": np.array([[-1, 3, -3, 1], [3, -6, 3, 0], [-3, 3, 0, 0], [1, 0, 0, 0]]),
    "bspline": np.array([[-1, 3, -3, 1], [3, -6, 3, 0], [-3, 0, 3, 0], [1, 4, 1, 0]]) / 6,
    "catmullRom": np.array([[-1, 3, -3, 1], [2, -5, 4, -1], [-1, 0, 1, 0], [0, 2, 0, 0]]) / 2,
}
"""Matrices M of p(t) = [t^3 t^2 t 1] M [p0 p1 p2 p3] (UsdGeomBasisCurves)."""


def read_polylines(curves: UsdGeom.BasisCurves) -> list[np.ndarray]:
    """Each curve of a prim as a polyline in its own frame, float64 [n, 3]; of cubic ones PER_SEGMENT pieces per segment.

    Raises:
        ValueError: its vertex counts do not fit its points, a cubic one has too few, or the basis is unknown.
    """
    points = array(curves.GetPointsAttr(), width=3)
    counts = array(curves.GetCurveVertexCountsAttr(), np.int64)
    if not len(counts) and len(points):
        counts = np.array([len(points)])
    if counts.sum() != len(points) or (counts < 1).any():
        raise ValueError(f"its vertex counts must sum to its {len(points)} points, got {counts.sum()}")
    kind, basis, wrap = (str(a.Get()) for a in (curves.GetTypeAttr(), curves.GetBasisAttr(), curves.GetWrapAttr()))
    parts = np.split(points, np.cumsum(counts)[:-1]) if len(counts) else []
    if kind == "linear":
        return [np.concatenate([part, part[:1]]) if wrap == "periodic" else part for part in parts]
    if basis not in BASES:
        raise ValueError(f"its basis must be one of {', '.join(BASES)}, got '{basis}'")
    return [cubic(part, basis, wrap) for part in parts]


def cubic(points: np.ndarray, basis: str, wrap: str) -> np.ndarray:
    """One cubic curve as a polyline: control points [n, 3] -> float64 [segments * PER_SEGMENT + 1, 3]."""
    step = 3 if basis == "bezier" else 1
    if wrap == "periodic":
        points = np.concatenate([points, points[:1] if basis == "bezier" else points[:3]])
    elif wrap == "pinned" and basis != "bezier":
        points = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    segments = (len(points) - 4) // step + 1
    if segments < 1 or (len(points) - 4) % step:
        raise ValueError(f"a cubic {basis} curve must have 4 points or more{' (3 k + 1)' * (step == 3)}, got {len(points)}")
    t = np.arange(PER_SEGMENT) / PER_SEGMENT
    powers = np.stack([t**3, t**2, t, np.ones_like(t)], 1)
    control = np.stack([points[k * step : k * step + 4] for k in range(segments)])
    last = np.ones(4) @ BASES[basis] @ control[-1]
    return np.concatenate([np.einsum("ti,ij,sjk->stk", powers, BASES[basis], control).reshape(-1, 3), last[None]])


def centre_lines(points: np.ndarray, triangles: np.ndarray, slices: int = 24, gap: float = 0.3) -> list[tuple[np.ndarray, float]]:
    """Middles of strips that run side by side, such as a road or the sidewalks along one, along their longer side seen from above.

    The mesh is cut across the main axis of its area; what the cuts have in common are the strips. One that turns back on itself has no such line.

    Args:
        points: [V, 3] m, z up.
        triangles: int [F, 3].
        slices: number of cuts.
        gap: parts of a cut that are further apart belong to different strips [m].

    Returns:
        For each strip, from right to left: knots float64 [n, 3] in the direction of the main axis (towards x, else y) and its width [m], the median
        of the cuts.

    Raises:
        ValueError: the mesh is less than twice as long as wide.
    """
    corner = points[triangles]
    centre, along = main_axis(corner)
    across = np.array([-along[1], along[0]])
    s, side = (corner[:, :, :2] - centre) @ along, (corner[:, :, :2] - centre) @ across
    low, high = s.min(), s.max()
    places = low + (high - low) * (np.arange(slices) + 0.5) / slices
    cuts = [cut(s - at, side, corner[:, :, 2], gap) for at in places]
    count = int(np.median([len(c) for c in cuts if len(c)]))
    kept = [(at, c) for at, c in zip(places, cuts, strict=True) if len(c) == count]
    out = []
    for k in range(count):
        strip = np.array([c[k] for _, c in kept])
        ends = np.array([at for at, _ in kept])
        ends[0], ends[-1] = low, high
        plan = centre + ends[:, None] * along + strip[:, :2].mean(1)[:, None] * across
        out.append((np.column_stack([plan, strip[:, 2]]), float(np.median(np.diff(strip[:, :2], axis=1)))))
    return out


def main_axis(corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre [2] and direction [2] of the longer side of triangles [F, 3, 3] seen from above: the larger axis of inertia of their area."""
    flat = corner[:, :, :2]
    edges = flat[:, 1:] - flat[:, :1]
    area = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) + 1e-12
    centre = np.average(flat.mean(1), 0, area)
    arm, middle = flat - centre, flat.mean(1) - centre
    second = np.einsum("f,fki,fkj->ij", area / 12, arm, arm) + np.einsum("f,fi,fj->ij", area * 0.75, middle, middle)
    strength, axes = np.linalg.eigh(second)
    if strength[1] < 4 * strength[0]:
        raise ValueError(f"a strip must be at least twice as long as wide, got {np.sqrt(strength[1] / max(strength[0], 1e-30)):.2g} times")
    along = axes[:, 1]
    return centre, along * (1.0 if along[np.abs(along).argmax()] > 0 else -1.0)


def cut(s: np.ndarray, side: np.ndarray, height: np.ndarray, gap: float) -> np.ndarray:
    """Where triangles meet the line s = 0: lower end, upper end and mean height of each part, float64 [n, 3]; corners are given as [F, 3] each."""
    met = (s.min(1) <= 0) & (s.max(1) >= 0) & (np.ptp(s, axis=1) > 0)
    s, side, height = s[met], side[met], height[met]
    following = [1, 2, 0]
    step = s[:, following] - s
    t = np.where(step == 0, -1.0, -s / np.where(step == 0, 1.0, step))
    crossed = (t >= 0) & (t <= 1)
    at, z = (np.where(crossed, v + t * (v[:, following] - v), np.nan) for v in (side, height))
    low, high, z = np.nanmin(at, 1), np.nanmax(at, 1), np.nanmean(z, 1)
    order = np.argsort(low)
    low, high, z = low[order], high[order], z[order]
    reach = np.maximum.accumulate(high)
    starts = np.concatenate([[0], np.flatnonzero(low[1:] > reach[:-1] + gap) + 1]) if len(low) else np.zeros(0, int)
    stops = np.append(starts[1:], len(low))
    return np.array([[low[a], high[a:b].max(), z[a:b].mean()] for a, b in zip(starts, stops, strict=False)]).reshape(-1, 3)
