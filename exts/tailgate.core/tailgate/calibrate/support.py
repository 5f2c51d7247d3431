"""How a depth camera stood over what it looked at: the pose of the largest plane of a recorded frame."""

from __future__ import annotations

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.rng import rng

SAMPLES, TRIALS = 4000, 200
"""Pixels that planes are looked for in, and planes tried."""
ON_PLANE = 0.01
"""Distance in inverse depth within which a pixel lies on a plane [1/m]."""
SHARE = 0.5
"""Share of the pixels that a plane must hold to count as what the camera stands over."""
FACES = np.deg2rad((15.0, 75.0))
"""Downward looks that are believed [rad]: else it is a wall."""


def support_pose(sensor: SensorFrame) -> tuple[float, float]:
    """Height over the support [m] and downward look [rad].

    A plane is linear in inverse depth, so three pixels give one (random sample consensus, Fischler and Bolles 1981). Where no plane below the camera
    holds half of the pixels, a height is given from which a look down by 35 degrees meets the support at the median depth.
    """
    depth, k = np.asarray(sensor.channel("distance_to_image_plane"), np.float64), sensor.intrinsics
    v, u = np.nonzero(np.isfinite(depth) & (depth > 0))
    draw = rng(0, "", 0, 0, 0, "calibrate.support")
    pick = draw.integers(max(len(u), 1), size=SAMPLES)[: len(u)]
    u, v = u[pick], v[pick]
    A, q = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(len(u))], axis=1), 1.0 / depth[v, u]
    best, normal = 0, np.zeros(3)
    for three in draw.integers(max(len(q), 1), size=(TRIALS, 3)) if len(q) else ():
        if abs(np.linalg.det(A[three])) > 1e-9:
            plane = np.linalg.solve(A[three], q[three])
            held = int((np.abs(A @ plane - q) < ON_PLANE).sum())
            best, normal = (held, plane) if held > best else (best, normal)
    height = 1.0 / max(float(np.linalg.norm(normal)), 1e-9)
    look = float(np.arcsin(np.clip(normal[2] * height, -1.0, 1.0)))
    if best >= SHARE * len(q) and best and normal[1] > 0 and FACES[0] <= look <= FACES[1]:
        return height, look
    middle, look = float(np.median(1.0 / q)) if len(q) else 1.0, float(np.deg2rad(35.0))
    return middle * float(np.sin(look)), look
