"""Points with rings in a vehicle's frame: where the sensor stands in it, told by the cones that returns of each ring lie on.

Seen from the ground below the sensor, all beams that meet the ground look level, and neighbouring columns do not share an azimuth.
"""

from __future__ import annotations

import numpy as np

SCATTERED = 0.3
"""Spread of a ring's returns, over the gap between rings, from which on they were not measured from the origin."""
GATHERED, SHIFT, TILT, STEEPEST = 3.0, 0.3, 1.0, 60.0
"""Points are moved where that makes the spread so many times smaller, and by at least so much [m] or [deg]: a head's lasers lie beside its origin.
Tilts beyond the last [deg] are another's axes, as a camera's."""
NEAREST = 0.05
"""A point closer than this to the origin [m] is a filler for "no return"."""
_RETURNS, _ROUNDS, _NEAR = 20_000, 20, 0.01
"""Returns with which the place of the sensor is sought, steps of the search, and how near to their cone returns weigh alike [slope]."""


def in_own_frame(xyz: np.ndarray, ring: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Points [n, 3] [m] in the sensor's frame, and how they were moved in words; as they are, and "", where they stand in it or rings are not stored.

    Fillers come back as zeros.
    """
    real = real_points(xyz)
    if ring is None or not real.any():
        return xyz, ""
    points, mine = xyz[real], np.unique(ring[real], return_inverse=True)[1]
    before = spread(points, mine)
    if before <= SCATTERED:
        return xyz, ""
    R, shift = mounting(points, mine)
    moved, tilt = points @ R.T + shift, float(np.rad2deg(np.arccos(np.clip(R[2, 2], -1.0, 1.0))))
    if spread(moved, mine) * GATHERED > before or tilt > STEEPEST or (np.linalg.norm(shift) < SHIFT and tilt < TILT):
        return xyz, ""
    out = np.zeros_like(xyz)
    out[real] = moved
    by = ", ".join(f"{round(float(v), 1) + 0.0:.1f}" for v in shift)
    return out, f"Points were moved by ({by}) m and tilted by {tilt:.0f} deg into the sensor's frame."


def real_points(xyz: np.ndarray) -> np.ndarray:
    """Which points [n, 3] are no fillers, bool [n]."""
    return np.isfinite(xyz).all(axis=1) & (np.linalg.norm(np.nan_to_num(xyz, posinf=0.0, neginf=0.0), axis=1) > NEAREST)


def from_highest(ring: np.ndarray, xyz: np.ndarray) -> np.ndarray:
    """Rings renumbered from the highest beam down without gaps, int32 [n]; xyz [m] [n, 3], in the sensor's frame or a vehicle's."""
    inverse = np.unique(ring, return_inverse=True)[1]
    median = _medians(elevation_of(in_own_frame(xyz, ring)[0]), inverse)
    return np.argsort(np.argsort(-median, kind="stable"), kind="stable")[inverse].astype(np.int32)


def elevation_of(xyz: np.ndarray) -> np.ndarray:
    """Elevation of points [n, 3] [deg]."""
    return np.rad2deg(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1])))


def spread(xyz: np.ndarray, ring: np.ndarray) -> float:
    """How far elevations of points [n, 3] lie from the median of their ring [n] (without gaps), over the gap between rings; 0 for a single ring."""
    elevation = elevation_of(xyz)
    middle = _medians(elevation, ring)
    gap = np.ptp(middle) / max(len(middle) - 1, 1)
    return float(np.abs(elevation - middle[ring]).mean() / max(gap, 1e-6)) if len(middle) > 1 else 0.0


def _medians(values: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Median of each ring's values, [rings]; ring [n] without gaps."""
    parts = np.split(values[np.argsort(ring, kind="stable")], np.cumsum(np.bincount(ring))[:-1])
    return np.array([np.median(part) for part in parts])


def mounting(xyz: np.ndarray, ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation [3, 3] and shift [3] [m] that bring points [n, 3] nearest to a cone around z for each ring [n] (without gaps).

    Least squares of slopes, in which what lies far off weighs less (Holland and Welsch 1977); of the cones nothing is known.
    """
    from scipy.spatial.transform import Rotation

    every = -(-len(xyz) // _RETURNS)
    points, mine = xyz[::every], np.unique(ring[::every], return_inverse=True)[1]
    R, shift = np.eye(3), np.zeros(3)
    for _ in range(_ROUNDS):
        x, y, z = (points @ R.T + shift).T
        flat = np.maximum(np.hypot(x, y), 1e-3)
        slope = z / flat
        weight = np.maximum(np.abs(slope - _medians(slope, mine)[mine]), _NEAR) ** -0.5
        share = np.bincount(mine, weight**2)
        bent = 1.0 + slope**2
        columns = np.stack([bent * y / flat, -bent * x / flat, -slope * x / flat**2, -slope * y / flat**2, 1.0 / flat, slope])
        mean = np.array([np.bincount(mine, column * weight**2) / share for column in columns])
        within = (columns - mean[:, mine]) * weight
        move = np.linalg.lstsq(within[:5].T, -within[5], rcond=1e-3)[0]
        turn = Rotation.from_rotvec([*move[:2], 0.0]).as_matrix()
        R, shift = turn @ R, turn @ shift + move[2:]
    return R, shift
