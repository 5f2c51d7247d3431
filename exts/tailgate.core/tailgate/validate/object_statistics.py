"""Statistics of labelled objects in a LiDAR scan: how many returns they give, and how well their boxes fit the returns.

A value counts one object. Objects without a finite 3-D box, or of which fewer than MIN_RAYS rays could tell anything, add nothing. The lowest
5 cm of a box, or a tenth of its height, are left out, so that the ground does not count.

* ``points_per_object`` [octaves]: log2 of returns from the box per square degree of what the sensor sees of it. Rays that something nearer stops
  do not count on either side, so that occlusion does not matter; the expected number follows from size and range alone.
* ``box_fit``: share of the returns within NEARBY of the box's sides and top that lie inside it, of those at least GROUND above its bottom.
* ``box_depth`` [m]: median distance of the returns behind the point where their ray enters the box; negative before it.
"""

from __future__ import annotations

import numpy as np

from tailgate.frames import Objects, SensorFrame
from tailgate.validate.box_rays import BoxRays, ScanRays, is_box
from tailgate.validate.crops import MARGIN
from tailgate.validate.lidar_statistics import SECTORS, sector_of
from tailgate.validate.sketch import Sketch, Statistic

LARGE = 2.0
"""Longest side of a box from which an object counts as large [m]: vehicles above, people and things below."""
DISTANCES = (0.0, 30.0, 60.0, 100.0)
"""Where strata of distance begin [m]. In one log of Argoverse 2 a vehicle returns 0.43 of the rays that meet its box at 20-30 m, 0.2 at 45-80 m,
0.06 beyond 120 m: what stands within one stratum must stand about equally far."""
NEARBY = 0.5
"""Reach of ``box_fit`` and ``box_depth`` around a box [m]."""
GROUND = 0.25
"""Height above a box's bottom below which returns around it count as ground [m]."""
MIN_RAYS = 8
"""Fewest rays, or returns, from which an object's value is formed."""

_REACHES = (*(f"{low:g}-{high:g} m" for low, high in zip(DISTANCES[:-1], DISTANCES[1:], strict=True)), f"{DISTANCES[-1]:g}+ m")
_STRATA = tuple(f"{size}, {reach}" for size in ("small", "large") for reach in _REACHES)
_BELOW = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0)
_MIN_OBJECTS = 10

OBJECT_STATISTICS: dict[str, Statistic] = {
    "points_per_object": Statistic("points_per_object", "octaves", tuple(0.25 * k for k in range(-16, 41)), _STRATA, _MIN_OBJECTS),
    "box_fit": Statistic("box_fit", "share", tuple(k / 40 for k in range(41)), _STRATA, _MIN_OBJECTS),
    "box_depth": Statistic("box_depth", "m", (*(-v for v in reversed(_BELOW)), 0.0, *_BELOW), _STRATA, _MIN_OBJECTS),
}
"""Statistics of objects by name."""


def object_sketches(sensor: SensorFrame, objects: Objects) -> list[Sketch]:
    """Counts of OBJECT_STATISTICS, one sketch per azimuth sector of the scan, as ``lidar_sketches``.

    Args:
        sensor: organised scan.
        objects: boxes in world space.
    """
    sketches = [Sketch() for _ in range(SECTORS)]
    boxes = [(objects.T_world_box[row], np.asarray(objects.size[row], dtype=float)) for row in range(len(objects)) if is_box(objects, row)]
    if not boxes:
        return sketches
    scan = ScanRays(sensor)
    found = [_measured(scan.through(pose, size, NEARBY), size) for pose, size in boxes]
    sector, stratum, values = (np.array(column) for column in zip(*found, strict=True))
    for k in np.unique(sector):
        for name, value in zip(OBJECT_STATISTICS, values[sector == k].T, strict=True):
            sketches[k].add(OBJECT_STATISTICS[name], stratum[sector == k], value)
    return sketches


def _measured(rays: BoxRays, size: np.ndarray) -> tuple[int, int, tuple[float, float, float]]:
    """Sector, stratum and the values of OBJECT_STATISTICS of one object."""
    reach = int(np.searchsorted(DISTANCES, np.linalg.norm(rays.origin), side="right")) - 1
    stratum = len(DISTANCES) * int(size.max() >= LARGE) + reach
    values = (np.nan,) * 3 if len(rays.range) < MIN_RAYS else (returns_per_area(rays, size), fit(rays, size), depth(rays, size))
    return int(sector_of(np.array(rays.azimuth))), stratum, values


def returns_per_area(rays: BoxRays, size: np.ndarray) -> float:
    """log2 of the returns in the box per square degree of its silhouette that nothing nearer hides; NaN where too few rays cross it."""
    entry = rays.origin + rays.direction * rays.enter[:, None]
    crosses = (rays.enter < rays.leave) & (np.maximum(entry[:, 2], rays.points[:, 2]) > _floor(size))
    shown = crosses & ((rays.range <= 0) | (rays.range >= rays.enter - MARGIN))
    hits = np.count_nonzero(shown & (rays.range > 0) & (rays.range <= rays.leave + MARGIN))
    if np.count_nonzero(shown) < MIN_RAYS:
        return np.nan
    return float(np.log2(max(hits, 0.5) / rays.area[shown].sum()))


def fit(rays: BoxRays, size: np.ndarray) -> float:
    """Share of the returns in and around the box that lie in it; NaN with fewer than MIN_RAYS of them."""
    out = np.abs(rays.points) - size / 2
    near = (rays.range > 0) & (out <= NEARBY).all(axis=1) & (rays.points[:, 2] > GROUND - size[2] / 2)
    if np.count_nonzero(near) < MIN_RAYS:
        return np.nan
    return float((out[near] <= MARGIN).all(axis=1).mean())


def depth(rays: BoxRays, size: np.ndarray) -> float:
    """Median distance of returns behind the box's near side along their rays [m], from NEARBY before it to its far side; NaN with too few."""
    behind = rays.range - rays.enter
    use = (rays.range > 0) & (rays.enter < rays.leave) & (behind >= -NEARBY) & (rays.range <= rays.leave) & (rays.points[:, 2] > _floor(size))
    return float(np.median(behind[use])) if np.count_nonzero(use) >= MIN_RAYS else np.nan


def _floor(size: np.ndarray) -> float:
    return float(min(0.05, 0.1 * size[2]) - size[2] / 2)
