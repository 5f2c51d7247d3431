"""Readable numpy twin of the structured-light depth response, whole images at a time."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tailgate.rng import kernel_seed
from tailgate.sensors.kinect import DISPARITY_CONSTANT, MAX_EDGE, KinectResponse
from tailgate.sensors.noise_field import noise_fields_twin

EDGE_JUMP, SHADOW_JUMP, SHADOW_REACH = 0.03, 0.01, 0.6


def respond_depth_twin(
    depth: np.ndarray, luminance: np.ndarray, focal: float, limits: tuple[float, float], r: KinectResponse, seed: int
) -> np.ndarray:
    """Twin of ``kinect.respond_depth`` on numpy arrays, float64 [H, W]."""
    noise = noise_fields_twin(seed, 1, depth.shape, r.noise_window)
    edges = noise_fields_twin(kernel_seed(seed, "edges"), 1, depth.shape, r.edge_window)
    inside = (depth >= limits[0]) & (depth <= limits[1])
    inverse = np.where(inside, 1.0 / np.where(inside, depth, 1.0), 0.0)
    rows, columns = np.indices(depth.shape)
    sy = np.clip(rows + np.rint(r.lateral_noise * edges[0]).astype(int), 0, depth.shape[0] - 1)
    sx = np.clip(columns + np.rint(r.lateral_noise * edges[1]).astype(int), 0, depth.shape[1] - 1)
    stays = (inverse > 0) & (np.abs(inverse[sy, sx] - inverse) <= EDGE_JUMP)
    sy, sx = np.where(stays, rows, sy), np.where(stays, columns, sx)
    theta = incidence_twin(inverse, focal)[sy, sx]
    q, covered, missing = _edges(inverse, (sy, sx), theta, _half_an_image_away(noise[0], edges[0]), r, focal)
    seen = ~covered
    missing |= seen & shadow_twin(inverse, r.projector_offset * focal)[sy, sx]
    missing |= seen & shadow_twin(inverse, -r.camera_offset * focal)[sy, sx]
    missing |= seen & (theta + 0.05 * noise[1] > math.radians(r.grazing_limit))
    missing |= (noise[1] < r.dropout_quantile) | (luminance < r.dark_limit * (1 + 0.3 * noise[1]))
    oblique = theta / np.maximum(np.pi / 2 - theta, 0.1)
    measured = q + r.axial_noise * 1e-3 * (1 + r.grazing_noise * oblique**2) * noise[0]
    step = r.disparity_step / DISPARITY_CONSTANT
    measured = np.rint(measured / step) * step if step > 0 else measured
    good = (q > 0) & ~missing & (measured > 0)
    z = np.where(good, 1.0 / np.where(good, measured, 1.0), np.inf)
    z = np.rint(z / (r.depth_step * 1e-3)) * r.depth_step * 1e-3 if r.depth_step > 0 else z
    return np.where((z >= limits[0]) & (z <= limits[1]), z, np.inf)


def incidence_twin(inverse: np.ndarray, focal: float) -> np.ndarray:
    """Angle between the optical axis and the surface normal [rad], [H, W]."""
    gradient = []
    for axis in (0, 1):
        step = np.diff(inverse, axis=axis)
        both = np.minimum(*(np.take(inverse, range(s, inverse.shape[axis] - 1 + s), axis=axis) for s in (0, 1))) > 0
        step = np.where(both, step, np.nan)
        pad = np.full_like(np.take(inverse, [0], axis=axis), np.nan)
        before, after = np.concatenate([pad, step], axis=axis), np.concatenate([step, pad], axis=axis)
        before, after = np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)
        gradient.append(np.nan_to_num(np.where(np.abs(before) < np.abs(after), before, after)))
    return np.where(inverse > 0, np.arctan(focal * np.hypot(*gradient) / np.where(inverse > 0, inverse, 1.0)), 0.0)


def shadow_twin(inverse: np.ndarray, shift: float) -> np.ndarray:
    """Pixels hidden from a viewpoint offset by ``shift`` / focal length along the rows (> 0: to the right), bool [H, W]."""
    hidden = np.zeros(inverse.shape, dtype=bool)
    if shift == 0.0:
        return hidden
    image, out = (inverse, hidden) if shift > 0 else (inverse[:, ::-1], hidden[:, ::-1])
    width = image.shape[1]
    for k in range(1, min(width, math.ceil(abs(shift) * image.max() + 1) + 1)):
        step = image[:, k:] - image[:, : width - k]
        out[:, : width - k] |= (step > SHADOW_JUMP) & (np.abs(k - abs(shift) * step) <= SHADOW_REACH)
    return hidden


def _half_an_image_away(*fields: np.ndarray) -> tuple[np.ndarray, ...]:
    """Each field where it is independent of here."""
    return tuple(np.roll(f, [-(n // 2) for n in f.shape], axis=(0, 1)) for f in fields)


def _edges(inverse: np.ndarray, at: tuple, theta: np.ndarray, away: tuple, r: KinectResponse, focal: float) -> tuple:
    """Growth of near surfaces, the missing band behind them and mixed pixels: inverse depth, covered, missing, each [H, W]."""
    q = inverse[at]
    other, breadth = away
    grown = np.rint(np.maximum(r.fattening + 0.5 * breadth, 0)) if r.fattening > 0 else np.zeros(q.shape)
    lost = np.rint(r.edge_loss * np.maximum(1 + 0.7 * breadth, 0))
    mixed = other < NormalDist().inv_cdf(min(max(r.mixed_pixels, 1e-9), 1 - 1e-9))
    slack = np.tan(theta) * q / focal
    covered, missing = q <= 0, q <= 0
    for k in range(1, MAX_EDGE + 1):
        padded = np.pad(inverse, k, mode="edge")
        h, w = inverse.shape
        shifts = [padded[k : k + h, : w], padded[k : k + h, 2 * k :], padded[:h, k : k + w], padded[2 * k :, k : k + w]]
        near = np.maximum.reduce(shifts)[at]
        edge = ~covered & ~missing & (near - q > EDGE_JUMP + slack * k) & (k <= grown + np.maximum(lost, 1))
        grow, lose = edge & (k <= grown), edge & (k > grown) & (k <= grown + lost)
        blend = edge & ~grow & ~lose & (k == grown + 1) & mixed
        missing = missing | lose
        q = np.where(grow, near, np.where(blend, 0.5 * (q + near), q))
        covered = covered | grow | blend
    return q, covered, missing
