"""One sweep of a LiDAR in an empty room, exact: for tests of readers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROOM = np.array([12.0, 8.0, 3.0])
"""Length, width, height [m]; the sensor stands in the middle."""


@dataclass(frozen=True)
class Sweep:
    """Exact range [m] and direction [deg] of every cell, (beams, columns), beams from the highest down, columns by falling azimuth."""

    range: np.ndarray
    azimuth: np.ndarray
    elevation: np.ndarray

    @property
    def xyz(self) -> np.ndarray:
        """Points of all cells, float64 (beams, columns, 3)."""
        az, el = np.deg2rad(self.azimuth), np.deg2rad(self.elevation)
        return self.range[..., None] * np.stack([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)], axis=-1)

    @property
    def ring(self) -> np.ndarray:
        """Row of each cell, int (beams, columns)."""
        return np.repeat(np.arange(len(self.range))[:, None], self.range.shape[1], axis=1)


def room_sweep(beams: int = 8, columns: int = 180, offset_deg: np.ndarray | float = 0.0, fov_deg: float = 360.0) -> Sweep:
    """A sweep with beams evenly over +-16 deg; ``offset_deg`` turns each beam counter-clockwise against the head."""
    elevation = np.repeat(np.linspace(16.0, -16.0, beams)[:, None], columns, axis=1)
    head = 180.0 - fov_deg / columns * np.arange(columns)[None]
    azimuth = (head + np.broadcast_to(np.asarray(offset_deg, float), beams)[:, None] + 180.0) % 360.0 - 180.0
    az, el = np.deg2rad(azimuth), np.deg2rad(elevation)
    direction = np.abs(np.stack([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)], axis=-1))
    with np.errstate(divide="ignore"):
        return Sweep((ROOM / 2 / direction).min(axis=-1), azimuth, elevation)


def same_cloud(points: np.ndarray, expected: np.ndarray, metres: float = 1e-4) -> bool:
    """Whether two clouds hold the same points in any order."""
    from scipy.spatial import cKDTree

    if len(points) != len(expected):
        return False
    return max(cKDTree(a).query(b)[0].max() for a, b in ((points, expected), (expected, points))) < metres
