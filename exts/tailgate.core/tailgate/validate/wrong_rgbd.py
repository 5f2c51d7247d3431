"""What is made wrong in an RGB-D image. Each function takes a camera, a strength and a generator, and returns the channels that become others."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.validate.depth_statistics import NOISE_DISTANCE, WINDOWS, box_sum, depth_image, noise_residuals

MIN_PIXELS = 500
"""Pixels on the support that a band of distance needs for a noise of its own."""
SMOOTH_SIDE = 9
"""Side of the window that gives the added noise its coarse part [px]: between the two windows it is measured in."""

Channels = dict[str, Any]


def depth_noise(sensor: SensorFrame, factor: float, rng: np.random.Generator) -> Channels:
    """Add noise so that the image's own depth noise is multiplied at both scales it is measured at: white, and averaged over SMOOTH_SIDE pixels."""
    depth = np.asarray(sensor.channel("distance_to_image_plane"), dtype=np.float64)
    held = np.isfinite(depth) & (depth > 0)
    band = np.searchsorted(NOISE_DISTANCE, np.where(held, depth, 1.0))
    fine, whole = (noise_by_distance(sensor, name)[band] for name in ("depth_noise_fine", "depth_noise"))
    half = SMOOTH_SIDE // 2
    white = rng.normal(size=depth.shape)
    smooth = box_sum(np.pad(rng.normal(size=depth.shape), half), SMOOTH_SIDE) / SMOOTH_SIDE
    added = np.sqrt(max(factor**2 - 1.0, 0.0)) * (fine * white + np.sqrt(np.maximum(whole**2 - fine**2, 0.0)) * smooth)
    return depth_channels(sensor, np.where(held, np.maximum(depth + added, 1e-3), depth), held)


def depth_channels(sensor: SensorFrame, depth: np.ndarray, held: np.ndarray) -> Channels:
    """Channels of another depth image: plane distance [m], where it was measured, and the distance along the ray where that is a channel."""
    depth = np.where(held, depth, np.inf).astype(np.float32)
    changed = {"distance_to_image_plane": depth, "valid": held.astype(np.uint8)}
    if "distance_to_camera" in sensor.channels:
        k = sensor.intrinsics
        v, u = np.indices(depth.shape)
        along = np.sqrt(1.0 + ((u - k.cx) / k.fx) ** 2 + ((v - k.cy) / k.fy) ** 2)
        changed["distance_to_camera"] = (depth * along).astype(np.float32)
    return changed


def noise_by_distance(sensor: SensorFrame, name: str) -> np.ndarray:
    """Depth noise per band of NOISE_DISTANCE [m], in one of the WINDOWS: 1.4826 times the median distance from the window's plane.

    A band with too few pixels takes the value of the nearest band that has enough; 0 where none has.
    """
    band, error = noise_residuals(depth_image(sensor), WINDOWS[name])
    bands = len(NOISE_DISTANCE) + 1
    known = [k for k in range(bands) if np.count_nonzero(band == k) >= MIN_PIXELS]
    if not known:
        return np.zeros(bands)
    sigma = {k: 1.4826e-3 * float(np.median(error[band == k])) for k in known}
    return np.array([sigma[min(known, key=lambda k: (abs(k - i), k))] for i in range(bands)])
