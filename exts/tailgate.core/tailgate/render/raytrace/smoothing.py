"""Smoothing of the sampled light: the edge-avoiding a-trous filter (Dammertz et al. 2010); numpy twin in ``image_twins``.

A CPU filters eight pixels of a row at once, in the vector registers that Warp's compiler has for the machine, where all their taps lie within the
image's width; everything else goes pixel by pixel.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import on_cpu
from tailgate.render.raytrace.camera_kernels import Camera, Pixels, sampled

wp.set_module_options({"enable_backward": False})

LANES = wp.constant(8)
ALL = wp.constant(255)

EIGHT = """
#ifdef __CUDA_ARCH__
    return 255;
#else
    typedef float f8 __attribute__((vector_size(32)));
    typedef float f8u __attribute__((vector_size(32), aligned(4), may_alias));
    typedef int i8 __attribute__((vector_size(32)));
    typedef bool b8 __attribute__((ext_vector_type(8)));
    struct v3 { f8 x, y, z; };
    const auto load = [](const void* base, int row) -> f8 { return *(const f8u*)((const float*)base + row); };
    const auto load3 = [&](const void* base, int row) -> v3 {
        const f8 a = load(base, 3 * row), b = load(base, 3 * row + 8), c = load(base, 3 * row + 16);
        return {__builtin_shufflevector(__builtin_shufflevector(a, b, 0, 3, 6, 9, 12, 15, -1, -1), c, 0, 1, 2, 3, 4, 5, 10, 13),
                __builtin_shufflevector(__builtin_shufflevector(a, b, 1, 4, 7, 10, 13, -1, -1, -1), c, 0, 1, 2, 3, 4, 8, 11, 14),
                __builtin_shufflevector(__builtin_shufflevector(a, b, 2, 5, 8, 11, 14, -1, -1, -1), c, 0, 1, 2, 3, 4, 9, 12, 15)};
    };
    const auto dot = [](const v3& a, const v3& b) -> f8 { return a.x * b.x + a.y * b.y + a.z * b.z; };
    const auto bits = [](i8 lanes) -> int { return __builtin_bit_cast(unsigned char, __builtin_convertvector(lanes, b8)); };

    const f8 depth = load(t.data, k), rough = load3(material.data, k).x;
    const i8 as_is = (depth < 0.0f) | (rough > roughest);
    if (bits(as_is) == 255) return 255;
    const int x = k % width, y = k / width;
    const v3 own = load3(normal.data, k);
    const f8 plane = dot(own, load3(way.data, k)), slack = depth * (3.0f * step / focal);
    const i8 even = (x + y) % 2 ? i8{0, -1, 0, -1, 0, -1, 0, -1} : i8{-1, 0, -1, 0, -1, 0, -1, 0};
    f8 total[4] = {}, all = {}, held = {};
    for (int dy = -1; dy <= 1; ++dy) {
        if (y + dy * step < 0 || y + dy * step >= height) continue;
        for (int dx = -1; dx <= 1; ++dx) {
            const int q = k + (dy * width + dx) * step;
            const f8 like = dot(own, load3(normal.data, q)), off = dot(own, load3(way.data, q)) - plane;
            const i8 near = (like > 0.8f) & (off < slack) & (off > -slack);
            const f8 w = near ? (like - 0.8f) * (float)((2 - dx * dx) * (2 - dy * dy) * 5) : f8{};
            all += w;
            held += ((dx + dy) * step % 2 ? ~even : even) ? w : f8{};
            total[0] += load(source.data, 4 * q) * __builtin_shufflevector(w, w, 0, 0, 0, 0, 1, 1, 1, 1);
            total[1] += load(source.data, 4 * q + 8) * __builtin_shufflevector(w, w, 2, 2, 2, 2, 3, 3, 3, 3);
            total[2] += load(source.data, 4 * q + 16) * __builtin_shufflevector(w, w, 4, 4, 4, 4, 5, 5, 5, 5);
            total[3] += load(source.data, 4 * q + 24) * __builtin_shufflevector(w, w, 6, 6, 6, 6, 7, 7, 7, 7);
        }
    }
    const f8 least = f8{} + 1.0e-6f, colours = colour_sparse ? held : all, fourths = fourth_sparse ? held : all;
    const f8 c = 1.0f / (colours > least ? colours : least), f = 1.0f / (fourths > least ? fourths : least);
    const f8 per[4] = {__builtin_shufflevector(c, f, 0, 0, 0, 8, 1, 1, 1, 9), __builtin_shufflevector(c, f, 2, 2, 2, 10, 3, 3, 3, 11),
                       __builtin_shufflevector(c, f, 4, 4, 4, 12, 5, 5, 5, 13), __builtin_shufflevector(c, f, 6, 6, 6, 14, 7, 7, 7, 15)};
    const f8 kept = {0.0f, 0.0f, 0.0f, sharp, 0.0f, 0.0f, 0.0f, sharp};
    for (int pair = 0; pair < 4; ++pair) {
        const f8 before = load(source.data, 4 * k + 8 * pair), after = total[pair] * per[pair];
        *(f8u*)((float*)target.data + 4 * k + 8 * pair) = after + (before - after) * kept;
    }
    return bits(as_is | (colours <= 0.0f));
#endif
"""


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


@wp.func_native(EIGHT)
def smooth_eight(
    t: wp.array(dtype=wp.float32), normal: wp.array(dtype=wp.vec3), way: wp.array(dtype=wp.vec3), material: wp.array(dtype=wp.vec3),
    source: wp.array(dtype=wp.vec4), target: wp.array(dtype=wp.vec4), width: int, height: int, focal: float,
    step: int, sharp: float, colour_sparse: int, fourth_sparse: int, roughest: float, k: int,
) -> int:  # fmt: skip
    """Fill the targets of pixels k to k + 7 as ``smoothed`` does; bits of those that it has to do itself."""


@wp.kernel
def smooth_kernel(camera: Camera, pixels: Pixels, how: Pass, source: wp.array(dtype=wp.vec4), target: wp.array(dtype=wp.vec4)):
    """One pass of the filter: 3 x 3 taps, weighted by likeness of normal and plane. A pixel without a colour or a like neighbour that has one takes
    the mean of all its neighbours' colours."""
    k = wp.tid() * camera.strip
    last = k + camera.strip
    while k < last:
        left = int(ALL)
        if on_cpu():
            x = k % camera.width
            if k + LANES <= last and x >= how.step and x + LANES + how.step <= camera.width:
                left = smooth_eight(
                    pixels.t, pixels.normal, pixels.way, pixels.material, source, target, camera.width, camera.height, camera.fx,
                    how.step, how.sharp, how.colour_sparse, how.fourth_sparse, how.roughest, k,
                )  # fmt: skip
        lane = int(0)
        while left > 0:
            if left % 2 == 1 and k + lane < last:
                target[k + lane] = smoothed(camera, pixels, how, source, k + lane)
            left = left / 2
            lane += 1
        k += LANES
