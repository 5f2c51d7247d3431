"""LiDAR rays: what the light of every firing meets.

A beam is traced along its axis alone, or along seven rays that stand for its Gaussian ellipse: the axis with half of the energy and six on the 1/e^2
contour with a twelfth each, the quadrature of degree 5 for a Gaussian weight in the plane (Stroud and Secrest 1963). Sub-rays through the footprint
are how full-waveform simulators make mixed pixels and several echoes (HELIOS++, Winiwarter et al. 2022, Remote Sensing of Environment 269, 112772).
Rays go through panes; the axis also tells what the first pane sends back and what is seen in it or in smooth metal. What all rays of a firing met is
weighed in ``lidar_echoes``.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.geometry.firing import FiringGrid, turn_of
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Hit, Scene
from tailgate.render.raytrace.lamps import luminance
from tailgate.render.raytrace.panes import ior_of, pane_share
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import width_of
from tailgate.render.raytrace.surface import LAYERS, coordinates, corner_tint, nearest, slot_of, st_footprint, step_past, three_channels

wp.set_module_options({"enable_backward": False})

BEAM = wp.constant(0.003)
"""Width of a beam as a share of the range, for textures: the divergence of common devices is 1.5 to 3 mrad."""

RAYS = 7
"""Rays of a beam with a footprint."""
GHOSTS = 2
"""Further returns of a firing that meets glass or mirrors: that of the first pane, and the mirror image in it."""
SMOOTH = wp.constant(0.1)
"""Surfaces of at most this roughness reflect like a mirror."""
LIFT = wp.constant(1.0e-3)
"""A followed ray starts this far behind the surface [m]."""


@wp.struct
class Spin:
    """A spinning LiDAR in the world. Directions [rad] in its frame, one row per firing in (beam, column) order; ``share`` is how much of the way from
    the first to the last pose the sweep has come. ``start``, ``step`` and ``slack`` are those of the columns: azimuth of the first, signed step, and
    how far a beam or its rays may look aside of its column; ``height`` [m] is per beam, ``fog`` the extinction [1/m]."""

    T_world_lidar: wp.mat44
    moved: wp.vec3
    turn_axis: wp.vec3
    turn_angle: wp.float32
    azimuth: wp.array(dtype=wp.float32)
    elevation: wp.array(dtype=wp.float32)
    share: wp.array(dtype=wp.float32)
    live: wp.array(dtype=wp.int32)
    height: wp.array(dtype=wp.float32)
    start: wp.float32
    step: wp.float32
    slack: wp.float32
    columns: wp.int32
    range_min: wp.float32
    range_max: wp.float32
    half_width: wp.float32
    half_height: wp.float32
    fog: wp.float32


@wp.struct
class Rays:
    """What the rays of all firings met, one row per firing. ``energy`` is the share of the pulse that comes this way and back, ``row`` the
    tables' slot (-1: nothing), ``seen`` is 0 for a mirror image."""

    range: wp.array2d(dtype=wp.float32)
    energy: wp.array2d(dtype=wp.float32)
    cosine: wp.array2d(dtype=wp.float32)
    reflectance: wp.array2d(dtype=wp.float32)
    row: wp.array2d(dtype=wp.int32)
    seen: wp.array2d(dtype=wp.int32)


def spin_of(model: LidarModel, grid: FiringGrid, T_world_lidar: np.ndarray, fog: float, device: str) -> Spin:
    """Put a sensor model into the world; ``T_world_lidar`` [2, 4, 4] is its pose at the start and at the end of the sweep."""
    out = Spin()
    sense = -1.0 if model.direction == "cw" else 1.0
    axis, out.turn_angle = turn_of(T_world_lidar)
    out.turn_axis = wp.vec3(*map(float, axis))
    out.T_world_lidar = wp.mat44(*map(float, T_world_lidar[0].ravel()))
    out.moved = wp.vec3(*map(float, T_world_lidar[1, :3, 3] - T_world_lidar[0, :3, 3]))
    for name, degrees in (("azimuth", grid.azimuth), ("elevation", grid.elevation)):
        setattr(out, name, wp.array(np.deg2rad(degrees.astype(np.float64)).astype(np.float32).ravel(), dtype=wp.float32, device=device))
    out.share = wp.array((grid.time / grid.sweep).astype(np.float32).ravel(), dtype=wp.float32, device=device)
    out.height = wp.array(grid.height, dtype=wp.float32, device=device)
    out.live = wp.array(grid.live.astype(np.int32).ravel(), dtype=wp.int32, device=device)
    out.start, out.step = float(np.deg2rad(model.azimuth_start_deg)), float(sense * np.deg2rad(model.azimuth_fov_deg) / model.columns)
    column = model.azimuth_start_deg + sense * model.azimuth_fov_deg / model.columns * np.arange(model.columns)
    wide = 0.5e-3 * model.divergence_mrad[0] / max(np.cos(np.deg2rad(np.abs(model.elevation_deg).max())), 0.01) if model.sub_rays > 1 else 0.0
    out.slack = float(np.deg2rad(np.abs((grid.azimuth - column + 180.0) % 360.0 - 180.0).max()) + wide)
    out.columns, out.fog = model.columns, fog
    out.range_min, out.range_max = model.range_min, model.range_max
    out.half_width, out.half_height = (0.5e-3 * angle for angle in model.divergence_mrad)
    return out


@wp.func
def firing_origin(spin: Spin, k: int) -> wp.vec3:
    """World position of the beam's origin at firing k."""
    turn = wp.quat_from_axis_angle(spin.turn_axis, spin.turn_angle * spin.share[k])
    origin = wp.quat_rotate(turn, wp.vec3(0.0, 0.0, spin.height[k / spin.columns]))
    return wp.transform_point(spin.T_world_lidar, origin) + spin.share[k] * spin.moved


@wp.func
def firing_direction(spin: Spin, k: int, aside: float, above: float) -> wp.vec3:
    """Unit world direction of firing k, turned aside and up by small angles [rad]; twin: ``tailgate.geometry.firing.move_with_sensor``."""
    azimuth = spin.azimuth[k]
    elevation = spin.elevation[k]
    ca, sa, ce, se = wp.cos(azimuth), wp.sin(azimuth), wp.cos(elevation), wp.sin(elevation)
    axis = wp.vec3(ce * ca, ce * sa, se)
    local = wp.normalize(axis + aside * wp.vec3(-sa, ca, 0.0) + above * wp.vec3(-se * ca, -se * sa, ce))
    turned = wp.quat_rotate(wp.quat_from_axis_angle(spin.turn_axis, spin.turn_angle * spin.share[k]), local)
    return wp.transform_vector(spin.T_world_lidar, turned)


@wp.func
def ray_direction(spin: Spin, k: int, i: int, rays: int) -> wp.vec3:
    """Unit world direction of ray i of firing k: the axis, and where a firing has several rays six on the contour of the beam."""
    aside = float(0.0)
    above = float(0.0)
    if rays > 1 and i > 0:
        angle = 1.0471975512 * float(i)
        aside = wp.tan(spin.half_width) * wp.cos(angle)
        above = wp.tan(spin.half_height) * wp.sin(angle)
    return firing_direction(spin, k, aside, above)


@wp.func
def reflectance_at(scene: Scene, tables: Tables, hit: Hit, direction: wp.vec3, slot: int) -> float:
    """Lambertian reflectance of a hit: the material's, or its texture's luminance over the width of the beam; display colours scale it. Above 1 the
    surface is a retroreflector."""
    material = tables.slot[slot][0]
    value = tables.material[material, 9]
    if value < 0.0:
        footprint = st_footprint(scene, tables, hit, direction, BEAM * hit.t)
        value = luminance(three_channels(tables, tables.texture_of[material][0], coordinates(tables, hit), footprint))
    return wp.max(value * luminance(corner_tint(tables, hit)), 0.0)


@wp.struct
class Return:
    """Light that comes back from one place: its range [m], the share of the pulse that goes this way, |cos| of incidence and reflectance there, the
    tables' slot, and 0 in ``seen`` for a mirror image."""

    range: wp.float32
    energy: wp.float32
    cosine: wp.float32
    reflectance: wp.float32
    row: wp.int32
    seen: wp.int32


@wp.func
def return_of(scene: Scene, tables: Tables, hit: Hit, direction: wp.vec3, before: float, energy: float) -> Return:
    """What a hit returns that lies ``before`` [m] behind the sensor's own path. A retroreflector (reflectance above 1) counts as seen head-on."""
    out = Return()
    out.row = slot_of(tables, hit)
    out.cosine = wp.clamp(wp.abs(wp.dot(hit.normal, direction)), 1.0e-3, 1.0)
    out.reflectance = reflectance_at(scene, tables, hit, direction, out.row)
    if out.reflectance > 1.0:
        out.reflectance = out.reflectance / out.cosine
    out.range = before + hit.t
    out.energy = energy
    out.seen = 1
    return out


@wp.func
def store(rays: Rays, k: int, i: int, found: Return):
    """Keep a return as that of ray i of firing k."""
    rays.range[k, i] = found.range
    rays.energy[k, i] = found.energy
    rays.cosine[k, i] = found.cosine
    rays.reflectance[k, i] = found.reflectance
    rays.row[k, i] = found.row
    rays.seen[k, i] = found.seen


@wp.func
def glint(mirrored: float, roughness: float, cosine: float) -> float:
    """Reflectance of a Lambertian surface that would send as much light straight back as a smooth one that mirrors a share: pi times its reflection
    with the view along the light, over the cosine. Slopes are spread as in Beckmann and Spizzichino 1963 (GGX's long tails are not those of polished
    glass); nothing is shadowed near the only angle that counts, where a beam meets the surface head-on."""
    c2 = cosine * cosine
    a2 = width_of(roughness)
    spread = wp.exp(-(1.0 - c2) / (c2 * a2)) / (a2 * c2 * c2)
    return mirrored * spread / (4.0 * c2)


@wp.func
def optics_of(tables: Tables, row: int, cosine: float) -> wp.vec2:
    """Shares of the light at 905 nm that a smooth metal or a pane mirrors and lets through; (0, 0) for anything else."""
    m = tables.slot[row][0]
    metal = tables.material[m, 4]
    f0 = tables.material[m, 10]
    base = wp.vec3(tables.material[m, 0], tables.material[m, 1], tables.material[m, 2])
    head_on = luminance(base)
    mirrored = (head_on + (1.0 - head_on) * wp.pow(1.0 - cosine, 5.0)) * metal
    if tables.material[m, 12] >= 0.0:
        got = pane_share(tables.material[m, 12], ior_of(f0), tables.material[m, 8], tables.material[m, 16], cosine)
        return wp.vec2(mirrored + got[0] * (1.0 - metal), got[1] * (1.0 - mirrored))
    if metal >= 0.5 and tables.material[m, 3] <= SMOOTH:
        return wp.vec2(mirrored + f0 * (1.0 - metal), 0.0)
    return wp.vec2()


@wp.kernel
def fire_kernel(scene: Scene, tables: Tables, spin: Spin, sub_rays: int, ghosts: int, rays: Rays):
    """Trace one ray of one firing, through panes up to what stands behind them: both ways the light keeps the square of what they let through; nearer
    than the device measures nothing returns. The axis also tells the first pane's own return, with what glass and mirror leave of its body's, and
    with ``ghosts`` 1 the mirror image in the first pane or smooth metal, with the square of what is mirrored there."""
    k, i = wp.tid()
    rays.row[k, i] = -1
    extra = rays.row.shape[1] - sub_rays
    if i == 0:
        for j in range(extra):
            rays.row[k, sub_rays + j] = -1
    if spin.live[k] == 0:
        return
    energy = float(1.0)
    if sub_rays > 1:
        energy = wp.where(i > 0, 1.0 / 12.0, 0.5)
    direction = ray_direction(spin, k, i, sub_rays)
    origin = firing_origin(spin, k)
    start = float(0.0)
    for layer in range(LAYERS):
        hit = nearest(scene, tables, origin + direction * start, direction, spin.range_max - start)
        hit.t += start
        if hit.instance < 0:
            return
        near = hit.t < spin.range_min
        if near and (extra == 0 or tables.material[tables.slot[slot_of(tables, hit)][0], 12] < 0.0):
            return
        found = return_of(scene, tables, hit, direction, 0.0, energy)
        if extra == 0:
            store(rays, k, i, found)
            return
        share = optics_of(tables, found.row, found.cosine)
        m = tables.slot[found.row][0]
        body = tables.material[m, 8] * (1.0 - share[0])
        found.reflectance = found.reflectance * body + glint(share[0], tables.material[m, 3], found.cosine)
        if layer == 0 and i == 0 and share[0] > 0.0 and ghosts == 1:
            mirror_image(scene, tables, spin, rays, wp.vec2i(k, sub_rays + 1), hit, origin, direction, share[0] * share[0])
        if tables.material[m, 12] < 0.0:
            store(rays, k, i, found)
            return
        if layer == 0 and i == 0 and not near:
            found.energy = 1.0
            store(rays, k, sub_rays, found)
        energy = energy * share[1] * share[1]
        start = step_past(hit.t)


@wp.func
def mirror_image(
    scene: Scene, tables: Tables, spin: Spin, rays: Rays, place: wp.vec2i, hit: Hit, origin: wp.vec3, direction: wp.vec3, energy: float
):
    """Keep what a ray meets in a mirror as the return at ``place`` (firing, ray)."""
    point = origin + hit.t * direction
    reflected = direction - 2.0 * wp.dot(direction, hit.normal) * hit.normal
    image = nearest(scene, tables, point + LIFT * reflected, reflected, spin.range_max - hit.t)
    if image.instance >= 0:
        found = return_of(scene, tables, image, reflected, hit.t + LIFT, energy)
        found.seen = 0
        if found.range >= spin.range_min:
            store(rays, place[0], place[1], found)
