"""Colour response of a camera: exposure, white balance, blur, shot and read noise, in linear light.

Noise model: variance = shot noise x signal + read noise², the affine model of Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and
fitting for single-image raw-data". Transfer curve: IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

ENCODE_KNOTS = 4096


@dataclass(frozen=True)
class ColourResponse:
    """Values of the colour settings.

    Attributes:
        exposure: change of exposure in stops; +1 doubles the light.
        white_balance_red, white_balance_blue: gain relative to green.
        blur: standard deviation of the point spread [px].
        shot_noise: variance per unit of linear signal (1 = white).
        read_noise: standard deviation at black, in linear signal.
    """

    exposure: float = 0.0
    white_balance_red: float = 1.0
    white_balance_blue: float = 1.0
    blur: float = 0.0
    shot_noise: float = 0.0
    read_noise: float = 0.0

    @classmethod
    def from_params(cls, params: dict[str, float]) -> ColourResponse:
        """Take the colour parameters of ``params``."""
        return cls(**{f.name: float(params[f.name]) for f in fields(cls) if f.name in params})

    @property
    def gains(self) -> tuple[float, float, float]:
        """Linear gain of red, green and blue."""
        gain = 2.0**self.exposure
        return gain * self.white_balance_red, gain, gain * self.white_balance_blue


@wp.kernel
def expose_kernel(
    rgb: wp.array(dtype=wp.uint8, ndim=3), decode: wp.array(dtype=wp.float32), gains: wp.vec3, out: wp.array(dtype=wp.vec3, ndim=2)
):
    """sRGB bytes to linear light times the gains."""
    y, x = wp.tid()
    r = gains[0] * decode[int(rgb[y, x, 0])]
    g = gains[1] * decode[int(rgb[y, x, 1])]
    b = gains[2] * decode[int(rgb[y, x, 2])]
    out[y, x] = wp.vec3(r, g, b)


@wp.kernel
def luminance_kernel(rgb: wp.array(dtype=wp.uint8, ndim=3), decode: wp.array(dtype=wp.float32), out: wp.array(dtype=wp.float32, ndim=2)):
    """Linear luminance of sRGB bytes (Rec. 709 weights), 0..1."""
    y, x = wp.tid()
    r = decode[int(rgb[y, x, 0])]
    g = decode[int(rgb[y, x, 1])]
    b = decode[int(rgb[y, x, 2])]
    out[y, x] = 0.2126 * r + 0.7152 * g + 0.0722 * b


@wp.kernel
def spread_kernel(src: wp.array(dtype=wp.vec3, ndim=2), taps: wp.array(dtype=wp.float32), axis: int, out: wp.array(dtype=wp.vec3, ndim=2)):
    """Weighted mean along columns (axis 0) or rows (axis 1), the border repeated."""
    y, x = wp.tid()
    radius = taps.shape[0] / 2
    total = wp.vec3(0.0, 0.0, 0.0)
    for i in range(taps.shape[0]):
        sy = y
        sx = x
        if axis == 0:
            sy = wp.clamp(y + i - radius, 0, src.shape[0] - 1)
        else:
            sx = wp.clamp(x + i - radius, 0, src.shape[1] - 1)
        total += taps[i] * src[sy, sx]
    out[y, x] = total


@wp.kernel
def encode_kernel(
    light: wp.array(dtype=wp.vec3, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    shot: float,
    read: float,
    encode: wp.array(dtype=wp.float32),
    out: wp.array(dtype=wp.uint8, ndim=3),
):
    """Add noise, clip at white and write sRGB bytes; the fourth component stays as it is."""
    y, x = wp.tid()
    last = encode.shape[0] - 1
    for c in range(3):
        signal = light[y, x][c]
        value = signal + wp.sqrt(shot * signal + read * read) * noise[c, y, x]
        knot = wp.clamp(value, 0.0, 1.0) * float(last)
        low = wp.min(int(knot), last - 1)
        share = knot - float(low)
        level = encode[low] * (1.0 - share) + encode[low + 1] * share
        out[y, x, c] = wp.uint8(int(wp.rint(level)))


def decode_table() -> np.ndarray:
    """Linear light of each sRGB byte, float32 [256]."""
    v = np.arange(256) / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode_table() -> np.ndarray:
    """sRGB level 0..255 at evenly spaced linear light, float32 [4096]."""
    v = np.linspace(0.0, 1.0, ENCODE_KNOTS)
    return (255.0 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)).astype(np.float32)


def spread_taps(blur: float) -> np.ndarray:
    """Gaussian weights with unit sum, float32 [2 r + 1], r = ceil(2.5 blur)."""
    radius = int(np.ceil(2.5 * max(blur, 0.0)))
    weight = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(blur, 1e-3)) ** 2)
    return (weight / weight.sum()).astype(np.float32)


def respond_colour(rgb: wp.array, response: ColourResponse, seed: int) -> wp.array:
    """Measured colour, Warp uint8 [H, W, 4] on the device of ``rgb``.

    Args:
        rgb: rendered sRGB, uint8 [H, W, 4].
        response: values of the settings.
        seed: 31-bit seed.
    """
    from tailgate.sensors.noise_field import noise_fields

    device, shape = rgb.device, rgb.shape[:2]
    light = wp.empty(shape, dtype=wp.vec3, device=device)
    decode, encode = (wp.array(t, dtype=wp.float32, device=device) for t in (decode_table(), encode_table()))
    wp.launch(expose_kernel, dim=shape, inputs=[rgb, decode, wp.vec3(*response.gains), light], device=device)
    taps = spread_taps(response.blur)
    if len(taps) > 1:
        weights, other = wp.array(taps, dtype=wp.float32, device=device), wp.empty_like(light)
        wp.launch(spread_kernel, dim=shape, inputs=[light, weights, 0, other], device=device)
        wp.launch(spread_kernel, dim=shape, inputs=[other, weights, 1, light], device=device)
    out = wp.clone(rgb)
    noise = noise_fields(seed, 2, shape, 1.0, device)
    wp.launch(encode_kernel, dim=shape, inputs=[light, noise, response.shot_noise, response.read_noise, encode, out], device=device)
    return out


def respond_colour_twin(rgb: np.ndarray, response: ColourResponse, seed: int) -> np.ndarray:
    """Readable twin of ``respond_colour`` on numpy arrays."""
    from tailgate.sensors.noise_field import noise_fields_twin

    light = decode_table().astype(np.float64)[rgb[..., :3]] * response.gains
    taps = spread_taps(response.blur).astype(np.float64)
    radius = len(taps) // 2
    for axis in (0, 1):
        padded = np.pad(light, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        light = sum(w * np.take(padded, range(i, i + light.shape[axis]), axis=axis) for i, w in enumerate(taps))
    noise = noise_fields_twin(seed, 2, rgb.shape[:2], 1.0)[:3].transpose(1, 2, 0)
    value = np.clip(light + np.sqrt(response.shot_noise * light + response.read_noise**2) * noise, 0, 1)
    level = np.interp(value, np.linspace(0, 1, ENCODE_KNOTS), encode_table())
    return np.concatenate([np.rint(level).astype(np.uint8), rgb[..., 3:]], axis=-1)
