"""Check a user's stage, alone or with a scenario that is to use it, and picture it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.assets import cache_folder
from tailgate.config.rig import DEFAULT_RIG, RIGS
from tailgate.errors import UserError, Where, placed
from tailgate.stage.check import Finding, StageReport, check_stage

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.config.rig import ResolvedRig
    from tailgate.config.scenario import Scenario
    from tailgate.randomize.scenario import OpenScenario
    from tailgate.runtime.stage_views import View

DRAWS = 4
"""Clips drawn for each class."""
CLASSES = ("person", "car", "box")
"""Classes tried where a scenario names no distractors."""


@dataclass(frozen=True)
class StageRequest:
    """What to check.

    Attributes:
        stage: an open stage.
        scenario: name or file of a scenario that is to use it as its base, or "".
        rig: name or file; "" for what suits the scenario.
        classes: asset classes to place; () for the scenario's distractors.
        cache: folder of generated assets.
    """

    stage: Usd.Stage
    scenario: str = ""
    rig: str = ""
    classes: tuple[str, ...] = ()
    cache: Path = field(default_factory=cache_folder)


def check(request: StageRequest) -> tuple[StageReport, View | None]:
    """Findings on the stage and, with a scenario, on what it places there, with the rig's view of its first clip.

    Raises:
        UserError: there is no such scenario, rig or class, whatever the stage is like.
    """
    tried = _tried(request) if request.scenario else None
    report = check_stage(request.stage)
    if tried is None:
        return report, None
    if not report.ok:
        words = "the scenario is tried once the stage has no problem"
        return report.joined([Finding("scenario", "note", words)]), None
    try:
        findings, view = _rehearse(request, *tried)
    except UserError as error:
        if error.where and error.where.file:
            raise
        findings, view = [Finding("scenario", "problem", error.message)], None
    return report.joined(findings), view


def _tried(request: StageRequest) -> tuple[Scenario, ResolvedRig, tuple[str, ...]]:
    """The scenario, rig and classes that a request names."""
    from tailgate.randomize.slots import canonical_class
    from tailgate.runtime.spec import read_rig, read_scenario

    here = (Path.cwd(),)
    scenario, _ = read_scenario(request.scenario, here, Where("--scenario"))
    rig = read_rig(request.rig or RIGS.get(scenario.name, DEFAULT_RIG), None, here, Where("--rig"))
    with placed(lambda _: Where("--classes")):
        for name in request.classes:
            canonical_class(name)
    return scenario, rig, request.classes or tuple(scenario.distractors[:4]) or CLASSES


def _rehearse(request: StageRequest, scenario: Scenario, rig: ResolvedRig, classes: tuple[str, ...]) -> tuple[list[Finding], View | None]:
    """Open the scenario on a stage beside the user's, draw clips and see what finds a place."""
    from tailgate.config.budget import Budget
    from tailgate.randomize.scenario import open_scenario
    from tailgate.stage.layers import beside

    scenario = scenario.model_copy(update={"base": "", "base_options": {}})
    cells = [{"class": name, "target": 1} for name in dict.fromkeys(classes)]
    budget = Budget.model_validate({"name": "check", "cells": cells, "scenarios": [{"file": scenario.name}], "rig": rig.name})
    opened = open_scenario(scenario, budget, rig, request.cache, beside(request.stage))
    try:
        findings = [_placed(opened, cell, k) for k, cell in enumerate(budget.cells)]
        return findings, _first_clip(opened)
    finally:
        opened.close()


def _placed(opened: OpenScenario, cell: Any, k: int) -> Finding:
    """How many clips found a place for an object of a cell."""
    from tailgate.randomize.draw import ClipRequest, draw_sample

    placed = 0
    for n in range(DRAWS):
        sample = draw_sample(opened, opened.settings, ClipRequest(0, DRAWS * k + n, 0, cell, opened.budget.seed))
        placed += any(entry["role"] == "target" for values in sample.values.values() for entry in _objects(values))
    words = f"{placed} of {DRAWS} clips found a place for a {cell.class_.replace('_', ' ')}"
    if placed == DRAWS:
        return Finding("scenario", "note", words)
    kinds = ", ".join(sorted({c.kind for c in opened.contexts}))
    expected = f"places must lie on a context that suits the class (there are: {kinds}), in view of the rig, level and free"
    return Finding("scenario", "problem" if not placed else "warning", words, expected, "add contexts in view of the rig's path, or larger ones")


def _objects(values: Any) -> list[dict[str, Any]]:
    """Objects that a randomizer placed."""
    held = values.get("objects", []) if isinstance(values, dict) else []
    return [entry for entry in held if isinstance(entry, dict) and "role" in entry]


def _first_clip(opened: OpenScenario) -> View | None:
    """The first clip as the rig's first camera sees it."""
    from tailgate.randomize.apply import apply_sample
    from tailgate.randomize.draw import ClipRequest, draw_sample
    from tailgate.render.raytrace import WarpBackend
    from tailgate.runtime.stage_views import View, picture

    camera = next((name for name, s in opened.rig.sensors.items() if s.model.type == "camera"), None)
    if camera is None:
        return None
    sample = draw_sample(opened, opened.settings, ClipRequest(0, 0, 0, opened.budget.cells[0], opened.budget.seed))
    backend = WarpBackend(samples=4)
    backend.open(opened.stage, opened.rig, opened.labels)
    try:
        apply_sample(opened, sample)
        backend.apply(sample)
        frame = asyncio.run(backend.capture())
    finally:
        backend.close()
    model = opened.rig.sensors[camera].model
    return View(f"a clip of {opened.scenario.name}", picture(frame), model, np.asarray(frame.sensors[camera].T_world_sensor[0]))


def picture_stage(request: StageRequest, report: StageReport, clip: View | None, out: Path) -> Path:
    """Write the sheet of a stage: from above with contexts, and a clip or the view of its first camera.

    Raises:
        UserError: the stage shows nothing.
    """
    from tailgate.report.stage_sheet import PlanPicture, stage_sheet
    from tailgate.runtime.stage_views import views
    from tailgate.stage.contexts import read_contexts

    try:
        contexts = read_contexts(request.stage)
    except UserError:
        contexts = ()
    above, look = views(request.stage, report, contexts)
    look = clip or look
    ground = above.T_world_camera[:3, 3] * [1, 1, 0] + [0, 0, contexts[0].points[0, 2] if contexts else report.facts["low_m"][2]]
    metre = float(np.linalg.norm(np.diff(above.pixels(np.stack([ground, ground + [1, 0, 0]])), axis=0)))
    return stage_sheet(report, contexts, PlanPicture(above.image, above.pixels, metre), (look.title, look.image), out)
