"""Chamfer distance between point clouds, and between all pairs of two sets of small clouds (object crops)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.validate.clouds import REAL, SYNTHETIC, checked_set
from tailgate.validate.nearest import clouds

wp.set_module_options({"enable_backward": False})
_LANES = 8


@dataclass(frozen=True)
class Halves:
    """Mean nearest distances in both directions; d(p, Q) is the distance from p to the nearest point of Q.

    Attributes:
        d_pq, d_qp: means of d(p, Q) over P and of d(q, P) over Q [m].
        d2_pq, d2_qp: means of their squares [m²].
    """

    d_pq: float
    d_qp: float
    d2_pq: float
    d2_qp: float

    @property
    def chamfer(self) -> float:
        """½ (mean d(p, Q) + mean d(q, P)) [m]."""
        return 0.5 * (self.d_pq + self.d_qp)

    @property
    def chamfer_sq(self) -> float:
        """½ (mean d²(p, Q) + mean d²(q, P)) [m²] (Fan, Su & Guibas 2017, halved)."""
        return 0.5 * (self.d2_pq + self.d2_qp)


def nearest_distances(p: Any, q: Any, device: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Distances d(p, Q) [n] and d(q, P) [m] in metres, float64, in input order.

    Args:
        p, q: points [n, 3] and [m, 3] in one frame, metres; numpy, or Warp arrays on the device that made them.
        device: "cpu" or "cuda:0"; by default where the points are.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses (empty, not (n, 3), NaN or infinity, too far from the origin for float32).
    """
    a, b = clouds({REAL: p, SYNTHETIC: q}, device)
    return tuple(np.sqrt(s.squared_distances(t), dtype=np.float64) for s, t in ((a, b), (b, a)))


def halves(p: Any, q: Any, device: str | None = None) -> Halves:
    """Mean nearest distances of two clouds in both directions, summed in float64. Arguments as for ``nearest_distances``."""
    d, e = nearest_distances(p, q, device)
    return Halves(float(d.mean()), float(e.mean()), float(np.square(d).mean()), float(np.square(e).mean()))


def chamfer(p: Any, q: Any, device: str | None = None) -> float:
    """Chamfer distance [m], 0 for equal clouds. Arguments as for ``nearest_distances``."""
    return halves(p, q, device).chamfer


def chamfer_sq(p: Any, q: Any, device: str | None = None) -> float:
    """Chamfer distance on squared distances [m²]. Arguments as for ``nearest_distances``."""
    return halves(p, q, device).chamfer_sq


def halves_twin(p: np.ndarray, q: np.ndarray) -> Halves:
    """Readable twin of ``halves`` in float64 (scipy's k-d tree)."""
    from scipy.spatial import cKDTree

    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    d, e = cKDTree(q).query(p)[0], cKDTree(p).query(q)[0]
    return Halves(float(d.mean()), float(e.mean()), float((d**2).mean()), float((e**2).mean()))


@cache
def _pair_kernel(squared: bool) -> wp.Kernel:
    row = wp.types.vector(length=_LANES, dtype=wp.float32)
    lanes = wp.constant(_LANES)
    as_squares = wp.constant(squared)

    @wp.kernel(module="unique", enable_backward=False)
    def pairs(a: wp.array2d(dtype=wp.vec3), b: wp.array2d(dtype=wp.vec3), sums: wp.array3d(dtype=wp.float32)):
        i, j, g = wp.tid()
        n = a.shape[1]
        x = row()
        y = row()
        z = row()
        for k in range(lanes):
            q = a[i, wp.min(g * lanes + k, n - 1)]
            x[k] = q[0]
            y[k] = q[1]
            z[k] = q[2]
        best = row(3.0e38)
        for m in range(b.shape[1]):
            p = b[j, m]
            dx = x - row(p[0])
            dy = y - row(p[1])
            dz = z - row(p[2])
            best = wp.min(best, wp.cw_mul(dx, dx) + wp.cw_mul(dy, dy) + wp.cw_mul(dz, dz))
        total = wp.float32(0.0)
        for k in range(lanes):
            if g * lanes + k < n:
                if as_squares:
                    total += best[k]
                else:
                    total += wp.sqrt(best[k])
        sums[i, j, g] = total

    return pairs


def directed_matrix(a: np.ndarray, b: np.ndarray, device: str = "cpu", squared: bool = False) -> np.ndarray:
    """Mean over each cloud of ``a`` of the distance to the nearest point of each of ``b`` [m], float64 [A, B]; of its square [m²] if ``squared``.

    For small clouds (object crops): work is A·B·n·m, memory A·B·n/8.

    Args:
        a, b: sets of clouds [A, n, 3] and [B, m, 3], metres, finite.
        device: "cpu" or "cuda:0".

    Raises:
        UserError: a set that ``validate.clouds`` refuses.
    """
    a, b = checked_set(a, "the first set"), checked_set(b, "the second set")
    placed = [wp.array(np.ascontiguousarray(s, dtype=np.float32), dtype=wp.vec3, device=device) for s in (a, b)]
    n = a.shape[1]
    sums = wp.empty((len(a), len(b), -(-n // _LANES)), dtype=wp.float32, device=device)
    wp.launch(_pair_kernel(squared), sums.shape, [*placed, sums], device=device)
    return sums.numpy().sum(axis=2, dtype=np.float64) / n


def chamfer_matrix(a: np.ndarray, b: np.ndarray, device: str = "cpu", squared: bool = False) -> np.ndarray:
    """``chamfer`` [m] of every cloud of ``a`` [A, n, 3] with every cloud of ``b`` [B, m, 3], float64 [A, B]; ``chamfer_sq`` [m²] if ``squared``.

    Arguments and refusals as for ``directed_matrix``.
    """
    return 0.5 * (directed_matrix(a, b, device, squared) + directed_matrix(b, a, device, squared).T)


def chamfer_matrix_twin(a: np.ndarray, b: np.ndarray, squared: bool = False) -> np.ndarray:
    """Readable twin of ``chamfer_matrix``."""
    return np.array([[h.chamfer_sq if squared else h.chamfer for h in (halves_twin(p, q) for q in b)] for p in a])
