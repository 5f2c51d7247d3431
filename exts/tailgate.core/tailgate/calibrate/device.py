"""Whether LiDAR scans are of the device they are said to be: their returns against the beams of its table.

Returns of a beam lie on a cone around the sensor's axis. Where a mount is tilted, or points stand in a vehicle's frame, the cones are elsewhere, so
the tilt and shift are sought that bring returns nearest to the table's: by least squares of angles, in which what lies far off weighs less (Holland
and Welsch 1977). What is left over is another table, elevations in another unit or of the other sign: of the recordings at hand nine in ten beams are
left within 0.8 deg, of recordings taken for another device 3.0 deg are the least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailgate.calibrate.lidar_grid import LOOSE, MIN_RETURNS, Pool, cone_spread, head_motion
from tailgate.config.rig import configs_root, load_sensor
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError
from tailgate.frames import SensorFrame

NEARLY_ALL, BESIDE, LIKE = 0.9, 2.0, 1.0
"""Share of a device's beams that look within so much of its table [deg], and within how much of another's they are taken for that one's."""
_ROUNDS, _RETURNS, _NEAR = 10, 20_000, np.deg2rad(0.5)
"""Steps of the search for tilt and shift, returns it is made with, and how near to their cone they weigh alike [rad]."""


def check_device(scans: Sequence[SensorFrame], model: LidarModel, name: str) -> None:
    """Refuse scans whose beams are not those of the device ``name``: a fit would take what differs for its errors.

    Args:
        scans: organised scans of one head, rings from the highest to the lowest.
        model: the device's table.

    Raises:
        UserError: another number of beams, too few returns, returns on no cone, or beams that look elsewhere than the table's.
    """
    pool = Pool.of(scans, model)
    cone_spread(pool)
    beside = _beside(pool, model)
    if beside > BESIDE:
        others = [(_beside(pool, other), n) for n, other in _models() if len(other.elevation_deg) == len(model.elevation_deg)]
        left, other = min(others, default=(np.inf, ""))
        words = f"are they those of {other}?" if left <= LIKE else "another device, rings mixed up, elevations in another unit or negated?"
        raise UserError(f"beams look {beside:.1f} deg beside the table of {name}, which allows {BESIDE:g}, however it is mounted: {words}")
    head = head_motion(pool, model) if model.azimuth_offset_deg else None
    sides = [(e.value, table) for e, table in zip(head[2], model.azimuth_offset_deg, strict=True) if e.identifiable] if head else []
    if sides and np.median([abs(aside + table) for aside, table in sides]) < LOOSE < np.median([abs(aside - table) for aside, table in sides]):
        raise UserError(f"beams look aside as the table of {name} says, but with the other sign: are elevations or azimuth offsets negated?")


def _models() -> list[tuple[str, LidarModel]]:
    """The LiDAR models that are known, by name."""
    found = [(path.stem, load_sensor(path.stem)[0]) for path in sorted((configs_root() / "sensors").glob("*.yaml"))]
    return [(name, model) for name, model in found if isinstance(model, LidarModel)]


def _beside(pool: Pool, model: LidarModel) -> float:
    """How far beside the table nearly all beams look [deg], by the farther half of their returns: neither the vehicle's body nor its motion displaces
    these much."""
    beams = np.flatnonzero(np.bincount(pool.ring) >= MIN_RETURNS)
    if not len(beams):
        raise UserError(f"too few returns to tell its beams: none has {MIN_RETURNS}")
    middle = {k: np.median(pool.distance[pool.ring == k]) for k in beams}
    far = pool.distance >= np.array([middle.get(k, np.inf) for k in range(pool.ring.max() + 1)])[pool.ring]
    azimuth, ring = np.deg2rad(pool.azimuth[far]), pool.ring[far]
    points = np.stack([pool.distance[far] * np.cos(azimuth), pool.distance[far] * np.sin(azimuth), pool.z[far]], axis=1)
    cone = np.deg2rad(np.asarray(model.elevation_deg))[ring]
    off = np.rad2deg(_off(_mounted(points, cone), cone))
    return float(np.quantile([abs(np.median(off[ring == k])) for k in beams], NEARLY_ALL))


def _off(points: np.ndarray, cone: np.ndarray) -> np.ndarray:
    """Elevation of points [n, 3] over that of their cones [rad]."""
    return np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])) - cone


def _mounted(points: np.ndarray, cone: np.ndarray) -> np.ndarray:
    """Points [n, 3], tilted and shifted as brings them nearest to their cones [rad]."""
    from scipy.spatial.transform import Rotation

    every = -(-len(points) // _RETURNS)
    for _ in range(_ROUNDS):
        some = points[::every]
        off, (x, y, z) = _off(some, cone[::every]), some.T
        flat, reach = np.maximum(np.hypot(x, y), 1e-6), np.maximum(np.linalg.norm(some, axis=1), 1e-6)
        slopes = [y / flat, -x / flat, -z * x / flat / reach**2, -z * y / flat / reach**2, flat / reach**2]
        weight = np.maximum(np.abs(off), _NEAR) ** -0.5
        move = np.linalg.lstsq(np.stack(slopes, axis=1) * weight[:, None], -off * weight, rcond=1e-3)[0]
        points = points @ Rotation.from_rotvec([*move[:2], 0.0]).as_matrix().T + move[2:]
    return points
