"""A frame from what Replicator's annotators return in memory, as a Writer with the data structure "renderProduct" is given it.

Depth is exact and judged as the measurement it stands for; see ``reference.basicwriter``, which reads the same from files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId
from tailgate.reference.boxes import class_ids
from tailgate.reference.prims import DEPTHS, Prims, Shot, depth_in_metres, in_metres
from tailgate.reference.replicator import Boxes, camera_of, class_of, mask_codes, surface_of

ANNOTATORS: dict[str, dict[str, Any]] = {
    "rgb": {},
    "distance_to_image_plane": {},
    "semantic_segmentation": {"colorize": False},
    "instance_segmentation": {"colorize": False},
    "bounding_box_2d_tight": {},
    "bounding_box_2d_loose": {},
    "bounding_box_3d": {},
    "camera_params": {},
}
"""What a frame is made of: annotator -> its init_params."""
NEEDED = ("camera_params", "distance_to_image_plane")
SOURCE = Path("camera_params")

Annotated = Mapping[str, Any]
"""annotator -> its array, or a flat dict of "data" and what its info holds."""


def frame_of(id: FrameId, cameras: Mapping[str, Annotated], T_up: np.ndarray) -> Frame:
    """One frame of several cameras.

    Args:
        id: its address.
        cameras: sensor name -> what its annotators return.
        T_up: the stage's world -> a world with z up, [4, 4].

    Returns:
        Cameras with ``rgb``, both distances [m], ``valid`` and segmentation. Objects are the labelled prims, sorted by path; without a 3-D box pose
        and size are NaN.

    Raises:
        UserError: an annotator is missing or empty, or the camera is not a pinhole.
    """
    prims, shots, unit = Prims(), {}, 1.0
    for name, held in cameras.items():
        for annotator in NEEDED:
            if annotator not in held or (annotator != "camera_params" and not np.size(_data(held[annotator]))):
                raise UserError(f"camera '{name}' must have what the annotator '{annotator}' returns, got none (no frame was rendered yet?)")
        camera = camera_of(held["camera_params"], SOURCE)
        unit = camera.unit
        _add_objects(prims, name, held)
        shots[name] = Shot(_images(held, unit), *_semantic(held), camera.intrinsics, T_up @ in_metres(camera.T_world_camera, unit))
    objects = prims.objects(unit, T_up)
    labels = class_ids([*objects.class_name, *(c for shot in shots.values() for c in shot.classes.values())])
    sensors = {name: prims.sensor(name, shot, objects, labels) for name, shot in shots.items()}
    return Frame(id, sensors, objects, {"background": 0, **labels})


def was_rendered(held: Annotated) -> bool:
    """Whether the annotators of one camera hold a picture: before its first frame they return empty arrays, or nothing."""
    return all(held.get(name) is not None and (name == "camera_params" or np.size(_data(held[name])) > 0) for name in NEEDED)


def own_copy(held: Annotated) -> dict[str, Any]:
    """What the annotators of one camera returned, with arrays of its own: Replicator's are overwritten by the next frame."""

    def copied(value: Any) -> Any:
        return np.array(_data(value)) if hasattr(value, "__array__") or hasattr(value, "numpy") else value

    return {name: {k: copied(v) for k, v in value.items()} if isinstance(value, Mapping) else copied(value) for name, value in held.items()}


def _data(value: Any) -> np.ndarray:
    """The array of an annotator, on the host."""
    array = value["data"] if isinstance(value, Mapping) else value
    return array.numpy() if hasattr(array, "numpy") else np.asarray(array)


def _named(value: Mapping[str, Any], key: str) -> dict[int, object]:
    """A mapping of ids; Replicator keys it by text or by number."""
    return {int(k): v for k, v in value.get(key, {}).items()}


def _images(held: Annotated, unit: float) -> dict[str, np.ndarray]:
    channels = {"rgb": np.array(_data(held["rgb"]))} if "rgb" in held else {}
    return {**channels, **{name: depth_in_metres(_data(held[name]), unit) for name in DEPTHS if name in held}}


def _semantic(held: Annotated) -> tuple[np.ndarray | None, dict[int, str]]:
    if "semantic_segmentation" not in held:
        return None, {}
    mask = held["semantic_segmentation"]
    classes = {code: surface_of(label) for code, label in _named(mask, "idToLabels").items()}
    return mask_codes(_data(mask), SOURCE), {code: name for code, name in classes.items() if name}


def _add_objects(prims: Prims, camera: str, held: Annotated) -> None:
    if "instance_segmentation" in held:
        mask = held["instance_segmentation"]
        prims.add_mask(camera, mask_codes(_data(mask), SOURCE), _named(mask, "idToLabels"), _named(mask, "idToSemantics"))
    for kind in ("2d_tight", "2d_loose", "3d"):
        if f"bounding_box_{kind}" in held:
            boxes = held[f"bounding_box_{kind}"]
            table, names = np.atleast_1d(_data(boxes)), _named(boxes, "idToLabels")
            classes = [class_of(names.get(int(row["semanticId"]), "")) for row in table] if table.dtype.names else []
            prims.add_boxes(camera, kind, Boxes([str(p) for p in boxes.get("primPaths", ())], classes, table[: len(classes)]))
