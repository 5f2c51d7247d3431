"""How recordings store what a LiDAR measured, from their returns: half floats or steps of coordinates, and in which frame; steps of range.

Values on a grid all have one phase in units of its step, so the mean of exp(2 pi i value / step) has length 1; without a grid it is near 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.config.sensor import LidarModel, Storage
from tailgate.frames import SensorFrame
from tailgate.geometry.rounding import Rounding, float16_step

LOCKED = 0.9
"""Mean resultant length above which values count as on a grid."""
FINEST = 2e-4
"""Smallest step that can be told [m]: ranges and directions of a scan are single floats, good for some micrometres."""
NEAR, LEAST = 20.0, 0.25
"""Coordinates looked at lie within ``NEAR`` and, for half floats, beyond ``LEAST`` [m], where their step is large against those micrometres."""
MOST, FEWEST = 50_000, 200
"""Returns of each scan that are looked at, and how few cannot tell a grid."""
SMALL, MULTIPLES = 0.1, 10
"""Share of the gaps between neighbouring values that are at most so many steps; fewer may come of strays."""


@dataclass(frozen=True)
class FoundStorage:
    """What returns say of their format.

    Attributes:
        storage: of coordinates; None for none.
        range_step: of range [m]; None where the returns do not show one.
        n: returns looked at.
    """

    storage: Storage | None
    range_step: float | None
    n: int

    def applied(self, model: LidarModel) -> LidarModel:
        """The model with what was found; where ranges show no step, the data sheet's stays."""
        return model.model_copy(update={"storage": self.storage, **({"range_step": self.range_step} if self.range_step else {})})

    def marked(self, scans: Sequence[SensorFrame]) -> list[SensorFrame]:
        """The scans, with how their coordinates were rounded; what a reader knows of that stays."""
        poses = [np.asarray(scan.T_world_sensor)[0] for scan in scans]
        return [s if s.rounding or not self.storage else replace(s, rounding=Rounding.of(self.storage, T)) for s, T in zip(scans, poses, strict=True)]

    def rows(self) -> dict[str, Estimate]:
        """Rows for a table: the step of coordinates (of half floats at 10 m) and of range, where there are such."""
        out = {}
        if self.storage:
            half = self.storage.coordinates == "float16"
            step = float(float16_step(np.array(10.0))) if half else float(self.storage.coordinates)
            why = f"coordinates in the {self.storage.frame}'s frame are {'half floats, whose step at 10 m this is' if half else 'multiples of it'}"
            out["storage.coordinates"] = Estimate(step, step, step, self.n, True, why)
        if self.range_step:
            out["range_step"] = Estimate(self.range_step, self.range_step, self.range_step, self.n, True, "ranges are multiples of it")
        return out

    def notes(self) -> list[str]:
        """The format in words."""
        if self.storage is None:
            return ["coordinates show no storage steps"]
        held = "half floats (4 to 8 mm at 4 to 16 m)" if self.storage.coordinates == "float16" else f"steps of {1000 * self.storage.coordinates:g} mm"
        return [f"coordinates are stored as {held} in the {self.storage.frame}'s frame"]


def find_storage(scans: Sequence[SensorFrame]) -> FoundStorage:
    """Detect the format of recordings of one sensor.

    Args:
        scans: as read; their world is the rig's frame at that moment. The reader may know the frame of the stored coordinates (``rounding``).
    """
    xyz = [_some(replace(scan, rounding=None).points()["xyz"].astype(np.float64)) for scan in scans]
    n = sum(map(len, xyz))
    for frame, origin in _frames(scans[0]):
        parts = []
        for scan, points in zip(scans, xyz, strict=True):
            held = Rounding.of(Storage(coordinates="float16", frame=frame, origin=origin), np.asarray(scan.T_world_sensor)[0])
            parts.append(held.stored(points))
        coordinates = _grid(np.concatenate(parts))
        if coordinates is not None:
            return FoundStorage(Storage(coordinates=coordinates, frame=frame, origin=origin), None, n)
    return FoundStorage(None, common_step(np.concatenate([np.linalg.norm(points, axis=1) for points in xyz])), n)


def _some(points: np.ndarray) -> np.ndarray:
    return points[:: -(-len(points) // MOST)] if len(points) else points


def _frames(scan: SensorFrame) -> list[tuple[str, tuple[float, float, float]]]:
    """Frames in which coordinates may have been stored: name and origin in it [m]."""
    found: list[tuple[str, tuple[float, float, float]]] = [("sensor", (0.0, 0.0, 0.0)), ("rig", (0.0, 0.0, 0.0))]
    if scan.rounding:
        T = np.asarray(scan.T_world_sensor)[0] @ np.linalg.inv(scan.rounding.T_stored_sensor)
        found.append(("rig", tuple(round(float(v), 6) + 0.0 for v in T[:3, 3])))
    return found


def _grid(xyz: np.ndarray) -> str | float | None:
    """"float16" or the step of coordinates [n, 3] [m] that all three axes are stored in; None for none."""
    axes = [axis[np.abs(axis) < NEAR] for axis in xyz.T]
    if min(map(len, axes)) < FEWEST:
        return None
    if all(_locked(axis[np.abs(axis) > LEAST], float16_step(axis[np.abs(axis) > LEAST])) for axis in axes):
        return "float16"
    step = common_step(axes[0])
    return step if step and all(_locked(axis, step) for axis in axes) else None


def common_step(values: np.ndarray) -> float | None:
    """The largest step of which all values [n] are multiples, in their unit, to three digits; None for none above ``FINEST``."""
    rising = np.sort(values[np.abs(values) < NEAR])
    gaps = np.diff(rising)
    gaps = gaps[gaps > FINEST / 2]
    if len(rising) < FEWEST or not len(gaps):
        return None
    for multiple in range(1, MULTIPLES + 1):
        step = _refined(rising, float(np.quantile(gaps, SMALL)) / multiple)
        if step < FINEST:
            break
        if _locked(rising, step):
            return float(f"{step:.3g}")
    return None


def _refined(values: np.ndarray, step: float) -> float:
    """A step that values lie apart by, made sharper by ever more distant ones; rising [n]."""
    apart, reach = values - values[len(values) // 2], 10 * step
    while reach < 2 * NEAR:
        near = apart[np.abs(apart) < reach]
        number = np.rint(near / step)
        if number.any():
            step = float((near * number).sum() / (number**2).sum())
        reach *= 3
    return step


def _locked(values: np.ndarray, step: np.ndarray | float) -> bool:
    """Whether values are multiples of their step."""
    return len(values) >= FEWEST and bool(np.exp(2j * np.pi * values / step).mean().real > LOCKED)
