"""Fit a camera's response to recordings: depth noise, shadows, edges and holes; noise, sharpness and compression of its colour image."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import numpy as np

from tailgate.calibrate.indirect import Fit, Heard, fit
from tailgate.calibrate.problem import Problem, Simulate
from tailgate.calibrate.tabletop import perfect_frame, random_tabletop
from tailgate.config.sensor import CameraModel
from tailgate.distributions import Ranged
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.memory import recall, remembering
from tailgate.rng import kernel_seed, rng
from tailgate.sensors.camera import depth_response, measure_depth
from tailgate.sensors.colour import ColourResponse, respond_light
from tailgate.sensors.response import nominal
from tailgate.validate.depth_statistics import DEPTH_STATISTICS, depth_sketches
from tailgate.validate.image_statistics import image_sketch, luma_of, picture_sketch
from tailgate.validate.sketch import Sketch

_NOISE, _HOLES = ("depth_noise", "depth_noise_fine", "depth_noise_spectrum", "depth_noise_field"), ("depth_hole_rate",)
_EDGES, _ALIGNED = ("edge_fattening", "edge_roughness", "mixed_pixels"), ("colour_edges",)
_PICTURE = ("rgb_noise", "rgb_noise_spectrum", "sharpness", "overshoot")
PICTURE = ("shot_noise", "read_noise", "colour_grain", "blur", "sharpening", "jpeg_loss")
"""Settings of the colour response that the noise and the sharpness of pictures tell."""
PROCESS = ("illuminant_red", "illuminant_blue", "mosaic", "sharpening_radius", "driver_mosaic", "chroma_loss")
"""Further ones that noise and edges pass through."""
SEEN_BY = {
    **dict.fromkeys(("axial_noise", "near_noise", "subpixel_rms", "phase_noise", "noise_window", "noise_rows", "noise_grain"), _NOISE),
    **dict.fromkeys(("noise_period", "grazing_noise", "field_noise", "field_aside"), _NOISE),
    **dict.fromkeys(("speckle", "support", "projector_offset", "camera_offset", "spread", "grazing_limit", "dark_limit"), (*_EDGES, *_HOLES)),
    **dict.fromkeys(("fattening", "registration"), _ALIGNED),
    **dict.fromkeys(("dropout", "texture_limit", "amplitude_limit"), _HOLES),
    **dict.fromkeys(PICTURE, _PICTURE),
}
"""Response setting -> the statistics it is fitted against."""
FELT_BY = dict.fromkeys(("noise_window", "noise_rows"), _EDGES)
"""Windows are fitted to noise, which tells them best, and decide edges: their error is one of what is fitted to edges."""
FEW, SOME = 24, 48
"""Views that the search runs on, and the Jacobians of the last steps; these steps take all."""
SHORTEST = 0.03
"""Least finite difference, as a share of the bounds: edges of clean pictures are all alike sharp."""
RECENT = 8
"""Responses kept while a fit goes on: while settings of depth are searched, the colour image stays."""
DEVICE_STATISTICS = {name: DEPTH_STATISTICS[name] for name in (*_NOISE, *_HOLES, *_EDGES, *_ALIGNED, *_PICTURE)}
"""Statistics that tell of the camera: not of its labels, and not of the light and the colours of the place."""


def camera_blocks(sensor: SensorFrame) -> list[Sketch]:
    """Sketches of a recorded frame: of its depth and colour, or of a colour image alone."""
    if "distance_to_image_plane" in sensor.channels:
        return depth_sketches(sensor)
    rgb = np.asarray(sensor.channel("rgb"))
    return [image_sketch(rgb, np.zeros(rgb.shape[:2], dtype=int))]


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


def fit_camera(
    reference: Sequence[Sketch],
    perfect: Sequence[SensorFrame],
    model: CameraModel,
    seed: int = 0,
    pictures: Sequence[SensorFrame] | None = None,
    heard: Heard = lambda done, most: None,
) -> Fit:
    """Choose the response so that the statistics of responded views match those of the reference.

    Args:
        reference: sketches of real frames (``camera_blocks``), one per frame or recording.
        perfect: exact views: ``rgb``, with a depth principle ``distance_to_image_plane``, and segmentations where the reference has labels. The
            search takes the first FEW, Jacobians of the last steps SOME, these steps all of them.
        model: with bounds; parameters that are not estimated take their nominal value.
        seed: of the simulated noise.
        pictures: exact views of other scenes to fit the colour response on, where the colour of ``perfect`` is not exact.
        heard: as in ``indirect.fit``.

    Raises:
        UserError: no frames on either side, or no setting to estimate.
    """
    if not reference or not perfect:
        raise UserError(f"calibration needs at least one real and one exact frame, got {len(reference)} and {len(perfect)}")
    priors = calibrated_priors(model)
    if not priors:
        raise UserError("the camera's response must hold settings with role: calibrated and bounds, got none that a statistic sees")
    fixed = nominal(model)

    @lru_cache(RECENT)
    def responded(depth: bool, most: int | None, params: tuple[tuple[str, float], ...]) -> list[Sketch]:
        if depth:
            return _depth(perfect[:most], model, dict(params), seed)
        return _colour((perfect if pictures is None else pictures)[:most], dict(params), seed)

    def simulator(most: int | None) -> Simulate:
        def simulate(values: dict[str, float]) -> list[list[Sketch]]:
            params = {**fixed, **values}
            return [[view] for depth in (True, False) for view in responded(depth, most, tuple(_own(model, params, depth).items()))]

        return simulate

    few, some, every = (simulator(most) for most in (FEW, SOME, None))
    problem = Problem(list(reference), DEVICE_STATISTICS, priors, _seen_by(priors), few, FELT_BY, [some], every, SHORTEST)
    with remembering():
        return fit(problem, heard)


def _seen_by(priors: Mapping[str, Ranged]) -> dict[str, tuple[str, ...]]:
    """``SEEN_BY``; noise across the image counts where a setting lets noise change across it."""
    kept = {n: tuple(s for s in seen if s != "depth_noise_field") for n, seen in SEEN_BY.items()}
    return SEEN_BY if "field_noise" in priors else kept


def calibrated_priors(model: CameraModel) -> dict[str, Ranged]:
    """Bounds of the settings that may be estimated."""
    return {n: s.dist for n, s in model.response.items() if n in SEEN_BY and s.role == "calibrated" and isinstance(s.dist, Ranged)}


def simulated_views(perfect: Sequence[SensorFrame], model: CameraModel, params: Mapping[str, float], seed: int) -> list[Sketch]:
    """Statistics of exact views after the response, one sketch a view."""
    parts = _depth(perfect, model, _own(model, params, True), seed), _colour(perfect, _own(model, params, False), seed)
    return [a + b for a, b in zip(*parts, strict=True)]


def _own(model: CameraModel, params: Mapping[str, float], depth: bool) -> dict[str, float]:
    """The settings of the depth response, or of the colour response."""
    known = asdict(depth_response(model, {})) if depth and model.depth != "none" else {} if depth else asdict(ColourResponse())
    return {name: float(value) for name, value in params.items() if name in known}


def _each(perfect: Sequence[SensorFrame], one: Callable[[int], Sketch]) -> list[Sketch]:
    with ThreadPoolExecutor(min(len(perfect), os.cpu_count() or 1)) as pool:
        return list(pool.map(one, range(len(perfect))))


def _arrays(view: SensorFrame, *names: str) -> list[Any]:
    """Channels of an exact view as Warp arrays."""
    from tailgate.geometry.quiet import wp

    return recall(("view", id(view), *names), (), lambda: [wp.array(np.ascontiguousarray(view.channel(name)), device="cpu") for name in names])


def _depth(perfect: Sequence[SensorFrame], model: CameraModel, params: dict[str, float], seed: int) -> list[Sketch]:
    if model.depth == "none":
        return [Sketch() for _ in perfect]
    response = depth_response(model, params)

    def one(i: int) -> Sketch:
        view = perfect[i]
        seen = _arrays(view, "distance_to_image_plane", "rgb")
        measured = measure_depth(seen, view.intrinsics, model, response, kernel_seed(seed, "calibrate", i)).numpy()
        kept = {name: view.channels[name] for name in ("semantic_segmentation", "instance_segmentation", "rgb") if name in view.channels}
        return depth_sketches(replace(view, channels={**kept, "distance_to_image_plane": measured}), colour=False)[0]

    return _each(perfect, one)


def _colour(perfect: Sequence[SensorFrame], params: dict[str, float], seed: int) -> list[Sketch]:
    response = ColourResponse.from_params({name: value for name, value in params.items() if name in PICTURE + PROCESS})

    def one(i: int) -> Sketch:
        view = perfect[i]
        light, exact = _arrays(view, "light", "rgb")
        picture = respond_light(light, exact, view.intrinsics, response, (kernel_seed(seed, "picture", i), seed)).numpy()
        return picture_sketch(luma_of(picture), np.ones(picture.shape[:2], dtype=bool))

    return _each(perfect, one)
