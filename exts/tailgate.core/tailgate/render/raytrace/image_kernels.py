"""Image kernels: smoothing of the sampled light, edges by coverage, and tone mapping; each with a numpy twin in ``image_twins``."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.render.raytrace.camera_kernels import Camera, Pixels, camera_direction, camera_origin, sampled
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import FAR, luminance
from tailgate.render.raytrace.surface import nearest, slot_of

wp.set_module_options({"enable_backward": False})


@wp.struct
class Pass:
    """One smoothing pass: taps ``step`` pixels apart; ``sharp`` is the share of the fourth component that keeps its value. ``colour_sparse`` and
    ``fourth_sparse`` are 1 where the first three components, or the fourth, are held by the pixels of ``camera_kernels.sampled`` alone."""

    step: wp.int32
    sharp: wp.float32
    colour_sparse: wp.int32
    fourth_sparse: wp.int32


@wp.kernel
def smooth_kernel(camera: Camera, pixels: Pixels, how: Pass, source: wp.array(dtype=wp.vec4), target: wp.array(dtype=wp.vec4)):
    """One pass of the edge-avoiding a-trous filter (Dammertz et al. 2010): 3 x 3 taps, weighted by likeness of normal and plane. A pixel
    without a colour or a like neighbour that has one takes the mean of all its neighbours' colours."""
    k = wp.tid()
    depth = pixels.t[k]
    if depth < 0.0:
        target[k] = source[k]
        return
    x = k % camera.width
    y = k / camera.width
    normal = pixels.normal[k]
    along = camera_direction(camera, float(x), float(y))
    slack = 3.0 * float(how.step) * depth / camera.fx
    colour = wp.vec3()
    fourth = float(0.0)
    colours = float(0.0)
    fourths = float(0.0)
    spare = wp.vec3()
    spares = float(0.0)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            i = x + dx * how.step
            j = y + dy * how.step
            if i >= 0 and j >= 0 and i < camera.width and j < camera.height:
                q = j * camera.width + i
                if pixels.t[q] > 0.0:
                    chosen = sampled(q, camera.width)
                    held = how.colour_sparse == 0 or chosen
                    value = wp.vec3(source[q][0], source[q][1], source[q][2])
                    if held:
                        spare += value
                        spares += 1.0
                    like = wp.dot(normal, pixels.normal[q])
                    offset = camera_direction(camera, float(i), float(j)) * pixels.t[q] - along * depth
                    if like > 0.8 and wp.abs(wp.dot(normal, offset)) < slack:
                        w = float(2 - (dx & 1)) * float(2 - (dy & 1)) * (like - 0.8) * 5.0
                        if held:
                            colour += value * w
                            colours += w
                        if how.fourth_sparse == 0 or chosen:
                            fourth += source[q][3] * w
                            fourths += w
    if colours <= 0.0:
        colour = spare
        colours = wp.max(spares, 1.0)
    fourth = fourth / wp.max(fourths, 1.0e-6) * (1.0 - how.sharp) + source[k][3] * how.sharp
    colour = colour / colours
    target[k] = wp.vec4(colour[0], colour[1], colour[2], fourth)


@wp.func
def differs(camera: Camera, pixels: Pixels, hdr: wp.array(dtype=wp.vec4), a: int, b: int) -> bool:
    """True when two neighbouring pixels show different surfaces and it can be seen: a channel changes by more than a twelfth."""
    seen = bool(False)
    for c in range(3):
        if wp.abs(hdr[a][c] - hdr[b][c]) > 0.08 * wp.max(hdr[a][c], hdr[b][c]):
            seen = True
    if not seen:
        return False
    if pixels.slot[a] != pixels.slot[b] or pixels.instance[a] != pixels.instance[b]:
        return True
    if pixels.slot[a] < 0:
        return False
    if wp.dot(pixels.normal[a], pixels.normal[b]) < 0.85:
        return True
    from_a = camera_direction(camera, float(a % camera.width), float(a / camera.width)) * pixels.t[a]
    from_b = camera_direction(camera, float(b % camera.width), float(b / camera.width)) * pixels.t[b]
    return wp.abs(wp.dot(pixels.normal[a], from_b - from_a)) > 0.02 * pixels.t[a]


@wp.kernel
def edge_kernel(
    scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, exposure: float, hdr: wp.array(dtype=wp.vec4), out: wp.array(dtype=wp.vec4)
):
    """Blend the pixels at edges by coverage: four rays on a rotated grid each take the colour of the pixel around that shows the same surface.
    Colours are weighted as they will be seen, so that a bright side does not swallow its edge."""
    k = wp.tid()
    x = k % camera.width
    y = k / camera.width
    out[k] = hdr[k]
    edge = bool(False)
    if x > 0:
        edge = differs(camera, pixels, hdr, k, k - 1)
    if x < camera.width - 1 and not edge:
        edge = differs(camera, pixels, hdr, k, k + 1)
    if y > 0 and not edge:
        edge = differs(camera, pixels, hdr, k, k - camera.width)
    if y < camera.height - 1 and not edge:
        edge = differs(camera, pixels, hdr, k, k + camera.width)
    if not edge:
        return
    total = wp.vec3()
    weights = float(0.0)
    for s in range(4):
        du = 0.125 * float(1 - 2 * (s & 1)) * float(1 + 2 * (s >> 1))
        dv = 0.125 * float(1 - 2 * ((s & 1) ^ (s >> 1))) * float(3 - 2 * (s >> 1))
        direction = camera_direction(camera, float(x) + du, float(y) + dv)
        hit = nearest(scene, tables, camera_origin(camera, float(y) + dv), direction, FAR)
        slot = int(-1)
        if hit.instance >= 0:
            slot = slot_of(tables, hit)
        best = int(k)
        cost = float(1.0e9)
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                i = wp.clamp(x + dx, 0, camera.width - 1)
                j = wp.clamp(y + dy, 0, camera.height - 1)
                q = j * camera.width + i
                if pixels.instance[q] == hit.instance and pixels.slot[q] == slot:
                    far = (float(dx) - du) * (float(dx) - du) + (float(dy) - dv) * (float(dy) - dv)
                    if hit.instance >= 0:
                        bend = 1.0 - wp.abs(wp.dot(pixels.face_normal[q], hit.normal))
                        far += 20.0 * bend + 20.0 * wp.abs(pixels.t[q] - hit.t) / hit.t
                    if far < cost:
                        cost = far
                        best = q
        colour = wp.vec3(hdr[best][0], hdr[best][1], hdr[best][2])
        weight = 1.0 / (1.0 + exposure * luminance(colour))
        total += colour * weight
        weights += weight
    total = total / weights
    out[k] = wp.vec4(total[0], total[1], total[2], 1.0)


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
    """sRGB code value of a linear one (IEC 61966-2-1), rounded to 8 bits."""
    value = wp.where(x <= 0.0031308, 12.92 * x, 1.055 * wp.pow(wp.max(x, 0.0031308), 1.0 / 2.4) - 0.055)
    return wp.uint8(wp.clamp(value, 0.0, 1.0) * 255.0 + 0.5)


@wp.kernel
def tone_kernel(hdr: wp.array(dtype=wp.vec4), exposure: float, rgb: wp.array2d(dtype=wp.uint8)):
    """Expose, tone-map and encode."""
    k = wp.tid()
    for c in range(3):
        rgb[k, c] = srgb8(filmic(hdr[k][c] * exposure))
    rgb[k, 3] = wp.uint8(255)
