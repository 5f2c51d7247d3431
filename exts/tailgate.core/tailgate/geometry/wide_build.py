"""Build wide trees: nodes of up to eight boxes by the surface area heuristic, for triangles or for instances."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

WIDTH = wp.constant(8)
BINS = wp.constant(16)
SKEWED = wp.constant(20)
"""From this depth on ranges are halved by count, so that no tree is deeper than a walk's stack allows."""


@wp.struct
class Items:
    """What is sorted into a tree: boxes, their order in the tree, how many fit a leaf, and the bins of one split (``BINS`` per axis)."""

    lower: wp.array(dtype=wp.vec3)
    upper: wp.array(dtype=wp.vec3)
    order: wp.array(dtype=wp.int32)
    capacity: wp.int32
    bin_lower: wp.array(dtype=wp.vec3)
    bin_upper: wp.array(dtype=wp.vec3)
    bin_count: wp.array(dtype=wp.int32)
    right_cost: wp.array(dtype=wp.float32)


@wp.struct
class Tree:
    """The tree under construction: of each node's children the range of items, the box, and the node (-1: a leaf or no child).
    ``depth`` is per node, ``nodes`` their number."""

    first: wp.array(dtype=wp.int32)
    count: wp.array(dtype=wp.int32)
    lower: wp.array(dtype=wp.vec3)
    upper: wp.array(dtype=wp.vec3)
    node: wp.array(dtype=wp.int32)
    depth: wp.array(dtype=wp.int32)
    nodes: wp.array(dtype=wp.int32)


@wp.func
def half_area(lower: wp.vec3, upper: wp.vec3) -> float:
    """Half the surface of a box."""
    e = upper - lower
    return e[0] * e[1] + e[1] * e[2] + e[2] * e[0]


@wp.func
def cost(items: Items, lower: wp.vec3, upper: wp.vec3, count: int) -> float:
    """Expected work of a range: its surface times the leaves it needs."""
    return half_area(lower, upper) * float((count + items.capacity - 1) / items.capacity)


@wp.func
def bin_of(items: Items, item: int, axis: int, low: float, scale: float) -> int:
    """Bin of an item's centre along an axis."""
    return wp.clamp(int((items.lower[item][axis] + items.upper[item][axis] - low) * scale), 0, BINS - 1)


@wp.func
def fill_bins(items: Items, first: int, count: int, low: wp.vec3, scale: wp.vec3):
    """Sort a range into bins along all three axes."""
    for b in range(3 * BINS):
        items.bin_lower[b] = wp.vec3(3.0e38, 3.0e38, 3.0e38)
        items.bin_upper[b] = wp.vec3(-3.0e38, -3.0e38, -3.0e38)
        items.bin_count[b] = 0
    for k in range(first, first + count):
        item = items.order[k]
        lower = items.lower[item]
        upper = items.upper[item]
        for axis in range(3):
            b = axis * BINS + bin_of(items, item, axis, low[axis], scale[axis])
            items.bin_lower[b] = wp.min(items.bin_lower[b], lower)
            items.bin_upper[b] = wp.max(items.bin_upper[b], upper)
            items.bin_count[b] = items.bin_count[b] + 1


@wp.func
def best_plane(items: Items, scale: wp.vec3) -> int:
    """Cheapest split as the last bin of the left side (axis * BINS + bin), or -1 if no plane parts the range."""
    cheapest = float(3.0e38)
    best = int(-1)
    for axis in range(3):
        if scale[axis] > 0.0:
            lower = wp.vec3(3.0e38, 3.0e38, 3.0e38)
            upper = wp.vec3(-3.0e38, -3.0e38, -3.0e38)
            n = int(0)
            for k in range(BINS):
                b = axis * BINS + BINS - 1 - k
                lower = wp.min(lower, items.bin_lower[b])
                upper = wp.max(upper, items.bin_upper[b])
                n += items.bin_count[b]
                items.right_cost[BINS - 1 - k] = wp.where(n > 0, cost(items, lower, upper, n), -1.0)
            lower = wp.vec3(3.0e38, 3.0e38, 3.0e38)
            upper = wp.vec3(-3.0e38, -3.0e38, -3.0e38)
            n = int(0)
            for k in range(BINS - 1):
                b = axis * BINS + k
                lower = wp.min(lower, items.bin_lower[b])
                upper = wp.max(upper, items.bin_upper[b])
                n += items.bin_count[b]
                if n > 0 and items.right_cost[k + 1] >= 0.0:
                    both = cost(items, lower, upper, n) + items.right_cost[k + 1]
                    if both < cheapest:
                        cheapest = both
                        best = b
    return best


@wp.func
def split_range(items: Items, first: int, count: int, depth: int) -> int:
    """Reorder a range into two and return the size of the first part."""
    low = wp.vec3(3.0e38, 3.0e38, 3.0e38)
    high = wp.vec3(-3.0e38, -3.0e38, -3.0e38)
    for k in range(first, first + count):
        centre = items.lower[items.order[k]] + items.upper[items.order[k]]
        low = wp.min(low, centre)
        high = wp.max(high, centre)
    scale = wp.vec3()
    for axis in range(3):
        if high[axis] > low[axis] and depth < SKEWED:
            scale[axis] = wp.min(float(BINS) * 0.9999 / (high[axis] - low[axis]), 3.0e38)
    fill_bins(items, first, count, low, scale)
    plane = best_plane(items, scale)
    if plane < 0:
        return count / 2
    axis = plane / BINS
    left = int(first)
    right = int(first + count - 1)
    while left <= right:
        item = items.order[left]
        if bin_of(items, item, axis, low[axis], scale[axis]) <= plane % BINS:
            left += 1
        else:
            items.order[left] = items.order[right]
            items.order[right] = item
            right -= 1
    return left - first


@wp.func
def bound(items: Items, tree: Tree, child: int):
    """Set the box of a child from its items."""
    lower = wp.vec3(3.0e38, 3.0e38, 3.0e38)
    upper = wp.vec3(-3.0e38, -3.0e38, -3.0e38)
    for k in range(tree.first[child], tree.first[child] + tree.count[child]):
        lower = wp.min(lower, items.lower[items.order[k]])
        upper = wp.max(upper, items.upper[items.order[k]])
    tree.lower[child] = lower
    tree.upper[child] = upper


@wp.func
def fill_node(items: Items, tree: Tree, node: int):
    """Part a node's first child, the whole range, until there are eight or all fit leaves: the largest box first."""
    base = node * WIDTH
    used = int(1)
    opening = bool(True)
    while opening and used < WIDTH:
        widest = int(-1)
        area = float(-1.0)
        for c in range(used):
            own = half_area(tree.lower[base + c], tree.upper[base + c])
            if tree.count[base + c] > items.capacity and own > area:
                area = own
                widest = base + c
        if widest < 0:
            opening = False
        else:
            left = split_range(items, tree.first[widest], tree.count[widest], tree.depth[node])
            tree.first[base + used] = tree.first[widest] + left
            tree.count[base + used] = tree.count[widest] - left
            tree.count[widest] = left
            bound(items, tree, widest)
            bound(items, tree, base + used)
            used += 1


@wp.kernel
def build_kernel(items: Items, tree: Tree):
    """Build the whole tree in one thread from arrays of zeros; its nodes come out breadth first."""
    tree.count[0] = items.order.shape[0]
    bound(items, tree, 0)
    done = int(0)
    nodes = int(1)
    while done < nodes:
        fill_node(items, tree, done)
        for c in range(WIDTH):
            child = done * WIDTH + c
            tree.node[child] = -1
            if tree.count[child] > items.capacity:
                tree.node[child] = nodes
                tree.depth[nodes] = tree.depth[done] + 1
                tree.first[nodes * WIDTH] = tree.first[child]
                tree.count[nodes * WIDTH] = tree.count[child]
                tree.lower[nodes * WIDTH] = tree.lower[child]
                tree.upper[nodes * WIDTH] = tree.upper[child]
                nodes += 1
        done += 1
    tree.nodes[0] = nodes
