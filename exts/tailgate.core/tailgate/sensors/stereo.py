"""Depth response of an active stereo camera (Intel RealSense D400): block matching between two infrared images, helped by a projected pattern.

What matching makes of a depth image is shared with ``kinect``: disparity noise smooth over the window, steps, edges decided by windows, and a shadow,
here of what the right imager does not see: left of near objects, and along the left border ("invalid depth band"). Sources: Grunnet-Jepsen, Sweetser
and Woodfill 2018, "Best-known-methods for tuning Intel RealSense D400 depth cameras" (depth RMS = z² subpixel RMS / (focal length x base line));
Keselman et al. 2017, "Intel RealSense stereoscopic depth cameras" (matching, subpixel steps, pattern). Where neither the surface nor the pattern has
contrast there is nothing to match: the pattern's contrast falls with the square of distance and with the cosine of incidence.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.memory import recall
from tailgate.rng import kernel_seed
from tailgate.sensors.inverse_depth import CLOSEST, Optics, incidence_twin, optics_of, slant_kernel, surface_kernel
from tailgate.sensors.kinect import DISPARITY_CONSTANT, KinectResponse, respond_depth
from tailgate.sensors.noise_field import noise_fields, noise_fields_twin
from tailgate.sensors.parameters import Parameters

wp.set_module_options({"enable_backward": False})

TEXTURE_WINDOW = wp.constant(3)
"""Half the side of the window in which a surface's own contrast counts [px]."""


class Pair(KinectResponse):
    """Matching between two cameras."""

    paired = True


@dataclass(frozen=True)
class StereoResponse(Parameters):
    """Values of the response settings; those not named here are as in ``KinectResponse``.

    Attributes:
        baseline: distance of the right imager to the left one, whose view the depth image has [m].
        subpixel_rms: standard deviation of disparity [px].
        disparity_step: quantization of disparity [px].
        occlusion: share of the base line by which the right imager's view is offset; 1 for the true shadow, 0 for none.
        pattern: contrast of the projected pattern on a white surface at 1 m that faces the camera, share of white; 0 without projector.
        texture_limit: contrast of surface and pattern below which nothing is matched, share of white.
    """

    baseline: float = 0.05
    subpixel_rms: float = 0.0
    near_noise: float = 0.0
    noise_window: float = 1.0
    noise_rows: float = 1.0
    noise_grain: float = 0.0
    noise_period: float = 0.0
    disparity_step: float = 0.0
    depth_step: float = 0.0
    grazing_noise: float = 0.0
    speckle: float = 0.0
    support: float = 0.0
    fattening: float = 0.0
    occlusion: float = 0.0
    grazing_limit: float = 90.0
    dark_limit: float = 0.0
    dropout: float = 0.0
    pattern: float = 0.5
    texture_limit: float = 0.0

    def matching(self, focal: float) -> Pair:
        """The same in terms of ``KinectResponse`` for a focal length [px]."""
        shared = {f.name: getattr(self, f.name) for f in fields(KinectResponse) if hasattr(self, f.name)}
        per_pixel = 1.0 / (focal * self.baseline)
        step = self.disparity_step * per_pixel * DISPARITY_CONSTANT
        period = self.noise_period * per_pixel * DISPARITY_CONSTANT
        own = {"axial_noise": 1e3 * self.subpixel_rms * per_pixel, "disparity_step": step, "noise_period": period}
        own["projector_offset"] = self.occlusion * self.baseline
        return Pair(**{**shared, **own})


@wp.kernel
def texture_kernel(luminance: wp.array(dtype=wp.float32, ndim=2), out: wp.array(dtype=wp.float32, ndim=2)):
    """Mean contrast along the row in the window around each pixel."""
    y, x = wp.tid()
    h = luminance.shape[0]
    w = luminance.shape[1]
    own = float(0.0)
    for dy in range(-TEXTURE_WINDOW, TEXTURE_WINDOW + 1):
        for dx in range(-TEXTURE_WINDOW, TEXTURE_WINDOW + 1):
            i = wp.clamp(y + dy, 0, h - 1)
            own += wp.abs(luminance[i, wp.clamp(x + dx + 1, 0, w - 1)] - luminance[i, wp.clamp(x + dx - 1, 0, w - 1)])
    out[y, x] = own * (0.5 / float((2 * TEXTURE_WINDOW + 1) * (2 * TEXTURE_WINDOW + 1)))


@wp.kernel
def match_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    theta: wp.array(dtype=wp.float32, ndim=2),
    luminance: wp.array(dtype=wp.float32, ndim=2),
    texture: wp.array(dtype=wp.float32, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    pattern: float,
    limit: float,
    strip: int,
    depth: wp.array(dtype=wp.float32, ndim=2),
):
    """Take back the depth of pixels without contrast along the row; ``inverse`` is the true inverse depth [1/m], ``theta`` the incidence [rad]. A
    thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / inverse.shape[1]
    first = wp.tid() * strip % inverse.shape[1]
    for x in range(first, first + strip):
        q = inverse[y, x]
        if q > 0.0:
            projected = pattern * luminance[y, x] * wp.cos(theta[y, x]) * q * q
            if texture[y, x] + projected < limit * (1.0 + 0.3 * noise[0, y, x]):
                depth[y, x] = wp.inf


def respond_stereo(
    depth: wp.array, luminance: wp.array, intrinsics: Intrinsics, limits: tuple[float, float], response: StereoResponse, seed: int
) -> wp.array:
    """Measured depth [m], Warp float32 [H, W] on the device of ``depth``; inf where there is none. Arguments as in ``kinect.respond_depth``."""
    out = respond_depth(depth, luminance, intrinsics, limits, response.matching(intrinsics.fx), seed)
    if response.texture_limit <= 0:
        return out
    device, shape = depth.device, depth.shape
    shown = recall(("texture", depth.ptr, seed), (intrinsics, limits), lambda: _shown(depth, luminance, optics_of(intrinsics, limits)))
    noise = noise_fields(kernel_seed(seed, "texture"), 1, shape, (response.noise_rows, response.noise_window), device)
    threads, strip = strips(depth.size, device, shape[1])
    wp.launch(match_kernel, dim=threads, inputs=[*shown, noise, response.pattern, response.texture_limit, strip, out], device=device)
    return out


def _shown(depth: wp.array, luminance: wp.array, optics: Optics) -> tuple[wp.array, ...]:
    """Inverse depth [1/m], incidence [rad], luminance and contrast along the row of what a camera sees, [H, W] each."""
    device, shape = depth.device, depth.shape
    inverse, theta, steep, texture = (wp.empty(shape, dtype=wp.float32, device=device) for _ in range(4))
    nearest, (threads, strip) = wp.empty(shape[0], dtype=wp.float32, device=device), strips(depth.size, device, shape[1])
    wp.launch(surface_kernel, dim=shape[0], inputs=[depth, optics, inverse, nearest], device=device)
    wp.launch(slant_kernel, dim=threads, inputs=[inverse, optics, strip, theta, steep], device=device)
    wp.launch(texture_kernel, dim=shape, inputs=[luminance, texture], device=device)
    return inverse, theta, luminance, texture


def respond_stereo_twin(
    depth: np.ndarray, luminance: np.ndarray, intrinsics: Intrinsics, limits: tuple[float, float], response: StereoResponse, seed: int
) -> np.ndarray:
    """Twin of ``respond_stereo`` on numpy arrays, float64 [H, W]."""
    from tailgate.sensors.kinect_twin import respond_depth_twin

    out = respond_depth_twin(depth, luminance, intrinsics, limits, response.matching(intrinsics.fx), seed)
    if response.texture_limit <= 0:
        return out
    inside = (depth >= CLOSEST) & (depth <= limits[1])
    inverse = np.where(inside, 1.0 / np.where(inside, depth, 1.0), 0.0)
    side, (h, w) = TEXTURE_WINDOW, depth.shape
    padded = np.pad(luminance.astype(np.float64), ((side, side), (side + 1, side + 1)), mode="edge")
    step = np.abs(padded[:, 2:] - padded[:, :-2])
    own = sum(step[i : i + h, j : j + w] for i in range(2 * side + 1) for j in range(2 * side + 1)) * 0.5 / (2 * side + 1) ** 2
    projected = response.pattern * luminance * np.cos(incidence_twin(inverse, intrinsics)) * inverse**2
    noise = noise_fields_twin(kernel_seed(seed, "texture"), 1, depth.shape, (response.noise_rows, response.noise_window))[0]
    return np.where((inverse > 0) & (own + projected < response.texture_limit * (1 + 0.3 * noise)), np.inf, out)
