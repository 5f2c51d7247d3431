"""What a run says before it begins."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import stage_kit as kit
from small_street import small_rig, small_scenario
from tailgate.config.budget import Budget
from tailgate.config.camera import Shutter
from tailgate.runtime.check import foresee, overlaps


@pytest.mark.parametrize(
    "rate_hz, fov_deg, ticks, told", [(5.0, 360.0, 3, True), (10.0, 360.0, 3, False), (5.0, 120.0, 3, False), (5.0, 360.0, 1, False)]
)
def test_sweeps_longer_than_ticks_are_told(tmp_path, rate_hz, fov_deg, ticks, told):
    rig = small_rig()
    lidar = rig.sensors["lidar"]
    slow = replace(lidar, model=lidar.model.model_copy(update={"rate_hz": rate_hz, "azimuth_fov_deg": fov_deg}))
    scenario = small_scenario(tmp_path / "base.usda", ticks=ticks, tick_s=0.1)
    spec = SimpleNamespace(rig=replace(rig, sensors={**rig.sensors, "lidar": slow}), scenarios={"small": scenario})
    words = f"{scenario.name}: a frame of lidar takes 0.2 s, and ticks are 0.1 s apart: its frames overlap"
    assert overlaps(spec) == ([words] if told else [])


def test_a_target_is_out_of_reach_where_all_slots_of_all_clips_are_fewer(tmp_path):
    """Three variants and four slots make six slots of a class."""
    scenario = small_scenario(tmp_path / "base.usda", variants=3, slots=4).model_copy(update={"base": "street"})
    limits = {"clips": 2, "rounds": 1, "batches_per_round": 1, "batch_clips": 2}

    def told(target):
        cells = [{"class": "person", "target": target}]
        budget = Budget.model_validate({"name": "small", "cells": cells, "scenarios": [{"file": "small"}], "rig": "small", "limits": limits})
        return foresee(SimpleNamespace(rig=small_rig(), scenarios={"small": scenario}, budget=budget))

    assert not [words for words in told(12) if "at most" in words]
    assert told(13) == ["limits: 2 clips hold at most 12 instances of 'person', fewer than its target"]


@pytest.mark.parametrize("readout_ms, exposure_ms, told", [(90.0, 5.0, False), (90.0, 60.0, True), (110.0, 0.0, True), (0.0, 90.0, False)])
def test_exposures_longer_than_ticks_are_told(tmp_path, readout_ms, exposure_ms, told):
    """A frame lasts from the first row's begin of exposure to the last row's end."""
    shutter = Shutter(readout_ms=readout_ms, exposure_ms=exposure_ms)
    rig = kit.rig_of(kit.pinhole(64, 48, 60.0).model_copy(update={"shutter": shutter}))
    scenario = small_scenario(tmp_path / "base.usda", ticks=3, tick_s=0.1)
    assert bool(overlaps(SimpleNamespace(rig=rig, scenarios={"small": scenario}))) == told
