"""What a lens does to the light before it reaches the sensor: falloff, lateral colour, point spread, halo and veiling glare.

Sources: falloff with the fourth power of the cosine of the field angle (ISO 9039, natural vignetting) and an even polynomial for what the mount hides
(Goldman 2010, "Vignette and exposure calibration and compensation"); lateral colour as a magnification per channel (Mallon and Whelan 2007,
"Calibration and removal of lateral chromatic aberration in images"); glare as a share of the light spread over the whole image (ISO 9358, veiling
glare index) and bloom as one spread around its source (Talvala et al. 2007, "Veiling glare in high dynamic range imaging").
"""


from __future__ import annotations

from functools import lru_cache

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips

wp.set_module_options({"enable_backward": False})

CELLS_PER_RADIUS = 2.5
"""Cells of the coarse grid on which halos are computed that a halo's radius holds at least; narrow ones are computed on the pixels."""
HALO_REACH = 4.0
"""Where a halo ends, in standard deviations: sources are so much brighter than what is around them that an earlier end would show."""


@lru_cache(maxsize=8)
def field(intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of the angle to the optical axis and radius from the principal point (1 at the furthest corner) of each pixel, float32 [H, W] each.

    A fisheye, whose entrance pupil turns towards the light, is as dark as a pixel's solid angle is small: sin a / (r dr/da) at radius r and angle a,
    1 on the axis. In place of the cosine comes its fourth root; 0 outside the circle.
    """
    u, v = np.meshgrid(np.arange(intrinsics.width, dtype=np.float64), np.arange(intrinsics.height, dtype=np.float64))
    radius = np.hypot(u - intrinsics.cx, v - intrinsics.cy)
    rays = intrinsics.rays(u, v)
    cosine = rays[..., 2]
    if intrinsics.distortion and intrinsics.distortion.fisheye:
        angle, h = np.arctan2(np.hypot(rays[..., 0], rays[..., 1]), rays[..., 2]), 1e-4
        squares = (intrinsics.distortion.radius(np.abs(angle + s * h)) ** 2 for s in (1, -1))
        grown = np.subtract(*squares) / (4 * h)
        cosine = np.where(angle > 1e-3, np.sin(angle) / np.maximum(grown, 1e-9), 1.0) ** 0.25
        cosine = np.where(np.isnan(angle), 0.0, cosine)
    return cosine.astype(np.float32), (radius / max(radius.max(), 1e-9)).astype(np.float32)


def falloff(intrinsics: Intrinsics, natural: float, mount: float) -> np.ndarray:
    """Share of the light that arrives at each pixel, float32 [H, W].

    Args:
        natural: strength of the cosine law: cos^(4 natural); 1 for a simple lens, below 1 for a retrofocus one.
        mount: share that the mount hides at the furthest corner, growing with the fourth power of the radius.
    """
    cosine, radius = field(intrinsics)
    return (cosine ** np.float32(4 * natural) * (1 - np.float32(mount) * radius**4)).astype(np.float32)


@wp.func
def between(src: wp.array(dtype=wp.vec3, ndim=2), v: float, u: float):
    """Linear between the four pixels around (v, u), the border repeated."""
    v = wp.clamp(v, 0.0, float(src.shape[0] - 1))
    u = wp.clamp(u, 0.0, float(src.shape[1] - 1))
    i = int(v)
    j = int(u)
    a = v - float(i)
    b = u - float(j)
    below = wp.min(i + 1, src.shape[0] - 1)
    right = wp.min(j + 1, src.shape[1] - 1)
    top = src[i, j] * (1.0 - b) + src[i, right] * b
    return top * (1.0 - a) + (src[below, j] * (1.0 - b) + src[below, right] * b) * a


@wp.kernel
def dim_kernel(light: wp.array(dtype=wp.vec3, ndim=2), share: wp.array(dtype=wp.float32, ndim=2)):
    """Multiply by the share that arrives."""
    y, x = wp.tid()
    light[y, x] = light[y, x] * share[y, x]


@wp.kernel
def chromatic_kernel(src: wp.array(dtype=wp.vec3, ndim=2), centre: wp.vec2, red: float, blue: float, out: wp.array(dtype=wp.vec3, ndim=2)):
    """Red and blue magnified about ``centre`` (u, v) by ``red`` and ``blue``, green as it is."""
    y, x = wp.tid()
    du = float(x) - centre[0]
    dv = float(y) - centre[1]
    r = between(src, centre[1] + dv / red, centre[0] + du / red)
    b = between(src, centre[1] + dv / blue, centre[0] + du / blue)
    out[y, x] = wp.vec3(r[0], src[y, x][1], b[2])


@wp.func_native("""
#ifndef __CUDA_ARCH__
#pragma clang fp contract(off)
#endif
    const int width = src.shape[1], y = first / width, x = first % width, length = 3 * count;
    const float* from = (const float*)src.data;
    float* to = (float*)out.data + 3 * first;
    for (int i = 0; i < length; ++i) to[i] = 0.0f;
    for (int tap = 0; tap < taps.shape[0]; ++tap) {
        const float share = taps.data[tap];
        const int shift = tap - taps.shape[0] / 2;
        if (axis == 0) {
            const int row = y + shift < 0 ? 0 : y + shift < src.shape[0] ? y + shift : src.shape[0] - 1;
            const float* pixel = from + 3 * (row * width + x);
            for (int i = 0; i < length; ++i) to[i] += share * pixel[i];
        } else {
            const float *border = from + 3 * y * width, *pixel = border + 3 * (x + shift);
            const int before = 3 * (x + shift), after = 3 * (width - x - shift);
            int i = 0;
            for (; i < length && i < -before; ++i) to[i] += share * border[i % 3];
            for (const int end = length < after ? length : after; i < end; ++i) to[i] += share * pixel[i];
            for (border += 3 * (width - 1); i < length; ++i) to[i] += share * border[i % 3];
        }
    }
""")
def spread_part(
    src: wp.array(dtype=wp.vec3, ndim=2), taps: wp.array(dtype=wp.float32), axis: int, first: int, count: int, out: wp.array(dtype=wp.vec3, ndim=2)
):
    """``spread_kernel`` for ``count`` pixels of a row from ``first`` on: plain loops along the row, which a compiler turns into vector code."""


@wp.kernel
def spread_kernel(
    src: wp.array(dtype=wp.vec3, ndim=2), taps: wp.array(dtype=wp.float32), axis: int, strip: int, out: wp.array(dtype=wp.vec3, ndim=2)
):
    """Weighted mean along columns (axis 0) or rows (axis 1), the border repeated; a thread works through ``strip`` pixels of a row."""
    spread_part(src, taps, axis, wp.tid() * strip, strip, out)


@wp.kernel
def shrink_kernel(
    src: wp.array(dtype=wp.vec3, ndim=2), weights: wp.array(dtype=wp.float32, ndim=2), axis: int, strip: int, out: wp.array(dtype=wp.vec3, ndim=2)
):
    """Weighted sum along columns (axis 0) or rows (axis 1) about the centre of each cell, a thread works through ``strip`` of a row. ``weights``
    [cells, 2 side + 1] begin ``side / 2`` pixels before the cell and are 0 outside the image."""
    y = wp.tid() * strip / out.shape[1]
    side = (weights.shape[1] - 1) / 2
    for x in range(wp.tid() * strip % out.shape[1], wp.tid() * strip % out.shape[1] + strip):
        cell = wp.where(axis == 0, y, x)
        first = cell * side - side / 2
        total = wp.vec3(0.0, 0.0, 0.0)
        for k in range(wp.max(-first, 0), wp.min(2 * side + 1, src.shape[axis] - first)):
            if axis == 0:
                total += src[first + k, x] * weights[cell, k]
            else:
                total += src[y, first + k] * weights[cell, k]
        out[y, x] = total


@wp.kernel
def scatter_kernel(
    light: wp.array(dtype=wp.vec3, ndim=2), halo: wp.array(dtype=wp.vec3, ndim=2), side: float, mean: wp.vec3, bloom: float, glare: float, strip: int
):
    """Spread a share of the light around its source, and of all that a share over the image. ``halo`` has cells ``side`` pixels wide; a thread works
    through ``strip`` pixels of a row."""
    y = wp.tid() * strip / light.shape[1]
    for x in range(wp.tid() * strip % light.shape[1], wp.tid() * strip % light.shape[1] + strip):
        around = between(halo, (float(y) + 0.5) / side - 0.5, (float(x) + 0.5) / side - 0.5)
        light[y, x] = (light[y, x] * (1.0 - bloom) + around * bloom) * (1.0 - glare) + mean * glare


def spread_taps(blur: float, reach: float = 2.5) -> np.ndarray:
    """Gaussian weights with unit sum, float32 [2 r + 1], r = ceil(reach blur)."""
    radius = int(np.ceil(reach * max(blur, 0.0)))
    weight = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(blur, 1e-3)) ** 2)
    return (weight / weight.sum()).astype(np.float32)


def spread(light: wp.array, blur: float, reach: float = 2.5) -> wp.array:
    """Light after a Gaussian point spread of standard deviation ``blur`` [px] that ends at ``reach`` of them."""
    taps = spread_taps(blur, reach)
    if len(taps) == 1:
        return light
    weights, one, both = wp.array(taps, dtype=wp.float32, device=light.device), wp.empty_like(light), wp.empty_like(light)
    threads, strip = strips(light.size, light.device, light.shape[1])
    wp.launch(spread_kernel, dim=threads, inputs=[light, weights, 0, strip, one], device=light.device)
    wp.launch(spread_kernel, dim=threads, inputs=[one, weights, 1, strip, both], device=light.device)
    return both


def through_lens(light: wp.array, intrinsics: Intrinsics, r: object) -> wp.array:
    """Light on the sensor, Warp vec3 [H, W], from the light a perfect lens would bring there.

    Args:
        light: linear red, green, blue; overwritten.
        intrinsics: of the image.
        r: a ``ColourResponse``.
    """
    device, shape = light.device, light.shape
    if r.vignetting or r.vignetting_edge:
        share = wp.array(falloff(intrinsics, r.vignetting, r.vignetting_edge), dtype=wp.float32, device=device)
        wp.launch(dim_kernel, dim=shape, inputs=[light, share], device=device)
    if r.chromatic_red or r.chromatic_blue:
        out, centre = wp.empty_like(light), wp.vec2(intrinsics.cx, intrinsics.cy)
        wp.launch(chromatic_kernel, dim=shape, inputs=[light, centre, *magnifications(intrinsics, r), out], device=device)
        light = out
    light = spread(light, r.blur)
    if r.bloom or r.glare:
        side, sigma = coarse_grid(r.bloom_radius if r.bloom else np.inf, shape)
        small = shrunk(light, side)
        weights = (weights_on_grid(n, side).sum(1) / n for n in shape)
        mean = wp.vec3(*map(float, np.tensordot(np.outer(*weights), small.numpy(), 2)))
        halo = spread(small, sigma, HALO_REACH) if r.bloom and r.bloom_radius > 0 else small
        threads, strip = strips(light.size, device, shape[1])
        wp.launch(scatter_kernel, dim=threads, inputs=[light, halo, float(side), mean, r.bloom, r.glare, strip], device=device)
    return light


def shrunk(light: wp.array, side: int) -> wp.array:
    """Light on a grid of cells ``side`` pixels wide, its mean about the centre of each: pixels count as they do where the grid is interpolated, so
    that light keeps its place."""
    for axis in (0, 1) if side > 1 else ():
        taps = wp.array(taps_on_grid(light.shape[axis], side), dtype=wp.float32, device=light.device)
        cells = len(taps)
        out = wp.empty((cells, light.shape[1]) if axis == 0 else (light.shape[0], cells), dtype=wp.vec3, device=light.device)
        threads, strip = strips(out.size, light.device, out.shape[1])
        wp.launch(shrink_kernel, dim=threads, inputs=[light, taps, axis, strip, out], device=light.device)
        light = out
    return light


def coarse_grid(radius: float, shape: tuple[int, int]) -> tuple[int, float]:
    """Side of the cells on which a halo is computed [px], and its standard deviation there [cells]: bringing light onto a grid and back spreads it
    by itself, a sixth of a cell's square each time on average, less that of a pixel."""
    side = int(np.clip(radius / CELLS_PER_RADIUS, 1, max(shape)))
    return side, float(np.sqrt(max(min(radius, 1e6) ** 2 - (side**2 - 1) / 3, 0.0))) / side


@lru_cache(maxsize=8)
def weights_on_grid(pixels: int, side: int) -> np.ndarray:
    """Weights of linear interpolation between the centres of cells ``side`` wide, float64 [cells, pixels]; columns sum to 1."""
    cells = -(-pixels // side)
    at = np.clip((np.arange(pixels) + 0.5) / side - 0.5, 0, cells - 1)
    return np.maximum(1 - np.abs(at - np.arange(cells)[:, None]), 0.0)


@lru_cache(maxsize=8)
def taps_on_grid(pixels: int, side: int) -> np.ndarray:
    """``weights`` of ``shrink_kernel``, float32 [cells, 2 side + 1]; rows sum to 1."""
    weights = weights_on_grid(pixels, side)
    at = np.arange(len(weights))[:, None] * side - side // 2 + np.arange(2 * side + 1)
    taps = np.where((at >= 0) & (at < pixels), np.take_along_axis(weights, np.clip(at, 0, pixels - 1), 1), 0.0)
    return (taps / weights.sum(1, keepdims=True)).astype(np.float32)


def magnifications(intrinsics: Intrinsics, r: object) -> tuple[float, float]:
    """Size of the red and the blue image relative to the green one, above 0."""
    u, v = np.meshgrid([0, intrinsics.width - 1], [0, intrinsics.height - 1])
    corner = max(float(np.hypot(u - intrinsics.cx, v - intrinsics.cy).max()), 1.0)
    return max(1 + r.chromatic_red / corner, 1e-3), max(1 + r.chromatic_blue / corner, 1e-3)


def through_lens_twin(light: np.ndarray, intrinsics: Intrinsics, r: object) -> np.ndarray:
    """Readable twin of ``through_lens`` on numpy arrays, float64 [H, W, 3]."""
    light = light * falloff(intrinsics, r.vignetting, r.vignetting_edge)[..., None]
    v, u = np.indices(light.shape[:2])
    red, blue = magnifications(intrinsics, r)
    for channel, scale in ((0, red), (2, blue)):
        at = intrinsics.cy + (v - intrinsics.cy) / scale, intrinsics.cx + (u - intrinsics.cx) / scale
        light[..., channel] = _between_twin(light[..., channel], *at)
    light = spread_twin(light, r.blur)
    side, sigma = coarse_grid(r.bloom_radius, light.shape[:2])
    down, across = (weights_on_grid(n, side) for n in light.shape[:2])
    small = np.einsum("iy,jx,yxc->ijc", down, across, light, optimize=True) / np.multiply.outer(down.sum(1), across.sum(1))[..., None]
    around = np.einsum("iy,jx,ijc->yxc", down, across, spread_twin(small, sigma, HALO_REACH), optimize=True)
    return (light * (1 - r.bloom) + around * r.bloom) * (1 - r.glare) + light.mean((0, 1)) * r.glare


def _between_twin(src: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    v, u = np.clip(v, 0, src.shape[0] - 1), np.clip(u, 0, src.shape[1] - 1)
    i, j = v.astype(int), u.astype(int)
    a, b, below, right = v - i, u - j, np.minimum(i + 1, src.shape[0] - 1), np.minimum(j + 1, src.shape[1] - 1)
    return (src[i, j] * (1 - b) + src[i, right] * b) * (1 - a) + (src[below, j] * (1 - b) + src[below, right] * b) * a


def spread_twin(light: np.ndarray, blur: float, reach: float = 2.5) -> np.ndarray:
    """Twin of ``spread`` on numpy arrays [H, W, n]."""
    taps = spread_taps(blur, reach).astype(np.float64)
    radius = len(taps) // 2
    for axis in (0, 1):
        padded = np.pad(light, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        light = sum(w * np.take(padded, range(i, i + light.shape[axis]), axis=axis) for i, w in enumerate(taps))
    return light
