"""When a sensor says it measured, and whether its message came at all: trigger offset, latency, jitter and drops.

Only the time stamps change: measured is at the exact times, and what a camera carries from frame to frame goes through dropped ones. A stamp given on
arrival is late by the latency; drivers that stamp at the trigger have none. Jitter is normal, independent from frame to frame; a dropped frame leaves
its sensor out of the tick.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.rng import stream_key


@dataclass(frozen=True)
class Timing:
    """Values of the time settings.

    Attributes:
        trigger_offset: trigger after the tick [ms].
        latency: from the measurement to its stamp [ms].
        jitter: standard deviation of the stamp [ms].
        dropped: share of frames that are lost.
    """

    trigger_offset: float = 0.0
    latency: float = 0.0
    jitter: float = 0.0
    dropped: float = 0.0

    @classmethod
    def split(cls, params: dict[str, float]) -> tuple[Timing, dict[str, float]]:
        """The time settings among ``params``, and the others."""
        names = {f.name for f in fields(cls)}
        return cls(**{n: float(v) for n, v in params.items() if n in names}), {n: v for n, v in params.items() if n not in names}


def stamp(sensor: SensorFrame, timing: Timing, seed: int) -> SensorFrame | None:
    """The sensor's frame with the stamps it gives itself, or None where the frame is dropped.

    Args:
        sensor: with exact ``t_start`` and ``t_end`` [ns].
        timing: values of the settings.
        seed: 31-bit seed of this frame and sensor.
    """
    if timing == Timing():
        return sensor
    generator = np.random.Generator(np.random.Philox(key=stream_key(seed, "timing")))
    lost, deviation = generator.random(), generator.standard_normal()
    if lost < timing.dropped:
        return None
    late = round(1e6 * (timing.trigger_offset + timing.latency + timing.jitter * deviation))
    return replace(sensor, t_start=sensor.t_start + late, t_end=sensor.t_end + late)
