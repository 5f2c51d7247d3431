"""Subframes of a capture follow what changed on the stage, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from stage_kit import box, gf, lights, material, mover, new_stage, pose
from tailgate.stage.watch import StageWatch
from tailgate_rtx.subframes import CHANGED, NEW, SETTLED, Change, subframes


@pytest.fixture(scope="module")
def watched():
    """A lit stage with one mover, and its watch."""
    stage = new_stage()
    path = mover(stage, "car", 1, pose(8, 0, 0))
    box(stage, f"{path}/Body", (-1, -1, 0), (1, 1, 1), material(stage, "/World/Looks/Red", (0.6, 0.1, 0.1)))
    lights(stage, sky=400.0, sun=900.0)
    watch = StageWatch(stage, {"car": 1})
    yield stage, watch
    watch.close()


def taken(watch):
    state = watch.update()
    return replace(state, materials=state.materials.copy())


def edits(stage):
    car, sky = stage.GetPrimAtPath("/Tailgate/Objects/car"), stage.GetPrimAtPath("/Tailgate/Lights/Sky")
    red = stage.GetPrimAtPath("/World/Looks/Red/Surface")
    return {
        "nothing": (lambda: None, Change(), SETTLED),
        "a move": (lambda: car.GetAttribute("xformOp:transform").Set(gf(pose(9, 0, 0))), Change(moved=True), CHANGED),
        "hidden": (lambda: car.GetAttribute("visibility").Set("invisible"), Change(moved=True), CHANGED),
        "a light": (lambda: sky.GetAttribute("inputs:intensity").Set(200.0), Change(lights=True), CHANGED),
        "a colour": (lambda: red.GetAttribute("inputs:roughness").Set(0.2), Change(materials=True), CHANGED),
        "a shape": (lambda: box(stage, "/World/New", (0, 0, 0), (1, 1, 1)), Change(new=True), NEW),
    }


def test_what_changed_is_seen(watched):
    stage, watch = watched
    before = taken(watch)
    assert Change.between(None, before) == Change(new=True)
    for name, (edit, change, count) in edits(stage).items():
        edit()
        after = taken(watch)
        assert Change.between(before, after) == change, name
        assert subframes(change) == count
        before = after


def test_counts():
    assert 4 <= SETTLED <= CHANGED <= 8 and 16 <= NEW <= 32
    assert subframes(Change(), path_tracing=True) == NEW
    assert np.all([subframes(Change(**{name: True})) == CHANGED for name in ("moved", "lights", "materials")])
