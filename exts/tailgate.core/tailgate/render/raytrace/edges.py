"""Edges of surfaces, drawn by how much of a pixel each side covers."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.render.raytrace.camera_kernels import Camera, Pixels, camera_direction, camera_origin
from tailgate.render.raytrace.panes import Sight, sight
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import FAR, luminance
from tailgate.render.raytrace.surface import slot_of

wp.set_module_options({"enable_backward": False})


@wp.func
def differs(pixels: Pixels, hdr: wp.array(dtype=wp.vec4), a: int, b: int) -> bool:
    """True when two neighbouring pixels show different surfaces and it can be seen: a channel changes by more than a twelfth."""
    seen = bool(False)
    for c in range(3):
        if wp.abs(hdr[a][c] - hdr[b][c]) > 0.08 * wp.max(hdr[a][c], hdr[b][c]):
            seen = True
    if not seen:
        return False
    if pixels.slot[a] != pixels.slot[b] or pixels.instance[a] != pixels.instance[b] or pixels.pane[a] != pixels.pane[b]:
        return True
    if pixels.slot[a] < 0:
        return False
    if wp.dot(pixels.normal[a], pixels.normal[b]) < 0.85:
        return True
    return wp.abs(wp.dot(pixels.normal[a], pixels.way[b] - pixels.way[a])) > 0.02 * pixels.t[a]


@wp.func
def at_edge(camera: Camera, pixels: Pixels, hdr: wp.array(dtype=wp.vec4), k: int) -> bool:
    """True when one of the four neighbours of a pixel shows another surface and it can be seen."""
    x = k % camera.width
    y = k / camera.width
    if x > 0 and differs(pixels, hdr, k, k - 1):
        return True
    if x < camera.width - 1 and differs(pixels, hdr, k, k + 1):
        return True
    if y > 0 and differs(pixels, hdr, k, k - camera.width):
        return True
    return y < camera.height - 1 and differs(pixels, hdr, k, k + camera.width)


@wp.func
def alike(camera: Camera, pixels: Pixels, k: int, shift: wp.vec2, seen: Sight, slot: int) -> int:
    """The pixel of the 3 x 3 around k that shows most nearly what a ray ``shift`` [px] from k's centre met; k if none does."""
    hit = seen.hit
    best = int(k)
    cost = float(1.0e9)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            i = wp.clamp(k % camera.width + dx, 0, camera.width - 1)
            j = wp.clamp(k / camera.width + dy, 0, camera.height - 1)
            q = j * camera.width + i
            if pixels.instance[q] == hit.instance and pixels.slot[q] == slot and pixels.pane[q] == seen.pane:
                far = (float(dx) - shift[0]) * (float(dx) - shift[0]) + (float(dy) - shift[1]) * (float(dy) - shift[1])
                if hit.instance >= 0:
                    bend = 1.0 - wp.abs(wp.dot(pixels.face_normal[q], hit.normal))
                    far += 20.0 * bend + 20.0 * wp.abs(pixels.t[q] - hit.t) / hit.t
                if far < cost:
                    cost = far
                    best = q
    return best


@wp.func
def covered(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, exposure: float, hdr: wp.array(dtype=wp.vec4), k: int) -> wp.vec4:
    """Colour of a pixel at an edge; see ``edge_kernel``."""
    total = wp.vec3()
    weights = float(0.0)
    s = int(0)
    while s < 4:
        du = 0.125 * float(1 - 2 * (s & 1)) * float(1 + 2 * (s >> 1))
        dv = 0.125 * float(1 - 2 * ((s & 1) ^ (s >> 1))) * float(3 - 2 * (s >> 1))
        u = float(k % camera.width) + du
        v = float(k / camera.width) + dv
        along = camera_direction(camera, u, v)
        seen = sight(scene, tables, camera_origin(camera, v) + along * camera.near, along, FAR)
        seen.hit.t += camera.near
        slot = int(-1)
        if seen.hit.instance >= 0:
            slot = slot_of(tables, seen.hit)
        shown = hdr[alike(camera, pixels, k, wp.vec2(du, dv), seen, slot)]
        colour = wp.vec3(shown[0], shown[1], shown[2])
        weight = 1.0 / (1.0 + exposure * luminance(colour))
        total += colour * weight
        weights += weight
        s += 1
    total = total / weights
    return wp.vec4(total[0], total[1], total[2], 1.0)


@wp.kernel
def edge_kernel(
    scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, exposure: float, hdr: wp.array(dtype=wp.vec4), out: wp.array(dtype=wp.vec4)
):
    """Blend the pixels at edges by coverage: four rays on a rotated grid each take the colour of the pixel around that shows the same surface.
    Colours are weighted as they will be seen, so that a bright side does not swallow its edge."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        out[k] = hdr[k]
        if wp.length_sq(pixels.way[k]) > 0.0 and at_edge(camera, pixels, hdr, k):
            out[k] = covered(scene, tables, camera, pixels, exposure, hdr, k)
