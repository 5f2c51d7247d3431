"""Where the returns of a LiDAR lie, as the device tells it.

A beam that starts above the sensor's origin is seen from there under another angle at every range, so echoes of one firing differ in elevation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.frames import SensorFrame, host
from tailgate.geometry.firing import along_beams
from tailgate.sensors.lidar_storage import told_directions


def aim_returns(sensor: SensorFrame, model: LidarModel, channels: Mapping[str, Any], at: np.ndarray) -> dict[str, np.ndarray]:
    """The channels of direction that change where not all returns are of the exact scan's first echoes.

    Args:
        sensor: exact scan, whose ``elevation`` is that of its first echoes.
        model: the device; beams of their own height.
        channels: those of the response: ``range`` as measured and ``range_true``.
        at: exact range of what was reported [m], of the surface where nothing was, (beams, columns, echoes).
    """
    first, elevation, surface = host(sensor.channel("range"))[..., :1], host(sensor.channel("elevation"))[..., None], host(channels["range_true"])

    def seen(ranges: np.ndarray) -> np.ndarray:
        return np.where((ranges == first) | ~(ranges > 0), elevation, along_beams(ranges, model))

    if (at == first).all():
        return {}
    azimuth, true = np.broadcast_to(host(sensor.channel("azimuth"))[..., None], at.shape), seen(surface[..., :1])[..., 0]
    return told_directions(host(channels["range"]), azimuth, seen(at)) | {"elevation_true": true}


def told_azimuth(channels: Mapping[str, Any], model: LidarModel) -> dict[str, np.ndarray]:
    """Azimuths [deg] as the device reports them, and where its beams looked."""
    azimuth, error = host(channels["azimuth"]), np.asarray(model.azimuth_error_deg)[:, None]

    def off(angle: np.ndarray, error: np.ndarray) -> np.ndarray:
        return ((angle.astype(np.float64) + error + 180.0) % 360.0 - 180.0).astype(np.float32)

    told = {"azimuth": off(azimuth, error), "azimuth_true": azimuth}
    if "aim" in channels:
        told["aim"] = np.stack([off(channels["aim"][..., 0], error[..., None]), channels["aim"][..., 1]], axis=-1)
    return told
