"""Pixels that look through panes: first what stands behind, which is then lit like anything else, at last the panes themselves over it."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Hit, Scene
from tailgate.render.raytrace.bounces import plain_light, reflected_light
from tailgate.render.raytrace.camera_kernels import Camera, Pixels, camera_direction, camera_origin, grained, keep
from tailgate.render.raytrace.direct import CLEAN, Facet
from tailgate.render.raytrace.panes import Pane, arriving, pane_at, sight
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import FAR, Light, ggx, hash01, luminance, ray_start
from tailgate.render.raytrace.surface import LAYERS, is_pane, nearest, slot_of, step_past, surface_point, textured

wp.set_module_options({"enable_backward": False})

FAINT = wp.constant(0.003)
"""Shares of the sun below this are left out of what a pane itself sends."""


@wp.kernel
def behind_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels):
    """Let each pixel that shows a pane show what is behind it."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        slot = pixels.slot[k]
        if slot >= 0:
            if tables.material[tables.slot[slot][0], 12] >= 0.0:
                origin = camera_origin(camera, float(k / camera.width))
                direction = camera_direction(camera, float(k % camera.width), float(k / camera.width))
                start = step_past(pixels.t[k])
                seen = sight(scene, tables, origin + direction * start, direction, FAR)
                hit = seen.hit
                hit.t += start
                pixels.pane[k] = slot
                pixels.instance[k] = hit.instance
                if hit.instance < 0:
                    pixels.t[k] = -1.0
                    pixels.way[k] = direction
                    pixels.slot[k] = -1
                    pixels.normal[k] = wp.vec3()
                    continue
                pixels.t[k] = hit.t
                pixels.way[k] = direction * hit.t
                point = surface_point(scene, tables, hit, direction, origin + direction * hit.t)
                point = textured(scene, tables, hit, direction, hit.t / camera.fx, point)
                keep(pixels, k, point, grained(scene, tables, hit, point, hit.t / camera.fx))


@wp.func
def first_hit(scene: Scene, tables: Tables, camera: Camera, origin: wp.vec3, direction: wp.vec3) -> Hit:
    """Nearest hit beyond the camera's near plane."""
    hit = nearest(scene, tables, origin + direction * camera.near, direction, FAR)
    hit.t += camera.near
    return hit


@wp.func
def pane_light(
    scene: Scene, tables: Tables, light: Light, hit: Hit, origin: wp.vec3, along: wp.vec3, pane: Pane, k: int, samples: int
) -> wp.vec3:
    """Radiance that a pane itself sends along a pixel's ray: what it mirrors, the sun's highlight, and its body where that is not clear."""
    point = surface_point(scene, tables, hit, along, origin + along * hit.t)
    facet = Facet()
    facet.start = ray_start(point.position, point.face_normal)
    facet.normal = point.normal
    facet.view = -wp.normalize(along)
    facet.roughness = wp.max(point.roughness, 0.03)
    count = wp.where(point.roughness > CLEAN, samples, 1)
    mirror = wp.vec3()
    u = wp.vec3()
    for s in range(count):
        u = wp.vec3(hash01(k, s + 503, light.seed), hash01(k, s + 601, light.seed), hash01(k, s + 659, light.seed))
        mirror += reflected_light(scene, tables, light, facet, u)
    glint = wp.vec3()
    clear = wp.vec3()
    if light.sun_radius >= 0.0 and wp.dot(facet.normal, light.sun_direction) > 0.0:
        glint = wp.cw_mul(pane.mirrored, ggx(wp.vec3(1.0, 1.0, 1.0), facet.roughness, facet.normal, facet.view, light.sun_direction))
        if luminance(glint) + luminance(point.base) > FAINT:
            clear = arriving(scene, tables, facet.start, light.sun_direction, FAR)
    body = point.emissive
    if luminance(point.base) > FAINT:
        body = plain_light(scene, tables, light, point, clear, u)
    return wp.cw_mul(pane.mirrored, mirror) / float(count) + body + wp.cw_mul(wp.cw_mul(glint, light.sun), clear)


@wp.kernel
def pane_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, samples: int, hdr: wp.array(dtype=wp.vec4)):
    """Lay its panes over the radiance of a pixel, from the front to the back. Fog dims each from its own distance, and what is behind all of them was
    dimmed from its own before."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        if pixels.pane[k] >= 0:
            colour = through_panes(scene, tables, camera, light, wp.vec3(hdr[k][0], hdr[k][1], hdr[k][2]), k, samples)
            hdr[k] = wp.vec4(colour[0], colour[1], colour[2], 1.0)


@wp.func
def through_panes(scene: Scene, tables: Tables, camera: Camera, light: Light, behind: wp.vec3, k: int, samples: int) -> wp.vec3:
    """Radiance of a pixel that shows ``behind`` behind its panes."""
    origin = camera_origin(camera, float(k / camera.width))
    along = camera_direction(camera, float(k % camera.width), float(k / camera.width))
    unit = wp.normalize(along)
    rest = wp.vec3(1.0, 1.0, 1.0)
    colour = wp.vec3()
    clear = float(1.0)
    hit = first_hit(scene, tables, camera, origin, along)
    for _ in range(LAYERS):
        if hit.instance < 0:
            break
        if not is_pane(tables, hit):
            break
        pane = pane_at(tables, tables.slot[slot_of(tables, hit)][0], wp.abs(wp.dot(hit.normal, unit)))
        dimmed = wp.exp(-light.fog * hit.t * wp.length(along))
        own = pane_light(scene, tables, light, hit, origin, along, pane, k, samples) * dimmed + light.haze * (clear - dimmed)
        colour += wp.cw_mul(rest, own)
        rest = wp.cw_mul(rest, pane.passed)
        clear = dimmed
        start = step_past(hit.t)
        hit = nearest(scene, tables, origin + along * start, along, FAR)
        hit.t += start
    colour += wp.cw_mul(rest, behind - light.haze * (1.0 - clear))
    return wp.max(colour, wp.vec3())
