"""Sweeps of one LiDAR as point-cloud files: PCD, PLY, LAS and LAZ.

Fields are found by name: x, y, z, and, where they are there, intensity, ring, label, instance and time, whose unit is told by its span. An organised
PCD (HEIGHT > 1) keeps its rows as beams; an unorganised cloud is organised by its ring, or by elevation (``tailgate.reference.points``). A cloud must
be one sweep in the sensor's frame, or with its rings in a vehicle's. A survey far from its origin is shifted, and its distances mean something only
from where the sensor stood (option ``origin``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from tailgate.config.camera import Finite
from tailgate.config.load import Model, validate
from tailgate.errors import UserError, nearest
from tailgate.frames import Frame, FrameId
from tailgate.reference.boxes import objects_of
from tailgate.reference.moments import offsets_in_any_unit
from tailgate.reference.mounting import in_own_frame, real_points
from tailgate.reference.points import (
    FARTHEST,
    NEAREST,
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
from tailgate.reference.recording import recording_of

FIELDS = {
    "intensity": ("intensity", "reflectivity", "reflectance", "remission", "i"),
    "ring": ("ring", "channel", "laser", "laser_number", "beam", "line"),
    "semantic": ("label", "semantic", "classification", "class"),
    "instance": ("instance", "instance_id", "object_id"),
    "time": ("time", "t", "timestamp", "time_stamp", "time_offset", "offset_time", "gps_time"),
}
"""Meaning -> field names in order of preference; upper case and the prefix ``scalar_`` do not matter."""
LAS_CLASSES = {2: "ground", 3: "low vegetation", 4: "medium vegetation", 5: "high vegetation", 6: "building", 9: "water", 17: "bridge deck"}
"""Class numbers of the LAS specification (ASPRS LAS 1.4 R15, table 17) that name something; the others are ``label_<number>``."""
MOST_ROWS = 256
FOOT, US_FOOT = 0.3048, 1200 / 3937
"""International and US survey foot [m]."""
_GEO_UNITS = {9001: 1.0, 9002: FOOT, 9003: US_FOOT}
"""EPSG unit of a LAS file's geographic keys -> [m]."""
_GEO_KEYS_RECORD, _MODEL_KEY, _GEOGRAPHIC, _LINEAR_UNITS_KEY = 34735, 1024, 2, 3076
"""The record of geographic keys, its key for the kind of coordinates with the value for degrees, and its key for the unit (GeoTIFF 1.0)."""


class CloudOptions(Model):
    """Options of the reader.

    Attributes:
        beams: number of beams of the device, for clouds without a ring.
        model: the device; a sensor model of this name gives ``beams`` and their elevations.
        height: of the sensor above the ground [m].
        intensity_full: the stored value that means 1; absent: the most an integer field can hold, 1 for a real number.
        origin: where the sensor stood, in the file's own coordinates and units.
        frame_suffix: what stands between the recording's name and the frame number in file names.
        labels: class name -> number.
    """

    beams: int | None = Field(None, ge=1, le=1024)
    model: str = ""
    height: Finite = 0.0
    intensity_full: float | None = Field(None, gt=0)
    origin: tuple[Finite, Finite, Finite] | None = None
    frame_suffix: str = Field("_f", min_length=1)
    labels: dict[str, int] = {}


@dataclass(frozen=True)
class Cloud:
    """One file.

    Attributes:
        fields: field name in lower case -> [n]; x, y, z in the file's units.
        unit: length of the file's unit [m].
        rows: beams of an organised cloud, 1 for a list.
        offset: the file's own shift of its coordinates, [3], or None.
        names: class number -> name, where the format defines it.
    """

    fields: dict[str, np.ndarray]
    unit: float = 1.0
    rows: int = 1
    offset: np.ndarray | None = None
    names: dict[int, str] = field(default_factory=dict)

    def find(self, meaning: str) -> np.ndarray | None:
        """The first field that carries a meaning of ``FIELDS``."""
        return next((self.fields[name] for name in FIELDS[meaning] if name in self.fields), None)


class CloudsReader:
    """Reader of all .pcd, .ply, .las and .laz files below a folder; options are those of ``CloudOptions``."""

    def __init__(self, root: Path, options: dict[str, object] | None = None):
        self.options = validate(CloudOptions, dict(options or {}), None, ("reference", "options"))
        self.root = Path(root)
        found = sorted(p for p in self.root.rglob("*") if p.suffix.lower() in READ and p.is_file())
        self._files = {p.relative_to(self.root).as_posix(): p for p in found}
        if not found:
            raise UserError(f"must hold {', '.join(READ)} files, got none", self.root)
        self.sensors = {"lidar": self.options.model or "unnamed"}
        self.notes = self._notes()

    def entries(self) -> list[Entry]:
        """All clouds in (recording, frame) order."""
        stems = {name: Path(name).with_suffix("").as_posix() for name in self._files}
        found = [Entry(name, *recording_of(stem, self.options.frame_suffix, i)) for i, (name, stem) in enumerate(stems.items())]
        return sorted(found, key=lambda e: (e.recording, e.time_ns, e.name))

    def read(self, name: str) -> Frame:
        """One cloud. Labels are per point; there are no boxes. World: the ground below the sensor, axes of the sensor."""
        if name not in self._files:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, self._files)}")
        cloud = read_cloud(self._files[name])
        channels, _ = cloud_channels(cloud, self.options, self._files[name])
        sensor = lidar_frame_sensor(channels, self.sensors["lidar"], self.options.height)
        address = FrameId("clouds", 0, list(self._files).index(name))
        return Frame(address, {"lidar": sensor}, objects_of([], np.zeros((0, 4, 4)), np.zeros((0, 3))), self._labels(cloud, channels))

    def _labels(self, cloud: Cloud, channels: dict[str, np.ndarray]) -> dict[str, int]:
        named = {i: name for i, name in cloud.names.items()} | {i: name for name, i in self.options.labels.items()}
        held = np.unique(channels["semantic"]).tolist() if "semantic" in channels else []
        return {"background": 0, **{named.get(i, f"label_{i}"): i for i in sorted({*held, *self.options.labels.values()}) if i}}

    def _notes(self) -> list[str]:
        placings, shifts = [], []
        for name, path in list(self._files.items())[:PLACED]:
            cloud = read_cloud(path)
            placings.append((name, cloud_channels(cloud, self.options, path)[1]))
            shift = _shift(cloud, self.options)
            if self.options.origin is None and shift.any():
                place = ", ".join(f"{v:.1f}" for v in shift)
                shifts.append(f"{name} is far from its origin and was shifted by ({place}): without the option origin no distance is the sensor's.")
        self.placed = min(placing.beams for _, placing in placings)
        return [*placing_notes(placings, len(self._files)), *shifts]


def cloud_channels(cloud: Cloud, options: CloudOptions, path: Path) -> tuple[dict[str, np.ndarray], Placing]:
    """Organised channels of a cloud; UserError that names the file where it cannot be organised."""
    stored = np.stack([cloud.fields[axis] for axis in "xyz"], axis=1).astype(np.float64)
    xyz = (stored - _shift(cloud, options)) * cloud.unit
    intensity = _intensity(cloud.find("intensity"), len(xyz), options.intensity_full, path)
    extra = {name: _whole(values, name, path).astype(np.uint32) for name in ("semantic", "instance") if (values := cloud.find(name)) is not None}
    time, words = offsets_in_any_unit(cloud.find("time"), real_points(xyz)) if cloud.find("time") is not None else (None, "")
    extra |= {} if time is None else {"time_offset": time}
    if cloud.rows > 1:
        return _organised(cloud.rows, Returns(xyz, intensity, None, extra), path)
    ring = cloud.find("ring")
    ring = None if ring is None else _whole(ring, "ring", path)
    own, moved = in_own_frame(xyz, ring)
    channels, placing = sweep_channels(Returns(own, intensity, ring, extra), beams_of_model(options.model, options.beams), path)
    return channels, replace(placing, also=" ".join(filter(None, (placing.also, moved, words))))


def _organised(rows: int, returns: Returns, path: Path) -> tuple[dict[str, np.ndarray], Placing]:
    """Channels of a cloud that is stored by rows of one beam each."""
    if rows > MOST_ROWS or len(returns.xyz) % rows:
        raise UserError(f"must hold one row per beam, at most {MOST_ROWS}; {rows} rows look like a depth image, not a LiDAR sweep", path)
    shape = (rows, len(returns.xyz) // rows)
    xyz = returns.xyz.reshape(*shape, 3)
    azimuth, elevation = grid_directions(xyz, path)
    distance = np.linalg.norm(np.where(np.isfinite(xyz).all(axis=-1, keepdims=True), xyz, 0.0), axis=-1)
    if distance.max() > FARTHEST:
        raise UserError(f"must hold points in metres in the sensor's frame, got one {distance.max():.0f} m away", path)
    distance[distance <= NEAREST] = 0.0
    stored = {"range": distance, "intensity": returns.intensity, **returns.extra}
    channels = {name: values.reshape(*shape, 1) for name, values in stored.items()}
    channels["range"] = channels["range"].astype(np.float32)
    return grid_channels(channels, azimuth, elevation), Placing(distance.size, int((distance == 0).sum()), 0, 0)


def _intensity(stored: np.ndarray | None, count: int, full: float | None, path: Path) -> np.ndarray:
    """Intensity 0..1, float32 [count]; zeros where the file has none."""
    if stored is None:
        return np.zeros(count, np.float32)
    if full is None:
        full = float(np.iinfo(stored.dtype).max) if stored.dtype.kind in "iu" else 1.0
    values = np.nan_to_num(stored.astype(np.float64)) / full
    if values.min() < 0 or values.max() > 1 + 1e-6:
        raise UserError(f"holds intensities of {values.min() * full:g}..{values.max() * full:g}: say which means 1, such as intensity_full=255", path)
    return values.astype(np.float32)


def _whole(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    whole = np.rint(np.nan_to_num(values.astype(np.float64)))
    if whole.min() < 0 or np.abs(whole - np.nan_to_num(values)).max() > 1e-3:
        raise UserError(f"must hold whole numbers from 0 in the field for '{name}', got {values.min():g}..{values.max():g}", path)
    return whole.astype(np.int64)


def _shift(cloud: Cloud, options: CloudOptions) -> np.ndarray:
    """What is taken from the coordinates, in the file's units, [3]: the given origin, or, far from zero, the file's offset or its first point."""
    if options.origin is not None:
        return np.array(options.origin, dtype=np.float64)
    xyz = np.stack([cloud.fields[axis] for axis in "xyz"], axis=1).astype(np.float64)
    real = xyz[np.isfinite(xyz).all(axis=1)]
    reach = FARTHEST / cloud.unit
    if not len(real) or np.abs(real).max() <= reach:
        return np.zeros(3)
    if cloud.offset is not None and np.abs(real - cloud.offset).max() <= reach:
        return cloud.offset
    return real[0]


def read_cloud(path: Path) -> Cloud:
    """One file; UserError that names it where it is missing, damaged, empty or lacks coordinates."""
    if not path.is_file():
        raise UserError("file not found", path)
    try:
        cloud = READ[path.suffix.lower()](path)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"must be a readable {path.suffix[1:].upper()} file: {type(error).__name__}", path) from None
    lacking = [axis for axis in "xyz" if axis not in cloud.fields]
    if lacking:
        raise UserError(f"must have the fields x, y and z, lacks {', '.join(lacking)} (it has {', '.join(sorted(cloud.fields)) or 'none'})", path)
    if not len(cloud.fields["x"]):
        raise UserError("holds no point", path)
    return cloud


def _pcd(path: Path) -> Cloud:
    from pypcd4 import PointCloud

    cloud = PointCloud.from_path(path)
    meta = cloud.metadata
    data = cloud.pc_data
    if len(data) != meta.width * meta.height or meta.points != len(data):
        raise UserError(f"must hold WIDTH x HEIGHT points ({meta.width} x {meta.height}), got {len(data)}", path)
    return Cloud(_named({name: data[name] for name in data.dtype.names}), rows=meta.height)


def _ply(path: Path) -> Cloud:
    from plyfile import PlyData

    elements = {e.name: e for e in PlyData.read(str(path)).elements}
    if "vertex" not in elements:
        raise UserError(f"must have the element 'vertex' (it has {', '.join(elements) or 'none'})", path)
    data = elements["vertex"].data
    return Cloud(_named({name: data[name] for name in data.dtype.names if data.dtype[name].kind in "iuf"}))


def _las(path: Path) -> Cloud:
    import laspy

    las = laspy.read(str(path))
    if len(las.points) != las.header.point_count:
        raise UserError(f"must hold {las.header.point_count} points, as its header says, got {len(las.points)}", path)
    names = [*las.point_format.extra_dimension_names, *({"intensity", "classification", "gps_time"} & set(las.point_format.dimension_names))]
    fields = _named({name: np.asarray(las[name]) for name in names})
    fields |= {axis: np.asarray(las[axis], dtype=np.float64) for axis in "xyz"}
    return Cloud(fields, _las_unit(las.header, path), offset=np.asarray(las.header.offsets, dtype=np.float64), names=LAS_CLASSES)


def _las_unit(header: Any, path: Path) -> float:
    """Length of the file's unit [m], from its WKT or its geographic keys; 1 where it says nothing."""
    for record in [*header.vlrs, *(header.evlrs or [])]:
        if (wkt := getattr(record, "string", None)) and 'UNIT["' in wkt:
            units = [float(factor) for name, factor in re.findall(r'UNIT\["([^"]*)",\s*([-+.\deE]+)', wkt) if "degree" not in name.lower()]
            if not units:
                raise UserError("must hold metres or feet, got geographic degrees", path)
            return units[0]
        if getattr(record, "record_id", 0) == _GEO_KEYS_RECORD:
            keys = {key.id: key.value_offset for key in getattr(record, "geo_keys", [])}
            if keys.get(_MODEL_KEY) == _GEOGRAPHIC:
                raise UserError("must hold metres or feet, got geographic degrees", path)
            unit = keys.get(_LINEAR_UNITS_KEY, 9001)
            if unit not in _GEO_UNITS:
                raise UserError(f"must hold metres or feet, got the unit {unit} (EPSG)", path)
            return _GEO_UNITS[unit]
    return 1.0


def _named(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields by lower-case name, scalar numbers only."""
    return {name.lower().removeprefix("scalar_"): np.asarray(values) for name, values in fields.items() if np.asarray(values).ndim == 1}


READ = {".pcd": _pcd, ".ply": _ply, ".las": _las, ".laz": _las}
"""Suffix of a file -> what reads it."""
