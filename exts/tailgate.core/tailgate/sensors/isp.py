"""From photosites to a picture: mosaic and demosaicing, white balance, colour matrix, gamma and tone, eight bits.

Colour filters: the pattern of Bayer (US patent 3,971,065), red upper left; demosaicing is OpenCV's. Transfer curve: IEC 61966-2-1 (sRGB).
Tone: the curve of the embedded renderer (Narkowicz 2015, a fit of the ACES reference) over linear light, or none where the light was decoded from a
finished picture.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.packages import need
from tailgate.stage.images import LUMINANCE

wp.set_module_options({"enable_backward": False})

KNOTS = 16384
PEDESTAL = 0.0625
"""Black level of the raw image as a share of its range: noise goes below black and is not cut off before it is averaged."""
RED, GREEN, BLUE = (wp.constant(float(weight)) for weight in LUMINANCE)


@wp.struct
class Develop:
    """Gains of red, green, blue; saturation; exponent of linear light; signal at the table's last knot."""

    gains: wp.vec3
    saturation: wp.float32
    gamma: wp.float32
    full: wp.float32


@wp.kernel
def develop_kernel(
    signal: wp.array(dtype=wp.vec3, ndim=2), d: Develop, curve: wp.array(dtype=wp.float32), strip: int, out: wp.array(dtype=wp.uint8, ndim=3)
):
    """White balance, colour matrix, gamma, tone curve and rounding to bytes; the fourth component stays as it is. A thread works through ``strip``
    pixels of a row."""
    y = wp.tid() * strip / signal.shape[1]
    first = wp.tid() * strip % signal.shape[1]
    last = curve.shape[0] - 1
    for x in range(first, first + strip):
        v = wp.cw_mul(signal[y, x], d.gains)
        grey = RED * v[0] + GREEN * v[1] + BLUE * v[2]
        for c in range(3):
            value = wp.clamp((grey + d.saturation * (v[c] - grey)) / d.full, 0.0, 1.0)
            if d.gamma != 1.0:
                value = wp.pow(value * d.full, d.gamma) / d.full
            knot = wp.min(value, 1.0) * float(last)
            low = wp.min(int(knot), last - 1)
            share = knot - float(low)
            out[y, x, c] = wp.uint8(int(wp.rint(curve[low] * (1.0 - share) + curve[low + 1] * share)))


def decode_table() -> np.ndarray:
    """Linear light of each sRGB byte, float32 [256]."""
    v = np.arange(256) / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


@lru_cache(maxsize=8)
def tone_curve(full: float, filmic: bool) -> np.ndarray:
    """sRGB level 0..255 at evenly spaced signals from 0 to ``full``, float32 [KNOTS]."""
    x = np.linspace(0.0, full, KNOTS)
    v = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14) if filmic else x, 0, 1)
    return (255.0 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)).astype(np.float32)


def gains(r: object) -> tuple[float, float, float]:
    """What red, green and blue are multiplied by: the camera evens out the colour of the light, but for its error."""
    return r.white_balance_red / r.illuminant_red, 1.0, r.white_balance_blue / r.illuminant_blue


def develop(signal: wp.array, r: object, full: float, filmic: bool, out: wp.array) -> None:
    """Write the picture of a signal, Warp vec3 [H, W], into ``out``, Warp uint8 [H, W, 4].

    Args:
        signal: linear red, green, blue.
        r: a ``ColourResponse``.
        full: signal at which photosites are full.
        filmic: with the tone curve.
        out: its fourth component is kept.
    """
    d = Develop()
    d.gains, d.saturation = wp.vec3(*gains(r)), r.saturation
    d.gamma, d.full = r.gamma, full
    curve = wp.array(tone_curve(full, filmic), dtype=wp.float32, device=signal.device)
    threads, strip = strips(signal.size, signal.device, signal.shape[1])
    wp.launch(develop_kernel, dim=threads, inputs=[signal, d, curve, strip, out], device=signal.device)


def develop_twin(signal: np.ndarray, r: object, full: float, filmic: bool) -> np.ndarray:
    """Readable twin of ``develop``, uint8 [H, W, 3]."""
    v = signal * gains(r)
    grey = (v @ LUMINANCE)[..., None]
    v = np.clip(grey + r.saturation * (v - grey), 0, full)
    v = np.minimum(v**r.gamma, full)
    return np.rint(np.interp(v, np.linspace(0, full, KNOTS), tone_curve(full, filmic))).astype(np.uint8)


def mosaic(signal: np.ndarray) -> np.ndarray:
    """Keep one colour per photosite, red upper left: [H, W] of [H, W, 3]."""
    rows, columns = np.indices(signal.shape[:2]) % 2
    return np.take_along_axis(signal, (rows + columns)[..., None], axis=2)[..., 0]


def demosaic(raw: np.ndarray, full: float) -> np.ndarray:
    """Colours from a mosaic by OpenCV's edge-aware interpolation in 16 bits, float32 [H, W, 3]; one too small for it is mirrored at its borders."""
    if min(raw.shape) < 4:
        return demosaic(np.pad(raw, 4, mode="reflect"), full)[4:-4, 4:-4]
    cv2 = need("cv2")
    code = PEDESTAL + (1 - PEDESTAL) * np.clip(raw / full, -PEDESTAL / (1 - PEDESTAL), 1)
    colours = cv2.demosaicing(np.rint(65535 * code).astype(np.uint16), cv2.COLOR_BayerRGGB2RGB_EA)
    return ((colours.astype(np.float32) / 65535 - PEDESTAL) / (1 - PEDESTAL) * full).astype(np.float32)

