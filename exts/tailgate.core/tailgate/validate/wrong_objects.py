"""What is made wrong about a frame's objects. Each function takes a frame, a strength and a generator, and returns a changed copy.

Shapes are made wrong along the sensors' own rays, so that the frame stays one that the sensor could have seen: a LiDAR's by the object's box, a
camera's by its box or, where it has none, by the extent of its pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tailgate.frames import Frame, Objects, SensorFrame
from tailgate.validate.box_rays import ScanRays, crossing, is_box
from tailgate.validate.crops import MARGIN
from tailgate.validate.wrong_rgbd import depth_channels
from tailgate.validate.wrong_sensors import kind_of

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Distances at which rays enter and leave an object's extent [n] -> the distance at which they come back [m], [n]."""


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


def blob(frame: Frame, share: float, rng: np.random.Generator) -> Frame:
    """Put a Gaussian cloud of the right size in place of a share of the objects: two standard deviations are half of what a ray passes of the box."""
    return _reshaped(frame, share, rng, lambda enter, leave: 0.5 * (enter + leave) + 0.25 * (leave - enter) * rng.normal(size=len(enter)))


def hollow_box(frame: Frame, share: float, rng: np.random.Generator) -> Frame:
    """Put the near sides of its box in place of a share of the objects."""
    return _reshaped(frame, share, rng, lambda enter, leave: enter)


def _reshaped(frame: Frame, share: float, rng: np.random.Generator, shape: Shape) -> Frame:
    chosen = np.flatnonzero(rng.random(len(frame.objects)) < share)
    change = {"lidar": _lidar_shapes, "rgbd": _camera_shapes}
    sensors = dict(frame.sensors)
    for name in sorted(sensors):
        kind = kind_of(sensors[name])
        if kind and len(chosen):
            sensors[name] = replace(sensors[name], channels={**sensors[name].channels, **change[kind](sensors[name], frame.objects, chosen, shape)})
    return replace(frame, sensors=sensors)


def _lidar_shapes(sensor: SensorFrame, objects: Objects, chosen: np.ndarray, shape: Shape) -> dict[str, Any]:
    ranges, scan = np.array(sensor.channel("range")), ScanRays(sensor)
    for row in chosen[[is_box(objects, r) for r in chosen]]:
        rays = scan.through(objects.T_world_box[row], objects.size[row])
        use = (rays.enter < rays.leave) & (rays.range >= rays.enter - MARGIN) & (rays.range <= rays.leave + MARGIN)
        ranges[rays.beam[use], rays.column[use], 0] = np.maximum(shape(rays.enter[use], rays.leave[use]), 1e-3)
    return {"range": ranges}


def _camera_shapes(sensor: SensorFrame, objects: Objects, chosen: np.ndarray, shape: Shape) -> dict[str, Any]:
    depth = np.array(sensor.channel("distance_to_image_plane"))
    owner = np.asarray(sensor.channel("instance_segmentation"))
    for row in chosen:
        v, u = np.nonzero((owner == objects.instance[row]) & np.isfinite(depth) & (depth > 0))
        if not len(u):
            continue
        ray = np.stack([*sensor.intrinsics.unproject(u, v), np.ones(len(u))], axis=1)
        if is_box(objects, row):
            T = np.linalg.inv(sensor.T_world_sensor[0]) @ objects.T_world_box[row]
            length = np.linalg.norm(ray, axis=1)
            enter, leave = (d / length for d in crossing(-T[:3, 3] @ T[:3, :3], ray / length[:, None] @ T[:3, :3], objects.size[row]))
            hit = enter < leave
            v, u, enter, leave = v[hit], u[hit], enter[hit], leave[hit]
        else:
            near, far = np.quantile(depth[v, u], (0.05, 0.95))
            enter, leave = np.full(len(u), near), np.full(len(u), far)
        depth[v, u] = np.maximum(shape(enter, leave), 1e-3)
    held = np.isfinite(depth) & (depth > 0) & (np.asarray(sensor.channel("valid")) > 0)
    return depth_channels(sensor, depth, held)


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
