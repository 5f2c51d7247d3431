"""Image kernels: smoothing of the sampled light, edges by coverage, and tone mapping; each with a numpy twin in ``image_twins``."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.render.raytrace.camera_kernels import Camera, Pixels, camera_direction, camera_origin, sampled
from tailgate.render.raytrace.panes import Sight, sight
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import FAR, luminance
from tailgate.render.raytrace.surface import slot_of

wp.set_module_options({"enable_backward": False})


@wp.struct
class Pass:
    """One smoothing pass: taps ``step`` pixels apart; ``sharp`` is the share of the fourth component that keeps its value. ``colour_sparse`` and
    ``fourth_sparse`` are 1 where the first three components, or the fourth, are held by the pixels of ``camera_kernels.sampled`` alone and are 0
    elsewhere. Surfaces that are rougher than ``roughest`` keep their value, as nobody reads it."""

    step: wp.int32
    sharp: wp.float32
    colour_sparse: wp.int32
    fourth_sparse: wp.int32
    roughest: wp.float32


@wp.func
def mean_around(camera: Camera, pixels: Pixels, how: Pass, source: wp.array(dtype=wp.vec4), k: int) -> wp.vec3:
    """Mean colour of those of the 3 x 3 taps that hold one, whatever they show."""
    total = wp.vec3()
    count = float(0.0)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            i = k % camera.width + dx * how.step
            j = k / camera.width + dy * how.step
            if i >= 0 and j >= 0 and i < camera.width and j < camera.height:
                q = j * camera.width + i
                if pixels.t[q] > 0.0 and (how.colour_sparse == 0 or sampled(q, camera.width)):
                    total += wp.vec3(source[q][0], source[q][1], source[q][2])
                    count += 1.0
    return total / wp.max(count, 1.0)


@wp.func
def smoothed(camera: Camera, pixels: Pixels, how: Pass, source: wp.array(dtype=wp.vec4), k: int) -> wp.vec4:
    """Value of a pixel after one pass; see ``smooth_kernel``."""
    depth = pixels.t[k]
    if depth < 0.0 or pixels.material[k][0] > how.roughest:
        return source[k]
    x = k % camera.width
    y = k / camera.width
    normal = pixels.normal[k]
    plane = wp.dot(normal, pixels.way[k])
    slack = 3.0 * float(how.step) * depth / camera.fx
    total = wp.vec4()
    all_weights = float(0.0)
    held_weights = float(0.0)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            i = x + dx * how.step
            j = y + dy * how.step
            if i >= 0 and j >= 0 and i < camera.width and j < camera.height:
                q = j * camera.width + i
                like = wp.dot(normal, pixels.normal[q])
                if like > 0.8 and wp.abs(wp.dot(normal, pixels.way[q]) - plane) < slack:
                    w = float(2 - (dx & 1)) * float(2 - (dy & 1)) * (like - 0.8) * 5.0
                    total += source[q] * w
                    all_weights += w
                    if (i + j) % 2 == 0:
                        held_weights += w
    colours = wp.where(how.colour_sparse == 1, held_weights, all_weights)
    fourths = wp.where(how.fourth_sparse == 1, held_weights, all_weights)
    colour = wp.vec3(total[0], total[1], total[2]) / wp.max(colours, 1.0e-6)
    if colours <= 0.0:
        colour = mean_around(camera, pixels, how, source, k)
    fourth = total[3] / wp.max(fourths, 1.0e-6) * (1.0 - how.sharp) + source[k][3] * how.sharp
    return wp.vec4(colour[0], colour[1], colour[2], fourth)


@wp.kernel
def smooth_kernel(camera: Camera, pixels: Pixels, how: Pass, source: wp.array(dtype=wp.vec4), target: wp.array(dtype=wp.vec4)):
    """One pass of the edge-avoiding a-trous filter (Dammertz et al. 2010): 3 x 3 taps, weighted by likeness of normal and plane. A pixel
    without a colour or a like neighbour that has one takes the mean of all its neighbours' colours."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        target[k] = smoothed(camera, pixels, how, source, k)


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
        seen = sight(scene, tables, camera_origin(camera, v), camera_direction(camera, u, v), FAR)
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


@wp.kernel
def add_kernel(hdr: wp.array(dtype=wp.vec4), share: float, total: wp.array(dtype=wp.vec4)):
    """Add a share of an image to a sum."""
    k = wp.tid()
    total[k] = total[k] + hdr[k] * share


@wp.func
def filmic(x: float) -> float:
    """Filmic curve (Narkowicz 2015, a fit of the ACES reference), linear in and out."""
    return wp.clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0)


@wp.func
def srgb8(x: float) -> wp.uint8:
    """sRGB code value of a linear one (IEC 61966-2-1), rounded to 8 bits. Its power x^(1/2.4) is a polynomial in the fourth root of x, fitted within
    7e-6 of it, since a power takes a CPU several times as long."""
    r = wp.sqrt(wp.sqrt(wp.max(x, 0.0031308)))
    root = ((((-0.06459059 * r + 0.2744266) * r - 0.54736272) * r + 1.18994894) * r + 0.15358142) * r - 0.00600988
    value = wp.where(x <= 0.0031308, 12.92 * x, 1.055 * root - 0.055)
    return wp.uint8(wp.clamp(value, 0.0, 1.0) * 255.0 + 0.5)


@wp.kernel
def tone_kernel(hdr: wp.array(dtype=wp.vec4), exposure: float, rgb: wp.array2d(dtype=wp.uint8)):
    """Expose, tone-map and encode."""
    k = wp.tid()
    for c in range(3):
        rgb[k, c] = srgb8(filmic(hdr[k][c] * exposure))
    rgb[k, 3] = wp.uint8(255)
