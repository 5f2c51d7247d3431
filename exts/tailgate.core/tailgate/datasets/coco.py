"""COCO ``instances``: images, run-length masks, tight boxes; 3-D values under the key ``tailgate``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.datasets.boxes import boxes_in_camera, ego_box, levelling, poses_seen
from tailgate.datasets.files import JsonList, write_bytes
from tailgate.datasets.shared import picture
from tailgate.errors import TailgateError
from tailgate.frames import Frame, SensorFrame, host
from tailgate.packages import need


class CocoWriter:
    """Streams frames into ``images/`` and ``annotations.json``; every camera image is one COCO image.

    Ids count from 1, ``area`` is a float, ``iscrowd`` 0, masks are compressed run lengths, boxes x, y, width, height [px] of the mask's pixels. A
    class first met later gets the next category id.

    Args:
        folder: an empty folder.
        classes: output classes in the order of their category ids.
    """

    name = "coco"
    needs = ("camera",)
    lenses = True

    def __init__(self, folder: Path, classes: tuple[str, ...] = ()):
        self.folder = folder
        self._category = {c: i for i, c in enumerate(dict.fromkeys(classes), 1)}
        self._images, self._annotations = JsonList(folder / "images.part"), JsonList(folder / "annotations.part")

    def add(self, frame: Frame) -> list[str]:
        """Write the images and annotations of one frame; returns its files, relative to the folder."""
        files = []
        for name, sensor in frame.sensors.items():
            if sensor.kind == "camera":
                file = f"{frame.id}_{name}.png"
                write_bytes(self.folder / "images" / file, picture(sensor))
                image = dict(id=self._images.length + 1, file_name=file, width=sensor.intrinsics.width, height=sensor.intrinsics.height)
                self._images.append({**image, "tailgate": {"frame": str(frame.id), "sensor": name, **_taken(frame, sensor)}})
                self._annotate(frame, name, image["id"])
                files.append(f"images/{file}")
        return files

    def finish(self) -> dict[str, Any]:
        """Assemble ``annotations.json``; returns a summary."""
        counts = {"images": self._images.length, "annotations": self._annotations.length, "categories": dict(self._category)}
        categories = [{"id": i, "name": c, "supercategory": "object"} for c, i in self._category.items()]
        with (self.folder / "annotations.json").open("w", encoding="utf-8") as file:
            file.write('{"info": {"description": "tailgate"}, "licenses": [], "categories": ' + json.dumps(categories) + ',\n"images": ')
            self._images.move_into(file)
            file.write(',\n"annotations": ')
            self._annotations.move_into(file)
            file.write("}\n")
        return counts

    def _annotate(self, frame: Frame, name: str, image_id: int) -> None:
        run_lengths = need("pycocotools.mask")
        sensor = frame.sensors[name]
        instance = host(sensor.channel("instance_segmentation"))
        poses, seen_from, level = boxes_in_camera(frame, sensor), poses_seen(sensor), np.eye(4)
        for row in np.flatnonzero(host(sensor.view.visible) > 0):
            mask = instance == np.uint32(frame.objects.instance[row])
            box = tight_box(mask)
            _check_box(frame, name, row, box)
            code = run_lengths.encode(np.asfortranarray(mask, dtype=np.uint8))
            class_name = frame.objects.class_name[row]
            level[:3, :3] = levelling(seen_from[row])
            self._annotations.append(
                {
                    "id": self._annotations.length + 1,
                    "image_id": image_id,
                    "category_id": self._category.setdefault(class_name, len(self._category) + 1),
                    "bbox": [box[0], box[1], box[2] - box[0] + 1, box[3] - box[1] + 1],
                    "area": float(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": list(mask.shape), "counts": code["counts"].decode("ascii")},
                    "tailgate": _extra(frame, sensor, row, level @ poses[row]),
                }
            )


def _taken(frame: Frame, sensor: SensorFrame) -> dict[str, Any]:
    """When and whence an image was taken, first row and last, K, and the lens where there is one: its model and coefficients in OpenCV's order."""
    k, poses = sensor.intrinsics, np.asarray(sensor.T_world_sensor, np.float64)
    when = {"tick": frame.id.tick, "t_start_ns": int(sensor.t_start), "t_end_ns": int(sensor.t_end), "T_world_camera": poses.tolist()}
    lens = {"distortion": {k: v for k, v in asdict(k.distortion).items() if v is not None}} if k.distortion else {}
    return {**when, "K": k.matrix.tolist(), **lens}


def tight_box(mask: np.ndarray) -> list[int]:
    """x_min, y_min, x_max, y_max [px, inclusive] of a mask [H, W]; all -1 for an empty one."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return [int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])] if len(columns) else [-1, -1, -1, -1]


def _check_box(frame: Frame, sensor: str, row: int, box: list[int]) -> None:
    held = np.rint(frame.sensors[sensor].view.bbox_tight[row]).astype(int).tolist()
    if held != box:
        who = f"object {int(frame.objects.instance[row])} ({frame.objects.class_name[row]})"
        raise TailgateError(f"frame {frame.id}, sensor {sensor}: the tight box of {who} must span its visible pixels {box}, got {held}")


def _extra(frame: Frame, sensor: SensorFrame, row: int, T_level_box: np.ndarray) -> dict[str, Any]:
    """3-D box at the camera when it saw the object, with x forward, y left, z up, levelled; what ``tailgate.datasets.labels`` reads back."""
    centre, yaw = ego_box(T_level_box)
    view = sensor.view
    return {
        "instance": int(frame.objects.instance[row]),
        "centre": centre.tolist(),
        "size": np.asarray(frame.objects.size)[row].tolist(),
        "yaw": yaw,
        "occluded": float(view.occluded[row]),
        "truncated": float(view.truncated[row]),
        "asset": frame.objects.asset[row],
    }
