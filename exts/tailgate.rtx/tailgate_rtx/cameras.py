"""Cameras in the renderer: products that are rendered only while a frame is taken, and annotators whose buffers are copied at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tailgate.config.rig import MountedSensor
from tailgate.errors import TailgateError, UserError
from tailgate.frames import Intrinsics, ObjectView, SensorFrame
from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.camera import camera_of
from tailgate.render.raytrace.daylight import metered_exposure
from tailgate.render.raytrace.lens import ray_table
from tailgate.render.raytrace.scene import DeviceScene
from tailgate.render.raytrace.visibility import Seen, look_with_camera

from tailgate_rtx import image_kernels
from tailgate_rtx.image_kernels import Film, Taken, add_fog, names_of, new_buffers, new_film, picture, probe, take_kernel
from tailgate_rtx.labels import Paths
from tailgate_rtx.products import Product

ANNOTATORS: dict[str, tuple[str, type, int]] = {
    "HdrColor": ("hdr", wp.float16, 4),
    "distance_to_image_plane": ("image_plane", wp.float32, 0),
    "distance_to_camera": ("camera", wp.float32, 0),
    "normals": ("normals", wp.float32, 4),
    "instance_segmentation": ("id", wp.uint32, 0),
}
"""Annotator -> buffer, type, components."""
OUTSIDE, FEW = 3.0, 16
"""An object of at least FEW pixels that reaches this far out of its outline [px] is shown where it was before."""


class NotReady(TailgateError):
    """The renderer has no picture yet."""

    exit_code = 1


@dataclass(frozen=True)
class Rendering:
    """How a picture is made of radiance: extinction of the air [1/m], exposure (None: metered), brightness to aim for, see
    ``tailgate.render.raytrace.daylight.metered_exposure``."""

    fog: float = 0.0
    exposure: float | None = None
    key: float = 1.0


class Eye:
    """One camera of the rig.

    Args:
        name: of the sensor.
        mounted: model and place.
        path: of its camera prim.
        device: Warp device.
        on_gpu: whether annotators hand out buffers of the GPU; they give numpy otherwise.
    """

    def __init__(self, name: str, mounted: MountedSensor, path: str, device: str, on_gpu: bool):
        self.name, self.mounted, self.device = name, mounted, device
        model = mounted.model
        self.intrinsics: Intrinsics = model.intrinsics
        self._rays: wp.array | None = None
        how = {"init_params": None, "device": "cuda" if on_gpu else "cpu", "do_array_copy": not on_gpu}
        annotators = dict.fromkeys(ANNOTATORS, how)
        annotators["instance_segmentation"] = how | {"init_params": {"colorize": False, "semanticFilter": "class:*"}}
        self.product = Product(path, (model.width, model.height), annotators)

    def prepare(self) -> None:
        """What takes long before the first picture: kernels and the lens's rays. Touches neither stage nor renderer."""
        wp.load_module(image_kernels, device=self.device)
        self._rays = ray_table(self.intrinsics, self.device)

    def take(self, pose: np.ndarray, paths: Paths) -> Taken:
        """Copy what the annotators hold now; their buffers are overwritten by the next frame. Raises NotReady where something is missing.

        Args:
            pose: T_world_sensor [4, 4].
            paths: what prims are called.
        """
        given, table = new_buffers(paths.T_world_stage), {}
        for annotator, (buffer, kind, components) in ANNOTATORS.items():
            held = self.product.data(annotator)
            if isinstance(held, dict):
                table = paths.table(held["info"]["idToLabels"])
                held = held["data"]
            setattr(given, buffer, self._shaped(annotator, held, kind, components))
        model = self.mounted.model
        camera = camera_of(model, pose, self._rays, pose)
        film = new_film(model.width, model.height, self.device)
        inputs = [given, camera, names_of(table, self.device), film]
        wp.launch(take_kernel, dim=(model.height, model.width), inputs=inputs, device=self.device)
        lost = int(film.unnamed.numpy()[0])
        return Taken(film, camera, (f"{self.name}: {lost} pixels show prims that the renderer does not name",) if lost else ())

    def _shaped(self, annotator: str, held: Any, kind: type, components: int) -> wp.array:
        """A buffer as (H, W) or (H, W, components): axes of length 1 were squeezed away, numpy is put on our device."""
        model = self.mounted.model
        shape = (model.height, model.width, *([components] if components else []))
        if int(np.prod(held.shape)) != int(np.prod(shape)):
            raise NotReady(f"sensor '{self.name}': the annotator {annotator} gives {held.dtype} {tuple(held.shape)} and must give {shape}")
        if isinstance(held, np.ndarray):
            return wp.array(np.ascontiguousarray(held.reshape(shape)), dtype=kind, device=self.device)
        if held.device != wp.get_device(self.device):
            advice = f"take --device {held.device}, or start Isaac Sim with active_gpu {self.device.rpartition(':')[2] or 0} and multi_gpu False"
            raise UserError(f"the renderer draws on {held.device} and --device is {self.device}: {advice}")
        return held.reshape(shape)

    def look(self, taken: Taken, scene: DeviceScene, pose: np.ndarray, seen: Seen) -> ObjectView:
        """What the camera sees of each object."""
        return look_with_camera(scene, taken.camera, self.intrinsics, np.stack([pose, pose]), seen, taken.film.mover)

    def finish(self, taken: Taken, view: ObjectView, pose: np.ndarray, light: Rendering) -> SensorFrame:
        """The frame of this camera: fog, exposure and colours are added to what was taken."""
        film = taken.film
        if light.fog > 0:
            add_fog(film, light.fog)
        factor = metered_exposure(*probe(film), light.key) if light.exposure is None else light.exposure
        channels = {"rgb": picture(film, factor), **channels_of(film)}
        if not wp.get_device(self.device).is_cuda:
            channels = {name: channel.numpy() for name, channel in channels.items()}
        channels["exposure"] = np.array([factor], np.float32)
        return SensorFrame("camera", channels, np.stack([pose, pose]), 0, 0, view, self.intrinsics, self.mounted.model_name)


def channels_of(film: Film) -> dict[str, Any]:
    """Channels by name, Warp arrays."""
    return {
        "HdrColor": film.hdr,
        "distance_to_image_plane": film.image_plane,
        "distance_to_camera": film.camera,
        "normals": film.normals,
        "semantic_segmentation": film.semantic,
        "instance_segmentation": film.instance,
    }


def misplaced(view: ObjectView) -> list[int]:
    """Rows of objects that are seen outside their own outline: the picture is of an earlier state."""
    seen = view.visible >= FEW
    low = view.bbox_tight[:, :2] < view.bbox_loose[:, :2] - OUTSIDE
    high = view.bbox_tight[:, 2:] > view.bbox_loose[:, 2:] + OUTSIDE
    return np.flatnonzero(seen & ((view.alone == 0) | low.any(1) | high.any(1))).tolist()
