"""Warp functions for light: the sky, surfaces and how they reflect. Radiance and irradiance are linear RGB in the scene's own unit."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import outlined, wp
from tailgate.render.raytrace.albedo import mirrored_shares
from tailgate.render.raytrace.atlas import Atlas
from tailgate.render.raytrace.dome import Dome, dome_radiance
from tailgate.render.raytrace.lamps import PI, Guide, Lamp, luminance

wp.set_module_options({"enable_backward": False})

FAR = wp.constant(1.0e6)


@wp.struct
class Light:
    """Light of a frame; see ``tailgate.stage.lights.Lights``. ``zenith``, ``horizon`` and ``ground`` are sky radiances to which the dome's image is
    added, ``glow`` the strength of the haze around the sun, ``haze`` the radiance of far fog, ``cloud`` the cover 0..1, ``fog`` the extinction
    [1/m]. ``lamps`` is the number of rows of ``lamp``; ``pictures`` are what they show, ``profiles`` how they shine by direction, ``links`` the sets
    that what each slot shows is in; ``guides`` are where bounces look, see there; ``shares`` is ``albedo.share_table``."""

    sun_direction: wp.vec3
    sun: wp.vec3
    sun_radius: wp.float32
    mean_sky: wp.vec3
    zenith: wp.vec3
    horizon: wp.vec3
    ground: wp.vec3
    glow: wp.vec3
    haze: wp.vec3
    cloud: wp.float32
    fog: wp.float32
    lamps: wp.int32
    lamp: wp.array(dtype=Lamp)
    guides: wp.array(dtype=Guide)
    pictures: Atlas
    profiles: wp.array3d(dtype=wp.float32)
    links: wp.array(dtype=wp.int32)
    dome: Dome
    shares: wp.array2d(dtype=wp.vec2)
    seed: wp.int32


@wp.func
def hash01(x: int, y: int, z: int) -> float:
    """Uniform number in [0, 1) from three integers."""
    return wp.randf(wp.rand_init(x * 73856093 ^ y * 19349663, z))


@wp.func
def power(x: float, n: int) -> float:
    """x^n for n >= 0 by squaring."""
    out = float(1.0)
    square = float(x)
    left = int(n)
    while left > 0:
        if left % 2 == 1:
            out *= square
        square *= square
        left /= 2
    return out


@wp.func_native("""
    float lattice[3], u[3];
    for (int k = 0; k < 3; ++k) {
        lattice[k] = floorf(p[k]);
        u[k] = p[k] - lattice[k];
        u[k] *= u[k] * (3.0f - 2.0f * u[k]);
    }
    const unsigned x = (unsigned)(int)lattice[0] * 73856093u, next_x = x + 73856093u;
    const unsigned y = (unsigned)(int)lattice[1] * 19349663u, next_y = y + 19349663u;
    const unsigned z = wp::rand_pcg((unsigned)(int)lattice[2]), next_z = wp::rand_pcg((unsigned)(int)lattice[2] + 1u);
#ifdef __CUDA_ARCH__
    float side[4];
    for (int k = 0; k < 8; ++k) {
        const unsigned corner = ((k & 1 ? next_x : x) ^ (k & 2 ? next_y : y)) + (k & 4 ? next_z : z);
        const float value = (int)(wp::rand_pcg(wp::rand_pcg(corner)) >> 8u) * (1.0f / 16777216.0f);
        side[k & 3] = k < 4 ? value : side[k & 3] + u[2] * (value - side[k & 3]);
    }
#else
    typedef unsigned u8 __attribute__((vector_size(32)));
    typedef int i8 __attribute__((vector_size(32)));
    typedef float f8 __attribute__((vector_size(32)));
    u8 corner = (u8{x, next_x, x, next_x, x, next_x, x, next_x} ^ u8{y, y, next_y, next_y, y, y, next_y, next_y})
        + u8{z, z, z, z, next_z, next_z, next_z, next_z};
    for (int k = 0; k < 2; ++k) {
        const u8 b = corner * 747796405u + 2891336453u;
        const u8 c = ((b >> ((b >> 28u) + 4u)) ^ b) * 277803737u;
        corner = (c >> 22u) ^ c;
    }
    const f8 value = __builtin_convertvector((i8)(corner >> 8u), f8) * (1.0f / 16777216.0f);
    const auto low = __builtin_shufflevector(value, value, 0, 1, 2, 3);
    const auto side = low + u[2] * (__builtin_shufflevector(value, value, 4, 5, 6, 7) - low);
#endif
    const float left = side[0] + u[1] * (side[2] - side[0]), right = side[1] + u[1] * (side[3] - side[1]);
    return left + u[0] * (right - left);
""")
def noise(p: wp.vec3) -> float:
    """Value noise in [0, 1] on the unit lattice, smooth between its points: ``hash01`` of the eight corners around, which a CPU takes at once."""


@outlined
def sky(light: Light, direction: wp.vec3) -> wp.vec3:
    """Smooth sky radiance: a gradient from horizon to zenith, the ground's below, haze around the sun, and the dome's image."""
    up = direction[2]
    blend = power(1.0 - wp.clamp(up, 0.0, 1.0), 6)
    colour = light.zenith * (1.0 - blend) + light.horizon * blend
    if up < 0.0:
        down = wp.clamp(-up * 6.0, 0.0, 1.0)
        colour = light.horizon * (1.0 - down) + light.ground * down
    if light.dome.on == 1:
        colour += dome_radiance(light.dome, direction, 0.0)
    towards = wp.max(wp.dot(direction, light.sun_direction), 0.0)
    return colour + light.glow * (0.25 * power(towards, 8) + power(towards, 200))


@wp.func
def seen_sky(light: Light, direction: wp.vec3) -> wp.vec3:
    """Sky as a camera or a mirror sees it: with thin clouds and the sun's disc."""
    colour = sky(light, direction)
    if light.cloud > 0.0 and direction[2] > 0.02:
        scale = 1.6 / (direction[2] + 0.12)
        p = wp.vec3(direction[0] * scale + float(light.seed % 977), direction[1] * scale * 1.7 + float(light.seed % 613), 0.5)
        shape = 0.5 * noise(p) + 0.27 * noise(p * 2.13) + 0.15 * noise(p * 4.31) + 0.08 * noise(p * 8.7)
        cover = wp.clamp((shape - 0.72 + 0.45 * light.cloud) * 3.2, 0.0, 1.0) * wp.clamp((direction[2] - 0.02) * 6.0, 0.0, 1.0)
        bright = light.mean_sky * 1.15 + light.sun * 0.11
        colour = colour * (1.0 - 0.85 * cover) + bright * (0.85 * cover)
    if wp.dot(direction, light.sun_direction) > wp.cos(light.sun_radius) and light.sun_radius > 0.0:
        colour += light.sun * (0.3 / wp.max(light.sun_radius * light.sun_radius, 1.0e-6)) * 0.01
    return colour


@wp.func
def onto_hemisphere(normal: wp.vec3, u: float, v: float) -> wp.vec3:
    """Cosine-weighted direction about a normal (Malley's method)."""
    sign = wp.where(normal[2] >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + normal[2])
    b = normal[0] * normal[1] * a
    tangent = wp.vec3(1.0 + sign * normal[0] * normal[0] * a, sign * b, -sign * normal[0])
    other = wp.vec3(b, sign + normal[1] * normal[1] * a, -normal[1])
    r = wp.sqrt(u)
    phi = 2.0 * PI * v
    return wp.normalize(tangent * (r * wp.cos(phi)) + other * (r * wp.sin(phi)) + normal * wp.sqrt(wp.max(1.0 - u, 0.0)))


@wp.func
def grain(p: wp.vec3, footprint: float, roughness: float, share: float) -> float:
    """Brightness factor about 1 that gives large rough surfaces a share of stains and grain; detail finer than ``footprint`` [m] fades out."""
    if roughness < 0.45:
        return float(1.0)
    total = 0.16 * (noise(p * 0.55) - 0.5)
    if footprint < 0.35:
        total += 0.13 * (noise(p * 2.7) - 0.5) * wp.clamp(1.5 - footprint / 0.25, 0.0, 1.0)
    if footprint < 0.03:
        total += 0.16 * (noise(p * 31.0) - 0.5) * wp.clamp(1.5 - footprint / 0.02, 0.0, 1.0)
    if footprint < 0.006:
        total += 0.22 * (noise(p * 140.0) - 0.5) * wp.clamp(1.5 - footprint / 0.004, 0.0, 1.0)
    return 1.0 + share * total * wp.clamp((roughness - 0.45) * 5.0, 0.0, 1.0)


@wp.func
def ray_start(position: wp.vec3, face_normal: wp.vec3) -> wp.vec3:
    """A point just off the surface, so that a ray does not meet the face it leaves."""
    return position + face_normal * (2.0e-4 + 4.0e-6 * wp.length(position))


@wp.func
def lights_up(light: Light, k: int, slot: int) -> bool:
    """True where lamp k shines on what a slot shows."""
    if light.links.shape[0] == 0:
        return True
    link = light.lamp[k].link
    if link == 0:
        return True
    return (light.links[slot] & link) != 0


@wp.func
def grazing_reflectance(f0: wp.vec3) -> float:
    """Reflectance at grazing incidence: 1 but for what hardly reflects at all (Lagarde and de Rousiers 2014)."""
    return wp.min(50.0 * luminance(f0), 1.0)


@wp.func
def environment_brdf(light: Light, f0: wp.vec3, roughness: float, n_v: float) -> wp.vec3:
    """Share of a uniform environment that a GGX surface mirrors, see ``albedo.ggx_shares``."""
    share = mirrored_shares(light.shares, roughness, n_v)
    edge = share[1] * grazing_reflectance(f0)
    return f0 * share[0] + wp.vec3(edge, edge, edge)


@wp.func
def width_of(roughness: float) -> float:
    """Squared width of the GGX distribution's slopes: roughness^4, kept off 0."""
    a = wp.max(roughness * roughness, 0.003)
    return a * a


@wp.func
def smith(a2: float, cosine: float) -> float:
    """cosine + sqrt(a2 + (1 - a2) cosine^2): the masking of GGX (Walter et al. 2007) is 2 cosine over this."""
    return cosine + wp.sqrt(a2 + (1.0 - a2) * cosine * cosine)


@wp.func
def schlick(f0: wp.vec3, cosine: float) -> wp.vec3:
    """Fresnel reflectance (Schlick 1994)."""
    edge = grazing_reflectance(f0)
    return f0 + (wp.vec3(edge, edge, edge) - f0) * power(1.0 - wp.clamp(cosine, 0.0, 1.0), 5)


@wp.func
def ggx_distribution(a2: float, n_h: float) -> float:
    """Density of micro-normals (Walter et al. 2007)."""
    d = n_h * n_h * (a2 - 1.0) + 1.0
    return a2 / (PI * d * d)


@wp.func
def ggx(f0: wp.vec3, roughness: float, normal: wp.vec3, view: wp.vec3, to_light: wp.vec3) -> wp.vec3:
    """Specular BRDF times the cosine at the light (Walter et al. 2007, with Schlick's Fresnel term)."""
    n_l = wp.dot(normal, to_light)
    n_v = wp.max(wp.dot(normal, view), 1.0e-3)
    if n_l <= 0.0:
        return wp.vec3()
    h = wp.normalize(view + to_light)
    a2 = width_of(roughness)
    shadowing = 1.0 / (smith(a2, n_l) * smith(a2, n_v))
    return schlick(f0, wp.dot(view, h)) * (ggx_distribution(a2, wp.max(wp.dot(normal, h), 0.0)) * shadowing * n_l)


@wp.func
def ggx_density(roughness: float, normal: wp.vec3, view: wp.vec3, to_light: wp.vec3) -> float:
    """Probability density per solid angle of ``ggx_direction``."""
    a2 = width_of(roughness)
    h = wp.normalize(view + to_light)
    return ggx_distribution(a2, wp.max(wp.dot(normal, h), 0.0)) / (2.0 * smith(a2, wp.max(wp.dot(normal, view), 1.0e-3)))


@wp.func
def ggx_direction(roughness: float, normal: wp.vec3, view: wp.vec3, u: float, v: float) -> wp.vec3:
    """Direction mirrored at a visible micro-normal (Heitz 2018, "Sampling the GGX Distribution of Visible Normals")."""
    a = wp.sqrt(width_of(roughness))
    x = wp.normalize(wp.cross(wp.where(wp.abs(normal[2]) < 0.9, wp.vec3(0.0, 0.0, 1.0), wp.vec3(1.0, 0.0, 0.0)), normal))
    y = wp.cross(normal, x)
    stretched = wp.normalize(wp.vec3(a * wp.dot(view, x), a * wp.dot(view, y), wp.max(wp.dot(view, normal), 1.0e-3)))
    first = wp.vec3(1.0, 0.0, 0.0)
    flat = stretched[0] * stretched[0] + stretched[1] * stretched[1]
    if flat > 1.0e-12:
        first = wp.vec3(-stretched[1], stretched[0], 0.0) / wp.sqrt(flat)
    second = wp.cross(stretched, first)
    r = wp.sqrt(u)
    p = r * wp.cos(2.0 * PI * v)
    lean = 0.5 * (1.0 + stretched[2])
    q = (1.0 - lean) * wp.sqrt(wp.max(1.0 - p * p, 0.0)) + lean * r * wp.sin(2.0 * PI * v)
    m = first * p + second * q + stretched * wp.sqrt(wp.max(1.0 - p * p - q * q, 0.0))
    h = wp.normalize(x * (a * m[0]) + y * (a * m[1]) + normal * wp.max(m[2], 1.0e-6))
    return h * (2.0 * wp.dot(view, h)) - view
