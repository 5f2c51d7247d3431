"""Readable numpy twin of the LiDAR response, and how likely its law loses a return."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tailgate.sensors.lidar import MAX_TAN, MID_REFLECTANCE, NEAR_LENGTH, REFERENCE_RANGE, WEAKEST, LidarResponse, Limits, range_offsets
from tailgate.sensors.lidar_random import (
    DROP,
    DROP_GRAIN,
    INTENSITY,
    INTENSITY_TAIL,
    NOISE,
    NOISE_GRAIN,
    NOISE_TAIL,
    cell_numbers,
    latent_twin,
    normal_cdf_twin,
    normal_twin,
)


def respond_lidar_twin(
    exact: tuple[np.ndarray, np.ndarray, np.ndarray], response: LidarResponse, limits: Limits, seed: int, sure: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Twin of ``lidar_kernels.launch_response``.

    Args:
        exact: range [m], |cos| of incidence and reflectance, each (beams, columns, echoes).
        sure: echoes from this one on are lost only where their signal is too weak; none by default.

    Returns:
        range [m] and intensity, float32, same shape.
    """
    r, cosine, reflectance = (np.asarray(a, dtype=np.float64) for a in exact)
    p = response
    cosine = np.clip(cosine, 1e-3, 1.0)
    tan = np.minimum(np.sqrt(1 - cosine**2) / cosine, MAX_TAN)
    air = np.exp(-2 * limits.extinction * r)
    device, relief = p.noise_sigma**2 + (p.noise_per_metre * r) ** 2, (p.noise_incidence * tan) ** 2
    if p.range_10pct > 0:
        device = device + p.noise_signal**2 / np.maximum(_signal_twin(r, cosine, reflectance * air, p), WEAKEST)
    cells = cell_numbers(r.shape)
    shared = latent_twin(seed, r.shape, NOISE, p.noise_correlation, limits.wrap)
    error = np.sqrt((1 - p.noise_grain) * device + relief) * shared + np.sqrt(p.noise_grain * device) * normal_twin(seed, cells, NOISE_GRAIN)
    noisy = r + _tail_twin(seed, cells, NOISE_TAIL, p.noise_tail) * error + range_offsets(p, limits, len(r))[:, None, None]
    if limits.range_step > 0:
        noisy = np.floor(noisy / limits.range_step + 0.5) * limits.range_step
    lost = _loss_twin(r, cosine, reflectance * air, p)
    if sure is not None:
        unlost = replace(p, drop_base=0.0, drop_near=0.0, drop_per_metre=0.0, drop_incidence=0.0)
        lost[..., sure:] = _loss_twin(r, cosine, reflectance * air, unlost)[..., sure:]
    correlation, grain = p.patches
    patches = normal_cdf_twin(latent_twin(seed, r.shape, DROP, correlation, limits.wrap))
    single = normal_cdf_twin(normal_twin(seed, cells, DROP_GRAIN))
    keep = (r > 0) & (1 - patches <= (1 - lost) ** (1 - grain)) & (1 - single <= (1 - lost) ** grain)
    keep &= (noisy >= limits.range_min) & (noisy <= limits.range_max)
    speckle = p.intensity_spread * _tail_twin(seed, cells, INTENSITY_TAIL, p.intensity_tail) * normal_twin(seed, cells, INTENSITY)
    scale = (REFERENCE_RANGE / np.maximum(r, REFERENCE_RANGE)) ** p.intensity_range * air * np.exp(speckle)
    tone = MID_REFLECTANCE * (np.maximum(reflectance, 1e-4) / MID_REFLECTANCE) ** p.intensity_contrast
    intensity = np.clip(p.intensity_gain * tone * cosine**p.intensity_incidence * scale, 0, 1)
    if p.intensity_step > 0:
        intensity = np.minimum(np.floor(intensity / p.intensity_step + 0.5) * p.intensity_step, 1.0)
    return np.where(keep, noisy, 0).astype(np.float32), np.where(keep, intensity, 0).astype(np.float32)


def _tail_twin(seed: int, cells: np.ndarray, stream: int, tail: float) -> np.ndarray:
    """Factor on a normal that gives it heavier tails and leaves its variance."""
    return np.exp(tail * normal_twin(seed, cells, stream) - tail**2)


def loss_probability(r: Any, cosine: Any, reflectance: Any, response: LidarResponse) -> np.ndarray:
    """Probability that a return is lost, 0..1; r [m], cosine and reflectance 0..1, any one shape."""
    return _loss_twin(*(np.asarray(a, dtype=np.float64) for a in (r, cosine, reflectance)), response)


def _signal_twin(r: np.ndarray, cosine: np.ndarray, reflectance: np.ndarray, p: LidarResponse) -> np.ndarray:
    """Signal m, 1 where half of the returns are detected, at most 1e4; ``reflectance`` as weakened by the air."""
    return np.minimum(reflectance / 0.1 * cosine**p.signal_incidence * (p.range_10pct / np.maximum(r, 1e-3)) ** 2, 1e4)


def _loss_twin(r: np.ndarray, cosine: np.ndarray, signal: np.ndarray, p: LidarResponse) -> np.ndarray:
    near = np.exp(-r / NEAR_LENGTH) - np.exp(-REFERENCE_RANGE / NEAR_LENGTH)
    rate = p.drop_base + p.drop_near * near + p.drop_per_metre * (r - REFERENCE_RANGE) + p.drop_incidence * (1 - cosine) ** 5
    detected = np.ones_like(r)
    if p.range_10pct > 0:
        m4 = _signal_twin(r, cosine, signal, p) ** 4
        detected = m4 / (1 + m4)
    return 1 - (1 - np.clip(rate, 0, 1)) * detected
