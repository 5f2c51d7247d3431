"""LiDAR kernels: the firing grid of a spinning sensor and what each ray meets."""

from __future__ import annotations

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene, closest_hit
from tailgate.render.raytrace.scene import DeviceScene, Tables
from tailgate.render.raytrace.shading import luminance

wp.set_module_options({"enable_backward": False})


@wp.struct
class Spin:
    """A spinning LiDAR in the world. Angles [rad]; ``step`` is signed: negative turns clockwise seen from above. ``fog`` is the extinction [1/m]."""

    T_world_lidar: wp.mat44
    elevation: wp.array(dtype=wp.float32)
    offset: wp.array(dtype=wp.float32)
    start: wp.float32
    step: wp.float32
    columns: wp.int32
    range_min: wp.float32
    range_max: wp.float32
    fog: wp.float32


@wp.struct
class Returns:
    """LiDAR channels, one row per firing in (beam, column) order."""

    range: wp.array(dtype=wp.float32)
    intensity: wp.array(dtype=wp.float32)
    reflectance: wp.array(dtype=wp.float32)
    incidence: wp.array(dtype=wp.float32)
    semantic: wp.array(dtype=wp.uint32)
    instance: wp.array(dtype=wp.uint32)
    mover: wp.array(dtype=wp.int32)


def spin_of(model: LidarModel, T_world_lidar: np.ndarray, fog: float, device: str) -> Spin:
    """Put a sensor model into the world."""
    out = Spin()
    sign = -1.0 if model.direction == "cw" else 1.0
    out.T_world_lidar = wp.mat44(*map(float, T_world_lidar.ravel()))
    offset = model.azimuth_offset_deg or [0.0] * len(model.elevation_deg)
    out.elevation = wp.array(np.deg2rad(model.elevation_deg).astype(np.float32), dtype=wp.float32, device=device)
    out.offset = wp.array(np.deg2rad(offset).astype(np.float32), dtype=wp.float32, device=device)
    out.start = float(np.deg2rad(model.azimuth_start_deg))
    out.step = float(sign * np.deg2rad(model.azimuth_fov_deg) / model.columns)
    out.columns = model.columns
    out.range_min, out.range_max, out.fog = model.range_min, model.range_max, fog
    return out


def firing_grid(model: LidarModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth in [-180, 180) and elevation [deg], float32 [beams, columns], and time since the first firing [ns], int32 [beams, columns, 1]."""
    beams, sign = len(model.elevation_deg), -1.0 if model.direction == "cw" else 1.0
    offset = np.array(model.azimuth_offset_deg or [0.0] * beams)
    azimuth = model.azimuth_start_deg + sign * model.azimuth_fov_deg / model.columns * np.arange(model.columns) + offset[:, None]
    elevation = np.repeat(np.array(model.elevation_deg, np.float32)[:, None], model.columns, 1)
    period = 1e9 / model.rate_hz * model.azimuth_fov_deg / 360.0
    time = np.round(period * np.arange(model.columns) / model.columns).astype(np.int32)
    return ((azimuth + 180.0) % 360.0 - 180.0).astype(np.float32), elevation, np.repeat(time[None, :, None], beams, 0)


@wp.func
def firing(spin: Spin, beam: int, column: int) -> wp.vec3:
    """Unit world direction of one firing."""
    azimuth = spin.start + spin.step * float(column) + spin.offset[beam]
    elevation = spin.elevation[beam]
    flat = wp.cos(elevation)
    return wp.transform_vector(spin.T_world_lidar, wp.vec3(flat * wp.cos(azimuth), flat * wp.sin(azimuth), wp.sin(elevation)))


@wp.func
def reflectance_at(tables: Tables, instance: int, face: int, u: float, v: float, slot: int) -> float:
    """Lambertian reflectance of a hit; meshes coloured per corner scale it by the colour's luminance."""
    value = tables.material[tables.slot[slot][0], 9]
    colours = tables.colour_base[instance]
    if colours >= 0:
        corner = (colours + face) * 3
        c = tables.corner_colour[corner] * u + tables.corner_colour[corner + 1] * v + tables.corner_colour[corner + 2] * (1.0 - u - v)
        value = value * luminance(c)
    return wp.clamp(value, 0.0, 1.0)


@wp.kernel
def fire_kernel(scene: Scene, tables: Tables, spin: Spin, returns: Returns):
    """Trace each firing. Intensity is Lambertian: reflectance times |cos|, weakened by fog over the way there and back."""
    k = wp.tid()
    direction = firing(spin, k / spin.columns, k % spin.columns)
    origin = wp.transform_point(spin.T_world_lidar, wp.vec3(0.0, 0.0, 0.0))
    hit = closest_hit(scene, origin, direction, spin.range_max)
    returns.mover[k] = -1
    if hit.instance < 0 or hit.t < spin.range_min:
        return
    row = tables.slot_base[hit.instance] + tables.face_slot[tables.face_base[hit.instance] + hit.face]
    slot = tables.slot[row]
    cosine = wp.min(wp.abs(wp.dot(hit.normal, direction)), 1.0)
    reflectance = reflectance_at(tables, hit.instance, hit.face, hit.u, hit.v, row)
    returns.range[k] = hit.t
    returns.reflectance[k] = reflectance
    returns.incidence[k] = cosine
    returns.intensity[k] = reflectance * cosine * wp.exp(-2.0 * spin.fog * hit.t)
    returns.semantic[k] = wp.uint32(slot[1])
    returns.instance[k] = wp.uint32(slot[2])
    returns.mover[k] = slot[3]


def fire(scene: DeviceScene, spin: Spin, model: LidarModel, device: str) -> tuple[dict[str, np.ndarray], wp.array]:
    """Fire the whole grid once: the channels of ``LIDAR_CHANNELS`` plus ``reflectance``, and the mover row of each firing."""
    beams, columns = len(model.elevation_deg), model.columns
    returns = Returns()
    kinds = {"range": wp.float32, "intensity": wp.float32, "reflectance": wp.float32, "incidence": wp.float32}
    for name, kind in {**kinds, "semantic": wp.uint32, "instance": wp.uint32, "mover": wp.int32}.items():
        setattr(returns, name, wp.zeros(beams * columns, dtype=kind, device=device))
    wp.launch(fire_kernel, dim=beams * columns, inputs=[scene.scene, scene.tables, spin], outputs=[returns], device=device)
    names = (*kinds, "semantic", "instance")
    channels = {name: getattr(returns, name).numpy().reshape(beams, columns, 1).copy() for name in names}
    azimuth, elevation, time = firing_grid(model)
    ring = np.arange(beams, dtype=np.int32)
    return {**channels, "time_offset": time, "azimuth": azimuth, "elevation": elevation, "ring": ring}, returns.mover
