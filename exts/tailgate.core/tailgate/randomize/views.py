"""Where the sensors of a rig look: ranges, and whether a point is inside a view."""

from __future__ import annotations

import numpy as np

from tailgate.config.rig import MountedSensor, ResolvedRig

EDGE_SHARE = 0.04
"""Share of the image on each side that counts as outside, so that a target's centre is not at the very edge."""


class RigViews:
    """Pure geometry of a rig's sensors.

    Attributes:
        primary: name of the sensor whose distance is *the* range of an object: the first camera, else the first LiDAR.
    """

    def __init__(self, rig: ResolvedRig):
        self.rig = rig
        self.primary = primary_sensor({n: s.model.type for n, s in rig.sensors.items()})

    def eye(self, T_world_rig: np.ndarray) -> np.ndarray:
        """Position of the primary sensor in the world, [3]."""
        return (T_world_rig @ self.rig.sensors[self.primary].T_rig_sensor)[:3, 3]

    def ranges(self, T_world_rig: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Distance [m] of points [n, 3] from the primary sensor, [n]."""
        return np.linalg.norm(points - self.eye(T_world_rig), axis=1)

    def in_view(self, T_world_rig: np.ndarray, points: np.ndarray, edge: float = EDGE_SHARE) -> np.ndarray:
        """Which points [n, 3] some camera sees (some LiDAR, on a rig without cameras), obstacles aside: bool [n]."""
        kind = self.rig.sensors[self.primary].model.type
        seen = np.zeros(len(points), bool)
        for sensor in self.rig.sensors.values():
            if sensor.model.type == kind:
                T_sensor_world = np.linalg.inv(T_world_rig @ sensor.T_rig_sensor)
                local = points @ T_sensor_world[:3, :3].T + T_sensor_world[:3, 3]
                seen |= _in_camera(sensor, local, edge) if kind == "camera" else _in_lidar(sensor, local)
        return seen


def primary_sensor(kinds: dict[str, str]) -> str:
    """Name of the first camera, else of the first sensor; ``kinds``: sensor name -> "camera" or "lidar", in rig order."""
    return next((name for name, kind in kinds.items() if kind == "camera"), next(iter(kinds)))


def _in_camera(sensor: MountedSensor, local: np.ndarray, edge: float) -> np.ndarray:
    m = sensor.model
    u, v = m.intrinsics.image_points(local).T / np.array([[m.width], [m.height]])
    inside = (u > edge) & (u < 1 - edge) & (v > edge) & (v < 1 - edge)
    away = np.linalg.norm(local, axis=1) if m.lens and m.lens.model == "kannala_brandt" else local[:, 2]
    return inside & (away > m.near) & (away < m.far)


def _in_lidar(sensor: MountedSensor, local: np.ndarray) -> np.ndarray:
    m = sensor.model
    distance = np.linalg.norm(local, axis=1)
    elevation = np.degrees(np.arcsin(local[:, 2] / np.maximum(distance, 1e-6)))
    azimuth = np.degrees(np.arctan2(local[:, 1], local[:, 0]))
    swept = (azimuth - m.azimuth_start_deg) * (1 if m.direction == "ccw" else -1) % 360.0
    beams = (min(m.elevation_deg) <= elevation) & (elevation <= max(m.elevation_deg))
    return beams & (swept <= m.azimuth_fov_deg) & (distance > m.range_min) & (distance < m.range_max)
