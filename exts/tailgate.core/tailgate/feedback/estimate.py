"""Step 1: what the reference identifies is set, not searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tailgate.config.setting import Setting
from tailgate.distributions import Ranged
from tailgate.feedback.change import Change, describe

LEAST_SPREAD = 0.004
"""Smallest standard deviation of an estimated setting, as a share of its bounds."""
FILLS = 0.95
"""An interval wider than this share of the bounds says nothing."""


class EstimateLike(Protocol):
    """The part of an estimate that feedback reads: value with its interval, sample size and whether the data identify it."""

    value: float
    low: float
    high: float
    n: int
    identifiable: bool
    why: str


def apply_estimates(
    settings: Mapping[str, Setting], estimates: Mapping[str, EstimateLike], pooled: bool = False
) -> tuple[dict[str, Setting], list[Change]]:
    """Move ``calibrated`` settings to their estimates.

    A setting's new distribution has the estimate as its mean and a quarter of the interval as its standard deviation, never beyond its hard
    bounds: what the reference identifies weakly moves and stays wide. Settings whose interval fills their bounds, and roles other than
    ``calibrated``, stay.

    Args:
        settings: by address.
        estimates: by address.
        pooled: the settings hold earlier estimates from other scenes; both count by their inverse variance.

    Returns:
        The new settings and one change per setting that moved.
    """
    new, changes = dict(settings), []
    for address, estimate in sorted(estimates.items()):
        setting = settings.get(address)
        if setting is None or setting.role != "calibrated" or not isinstance(setting.dist, Ranged):
            continue
        dist = setting.dist
        share = [dist._unit_interval(min(max(v, dist.low), dist.high)) for v in (estimate.value, estimate.low, estimate.high)]
        if abs(share[2] - share[1]) > FILLS:
            continue
        mean, spread = share[0], max(abs(share[2] - share[1]) / 4, LEAST_SPREAD)
        if pooled:
            weights = spread**-2, dist.spread**-2
            mean = (mean * weights[0] + dist.mean_share * weights[1]) / sum(weights)
            spread = max(sum(weights) ** -0.5, LEAST_SPREAD)
        moved = setting.model_copy(update={"dist": dist.with_moments(mean, spread)})
        if moved.dist == dist:
            continue
        words = (
            f"{address.rsplit('/', 1)[-1]} was estimated from {estimate.n:,} real measurements as {estimate.value:.3g} {dist.unit}"
            f" [{estimate.low:.3g}, {estimate.high:.3g}]; {estimate.why}"
        )
        changes.append(Change(address, "estimate", "reference feedback part", estimate.value, None, describe(setting), describe(moved), words))
        new[address] = moved.model_copy(update={"why": words})
    return new, changes
