"""The ray of each pixel of a camera with a lens, looked up from a table."""

from __future__ import annotations

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})


@wp.func
def lens_ray(rays: wp.array2d(dtype=wp.vec2), u: float, v: float) -> wp.vec2:
    """Ray (x, y) at unit depth through an image point: linear between pixel centres, continued beyond the border with its slope there."""
    j = wp.clamp(int(wp.floor(u)), 0, rays.shape[1] - 2)
    i = wp.clamp(int(wp.floor(v)), 0, rays.shape[0] - 2)
    a = u - float(j)
    b = v - float(i)
    across = rays[i, j + 1] - rays[i, j]
    down = rays[i + 1, j] - rays[i, j]
    twist = rays[i + 1, j + 1] - rays[i + 1, j] - across
    return rays[i, j] + across * a + down * b + twist * (wp.clamp(a, 0.0, 1.0) * wp.clamp(b, 0.0, 1.0))


def ray_table(intrinsics: Intrinsics, device: str) -> wp.array:
    """Rays (x, y) at unit depth through the pixel centres, Warp vec2 [H, W]; [0, 0] for a pinhole, which needs none."""
    if not intrinsics.distortion:
        return wp.zeros((0, 0), dtype=wp.vec2, device=device)
    u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    rays = np.stack(intrinsics.unproject(u, v), axis=-1).astype(np.float32)
    return wp.array(rays, dtype=wp.vec2, device=device)
