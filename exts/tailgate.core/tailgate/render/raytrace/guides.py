"""Where bounced light is likely to come from: balls around what glows and around lamps, which light what is near them.

A bounce looks into their cones as often as their share of the light makes worth while, and is weighed by the density of all ways to find a direction
(one-sample balance heuristic, Veach 1997): the mean stays, small bright things no longer come as single bright samples.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import outlined, wp
from tailgate.render.raytrace.lamps import PI, SPHERE, Guide, within_cone
from tailgate.render.raytrace.scene import DeviceScene
from tailgate.render.raytrace.shading import onto_hemisphere
from tailgate.stage.images import LUMINANCE
from tailgate.stage.watch import StageState

wp.set_module_options({"enable_backward": False})

MOST = 8
"""Guides of a frame, the brightest ones."""
OFTEN = wp.constant(0.5)
"""Share of bounces that look for guides where all light comes from them."""
AROUND, SHONE_ON = 3.0, 0.3
"""Radius of the guide around a lamp in radii of it, and how bright what is in there may be beside the lamp."""


@wp.func
def rise(guide: Guide, start: wp.vec3) -> float:
    """1 - cosine of the half angle that a guide fills; 0 from nearer than 1.4 radii, where any direction does as well, and from very far."""
    sin2 = guide.radius * guide.radius / wp.max(wp.length_sq(guide.centre - start), 1.0e-12)
    return wp.where(sin2 < 0.5 and sin2 > 1.0e-6, sin2 / (1.0 + wp.sqrt(wp.max(1.0 - sin2, 0.0))), 0.0)


@wp.func
def promise(guide: Guide, start: wp.vec3, normal: wp.vec3) -> float:
    """Irradiance / pi that a guide may give; 0 only where none of its light can arrive."""
    to = guide.centre - start
    return guide.bright * rise(guide, start) * wp.clamp((wp.dot(normal, to) + guide.radius) / wp.max(wp.length(to), 1.0e-6), 0.0, 1.0)


@outlined
def guided(guides: wp.array(dtype=Guide), ambient: float, start: wp.vec3, normal: wp.vec3, u: wp.vec3) -> wp.vec4:
    """Direction of a bounce from three numbers, and what it counts beside one of ``onto_hemisphere``; ``ambient``: mean luminance of the sky."""
    total = float(0.0)
    for k in range(guides.shape[0]):
        total += promise(guides[k], start, normal)
    share = OFTEN * total / wp.max(total + ambient, 1.0e-12)
    direction = onto_hemisphere(normal, u[2], u[1])
    if u[0] < share:
        left = u[0] / share * total
        chosen = int(0)
        for k in range(guides.shape[0]):
            own = promise(guides[k], start, normal)
            if own > 0.0 and left >= 0.0:
                chosen = k
            left -= own
        direction = within_cone(wp.normalize(guides[chosen].centre - start), u[2] * rise(guides[chosen], start), u[1])
    cosine = wp.max(wp.dot(normal, direction), 0.0) / PI
    density = (1.0 - share) * cosine
    for k in range(guides.shape[0]):
        to = guides[k].centre - start
        along = wp.dot(to, direction)
        if along > 0.0 and along * along >= wp.length_sq(to) - guides[k].radius * guides[k].radius:
            own = promise(guides[k], start, normal)
            if own > 0.0:
                density += share * own / (total * 2.0 * PI * rise(guides[k], start))
    return wp.vec4(direction[0], direction[1], direction[2], cosine / wp.max(density, 1.0e-12))


def guides_of(scene: DeviceScene, state: StageState) -> wp.array:
    """Guides of a frame: the shown shapes that glow more than the sky does, and the round lamps; none under a dome with an image, which has its own
    way to find what is bright."""
    lights = state.lights
    round_ones = lights.lamps[(lights.lamps["kind"] == SPHERE) & (lights.lamps["radius"] > 0)]
    balls = [np.concatenate([lamp["position"], [AROUND * lamp["radius"], SHONE_ON * LUMINANCE @ lamp["radiance"]]]) for lamp in round_ones]
    rows = np.array([*balls, *scene.glowing(state, float(LUMINANCE @ lights.sky))]).reshape(-1, 5)
    if lights.dome is not None:
        rows = rows[:0]
    rows = rows[np.argsort(-rows[:, 4] * rows[:, 3] ** 2, kind="stable")[:MOST]]
    out = np.zeros(len(rows), Guide.numpy_dtype())
    out["centre"], out["radius"], out["bright"] = rows[:, :3], rows[:, 3], rows[:, 4]
    return wp.array(out, dtype=Guide, device=scene.device)
