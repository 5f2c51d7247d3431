"""What a sensor makes of the light: photon noise, the noise of the circuit, its fixed pattern, and the steps of the converter.

The model is that of EMVA 1288 (release 4.0, "Standard for characterization of image sensors and cameras"): temporal variance = read noise² + gain x
signal (the photon transfer line), split into pixel, row and column parts; spatial non-uniformity as a gain (PRNU) and an offset (DSNU) per
photosite, constant for a device. Signals are linear; 1 is a diffuse white surface as exposed.
"""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.rng import kernel_seed
from tailgate.sensors.noise_field import noise_fields, noise_fields_twin

wp.set_module_options({"enable_backward": False})


@wp.struct
class Circuit:
    """Values of the settings; see ``ColourResponse``. ``steps`` is the number of the converter's steps per unit of signal, 0 for none."""

    shot: wp.float32
    read: wp.float32
    row: wp.float32
    column: wp.float32
    prnu: wp.float32
    dsnu: wp.float32
    full: wp.float32
    steps: wp.float32


@wp.kernel
def expose_kernel(
    light: wp.array(dtype=wp.vec3, ndim=2),
    temporal: wp.array(dtype=wp.float32, ndim=3),
    rows: wp.array(dtype=wp.float32, ndim=3),
    pattern: wp.array(dtype=wp.float32, ndim=3),
    columns: wp.array(dtype=wp.float32, ndim=3),
    c: Circuit,
    strip: int,
    out: wp.array(dtype=wp.vec3, ndim=2),
):
    """Signal of each photosite. Noise fields: ``temporal`` [4, H, W] and ``pattern`` [6, H, W] (gain of red, green, blue, then offset), ``rows``
    [2, H, 1], ``columns`` [2, 1, W]; one whose strength is 0 is not read. A thread works through ``strip`` photosites of a row."""
    y = wp.tid() * strip / light.shape[1]
    first = wp.tid() * strip % light.shape[1]
    for x in range(first, first + strip):
        shared = float(0.0)  # noqa: UP018
        if c.row > 0.0:
            shared += c.row * rows[0, y, 0]
        if c.column > 0.0:
            shared += c.column * columns[0, 0, x]
        signal = wp.vec3()
        for k in range(3):
            value = wp.max(light[y, x][k], 0.0)
            if c.prnu > 0.0:
                value = value * (1.0 + c.prnu * pattern[k, y, x])
            if c.shot > 0.0 or c.read > 0.0:
                value += wp.sqrt(c.shot * wp.max(value, 0.0) + c.read * c.read) * temporal[k, y, x]
            if c.dsnu > 0.0:
                value += c.dsnu * pattern[3 + k, y, x]
            value = wp.min(value + shared, c.full)
            if c.steps > 0.0:
                value = wp.rint(value * c.steps) / c.steps
            signal[k] = value
        out[y, x] = signal


def circuit(r: object, full: float) -> Circuit:
    """Kernel arguments of a ``ColourResponse`` for photosites that are full at signal ``full``."""
    out = Circuit()
    out.shot, out.read, out.row, out.column = r.shot_noise, r.read_noise, r.row_noise, r.column_noise
    out.prnu, out.dsnu, out.full = r.prnu, r.dsnu, full
    out.steps = (2.0**r.raw_bits - 1.0) / full if r.raw_bits > 0 else 0.0
    return out


def expose(light: wp.array, r: object, full: float, seed: int, device_seed: int) -> wp.array:
    """Signal of the photosites, Warp vec3 [H, W]; it may be below 0 by its noise.

    Args:
        light: linear red, green, blue on the sensor, 1 = diffuse white.
        r: a ``ColourResponse``.
        full: signal at which a photosite is full.
        seed: 31-bit seed of the frame: what changes from frame to frame.
        device_seed: 31-bit seed of the device: its fixed pattern.
    """
    device, shape, none = light.device, light.shape, wp.zeros((1, 1, 1), dtype=wp.float32, device=light.device)
    height, width = shape
    fields = [
        noise_fields(seed, 2, shape, (r.colour_grain, r.colour_grain), device) if r.shot_noise > 0 or r.read_noise > 0 else none,
        noise_fields(kernel_seed(seed, "rows"), 1, (height, 1), device=device) if r.row_noise > 0 else none,
        noise_fields(kernel_seed(device_seed, "pattern"), 3, shape, device=device) if r.prnu > 0 or r.dsnu > 0 else none,
        noise_fields(kernel_seed(device_seed, "columns"), 1, (1, width), device=device) if r.column_noise > 0 else none,
    ]
    out = wp.empty_like(light)
    threads, strip = strips(light.size, device, width)
    wp.launch(expose_kernel, dim=threads, inputs=[light, *fields, circuit(r, full), strip, out], device=device)
    return out


def expose_twin(light: np.ndarray, r: object, full: float, seed: int, device_seed: int) -> np.ndarray:
    """Readable twin of ``expose`` on numpy arrays, float64 [H, W, 3]."""
    shape = light.shape[:2]
    temporal = noise_fields_twin(seed, 2, shape, (r.colour_grain, r.colour_grain))[:3].transpose(1, 2, 0)
    rows = noise_fields_twin(kernel_seed(seed, "rows"), 1, (shape[0], 1))[0]
    pattern = noise_fields_twin(kernel_seed(device_seed, "pattern"), 3, shape).transpose(1, 2, 0)
    columns = noise_fields_twin(kernel_seed(device_seed, "columns"), 1, (1, shape[1]))[0]
    signal = np.maximum(light, 0) * (1 + r.prnu * pattern[..., :3])
    signal = signal + np.sqrt(r.shot_noise * np.maximum(signal, 0) + r.read_noise**2) * temporal + r.dsnu * pattern[..., 3:]
    signal = np.minimum(signal + (r.row_noise * rows + r.column_noise * columns)[..., None], full)
    steps = (2**r.raw_bits - 1) / full
    return np.rint(signal * steps) / steps if r.raw_bits > 0 else signal
