"""Sharpening within the camera: the unsharp mask adds a share of what a Gaussian takes away from the linear signal.

Source: Polesel, Ramponi and Mathews 2000, "Image enhancement via adaptive unsharp masking". Edges get rims; since the signal is still linear, the one
on the dark side is the plainer.
"""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.sensors.optics import spread, spread_twin

wp.set_module_options({"enable_backward": False})


@wp.kernel
def sharpen_kernel(signal: wp.array(dtype=wp.vec3, ndim=2), soft: wp.array(dtype=wp.vec3, ndim=2), amount: float):
    """Add ``amount`` of what ``soft`` lacks of the signal."""
    y, x = wp.tid()
    signal[y, x] = signal[y, x] + (signal[y, x] - soft[y, x]) * amount


def sharpen(signal: wp.array, r: object) -> None:
    """Sharpen linear red, green, blue, Warp vec3 [H, W], in place by the settings of a ``ColourResponse``."""
    if r.sharpening and r.sharpening_radius:
        inputs = [signal, spread(signal, r.sharpening_radius), r.sharpening]
        wp.launch(sharpen_kernel, dim=signal.shape, inputs=inputs, device=signal.device)


def sharpen_twin(signal: np.ndarray, r: object) -> np.ndarray:
    """Readable twin of ``sharpen``, float64 [H, W, 3]."""
    return signal + r.sharpening * (signal - spread_twin(signal, r.sharpening_radius))
