"""Folders that Omniverse Replicator's BasicWriter writes, and this project's own export in that layout.

One render product: ``<annotator>_<number>.<ext>`` in one folder. Several: ``<product>/<annotator>/…``, or ``<annotator>/<product>_…`` with a common
output folder. ``<number>`` may carry trigger counts (``3_0000``). Sub-folders that hold such files are recordings of their own.

Replicator's depth is exact. It is judged as the measurement it stands for: ``valid`` = finite and > 0. Geometry without a label is a surface of
class "unlabelled"; background is where nothing was hit. Its ``pointcloud`` is made from the depth image and is no LiDAR; only
clouds with ``lidar_params`` beside them (this project's export) are scans, their grid recovered from ring and azimuth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tailgate.config.rig import load_sensor
from tailgate.errors import UserError, Where, nearest
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, SensorFrame
from tailgate.geometry.firing import in_sensor
from tailgate.reference.boxes import class_ids, lidar_view
from tailgate.reference.files import read_array, read_json, read_rgba
from tailgate.reference.intrinsics import KEYS, given_intrinsics
from tailgate.reference.labelmap import lookup
from tailgate.reference.organise import organise, place, recover_grid
from tailgate.reference.prims import DEPTHS, MODEL, Files, Prims, Shot, depth_in_metres, in_metres
from tailgate.reference.reader import Entry
from tailgate.reference.replicator import Camera, read_camera, read_mask, surface_of

ANNOTATORS = (
    "rgb", *DEPTHS, "semantic_segmentation", "instance_segmentation", "bounding_box_2d_tight", "bounding_box_2d_loose", "bounding_box_3d",
    "camera_params", "pointcloud", "lidar_params",
)  # fmt: skip
PARTS = ("labels", "prim_paths", "mapping", "semantics_mapping", "semantic", "instance", "intensity", "ring", "echo", "time_offset")
OPTIONS = (*KEYS, "meters_per_unit", "up_axis")
_NAME = re.compile(rf"^(?:(.+)_)?({'|'.join(ANNOTATORS)})(?:_({'|'.join(PARTS)}))?_((?:\d+_)*\d+)\.(?:png|jpe?g|npy|json)$")
_T_Z_UP = {"z": np.eye(4), "y": np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])}
"""World of a stage with this up axis -> world with z up."""


class BasicWriterReader:
    """Reader of one BasicWriter output folder, or of a folder of such folders.

    Args:
        root: the folder.
        options: ``fx``, ``fy``, ``cx``, ``cy`` [px] and ``meters_per_unit`` where camera_params were not written; ``up_axis`` of the stage,
            "z" (default) or "y".

    Raises:
        UserError: an unknown option, no frame, a missing or damaged file, or a camera without intrinsics.
    """

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        self.root, self.options = Path(root), dict(options or {})
        for name in sorted(set(self.options) - set(OPTIONS)):
            raise UserError(f"unknown option '{name}'{nearest(name, OPTIONS)}", Where(key=f"reference.options.{name}"))
        if self.options.get("up_axis", "z") not in _T_Z_UP:
            raise UserError(f"must be 'z' or 'y', got {self.options['up_axis']!r}", Where(key="reference.options.up_axis"))
        found = _index(self.root)
        kinds = {p: kind for products in found.values() for p, files in products.items() if (kind := _kind(files))}
        if not kinds:
            raise UserError("must hold BasicWriter output such as rgb_0000.png or distance_to_image_plane_0000.npy, got none", self.root)
        self._frames = {name: {p: f for p, f in products.items() if p in kinds} for name, products in found.items()}
        self._frames = {name: products for name, products in sorted(self._frames.items(), key=lambda item: _in_order(item[0])) if products}
        self._expected: dict[str, dict[tuple[str, str], Path]] = {}
        for name, products in self._frames.items():
            held = {(product, annotator): next(iter(parts.values())) for product, files in products.items() for annotator, parts in files.items()}
            self._expected[_recording(name)] = {**held, **self._expected.get(_recording(name), {})}
        self.sensors = {product: self._model(product) for product in sorted(kinds)}
        self.notes = list(_notes(found, kinds))

    def entries(self) -> list[Entry]:
        """All frames. One output folder is one recording: nothing in it tells whether its frames were drawn independently."""
        order = {name: i for i, name in enumerate(self._frames)}
        return [Entry(name, _recording(name) or self.root.name, i) for name, i in order.items()]

    def read(self, name: str) -> Frame:
        """One frame with every render product as a camera, named after it ("camera" where there is one), and this project's LiDARs.

        Cameras: ``rgb``, ``distance_to_image_plane``, ``distance_to_camera`` [m], ``valid``, ``semantic_segmentation``,
        ``instance_segmentation``, each where its files are. Objects are the labelled prims; without 3-D boxes pose and size are NaN.
        """
        if name not in self._frames:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, self._frames)}", self.root)
        self._check_complete(name)
        products, prims = self._frames[name], Prims()
        cameras = {p: self._camera(files) for p, files in products.items() if _kind(files) == "camera"}
        for product in cameras:
            prims.add(product, products[product])
        unit = self._unit(next(iter(cameras.values()), None))
        objects = prims.objects(unit, self._T_up)
        semantic = {p: _semantic(products[p].get("semantic_segmentation", {})) for p in cameras}
        labels = class_ids([*objects.class_name, *(c for _, names in semantic.values() for c in names.values())])
        sensors = {}
        for product, files in products.items():
            if product not in cameras:
                sensors[product] = _scan(files, objects, labels)
                continue
            channels, masks = _images(files, unit), [m for m in (semantic[product][0], prims.masks.get(product)) if m is not None]
            intrinsics = self._intrinsics([*channels.values(), *masks], cameras[product])
            poses = self._poses(cameras[product], unit)
            seen = prims.sensor(product, Shot(channels, *semantic[product], intrinsics, poses[0]), objects, labels)
            start, end = cameras[product].times if cameras[product] else (0, 0)
            sensors[product] = replace(seen, T_world_sensor=poses, t_start=start, t_end=end)
        return Frame(FrameId(MODEL, 0, list(self._frames).index(name)), sensors, objects, {"background": 0, **labels})

    def _model(self, product: str) -> str:
        files = next(f[product] for f in self._frames.values() if product in f)
        return str(read_json(files["lidar_params"][""]).get("model", MODEL)) if _kind(files) == "lidar" else MODEL

    def _check_complete(self, name: str) -> None:
        """Refuse a frame that lacks a file which other frames of its recording have: the writer was stopped, or files were lost. In data of our own a
        sensor may miss a frame altogether: it dropped it."""
        about = self.root / _recording(name) / "metadata.txt"
        ours = about.is_file() and '"tailgate"' in about.read_text(errors="replace")
        for (product, annotator), path in self._expected[_recording(name)].items():
            if annotator not in self._frames[name].get(product, {}) and not (ours and product not in self._frames[name]):
                raise UserError(f"frame {name} must have what {path.name} is to its frame, got no '{annotator}'", path.parent)

    def _camera(self, files: Files) -> Camera | None:
        return read_camera(files["camera_params"][""]) if "camera_params" in files else None

    def _unit(self, camera: Camera | None) -> float:
        """Metres per unit of the files."""
        unit = self.options.get("meters_per_unit", camera.unit if camera else 1.0)
        if not isinstance(unit, (int, float)) or not 0 < unit < np.inf:
            raise UserError(f"must be a positive number, got {unit!r}", Where(key="reference.options.meters_per_unit"))
        return float(unit)

    @property
    def _T_up(self) -> np.ndarray:
        return _T_Z_UP[str(self.options.get("up_axis", "z"))]

    def _poses(self, camera: Camera | None, unit: float) -> np.ndarray:
        """Poses of the optical frame at the first and the last row [m], [2, 4, 4]; without camera_params the world is the camera's frame."""
        held = (camera.T_world_camera, camera.T_world_last) if camera else ()
        return np.stack([self._T_up @ in_metres(T, unit) for T in held] or [np.eye(4)] * 2)

    def _intrinsics(self, images: list[np.ndarray], camera: Camera | None) -> Intrinsics:
        shapes = [image.shape[:2] for image in images]
        shape = shapes[0]
        if len(set(shapes)) > 1:
            raise UserError(f"images of one frame must have one size, got {', '.join(f'{w} x {h}' for h, w in sorted(set(shapes)))}", self.root)
        found = camera.intrinsics if camera else given_intrinsics(self.root, self.options, shape)
        if found is None:
            raise UserError("must hold camera_params, or intrinsics.json, or the options fx, fy, cx, cy must be given: no focal length", self.root)
        if (found.height, found.width) != shape:
            raise UserError(f"images must be {found.width} x {found.height} as camera_params says, got {shape[1]} x {shape[0]}", self.root)
        return found


def _index(root: Path) -> dict[str, dict[str, Files]]:
    """Frame name -> product -> files, of everything below the folder that is named as BasicWriter names it."""
    found: dict[str, dict[str, Files]] = {}
    for path in sorted(root.rglob("*")):
        matched = _NAME.match(path.name)
        folders = list(path.relative_to(root).parts[:-1])
        if not matched or (matched[1] and folders[-1:] != [matched[2]]) or (path.suffix == ".png" and matched[2] in DEPTHS):
            continue
        prefix, annotator, part, number = matched.groups()
        product = prefix or ""
        if folders[-1:] == [annotator]:
            folders.pop()
            product = prefix or (folders.pop() if folders else "")
        name = "/".join([*folders, number])
        product = product or ("lidar" if annotator == "lidar_params" or (annotator == "pointcloud" and _is_scan(path.parent, number)) else "camera")
        found.setdefault(name, {}).setdefault(product, {}).setdefault(annotator, {})[part or ""] = path
    return found


def holds_frames(root: Path) -> bool:
    """Whether a folder holds files as BasicWriter names them."""
    return any(_kind(files) for products in _index(root).values() for files in products.values())


def _recording(name: str) -> str:
    return name.rpartition("/")[0]


def _in_order(name: str) -> tuple[str, list[int]]:
    """Recording, then trigger counts and frame number."""
    return _recording(name), [int(n) for n in name.rpartition("/")[2].split("_")]


def _is_scan(folder: Path, number: str) -> bool:
    return (folder / f"lidar_params_{number}.json").is_file()


def _kind(files: Files) -> str:
    """ "camera", "lidar" or "" for files that make no sensor."""
    own = {annotator for annotator, parts in files.items() if "" in parts}
    if own & {"rgb", *DEPTHS}:
        return "camera"
    return "lidar" if {"lidar_params", "pointcloud"} <= own else ""


def _notes(found: dict[str, dict[str, Files]], kinds: dict[str, str]) -> Iterator[str]:
    every = [files for products in found.values() for p, files in products.items() if kinds.get(p)]
    cameras = [files for files in every if _kind(files) == "camera"]
    blind = sum(not any(d in files for d in DEPTHS) for files in cameras)
    if blind:
        yield f"{blind} of {len(cameras)} Replicator images have no depth: only image statistics and masks are there."
    if cameras and blind < len(cameras):
        yield "Replicator's depth counts as measured wherever it is finite and positive."
    if any("pointcloud" in files and "lidar_params" not in files for files in cameras):
        yield "Replicator's point clouds are made from its depth images and are not read as LiDAR."
    if any(_kind(files) == "lidar" for files in every):
        yield "LiDAR clouds hold points alone: their columns were recovered from azimuth."


def _images(files: Files, unit: float) -> dict[str, np.ndarray]:
    """Colour and depth as stored, depth in metres, inf where nothing."""
    channels = {"rgb": read_rgba(files["rgb"][""])} if "rgb" in files else {}
    for name in DEPTHS:
        if name in files:
            depth = read_array(files[name][""])
            if depth.ndim != 2 or depth.dtype.kind != "f":
                raise UserError(f"must hold a float image (height, width), got {depth.shape} {depth.dtype}", files[name][""])
            channels[name] = depth_in_metres(depth, unit)
    return channels


def _semantic(parts: dict[str, Path]) -> tuple[np.ndarray | None, dict[int, str]]:
    """Codes of the semantic mask and the class of each labelled code."""
    if "" not in parts:
        return None, {}
    if "labels" not in parts:
        raise UserError("the file of labels of this segmentation is missing", parts[""])
    codes, labels = read_mask(parts[""], parts["labels"])
    return codes, {code: surface_of(label) for code, label in labels.items() if surface_of(label)}


def _scan(files: Files, objects: Objects, labels: dict[str, int]) -> SensorFrame:
    """One LiDAR sweep of this project's export: the world points back in the sensor's frame, on a recovered grid."""
    file = files["lidar_params"][""]
    params, world = read_json(file), read_array(files["pointcloud"][""])
    part = {name: read_array(files["pointcloud"][name]) for name in ("intensity", "ring", "instance", "time_offset") if name in files["pointcloud"]}
    T = np.array(params.get("sensorToWorld", []), dtype=np.float64)
    if T.size != 16 or "ring" not in part or any(len(v) != len(world) for v in part.values()):
        raise UserError("must hold 'sensorToWorld' (16 numbers), with a ring and one value per point in every file beside it", file)
    end = np.array(params.get("sensorToWorldEnd", T), dtype=np.float64)
    if end.size != 16:
        raise UserError("must hold 16 numbers", Where(file, key="sensorToWorldEnd"))
    poses, model = np.stack([T.reshape(4, 4).T, end.reshape(4, 4).T]), str(params.get("model", MODEL))
    start, stop = (int(params.get(k, 0)) for k in ("t_start_ns", "t_end_ns"))
    xyz = in_sensor(world.astype(np.float64), part.get("time_offset", np.zeros(len(world))), poses, stop - start)
    order = np.lexsort((np.round(np.arctan2(xyz[:, 1], xyz[:, 0]) % (2 * np.pi), 5), part["ring"]))
    xyz, part = xyz[order], {name: values[order] for name, values in part.items()}
    azimuth = np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    grid = recover_grid(part["ring"], azimuth, np.hypot(xyz[:, 0], xyz[:, 1]))
    beams = _beams(model, part["ring"])
    channels = organise(xyz, part.get("intensity", np.zeros(len(xyz), np.float32)), part["ring"], grid, beams)
    if "time_offset" in part:
        channels["time_offset"] = place(grid, beams, part["time_offset"].astype(np.int32))
    instance = place(grid, beams, part.get("instance", np.zeros(len(xyz), np.uint32)))
    channels["instance"] = instance.astype(np.uint32)
    channels["semantic"] = lookup(instance, {int(i): labels[c] for i, c in zip(objects.instance, objects.class_name, strict=True)})
    visible = np.array([(instance == i).sum() for i in objects.instance], np.int32)
    view = lidar_view(visible, visible.copy(), np.linalg.norm(objects.T_world_box[:, :3, 3] - poses[0, :3, 3], axis=1))
    view = replace(view, occluded=np.full(len(visible), np.nan, np.float32))
    return SensorFrame("lidar", channels, poses, start, stop, view, None, model)


def _beams(model: str, ring: np.ndarray) -> int:
    """Beams of a known sensor model, else as many as the scan shows."""
    seen = int(ring.max()) + 1 if len(ring) else 1
    try:
        known = load_sensor(model)[0] if model.isidentifier() else None
    except UserError:
        return seen
    return max(seen, len(known.elevation_deg)) if known is not None and known.type == "lidar" else seen
