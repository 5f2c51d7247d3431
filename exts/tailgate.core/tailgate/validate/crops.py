"""Object crops: the points a sensor has of one object, in the object's own frame, so that objects at different places can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.frames import Objects, SensorFrame, host
from tailgate.geometry.firing import in_world
from tailgate.rng import stream_key

RANGE_EDGES = (0.0, 15.0, 30.0, 60.0, np.inf)
"""Range bins of crops [m]."""
RESAMPLED = 256
"""Points of a resampled crop."""
KEPT = 512
"""Most points that a crop keeps for features."""
MARGIN = 0.05
"""Points this far [m] outside a box's sides and top still count as the object's (noise moves points of a tight box outside it)."""


@dataclass(frozen=True)
class Crop:
    """One object as one sensor saw it once.

    Attributes:
        class_name: output class.
        instance: instance id in its frame.
        group: track or recording; crops of one group are never compared with each other in a null.
        frame: name of the frame.
        modality: "lidar" or "rgbd".
        axes: "box" (origin at the box centre, x length, y width, z height); where no box exists "camera_up" (origin at the median of the points, x
            along the viewing direction, y to the image's left, z to the image's top) or "view" (the same of a LiDAR, x level, z up).
        range: distance from the sensor to the origin of the axes [m].
        size: length, width, height [m]: the box, or without one the 5 to 95 % extent of the points.
        count: points of the object before any cap.
        points: [n, 3] in the axes above [m], float32, n ≤ KEPT.
        intensity: [n] 0..1, float32, or None.
        resampled: [RESAMPLED, 3] float32: every point equally often, the rest drawn without replacement.
        features: [n, D] float32, what a backbone of images or scans saw at each point, or None.
    """

    class_name: str
    instance: int
    group: str
    frame: str
    modality: str
    axes: str
    range: float
    size: tuple[float, float, float]
    count: int
    points: np.ndarray
    intensity: np.ndarray | None
    resampled: np.ndarray
    features: np.ndarray | None = None

    @property
    def range_bin(self) -> int:
        """Index into RANGE_EDGES."""
        return min(int(np.searchsorted(RANGE_EDGES, self.range, side="right")) - 1, len(RANGE_EDGES) - 2)


@dataclass(frozen=True)
class CropSource:
    """Where crops come from.

    Attributes:
        frame: name of the frame, part of each crop's seed.
        group: group of all crops of the frame, or one per object.
        seed: seed of the resampling.
        min_points: objects with fewer points give no crop.
    """

    frame: str
    group: str | Sequence[str]
    seed: int = 0
    min_points: int = 8

    def group_of(self, row: int) -> str:
        """Group of the object in this row."""
        return self.group if isinstance(self.group, str) else str(self.group[row])


def range_bin_name(index: int) -> str:
    """Readable stratum of a range bin: ``15-30 m``, ``60+ m``."""
    low, high = RANGE_EDGES[index], RANGE_EDGES[index + 1]
    return f"{low:g}-{high:g} m" if np.isfinite(high) else f"{low:g}+ m"


def resample(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` of the points [n, 3]: each ⌊count / n⌋ times, the rest drawn without replacement; float32 [count, 3]."""
    whole, rest = divmod(count, len(points))
    index = np.concatenate([np.tile(np.arange(len(points)), whole), np.sort(rng.choice(len(points), rest, replace=False))])
    return points[index].astype(np.float32)


def has_boxes(objects: Objects) -> bool:
    """Whether the objects carry 3-D boxes (finite, with a positive size)."""
    size = np.asarray(objects.size, dtype=float).reshape(-1, 3)
    return len(size) > 0 and bool(np.isfinite(size).all() and (size > 0).all())


def lidar_crops(
    sensor: SensorFrame, objects: Objects, source: CropSource, axes: str | None = None, features: np.ndarray | None = None
) -> list[Crop]:
    """Crops of a LiDAR scan: the returns inside each box, in the box's frame, or the returns labelled as each object where it has no box.

    A point counts as inside when it lies within MARGIN of the box's sides and top and, so that the ground stays out, at least 5 cm (or a tenth of the
    height) above its bottom. Points of a moving sensor are placed with the pose interpolated at their own time.

    Args:
        sensor: organised scan; ``channels["time_offset"]`` is used where the pose changes, ``instance`` for objects without a box.
        objects: boxes in world space.
        source: names and seeds.
        axes: "view" where the other side of a comparison has no boxes: all crops are then cut by instance, in axes of the line of sight.
        features: a backbone's map of the scan [h, w, D], sampled at each return's beam and column.
    """
    returns = _returns(sensor, features)
    found = []
    for row in range(len(objects)):
        size, pose = np.asarray(objects.size[row], dtype=float), objects.T_world_box[row]
        boxed = axes != "view" and bool(np.isfinite(size).all() and (size > 0).all())
        seen = returns.in_box(size, pose) if boxed else returns.of_instance(int(objects.instance[row]))
        found.append(None if seen is None else _crop("lidar", objects, row, seen, source))
    return [c for c in found if c is not None]


@dataclass(frozen=True)
class _Returns:
    """Returns of a scan in the world [m]; ``instance``, ``intensity`` and ``features`` are None where the scan has none."""

    world: np.ndarray
    origin: np.ndarray
    instance: np.ndarray | None
    intensity: np.ndarray | None
    features: np.ndarray | None

    def in_box(self, size: np.ndarray, pose: np.ndarray) -> _Seen:
        """Those inside a box, in its frame."""
        reach = 0.5 * np.linalg.norm(size) + 2 * MARGIN
        near = np.flatnonzero(np.abs(self.world[:, 0] - pose[0, 3]) <= reach)
        local, half = (self.world[near] - pose[:3, 3]) @ pose[:3, :3], size / 2
        inside = (np.abs(local[:, :2]) <= half[:2] + MARGIN).all(axis=1)
        inside &= (local[:, 2] >= -half[2] + min(0.05, 0.1 * size[2])) & (local[:, 2] <= half[2] + MARGIN)
        return self._seen(near[inside], local[inside], size, "box", float(np.linalg.norm(pose[:3, 3] - self.origin)))

    def of_instance(self, instance: int) -> _Seen | None:
        """Those labelled as an instance: about their median, x away from the sensor, z up; None where none is."""
        mine = np.flatnonzero(self.instance == instance) if self.instance is not None else np.zeros(0, int)
        if not len(mine):
            return None
        centre = np.median(self.world[mine], axis=0)
        away = (centre - self.origin)[:2] / max(float(np.linalg.norm((centre - self.origin)[:2])), 1e-9)
        axes = np.array([[away[0], -away[1], 0.0], [away[1], away[0], 0.0], [0.0, 0.0, 1.0]])
        local = (self.world[mine] - centre) @ axes
        size = np.diff(np.quantile(local, [0.05, 0.95], axis=0), axis=0)[0]
        return self._seen(mine, local, size, "view", float(np.linalg.norm(centre - self.origin)))

    def _seen(self, rows: np.ndarray, local: np.ndarray, size: np.ndarray, axes: str, distance: float) -> _Seen:
        lit, seen_as = (None if values is None else values[rows] for values in (self.intensity, self.features))
        return _Seen(local, lit, size, axes, distance, seen_as)


def _returns(sensor: SensorFrame, features: np.ndarray | None) -> _Returns:
    points = sensor.points(("time_offset", "instance", "intensity"))
    world = _to_world(sensor, points["xyz"].astype(np.float64), points.get("time_offset"))
    if features is not None:
        cells = np.nonzero(host(sensor.channel("range")).transpose(1, 0, 2) > 0)
        features = _sampled(features, (cells[1], cells[0]), host(sensor.channel("range")).shape)
    return _Returns(world, sensor.T_world_sensor.mean(axis=0)[:3, 3], points.get("instance"), points.get("intensity"), features)


def camera_crops(
    sensor: SensorFrame, objects: Objects, source: CropSource, axes: str | None = None, features: np.ndarray | None = None
) -> list[Crop]:
    """Crops of an RGB-D image: the valid depth pixels of each instance mask.

    Args:
        sensor: channels ``distance_to_image_plane`` [m] (0, NaN or infinite: no depth) and ``instance_segmentation``.
        objects: rows whose ``instance`` appears in the mask.
        source: names and seeds.
        axes: "box" or "camera_up"; by default "box" where all objects have boxes. Give it when the other side of a comparison has no boxes.
        features: a backbone's map of the image [h, w, D], sampled at each pixel.
    """
    axes = axes or ("box" if has_boxes(objects) else "camera_up")
    depth = host(sensor.channel("distance_to_image_plane")).astype(np.float64)
    ids = host(sensor.channel("instance_segmentation")).ravel()
    valid = np.flatnonzero(np.isfinite(depth.ravel()) & (depth.ravel() > 0) & (ids > 0))
    valid = valid[np.argsort(ids[valid], kind="stable")]
    z = depth.ravel()[valid]
    v, u = np.divmod(valid, depth.shape[1])
    x, y = sensor.intrinsics.unproject(u, v)
    optical = np.stack([x * z, y * z, z], axis=1)
    pose = sensor.T_world_sensor[0]
    found = []
    for row in range(len(objects)):
        mine = slice(*np.searchsorted(ids[valid], (objects.instance[row], int(objects.instance[row]) + 1)))
        seen = optical[mine]
        if not len(seen):
            continue
        seen_as = None if features is None else _sampled(features, (v[mine], u[mine]), depth.shape)
        if axes == "box":
            box = objects.T_world_box[row]
            local = (seen @ pose[:3, :3].T + pose[:3, 3] - box[:3, 3]) @ box[:3, :3]
            size, distance = np.asarray(objects.size[row], dtype=float), float(np.linalg.norm(box[:3, 3] - pose[:3, 3]))
        else:
            centre = np.median(seen, axis=0)
            local = (seen - centre)[:, [2, 0, 1]] * [1, -1, -1]
            size, distance = np.diff(np.quantile(local, [0.05, 0.95], axis=0), axis=0)[0], float(np.linalg.norm(centre))
        found.append(_crop("rgbd", objects, row, _Seen(local, None, size, axes, distance, seen_as), source))
    return [c for c in found if c is not None]


@dataclass(frozen=True)
class _Seen:
    local: np.ndarray
    intensity: np.ndarray | None
    size: np.ndarray
    axes: str
    distance: float
    features: np.ndarray | None


def _sampled(features: np.ndarray, cells: tuple[np.ndarray, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Features [n, D] of a map [h, w, D] that covers a grid of ``shape``, at the map's cell in which each (row, column) lies."""
    (h, w), (rows, columns) = features.shape[:2], shape[:2]
    return features[((cells[0] + 0.5) * h / rows).astype(int), ((cells[1] + 0.5) * w / columns).astype(int)]


def _crop(modality: str, objects: Objects, row: int, seen: _Seen, source: CropSource) -> Crop | None:
    count, instance = len(seen.local), int(objects.instance[row])
    if count < source.min_points:
        return None
    rng = np.random.Generator(np.random.Philox(key=stream_key("crop", source.seed, source.frame, instance)))
    kept = np.sort(rng.choice(count, KEPT, replace=False)) if count > KEPT else np.arange(count)
    return Crop(
        class_name=str(objects.class_name[row]),
        instance=instance,
        group=source.group_of(row),
        frame=source.frame,
        modality=modality,
        axes=seen.axes,
        range=seen.distance,
        size=tuple(float(s) for s in seen.size),
        count=count,
        points=seen.local[kept].astype(np.float32),
        intensity=None if seen.intensity is None else seen.intensity[kept].astype(np.float32),
        resampled=resample(seen.local, RESAMPLED, rng),
        features=None if seen.features is None else seen.features[kept].astype(np.float32),
    )


def _to_world(sensor: SensorFrame, xyz: np.ndarray, offset_ns: np.ndarray | None) -> np.ndarray:
    if offset_ns is None:
        offset_ns = np.zeros(len(xyz))
    return in_world(xyz, offset_ns, np.asarray(sensor.T_world_sensor, np.float64), sensor.t_end - sensor.t_start)


def pack(crops: Sequence[Crop]) -> dict[str, np.ndarray]:
    """Arrays for one npz file; ``unpack`` gives equal crops back. Strings are fixed-width unicode, so no pickle is needed."""
    lengths = np.array([len(c.points) for c in crops], dtype=np.int64)
    empty = np.zeros((0, 3), dtype=np.float32)
    lit = [c.intensity if c.intensity is not None else np.full(len(c.points), np.nan, np.float32) for c in crops]
    text = {f: np.array([getattr(c, f) for c in crops], dtype=np.str_) for f in ("class_name", "group", "frame", "modality", "axes")}
    features = [c.features.ravel() for c in crops if c.features is not None]
    return {
        **text,
        "instance": np.array([c.instance for c in crops], dtype=np.int64),
        "count": np.array([c.count for c in crops], dtype=np.int64),
        "range": np.array([c.range for c in crops], dtype=np.float64),
        "size": np.array([c.size for c in crops], dtype=np.float64).reshape(-1, 3),
        "length": lengths,
        "width": np.array([0 if c.features is None else c.features.shape[1] for c in crops], dtype=np.int64),
        "features": np.concatenate([empty[:, 0], *features]),
        "points": np.concatenate([empty, *(c.points for c in crops)]),
        "intensity": np.concatenate([empty[:, 0], *lit]),
        "resampled": np.stack([c.resampled for c in crops]) if crops else np.zeros((0, RESAMPLED, 3), np.float32),
    }


def unpack(arrays: dict[str, np.ndarray]) -> list[Crop]:
    """Crops from the arrays of ``pack``."""
    ends, last = np.cumsum(arrays["length"]), np.cumsum(arrays["length"] * arrays["width"])
    crops = []
    for i, end in enumerate(ends):
        part = slice(int(end - arrays["length"][i]), int(end))
        lit = arrays["intensity"][part]
        text = {f: str(arrays[f][i]) for f in ("class_name", "group", "frame", "modality", "axes")}
        numbers = {"instance": int(arrays["instance"][i]), "count": int(arrays["count"][i]), "range": float(arrays["range"][i])}
        size = tuple(float(s) for s in arrays["size"][i])
        lit = None if np.isnan(lit).all() else lit
        points, width = arrays["points"][part], int(arrays["width"][i])
        features = arrays["features"][int(last[i]) - len(points) * width : int(last[i])].reshape(-1, width) if width else None
        crops.append(Crop(**text, **numbers, size=size, points=points, intensity=lit, resampled=arrays["resampled"][i], features=features))
    return crops
