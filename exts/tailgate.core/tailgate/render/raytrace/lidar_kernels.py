"""LiDAR rays: what the light of every firing meets.

A beam is traced along its axis alone, or along seven rays that stand for its Gaussian ellipse: the axis with half of the energy and six on the 1/e^2
contour with a twelfth each, the quadrature of degree 5 for a Gaussian weight in the plane (Stroud and Secrest 1963). Sub-rays through the footprint
are how full-waveform simulators make mixed pixels and several echoes (HELIOS++, Winiwarter et al. 2022, Remote Sensing of Environment 269, 112772).
The axis may also be followed into smooth metal and through glass. What all rays of a firing met is weighed in ``lidar_echoes``.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.geometry.firing import FiringGrid, turn_of
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Hit, Scene
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import luminance
from tailgate.render.raytrace.surface import coordinates, corner_tint, nearest, slot_of, st_footprint, three_channels

wp.set_module_options({"enable_backward": False})

BEAM = wp.constant(0.003)
"""Width of a beam as a share of the range, for textures: the divergence of common devices is 1.5 to 3 mrad."""

RAYS = 7
"""Rays of a beam with a footprint."""
GHOSTS = 2
"""Further rays of a firing that follows its axis: mirror image and what stands behind a pane."""
SMOOTH = wp.constant(0.1)
"""Surfaces of at most this roughness reflect like a mirror."""
LIFT = wp.constant(1.0e-3)
"""A followed ray starts this far behind the surface [m]."""


@wp.struct
class Spin:
    """A spinning LiDAR in the world. Directions [rad] in its frame, one row per firing in (beam, column) order; ``share`` is how much of the way from
    the first to the last pose the sweep has come. ``start``, ``step`` and ``slack`` are those of the columns: azimuth of the first, signed step, and
    how far a beam may look aside of its column; ``height`` [m] is per beam, ``fog`` the extinction [1/m]."""

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
    out.slack = float(np.deg2rad(np.abs((grid.azimuth - column + 180.0) % 360.0 - 180.0).max()))
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
def reflectance_at(scene: Scene, tables: Tables, hit: Hit, direction: wp.vec3, slot: int) -> float:
    """Lambertian reflectance of a hit: the material's, or its texture's luminance over the width of the beam; display colours scale it. Above 1 the
    surface is a retroreflector."""
    material = tables.slot[slot][0]
    value = tables.material[material, 9]
    if value < 0.0:
        footprint = st_footprint(scene, tables, hit, direction, BEAM * hit.t)
        value = luminance(three_channels(tables, tables.texture_of[material][0], coordinates(tables, hit), footprint))
    return wp.max(value * luminance(corner_tint(tables, hit)), 0.0)


@wp.func
def store(scene: Scene, tables: Tables, rays: Rays, k: int, i: int, hit: Hit, direction: wp.vec3, before: float, energy: float):
    """Keep what ray i of firing k met, ``before`` [m] after it left the sensor. A retroreflector (reflectance above 1) counts as seen head-on."""
    row = slot_of(tables, hit)
    cosine = wp.clamp(wp.abs(wp.dot(hit.normal, direction)), 1.0e-3, 1.0)
    reflectance = reflectance_at(scene, tables, hit, direction, row)
    if reflectance > 1.0:
        reflectance = reflectance / cosine
    rays.range[k, i] = before + hit.t
    rays.energy[k, i] = energy
    rays.cosine[k, i] = cosine
    rays.reflectance[k, i] = reflectance
    rays.row[k, i] = row
    rays.seen[k, i] = 1


@wp.kernel
def fire_kernel(scene: Scene, tables: Tables, spin: Spin, sub_rays: int, rays: Rays):
    """Trace one ray of one firing."""
    k, i = wp.tid()
    rays.row[k, i] = -1
    if i >= sub_rays or spin.live[k] == 0:
        return
    energy = float(1.0)
    aside = float(0.0)
    above = float(0.0)
    if sub_rays > 1:
        energy = 0.5
        if i > 0:
            energy = 1.0 / 12.0
            angle = 1.0471975512 * float(i)
            aside = wp.tan(spin.half_width) * wp.cos(angle)
            above = wp.tan(spin.half_height) * wp.sin(angle)
    direction = firing_direction(spin, k, aside, above)
    hit = nearest(scene, tables, firing_origin(spin, k), direction, spin.range_max)
    if hit.instance < 0 or hit.t < spin.range_min:
        return
    store(scene, tables, rays, k, i, hit, direction, 0.0, energy)


@wp.kernel
def follow_kernel(scene: Scene, tables: Tables, spin: Spin, sub_rays: int, rays: Rays):
    """Follow the axis of a firing into smooth metal and through glass. Both ways: the mirror image with the square of Schlick's (1994) reflectance,
    what stands behind a pane with the square of what the pane lets through; the surface keeps the rest of its diffuse return."""
    k = wp.tid()
    row = rays.row[k, 0]
    if row < 0:
        return
    material = tables.slot[row][0]
    metallic = tables.material[material, 4]
    opacity = tables.material[material, 8]
    smooth = tables.material[material, 3] <= SMOOTH
    if not smooth or (metallic < 0.5 and opacity >= 1.0):
        return
    direction = firing_direction(spin, k, 0.0, 0.0)
    origin = firing_origin(spin, k)
    first = nearest(scene, tables, origin, direction, spin.range_max)
    base = wp.vec3(tables.material[material, 0], tables.material[material, 1], tables.material[material, 2])
    head_on = tables.material[material, 10] * (1.0 - metallic) + luminance(base) * metallic
    mirrored = head_on + (1.0 - head_on) * wp.pow(1.0 - rays.cosine[k, 0], 5.0)
    through = (1.0 - opacity) * (1.0 - mirrored)
    energy = rays.energy[k, 0]
    rays.energy[k, 0] = energy * (1.0 - mirrored) * opacity
    point = origin + first.t * direction
    reflected = direction - 2.0 * wp.dot(direction, first.normal) * first.normal
    image = nearest(scene, tables, point + LIFT * reflected, reflected, spin.range_max - first.t)
    if image.instance >= 0:
        store(scene, tables, rays, k, sub_rays, image, reflected, first.t + LIFT, energy * mirrored * mirrored)
        rays.seen[k, sub_rays] = 0
    behind = nearest(scene, tables, point + LIFT * direction, direction, spin.range_max - first.t)
    if behind.instance >= 0 and through > 0.0:
        store(scene, tables, rays, k, sub_rays + 1, behind, direction, first.t + LIFT, energy * through * through)
