"""Light that fog, rain or snow sends back before the beam meets a surface, as an echo of its own.

Air of extinction a scatters back b·a of the light per metre and steradian (b = ``backscatter``; 0.015 in the fog model of Rasshofer et al. 2011,
Adv. Radio Sci. 9, 49-60, as used by Hahner et al. 2021, ICCV; 0.053 for cloud droplets, O'Connor et al. 2004, J. Atmos. Oceanic Technol. 21,
777-786). A pulse sees a slice of length L at once, which returns as much as a Lambertian surface of reflectance ρ = π·b·a·L, so its signal is

    m = ρ / 0.1 · (range_10pct / r)² · exp(-2 a r) · exp(s N(0, 1) - s² / 2)

with s = ``scatter_spread``: droplets of fog average out (below 0.5), a slice of rain or snow holds few particles (1 and more). The strongest slice
is the air's echo, somewhere within it, and is detected by the same law as a surface's. Below the range ``overlap`` the receiver, focused further
away, sees only (r / overlap)² of the beam: within some 10 m intensities hardly fall with range (near-distance effect, Kashani et al. 2015, Sensors
15, 28099-28128). It sees none below ``CROSSOVER`` (0.9 m in Hahner et al. 2021, where it sees all from 1 m on).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.sensors.lidar import LidarResponse, Limits
from tailgate.sensors.lidar_kernels import normal_cdf, normal_from, normal_of, uniform_pair
from tailgate.sensors.lidar_random import AIR, PLACE, normal_cdf_twin, normal_twin

wp.set_module_options({"enable_backward": False})

SLICES = 40
"""Slices of a pulse's length that are looked at."""
CROSSOVER = 0.9
"""Range from which the fields of view of emitter and receiver cross [m]."""
LARGEST = 6.5
"""No normal of ``normal_from`` is larger."""
ROUNDING = 1.001
"""Factor on a bound that no rounding exceeds."""


@wp.kernel
def slice_kernel(
    start: float, length: float, reflectance: float, reach: float, extinction: float, overlap: float, out: wp.array(dtype=wp.vec4)
):
    """Of each slice of air its middle [m], what it would send back without chance, and the factors that range and extinction put on its signal."""
    n = wp.tid()
    r = start + (float(n) + 0.5) * length
    seen = wp.min(r / overlap, 1.0)
    out[n] = wp.vec4(r, reflectance * seen * seen, reach / r, wp.exp(-2.0 * extinction * r))


@wp.func
def highest(uniform: wp.vec2, peaks: wp.vec3) -> float:
    """No less than what chance multiplies a slice by; ``peaks`` are its values where the normal is 0, 2 and as large as it gets."""
    return wp.where(wp.abs(uniform[1] - 0.5) <= 0.25, peaks[0], wp.where(uniform[0] >= 0.1354, peaks[1], peaks[2]))


@wp.kernel
def air_kernel(
    surface: wp.array3d(dtype=wp.float32),
    slices: wp.array(dtype=wp.vec4),
    length: float,
    spread: float,
    peaks: wp.vec3,
    seed: int,
    out: wp.array3d(dtype=wp.float32),
    back: wp.array3d(dtype=wp.float32),
):
    """Echo of the air of one firing; twin: ``air_twin``. Most slices cannot be the strongest whatever the normal that was drawn for them is, which
    two uniform numbers tell in less time than the normal takes."""
    i, j = wp.tid()
    end = surface[i, j, 0]
    firing = i * surface.shape[1] + j
    aside = length * (normal_cdf(normal_of(seed, firing, PLACE)) - 0.5)
    best = wp.float32(0.0)
    for n in range(SLICES):
        here = slices[n]
        if end > 0.0 and here[0] + 0.5 * length > end:
            break
        plain = here[1] / 0.1 * here[2] * here[2] * here[3]
        if plain * peaks[2] <= best:
            continue
        uniform = uniform_pair(seed, firing * SLICES + n, AIR)
        if plain * highest(uniform, peaks) <= best:
            continue
        sent = here[1] * wp.exp(spread * normal_from(uniform) - 0.5 * spread * spread)
        m = sent / 0.1 * here[2] * here[2] * here[3]
        if m > best:
            best = m
            out[i, j, 0] = here[0] + aside
            back[i, j, 0] = sent


def air_twin(surface: np.ndarray, response: LidarResponse, limits: Limits, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Readable twin: range [m] (0: no echo) and the reflectance of a surface that would return as much, (beams, columns, 1)."""
    start, length, reflectance = _slices(response, limits)
    r = start + (np.arange(SLICES) + 0.5) * length
    firing = np.arange(surface[..., 0].size).reshape(surface.shape[:2])
    drawn = normal_twin(seed, firing[..., None] * SLICES + np.arange(SLICES), AIR)
    back = reflectance * np.minimum(r / response.overlap, 1.0) ** 2 * np.exp(response.scatter_spread * drawn - 0.5 * response.scatter_spread**2)
    m = back / 0.1 * (response.range_10pct / r) ** 2 * np.exp(-2 * limits.extinction * r)
    end = np.where(surface[..., :1] > 0, surface[..., :1], np.inf)
    m = np.where(r + 0.5 * length <= end, m, 0.0)
    best = m.argmax(axis=2)[..., None]
    seen = np.take_along_axis(m, best, axis=2) > 0.0
    aside = length * (normal_cdf_twin(normal_twin(seed, firing, PLACE)) - 0.5)
    back = np.where(seen, np.take_along_axis(back, best, axis=2), 0.0)
    return np.where(seen, r[best] + aside[..., None], 0.0).astype(np.float32), back.astype(np.float32)


def air_echo(surface: Any, response: LidarResponse, limits: Limits, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Range [m] and equivalent reflectance of the air's echo of every firing, (beams, columns, 1); None in clear air or where it is off.

    Args:
        surface: exact range of the strongest echo in channel 0 [m], (beams, columns, echoes), numpy or Warp.
    """
    if limits.extinction <= 0 or response.backscatter <= 0 or response.range_10pct <= 0:
        return None
    on_device = isinstance(surface, wp.array)
    device = surface.device if on_device else "cpu"
    near = surface if on_device else wp.array(np.asarray(surface, np.float32), dtype=wp.float32, device=device)
    out, back = (wp.zeros((*near.shape[:2], 1), dtype=wp.float32, device=device) for _ in range(2))
    start, length, reflectance = _slices(response, limits)
    slices, spread = wp.empty(SLICES, dtype=wp.vec4, device=device), response.scatter_spread
    inputs = [start, length, reflectance, response.range_10pct, limits.extinction, response.overlap]
    wp.launch(slice_kernel, dim=SLICES, inputs=inputs, outputs=[slices], device=device)
    peaks = wp.vec3(*(ROUNDING * float(np.exp(spread * normal - 0.5 * spread**2)) for normal in (0.0, 2.0, LARGEST)))
    wp.launch(air_kernel, dim=near.shape[:2], inputs=[near, slices, length, spread, peaks, int(seed)], outputs=[out, back], device=device)
    return out.numpy(), back.numpy()


def _slices(response: LidarResponse, limits: Limits) -> tuple[float, float, float]:
    """Where the first slice begins and its length [m], and its mean equivalent reflectance."""
    return max(limits.range_min, CROSSOVER), limits.pulse, float(np.pi * response.backscatter * limits.extinction * limits.pulse)
