"""Images with COCO annotations (Lin et al. 2014) and, beside them, a folder of depth images registered to the colour images.

Depth files carry the name of their image: ``.png`` (uint16 counts), ``.npy`` or ``.exr`` (float [m]). 0, 65535 in counts, negative and non-finite
values mean no depth. Pixels without an annotation are of class "unannotated": there is depth on them, so they count.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tailgate.config.load import inside
from tailgate.errors import UserError, Where, nearest
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.reference.boxes import class_ids
from tailgate.reference.files import index_files, read_array, read_image, read_json, read_rgba
from tailgate.reference.intrinsics import FILES, KEYS, given_intrinsics
from tailgate.reference.mosd import pixel_view
from tailgate.reference.reader import Entry

OPTIONS = ("annotations", "images", "depth", "depth_unit", *KEYS)
IMAGE_FOLDERS = ("", "images", "image", "rgb", "color", "colour", "data")
DEPTH_FOLDERS = ("depth", "depths", "depth_images")
DEPTH_SUFFIXES = (".png", ".npy", ".exr")
UNITS = (1.0, 1e-3, 1e-4, 1e-2, 0.0254)
"""Metres per count that depth files come in: m, mm, 0.1 mm, cm, inch."""
PLAUSIBLE = (0.05, 100.0)
"""Median depth [m] that an RGB-D camera can have: none focuses nearer than 5 cm, none reaches 100 m."""
_LOOKED_AT = 3
"""Depth images whose median must be plausible before any is read."""
SENSOR = MODEL = "camera"
UNANNOTATED = "unannotated"


class CocoDepthReader:
    """Reader of a folder with a COCO ``instances`` file, its images and their depth.

    Args:
        root: the folder.
        options: ``annotations`` (file), ``images`` and ``depth`` (folders), all below root and found by their usual names when left out;
            ``depth_unit`` [m per count], needed for .png, also read from ``intrinsics.json``; ``fx``, ``fy``, ``cx``, ``cy`` [px].

    Raises:
        UserError: an unknown option, no annotations or images, depth without a unit or of an implausible one, or no focal length.
    """

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        self.root, self.options = Path(root), dict(options or {})
        for name in sorted(set(self.options) - set(OPTIONS)):
            raise UserError(f"unknown option '{name}'{nearest(name, OPTIONS)}", _option(name))
        self.file = self._annotation_file()
        tree = read_json(self.file)
        self._classes = {c["id"]: str(c["name"]) for c in _rows(tree, "categories", ("id", "name"), self.file)}
        self._images = {Path(i["file_name"]).with_suffix("").as_posix(): i for i in _rows(tree, "images", ("id", "file_name"), self.file)}
        self._annotations: dict[int, list[dict]] = {}
        for row in _rows(tree, "annotations", ("image_id", "category_id", "bbox"), self.file):
            if row["category_id"] not in self._classes:
                raise UserError(f"annotation {row.get('id', '')} must have a known category, got {row['category_id']}", self.file)
            self._annotations.setdefault(row["image_id"], []).append(row)
        self._folder = self._image_folder()
        self._depth = self._depth_files()
        self._unit = self._depth_unit() if self._depth else 1.0
        self.sensors = {SENSOR: MODEL}
        self.notes = self._notes()
        self._check_depth()

    def entries(self) -> list[Entry]:
        """All images; those in one folder are one recording."""
        order = sorted(self._images)
        return [Entry(name, name.rpartition("/")[0] or self.root.name, i) for i, name in enumerate(order)]

    def read(self, name: str) -> Frame:
        """One image as the sensor "camera", its annotations as objects without 3-D boxes; world = camera frame.

        Channels: ``rgb``; with depth ``distance_to_image_plane`` float32 [m] (inf: none) and ``valid``; with masks ``instance_segmentation`` (place
        among the image's annotations, from 1) and ``semantic_segmentation``. A crowd is a surface, not an object.
        """
        if name not in self._images:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, self._images)}", self.root)
        image = self._images[name]
        path = inside(self._folder, str(image["file_name"]), Where(self.file, key="images.file_name"))
        channels = {"rgb": read_rgba(path)}
        shape = channels["rgb"].shape[:2]
        if self._depth:
            channels.update(self._depth_channels(name, shape))
        rows = self._annotations.get(image["id"], [])
        labels = {"background": 0, **class_ids([*self._classes.values(), UNANNOTATED])}
        masked = bool(rows) and all(row.get("segmentation") for row in rows)
        if masked:
            channels.update(self._mask_channels(rows, shape, labels))
        single = [i for i, row in enumerate(rows, start=1) if not row.get("iscrowd")]
        objects = _objects(single, [self._classes[rows[i - 1]["category_id"]] for i in single])
        boxes = np.array([rows[i - 1]["bbox"] for i in single], np.float32).reshape(-1, 4)
        view = pixel_view(channels, objects) if masked else _box_view(boxes)
        T = np.stack([np.eye(4)] * 2)
        sensor = SensorFrame("camera", channels, T, 0, 0, view, self._intrinsics(image, shape), MODEL)
        return Frame(FrameId("coco", 0, sorted(self._images).index(name)), {SENSOR: sensor}, objects, labels)

    def _annotation_file(self) -> Path:
        """The file that the options name, or the only one that looks like it."""
        if "annotations" in self.options:
            return inside(self.root, str(self.options["annotations"]), _option("annotations"))
        found = annotation_files(self.root)
        if len(found) != 1:
            names = ", ".join(str(p.relative_to(self.root)) for p in found) or "none"
            raise UserError(f"must hold one COCO annotation file; found {names}: name it with options.annotations", self.root)
        return found[0]

    def _image_folder(self) -> Path:
        """The folder that the options name, or the first of the usual ones that holds the images."""
        first = next(iter(self._images.values()))["file_name"] if self._images else ""
        if not first:
            raise UserError("lists no images", self.file)
        named = self.options.get("images")
        tried = [inside(self.root, str(named), _option("images"))] if named is not None else [self.root / f for f in IMAGE_FOLDERS]
        found = next((folder for folder in tried if any((folder / str(i["file_name"])).is_file() for i in self._images.values())), None)
        if found is None:
            raise UserError(
                f"must hold the images of {self.file.name} such as {first}, got none of {len(self._images)}", named and tried[0] or self.root
            )
        return found

    def _depth_files(self) -> dict[str, Path]:
        """Depth file of each image; empty where there is no depth folder."""
        named = self.options.get("depth")
        folder = (
            inside(self.root, str(named), _option("depth"))
            if named is not None
            else next((self.root / f for f in DEPTH_FOLDERS if (self.root / f).is_dir()), None)
        )
        if folder is None:
            return {}
        stems = {
            name: [folder / f"{name}{s}" for s in DEPTH_SUFFIXES] + [folder / f"{Path(name).name}{s}" for s in DEPTH_SUFFIXES]
            for name in self._images
        }
        found = {name: path for name, paths in stems.items() if (path := next((p for p in paths if p.is_file()), None))}
        if not found:
            raise UserError(f"must hold depth files named like the images, such as {next(iter(self._images))}.png or .npy, got none", folder)
        return found

    def _depth_unit(self) -> float:
        """Metres per count: from the options, the sidecar, or 1 for float files."""
        unit, where = self.options.get("depth_unit"), _option("depth_unit")
        sidecar = self.root / FILES[0]
        if unit is None and sidecar.is_file():
            unit, where = read_json(sidecar).get("depth_unit"), Where(sidecar, key="depth_unit")
        if unit is None:
            path = next(iter(self._depth.values()))
            if path.suffix == ".png":
                raise UserError(f"must be given for depth in counts [m per count]{_likely(_median([path]))}", _option("depth_unit"))
            return 1.0
        if not isinstance(unit, (int, float)) or isinstance(unit, bool) or not 0 < unit < np.inf:
            raise UserError(f"must be a positive number [m per count], got {unit!r}", where)
        return float(unit)

    def _check_depth(self) -> None:
        """Refuse a unit that puts the scene where no RGB-D camera measures."""
        paths = [self._depth[name] for name in sorted(self._depth)[:_LOOKED_AT]]
        raw = _median(paths) if paths else None
        if raw is not None and not PLAUSIBLE[0] <= raw * self._unit <= PLAUSIBLE[1]:
            median = f"{raw * self._unit:.3g} m with depth_unit {self._unit:g}"
            raise UserError(f"the median depth is {median}, which no RGB-D camera measures{_likely(raw)}", paths[0])

    def _notes(self) -> list[str]:
        notes = []
        if not self._depth:
            notes.append("There is no depth folder: only image statistics and masks are there.")
        elif len(self._depth) < len(self._images):
            notes.append(f"{len(self._images) - len(self._depth)} of {len(self._images)} images have no depth file; reading one is an error.")
        rows = [row for rows in self._annotations.values() for row in rows]
        bare = sum(not row.get("segmentation") for row in rows)
        if bare:
            notes.append(f"{bare} of {len(rows)} annotations have no mask: their images have boxes only.")
        return notes

    def _intrinsics(self, image: dict, shape: tuple[int, int]) -> Intrinsics | None:
        """From options or sidecar, else from the matrix that this project's export stores with each image; images without depth can do without."""
        found = given_intrinsics(self.root, self.options, shape)
        own = image.get("tailgate") or {}
        if found is None and "K" in own:
            (fx, _, cx), (_, fy, cy), _ = np.array(own["K"], dtype=np.float64).reshape(3, 3).tolist()
            numbers = dict(width=shape[1], height=shape[0], fx=fx, fy=fy, cx=cx, cy=cy, distortion=own.get("distortion"))
            found = Intrinsics.from_json(numbers)
        if found is None and self._depth:
            raise UserError(f"must hold {' or '.join(FILES)}, or the options fx, fy, cx, cy must be given: no focal length", self.root)
        return found

    def _depth_channels(self, name: str, shape: tuple[int, int]) -> dict[str, np.ndarray]:
        if name not in self._depth:
            raise UserError(f"the depth file of image '{name}' is missing", next(iter(self._depth.values())).parent)
        raw, held = _read_depth(self._depth[name])
        if raw.shape != shape:
            raise UserError(
                f"depth must be registered to the colour image, {shape[1]} x {shape[0]}, got {raw.shape[1]} x {raw.shape[0]}", self._depth[name]
            )
        depth = np.where(held, raw * self._unit, np.inf).astype(np.float32)
        return {"distance_to_image_plane": depth, "valid": held.astype(np.uint8)}

    def _mask_channels(self, rows: list[dict], shape: tuple[int, int], labels: dict[str, int]) -> dict[str, np.ndarray]:
        """Masks painted from the largest to the smallest, so that what lies on top of another keeps its pixels."""
        instance, semantic = np.zeros(shape, np.uint32), np.full(shape, labels[UNANNOTATED], np.uint32)
        masks = [_mask(row, shape, self.file) for row in rows]
        for i in sorted(range(len(rows)), key=lambda i: (-int(masks[i].sum()), i)):
            semantic[masks[i]] = labels[self._classes[rows[i]["category_id"]]]
            instance[masks[i]] = 0 if rows[i].get("iscrowd") else i + 1
        return {"instance_segmentation": instance, "semantic_segmentation": semantic}


def annotation_files(root: Path) -> list[Path]:
    """JSON files in the folder, or in its ``annotations``, that hold the lists of COCO annotations."""
    return [path for path in (*index_files(root), *index_files(root / "annotations")) if _is_annotations(path)]


def _is_annotations(path: Path) -> bool:
    try:
        tree = read_json(path)
    except UserError:
        return False
    return all(isinstance(tree.get(key), list) for key in ("images", "annotations", "categories"))


def _rows(tree: dict, key: str, needed: tuple[str, ...], path: Path) -> list[dict]:
    """A list of objects of the document, each with the keys needed."""
    rows = tree.get(key)
    if not isinstance(rows, list):
        raise UserError(f"must hold the list '{key}' of COCO annotations", path)
    for i, row in enumerate(rows):
        lacking = [k for k in needed if not isinstance(row, dict) or k not in row]
        if lacking:
            raise UserError(f"must have '{lacking[0]}'", Where(path, key=f"{key}[{i}]"))
    return rows


def _mask(row: dict, shape: tuple[int, int], path: Path) -> np.ndarray:
    """Mask of one annotation, bool [H, W], from polygons or run lengths."""
    from pycocotools import mask as run_lengths

    code = row["segmentation"]
    try:
        if isinstance(code, list):
            code = run_lengths.merge(run_lengths.frPyObjects(code, *shape))
        elif isinstance(code["counts"], list):
            code = run_lengths.frPyObjects(code, *shape)
        mask = run_lengths.decode(code).astype(bool)
    except Exception as error:
        raise UserError(f"annotation {row.get('id', '')} must hold polygons or run lengths: {type(error).__name__}", path) from None
    if mask.shape != shape:
        raise UserError(f"the mask of annotation {row.get('id', '')} must have the size of its image, {shape}, got {mask.shape}", path)
    return mask


def _read_depth(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Stored depth float64 [H, W] and where there is one, bool [H, W]."""
    raw = read_array(path) if path.suffix == ".npy" else read_image(path)
    if raw.ndim != 2 or raw.dtype == np.uint8:
        raise UserError(f"depth must be one channel of 16-bit counts or floats, got {raw.shape} {raw.dtype}", path)
    held = np.isfinite(raw) & (raw > 0)
    if raw.dtype == np.uint16:
        held &= raw < 65535
    return raw.astype(np.float64), held


def _median(paths: list[Path]) -> float | None:
    """Median of the stored depth where there is one."""
    values = [raw[held] for raw, held in map(_read_depth, paths)]
    values = np.concatenate(values)
    return float(np.median(values)) if len(values) else None


def _likely(raw: float | None) -> str:
    """The first usual unit that makes a stored median 0.2 to 20 m, in words."""
    unit = next((u for u in UNITS if raw is not None and 0.2 <= raw * u <= 20), None)
    return "" if unit is None else f"; depth_unit: {unit:g} would make the median {raw * unit:.3g} m"


def _objects(instance: list[int], class_name: list[str]) -> Objects:
    n = len(instance)
    return Objects(np.array(instance, np.int32), class_name, np.full((n, 4, 4), np.nan), np.full((n, 3), np.nan), [""] * n)


def _box_view(xywh: np.ndarray) -> ObjectView:
    """What boxes alone tell: x, y, width, height [px], [N, 4]."""
    box = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:] - 1], axis=1)
    pixels, unknown = np.rint(xywh[:, 2] * xywh[:, 3]).astype(np.int32), np.full(len(xywh), np.nan, np.float32)
    return ObjectView(box, box.copy(), pixels, pixels.copy(), unknown, unknown.copy(), unknown.copy())


def _option(name: str) -> Where:
    return Where(key=f"reference.options.{name}")
