"""Voxel overlap of two clouds of one place, and the guard that keeps paired metrics to paired clouds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tailgate.errors import UserError
from tailgate.validate.clouds import REAL, SYNTHETIC, checked

VOXEL = 0.5
"""Side of a voxel [m]."""
CELL = 5.0
"""Side of the cells that both clouds must occupy to be compared there [m]."""
MIN_COMMON = 0.5
"""Least share of the occupied cells that both clouds must occupy to be taken for one place: more in common than not. Sweeps of one place
share 0.58 to 0.87 of them, sweeps of different places, each in its own sensor's frame, 0.47 at most (14 and 106 pairs of recordings)."""


@dataclass(frozen=True)
class Overlap:
    """Voxels of the points in common cells.

    Attributes:
        common_cells: cells that both clouds occupy, outside of which nothing is compared; 0 where all is.
        voxels_real, voxels_synthetic: voxels that each occupies there.
        intersection, union: voxels that both, and that either occupy.
    """

    common_cells: int
    voxels_real: int
    voxels_synthetic: int
    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union, in [0, 1]; 0 where no cell is common."""
        return self.intersection / self.union if self.union else 0.0


def numbered(*rows: np.ndarray) -> list[np.ndarray]:
    """Number equal rows alike over arrays [n_i, d] of integers: int64 [n_i] each, dense from 0, in the order of the rows' values."""
    both = np.concatenate(rows)
    keys = np.zeros(len(both), dtype=np.int64)
    for column in both.T:
        values, places = np.unique(column, return_inverse=True)
        keys = np.unique(keys * len(values) + places.reshape(-1), return_inverse=True)[1].reshape(-1)
    return np.split(keys, np.cumsum([len(r) for r in rows])[:-1])


def cells(points: np.ndarray, size: float) -> np.ndarray:
    """Cells floor(x / size) of points [n, d], anchored at the origin of their frame: int64 [n, d]."""
    return np.floor(points.astype(np.float64) / size).astype(np.int64)


def common(real: np.ndarray, synthetic: np.ndarray, size: float = CELL, axes: int = 2) -> tuple[np.ndarray, np.ndarray, int]:
    """Which points [n, 3] and [m, 3] lie in cells that both clouds occupy: bool [n], bool [m], and the number of those cells.

    Args:
        size: side of a cell [m].
        axes: 2 for columns over the ground (x, y), as in CloudMetrics, or 3.
    """
    a, b = numbered(cells(real[:, :axes], size), cells(synthetic[:, :axes], size))
    shared = np.intersect1d(a, b)
    return np.isin(a, shared), np.isin(b, shared), len(shared)


def overlap(real: np.ndarray, synthetic: np.ndarray, size: float = VOXEL) -> Overlap:
    """Cells of one size [m] that points [n, d] and [m, d] occupy, all compared; either may be empty."""
    a, b = (np.unique(k) for k in numbered(cells(real, size), cells(synthetic, size)))
    both = len(np.intersect1d(a, b))
    return Overlap(0, len(a), len(b), both, len(a) + len(b) - both)


def require_paired(real: Any, synthetic: Any) -> None:
    """Refuse two clouds that are plainly not of one place: distances between different places say nothing about realism.

    Needed, not enough: places that happen to fill the same cells pass.

    Args:
        real, synthetic: points [n, 3] and [m, 3] in one frame, metres.

    Raises:
        UserError: the share of CELL-sized columns occupied by both, of those occupied by either, is below MIN_COMMON; or a cloud is refused.
    """
    share = overlap(checked(real, REAL)[:, :2], checked(synthetic, SYNTHETIC)[:, :2], CELL).iou
    if share < MIN_COMMON:
        raise UserError(
            f"paired metrics compare two recordings of one place in one frame, which must share at least {MIN_COMMON:.0%} of their {CELL:g} m cells, "
            f"got {share:.0%}: move both to one frame and crop them to the same area, or use the unpaired metrics"
        )


def voxel_iou(real: Any, synthetic: Any, voxel: float = VOXEL, cell: float = CELL, axes: int = 2) -> Overlap:
    """Voxel overlap on the cells that both clouds occupy. Memory is linear in the points; the result depends on no order.

    Args:
        real, synthetic: points [n, 3] and [m, 3] of one place in one frame, metres.
        voxel, cell: sides [m]; both grids are anchored at the origin.
        axes: 2 for cells in the ground plane, 3 for cubes.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses, or ``require_paired`` refuses both.
    """
    real, synthetic = checked(real, REAL), checked(synthetic, SYNTHETIC)
    require_paired(real, synthetic)
    in_p, in_q, count = common(real, synthetic, cell, axes)
    return replace(overlap(real[in_p], synthetic[in_q], voxel), common_cells=count)


def voxel_iou_twin(real: np.ndarray, synthetic: np.ndarray, voxel: float = VOXEL, cell: float = CELL, axes: int = 2) -> Overlap:
    """Readable twin of ``voxel_iou`` with sets."""

    def occupied(points: np.ndarray, size: float) -> list[tuple[int, ...]]:
        return [tuple(int(v // size) for v in p) for p in points.astype(np.float64)]

    ground = [occupied(p[:, :axes], cell) for p in (real, synthetic)]
    shared = set(ground[0]) & set(ground[1])
    a, b = ({v for v, c in zip(occupied(p, voxel), own, strict=True) if c in shared} for p, own in zip((real, synthetic), ground, strict=True))
    return Overlap(len(shared), len(a), len(b), len(a & b), len(a | b))
