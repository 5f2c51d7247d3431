"""Which values the settings of a sensor's response may take: shares lie within 0 and 1, strengths and widths are not below 0."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from tailgate.distributions import Choice, Conditional, Constant, Distribution, Joint, Ranged
from tailgate.errors import UserError, Where

SHARES = (
    *("dropped", "drop_base", "drop_near", "drop_grain", "drop_correlation", "noise_grain", "noise_correlation", "intensity_step", "bloom_level"),
    *("vignetting_edge", "bloom", "glare", "mosaic", "driver_mosaic", "support", "dropout", "occlusion"),
)
SIGNED = {
    **{"exposure": 20.0, "trigger_offset": 1e6, "chromatic_red": 20.0, "chromatic_blue": 20.0},
    **{"field_aside": 10.0, "projector_offset": 10.0, "registration": 1e3},
}
"""Parameter -> largest magnitude of either sign."""
ABOVE_0 = ("gamma", "illuminant_red", "illuminant_blue", "modulation", "baseline")
WINDOWS = ("noise_window", "noise_rows", "colour_grain")
LOGS = ("noise_tail", "intensity_spread", "intensity_tail", "scatter_spread", "speckle")
DELAYS = ("latency", "jitter")
SPREADS = ("blur", "sharpening_radius", "spread")
BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(SHARES, (0.0, 1.0)),
    **{name: (-most, most) for name, most in SIGNED.items()},
    **dict.fromkeys(WINDOWS, (1.0, 49.0)),
    **dict.fromkeys(LOGS, (0.0, 5.0)),
    **dict.fromkeys(DELAYS, (0.0, 1e6)),
    **dict.fromkeys(SPREADS, (0.0, 100.0)),
    "bloom_radius": (0.0, 1000.0),
    "raw_bits": (0.0, 24.0),
    "chroma_loss": (0.0, 2.0),
    "jpeg_loss": (0.0, 99.0),
    "grazing_limit": (0.0, 90.0),
    "modulation": (0.0, 1e4),
    "baseline": (0.0, 10.0),
    "camera_offset": (0.0, 1.0),
}
"""Parameter -> least and greatest value; any other is at least 0."""


def check_bounds(name: str, dist: Distribution, where: Where | None = None) -> None:
    """Refuse a distribution of a response parameter that can give a value without a meaning."""
    if isinstance(dist, Joint):
        for one, marginal in dist.marginals.items():
            check_bounds(one, marginal, where)
        return
    low, high = BOUNDS.get(name, (0.0, math.inf))
    for value in _ends(dist):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"response parameter '{name}' must be a number, got {value!r}", where)
        if not low <= value <= high or (name in ABOVE_0 and value <= 0):
            least = "above 0" if name in ABOVE_0 else f"at least {low:g}"
            wanted = least if high == math.inf else f"{least} and at most {high:g}" if name in ABOVE_0 else f"from {low:g} to {high:g}"
            raise UserError(f"response parameter '{name}' must be {wanted}, got {value:g}", where)


def _ends(dist: Distribution) -> Iterator[object]:
    """Values of a distribution between which, or at which, all others lie."""
    if isinstance(dist, Conditional):
        for case in (*dist.cases.values(), dist.default):
            yield from _ends(case) if case is not None else ()
    elif isinstance(dist, Ranged):
        yield from (dist.low, dist.high)
    else:
        held: Iterable[object] = dist.values if isinstance(dist, Choice) else (dist.value,) if isinstance(dist, Constant) else ()
        yield from held
