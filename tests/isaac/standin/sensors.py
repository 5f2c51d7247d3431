"""Cameras of Isaac Sim 6.0: RtxCamera and CameraSensor. Resolutions are (H, W), data (H, W, C) on the GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from tailgate.geometry.quiet import wp

from .checks import behaves
from .lidar_api import E6, TICK_RATE, Sensor
from .products import prim_path
from .sim import sim
from .xforms import place, value_type

GPU = {"device": "cuda", "do_array_copy": False}
NAMES = {
    "rgb": ("rgb", 3),
    "rgba": ("rgb", 4),
    "distance_to_camera": ("distance_to_camera", 1),
    "distance_to_image_plane": ("distance_to_image_plane", 1),
    "normals": ("normals", 3),
    "semantic_segmentation": ("semantic_segmentation", 1),
    "instance_segmentation": ("instance_segmentation_fast", 1),
    "bounding_box_2d_tight": ("bounding_box_2d_tight_fast", 0),
    "bounding_box_2d_loose": ("bounding_box_2d_loose_fast", 0),
    "bounding_box_3d": ("bounding_box_3d_fast", 0),
    "pointcloud": ("pointcloud", 0),
}
"""Name in these classes -> Replicator's annotator and channels (0: as it is)."""


@behaves(E6 + "RtxCamera")
class RtxCamera:
    """A camera prim with schemas and attributes."""

    def __init__(self, path, *, tick_rate=None, schemas=None, attributes=None, **pose):
        self._path = path if isinstance(path, str) else prim_path(path)
        prim = sim().stage.DefinePrim(self._path, "Camera")
        for schema in schemas or []:
            prim.AddAppliedSchema(schema)
        for name, value in (attributes or {}).items():
            held = prim.GetAttribute(name)
            (held if held else prim.CreateAttribute(name, value_type(value))).Set(value)
        if tick_rate is not None:
            prim.CreateAttribute(TICK_RATE, value_type(1.0)).Set(float(tick_rate))
        where = pose.get("translations") if pose.get("translations") is not None else pose.get("positions")
        if where is not None or pose.get("orientations") is not None:
            turn = None if pose.get("orientations") is None else np.asarray(pose["orientations"], float).reshape(-1, 4)[0]
            place(prim, None if where is None else np.asarray(where, float).reshape(-1, 3)[0], turn)

    @property
    def paths(self):
        return [self._path]


@behaves(E6 + "CameraSensor")
class CameraSensor(Sensor):
    """A camera's data."""

    _names = {name: held for name, (held, _) in NAMES.items()}

    def __init__(self, path, *, resolution, annotators=None, writers=None, render_vars=None):
        where = path._path if isinstance(path, RtxCamera) else prim_path(path)
        height, width = resolution
        how: dict[str, dict[str, Any]] = {}
        for name in NAMES:
            how[name] = {} if name.startswith("bounding_box") else dict(GPU)
        self._start(where, (int(width), int(height)), annotators, writers, how)

    def get_data(self, annotator, *, out=None):
        data, info = self._get(annotator)
        channels = NAMES[annotator][1]
        if data is None or not channels:
            return data, info
        held = data.numpy()
        held = held[..., None] if held.ndim == 2 else held[..., :channels]
        made = wp.array(np.ascontiguousarray(held), dtype=wp.dtype_from_numpy(held.dtype), device=data.device)
        if out is not None:
            wp.copy(out, made)
            return out, info
        return made, info
