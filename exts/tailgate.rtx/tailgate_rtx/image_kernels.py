"""From the renderer's buffers to Tailgate's channels, on the device: own copies in our types, ids that mean something, fog, a picture."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.camera_kernels import GRAZING, Camera, along_axis, camera_direction
from tailgate.render.raytrace.tone import tone_map

wp.set_module_options({"enable_backward": False})

SKY_DISTANCE = wp.constant(400.0)
"""Length of air before the sky [m], as in the embedded renderer."""
AWAY = wp.constant(0.2)
"""Cosine to the line of sight from which a normal belongs to the other side; less is a smooth surface's at its outline."""
BRIGHTEST = wp.constant(65504.0)
"""Largest number of 16 bits: what is brighter is cut there, so that no picture holds an infinity."""


@wp.struct
class Names:
    """What ids of prims stand for: the ids in rising order, and per id the semantic id, the instance id and the mover's row (-1: none)."""

    id: wp.array(dtype=wp.uint32)
    row: wp.array(dtype=wp.vec3i)


@wp.struct
class Buffers:
    """The renderer's buffers, (H, W) or (H, W, 4). Its lengths are units of so many ``metres``, its directions the stage's: ``R_world_stage``."""

    metres: wp.float32
    R_world_stage: wp.mat33

    hdr: wp.array(dtype=wp.float16, ndim=3)
    image_plane: wp.array(dtype=wp.float32, ndim=2)
    camera: wp.array(dtype=wp.float32, ndim=2)
    normals: wp.array(dtype=wp.float32, ndim=3)
    id: wp.array(dtype=wp.uint32, ndim=2)


@wp.struct
class Film:
    """Our channels, see ``tailgate.frames.CAMERA_CHANNELS``; ``mover`` is the mover's row per pixel, ``unnamed`` counts pixels whose id has no
    name."""

    hdr: wp.array(dtype=wp.float32, ndim=3)
    image_plane: wp.array(dtype=wp.float32, ndim=2)
    camera: wp.array(dtype=wp.float32, ndim=2)
    normals: wp.array(dtype=wp.float32, ndim=3)
    semantic: wp.array(dtype=wp.uint32, ndim=2)
    instance: wp.array(dtype=wp.uint32, ndim=2)
    mover: wp.array(dtype=wp.int32)
    unnamed: wp.array(dtype=wp.int32)


@wp.func
def place_of(names: Names, id: wp.uint32) -> int:
    """Place of an id among the names, -1 where it has none."""
    low = int(0)
    high = int(names.id.shape[0])
    while low < high:
        middle = (low + high) / 2
        if names.id[middle] < id:
            low = middle + 1
        else:
            high = middle
    if low < names.id.shape[0]:
        if names.id[low] == id:
            return low
    return -1


@wp.kernel
def take_kernel(given: Buffers, camera: Camera, names: Names, film: Film):
    """Copy one pixel: depth beyond ``far`` is no depth, normals face the camera, ids become labels, outside a fisheye's circle it is black, with a
    fourth component of 0; twins: ``taken_twin`` and ``seen_twin``."""
    y, x = wp.tid()
    direction = camera_direction(camera, float(x), float(y))
    along = along_axis(camera, direction, float(y))
    imaged = along >= camera.fisheye.edge
    for c in range(3):
        value = float(given.hdr[y, x, c])
        film.hdr[y, x, c] = wp.where(imaged and not wp.isnan(value), wp.clamp(value, 0.0, BRIGHTEST), 0.0)
    film.hdr[y, x, 3] = wp.where(imaged, 1.0, 0.0)
    plane = given.image_plane[y, x] * given.metres
    distance = given.camera[y, x] * given.metres
    hit = imaged and wp.isfinite(distance)
    near_enough = hit and (plane <= camera.far or along <= GRAZING)
    film.image_plane[y, x] = wp.where(near_enough and along > GRAZING, plane, wp.inf)
    film.camera[y, x] = wp.where(near_enough, distance, wp.inf)
    normal = given.R_world_stage * wp.vec3(given.normals[y, x, 0], given.normals[y, x, 1], given.normals[y, x, 2])
    if wp.dot(normal, wp.normalize(direction)) > AWAY:
        normal = -normal
    for c in range(3):
        film.normals[y, x, c] = wp.where(hit, normal[c], 0.0)
    film.normals[y, x, 3] = wp.where(hit, 1.0, 0.0)
    id = given.id[y, x]
    at = place_of(names, id)
    row = wp.vec3i(0, 0, -1)
    if at >= 0 and imaged:
        row = names.row[at]
    elif id > wp.uint32(1) and imaged:
        wp.atomic_add(film.unnamed, 0, 1)
    film.semantic[y, x] = wp.uint32(row[0])
    film.instance[y, x] = wp.uint32(row[1])
    film.mover[y * given.id.shape[1] + x] = row[2]


def taken_twin(depth: np.ndarray, ids: np.ndarray, names: dict[int, tuple[int, int, int]], far: float) -> tuple[np.ndarray, np.ndarray]:
    """Readable twin of the labels and depth of ``take_kernel``: depth [H, W] and (semantic, instance, mover) [H, W, 3]."""
    rows = np.array([[names.get(int(i), (0, 0, -1)) for i in line] for line in ids])
    return np.where(depth <= far, depth, np.inf), rows


def seen_twin(hdr: np.ndarray, normals: np.ndarray, hit: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Readable twin of the radiance and normals of ``take_kernel`` in a pinhole's picture: both [H, W, 4], the former cut to [0, 65504].

    Args:
        hdr, normals: as rendered, [H, W, >= 3], the latter in the world's axes.
        hit: whether a surface is seen, [H, W].
        directions: unit rays [H, W, 3].
    """
    radiance = np.clip(np.where(np.isnan(hdr[..., :3]), 0.0, hdr[..., :3]), 0.0, float(BRIGHTEST))
    away = (normals[..., :3] * directions).sum(-1, keepdims=True) > float(AWAY)
    facing = np.where(away, -normals[..., :3], normals[..., :3])
    one = np.ones((*hit.shape, 1))
    return np.append(radiance, one, 2), np.append(facing, one, 2) * hit[..., None]


@wp.kernel
def sky_kernel(hdr: wp.array(dtype=wp.float32, ndim=3), camera: wp.array(dtype=wp.float32, ndim=2), total: wp.array2d(dtype=wp.float32)):
    """Add up the radiance of the sky and of everything, one row of ``total`` per image row: sky red, green, blue, pixels; then the same of all."""
    y = wp.tid()
    for x in range(hdr.shape[1]):
        inside = hdr[y, x, 3]
        sky = wp.where(wp.isfinite(camera[y, x]), 0.0, inside)
        for c in range(3):
            total[y, c] += sky * hdr[y, x, c]
            total[y, 4 + c] += hdr[y, x, c]
        total[y, 3] += sky
        total[y, 7] += inside


@wp.kernel
def fog_kernel(distance: wp.array(dtype=wp.float32, ndim=2), extinction: float, haze: wp.vec3, hdr: wp.array(dtype=wp.float32, ndim=3)):
    """Dim radiance over the way [m] and add what the air scatters into it (Koschmieder 1924)."""
    y, x = wp.tid()
    clear = wp.exp(-extinction * wp.where(wp.isfinite(distance[y, x]), distance[y, x], SKY_DISTANCE))
    for c in range(3):
        hdr[y, x, c] = hdr[y, x, c] * clear + haze[c] * (1.0 - clear) * hdr[y, x, 3]


def new_buffers(T_world_stage: np.ndarray) -> Buffers:
    """Buffers to fill in; ``T_world_stage`` [4, 4] is ``tailgate.stage.extract.world_correction``."""
    out, metres = Buffers(), float(np.linalg.norm(T_world_stage[:3, 0]))
    out.metres = metres
    out.R_world_stage = wp.mat33(*map(float, (T_world_stage[:3, :3] / metres).ravel()))
    return out


def new_film(width: int, height: int, device: str) -> Film:
    """Channels for one picture."""
    film, size = Film(), (height, width)
    for name in ("hdr", "normals"):
        setattr(film, name, wp.empty((*size, 4), dtype=wp.float32, device=device))
    for name in ("image_plane", "camera"):
        setattr(film, name, wp.empty(size, dtype=wp.float32, device=device))
    for name in ("semantic", "instance"):
        setattr(film, name, wp.empty(size, dtype=wp.uint32, device=device))
    film.mover = wp.empty(height * width, dtype=wp.int32, device=device)
    film.unnamed = wp.zeros(1, dtype=wp.int32, device=device)
    return film


def names_of(table: dict[int, tuple[int, int, int]], device: str) -> Names:
    """Upload a table of ids."""
    out, ids = Names(), sorted(table)
    out.id = wp.array(np.array(ids, np.uint32), dtype=wp.uint32, device=device)
    out.row = wp.array(np.array([table[i] for i in ids], np.int32).reshape(-1, 3), dtype=wp.vec3i, device=device)
    return out


def add_fog(film: Film, extinction: float) -> None:
    """Let a picture be seen through fog: its air is as bright as the mean sky in view, or as the whole picture where none is; twin: ``fog_twin``."""
    device, (height, width) = film.hdr.device, film.camera.shape
    total = wp.zeros((height, 8), dtype=wp.float32, device=device)
    wp.launch(sky_kernel, dim=height, inputs=[film.hdr, film.camera, total], device=device)
    sums = total.numpy().astype(np.float64).sum(0)
    seen = sums[:4] if sums[3] > 0 else sums[4:]
    haze = wp.vec3(*map(float, seen[:3] / max(seen[3], 1.0)))
    wp.launch(fog_kernel, dim=(height, width), inputs=[film.camera, float(extinction), haze, film.hdr], device=device)


def fog_twin(hdr: np.ndarray, distance: np.ndarray, extinction: float) -> np.ndarray:
    """Readable twin of ``add_fog``: radiance [H, W, 3] of a picture [H, W, 4] whose surfaces are so far away [m], [H, W]."""
    surface, imaged = np.isfinite(distance)[..., None], hdr[..., 3:].astype(np.float64)
    lit = imaged * ~surface if (imaged * ~surface).any() else imaged
    haze = (hdr[..., :3] * lit).sum((0, 1)) / max(lit.sum(), 1.0)
    clear = np.exp(-extinction * np.where(surface, distance[..., None], SKY_DISTANCE))
    return hdr[..., :3] * clear + haze * (1.0 - clear) * imaged


PROBE = 4
"""Every so many pixels, each way, exposure is metered."""


def probe(film: Film) -> tuple[np.ndarray, np.ndarray]:
    """A coarse copy on the host: radiance [n, 4] and whether a surface is seen, bool [n]."""
    hdr = film.hdr[::PROBE, ::PROBE].contiguous().numpy().reshape(-1, 4)
    return hdr, np.isfinite(film.camera[::PROBE, ::PROBE].contiguous().numpy().ravel())


def picture(film: Film, exposure: float) -> Any:
    """Colours at an exposure as the embedded renderer gives them, Warp uint8 [H, W, 4]."""
    hdr, n = film.hdr, film.camera.size
    rgb = wp.empty(hdr.shape, dtype=wp.uint8, device=hdr.device)
    tone_map(wp.array(ptr=hdr.ptr, shape=n, dtype=wp.vec4, device=hdr.device), exposure, rgb.reshape((n, 4)))
    return rgb


@dataclass(frozen=True)
class Taken:
    """One camera's capture on the device.

    Attributes:
        film: channels.
        camera: where it was taken.
        notes: what was missing, in words.
    """

    film: Film
    camera: Camera
    notes: tuple[str, ...] = ()
