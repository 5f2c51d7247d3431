"""Light that reaches a surface from others: by one bounce, and along its own highlight."""

from __future__ import annotations

from tailgate.geometry.quiet import outlined, wp
from tailgate.geometry.rays import Hit, Scene
from tailgate.render.raytrace.direct import Facet, lamp_light, sky_weight, unhidden
from tailgate.render.raytrace.dome import dome_radiance
from tailgate.render.raytrace.lamps import DISTANT, PI, from_centre, luminance
from tailgate.render.raytrace.panes import arriving, sight
from tailgate.render.raytrace.profiles import profiled
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import (
    FAR,
    Light,
    ggx_density,
    ggx_direction,
    lights_up,
    onto_hemisphere,
    ray_start,
    schlick,
    seen_sky,
    sky,
    smith,
    width_of,
)
from tailgate.render.raytrace.surface import Point, slot_of, surface_point, textured

wp.set_module_options({"enable_backward": False})

MIRROR_BELOW = wp.constant(0.3)
"""Surfaces smoother than this show textures and shadows in what they mirror."""
FEW = wp.constant(6)
"""Up to so many lamps have a shadow ray each where a mirror shows what they light."""
SUREST = wp.constant(0.9)
"""A bounce asks the sun at most so often, and else the sky or what glows in its place."""


@wp.struct
class Bounce:
    """What a ray found: the ``light`` that comes back along it, but for that of lamps; ``facet``, the surface that they light, and its ``albedo`` as
    the ray sees it, 0 for the sky."""

    light: wp.vec3
    albedo: wp.vec3
    facet: Facet


@wp.func
def facet_at(point: Point) -> Facet:
    """A point as lamps light it."""
    out = Facet()
    out.slot = point.slot
    out.start = ray_start(point.position, point.face_normal)
    out.normal = point.normal
    return out


@wp.func
def albedo_of(point: Point) -> wp.vec3:
    """What a point scatters of light in all."""
    return point.base * (1.0 - 0.5 * point.metallic)


@wp.func
def lamps_on(scene: Scene, tables: Tables, light: Light, facet: Facet, u: wp.vec3) -> wp.vec3:
    """Irradiance / pi that lamps give a facet, by one shadow ray, see ``lamp_light``."""
    if light.lamps == 0:
        return wp.vec3()
    lamp = lamp_light(scene, tables, light, facet, u)
    return lamp.body


@wp.func
def lamps_each(scene: Scene, tables: Tables, light: Light, facet: Facet, u: wp.vec3) -> wp.vec3:
    """``lamps_on`` without noise where lamps are few: a shadow ray to the centre of each."""
    if light.lamps > FEW:
        return lamps_on(scene, tables, light, facet, u)
    total = wp.vec3()
    for k in range(light.lamps):
        lamp = light.lamp[k]
        arrival = from_centre(lamp, facet.start)
        cosine = wp.dot(facet.normal, arrival.direction)
        if cosine > 0.0 and luminance(arrival.light) > 0.0 and lights_up(light, k, facet.slot):
            got = arrival.light * (cosine / PI * lamp.diffuse)
            if light.profiles.shape[0] > 0:
                got *= profiled(light.profiles, lamp, -arrival.direction)
            if lamp.kind != DISTANT:
                arrival.distance = wp.max(arrival.distance - lamp.radius, 0.0)
            total += wp.cw_mul(got, unhidden(scene, tables, light, k, facet.start, arrival))
    return total


@outlined
def leaving(scene: Scene, tables: Tables, light: Light, point: Point, u: wp.vec3) -> wp.vec3:
    """Radiance that a point sends anywhere but for the light of lamps: emission, and sun or sky (or a glowing surface in its place) by one more ray,
    picked by their strength."""
    albedo = albedo_of(point)
    out = point.emissive
    from_sun = light.sun * (wp.max(wp.dot(point.normal, light.sun_direction), 0.0) / PI)
    share = wp.min(luminance(from_sun) / wp.max(luminance(from_sun) + luminance(light.mean_sky), 1.0e-12), SUREST)
    start = ray_start(point.position, point.face_normal)
    if u[0] < share:
        return out + wp.cw_mul(wp.cw_mul(albedo, from_sun), arriving(scene, tables, start, light.sun_direction, FAR)) / share
    up = onto_hemisphere(point.normal, u[1], u[2])
    beyond = sight(scene, tables, start, up, FAR)
    tint = wp.cw_mul(albedo, beyond.tint) / (1.0 - share)
    if beyond.hit.instance < 0:
        return out + wp.cw_mul(tint, sky(light, up))
    m = tables.slot[slot_of(tables, beyond.hit)][0]
    return out + wp.cw_mul(tint, wp.vec3(tables.material[m, 5], tables.material[m, 6], tables.material[m, 7]))


@wp.func
def incoming(scene: Scene, tables: Tables, light: Light, origin: wp.vec3, direction: wp.vec3, u: wp.vec4) -> Bounce:
    """Radiance that arrives along a secondary ray; ``u`` = three random numbers and a factor on the sky."""
    out = Bounce()
    seen = sight(scene, tables, origin, direction, FAR)
    if seen.hit.instance < 0:
        out.light = wp.cw_mul(seen.tint, sky(light, direction)) * u[3]
        return out
    point = surface_point(scene, tables, seen.hit, direction, origin + direction * seen.hit.t)
    out.light = wp.cw_mul(seen.tint, leaving(scene, tables, light, point, wp.vec3(u[0], u[1], u[2])))
    if light.lamps > 0:
        out.albedo = wp.cw_mul(seen.tint, albedo_of(point))
        out.facet = facet_at(point)
    return out


@wp.func
def mirrored_point(scene: Scene, tables: Tables, hit: Hit, origin: wp.vec3, direction: wp.vec3) -> Point:
    """A surface seen in a mirror, with its textures."""
    point = surface_point(scene, tables, hit, direction, origin + direction * hit.t)
    return textured(scene, tables, hit, direction, 0.005 * hit.t, point)


@outlined
def plain_light(scene: Scene, tables: Tables, light: Light, point: Point, clear: wp.vec3, u: wp.vec3) -> wp.vec3:
    """Radiance that a point sends anywhere, with little noise: its emission, a part of the sky where it is open upwards, lamps, and the share of
    the sun that is ``clear``."""
    total = lamps_each(scene, tables, light, facet_at(point), u)
    up = wp.normalize(point.normal + wp.vec3(0.0, 0.0, 1.0))
    if wp.dot(up, point.face_normal) > 0.0 and luminance(light.mean_sky) > 0.0:
        free = arriving(scene, tables, ray_start(point.position, point.face_normal), up, FAR)
        total += wp.cw_mul(light.mean_sky, free) * (0.35 + 0.25 * point.normal[2])
    total += wp.cw_mul(light.sun, clear) * (wp.max(wp.dot(point.normal, light.sun_direction), 0.0) / PI)
    return point.emissive + wp.cw_mul(point.base, total)


@wp.func
def lobe_light(scene: Scene, tables: Tables, light: Light, facet: Facet, u: wp.vec2, w: wp.vec3) -> wp.vec3:
    """Radiance that a highlight shows of sky and surfaces, from one direction picked by the highlight's own shape."""
    direction = ggx_direction(facet.roughness, facet.normal, facet.view, u[0], u[1])
    cosine = wp.dot(facet.normal, direction)
    if cosine <= 0.0:
        return wp.vec3()
    h = wp.normalize(facet.view + direction)
    weight = schlick(facet.f0, wp.dot(facet.view, h)) * (2.0 * cosine / smith(width_of(facet.roughness), cosine))
    seen = sight(scene, tables, facet.start, direction, FAR)
    weight = wp.cw_mul(weight, seen.tint)
    if seen.hit.instance < 0:
        density = ggx_density(facet.roughness, facet.normal, facet.view, direction)
        return wp.cw_mul(weight, sky(light, direction)) * sky_weight(light.dome, density, direction)
    point = surface_point(scene, tables, seen.hit, direction, facet.start + direction * seen.hit.t)
    if facet.roughness < MIRROR_BELOW:
        point = mirrored_point(scene, tables, seen.hit, facet.start, direction)
    lamps = lamps_on(scene, tables, light, facet_at(point), w)
    return wp.cw_mul(weight, leaving(scene, tables, light, point, w) + wp.cw_mul(albedo_of(point), lamps))


@wp.func
def reflected_light(scene: Scene, tables: Tables, light: Light, facet: Facet, u: wp.vec3) -> wp.vec3:
    """Radiance along one ray about the mirrored direction, wider the rougher the facet is."""
    reflected = facet.normal * (2.0 * wp.dot(facet.view, facet.normal)) - facet.view
    glossy = wp.normalize(reflected + (onto_hemisphere(reflected, u[0], u[1]) - reflected) * (facet.roughness * facet.roughness * 0.7))
    seen = sight(scene, tables, facet.start, glossy, FAR)
    if seen.hit.instance < 0:
        return wp.cw_mul(seen.tint, seen_sky(light, glossy))
    point = mirrored_point(scene, tables, seen.hit, facet.start, glossy)
    clear = wp.vec3()
    if wp.dot(point.normal, light.sun_direction) > 0.0 and light.sun_radius >= 0.0:
        clear = arriving(scene, tables, ray_start(point.position, point.face_normal), light.sun_direction, FAR)
    return wp.cw_mul(seen.tint, plain_light(scene, tables, light, point, clear, wp.vec3(u[2], u[0], u[1])))


@wp.func
def quick_mirror(light: Light, facet: Facet, around: wp.vec3, mirror: wp.vec3) -> wp.vec3:
    """Radiance that a surface mirrors of sky and surfaces, from one ray: sharp surfaces show what the ray met, rough ones the sky as far as it is
    open to them. ``around`` is their irradiance / pi without that of lamps, whose highlights come by themselves."""
    reflected = facet.normal * (2.0 * wp.dot(facet.view, facet.normal)) - facet.view
    openness = wp.clamp(luminance(around) / wp.max(luminance(light.mean_sky), 1.0e-9), 0.0, 1.0)
    above = sky(light, reflected)
    if light.dome.on == 1:
        above = light.horizon + dome_radiance(light.dome, reflected, 2.0 * facet.roughness)
    rough = around * facet.roughness + (above * openness + around * (1.0 - openness)) * (1.0 - facet.roughness)
    sharp = wp.clamp((MIRROR_BELOW - facet.roughness) / 0.1, 0.0, 1.0)
    return rough * (1.0 - sharp) + mirror * sharp
