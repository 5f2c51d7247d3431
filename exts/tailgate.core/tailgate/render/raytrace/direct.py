"""Light that reaches a surface straight from a lamp or from the dome's bright parts."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import outlined, wp
from tailgate.geometry.rays import Scene
from tailgate.render.raytrace.dome import Dome, dome_density, toward_dome
from tailgate.render.raytrace.lamps import PI, Arrival, aim, from_centre, lamp_direction, luminance, strength, widening
from tailgate.render.raytrace.panes import arriving, pane_at
from tailgate.render.raytrace.pictures import pictured
from tailgate.render.raytrace.profiles import profiled
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import FAR, Light, ggx, ggx_density, lights_up, sky
from tailgate.render.raytrace.surface import LAYERS, nearest, slot_of, step_past

wp.set_module_options({"enable_backward": False})

CLEAN = wp.constant(0.1)
"""Coats and panes of at most this roughness mirror sharply; others take one ray per sample."""
SHARPEST = wp.constant(0.12)
"""Highlights of lamps are drawn as of a surface at least this rough: smaller ones would sparkle."""
BROAD = wp.constant(0.6)
"""Highlights of surfaces at least this rough show of each lamp about the share that is scattered: what hides the one hides the other."""
WIDER = wp.constant(0.2)
"""Share of the square of a lamp's angular radius that is added to that of a lobe's width: an eighth keeps the variance, a quarter the brightest
point of a large lamp."""


@wp.struct
class Facet:
    """A surface that light falls on: its slot, start of its rays, shading normal, unit direction to the viewer, reflectance head-on and roughness;
    ``shiny`` is 1 where highlights are wanted."""

    slot: wp.int32
    start: wp.vec3
    normal: wp.vec3
    view: wp.vec3
    f0: wp.vec3
    roughness: wp.float32
    shiny: wp.int32


@wp.struct
class Lit:
    """Light on a facet: ``body`` = irradiance / pi, ``shine`` = radiance of its highlight; ``seen`` = 1 if its source, ``lamp``, is visible."""

    body: wp.vec3
    shine: wp.vec3
    seen: wp.float32
    lamp: wp.int32


@wp.func
def pull(light: Light, k: int, facet: Facet) -> float:
    """Weight of lamp k in the choice of one, see ``strength``."""
    if not lights_up(light, k, facet.slot):
        return float(0.0)
    own = strength(light.lamp[k], facet.start, facet.normal)
    if light.profiles.shape[0] > 0:
        own *= wp.max(profiled(light.profiles, light.lamp[k], -lamp_direction(light.lamp[k], facet.start)), 0.1)
    return own


@wp.func
def unhidden(scene: Scene, tables: Tables, light: Light, k: int, start: wp.vec3, arrival: Arrival) -> wp.vec3:
    """Share of lamp k's light that arrives: what throws its shadow lets nothing past, or panes' part; everything else is not there for it."""
    casting = light.lamp[k].casting
    distance = arrival.distance * 0.9999
    if casting == 0:
        return arriving(scene, tables, start, arrival.direction, distance)
    tint = wp.vec3(1.0, 1.0, 1.0)
    if light.links.shape[0] == 0:
        return tint
    gone = float(0.0)
    for _ in range(LAYERS):
        hit = nearest(scene, tables, start + arrival.direction * gone, arrival.direction, distance - gone)
        if hit.instance < 0:
            return tint
        slot = slot_of(tables, hit)
        if (light.links[slot] & casting) != 0:
            material = tables.slot[slot][0]
            if tables.material[material, 12] < 0.0:
                return wp.vec3()
            tint = wp.cw_mul(tint, pane_at(tables, material, wp.abs(wp.dot(hit.normal, arrival.direction))).passed)
        gone = step_past(gone + hit.t)
    return tint


@outlined
def lamp_light(scene: Scene, tables: Tables, light: Light, facet: Facet, u: wp.vec3) -> Lit:
    """Light of all lamps, estimated by one shadow ray to a point of one that is picked by its strength here."""
    out = Lit()
    out.lamp = -1
    total = float(0.0)
    for k in range(light.lamps):
        total += pull(light, k, facet)
    if total <= 1.0e-12:
        return out
    left = u[0] * total
    chosen = int(-1)
    share = float(0.0)
    for k in range(light.lamps):
        own = pull(light, k, facet)
        if own > 0.0 and left >= 0.0:
            chosen = k
            share = own
        left -= own
    if chosen < 0:
        return out
    out.lamp = chosen
    arrival = aim(light.lamp[chosen], facet.start, u[1], u[2])
    cosine = wp.dot(facet.normal, arrival.direction)
    if cosine <= 0.0 or wp.length(arrival.light) <= 0.0:
        return out
    clear = unhidden(scene, tables, light, chosen, facet.start, arrival)
    if luminance(clear) <= 0.0:
        return out
    got = wp.cw_mul(arrival.light, clear) * (total / share)
    if light.profiles.shape[0] > 0:
        got *= profiled(light.profiles, light.lamp[chosen], -arrival.direction)
    if light.lamp[chosen].picture >= 0:
        got = wp.cw_mul(got, pictured(light.pictures, light.lamp[chosen].picture, u[1], u[2]))
    out.body = got * (cosine / PI * light.lamp[chosen].diffuse)
    out.seen = luminance(clear)
    if facet.shiny == 1:
        out.shine = wp.cw_mul(ggx(facet.f0, wp.max(facet.roughness, SHARPEST), facet.normal, facet.view, arrival.direction), got)
        out.shine *= light.lamp[chosen].specular
    return out


@wp.func
def highlight(light: Light, k: int, facet: Facet) -> wp.vec3:
    """Radiance that a facet mirrors of lamp k without shadows: the lamp's centre stands for it, before a lobe that is as much wider as the lamp."""
    lamp = light.lamp[k]
    arrival = from_centre(lamp, facet.start)
    if wp.dot(facet.normal, arrival.direction) <= 0.0 or not lights_up(light, k, facet.slot):
        return wp.vec3()
    got = arrival.light * lamp.specular
    if light.profiles.shape[0] > 0:
        got *= profiled(light.profiles, lamp, -arrival.direction)
    rough = wp.max(facet.roughness, SHARPEST)
    wide = wp.sqrt(wp.sqrt(rough * rough * rough * rough + WIDER * widening(lamp, arrival)))
    return wp.cw_mul(ggx(facet.f0, wp.min(wide, 1.0), facet.normal, facet.view, arrival.direction), got)


@wp.func
def highlights_seen(scene: Scene, tables: Tables, light: Light, facet: Facet, lamp: Lit, u: wp.vec3) -> float:
    """Share of all lamps' highlights that no shadow hides, estimated by a ray to one that is picked by its highlight; ``lamp`` is what ``lamp_light``
    found by the same numbers."""
    if light.lamps == 1 or facet.roughness >= BROAD:
        return lamp.seen
    total = float(0.0)
    for k in range(light.lamps):
        total += luminance(highlight(light, k, facet))
    left = u[0] * total
    chosen = int(-1)
    for k in range(light.lamps):
        if left >= 0.0:
            own = luminance(highlight(light, k, facet))
            if own > 0.0:
                chosen = k
            left -= own
    if chosen < 0 or chosen == lamp.lamp:
        return lamp.seen
    arrival = aim(light.lamp[chosen], facet.start, u[1], u[2])
    if wp.dot(facet.normal, arrival.direction) <= 0.0:
        return float(0.0)
    return luminance(unhidden(scene, tables, light, chosen, facet.start, arrival))


@wp.func
def dome_light(scene: Scene, tables: Tables, light: Light, facet: Facet, u: wp.vec2) -> Lit:
    """Light of the dome's image from a direction picked by its brightness, weighed against the other ways to find it (Veach's balance heuristic)."""
    out = Lit()
    direction = toward_dome(light.dome, u[0], u[1])
    cosine = wp.dot(facet.normal, direction)
    density = dome_density(light.dome, direction)
    if cosine <= 0.0 or density <= 0.0:
        return out
    radiance = wp.cw_mul(sky(light, direction), arriving(scene, tables, facet.start, direction, FAR))
    out.body = radiance * (cosine / PI / (density + cosine / PI))
    if facet.shiny == 1:
        weight = 1.0 / (density + ggx_density(facet.roughness, facet.normal, facet.view, direction))
        out.shine = wp.cw_mul(ggx(facet.f0, facet.roughness, facet.normal, facet.view, direction), radiance) * weight
    return out


@wp.func
def sky_weight(dome: Dome, density: float, direction: wp.vec3) -> float:
    """Weight of the sky found in a direction with this density, given that ``dome_light`` may find it too."""
    return density / wp.max(density + dome_density(dome, direction), 1.0e-12)
