"""What is made wrong about a frame's objects. Each function takes a frame, a strength and a generator, and returns a changed copy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tailgate.frames import Frame


def boxes_shifted(frame: Frame, metres: float, rng: np.random.Generator) -> Frame:
    """Move every box sideways in a random direction of the ground plane."""
    angle = rng.uniform(0.0, 2 * np.pi, len(frame.objects))
    poses = np.array(frame.objects.T_world_box, dtype=np.float64)
    poses[:, :2, 3] += metres * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return replace(frame, objects=replace(frame.objects, T_world_box=poses))


def classes_swapped(frame: Frame, share: float, rng: np.random.Generator) -> Frame:
    """Give a share of the objects another of the frame's classes, or of its labels where all objects are of one class; labelled pixels and
    returns go with them."""
    names = frame.objects.class_name
    classes = sorted(set(names)) if len(set(names)) > 1 else sorted({*names, *(n for n, k in frame.labels.items() if k > 0)})
    chosen, turn = rng.random(len(names)) < share, rng.integers(1, max(len(classes), 2), len(names))
    if len(classes) < 2:
        return frame
    swapped = [classes[(classes.index(n) + int(t)) % len(classes)] if c else n for n, c, t in zip(names, chosen, turn, strict=True)]
    ids = {int(i): frame.labels[s] for i, s, c in zip(frame.objects.instance, swapped, chosen, strict=True) if c and s in frame.labels}
    sensors = {name: replace(sensor, channels=_relabelled(sensor.channels, ids)) for name, sensor in frame.sensors.items()}
    return replace(frame, sensors=sensors, objects=replace(frame.objects, class_name=swapped))


def _relabelled(channels: dict, ids: dict[int, int]) -> dict:
    """Channels in which the pixels or returns of some instances bear another semantic id."""
    changed = dict(channels)
    for semantic, instance in (("semantic_segmentation", "instance_segmentation"), ("semantic", "instance")):
        if ids and semantic in channels and instance in channels:
            labels, owner = np.array(channels[semantic]), np.asarray(channels[instance])
            for i, label in ids.items():
                labels[owner == i] = label
            changed[semantic] = labels
    return changed
