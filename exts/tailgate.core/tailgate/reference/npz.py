"""A user's own recordings: a folder of .npz or .npy files and a ``sensor.yaml`` that says what the arrays are (``tailgate.reference.recording``).

A staggered Ouster scan (beam tables in the file; ``files`` picks one device of a mixed folder)::

    kind: lidar_scan
    model: os1_64
    files: "OS-1-64*"
    range: {array: range_mm, scale: 0.001}
    intensity: {array: reflectivity, scale: 0.0039215686}
    elevation_deg: beam_altitude_deg
    azimuth_offset_deg: {array: beam_azimuth_deg, scale: -1}     # Ouster counts clockwise
    pixel_shift: pixel_shift_by_row
    rate_hz: 10

A bare cloud of a known device, with labelled boxes::

    kind: lidar_points
    model: pandar64
    beams: 64
    xyz: xyz
    boxes: boxes
    box_class: names

Range images in a .npy of (64, 512, 6)::

    kind: lidar_scan
    model: hdl64e
    frame_suffix: "_"
    columns: [x, y, z, intensity, range, label]
    range: range
    xyz: [x, y, z]
    intensity: intensity
    semantic: label
    labels: {car: 1, pedestrian: 2, cyclist: 3}

An RGB-D camera::

    kind: rgbd
    model: kinect_v1
    depth: {array: depth_mm, scale: 0.001}
    K: [525, 525, 319.5, 239.5]
    rgb: rgb
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, Where, nearest, unknown
from tailgate.frames import Frame, FrameId, Intrinsics, SensorFrame
from tailgate.reference.av2 import read_npz
from tailgate.reference.boxes import label_returns, objects_of
from tailgate.reference.files import read_array
from tailgate.reference.moments import offsets_of
from tailgate.reference.mosd import pixel_objects, pixel_view
from tailgate.reference.mounting import in_own_frame, real_points
from tailgate.reference.points import (
    FARTHEST,
    PLACED,
    Placing,
    Returns,
    beams_of_model,
    grid_channels,
    grid_directions,
    lidar_frame_sensor,
    placing_notes,
    sweep_channels,
)
from tailgate.reference.reader import Entry
from tailgate.reference.recording import FILE, LidarPoints, LidarScan, Recording, RgbdImages, Scaled, listed, load_recording, recording_of

_SECOND_NS = 1_000_000_000
_ROUNDED = 1e-3
"""What rounding a scale such as 1 / 255 may add to an intensity of 1."""
_SILENT = 0.1
"""Share of silent columns from which the notes speak of them."""


class NpzReader:
    """Reader of the .npz and .npy files below a folder, as its ``sensor.yaml`` describes them.

    Options:
        sensor: another name of the ``sensor.yaml``, relative to the folder, where a folder holds several devices.
        model: the device, where the ``sensor.yaml`` does not name it.
    """

    placed = 1.0

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        options = dict(options or {})
        self.root, path, model = Path(root), Path(root) / str(options.pop("sensor", FILE)), str(options.pop("model", ""))
        for key in sorted(options):
            raise unknown("option", key, ["sensor", "model"], Where(key=f"reference.options.{key}"))
        self.recording = load_recording(path)
        self.recording = self.recording.model_copy(update={"model": self.recording.model or model})
        found = sorted(p for p in self.root.glob(self.recording.files) if p.suffix in (".npz", ".npy") and p.is_file())
        self._files = {p.relative_to(self.root).with_suffix("").as_posix(): p for p in found}
        if not found:
            raise UserError(
                f"the reference is empty: no .npz or .npy file below {self.root} matches '{self.recording.files}'", Where(path, key="files")
            )
        kind = "camera" if isinstance(self.recording, RgbdImages) else "lidar"
        self.sensors = {kind: self.recording.model or "unnamed"}
        self.notes = self._notes()

    def entries(self) -> list[Entry]:
        """All files in (recording, frame) order."""
        found = [Entry(name, *recording_of(name, self.recording.frame_suffix, i)) for i, name in enumerate(self._files)]
        return sorted(found, key=lambda e: (e.recording, e.time_ns, e.name))

    def read(self, name: str) -> Frame:
        """One file as a frame of one sensor: "lidar" (world: the ground below it, axes of the sensor) or "camera" (world: the camera's own frame).

        A LiDAR frame holds the objects of its ``boxes``, an image those of its ``instance`` array, without 3-D boxes.
        """
        if name not in self._files:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, self._files)}")
        what, arrays = self.recording, Arrays(self._files[name], self.recording)
        labels, address = {"background": 0, **what.labels}, FrameId("npz", 0, list(self._files).index(name))
        if isinstance(what, RgbdImages):
            channels, intrinsics = _image_channels(arrays, what)
            objects = pixel_objects(channels, labels)
            pose, view = np.stack([np.eye(4)] * 2), pixel_view(channels, objects)
            camera = SensorFrame("camera", channels, pose, 0, 0, view, intrinsics, what.model or "unnamed")
            return Frame(address, {"camera": camera}, objects, labels)
        channels = scan_channels(arrays, what) if isinstance(what, LidarScan) else _points_channels(arrays, what)[0]
        period = int(_SECOND_NS / what.rate_hz) if isinstance(what, LidarScan) and what.rate_hz else 0
        lidar = lidar_frame_sensor(channels, what.model or "unnamed", what.height, period)
        objects = objects_of([], np.zeros((0, 4, 4)), np.zeros((0, 3)))
        if what.boxes is not None:
            names, T, size = _boxes(arrays, what)
            labels |= {word: max(labels.values()) + i for i, word in enumerate(sorted(set(names) - set(labels)), start=1)}
            lidar.view = label_returns(channels, T, size, np.array([labels[word] for word in names], dtype=np.uint32))
            objects = objects_of(names, lidar.T_world_sensor[0] @ T, size)
        return Frame(address, {"lidar": lidar}, objects, labels)

    def _notes(self) -> list[str]:
        some = [(name, Arrays(path, self.recording)) for name, path in list(self._files.items())[:PLACED]]
        if isinstance(self.recording, LidarPoints):
            placings = [(name, _points_channels(arrays, self.recording)[1]) for name, arrays in some]
            self.placed = min(placing.beams for _, placing in placings)
            return placing_notes(placings, len(self._files))
        if isinstance(self.recording, LidarScan):
            return [note for name, arrays in some for note in _silence(name, _ranges(arrays, self.recording))]
        return []


class Arrays:
    """The arrays of one file by the names that ``sensor.yaml`` uses; a missing one is the user's mistake."""

    def __init__(self, path: Path, recording: Recording):
        self.path = path
        self.held = read_npz(path) if path.suffix == ".npz" else _columns(path, recording.columns)

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.held:
            raise UserError(f"holds no array '{key}'{nearest(key, self.held)}", self.path)
        array = self.held[key]
        if array.dtype.kind not in "iufb":
            raise UserError(f"array '{key}' must hold numbers, got {array.dtype}", self.path)
        return array

    def scaled(self, what: str | Scaled, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """An array times its scale, float64; ``shape`` is what it must have."""
        key, scale = (what.array, what.scale) if isinstance(what, Scaled) else (what, 1.0)
        array = self.shaped(key, shape)
        if array.dtype.kind == "b":
            raise UserError(f"array '{key}' must hold measured numbers, got {array.dtype}", self.path)
        return array.astype(np.float64) * scale

    def intensity(self, what: str | Scaled, shape: tuple[int, ...]) -> np.ndarray:
        """Intensity 0..1 of the returns, float32."""
        values = np.nan_to_num(self.scaled(what, shape))
        if values.size and (values.min() < 0 or values.max() > 1 + _ROUNDED):
            raise UserError(f"intensity must lie in 0..1, got {values.min():g}..{values.max():g}: check its 'scale'", self.path)
        return np.minimum(values, 1).astype(np.float32)

    def shaped(self, key: str, shape: tuple[int, ...] | None) -> np.ndarray:
        """An array as stored; UserError unless it has this shape."""
        array = self[key]
        if shape is not None and array.shape != shape:
            raise UserError(f"array '{key}' must have the shape {shape}, got {array.shape}", self.path)
        return array

    def points(self, what: str | Scaled | list[str]) -> np.ndarray:
        """Points (..., 3), float64 [m]."""
        xyz = np.stack([self.scaled(key) for key in what], axis=-1) if isinstance(what, list) else self.scaled(what)
        if xyz.ndim < 2 or xyz.shape[-1] != 3:
            raise UserError(f"points must have three coordinates along the last axis, got the shape {xyz.shape}", self.path)
        return xyz

    def table(self, what: str | Scaled | list[float] | None, count: int) -> np.ndarray:
        """One number per beam, float64 [count]; zeros for None."""
        if what is None:
            return np.zeros(count)
        numbers = np.asarray(what, np.float64) if isinstance(what, list) else self.scaled(what)
        if numbers.shape != (count,) or not np.isfinite(numbers).all():
            raise UserError(f"must hold one finite number per beam ({count}) in the table {what}, got the shape {numbers.shape}", self.path)
        return numbers

    def labels(self, recording: LidarScan | LidarPoints | RgbdImages, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """``semantic`` and ``instance`` arrays where the recording names them, uint32; every label value must be named."""
        named = {name: key for name in ("semantic", "instance") if (key := getattr(recording, name)) is not None}
        out = {name: self.shaped(key, shape).astype(np.int64).astype(np.uint32) for name, key in named.items()}
        strange = sorted(set(np.unique(out.get("semantic", 0)).tolist()) - {0, *recording.labels.values()})
        if strange:
            raise UserError(f"array '{recording.semantic}' holds the label {strange[0]}, which 'labels' in the sensor file does not name", self.path)
        return out


def scan_channels(arrays: Arrays, scan: LidarScan) -> dict[str, np.ndarray]:
    """Organised channels of an organised scan, as in ``tailgate.frames.LIDAR_CHANNELS``."""
    rng = _ranges(arrays, scan)
    shift = _shift(arrays, scan, len(rng))
    if scan.elevation_deg is not None:
        az, el = _table_directions(arrays, scan, rng.shape[:2], shift)
    else:
        az, el = (_rolled(values, shift) for values in grid_directions(arrays.points(scan.xyz), arrays.path))
    stored = {"range": rng.astype(np.float32), **_per_cell(arrays, scan, rng.shape)}
    return grid_channels({name: _rolled(values, shift) for name, values in stored.items()}, az, el)


def _ranges(arrays: Arrays, scan: LidarScan) -> np.ndarray:
    """Range [m] (beams, columns, echoes) as stored, 0 where there is no return."""
    xyz = None if scan.xyz is None else arrays.points(scan.xyz)
    found = [arrays.scaled(array) for array in listed(scan.range)] or [np.linalg.norm(xyz, axis=-1)]
    shape = found[0].shape if xyz is None else xyz.shape[:-1]
    if len(shape) != 2 or 0 in shape or shape[1] == 1 or any(r.shape != shape for r in found):
        raise UserError(f"range must be an array of (beams, columns), of two columns or more, got the shapes {[r.shape for r in found]}", arrays.path)
    rng = np.nan_to_num(np.stack(found, axis=-1), nan=0.0, posinf=0.0)
    if rng.min() < 0 or not rng.max() > 0 or rng.max() > FARTHEST:
        raise UserError(f"range must lie in 0..{FARTHEST:.0f} m and hold a return, got {rng.min():g}..{rng.max():g}: check its 'scale'", arrays.path)
    return rng


def _silence(name: str, rng: np.ndarray) -> list[str]:
    """What to say of the columns of a scan (beams, columns, echoes) in which no beam returned, where they are many."""
    silent = int((rng == 0).all(axis=(0, 2)).sum())
    if silent < _SILENT * rng.shape[1]:
        return []
    return [f"{name}: no beam returned in {silent} of {rng.shape[1]} columns; they count as missed, even if the device was blocked or off there."]


def _per_cell(arrays: Arrays, scan: LidarScan, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Intensity, labels and firing time of every cell (beams, columns, echoes), as stored."""
    beams, columns, echoes = shape
    found = [arrays.intensity(array, (beams, columns)) for array in listed(scan.intensity)] or [np.zeros((beams, columns), np.float32)] * echoes
    out = {"intensity": np.stack(found, axis=-1)}
    for name, values in arrays.labels(scan, (beams, columns)).items():
        out[name] = np.repeat(values[..., None], echoes, axis=2)
    if scan.rate_hz:
        fired = (np.arange(columns) / columns * _SECOND_NS / scan.rate_hz).astype(np.int32)
        out["time_offset"] = np.broadcast_to(fired[None, :, None], shape).copy()
    return out


def _table_directions(arrays: Arrays, scan: LidarScan, shape: tuple[int, int], shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    beams, columns = shape
    turn = -1.0 if scan.direction == "cw" else 1.0
    head = scan.azimuth_start_deg + turn * scan.azimuth_fov_deg / columns * (np.arange(columns)[None] - shift[:, None])
    azimuth = (head + arrays.table(scan.azimuth_offset_deg, beams)[:, None] + 180.0) % 360.0 - 180.0
    elevation = np.repeat(arrays.table(scan.elevation_deg, beams)[:, None], columns, axis=1)
    return azimuth.astype(np.float32), elevation.astype(np.float32)


def _shift(arrays: Arrays, scan: LidarScan, beams: int) -> np.ndarray:
    wanted = scan.pixel_shift
    shift = np.zeros(beams, np.int64) if wanted is None else np.asarray(wanted if isinstance(wanted, list) else arrays[wanted])
    if shift.shape != (beams,) or shift.dtype.kind not in "iu":
        raise UserError(f"pixel_shift must hold one whole number per beam ({beams}), got {shift.dtype} of the shape {shift.shape}", arrays.path)
    return shift.astype(np.int64)


def _rolled(values: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Rows of (beams, columns, …) moved right by ``shift`` columns, around the turn."""
    columns = values.shape[1]
    return values[np.arange(len(values))[:, None], (np.arange(columns)[None] - shift[:, None]) % columns]


def _points_channels(arrays: Arrays, points: LidarPoints) -> tuple[dict[str, np.ndarray], Placing]:
    xyz = arrays.points(points.xyz).reshape(-1, 3)
    count = (len(xyz),)
    intensity = np.zeros(count, np.float32) if points.intensity is None else arrays.intensity(points.intensity, count)
    extra = arrays.labels(points, count)
    if points.time is not None:
        extra["time_offset"] = offsets_of(arrays.scaled(points.time, count), real_points(xyz), arrays.path)
    ring = None if points.ring is None else arrays.shaped(points.ring, count).astype(np.int64)
    beams = beams_of_model(points.model, points.beams)
    own, moved = (xyz, "") if points.boxes else in_own_frame(xyz, ring)
    channels, placing = sweep_channels(Returns(own, intensity, ring, extra), beams, arrays.path)
    return channels, replace(placing, also=f"{placing.also} {moved}".strip())


def _image_channels(arrays: Arrays, what: RgbdImages) -> tuple[dict[str, np.ndarray], Intrinsics]:
    """Channels of an RGB-D image, as in ``tailgate.frames.CAMERA_CHANNELS``, with ``valid`` uint8 (height, width)."""
    stored = arrays[what.depth.array if isinstance(what.depth, Scaled) else what.depth]
    depth = arrays.scaled(what.depth).astype(np.float32)
    if depth.ndim != 2 or 0 in depth.shape:
        raise UserError(f"depth must be an array of (height, width), got the shape {depth.shape}", arrays.path)
    valid = np.isfinite(depth) & ~np.isin(stored, what.invalid)
    if not valid.any() or depth[valid].min() <= 0 or depth[valid].max() > 1000:
        raise UserError("depth must hold values in 0..1000 m: check its 'scale' and 'invalid'", arrays.path)
    channels = {"distance_to_image_plane": np.where(valid, depth, np.float32(np.inf)), "valid": valid.astype(np.uint8)}
    if what.rgb is not None:
        channels["rgb"] = _rgba(arrays[what.rgb], depth.shape, arrays.path)
    for name, values in arrays.labels(what, depth.shape).items():
        channels[f"{name}_segmentation"] = values
    return channels, _intrinsics(arrays, what, depth.shape)


def _rgba(rgb: np.ndarray, shape: tuple[int, ...], path: Path) -> np.ndarray:
    if rgb.dtype != np.uint8 or rgb.shape not in ((*shape, 3), (*shape, 4)):
        raise UserError(f"rgb must be uint8 of the shape {(*shape, 3)}, got {rgb.dtype} of {rgb.shape}", path)
    return np.dstack([rgb[..., :3], np.full(shape, 255, np.uint8)])


def _intrinsics(arrays: Arrays, what: RgbdImages, shape: tuple[int, ...]) -> Intrinsics:
    if isinstance(what.K, str):
        K = arrays.shaped(what.K, (3, 3)).astype(np.float64)
        fx, fy, cx, cy = (float(v) for v in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    else:
        fx, fy, cx, cy = what.K
    if not (fx > 0 and fy > 0):
        raise UserError(f"K must hold positive focal lengths, got {fx} and {fy}", arrays.path)
    return Intrinsics(shape[1], shape[0], fx, fy, cx, cy)


def _columns(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """The array of a .npy file as one array per name, along its last axis."""
    array = read_array(path)
    if not names or array.ndim < 2 or array.shape[-1] != len(names):
        raise UserError(f"must match 'columns' in the sensor file ({len(names)} names) along its last axis, got the shape {array.shape}", path)
    return {name: array[..., i] for i, name in enumerate(names)}


def _boxes(arrays: Arrays, what: LidarScan | LidarPoints) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Class names, T_sensor_box float64 [N, 4, 4] and sizes [N, 3] [m] of the boxes of a file."""
    rows, names = arrays[what.boxes].astype(np.float64), arrays.held.get(what.box_class)
    if rows.ndim != 2 or rows.shape[1] != 7 or not np.isfinite(rows).all() or (rows[:, 3:6] <= 0).any():
        raise UserError(f"array '{what.boxes}' must hold finite rows of x, y, z, length, width, height > 0 and yaw, got {rows.shape}", arrays.path)
    if names is None or names.shape != (len(rows),) or names.dtype.kind != "U":
        got = "none" if names is None else f"{names.dtype} of {names.shape}"
        raise UserError(f"array '{what.box_class}' must hold one text per box ({len(rows)}), got {got}", arrays.path)
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    cos, sin = np.cos(np.deg2rad(rows[:, 6])), np.sin(np.deg2rad(rows[:, 6]))
    T[:, 0, 0], T[:, 0, 1], T[:, 1, 0], T[:, 1, 1] = cos, -sin, sin, cos
    T[:, :3, 3] = rows[:, :3]
    return [str(name) for name in names], T, rows[:, 3:6]
