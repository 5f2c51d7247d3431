"""Local planes of an organised scan, fitted without the cell they describe.

The distance along a unit direction d to a plane is 1 / (a·d): inverse range is linear in the direction. So each cell's plane is a
least-squares fit of inverse range over its neighbours' directions, weighted so that every neighbour counts by its error along the beam [m],
exact for any incidence and any firing pattern. What the fit says at the cell itself is compared with what was measured there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.geometry.beams import directions
from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

NEAR = (1, 1)
"""Half height and half width of the 8-neighbourhood, in cells."""
WIDE = (2, 4)
"""Half height and half width of the window for noise and incidence, in cells."""


@dataclass(frozen=True)
class LocalPlanes:
    """Per cell of a (beams, columns) scan, fitted to the neighbours only. NaN where fewer than four neighbours returned.

    Attributes:
        near_count, wide_count: neighbours with a return in the two windows, int32.
        near_range, wide_range: range of the fitted plane along the cell's beam [m], float32.
        near_rms, wide_rms: spread of the neighbours about the plane, perpendicular to it [m], float32.
        incidence: |cos| of the angle between the beam and the normal of the wide plane, 0..1, float32.
        leverage: variance of ``wide_range`` over that of one return's range, float32.
    """

    near_count: np.ndarray
    near_range: np.ndarray
    near_rms: np.ndarray
    wide_count: np.ndarray
    wide_range: np.ndarray
    wide_rms: np.ndarray
    incidence: np.ndarray
    leverage: np.ndarray


def wraps(azimuth: np.ndarray) -> bool:
    """Whether the last column of a (beams, columns) azimuth grid borders the first; a few beams tell."""
    if azimuth.shape[1] < 8:
        return False
    some = azimuth[:: max(1, len(azimuth) // 2)].astype(np.float64)
    steps = (np.diff(some, axis=1) + 180.0) % 360.0 - 180.0
    return bool(abs(np.median(steps)) * azimuth.shape[1] > 350.0)


MOMENTS = wp.types.vector(length=11, dtype=wp.float64)
"""What one return, direction q and range r, adds to the fit: r^4 q q^T (upper triangle), r^3 q, r^2, and one."""


@wp.kernel
def _moments(rng: wp.array2d(dtype=wp.float32), ray: wp.array2d(dtype=wp.vec3d), out: wp.array2d(dtype=MOMENTS)):
    i, j = wp.tid()
    r = wp.float64(rng[i, j])
    if r > wp.float64(0.0):
        v = ray[i, j] * (r * r)
        b = v * r
        one = wp.float64(1.0)
        out[i, j] = MOMENTS(v[0] * v[0], v[0] * v[1], v[0] * v[2], v[1] * v[1], v[1] * v[2], v[2] * v[2], b[0], b[1], b[2], r * r, one)
    else:
        out[i, j] = MOMENTS()


@wp.func
def _plane(s: MOMENTS, d: wp.vec3d) -> wp.vec4d:
    """Range along ``d`` [m], |cos| of incidence, perpendicular spread [m], leverage; NaN range without a fit."""
    nothing = wp.vec4d(wp.float64(wp.nan), wp.float64(wp.nan), wp.float64(wp.nan), wp.float64(wp.nan))
    if s[10] < wp.float64(3.5):
        return nothing
    m = wp.mat33d(s[0], s[1], s[2], s[1], s[3], s[4], s[2], s[4], s[5])
    inverse = wp.inverse(m)
    b = wp.vec3d(s[6], s[7], s[8])
    a = inverse * b
    along = wp.dot(a, d)
    if not (along > wp.float64(1.0e-4)):
        return nothing
    r = wp.float64(1.0) / along
    cosine = along / wp.length(a)
    squares = s[9] - wp.float64(2.0) * wp.dot(b, a) + wp.dot(a, m * a)  # what rounding does to a hardly changes this sum, for a is where it is least
    error = wp.max(squares, wp.float64(0.0)) / s[10]
    lever = r * r * r * r * wp.dot(d, inverse * d)
    return wp.vec4d(r, cosine, wp.sqrt(error) * cosine, lever)


@wp.kernel
def _fit(
    ray: wp.array2d(dtype=wp.vec3d),
    moments: wp.array2d(dtype=MOMENTS),
    wrap: wp.int32,
    near_count: wp.array2d(dtype=wp.int32),
    wide_count: wp.array2d(dtype=wp.int32),
    near: wp.array2d(dtype=wp.vec2f),
    wide: wp.array2d(dtype=wp.vec4f),
):
    i, j = wp.tid()
    rows, cols = ray.shape[0], ray.shape[1]
    inner = MOMENTS()
    outer = MOMENTS()
    for k in range(5):
        row = i + k - 2
        if row >= 0 and row < rows:
            for h in range(9):
                col = j + h - 4
                if wrap != 0:
                    col = (col + cols) % cols
                if col >= 0 and col < cols and not (k == 2 and h == 4):
                    outer += moments[row, col]
                    if k >= 1 and k <= 3 and h >= 3 and h <= 5:
                        inner += moments[row, col]
    near_count[i, j] = wp.int32(inner[10])
    wide_count[i, j] = wp.int32(outer[10])
    p = _plane(inner, ray[i, j])
    near[i, j] = wp.vec2f(wp.float32(p[0]), wp.float32(p[2]))
    p = _plane(outer, ray[i, j])
    wide[i, j] = wp.vec4f(wp.float32(p[0]), wp.float32(p[1]), wp.float32(p[2]), wp.float32(p[3]))


def local_planes(rng: Any, azimuth: Any, elevation: Any, device: str = "cpu") -> LocalPlanes:
    """Fit both windows around every cell (Warp kernel).

    Args:
        rng: range [m], 0 = no return, (beams, columns), beams ordered by elevation.
        azimuth, elevation: direction of every cell, returns or not [deg], (beams, columns).
        device: Warp device.
    """
    rng = np.ascontiguousarray(np.asarray(rng, dtype=np.float32))
    azimuth = np.asarray(azimuth)
    shape = rng.shape
    near_count, wide_count = (wp.empty(shape, dtype=wp.int32, device=device) for _ in range(2))
    near, wide = wp.empty(shape, dtype=wp.vec2f, device=device), wp.empty(shape, dtype=wp.vec4f, device=device)
    rays = wp.array(directions(azimuth, elevation), dtype=wp.vec3d, device=device)
    moments = wp.empty(shape, dtype=MOMENTS, device=device)
    wp.launch(_moments, dim=shape, inputs=[wp.array(rng, dtype=wp.float32, device=device), rays], outputs=[moments], device=device)
    inputs = [rays, moments, int(wraps(azimuth))]
    wp.launch(_fit, dim=shape, inputs=inputs, outputs=[near_count, wide_count, near, wide], device=device)
    n, w = near.numpy(), wide.numpy()
    return LocalPlanes(near_count.numpy(), n[..., 0], n[..., 1], wide_count.numpy(), w[..., 0], w[..., 2], w[..., 1], w[..., 3])


def local_planes_twin(rng: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray) -> LocalPlanes:
    """Readable twin of ``local_planes``: the same sums, one shift of the whole scan at a time, float64."""
    near, wide = (_twin_window(np.asarray(rng, dtype=np.float64), azimuth, elevation, half) for half in (NEAR, WIDE))
    return LocalPlanes(near[0], near[1], near[3], wide[0], wide[1], wide[3], wide[2], wide[4])


def _twin_window(rng: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray, half: tuple[int, int]) -> tuple[np.ndarray, ...]:
    d = directions(azimuth, elevation)
    rows, cols = rng.shape
    n, m, b, c = np.zeros(rng.shape, np.int32), np.zeros((*rng.shape, 3, 3)), np.zeros((*rng.shape, 3)), np.zeros(rng.shape)
    for dr in range(-half[0], half[0] + 1):
        for dc in range(-half[1], half[1] + 1):
            row, col = np.meshgrid(np.arange(rows) + dr, np.arange(cols) + dc, indexing="ij")
            inside = (row >= 0) & (row < rows) & (wraps(azimuth) | ((col >= 0) & (col < cols))) & ((dr, dc) != (0, 0))
            row, col = np.clip(row, 0, rows - 1), col % cols
            r = np.where(inside, rng[row, col], 0.0)
            v = d[row, col] * (r**2)[..., None]
            n += r > 0
            m += v[..., :, None] * v[..., None, :]
            b += r[..., None] * v
            c += r**2
    return (n, *_twin_plane(d, n, m, b, c))


def _twin_plane(d: np.ndarray, n: np.ndarray, m: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    enough = (n >= 4) & (np.abs(np.linalg.det(m)) > 0)
    inverse = np.linalg.inv(np.where(enough[..., None, None], m, np.eye(3)))
    a = (inverse @ b[..., None])[..., 0]
    along = (a * d).sum(-1)
    valid = enough & (along > 1e-4)
    a, along = np.where(valid[..., None], a, np.nan), np.where(valid, along, np.nan)
    r, cosine = 1 / along, along / np.linalg.norm(a, axis=-1)
    squares = c - 2 * (b * a).sum(-1) + np.einsum("...i,...ij,...j", a, m, a)
    rms = np.sqrt(np.maximum(squares, 0) / np.maximum(n, 1)) * cosine
    lever = r**4 * np.einsum("...i,...ij,...j", d, inverse, d)
    return tuple(v.astype(np.float32) for v in (r, cosine, rms, lever))
