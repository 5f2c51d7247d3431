"""Kernels of ``matching``: extremes of windows, and their elections.

A CPU holds the elections of eight pixels of a row at once, in the vector registers that Warp's compiler has for the machine, where their windows lie
within the image's width; others are held pixel by pixel.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import on_cpu
from tailgate.sensors.inverse_depth import EDGE_JUMP

wp.set_module_options({"enable_backward": False})

_EDGE, _EIGHT = wp.constant(EDGE_JUMP), wp.constant(8)


@wp.kernel
def pattern_kernel(contrast: wp.array(dtype=wp.float32, ndim=2), speckle: float, strip: int, pattern: wp.array(dtype=wp.float32, ndim=2)):
    """Contrast of each pixel's pattern, 1 on average; a thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / contrast.shape[1]
    first = wp.tid() * strip % contrast.shape[1]
    for x in range(first, first + strip):
        pattern[y, x] = wp.exp(speckle * contrast[y, x] - 0.5 * speckle * speckle)


@wp.func_native("""
    const int width = least.shape[1], y = first / width, x = first % width;
    float *a = low.data + first, *b = high.data + first;
    for (int i = 0; i < count; ++i) { a[i] = least.data[first + i]; b[i] = most.data[first + i]; }
    for (int shift = -reach; shift <= reach; ++shift) {
        if (axis == 0 && (y + shift < 0 || y + shift >= least.shape[0])) continue;
        const int start = axis == 0 || x + shift > 0 ? 0 : -x - shift;
        const int end = axis == 0 || x + shift + count < width ? count : width - x - shift;
        const int from = first + (axis == 0 ? shift * width : shift);
        const float *c = least.data + from, *d = most.data + from;
        for (int i = start; i < end; ++i) {
            a[i] = c[i] < a[i] ? c[i] : a[i];
            b[i] = d[i] > b[i] ? d[i] : b[i];
        }
    }
""")
def extremes_part(
    least: wp.array(dtype=wp.float32, ndim=2),
    most: wp.array(dtype=wp.float32, ndim=2),
    reach: int,
    axis: int,
    first: int,
    count: int,
    low: wp.array(dtype=wp.float32, ndim=2),
    high: wp.array(dtype=wp.float32, ndim=2),
):
    """``extremes_kernel`` for ``count`` pixels of a row from ``first`` on: plain loops along the row, which a compiler turns into vector code."""


@wp.kernel
def extremes_kernel(
    least: wp.array(dtype=wp.float32, ndim=2),
    most: wp.array(dtype=wp.float32, ndim=2),
    reach: int,
    axis: int,
    strip: int,
    low: wp.array(dtype=wp.float32, ndim=2),
    high: wp.array(dtype=wp.float32, ndim=2),
):
    """Least of ``least`` and most of ``most`` within ``reach`` pixels along columns (axis 0) or rows (axis 1). A thread works through ``strip``
    pixels of a row."""
    extremes_part(least, most, reach, axis, wp.tid() * strip, strip, low, high)


@wp.func
def votes_for(
    candidate: float,
    seen: wp.array(dtype=wp.float32, ndim=2),
    pattern: wp.array(dtype=wp.float32, ndim=2),
    rows: wp.array(dtype=wp.float32),
    columns: wp.array(dtype=wp.float32),
    slope: float,
    y: int,
    x: int,
):
    """Votes for the surface at inverse depth ``candidate``, and its inverse depth nearest to the window's middle."""
    down = rows.shape[0] / 2
    across = columns.shape[0] / 2
    votes = float(0.0)
    found = float(0.0)
    closest = int(1 << 30)
    for i in range(wp.max(y - down, 0), wp.min(y + down + 1, seen.shape[0])):
        for j in range(wp.max(x - across, 0), wp.min(x + across + 1, seen.shape[1])):
            q = seen[i, j]
            dy = i - y
            dx = j - x
            if q > 0.0 and wp.abs(q - candidate) <= _EDGE + slope * float(wp.abs(dy) + wp.abs(dx)):
                votes += rows[dy + down] * columns[dx + across] * pattern[i, j]
                if dy * dy + dx * dx < closest:
                    closest = dy * dy + dx * dx
                    found = q
    return votes, found


@wp.func
def elected(
    seen: wp.array(dtype=wp.float32, ndim=2),
    pattern: wp.array(dtype=wp.float32, ndim=2),
    rows: wp.array(dtype=wp.float32),
    columns: wp.array(dtype=wp.float32),
    nearest: float,
    slope: float,
    support: float,
    fattening: float,
    y: int,
    x: int,
):
    """Inverse depth that a window finds, 0 where too little of it is seen; its own, the nearest and the furthest surface stand for election."""
    own = seen[y, x]
    down = rows.shape[0] / 2
    across = columns.shape[0] / 2
    whole = float(0.0)
    shown = float(0.0)
    furthest = nearest
    for i in range(wp.max(y - down, 0), wp.min(y + down + 1, seen.shape[0])):
        for j in range(wp.max(x - across, 0), wp.min(x + across + 1, seen.shape[1])):
            share = rows[i - y + down] * columns[j - x + across] * pattern[i, j]
            whole += share
            if seen[i, j] > 0.0:
                shown += share
                furthest = wp.min(furthest, seen[i, j])
    best = float(0.0)
    found = float(0.0)
    for k in range(3):
        candidate = own
        if k == 1:
            candidate = nearest
        if k == 2:
            candidate = furthest
        if candidate > 0.0 and (k == 0 or wp.abs(candidate - own) > _EDGE):
            votes, q = votes_for(candidate, seen, pattern, rows, columns, slope, y, x)
            weight = votes
            if nearest - candidate <= _EDGE:
                weight = votes * (1.0 + fattening)
            if weight > best:
                best = weight
                found = q
    if shown >= support * whole:
        return found
    return 0.0


EIGHT = """
#ifndef __CUDA_ARCH__
#pragma clang fp contract(off)
    typedef float f8 __attribute__((vector_size(32)));
    typedef float f8u __attribute__((vector_size(32), aligned(4), may_alias));
    typedef int i8 __attribute__((vector_size(32)));
    typedef bool b8 __attribute__((ext_vector_type(8)));
    const auto load = [](const wp::array_t<float>& from, int at) -> f8 { return *(const f8u*)(from.data + at); };
    const auto bits = [](i8 lanes) -> int { return __builtin_bit_cast(unsigned char, __builtin_convertvector(lanes, b8)); };
    const auto apart = [](f8 a, f8 b) -> f8 { return a > b ? a - b : b - a; };

    const int width = seen.shape[1], y = k / width, down = rows.shape[0] / 2, across = columns.shape[0] / 2;
    const int top = y < down ? -y : -down, bottom = y + down < seen.shape[0] ? down : seen.shape[0] - 1 - y;
    const f8 own = load(seen, k), near = load(high, k), steepness = load(steep, k), none = {};
    const f8 slope = steepness < steepest ? steepness : none + steepest;
    const i8 alone = (own > 0.0f) & (near - load(low, k) <= edge + slope * (float)(down + across));
    f8 far = near, whole = none, shown = none, best = none, found = none;
    if (bits(alone | (near <= 0.0f)) == 255) {
        *(f8u*)(out.data + k) = own;
        return;
    }
    for (int i = top; i <= bottom; ++i)
        for (int j = -across; j <= across; ++j) {
            const f8 q = load(seen, k + i * width + j), share = rows.data[i + down] * columns.data[j + across] * load(pattern, k + i * width + j);
            const i8 is_seen = q > 0.0f;
            whole += share;
            shown += is_seen ? share : none;
            far = (is_seen & (q < far)) ? q : far;
        }
    const f8 all[3] = {own, near, far};
    for (int c = 0; c < 3; ++c) {
        const f8 candidate = all[c];
        i8 stands = ~alone & (candidate > 0.0f);
        if (c > 0) stands &= apart(candidate, own) > edge;
        if (bits(stands) == 0) continue;
        f8 votes = none, of = none;
        i8 closest = i8{} + (1 << 30);
        for (int i = top; i <= bottom; ++i)
            for (int j = -across; j <= across; ++j) {
                const f8 q = load(seen, k + i * width + j), share = rows.data[i + down] * columns.data[j + across] * load(pattern, k + i * width + j);
                const int away = i * i + j * j, steps = (i < 0 ? -i : i) + (j < 0 ? -j : j);
                const i8 member = (q > 0.0f) & (apart(q, candidate) <= edge + slope * (float)steps), nearer = member & (away < closest);
                votes += member ? share : none;
                of = nearer ? q : of;
                closest = nearer ? i8{} + away : closest;
            }
        const f8 weight = near - candidate <= edge ? votes * (1.0f + fattening) : votes;
        const i8 wins = stands & (weight > best);
        best = wins ? weight : best;
        found = wins ? of : found;
    }
    *(f8u*)(out.data + k) = alone ? own : shown >= support * whole ? found : none;
#endif
"""


@wp.func_native(EIGHT)
def vote_eight(
    steep: wp.array(dtype=wp.float32, ndim=2), seen: wp.array(dtype=wp.float32, ndim=2), low: wp.array(dtype=wp.float32, ndim=2),
    high: wp.array(dtype=wp.float32, ndim=2), pattern: wp.array(dtype=wp.float32, ndim=2), rows: wp.array(dtype=wp.float32),
    columns: wp.array(dtype=wp.float32), support: float, fattening: float, edge: float, steepest: float, k: int,
    out: wp.array(dtype=wp.float32, ndim=2),
):  # fmt: skip
    """``vote_kernel`` for pixels k to k + 7 of the image, whose windows lie within its width."""


@wp.kernel
def vote_kernel(
    steep: wp.array(dtype=wp.float32, ndim=2),
    seen: wp.array(dtype=wp.float32, ndim=2),
    low: wp.array(dtype=wp.float32, ndim=2),
    high: wp.array(dtype=wp.float32, ndim=2),
    pattern: wp.array(dtype=wp.float32, ndim=2),
    rows: wp.array(dtype=wp.float32),
    columns: wp.array(dtype=wp.float32),
    support: float,
    fattening: float,
    steepest: float,
    strip: int,
    out: wp.array(dtype=wp.float32, ndim=2),
):
    """Inverse depth that each window finds: its own where all that it holds is one surface, else what is elected. A thread works through ``strip``
    pixels of a row."""
    y = wp.tid() * strip / seen.shape[1]
    x = wp.tid() * strip % seen.shape[1]
    last = x + strip
    down = rows.shape[0] / 2
    across = columns.shape[0] / 2
    while x < last:
        if on_cpu() and x + _EIGHT <= last and x >= across and x + _EIGHT + across <= seen.shape[1]:
            k = y * seen.shape[1] + x
            vote_eight(steep, seen, low, high, pattern, rows, columns, support, fattening, _EDGE, steepest, k, out)
            x += _EIGHT
        else:
            own = seen[y, x]
            slope = wp.min(steep[y, x], steepest)
            if own > 0.0 and high[y, x] - low[y, x] <= _EDGE + slope * float(down + across):
                out[y, x] = own
            else:
                out[y, x] = elected(seen, pattern, rows, columns, high[y, x], slope, support, fattening, y, x)
            x += 1
