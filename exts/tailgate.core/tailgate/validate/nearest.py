"""Nearest-neighbour distances between point clouds: a Morton-ordered box tree, searched for groups of neighbouring queries at once.

Build: points are sorted along a 63-bit Morton curve (Morton 1966), every ``LEAF`` consecutive points form a leaf, and leaves form a complete binary
tree whose children of node i are 2i and 2i + 1 (Karras 2012 for the ordering; the implicit layout needs no pointers). Search: a thread takes
``width`` consecutive queries of the sorted cloud, starts at the leaf where the first of them falls on the curve and climbs to the root, entering
each sibling whose box is closer than the worst distance found so far (a dual-tree search, Gray & Moore 2000, of depth one). The result is the exact
minimum in float32, whatever the order of visits. Memory is linear in the number of points.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.validate.clouds import checked, refuse_far, refuse_row, shaped

wp.set_module_options({"enable_backward": False})

LEAF = 8
"""Points per leaf."""
CPU_WIDTH = 8
"""Queries per thread on a CPU, where they fill a SIMD register; a CUDA thread takes one."""
_LEAF = wp.constant(LEAF)
_BIG = wp.constant(3.0e38)
_CHUNKS = 256


# 64-bit constants by name: Warp 1.8 reads a literal in a kernel as 32 bits.
_BITS = wp.constant(wp.int64(0x1FFFFF))
_BY_32 = wp.constant(wp.int64(0x1F00000000FFFF))
_BY_16 = wp.constant(wp.int64(0x1F0000FF0000FF))
_BY_8 = wp.constant(wp.int64(0x100F00F00F00F00F))
_BY_4 = wp.constant(wp.int64(0x10C30C30C30C30C3))
_BY_2 = wp.constant(wp.int64(0x1249249249249249))


@wp.func
def _spread(v: wp.int64):
    """The lower 21 bits, two zeros between each and the next."""
    x = v & _BITS
    x = (x | (x << wp.int64(32))) & _BY_32
    x = (x | (x << wp.int64(16))) & _BY_16
    x = (x | (x << wp.int64(8))) & _BY_8
    x = (x | (x << wp.int64(4))) & _BY_4
    return (x | (x << wp.int64(2))) & _BY_2


@wp.kernel
def _bounds(points: wp.array(dtype=wp.vec3), chunk: int, low: wp.array(dtype=wp.vec3), high: wp.array(dtype=wp.vec3), bad: wp.array(dtype=wp.vec2i)):
    """Box of each chunk of points, and of its non-finite points the number and the first row (vec2i)."""
    t = wp.tid()
    a = wp.vec3(_BIG, _BIG, _BIG)
    b = -a
    wrong = wp.int32(0)
    first = points.shape[0]
    for i in range(t * chunk, wp.min((t + 1) * chunk, points.shape[0])):
        p = points[i]
        if not wp.isfinite(p):
            wrong += 1
            first = wp.min(first, i)
        a = wp.min(a, p)
        b = wp.max(b, p)
    low[t] = a
    high[t] = b
    bad[t] = wp.vec2i(wrong, first)


@wp.kernel
def _gather(rows: wp.array2d(dtype=wp.float32), points: wp.array(dtype=wp.vec3)):
    i = wp.tid()
    points[i] = wp.vec3(rows[i, 0], rows[i, 1], rows[i, 2])


@wp.kernel
def _codes(points: wp.array(dtype=wp.vec3), low: wp.vec3, scale: float, keys: wp.array(dtype=wp.int64), order: wp.array(dtype=wp.int32)):
    i = wp.tid()
    d = (points[i] - low) * scale
    y = _spread(wp.int64(d[1])) << wp.int64(1)
    z = _spread(wp.int64(d[2])) << wp.int64(2)
    keys[i] = _spread(wp.int64(d[0])) | y | z
    order[i] = i


@wp.kernel
def _leaves(
    points: wp.array(dtype=wp.vec3),
    order: wp.array(dtype=wp.int32),
    n: int,
    first: int,
    ordered: wp.array(dtype=wp.vec3),
    low: wp.array(dtype=wp.vec3),
    high: wp.array(dtype=wp.vec3),
):
    leaf = wp.tid()
    a = wp.vec3(_BIG, _BIG, _BIG)
    b = -a
    if leaf * _LEAF < n:
        for k in range(_LEAF):
            p = points[order[wp.min(leaf * _LEAF + k, n - 1)]]
            ordered[leaf * _LEAF + k] = p
            a = wp.min(a, p)
            b = wp.max(b, p)
    low[first + leaf] = a
    high[first + leaf] = b


@wp.kernel
def _parents(first: int, count: int, low: wp.array(dtype=wp.vec3), high: wp.array(dtype=wp.vec3)):
    """Fill nodes first .. first + count - 1, shared out over the threads in descending order."""
    t = wp.tid()
    for k in range(count):
        n = first + t * count + count - 1 - k
        low[n] = wp.min(low[2 * n], low[2 * n + 1])
        high[n] = wp.max(high[2 * n], high[2 * n + 1])


@wp.func
def gap(query_low: wp.vec3, query_high: wp.vec3, low: wp.vec3, high: wp.vec3):
    """Squared distance between two boxes [m²]."""
    d = wp.max(wp.max(low - query_high, query_low - high), wp.vec3(0.0, 0.0, 0.0))
    return d[0] * d[0] + d[1] * d[1] + d[2] * d[2]


@wp.func
def following(node: int):
    """Node that a walk from the root (1) visits after all that lies below ``node``; 1 when the walk is over."""
    n = node
    while (n & 1) == 1:
        n = n >> 1
    return n + 1


@cache
def search_kernel(width: int) -> wp.Kernel:
    """Return the search kernel for ``width`` queries per thread (the exact minimum does not depend on it)."""
    row = wp.types.vector(length=width, dtype=wp.float32)
    lanes = wp.constant(width)

    @wp.func
    def scan(x: row, y: row, z: row, best: row, leaf: int, points: wp.array(dtype=wp.vec3)):
        found = best
        for k in range(_LEAF):
            p = points[leaf * _LEAF + k]
            dx = x - row(p[0])
            dy = y - row(p[1])
            dz = z - row(p[2])
            found = wp.min(found, wp.cw_mul(dx, dx) + wp.cw_mul(dy, dy) + wp.cw_mul(dz, dz))
        return found

    @wp.kernel(module="unique", enable_backward=False)
    def search(
        queries: wp.array(dtype=wp.vec3),
        query_keys: wp.array(dtype=wp.int64),
        query_order: wp.array(dtype=wp.int32),
        n_queries: int,
        keys: wp.array(dtype=wp.int64),
        n: int,
        first: int,
        points: wp.array(dtype=wp.vec3),
        low: wp.array(dtype=wp.vec3),
        high: wp.array(dtype=wp.vec3),
        squared: wp.array(dtype=wp.float32),
    ):
        base = wp.tid() * lanes
        x = row()
        y = row()
        z = row()
        ql = wp.vec3(_BIG, _BIG, _BIG)
        qh = -ql
        for k in range(lanes):
            q = queries[wp.min(base + k, n_queries - 1)]
            x[k] = q[0]
            y[k] = q[1]
            z[k] = q[2]
            ql = wp.min(ql, q)
            qh = wp.max(qh, q)
        leaf = wp.min(wp.lower_bound(keys, 0, n, query_keys[base]), n - 1) // _LEAF
        best = scan(x, y, z, row(_BIG), leaf, points)
        worst = wp.max(best)
        node = first + leaf
        while node > 1:
            top = node ^ 1
            node = node >> 1
            cursor = top
            climbing = wp.int32(1)
            while climbing == 1:
                if gap(ql, qh, low[cursor], high[cursor]) < worst:
                    if cursor < first:
                        cursor = cursor * 2
                        continue
                    best = scan(x, y, z, best, cursor - first, points)
                    worst = wp.max(best)
                while cursor != top and (cursor & 1) == 1:
                    cursor = cursor >> 1
                if cursor == top:
                    climbing = 0
                cursor = cursor + 1
        for k in range(lanes):
            if base + k < n_queries:
                squared[query_order[base + k]] = best[k]

    return search


class Cloud:
    """Points on a device, ready to be searched and to search.

    Args:
        points: Warp array of vec3 [n] (metres), on the device that will do the work.
        low: lower corner of the box shared by all clouds that search each other [m].
        extent: its longest side [m].
    """

    def __init__(self, points: wp.array, low: np.ndarray, extent: float):
        n, device = len(points), points.device
        self.n, self.first = n, 1
        while self.first * LEAF < n:
            self.first *= 2
        self.keys = wp.empty(2 * n, dtype=wp.int64, device=device)
        self.order = wp.empty(2 * n, dtype=wp.int32, device=device)
        scale = (2**21 - 1) / extent if extent > 0 else 0.0
        wp.launch(_codes, n, [points, wp.vec3(*map(float, low)), scale, self.keys, self.order], device=device)
        wp.utils.radix_sort_pairs(self.keys, self.order, n)
        self.points = wp.empty(-(-n // LEAF) * LEAF, dtype=wp.vec3, device=device)
        self.low, self.high = (wp.empty(2 * self.first, dtype=wp.vec3, device=device) for _ in range(2))
        wp.launch(_leaves, self.first, [points, self.order, n, self.first, self.points, self.low, self.high], device=device)
        level = self.first // 2
        while device.is_cuda and level > 64:
            wp.launch(_parents, level, [level, 1, self.low, self.high], device=device)
            level //= 2
        if level:
            wp.launch(_parents, 1, [1, 2 * level - 1, self.low, self.high], device=device)

    def squared(self, target: Cloud, width: int | None = None) -> wp.array:
        """Squared distance from each point to the nearest of ``target`` [m²], float32 [n] on the device, in the order the points were given."""
        device = self.points.device
        width = width or (1 if device.is_cuda else CPU_WIDTH)
        out = wp.empty(self.n, dtype=wp.float32, device=device)
        inputs = [self.points, self.keys, self.order, self.n, target.keys, target.n, target.first, target.points, target.low, target.high, out]
        wp.launch(search_kernel(width), -(-self.n // width), inputs, device=device)
        return out

    def squared_distances(self, target: Cloud, width: int | None = None) -> np.ndarray:
        """``squared`` on the host."""
        return self.squared(target, width).numpy()


def _vectors(rows: wp.array) -> wp.array:
    """Float32 rows [n, 3] as vec3 [n], on their device."""
    points = wp.empty(rows.shape[0], dtype=wp.vec3, device=rows.device)
    wp.launch(_gather, len(points), [rows, points], device=rows.device)
    return points


def _box(points: wp.array, name: str) -> tuple[np.ndarray, np.ndarray]:
    chunks = min(_CHUNKS, len(points)) if points.device.is_cuda else 1
    low, high = (wp.empty(chunks, dtype=wp.vec3, device=points.device) for _ in range(2))
    bad = wp.empty(chunks, dtype=wp.vec2i, device=points.device)
    wp.launch(_bounds, chunks, [points, -(-len(points) // chunks), low, high, bad], device=points.device)
    wrong = bad.numpy()
    refuse_row(name, int(wrong[:, 1].min()), int(wrong[:, 0].sum()), len(points))
    low, high = low.numpy().min(axis=0), high.numpy().max(axis=0)
    refuse_far(name, float(max(-low.min(), high.max())), single=True)
    return low, high


def clouds(named: dict[str, Any], device: str | None = None) -> list[Cloud]:
    """Check clouds and build them in one shared box.

    Args:
        named: name (for messages) -> points [n, 3], metres: numpy of any float type, or a Warp array (vec3, or float32 [n, 3]).
        device: where to work; by default that of the first Warp array, else the CPU.

    Where one of them is float64, all are moved by its first point before they are held in float32.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses; the message gives its name.
    """
    arrays = {name: shaped(points, name) for name, points in named.items()}
    device = device or next((str(a.device) for a in arrays.values() if isinstance(a, wp.array)), "cpu")
    doubles = [name for name, a in arrays.items() if not isinstance(a, wp.array) and a.dtype != np.float32]
    origin = checked(arrays[doubles[0]], doubles[0])[0].astype(np.float64) if doubles else None
    placed = []
    for name, array in arrays.items():
        if doubles:
            array = checked(array, name).astype(np.float64) - origin
        if not isinstance(array, wp.array):
            array = wp.array(np.ascontiguousarray(array, dtype=np.float32), dtype=wp.vec3, device=device, copy=False)
        elif array.dtype != wp.vec3:
            array = _vectors(array).to(device)
        else:
            array = array.to(device)
        placed.append((array, *_box(array, name)))
    low = np.min([p[1] for p in placed], axis=0)
    extent = float(np.max(np.max([p[2] for p in placed], axis=0).astype(np.float64) - low))
    return [Cloud(array, low, extent) for array, _, _ in placed]
