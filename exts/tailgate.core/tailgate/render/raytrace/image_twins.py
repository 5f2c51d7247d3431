"""Readable numpy twins of the image kernels and of the sky, for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tailgate.render.raytrace.scene_twin import Met, Soup, behind_twin, meet
from tailgate.stage.images import LUMINANCE


def exposures_twin(pictures: np.ndarray) -> np.ndarray:
    """Twin of ``add_kernel`` over all views of an exposure [V, ...]: their mean."""
    return np.asarray(pictures, np.float64).mean(0)


def tone_twin(hdr: np.ndarray, exposure: float) -> np.ndarray:
    """Twin of ``tone_kernel``: radiance [..., >= 3] to sRGB uint8 [..., 3]."""
    x = np.asarray(hdr, np.float64)[..., :3] * exposure
    linear = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    return (np.clip(code, 0, 1) * 255 + 0.5).astype(np.uint8)


def smooth_twin(
    source: np.ndarray, normal: np.ndarray, position: np.ndarray, slack: np.ndarray, step: int, held: np.ndarray | None = None
) -> np.ndarray:
    """Twin of one pass of ``smooth_kernel`` with all components smoothed alike.

    Args:
        source: [H, W, C].
        normal: unit normals, 0 for the sky, which keeps its values, [H, W, 3].
        position: points seen, [H, W, 3] m.
        slack: largest distance from a pixel's plane of a neighbour that counts, [H, W] m.
        step: distance between taps [px].
        held: pixels that hold a value, bool [H, W]; all where left out. One without a like neighbour that does takes the mean of all around that do.
    """
    height, width = source.shape[:2]
    surface = normal.any(-1)
    held = surface & (held if held is not None else True)
    total, plain = np.zeros_like(source, float), np.zeros_like(source, float)
    weight, count = np.zeros((height, width, 1)), np.zeros((height, width, 1))
    y, x = np.mgrid[:height, :width]
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            j, i = y + dy * step, x + dx * step
            inside = (j >= 0) & (i >= 0) & (j < height) & (i < width)
            j, i = np.clip(j, 0, height - 1), np.clip(i, 0, width - 1)
            like = (normal * normal[j, i]).sum(-1)
            near = np.abs((normal * (position[j, i] - position)).sum(-1)) < slack
            there = (inside & held[j, i])[..., None]
            w = there * np.where(near & (like > 0.8), (2 - abs(dx)) * (2 - abs(dy)) * (like - 0.8) * 5.0, 0.0)[..., None]
            total, weight = total + w * source[j, i], weight + w
            plain, count = plain + there * source[j, i], count + there
    around = np.where(weight > 0, total / np.maximum(weight, 1e-12), plain / np.maximum(count, 1))
    return np.where(surface[..., None], around, source)


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


ROTATED = ((0.125, 0.375), (-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125))
"""Places of a pixel's rays on a rotated grid, from its centre [px]."""
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def edge_twin(soup: Soup, ways: Callable[[float, float], tuple[np.ndarray, np.ndarray]], hdr: np.ndarray, exposure: float, near: float) -> np.ndarray:
    """Twin of ``edge_kernel``: at edges that can be seen four rays of a pixel each take the colour of the pixel around that shows what they met.

    Args:
        ways: origins and directions [H W, 3] of rays so far right and down of the pixels' centres [px].
        hdr: radiance [H, W, 3].
        exposure: factor on radiance by which colours are weighed.
        near: nothing nearer is seen [m].
    """
    height, width = hdr.shape[:2]
    origins, directions = ways(0.0, 0.0)
    shown = {name: values.reshape(height, width, *values.shape[1:]) for name, values in behind_twin(soup, origins, directions, near).items()}
    shown["face_normal"] = meet(soup, origins, directions, between=(near, 1e6)).face_normal.reshape(height, width, 3)
    total, weights = np.zeros_like(hdr), np.zeros((height, width, 1))
    for du, dv in ROTATED:
        colour = _alike(soup, shown, meet(soup, *ways(du, dv), between=(near, 1e6)), hdr, (du, dv))
        weight = 1 / (1 + exposure * colour @ LUMINANCE)[..., None]
        total, weights = total + colour * weight, weights + weight
    return np.where(_edges(shown, hdr)[..., None], total / weights, hdr)


def _alike(soup: Soup, shown: dict[str, np.ndarray], met: Met, hdr: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """Colour of that of the 3 x 3 pixels around which shows most nearly what each ray met; the pixel's own where none does."""
    height, width = hdr.shape[:2]
    v, u = np.mgrid[:height, :width]
    hit, t = met.hit.reshape(height, width), met.t.reshape(height, width)
    own = [np.where(hit, a[met.face].reshape(height, width), -1) for a in (soup.instance, soup.slot)]
    best, cost = hdr.copy(), np.full((height, width), np.inf)
    for dy, dx in AROUND:
        j, i = np.clip(v + dy, 0, height - 1), np.clip(u + dx, 0, width - 1)
        same = (shown["instance"][j, i] == own[0]) & (shown["slot"][j, i] == own[1]) & (shown["pane"][j, i] == met.pane.reshape(height, width))
        bend = 1 - np.abs((shown["face_normal"][j, i] * met.face_normal.reshape(height, width, 3)).sum(-1))
        deeper = np.abs(shown["t"][j, i] - np.where(hit, t, 0)) / np.where(hit, t, 1)
        far = (dx - shift[0]) ** 2 + (dy - shift[1]) ** 2 + np.where(hit, 20 * bend + 20 * deeper, 0.0)
        better = same & (far < cost)
        best[better], cost[better] = hdr[j, i][better], far[better]
    return best


def _edges(shown: dict[str, np.ndarray], hdr: np.ndarray) -> np.ndarray:
    """Whether one of a pixel's four neighbours shows another surface in another colour, bool [H, W]."""
    height, width = hdr.shape[:2]
    out = np.zeros((height, width), bool)
    v, u = np.mgrid[:height, :width]
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        inside = (v + dy >= 0) & (v + dy < height) & (u + dx >= 0) & (u + dx < width)
        j, i = np.clip(v + dy, 0, height - 1), np.clip(u + dx, 0, width - 1)
        told_apart = (np.abs(hdr[j, i] - hdr) > 0.08 * np.maximum(hdr[j, i], hdr)).any(-1)
        other = np.any([shown[name][j, i] != shown[name] for name in ("slot", "instance", "pane")], 0)
        turned = (shown["normal"] * shown["normal"][j, i]).sum(-1) < 0.85
        stepped = np.abs((shown["normal"] * (shown["way"][j, i] - shown["way"])).sum(-1)) > 0.02 * shown["t"]
        out |= inside & told_apart & (other | ((shown["slot"] >= 0) & (turned | stepped)))
    return out
