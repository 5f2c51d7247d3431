"""What a set shows, apart from how its sensors see it: how many objects of each class, how far, how large; and when its sensors fired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tailgate.validate.crops import Crop
from tailgate.validate.sketch import Sketch, Statistic

MIN_OBJECTS = 20
"""Fewest objects (or frames) on either side that are compared."""
_SIZES = tuple(float(v) for v in np.concatenate([np.linspace(0, 2, 21), np.linspace(2.5, 8, 12), [10, 15, 25]]))


def content_statistics(classes: Sequence[str]) -> dict[str, Statistic]:
    """Statistics whose strata are these classes."""
    names = tuple(classes)
    return {
        "objects_per_frame": Statistic("objects_per_frame", "objects", tuple(k - 0.5 for k in range(42)), names, MIN_OBJECTS),
        "object_distance": Statistic("object_distance", "m", tuple(float(v) for v in range(0, 125, 5)), names, MIN_OBJECTS),
        "object_length": Statistic("object_length", "m", _SIZES, names, MIN_OBJECTS),
    }


def content_sketch(crops: Sequence[Crop], statistics: Mapping[str, Statistic]) -> Sketch:
    """Counts of one frame; an object seen by several sensors counts once, as the first of them saw it."""
    sketch, classes = Sketch(), statistics["objects_per_frame"].strata
    seen = {c.instance: c for c in reversed(crops)}
    index = np.array([classes.index(c.class_name) for c in seen.values()], dtype=int)
    sketch.add(statistics["objects_per_frame"], np.arange(len(classes)), np.bincount(index, minlength=len(classes)).astype(float))
    sketch.add(statistics["object_distance"], index, np.array([c.range for c in seen.values()], dtype=float))
    sketch.add(statistics["object_length"], index, np.array([c.size[0] for c in seen.values()], dtype=float))
    return sketch


def timing_statistics(sensors: Sequence[str]) -> dict[str, Statistic]:
    """Statistics whose strata are these sensors."""
    names = tuple(sensors)
    return {
        "sensor_offset": Statistic("sensor_offset", "ms", tuple(float(v) for v in np.arange(-100, 101, 1)), names, MIN_OBJECTS),
        "exposure_time": Statistic("exposure_time", "ms", tuple(float(v) for v in np.arange(0, 201, 1)), names, MIN_OBJECTS),
    }


def timing_sketch(times: Mapping[str, tuple[float, float]], statistics: Mapping[str, Statistic]) -> Sketch:
    """Counts of one frame.

    Args:
        times: sensor -> start after the frame's first sensor, and duration [ms].
    """
    sketch, sensors = Sketch(), statistics["sensor_offset"].strata
    index = np.array([sensors.index(name) for name in times], dtype=int)
    values = np.array(list(times.values()), dtype=float).reshape(-1, 2)
    sketch.add(statistics["sensor_offset"], index, values[:, 0])
    sketch.add(statistics["exposure_time"], index, values[:, 1])
    return sketch
