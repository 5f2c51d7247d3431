"""Rays of a distorting camera: between pixel centres from a table, or through a fisheye by the angle of each radius."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.geometry.lens import Distortion
from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

ANGLES = 8192
"""Entries of a fisheye's table: off by less than 1e-7 rad between them."""

RIGHT_BEHIND = 2e-3
"""Angle [rad] about the direction right behind a fisheye that stays black: in single precision, cosines nearer to -1 are not told apart."""


@wp.struct
class Fisheye:
    """Angles to the axis [rad] at equal steps of the radius at unit focal length, carried on outside the circle of the image up to pi;
    ``angles`` is empty for other lenses. Beyond ``edge``, the cosine of the widest angle that is imaged, the picture is black."""

    angles: wp.array(dtype=wp.float32)
    step: wp.float32
    edge: wp.float32


@wp.func
def lens_ray(rays: wp.array2d(dtype=wp.vec2), u: float, v: float) -> wp.vec2:
    """Ray (x, y) at unit depth through an image point: linear between pixel centres, continued beyond the border with its slope there."""
    j = wp.max(wp.min(int(wp.floor(u)), rays.shape[1] - 2), 0)
    i = wp.max(wp.min(int(wp.floor(v)), rays.shape[0] - 2), 0)
    right = wp.min(j + 1, rays.shape[1] - 1)
    below = wp.min(i + 1, rays.shape[0] - 1)
    a = u - float(j)
    b = v - float(i)
    across = rays[i, right] - rays[i, j]
    down = rays[below, j] - rays[i, j]
    twist = rays[below, right] - rays[below, j] - across
    return rays[i, j] + across * a + down * b + twist * (wp.clamp(a, 0.0, 1.0) * wp.clamp(b, 0.0, 1.0))


@wp.func
def fisheye_ray(lens: Fisheye, x: float, y: float) -> wp.vec3:
    """Unit vector through an image point at unit focal length."""
    d = wp.sqrt(x * x + y * y)
    last = lens.angles.shape[0] - 1
    at = d / lens.step
    i = wp.min(int(at), last - 1)
    angle = lens.angles[last]
    if at < float(last):
        angle = lens.angles[i] + (lens.angles[i + 1] - lens.angles[i]) * (at - float(i))
    aside = wp.sin(angle) / wp.max(d, 1.0e-9)
    return wp.vec3(x * aside, y * aside, wp.cos(angle))


def ray_table(intrinsics: Intrinsics, device: str) -> wp.array:
    """Rays (x, y) at unit depth through the pixel centres, Warp vec2 [H, W]; [0, 0] for a pinhole and a fisheye, which need none."""
    if not intrinsics.distortion or intrinsics.distortion.fisheye:
        return wp.zeros((0, 0), dtype=wp.vec2, device=device)
    u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    rays = np.stack(intrinsics.unproject(u, v), axis=-1).astype(np.float32)
    return wp.array(rays, dtype=wp.vec2, device=device)


@lru_cache(maxsize=16)
def fisheye_of(distortion: Distortion | None, device: str) -> Fisheye:
    """The table of a fisheye on a device; empty for another lens or none."""
    out = Fisheye()
    out.edge = -2.0
    if not distortion or not distortion.fisheye:
        return out
    limit = distortion.half_angle
    radius = np.linspace(0.0, float(distortion.radius(np.array(limit))) * math.pi / limit, ANGLES)
    out.angles = wp.array(distortion.angle(radius, beyond=True).astype(np.float32), dtype=wp.float32, device=device)
    out.step, out.edge = float(radius[1]), math.cos(min(limit, math.pi - RIGHT_BEHIND))
    return out
