"""What is made wrong in an RGB-D image. Each function takes a camera, a strength and a generator, and returns the channels that become others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.validate.depth_image import MAX_GAP, between, box_sum, depth_image, steps
from tailgate.validate.depth_statistics import NOISE_DISTANCE, WINDOWS, noise_residuals, off_surface
from tailgate.validate.deviation import magnitudes
from tailgate.validate.image_statistics import IMAGE_STATISTICS, LUMINANCE_BINS, image_sketch

MIN_PIXELS = 500
"""Pixels on the support that a band of distance needs for a noise of its own."""
SMOOTH_SIDE = 9
"""Side of the window that gives the added noise its coarse part [px]: between the two windows it is measured in."""

Channels = dict[str, Any]


def depth_noise(sensor: SensorFrame, factor: float, rng: np.random.Generator) -> Channels:
    """Add noise so that the image's own depth noise is multiplied at both scales it is measured at: white, and averaged over SMOOTH_SIDE pixels."""
    depth, held = _depth(sensor)
    band = np.searchsorted(NOISE_DISTANCE, np.where(held, depth, 1.0))
    fine, whole = (noise_by_distance(sensor, name)[band] for name in ("depth_noise_fine", "depth_noise"))
    half = SMOOTH_SIDE // 2
    white = rng.normal(size=depth.shape)
    smooth = box_sum(np.pad(rng.normal(size=depth.shape), half), SMOOTH_SIDE) / SMOOTH_SIDE
    added = np.sqrt(max(factor**2 - 1.0, 0.0)) * (fine * white + np.sqrt(np.maximum(whole**2 - fine**2, 0.0)) * smooth)
    return depth_channels(sensor, np.where(held, np.maximum(depth + added, 1e-3), depth), held)


def depth_density(sensor: SensorFrame, divisor: float, rng: np.random.Generator) -> Channels:
    """Lose depth at random, each pixel on its own, so that one in ``divisor`` stays."""
    depth, held = _depth(sensor)
    return depth_channels(sensor, depth, held & (rng.random(depth.shape) <= 1.0 / divisor))


def no_holes(sensor: SensorFrame, share: float, rng: np.random.Generator) -> Channels:
    """Close gaps in rows between measured pixels of one surface by a line in inverse depth, a share of the gaps; labels run on from the left."""
    image = depth_image(sensor)
    line = steps(image.inverse)
    gap = ~line.is_edge & (line.gap > 0) & (line.gap <= MAX_GAP)
    gap &= image.instance.ravel()[line.first] == image.instance.ravel()[line.second]
    gap &= rng.random(image.inverse.size)[line.first] < share
    at, owner = between(line, gap)
    along = (at - line.first[owner]) / (line.gap[owner] + 1)
    return _filled(sensor, at, image.inverse.ravel()[line.first[owner]] + along * line.jump[owner], line.first[owner])


def perfect_edges(sensor: SensorFrame, share: float, rng: np.random.Generator) -> Channels:
    """Shrink the missing bands beside depth edges by a share of their width: the far surface goes on level up to the near one."""
    rows = _without_bands(sensor, share, rows=True)
    turned = replace(sensor, channels={**sensor.channels, **rows})
    return {**rows, **_without_bands(turned, share, rows=False)}


def labels_shifted(sensor: SensorFrame, pixels: float, rng: np.random.Generator) -> Channels:
    """Move the label images sideways by whole pixels, to the left or the right; what enters at the border is unlabelled."""
    step, changed = int(round(pixels)) * (1 if rng.random() < 0.5 else -1), {}
    for name in ("semantic_segmentation", "instance_segmentation"):
        if name in sensor.channels:
            labels = np.asarray(sensor.channels[name])
            padded = np.pad(labels, ((0, 0), (abs(step), abs(step))))
            changed[name] = padded[:, abs(step) - step : abs(step) - step + labels.shape[1]]
    return changed


def smoothed_depth(sensor: SensorFrame, share: float, rng: np.random.Generator) -> Channels:
    """Move depth by a share of the way to the plane of its wider window, wherever that window holds one whole surface."""
    image = depth_image(sensor)
    side = WINDOWS["depth_noise"]
    half = side // 2
    use = box_sum(off_surface(image), side) < 0.5
    target = box_sum(image.inverse, side) / side**2
    depth, held = _depth(sensor)
    inner = depth[half:-half, half:-half]
    inner[use] = 1.0 / ((1.0 - share) / inner[use] + share * target[use])
    return depth_channels(sensor, depth, held)


def image_noise(sensor: SensorFrame, factor: float, rng: np.random.Generator) -> Channels:
    """Add Gaussian noise to the colours, independent from pixel to pixel, so that the image's own noise is multiplied, by luminance."""
    rgb = np.asarray(sensor.channel("rgb"))
    colour = rgb[..., :3].astype(np.float64)
    luma = colour @ [0.299, 0.587, 0.114]
    sigma = noise_levels(rgb)[np.searchsorted(np.asarray(LUMINANCE_BINS) * 255, luma)] * np.sqrt(max(factor**2 - 1.0, 0.0))
    return _with_colour(rgb, colour + (sigma * rng.normal(size=luma.shape))[..., None])


def wrong_luminance(sensor: SensorFrame, factor: float, rng: np.random.Generator) -> Channels:
    """Multiply the colours, as another exposure does; white clips."""
    rgb = np.asarray(sensor.channel("rgb"))
    return _with_colour(rgb, rgb[..., :3] * factor)


def _with_colour(rgb: np.ndarray, colour: np.ndarray) -> Channels:
    changed = rgb.copy()
    changed[..., :3] = np.clip(np.rint(colour), 0, 255)
    return {"rgb": changed}


def noise_levels(rgb: np.ndarray) -> np.ndarray:
    """Noise of the luminance of an image [levels] per stratum of LUMINANCE_BINS; a stratum that tells none takes the image's mean."""
    counts = image_sketch(rgb, np.zeros(rgb.shape[:2], dtype=np.int64)).counts["rgb_noise"]
    value = magnitudes(IMAGE_STATISTICS["rgb_noise"])
    total = counts.sum(axis=1)
    mean = float(counts.sum(axis=0) @ value / max(total.sum(), 1.0))
    return np.where(total >= MIN_PIXELS, counts @ value / np.maximum(total, 1.0), mean)


def _depth(sensor: SensorFrame) -> tuple[np.ndarray, np.ndarray]:
    """Depth [m] as a float64 copy, and where it is one."""
    depth = np.array(sensor.channel("distance_to_image_plane"), dtype=np.float64)
    return depth, np.isfinite(depth) & (depth > 0) & (np.asarray(sensor.channel("valid")) > 0)


def _without_bands(sensor: SensorFrame, share: float, rows: bool) -> Channels:
    image = depth_image(sensor)
    inverse = image.inverse if rows else image.inverse.T
    line = steps(inverse)
    at, owner = between(line, line.is_edge & (line.gap > 0))
    far_first = line.jump[owner] > 0
    from_far = np.where(far_first, at - line.first[owner], line.second[owner] - at)
    at, owner, far_first = (v[from_far <= np.rint(share * line.gap[owner])] for v in (at, owner, far_first))
    source = np.where(far_first, line.first[owner], line.second[owner])
    value = np.ascontiguousarray(inverse).ravel()[source]
    if not rows:
        height, width = image.inverse.shape
        at, source = ((v % height) * width + v // height for v in (at, source))
    return _filled(sensor, at, value, source)


def _filled(sensor: SensorFrame, at: np.ndarray, inverse: np.ndarray, source: np.ndarray) -> Channels:
    """Channels with depth 1 / ``inverse`` [m] at the flat pixels ``at``, whose labels are those of the flat pixels ``source``."""
    depth, held = _depth(sensor)
    depth.ravel()[at], held.ravel()[at] = 1.0 / inverse, True
    changed = depth_channels(sensor, depth, held)
    for name in ("semantic_segmentation", "instance_segmentation"):
        if name in sensor.channels:
            labels = np.array(sensor.channels[name])
            labels.ravel()[at] = labels.ravel()[source]
            changed[name] = labels
    return changed


def depth_channels(sensor: SensorFrame, depth: np.ndarray, held: np.ndarray) -> Channels:
    """Channels of another depth image: plane distance [m], where it was measured, and the distance along the ray where that is a channel."""
    depth = np.where(held, depth, np.inf).astype(np.float32)
    changed = {"distance_to_image_plane": depth, "valid": held.astype(np.uint8)}
    if "distance_to_camera" in sensor.channels:
        v, u = np.indices(depth.shape)
        x, y = sensor.intrinsics.unproject(u, v)
        along = np.sqrt(1.0 + x**2 + y**2)
        changed["distance_to_camera"] = (depth * along).astype(np.float32)
    return changed


def noise_by_distance(sensor: SensorFrame, name: str) -> np.ndarray:
    """Depth noise per band of NOISE_DISTANCE [m], in one of the WINDOWS: 1.4826 times the median distance from the window's plane.

    A band with too few pixels takes the value of the nearest band that has enough; 0 where none has.
    """
    band, error = noise_residuals(depth_image(sensor), WINDOWS[name])
    bands = len(NOISE_DISTANCE) + 1
    known = [k for k in range(bands) if np.count_nonzero(band == k) >= MIN_PIXELS]
    if not known:
        return np.zeros(bands)
    sigma = {k: 1.4826e-3 * float(np.median(error[band == k])) for k in known}
    return np.array([sigma[min(known, key=lambda k: (abs(k - i), k))] for i in range(bands)])
