"""What several formats write of one sensor's frame: made once, though they are written at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from tailgate.datasets.files import encode_png
from tailgate.frames import SensorFrame, host
from tailgate.geometry.firing import deskewed

T = TypeVar("T")


def once(make: Callable[[SensorFrame], T]) -> Callable[[SensorFrame], T]:
    """``make``, whose result stays with the sensor's frame it was asked for; it must not be written to."""
    turn, name = threading.Lock(), f"_{make.__name__}"

    def made(sensor: SensorFrame) -> T:
        with turn:
            if name not in vars(sensor):
                setattr(sensor, name, make(sensor))
        return getattr(sensor, name)

    return made


@once
def picture(camera: SensorFrame) -> bytes:
    """PNG of the colours, without a fourth component."""
    return encode_png(host(camera.channel("rgb"))[..., :3], "noise")


@once
def returns(lidar: SensorFrame) -> dict[str, np.ndarray]:
    """``SensorFrame.points``."""
    return lidar.points()


@once
def still(lidar: SensorFrame) -> dict[str, np.ndarray]:
    """``SensorFrame.points`` with ``xyz`` all in the sensor's frame where the sweep began, on the grid that they are stored on."""
    points, poses = returns(lidar), np.asarray(lidar.T_world_sensor, np.float64)
    if "time_offset" not in points or np.array_equal(*poses):
        return points
    return {**points, "xyz": stored(lidar, deskewed(points["xyz"], points["time_offset"], poses, lidar.t_end - lidar.t_start))}


def stored(lidar: SensorFrame, xyz: np.ndarray) -> np.ndarray:
    """Points in the sensor's frame [n, 3] [m] as its device's files hold them, float32."""
    return (lidar.rounding.rounded(xyz) if lidar.rounding else xyz).astype(np.float32)


@once
def firing_table(lidar: SensorFrame) -> dict[str, np.ndarray]:
    """``still`` in ``firing_table_order``."""
    return firing_table_order(still(lidar))


def firing_table_order(points: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The returns of ``SensorFrame.points`` as KITTI's files hold them: ring after ring from the top, each by rising azimuth from 0 to 360 deg, which
    is all that is left of the ring in a file of bare points."""
    x, y, z = points["xyz"].astype(np.float64).T
    azimuth, elevation = np.arctan2(y, x) % (2 * np.pi), np.arctan2(z, np.hypot(x, y))
    by_ring = np.argsort(points["ring"], kind="stable")
    rings = np.split(by_ring, np.flatnonzero(np.diff(points["ring"][by_ring])) + 1) if len(by_ring) else []
    height = np.array([np.median(elevation[ring]) for ring in rings])
    sorted_ = [rings[r][np.argsort(azimuth[rings[r]], kind="stable")] for r in np.argsort(-height, kind="stable")]
    order = np.concatenate([by_ring[:0], *sorted_])
    return {name: values.take(order, axis=0) for name, values in points.items()}
