"""nuScenes (Caesar et al. 2020): HDL-32E key sweeps with boxes, from the dataset's tables or from an info file of mmdetection3d.

A ``.pcd.bin`` holds float32 x, y, z [m], intensity 0..255 and ring 0..31 (lowest first), all 32 lasers of a firing one after the other, so
ring and column are exact. The LiDAR's own frame has x to the right; here x is forward. The points were moved to where the vehicle was at the end
of the sweep; a laser without a return keeps a filler where the sensor was. Cameras are not read: they have no depth to measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, Where, nearest, unknown
from tailgate.frames import Frame, FrameId, Objects, SensorFrame
from tailgate.reference.boxes import label_returns, objects_of, quaternion_matrix
from tailgate.reference.files import read_json
from tailgate.reference.organise import Grid, align_rings
from tailgate.reference.points import Placing, Returns, read_records, sweep_channels
from tailgate.reference.reader import Entry

BEAMS, CHANNEL, MODEL = 32, "LIDAR_TOP", "hdl32e"
SWEEP_NS = 50_000_000
"""Duration of a sweep [ns]: the LiDAR turns at 20 Hz."""
_FILLER = 0.02
"""A point this close to the sensor's path through the sweep [m] is a filler; the device returns nothing nearer than 0.9 m."""
_T_OLD_NEW = np.array([[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""From x forward, y left to the LiDAR's own x right, y forward."""
_KEYS = {
    "scene": ("token", "name"),
    "sample": ("token", "scene_token"),
    "sample_data": ("sample_token", "filename", "timestamp", "is_key_frame", "ego_pose_token", "calibrated_sensor_token"),
    "calibrated_sensor": ("token", "sensor_token", "translation", "rotation"),
    "sensor": ("token", "channel"),
    "ego_pose": ("token", "translation", "rotation"),
    "sample_annotation": ("sample_token", "instance_token", "translation", "rotation", "size"),
    "instance": ("token", "category_token"),
    "category": ("token", "name"),
}
"""Table -> what a row of it must hold."""


@dataclass(frozen=True)
class Boxes:
    """Boxes of one sweep in the ego frame.

    Attributes:
        class_name: [N].
        T_ego_box: box centre and axes (x = length, y = width, z = height), float64 [N, 4, 4].
        size: length, width, height [m], float64 [N, 3].
        track: instance token of each, or empty.
    """

    class_name: list[str]
    T_ego_box: np.ndarray
    size: np.ndarray
    track: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """One key sweep: its file, recording, time [ns], T_ego_lidar float64 [4, 4] and its boxes, read when they are needed."""

    path: Path
    recording: str
    time_ns: int
    T_ego_lidar: np.ndarray
    boxes: Callable[[], Boxes]


class NuScenesReader:
    """Reader of a folder with tables (``v1.0-*/sample.json`` …) or with an info file (``*.json`` holding ``data_list``).

    Options:
        version: the folder of tables where there are several, such as ``v1.0-mini``.
    """

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        options = dict(options or {})
        version = options.pop("version", None)
        for key in sorted(options):
            raise unknown("option", key, ["version"], Where(key=f"reference.options.{key}"))
        self.root = Path(root)
        sweeps, self._classes = _from_tables(*tables) if (tables := _table_folder(self.root, version)) else _from_info(self.root)
        self._sweeps = {f"{s.recording}/{s.time_ns}": s for s in sorted(sweeps, key=lambda s: (s.recording, s.time_ns))}
        self.sensors = {"lidar": MODEL}
        self.notes = [
            "nuScenes sweeps are motion-compensated: ranges are those from where the LiDAR was at the end of the sweep.",
            *self._placing_note(),
        ]

    def entries(self) -> list[Entry]:
        """All key sweeps in (scene, time) order."""
        return [Entry(name, s.recording, s.time_ns) for name, s in self._sweeps.items()]

    def read(self, name: str) -> Frame:
        """One key sweep with its boxes. World: the ego frame at that moment, rear axle on the ground."""
        if name not in self._sweeps:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, self._sweeps)}")
        sweep = self._sweeps[name]
        channels, _ = sweep_of_file(sweep.path)
        boxes, ids = sweep.boxes(), {c: i for i, c in enumerate(self._classes, start=1)}
        T_ego_lidar = sweep.T_ego_lidar @ _T_OLD_NEW
        objects: Objects = objects_of(boxes.class_name, boxes.T_ego_box, boxes.size, boxes.track)
        semantic = np.array([ids[c] for c in boxes.class_name], dtype=np.uint32)
        view = label_returns(channels, np.linalg.inv(T_ego_lidar) @ objects.T_world_box, objects.size, semantic)
        start = sweep.time_ns - SWEEP_NS
        sensor = SensorFrame("lidar", channels, np.stack([T_ego_lidar] * 2), start, sweep.time_ns, view, model=MODEL)
        return Frame(FrameId("nuscenes", 0, list(self._sweeps).index(name)), {"lidar": sensor}, objects, {"background": 0, **ids})

    def _placing_note(self) -> list[str]:
        name, sweep = next(iter(self._sweeps.items()))
        return [sweep_of_file(sweep.path)[1].sentence(name)]


def sweep_of_file(path: Path) -> tuple[dict[str, np.ndarray], Placing]:
    """Organised channels of a ``.pcd.bin`` in the LiDAR's frame, x forward; UserError for a missing or damaged file."""
    raw = read_points(path)
    ring = raw[:, 4].astype(np.int64)
    xyz = raw[:, :3].astype(np.float64) @ _T_OLD_NEW[:3, :3]
    firing = np.arange(len(raw)) // BEAMS
    whole = len(raw) % BEAMS == 0 and np.array_equal(ring, np.arange(len(raw)) % BEAMS)
    if whole:
        xyz = np.where(_fillers(xyz.reshape(-1, BEAMS, 3)).reshape(-1, 1), np.nan, xyz)
    returns = Returns(xyz, raw[:, 3] / np.float32(255.0), BEAMS - 1 - ring)
    if not whole:
        return sweep_channels(returns, BEAMS, path, ordered=True)
    azimuth = np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    held = np.isfinite(azimuth)
    if not held.any():
        raise UserError("holds no return: every point is missing or lies at the sensor itself", path)
    found = align_rings(returns.ring[held], firing[held], azimuth[held])
    column = np.full(len(raw), -1, np.int32)
    column[held] = found.column
    returns.extra["time_offset"] = (firing * (SWEEP_NS / (firing[-1] + 1))).astype(np.int32)
    return sweep_channels(returns, BEAMS, path, ordered=True, grid=Grid(returns.ring, column, found.columns))


def read_points(path: Path) -> np.ndarray:
    """x, y, z [m], intensity 0..255, ring 0..31, float32 [n, 5]; UserError for a missing or damaged file."""
    points = read_records(path, "x, y, z, intensity, ring")
    ring, intensity = points[:, 4], points[:, 3]
    if not np.isin(ring, np.arange(BEAMS)).all() or not ((intensity >= 0) & (intensity <= 255)).all():
        raise UserError("must hold intensities of 0..255 and rings of 0..31: this is not a nuScenes LIDAR_TOP file", path)
    return points


def _fillers(firings: np.ndarray) -> np.ndarray:
    """Which points [firings, lasers, 3] stand for "no return", bool [firings, lasers].

    Two lasers of one firing never measure the same point, so points that coincide are fillers and tell where the sensor was.
    """
    ordered = np.sort(firings.view([("x", "f8"), ("y", "f8"), ("z", "f8")])[..., 0], axis=1)
    same = ordered[:, 1:] == ordered[:, :-1]
    known = np.flatnonzero(same.any(axis=1))
    if not len(known):
        return np.linalg.norm(firings, axis=2) < _FILLER
    filler = ordered[known, same[known].argmax(axis=1)]
    at = np.stack([np.interp(np.arange(len(firings)), known, filler[axis]) for axis in "xyz"], axis=1)
    return np.linalg.norm(firings - at[:, None], axis=2) < _FILLER


def _table_folder(root: Path, version: object) -> tuple[Path, Path] | None:
    """The dataset's root and its folder of tables, or None."""
    if (root / "sample_data.json").is_file():
        return root.parent, root
    held = {p.name: p for p in sorted(root.glob("v1.0-*")) if p.is_dir()}
    if version is not None and str(version) not in held:
        raise unknown("version", str(version), held, Where(key="reference.options.version"))
    if len(held) > 1 and version is None:
        raise UserError(f"holds several versions ({', '.join(held)}): name one with the option version", root)
    return (root, held[str(version)] if version is not None else next(iter(held.values()))) if held else None


def _from_tables(root: Path, folder: Path) -> tuple[list[Sweep], list[str]]:
    """Key sweeps and class names of a folder of tables."""
    rows = {name: _table(folder / f"{name}.json", keys) for name, keys in _KEYS.items()}
    by = {name: {row["token"]: row for row in rows[name]} for name, keys in _KEYS.items() if "token" in keys}
    annotations: dict[str, list[dict]] = {}
    for row in rows["sample_annotation"]:
        annotations.setdefault(row["sample_token"], []).append(row)

    def look(table: str, row: dict, key: str) -> dict:
        if row[key] not in by[table]:
            raise UserError(f"holds no row '{row[key]}', which another table names as its {key}", folder / f"{table}.json")
        return by[table][row[key]]

    def boxes(T_global_ego: np.ndarray, mine: list[dict]) -> Boxes:
        names = [str(look("category", look("instance", row, "instance_token"), "category_token")["name"]) for row in mine]
        T = np.stack([np.linalg.inv(T_global_ego) @ _pose(row, folder / "sample_annotation.json") for row in mine] or [np.eye(4)])[: len(mine)]
        size = np.array([row["size"] for row in mine], dtype=np.float64).reshape(-1, 3)[:, [1, 0, 2]]
        return Boxes(names, T, size, tuple(str(row["instance_token"]) for row in mine))

    sweeps = []
    for data in rows["sample_data"]:
        mount = look("calibrated_sensor", data, "calibrated_sensor_token")
        if not data["is_key_frame"] or look("sensor", mount, "sensor_token")["channel"] != CHANNEL:
            continue
        scene = look("scene", look("sample", data, "sample_token"), "scene_token")["name"]
        T_global_ego = _pose(look("ego_pose", data, "ego_pose_token"), folder / "ego_pose.json")
        T_ego_lidar = _pose(mount, folder / "calibrated_sensor.json")
        read = _deferred(boxes, T_global_ego, annotations.get(data["sample_token"], []))
        sweeps.append(Sweep(root / str(data["filename"]), str(scene), int(data["timestamp"]) * 1000, T_ego_lidar, read))
    if not sweeps:
        raise UserError(f"names no key sweep of {CHANNEL}", folder / "sample_data.json")
    return sweeps, sorted({str(row["name"]) for row in rows["category"]})


def _table(path: Path, keys: tuple[str, ...]) -> list[dict]:
    rows = read_json(path, list)
    for i, row in enumerate(rows):
        lacking = [k for k in keys if not isinstance(row, dict) or k not in row]
        if lacking:
            raise UserError(f"must hold {', '.join(keys)} in every row, lacks {', '.join(lacking)}", Where(path, key=f"[{i}]"))
    return rows


def _pose(row: dict, path: Path) -> np.ndarray:
    """Pose of a row's ``translation`` [m] and ``rotation`` (w, x, y, z), float64 [4, 4]."""
    T = np.eye(4)
    try:
        T[:3, :3] = quaternion_matrix(np.array([row["rotation"]], dtype=np.float64).reshape(1, 4))[0]
        T[:3, 3] = np.array(row["translation"], dtype=np.float64).reshape(3)
    except (TypeError, ValueError):
        T[0, 0] = np.nan
    if not np.isfinite(T).all():
        raise UserError("a translation must hold 3 numbers and a rotation 4 (w, x, y, z), not all zero", path)
    return T


def _deferred(build: Callable[..., Boxes], *args: object) -> Callable[[], Boxes]:
    return lambda: build(*args)


def _from_info(root: Path) -> tuple[list[Sweep], list[str]]:
    """Key sweeps and class names of the info files in a folder; names of LiDAR files are looked up beside the info file."""
    files = [p for p in sorted(root.glob("*.json")) if isinstance(tree := read_json(p, object), dict) and "data_list" in tree]
    if not files:
        raise UserError("must hold nuScenes tables (a folder v1.0-*) or an info file (a .json with data_list), got neither", root)
    sweeps, classes = [], set()
    for path in files:
        try:
            tree = read_json(path)
            names = {int(i): str(name) for name, i in tree["metainfo"]["categories"].items()}
            classes |= set(names.values())
            sweeps += [_info_sweep(path, row, names) for row in tree["data_list"]]
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise UserError(f"is not an info file of version 1.1: {type(error).__name__} {error}", path) from None
    if not sweeps:
        raise UserError("the reference is empty: its data_list holds no sweep", files[0])
    return sweeps, sorted(classes)


def _info_sweep(path: Path, row: dict, names: dict[int, str]) -> Sweep:
    lidar = str(row["lidar_points"]["lidar_path"])
    file = next((p for p in (path.parent / lidar, path.parent / "samples" / CHANNEL / lidar) if p.is_file()), path.parent / lidar)
    T_ego_lidar = np.array(row["lidar_points"]["lidar2ego"], dtype=np.float64).reshape(4, 4)
    held = [r for r in row.get("instances", []) if int(r["bbox_label_3d"]) in names]
    a = np.array([r["bbox_3d"] for r in held], dtype=np.float64).reshape(-1, 7)
    T = np.tile(np.eye(4), (len(a), 1, 1))
    cos, sin = np.cos(a[:, 6]), np.sin(a[:, 6])
    T[:, 0, 0], T[:, 0, 1], T[:, 1, 0], T[:, 1, 1] = cos, -sin, sin, cos
    T[:, :3, 3] = a[:, :3]
    boxes = Boxes([names[int(r["bbox_label_3d"])] for r in held], T_ego_lidar @ T, a[:, 3:6])
    recording = Path(lidar).name.split(f"__{CHANNEL}__")[0]
    return Sweep(file, recording, round(float(row["timestamp"]) * 1e6) * 1000, T_ego_lidar, lambda: boxes)
