"""What a frame itself tells of the sensor that took it: grid, field of view, focal length, and where up is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.frames import SensorFrame

GROUND_RANGE = 15.0
"""Points within this distance [m] show the ground: beyond it, a tilt of a few degrees smears its height."""
_LAYER = 0.2
"""Thickness of the layers in which the ground is looked for [m]."""
_FLAT = 0.7
"""Share of the middle spread that the least spread of directions must stay below, or no spin axis can be told."""
_ONE_GROUND = 0.5
"""A layer on the other side with more than this share of the fullest one's points (a ceiling) leaves open which is the ground."""
_ENOUGH = 200
"""Points below which no direction is told."""


@dataclass(frozen=True)
class LidarSpec:
    """Grid of a LiDAR: beams, azimuth between columns [deg], elevation of the lowest and highest beam [deg]."""

    beams: int
    step_deg: float
    low_deg: float
    high_deg: float


@dataclass(frozen=True)
class CameraSpec:
    """Size [px] and focal length (geometric mean of both axes) [px]."""

    width: int
    height: int
    focal: float


@dataclass(frozen=True)
class Up:
    """Direction away from the ground in the sensor's frame.

    Attributes:
        axis: unit vector [3].
        signed: False where floor and ceiling cannot be told apart; then ``-axis`` is as likely.
    """

    axis: np.ndarray
    signed: bool

    @property
    def word(self) -> str:
        """The nearest axis: "z", "-y" …"""
        k = int(np.abs(self.axis).argmax())
        return ("-" if self.axis[k] < 0 and self.signed else "") + "xyz"[k]


def lidar_spec(sensor: SensorFrame) -> LidarSpec:
    """Grid of an organised scan; medians along beams, so that single returns off their cell do not count."""
    azimuth, elevation = (np.asarray(sensor.channel(c), dtype=np.float64) for c in ("azimuth", "elevation"))
    steps = (np.diff(azimuth, axis=1) + 180.0) % 360.0 - 180.0
    step = abs(float(np.median(steps))) if steps.size else 360.0
    beams = np.median(elevation, axis=1)
    return LidarSpec(len(beams), max(step, 1e-6), float(beams.min()), float(beams.max()))


def camera_spec(sensor: SensorFrame) -> CameraSpec:
    """Size and focal length of a camera with intrinsics."""
    k = sensor.intrinsics
    return CameraSpec(k.width, k.height, float(np.sqrt(k.fx * k.fy)))


def up_direction(clouds: Sequence[np.ndarray]) -> Up | None:
    """Where up is in clouds [n, 3] of a spinning LiDAR, sensor frame [m]; None where it cannot be told.

    Directions of returns fill a turn but only a band of elevations: they spread least along the spin axis. The ground is the thin layer across that
    axis with the most returns nearby; up points away from it.
    """
    xyz = np.concatenate([np.zeros((0, 3)), *clouds])
    distance = np.linalg.norm(xyz, axis=1)
    near = (distance > 0) & (distance < GROUND_RANGE)
    if near.sum() < _ENOUGH:
        return None
    directions = xyz[distance > 0] / distance[distance > 0][:, None]
    spread, axes = np.linalg.eigh(np.cov(directions.T))
    if spread[0] > _FLAT * spread[1]:
        return None
    axis = axes[:, 0] * np.sign(axes[np.abs(axes[:, 0]).argmax(), 0])
    height = xyz[near] @ axis
    below, above = (_fullest_layer(h[h > 0]) for h in (-height, height))
    signed = min(below, above) <= _ONE_GROUND * max(below, above)
    return Up(-axis if signed and above > below else axis, signed)


def _fullest_layer(height: np.ndarray) -> int:
    """Points in the fullest layer of distances from the sensor's own level [m]."""
    return int(np.bincount((height / _LAYER).astype(np.int64)).max()) if len(height) else 0
