"""KITTI 3-D object benchmark (Geiger et al. 2012): HDL-64E sweeps, labels, calibration and the left colour camera.

A velodyne ``.bin`` stores x, y, z [m] and reflectance 0..1 in firing-table order without ring or column: both are recovered (see ``organise``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, Where, nearest
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.reference.boxes import class_ids, label_returns, objects_of
from tailgate.reference.organise import organise, recover_grid, rings_from_order
from tailgate.reference.points import read_records
from tailgate.reference.reader import Entry

BEAMS = 64
VELODYNE_HEIGHT = 1.73
"""Height of the LiDAR above the road [m] (KITTI sensor set-up)."""
SWEEP_NS = 103_000_000
"""Duration of a sweep [ns]: the recordings turn at 9.7 Hz."""
_OCCLUDED = {0: 0.0, 1: 0.3, 2: 0.7, 3: 1.0}
"""Share that stands for KITTI's levels: fully visible, partly occluded, largely occluded, unknown (counted as fully occluded, so never as easy)."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of one frame.

    Attributes:
        K: left colour camera, [3, 3] px.
        T_rect_velo: LiDAR points into the rectified frame of the reference camera, [4, 4].
        T_rect_cam2: pose of the left colour camera in that frame, [4, 4].
    """

    K: np.ndarray
    T_rect_velo: np.ndarray
    T_rect_cam2: np.ndarray

    @property
    def T_velo_cam2(self) -> np.ndarray:
        """Pose of the left colour camera (optical frame) in the LiDAR frame, [4, 4]."""
        return np.linalg.inv(self.T_rect_velo) @ self.T_rect_cam2


def read_calibration(path: Path) -> Calibration:
    """Read ``calib/*.txt``; UserError names a missing or damaged line."""
    rows = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if ":" in line:
            key, numbers = line.split(":", 1)
            try:
                rows[key.strip()] = np.array([float(v) for v in numbers.split()])
            except ValueError:
                raise UserError(f"'{key.strip()}' must hold numbers, got {numbers.strip()!r}", Where(path, number)) from None
    sizes = {"P2": 12, "R0_rect": 9, "Tr_velo_to_cam": 12}
    for key, size in sizes.items():
        if rows.get(key, np.empty(0)).size != size:
            raise UserError(f"'{key}' must hold {size} numbers, got {rows.get(key, np.empty(0)).size}", path)
    rect, velo, offset = np.eye(4), np.eye(4), np.eye(4)
    rect[:3, :3] = rows["R0_rect"].reshape(3, 3)
    velo[:3] = rows["Tr_velo_to_cam"].reshape(3, 4)
    P2 = rows["P2"].reshape(3, 4)
    offset[:3, 3] = -np.linalg.solve(P2[:, :3], P2[:, 3])
    return Calibration(P2[:, :3], rect @ velo, offset)


@dataclass(frozen=True)
class Labels:
    """Labels of one frame, DontCare left out; rows in file order.

    Attributes:
        class_name: [N].
        truncated, occluded: shares 0..1, [N].
        bbox: x_min, y_min, x_max, y_max [px], [N, 4].
        T_rect_box: box centre and axes (x = length, y = width, z = height) in the rectified camera frame, [N, 4, 4].
        size: length, width, height [m], [N, 3].
    """

    class_name: list[str]
    truncated: np.ndarray
    occluded: np.ndarray
    bbox: np.ndarray
    T_rect_box: np.ndarray
    size: np.ndarray


def read_labels(path: Path) -> Labels:
    """Read ``label_2/*.txt``; UserError names a damaged line."""
    names, rows = [], []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        parts = line.split()
        if not parts or parts[0] == "DontCare":
            continue
        try:
            rows.append([float(v) for v in parts[1:15]])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != 14 or not np.isfinite(rows[-1]).all():
            raise UserError(f"a label must hold a class and 14 numbers, got {line[:60]!r}", Where(path, number))
        names.append(parts[0])
    a = np.array(rows, dtype=np.float64).reshape(-1, 14)
    size = a[:, [9, 8, 7]]
    T = np.tile(np.eye(4), (len(a), 1, 1))
    cos, sin = np.cos(a[:, 13]), np.sin(a[:, 13])
    T[:, 0, 0], T[:, 2, 0] = cos, -sin
    T[:, :3, 1], T[:, :3, 2] = np.stack([sin, 0 * sin, cos], axis=1), [0.0, -1.0, 0.0]
    T[:, :3, 3] = a[:, 10:13] - np.outer(a[:, 7] / 2, [0.0, 1.0, 0.0])
    occluded = np.array([_OCCLUDED.get(int(level), 1.0) for level in a[:, 1]])
    return Labels(names, np.clip(a[:, 0], 0, 1), occluded, a[:, 3:7], T, size)


class KittiReader:
    """Reader of ``<root>/velodyne/*.bin`` with ``calib``, ``label_2`` and ``image_2`` beside it where present.

    A file directly in ``velodyne`` counts as a recording of its own (the object benchmark draws its frames from many drives); files in
    ``velodyne/<drive>/`` belong to that drive. ``options.recordings`` maps frame names to recordings where that is known better.
    """

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        options = dict(options or {})
        recordings = options.pop("recordings", {})
        if options:
            key = sorted(options)[0]
            raise UserError(f"unknown option '{key}'{nearest(key, ['recordings'])}", Where(key=f"reference.options.{key}"))
        self.root = root
        self.folder = root / "velodyne"
        if not self.folder.is_dir():
            raise UserError(f"a KITTI reference must hold the folder 'velodyne', and {root} does not")
        files = sorted(self.folder.rglob("*.bin"))
        self._files = {p.relative_to(self.folder).with_suffix("").as_posix(): p for p in files}
        if not files:
            raise UserError(f"the reference is empty: {self.folder} holds no .bin file")
        self._recordings = {name: str(recordings.get(name, name.rsplit("/", 1)[0])) for name in self._files}
        self.sensors = {"lidar": "hdl64e", **({"camera": "kitti_cam2"} if (root / "image_2").is_dir() else {})}
        self.notes = [self._unplaced_note()]

    def entries(self) -> list[Entry]:
        """All sweeps, in (recording, frame) order."""
        found = [Entry(name, self._recordings[name], i) for i, name in enumerate(self._files)]
        return sorted(found, key=lambda e: (e.recording, e.time_ns))

    def read(self, name: str) -> Frame:
        """One sweep, with its objects and camera image where the files are there. World: the road below the LiDAR, axes of the LiDAR."""
        xyz, reflectance = read_points(self._files[name])
        ring, grid = _grid(xyz, self._files[name])
        beams = max(BEAMS, int(ring.max()) + 1)
        channels = organise(xyz, reflectance, ring, grid, beams)
        T_world_velo = np.eye(4)
        T_world_velo[2, 3] = VELODYNE_HEIGHT
        calibration, labels = self._calibration(name), self._labels(name)
        held = labels if labels is not None and calibration is not None else None
        ids = class_ids(held.class_name if held else [])
        T_velo_box = np.linalg.inv(calibration.T_rect_velo) @ held.T_rect_box if held else np.zeros((0, 4, 4))
        size = held.size if held else np.zeros((0, 3))
        names = held.class_name if held else []
        view = label_returns(channels, T_velo_box, size, np.array([ids[c] for c in names], dtype=np.uint32))
        objects = objects_of(names, T_world_velo @ T_velo_box, size)
        poses = np.stack([T_world_velo] * 2)
        sensors = {"lidar": SensorFrame("lidar", channels, poses, 0, SWEEP_NS, view, model="hdl64e")}
        if "camera" in self.sensors and calibration is not None:
            sensors["camera"] = self._camera(name, calibration, held, T_world_velo, objects)
        address = FrameId("kitti", 0, list(self._files).index(name))
        return Frame(address, sensors, objects, {"background": 0, **ids}, {"light": "day", "weather": "clear"})

    def _calibration(self, name: str) -> Calibration | None:
        path = _first(self.root / "calib" / f"{name}.txt", self.root / "calib" / f"{name.split('/')[0]}.txt")
        return read_calibration(path) if path else None

    def _labels(self, name: str) -> Labels | None:
        path = _first(self.root / "label_2" / f"{name}.txt")
        return read_labels(path) if path else None

    def _camera(self, name: str, calibration: Calibration, labels: Labels | None, T_world_velo: np.ndarray, objects: Objects) -> SensorFrame:
        import cv2

        path = self.root / "image_2" / f"{name}.png"
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise UserError("must be a readable PNG image: the frame's camera image is missing or damaged", path)
        rgb = np.dstack([image[..., ::-1], np.full(image.shape[:2], 255, np.uint8)])
        height, width = image.shape[:2]
        K = calibration.K
        pose = T_world_velo @ calibration.T_velo_cam2
        intrinsics = Intrinsics(width, height, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
        return SensorFrame("camera", {"rgb": rgb}, np.stack([pose] * 2), 0, 0, _camera_view(labels, pose, objects), intrinsics, "kitti_cam2")

    def _unplaced_note(self) -> str:
        total, lost = 0, 0
        for path in list(self._files.values())[:20]:
            xyz, _ = read_points(path)
            total, lost = total + len(xyz), lost + _grid(xyz, path)[1].unplaced
        of = "" if len(self._files) <= 20 else " of the first 20 sweeps"
        return f"KITTI stores no ring: rings and columns were recovered from the point order; {lost} of {total} points{of} could not be placed."


def read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Points float64 [n, 3] [m] and reflectance float32 [n] of a velodyne file; UserError for a damaged one."""
    points = read_records(path, "x, y, z, reflectance")
    if not np.isfinite(points).all() or np.abs(points[:, :3]).max() > 1000 or points[:, 3].min() < 0 or points[:, 3].max() > 1:
        raise UserError("must hold finite points in metres and reflectance in 0..1: this is not a KITTI velodyne file", path)
    points = points[np.hypot(points[:, 0], points[:, 1]) > 0.1]
    return points[:, :3].astype(np.float64), points[:, 3]


def _grid(xyz: np.ndarray, path: Path):
    azimuth = np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    ring = rings_from_order(azimuth)
    found = int(ring.max()) + 1
    if not BEAMS // 2 <= found <= BEAMS:
        raise UserError(f"must be a sweep of an HDL-64E: its point order holds {found} rings, expected {BEAMS}", path)
    return ring, recover_grid(ring, azimuth, np.hypot(xyz[:, 0], xyz[:, 1]))


def _camera_view(labels: Labels | None, T_world_camera: np.ndarray, objects: Objects) -> ObjectView:
    """What the labels say the camera sees: pixels of the labelled box stand for visible pixels."""
    count = len(objects)
    bbox = labels.bbox.astype(np.float32) if labels else np.zeros((0, 4), np.float32)
    pixels = ((bbox[:, 2] - bbox[:, 0] + 1) * (bbox[:, 3] - bbox[:, 1] + 1)).astype(np.int32)
    occluded, truncated = (labels.occluded, labels.truncated) if labels else (np.zeros(0), np.zeros(0))
    visible = np.round(pixels * (1 - occluded)).astype(np.int32)
    distance = np.linalg.norm(objects.T_world_box[:, :3, 3] - T_world_camera[:3, 3], axis=1) if count else np.zeros(0)
    return ObjectView(bbox, bbox.copy(), visible, pixels, *(v.astype(np.float32) for v in (occluded, truncated, distance)))


def _first(*paths: Path) -> Path | None:
    return next((p for p in paths if p.is_file()), None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read as text: {type(error).__name__}", path) from None
