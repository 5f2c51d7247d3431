"""RGB-D recordings of structured-light cameras: the modified Object Segmentation Database and folders in the layout of 7-Scenes.

mOSD (TU Wien; organised clouds of the Point Cloud Library's data repository): ``<scene>_depth.png`` uint16 [0.1 mm], ``<scene>_rgb.png``,
``<scene>_label.png`` uint8 (0 nothing, 1-9 table, else object = label // 10, part = label % 10). Floor and walls were cropped by the authors:
outside the labels a missing depth says nothing. 7-Scenes (Shotton et al. 2013): ``frame-*.depth.png`` uint16 [mm] (0 or 65535: none),
``frame-*.color.*``, ``camera-intrinsics.txt``; no labels, one recording.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, nearest
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.reference.files import read_image, read_rgba
from tailgate.reference.intrinsics import read_matrix
from tailgate.reference.reader import Entry

MOSD_INTRINSICS = Intrinsics(640, 480, 525.0, 525.0, 319.5, 239.5)
LABELS = {"table": 1, "object": 2}
SENSOR = "kinect"
MODEL = "kinect_v1"
_TICK_NS = 33_333_333
"""Frame period of the camera [ns]."""


class MosdReader:
    """Reader of a folder of labelled table-top scenes (each its own recording) or of one 7-Scenes sequence.

    Args:
        root: the folder.
        options: none are known.

    Raises:
        UserError: an option, a folder without frames, a missing or damaged file.
    """

    def __init__(self, root: Path, options: dict[str, object]):
        if options:
            raise UserError(f"reference.options must be empty for RGB-D folders, got '{sorted(options)[0]}'")
        self.root = Path(root)
        self.sensors = {SENSOR: MODEL}
        self.labelled = sorted((p.name.removesuffix("_depth.png") for p in self.root.glob("*_depth.png")), key=_natural)
        self.sequence = sorted(p.name.removesuffix(".depth.png") for p in self.root.glob("frame-*.depth.png"))
        if not self.labelled and not self.sequence:
            raise UserError("must hold RGB-D frames, '<scene>_depth.png' or 'frame-*.depth.png', got none", self.root)
        if self.labelled:
            self.notes = ["Depth outside the labelled table and objects was cropped by the authors; holes count inside the labelled region only."]
        else:
            self.notes = ["The frames have no labels: every pixel counts as labelled, and single frames of one recording are not independent."]

    def entries(self) -> list[Entry]:
        """All frames: one recording a labelled scene, one recording for a sequence."""
        if self.labelled:
            return [Entry(name, name, 0) for name in self.labelled]
        return [Entry(name, self.root.name, int(re.sub(r"\D", "", name) or 0) * _TICK_NS) for name in self.sequence]

    def read(self, name: str) -> Frame:
        """One frame with the sensor "kinect".

        Channels: ``rgb`` uint8 [H, W, 4], ``distance_to_image_plane`` float32 [m] (inf: none), ``valid`` uint8 [H, W]; labelled scenes also have
        ``semantic_segmentation`` (1 table, 2 object) and ``instance_segmentation`` (object number of the source; 0 off objects), uint32 [H, W].
        The camera's pose is not known: world = camera frame.
        """
        if name in self.labelled:
            channels, intrinsics = self._read_labelled(name), MOSD_INTRINSICS
        elif name in self.sequence:
            channels = self._read_sequence(name)
            intrinsics = self._sequence_intrinsics(channels["rgb"].shape)
        else:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, [*self.labelled, *self.sequence])}")
        objects = pixel_objects(channels, LABELS)
        index = int(re.sub(r"\D", "", name) or 0)
        T = np.broadcast_to(np.eye(4), (2, 4, 4)).copy()
        sensor = SensorFrame("camera", channels, T, 0, 0, pixel_view(channels, objects), intrinsics, MODEL)
        return Frame(FrameId("real", 0, index), {SENSOR: sensor}, objects, LABELS if self.labelled else {})

    def _read_labelled(self, name: str) -> dict[str, np.ndarray]:
        depth = _grey(self.root / f"{name}_depth.png")
        label = _grey(self.root / f"{name}_label.png")
        rgb = read_rgba(self.root / f"{name}_rgb.png")
        shapes = [image.shape[:2] for image in (depth, label, rgb)]
        if set(shapes) != {(MOSD_INTRINSICS.height, MOSD_INTRINSICS.width)}:
            raise UserError(f"depth, label and colour must be 480 x 640, got {shapes}", self.root / f"{name}_depth.png")
        part = label.astype(np.uint32)
        semantic = np.where(part == 0, 0, np.where(part < 10, LABELS["table"], LABELS["object"])).astype(np.uint32)
        labels = {"semantic_segmentation": semantic, "instance_segmentation": part // 10}
        return {**_depth_channels(depth, 1e-4, (0,)), "rgb": rgb, **labels}

    def _read_sequence(self, name: str) -> dict[str, np.ndarray]:
        depth = _grey(self.root / f"{name}.depth.png")
        colour = sorted(self.root.glob(f"{name}.color.*"))
        if not colour:
            raise UserError("the colour image of a depth frame is missing", self.root / f"{name}.color.jpg")
        rgb = read_rgba(colour[0])
        if rgb.shape[:2] != depth.shape:
            raise UserError(f"must have the size of its colour image, {rgb.shape[:2]}, got {depth.shape}", self.root / f"{name}.depth.png")
        return {**_depth_channels(depth, 1e-3, (0, 65535)), "rgb": rgb}

    def _sequence_intrinsics(self, shape: tuple[int, ...]) -> Intrinsics:
        return Intrinsics(shape[1], shape[0], **read_matrix(self.root / "camera-intrinsics.txt"))


def _grey(path: Path) -> np.ndarray:
    image = read_image(path)
    if image.ndim != 2:
        raise UserError(f"must be an image of one channel, got {image.shape[2]}", path)
    return image


def _natural(name: str) -> tuple[str, int]:
    """learn2 before learn10."""
    digits = re.search(r"(\d+)$", name)
    return (name[: digits.start()], int(digits.group())) if digits else (name, -1)


def _depth_channels(raw: np.ndarray, unit: float, invalid: tuple[int, ...]) -> dict[str, np.ndarray]:
    valid = ~np.isin(raw, invalid)
    depth = np.where(valid, raw * unit, np.inf).astype(np.float32)
    return {"distance_to_image_plane": depth, "valid": valid.astype(np.uint8)}


def pixel_objects(channels: dict[str, np.ndarray], labels: dict[str, int]) -> Objects:
    """The objects of ``instance_segmentation``, each of the class most of its pixels have; the source gives no 3-D boxes: pose and size are NaN."""
    instance = channels.get("instance_segmentation", np.zeros((1, 1), np.uint32))
    ids = np.unique(instance)
    ids = ids[ids > 0].astype(np.int32)
    names = {i: name for name, i in labels.items()}
    classes = [np.bincount(channels["semantic_segmentation"][instance == i].astype(np.int64)).argmax() for i in ids]
    n = len(ids)
    return Objects(ids, [names.get(int(c), "object") for c in classes], np.full((n, 4, 4), np.nan), np.full((n, 3), np.nan), [""] * n)


def pixel_view(channels: dict[str, np.ndarray], objects: Objects) -> ObjectView:
    """What the labels tell of each object; what was hidden is not known, so occlusion and truncation are NaN."""
    n = len(objects)
    box, visible, distance = np.full((n, 4), -1, np.float32), np.zeros(n, np.int32), np.full(n, np.nan, np.float32)
    depth = channels.get("distance_to_image_plane")
    for i, instance in enumerate(objects.instance):
        y, x = np.nonzero(channels["instance_segmentation"] == instance)
        if len(x):
            box[i], visible[i] = (x.min(), y.min(), x.max(), y.max()), len(x)
            distance[i] = np.nan if depth is None else np.median(depth[y, x])
    unknown = np.full(n, np.nan, np.float32)
    return ObjectView(box, box.copy(), visible, visible.copy(), unknown, unknown.copy(), distance)
