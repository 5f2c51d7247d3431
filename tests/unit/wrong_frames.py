"""A street as a noisy LiDAR sees it and a table top as a Kinect does: sound frames for negative controls to make wrong."""

from __future__ import annotations

from dataclasses import replace

import handmade
import numpy as np
from tailgate.calibrate.camera import perfect_views
from tailgate.config.rig import load_sensor
from tailgate.frames import Frame, FrameId, Objects
from tailgate.sensors import nominal
from tailgate.sensors.camera import respond_camera

NOISE, DROP = 0.012, 0.06


CROWD = [handmade.Box("car", x, y + 0.3 * (x % 3), 0.1 * k) for k, x in enumerate(range(-28, 29, 7)) for y in (-7.5, 5.5) if abs(x) > 2]


def lidar_frame(boxes: list[handmade.Box] = handmade.STREET, beams: int = 48, columns: int = 720) -> Frame:
    """A street of boxes with range noise of 12 mm, 6 % of the returns lost and intensity that spreads."""
    frame = handmade.frame(boxes=boxes, sensors=())
    sensor = handmade.lidar(boxes, beams, columns)
    gen, channels = np.random.default_rng(5), dict(sensor.channels)
    kept = (channels["range"] > 0) & (gen.random(channels["range"].shape) >= DROP)
    for name in ("range", "intensity", "semantic", "instance"):
        channels[name] = np.where(kept, channels[name], 0).astype(channels[name].dtype)
    channels["range"] = np.where(kept, channels["range"] + NOISE * gen.normal(size=kept.shape), 0).astype(np.float32)
    channels["intensity"] = np.where(kept, np.clip(channels["intensity"] + 0.05 * gen.normal(size=kept.shape), 0, 1), 0).astype(np.float32)
    return replace(frame, sensors={"top": replace(sensor, channels=channels)})


def rgbd_frame() -> Frame:
    """A table top through the Kinect's response, its picture noisy and kept as it is; objects without 3-D boxes, as a labelled recording has them."""
    model, _ = load_sensor("kinect_v1")
    perfect = perfect_views(model, 1, 3)[0]
    params = {**nominal(model), "shot_noise": 5e-4, "jpeg_loss": 0.0}
    sensor = replace(perfect, channels=respond_camera(perfect, model, params, 7))
    ids = np.unique(np.asarray(sensor.channels["instance_segmentation"]))
    ids, n = ids[ids > 0].astype(np.int32), int((ids > 0).sum())
    objects = Objects(ids, ["object"] * n, np.full((n, 4, 4), np.nan), np.full((n, 3), np.nan), [""] * n)
    return Frame(FrameId("table", 0, 0), {"kinect": sensor}, objects, {"table": 1, "object": 2})
