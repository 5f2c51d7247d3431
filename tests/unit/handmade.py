"""Frames made by hand for tests: boxes on a plane, traced analytically with numpy, seen by a camera and a LiDAR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame

LABELS = {"car": 1, "pedestrian": 2, "wheelchair_user": 3, "traffic_cone": 4, "building": 5}
SIZES = {"car": (4.4, 1.8, 1.5), "pedestrian": (0.6, 0.6, 1.75), "wheelchair_user": (1.1, 0.7, 1.3), "traffic_cone": (0.4, 0.4, 0.7)}
ALBEDO = {"car": (0.55, 0.10, 0.12), "pedestrian": (0.15, 0.25, 0.5), "wheelchair_user": (0.2, 0.45, 0.3), "traffic_cone": (0.9, 0.4, 0.05)}
T_RIG_CAMERA = np.array([[0.0, 0, 1, 1.2], [-1, 0, 0, 0], [0, -1, 0, 1.6], [0, 0, 0, 1]])
SUN = np.array([-0.4, 0.5, 0.77])


@dataclass(frozen=True)
class Box:
    """A box that stands on the ground."""

    name: str
    x: float
    y: float
    yaw: float = 0.0
    size: tuple[float, float, float] | None = None

    @property
    def extent(self) -> np.ndarray:
        return np.asarray(self.size or SIZES[self.name], dtype=float)

    @property
    def pose(self) -> np.ndarray:
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        T = np.eye(4)
        T[:2, :2], T[:3, 3] = [[c, -s], [s, c]], [self.x, self.y, self.extent[2] / 2]
        return T


WALLS = [Box("building", 22, 16, 0, (50, 8, 9)), Box("building", 22, -17, 0, (50, 8, 6))]


def trace(boxes: list[Box], origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance [n] (inf where nothing), index of the box (-1 none, -2 ground) and world normal [n, 3] of unit rays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(directions[:, 2] < 0, -origin[2] / directions[:, 2], np.inf)
    hit, normal = np.where(np.isfinite(t), -2, -1), np.tile([0.0, 0, 1], (len(t), 1))
    for i, box in enumerate(boxes):
        R, o = box.pose[:3, :3], box.pose[:3, :3].T @ (origin - box.pose[:3, 3])
        d = directions @ R
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = (np.sign(d) * -box.extent / 2 - o) / d, (np.sign(d) * box.extent / 2 - o) / d
        axis = np.argmax(sides[0], axis=1)
        enter, leave = sides[0].max(axis=1), sides[1].min(axis=1)
        closer = (enter < leave) & (enter > 0) & (enter < t)
        t[closer], hit[closer] = enter[closer], i
        local = np.zeros_like(d)
        local[np.arange(len(d)), axis] = -np.sign(d[np.arange(len(d)), axis])
        normal[closer] = (local @ R.T)[closer]
    return t, hit, normal


def _view(boxes: list[Box], hit: np.ndarray, alone: list[int], origin: np.ndarray, shape: tuple[int, int] | None) -> ObjectView:
    n = len(boxes)
    tight = np.full((n, 4), -1, dtype=np.float32)
    visible = np.array([np.count_nonzero(hit == i) for i in range(n)], dtype=np.int32)
    if shape:
        for i in np.flatnonzero(visible):
            v, u = np.nonzero(hit.reshape(shape) == i)
            tight[i] = [u.min(), v.min(), u.max(), v.max()]
    count = np.asarray(alone, dtype=np.int32)
    occluded = (1 - visible / np.maximum(count, 1)).astype(np.float32)
    distance = np.array([np.linalg.norm(b.pose[:3, 3] - origin) for b in boxes], dtype=np.float32)
    return ObjectView(tight, tight.copy(), visible, count, occluded, np.zeros(n, np.float32), distance)


def _ids(hit: np.ndarray, named: list[Box], scene: list[Box]) -> tuple[np.ndarray, np.ndarray]:
    semantic = np.array([LABELS[b.name] for b in scene] + [0, 0], dtype=np.uint32)[hit]
    instance = np.where((hit >= 0) & (hit < len(named)), hit + 1, 0).astype(np.uint32)
    return semantic, instance


def camera(boxes: list[Box], width: int = 320, height: int = 192) -> SensorFrame:
    """A forward camera 1.6 m above the ground with colour, depth and labels."""
    k = Intrinsics(width, height, 0.8 * width, 0.8 * width, (width - 1) / 2, (height - 1) / 2)
    v, u = np.mgrid[0:height, 0:width]
    rays = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones_like(u, dtype=float)], axis=-1).reshape(-1, 3)
    length = np.linalg.norm(rays, axis=1)
    d, origin, scene = (rays / length[:, None]) @ T_RIG_CAMERA[:3, :3].T, T_RIG_CAMERA[:3, 3], [*boxes, *WALLS]
    t, hit, normal = trace(scene, origin, d)
    alone = [int(np.count_nonzero(trace([b], origin, d)[1] == 0)) for b in boxes]
    ground = origin + d * np.where(np.isfinite(t), t, 0)[:, None]
    tiles = 0.3 + 0.06 * ((np.floor(ground[:, 0] / 2) + np.floor(ground[:, 1] / 2)) % 2)
    albedo = np.array([ALBEDO.get(b.name, (0.5, 0.46, 0.42)) for b in scene] + [(0, 0, 0), (0, 0, 0)])[hit]
    albedo[hit == -2] = tiles[hit == -2][:, None]
    shade = albedo * (0.35 + 0.65 * np.clip(normal @ SUN, 0, 1))[:, None]
    sky = np.array([0.55, 0.68, 0.85]) * (1 - 0.5 * np.clip(d[:, 2:3], 0, 1))
    color = np.where((hit == -1)[:, None], sky, shade) ** (1 / 2.2)
    semantic, instance = _ids(hit, boxes, scene)
    channels = {
        "rgb": np.concatenate([np.round(255 * color), np.full((len(t), 1), 255)], axis=1).astype(np.uint8).reshape(height, width, 4),
        "distance_to_image_plane": (t / length).astype(np.float32).reshape(height, width),
        "semantic_segmentation": semantic.reshape(height, width),
        "instance_segmentation": instance.reshape(height, width),
    }
    poses = np.stack([T_RIG_CAMERA] * 2)
    return SensorFrame("camera", channels, poses, 0, 0, _view(boxes, hit, alone, origin, (height, width)), k, "handmade_camera")


def lidar(boxes: list[Box], beams: int = 24, columns: int = 360) -> SensorFrame:
    """A spinning LiDAR 1.9 m above the ground; beam 0 is the lowest, columns run clockwise from straight behind."""
    elevation = np.linspace(-22, 6, beams)[:, None] * np.ones((1, columns))
    azimuth = np.ones((beams, 1)) * (180 - 360 * np.arange(columns) / columns)[None]
    az, el = np.deg2rad(azimuth).ravel(), np.deg2rad(elevation).ravel()
    d = np.stack([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)], axis=1)
    pose = np.eye(4)
    pose[2, 3] = 1.9
    scene = [*boxes, *WALLS]
    t, hit, normal = trace(scene, pose[:3, 3], d)
    alone = [int(np.count_nonzero(trace([b], pose[:3, 3], d)[1] == 0)) for b in boxes]
    returned = np.isfinite(t) & (t < 80)
    semantic, instance = _ids(np.where(returned, hit, -1), boxes, scene)
    incidence = np.abs(np.sum(normal * d, axis=1))
    shape = (beams, columns, 1)
    channels = {
        "range": np.where(returned, t, 0).astype(np.float32).reshape(shape),
        "intensity": np.where(returned, 0.4 * incidence, 0).astype(np.float32).reshape(shape),
        "semantic": semantic.reshape(shape),
        "instance": instance.reshape(shape),
        "incidence": incidence.astype(np.float32).reshape(shape),
        "azimuth": azimuth.astype(np.float32),
        "elevation": elevation.astype(np.float32),
        "ring": np.arange(beams, dtype=np.int32),
    }
    view = _view(boxes, np.where(returned, hit, -1), alone, pose[:3, 3], None)
    return SensorFrame("lidar", channels, np.stack([pose] * 2), 0, 100_000_000, view, None, "handmade_lidar")


STREET = [
    Box("wheelchair_user", 9, 1.2, 0.4),
    Box("car", 14, -3.2, 0.1),
    Box("pedestrian", 8, -1.6),
    Box("traffic_cone", 6.5, 2.4),
    Box("car", 24, 3.4, 3.1),
]


def frame(index: int = 0, boxes: list[Box] | None = None, round: int = 0, sensors: tuple[str, ...] = ("front", "top")) -> Frame:
    """A street frame; ``index`` moves the boxes a little."""
    if boxes is None:
        boxes = []
        for i, b in enumerate(STREET):
            boxes.append(Box(b.name, b.x + 0.9 * ((index * (i + 3)) % 5), b.y + 0.35 * ((index * (i + 2)) % 3 - 1), b.yaw + 0.2 * index))
    made = {"front": camera, "top": lidar}
    objects = Objects(
        np.arange(1, len(boxes) + 1, dtype=np.int32),
        [b.name for b in boxes],
        np.array([b.pose for b in boxes]).reshape(-1, 4, 4),
        np.array([b.extent for b in boxes]).reshape(-1, 3),
        [b.name + "_v0" for b in boxes],
    )
    return Frame(FrameId("street", round, index), {s: made[s](boxes) for s in sensors}, objects, LABELS, conditions(index))


def conditions(index: int) -> dict[str, str]:
    """Conditions of frame ``index``."""
    return {"light": ("day", "dusk", "night")[index % 3], "weather": ("clear", "rain")[index % 2]}
