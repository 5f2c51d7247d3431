"""Stationary Gaussian noise images: white noise from a counter-based hash, smoothed over a window, unit variance.

The hash is PCG3D (Jarzynski and Olano 2020, "Hash functions for GPU rendering"): a pixel's noise depends on its address and the seed alone, so
the same image comes back on every device and in every launch order.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import math

import numpy as np

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

MAX_WINDOW = 49.0
"""Largest window [px]."""


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
def white_kernel(seed: wp.uint32, origin: int, out: wp.array(dtype=wp.float32, ndim=3)):
    """Fill fields 2 j and 2 j + 1 with one Box-Muller pair per pixel; ``out`` [2 pairs, rows, columns] starts at address (origin, origin)."""
    j, y, x = wp.tid()
    a, b, c = pcg3d(wp.uint32(x + origin), wp.uint32(y + origin), seed + wp.uint32(j) * wp.uint32(1640531527))
    radius = wp.sqrt(-2.0 * wp.log(unit_interval(a)))
    angle = 6.2831855 * unit_interval(b)
    out[2 * j, y, x] = radius * wp.cos(angle)
    out[2 * j + 1, y, x] = radius * wp.sin(angle)


@wp.kernel
def smooth_columns_kernel(
    src: wp.array(dtype=wp.float32, ndim=3), taps: wp.array(dtype=wp.float32), out: wp.array(dtype=wp.float32, ndim=3)
):
    """Weighted sum of each pixel and those below it: ``out`` [n, rows - taps + 1, columns]."""
    k, y, x = wp.tid()
    total = float(0.0)
    for i in range(taps.shape[0]):
        total += taps[i] * src[k, y + i, x]
    out[k, y, x] = total


@wp.kernel
def smooth_rows_kernel(
    src: wp.array(dtype=wp.float32, ndim=3), taps: wp.array(dtype=wp.float32), out: wp.array(dtype=wp.float32, ndim=3)
):
    """Weighted sum of each pixel and those right of it: ``out`` [n, rows, columns - taps + 1]."""
    k, y, x = wp.tid()
    total = float(0.0)
    for i in range(taps.shape[0]):
        total += taps[i] * src[k, y, x + i]
    out[k, y, x] = total


def taps_of(window: float) -> np.ndarray:
    """Gaussian weights with unit sum of squares, float32 [2 r + 1], r = ceil(2.2 sigma), sigma = window / (2 sqrt(pi)).

    The window is the equivalent width: averaging over it divides the variance of white noise as a flat window of that width does. It acts smoothly
    on every statistic; a flat window with partly weighted ends does not.
    """
    if window <= 1.0:
        return np.ones(1, np.float32)
    sigma = min(window, MAX_WINDOW) / (2 * math.sqrt(math.pi))
    radius = math.ceil(2.2 * sigma)
    weight = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return (weight / np.sqrt((weight**2).sum())).astype(np.float32)


def _origin(taps: np.ndarray) -> int:
    """Address of the first white pixel: the middle of a window keeps its address whatever the window's size."""
    return int(MAX_WINDOW) - len(taps) // 2


def noise_fields(seed: int, pairs: int, shape: tuple[int, int], window: float, device: str = "cpu") -> wp.array:
    """Independent unit-variance Gaussian fields, Warp float32 [2 pairs, H, W] on ``device``.

    Args:
        seed: 31-bit seed (``tailgate.rng.kernel_seed``).
        pairs: half the number of fields.
        shape: (H, W).
        window: equivalent width of the smoothing [px]; 1 gives white noise. The correlation at lag k along a line is exp(-pi k² / window²).
        device: Warp device.
    """
    taps = taps_of(window)
    height, width, extra = *shape, len(taps) - 1
    white = wp.empty((2 * pairs, height + extra, width + extra), dtype=wp.float32, device=device)
    wp.launch(white_kernel, dim=(pairs, height + extra, width + extra), inputs=[wp.uint32(seed), _origin(taps), white], device=device)
    if not extra:
        return white
    weights = wp.array(taps, dtype=wp.float32, device=device)
    rows = wp.empty((2 * pairs, height, width + extra), dtype=wp.float32, device=device)
    wp.launch(smooth_columns_kernel, dim=rows.shape, inputs=[white, weights, rows], device=device)
    out = wp.empty((2 * pairs, height, width), dtype=wp.float32, device=device)
    wp.launch(smooth_rows_kernel, dim=out.shape, inputs=[rows, weights, out], device=device)
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


def noise_fields_twin(seed: int, pairs: int, shape: tuple[int, int], window: float) -> np.ndarray:
    """Readable twin of ``noise_fields``, float64 [2 pairs, H, W]."""
    taps = taps_of(window).astype(np.float64)
    height, width, extra = *shape, len(taps) - 1
    y, x = (np.uint32(_origin(taps)) + np.indices((height + extra, width + extra), dtype=np.uint32)).astype(np.uint32)
    fields = []
    for j in range(pairs):
        key = np.full_like(x, (seed + j * 1640531527) & 0xFFFFFFFF)
        a, b = (((w >> np.uint32(8)).astype(np.float64) + 0.5) / 2**24 for w in pcg3d_twin(x, y, key)[:2])
        fields += [np.sqrt(-2 * np.log(a)) * np.cos(2 * np.pi * b), np.sqrt(-2 * np.log(a)) * np.sin(2 * np.pi * b)]
    white = np.stack(fields)
    rows = sum(w * white[:, i : i + height] for i, w in enumerate(taps))
    return sum(w * rows[:, :, i : i + width] for i, w in enumerate(taps))
