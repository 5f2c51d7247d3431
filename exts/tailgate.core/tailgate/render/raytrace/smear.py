"""How many views an exposure takes, so that what moves is smeared and not shown several times."""

from __future__ import annotations

import numpy as np

from tailgate.frames import Intrinsics

STEP = 1.5
"""Way in the image from one view to the next [px]: edges are about that wide."""
MOST = 33
"""Views that motion alone asks for at most."""
SHARE = 0.9
"""Share of the pixels that move by no more than ``STEP`` from view to view: the few that are nearest would make a frame dear."""
LOOKED_AT = 20_000
"""Pixels that are looked at, about."""
SKY = 1e6
"""Distance of what has none [m]."""


def image_way(intrinsics: Intrinsics, distance: np.ndarray, poses: np.ndarray) -> float:
    """Way in the image [px] during an exposure that all but 1 - ``SHARE`` of the pixels stay within.

    Args:
        intrinsics: of the image.
        distance: to what each pixel shows in the middle of the exposure [m], inf for the sky, [H, W].
        poses: of the camera in the world at the begin, in the middle and at the end, [3, 4, 4].
    """
    stride = max(1, int(np.sqrt(distance.size / LOOKED_AT)))
    v, u = np.mgrid[0 : distance.shape[0] : stride, 0 : distance.shape[1] : stride]
    far = np.where(np.isfinite(distance), distance, SKY)[::stride, ::stride, None]
    world = (intrinsics.rays(u, v) * far) @ poses[1][:3, :3].T + poses[1][:3, 3]
    at = [intrinsics.image_points((world - T[:3, 3]) @ T[:3, :3]) for T in poses]
    way = sum(np.linalg.norm(b - a, axis=-1) for a, b in zip(at[:-1], at[1:], strict=True))
    way = way[np.isfinite(way)]
    return float(np.quantile(way, SHARE)) if way.size else 0.0


def views_for(way: float, least: int) -> int:
    """Views of an exposure in which the image moves by ``way`` [px]: an odd number, so that one shows the middle."""
    return max(least, min(int(np.ceil(way / STEP)), MOST)) | 1
