"""When and where to a spinning LiDAR fires: the grid of its organised scan, and its rays while it moves.

Columns of the grid share an azimuth. A beam that looks aside of the head by a whole number of columns passes a column's azimuth that many firings
earlier or later than the others; what is left is less than half a column. A sensor that sweeps less than a turn keeps the firing as its column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.config.sensor import LidarModel


@dataclass(frozen=True)
class FiringGrid:
    """Directions and moments of a sweep.

    Attributes:
        azimuth, elevation: of every cell in the sensor's frame at the moment it fires [deg], float32 (beams, columns); azimuth in [-180, 180).
        time: since the sweep began [ns], int32 (beams, columns).
        height: of every beam's origin in the sensor's frame [m], float32 (beams,).
        live: False in blind and hidden sectors, bool (beams, columns).
        sweep: duration of a sweep [ns].
    """

    azimuth: np.ndarray
    elevation: np.ndarray
    time: np.ndarray
    height: np.ndarray
    live: np.ndarray
    sweep: int


def firing_grid(model: LidarModel) -> FiringGrid:
    """Grid of one sweep of a device."""
    beams, sense = len(model.elevation_deg), -1.0 if model.direction == "cw" else 1.0
    sweep = 1e9 / model.rate_hz * model.azimuth_fov_deg / 360.0
    late = 1e3 * np.asarray(model.firing_us or np.zeros(beams))
    step = sense * model.azimuth_fov_deg / model.columns
    aside = np.asarray(model.azimuth_offset_deg or np.zeros(beams)) + sense * 360.0 * model.rate_hz * 1e-9 * late
    column = np.arange(model.columns)[None, :]
    head = np.broadcast_to(column, (beams, model.columns))
    if model.azimuth_fov_deg == 360.0:
        head = (column - np.rint(aside / step).astype(np.int64)[:, None]) % model.columns
    azimuth = (model.azimuth_start_deg + step * head + aside[:, None] + 180.0) % 360.0 - 180.0
    elevation = np.broadcast_to(np.asarray(model.elevation_deg, np.float64)[:, None], azimuth.shape)
    time = np.rint(sweep * head / model.columns + late[:, None]).astype(np.int32)
    height = np.asarray(model.beam_height_m or np.zeros(beams), np.float32)
    live = np.ones(azimuth.shape, dtype=bool)
    for beam in range(beams):
        for first, last in (*model.blind_sectors_deg, *(model.hidden_sectors_deg[beam] if model.hidden_sectors_deg else ())):
            span = (last - first) % 360.0 if last - first < 360.0 else 360.0
            live[beam] &= (azimuth[beam] - first) % 360.0 > span
    return FiringGrid(azimuth.astype(np.float32), elevation.astype(np.float32), time, height, live, round(sweep))


def from_the_origin(ranges: np.ndarray, grid: FiringGrid) -> tuple[np.ndarray, np.ndarray]:
    """Ranges [m] (beams, columns, echoes) and elevations [deg] (beams, columns, echoes, or 1 where all are the same) seen from the sensor's origin,
    of ranges from the beams' own. Where there is no return the beam's own elevation stays.
    """
    if not grid.height.any():
        return ranges, grid.elevation[..., None]
    angle, height = np.deg2rad(grid.elevation.astype(np.float64))[..., None], grid.height[:, None, None].astype(np.float64)
    z, flat = ranges * np.sin(angle) + height, ranges * np.cos(angle)
    hit = ranges > 0
    elevation = np.where(hit, np.rad2deg(np.arctan2(z, flat)), grid.elevation[..., None])
    return np.where(hit, np.hypot(z, flat), 0.0).astype(np.float32), elevation.astype(np.float32)


def along_beams(ranges: np.ndarray, model: LidarModel) -> np.ndarray:
    """Elevations [deg] of points on the beams, seen from the sensor's origin at these ranges [m], float32 (beams, columns, echoes): the rule of sines
    in the triangle of both origins and the point."""
    elevation = np.asarray(model.elevation_deg, np.float64)[:, None, None]
    height = np.asarray(model.beam_height_m or np.zeros(len(elevation)), np.float64)[:, None, None]
    aside = height * np.cos(np.deg2rad(elevation)) / np.maximum(ranges, 1e-3)
    return (elevation + np.rad2deg(np.arcsin(np.clip(aside, -1.0, 1.0)))).astype(np.float32)


def turn_of(T_world_sensor: np.ndarray) -> tuple[np.ndarray, float]:
    """Axis in the sensor's first frame, unit [3], and angle [rad] of the turn from the first pose to the second; float [2, 4, 4]."""
    R = T_world_sensor[0, :3, :3].T @ T_world_sensor[1, :3, :3]
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    sine, cosine = 0.5 * np.linalg.norm(axis), 0.5 * (np.trace(R) - 1.0)
    return (axis / (2.0 * sine) if sine > 1e-12 else np.array([0.0, 0.0, 1.0])), float(np.arctan2(sine, cosine)) if sine > 1e-12 else 0.0


def move_with_sensor(vectors: np.ndarray, share: np.ndarray, T_world_sensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World origins and rotated vectors of a sensor under way, each float64 (..., 3); a point is the sum of both.

    Args:
        vectors: in the sensor's frame at their own moment, (..., 3).
        share: of the way from the first pose to the second at which each belongs, (...).
        T_world_sensor: poses at the sweep's start and end, [2, 4, 4]; steady motion and turn between them.
    """
    axis, angle = turn_of(T_world_sensor)
    turned = _rotated(vectors, axis, angle * share)
    start, moved = T_world_sensor[0, :3, 3], T_world_sensor[1, :3, 3] - T_world_sensor[0, :3, 3]
    return start + np.asarray(share)[..., None] * moved, turned @ T_world_sensor[0, :3, :3].T


def _rotated(vectors: np.ndarray, axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned about a unit axis [3] by an angle each (...) [rad]."""
    a, along = angle[..., None], (vectors @ axis)[..., None] * axis
    return vectors * np.cos(a) + np.cross(axis, vectors) * np.sin(a) + along * (1.0 - np.cos(a))


def pose_at(T_world_sensor: np.ndarray, share: float) -> np.ndarray:
    """World pose of a sensor under way, [4, 4], a share of the way from the first of its poses [2, 4, 4] to the second."""
    if np.array_equal(*T_world_sensor):
        return T_world_sensor[0]
    origins, axes = move_with_sensor(np.eye(3), np.full(3, share), T_world_sensor)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = axes.T, origins[0]
    return T


def in_world(xyz: np.ndarray, time_offset: np.ndarray, T_world_sensor: np.ndarray, duration: int) -> np.ndarray:
    """Returns in the world, float64 [n, 3] [m]; arguments as ``deskewed`` takes them."""
    xyz, start = np.asarray(xyz, np.float64), np.asarray(T_world_sensor, np.float64)[0]
    if duration <= 0 or np.array_equal(*T_world_sensor):
        return xyz @ start[:3, :3].T + start[:3, 3]
    origin, turned = move_with_sensor(xyz, time_offset / duration, T_world_sensor)
    return origin + turned


def in_sensor(world: np.ndarray, time_offset: np.ndarray, T_world_sensor: np.ndarray, duration: int) -> np.ndarray:
    """Inverse of ``in_world``: each return in the sensor's frame at its own firing, float64 [n, 3] [m]."""
    start = np.asarray(T_world_sensor, np.float64)[0]
    if duration <= 0 or np.array_equal(*T_world_sensor):
        return (world - start[:3, 3]) @ start[:3, :3]
    share, (axis, angle) = time_offset / duration, turn_of(T_world_sensor)
    origin, _ = move_with_sensor(np.zeros((len(world), 3)), share, T_world_sensor)
    return _rotated((world - origin) @ start[:3, :3], axis, -angle * share)


def deskewed(xyz: np.ndarray, time_offset: np.ndarray, T_world_sensor: np.ndarray, duration: int) -> np.ndarray:
    """Returns in the sensor's frame at the sweep's start, [n, 3] [m], from each in the frame of its own firing.

    Args:
        xyz: as ``SensorFrame.points`` gives them [m], [n, 3].
        time_offset: since the sweep began [ns], [n].
        T_world_sensor: poses at the sweep's start and end, [2, 4, 4].
        duration: between the two [ns].
    """
    start = T_world_sensor[0]
    return (in_world(xyz, time_offset, T_world_sensor, duration) - start[:3, 3]) @ start[:3, :3]
