"""SemanticKITTI (Behley et al. 2019): sweeps of a spinning LiDAR with a class and an instance per point.

``sequences/NN/velodyne/*.bin``: float32 x, y, z [m] and remission 0..1 in firing-table order (ring after ring from the top, each by rising
azimuth). ``labels/*.label``: uint32 per point, class in the lower 16 bits, instance in the upper. Class names come from a
``semantic-kitti.yaml`` beside ``sequences`` where there is one, else they are the dataset's own. There are no boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from tailgate.config.load import Source
from tailgate.errors import UserError, Where, nearest, unknown
from tailgate.frames import Frame, FrameId, Objects, ObjectView, SensorFrame
from tailgate.reference.boxes import lidar_view, objects_of
from tailgate.reference.kitti import SWEEP_NS, VELODYNE_HEIGHT
from tailgate.reference.organise import rings_from_order
from tailgate.reference.points import Placing, Returns, beams_of_model, lidar_frame_sensor, read_records, rings_of_table, sweep_channels
from tailgate.reference.reader import Entry

NAMES_FILE = "semantic-kitti.yaml"
_NEARLY_ALL = 0.9
"""Rings that a sweep of the device holds at least, as a share of its beams; with fewer it is another device's."""
MOST_RINGS, _FALLING = 256, 0.75
"""Rings a device can have, and the share of them that must lie below the one before: half of them do in a shuffled file."""
CLASSES = {
    0: "unlabeled",
    1: "outlier",
    10: "car",
    11: "bicycle",
    13: "bus",
    15: "motorcycle",
    16: "on-rails",
    18: "truck",
    20: "other-vehicle",
    30: "person",
    31: "bicyclist",
    32: "motorcyclist",
    40: "road",
    44: "parking",
    48: "sidewalk",
    49: "other-ground",
    50: "building",
    51: "fence",
    52: "other-structure",
    60: "lane-marking",
    70: "vegetation",
    71: "trunk",
    72: "terrain",
    80: "pole",
    81: "traffic-sign",
    99: "other-object",
    252: "moving-car",
    253: "moving-bicyclist",
    254: "moving-person",
    255: "moving-motorcyclist",
    256: "moving-on-rails",
    257: "moving-bus",
    258: "moving-truck",
    259: "moving-other-vehicle",
}
"""Class number -> name, as the dataset defines them."""
_OPTIONS = ("model", "height")


class SemanticKittiReader:
    """Reader of ``<root>/sequences/NN``, or of one sequence folder. A sequence is a recording; where ``frames.txt`` names clips, each clip is.

    Options:
        model: the device; "hdl64e" unless given.
        height: of the LiDAR above the road [m]; that of KITTI unless given.
    """

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        options = dict(options or {})
        for key in sorted(set(options) - set(_OPTIONS)):
            raise unknown("option", key, _OPTIONS, Where(key=f"reference.options.{key}"))
        self.root = Path(root)
        self._height = _number(options.get("height", VELODYNE_HEIGHT), Where(key="reference.options.height"))
        self._model = str(options.get("model", "hdl64e"))
        folders = [self.root] if (self.root / "velodyne").is_dir() else sorted(p.parent for p in self.root.glob("sequences/*/velodyne"))
        self._files = {f"{folder.name}/{p.stem}": p for folder in folders for p in sorted((folder / "velodyne").glob("*.bin"))}
        if not self._files:
            raise UserError("must hold sequences/<NN>/velodyne/*.bin, got no such file", self.root)
        self._names = _class_names(self.root / NAMES_FILE)
        self._clips = {folder.name: _clips(folder) for folder in folders}
        self.sensors = {"lidar": self._model}
        first = next(iter(self._files))
        self.notes = [
            f"No ring is stored: rings and columns were recovered from the point order; {self._channels(first)[1].sentence(first)}",
            "There are no boxes: classes and instances are those of the points.",
        ]

    def entries(self) -> list[Entry]:
        """All sweeps in (recording, frame) order."""
        found = []
        for name, path in self._files.items():
            sequence, clips = path.parents[1].name, self._clips[path.parents[1].name]
            frame = int(path.stem) if path.stem.isdigit() else 0
            clip = f"{sequence}/{clips[frame].rpartition('-t')[0]}" if frame < len(clips) else sequence
            found.append(Entry(name, clip, frame * SWEEP_NS))
        return sorted(found, key=lambda e: (e.recording, e.time_ns, e.name))

    def read(self, name: str) -> Frame:
        """One sweep. Channels ``semantic`` and ``instance`` hold the dataset's numbers where it is labelled. World: the road below the LiDAR."""
        if name not in self._files:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, self._files)}")
        sensor = lidar_frame_sensor(self._channels(name)[0], self._model, self._height, SWEEP_NS)
        labels = {"background": 0, **{word: i for i, word in self._names.items() if i}}
        address = FrameId("semantickitti", 0, list(self._files).index(name))
        objects, view = labelled_objects(sensor, self._names)
        return Frame(address, {"lidar": replace(sensor, view=view)}, objects, labels)

    def _channels(self, name: str) -> tuple[dict[str, np.ndarray], Placing]:
        path = self._files[name]
        raw = read_points(path)
        xyz = raw[:, :3].astype(np.float64)
        ring = rings_from_order(np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0)
        if not _from_the_top(ring, xyz):
            raise UserError("must hold its points in firing-table order: ring after ring from the top, each by rising azimuth", path)
        beams = beams_of_model(self._model)
        if isinstance(beams, np.ndarray) and _NEARLY_ALL * len(beams) <= ring.max() + 1 < len(beams):
            elevation = np.rad2deg(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1])))
            ring, beams = rings_of_table(ring, elevation, np.sort(beams)[::-1]), len(beams)
        else:
            beams = None
        return sweep_channels(Returns(xyz, raw[:, 3], ring, self._labels(path, len(raw))), beams, path, ordered=True)

    def _labels(self, path: Path, count: int) -> dict[str, np.ndarray]:
        file = path.parents[1] / "labels" / f"{path.stem}.label"
        if not file.parent.is_dir():
            return {}
        packed = read_labels(file, count)
        semantic = packed & np.uint32(0xFFFF)
        strange = sorted(set(np.unique(semantic).tolist()) - set(self._names))
        if strange:
            raise UserError(f"holds the class number {strange[0]}, which {NAMES_FILE} does not name", file)
        return {"semantic": semantic, "instance": packed >> np.uint32(16)}


def labelled_objects(sensor: SensorFrame, names: Mapping[int, str]) -> tuple[Objects, ObjectView]:
    """The instances of a labelled scan as objects without boxes (pose and size NaN), and how many returns each has; what is hidden is not known.

    The class of an instance is that of most of its returns, its track its class and number, which hold over a sequence.
    """
    hit = np.asarray(sensor.channel("range")) > 0
    instance, semantic = (np.asarray(sensor.channels.get(c, np.zeros(hit.shape)))[hit].astype(np.int64) for c in ("instance", "semantic"))
    ids, row, visible = np.unique(instance, return_inverse=True, return_counts=True)
    distance = np.asarray(sensor.channel("range"))[hit]
    kept = [k for k, i in enumerate(ids) if i > 0]
    classes = [names[int(np.bincount(semantic[row == k]).argmax())] for k in kept]
    seen = visible[kept].astype(np.int32)
    tracks = [f"{c} {ids[k]}" for c, k in zip(classes, kept, strict=True)]
    found = objects_of(classes, np.full((len(kept), 4, 4), np.nan), np.full((len(kept), 3), np.nan), tracks)
    found.instance = ids[kept].astype(np.int32)
    return found, lidar_view(seen, seen, np.array([np.median(distance[row == k]) for k in kept]))


def read_points(path: Path) -> np.ndarray:
    """x, y, z [m], remission 0..1, float32 [n, 4]; UserError for a damaged file."""
    points = read_records(path, "x, y, z, remission")
    if not np.isfinite(points).all() or np.abs(points[:, :3]).max() > 1000 or points[:, 3].min() < 0 or points[:, 3].max() > 1:
        raise UserError("must hold finite points in metres and remission in 0..1: this is not a SemanticKITTI sweep", path)
    return points


def read_labels(path: Path, count: int) -> np.ndarray:
    """Packed labels, uint32 [count]; UserError for a missing or damaged file."""
    if not path.is_file():
        raise UserError("file not found: every sweep of a labelled sequence must have its labels", path)
    packed = np.fromfile(path, dtype="<u4") if path.stat().st_size == 4 * count else None
    if packed is None:
        raise UserError(f"must hold one uint32 per point of its sweep ({4 * count} bytes), got {path.stat().st_size} bytes", path)
    return packed


def _from_the_top(ring: np.ndarray, xyz: np.ndarray) -> bool:
    """Whether rings found from the point order are those of a device: not too many, and nearly each lower than the one before."""
    rings = int(ring.max()) + 1
    if rings > MOST_RINGS:
        return False
    slope = xyz[:, 2] / np.maximum(np.hypot(xyz[:, 0], xyz[:, 1]), 1e-9)
    falls = np.diff([np.median(slope[ring == k]) for k in range(rings)]) < 0
    return bool(rings == 1 or falls.mean() >= _FALLING)


def _class_names(path: Path) -> dict[int, str]:
    """Class number -> name, from the file if it is there."""
    if not path.is_file():
        return CLASSES
    source = Source(path)
    names = source.data.get("labels")
    if not isinstance(names, dict) or not all(k.isdigit() and isinstance(v, str) for k, v in names.items()):
        raise UserError("labels must map class numbers to names", source.at("labels"))
    return {0: "unlabeled"} | {int(k): v for k, v in names.items()}


def _clips(folder: Path) -> list[str]:
    """Names of the frames where the sequence strings clips together, else none."""
    path = folder / "frames.txt"
    return path.read_text(encoding="utf-8", errors="replace").split() if path.is_file() else []


def _number(value: object, where: Where) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise UserError(f"must be a number, got {value!r}", where) from None
