"""Wide trees as tables that ``wide_walk`` reads: one over a mesh's triangles, one over the world boxes of instances."""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.wide_build import BINS, WIDTH, Items, Tree, build_kernel

NODE_ROWS = 7
LEAF_ROWS = 10
LEAF = 8
"""Most triangles of a leaf."""
PADDING = 2.0**-21
"""Boxes grow by this share of their coordinates, so that rounding in a walk never cuts what lies on a face of a box."""


def triangle_tree(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Tree over a mesh.

    Args:
        points: float32 [V, 3].
        triangles: corner indices int32 [F, 3]; those without an area are left out, as no ray can meet them.

    Returns:
        float32 [R, 8], aligned to cache lines; children and faces are int32 bits.
    """
    faces = np.flatnonzero(has_area(points, triangles)).astype(np.int32)
    corners = points[triangles[faces]]
    a, b, c = (corners[:, k] for k in range(3))
    tree = build(np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c), LEAF)
    leaf = (tree["count"] > 0) & (tree["node"] < 0)
    nodes, leaves = len(leaf), int(leaf.sum())
    rows = aligned_rows(NODE_ROWS * nodes + LEAF_ROWS * leaves)
    child = NODE_ROWS * tree["node"]
    child[leaf] = -1 - NODE_ROWS * nodes - LEAF_ROWS * np.arange(leaves, dtype=np.int32)
    write_nodes(rows, tree, child)
    lane = np.arange(LEAF)
    used = lane < tree["count"][leaf][:, None]
    item = tree["order"][np.where(used, tree["first"][leaf][:, None] + lane, 0)] if leaves else np.zeros((0, LEAF), np.int32)
    table = rows[NODE_ROWS * nodes :].reshape(leaves, LEAF_ROWS, LEAF)
    table[:, :9] = np.where(used[:, None], corners.reshape(-1, 9)[item].transpose(0, 2, 1), np.nan)
    table[:, 9] = np.where(used, faces[item], -1).astype(np.int32).view(np.float32)
    return rows


def has_area(points: np.ndarray, triangles: np.ndarray, block: int = 1 << 16) -> np.ndarray:
    """Whether each triangle has an area, bool [F]; looked at in blocks that fit a cache."""
    out = np.empty(len(triangles), bool)
    for first in range(0, len(triangles), block):
        a, b, c = (points[triangles[first : first + block, k]].astype(np.float64) for k in range(3))
        out[first : first + block] = np.cross(b - a, c - a).any(1)
    return out


def instance_tree(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Tree over world boxes float32 [I, 3]; see ``triangle_tree``."""
    tree = build(lower, upper, 1)
    leaf = (tree["count"] > 0) & (tree["node"] < 0)
    rows = aligned_rows(NODE_ROWS * len(leaf))
    child = NODE_ROWS * tree["node"]
    child[leaf] = -1 - tree["order"][tree["first"][leaf]]
    write_nodes(rows, tree, child)
    return rows


def build(lower: np.ndarray, upper: np.ndarray, capacity: int) -> dict[str, np.ndarray]:
    """Sort boxes into a tree with at most ``capacity`` of them in a leaf.

    Returns:
        ``order`` int32 [N], and of each node's children ``first`` and ``count`` (their range of ``order``; 0: no child), ``node`` (-1: a leaf),
        int32 [M, 8], ``lower`` and ``upper``, float32 [M, 8, 3].
    """
    items, tree, n = Items(), Tree(), len(lower)
    most = n // (capacity + 1) + n // (WIDTH - 1) + 1
    items.lower, items.upper = (wp.array(np.ascontiguousarray(a, np.float32), dtype=wp.vec3, device="cpu") for a in (lower, upper))
    items.capacity = capacity
    items.order = wp.array(np.arange(n, dtype=np.int32), dtype=wp.int32, device="cpu")
    for name, kind in (("bin_lower", wp.vec3), ("bin_upper", wp.vec3), ("bin_count", wp.int32), ("right_cost", wp.float32)):
        setattr(items, name, wp.zeros(3 * BINS, dtype=kind, device="cpu"))
    for name, kind in (("first", wp.int32), ("count", wp.int32), ("node", wp.int32), ("lower", wp.vec3), ("upper", wp.vec3)):
        setattr(tree, name, wp.zeros(most * WIDTH, dtype=kind, device="cpu"))
    tree.depth, tree.nodes = wp.zeros(most, dtype=wp.int32, device="cpu"), wp.zeros(1, dtype=wp.int32, device="cpu")
    wp.launch(build_kernel, dim=1, inputs=[items, tree], device="cpu")
    nodes = int(tree.nodes.numpy()[0])
    out = {name: getattr(tree, name).numpy()[: nodes * WIDTH].reshape(nodes, WIDTH, -1) for name in ("first", "count", "node", "lower", "upper")}
    return {"order": items.order.numpy(), **{k: a if a.shape[2] == 3 else a[:, :, 0] for k, a in out.items()}}


def write_nodes(rows: np.ndarray, tree: dict[str, np.ndarray], child: np.ndarray) -> None:
    """Fill the nodes' rows; boxes of missing children are inside out."""
    used = (tree["count"] > 0)[..., None]
    table = rows[: NODE_ROWS * len(child)].reshape(-1, NODE_ROWS, WIDTH)
    pad = PADDING * np.maximum(np.abs(tree["lower"]), np.abs(tree["upper"])) + np.float32(1e-30)
    table[:, 0:6:2] = np.where(used, tree["lower"] - pad, np.inf).transpose(0, 2, 1)
    table[:, 1:6:2] = np.where(used, tree["upper"] + pad, -np.inf).transpose(0, 2, 1)
    table[:, 6] = child.view(np.float32)


def aligned_rows(rows: int) -> np.ndarray:
    """Zeros float32 [rows, 8] that begin on a cache line."""
    line = 64
    buffer = np.zeros(rows * WIDTH * 4 + line, np.uint8)
    start = -buffer.ctypes.data % line
    return buffer[start : start + rows * WIDTH * 4].view(np.float32).reshape(rows, WIDTH)
