"""Negative controls on whole frames: real frames made wrong on purpose, by strength. A gate has power where it rejects them.

Every control leaves its input as it is and returns a changed copy. With generators of equal state, what a weaker strength changes a stronger one
changes too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tailgate.frames import Frame, SensorFrame
from tailgate.validate import wrong_lidar, wrong_objects, wrong_rgbd

Change = Callable[[SensorFrame, float, np.random.Generator], dict[str, Any]]
"""A sensor, a strength and a generator -> the channels that become others."""


@dataclass(frozen=True)
class Control:
    """One way to make a frame wrong.

    Attributes:
        name: as in CONTROLS.
        kind: "lidar", "rgbd" or "objects": what it changes. Other sensors stay as they are.
        words: what is wrong, one phrase.
        strengths: from weak to strong.
        stated: the strength at which a gate must have power; one of ``strengths``.
        apply: frame, strength and generator -> changed copy.
        neutral: the strength that changes nothing.
    """

    name: str
    kind: str
    words: str
    strengths: tuple[float, ...]
    stated: float
    apply: Callable[[Frame, float, np.random.Generator], Frame]
    neutral: float = 0.0


def kind_of(sensor: SensorFrame) -> str | None:
    """Kind of controls that apply to a sensor: "lidar", "rgbd" where the depth is a measurement (channel ``valid``), else None."""
    if sensor.kind == "lidar":
        return "lidar"
    return "rgbd" if "valid" in sensor.channels else None


def _on_sensors(kind: str, change: Change, frame: Frame, strength: float, rng: np.random.Generator) -> Frame:
    sensors = dict(frame.sensors)
    for name in sorted(sensors):
        if kind_of(sensors[name]) == kind:
            sensors[name] = replace(sensors[name], channels={**sensors[name].channels, **change(sensors[name], strength, rng)})
    return replace(frame, sensors=sensors)


def _lidar(name: str, words: str, strengths: tuple[float, ...], stated: float, change: Change, neutral: float = 0.0) -> Control:
    return Control(name, "lidar", words, strengths, stated, partial(_on_sensors, "lidar", change), neutral)


def _rgbd(name: str, words: str, strengths: tuple[float, ...], stated: float, change: Change, neutral: float = 0.0) -> Control:
    return Control(name, "rgbd", words, strengths, stated, partial(_on_sensors, "rgbd", change), neutral)


_ALL = (
    _lidar("noise", "range noise multiplied", (1.5, 2.0, 4.0), 2.0, wrong_lidar.noise, 1.0),
    _lidar("density", "returns divided, lost at random", (1.5, 2.0, 4.0), 2.0, wrong_lidar.density, 1.0),
    _rgbd("depth_noise", "depth noise multiplied", (1.5, 2.0, 4.0), 2.0, wrong_rgbd.depth_noise, 1.0),
    Control("boxes_shifted", "objects", "objects' boxes moved sideways [m]", (0.25, 0.5, 1.0), 0.5, wrong_objects.boxes_shifted),
    Control("classes_swapped", "objects", "share of objects that bear another class", (0.1, 0.2, 0.4), 0.2, wrong_objects.classes_swapped),
)

CONTROLS: dict[str, Control] = {control.name: control for control in _ALL}
"""Every control by name."""
