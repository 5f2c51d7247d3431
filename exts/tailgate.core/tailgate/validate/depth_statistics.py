"""Statistics of a measured depth image: noise, holes, edges. One function for real and synthetic frames, from what real frames have.

Depth outside the labelled surfaces is not counted, nor are labels under missing depth: a recording has neither. A missing pixel counts as a hole
where measured surface encloses it: within ``MAX_GAP`` px on both sides along its row, and somewhere above and below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.validate.image_statistics import IMAGE_STATISTICS, image_sketch
from tailgate.validate.sketch import Sketch, Statistic

DISTANCE = (0.8, 1.0, 1.25, 1.6, 2.2)
"""Limits of the distance strata of holes [m]."""
NOISE_DISTANCE = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.35, 1.6, 2.2, 3.0)
"""Limits of the distance strata of noise [m]: it may grow with the square of distance."""
JUMP = (0.1, 0.2, 0.3, 0.45)
"""Limits of the strata of an edge's step in inverse depth [1/m]."""
MIN_JUMP = 0.03
"""Least step of inverse depth at an edge [1/m]: 3 cm at 1 m."""
SLOPE = 0.004
"""Change of inverse depth per pixel that a surface may have beside that [1/m/px]."""
MAX_GAP = 48
"""Longest run of missing pixels that is counted [px]."""
NEAR_EDGE = 12
"""Holes within this many pixels of a depth edge are counted apart [px]."""
WINDOWS = {"depth_noise": 21, "depth_noise_fine": 5}
"""Sides of the square windows of the local plane [px]."""
ROUGHNESS_ROWS = (1, 4)
DARK = 0.25
"""Share of white (sRGB) below which a surface counts as dark."""

_MM = (0.0, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9, 1.2, 1.6, 2.1, 2.8, 3.7, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0)
_PX = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 32.0, 49.0)
_BEND = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 17.0)
_SIDES = ("left", "right", "top")
_RATE = (0.0, 0.5, 1.0)


def _distance_names(distance: tuple[float, ...]) -> tuple[str, ...]:
    limits = [f"{v:g}" for v in distance]
    return (f"< {limits[0]} m", *(f"{a}-{b} m" for a, b in zip(limits, limits[1:], strict=False)), f"> {limits[-1]} m")


def _jump_names() -> tuple[str, ...]:
    limits = [f"{v:g}" for v in JUMP]
    return (f"step < {limits[0]} 1/m", *(f"step {a}-{b} 1/m" for a, b in zip(limits, limits[1:], strict=False)), f"step > {limits[-1]} 1/m")


_HOLE_STRATA = (*(f"edge {d}" for d in _distance_names(DISTANCE)), *(f"surface {d}" for d in _distance_names(DISTANCE)), "dark surface")
_EDGE_STRATA = tuple(f"{side}, {jump}" for side in _SIDES for jump in _jump_names())

DEPTH_STATISTICS: dict[str, Statistic] = {
    "depth_noise": Statistic("depth_noise", "mm", _MM, _distance_names(NOISE_DISTANCE)),
    "depth_noise_fine": Statistic("depth_noise_fine", "mm", _MM, _distance_names(NOISE_DISTANCE)),
    "depth_hole_rate": Statistic("depth_hole_rate", "share", _RATE, _HOLE_STRATA, 2000),
    "edge_fattening": Statistic("edge_fattening", "px", _PX, _EDGE_STRATA),
    "edge_roughness": Statistic("edge_roughness", "px", _BEND, tuple(f"{r} rows" for r in ROUGHNESS_ROWS)),
    "mixed_pixels": Statistic("mixed_pixels", "share", _RATE, ("left", "right")),
    **IMAGE_STATISTICS,
}
"""Every RGB-D statistic by name. ``depth_noise``: distance of a pixel from the plane of its window. ``edge_fattening``: width of the missing band
beside a depth edge. ``edge_roughness``: second difference of an edge's column over rows. ``mixed_pixels``: edges crossed by a pixel between both
surfaces."""


@dataclass(frozen=True)
class DepthImage:
    """What is counted of a frame.

    Attributes:
        inverse: inverse depth [1/m], 0 where nothing was measured on a labelled surface, float64 [H, W].
        instance: object id, 0 on the support, int64 [H, W].
        luma: share of white (sRGB), float32 [H, W], or None without colour.
    """

    inverse: np.ndarray
    instance: np.ndarray
    luma: np.ndarray | None

    @property
    def measured(self) -> np.ndarray:
        """Pixels with a depth, bool [H, W]."""
        return self.inverse > 0


@dataclass(frozen=True)
class Steps:
    """Consecutive measured pixels of the same line (row, or column of a transposed image): flat indices and the step between them, [n] each."""

    first: np.ndarray
    second: np.ndarray
    jump: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Missing pixels between the two [px]."""
        return self.second - self.first - 1

    @property
    def is_edge(self) -> np.ndarray:
        """Whether the step is a depth edge rather than a slanted surface."""
        return (np.abs(self.jump) >= MIN_JUMP + SLOPE * (self.gap + 1)) & (self.gap <= MAX_GAP)


def depth_sketches(sensor: SensorFrame, colour: bool = True) -> list[Sketch]:
    """Measure one depth image.

    Args:
        sensor: a camera with ``distance_to_image_plane`` [m] (inf or <= 0: none); ``valid``, ``semantic_segmentation`` (0: not labelled),
            ``instance_segmentation`` and ``rgb`` are used where they are.
        colour: also measure the colour image.

    Returns:
        One sketch with all statistics of DEPTH_STATISTICS: a depth image is one place block.

    Raises:
        MissingChannel: no depth.
    """
    image = depth_image(sensor)
    rows, columns = steps(image.inverse), steps(image.inverse.T)
    sketch = Sketch()
    edge = _edge_mask(image, rows, columns)
    _add_noise(sketch, image, edge)
    _add_holes(sketch, image, rows, edge)
    _add_edges(sketch, rows, columns, image.inverse.shape[1])
    if colour and image.luma is not None:
        region = np.where(image.measured, np.minimum(image.instance, 1), -1)
        sketch = sketch + image_sketch(np.asarray(_host(sensor.channels["rgb"])), region)
    return [sketch]


def depth_image(sensor: SensorFrame) -> DepthImage:
    """Reduce a frame to what a recording would hold."""
    channels = {name: _host(value) for name, value in sensor.channels.items()}
    depth = _host(sensor.channel("distance_to_image_plane"))
    measured = np.isfinite(depth) & (depth > 0)
    if "valid" in channels:
        measured &= channels["valid"] > 0
    if "semantic_segmentation" in channels:
        measured &= channels["semantic_segmentation"] > 0
    inverse = np.where(measured, 1.0 / np.where(measured, depth, 1.0), 0.0)
    instance = channels.get("instance_segmentation", np.zeros(depth.shape, np.uint32)).astype(np.int64)
    luma = channels["rgb"][..., :3] @ np.array([0.299, 0.587, 0.114], np.float32) / 255 if "rgb" in channels else None
    return DepthImage(inverse, instance, luma)


def steps(inverse: np.ndarray) -> Steps:
    """Steps between consecutive measured pixels along each row; flat indices are those of the array given, row by row."""
    flat = np.ascontiguousarray(inverse).ravel()
    at = np.flatnonzero(flat > 0)
    first, second = at[:-1], at[1:]
    width = inverse.shape[1]
    same = first // width == second // width
    first, second = first[same], second[same]
    return Steps(first, second, flat[second] - flat[first])


def box_sum(values: np.ndarray, side: int) -> np.ndarray:
    """Sum over the ``side`` x ``side`` window centred on each pixel that holds a whole window, [H - side + 1, W - side + 1]."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(0, dtype=np.float64).cumsum(1)
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]


def _host(array: object) -> np.ndarray:
    return array.numpy() if hasattr(array, "numpy") else np.asarray(array)


def _edge_mask(image: DepthImage, rows: Steps, columns: Steps) -> np.ndarray:
    """Pixels on either side of a depth edge, and those missing between, bool [H, W]."""
    height, width = image.inverse.shape
    edge = np.zeros(height * width, dtype=bool)
    at, _ = between(rows, rows.is_edge & (rows.gap > 0))
    edge[at] = True
    for ends in (rows.first, rows.second):
        edge[ends[rows.is_edge]] = True
    for ends in (columns.first, columns.second):
        x, y = np.divmod(ends[columns.is_edge], height)
        edge[y * width + x] = True
    return edge.reshape(height, width)


def between(line: Steps, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the missing pixels inside the chosen steps, and the step each lies in."""
    chosen = np.flatnonzero(which)
    length = line.gap[chosen]
    owner = np.repeat(chosen, length)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    return line.first[owner] + 1 + offset, owner


def _add_noise(sketch: Sketch, image: DepthImage, edge: np.ndarray) -> None:
    """Count ``noise_residuals`` in both windows."""
    bad = _off_surface(image, edge) | (image.instance != 0)
    for name, side in WINDOWS.items():
        sketch.add(DEPTH_STATISTICS[name], *_residuals(image, bad, side))


def noise_residuals(image: DepthImage, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each pixel of the support from the least-squares plane of its window: band of NOISE_DISTANCE and magnitude [mm], each [n].

    A plane is linear in inverse depth, so its value at the centre of a window is the window's mean. Windows that hold anything else are left out.
    """
    return _residuals(image, off_surface(image) | (image.instance != 0), side)


def off_surface(image: DepthImage) -> np.ndarray:
    """Pixels that tell nothing of a surface: missing, beside a depth edge or where the label changes, bool [H, W]."""
    return _off_surface(image, _edge_mask(image, steps(image.inverse), steps(image.inverse.T)))


def _residuals(image: DepthImage, bad: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    r = side // 2
    use = box_sum(bad, side) < 0.5
    q = image.inverse[r:-r, r:-r][use]
    residual = q - box_sum(image.inverse, side)[use] / side**2
    return np.searchsorted(NOISE_DISTANCE, 1 / q), np.abs(residual) / q**2 * (1e3 / np.sqrt(1 - 1 / side**2))


def _off_surface(image: DepthImage, edge: np.ndarray) -> np.ndarray:
    bad = ~image.measured | edge
    bad[:, 1:] |= image.instance[:, 1:] != image.instance[:, :-1]
    bad[1:] |= image.instance[1:] != image.instance[:-1]
    return bad


def _add_holes(sketch: Sketch, image: DepthImage, rows: Steps, edge: np.ndarray) -> None:
    """Share of missing pixels among measured and enclosed ones, beside edges and on surfaces.

    A hole's distance is that of the further end of its run.
    """
    measured, statistic = image.measured, DEPTH_STATISTICS["depth_hole_rate"]
    at, owner = between(rows, (rows.gap > 0) & (rows.gap <= MAX_GAP))
    enclosed = (np.maximum.accumulate(measured, axis=0) & np.maximum.accumulate(measured[::-1], axis=0)[::-1]).ravel()[at]
    at, owner = at[enclosed], owner[enclosed]
    flat = image.inverse.ravel()
    near_edge = _dilate(edge, NEAR_EDGE).ravel()
    kept = np.flatnonzero(measured.ravel())
    pixels = np.concatenate([kept, at])
    q = np.concatenate([flat[kept], np.minimum(flat[rows.first[owner]], flat[rows.second[owner]])])
    stratum = np.searchsorted(DISTANCE, 1 / q) + np.where(near_edge[pixels], 0, len(DISTANCE) + 1)
    if image.luma is not None:
        stratum = np.where((image.luma.ravel()[pixels] < DARK) & ~near_edge[pixels], 2 * len(DISTANCE) + 2, stratum)
    missing = np.zeros(len(pixels))
    missing[len(kept) :] = 1.0
    sketch.add(statistic, stratum, missing)


def _dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Pixels with a set pixel within a square of ``radius``."""
    return box_sum(np.pad(mask, radius), 2 * radius + 1) > 0.5


def _add_edges(sketch: Sketch, rows: Steps, columns: Steps, width: int) -> None:
    """Width of the missing band by side and step, mixed pixels, and roughness of the left and right edges."""
    for side, line, rising in (("left", rows, True), ("right", rows, False), ("top", columns, True)):
        use = line.is_edge & ((line.jump > 0) == rising)
        stratum = _SIDES.index(side) * (len(JUMP) + 1) + np.searchsorted(JUMP, np.abs(line.jump[use]))
        sketch.add(DEPTH_STATISTICS["edge_fattening"], stratum, line.gap[use].astype(np.float64))
        if line is rows:
            near = line.second[use] if rising else line.first[use]
            _add_roughness(sketch, near, width)
    _add_mixed(sketch, rows, width)


def _add_mixed(sketch: Sketch, rows: Steps, width: int) -> None:
    """An edge is mixed where the next step is an edge of the same sense, through one pixel that touches either side."""
    edge, jump, gap = rows.is_edge, rows.jump, rows.gap
    same_sense = (jump[:-1] > 0) == (jump[1:] > 0)
    chained = (rows.second[:-1] == rows.first[1:]) & edge[:-1] & edge[1:] & same_sense & (np.minimum(gap[:-1], gap[1:]) == 0)
    mixed, follower = np.append(chained, False), np.append(False, chained)
    use = edge & ~follower
    sketch.add(DEPTH_STATISTICS["mixed_pixels"], np.where(jump[use] > 0, 0, 1), mixed[use].astype(np.float64))


def _add_roughness(sketch: Sketch, near: np.ndarray, width: int) -> None:
    """Second difference of an edge's column over rows; ``near`` are flat indices of the near pixels of one sense."""
    near = np.sort(near)
    for k, lag in enumerate(ROUGHNESS_ROWS):
        limit = 2 + lag
        above, below = (_nearest_column(near, near + s * lag * width, width, limit) for s in (-1, 1))
        both = (above >= 0) & (below >= 0)
        x = near[both] % width
        bend = np.abs(above[both] % width - 2 * x + below[both] % width).astype(np.float64)
        sketch.add(DEPTH_STATISTICS["edge_roughness"], np.full(len(bend), k), bend)


def _nearest_column(sorted_at: np.ndarray, wanted: np.ndarray, width: int, limit: int) -> np.ndarray:
    """Member of ``sorted_at`` nearest to each wanted index, within ``limit`` columns of its row; -1 where there is none, the left one on ties."""
    if not len(sorted_at):
        return np.full(len(wanted), -1)
    right = np.searchsorted(sorted_at, wanted)
    best = np.full(len(wanted), -1)
    distance = np.full(len(wanted), limit + 1)
    for candidate in (sorted_at[np.maximum(right - 1, 0)], sorted_at[np.minimum(right, len(sorted_at) - 1)]):
        away = np.abs(candidate - wanted)
        better = (away < distance) & (candidate // width == wanted // width)
        best, distance = np.where(better, candidate, best), np.where(better, away, distance)
    return best
