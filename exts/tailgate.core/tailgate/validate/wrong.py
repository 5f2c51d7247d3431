"""Negative controls on whole frames: real frames made wrong on purpose, by strength. A gate has power where it rejects them.

Every control leaves its input as it is and returns a changed copy. With generators of equal state, what a weaker strength changes a stronger one
changes too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tailgate.frames import Frame
from tailgate.validate import wrong_lidar, wrong_objects, wrong_rgbd
from tailgate.validate.wrong_sensors import Change, on_sensors

FrameChange = Callable[[Frame, float, np.random.Generator], Frame]
"""A frame, a strength and a generator -> a changed copy."""


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
    """

    name: str
    kind: str
    words: str
    strengths: tuple[float, ...]
    stated: float
    apply: FrameChange


def _lidar(name: str, words: str, strengths: tuple[float, ...], stated: float, change: Change) -> Control:
    return Control(name, "lidar", words, strengths, stated, partial(on_sensors, "lidar", change))


def _rgbd(name: str, words: str, strengths: tuple[float, ...], stated: float, change: Change) -> Control:
    return Control(name, "rgbd", words, strengths, stated, partial(on_sensors, "rgbd", change))


def _objects(
    name: str, words: str, strengths: tuple[float, ...], stated: float, change: Callable[[Frame, float, np.random.Generator], Frame]
) -> Control:
    return Control(name, "objects", words, strengths, stated, change)


_ALL = (
    _lidar("noise", "range noise multiplied", (1.5, 2.0, 4.0), 2.0, wrong_lidar.noise),
    _lidar("density", "returns divided, lost at random", (1.5, 2.0, 4.0), 2.0, wrong_lidar.density),
    _lidar("lost_firings", "firings divided, lost evenly", (1.5, 2.0, 4.0), 2.0, wrong_lidar.lost_firings),
    _lidar("no_ray_drop", "share of the holes filled", (0.5, 1.0), 1.0, wrong_lidar.no_ray_drop),
    _lidar("smoothed_normals", "share of the relief of planes smoothed away", (0.25, 0.5, 1.0), 0.5, wrong_lidar.smoothed_normals),
    _lidar("wrong_intensity", "share of the intensity's spread taken away", (0.25, 0.5, 1.0), 1.0, wrong_lidar.wrong_intensity),
    _rgbd("depth_noise", "depth noise multiplied", (1.5, 2.0, 4.0), 2.0, wrong_rgbd.depth_noise),
    _rgbd("depth_density", "pixels with depth divided, lost at random", (1.5, 2.0, 4.0), 2.0, wrong_rgbd.depth_density),
    _rgbd("no_holes", "share of the holes in surfaces filled", (0.5, 1.0), 1.0, wrong_rgbd.no_holes),
    _rgbd("perfect_edges", "share of the missing bands beside edges filled", (0.5, 1.0), 1.0, wrong_rgbd.perfect_edges),
    _rgbd("labels_shifted", "label images moved sideways [px]", (2.0, 4.0, 8.0), 4.0, wrong_rgbd.labels_shifted),
    _rgbd("smoothed_depth", "share of the relief of surfaces smoothed away", (0.25, 0.5, 1.0), 0.5, wrong_rgbd.smoothed_depth),
    _rgbd("image_noise", "colour noise multiplied", (1.5, 2.0, 4.0), 2.0, wrong_rgbd.image_noise),
    _rgbd("wrong_luminance", "brightness multiplied", (1.25, 1.5, 2.0), 2.0, wrong_rgbd.wrong_luminance),
    _objects("classes_swapped", "share of the objects that bear another class", (0.1, 0.2, 0.4), 0.2, wrong_objects.classes_swapped),
    _objects("boxes_shifted", "boxes moved sideways [m]", (0.25, 0.5, 1.0), 0.5, wrong_objects.boxes_shifted),
    _objects("blob", "share of the objects replaced by Gaussian clouds", (0.5, 1.0), 1.0, wrong_objects.blob),
    _objects("hollow_box", "share of the objects replaced by the sides of their boxes", (0.5, 1.0), 1.0, wrong_objects.hollow_box),
)
"""Stated strengths: noise doubled, half of the data lost, a fifth of the classes swapped and boxes moved by half a metre, as in the requirement; half
of the relief gone is noise halved, the counterpart of noise doubled; labels four pixels off are twice as far off as drawn ones tend to be; what is a
share of something that real data always has is stated where none of it is left."""

CONTROLS: dict[str, Control] = {control.name: control for control in _ALL}
"""Every control by name."""
