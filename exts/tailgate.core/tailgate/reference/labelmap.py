"""Class names of one dataset in the words of another.

::

    classes:            # name in this dataset -> name in the other
      vehicle.car: Car
      human.pedestrian.adult: Pedestrian
    ignore: [movable_object.debris]

Names that the file does not list stay as they are. Several names may become one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from tailgate.config.load import Model, Source, validate
from tailgate.errors import UserError
from tailgate.frames import Frame, Objects, ObjectView, SensorFrame

Name = Annotated[str, Field(min_length=1)]
SEMANTIC = ("semantic_segmentation", "semantic")
INSTANCE = ("instance_segmentation", "instance")


class LabelMap(Model):
    """A renaming of classes.

    Attributes:
        classes: old name -> new name.
        ignore: classes whose objects are dropped and whose pixels and returns become background.
    """

    classes: dict[Name, Name] = {}
    ignore: list[Name] = []

    def name(self, old: str) -> str | None:
        """The new name of a class; None for an ignored one."""
        return None if old in self.ignore else self.classes.get(old, old)

    def apply(self, frame: Frame) -> Frame:
        """The frame with renamed classes: objects, labels and semantic channels; a class that takes another's name takes its id too."""
        labels: dict[str, int] = {}
        ids: dict[int, int] = {}
        for old, i in sorted(frame.labels.items(), key=lambda item: item[1]):
            new = self.name(old)
            ids[i] = labels.setdefault(new, i) if new is not None else 0
        kept = np.array([self.name(c) is not None for c in frame.objects.class_name], bool)
        dropped = frame.objects.instance[~kept]
        sensors = {name: _relabelled(sensor, ids, kept, dropped) for name, sensor in frame.sensors.items()}
        return replace(frame, sensors=sensors, objects=self._objects(frame.objects, kept), labels=labels)

    def _objects(self, objects: Objects, kept: np.ndarray) -> Objects:
        rows = np.flatnonzero(kept)
        names = [str(self.name(objects.class_name[r])) for r in rows]
        asset, track = ([values[r] for r in rows] if values else [] for values in (objects.asset, objects.track))
        return Objects(objects.instance[rows], names, objects.T_world_box[rows], objects.size[rows], asset, track)


def load_label_map(path: str | Path) -> LabelMap:
    """Read a label map; UserError with file and line for an unknown key, a name that is not text, or one both renamed and ignored."""
    source = Source(path)
    found = validate(LabelMap, source.data, source)
    for old in found.ignore:
        if old in found.classes:
            raise UserError(f"'{old}' must be renamed or ignored, not both", source.where(("classes", old)))
    return found


def lookup(codes: np.ndarray, ids: dict[int, int]) -> np.ndarray:
    """The id of every code, 0 for one that is not listed, uint32."""
    values, at = np.unique(codes, return_inverse=True)
    return np.array([ids.get(int(v), 0) for v in values], np.uint32)[at].reshape(codes.shape)


def _relabelled(sensor: SensorFrame, ids: dict[int, int], kept: np.ndarray, dropped: np.ndarray) -> SensorFrame:
    channels = dict(sensor.channels)
    for name in SEMANTIC:
        if name in channels:
            channels[name] = lookup(np.asarray(channels[name]), ids)
    for name in INSTANCE:
        if name in channels and len(dropped):
            instance = np.asarray(channels[name])
            channels[name] = np.where(np.isin(instance, dropped), 0, instance).astype(np.uint32)
    view = ObjectView(**{key: values[kept] for key, values in vars(sensor.view).items()})
    return replace(sensor, channels=channels, view=view)
