"""Drawing a sample: level by level, each randomizer from its own streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.config.budget import Cell
from tailgate.config.setting import Setting
from tailgate.errors import UserError
from tailgate.frames import FrameId, Sample
from tailgate.randomize.protocol import Drawn, Randomizer, SampleContext, Streams
from tailgate.randomize.scenario import OpenScenario, address


@dataclass(frozen=True)
class ClipRequest:
    """Which clip to draw.

    Attributes:
        round, index, attempt: its address in the run.
        cell: what it is drawn for, or None.
        run_seed: the budget's seed.
    """

    round: int
    index: int
    attempt: int
    cell: Cell | None
    run_seed: int


def draw_sample(scenario: OpenScenario, settings: Mapping[str, Setting], request: ClipRequest) -> Sample:
    """Draw all values of one clip: a pure function of the scenario, the settings and the request.

    Args:
        settings: by address; those that are missing keep the scenario's own.

    Returns:
        The sample: JSON-able and replayable by ``apply_sample``.
    """
    ctx = first_context(scenario, request)
    parts: dict[str, Any] = {"draws": {}, "values": {}, "sensors": {}, "conditions": {}, "hints": {}}
    for randomizer in scenario.randomizers:
        own = own_settings(scenario, settings, randomizer)
        drawn = draw_one(randomizer, _replace_settings(ctx, own), streams(scenario, request, randomizer))
        ctx = ctx.with_draw(drawn)
        parts["values"][randomizer.name] = drawn.values
        parts["draws"].update({address(scenario.scenario.name, randomizer.name, n): v for n, v in drawn.draws.items()})
        parts["conditions"].update(drawn.conditions)
        parts["hints"].update(drawn.hints)
        for sensor, values in drawn.sensors.items():
            parts["sensors"].setdefault(sensor, {}).update(values)
    frame_id = FrameId(scenario.scenario.name, request.round, request.index, request.attempt)
    return Sample(frame_id, request.cell.name if request.cell else "", **parts)


def first_context(scenario: OpenScenario, request: ClipRequest) -> SampleContext:
    """What the first randomizer sees."""
    return SampleContext(
        cell=request.cell,
        settings={},
        given={},
        priors=scenario.budget.priors,
        slots=scenario.slots,
        contexts=scenario.contexts,
        views=scenario.views,
        queries=scenario.queries,
        rig_poses=(np.eye(4),),
        ticks=scenario.scenario.ticks,
        tick_s=scenario.scenario.tick_s,
    )


def streams(scenario: OpenScenario, request: ClipRequest, randomizer: Randomizer) -> Streams:
    """The random streams of a randomizer in a clip."""
    return Streams(request.run_seed, scenario.scenario.name, request.round, request.index, request.attempt, randomizer.name)


def own_settings(scenario: OpenScenario, settings: Mapping[str, Setting], randomizer: Randomizer) -> dict[str, Setting]:
    """Settings of one randomizer by short name."""
    prefix = address(scenario.scenario.name, randomizer.name, "")
    return {a[len(prefix) :]: settings.get(a, s) for a, s in scenario.settings.items() if a.startswith(prefix)}


def draw_one(randomizer: Randomizer, ctx: SampleContext, streams: Streams) -> Drawn:
    """Draw one randomizer; a conditional setting whose parent was not drawn above it is the user's mistake."""
    try:
        return randomizer.sample(ctx, streams)
    except KeyError as error:
        if "conditional setting" in str(error) or "no case for" in str(error):
            raise UserError(f"randomizer {randomizer.name}: {error.args[0]}") from None
        raise


def _replace_settings(ctx: SampleContext, own: Mapping[str, Setting]) -> SampleContext:
    from dataclasses import replace

    return replace(ctx, settings=own)
