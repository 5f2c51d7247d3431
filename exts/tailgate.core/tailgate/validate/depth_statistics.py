"""Statistics of a measured depth image: noise, holes, edges. One function for real and synthetic frames, from what real frames have.

Depth outside the labelled surfaces is not counted, nor are labels under missing depth: a recording has neither. A missing pixel counts as a hole
where measured surface encloses it: within ``MAX_GAP`` px on both sides along its row, and somewhere above and below.
"""

from __future__ import annotations

import numpy as np

from tailgate.frames import Intrinsics, SensorFrame, host
from tailgate.validate.depth_image import MAX_GAP, DepthImage, Steps, between, box_sum, depth_image, steps
from tailgate.validate.edge_statistics import EDGE_STATISTICS, add_edges
from tailgate.validate.image_statistics import IMAGE_STATISTICS, image_sketch
from tailgate.validate.sketch import Sketch, Statistic, edges_below

DISTANCE = (0.8, 1.0, 1.25, 1.6, 2.2)
"""Limits of the distance strata of holes [m]."""
NOISE_DISTANCE = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.35, 1.6, 2.2, 3.0)
"""Limits of the distance strata of noise [m]: it may grow with the square of distance."""
NEAR_EDGE = 12
"""Holes within this many pixels of a depth edge are counted apart [px]."""
WINDOWS = {"depth_noise": 21, "depth_noise_fine": 5}
"""Sides of the square windows of the local plane [px]."""
_MIDDLES = np.array([NOISE_DISTANCE[0], *np.sqrt(np.multiply(NOISE_DISTANCE[:-1], NOISE_DISTANCE[1:])), NOISE_DISTANCE[-1]])
"""Distance of each stratum at which its noise is given [m]."""
FIELD = (-0.4, -0.25, -0.1, 0.05, 0.2, 0.35)
"""Limits of the strata of noise across the image, tangents of the angle to its axis."""
LAGS = (1, 3, 8)
"""Lags of the noise spectrum [px]: neighbours, within the fine window, within the wide one."""
DARK = 0.25
"""Share of white (sRGB) below which a surface counts as dark."""

_MM = (0.0, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9, 1.2, 1.6, 2.1, 2.8, 3.7, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0)
_RATE = (0.0, 0.5, 1.0)


def _distance_names(distance: tuple[float, ...]) -> tuple[str, ...]:
    limits = [f"{v:g}" for v in distance]
    return (f"< {limits[0]} m", *(f"{a}-{b} m" for a, b in zip(limits, limits[1:], strict=False)), f"> {limits[-1]} m")


def _field_names() -> tuple[str, ...]:
    limits = [f"{v:g}" for v in FIELD]
    return (f"left of {limits[0]}", *(f"{a} to {b}" for a, b in zip(limits, limits[1:], strict=False)), f"right of {limits[-1]}")


_HOLE_STRATA = (*(f"edge {d}" for d in _distance_names(DISTANCE)), *(f"surface {d}" for d in _distance_names(DISTANCE)), "dark surface")

DEPTH_STATISTICS: dict[str, Statistic] = {
    "depth_noise": Statistic("depth_noise", "mm", _MM, _distance_names(NOISE_DISTANCE)),
    "depth_noise_fine": Statistic("depth_noise_fine", "mm", _MM, _distance_names(NOISE_DISTANCE)),
    "depth_hole_rate": Statistic("depth_hole_rate", "share", _RATE, _HOLE_STRATA, 2000),
    "depth_noise_spectrum": Statistic("depth_noise_spectrum", "share", _RATE, tuple(f"{way} {lag} px" for way in ("across", "down") for lag in LAGS)),
    "depth_noise_field": Statistic("depth_noise_field", "mm at 1 m", _MM, _field_names()),
    **EDGE_STATISTICS,
    **IMAGE_STATISTICS,
}
"""Every RGB-D statistic by name. ``depth_noise``: distance of a pixel from the plane of its window, as at the middle of its band of distances.
``depth_noise_field``: the same by the angle across the image, as at 1 m. ``depth_noise_spectrum``: share of the pairs of pixels a lag apart that lie
on one side of that plane, p; their correlation is sin(π (p - ½)) for Gaussian noise (arcsine law, Van Vleck 1966)."""


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
    _add_noise(sketch, image, edge, sensor.intrinsics)
    _add_holes(sketch, image, rows, edge)
    add_edges(sketch, image, rows, columns)
    if colour and image.luma is not None:
        region = np.where(image.measured, np.minimum(image.instance, 1), -1)
        sketch = sketch + image_sketch(host(sensor.channels["rgb"]), region)
    return [sketch]


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


def _add_noise(sketch: Sketch, image: DepthImage, edge: np.ndarray, intrinsics: Intrinsics | None) -> None:
    """Count ``noise_residuals`` in both windows; in the wider one the spectrum, and noise by field angle, in units that distance leaves alone."""
    bad = _off_surface(image, edge) | (image.instance != 0)
    for name, side in WINDOWS.items():
        use, residual = _from_planes(image, bad, side)
        at = np.flatnonzero(use)
        sketch.add(DEPTH_STATISTICS[name], *_in_millimetres(image, at, residual, side))
        if side == max(WINDOWS.values()):
            if intrinsics:
                columns = np.arange(use.shape[1]) + side // 2
                stratum = edges_below((columns - intrinsics.cx) / intrinsics.fx, FIELD)[at % use.shape[1]]
                sketch.add(DEPTH_STATISTICS["depth_noise_field"], stratum, np.abs(residual.ravel()[at]) * (1e3 / np.sqrt(1 - 1 / side**2)))
            _add_spectrum(sketch, np.where(use, np.sign(residual).astype(np.int8), np.int8(0)))


def _add_spectrum(sketch: Sketch, sign: np.ndarray) -> None:
    """Pairs of pixels on one side of their planes, by lag, on every second line; ``sign`` is 0 where nothing counts, int8 [h, w]."""
    pairs = []
    for lines in (sign[::2], np.ascontiguousarray(sign[:, ::2].T)):
        products = [lines[:, lag:] * lines[:, :-lag] for lag in LAGS]
        pairs += [(np.count_nonzero(product < 0), np.count_nonzero(product > 0)) for product in products]
    sketch.add_counts(DEPTH_STATISTICS["depth_noise_spectrum"], np.array(pairs))


def noise_residuals(image: DepthImage, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each pixel of the support from the least-squares plane of its window: band of NOISE_DISTANCE and magnitude [mm] as at the middle of
    that band, each [n].

    Windows that hold anything else are left out.
    """
    use, residual = _from_planes(image, off_surface(image) | (image.instance != 0), side)
    return _in_millimetres(image, np.flatnonzero(use), residual, side)


def _from_planes(image: DepthImage, bad: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels whose window holds no bad one, and how far each lies from its window's plane in inverse depth [1/m], both [H - side + 1, W - side + 1].

    A plane is linear in inverse depth, so its value at the centre of a window is the window's mean.
    """
    r = side // 2
    return box_sum(bad, side) < 0.5, image.inverse[r:-r, r:-r] - box_sum(image.inverse, side) / side**2


def _in_millimetres(image: DepthImage, at: np.ndarray, residual: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Band, and magnitude as at the band's middle: errors of disparity grow with z², and within a band distances are those of the scene. ``at`` are
    flat indices into ``residual``."""
    r = side // 2
    band = edges_below(1 / image.inverse[r:-r, r:-r].ravel()[at], NOISE_DISTANCE)
    return band, np.abs(residual.ravel()[at]) * (_MIDDLES**2)[band] * (1e3 / np.sqrt(1 - 1 / side**2))


def off_surface(image: DepthImage) -> np.ndarray:
    """Pixels that tell nothing of a surface: missing, beside a depth edge or where the label changes, bool [H, W]."""
    return _off_surface(image, _edge_mask(image, steps(image.inverse), steps(image.inverse.T)))


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
    stratum = edges_below(1 / q, DISTANCE) + np.where(near_edge[pixels], 0, len(DISTANCE) + 1)
    if image.luma is not None:
        stratum = np.where((image.luma.ravel()[pixels] < DARK) & ~near_edge[pixels], 2 * len(DISTANCE) + 2, stratum)
    missing = np.zeros(len(pixels))
    missing[len(kept) :] = 1.0
    sketch.add(statistic, stratum, missing)


def _dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Pixels with a set pixel within a square of ``radius``."""
    return box_sum(np.pad(mask, radius), 2 * radius + 1) > 0.5
