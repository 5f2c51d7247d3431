"""What a recording's format does to coordinates: every return is rounded to a grid of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tailgate.config.sensor import Storage

FRACTION_BITS, LEAST_EXPONENT = 10, -14
"""Of IEEE 754-2008 binary16: bits of the fraction, and the exponent below which its numbers are evenly spaced."""


@dataclass(frozen=True, eq=False)
class Rounding:
    """The grid that coordinates were rounded to.

    Attributes:
        step: of the grid [m]; 0 for half-precision floats, whose step grows with the coordinate.
        T_stored_sensor: pose of the sensor in the frame of the stored coordinates, float64 [4, 4].
    """

    step: float
    T_stored_sensor: np.ndarray

    @classmethod
    def of(cls, storage: Storage | None, T_rig_sensor: np.ndarray) -> Rounding | None:
        """The rounding that a sensor model declares, for a sensor mounted so; None for none."""
        if storage is None:
            return None
        T = np.array(T_rig_sensor, dtype=np.float64) if storage.frame == "rig" else np.eye(4)
        T[:3, 3] -= storage.origin
        return cls(0.0 if storage.coordinates == "float16" else float(storage.coordinates), T)

    def stored(self, xyz: np.ndarray) -> np.ndarray:
        """Points of the sensor's frame in the frame of the stored coordinates [m], not rounded, float64 (..., 3)."""
        return xyz @ self.T_stored_sensor[:3, :3].T + self.T_stored_sensor[:3, 3]

    def rounded(self, xyz: np.ndarray) -> np.ndarray:
        """Points of the sensor's frame as a reader gets them back [m], float64 (..., 3)."""
        stored = self.stored(np.asarray(xyz, dtype=np.float64))
        stored = np.rint(stored / self.step) * self.step if self.step else stored.astype(np.float16).astype(np.float64)
        return (stored - self.T_stored_sensor[:3, 3]) @ self.T_stored_sensor[:3, :3]

    def steps(self, xyz: np.ndarray) -> np.ndarray:
        """Coarsest step among the coordinates of each point of the sensor's frame [m], (...)."""
        if self.step:
            return np.full(xyz.shape[:-1], self.step)
        return float16_step(np.abs(self.stored(xyz)).max(axis=-1))

    def to_json(self) -> dict[str, Any]:
        """Plain data; ``Rounding.from_json`` gives the same grid back."""
        return {"step": self.step, "T_stored_sensor": self.T_stored_sensor.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Rounding:
        """Rebuild from ``to_json``."""
        return cls(data["step"], np.array(data["T_stored_sensor"], dtype=np.float64))


def float16_step(value: np.ndarray) -> np.ndarray:
    """Distance between neighbouring half-precision floats at ``value``, same unit."""
    return np.exp2(np.floor(np.log2(np.maximum(np.abs(value), 2.0**LEAST_EXPONENT))) - FRACTION_BITS)
