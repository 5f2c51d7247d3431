"""What every registered randomizer must keep to: pure draws, plain values, and a stage that is restored to the letter."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_street import ALL, OCCLUDERS, draw, open_small, shared
from tailgate.distributions import Ranged
from tailgate.randomize.apply import apply_sample
from tailgate.randomize.draw import ClipRequest, draw_sample, first_context, own_settings, streams
from tailgate.randomize.protocol import KINDS, LEVELS, Randomizer
from tailgate.registry import randomizers as registry

NAMES = list(registry)


def settle(opened, name: str, index: int, cell=None):
    """Draw one randomizer alone, after those above it."""
    request = ClipRequest(0, index, 0, cell, opened.budget.seed)
    ctx = first_context(opened, request)
    for randomizer in opened.randomizers:
        ctx = replace(ctx, settings=own_settings(opened, opened.settings, randomizer))
        drawn = randomizer.sample(ctx, streams(opened, request, randomizer))
        if randomizer.name == name:
            return randomizer, ctx, request, drawn
        ctx = ctx.with_draw(drawn)
    raise AssertionError(f"{name} is not part of the scenario")


INDOORS = ["lighting.room", *(n for n in ALL if n not in ("weather.conditions", "lighting.sun_sky"))]


@pytest.fixture(scope="module")
def scenes():
    """The small street outdoors, and once more under lamps."""
    options = {"occlusion.blockers": OCCLUDERS, "lighting.room": {"over": "surface"}}
    outdoors, indoors = open_small(), open_small(randomizers=[{"use": n, "options": options.get(n, {})} for n in INDOORS])
    yield {name: outdoors if name in ALL else indoors for name in NAMES}
    outdoors.close()
    indoors.close()


def test_every_family_and_kind_is_there():
    families = {name.split(".")[0] for name in NAMES}
    assert families >= {"lighting", "materials", "sensor_noise", "occlusion", "placement", "camera", "weather", "distractors", "labels"}
    assert {registry.get(name).kind for name in NAMES} == set(KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_itself(scenes, name):
    cls = registry.get(name)
    assert cls.name == name and cls.kind in KINDS and cls.level in LEVELS and cls.__doc__
    made = next(r for r in scenes[name].randomizers if r.name == name)
    assert isinstance(made, Randomizer)
    for key, setting in made.defaults().items():
        assert key and "/" not in key and "@" not in key
        assert not isinstance(setting.dist, Ranged) or setting.dist.low < setting.dist.high


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_pure_in_context_and_streams(scenes, name):
    opened = scenes[name]
    for index, cell in ((0, None), (1, opened.budget.cells[1])):
        randomizer, ctx, request, first = settle(opened, name, index, cell)
        np.random.seed(index)
        again = randomizer.sample(ctx, streams(opened, request, randomizer))
        assert again.values == first.values and again.draws == first.draws and again.placed == first.placed
        other = randomizer.sample(ctx, streams(opened, replace(request, index=index + 100), randomizer))
        assert not first.draws or other.draws != first.draws


@pytest.mark.parametrize("name", NAMES)
def test_values_are_json_able_and_draws_belong_to_settings(scenes, name):
    opened = scenes[name]
    for index in range(3):
        randomizer, ctx, _, drawn = settle(opened, name, index, opened.budget.cells[index % 3])
        for part in (drawn.values, drawn.draws, drawn.given, drawn.conditions, drawn.hints, drawn.sensors):
            assert json.loads(json.dumps(part, allow_nan=False)) == part
        assert {key.split("@")[0] for key in drawn.draws} <= set(ctx.settings)


@pytest.mark.parametrize("name", NAMES)
def test_apply_writes_only_what_was_declared_and_reset_restores_the_text(scenes, name):
    opened = scenes[name]
    randomizer, _, _, drawn = settle(opened, name, 5, opened.budget.cells[1])
    before = opened.stage.ExportToString()
    with opened.layers.frame.update() as frame:
        randomizer.apply(frame, drawn.values, 0)
    with opened.layers.frame.update():
        pass
    assert opened.stage.ExportToString() == before


def test_all_together_restore_the_text_and_depend_on_the_sample_alone(scenes):
    opened = scenes[ALL[0]]
    before = opened.stage.ExportToString()
    first, second = draw(opened, 0, 1), draw(opened, 7, 0)
    apply_sample(opened, first)
    alone = opened.stage.ExportToString()
    apply_sample(opened, second)
    apply_sample(opened, first)
    assert opened.stage.ExportToString() == alone != before
    with opened.layers.frame.update():
        pass
    assert opened.stage.ExportToString() == before


def test_the_same_request_gives_the_same_sample_in_a_second_opening(scenes):
    opened = scenes[ALL[0]]
    request = ClipRequest(2, 9, 1, opened.budget.cells[1], opened.budget.seed)
    assert draw_sample(opened, opened.settings, request) == draw_sample(shared(), shared().settings, request)
