"""The folder layout of Replicator's BasicWriter (omni.replicator.core 1.12), written from frames.

One sensor of a kind: all files in one folder. Several: ``<sensor>/<annotator>/``. Label ids are those of the frame, equal in every format; masks are
coloured as BasicWriter does by default, with the text of the RGBA tuple as key of the mapping files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from tailgate.datasets.boxes import inverse
from tailgate.datasets.files import encode_png, write_array, write_bytes, write_json
from tailgate.datasets.shared import returns
from tailgate.frames import Frame, SensorFrame, host
from tailgate.geometry.firing import in_world
from tailgate.stage.extract import OBJECTS

BOX_2D = np.dtype([("semanticId", "<u4"), ("x_min", "<i4"), ("y_min", "<i4"), ("x_max", "<i4"), ("y_max", "<i4"), ("occlusionRatio", "<f4")])
BOX_3D = np.dtype(
    [("semanticId", "<u4"), *((f"{a}_{e}", "<f4") for e in ("min", "max") for a in "xyz"), ("transform", "<f4", (4, 4)), ("occlusionRatio", "<f4")]
)
_APERTURE = 20.955
"""Horizontal aperture [mm] of USD's default camera; only the ratio to the focal length counts."""
_NEAR_FAR = (0.05, 1000.0)
"""Nominal clipping range [m] behind ``cameraProjection``; frames do not record one."""
_MODELS = {"": "pinhole", "brown_conrady": "pinholeOpenCV", "kannala_brandt": "fisheyeOpenCV"}
"""Lens -> ``cameraModel``."""
_COLOUR_STEP = 0x9E3779
"""Odd, so that ids below 2^24 get different colours, neighbours far apart."""


def colours(ids: np.ndarray) -> np.ndarray:
    """RGBA colour of each id, uint8 [..., 4]; different below 2^24, 0 is transparent black."""
    held, place = (np.arange(int(ids.max()) + 1), ids) if _few(ids) else np.unique(ids, return_inverse=True)
    mixed = (held.astype(np.uint64) * _COLOUR_STEP) & 0xFFFFFF
    rgba = np.stack([mixed >> 16 & 255, mixed >> 8 & 255, mixed & 255, np.where(held > 0, 255, 0)], axis=-1)
    return rgba.astype(np.uint8).view(np.uint32)[place.reshape(ids.shape)].view(np.uint8)


def _few(ids: np.ndarray) -> bool:
    """Whether a table of all ids up to the largest is short; sorting an image takes longer."""
    return ids.size > 0 and int(ids.max()) < 65536


def _held(ids: np.ndarray) -> np.ndarray:
    """The ids that an image holds, ascending [n]."""
    return np.flatnonzero(np.bincount(ids.ravel())) if _few(ids) else np.unique(ids)


def colour_key(value: int) -> str:
    """Text of an id's RGBA tuple, as the mapping files use it."""
    return str(tuple(int(c) for c in colours(np.array([value]))[0]))


class BasicWriter:
    """Streams frames into ``folder``.

    Args:
        folder: an empty folder.
        aboard: sensor name -> kind, of all on the rig; empty: those of each frame.
    """

    name = "basicwriter"
    needs: tuple[str, ...] = ()
    lenses = True

    def __init__(self, folder: Path, aboard: Mapping[str, str] = MappingProxyType({})):
        self.folder, self._aboard, self._count = folder, aboard, 0
        write_json(folder / "metadata.txt", {"name": "BasicWriter", "version": "tailgate"})

    def add(self, frame: Frame) -> list[str]:
        """Write one frame; returns its files, relative to the folder."""
        number, files = f"{self._count:04d}", []
        kinds = list(self._aboard.values()) or [s.kind for s in frame.sensors.values()]
        for name, sensor in frame.sensors.items():
            outputs = _camera(frame, sensor) if sensor.kind == "camera" else _lidar(frame, sensor)
            for annotator, suffix, data in outputs:
                place = Path(name, annotator) if kinds.count(sensor.kind) > 1 else Path()
                stem = f"{annotator}_{suffix}_{number}" if suffix else f"{annotator}_{number}"
                files.append(str(place / f"{stem}{_write(self.folder / place / stem, data)}"))
        self._count += 1
        return files

    def finish(self) -> dict[str, Any]:
        """Return a summary."""
        return {"frames": self._count}


def _write(stem: Path, data: Any) -> str:
    """Write one output by its type; returns the extension."""
    if isinstance(data, np.ndarray):
        write_array(stem.with_name(stem.name + ".npy"), data)
        return ".npy"
    if isinstance(data, bytes):
        write_bytes(stem.with_name(stem.name + ".png"), data)
        return ".png"
    write_json(stem.with_name(stem.name + ".json"), data)
    return ".json"


def _camera(frame: Frame, sensor: SensorFrame) -> list[tuple[str, str, Any]]:
    """(annotator, suffix, data) of every file of a camera."""
    out: list[tuple[str, str, Any]] = [("rgb", "", encode_png(host(sensor.channel("rgb")), "noise"))]
    out += [(name, "", depth) for name, depth in _distances(sensor).items()]
    if "normals" in sensor.channels:
        shade = (host(sensor.channels["normals"]) * 0.5 + 0.5) * 255
        shade = np.clip(shade, 0, 255, out=shade).astype(np.uint8)
        shade[..., 3] = 255
        out.append(("normals", "", encode_png(shade)))
    out += _masks(frame, sensor)
    out += _boxes(frame, sensor)
    out.append(("camera_params", "", {**camera_params(sensor), **_taken(frame, sensor)}))
    return out


def _distances(sensor: SensorFrame) -> dict[str, np.ndarray]:
    """Both distances [m]; of a depth camera as measured, with the true ones beside them and where a depth was measured."""
    held = {n: host(sensor.channels[n]) for n in ("distance_to_image_plane", "distance_to_camera") if n in sensor.channels}
    if "distance_to_image_plane_true" not in sensor.channels:
        return held
    plane, ray = held["distance_to_image_plane"], held.get("distance_to_camera")
    v, u = np.indices(plane.shape)
    held["distance_to_camera"] = (plane / sensor.intrinsics.rays(u, v)[..., 2]).astype(np.float32)
    truth = {"distance_to_image_plane_true": host(sensor.channels["distance_to_image_plane_true"]), "distance_to_camera_true": ray}
    more = {"distance_valid": host(sensor.channels["valid"])} if "valid" in sensor.channels else {}
    return {**held, **{name: depth for name, depth in truth.items() if depth is not None}, **more}


def _taken(frame: Frame, sensor: SensorFrame) -> dict[str, Any]:
    """Which frame this is and when its sensor began and ended it."""
    return {"frame": str(frame.id), "tick": frame.id.tick, "t_start_ns": int(sensor.t_start), "t_end_ns": int(sensor.t_end)}


def _masks(frame: Frame, sensor: SensorFrame) -> list[tuple[str, str, Any]]:
    semantic, instance = (host(sensor.channel(f"{n}_segmentation")) for n in ("semantic", "instance"))
    names = {int(v): k for k, v in frame.labels.items()}
    objects = frame.objects
    classes = {int(i): c for i, c in zip(objects.instance, objects.class_name, strict=True)}
    seen, ids = (_held(image).tolist() for image in (semantic, instance))
    labels = {colour_key(i): {"class": names.get(i, "UNLABELLED") if i else "BACKGROUND"} for i in seen}
    paths = {colour_key(i): object_path(classes[i], i) if i in classes else "BACKGROUND" if i == 0 else "UNLABELLED" for i in ids}
    semantics = {colour_key(i): {"class": classes.get(i, "BACKGROUND" if i == 0 else "UNLABELLED")} for i in ids}
    return [
        ("semantic_segmentation", "", encode_png(colours(semantic), "labels")),
        ("semantic_segmentation", "labels", labels),
        ("instance_segmentation", "", encode_png(colours(instance), "labels")),
        ("instance_segmentation", "mapping", paths),
        ("instance_segmentation", "semantics_mapping", semantics),
    ]


def object_path(class_name: str, instance: int) -> str:
    """A stable name in the form of a prim path, one per instance of the run."""
    return f"{OBJECTS}/{''.join(c if c.isalnum() else '_' for c in class_name)}_{instance:05d}"


def _boxes(frame: Frame, sensor: SensorFrame) -> list[tuple[str, str, Any]]:
    view, objects, out = sensor.view, frame.objects, []
    visible, inside = np.flatnonzero(host(view.visible) > 0), np.flatnonzero(host(view.alone) > 0)
    semantic = np.array([frame.labels[c] for c in objects.class_name], dtype=np.uint32)
    for kind, rows, corners in (("2d_tight", visible, view.bbox_tight), ("2d_loose", inside, view.bbox_loose)):
        table = np.zeros(len(rows), dtype=BOX_2D)
        table["semanticId"], table["occlusionRatio"] = semantic[rows], view.occluded[rows]
        for column, values in zip(("x_min", "y_min", "x_max", "y_max"), corners[rows].T, strict=True):
            table[column] = np.rint(values)
        out += _box_files(f"bounding_box_{kind}", table, rows, frame)
    table = np.zeros(len(inside), dtype=BOX_3D)
    half = np.asarray(objects.size)[inside].T / 2
    table["semanticId"], table["occlusionRatio"] = semantic[inside], view.occluded[inside]
    for axis, reach in zip("xyz", half, strict=True):
        table[f"{axis}_min"], table[f"{axis}_max"] = -reach, reach
    table["transform"] = np.asarray(objects.T_world_box)[inside].transpose(0, 2, 1)
    return out + _box_files("bounding_box_3d", table, inside, frame)


def _box_files(annotator: str, table: np.ndarray, rows: np.ndarray, frame: Frame) -> list[tuple[str, str, Any]]:
    objects = frame.objects
    labels = {str(frame.labels[c]): {"class": c} for c in sorted({objects.class_name[r] for r in rows})}
    paths = [object_path(objects.class_name[r], int(objects.instance[r])) for r in rows]
    return [(annotator, "", table), (annotator, "labels", labels), (annotator, "prim_paths", paths)]


def camera_params(sensor: SensorFrame) -> dict[str, Any]:
    """The ``camera_params`` annotator: USD camera (y up, looking along -z), matrices for row vectors, depth reversed (near 1, far 0).

    A lens is named by ``cameraModel`` and given in OpenCV's terms under ``lensDistortion``; the projection is that of the pinhole behind it. The view
    is that of the first row, ``cameraViewTransformEnd`` that of the last.
    """
    k, (near, far) = sensor.intrinsics, _NEAR_FAR
    view, last = (np.diag([1.0, -1.0, -1.0, 1.0]) @ inverse(T) for T in np.asarray(sensor.T_world_sensor))
    lens = k.distortion and {"fx": k.fx, "fy": k.fy, "cx": k.cx, "cy": k.cy, "coefficients": list(k.distortion.coefficients)}
    right, below = 2 * (k.cx + 0.5) / k.width - 1, 2 * (k.cy + 0.5) / k.height - 1
    projection = np.zeros((4, 4))
    projection[0, 0], projection[0, 2] = 2 * k.fx / k.width, -right
    projection[1, 1], projection[1, 2] = 2 * k.fy / k.height, below
    projection[2, 2], projection[2, 3], projection[3, 2] = near / (far - near), near * far / (far - near), -1.0
    vertical = _APERTURE * k.height / k.width * k.fx / k.fy
    return {
        "cameraModel": _MODELS[k.distortion.model if k.distortion else ""],
        "cameraFocalLength": k.fx * _APERTURE / k.width,
        "cameraAperture": [_APERTURE, vertical],
        "cameraApertureOffset": [-right * _APERTURE / 2, below * vertical / 2],
        "cameraFocusDistance": 0.0,
        "cameraFStop": 0.0,
        "cameraNearFar": [near, far],
        "renderProductResolution": [k.width, k.height],
        "cameraViewTransform": view.T.ravel().tolist(),
        "cameraViewTransformEnd": last.T.ravel().tolist(),
        "cameraProjection": projection.T.ravel().tolist(),
        "metersPerSceneUnit": 1.0,
        **({"lensDistortion": lens} if lens else {}),
        **({"cameraFisheyeMaxFOV": float(np.rad2deg(2 * k.distortion.half_angle))} if k.distortion and k.distortion.fisheye else {}),
    }


def _lidar(frame: Frame, sensor: SensorFrame) -> list[tuple[str, str, Any]]:
    """The point cloud in world space, as the annotator gives it, each point from where the sensor was when it fired, with one file per property, and
    the poses at the sweep's start and end that lead back to the sensor (``geometry.firing.in_sensor``)."""
    points, poses = returns(sensor), np.asarray(sensor.T_world_sensor, np.float64)
    still = np.zeros(len(points["xyz"]), np.int32)
    world = in_world(points["xyz"], points.get("time_offset", still), poses, sensor.t_end - sensor.t_start)
    out: list[tuple[str, str, Any]] = [("pointcloud", "", world.astype(np.float32))]
    out += [("pointcloud", name, points[name]) for name in ("semantic", "instance", "intensity", "ring", "echo", "time_offset") if name in points]
    start, end = (T.T.ravel().tolist() for T in poses)
    return [*out, ("lidar_params", "", {"sensorToWorld": start, "sensorToWorldEnd": end, **_taken(frame, sensor), "model": sensor.model})]
