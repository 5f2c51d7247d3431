"""A scan as a file would give it back that stores only points."""

from dataclasses import replace

import numpy as np
from tailgate.frames import SensorFrame
from tailgate.reference.organise import organise, place, recover_grid


def reorganise(sensor: SensorFrame) -> SensorFrame:
    """Pass an organised scan through its point list and back: ring-major, rising azimuth, no grid."""
    points = sensor.points()
    order = np.lexsort((np.arctan2(points["xyz"][:, 1], points["xyz"][:, 0]) % (2 * np.pi), points["ring"]))
    xyz, ring = points["xyz"][order].astype(np.float64), points["ring"][order]
    azimuth = np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    grid = recover_grid(ring, azimuth, np.hypot(xyz[:, 0], xyz[:, 1]))
    beams = len(np.asarray(sensor.channel("ring")))
    channels = organise(xyz, points["intensity"][order], ring, grid, beams)
    for name in ("semantic", "instance"):
        if name in points:
            channels[name] = place(grid, beams, points[name][order])
    return replace(sensor, channels=channels)
