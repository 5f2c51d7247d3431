"""The backbone of measured RGB-D images: local geometry and colour of every pixel."""

from __future__ import annotations

import numpy as np

from tailgate.frames import SensorFrame, host
from tailgate.stage.images import LUMINANCE
from tailgate.validate.backbones.grid import NAMES as GRID_NAMES
from tailgate.validate.backbones.grid import Window, grid_features
from tailgate.validate.backbones.protocol import Backbone, backbones

NAMES = (*GRID_NAMES, "luminance", "contrast", "saturation")
"""Features in order, all in 0..1."""
WINDOW = Window(3, 3, 0.02)
"""7 × 7 pixels: smaller ones see the steps of a structured-light camera's disparity and little else. 2 % of the distance parts two surfaces."""
"""Luminance of linear or gamma-coded primaries of ITU-R BT.709."""
_UP = np.array([0.0, -1.0, 0.0])


@backbones.register
class Rgbd(Backbone):
    """Features of every pixel of an RGB-D image. Scans are judged by the geometry of their crops."""

    name = "rgbd"

    def map(self, sensor: SensorFrame) -> np.ndarray | None:
        """float32 [H, W, 14]; the features of geometry are 0 where no depth was measured."""
        if sensor.kind != "camera" or "distance_to_image_plane" not in sensor.channels:
            return None
        depth = host(sensor.channel("distance_to_image_plane")).astype(np.float64)
        depth = np.where(np.isfinite(depth) & (depth > 0), depth, 0.0)
        v, u = np.indices(depth.shape)
        x, y = sensor.intrinsics.unproject(u, v)
        points = np.stack([x * depth, y * depth, depth], axis=2)
        return np.concatenate([grid_features(points, _UP, WINDOW), colour_features(host(sensor.channel("rgb")))], axis=2)


def colour_features(rgb: np.ndarray) -> np.ndarray:
    """Of every pixel of an image uint8 [H, W, ≥ 3], float32 [H, W, 3] in 0..1: luminance; contrast, twice the standard deviation of the
    luminance over 5 × 5 pixels; saturation, (max - min) / max of the channels."""
    from scipy.ndimage import uniform_filter

    colour = rgb[..., :3].astype(np.float64) / 255.0
    light = colour @ LUMINANCE
    spread = np.sqrt(np.maximum(uniform_filter(light**2, 5) - uniform_filter(light, 5) ** 2, 0.0))
    brightest = colour.max(axis=2)
    saturation = (brightest - colour.min(axis=2)) / np.maximum(brightest, 1e-6)
    return np.stack([light, np.minimum(2.0 * spread, 1.0), saturation], axis=2).astype(np.float32)
