"""``sensor.yaml``: what the arrays of a user's own recordings are. Three kinds: an organised LiDAR scan, a list of LiDAR returns, RGB-D images.

An array is named by its key in the .npz, or as ``{array: key, scale: s}`` where value x s gives metres, degrees, seconds or 0..1. A .npy
holds one array: ``columns`` names the slices of its last axis. Examples stand in ``tailgate.reference.npz``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tailgate.config.camera import Finite
from tailgate.config.load import Model, Source, validate
from tailgate.errors import UserError, nearest

FILE = "sensor.yaml"


class Scaled(Model):
    """An array and the factor that turns its values into metres, degrees, seconds or 0..1."""

    array: str
    scale: Finite = 1.0


Name = Annotated[str, Field(min_length=1)]
Array = Name | Scaled
Points = Array | Annotated[list[Name], Field(min_length=3, max_length=3)]
"""One array (…, 3), or three of one number each."""
Table = Array | list[Finite]
"""One number per beam: an array of the file, or the numbers themselves."""


class Recording(Model):
    """What all kinds say.

    Attributes:
        files: which files below the folder belong to this sensor, as a glob; .npz and .npy only.
        frame_suffix: what stands between the recording's name and the frame number at the end of a file name ("_f": ``yard_f12.npz`` is
            frame 12 of recording ``yard``). A file name without it is a recording of its own, unless it lies in a sub-folder: then that is.
        columns: names along the last axis of the array of a .npy file.
        model: the device: the name of a sensor model, or the maker's.
        height: height of the sensor above the ground [m].
        labels: class name -> value in the ``semantic`` array; 0 is background.
    """

    files: Name = "**/*"
    frame_suffix: Name = "_f"
    columns: list[Name] = []
    model: str = ""
    height: Finite = 0.0
    labels: dict[str, Annotated[int, Field(ge=0, le=2**32 - 1)]] = {}

    @field_validator("files")
    @classmethod
    def _below(cls, value: str) -> str:
        if Path(value).is_absolute() or ".." in Path(value).parts:
            raise ValueError(f"files must stay below the folder, got '{value}'")
        return value

    @field_validator("labels")
    @classmethod
    def _distinct(cls, value: dict[str, int]) -> dict[str, int]:
        if len(set(value.values())) != len(value):
            raise ValueError("labels must give every class a value of its own")
        if any((name == "background") != (i == 0) for name, i in value.items()):
            raise ValueError("labels must keep the value 0 for 'background', and only for it")
        return value

    @model_validator(mode="after")
    def _scales(self) -> Recording:
        for key, value in self:
            if any(isinstance(array, Scaled) and array.scale == 0 for array in listed(value)):
                raise ValueError(f"scale of '{key}' must not be 0, which makes every value 0")
        return self


class Lidar(Recording):
    """What both LiDAR kinds say of labels: per return, or as boxes.

    Attributes:
        semantic, instance: label arrays, one value per return.
        boxes: (N, 7): centre x, y, z, length, width, height [m] and yaw [deg, counter-clockwise] in the sensor frame.
        box_class: class names of the boxes, text (N,).
    """

    semantic: Name | None = None
    instance: Name | None = None
    boxes: Name | None = None
    box_class: Name | None = None

    @model_validator(mode="after")
    def _one_source_of_labels(self) -> Lidar:
        if (self.boxes is None) != (self.box_class is None):
            raise ValueError("boxes and box_class must be named together")
        if self.boxes is not None and (self.semantic or self.instance):
            raise ValueError("labels must come from boxes or from semantic and instance arrays, got both")
        return self


class LidarScan(Lidar):
    """An organised scan: arrays of (beams, columns), beams from the highest to the lowest or the reverse, range 0 or NaN = no return.

    Directions come from the beam table (``elevation_deg``, ``azimuth_offset_deg`` and the firing angles), or, without one, from ``xyz``.

    Attributes:
        range: distance; a list gives one array per echo. Absent: the length of ``xyz``.
        intensity: as many arrays as ``range``.
        xyz: points in the sensor frame.
        elevation_deg, azimuth_offset_deg: per beam; offsets turn counter-clockwise seen from above.
        azimuth_start_deg, azimuth_fov_deg, direction: azimuth of the first column, sector swept and sense of rotation, as in a sensor model.
        pixel_shift: columns by which each beam moves to bring one azimuth into one column (staggered scans: column = time of firing).
        rate_hz: sweeps per second; gives every cell its time.
    """

    kind: Literal["lidar_scan"]
    range: Array | Annotated[list[Array], Field(min_length=1, max_length=3)] | None = None
    intensity: Array | Annotated[list[Array], Field(min_length=1, max_length=3)] | None = None
    xyz: Points | None = None
    elevation_deg: Table | None = None
    azimuth_offset_deg: Table | None = None
    azimuth_start_deg: Finite = 180.0
    azimuth_fov_deg: float = Field(360.0, gt=0, le=360)
    direction: Literal["cw", "ccw"] = "cw"
    pixel_shift: Name | list[int] | None = None
    rate_hz: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _has_directions(self) -> LidarScan:
        if self.elevation_deg is None and self.xyz is None:
            raise ValueError("a lidar_scan must name 'elevation_deg' (a beam table) or 'xyz', got neither")
        if self.elevation_deg is not None and self.range is None:
            raise ValueError("a lidar_scan with a beam table must name its 'range' array")
        if self.intensity is not None and len(listed(self.intensity)) != max(1, len(listed(self.range))):
            raise ValueError(f"intensity must name as many arrays as range, got {len(listed(self.intensity))} and {len(listed(self.range))}")
        return self


class LidarPoints(Lidar):
    """A list of returns, organised on reading: by ``ring`` where it is stored, else by elevation; columns by azimuth.

    Attributes:
        xyz: points in the sensor frame.
        ring: beam of each return, any order of beams.
        beams: number of beams of the device; needed without ``ring`` unless ``model`` names a sensor model.
        intensity, time: per return; ``time`` in seconds since any moment, as the start of the sweep.
    """

    kind: Literal["lidar_points"]
    xyz: Points
    ring: Name | None = None
    beams: int | None = Field(None, ge=1, le=1024)
    intensity: Array | None = None
    time: Array | None = None


class RgbdImages(Recording):
    """Depth images with colour.

    Attributes:
        depth: distance to the image plane, (height, width).
        invalid: stored values that mean "no depth".
        K: fx, fy, cx, cy [px], or the key of a 3 x 3 camera matrix; the centre of the first pixel is (0, 0).
        rgb: uint8 (height, width, 3 or 4).
        semantic, instance: label arrays (height, width).
    """

    kind: Literal["rgbd"]
    depth: Array
    invalid: list[Finite] = [0.0]
    K: Name | Annotated[list[Finite], Field(min_length=4, max_length=4)]
    rgb: Name | None = None
    semantic: Name | None = None
    instance: Name | None = None

    @model_validator(mode="after")
    def _classes_of_instances(self) -> RgbdImages:
        if self.instance is not None and self.semantic is None:
            raise ValueError("instance needs 'semantic' beside it: the class of an object is that of its pixels")
        return self


KINDS: dict[str, type[Recording]] = {"lidar_scan": LidarScan, "lidar_points": LidarPoints, "rgbd": RgbdImages}


def load_recording(path: Path) -> Recording:
    """Read a ``sensor.yaml``; UserError with file, line and key for a mistake."""
    source = Source(path)
    kind = source.data.get("kind")
    if kind not in KINDS:
        raise UserError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}{nearest(str(kind), KINDS)}", source.at("kind"))
    return validate(KINDS[str(kind)], source.data, source)


def listed(value: object) -> list:
    """A value as a list: itself, one entry, or none for None."""
    return [] if value is None else value if isinstance(value, list) else [value]


def recording_of(name: str, frame_suffix: str, index: int) -> tuple[str, int]:
    """Recording and frame number of a file from its name (path below the folder, without suffix); ``index`` counts files without a number.

    ``yard_f12`` is frame 12 of ``yard``; a name without a number belongs to its sub-folder, or is a recording of its own.
    """
    folder, _, stem = name.rpartition("/")
    before, found, number = stem.rpartition(frame_suffix)
    if found and before and number.isascii() and number.isdigit():
        return f"{folder}/{before}" if folder else before, int(number)
    return (folder, index) if folder else (stem, 0)
