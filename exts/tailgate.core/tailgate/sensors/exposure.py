"""Automatic exposure: metering, and the lag with which a camera follows the light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tailgate.stage.images import LUMINANCE

GREY = 0.18
"""Signal that automatic exposure gives to the log-average of a picture (Reinhard et al. 2002), where the renderer chose none."""


@dataclass(frozen=True)
class Device:
    """What a camera carries from frame to frame.

    Attributes:
        seed: 31-bit seed of its fixed pattern.
        exposure: exposure of the frame before, None for the first.
        seconds: time since then [s].
    """

    seed: int = 0
    exposure: float | None = None
    seconds: float = 0.0


def lagged(target: float, lag: float, device: Device) -> float:
    """Exposure that automatic control has reached: it nears the target's logarithm with the time constant ``lag`` [s]."""
    if device.exposure is None or lag <= 0 or min(target, device.exposure) <= 0:
        return target
    return target * (device.exposure / target) ** math.exp(-device.seconds / lag)


def meter(hdr: np.ndarray) -> float:
    """Exposure that shows the log-average of a radiance image [H, W, >= 3] as ``GREY``."""
    luminance = hdr[..., :3].astype(np.float64) @ LUMINANCE
    lit = luminance[(luminance > 0) & np.isfinite(luminance)]
    return float(GREY / np.exp(np.log(lit).mean())) if len(lit) else 1.0
