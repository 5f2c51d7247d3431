"""Argoverse 2 sensor data (Wilson et al. 2021): two VLP-32C merged in the vehicle's frame, taken apart again.

Each return carries its laser (0-31 on the upper head, 32-63 on the lower, upside down) and the time of its firing, so ring and column are exact.
Coordinates were stored as float16: between 32 and 64 m they step by 31 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, Where, nearest
from tailgate.frames import Frame, FrameId, Objects, SensorFrame
from tailgate.geometry.rounding import Rounding
from tailgate.reference.boxes import class_ids, label_returns, objects_of, quaternion_matrix
from tailgate.reference.files import read_json
from tailgate.reference.organise import align_rings, organise, place
from tailgate.reference.reader import Entry

LIDARS = {"up_lidar": 0, "down_lidar": 32}
"""Head -> its first laser number."""
BEAMS = 32
FIRING_NS = 55_296
"""Time between firings of a VLP-32C [ns] (user manual 63-9325)."""
EGO_HEIGHT = 0.36
"""Height of the vehicle frame (rear axle) above the road [m], measured on labelled ground returns."""
_KEYS = {"xyz", "intensity", "laser_number", "offset_ns"}
_BOX_KEYS = ("category", "length_m", "width_m", "height_m", "qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m", "timestamp_ns")


def read_poses(path: Path) -> dict[str, np.ndarray]:
    """Poses of all sensors in the vehicle frame, T_ego_sensor float64 [4, 4] by name, from ``calibration.json``."""
    rows = read_json(path).get("egovehicle_SE3_sensor", [])
    poses = {}
    for row in rows:
        try:
            T = np.eye(4)
            T[:3, :3] = quaternion_matrix(np.array([[row[k] for k in ("qw", "qx", "qy", "qz")]], dtype=np.float64))[0]
            T[:3, 3] = [row["tx_m"], row["ty_m"], row["tz_m"]]
            poses[row["sensor_name"]] = T
        except (KeyError, TypeError) as error:
            raise UserError(f"a sensor pose lacks {error}", Where(path, key="egovehicle_SE3_sensor")) from None
    return poses


@dataclass(frozen=True)
class Log:
    """One log: its folder, poses and boxes by column name (None without annotations)."""

    folder: Path
    poses: dict[str, np.ndarray]
    boxes: dict[str, np.ndarray] | None


class Av2Reader:
    """Reader of ``<log>/lidar_<ns>.npz`` with ``calibration.json`` and ``annotations.npz``; the root is one log or holds several."""

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        if options:
            key = sorted(options)[0]
            raise UserError(f"unknown option '{key}' (an AV2 reference has none)", Where(key=f"reference.options.{key}"))
        folders = [root] if list(root.glob("lidar_*.npz")) else sorted(p for p in root.iterdir() if list(p.glob("lidar_*.npz")))
        if not folders:
            raise UserError(f"the reference is empty: {root} holds no lidar_*.npz file, nor does a folder in it")
        self._logs = {folder.name: _open_log(folder) for folder in folders}
        self._files = {f"{log}/{path.stem[6:]}": path for log in self._logs for path in sorted(self._logs[log].folder.glob("lidar_*.npz"))}
        self.sensors = dict.fromkeys(LIDARS, "vlp32c")
        self.notes = [
            "AV2 stores coordinates as float16 (31 mm steps at 32-64 m): range noise is scored only where the step is at most 16 mm.",
            *self._closeness_notes(),
        ]

    def entries(self) -> list[Entry]:
        """All sweeps in (log, time) order."""
        return [Entry(name, name.split("/")[0], _timestamp(path)) for name, path in self._files.items()]

    def read(self, name: str) -> Frame:
        """One sweep as two sensors. World: the road below the vehicle frame, axes of the vehicle."""
        log, path = self._logs[name.split("/")[0]], self._files[name]
        sweep = read_sweep(path)
        T_world_ego = np.eye(4)
        T_world_ego[2, 3] = EGO_HEIGHT
        names, T_ego_box, size, track = _boxes_at(log.boxes, _timestamp(path))
        ids = class_ids(names)
        objects = objects_of(names, T_world_ego @ T_ego_box, size, track)
        sensors = {}
        for lidar, first in LIDARS.items():
            mine = (sweep["laser_number"] >= first) & (sweep["laser_number"] < first + BEAMS)
            sensors[lidar] = _head({k: v[mine] for k, v in sweep.items()}, log.poses[lidar], T_world_ego, objects, ids, _timestamp(path))
        return Frame(FrameId("av2", 0, list(self._files).index(name)), sensors, objects, {"background": 0, **ids}, {"weather": "clear"})

    def _closeness_notes(self) -> list[str]:
        notes = []
        for log in self._logs:
            times = sorted(_timestamp(p) for n, p in self._files.items() if n.startswith(f"{log}/"))
            if len(times) > 1 and times[-1] - times[0] < 10_000_000_000:
                span = (times[-1] - times[0]) / 1e9
                notes.append(f"The {len(times)} sweeps of log {log} lie within {span:.1f} s: one place, so a hold-out among them is weak.")
        return notes


def read_sweep(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a sweep: xyz [n, 3] m in the vehicle frame, intensity 0..255, laser_number 0..63, offset_ns; UserError for a damaged file."""
    arrays = read_npz(path)
    missing = sorted(_KEYS - set(arrays))
    if missing:
        raise UserError(f"must hold {', '.join(sorted(_KEYS))}, lacks {', '.join(missing)}", path)
    count = len(arrays["xyz"])
    if count == 0 or any(len(arrays[k]) != count for k in _KEYS) or arrays["xyz"].shape != (count, 3):
        raise UserError(f"must hold one row per return in every array, got { ({k: arrays[k].shape for k in sorted(_KEYS)}) }", path)
    if int(arrays["laser_number"].max()) >= 2 * BEAMS:
        raise UserError(f"must come from two VLP-32C (lasers 0-63), got laser {int(arrays['laser_number'].max())}", path)
    return {k: arrays[k] for k in sorted(_KEYS)}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file; UserError for a missing or damaged one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {k: arrays[k] for k in arrays.files}
    except FileNotFoundError:
        raise UserError(f"file not found{nearest(path.name, [p.name for p in path.parent.glob('*.npz')])}", path) from None
    except Exception as error:
        raise UserError(f"must be a readable npz file without pickled objects: {type(error).__name__}", path) from None


def _open_log(folder: Path) -> Log:
    poses = read_poses(folder / "calibration.json")
    for lidar in LIDARS:
        if lidar not in poses:
            raise UserError(f"must hold the pose of '{lidar}'{nearest(lidar, poses)}", folder / "calibration.json")
    path = folder / "annotations.npz"
    boxes = read_npz(path) if path.is_file() else None
    lacking = [k for k in _BOX_KEYS if boxes is not None and k not in boxes]
    if lacking:
        raise UserError(f"must hold {', '.join(_BOX_KEYS)}, lacks {', '.join(lacking)}", path)
    return Log(folder, poses, boxes)


def _boxes_at(boxes: dict[str, np.ndarray] | None, timestamp: int) -> tuple[list[str], np.ndarray, np.ndarray, list[str]]:
    """Class names, T_ego_box [N, 4, 4], sizes [N, 3] [m] and tracks (empty where the file has none) of the boxes of one moment."""
    if boxes is None:
        return [], np.zeros((0, 4, 4)), np.zeros((0, 3)), []
    here = boxes["timestamp_ns"] == timestamp
    T = np.tile(np.eye(4), (int(here.sum()), 1, 1))
    T[:, :3, :3] = quaternion_matrix(np.stack([boxes[k][here] for k in ("qw", "qx", "qy", "qz")], axis=1).reshape(-1, 4))
    T[:, :3, 3] = np.stack([boxes[k][here] for k in ("tx_m", "ty_m", "tz_m")], axis=1)
    size = np.stack([boxes[k][here] for k in ("length_m", "width_m", "height_m")], axis=1).astype(np.float64)
    names, track = ([str(v) for v in boxes[key][here]] if key in boxes else [] for key in ("category", "track_uuid"))
    return names, T, size, track


def _head(
    returns: dict[str, np.ndarray], T_ego_lidar: np.ndarray, T_world_ego: np.ndarray, objects: Objects, ids: dict[str, int], start: int
) -> SensorFrame:
    """Returns of one head as an organised scan in its own frame, beams from the highest to the lowest."""
    ego = returns["xyz"].astype(np.float64)
    xyz = (ego - T_ego_lidar[:3, 3]) @ T_ego_lidar[:3, :3]
    elevation = np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1]))
    laser = returns["laser_number"] % BEAMS
    median = np.array([np.median(elevation[laser == k]) if (laser == k).any() else -np.inf for k in range(BEAMS)])
    ring = np.argsort(np.argsort(-median, kind="stable"), kind="stable")[laser].astype(np.int32)
    azimuth = np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    offset = returns["offset_ns"].astype(np.int64)
    grid = align_rings(ring, ((offset - offset.min()) // FIRING_NS).astype(np.int64), azimuth)
    channels = organise(xyz, returns["intensity"] / np.float32(255.0), ring, grid, BEAMS)
    channels["time_offset"] = place(grid, BEAMS, returns["offset_ns"].astype(np.int32))
    T_world_lidar = T_world_ego @ T_ego_lidar
    semantic = np.array([ids[c] for c in objects.class_name], dtype=np.uint32)
    view = label_returns(channels, np.linalg.inv(T_world_lidar) @ objects.T_world_box, objects.size, semantic)
    poses, end = np.stack([T_world_lidar] * 2), start + int(offset.max())
    half = Rounding(0.0, T_ego_lidar) if (returns["xyz"] == returns["xyz"].astype(np.float16)).all() else None
    return SensorFrame("lidar", channels, poses, start, end, view, model="vlp32c", rounding=half)


def _timestamp(path: Path) -> int:
    digits = path.stem[6:]
    if not digits.isdigit():
        raise UserError("must be named lidar_<time in ns>.npz", path)
    return int(digits)
