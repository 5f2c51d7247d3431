"""A place counts once, however many recordings show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.bench import LidarBench
from tailgate.calibrate.camera import perfect_views
from tailgate.calibrate.holdout import Recorded, folds
from tailgate.calibrate.places import VIEW, by_place, by_view, count_places, same_places, same_views, view_of
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


def test_a_vehicle_under_way_passes_many_places():
    frames = [recorded("drive", street, k) for k, street in enumerate((1, 2, 2, 3))]
    assert count_places(frames) == 3 and count_places(frames[1:3]) == 1 and count_places([Recorded("a", [])]) == 0
    assert not any("one place only" in note for note in LidarBench.of(by_place(frames[:2]), MODEL, 0).notes)


def test_images_of_a_camera_that_stands_still_count_once():
    camera = load_sensor("kinect_v1")[0].model_copy(update={"width": 320, "height": 240, "fx": 262.0, "fy": 262.0, "cx": 159.5, "cy": 119.5})
    draw, frames = np.random.default_rng(0), []
    for view, seen in enumerate(perfect_views(camera, 3, 1, [(0.8, 0.6)])):
        depth = np.asarray(seen.channel("distance_to_image_plane"))
        for k in range(3):
            noisy = np.where(draw.random(depth.shape) < 0.05, np.inf, depth * (1 + draw.normal(0.0, 0.005, depth.shape)))
            shown = view_of(replace(seen, channels={**seen.channels, "distance_to_image_plane": noisy}))
            frames.append(Recorded(f"{view}{k}", [Sketch({"k": np.ones(1)})], view=shown))
    found = by_view(frames)
    assert [frame.recording for frame in found] == ["00", "10", "20"] and all(frame.blocks[0].counts["k"] == 3 for frame in found)
    assert same_views(frames, found) == ["6 of 9 images show what another shows, as a camera that stands still does: they count once."]
    pictures = [Recorded("a", []), Recorded("a", [], view=np.full(VIEW, np.nan, np.float32)), Recorded("b", [])]
    assert by_view(pictures) == pictures and not same_views(pictures, pictures)
