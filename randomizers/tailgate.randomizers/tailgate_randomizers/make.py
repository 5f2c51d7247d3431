"""Short ways to write default settings."""

from __future__ import annotations

from tailgate.config.setting import Role, Setting
from tailgate.distributions import Choice, Constant, LogRanged, Ranged, Value


def ranged(low: float, high: float, unit: str = "", shape: tuple[float, float] = (1.0, 1.0), role: Role = "nuisance", log: bool = False) -> Setting:
    """A Beta(*shape) on [low, high], on the logarithm of the value if ``log``."""
    kind = LogRanged if log else Ranged
    return Setting(dist=kind(low=low, high=high, unit=unit, alpha=shape[0], beta=shape[1]), role=role)


def choice(values: tuple[Value, ...], weights: tuple[float, ...] | None = None) -> Setting:
    """One of some values."""
    return Setting(dist=Choice(values=values, weights=weights))


def constant(value: Value, unit: str = "") -> Setting:
    """Always the same value."""
    return Setting(dist=Constant(value=value, unit=unit))


def rounded(values, digits: int = 6) -> list[float]:
    """A list of floats short enough to record."""
    return [round(float(v), digits) for v in values]
