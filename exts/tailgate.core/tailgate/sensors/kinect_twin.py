"""Readable numpy twin of the structured-light depth response, whole images at a time."""

from __future__ import annotations

import math

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.rng import kernel_seed
from tailgate.sensors.inverse_depth import CLOSEST, close_twin, incidence_twin, move_twin, shadow_twin, spread_twin
from tailgate.sensors.kinect import DISPARITY_CONSTANT, KinectResponse
from tailgate.sensors.matching import match_twin
from tailgate.sensors.noise_field import noise_fields_twin


def respond_depth_twin(
    depth: np.ndarray, luminance: np.ndarray, intrinsics: Intrinsics, limits: tuple[float, float], r: KinectResponse, seed: int
) -> np.ndarray:
    """Twin of ``kinect.respond_depth`` on numpy arrays, float64 [H, W]."""
    (height, width), focal = depth.shape, intrinsics.fx
    shape = height, r.seen_width(width, focal, limits[0])
    noise = noise_fields_twin(seed, 2, shape, (r.noise_rows, r.noise_window))
    white = noise_fields_twin(kernel_seed(seed, "white"), 1, shape)
    inside = (depth >= CLOSEST) & (depth <= limits[1])
    surface = np.where(inside, 1.0 / np.where(inside, depth, 1.0), 0.0)
    bright = luminance >= r.dark_limit * (1 + 0.3 * noise[2, :, :width])
    seen = np.where(bright & (surface * limits[0] <= 1.000001), surface, 0.0)
    move = r.camera_offset * focal
    if move > 0:
        surface, seen = (move_twin(image, move, 0.0, shape[1]) for image in (surface, seen))
        surface = close_twin(surface)
    theta = incidence_twin(surface, intrinsics)
    base = (r.projector_offset + r.camera_offset) * focal
    hidden = (surface <= 0) | (seen < surface) | shadow_twin(surface, base) | (r.paired & (np.arange(shape[1]) < base * surface - 0.5))
    seen = np.where(hidden | (theta + 0.05 * noise[2] > r.steepest), 0.0, seen)
    found = match_twin(surface, seen, white[1], r.window)
    found = np.where((found > 0) & (noise[2] >= r.dropout_quantile), _disparity(found, theta, (noise, white[0]), r, intrinsics), 0.0)
    if move > 0:
        found = spread_twin(move_twin(found, -move, r.registration, width))
    z = np.where(found > 0, 1.0 / np.where(found > 0, found, 1.0), np.inf)
    z = np.rint(z / (r.depth_step * 1e-3)) * r.depth_step * 1e-3 if r.depth_step > 0 else z
    return np.where((z >= limits[0]) & (z <= limits[1]), z, np.inf)


def _disparity(q: np.ndarray, theta: np.ndarray, fields: tuple[np.ndarray, np.ndarray], r: KinectResponse, k: Intrinsics) -> np.ndarray:
    """Inverse depth with noise and steps [1/m], [H, W]."""
    oblique = theta / np.maximum(np.pi / 2 - theta, 0.1)
    (noise, white), (v, u) = fields, np.indices(q.shape)
    field = ((u - k.cx) / k.fx - r.field_aside) ** 2 + ((v - k.cy) / k.fy) ** 2
    spread = 1e-3 * np.hypot(r.axial_noise, r.near_noise * q**2) * (1 + r.grazing_noise * oblique**2) * (1 + r.field_noise * field)
    smooth = np.cos(r.turn * q) * noise[0] + np.sin(r.turn * q) * noise[1]
    q = q + spread * (math.sqrt(1 - r.noise_grain) * smooth + math.sqrt(r.noise_grain) * white)
    step = r.disparity_step / DISPARITY_CONSTANT
    return np.maximum(np.rint(q / step) * step if step > 0 else q, 0.0)
