"""The data contract between stages: a frame, its sensors and its objects.

World and rig frames: x forward, y left, z up, metres. A camera's frame is x right, y down, z forward (OpenCV); a LiDAR's is x forward, y left,
z up. ``T_a_b`` maps points of frame b into frame a (column vectors). Channel names, dtypes and shapes are Replicator's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from tailgate.errors import TailgateError
from tailgate.geometry.beams import directions
from tailgate.geometry.lens import Distortion
from tailgate.geometry.rounding import Rounding

CAMERA_CHANNELS: dict[str, tuple[str, int]] = {
    "rgb": ("uint8", 4),
    "HdrColor": ("float32", 4),
    "distance_to_image_plane": ("float32", 0),
    "distance_to_camera": ("float32", 0),
    "normals": ("float32", 4),
    "semantic_segmentation": ("uint32", 0),
    "instance_segmentation": ("uint32", 0),
}
"""Camera channels: dtype and number of components (0: a plain (H, W) array). Depth [m] is inf where nothing was hit.

Beside them a camera may hold ``exposure``, float32 [1]: the factor on HdrColor before the tone curve."""

LIDAR_CHANNELS: dict[str, str] = {
    "range": "float32",
    "intensity": "float32",
    "semantic": "uint32",
    "instance": "uint32",
    "incidence": "float32",
    "time_offset": "int32",
}
"""LiDAR channels of shape (beams, columns, echoes): range [m] (0 = no return), intensity 0..1, incidence = |cos| of the angle to the surface
normal 0..1, time_offset [ns] from t_start. Per beam and column, without the echo axis: ``azimuth``, ``elevation`` [deg] (beams, columns)
float32, those of the first echo, and ``ring`` (beams,) int32. Where the echoes of a firing lie in different directions ``aim`` holds both angles of
every echo [deg], float32 (beams, columns, echoes, 2)."""


def host(array: Any) -> np.ndarray:
    """An array on the host: numpy as it is, a Warp array copied from its device where that is not the host."""
    return array.numpy() if hasattr(array, "numpy") else np.asarray(array)


class MissingChannel(TailgateError):
    """A stage needs a channel that this backend does not give."""


@dataclass(frozen=True)
class FrameId:
    """Address of one frame in a run."""

    scenario: str
    round: int
    index: int
    attempt: int = 0
    tick: int = 0

    @property
    def clip(self) -> str:
        """Name of the clip, whose frames share a scene."""
        return f"{self.scenario}-r{self.round:03d}-{self.index:06d}-a{self.attempt:02d}"

    def __str__(self) -> str:
        return f"{self.clip}-t{self.tick:02d}"


def clip_of(frame: str) -> str:
    """``FrameId.clip`` from a frame's name."""
    return frame.rpartition("-t")[0]


@dataclass(frozen=True)
class Sample:
    """All values drawn for one clip: pure data, recorded, replayable.

    Attributes:
        id: address of the clip (tick 0).
        cell: name of the budget cell the clip was drawn for, or "".
        draws: setting address -> drawn value; draws per object carry ``@<slot>`` behind the address.
        values: randomizer name -> JSON-able values that its ``apply`` writes.
        sensors: sensor name -> response parameter -> value.
        conditions: ``light``, ``weather`` and the like.
        hints: what a backend may honour or refuse by name, such as ``fog_extinction`` [1/m]: a number, or one per tick.
    """

    id: FrameId
    cell: str = ""
    draws: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    sensors: dict[str, dict[str, float]] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    hints: dict[str, float | list[float]] = field(default_factory=dict)

    def at(self, tick: int) -> Sample:
        """The sample as a backend takes it at one tick, every hint a number; the last of several holds for later ticks."""
        return replace(self, hints={name: h[min(tick, len(h) - 1)] if isinstance(h, list) else h for name, h in self.hints.items()})

    def to_json(self) -> dict[str, Any]:
        """Return plain data, the sample's own where it is plain already; ``Sample.from_json`` gives the same sample back."""
        return {**vars(self), "id": asdict(self.id)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Sample:
        """Rebuild a sample from ``to_json``."""
        return cls(**{**data, "id": FrameId(**data["id"])})


@dataclass(frozen=True)
class Intrinsics:
    """A camera: pixel (u, v) = (fx x' + cx, fy y' + cy), the centre of the first pixel is (0, 0). Lengths [px].

    (x', y') is the ray (x/z, y/z) of a pinhole, or where ``distortion`` puts it.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Distortion | None = None

    @property
    def matrix(self) -> np.ndarray:
        """K, shape [3, 3]."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def project(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image point (u, v) [px] of the ray through (x, y) at unit depth; NaN beyond what the lens images."""
        if self.distortion:
            x, y = self.distortion.distort(x, y)
        return self.fx * x + self.cx, self.fy * y + self.cy

    def unproject(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ray (x, y) at unit depth through an image point [px]; NaN where the lens images none."""
        x, y = (u - self.cx) / self.fx, (v - self.cy) / self.fy
        return self.distortion.undistort(x, y) if self.distortion else (x, y)

    def rays(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Unit vectors [..., 3] through image points [px]; NaN where the lens images none."""
        x, y = (u - self.cx) / self.fx, (v - self.cy) / self.fy
        if self.distortion:
            return self.distortion.rays(x, y)
        x, y = np.broadcast_arrays(x, y)
        return np.stack([x, y, np.ones_like(x)], -1) / np.sqrt(x * x + y * y + 1)[..., None]

    def image_points(self, xyz: np.ndarray, beyond: bool = False) -> np.ndarray:
        """Image points [..., 2] [px] of points [..., 3] in the camera's frame; NaN where the lens images none. With ``beyond`` a fisheye's image is
        carried on outside its circle."""
        if self.distortion:
            x, y = self.distortion.image(xyz, beyond)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                x, y = (np.where(xyz[..., 2] > 0, xyz[..., k] / xyz[..., 2], np.nan) for k in (0, 1))
        return np.stack([self.fx * x + self.cx, self.fy * y + self.cy], -1)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Intrinsics:
        """Rebuild from ``dataclasses.asdict``."""
        bent = data.get("distortion")
        return cls(**{**data, "distortion": Distortion(bent["model"], tuple(bent["coefficients"]), bent.get("fov")) if bent else None})


@dataclass
class Objects:
    """The labelled objects of a frame, one row each, in world space.

    Attributes:
        instance: stable id over the run, int32 [N], from 1; equals ``instance_segmentation`` and LiDAR ``instance``.
        class_name: output class, [N].
        T_world_box: box centre and axes (x = length, y = width, z = height), float64 [N, 4, 4].
        size: length, width, height [m], float64 [N, 3].
        asset: file stem of the asset, [N].
        track: name of each object over its recording, [N], so that two looks at one object are known as such; empty where the source has none.
    """

    instance: np.ndarray
    class_name: list[str]
    T_world_box: np.ndarray
    size: np.ndarray
    asset: list[str]
    track: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.class_name)


@dataclass
class ObjectView:
    """What one sensor sees of each object; rows as in ``Objects``.

    Attributes:
        bbox_tight: box of the visible pixels x_min, y_min, x_max, y_max [px, inclusive], float32 [N, 4]; -1 where nothing is visible. LiDAR: -1.
        bbox_loose: box of the whole object, clipped to the image, as above.
        visible: visible pixels (camera) or returns (LiDAR), int32 [N].
        alone: pixels inside the image, or rays, that would hit the object were nothing else there, int32 [N].
        occluded: 1 - visible / alone, float32 [N]; 1 where nothing of it could be seen.
        truncated: share of the object's pixels that fall outside the image, float32 [N]; 0 for a spinning LiDAR.
        range: distance from the sensor to the box centre [m], float32 [N].
    """

    bbox_tight: np.ndarray
    bbox_loose: np.ndarray
    visible: np.ndarray
    alone: np.ndarray
    occluded: np.ndarray
    truncated: np.ndarray
    range: np.ndarray


@dataclass
class SensorFrame:
    """One sensor's output for one tick.

    Attributes:
        kind: "camera" or "lidar".
        channels: name -> array (numpy, or a Warp array on the device that rendered it); see CAMERA_CHANNELS, LIDAR_CHANNELS.
        T_world_sensor: pose at t_start and at t_end, float64 [2, 4, 4].
        t_start, t_end: [ns]; of a camera the middle of the exposure of its first and its last row.
        view: per-object visibility, rows as in ``Frame.objects``.
        intrinsics: cameras only.
        model: name of the sensor model (its file stem).
        rounding: the grid that coordinates of returns were rounded to when they were stored (LiDAR); None: none.
    """

    kind: str
    channels: dict[str, Any]
    T_world_sensor: np.ndarray
    t_start: int
    t_end: int
    view: ObjectView
    intrinsics: Intrinsics | None = None
    model: str = ""
    rounding: Rounding | None = None

    def channel(self, name: str) -> Any:
        """Return a channel, or raise MissingChannel that names it and what is there."""
        if name not in self.channels:
            raise MissingChannel(f"channel '{name}' is not given by this backend (it gives: {', '.join(sorted(self.channels))})")
        return self.channels[name]

    def points(self, channels: Iterable[str] = LIDAR_CHANNELS) -> dict[str, np.ndarray]:
        """LiDAR returns as a list, in (column, beam, echo) order.

        Args:
            channels: which of LIDAR_CHANNELS to list, where the scan has them.

        Returns:
            ``xyz`` [n, 3] in the sensor frame [m], as stored, ``ring``, ``column``, ``echo`` and the channels, [n] each.
        """
        rng = host(self.channel("range"))
        column, beam, echo = np.nonzero(rng.transpose(1, 0, 2) > 0)
        firing = beam * rng.shape[1] + column
        cell = firing * rng.shape[2] + echo
        if "aim" in self.channels:
            aims = directions(*np.moveaxis(host(self.channels["aim"]).reshape(-1, 2)[cell], 1, 0))
        else:
            aims = directions(*(host(self.channel(c)) for c in ("azimuth", "elevation"))).reshape(-1, 3).take(firing, axis=0)
        xyz = aims * rng.take(cell)[:, None]
        xyz = (self.rounding.rounded(xyz) if self.rounding else xyz).astype(np.float32)
        out = {name: host(self.channels[name]).take(cell) for name in channels if name in self.channels}
        place = {"ring": host(self.channel("ring"))[beam], "column": column.astype(np.int32), "echo": echo.astype(np.uint8)}
        return {"xyz": xyz, **out, **place}


@dataclass
class Frame:
    """One tick of a clip: all sensors with ground truth.

    Attributes:
        id: address in the run.
        sensors: name -> SensorFrame.
        objects: labelled objects.
        labels: class name -> semantic id as used in the segmentation channels; 0 is background.
        conditions: drawn conditions such as ``light`` and ``weather``.
        hints: what the backend could not honour, by name.
    """

    id: FrameId
    sensors: dict[str, SensorFrame]
    objects: Objects
    labels: dict[str, int]
    conditions: dict[str, str] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
