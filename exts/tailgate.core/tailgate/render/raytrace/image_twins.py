"""Readable numpy twins of the image kernels and of the sky, for tests."""

from __future__ import annotations

import numpy as np


def tone_twin(hdr: np.ndarray, exposure: float) -> np.ndarray:
    """Twin of ``tone_kernel``: radiance [..., >= 3] to sRGB uint8 [..., 3]."""
    x = np.asarray(hdr, np.float64)[..., :3] * exposure
    linear = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    return (np.clip(code, 0, 1) * 255 + 0.5).astype(np.uint8)


def smooth_twin(source: np.ndarray, normal: np.ndarray, position: np.ndarray, slack: np.ndarray, step: int) -> np.ndarray:
    """Twin of one pass of ``smooth_kernel`` with the fourth component smoothed too.

    Args:
        source: [H, W, 4].
        normal: unit normals, [H, W, 3]; every pixel shows a surface.
        position: points seen, [H, W, 3] m.
        slack: largest distance from a pixel's plane of a neighbour that counts, [H, W] m.
        step: distance between taps [px].
    """
    height, width = source.shape[:2]
    total, weight = 4.0 * source, np.full((height, width, 1), 4.0)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dx == dy == 0:
                continue
            y, x = np.mgrid[:height, :width]
            j, i = y + dy * step, x + dx * step
            inside = (j >= 0) & (i >= 0) & (j < height) & (i < width)
            j, i = np.clip(j, 0, height - 1), np.clip(i, 0, width - 1)
            like = (normal * normal[j, i]).sum(-1)
            near = np.abs((normal * (position[j, i] - position)).sum(-1)) < slack
            w = np.where(inside & near & (like > 0.8), (2 - abs(dx)) * (2 - abs(dy)) * (like - 0.8) * 5.0, 0.0)[..., None]
            total, weight = total + w * source[j, i], weight + w
    return total / weight


def spread_twin(x: np.ndarray, y: np.ndarray, sample: int = 0) -> np.ndarray:
    """Twin of ``camera_kernels.spread`` without the shift by a seed: columns and rows [...] to numbers in [0, 1), [..., 3]."""
    across, down = np.array([2015675397, 1801597047, 2824696911]), np.array([1225289745, 93814971, 3419794695])
    onwards = np.array([3518319155, 2882110345, 2360945575])
    steps = np.asarray(x)[..., None] * across + np.asarray(y)[..., None] * down + sample * onwards
    return (steps % 2**32 >> 8) / 2.0**24


def sky_twin(direction: np.ndarray, zenith: np.ndarray, horizon: np.ndarray) -> np.ndarray:
    """Twin of ``shading.sky`` above the horizon without haze: directions [N, 3] to radiance [N, 3]."""
    blend = ((1.0 - np.clip(direction[:, 2], 0, 1)) ** 6)[:, None]
    return zenith * (1 - blend) + horizon * blend
