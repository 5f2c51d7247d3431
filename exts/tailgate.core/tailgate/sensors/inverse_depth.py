"""An image of inverse depth, in which a plane is linear: incidence, what other viewpoints see of it, and its move to one of them."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import math

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

EDGE_JUMP = 0.03
"""Step of inverse depth between neighbouring pixels [1/m] from which they belong to two surfaces: 3 cm at 1 m."""
SHADOW_JUMP = 0.01
"""An occluder is nearer by at least this inverse depth [1/m]."""
SHADOW_REACH = 0.6
"""Half the width of a pixel seen from elsewhere, with a tenth of a pixel of slack [px]."""
CLOSEST = 1e-3
"""Depth [m] from which on things count, be they too near to be measured."""
_EDGE, _SHADOW, _REACH, _CLOSEST = (wp.constant(v) for v in (EDGE_JUMP, SHADOW_JUMP, SHADOW_REACH, CLOSEST))


@wp.struct
class Optics:
    """Pinhole and range limits: focal lengths and centre across and down [px], nearest and furthest measurable depth [m]."""

    f: wp.vec2
    centre: wp.vec2
    near: wp.float32
    far: wp.float32


def optics_of(k: Intrinsics, limits: tuple[float, float]) -> Optics:
    """Kernel argument of a camera's intrinsics and nearest and furthest depth [m]."""
    out = Optics()
    out.f, out.centre = wp.vec2(k.fx, k.fy), wp.vec2(k.cx, k.cy)
    out.near, out.far = limits
    return out


@wp.kernel
def surface_kernel(
    depth: wp.array(dtype=wp.float32, ndim=2),
    optics: Optics,
    inverse: wp.array(dtype=wp.float32, ndim=2),
    nearest: wp.array(dtype=wp.float32),
):
    """Inverse depth [1/m] (0: nothing, or too far) and its largest value in each row; one thread a row."""
    y = wp.tid()
    largest = float(0.0)
    for x in range(depth.shape[1]):
        z = depth[y, x]
        q = float(0.0)
        if z >= _CLOSEST and z <= optics.far:
            q = 1.0 / z
        inverse[y, x] = q
        largest = wp.max(largest, q)
    nearest[y] = largest


@wp.func
def slope(before: float, here: float, after: float):
    """The flatter of the two one-sided differences, 0 where there is no neighbour."""
    a = here - before
    b = after - here
    if before <= 0.0:
        a = b
    if after <= 0.0:
        b = a
    if before <= 0.0 and after <= 0.0:
        return 0.0
    if wp.abs(a) < wp.abs(b):
        return a
    return b


@wp.func
def gradient(inverse: wp.array(dtype=wp.float32, ndim=2), y: int, x: int):
    """The surface's gradient of inverse depth, across and down [1/m/px]."""
    h = inverse.shape[0]
    w = inverse.shape[1]
    q = inverse[y, x]
    left = float(0.0)
    right = float(0.0)
    above = float(0.0)
    below = float(0.0)
    if x > 0:
        left = inverse[y, x - 1]
    if x + 1 < w:
        right = inverse[y, x + 1]
    if y > 0:
        above = inverse[y - 1, x]
    if y + 1 < h:
        below = inverse[y + 1, x]
    return wp.vec2(slope(left, q, right), slope(above, q, below))


@wp.func
def incidence(inverse: wp.array(dtype=wp.float32, ndim=2), y: int, x: int, optics: Optics):
    """Angle between a pixel's ray and the surface normal [rad]. On a plane n·X = 1 inverse depth is q = n·ray, with rays of unit depth: its gradient
    and its value give n."""
    across = (float(x) - optics.centre[0]) / optics.f[0]
    down = (float(y) - optics.centre[1]) / optics.f[1]
    along = wp.cw_mul(optics.f, gradient(inverse, y, x))
    normal = wp.vec3(along[0], along[1], inverse[y, x] - along[0] * across - along[1] * down)
    return wp.atan2(wp.length(wp.cross(normal, wp.vec3(across, down, 1.0))), inverse[y, x])


@wp.kernel
def slant_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    optics: Optics,
    strip: int,
    theta: wp.array(dtype=wp.float32, ndim=2),
    steep: wp.array(dtype=wp.float32, ndim=2),
):
    """Incidence [rad] and change of inverse depth per pixel [1/m/px], 0 for nothing; a thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / inverse.shape[1]
    first = wp.tid() * strip % inverse.shape[1]
    for x in range(first, first + strip):
        theta[y, x] = 0.0
        steep[y, x] = 0.0
        if inverse[y, x] > 0.0:
            theta[y, x] = incidence(inverse, y, x, optics)
            steep[y, x] = wp.length(gradient(inverse, y, x))


@wp.func_native("""
#ifndef __CUDA_ARCH__
#pragma clang fp contract(off)
#endif
    const int width = inverse.shape[1], x = first % width, side = shift < 0.0f ? -1 : 1;
    const float *row = inverse.data + first, reach = shift < 0.0f ? -shift : shift, largest = nearest.data[first / width];
    unsigned char* to = hidden.data + first;
    float least = largest;
    for (int i = 0; i < count; ++i) {
        to[i] = 0;
        least = row[i] > 0.0f && row[i] < least ? row[i] : least;
    }
    const int furthest = (int)ceilf(reach * (largest - least) + 1.0f), last = furthest < width ? furthest : width;
    for (int k = 1; k <= last; ++k) {
        const int start = x + side * k < 0 ? -x - side * k : 0, end = x + side * k + count < width ? count : width - x - side * k;
        const float *other = row + side * k, steps = (float)k;
        for (int i = start; i < end; ++i) {
            const float step = other[i] - row[i], off = steps - reach * step;
            to[i] |= (step > jump) & (off <= slack) & (off >= -slack);
        }
    }
""")
def shadow_part(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    shift: float,
    nearest: wp.array(dtype=wp.float32),
    jump: float,
    slack: float,
    first: int,
    count: int,
    hidden: wp.array(dtype=wp.uint8, ndim=2),
):
    """``shadow_kernel`` for ``count`` pixels of a row from ``first`` on: plain loops along the row, which a compiler turns into vector code."""


@wp.kernel
def shadow_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    shift: float,
    nearest: wp.array(dtype=wp.float32),
    strip: int,
    hidden: wp.array(dtype=wp.uint8, ndim=2),
):
    """Whether a nearer surface hides each pixel of one from a viewpoint further along the row; a thread works through ``strip`` pixels of a row.

    ``shift`` is the viewpoint's offset times the focal length [px m], positive to the right: a surface of inverse depth q moves by -shift q [px].
    ``nearest`` is the largest inverse depth of each row.
    """
    shadow_part(inverse, shift, nearest, _SHADOW, _REACH, wp.tid() * strip, strip, hidden)


@wp.kernel
def move_kernel(src: wp.array(dtype=wp.float32, ndim=2), shift: float, aside: float, out: wp.array(dtype=wp.float32, ndim=2)):
    """Move every pixel of inverse depth q along its row by ``shift`` q + ``aside`` [px], the nearest wins; one thread a row.

    Surfaces stay closed: a pixel fills the columns up to that of its neighbour on the same surface.
    """
    y = wp.tid()
    for x in range(src.shape[1]):
        q = src[y, x]
        if q > 0.0:
            at = int(wp.rint(float(x) + shift * q + aside))
            last = at
            if x + 1 < src.shape[1]:
                beside = src[y, x + 1]
                if beside > 0.0 and wp.abs(beside - q) <= _EDGE:
                    last = wp.max(at, int(wp.rint(float(x + 1) + shift * beside + aside)) - 1)
            for c in range(wp.max(at, 0), wp.min(last + 1, out.shape[1])):
                if q > out[y, c]:
                    out[y, c] = q


@wp.kernel
def spread_kernel(src: wp.array(dtype=wp.float32, ndim=2), strip: int, out: wp.array(dtype=wp.float32, ndim=2)):
    """Nearest of each pixel and those above it, left of it and both; a thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / src.shape[1]
    first = wp.tid() * strip % src.shape[1]
    above = wp.max(y - 1, 0)
    for x in range(first, first + strip):
        left = wp.max(x - 1, 0)
        out[y, x] = wp.max(wp.max(src[y, x], src[above, x]), wp.max(src[y, left], src[above, left]))


@wp.kernel
def close_kernel(inverse: wp.array(dtype=wp.float32, ndim=2)):
    """Fill what no pixel of a row moved to with the further surface beside it; one thread a row."""
    y = wp.tid()
    last = float(0.0)
    start = int(0)
    for x in range(inverse.shape[1]):
        q = inverse[y, x]
        if q > 0.0:
            if last > 0.0:
                for c in range(start, x):
                    inverse[y, c] = wp.min(last, q)
            last = q
            start = x + 1


def incidence_twin(inverse: np.ndarray, k: Intrinsics) -> np.ndarray:
    """Angle between each pixel's ray and the surface normal [rad], [H, W]; 0 where nothing is."""
    v, u = np.indices(inverse.shape)
    ray = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(inverse.shape)], -1)
    along = np.array([k.fx, k.fy]) * gradient_twin(inverse)
    normal = np.concatenate([along, (inverse - (along * ray[..., :2]).sum(-1))[..., None]], -1)
    return np.where(inverse > 0, np.arctan2(np.linalg.norm(np.cross(normal, ray), axis=-1), inverse), 0.0)


def gradient_twin(inverse: np.ndarray) -> np.ndarray:
    """The surfaces' gradient of inverse depth, across and down [1/m/px], [H, W, 2]."""
    parts = []
    for axis in (1, 0):
        step = np.diff(inverse, axis=axis)
        both = np.minimum(*(np.take(inverse, range(s, inverse.shape[axis] - 1 + s), axis=axis) for s in (0, 1))) > 0
        step = np.where(both, step, np.nan)
        pad = np.full_like(np.take(inverse, [0], axis=axis), np.nan)
        before, after = np.concatenate([pad, step], axis=axis), np.concatenate([step, pad], axis=axis)
        before, after = np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)
        parts.append(np.nan_to_num(np.where(np.abs(before) < np.abs(after), before, after)))
    return np.stack(parts, -1)


def shadow_twin(inverse: np.ndarray, shift: float) -> np.ndarray:
    """Pixels hidden from a viewpoint offset by ``shift`` / focal length along the rows (> 0: to the right), bool [H, W]."""
    hidden = np.zeros(inverse.shape, dtype=bool)
    if shift == 0.0:
        return hidden
    image, out = (inverse, hidden) if shift > 0 else (inverse[:, ::-1], hidden[:, ::-1])
    width = image.shape[1]
    for k in range(1, min(width, math.ceil(abs(shift) * image.max() + 1) + 1)):
        step = image[:, k:] - image[:, : width - k]
        out[:, : width - k] |= (step > SHADOW_JUMP) & (np.abs(k - abs(shift) * step) <= SHADOW_REACH)
    return hidden


def move_twin(inverse: np.ndarray, shift: float, aside: float, width: int) -> np.ndarray:
    """Twin of ``move_kernel`` into an image of ``width`` columns."""
    out = np.zeros((len(inverse), width))
    at = np.rint(np.arange(inverse.shape[1]) + shift * inverse + aside).astype(int)
    last = at.copy()
    same = (inverse[:, 1:] > 0) & (inverse[:, :-1] > 0) & (np.abs(np.diff(inverse, axis=1)) <= EDGE_JUMP)
    last[:, :-1] = np.where(same, np.maximum(at[:, 1:] - 1, at[:, :-1]), at[:, :-1])
    rows, columns = np.nonzero(inverse > 0)
    first, last, q = at[rows, columns], last[rows, columns], inverse[rows, columns]
    for k in range(int((last - first).max(initial=-1)) + 1):
        use = (first + k <= last) & (first + k >= 0) & (first + k < width)
        np.maximum.at(out, (rows[use], first[use] + k), q[use])
    return out


def spread_twin(inverse: np.ndarray) -> np.ndarray:
    """Twin of ``spread_kernel``."""
    padded = np.pad(inverse, ((1, 0), (1, 0)), mode="edge")
    return np.maximum.reduce([padded[i : i + inverse.shape[0], j : j + inverse.shape[1]] for i in (0, 1) for j in (0, 1)])


def close_twin(inverse: np.ndarray) -> np.ndarray:
    """Twin of ``close_kernel``."""
    columns = np.arange(inverse.shape[1])
    before = np.maximum.accumulate(np.where(inverse > 0, columns, -1), axis=1)
    after = np.minimum.accumulate(np.where(inverse > 0, columns, len(columns))[:, ::-1], axis=1)[:, ::-1]
    inside = (before >= 0) & (after < len(columns))
    ends = (np.take_along_axis(inverse, np.clip(end, 0, len(columns) - 1), axis=1) for end in (before, after))
    return np.where(inverse > 0, inverse, np.where(inside, np.minimum(*ends), 0.0))
