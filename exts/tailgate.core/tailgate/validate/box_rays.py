"""The rays of an organised scan that pass an object's box: where each enters and leaves it, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tailgate.frames import Objects, SensorFrame, host
from tailgate.geometry.beams import directions


@dataclass(frozen=True)
class BoxRays:
    """Rays of the cone around one box, [n] each, in the box's frame (origin at its centre, x length, y width, z height).

    Attributes:
        beam, column: cell of each ray.
        origin: the sensor [m], [3].
        direction: unit vectors, [n, 3].
        range: of the first echo [m], 0 = no return.
        area: solid angle of the cell [square degrees].
        enter, leave: distances at which the ray crosses the box's surface [m]; enter > leave where it misses.
        azimuth: of the box's centre in the sensor's frame [deg].
    """

    beam: np.ndarray
    column: np.ndarray
    origin: np.ndarray
    direction: np.ndarray
    range: np.ndarray
    area: np.ndarray
    enter: np.ndarray
    leave: np.ndarray
    azimuth: float

    @cached_property
    def points(self) -> np.ndarray:
        """First echoes in the box's frame [m], [n, 3]; the origin where nothing came back."""
        return self.origin + self.direction * self.range[:, None]


class ScanRays:
    """The rays of one scan, ready to be asked for the boxes in it.

    Args:
        sensor: organised scan with range [m], azimuth and elevation [deg]; a moving sensor also with time_offset [ns].
    """

    def __init__(self, sensor: SensorFrame):
        self.sensor = sensor
        self._azimuth, self._elevation = (host(sensor.channel(c)) for c in ("azimuth", "elevation"))
        self._range = host(sensor.channel("range"))[..., 0]
        self._column_azimuth = self._azimuth[len(self._azimuth) // 2].astype(np.float64)
        self._spread = float(np.abs(_turn(self._azimuth - self._column_azimuth.astype(np.float32))).max())
        self._low, self._high = self._elevation.min(axis=1), self._elevation.max(axis=1)
        beam = self._elevation.mean(axis=1, dtype=np.float64)
        height = np.abs(np.gradient(beam)) if len(beam) > 1 else np.ones(1)
        width = float(np.median(np.abs(_turn(np.diff(self._column_azimuth))))) if len(self._column_azimuth) > 1 else 1.0
        self._area = height * width * np.cos(np.deg2rad(beam))
        start, end = np.asarray(sensor.T_world_sensor, dtype=np.float64)
        self._moves = sensor.t_end > sensor.t_start and "time_offset" in sensor.channels and not np.allclose(start, end, rtol=0, atol=1e-9)

    def through(self, T_world_box: np.ndarray, size: np.ndarray, margin: float = 0.0) -> BoxRays:
        """Rays that come within ``margin`` [m] of the sphere around a box, first seen from the pose at mid sweep, then from that at its own time."""
        share = 0.5
        if self._moves:
            columns = self._columns(self._in_sensor(T_world_box, share)[:3, 3], 0.5 * float(np.linalg.norm(size)) + margin)
            offset = host(self.sensor.channels["time_offset"])[:, columns]
            share = float(np.clip(offset.mean() / (self.sensor.t_end - self.sensor.t_start), 0.0, 1.0)) if offset.size else 0.5
        return self._through(self._in_sensor(T_world_box, share), np.asarray(size, dtype=np.float64), margin)

    def _in_sensor(self, T_world_box: np.ndarray, share: float) -> np.ndarray:
        start, end = np.asarray(self.sensor.T_world_sensor, dtype=np.float64)
        pose = start if not self._moves else _between(start, end, share)
        return np.linalg.inv(pose) @ T_world_box

    def _columns(self, centre: np.ndarray, reach: float) -> np.ndarray:
        away = float(np.hypot(centre[0], centre[1]))
        half = np.rad2deg(np.arcsin(reach / away)) if away > reach else 180.0
        azimuth = np.rad2deg(np.arctan2(centre[1], centre[0]))
        return np.flatnonzero(np.abs(_turn(self._column_azimuth - azimuth)) <= half + self._spread)

    def _beams(self, centre: np.ndarray, reach: float) -> np.ndarray:
        away = float(np.linalg.norm(centre))
        half = np.rad2deg(np.arcsin(reach / away)) if away > reach else 180.0
        elevation = np.rad2deg(np.arcsin(np.clip(centre[2] / max(away, 1e-9), -1.0, 1.0)))
        return np.flatnonzero((self._low <= elevation + half) & (self._high >= elevation - half))

    def _through(self, T_sensor_box: np.ndarray, size: np.ndarray, margin: float) -> BoxRays:
        centre, reach = T_sensor_box[:3, 3], 0.5 * float(np.linalg.norm(size)) + margin
        columns = self._columns(centre, reach)
        beams = self._beams(centre, reach)
        rays = directions(self._azimuth[np.ix_(beams, columns)], self._elevation[np.ix_(beams, columns)])
        i, j = np.nonzero(rays @ centre > np.sqrt(max(float(centre @ centre) - reach**2, 0.0)))
        beam, column = beams[i], columns[j]
        direction, origin = rays[i, j] @ T_sensor_box[:3, :3], -centre @ T_sensor_box[:3, :3]
        enter, leave = crossing(origin, direction, size)
        azimuth = float(np.rad2deg(np.arctan2(centre[1], centre[0])))
        return BoxRays(beam, column, origin, direction, self._range[beam, column].astype(np.float64), self._area[beam], enter, leave, azimuth)


def is_box(objects: Objects, row: int) -> bool:
    """Whether an object has a finite 3-D box."""
    size = np.asarray(objects.size[row], dtype=float)
    return bool(np.isfinite(objects.T_world_box[row]).all() and np.isfinite(size).all() and (size > 0).all())


def crossing(origin: np.ndarray, direction: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances at which rays from ``origin`` [3] along unit vectors [n, 3] enter and leave a box at the origin (slabs; Kay and Kajiya 1986)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (-size / 2 - origin) / direction, (size / 2 - origin) / direction
    return np.maximum(np.fmin(a, b).max(axis=1), 0.0), np.fmax(a, b).min(axis=1)


def _between(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Pose between two: positions by share, axes by the rotation nearest to their mean (orthogonal Procrustes)."""
    pose = (1.0 - share) * start + share * end
    u, _, vt = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ vt
    return pose


def _turn(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180.0) % 360.0 - 180.0
