"""M3C2: signed distance between two clouds of one place along the local surface normal (Lague, Brodu & Leroux 2013). Paired clouds only.

At each core point the normal is that of the plane fitted to the real points within a radius; of several radii the one that makes the points most
planar counts. The distance is between the mean positions, along that normal, of the real and of the synthetic points in a cylinder around it. Normals
come from the real side because it is the one with noise: a synthetic cloud may be exactly flat or made of a handful of faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.errors import UserError
from tailgate.geometry.quiet import wp
from tailgate.validate.clouds import REAL, SYNTHETIC, shaped
from tailgate.validate.nearest import LEAF, Cloud, clouds, following, gap
from tailgate.validate.voxels import require_paired

wp.set_module_options({"enable_backward": False})
CORES = "the core points"
MIN_POINTS = 3
"""Fewest points that span a plane."""
_MIN_POINTS = wp.constant(MIN_POINTS)
_FLAT = wp.constant(wp.float64(1e-9))
_LEAF = wp.constant(LEAF)


@dataclass(frozen=True)
class Scale:
    """Where a distance is looked for.

    Attributes:
        normal_radii: radii of the plane fits [m].
        radius: of the cylinder [m].
        reach: half the length of the cylinder: larger distances are not seen [m].
        up: the side to which normals point (their sign, and so that of the distance).
        nested: count a point once for each radius that holds it, as py4dgeo 1.2.0 does; only to compare with its figures.
    """

    normal_radii: tuple[float, ...] = (0.5, 1.0, 2.0)
    radius: float = 0.5
    reach: float = 5.0
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    nested: bool = False

    def __post_init__(self) -> None:
        if not self.normal_radii or not all(np.isfinite(v) and v > 0 for v in (*self.normal_radii, self.radius, self.reach)):
            raise UserError(f"the radii and the reach of m3c2 must be positive, got {self.normal_radii}, {self.radius} and {self.reach}")


@wp.func
def _plane(count: wp.float64, total: wp.vec3d, outer: wp.mat33d):
    """How planar points are, 0 where they lie on one line, and the normal of their plane; from their number and the sums of them and of their outer
    products."""
    q = wp.mat33d()
    e = wp.vec3d()
    wp.eig3((outer - wp.outer(total, total) / count) / count, q, e)
    a = int(wp.argmin(e))
    c = int(wp.argmax(e))
    planarity = wp.float64(0.0)
    if a != c:
        b = 3 - a - c
        if e[b] > _FLAT * e[c]:
            planarity = (e[b] - e[a]) / e[c]
    return planarity, wp.vec3d(q[0, a], q[1, a], q[2, a])


@wp.kernel
def _normals(
    cores: wp.array(dtype=wp.vec3),
    order: wp.array(dtype=wp.int32),
    radii: wp.array(dtype=wp.float64),
    up: wp.vec3d,
    nested: bool,
    n: int,
    first: int,
    points: wp.array(dtype=wp.vec3),
    low: wp.array(dtype=wp.vec3),
    high: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3d),
):
    """Normal of the most planar neighbourhood of each core point; NaN where none has three points off one line."""
    t = wp.tid()
    core = cores[t]
    best = wp.float64(0.0)
    nan = wp.float64(wp.NAN)
    normal = wp.vec3d(nan, nan, nan)
    count = wp.int32(0)
    total = wp.vec3d()
    outer = wp.mat33d()
    for r in range(radii.shape[0]):
        reach = radii[r] * radii[r]
        if not nested:
            count = wp.int32(0)
            total = wp.vec3d()
            outer = wp.mat33d()
        node = wp.int32(1)
        walking = wp.int32(1)
        while walking == 1:
            if wp.float64(gap(core, core, low[node], high[node])) <= reach * wp.float64(1.0001):
                if node < first:
                    node = node * 2
                    continue
                for k in range(_LEAF):
                    i = (node - first) * _LEAF + k
                    if i < n:
                        d = wp.vec3d(points[i]) - wp.vec3d(core)
                        if wp.dot(d, d) < reach:
                            count += 1
                            total = total + d
                            outer = outer + wp.outer(d, d)
            node = following(node)
            if node == 1:
                walking = 0
        if count >= _MIN_POINTS:
            planarity, across = _plane(wp.float64(count), total, outer)
            if planarity > best:
                best = planarity
                normal = wp.where(wp.dot(across, up) < wp.float64(0.0), -across, across)
    normals[order[t]] = normal


@wp.kernel
def _means(
    cores: wp.array(dtype=wp.vec3),
    order: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3d),
    radius: wp.float64,
    reach: wp.float64,
    n: int,
    first: int,
    points: wp.array(dtype=wp.vec3),
    low: wp.array(dtype=wp.vec3),
    high: wp.array(dtype=wp.vec3),
    means: wp.array(dtype=wp.float64),
):
    """Mean position along the normal [m] of the points in the cylinder around it; NaN where there are none."""
    t = wp.tid()
    core = wp.vec3d(cores[t])
    normal = normals[order[t]]
    count = wp.int32(0)
    total = wp.float64(0.0)
    node = wp.int32(1)
    walking = wp.int32(1)
    if not wp.isfinite(normal[0]):
        walking = 0
    while walking == 1:
        half = (wp.vec3d(high[node]) - wp.vec3d(low[node])) * wp.float64(0.5)
        size = wp.length(half) * wp.float64(1.0001)
        middle = wp.vec3d(low[node]) + half - core
        along = wp.dot(middle, normal)
        if wp.abs(along) <= reach + size and wp.length(middle - normal * along) <= radius + size:
            if node < first:
                node = node * 2
                continue
            for k in range(_LEAF):
                i = (node - first) * _LEAF + k
                if i < n:
                    d = wp.vec3d(points[i]) - core
                    s = wp.dot(d, normal)
                    if wp.abs(s) <= reach and wp.length_sq(d - normal * s) <= radius * radius:
                        count += 1
                        total += s
        node = following(node)
        if node == 1:
            walking = 0
    if count > 0:
        means[order[t]] = total / wp.float64(count)
    else:
        means[order[t]] = wp.float64(wp.NAN)


def m3c2(real: Any, synthetic: Any, cores: Any, scale: Scale = Scale(), device: str | None = None) -> np.ndarray:
    """Signed distance at each core point [m], float64 [K]: positive where the synthetic surface lies on the ``up`` side of the real one.

    NaN where a distance cannot be formed: fewer than three real points off one line within every radius, or a side with no point in the cylinder.

    Args:
        real, synthetic: points [n, 3] and [m, 3] of one place in one frame, metres.
        cores: points [K, 3] at which to measure, usually every k-th real point.
        scale: radii and reach.
        device: "cpu" or "cuda:0"; by default where the points are.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses, fewer than three real points, or two clouds that ``require_paired`` refuses.
    """
    require_paired(real, synthetic)
    return signed_distances(real, synthetic, cores, scale, device)


def signed_distances(real: Any, synthetic: Any, cores: Any, scale: Scale = Scale(), device: str | None = None) -> np.ndarray:
    """``m3c2`` of parts of clouds already known to be of one place (points of one class, say), which may overlap little."""
    named = {REAL: shaped(real, REAL, MIN_POINTS), SYNTHETIC: synthetic, CORES: cores}
    p, q, at = clouds(named, device)
    where = at.points.device
    normals = wp.empty(at.n, dtype=wp.vec3d, device=where)
    radii = wp.array(scale.normal_radii, dtype=wp.float64, device=where)
    wp.launch(_normals, at.n, [at.points, at.order, radii, wp.vec3d(*scale.up), scale.nested, *_tree(p), normals], device=where)
    means = [wp.empty(at.n, dtype=wp.float64, device=where) for _ in range(2)]
    for cloud, out in zip((p, q), means, strict=True):
        wp.launch(_means, at.n, [at.points, at.order, normals, scale.radius, scale.reach, *_tree(cloud), out], device=where)
    return means[1].numpy() - means[0].numpy()


def _tree(cloud: Cloud) -> tuple[Any, ...]:
    return cloud.n, cloud.first, cloud.points, cloud.low, cloud.high


@dataclass(frozen=True)
class M3c2:
    """Signed distances over all core points; the figures leave out those without one.

    Attributes:
        cores: core points.
        nan_ratio: share of them without a distance.
        median, mean: of the signed distances [m].
        median_abs, q95_abs: of their magnitudes [m].
    """

    cores: int
    nan_ratio: float
    median: float
    median_abs: float
    mean: float
    q95_abs: float


def summary(distances: np.ndarray) -> M3c2:
    """Summarize what ``m3c2`` returned [K], metres.

    Raises:
        UserError: no core point has a distance, so that there is nothing to summarize.
    """
    seen = distances[np.isfinite(distances)]
    if not len(seen):
        raise UserError(
            f"m3c2 must find both clouds near at least one core point, got none of {len(distances)}: are they of one place, in one frame?"
        )
    size = np.abs(seen)
    return M3c2(
        cores=len(distances),
        nan_ratio=1.0 - len(seen) / len(distances),
        median=float(np.median(seen)),
        median_abs=float(np.median(size)),
        mean=float(seen.mean()),
        q95_abs=float(np.quantile(size, 0.95)),
    )


def m3c2_twin(real: np.ndarray, synthetic: np.ndarray, cores: np.ndarray, scale: Scale = Scale()) -> np.ndarray:
    """Readable twin of ``m3c2`` in float64 (scipy's k-d tree, numpy's eigenvectors)."""
    from scipy.spatial import cKDTree

    real, synthetic, cores = (np.asarray(a, dtype=np.float64) for a in (real, synthetic, cores))
    trees = [cKDTree(real), cKDTree(synthetic)]
    out = np.full(len(cores), np.nan)
    for k, core in enumerate(cores):
        normal, best, near = None, 0.0, np.zeros((0, 3))
        for radius in scale.normal_radii:
            inside = real[trees[0].query_ball_point(core, radius)]
            near = np.concatenate([near, inside]) if scale.nested else inside
            if len(near) < MIN_POINTS:
                continue
            e, v = np.linalg.eigh(np.cov(near.T))
            if e[1] > 1e-9 * e[2] and (e[1] - e[0]) / e[2] > best:
                best, normal = (e[1] - e[0]) / e[2], v[:, 0]
        if normal is None:
            continue
        normal = -normal if normal @ np.asarray(scale.up) < 0 else normal
        means = []
        for points, tree in zip((real, synthetic), trees, strict=True):
            d = points[tree.query_ball_point(core, np.hypot(scale.reach, scale.radius))] - core
            along = d @ normal
            inside = (np.abs(along) <= scale.reach) & (np.sum((d - along[:, None] * normal) ** 2, axis=1) <= scale.radius**2)
            means.append(along[inside].mean() if inside.any() else np.nan)
        out[k] = means[1] - means[0]
    return out
