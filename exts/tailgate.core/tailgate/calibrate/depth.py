"""Estimate the depth response of an RGB-D camera from recordings: noise, shadows, edges and holes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.indirect import Fit, Problem, fit
from tailgate.calibrate.tabletop import perfect_frame, random_tabletop
from tailgate.config.sensor import CameraModel
from tailgate.distributions import Ranged
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.reference.reader import ReferenceSet
from tailgate.rng import kernel_seed, rng
from tailgate.sensors.camera import measure_depth
from tailgate.sensors.kinect import KinectResponse
from tailgate.sensors.response import nominal
from tailgate.validate.depth_statistics import DEPTH_STATISTICS, depth_sketches
from tailgate.validate.image_statistics import IMAGE_STATISTICS
from tailgate.validate.sketch import Sketch

FITTED = {name: statistic for name, statistic in DEPTH_STATISTICS.items() if name not in IMAGE_STATISTICS}
"""Statistics of depth alone."""
_NOISE = ("depth_noise", "depth_noise_fine", "depth_noise_spectrum")
_EDGES = ("edge_fattening", "edge_roughness", "mixed_pixels")
_COLOUR = ("colour_edges",)
_HOLES = ("depth_hole_rate",)
SEEN_BY = {
    "axial_noise": _NOISE,
    "near_noise": _NOISE,
    "noise_window": _NOISE,
    "noise_rows": _NOISE,
    "noise_grain": _NOISE,
    "noise_period": _NOISE,
    "grazing_noise": _NOISE,
    "speckle": _EDGES,
    "support": _EDGES,
    "fattening": _COLOUR,
    "registration": _COLOUR,
    "projector_offset": _EDGES,
    "camera_offset": _EDGES,
    "grazing_limit": _HOLES,
    "dark_limit": _HOLES,
    "dropout": _HOLES,
}
"""Response setting -> the statistics it is fitted against."""
SCENES = 4
"""Exact table-top views that the response is applied to."""


def estimate_depth(reference: ReferenceSet, sensor: str, model: CameraModel, seed: int = 0) -> dict[str, Estimate]:
    """Estimate the depth response from the feedback part of a reference, on exact table-top views.

    Args:
        reference: RGB-D frames.
        sensor: name of the sensor in its frames.
        model: with bounds of its response settings; only ``calibrated`` depth settings with bounds are estimated.
        seed: of the views and of the simulated noise.

    Returns:
        Response parameter -> estimate.

    Raises:
        UserError: a reference without this sensor, or a model without a depth principle.
    """
    sketches = []
    for name in reference.split["feedback"]:
        held = reference.read(name).sensors
        if sensor not in held:
            raise UserError(f"sensor must be one of the reference's frames ({', '.join(sorted(held))}), got '{sensor}'")
        sketches += depth_sketches(held[sensor])
    return fit_depth_response(sketches, perfect_views(model, SCENES, seed), model, seed).estimates


def perfect_views(model: CameraModel, count: int, seed: int = 0, poses: Sequence[tuple[float, float]] = ()) -> list[SensorFrame]:
    """Exact views of random table tops, a quarter of the camera's image each: scenes tell more than pixels.

    Args:
        model: the camera.
        count: scenes.
        seed: of the scenes.
        poses: as in ``support.support_pose``, those that the camera had; others are drawn where there are none.
    """
    views, k = [], model.intrinsics
    width, height = k.width // 2, k.height // 2
    for i in range(count):
        draw = rng(seed, "calibrate", 0, i, 0, "tabletop")
        pose = poses[int(draw.integers(len(poses)))] if poses else None
        left, top = int(draw.integers(k.width - width + 1)), int(draw.integers(k.height - height + 1))
        part = replace(k, width=width, height=height, cx=k.cx - left, cy=k.cy - top)
        views.append(perfect_frame(random_tabletop(draw, pose), part))
    return views


def fit_depth_response(reference: Sequence[Sketch], perfect: Sequence[SensorFrame], model: CameraModel, seed: int = 0) -> Fit:
    """Choose the depth response so that the statistics of responded views match those of the reference.

    Args:
        reference: sketches of real frames (``depth_sketches``), one per frame or recording.
        perfect: exact views: ``distance_to_image_plane``, ``rgb`` and both segmentations.
        model: with bounds; parameters that are not estimated take their nominal value.
        seed: of the simulated noise.

    Raises:
        UserError: no frames on either side, or a model without a depth principle or without settings to estimate.
    """
    if not reference or not perfect:
        raise UserError(f"calibration needs at least one real and one exact frame, got {len(reference)} and {len(perfect)}")
    if model.depth != "kinect_v1":
        raise UserError(f"the camera's depth principle must be kinect_v1 for its depth to be calibrated, got depth: {model.depth}")
    priors = calibrated_priors(model)
    if not priors:
        raise UserError("the camera's response must hold depth settings with role: calibrated and bounds, got none")
    fixed = nominal(model)

    def simulate(values: dict[str, float]) -> list[Sketch]:
        return simulated_sketches(perfect, model, {**fixed, **values}, seed)

    return fit(Problem(list(reference), FITTED, priors, SEEN_BY, simulate))


def calibrated_priors(model: CameraModel) -> dict[str, Ranged]:
    """Bounds of the depth settings that may be estimated."""
    depth = {f.name for f in fields(KinectResponse)}
    settings = {n: s for n, s in model.response.items() if n in depth and s.role == "calibrated"}
    return {name: s.dist for name, s in settings.items() if isinstance(s.dist, Ranged)}


def simulated_sketches(perfect: Sequence[SensorFrame], model: CameraModel, params: dict[str, float], seed: int) -> list[Sketch]:
    """Depth statistics of exact views after the response, one sketch a view."""
    from tailgate.geometry.quiet import wp

    response = KinectResponse.from_params(params)

    def one(i: int) -> list[Sketch]:
        view = perfect[i]
        depth, rgb = (wp.array(np.ascontiguousarray(view.channel(name)), device="cpu") for name in ("distance_to_image_plane", "rgb"))
        measured = measure_depth(depth, rgb, model, response, kernel_seed(seed, "calibrate", i)).numpy()
        kept = {name: view.channels[name] for name in ("semantic_segmentation", "instance_segmentation", "rgb") if name in view.channels}
        return depth_sketches(replace(view, channels={**kept, "distance_to_image_plane": measured}), colour=False)

    with ThreadPoolExecutor(min(len(perfect), os.cpu_count() or 1)) as pool:
        return [sketch for found in pool.map(one, range(len(perfect))) for sketch in found]
