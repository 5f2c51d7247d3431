"""A place counts once, however many recordings show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.bench import LidarBench
from tailgate.calibrate.holdout import Recorded, folds
from tailgate.calibrate.places import by_place, same_places
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.sensors import nominal
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.sketch import Sketch

MODEL = load_sensor("hdl64e")[0].model_copy(update={"columns": 360})


def recorded(name: str, street: int, seed: int, blocks: int = 16) -> Recorded:
    scan = street_scan(MODEL, street)
    scan = replace(scan, channels=respond_lidar(scan, MODEL, nominal(MODEL), seed))
    return Recorded(name, [Sketch({"k": np.zeros(1)})] * blocks, {"lidar": scan})


def test_copies_and_other_sweeps_of_one_street_are_one_place():
    frames = [recorded("a", 1, 1), recorded("b", 1, 1), recorded("c", 1, 2), recorded("d", 2, 3)]
    found = by_place(frames)
    assert [frame.recording for frame in found] == ["a", "a", "a", "d"]
    assert same_places(frames, found) == ["b shows the place of a: they count as one.", "c shows the place of a: they count as one."]
    assert folds(frames[:3])[0] == "recordings" and folds(found[:3])[0] == "quarter turns"


def test_a_later_sweep_joins_its_recording_to_the_place():
    frames = [recorded("a", 1, 1), recorded("b", 2, 2), recorded("b", 1, 3), recorded("c", 2, 4)]
    assert [frame.recording for frame in by_place(frames)] == ["a", "a", "a", "a"]


def test_other_streets_are_other_places():
    frames = [recorded(str(k), k, k) for k in range(4)]
    assert by_place(frames) == frames and not same_places(frames, by_place(frames))
    pictures = [Recorded("a", []), Recorded("b", [])]
    assert by_place(pictures) == pictures


@pytest.mark.parametrize(("streets", "hidden"), [((1, 1), False), ((1, 2), True)])
def test_only_two_places_tell_what_the_vehicle_hides(streets, hidden):
    bench = LidarBench.of(by_place([recorded(str(k), street, k) for k, street in enumerate(streets)]), MODEL, 0)
    assert any("one place only" in note for note in bench.notes) != hidden
