"""Local geometry on the grid of an organised scan or depth image: one Warp kernel for range images and RGB-D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.validate.backbones.geometric import shape_features

wp.set_module_options({"enable_backward": False})

NAMES = (
    "linearity",
    "planarity",
    "scattering",
    "surface_variation",
    "normal_up",
    "incidence",
    "normal_variation",
    "curvature",
    "hole_share",
    "edge_share",
    "range_roughness",
)
"""Features in order, all in 0..1."""
MIN_NEAR = 4
"""Fewest neighbours on the same surface that give a cell a shape."""


@dataclass(frozen=True)
class Window:
    """Which cells are a cell's neighbours.

    Attributes:
        rows, columns: half height and half width in cells.
        reach: neighbours count as the same surface when their range differs from the cell's by at most this share of it.
        wrap: whether the last column borders the first.
    """

    rows: int
    columns: int
    reach: float
    wrap: bool = False


@dataclass(frozen=True)
class LocalGrid:
    """Sums over each cell's window, the cell itself left out; zeros where the cell has no return.

    Attributes:
        covariance, mean: of the offsets [m] of the neighbours on the same surface from the cell, [R, C, 3, 3] and [R, C, 3], float32.
        near, seen, total: neighbours on the same surface, with a return, and inside the grid, int32 [R, C].
        roughness: mean |range - range of the cell| / range of the cell over neighbours on the same surface, float32 [R, C].
    """

    covariance: np.ndarray
    mean: np.ndarray
    near: np.ndarray
    seen: np.ndarray
    total: np.ndarray
    roughness: np.ndarray


@wp.kernel
def _sum(
    points: wp.array2d(dtype=wp.vec3),
    half_rows: int,
    half_columns: int,
    reach: float,
    wrap: int,
    covariance: wp.array2d(dtype=wp.mat33),
    mean: wp.array2d(dtype=wp.vec3),
    counts: wp.array2d(dtype=wp.vec3i),
    roughness: wp.array2d(dtype=wp.float32),
):
    i, j = wp.tid()
    centre = points[i, j]
    r = wp.length(centre)
    if r > 0.0:
        outer = wp.mat33(0.0)
        total = wp.vec3(0.0, 0.0, 0.0)
        rough = wp.float32(0.0)
        near = wp.int32(0)
        seen = wp.int32(0)
        inside = wp.int32(0)
        for k in range(-half_rows, half_rows + 1):
            for h in range(-half_columns, half_columns + 1):
                row = i + k
                column = j + h
                if wrap != 0:
                    column = (column + points.shape[1]) % points.shape[1]
                if row >= 0 and row < points.shape[0] and column >= 0 and column < points.shape[1] and (k != 0 or h != 0):
                    inside += 1
                    p = points[row, column]
                    s = wp.length(p)
                    if s > 0.0:
                        seen += 1
                        if wp.abs(s - r) <= reach * r:
                            near += 1
                            d = p - centre
                            total += d
                            outer += wp.outer(d, d)
                            rough += wp.abs(s - r) / r
        if near > 0:
            n = float(near)
            m = total / n
            mean[i, j] = m
            covariance[i, j] = outer / n - wp.outer(m, m)
            roughness[i, j] = rough / n
        counts[i, j] = wp.vec3i(near, seen, inside)


def local_grid(points: np.ndarray, window: Window, device: str = "cpu") -> LocalGrid:
    """Sums over the window around every cell of points [R, C, 3] in the sensor frame [m]; (0, 0, 0) where there is no return."""
    shape = points.shape[:2]
    held = wp.array(np.ascontiguousarray(points, dtype=np.float32), dtype=wp.vec3, device=device)
    types = (wp.mat33, wp.vec3, wp.vec3i, wp.float32)
    covariance, mean, counts, roughness = (wp.zeros(shape, dtype=t, device=device) for t in types)
    inputs = [held, window.rows, window.columns, window.reach, int(window.wrap)]
    wp.launch(_sum, shape, inputs=inputs, outputs=[covariance, mean, counts, roughness], device=device)
    near, seen, total = np.moveaxis(counts.numpy(), -1, 0)
    return LocalGrid(covariance.numpy(), mean.numpy(), near, seen, total, roughness.numpy())


def local_grid_twin(points: np.ndarray, window: Window) -> LocalGrid:
    """Readable twin of ``local_grid``: one cell after the other, float64."""
    rows, columns = points.shape[:2]
    points, distance = points.astype(np.float64), np.linalg.norm(points, axis=2)
    covariance, mean = np.zeros((rows, columns, 3, 3)), np.zeros((rows, columns, 3))
    counts, roughness = np.zeros((3, rows, columns), int), np.zeros((rows, columns))
    for i, j in np.argwhere(distance > 0):
        cells = [(i + k, j + h) for k in range(-window.rows, window.rows + 1) for h in range(-window.columns, window.columns + 1) if (k, h) != (0, 0)]
        cells = [(k, h % columns if window.wrap else h) for k, h in cells]
        cells = [c for c in cells if 0 <= c[0] < rows and 0 <= c[1] < columns]
        seen = [c for c in cells if distance[c] > 0]
        near = [c for c in seen if abs(distance[c] - distance[i, j]) <= window.reach * distance[i, j]]
        counts[:, i, j] = len(near), len(seen), len(cells)
        if near:
            offsets = np.array([points[c] - points[i, j] for c in near])
            mean[i, j], covariance[i, j] = offsets.mean(axis=0), np.cov(offsets.T, bias=True)
            roughness[i, j] = np.mean([abs(distance[c] - distance[i, j]) / distance[i, j] for c in near])
    return LocalGrid(covariance, mean, *counts, roughness)


def grid_features(points: np.ndarray, up: np.ndarray, window: Window) -> np.ndarray:
    """Features of every cell in the order of NAMES, float32 [R, C, 11]; zeros where a cell has no return, or no shape for the first eight.

    ``shape_features`` of the neighbours on the same surface; |cos| between the normal and up; |cos| between the normal and the beam; mean of
    1 - |cos| between the normals of a cell and of its up to four adjacent ones; distance of the cell from the middle of its neighbours along the
    normal as a share of their spread (≤ 1); share of the window without a return; share of the returns in it that lie off the surface; mean
    |range difference| on the surface as a share of ``window.reach``.

    Args:
        points: in the sensor frame [m], [R, C, 3]; (0, 0, 0) where there is no return.
        up: unit vector that points up in the sensor frame [3].
        window: which cells are neighbours.
    """
    local = local_grid(points, window)
    out = np.zeros((*points.shape[:2], len(NAMES)), dtype=np.float32)
    whole = local.near >= MIN_NEAR
    shape, normals = shape_features(local.covariance[whole].astype(np.float64))
    held = points[whole].astype(np.float64)
    spread = np.sqrt(np.maximum(np.trace(local.covariance[whole], axis1=1, axis2=2), 1e-18))
    field = np.zeros(points.shape)
    field[whole] = normals
    out[whole, :4] = shape
    out[whole, 4] = np.abs(normals @ up)
    out[whole, 5] = np.abs(np.sum(normals * held, axis=1)) / np.linalg.norm(held, axis=1)
    out[whole, 6] = _turn(field, whole, window.wrap)[whole]
    out[whole, 7] = np.minimum(np.abs(np.sum(local.mean[whole] * normals, axis=1)) / spread, 1.0)
    returned = np.linalg.norm(points, axis=2) > 0
    out[..., 8] = np.where(returned, 1.0 - local.seen / np.maximum(local.total, 1), 0.0)
    out[..., 9] = np.where(returned, 1.0 - local.near / np.maximum(local.seen, 1), 0.0)
    out[..., 10] = local.roughness / window.reach
    return out


def _turn(normals: np.ndarray, valid: np.ndarray, wrap: bool) -> np.ndarray:
    """Mean of 1 - |cos| between the normals [R, C, 3] of a cell and of its adjacent valid cells; 0 where there is none."""
    total, count = np.zeros(valid.shape), np.zeros(valid.shape)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        other = np.roll(valid, step, axis=axis)
        if axis == 0 or not wrap:
            np.moveaxis(other, axis, 0)[0 if step == 1 else -1] = False
        turned = 1.0 - np.abs(np.sum(normals * np.roll(normals, step, axis=axis), axis=2))
        total += np.where(valid & other, turned, 0.0)
        count += valid & other
    return total / np.maximum(count, 1)
