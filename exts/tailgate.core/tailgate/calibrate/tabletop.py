"""Exact views of boxes and cylinders on a table, ray by ray in closed form: known surfaces to calibrate an RGB-D response on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.frames import Intrinsics, ObjectView, SensorFrame
from tailgate.sensors.noise_field import pcg3d_twin

TABLE, OBJECT = 1, 2
FLOOR_DROP = 0.75
"""Height of the table over the floor [m]."""
_LIGHT = np.array([-0.4, 0.3, 0.866])
_AMBIENT = 0.35


@dataclass(frozen=True)
class Solid:
    """A box or an upright cylinder standing on the table, in the table's frame (z up, table top at z = 0).

    Attributes:
        centre: x, y of its middle [m].
        size: length, width, height [m]; a cylinder's length is its diameter.
        yaw: turn about z [rad].
        round: a cylinder.
        albedo: linear red, green, blue, 0..1.
        print: size of the patches that its faces are printed with [m] and standard deviation of the log of their tone.
    """

    centre: tuple[float, float]
    size: tuple[float, float, float]
    yaw: float
    round: bool
    albedo: tuple[float, float, float]
    print: tuple[float, float] = (1.0, 0.0)


@dataclass(frozen=True)
class TableTop:
    """A scene: the camera looks along the table's x.

    Attributes:
        height: of the camera over the table [m].
        pitch: downward look [rad].
        table: nearest x, furthest x and half width [m]; the camera is at x = 0.
        albedo: of the table.
        solids: what stands on it.
    """

    height: float
    pitch: float
    table: tuple[float, float, float]
    albedo: tuple[float, float, float]
    solids: tuple[Solid, ...]


HEIGHT = 0.575
"""Height of the camera over the table [m] at which solids have the sizes of groceries."""


def random_tabletop(rng: np.random.Generator, pose: tuple[float, float] | None = None) -> TableTop:
    """Draw a scene: 4 to 8 solids of 4-30 cm where the camera looks; all lengths grow with the height of the camera.

    Args:
        pose: height of the camera over the table [m] and downward look [rad]; by default 0.4-0.75 m and 25-45 degrees are drawn.
    """
    height, pitch = pose or (rng.uniform(0.4, 0.75), np.deg2rad(rng.uniform(25, 45)))
    scale = height / HEIGHT
    aim = min(height / np.tan(pitch), 1.2 * scale)
    solids = []
    for _ in range(int(rng.integers(4, 9))):
        size = scale * rng.uniform((0.05, 0.05, 0.04), (0.25, 0.2, 0.3))
        centre = aim + scale * rng.uniform(-0.15, 0.35), scale * rng.uniform(-0.3, 0.3)
        albedo = np.clip(rng.beta(0.8, 1.2) * rng.uniform(0.6, 1.4, 3), 0.015, 0.95)
        upright = bool(rng.random() < 0.4)
        if upright:
            size[0] *= 0.6
        numbers = [tuple(map(float, part)) for part in (centre, size, albedo, (scale * rng.uniform(0.008, 0.04), rng.uniform(0.0, 0.8)))]
        solids.append(Solid(*numbers[:2], float(rng.uniform(0, np.pi)), upright, *numbers[2:]))
    far = aim + scale * float(rng.uniform(0.7, 1.4))
    tone = float(rng.uniform(0.3, 0.7))
    table = (0.05 * scale, float(far), scale * float(rng.uniform(0.7, 1.1)))
    return TableTop(float(height), float(pitch), table, (tone, tone * 0.85, tone * 0.7), tuple(solids))


def perfect_frame(scene: TableTop, intrinsics: Intrinsics) -> SensorFrame:
    """Exact view of a scene: ``rgb`` uint8 [H, W, 4], ``distance_to_image_plane`` float32 [m], ``normals`` float32 [H, W, 4] (table frame),
    ``semantic_segmentation`` (0 floor, 1 table, 2 object) and ``instance_segmentation`` (from 1 in the order of the solids) uint32."""
    c, s = np.cos(scene.pitch), np.sin(scene.pitch)
    R = np.array([[0.0, -s, c], [-1.0, 0.0, 0.0], [0.0, -c, -s]])
    u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    rays = np.stack([(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy, np.ones(u.shape)], -1) @ R.T
    origin = np.array([0.0, 0.0, scene.height])
    best = _planes(scene, origin, rays)
    for number, solid in enumerate(scene.solids, 1):
        t, normal = _hit(solid, origin, rays)
        nearer = t < best["t"]
        best["t"] = np.where(nearer, t, best["t"])
        best["instance"][nearer], best["semantic"][nearer] = number, OBJECT
        best["normal"][nearer] = normal[nearer]
        best["albedo"][nearer] = np.clip(np.array(solid.albedo) * _print(solid, origin + t[nearer][:, None] * rays[nearer])[:, None], 0.0, 0.95)
    return _sensor_frame(best, R, origin, intrinsics)


def _print(solid: Solid, points: np.ndarray) -> np.ndarray:
    """Tone of the printed patches at points of a solid's surface [n, 3], about 1, [n]: one a cell of space, from the hash of its address."""
    size, spread = solid.print
    cell = np.floor((points - (*solid.centre, 0.0)) / size + 0.37).astype(np.int64).astype(np.uint32)
    word = pcg3d_twin(*cell.T)[0]
    return np.exp(spread * (np.sqrt(12.0) * (word / 2.0**32 - 0.5)))


def _planes(scene: TableTop, origin: np.ndarray, rays: np.ndarray) -> dict[str, np.ndarray]:
    """Hits of the table top and the floor; t is depth, since rays have unit depth."""
    shape = rays.shape[:2]
    down = np.minimum(rays[..., 2], -1e-9)
    on_table, on_floor = -origin[2] / down, -(origin[2] + FLOOR_DROP) / down
    at = origin + on_table[..., None] * rays
    near, far, half = scene.table
    table = (at[..., 0] > near) & (at[..., 0] < far) & (np.abs(at[..., 1]) < half) & (rays[..., 2] < 0)
    t = np.where(table, on_table, np.where(rays[..., 2] < -1e-6, on_floor, np.inf))
    albedo = np.where(table[..., None], scene.albedo, (0.25, 0.2, 0.15))
    normal = np.broadcast_to((0.0, 0.0, 1.0), (*shape, 3)).copy()
    semantic = np.where(table, TABLE, 0).astype(np.uint32)
    return {"t": t, "instance": np.zeros(shape, np.uint32), "semantic": semantic, "normal": normal, "albedo": albedo}


def _hit(solid: Solid, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest hit of a solid: t [H, W] (inf where missed) and its normal [H, W, 3]."""
    c, s = np.cos(solid.yaw), np.sin(solid.yaw)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    half = np.array(solid.size) / 2
    o = (origin - (*solid.centre, half[2])) @ turn
    d = np.where(np.abs(rays @ turn) < 1e-12, 1e-12, rays @ turn)
    low, high = (-half - o) / d, (half - o) / d
    enter, leave = np.minimum(low, high), np.maximum(low, high)
    normals = -np.sign(d)[..., None] * np.eye(3)
    if solid.round:
        a, b, k = (d[..., :2] ** 2).sum(-1), (d[..., :2] * o[:2]).sum(-1), (o[:2] ** 2).sum() - half[0] ** 2
        root = np.sqrt(np.maximum(b * b - a * k, 0.0))
        side = np.where(b * b > a * k, (-b - root) / a, np.inf)
        reached = np.where(np.isfinite(side), side, 0.0)[..., None]
        side_normal = np.concatenate([(o[:2] + reached * d[..., :2]) / half[0], np.zeros((*d.shape[:2], 1))], -1)
        enter = np.stack([side, enter[..., 2]], -1)
        leave = np.stack([np.where(b * b > a * k, (-b + root) / a, -np.inf), leave[..., 2]], -1)
        normals = np.stack([side_normal, normals[..., 2, :]], -2)
    face = enter.argmax(-1)
    t = np.take_along_axis(enter, face[..., None], -1)[..., 0]
    hit = (t < leave.min(-1)) & (t > 0)
    normal = np.take_along_axis(normals, face[..., None, None], -2)[..., 0, :] @ turn.T
    return np.where(hit, t, np.inf), normal


def _sensor_frame(best: dict[str, np.ndarray], R: np.ndarray, origin: np.ndarray, intrinsics: Intrinsics) -> SensorFrame:
    shade = _AMBIENT + (1 - _AMBIENT) * np.clip(best["normal"] @ _LIGHT, 0, 1)
    light = np.where(np.isfinite(best["t"])[..., None], best["albedo"] * shade[..., None], 0.5)
    normals = np.concatenate([best["normal"], np.zeros((*best["t"].shape, 1))], -1).astype(np.float32)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, origin
    channels = {
        "rgb": _srgb(light),
        "distance_to_image_plane": best["t"].astype(np.float32),
        "normals": normals,
        "semantic_segmentation": best["semantic"],
        "instance_segmentation": best["instance"],
    }
    none = np.zeros(0, np.float32)
    view = ObjectView(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32), none.astype(np.int32), none.astype(np.int32), none, none, none)
    return SensorFrame("camera", channels, np.stack([T, T]), 0, 0, view, intrinsics)


def _srgb(light: np.ndarray) -> np.ndarray:
    """Linear light 0..1 as sRGB bytes with full opacity, uint8 [H, W, 4]."""
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.concatenate([np.rint(255 * level), np.full((*light.shape[:2], 1), 255)], -1).astype(np.uint8)
