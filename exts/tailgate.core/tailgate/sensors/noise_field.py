"""Stationary Gaussian noise images: white noise from a counter-based hash, smoothed over a window, unit variance.

The hash is PCG3D (Jarzynski and Olano 2020, "Hash functions for GPU rendering"): a pixel's noise depends on its address and the seed alone, so
the same image comes back on every device and in every launch order.
"""

from __future__ import annotations

import math

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.memory import recall

wp.set_module_options({"enable_backward": False})

MAX_WINDOW = 49.0
"""Largest window [px]."""
_SPARE = 8
"""What white noise reaches beyond an image is a multiple of this [px]."""


@wp.func
def pcg3d(x: wp.uint32, y: wp.uint32, z: wp.uint32):
    """Three hashed 32-bit words of a 3-word address."""
    factor = wp.uint32(1664525)
    step = wp.uint32(1013904223)
    a = x * factor + step
    b = y * factor + step
    c = z * factor + step
    a = a + b * c
    b = b + c * a
    c = c + a * b
    a = a ^ (a >> wp.uint32(16))
    b = b ^ (b >> wp.uint32(16))
    c = c ^ (c >> wp.uint32(16))
    a = a + b * c
    b = b + c * a
    c = c + a * b
    return a, b, c


@wp.func
def unit_interval(word: wp.uint32):
    """Upper 24 bits as a number in (0, 1)."""
    return (float(word >> wp.uint32(8)) + 0.5) * (1.0 / 16777216.0)


@wp.kernel
def white_kernel(seed: wp.uint32, top: int, left: int, strip: int, out: wp.array(dtype=wp.float32, ndim=3)):
    """Fill fields 2 j and 2 j + 1 with one Box-Muller pair per pixel; ``out`` [2 pairs, rows, columns] starts at address (top, left). A thread works
    through ``strip`` pixels of a row."""
    row = wp.tid() * strip / out.shape[2]
    x = wp.tid() * strip % out.shape[2]
    j = row / out.shape[1]
    y = row % out.shape[1]
    for i in range(x, x + strip):
        a, b, c = pcg3d(wp.uint32(i + left), wp.uint32(y + top), seed + wp.uint32(j) * wp.uint32(1640531527))
        radius = wp.sqrt(-2.0 * wp.log(unit_interval(a)))
        angle = 6.2831855 * unit_interval(b)
        out[2 * j, y, i] = radius * wp.cos(angle)
        out[2 * j + 1, y, i] = radius * wp.sin(angle)


@wp.func_native("""
#ifndef __CUDA_ARCH__
#pragma clang fp contract(off)
#endif
    const int row = first / out.shape[2], field = src.strides[0] / 4, line = src.strides[1] / 4, along = axis == 0 ? line : 1;
    const float* from = src.data + row / out.shape[1] * field + row % out.shape[1] * line + first % out.shape[2];
    float* to = out.data + first;
    for (int i = 0; i < count; ++i) to[i] = 0.0f;
    for (int tap = 0; tap < taps.shape[0]; ++tap, from += along) {
        const float share = taps.data[tap];
        for (int i = 0; i < count; ++i) to[i] += share * from[i];
    }
""")
def smooth_part(
    src: wp.array(dtype=wp.float32, ndim=3),
    taps: wp.array(dtype=wp.float32),
    axis: int,
    first: int,
    count: int,
    out: wp.array(dtype=wp.float32, ndim=3),
):
    """``smooth_kernel`` for ``count`` pixels of a row from ``first`` on: plain loops along the row, which a compiler turns into vector code."""


@wp.kernel
def smooth_kernel(
    src: wp.array(dtype=wp.float32, ndim=3), taps: wp.array(dtype=wp.float32), axis: int, strip: int, out: wp.array(dtype=wp.float32, ndim=3)
):
    """Weighted sum of each pixel and those below it (axis 0) or right of it (axis 1): ``out`` [n, rows, columns] is shorter by the taps less one. A
    thread works through ``strip`` pixels of a row."""
    smooth_part(src, taps, axis, wp.tid() * strip, strip, out)


def window_weights(width: float) -> np.ndarray:
    """Share of each pixel that a flat window centred on one covers, float64 [2 r + 1], r = ceil(width / 2 - 1 / 2): 1 inside, less at the ends."""
    half = 0.5 * min(max(width, 1.0), MAX_WINDOW)
    k = np.arange(-math.ceil(half - 0.5), math.ceil(half - 0.5) + 1)
    return np.clip(np.minimum(k + 0.5, half) - np.maximum(k - 0.5, -half), 0.0, 1.0)


def taps_of(width: float) -> np.ndarray:
    """``window_weights`` with unit sum of squares, float32."""
    weight = window_weights(width)
    return (weight / np.sqrt((weight**2).sum())).astype(np.float32)


def _origin(taps: np.ndarray) -> int:
    """Address of the first white pixel: the middle of a window keeps its address whatever the window's size."""
    return int(MAX_WINDOW) - len(taps) // 2


def noise_fields(seed: int, pairs: int, shape: tuple[int, int], window: tuple[float, float] = (1.0, 1.0), device: str = "cpu") -> wp.array:
    """Independent unit-variance Gaussian fields, Warp float32 [2 pairs, H, W] on ``device``; not to be written to.

    Args:
        seed: 31-bit seed (``tailgate.rng.kernel_seed``).
        pairs: half the number of fields.
        shape: (H, W).
        window: height and width of the flat window that white noise is averaged over [px]; 1 leaves it white. The correlation at lag k along a line
            is 1 - k / width, as that of two windows which overlap by so much.
        device: Warp device.
    """
    return recall(("noise", seed, pairs, str(device)), (shape, window), lambda: _fields(seed, pairs, shape, window, device))


def _fields(seed: int, pairs: int, shape: tuple[int, int], window: tuple[float, float], device: str) -> wp.array:
    taps = [taps_of(side) for side in window]
    (height, width), reach = shape, [len(t) // 2 for t in taps]
    # Some more than is needed: a window or an image that grows a little then finds its noise there.
    halo = [-(-r // _SPARE) * _SPARE for r in reach]
    whole = 2 * pairs, height + 2 * halo[0], -(-(width + 2 * halo[1]) // (4 * _SPARE)) * 4 * _SPARE
    white = recall(("white", seed, pairs, str(device)), (whole, *halo), lambda: _white(seed, whole, [int(MAX_WINDOW) - h for h in halo], device))
    top, left = (h - r for h, r in zip(halo, reach, strict=True))
    out = white[:, top : top + height + 2 * reach[0], left : left + width + 2 * reach[1]]
    for axis, (weights, rows, columns) in enumerate(((taps[0], height, out.shape[2]), (taps[1], height, width))):
        if len(weights) > 1:
            src, out = out, wp.empty((2 * pairs, rows, columns), dtype=wp.float32, device=device)
            threads, strip = strips(out.size, device, columns)
            wp.launch(smooth_kernel, dim=threads, inputs=[src, wp.array(weights, dtype=wp.float32, device=device), axis, strip, out], device=device)
    return out


def _white(seed: int, shape: tuple[int, int, int], origin: list[int], device: str) -> wp.array:
    out = wp.empty(shape, dtype=wp.float32, device=device)
    threads, strip = strips(out.size // 2, device, shape[2])
    wp.launch(white_kernel, dim=threads, inputs=[wp.uint32(seed), *origin, strip, out], device=device)
    return out


def pcg3d_twin(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readable twin of ``pcg3d`` on uint32 arrays."""
    with np.errstate(over="ignore"):
        a, b, c = (np.asarray(v, np.uint32) * np.uint32(1664525) + np.uint32(1013904223) for v in (x, y, z))
        for last in (False, True):
            a = a + b * c
            b = b + c * a
            c = c + a * b
            if not last:
                a, b, c = (v ^ (v >> np.uint32(16)) for v in (a, b, c))
    return a, b, c


def noise_fields_twin(seed: int, pairs: int, shape: tuple[int, int], window: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Readable twin of ``noise_fields``, float64 [2 pairs, H, W]."""
    down, across = (taps_of(side).astype(np.float64) for side in window)
    height, width = shape
    y, x = np.indices((height + len(down) - 1, width + len(across) - 1), dtype=np.uint32)
    y, x = (a + np.uint32(_origin(taps)) for a, taps in ((y, down), (x, across)))
    fields = []
    for j in range(pairs):
        key = np.full_like(x, (seed + j * 1640531527) & 0xFFFFFFFF)
        a, b = (((w >> np.uint32(8)).astype(np.float64) + 0.5) / 2**24 for w in pcg3d_twin(x, y, key)[:2])
        fields += [np.sqrt(-2 * np.log(a)) * np.cos(2 * np.pi * b), np.sqrt(-2 * np.log(a)) * np.sin(2 * np.pi * b)]
    white = np.stack(fields)
    rows = sum(w * white[:, i : i + height] for i, w in enumerate(down))
    return sum(w * rows[:, :, i : i + width] for i, w in enumerate(across))
