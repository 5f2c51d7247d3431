"""From what the rays of a firing met to its echoes: light that comes back within one pulse is one echo, at the mean of its ranges.

Each ray returns power energy·ρ·cos θ / r². Sorted by range, neighbours closer than half a pulse merge (the range resolution c·τ/2 of a pulsed laser,
Wagner et al. 2006, ISPRS J. 60, 100-112), and so do those whose footprints touch on a slope: a ray stands for a piece of surface whose extent in
range is its width times tan θ. An echo's range and incidence are means weighted by power; its reflectance is that of a surface there, filling the
whole beam, which would return the same power; its labels are those of the strongest ray. Echoes are stored from the strongest to the weakest, the
last in range always among them.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.frames import LIDAR_CHANNELS
from tailgate.geometry.firing import FiringGrid, from_the_origin
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import launch
from tailgate.render.raytrace.lidar_kernels import GHOSTS, RAYS, Rays, Spin, fire_kernel
from tailgate.render.raytrace.scene import DeviceScene, Tables

wp.set_module_options({"enable_backward": False})

KEPT = 3
"""Echoes kept of a firing that has several rays: the strongest, and the last."""
MAX_TAN = wp.constant(20.0)
"""tan θ is capped here (87.1 deg)."""
_KINDS = {"range": wp.float32, "energy": wp.float32, "cosine": wp.float32, "reflectance": wp.float32, "row": wp.int32, "seen": wp.int32}
_WIDE = wp.types.vector(length=RAYS + GHOSTS, dtype=wp.float32)
_ORDER = wp.types.vector(length=RAYS + GHOSTS, dtype=wp.int32)


@wp.struct
class Echoes:
    """Echoes per firing: range [m] (0: none), incidence (|cos|), reflectance, and the ray that names each (-1: none)."""

    range: wp.array2d(dtype=wp.float32)
    incidence: wp.array2d(dtype=wp.float32)
    reflectance: wp.array2d(dtype=wp.float32)
    ray: wp.array2d(dtype=wp.int32)


@wp.func
def power_of(rays: Rays, k: int, i: int) -> float:
    """Power that ray i of firing k returns, without the device's constants."""
    r = wp.max(rays.range[k, i], 1.0e-3)
    return rays.energy[k, i] * rays.reflectance[k, i] * rays.cosine[k, i] / (r * r)


@wp.func
def reach_of(rays: Rays, k: int, i: int, width: float) -> float:
    """Half the extent in range of the surface that ray i stands for [m]."""
    cosine = rays.cosine[k, i]
    return width * rays.range[k, i] * wp.min(wp.sqrt(1.0 - cosine * cosine) / cosine, MAX_TAN)


@wp.func
def keep_echo(echoes: Echoes, power: wp.array2d(dtype=wp.float32), k: int, found: wp.vec4, ray: int, most: int):
    """Insert an echo (power, power x range, power x cosine, -) where its power ranks it, at ``most`` so far down."""
    kept = echoes.range.shape[1]
    at = int(most)
    for e in range(kept):
        if at == most and found[0] > power[k, e]:
            at = e
    for back in range(kept):
        e = kept - 1 - back
        if e > at:
            power[k, e] = power[k, e - 1]
            echoes.range[k, e] = echoes.range[k, e - 1]
            echoes.incidence[k, e] = echoes.incidence[k, e - 1]
            echoes.reflectance[k, e] = echoes.reflectance[k, e - 1]
            echoes.ray[k, e] = echoes.ray[k, e - 1]
    if at < kept:
        r = found[1] / found[0]
        cosine = found[2] / found[0]
        power[k, at] = found[0]
        echoes.range[k, at] = r
        echoes.incidence[k, at] = cosine
        echoes.reflectance[k, at] = found[0] * r * r / cosine
        echoes.ray[k, at] = ray


@wp.kernel
def echo_kernel(rays: Rays, resolution: float, width: float, power: wp.array2d(dtype=wp.float32), echoes: Echoes):
    """Echoes of one firing; twin: ``echoes_twin``."""
    k = wp.tid()
    count = int(0)
    order = _ORDER()
    at = _WIDE()
    for i in range(rays.range.shape[1]):
        if rays.row[k, i] >= 0 and power_of(rays, k, i) > 0.0:
            place = int(count)
            for back in range(count):
                j = count - 1 - back
                if at[j] > rays.range[k, i]:
                    order[j + 1] = order[j]
                    at[j + 1] = at[j]
                    place = j
            order[place] = i
            at[place] = rays.range[k, i]
            count += 1
    total = wp.vec4()
    best = float(0.0)
    ray = int(-1)
    for n in range(count):
        i = order[n]
        if n > 0:
            gap = resolution + reach_of(rays, k, i, width) + reach_of(rays, k, order[n - 1], width)
            if at[n] - at[n - 1] > gap:
                keep_echo(echoes, power, k, total, ray, echoes.range.shape[1])
                total = wp.vec4()
                best = 0.0
        p = power_of(rays, k, i)
        total += p * wp.vec4(1.0, at[n], rays.cosine[k, i], 0.0)
        if p > best:
            best = p
            ray = i
    if count > 0:
        keep_echo(echoes, power, k, total, ray, echoes.range.shape[1] - 1)


@dataclass(frozen=True)
class Met:
    """What the rays of firings met, numpy [n, rays]: range [m], share of the pulse's energy (0: nothing), |cos| of incidence, reflectance."""

    range: np.ndarray
    energy: np.ndarray
    cosine: np.ndarray
    reflectance: np.ndarray


def echoes_twin(met: Met, resolution: float, width: float, kept: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Readable twin of ``echo_kernel``: range [m], incidence, reflectance and the naming ray, each [n, kept], strongest first.

    Args:
        resolution: echoes closer than this merge [m].
        width: half the spacing of neighbouring rays [rad].
    """
    n = len(met.range)
    out = [np.zeros((n, kept)), np.zeros((n, kept)), np.zeros((n, kept)), np.full((n, kept), -1)]
    power = met.energy * met.reflectance * met.cosine / np.maximum(met.range, 1e-3) ** 2
    tan = np.minimum(np.sqrt(1 - met.cosine**2) / np.maximum(met.cosine, 1e-9), float(MAX_TAN))
    reach = width * met.range * tan
    for k in range(n):
        order = [i for i in np.argsort(met.range[k], kind="stable") if power[k, i] > 0]
        groups: list[list[int]] = []
        for i in order:
            near = groups and met.range[k, i] - met.range[k, groups[-1][-1]] <= resolution + reach[k, i] + reach[k, groups[-1][-1]]
            groups[-1].append(i) if near else groups.append([i])
        best, last = sorted(groups, key=lambda g: -power[k, g].sum())[:kept], groups[-1:]
        for e, g in enumerate(best if not last or last[0] in best else best[:-1] + last):
            total = power[k, g].sum()
            r, cosine = (float((power[k, g] * v[k, g]).sum() / total) for v in (met.range, met.cosine))
            values = (r, cosine, total * r**2 / cosine, g[int(np.argmax(power[k, g]))])
            for field, value in zip(out, values, strict=True):
                field[k, e] = value
    return tuple(out)


@wp.kernel
def label_kernel(
    rays: Rays, echoes: Echoes, tables: Tables, semantic: wp.array2d(dtype=wp.uint32), instance: wp.array2d(dtype=wp.uint32)
):
    """Labels of every echo, 0 for a mirror image, since nothing stands there."""
    k, e = wp.tid()
    ray = echoes.ray[k, e]
    if ray >= 0 and rays.seen[k, ray] > 0:
        held = tables.slot[rays.row[k, ray]]
        semantic[k, e] = wp.uint32(held[1])
        instance[k, e] = wp.uint32(held[2])


@wp.kernel
def mover_kernel(rays: Rays, tables: Tables, mover: wp.array2d(dtype=wp.int32)):
    """The mover that each ray of a firing has light from, where its way ends behind all panes; -1 for none."""
    k, i = wp.tid()
    mover[k, i] = -1
    if rays.row[k, i] >= 0 and power_of(rays, k, i) > 0.0:
        mover[k, i] = tables.slot[rays.row[k, i]][3]


def fire(scene: DeviceScene, spin: Spin, model: LidarModel, grid: FiringGrid) -> tuple[dict[str, np.ndarray], Any]:
    """Fire the whole grid once: the channels of ``LIDAR_CHANNELS`` plus ``reflectance`` and directions, and the mover
    row that each ray of each firing meets.

    The echo axis holds one return where a firing is one ray, else ``KEPT``, the strongest first. Intensity is Lambertian: reflectance times |cos|,
    weakened by fog over the way there and back.
    """
    device, shape = scene.device, grid.azimuth.shape
    firings, slots = grid.azimuth.size, model.sub_rays + (GHOSTS if model.ghosts or scene.tables.panes else 0)
    kept = 1 if slots == 1 else KEPT
    rays, echoes = Rays(), Echoes()
    for name, kind in _KINDS.items():
        setattr(rays, name, wp.zeros((firings, slots), dtype=kind, device=device))
    for name in ("range", "incidence", "reflectance"):
        setattr(echoes, name, wp.zeros((firings, kept), dtype=wp.float32, device=device))
    echoes.ray = wp.full((firings, kept), -1, dtype=wp.int32, device=device)
    inputs = [scene.scene, scene.tables, spin, model.sub_rays, int(model.ghosts)]
    launch(fire_kernel, (firings, model.sub_rays), inputs, [rays], device)
    power = wp.zeros((firings, kept), dtype=wp.float32, device=device)
    width = 0.25e-3 * max(model.divergence_mrad) if model.sub_rays > 1 else 0.0
    wp.launch(echo_kernel, dim=firings, inputs=[rays, model.pulse_range, width, power], outputs=[echoes], device=device)
    labels = [wp.zeros((firings, kept), dtype=wp.uint32, device=device) for _ in range(2)]
    wp.launch(label_kernel, dim=(firings, kept), inputs=[rays, echoes, scene.tables], outputs=labels, device=device)
    mover = wp.empty((firings, model.sub_rays), dtype=wp.int32, device=device)
    wp.launch(mover_kernel, dim=mover.shape, inputs=[rays, scene.tables], outputs=[mover], device=device)
    found = {name: getattr(echoes, name) for name in ("range", "incidence", "reflectance")} | dict(zip(("semantic", "instance"), labels, strict=True))
    channels = {name: value.numpy().reshape(*shape, kept).copy() for name, value in found.items()}
    channels["range"], elevation = from_the_origin(channels["range"], grid)
    air = np.exp(-2.0 * spin.fog * channels["range"])
    channels["intensity"] = (np.minimum(channels["reflectance"], 1.0) * channels["incidence"] * air).astype(np.float32)
    channels["time_offset"] = np.repeat(grid.time[..., None], kept, axis=2)
    ordered = {name: channels[name] for name in (*LIDAR_CHANNELS, "reflectance")}
    ordered |= {"azimuth": grid.azimuth, "elevation": elevation[..., 0], "ring": np.arange(shape[0], dtype=np.int32)}
    if elevation.shape[2] > 1:
        ordered["aim"] = np.stack(np.broadcast_arrays(grid.azimuth[..., None], elevation), axis=-1)
    return ordered, mover
