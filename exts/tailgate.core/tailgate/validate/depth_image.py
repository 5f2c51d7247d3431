"""A measured depth image as the statistics see it: inverse depth on labelled surfaces, and the steps between its measured pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tailgate.frames import SensorFrame, host
from tailgate.memory import recall
from tailgate.validate.image_statistics import luma_of

MIN_JUMP = 0.03
"""Least step of inverse depth at an edge [1/m]: 3 cm at 1 m."""
SLOPE = 0.004
"""Change of inverse depth per pixel that a surface may have beside that [1/m/px]."""
MAX_GAP = 48
"""Longest run of missing pixels that is counted [px]."""


@dataclass(frozen=True)
class DepthImage:
    """What is counted of a frame.

    Attributes:
        inverse: inverse depth [1/m], 0 where nothing was measured on a labelled surface, float64 [H, W].
        instance: object id, 0 on the support, int64 [H, W].
        luma: share of white (sRGB), float32 [H, W], or None without colour.
    """

    inverse: np.ndarray
    instance: np.ndarray
    luma: np.ndarray | None

    @cached_property
    def measured(self) -> np.ndarray:
        """Pixels with a depth, bool [H, W]."""
        return self.inverse > 0


@dataclass(frozen=True)
class Steps:
    """Consecutive measured pixels of the same line (row, or column of a transposed image): flat indices and the step between them, [n] each."""

    first: np.ndarray
    second: np.ndarray
    jump: np.ndarray

    @cached_property
    def gap(self) -> np.ndarray:
        """Missing pixels between the two [px]."""
        return self.second - self.first - 1

    @cached_property
    def is_edge(self) -> np.ndarray:
        """Whether the step is a depth edge rather than a slanted surface."""
        return (np.abs(self.jump) >= MIN_JUMP + SLOPE * (self.gap + 1)) & (self.gap <= MAX_GAP)


def depth_image(sensor: SensorFrame) -> DepthImage:
    """Reduce a frame to what a recording would hold."""
    channels = {name: host(value) for name, value in sensor.channels.items()}
    depth = host(sensor.channel("distance_to_image_plane"))
    measured = np.isfinite(depth) & (depth > 0)
    if "valid" in channels:
        measured &= channels["valid"] > 0
    if "semantic_segmentation" in channels:
        measured &= channels["semantic_segmentation"] > 0
    inverse = np.where(measured, 1.0 / np.where(measured, depth, 1.0), 0.0)
    instance = channels.get("instance_segmentation", np.zeros(depth.shape, np.uint32)).astype(np.int64)
    return DepthImage(inverse, instance, _luma(channels["rgb"]) if "rgb" in channels else None)


def _luma(rgb: np.ndarray) -> np.ndarray:
    return recall(("luma", id(rgb)), (), lambda: luma_of(rgb) / 255)


def steps(inverse: np.ndarray) -> Steps:
    """Steps between consecutive measured pixels along each row; flat indices are those of the array given, row by row."""
    flat = np.ascontiguousarray(inverse).ravel()
    at = np.flatnonzero(flat > 0)
    first, second = at[:-1], at[1:]
    width = inverse.shape[1]
    same = first // width == second // width
    first, second = first[same], second[same]
    return Steps(first, second, np.diff(flat[at])[same])


def box_sum(values: np.ndarray, side: int) -> np.ndarray:
    """Sum over the ``side`` x ``side`` window centred on each pixel that holds a whole window, [H - side + 1, W - side + 1]; counts of a mask as
    uint16."""
    values = values.astype(np.uint16) if values.dtype == bool else np.asarray(values, np.float64)
    return _run_sum(_run_sum(values, side, 0), side, 1)


def _run_sum(values: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Sum over each run of ``length`` along an axis: runs of 1, 2, 4, ... are put together by the binary digits of the length."""

    def cut(start: int, end: int) -> np.ndarray:
        return values[start:end] if axis == 0 else values[:, start:end]

    total, done, size = None, 0, 1
    while True:
        n = values.shape[axis]
        if length & size:
            part = cut(done, n - (length - done - size))
            total, done = part if total is None else total + part, done + size
        if 2 * size > length:
            return total
        values, size = cut(0, n - size) + cut(size, n), 2 * size


def between(line: Steps, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the missing pixels inside the chosen steps, and the step each lies in."""
    chosen = np.flatnonzero(which)
    length = line.gap[chosen]
    owner = np.repeat(chosen, length)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    return line.first[owner] + 1 + offset, owner
