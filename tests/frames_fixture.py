"""Small frames made by hand: boxes on a ground plane seen by one tilted camera and one LiDAR, by exact ray-box intersection in numpy."""

from __future__ import annotations

import numpy as np
from tailgate.config.rig import T_FORWARD_OPTICAL, rotation
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame

LABELS = {"ground": 1, "Car": 2, "Pedestrian": 3, "wheelchair user": 4}
CAMERA = Intrinsics(width=120, height=90, fx=80.0, fy=80.0, cx=59.5, cy=44.5)
BEAMS, COLUMNS = 12, 90


def pose(xyz: tuple[float, float, float], rpy_deg: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """Rigid transform from a position [m] and roll, pitch, yaw [deg]."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation(rpy_deg), xyz
    return T


def make_frame(index: int = 0, tilt_deg: float = 6.0, cameras: int = 1, lidars: int = 1) -> Frame:
    """A frame with a car, a person half hidden by it, a wheelchair user cut by the image border and a person fully hidden behind the car."""
    gen = np.random.default_rng(index)
    shift = float(gen.uniform(-0.2, 0.2))
    size = np.array([[4.2, 1.8, 1.5], [0.5, 0.6, 1.75], [1.1, 0.7, 1.35], [0.4, 0.4, 0.8]])
    places = [((9.0, shift, 0.75), 20.0), ((11.5, 1.7 + shift, 0.875), 90.0), ((6.0, -4.3, 0.675), -35.0), ((12.0, shift, 0.4), 0.0)]
    T = np.stack([pose(xyz, (0, 0, yaw)) for xyz, yaw in places])
    objects = Objects(np.array([3, 1, 7, 12], np.int32), ["Car", "Pedestrian", "wheelchair user", "Pedestrian"], T, size, ["a", "b", "c", "b"])
    T_world_rig = pose((0.0, 0.0, 0.0), (0, 0, 0))
    sensors: dict[str, SensorFrame] = {}
    for i in range(cameras):
        T_world_camera = T_world_rig @ pose((0.3, 0.1 * i, 1.6), (0, tilt_deg, 1.5)) @ T_FORWARD_OPTICAL
        sensors["camera" if cameras == 1 else f"camera_{i}"] = _camera(objects, T_world_camera, gen)
    for i in range(lidars):
        sensors["lidar" if lidars == 1 else f"lidar_{i}"] = _lidar(objects, T_world_rig @ pose((0.0, 0.0, 1.8 + 0.2 * i), (0.5, 0, 3)), gen)
    return Frame(FrameId("street", 0, index), sensors, objects, dict(LABELS), {"light": "day"}, [])


def _hits(objects: Objects, origin: np.ndarray, directions: np.ndarray, rows: list[int], ground: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Distance along unit rays (inf for none) and object row (-1 ground, -2 nothing); directions [n, 3] in the world."""
    best, who = np.full(len(directions), np.inf), np.full(len(directions), -2)
    if ground:
        with np.errstate(divide="ignore"):
            t = -origin[2] / directions[:, 2]
        hit = (t > 0) & (t < 80)
        best[hit], who[hit] = t[hit], -1
    for row in rows:
        R, c = objects.T_world_box[row][:3, :3], objects.T_world_box[row][:3, 3]
        o, d, half = (origin - c) @ R, directions @ R, objects.size[row] / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (-half - o) / d, (half - o) / d
        near, far = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        closer = (near <= far) & (near > 0) & (near < best)
        best[closer], who[closer] = near[closer], row
    return best, who


def _view(who: np.ndarray, alone: list[np.ndarray], unclipped: list[int], origin: np.ndarray, objects: Objects) -> ObjectView:
    n = len(objects)
    visible = np.array([(who == r).sum() for r in range(n)], np.int32)
    lonely = np.array([a.sum() for a in alone], np.int32)
    return ObjectView(
        bbox_tight=np.array([_box(who == r) for r in range(n)], np.float32),
        bbox_loose=np.array([_box(a) for a in alone], np.float32),
        visible=visible,
        alone=lonely,
        occluded=(1 - visible / np.maximum(lonely, 1)).astype(np.float32),
        truncated=(1 - lonely / np.maximum(unclipped, 1)).astype(np.float32),
        range=np.linalg.norm(objects.T_world_box[:, :3, 3] - origin, axis=1).astype(np.float32),
    )


def _box(mask: np.ndarray) -> list[int]:
    if mask.ndim != 2 or not mask.any():
        return [-1, -1, -1, -1]
    ys, xs = np.nonzero(mask)
    return [int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())]


def _rays(margin: int) -> np.ndarray:
    k = CAMERA
    u, v = np.meshgrid(np.arange(-margin, k.width + margin), np.arange(-margin, k.height + margin))
    d = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(u.shape)], axis=-1)
    return d / np.linalg.norm(d, axis=-1, keepdims=True)


def _camera(objects: Objects, T: np.ndarray, gen: np.random.Generator) -> SensorFrame:
    rays, origin = _rays(0), T[:3, 3]
    h, w = rays.shape[:2]
    t, who = _hits(objects, origin, rays.reshape(-1, 3) @ T[:3, :3].T, list(range(len(objects))))
    t, who = t.reshape(h, w), who.reshape(h, w)
    alone = [_hits(objects, origin, rays.reshape(-1, 3) @ T[:3, :3].T, [r], ground=False)[1].reshape(h, w) == r for r in range(len(objects))]
    wide = _rays(150).reshape(-1, 3) @ T[:3, :3].T
    unclipped = [int((_hits(objects, origin, wide, [r], ground=False)[1] == r).sum()) for r in range(len(objects))]
    semantic, instance = _ids(objects, who)
    rgb = np.concatenate([gen.integers(0, 256, (h, w, 3)), np.full((h, w, 1), 255)], axis=2).astype(np.uint8)
    channels = {
        "rgb": rgb,
        "distance_to_image_plane": (t * rays[..., 2]).astype(np.float32),
        "distance_to_camera": t.astype(np.float32),
        "normals": np.concatenate([gen.normal(size=(h, w, 3)), np.zeros((h, w, 1))], axis=2).clip(-1, 1).astype(np.float32),
        "semantic_segmentation": semantic,
        "instance_segmentation": instance,
    }
    return SensorFrame("camera", channels, np.stack([T, T]), 0, 10_000_000, _view(who, alone, unclipped, origin, objects), CAMERA, "pinhole")


def _ids(objects: Objects, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    semantic = np.array([*(LABELS[c] for c in objects.class_name), 0, LABELS["ground"]], np.uint32)[who]
    return semantic, np.array([*objects.instance, 0, 0], np.uint32)[who]


def _lidar(objects: Objects, T: np.ndarray, gen: np.random.Generator) -> SensorFrame:
    elevation, azimuth = np.meshgrid(np.linspace(2, -20, BEAMS), np.linspace(60, -60, COLUMNS), indexing="ij")
    e, a = np.deg2rad(elevation), np.deg2rad(azimuth)
    d = np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=-1).reshape(-1, 3) @ T[:3, :3].T
    t, who = _hits(objects, T[:3, 3], d, list(range(len(objects))))
    alone = [_hits(objects, T[:3, 3], d, [r], ground=False)[1] == r for r in range(len(objects))]
    semantic, instance = _ids(objects, who)
    shape = (BEAMS, COLUMNS, 1)
    channels = {
        "range": np.where(np.isfinite(t), t, 0).astype(np.float32).reshape(shape),
        "intensity": gen.random(shape).astype(np.float32),
        "semantic": semantic.reshape(shape),
        "instance": instance.reshape(shape),
        "incidence": np.ones(shape, np.float32),
        "time_offset": np.zeros(shape, np.int32),
        "azimuth": azimuth.astype(np.float32),
        "elevation": elevation.astype(np.float32),
        "ring": np.arange(BEAMS, dtype=np.int32),
    }
    view = _view(who, alone, [int(a.sum()) for a in alone], T[:3, 3], objects)
    return SensorFrame("lidar", channels, np.stack([T, T]), 0, 100_000_000, view, None, "grid_12")
