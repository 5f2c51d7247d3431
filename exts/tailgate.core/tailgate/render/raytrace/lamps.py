"""Warp functions for lamps: light of spheres, rectangles, disks, cylinders and further distant lights; see ``tailgate.stage.lights.LAMP``."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.stage import lights as kinds
from tailgate.stage.images import LUMINANCE

wp.set_module_options({"enable_backward": False})

PI = wp.constant(3.14159265358979)
RED, GREEN, BLUE = (wp.constant(float(weight)) for weight in LUMINANCE)
SPHERE, RECT, DISK, CYLINDER, DISTANT = (wp.constant(k) for k in (kinds.SPHERE, kinds.RECT, kinds.DISK, kinds.CYLINDER, kinds.DISTANT))


@wp.struct
class Lamp:
    """One lamp; fields as in ``tailgate.stage.lights.LAMP``."""

    kind: wp.int32
    position: wp.vec3
    across: wp.vec3
    along: wp.vec3
    axis: wp.vec3
    side: wp.vec3
    radiance: wp.vec3
    radius: wp.float32
    size: wp.float32
    cone_full: wp.float32
    cone_end: wp.float32
    focus: wp.float32
    tint: wp.vec3
    diffuse: wp.float32
    specular: wp.float32
    picture: wp.int32
    profile: wp.int32
    link: wp.int32
    casting: wp.int32


@wp.struct
class Guide:
    """A ball [m] in which something has the luminance ``bright``, see ``guides``."""

    centre: wp.vec3
    radius: wp.float32
    bright: wp.float32


@wp.struct
class Arrival:
    """Light from one sampled point of a lamp: unit direction to it, distance that must be free [m], and its radiance over the probability
    density per solid angle."""

    direction: wp.vec3
    distance: wp.float32
    light: wp.vec3


@wp.func
def luminance(c: wp.vec3) -> float:
    """Relative luminance of linear sRGB (ITU-R BT.709)."""
    return RED * c[0] + GREEN * c[1] + BLUE * c[2]


@wp.func
def shaped(lamp: Lamp, outwards: wp.vec3) -> wp.vec3:
    """Factor on a lamp's radiance in a direction away from it: its cone, and a fall-off of abs(cos)^focus towards its tint (UsdLux, ShapingAPI)."""
    if lamp.cone_end > 7.0 and lamp.focus == 0.0:
        return wp.vec3(1.0, 1.0, 1.0)
    cosine = wp.dot(outwards, lamp.axis)
    angle = wp.acos(wp.clamp(cosine, -1.0, 1.0))
    if angle >= lamp.cone_end:
        return wp.vec3()
    x = wp.clamp((angle - lamp.cone_full) / wp.max(lamp.cone_end - lamp.cone_full, 1.0e-6), 0.0, 1.0)
    fade = 1.0 - x * x * (3.0 - 2.0 * x)
    focused = wp.pow(wp.abs(cosine), lamp.focus)
    return (wp.vec3(1.0, 1.0, 1.0) * focused + lamp.tint * (1.0 - focused)) * fade


@wp.func
def reach(lamp: Lamp) -> float:
    """Radius [m] of a ball around a lamp."""
    return lamp.radius + wp.length(lamp.across + lamp.along)


@wp.func
def facing(lamp: Lamp, outwards: wp.vec3) -> float:
    """Share of a lamp's largest projected area that shows in a direction away from it."""
    if lamp.kind == RECT or lamp.kind == DISK:
        return wp.max(wp.dot(outwards, lamp.axis), 0.0)
    if lamp.kind == CYLINDER:
        side = wp.cross(wp.normalize(lamp.across), outwards)
        return wp.length(side)
    return float(1.0)


@wp.func
def from_centre(lamp: Lamp, position: wp.vec3) -> Arrival:
    """All light of a lamp without shadows as irradiance on what faces it, its centre standing for it."""
    out = Arrival()
    if lamp.kind == DISTANT:
        out.direction = -lamp.axis
        out.distance = 1.0e6
        out.light = lamp.radiance
        return out
    to_lamp = lamp.position - position
    out.distance = wp.length(to_lamp) + 1.0e-6
    out.direction = to_lamp / out.distance
    near = wp.max(out.distance, reach(lamp))
    out.light = wp.cw_mul(lamp.radiance, shaped(lamp, -out.direction)) * (lamp.size * facing(lamp, -out.direction) / (near * near))
    return out


@wp.func
def lamp_direction(lamp: Lamp, position: wp.vec3) -> wp.vec3:
    """Unit direction from a point to a lamp's centre."""
    if lamp.kind == DISTANT:
        return -lamp.axis
    return wp.normalize(lamp.position - position)


@wp.func
def widening(lamp: Lamp, arrival: Arrival) -> float:
    """Square of the angular radius [rad] of the disc as which a lamp appears; ``arrival`` is ``from_centre``."""
    if lamp.kind == DISTANT:
        return lamp.radius * lamp.radius
    d2 = arrival.distance * arrival.distance
    if lamp.kind == SPHERE:
        return lamp.radius * lamp.radius / d2
    return lamp.size * facing(lamp, -arrival.direction) / (PI * d2)


@wp.func
def strength(lamp: Lamp, position: wp.vec3, normal: wp.vec3) -> float:
    """Brightness of a lamp at a surface for the choice of one: 0 only where none of its light can arrive."""
    if lamp.kind == DISTANT:
        edge = wp.where(lamp.radius < 0.5 * PI, wp.sin(lamp.radius), 1.0 - wp.cos(lamp.radius))
        return luminance(lamp.radiance) * wp.max(edge - wp.dot(normal, lamp.axis), 0.0)
    to_lamp = lamp.position - position
    r = reach(lamp)
    distance = wp.length(to_lamp) + 1.0e-6
    out = to_lamp * (-1.0 / distance)
    up = wp.clamp((r - wp.dot(normal, out) * distance) / wp.max(distance, r), 0.0, 1.0)
    if (lamp.kind == RECT or lamp.kind == DISK) and wp.dot(out, lamp.axis) <= 0.0:
        return float(0.0)
    return luminance(lamp.radiance) * lamp.size * wp.max(facing(lamp, out), 0.1) * up / wp.max(distance * distance, r * r)


@wp.func
def toward_disc(axis: wp.vec3, radius: float, u: float, v: float) -> wp.vec3:
    """Direction within ``radius`` [rad] of an axis, uniform over the disc."""
    side = wp.normalize(wp.cross(axis, wp.where(wp.abs(axis[2]) < 0.9, wp.vec3(0.0, 0.0, 1.0), wp.vec3(1.0, 0.0, 0.0))))
    other = wp.cross(axis, side)
    r = radius * wp.sqrt(u)
    return wp.normalize(axis + side * (r * wp.cos(2.0 * PI * v)) + other * (r * wp.sin(2.0 * PI * v)))


@wp.func
def within_cone(axis: wp.vec3, rise: float, v: float) -> wp.vec3:
    """Direction whose cosine with an axis is 1 - ``rise``, turned about it by ``v`` of a full turn."""
    sine = wp.sqrt(wp.max(rise * (2.0 - rise), 0.0))
    side = wp.normalize(wp.cross(axis, wp.where(wp.abs(axis[2]) < 0.9, wp.vec3(0.0, 0.0, 1.0), wp.vec3(1.0, 0.0, 0.0))))
    other = wp.cross(axis, side)
    return wp.normalize(axis * (1.0 - rise) + side * (sine * wp.cos(2.0 * PI * v)) + other * (sine * wp.sin(2.0 * PI * v)))


@wp.func
def aim_at_sky(lamp: Lamp, u: float, v: float) -> Arrival:
    """A direction to a distant light, uniform over its cone; its irradiance on what faces it is what the front half of the cone gives."""
    out = Arrival()
    full = 2.0 * wp.sin(0.5 * lamp.radius) * wp.sin(0.5 * lamp.radius)
    out.direction = within_cone(-lamp.axis, u * full, v)
    out.distance = 1.0e6
    out.light = lamp.radiance * (2.0 * wp.where(full < 1.0, 1.0 / (2.0 - full), full))
    return out


@wp.func
def aim_at_sphere(lamp: Lamp, position: wp.vec3, u: float, v: float) -> Arrival:
    """A point of a sphere, uniform over the cone it fills; a sphere of radius 0 is a point of intensity radiance times size."""
    out = Arrival()
    to_lamp = lamp.position - position
    d2 = wp.max(wp.dot(to_lamp, to_lamp), 1.0e-12)
    d = wp.sqrt(d2)
    axis = to_lamp / d
    if lamp.radius <= 0.0:
        out.direction = axis
        out.distance = d
        out.light = wp.cw_mul(lamp.radiance, shaped(lamp, -axis)) * (lamp.size / d2)
        return out
    sin2 = lamp.radius * lamp.radius / d2
    if sin2 >= 1.0:
        return out
    spread = sin2 / (1.0 + wp.sqrt(1.0 - sin2))
    cosine = 1.0 - u * spread
    sine = wp.sqrt(wp.max(1.0 - cosine * cosine, 0.0))
    side = wp.normalize(wp.cross(axis, wp.where(wp.abs(axis[2]) < 0.9, wp.vec3(0.0, 0.0, 1.0), wp.vec3(1.0, 0.0, 0.0))))
    other = wp.cross(axis, side)
    out.direction = wp.normalize(axis * cosine + side * (sine * wp.cos(2.0 * PI * v)) + other * (sine * wp.sin(2.0 * PI * v)))
    out.distance = d * cosine - wp.sqrt(wp.max(lamp.radius * lamp.radius - d2 * sine * sine, 0.0))
    out.light = wp.cw_mul(lamp.radiance, shaped(lamp, -out.direction)) * (2.0 * PI * spread)
    return out


@wp.func
def aim(lamp: Lamp, position: wp.vec3, u: float, v: float) -> Arrival:
    """Light from a random point of a lamp: ``u`` and ``v`` in [0, 1)."""
    out = Arrival()
    if lamp.kind == SPHERE:
        return aim_at_sphere(lamp, position, u, v)
    if lamp.kind == DISTANT:
        return aim_at_sky(lamp, u, v)
    point = lamp.position
    normal = lamp.axis
    area = lamp.size
    if lamp.kind == RECT:
        point += lamp.across * (2.0 * u - 1.0) + lamp.along * (2.0 * v - 1.0)
    elif lamp.kind == DISK:
        point += (lamp.across * wp.cos(2.0 * PI * v) + lamp.along * wp.sin(2.0 * PI * v)) * wp.sqrt(u)
    else:
        stem = wp.normalize(lamp.across)
        toward = position - lamp.position
        front = wp.normalize(toward - stem * wp.dot(toward, stem))
        turn = PI * (v - 0.5)
        normal = front * wp.cos(turn) + wp.cross(stem, front) * wp.sin(turn)
        point += lamp.across * (2.0 * u - 1.0) + normal * lamp.radius
        area = lamp.size * PI * 0.5
    to_point = point - position
    d2 = wp.max(wp.dot(to_point, to_point), 1.0e-12)
    out.distance = wp.sqrt(d2)
    out.direction = to_point / out.distance
    cosine = wp.max(-wp.dot(out.direction, normal), 0.0)
    out.light = wp.cw_mul(lamp.radiance, shaped(lamp, -out.direction)) * (area * cosine / d2)
    return out
