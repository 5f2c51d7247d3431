"""Density-aware Chamfer distance: Chamfer that also sees points bunched where the other side has few."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.errors import UserError
from tailgate.geometry.quiet import wp
from tailgate.validate.clouds import REAL, SYNTHETIC
from tailgate.validate.nearest import LEAF, Cloud, clouds, following, gap

wp.set_module_options({"enable_backward": False})
ALPHA = 1000.0
"""Decay of the distance term [1/m] in the paper's experiments, on clouds scaled to a unit box."""
_LEAF = wp.constant(LEAF)


@wp.kernel
def _choose(
    queries: wp.array(dtype=wp.vec3),
    query_order: wp.array(dtype=wp.int32),
    squared: wp.array(dtype=wp.float32),
    n: int,
    first: int,
    points: wp.array(dtype=wp.vec3),
    low: wp.array(dtype=wp.vec3),
    high: wp.array(dtype=wp.vec3),
    chosen: wp.array(dtype=wp.int32),
    hits: wp.array(dtype=wp.int32),
):
    """The nearest point of each query, as its place along the curve (the first of several), and how often each is chosen."""
    t = wp.tid()
    q = queries[t]
    best = squared[query_order[t]] * 1.00001 + 1.0e-30
    slot = wp.int32(-1)
    node = wp.int32(1)
    walking = wp.int32(1)
    while walking == 1:
        if gap(q, q, low[node], high[node]) <= best:
            if node < first:
                node = node * 2
                continue
            for k in range(_LEAF):
                i = (node - first) * _LEAF + k
                if i < n:
                    d = wp.length_sq(q - points[i])
                    if d < best or (d == best and slot < 0):
                        best = d
                        slot = i
        node = following(node)
        if node == 1:
            walking = 0
    chosen[t] = slot
    wp.atomic_add(hits, slot, 1)


@wp.kernel
def _terms(
    query_order: wp.array(dtype=wp.int32),
    squared: wp.array(dtype=wp.float32),
    chosen: wp.array(dtype=wp.int32),
    hits: wp.array(dtype=wp.int32),
    alpha: float,
    terms: wp.array(dtype=wp.float32),
):
    t = wp.tid()
    terms[t] = 1.0 - wp.exp(-alpha * wp.sqrt(squared[query_order[t]])) / float(hits[chosen[t]])


def _directed(a: Cloud, b: Cloud, alpha: float) -> float:
    device = a.points.device
    squared = a.squared(b)
    chosen, hits = wp.empty(a.n, dtype=wp.int32, device=device), wp.zeros(b.n, dtype=wp.int32, device=device)
    wp.launch(_choose, a.n, [a.points, a.order, squared, b.n, b.first, b.points, b.low, b.high, chosen, hits], device=device)
    terms = wp.empty(a.n, dtype=wp.float32, device=device)
    wp.launch(_terms, a.n, [a.order, squared, chosen, hits, float(alpha), terms], device=device)
    return float(terms.numpy().mean(dtype=np.float64))


def density_aware_chamfer(p: Any, q: Any, alpha: float = ALPHA, device: str | None = None) -> float:
    """½ Σ over both directions of the mean of 1 − exp(−α d) / n, in [0, 1]; 0 for equal clouds without repeated points.

    d is the plain (unsquared) distance [m] of a point to its nearest on the other side, n how many points have that nearest (Wu et al. 2021, eq. 4;
    the authors' code squares d). Repeated points count as bunched: a cloud whose every point is repeated k times is 1 − 1/k from itself.

    Args:
        p, q: points [n, 3] and [m, 3] in one frame, metres; numpy, or Warp arrays on the device that made them.
        alpha: decay [1/m], positive; it sets the distance that counts, about 1/α.
        device: "cpu" or "cuda:0"; by default where the points are.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses, or alpha is not positive.
    """
    if not alpha > 0:
        raise UserError(f"alpha must be positive, got {alpha}")
    a, b = clouds({REAL: p, SYNTHETIC: q}, device)
    return 0.5 * (_directed(a, b, alpha) + _directed(b, a, alpha))


def density_aware_chamfer_twin(p: np.ndarray, q: np.ndarray, alpha: float = ALPHA) -> float:
    """Readable twin of ``density_aware_chamfer`` in float64."""
    from scipy.spatial import cKDTree

    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    means = []
    for a, b in ((p, q), (q, p)):
        d, chosen = cKDTree(b).query(a)
        means.append(np.mean(1.0 - np.exp(-alpha * d) / np.bincount(chosen, minlength=len(b))[chosen]))
    return float(np.mean(means))
