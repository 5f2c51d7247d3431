"""Exact views of boxes and cylinders on a table, ray by ray in closed form: known surfaces to calibrate an RGB-D response on."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        grain: the same of the fine texture of its surface, which runs smoothly from patch to patch.
    """

    centre: tuple[float, float]
    size: tuple[float, float, float]
    yaw: float
    round: bool
    albedo: tuple[float, float, float]
    print: tuple[float, float] = (1.0, 0.0)
    grain: tuple[float, float] = (1.0, 0.0)


@dataclass(frozen=True)
class TableTop:
    """A scene: the camera looks along the table's x.

    Attributes:
        height: of the camera over the table [m].
        pitch: downward look [rad].
        table: nearest x, furthest x and half width [m]; the camera is at x = 0.
        albedo: of the table.
        solids: what stands on it.
        grain: as of a solid, of the table.
    """

    height: float
    pitch: float
    table: tuple[float, float, float]
    albedo: tuple[float, float, float]
    solids: tuple[Solid, ...]
    grain: tuple[float, float] = (1.0, 0.0)


GRAIN, GRAIN_SPREAD = (0.005, 0.03), 0.05
"""Sizes of the fine texture of wood and paper [m] and the largest standard deviation of the log of its tone."""
FINE, SMOOTH = 3, 0.01
"""Rays per side of a pixel over which its light is averaged where it differs from one beside it by so much."""
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
    sizes, spreads = scale * np.exp(rng.uniform(*np.log(GRAIN), len(solids) + 1)), rng.uniform(0.0, GRAIN_SPREAD, len(solids) + 1)
    grains = list(zip(map(float, sizes), map(float, spreads), strict=True))
    solids = [replace(solid, grain=grain) for solid, grain in zip(solids, grains[1:], strict=True)]
    far = aim + scale * float(rng.uniform(0.7, 1.4))
    tone = float(rng.uniform(0.3, 0.7))
    table = (0.05 * scale, float(far), scale * float(rng.uniform(0.7, 1.1)))
    return TableTop(float(height), float(pitch), table, (tone, tone * 0.85, tone * 0.7), tuple(solids), grains[0])


def perfect_frame(scene: TableTop, intrinsics: Intrinsics) -> SensorFrame:
    """Exact view of a scene: ``rgb`` uint8 [H, W, 4] and its linear ``light`` float32 [H, W, 4] (1: white), means over each pixel;
    ``distance_to_image_plane`` float32 [m], ``normals`` float32 [H, W, 4] (table frame), ``semantic_segmentation`` (0 floor, 1 table, 2 object) and
    ``instance_segmentation`` (from 1 in the order of the solids) uint32, at its middle."""
    c, s = np.cos(scene.pitch), np.sin(scene.pitch)
    R = np.array([[0.0, -s, c], [-1.0, 0.0, 0.0], [0.0, -c, -s]])
    origin = np.array([0.0, 0.0, scene.height])
    u, v = (a.ravel() for a in np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height)))

    def shoot(u: np.ndarray, v: np.ndarray) -> dict[str, np.ndarray]:
        pinhole = [(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy, np.ones(u.shape)]
        return _shot(scene, origin, np.stack(pinhole, -1) @ R.T)

    middle = shoot(u, v)
    light, beside = _light(middle), (np.arange(FINE) + 0.5) / FINE - 0.5
    mixed = np.flatnonzero(_uneven(light.reshape(intrinsics.height, intrinsics.width, 3)))
    light[mixed] = np.mean([_light(shoot(u[mixed] + du, v[mixed] + dv)) for du in beside for dv in beside], axis=0)
    return _sensor_frame(middle, light, R, origin, intrinsics)


def _uneven(light: np.ndarray) -> np.ndarray:
    """Pixels that differ from one beside them by more than SMOOTH, bool [H, W]."""
    grey = light.mean(axis=-1)
    out = np.zeros(grey.shape, dtype=bool)
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis)) > SMOOTH
        out |= np.insert(step, 0, False, axis=axis) | np.insert(step, step.shape[axis], False, axis=axis)
    return out


def _shot(scene: TableTop, origin: np.ndarray, rays: np.ndarray) -> dict[str, np.ndarray]:
    """What rays [n, 3] meet: t, instance, semantic, normal and albedo, [n, ...]."""
    best = _planes(scene, origin, rays)
    length = (rays**2).sum(-1)
    for number, solid in enumerate(scene.solids, 1):
        middle = np.array((*solid.centre, solid.size[2] / 2)) - origin
        close = np.flatnonzero((rays @ middle) ** 2 > (middle @ middle - np.sum(np.square(solid.size)) / 4) * length)
        t, normal = _hit(solid, origin, rays[close])
        front = t < best["t"][close]
        nearer, t = close[front], t[front]
        best["t"][nearer], best["instance"][nearer], best["semantic"][nearer] = t, number, OBJECT
        best["normal"][nearer] = normal[front]
        points = origin + t[:, None] * rays[nearer] - (*solid.centre, 0.0)
        best["albedo"][nearer] = np.clip(np.array(solid.albedo) * (_print(points, solid.print) * _grain(points, solid.grain))[:, None], 0.0, 0.95)
    return best


def _light(shot: dict[str, np.ndarray]) -> np.ndarray:
    """Linear light of what was met, [n, 3]."""
    shade = _AMBIENT + (1 - _AMBIENT) * np.clip(shot["normal"] @ _LIGHT, 0, 1)
    return np.where(np.isfinite(shot["t"])[..., None], shot["albedo"] * shade[..., None], 0.5)


def _print(points: np.ndarray, look: tuple[float, float]) -> np.ndarray:
    """Tone of printed patches at points [n, 3], about 1, [n]: one a cell of space, from the hash of its address."""
    size, spread = look
    return np.exp(spread * _hashed(np.floor(points / size + 0.37)))


def _grain(points: np.ndarray, look: tuple[float, float]) -> np.ndarray:
    """Tone of fine texture at points [n, 3], about 1, [n]: between the corners of cells of space it is linear."""
    size, spread = look
    cell, share = np.divmod(points / size + 0.37, 1.0)
    x, y, z = ((1.0 - part, part) for part in share.T)
    return np.exp(spread * sum(x[i] * y[j] * z[k] * _hashed(cell + (i, j, k)) for i, j, k in np.ndindex(2, 2, 2)))


def _hashed(cell: np.ndarray) -> np.ndarray:
    """A number of unit variance and mean 0 for each cell [n, 3], [n]."""
    return np.sqrt(12.0) * (pcg3d_twin(*cell.astype(np.int64).astype(np.uint32).T)[0] / 2.0**32 - 0.5)


def _planes(scene: TableTop, origin: np.ndarray, rays: np.ndarray) -> dict[str, np.ndarray]:
    """Hits of the table top and the floor; t is depth, since rays have unit depth."""
    shape = rays.shape[:-1]
    down = np.minimum(rays[..., 2], -1e-9)
    on_table, on_floor = -origin[2] / down, -(origin[2] + FLOOR_DROP) / down
    at = origin + on_table[..., None] * rays
    near, far, half = scene.table
    table = (at[..., 0] > near) & (at[..., 0] < far) & (np.abs(at[..., 1]) < half) & (rays[..., 2] < 0)
    t = np.where(table, on_table, np.where(rays[..., 2] < -1e-6, on_floor, np.inf))
    albedo = np.where(table[..., None], scene.albedo, (0.25, 0.2, 0.15))
    albedo[table] *= _grain(at[table], scene.grain)[:, None]
    normal = np.broadcast_to((0.0, 0.0, 1.0), (*shape, 3)).copy()
    semantic = np.where(table, TABLE, 0).astype(np.uint32)
    return {"t": t, "instance": np.zeros(shape, np.uint32), "semantic": semantic, "normal": normal, "albedo": albedo}


def _hit(solid: Solid, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest hit of a solid by rays [n, 3]: t [n] (inf where missed) and its normal [n, 3]."""
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
        side_normal = np.concatenate([(o[:2] + reached * d[..., :2]) / half[0], np.zeros((*d.shape[:-1], 1))], -1)
        enter = np.stack([side, enter[..., 2]], -1)
        leave = np.stack([np.where(b * b > a * k, (-b + root) / a, -np.inf), leave[..., 2]], -1)
        normals = np.stack([side_normal, normals[..., 2, :]], -2)
    face = enter.argmax(-1)
    t = np.take_along_axis(enter, face[..., None], -1)[..., 0]
    hit = (t < leave.min(-1)) & (t > 0)
    normal = np.take_along_axis(normals, face[..., None, None], -2)[..., 0, :] @ turn.T
    return np.where(hit, t, np.inf), normal


def _sensor_frame(best: dict[str, np.ndarray], light: np.ndarray, R: np.ndarray, origin: np.ndarray, intrinsics: Intrinsics) -> SensorFrame:
    shape = intrinsics.height, intrinsics.width
    t, light, normal = best["t"].reshape(shape), light.reshape(*shape, 3), best["normal"].reshape(*shape, 3)
    normals = np.concatenate([normal, np.zeros((*shape, 1))], -1).astype(np.float32)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, origin
    channels = {
        "rgb": _srgb(light),
        "light": np.concatenate([light, np.ones((*shape, 1))], -1).astype(np.float32),
        "distance_to_image_plane": t.astype(np.float32),
        "normals": normals,
        "semantic_segmentation": best["semantic"].reshape(shape),
        "instance_segmentation": best["instance"].reshape(shape),
    }
    none = np.zeros(0, np.float32)
    view = ObjectView(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32), none.astype(np.int32), none.astype(np.int32), none, none, none)
    return SensorFrame("camera", channels, np.stack([T, T]), 0, 0, view, intrinsics)


def _srgb(light: np.ndarray) -> np.ndarray:
    """Linear light 0..1 as sRGB bytes with full opacity, uint8 [H, W, 4]."""
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.concatenate([np.rint(255 * level), np.full((*light.shape[:2], 1), 255)], -1).astype(np.uint8)
