"""Colour response of a camera, in the order in which a real one acts: lens, exposure, photosites, sharpening, picture, transport.

Sources and models stand in the parts: ``optics``, ``photosites``, ``sharpening``, ``isp``, ``handover``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.frames import Intrinsics
from tailgate.geometry.quiet import wp
from tailgate.rng import kernel_seed
from tailgate.sensors.exposure import Device
from tailgate.sensors.handover import hand_over, hand_over_twin
from tailgate.sensors.isp import BLUE, GREEN, RED, decode_table, demosaic, develop, develop_twin, mosaic
from tailgate.sensors.optics import through_lens, through_lens_twin
from tailgate.sensors.parameters import Parameters
from tailgate.sensors.photosites import expose, expose_twin
from tailgate.sensors.sharpening import sharpen, sharpen_twin

wp.set_module_options({"enable_backward": False})

FULL = 8.0
"""Signal at which photosites are full, three stops above a diffuse white: where the tone curve has reached white."""
BRIGHTEST = wp.constant(1.0e5)
"""Largest signal before the lens, the sun over a diffuse white: an infinity would spread over the whole picture."""


@dataclass(frozen=True)
class ColourResponse(Parameters):
    """Values of the colour settings.

    Attributes:
        exposure: change of exposure in stops; +1 doubles the light.
        exposure_lag: time constant of automatic exposure [s]; 0 follows at once.
        vignetting: strength of the cosine law of falloff; 1 for cos⁴.
        vignetting_edge: further share of light lost at the furthest corner.
        chromatic_red, chromatic_blue: how much further out than green the furthest corner is imaged [px].
        blur: standard deviation of the point spread [px]; as sampled at pixels, less than that below half a pixel.
        bloom: share of light spread around its source.
        bloom_radius: standard deviation of that spread [px].
        glare: share of light spread over the whole image.
        illuminant_red, illuminant_blue: red and blue light on the photosites relative to green; the camera evens it out, and the noise with it.
        shot_noise: variance per unit of linear signal (1 = diffuse white).
        read_noise: standard deviation at black, in linear signal.
        colour_grain: side of the square over which both are averaged without losing strength [px]: what scaling and noise reduction make of them.
        row_noise: standard deviation of what a row has in common, new in each frame, in linear signal.
        column_noise: the same of columns, fixed for the device.
        prnu: standard deviation of the photosites' gain, fixed for the device, share.
        dsnu: standard deviation of the photosites' offset, fixed for the device, in linear signal.
        raw_bits: bits of the converter, 0 for no steps.
        mosaic: 1 for one colour filter per photosite, 0 for three.
        sharpening: share of what a Gaussian takes away from the signal that is added to it.
        sharpening_radius: standard deviation of that Gaussian [px].
        white_balance_red, white_balance_blue: error of the white balance, as gain relative to green.
        saturation: gain of colour against grey; the colour matrix.
        gamma: exponent of linear light before the tone curve.
        driver_mosaic: 1 where the picture leaves the camera as one colour per pixel and the driver interpolates the others.
        chroma_loss: 0 for a colour difference per pixel (4:4:4), 1 for one per two columns (4:2:2), 2 for one per two columns and rows (4:2:0).
        jpeg_loss: 100 less JPEG's quality; 0 for no compression.
    """

    exposure: float = 0.0
    exposure_lag: float = 0.0
    vignetting: float = 0.0
    vignetting_edge: float = 0.0
    chromatic_red: float = 0.0
    chromatic_blue: float = 0.0
    blur: float = 0.0
    bloom: float = 0.0
    bloom_radius: float = 12.0
    glare: float = 0.0
    illuminant_red: float = 1.0
    illuminant_blue: float = 1.0
    shot_noise: float = 0.0
    read_noise: float = 0.0
    colour_grain: float = 1.0
    row_noise: float = 0.0
    column_noise: float = 0.0
    prnu: float = 0.0
    dsnu: float = 0.0
    raw_bits: float = 0.0
    mosaic: float = 0.0
    sharpening: float = 0.0
    sharpening_radius: float = 1.0
    white_balance_red: float = 1.0
    white_balance_blue: float = 1.0
    saturation: float = 1.0
    gamma: float = 1.0
    driver_mosaic: float = 0.0
    chroma_loss: float = 0.0
    jpeg_loss: float = 0.0


@wp.kernel
def decode_kernel(rgb: wp.array(dtype=wp.uint8, ndim=3), decode: wp.array(dtype=wp.float32), gain: wp.vec3, out: wp.array(dtype=wp.vec3, ndim=2)):
    """sRGB bytes to linear light times the gain."""
    y, x = wp.tid()
    out[y, x] = wp.cw_mul(wp.vec3(decode[int(rgb[y, x, 0])], decode[int(rgb[y, x, 1])], decode[int(rgb[y, x, 2])]), gain)


@wp.kernel
def radiance_kernel(hdr: wp.array(dtype=wp.float32, ndim=3), gain: wp.vec3, out: wp.array(dtype=wp.vec3, ndim=2)):
    """Radiance times the exposure, 0 where it is none."""
    y, x = wp.tid()
    light = wp.vec3()
    for c in range(3):
        if hdr[y, x, c] > 0.0:
            light[c] = wp.min(hdr[y, x, c] * gain[c], BRIGHTEST)
    out[y, x] = light


@wp.kernel
def luminance_kernel(rgb: wp.array(dtype=wp.uint8, ndim=3), decode: wp.array(dtype=wp.float32), out: wp.array(dtype=wp.float32, ndim=2)):
    """Linear luminance of sRGB bytes (Rec. 709 weights), 0..1."""
    y, x = wp.tid()
    r = decode[int(rgb[y, x, 0])]
    g = decode[int(rgb[y, x, 1])]
    b = decode[int(rgb[y, x, 2])]
    out[y, x] = RED * r + GREEN * g + BLUE * b


def luminance_of(rgb: wp.array) -> wp.array:
    """Linear luminance of a picture, 0..1, Warp float32 [H, W] on its device."""
    out = wp.empty(rgb.shape[:2], dtype=wp.float32, device=rgb.device)
    decode = wp.array(decode_table(), dtype=wp.float32, device=rgb.device)
    wp.launch(luminance_kernel, dim=out.shape, inputs=[rgb, decode, out], device=rgb.device)
    return out


def respond_radiance(
    hdr: wp.array, rgb: wp.array, exposure: float, intrinsics: Intrinsics, response: ColourResponse, seeds: tuple[int, int]
) -> wp.array:
    """Measured colour of a radiance image, Warp uint8 [H, W, 4] on its device.

    Args:
        hdr: linear radiance, float32 [H, W, 3 or 4].
        rgb: the rendered picture, uint8 [H, W, 3 or 4]; a fourth component is kept.
        exposure: factor on radiance.
        intrinsics: of the image.
        response: values of the settings.
        seeds: 31-bit seeds of the frame and of the device.
    """
    light = wp.empty(hdr.shape[:2], dtype=wp.vec3, device=hdr.device)
    wp.launch(radiance_kernel, dim=light.shape, inputs=[hdr, _gain(exposure, response), light], device=hdr.device)
    return _picture(light, rgb, intrinsics, response, seeds, FULL)


def respond_colour(rgb: wp.array, intrinsics: Intrinsics, response: ColourResponse, seeds: tuple[int, int]) -> wp.array:
    """As ``respond_radiance`` where only a finished picture is at hand: its light ends at white and its tone curve is left alone."""
    light = wp.empty(rgb.shape[:2], dtype=wp.vec3, device=rgb.device)
    decode = wp.array(decode_table(), dtype=wp.float32, device=rgb.device)
    wp.launch(decode_kernel, dim=light.shape, inputs=[rgb, decode, _gain(1.0, response), light], device=rgb.device)
    return _picture(light, rgb, intrinsics, response, seeds, 1.0)


def respond_light(hdr: wp.array, rgb: wp.array, intrinsics: Intrinsics, response: ColourResponse, seeds: tuple[int, int]) -> wp.array:
    """As ``respond_colour`` from the light that the picture ``rgb`` shows, float32 [H, W, 4]: without the steps of its bytes."""
    light = wp.empty(rgb.shape[:2], dtype=wp.vec3, device=rgb.device)
    wp.launch(radiance_kernel, dim=light.shape, inputs=[hdr, _gain(1.0, response), light], device=rgb.device)
    return _picture(light, rgb, intrinsics, response, seeds, 1.0)


def _gain(exposure: float, r: ColourResponse) -> wp.vec3:
    """What light is multiplied by on its way to the photosites."""
    return wp.vec3(r.illuminant_red, 1.0, r.illuminant_blue) * (exposure * 2.0**r.exposure)


def _picture(light: wp.array, rgb: wp.array, intrinsics: Intrinsics, r: ColourResponse, seeds: tuple[int, int], full: float) -> wp.array:
    signal = expose(through_lens(light, intrinsics, r), r, full, *seeds)
    if r.mosaic > 0:
        signal = wp.array(demosaic(mosaic(signal.numpy()), full), dtype=wp.vec3, device=rgb.device)
    sharpen(signal, r)
    out = wp.clone(rgb)
    develop(signal, r, full, full > 1.0, out)
    return hand_over(out, r)


def respond_twin(light: np.ndarray, intrinsics: Intrinsics, r: ColourResponse, seeds: tuple[int, int], full: float) -> np.ndarray:
    """Readable twin of the chain from exposed linear light [H, W, 3] on, uint8 [H, W, 3]."""
    light = light * (r.illuminant_red, 1.0, r.illuminant_blue)
    signal = expose_twin(through_lens_twin(light, intrinsics, r), r, full, *seeds)
    signal = demosaic(mosaic(signal), full) if r.mosaic > 0 else signal
    return hand_over_twin(develop_twin(sharpen_twin(signal, r), r, full, full > 1.0), r)


def radiance_twin(hdr: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Readable twin of ``radiance_kernel``: light [H, W, 3] of an image [H, W, >= 3] whose colours are multiplied by gains [3]."""
    lit = np.where(hdr[..., :3] > 0, hdr[..., :3], 0.0)
    return np.minimum(lit * gain, float(BRIGHTEST))


def decode_twin(rgb: np.ndarray) -> np.ndarray:
    """Readable twin of ``decode_kernel`` without gains: linear light [..., 3] of sRGB bytes (IEC 61966-2-1)."""
    code = rgb[..., :3] / 255.0
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def luminance_twin(rgb: np.ndarray) -> np.ndarray:
    """Readable twin of ``luminance_kernel``: luminance of sRGB bytes, 0..1."""
    return decode_twin(rgb) @ (RED, GREEN, BLUE)


def seeds_of(seed: int, device: Device) -> tuple[int, int]:
    """Seeds of the frame's noise and of the device's pattern."""
    return kernel_seed(seed, "colour"), kernel_seed(device.seed, "colour")
