"""Camera kernels: what each pixel sees, the light that reaches it, and the radiance it sends back."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Hit, Scene
from tailgate.render.raytrace.bounces import MIRROR_BELOW, incoming, lobe_light, quick_mirror, reflected_light
from tailgate.render.raytrace.direct import Facet, Lit, dome_light, highlight, highlights_seen, lamp_light, sky_weight
from tailgate.render.raytrace.guides import guided
from tailgate.render.raytrace.lamps import PI, luminance, toward_disc
from tailgate.render.raytrace.lens import Fisheye, fisheye_ray, lens_ray
from tailgate.render.raytrace.panes import arriving
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import (
    FAR,
    Light,
    environment_brdf,
    ggx,
    grain,
    hash01,
    onto_hemisphere,
    ray_start,
    seen_sky,
)
from tailgate.render.raytrace.surface import Point, nearest, surface_point, textured

wp.set_module_options({"enable_backward": False})

GRAZING = wp.constant(0.0017453)
"""Cosine of 89.9 degrees: nothing has a depth along the axis beyond."""
ACROSS = wp.constant(wp.vec3ui(2015675397, 1801597047, 2824696911))
DOWN = wp.constant(wp.vec3ui(1225289745, 93814971, 3419794695))
ONWARDS = wp.constant(wp.vec3ui(3518319155, 2882110345, 2360945575))
"""Steps in 2^32 of ``spread``'s dimensions from column to column, from row to row and from sample to sample. The first two are those of a search for
the least noise after smoothing; the third are powers of 1 / 1.2207 (Roberts 2018)."""


@wp.struct
class Camera:
    """Camera; see ``tailgate.frames.Intrinsics``. Nothing nearer than ``near`` [m] is seen, ``far`` limits the depth channels alone; ``rays`` is
    empty without a lens and for a fisheye, whose rays are unit vectors: their t is a distance, while that of others is a depth. ``T_world_camera`` is
    the pose of the first row, ``T_change`` what is added to it down to the last where the shutter ``rolls`` (1). ``aside`` is the place in the lens's
    opening that light passes [m], ``shear`` that over the distance of focus: 0 for a pinhole. A thread works through ``strip`` pixels in a row, see
    ``rays.strips``."""

    width: wp.int32
    height: wp.int32
    strip: wp.int32
    fx: wp.float32
    fy: wp.float32
    cx: wp.float32
    cy: wp.float32
    near: wp.float32
    far: wp.float32
    aside: wp.vec2
    shear: wp.vec2
    T_world_camera: wp.mat44
    T_change: wp.mat44
    rolls: wp.int32
    rays: wp.array2d(dtype=wp.vec2)
    fisheye: Fisheye


@wp.struct
class Pixels:
    """What the rays through the pixel centres meet behind all panes, one row per pixel. ``t`` is the parameter along ``camera_direction``, -1 for the
    sky; ``way`` leads from the optical centre to what is seen [m], is the direction for the sky and 0 where the lens shows nothing; ``normal`` is 0
    for the sky; ``material`` is roughness, metallic and the coat's reflectance seen head-on; ``pane`` is the slot of the first pane, -1 for none."""

    t: wp.array(dtype=wp.float32)
    way: wp.array(dtype=wp.vec3)
    instance: wp.array(dtype=wp.int32)
    slot: wp.array(dtype=wp.int32)
    pane: wp.array(dtype=wp.int32)
    normal: wp.array(dtype=wp.vec3)
    face_normal: wp.array(dtype=wp.vec3)
    base: wp.array(dtype=wp.vec3)
    emissive: wp.array(dtype=wp.vec3)
    material: wp.array(dtype=wp.vec3)


@wp.struct
class Truth:
    """Camera channels that are exact, one row per pixel: those of the first surface, be it a pane. So are the labels of human annotators, who give
    a car's windows to the car whatever is seen through them (Cityscapes labelling policy, Cordts et al. 2016), and Replicator's channels."""

    distance_to_image_plane: wp.array(dtype=wp.float32)
    distance_to_camera: wp.array(dtype=wp.float32)
    normals: wp.array(dtype=wp.vec4)
    semantic: wp.array(dtype=wp.uint32)
    instance: wp.array(dtype=wp.uint32)
    mover: wp.array(dtype=wp.int32)


@wp.struct
class Film:
    """Light and radiance, one row per pixel; see ``sun_kernel``, ``sky_kernel`` and ``mirror_kernel``. ``lamps`` is not read where there are none."""

    diffuse: wp.array(dtype=wp.vec4)
    lamps: wp.array(dtype=wp.vec4)
    mirrored: wp.array(dtype=wp.vec4)
    hdr: wp.array(dtype=wp.vec4)


@wp.func
def camera_pose(camera: Camera, v: float) -> wp.mat44:
    """Pose in the world while row ``v`` was taken; a turn within a readout is small, so that its axes may be interpolated and set upright again."""
    if camera.rolls == 0:
        return camera.T_world_camera
    T = camera.T_world_camera + camera.T_change * wp.clamp(v / wp.max(float(camera.height - 1), 1.0), 0.0, 1.0)
    z = wp.normalize(wp.vec3(T[0, 2], T[1, 2], T[2, 2]))
    x = wp.normalize(wp.cross(wp.vec3(T[0, 1], T[1, 1], T[2, 1]), z))
    y = wp.cross(z, x)
    return wp.mat44(x[0], y[0], z[0], T[0, 3], x[1], y[1], z[1], T[1, 3], x[2], y[2], z[2], T[2, 3], 0.0, 0.0, 0.0, 1.0)


@wp.func
def camera_origin(camera: Camera, v: float) -> wp.vec3:
    """Optical centre in the world while row ``v`` was taken."""
    return wp.transform_point(camera_pose(camera, v), wp.vec3(camera.aside[0], camera.aside[1], 0.0))


@wp.func
def camera_direction(camera: Camera, u: float, v: float) -> wp.vec3:
    """World direction through an image point, one metre long along the optical axis, so that a ray's t is its depth; one metre long for a fisheye,
    which focuses on a sphere."""
    if camera.fisheye.angles.shape[0] > 0:
        to = fisheye_ray(camera.fisheye, (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy)
        to = wp.normalize(to - wp.vec3(camera.shear[0], camera.shear[1], 0.0))
        return wp.transform_vector(camera_pose(camera, v), to)
    if camera.rays.shape[0] > 0:
        ray = lens_ray(camera.rays, u, v) - camera.shear
        return wp.transform_vector(camera_pose(camera, v), wp.vec3(ray[0], ray[1], 1.0))
    ray = wp.vec2((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy) - camera.shear
    return wp.transform_vector(camera_pose(camera, v), wp.vec3(ray[0], ray[1], 1.0))


@wp.func
def along_axis(camera: Camera, direction: wp.vec3, v: float) -> float:
    """Depth [m] of a point one length of its direction away: 1 but for a fisheye."""
    if camera.fisheye.angles.shape[0] == 0:
        return float(1.0)
    axis = wp.transform_vector(camera_pose(camera, v), wp.vec3(0.0, 0.0, 1.0))
    return wp.dot(direction, axis)


@wp.kernel
def see_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, truth: Truth):
    """Trace the centre of each pixel."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        origin = camera_origin(camera, float(k / camera.width))
        direction = camera_direction(camera, float(k % camera.width), float(k / camera.width))
        length = wp.length(direction)
        hit = nearest(scene, tables, origin, direction, FAR)
        if hit.instance >= 0 and hit.t < camera.near:
            hit = nearest(scene, tables, origin + direction * camera.near, direction, FAR)
            hit.t += camera.near
        along = along_axis(camera, direction, float(k / camera.width))
        if along < camera.fisheye.edge or wp.isnan(length):
            hit.instance = -1
            direction = wp.vec3()
        pixels.instance[k] = hit.instance
        pixels.pane[k] = -1
        if hit.instance < 0:
            pixels.t[k] = -1.0
            pixels.way[k] = direction
            pixels.slot[k] = -1
            pixels.normal[k] = wp.vec3()
            truth.distance_to_image_plane[k] = wp.inf
            truth.distance_to_camera[k] = wp.inf
            truth.normals[k] = wp.vec4()
            truth.semantic[k] = wp.uint32(0)
            truth.instance[k] = wp.uint32(0)
            truth.mover[k] = -1
            continue
        point = surface_point(scene, tables, hit, direction, origin + direction * hit.t)
        if tables.textures > 0:
            point = textured(scene, tables, hit, direction, hit.t / camera.fx, point)
        slot = tables.slot[point.slot]
        pixels.t[k] = hit.t
        pixels.way[k] = direction * hit.t
        keep(pixels, k, point, grained(scene, tables, hit, point, hit.t / camera.fx))
        truth.distance_to_image_plane[k] = wp.where(hit.t * along <= camera.far and along > GRAZING, hit.t * along, wp.inf)
        truth.distance_to_camera[k] = wp.where(hit.t * along <= camera.far, hit.t * length, wp.inf)
        truth.normals[k] = wp.vec4(point.normal[0], point.normal[1], point.normal[2], 1.0)
        truth.semantic[k] = wp.uint32(slot[1])
        truth.instance[k] = wp.uint32(slot[2])
        truth.mover[k] = slot[3]


@wp.func
def grained(scene: Scene, tables: Tables, hit: Hit, point: Point, footprint: float) -> wp.vec3:
    """Colour of a surface, with grain where its material asks for it and no image gives it."""
    share = tables.material[point.material, 20]
    if share <= 0.0:
        return point.base
    if tables.textures > 0:
        if tables.texture_of[point.material][0] >= 0:
            return point.base
    return point.base * grain(wp.transform_point(scene.T_local_world[hit.instance], point.position), footprint, point.roughness, share)


@wp.func
def keep(pixels: Pixels, k: int, point: Point, base: wp.vec3):
    """Let pixel k show a surface."""
    pixels.slot[k] = point.slot
    pixels.normal[k] = point.normal
    pixels.face_normal[k] = point.face_normal
    pixels.base[k] = base
    pixels.emissive[k] = point.emissive
    pixels.material[k] = wp.vec3(point.roughness, point.metallic, point.f0)


@wp.func
def spread(x: int, y: int, sample: int, dimension: int, seed: int) -> float:
    """Number in [0, 1), one of three ``dimension``s: a lattice over columns, rows and samples, of which any few neighbours fill the unit cube evenly.
    Twin: ``image_twins.spread_twin``."""
    steps = wp.uint32(x) * ACROSS[dimension] + wp.uint32(y) * DOWN[dimension] + wp.uint32(sample) * ONWARDS[dimension]
    value = float(steps >> wp.uint32(8)) * (1.0 / 16777216.0) + hash01(dimension, 7, seed)
    return value - wp.floor(value)


@wp.func
def sampled(k: int, width: int) -> bool:
    """True for the pixels of one colour of a chessboard; the first smoothing pass fills the others."""
    return (k % width + k / width) % 2 == 0


@wp.kernel
def sun_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int, sparse: int):
    """The share of the sun that each pixel sees, the fourth component of ``film.diffuse``; the other three begin with the colour that panes give it,
    for the pixels that ``sky_kernel`` samples."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        visible = float(0.0)
        tint = wp.vec3()
        toward = wp.min(wp.dot(pixels.normal[k], light.sun_direction), wp.dot(pixels.face_normal[k], light.sun_direction))
        if toward > 0.0 and light.sun_radius >= 0.0:
            facet = facet_of(pixels, k, camera_origin(camera, float(k / camera.width)))
            for s in range(samples):
                u = spread(k % camera.width, k / camera.width, s, 0, light.seed)
                v = spread(k % camera.width, k / camera.width, s, 1, light.seed)
                clear = arriving(scene, tables, facet.start, toward_disc(light.sun_direction, light.sun_radius, u, v), FAR)
                visible += luminance(clear)
                tint += clear
            if tables.panes > 0 and (sparse == 0 or sampled(k, camera.width)):
                tint = wp.cw_mul(light.sun, tint - wp.vec3(visible, visible, visible)) * (wp.dot(facet.normal, light.sun_direction) / PI)
            else:
                tint = wp.vec3()
        film.diffuse[k] = wp.vec4(tint[0], tint[1], tint[2], visible) / float(samples)


@wp.kernel
def sky_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int, sparse: int):
    """Light from sky and other surfaces, the first three components of ``film.diffuse`` = irradiance / pi, and from lamps, those of ``film.lamps``,
    whose fourth is the share of their highlights that is visible; ``film.mirrored`` = the radiance of highlights, for more than one sample. With
    ``sparse`` 1 it is sampled at every second pixel only, see ``sampled``."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        film.mirrored[k] = wp.vec4()
        if light.lamps > 0:
            film.lamps[k] = wp.vec4()
        if pixels.t[k] < 0.0 or (sparse == 1 and not sampled(k, camera.width)):
            continue
        facet = facet_of(pixels, k, camera_origin(camera, float(k / camera.width)))
        facet.shiny = wp.where(samples > 1, 1, 0)
        x = k % camera.width
        y = k / camera.width
        a = wp.where(sparse == 1, (x + y) / 2, x)
        b = wp.where(sparse == 1, (x - y) / 2, y)
        got = Lit()
        lit = wp.vec4()
        for s in range(samples):
            p = spread(a, b, s, 0, light.seed)
            q = spread(a, b, s, 1, light.seed)
            w = wp.vec3(spread(a, b, s, 2, light.seed), p, q)
            around = onto_hemisphere(facet.normal, q, p)
            weight = float(1.0)
            if light.guides.shape[0] > 0:
                way = guided(light.guides, luminance(light.mean_sky), facet.start, facet.normal, w)
                around = wp.vec3(way[0], way[1], way[2])
                weight = way[3]
            factor = float(1.0)
            if light.dome.on == 1:
                factor = sky_weight(light.dome, wp.max(wp.dot(facet.normal, around), 0.0) / PI, around)
            u = wp.vec4(hash01(k, s, light.seed), hash01(k, s + 101, light.seed), hash01(k, s + 211, light.seed), factor)
            bounce = incoming(scene, tables, light, facet.start, around, u)
            got.body += bounce.light * weight
            if light.lamps > 0:
                lamp = lamp_light(scene, tables, light, facet, w)
                got.shine += lamp.shine
                seen = lamp.seen
                if samples == 1 or tables.coats > 0:
                    seen = highlights_seen(scene, tables, light, facet, lamp, w)
                if luminance(bounce.albedo) > 0.0:
                    other = lamp_light(scene, tables, light, bounce.facet, wp.vec3(u[0], u[1], u[2]))
                    got.body += wp.cw_mul(bounce.albedo, other.body) * weight
                lit += wp.vec4(lamp.body[0], lamp.body[1], lamp.body[2], seen)
            if light.dome.on == 1:
                bright = dome_light(scene, tables, light, facet, wp.vec2(p, q))
                got.body += bright.body
                got.shine += bright.shine
        scale = 1.0 / float(samples)
        film.diffuse[k] += wp.vec4(got.body[0], got.body[1], got.body[2], 0.0) * scale
        film.mirrored[k] = wp.vec4(got.shine[0], got.shine[1], got.shine[2], 0.0) * scale
        if light.lamps > 0:
            film.lamps[k] = lit * scale


@wp.kernel
def mirror_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int):
    """What each surface mirrors, ``film.mirrored``, whose fourth component is not used. One sample takes the radiance along the reflected ray, more
    integrate over the highlight and divide by ``mirror_share``."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        if pixels.t[k] < 0.0 or (samples == 1 and pixels.material[k][0] >= MIRROR_BELOW):
            continue
        facet = facet_of(pixels, k, camera_origin(camera, float(k / camera.width)))
        mirror = wp.vec3(film.mirrored[k][0], film.mirrored[k][1], film.mirrored[k][2])
        if samples == 1:
            u = spread(k % camera.width, k / camera.width, 0, 0, light.seed)
            v = spread(k % camera.width, k / camera.width, 0, 1, light.seed)
            mirror = reflected_light(scene, tables, light, facet, wp.vec3(u, v, hash01(k, 211, light.seed)))
        else:
            for s in range(samples):
                lobe = wp.vec2(hash01(k, s + 307, light.seed), hash01(k, s + 401, light.seed))
                w = wp.vec3(hash01(k, s, light.seed), hash01(k, s + 101, light.seed), hash01(k, s + 211, light.seed))
                mirror += lobe_light(scene, tables, light, facet, lobe, w) / float(samples)
            mirror = wp.cw_div(mirror, mirror_share(light, facet))
        film.mirrored[k] = wp.vec4(mirror[0], mirror[1], mirror[2], 0.0)


@wp.func
def facet_of(pixels: Pixels, k: int, origin: wp.vec3) -> Facet:
    """The surface that pixel k shows, seen from ``origin``."""
    out = Facet()
    out.start = ray_start(origin + pixels.way[k], pixels.face_normal[k])
    out.slot = pixels.slot[k]
    out.normal = pixels.normal[k]
    out.view = -wp.normalize(pixels.way[k])
    out.roughness = wp.max(pixels.material[k][0], 0.03)
    metallic = pixels.material[k][1]
    coat = pixels.material[k][2]
    out.f0 = wp.vec3(coat, coat, coat) * (1.0 - metallic) + pixels.base[k] * metallic
    return out


@wp.func
def mirror_share(light: Light, facet: Facet) -> wp.vec3:
    """What a highlight is divided by before it is smoothed and multiplied by afterwards: its share of a uniform environment, kept off 0."""
    share = environment_brdf(light, facet.f0, facet.roughness, wp.clamp(wp.dot(facet.normal, facet.view), 0.02, 1.0))
    return wp.max(share, wp.vec3(0.01, 0.01, 0.01))


@wp.func
def radiance(camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int, k: int) -> wp.vec3:
    """Radiance of a pixel from the (filtered) light that reaches it."""
    if pixels.t[k] < 0.0:
        if wp.length_sq(pixels.way[k]) == 0.0:
            return wp.vec3()
        colour = seen_sky(light, wp.normalize(pixels.way[k]))
        if light.fog > 0.0:
            clear = wp.exp(-light.fog * 400.0)
            colour = colour * clear + light.haze * (1.0 - clear)
        return colour
    origin = camera_origin(camera, float(k / camera.width))
    facet = facet_of(pixels, k, origin)
    share = environment_brdf(light, facet.f0, facet.roughness, wp.clamp(wp.dot(facet.normal, facet.view), 0.02, 1.0))
    body = wp.cw_mul(pixels.base[k] * (1.0 - pixels.material[k][1]), wp.vec3(1.0 - share[0], 1.0 - share[1], 1.0 - share[2]))
    around = wp.vec3(film.diffuse[k][0], film.diffuse[k][1], film.diffuse[k][2])
    mirror = wp.vec3(film.mirrored[k][0], film.mirrored[k][1], film.mirrored[k][2])
    sun_visible = film.diffuse[k][3]
    sun_cos = wp.max(wp.dot(facet.normal, light.sun_direction), 0.0)
    lamps = wp.vec4()
    if light.lamps > 0:
        lamps = film.lamps[k]
    colour = pixels.emissive[k] + wp.cw_mul(body, around + wp.vec3(lamps[0], lamps[1], lamps[2]) + light.sun * (sun_visible * sun_cos / PI))
    if sun_visible > 0.0:
        colour += wp.cw_mul(ggx(facet.f0, facet.roughness, facet.normal, facet.view, light.sun_direction), light.sun) * sun_visible
    if samples > 1:
        colour += wp.cw_mul(mirror, mirror_share(light, facet))
    else:
        colour += wp.cw_mul(quick_mirror(light, facet, around, mirror), share)
        for number in range(wp.where(lamps[3] > 0.0, light.lamps, 0)):
            colour += highlight(light, number, facet) * lamps[3]
    if light.fog > 0.0:
        clear = wp.exp(-light.fog * wp.length(pixels.way[k]))
        colour = colour * clear + light.haze * (1.0 - clear)
    return colour


@wp.kernel
def radiance_kernel(camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int):
    """``film.hdr``: radiance of each pixel."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        colour = radiance(camera, pixels, light, film, samples, k)
        film.hdr[k] = wp.vec4(colour[0], colour[1], colour[2], 1.0)
