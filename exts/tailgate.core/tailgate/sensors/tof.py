"""Depth response of a continuous-wave time-of-flight camera: the phase of modulated light, summed over what a pixel sees.

A pixel measures the phasor sum a exp(4 pi i f d / c) over its point spread, with amplitude a = brightness x cos(incidence) x (1 m / d)², plus complex
Gaussian noise (Lange and Seitz 2001, "Solid-state time-of-flight range camera"). From this alone follow noise that grows as 1 / amplitude, flying
pixels at edges, and distances that wrap at c / 2f (Hansard et al. 2012, "Time-of-flight cameras: principles, methods and applications"). Light that
arrives over several walls (multipath) is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.sensors.inverse_depth import CLOSEST, Optics, incidence, incidence_twin, optics_of, surface_kernel
from tailgate.sensors.noise_field import noise_fields, noise_fields_twin
from tailgate.sensors.optics import spread_taps
from tailgate.sensors.parameters import Parameters

wp.set_module_options({"enable_backward": False})

LIGHT_SPEED = 299_792_458.0


@dataclass(frozen=True)
class TofResponse(Parameters):
    """Values of the response settings.

    Attributes:
        modulation: frequency [MHz].
        phase_noise: standard deviation of either part of the phasor, relative to a white surface at 1 m that faces the camera.
        spread: standard deviation of the point spread [px].
        amplitude_limit: amplitude below which nothing is reported, relative to the same surface.
        depth_step: quantization of the depth that is handed out [mm].
    """

    modulation: float = 20.0
    phase_noise: float = 0.0
    spread: float = 0.0
    amplitude_limit: float = 0.0
    depth_step: float = 0.0

    @property
    def wrap(self) -> float:
        """Distance at which the phase starts again [m]."""
        return LIGHT_SPEED / (2e6 * self.modulation)


@wp.kernel
def phasor_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    luminance: wp.array(dtype=wp.float32, ndim=2),
    along: wp.array(dtype=wp.float32, ndim=2),
    optics: Optics,
    wrap: float,
    out: wp.array(dtype=wp.vec3, ndim=2),
):
    """Phasor of each pixel's own ray (real, imaginary, 0); ``along`` is the ray's length per depth."""
    y, x = wp.tid()
    out[y, x] = wp.vec3()
    if inverse[y, x] > 0.0:
        distance = along[y, x] / inverse[y, x]
        amplitude = luminance[y, x] * wp.cos(incidence(inverse, y, x, optics)) / (distance * distance)
        turns = distance / wrap
        angle = 6.2831855 * (turns - wp.floor(turns))
        out[y, x] = wp.vec3(amplitude * wp.cos(angle), amplitude * wp.sin(angle), 0.0)


@wp.kernel
def phase_kernel(
    phasor: wp.array(dtype=wp.vec3, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    along: wp.array(dtype=wp.float32, ndim=2),
    optics: Optics,
    wrap: float,
    r: wp.vec3,
    out: wp.array(dtype=wp.float32, ndim=2),
):
    """Depth [m] of each phasor, inf where there is none; ``r`` = noise, amplitude limit, depth step [m]."""
    y, x = wp.tid()
    a = phasor[y, x][0] + r[0] * noise[0, y, x]
    b = phasor[y, x][1] + r[0] * noise[1, y, x]
    out[y, x] = wp.inf
    if a * a + b * b <= r[1] * r[1]:
        return
    turns = wp.atan2(b, a) / 6.2831855
    z = (turns - wp.floor(turns)) * wrap / along[y, x]
    if r[2] > 0.0:
        z = wp.rint(z / r[2]) * r[2]
    if z >= optics.near and z <= optics.far:
        out[y, x] = z


def ray_lengths(shape: tuple[int, int], intrinsics: object) -> np.ndarray:
    """Length of each pixel's ray per unit of depth, float32 [H, W]."""
    v, u = np.indices(shape)
    x, y = intrinsics.unproject(u, v)
    return np.sqrt(1 + x * x + y * y).astype(np.float32)


def respond_tof(depth: wp.array, luminance: wp.array, intrinsics: object, limits: tuple[float, float], r: TofResponse, seed: int) -> wp.array:
    """Measured depth [m], Warp float32 [H, W] on the device of ``depth``; inf where there is none.

    Args:
        depth: true distance to the image plane [m], inf where nothing was hit, [H, W].
        luminance: linear luminance of the scene in infrared, approximated by the colour image's, 0..1, [H, W].
        intrinsics: of the image, a pinhole.
        limits: nearest and furthest depth that is handed out [m]; light returns from beyond.
        r: values of the settings.
        seed: 31-bit seed.
    """
    from tailgate.sensors.optics import spread

    device, shape = depth.device, depth.shape
    inverse, nearest = wp.empty(shape, dtype=wp.float32, device=device), wp.empty(shape[0], dtype=wp.float32, device=device)
    along = wp.array(ray_lengths(shape, intrinsics), dtype=wp.float32, device=device)
    optics = optics_of(intrinsics, (CLOSEST, 1e9))
    wp.launch(surface_kernel, dim=shape[0], inputs=[depth, optics, inverse, nearest], device=device)
    phasor, out = wp.empty(shape, dtype=wp.vec3, device=device), wp.empty(shape, dtype=wp.float32, device=device)
    wp.launch(phasor_kernel, dim=shape, inputs=[inverse, luminance, along, optics, r.wrap, phasor], device=device)
    optics.near, optics.far = limits
    noise = noise_fields(seed, 1, shape, device=device)
    values = wp.vec3(r.phase_noise, max(r.amplitude_limit, 1e-12), 1e-3 * r.depth_step)
    wp.launch(phase_kernel, dim=shape, inputs=[spread(phasor, r.spread), noise, along, optics, r.wrap, values, out], device=device)
    return out


def respond_tof_twin(
    depth: np.ndarray, luminance: np.ndarray, intrinsics: object, limits: tuple[float, float], r: TofResponse, seed: int
) -> np.ndarray:
    """Twin of ``respond_tof`` on numpy arrays, float64 [H, W]."""
    along, seen = ray_lengths(depth.shape, intrinsics).astype(np.float64), np.isfinite(depth) & (depth >= CLOSEST)
    inverse = np.where(seen, 1 / np.where(seen, depth, 1.0), 0.0)
    distance = along * np.where(seen, depth, 1.0)
    amplitude = np.where(seen, luminance * np.cos(incidence_twin(inverse, intrinsics)) / distance**2, 0.0)
    phasor = amplitude * np.exp(2j * math.pi * distance / r.wrap)
    taps = spread_taps(r.spread).astype(np.float64)
    radius = len(taps) // 2
    for axis in (0, 1):
        padded = np.pad(phasor, [(radius, radius) if a == axis else (0, 0) for a in range(2)], mode="edge")
        phasor = sum(w * np.take(padded, range(i, i + phasor.shape[axis]), axis=axis) for i, w in enumerate(taps))
    noise = noise_fields_twin(seed, 1, depth.shape)
    phasor = phasor + r.phase_noise * (noise[0] + 1j * noise[1])
    z = np.angle(phasor) / (2 * math.pi) % 1.0 * r.wrap / along
    z = np.rint(z / (1e-3 * r.depth_step)) * 1e-3 * r.depth_step if r.depth_step > 0 else z
    return np.where((np.abs(phasor) > max(r.amplitude_limit, 1e-12)) & (z >= limits[0]) & (z <= limits[1]), z, np.inf)
