"""Light through panes: what a ray meets behind glass, and how much of its light gets there. Rays go straight on; twin: ``pane_twin``.

A sheet (``tailgate.stage.materials.SHEET``) stands for a plate with two parallel faces. With Fresnel's reflectance R of one face and the share a of
light that survives one way through the glass, the beams that go to and fro inside it add up to (Born and Wolf, Principles of Optics, without
interference)

    transmittance (1 - R)^2 a / (1 - R^2 a^2),   reflectance R (1 + a * transmittance),

which is (1 - R) / (1 + R) and 2 R / (1 + R) for clear glass. On an oblique way through, a is its value head-on to the power 1 / cos of the refracted
angle (Lambert and Beer). One face of a solid passes (1 - R) a. A surface that is only there to a share (``opacityMode`` presence) passes the rest.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import outlined, wp
from tailgate.geometry.rays import Hit, Scene, occluded
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.surface import LAYERS, nearest, slot_of, step_past
from tailgate.stage import materials

wp.set_module_options({"enable_backward": False})

PRESENCE, FACE, SHEET = (wp.constant(float(kind)) for kind in (materials.PRESENCE, materials.FACE, materials.SHEET))


@wp.struct
class Pane:
    """What a pane does to light of three wavelengths: shares it mirrors and lets through."""

    mirrored: wp.vec3
    passed: wp.vec3


@wp.struct
class Sight:
    """What a ray meets behind panes: the nearest hit that is none, the share of light that arrives from there, and the slot of the first pane
    (-1: none was passed)."""

    hit: Hit
    tint: wp.vec3
    pane: wp.int32


@wp.func
def fresnel(ior: float, cosine: float) -> float:
    """Reflectance of a dielectric's face for unpolarized light that comes from air."""
    c = wp.clamp(cosine, 1.0e-4, 1.0)
    t = wp.sqrt(wp.max(1.0 - (1.0 - c * c) / (ior * ior), 0.0))
    across = (c - ior * t) / (c + ior * t)
    along = (ior * c - t) / (ior * c + t)
    return 0.5 * (across * across + along * along)


@wp.func
def pane_share(kind: float, ior: float, opacity: float, clear: float, cosine: float) -> wp.vec2:
    """Shares of light that a pane mirrors and lets through; ``clear`` survives one way head-on through the glass."""
    one = fresnel(ior, cosine)
    if kind == PRESENCE:
        return wp.vec2(one * opacity, 1.0 - opacity)
    c = wp.clamp(cosine, 1.0e-4, 1.0)
    way = 1.0 / wp.sqrt(wp.max(1.0 - (1.0 - c * c) / (ior * ior), 1.0e-4))
    inside = wp.pow(wp.max(clear, 1.0e-6), way)
    if kind == FACE:
        return wp.vec2(one, (1.0 - one) * inside)
    through = (1.0 - one) * (1.0 - one) * inside / (1.0 - one * one * inside * inside)
    return wp.vec2(one * (1.0 + inside * through), through)


@wp.func
def ior_of(f0: float) -> float:
    """Index of refraction of a dielectric that mirrors a share ``f0`` head-on."""
    root = wp.sqrt(wp.clamp(f0, 0.0, 0.98))
    return (1.0 + root) / (1.0 - root)


@wp.func
def pane_at(tables: Tables, material: int, cosine: float) -> Pane:
    """What the pane of a material does to red, green and blue light; of what is metal, Schlick's reflectance is not there to pass."""
    out = Pane()
    metal = tables.material[material, 4]
    ior = ior_of(tables.material[material, 10])
    edge = wp.pow(1.0 - wp.clamp(cosine, 0.0, 1.0), 5.0)
    mirrored = wp.vec3()
    passed = wp.vec3()
    for c in range(3):
        got = pane_share(tables.material[material, 12], ior, tables.material[material, 8], tables.material[material, 13 + c], cosine)
        head_on = tables.material[material, c]
        shine = (head_on + (1.0 - head_on) * edge) * metal
        mirrored[c] = got[0] * (1.0 - metal) + shine
        passed[c] = got[1] * (1.0 - shine)
    out.mirrored = mirrored
    out.passed = passed
    return out


@outlined
def sight(scene: Scene, tables: Tables, origin: wp.vec3, direction: wp.vec3, t_max: float) -> Sight:
    """Nearest hit with t <= t_max that is no pane."""
    out = Sight()
    out.tint = wp.vec3(1.0, 1.0, 1.0)
    out.pane = -1
    start = float(0.0)
    for _ in range(LAYERS):
        hit = nearest(scene, tables, origin + direction * start, direction, t_max - start)
        hit.t += start
        out.hit = hit
        if hit.instance < 0 or tables.panes == 0:
            return out
        slot = slot_of(tables, hit)
        material = tables.slot[slot][0]
        if tables.material[material, 12] < 0.0:
            return out
        if out.pane < 0:
            out.pane = slot
        pane = pane_at(tables, material, wp.abs(wp.dot(hit.normal, wp.normalize(direction))))
        out.tint = wp.cw_mul(out.tint, pane.passed)
        start = step_past(hit.t)
    return out


@wp.func
def arriving(scene: Scene, tables: Tables, origin: wp.vec3, direction: wp.vec3, t_max: float) -> wp.vec3:
    """Share of light that arrives from t_max: nothing past a surface, tinted through panes."""
    if tables.panes == 0 and tables.cutouts == 0:
        if occluded(scene, origin, direction, t_max):
            return wp.vec3()
        return wp.vec3(1.0, 1.0, 1.0)
    seen = sight(scene, tables, origin, direction, t_max)
    if seen.hit.instance >= 0:
        return wp.vec3()
    return seen.tint


def pane_twin(kind: int, ior: float, opacity: float, clear: np.ndarray, cosine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Readable twin of ``pane_share``: shares mirrored and let through, any one shape."""
    refracted = np.sqrt(1 - (1 - cosine**2) / ior**2)
    across, along = (cosine - ior * refracted) / (cosine + ior * refracted), (ior * cosine - refracted) / (ior * cosine + refracted)
    one = (across**2 + along**2) / 2
    if kind == materials.PRESENCE:
        return one * opacity, np.full_like(one, 1 - opacity)
    inside = clear ** (1 / refracted)
    if kind == materials.FACE:
        return one, (1 - one) * inside
    bounces = np.arange(200).reshape(-1, *[1] * np.ndim(one))
    through = ((1 - one) ** 2 * inside * (one * inside) ** (2 * bounces)).sum(0)
    back = ((1 - one) ** 2 * one * inside**2 * (one * inside) ** (2 * bounces)).sum(0)
    return one + back, through
