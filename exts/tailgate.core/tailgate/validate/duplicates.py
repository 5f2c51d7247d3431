"""Frames that show the same thing again: a difference hash per sensor, and how many frames lie within a few bits of another one.

The hash is the difference hash known from image search: the picture is averaged onto a coarse grid, and each bit says whether the next cell to the
right is clearly brighter. It ignores pixel noise and exposure, and tells what stands where.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailgate.frames import Frame, SensorFrame, host
from tailgate.stage.images import LUMINANCE

ROWS, COLUMNS = 16, 16
"""Bits of a signature: cells of the grid, less the last column."""
STEP = 0.02
"""Least difference of two cells that counts, relative to the mean cell: flat areas give equal bits whatever the noise."""
NEAR = 3
"""Bits [of 256] that two views of one scene may differ by: other noise turns 2 at most, another place of one small object on a table 4 and more."""
_BLOCK = 2**22
"""Distances held at a time."""


def signature(frame: Frame) -> np.ndarray:
    """Difference hash of each sensor, uint8 [sensors, 32], in the frame's order: of a camera's luminance, of a LiDAR's inverse first range."""
    grids = [_grid(sensor) for sensor in frame.sensors.values()]
    return np.stack([_hash(g) for g in grids if g is not None]) if any(g is not None for g in grids) else np.zeros((0, 32), np.uint8)


def _grid(sensor: SensorFrame) -> np.ndarray | None:
    if sensor.kind == "lidar":
        first = host(sensor.channel("range"))[..., 0]
        return _averaged(np.divide(1.0, first, out=np.zeros_like(first), where=first > 0))
    return _averaged(host(sensor.channels["rgb"]))[..., :3] @ LUMINANCE.astype(np.float32) if "rgb" in sensor.channels else None


def _averaged(picture: np.ndarray) -> np.ndarray:
    """Means over the cells of the grid, float64 [ROWS, COLUMNS + 1, ...], of a picture [H, W, ...]."""
    rows, columns = (np.linspace(0, size, cells + 1).astype(int) for size, cells in zip(picture.shape, (ROWS, COLUMNS + 1), strict=False))
    sums = np.add.reduceat(picture, rows[:-1], axis=0, dtype=np.float32 if picture.dtype == np.float32 else np.int32)
    area = np.maximum(np.diff(rows), 1)[:, None] * np.maximum(np.diff(columns), 1)
    return np.add.reduceat(sums, columns[:-1], axis=1, dtype=np.float64) / area.reshape(*area.shape, *[1] * (picture.ndim - 2))


def _hash(cells: np.ndarray) -> np.ndarray:
    return np.packbits(np.diff(cells, axis=1) > STEP * np.abs(cells).mean())


def near_counts(signatures: Sequence[np.ndarray], groups: Sequence[str]) -> np.ndarray:
    """How many frames of other groups lie within NEAR bits of each frame in every sensor, int64 [n]; frames with other sensors never do."""
    counts = np.zeros(len(signatures), dtype=np.int64)
    owner = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)[1].ravel()
    for shape in {s.shape for s in signatures}:
        rows = np.array([i for i, s in enumerate(signatures) if s.shape == shape])
        if shape[0]:
            counts[rows] = _near(np.stack([signatures[i] for i in rows]), owner[rows])
    return counts


def _near(packed: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Of signatures [n, sensors, 32]: bits as ±1, so that a product tells their distance."""
    signs = 2.0 * np.unpackbits(packed, axis=2).astype(np.float32) - 1.0
    least = signs.shape[2] - 2 * NEAR
    counts = np.zeros(len(signs), dtype=np.int64)
    for start in range(0, len(signs), max(1, _BLOCK // len(signs))):
        part = slice(start, start + max(1, _BLOCK // len(signs)))
        near = owner[part, None] != owner
        for sensor in range(signs.shape[1]):
            near &= signs[part, sensor] @ signs[:, sensor].T >= least
        counts[part] = near.sum(axis=1)
    return counts
