"""The sky as an image: looked up by direction, and sampled where it is bright."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.atlas import Atlas, build_atlas, sample
from tailgate.render.raytrace.lamps import PI
from tailgate.stage.images import LUMINANCE, ImageStore
from tailgate.stage.lights import DomeImage
from tailgate.stage.textures import Texture

wp.set_module_options({"enable_backward": False})

COLUMNS, ROWS = 256, 128
"""Cells of the table by which bright parts are sampled."""


@wp.struct
class Dome:
    """A latitude-longitude image. ``on`` is 0 without one; ``rows`` [ROWS + 1] and ``columns`` [ROWS, COLUMNS + 1] are the cumulative
    shares of light by row and within each row."""

    on: wp.int32
    atlas: Atlas
    R_image_world: wp.mat33
    tint: wp.vec3
    rows: wp.array(dtype=wp.float32)
    columns: wp.array2d(dtype=wp.float32)


@wp.func
def dome_place(dome: Dome, direction: wp.vec3) -> wp.vec2:
    """Texture coordinates of a world direction (OpenEXR: longitude 0 at the centre towards +z, +90 degrees towards +x on the left)."""
    d = dome.R_image_world * direction
    return wp.vec2(0.5 - wp.atan2(d[0], d[2]) / (2.0 * PI), 0.5 + wp.asin(wp.clamp(d[1], -1.0, 1.0)) / PI)


@wp.func
def dome_radiance(dome: Dome, direction: wp.vec3, width: float) -> wp.vec3:
    """Radiance from a direction, averaged over about ``width`` [rad]."""
    value = sample(dome.atlas, 0, dome_place(dome, direction), width / 4.4)
    return wp.cw_mul(dome.tint, wp.vec3(value[0], value[1], value[2]))


@wp.func
def dome_density(dome: Dome, direction: wp.vec3) -> float:
    """Probability density per solid angle of ``toward_dome``; 0 without an image."""
    if dome.on == 0:
        return float(0.0)
    place = dome_place(dome, direction)
    j = wp.clamp(int((1.0 - place[1]) * float(ROWS)), 0, ROWS - 1)
    i = wp.clamp(int(place[0] * float(COLUMNS)), 0, COLUMNS - 1)
    share = (dome.rows[j + 1] - dome.rows[j]) * (dome.columns[j, i + 1] - dome.columns[j, i])
    top = wp.cos(PI * float(j) / float(ROWS))
    bottom = wp.cos(PI * float(j + 1) / float(ROWS))
    return share * float(COLUMNS) / (2.0 * PI * (top - bottom))


@wp.func
def toward_dome(dome: Dome, u: float, v: float) -> wp.vec3:
    """World direction towards the dome, likely where it is bright."""
    low = int(0)
    high = int(ROWS - 1)
    while low < high:
        middle = (low + high + 1) / 2
        if dome.rows[middle] <= v:
            low = middle
        else:
            high = middle - 1
    j = low
    low = int(0)
    high = int(COLUMNS - 1)
    while low < high:
        middle = (low + high + 1) / 2
        if dome.columns[j, middle] <= u:
            low = middle
        else:
            high = middle - 1
    a = (v - dome.rows[j]) / wp.max(dome.rows[j + 1] - dome.rows[j], 1.0e-12)
    b = (u - dome.columns[j, low]) / wp.max(dome.columns[j, low + 1] - dome.columns[j, low], 1.0e-12)
    top = wp.cos(PI * float(j) / float(ROWS))
    bottom = wp.cos(PI * float(j + 1) / float(ROWS))
    y = top + (bottom - top) * wp.clamp(a, 0.0, 1.0)
    lon = (0.5 - (float(low) + wp.clamp(b, 0.0, 1.0)) / float(COLUMNS)) * 2.0 * PI
    flat = wp.sqrt(wp.max(1.0 - y * y, 0.0))
    return wp.transpose(dome.R_image_world) * wp.vec3(flat * wp.sin(lon), y, flat * wp.cos(lon))


def light_table(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cumulative shares of light of an image [H, W, 3] in equal cells: rows [ROWS + 1], columns [ROWS, COLUMNS + 1], mean radiance over the sphere.

    Every cell keeps a tenth of the mean, so that interpolation at the edge of a bright one is covered.
    """
    cells = resized(resized(image, ROWS, 0), COLUMNS, 1)
    solid = -np.diff(np.cos(np.pi * np.arange(ROWS + 1) / ROWS))[:, None]
    mean = (cells * solid[..., None]).sum((0, 1)) / (2 * COLUMNS)
    light = (cells @ LUMINANCE + 0.1 * max(float(LUMINANCE @ mean), 1e-9)) * solid
    by_row = light.sum(1)
    shares = np.concatenate([np.zeros((ROWS, 1)), np.cumsum(light, 1) / by_row[:, None]], 1)
    return np.concatenate([[0.0], np.cumsum(by_row) / by_row.sum()]), shares, mean


def resized(image: np.ndarray, count: int, axis: int) -> np.ndarray:
    """An image with ``count`` rows (axis 0) or columns (axis 1): means over what falls into each, or repeats."""
    size = image.shape[axis]
    if size <= count:
        return image.take(np.arange(count) * size // count, axis)
    first = np.arange(count) * size // count
    shape = [1, 1, 1]
    shape[axis] = count
    return np.add.reduceat(image, first, axis) / np.diff([*first, size]).reshape(shape)


@lru_cache(maxsize=4)
def dome_arrays(path: str, device: str) -> tuple[Atlas, wp.array, wp.array, np.ndarray]:
    """Image, tables and mean radiance of a dome's file on a device."""
    images = ImageStore()
    texture = Texture(path, wrap=(0, 1))
    rows, columns, mean = light_table(np.maximum(texture.linear(images)[..., :3], 0.0))
    arrays = [wp.array(a.astype(np.float32), dtype=wp.float32, device=device) for a in (rows, columns)]
    return build_atlas([texture], images, device), *arrays, mean


def dome_of(picture: DomeImage | None, device: str) -> tuple[Dome, np.ndarray]:
    """A stage's dome on a device and its mean radiance RGB [3]."""
    out = Dome()
    if picture is None:
        return out, np.zeros(3)
    out.on = 1
    out.atlas, out.rows, out.columns, mean = dome_arrays(picture.path, device)
    out.R_image_world = wp.mat33(*map(float, picture.R_image_world.ravel()))
    out.tint = wp.vec3(*map(float, picture.tint))
    return out, mean * picture.tint
