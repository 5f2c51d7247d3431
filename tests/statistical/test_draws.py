"""Draws over many clips: inside their bounds, from their distributions, independent of each other, and pinned where a cell pins them."""

from functools import cache

import numpy as np
import pytest
from small_street import ALL, OCCLUDERS, draw, open_small, shared
from tailgate.config.setting import Setting
from tailgate.distributions import Choice, Ranged
from tailgate.randomize.draw import ClipRequest, draw_sample
from tailgate.randomize.protocol import Drawing, Streams
from tailgate_randomizers.sun_sky import light_of

CLIPS = 80


@cache
def samples(cell: int | None):
    return [draw(shared(), index, cell) for index in range(CLIPS)]


def test_every_draw_lies_inside_the_bounds_of_its_setting():
    seen = set()
    for sample in samples(None):
        for address, value in sample.draws.items():
            dist = shared().settings[address.split("@")[0]].dist
            seen.add(address.split("@")[0])
            assert not isinstance(dist, Ranged) or dist.low <= value <= dist.high
            assert not isinstance(dist, Choice) or value in dist.values
    assert len(seen) > 30


@pytest.mark.parametrize("address", ["lighting.sun_sky/elevation_deg", "camera.rig_pose/position", "materials.surfaces/scene_brightness"])
def test_draws_follow_their_distribution(address):
    """Kolmogorov-Smirnov distance of the draws' shares from their Beta; 1.63 / sqrt(n) is passed by 99 % of true samples."""
    from scipy.stats import beta

    name = f"small/{address}"
    dist = shared().settings[name].dist
    values = np.sort([(s.draws[name] - dist.low) / (dist.high - dist.low) for s in samples(None) if name in s.draws])
    cdf = beta(dist.alpha, dist.beta).cdf(values)
    steps = np.arange(len(values) + 1) / len(values)
    assert max(np.max(cdf - steps[:-1]), np.max(steps[1:] - cdf)) < 1.63 / np.sqrt(len(values))


def test_different_settings_are_uncorrelated():
    short = ("lighting.sun_sky/azimuth_deg", "camera.rig_pose/lateral_m", "materials.surfaces/roughness", "labels.annotator/edge_error")
    names = [f"small/{n}" for n in short]
    table = np.array([[s.draws[n] for n in names] for s in samples(None)])
    off = np.corrcoef(table.T)[~np.eye(len(names), dtype=bool)]
    assert np.abs(off).max() < 0.36


def test_removing_a_randomizer_moves_no_other_draw():
    kept = [n for n in ALL if n not in ("distractors.scatter", "lighting.sun_sky")]
    opened = open_small(randomizers=[{"use": n, **({"options": OCCLUDERS} if n == "occlusion.blockers" else {})} for n in kept])
    try:
        for index in range(4):
            request = ClipRequest(0, index, 0, opened.budget.cells[0], opened.budget.seed)
            fewer, all_of_them = draw_sample(opened, opened.settings, request), draw_sample(shared(), shared().settings, request)
            for name in kept:
                if name not in ("materials.surfaces", "occlusion.blockers"):
                    assert fewer.values[name] == all_of_them.values[name], name
            common = set(fewer.draws) & set(all_of_them.draws)
            assert {a: fewer.draws[a] for a in common} == {a: all_of_them.draws[a] for a in common}
    finally:
        opened.close()


def test_changing_one_distribution_moves_no_other_setting():
    opened = shared()
    address = "small/lighting.sun_sky/cloud"
    changed = {**opened.settings, address: Setting(dist=Ranged(low=0, high=1, alpha=7, beta=2))}
    for index in range(6):
        request = ClipRequest(0, index, 0, None, opened.budget.seed)
        old, new = (draw_sample(opened, s, request).draws for s in (opened.settings, changed))
        assert {a for a in old if old[a] != new.get(a)} <= {address}


def test_rounds_indices_and_attempts_are_different_streams():
    opened = shared()
    address = "small/camera.rig_pose/position"
    requests = [ClipRequest(r, i, a, None, s) for r in (0, 1) for i in (0, 1) for a in (0, 1) for s in (5, 6)]
    values = [draw_sample(opened, opened.settings, request).draws[address] for request in requests]
    assert len(set(values)) == len(values)


def test_light_and_weather_are_pinned_and_left_out_of_the_draws():
    for sample in samples(1)[:30]:
        sky = sample.values["lighting.sun_sky"]["sun"]
        assert sample.conditions == {"weather": "rain", "light": "dusk"} and light_of(sky["elevation"], 1.0) == "dusk"
        assert "small/weather.conditions/weather" not in sample.draws and "small/lighting.sun_sky/elevation_deg" not in sample.draws
        assert not any("/range_m@" in a and "placement" in a for a in sample.draws) and not any("hidden_share" in a for a in sample.draws)


def test_unpinned_clips_cover_light_and_weather():
    light = [s.conditions["light"] for s in samples(None)]
    weather = [s.conditions["weather"] for s in samples(None)]
    assert {"day", "dusk", "overcast"} <= set(light) and {"clear", "rain"} <= set(weather)
    assert all(s.conditions["light"] != "day" for s in samples(None) if s.conditions["weather"] in ("rain", "fog"))


def test_a_pinned_interval_keeps_the_shape_of_the_distribution():
    from scipy.stats import beta

    dist = Ranged(low=0, high=40, alpha=2, beta=5)
    settings = {"range_m": Setting(dist=dist)}
    drawn = [Drawing(settings, {}, Streams(1, "s", 0, i, 0, "c")).within("range_m", 10, 60) for i in range(600)]
    u = np.sort(np.array(drawn) / 40)
    law = beta(2, 5)
    cdf = (law.cdf(u) - law.cdf(0.25)) / (1 - law.cdf(0.25))
    assert u.min() >= 0.25 and np.abs(cdf - np.linspace(0, 1, 600)).max() < 1.63 / np.sqrt(600)
    beyond = [Drawing(settings, {}, Streams(1, "s", 0, i, 0, "c")).within("range_m", 50, 60) for i in range(50)]
    assert 50 <= min(beyond) and max(beyond) <= 60


def test_targets_are_found_in_nearly_every_clip():
    for cell in (0, 1):
        assert np.mean([bool(s.values["placement.contexts"]["objects"]) for s in samples(cell)]) >= 0.9
