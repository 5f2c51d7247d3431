"""Where the beams of a LiDAR point."""

from __future__ import annotations

from typing import Any

import numpy as np


def directions(azimuth: Any, elevation: Any) -> np.ndarray:
    """Unit vectors of beams, float64 [..., 3], x forward, y left, z up; angles [deg], as exact as they are stored."""
    az, el = np.deg2rad(azimuth), np.deg2rad(elevation)
    flat = np.cos(el)
    out = np.empty((*np.shape(flat), 3))
    out[..., 0], out[..., 1], out[..., 2] = flat * np.cos(az), flat * np.sin(az), np.sin(el)
    return out
