"""Which sensors a negative control touches, and how what it does to one sensor is done to a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tailgate.frames import Frame, SensorFrame

Change = Callable[[SensorFrame, float, np.random.Generator], dict[str, Any]]
"""A sensor, a strength and a generator -> the channels that become others."""


def kind_of(sensor: SensorFrame) -> str | None:
    """Kind of controls that apply to a sensor: "lidar", "rgbd" where the depth is a measurement (channel ``valid``), else None."""
    if sensor.kind == "lidar":
        return "lidar"
    return "rgbd" if "valid" in sensor.channels else None


def on_sensors(kind: str, change: Change, frame: Frame, strength: float, rng: np.random.Generator) -> Frame:
    """A copy of the frame whose sensors of one kind are changed, in the order of their names."""
    sensors = dict(frame.sensors)
    for name in sorted(sensors):
        if kind_of(sensors[name]) == kind:
            sensors[name] = replace(sensors[name], channels={**sensors[name].channels, **change(sensors[name], strength, rng)})
    return replace(frame, sensors=sensors)
