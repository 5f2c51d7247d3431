"""Feedback against a synthetic world whose effects are known."""

from dataclasses import dataclass

import numpy as np
import pytest
from tailgate.config.budget import Feedback
from tailgate.config.setting import Setting
from tailgate.distributions import Ranged, divergence
from tailgate.feedback.estimate import apply_estimates
from tailgate.feedback.regress import Evidence, family, find_effects, step

NAMES = ("s/lighting.sun/elevation", "s/lighting.sun/azimuth", "s/sensor_noise.response/lidar.noise", "s/materials.surfaces/roughness")


def settings(role="nuisance"):
    return {n: Setting(dist=Ranged(low=0, high=1), role=role) for n in NAMES}


def world(n, effect, seed=0):
    rng = np.random.default_rng(seed)
    draws = [{name: float(rng.random()) for name in NAMES} for _ in range(n)]
    deviations = [{"range_noise": effect * (d[NAMES[2]] - 0.25) + 0.3 * float(rng.standard_normal())} for d in draws]
    return Evidence(draws, deviations)


def test_finds_the_setting_and_moves_it_the_right_way():
    found = find_effects(world(256, 4.0), settings(), alpha=0.05)
    assert [e.address for e in found] == [NAMES[2]]
    cfg = Feedback()
    after, changes = step(settings("calibrated"), found, cfg)
    assert after[NAMES[2]].dist.mean < 0.5 and len(changes) == 1 and "range_noise" in changes[0].words
    assert divergence(after[NAMES[2]].dist, settings()[NAMES[2]].dist) <= cfg.kl_max + 1e-9


def test_nothing_to_find_is_rarely_claimed():
    claims = sum(bool(find_effects(world(160, 0.0, seed), settings(), alpha=0.05)) for seed in range(100))
    assert claims <= 12  # family-wise 5 %: P(X > 12 | n = 100, p = 0.05) < 0.2 %


def test_pinned_never_moves_and_nuisance_stays_wide():
    assert find_effects(world(256, 4.0), settings("pinned"), alpha=0.05) == []
    current = settings("nuisance")
    for seed in range(12):
        current, _ = step(current, find_effects(world(256, 4.0, seed), current, alpha=0.05), Feedback())
    assert current[NAMES[2]].dist.width >= 0.25 - 1e-9


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float
    high: float
    n: int = 1000
    identifiable: bool = True
    why: str = "it was seen"


def test_estimates_move_what_is_calibrated_as_far_as_it_is_identified():
    current = {**settings("calibrated"), NAMES[0]: Setting(dist=Ranged(low=0, high=1))}
    weak = Estimate(0.3, 0.0, 0.7, identifiable=False)
    estimates = {NAMES[0]: Estimate(0.2, 0.1, 0.3), NAMES[1]: weak, NAMES[2]: Estimate(0.2, 0.19, 0.21), NAMES[3]: Estimate(0.2, 0.0, 1.0)}
    after, changes = apply_estimates(current, estimates)
    assert [c.address for c in changes] == [NAMES[1], NAMES[2]]
    assert after[NAMES[2]].dist.mean == pytest.approx(0.2, abs=1e-6) and after[NAMES[2]].dist.width < 0.05
    assert after[NAMES[1]].dist.mean == pytest.approx(0.3, abs=1e-6) and after[NAMES[1]].dist.width > 0.5
    assert after[NAMES[0]] == current[NAMES[0]] and after[NAMES[3]] == current[NAMES[3]]


def test_estimates_from_other_scenes_are_pooled():
    first, _ = apply_estimates(settings("calibrated"), {NAMES[2]: Estimate(0.2, 0.1, 0.3)})
    second, _ = apply_estimates(first, {NAMES[2]: Estimate(0.4, 0.3, 0.5)}, pooled=True)
    assert second[NAMES[2]].dist.mean == pytest.approx(0.3, abs=1e-6)
    assert second[NAMES[2]].dist.spread == pytest.approx(first[NAMES[2]].dist.spread / 2**0.5, rel=1e-6)


def test_family():
    assert family(NAMES[0]) == "lighting"
