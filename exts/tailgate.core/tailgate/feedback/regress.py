"""Step 2: signed deviations of clips regressed on the settings' draws, and one bounded step along what is significant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.config.budget import Feedback
from tailgate.config.setting import Setting
from tailgate.distributions import Ranged, divergence
from tailgate.feedback.change import Change, describe


@dataclass(frozen=True)
class Evidence:
    """What a round gives to feedback.

    Attributes:
        draws: one mapping address -> number per clip.
        deviations: one mapping metric -> signed deviation from the reference per clip, in units of the reference's spread.
    """

    draws: Sequence[Mapping[str, float]]
    deviations: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Effect:
    """A significant linear effect of a setting on a metric."""

    address: str
    metric: str
    slope: float
    mean_deviation: float
    p_value: float
    n: int


def family(address: str) -> str:
    """Randomizer family of an address: ``street/lighting.sun_sky/elevation`` -> ``lighting``."""
    return address.split("/")[1].split(".")[0]


def find_effects(evidence: Evidence, settings: Mapping[str, Setting], alpha: float) -> list[Effect]:
    """Screen families, then parameters within a surviving family; p-values by the normal approximation of the correlation's t (n >= 128).

    Holm's step-down procedure (1979) holds the family-wise error at ``alpha`` at both levels.
    """
    metrics = sorted({m for d in evidence.deviations for m in d})
    movable = sorted(a for a, s in settings.items() if s.role != "pinned" and isinstance(s.dist, Ranged))
    found: list[Effect] = []
    for metric in metrics:
        rows = [i for i, d in enumerate(evidence.deviations) if math.isfinite(d.get(metric, math.nan))]
        y = np.array([evidence.deviations[i][metric] for i in rows])
        tests: dict[str, Effect] = {}
        for address in movable:
            x = np.array([evidence.draws[i].get(address, math.nan) for i in rows], dtype=float)
            keep = np.isfinite(x)
            effect = _effect(address, metric, x[keep], y[keep])
            if effect:
                tests[address] = effect
        groups: dict[str, list[Effect]] = {}
        for effect in tests.values():
            groups.setdefault(family(effect.address), []).append(effect)
        best = {f: min(1.0, min(e.p_value for e in es) * len(es)) for f, es in groups.items()}
        for f in _holm(best, alpha):
            kept = _holm({e.address: e.p_value for e in groups[f]}, alpha)
            found += [tests[a] for a in sorted(kept)]
    return found


def step(settings: Mapping[str, Setting], effects: Sequence[Effect], cfg: Feedback) -> tuple[dict[str, Setting], list[Change]]:
    """Move each setting against its strongest effect, as far as KL(new‖old) <= ``kl_max`` and the role's width allow."""
    new, changes = dict(settings), []
    strongest: dict[str, Effect] = {}
    for effect in effects:
        held = strongest.get(effect.address)
        if held is None or abs(effect.slope * effect.mean_deviation) > abs(held.slope * held.mean_deviation):
            strongest[effect.address] = effect
    for address, effect in sorted(strongest.items()):
        setting = settings[address]
        dist = setting.dist
        wanted = -effect.mean_deviation / effect.slope
        moved = _bounded_move(dist, wanted, cfg, setting.role)
        if moved is None:
            continue
        after = setting.model_copy(update={"dist": moved})
        side = "above" if effect.mean_deviation > 0 else "below"
        words = (
            f"{effect.metric} lies {abs(effect.mean_deviation):.2g} reference spreads {side} the reference and moves by {effect.slope:+.2g}"
            f" per standard deviation of {address.split('/', 1)[1]} (p = {effect.p_value:.1g}, {effect.n} frames);"
            f" its mean goes from {dist.mean:.3g} to {moved.mean:.3g} {dist.unit}"
        )
        changes.append(Change(address, effect.metric, "all", effect.slope, effect.p_value, describe(setting), describe(after), words))
        new[address] = after.model_copy(update={"why": words})
    return new, changes


def _bounded_move(dist: Ranged, wanted: float, cfg: Feedback, role: str) -> Ranged | None:
    """Shift the mean by ``wanted`` standard deviations, halved until the divergence is allowed; keeps a nuisance setting wide."""
    floor = cfg.nuisance_width_min / math.sqrt(12.0) if role == "nuisance" else 0.0
    shift = max(-2.0, min(2.0, wanted)) * dist.spread
    for _ in range(20):
        mean = min(max(dist.mean_share + shift, 0.02), 0.98)
        spread = max(min(dist.spread, 0.9 * math.sqrt(mean * (1 - mean))), floor)
        moved = dist.with_moments(mean, spread)
        if divergence(moved, dist) <= cfg.kl_max:
            return moved if abs(moved.mean_share - dist.mean_share) > 0.01 else None
        shift *= 0.7
    return None


def _effect(address: str, metric: str, x: np.ndarray, y: np.ndarray) -> Effect | None:
    n = len(x)
    if n < 8 or x.std() < 1e-12 or y.std() < 1e-12:
        return None
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -0.999999, 0.999999))
    t = r * math.sqrt((n - 2) / (1 - r * r))
    return Effect(address, metric, r * float(y.std()), float(y.mean()), math.erfc(abs(t) / math.sqrt(2)), n)


def _holm(p: Mapping[str, float], alpha: float) -> list[str]:
    kept = []
    for i, name in enumerate(sorted(p, key=lambda k: (p[k], k))):
        if p[name] > alpha / (len(p) - i):
            break
        kept.append(name)
    return kept
