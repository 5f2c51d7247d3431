"""One change of one setting, with its reason in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tailgate.config.setting import Setting
from tailgate.distributions import Choice, Constant, Ranged


@dataclass(frozen=True)
class Change:
    """What feedback did to a setting and why.

    Attributes:
        address: setting address.
        metric, stratum: what was measured.
        effect: change of the metric per standard deviation of the setting (regression), or the estimate itself (estimation).
        p_value: corrected for multiplicity; None for an estimate.
        old, new: the distributions in words.
        words: one sentence for people.
    """

    address: str
    metric: str
    stratum: str
    effect: float
    p_value: float | None
    old: str
    new: str
    words: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def describe(setting: Setting) -> str:
    """A distribution in words: ``0.02 ± 0.01 m within [0, 0.1]``."""
    dist = setting.dist
    if isinstance(dist, Ranged):
        half = dist.spread * (dist.high - dist.low)
        about = f"{dist.mean:.3g} ± {half:.2g}" if dist.kind == "ranged" else f"about {dist.mean:.3g} (spread {dist.width:.0%} of its bounds)"
        return f"{about} {dist.unit} within [{dist.low:g}, {dist.high:g}]".replace("  ", " ")
    if isinstance(dist, Choice):
        return ", ".join(f"{v}: {p:.0%}" for v, p in zip(dist.values, dist.probabilities, strict=True))
    return str(dist.value) if isinstance(dist, Constant) else dist.kind
