"""Camera kernels: what each pixel sees, the light that reaches it, and the radiance it sends back."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.render.raytrace.lens import lens_ray
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import (
    FAR,
    PI,
    Light,
    environment_brdf,
    ggx,
    grain,
    hash01,
    incoming,
    luminance,
    mirrored_hit,
    onto_hemisphere,
    ray_start,
    seen_sky,
    sky,
    sphere_irradiance,
)
from tailgate.render.raytrace.surface import blocked, nearest, surface_point, textured

wp.set_module_options({"enable_backward": False})

MIRROR_BELOW = wp.constant(0.3)
"""Surfaces smoother than this trace a reflected ray; rougher ones mirror the sky alone."""


R2 = wp.constant(wp.vec3(0.7548776662, 0.5698402910, 0.4301597090))
"""Steps from sample to sample of ``spread``'s dimensions."""


@wp.struct
class Camera:
    """Camera; see ``tailgate.frames.Intrinsics``. ``far`` [m] limits the depth channels alone; ``rays`` is empty without a lens."""

    width: wp.int32
    height: wp.int32
    fx: wp.float32
    fy: wp.float32
    cx: wp.float32
    cy: wp.float32
    far: wp.float32
    T_world_camera: wp.mat44
    rays: wp.array2d(dtype=wp.vec2)


@wp.struct
class Pixels:
    """What the rays through the pixel centres meet, one row per pixel. ``t`` is the depth along the optical axis, -1 for the sky; ``material`` is
    roughness, metallic and the coat's reflectance seen head-on."""

    t: wp.array(dtype=wp.float32)
    instance: wp.array(dtype=wp.int32)
    slot: wp.array(dtype=wp.int32)
    normal: wp.array(dtype=wp.vec3)
    face_normal: wp.array(dtype=wp.vec3)
    base: wp.array(dtype=wp.vec3)
    emissive: wp.array(dtype=wp.vec3)
    material: wp.array(dtype=wp.vec3)


@wp.struct
class Truth:
    """Camera channels that are exact, one row per pixel."""

    distance_to_image_plane: wp.array(dtype=wp.float32)
    distance_to_camera: wp.array(dtype=wp.float32)
    normals: wp.array(dtype=wp.vec4)
    semantic: wp.array(dtype=wp.uint32)
    instance: wp.array(dtype=wp.uint32)
    mover: wp.array(dtype=wp.int32)


@wp.func
def camera_origin(camera: Camera) -> wp.vec3:
    """Optical centre in the world."""
    return wp.transform_point(camera.T_world_camera, wp.vec3(0.0, 0.0, 0.0))


@wp.func
def camera_direction(camera: Camera, u: float, v: float) -> wp.vec3:
    """World direction through an image point, one metre long along the optical axis, so that a ray's t is its depth."""
    if camera.rays.shape[0] > 0:
        ray = lens_ray(camera.rays, u, v)
        return wp.transform_vector(camera.T_world_camera, wp.vec3(ray[0], ray[1], 1.0))
    return wp.transform_vector(camera.T_world_camera, wp.vec3((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0))


@wp.kernel
def see_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, truth: Truth):
    """Trace the centre of each pixel."""
    k = wp.tid()
    origin = camera_origin(camera)
    direction = camera_direction(camera, float(k % camera.width), float(k / camera.width))
    length = wp.length(direction)
    hit = nearest(scene, tables, origin, direction, FAR)
    pixels.instance[k] = hit.instance
    if hit.instance < 0:
        pixels.t[k] = -1.0
        pixels.slot[k] = -1
        truth.distance_to_image_plane[k] = wp.inf
        truth.distance_to_camera[k] = wp.inf
        truth.normals[k] = wp.vec4()
        truth.semantic[k] = wp.uint32(0)
        truth.instance[k] = wp.uint32(0)
        truth.mover[k] = -1
        return
    point = surface_point(scene, tables, hit, direction, origin + direction * hit.t)
    footprint = hit.t / camera.fx
    plain = tables.texture_of[point.material][0] < 0
    point = textured(scene, tables, hit, direction, footprint, point)
    slot = tables.slot[point.slot]
    pixels.t[k] = hit.t
    pixels.slot[k] = point.slot
    pixels.normal[k] = point.normal
    pixels.face_normal[k] = point.face_normal
    pixels.emissive[k] = point.emissive
    pixels.material[k] = wp.vec3(point.roughness, point.metallic, point.f0)
    pixels.base[k] = point.base
    if plain:
        local = wp.transform_point(scene.T_local_world[hit.instance], point.position)
        pixels.base[k] = point.base * grain(local, footprint, point.roughness)
    truth.distance_to_image_plane[k] = wp.where(hit.t <= camera.far, hit.t, wp.inf)
    truth.distance_to_camera[k] = wp.where(hit.t <= camera.far, hit.t * length, wp.inf)
    truth.normals[k] = wp.vec4(point.normal[0], point.normal[1], point.normal[2], 1.0)
    truth.semantic[k] = wp.uint32(slot[1])
    truth.instance[k] = wp.uint32(slot[2])
    truth.mover[k] = slot[3]


@wp.func
def spread(x: float, y: float, sample: int, dimension: int, seed: int) -> float:
    """Number in [0, 1) that differs well between neighbours on a square lattice (interleaved gradient noise, Jimenez 2014), and along the R2
    sequence (Roberts 2018) from sample to sample."""
    shift = 5.588238 * float(dimension)
    value = 0.06711056 * (x + shift) + 0.00583715 * (y + 1.37 * shift)
    value = 52.9829189 * (value - wp.floor(value)) + R2[dimension] * float(sample) + hash01(dimension, 7, seed)
    return value - wp.floor(value)


@wp.func
def sampled(k: int, width: int) -> bool:
    """True for the pixels of one colour of a chessboard; the first smoothing pass fills the others."""
    return (k % width + k / width) % 2 == 0


@wp.kernel
def light_kernel(
    scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, samples: int, sparse: int,
    diffuse: wp.array(dtype=wp.vec4), mirrored: wp.array(dtype=wp.vec4),
):  # fmt: skip
    """Light that reaches each pixel: ``diffuse`` = irradiance / pi from sky, lamps and other surfaces (RGB) and the share of the sun that is
    visible; ``mirrored`` = radiance along the reflected ray (RGB) and the lamp's share that is visible. With ``sparse`` 1, sky and other
    surfaces are sampled at every second pixel only, see ``sampled``."""
    k = wp.tid()
    if pixels.t[k] < 0.0:
        diffuse[k] = wp.vec4()
        mirrored[k] = wp.vec4()
        return
    origin = camera_origin(camera)
    direction = camera_direction(camera, float(k % camera.width), float(k / camera.width))
    position = origin + direction * pixels.t[k]
    normal = pixels.normal[k]
    start = ray_start(position, pixels.face_normal[k])
    toward_sun = wp.dot(normal, light.sun_direction) > 0.0 and wp.dot(pixels.face_normal[k], light.sun_direction) > 0.0
    roughness = pixels.material[k][0]
    reflected = wp.normalize(direction - normal * (2.0 * wp.dot(direction, normal)))
    total = wp.vec3()
    mirror = wp.vec3()
    visible = float(0.0)
    lamp_seen = float(0.0)
    x = float(k % camera.width)
    y = float(k / camera.width)
    a = wp.where(sparse == 1, 0.5 * (x + y), x)
    b = wp.where(sparse == 1, 0.5 * (x - y), y)
    for s in range(samples):
        u = spread(x, y, s, 0, light.seed)
        v = spread(x, y, s, 1, light.seed)
        w = wp.vec3(hash01(k, s, light.seed), hash01(k, s + 101, light.seed), hash01(k, s + 211, light.seed))
        if toward_sun and light.sun_radius >= 0.0:
            to_sun = toward_disc(light.sun_direction, light.sun_radius, u, v)
            if not blocked(scene, tables, start, to_sun, FAR):
                visible += 1.0
        if sparse == 0 or sampled(k, camera.width):
            p = spread(a, b, s, 0, light.seed)
            q = spread(a, b, s, 1, light.seed)
            total += incoming(scene, tables, light, start, onto_hemisphere(normal, q, p), w)
            if light.lamps > 0:
                irradiance = one_lamp(scene, tables, light, start, normal, wp.vec3(spread(a, b, s, 2, light.seed), p, q))
                total += wp.vec3(irradiance[0], irradiance[1], irradiance[2]) * (1.0 / PI)
                lamp_seen += irradiance[3]
        if roughness < MIRROR_BELOW and s == 0:
            glossy = wp.normalize(reflected + (onto_hemisphere(reflected, u, v) - reflected) * (roughness * roughness * 0.7))
            hit = nearest(scene, tables, start, glossy, FAR)
            if hit.instance < 0:
                mirror = seen_sky(light, glossy)
            else:
                mirror = mirrored_hit(scene, tables, light, hit, start, glossy)
    scale = 1.0 / float(samples)
    total = total * scale
    diffuse[k] = wp.vec4(total[0], total[1], total[2], visible * scale)
    mirrored[k] = wp.vec4(mirror[0], mirror[1], mirror[2], lamp_seen * scale)


@wp.func
def toward_disc(axis: wp.vec3, radius: float, u: float, v: float) -> wp.vec3:
    """Direction within ``radius`` [rad] of an axis, uniform over the disc."""
    side = wp.normalize(wp.cross(axis, wp.where(wp.abs(axis[2]) < 0.9, wp.vec3(0.0, 0.0, 1.0), wp.vec3(1.0, 0.0, 0.0))))
    other = wp.cross(axis, side)
    r = radius * wp.sqrt(u)
    return wp.normalize(axis + side * (r * wp.cos(2.0 * PI * v)) + other * (r * wp.sin(2.0 * PI * v)))


@wp.func
def one_lamp(scene: Scene, tables: Tables, light: Light, start: wp.vec3, normal: wp.vec3, u: wp.vec3) -> wp.vec4:
    """Irradiance of all lamps estimated by one shadow ray to a lamp picked by its strength here, and 1 if that lamp is visible."""
    total = float(0.0)
    for lamp in range(light.lamps):
        total += luminance(sphere_irradiance(light, lamp, start, normal))
    if total <= 1.0e-12:
        return wp.vec4()
    left = u[0] * total
    chosen = int(-1)
    for lamp in range(light.lamps):
        strength = luminance(sphere_irradiance(light, lamp, start, normal))
        if chosen < 0 and strength > 0.0 and left <= strength:
            chosen = lamp
        left -= strength
    if chosen < 0:
        return wp.vec4()
    irradiance = sphere_irradiance(light, chosen, start, normal)
    to_lamp = light.lamp_position[chosen] - start
    distance = wp.length(to_lamp)
    radius = wp.min(light.lamp_radius[chosen] / distance, 1.0)
    if blocked(scene, tables, start, toward_disc(to_lamp / distance, radius, u[1], u[2]), distance - 1.05 * light.lamp_radius[chosen]):
        return wp.vec4()
    got = irradiance * (total / luminance(irradiance))
    return wp.vec4(got[0], got[1], got[2], 1.0)


@wp.kernel
def radiance_kernel(
    camera: Camera, pixels: Pixels, light: Light,
    diffuse: wp.array(dtype=wp.vec4), mirrored: wp.array(dtype=wp.vec4), hdr: wp.array(dtype=wp.vec4),
):  # fmt: skip
    """Radiance of each pixel from the (filtered) light that reaches it."""
    k = wp.tid()
    along = camera_direction(camera, float(k % camera.width), float(k / camera.width))
    direction = wp.normalize(along)
    if pixels.t[k] < 0.0:
        colour = seen_sky(light, direction)
        if light.fog > 0.0:
            clear = wp.exp(-light.fog * 400.0)
            colour = colour * clear + light.horizon * (1.0 - clear)
        hdr[k] = wp.vec4(colour[0], colour[1], colour[2], 1.0)
        return
    normal = pixels.normal[k]
    view = -direction
    n_v = wp.clamp(wp.dot(normal, view), 0.02, 1.0)
    roughness = wp.max(pixels.material[k][0], 0.03)
    metallic = pixels.material[k][1]
    base = pixels.base[k]
    coat = pixels.material[k][2]
    f0 = wp.vec3(coat, coat, coat) * (1.0 - metallic) + base * metallic
    share = environment_brdf(f0, roughness, n_v)
    body = wp.cw_mul(base * (1.0 - metallic), wp.vec3(1.0 - share[0], 1.0 - share[1], 1.0 - share[2]))
    around = wp.vec3(diffuse[k][0], diffuse[k][1], diffuse[k][2])
    sun_visible = diffuse[k][3]
    sun_cos = wp.max(wp.dot(normal, light.sun_direction), 0.0)
    colour = pixels.emissive[k] + wp.cw_mul(body, around + light.sun * (sun_visible * sun_cos / PI))
    colour += wp.cw_mul(ggx(f0, roughness, normal, view, light.sun_direction), light.sun) * sun_visible
    reflected = direction - normal * (2.0 * wp.dot(direction, normal))
    openness = wp.clamp(luminance(around) / wp.max(luminance(light.mean_sky), 1.0e-9), 0.0, 1.0)
    rough_mirror = around * roughness + (sky(light, reflected) * openness + around * (1.0 - openness)) * (1.0 - roughness)
    sharp = wp.clamp((MIRROR_BELOW - roughness) / 0.1, 0.0, 1.0)
    mirror = rough_mirror * (1.0 - sharp) + wp.vec3(mirrored[k][0], mirrored[k][1], mirrored[k][2]) * sharp
    colour += wp.cw_mul(mirror, share)
    position = camera_origin(camera) + along * pixels.t[k]
    for lamp in range(light.lamps):
        to_lamp = wp.normalize(light.lamp_position[lamp] - position)
        arriving = sphere_irradiance(light, lamp, position, to_lamp)
        colour += wp.cw_mul(ggx(f0, wp.max(roughness, 0.12), normal, view, to_lamp), arriving) * mirrored[k][3]
    if light.fog > 0.0:
        clear = wp.exp(-light.fog * pixels.t[k] * wp.length(along))
        colour = colour * clear + light.horizon * (1.0 - clear)
    hdr[k] = wp.vec4(colour[0], colour[1], colour[2], 1.0)
