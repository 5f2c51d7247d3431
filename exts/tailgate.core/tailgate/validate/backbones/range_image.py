"""The backbone of organised scans: local statistics of the range image around every return."""

from __future__ import annotations

import numpy as np

from tailgate.frames import SensorFrame, host
from tailgate.geometry.beams import directions
from tailgate.geometry.local_planes import wraps
from tailgate.validate.backbones.grid import NAMES as GRID_NAMES
from tailgate.validate.backbones.grid import Window, grid_features
from tailgate.validate.backbones.protocol import Backbone, backbones

NAMES = (*GRID_NAMES, "intensity")
"""Features in order, all in 0..1; scans without intensity have all but the last."""
WINDOW = (1, 4, 0.05)
"""Half height and half width [cells] and reach: beams lie several columns apart, and a twentieth of the range parts an object from what is behind."""
_UP = np.array([0.0, 0.0, 1.0])


@backbones.register
class RangeImage(Backbone):
    """Features of every return of a scan (first echo), wherever it lies: no box is needed. Cameras are judged by the geometry of their crops."""

    name = "range_image"

    def map(self, sensor: SensorFrame) -> np.ndarray | None:
        """float32 [beams, columns, 12], or 11 without intensity."""
        if sensor.kind != "lidar":
            return None
        azimuth, elevation = (host(sensor.channel(name)) for name in ("azimuth", "elevation"))
        distance = host(sensor.channel("range"))[..., 0]
        points = directions(azimuth, elevation) * np.where(distance > 0, distance, 0.0)[..., None]
        found = grid_features(np.nan_to_num(points), _UP, Window(*WINDOW, wrap=wraps(azimuth)))
        if "intensity" not in sensor.channels:
            return found
        lit = np.clip(host(sensor.channel("intensity"))[..., 0], 0.0, 1.0).astype(np.float32)
        return np.concatenate([found, np.nan_to_num(lit)[..., None]], axis=2)
