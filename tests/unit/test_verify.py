"""Targets and counts on frames made by hand, and the annotator's labels."""

import copy
from types import SimpleNamespace

import numpy as np
from tailgate.config.budget import Budget, Cell, Output
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, Sample, SensorFrame
from tailgate.randomize.verify import check_target, count_instances, sight
from tailgate_randomizers.labels import Annotator

OUTPUT = Output(min_pixels=100, min_lidar_hits=5)
SAMPLE = Sample(FrameId("s", 0, 0), conditions={"light": "dusk", "weather": "rain"})


def view(visible, ranges, occluded) -> ObjectView:
    n = len(visible)
    box = np.tile(np.array([[10.0, 20, 59, 119]], np.float32), (n, 1))
    return ObjectView(
        box, box, np.array(visible), np.array(visible), np.array(occluded, np.float32), np.zeros(n, np.float32), np.array(ranges, np.float32)
    )


def frame(classes, camera, lidar) -> Frame:
    n = len(classes)
    poses = np.tile(np.eye(4), (n, 1, 1))
    objects = Objects(np.arange(1, n + 1, dtype=np.int32), list(classes), poses, np.ones((n, 3)), ["a"] * n)
    pose = np.tile(np.eye(4), (2, 1, 1))
    sensors = {
        "lidar": SensorFrame("lidar", {}, pose, 0, 1, view(*lidar)),
        "camera": SensorFrame("camera", {}, pose, 0, 0, view(*camera), Intrinsics(640, 480, 500, 500, 320, 240)),
    }
    return Frame(FrameId("s", 0, 0), sensors, objects, {"background": 0, "person": 1}, dict(SAMPLE.conditions))


def cell(**pins) -> Cell:
    return Cell.model_validate({"class": "person", "target": 1, **pins})


def test_the_first_camera_that_sees_enough_counts_then_the_lidars():
    seen = frame(["person", "person", "person"], ([100, 99, 0], [10, 11, 12], [0.1, 0.2, 1.0]), ([0, 5, 4], [9, 10.5, 11], [0.9, 0.3, 0.5]))
    assert [sight(seen, i, OUTPUT).seen for i in range(3)] == [True, True, False]
    assert np.allclose([sight(seen, i, OUTPUT).range for i in range(3)], [10, 10.5, 12])
    assert np.allclose([sight(seen, i, OUTPUT).occluded for i in range(3)], [0.1, 0.3, 1.0])


def test_reason_codes_name_the_first_condition_that_fails():
    good = frame(["person", "car"], ([500, 900], [12, 8], [0.5, 0.0]), ([0, 0], [12, 8], [1, 1]))
    far, clear = cell(range=[15, 20]), cell(range=[10, 15], occlusion=[0.0, 0.2])
    assert check_target(good, SAMPLE, cell(range=[10, 15], occlusion=[0.3, 0.6], light="dusk", weather="rain"), OUTPUT) == []
    assert check_target(good, SAMPLE, None, OUTPUT) == []
    assert check_target(good, SAMPLE, far, OUTPUT) == ["off_target_range"]
    assert check_target(good, SAMPLE, clear, OUTPUT) == ["off_target_occlusion"]
    assert check_target(good, SAMPLE, cell(light="day"), OUTPUT) == ["off_target_conditions"]
    assert check_target(good, SAMPLE, Cell.model_validate({"class": "dog", "target": 1}), OUTPUT) == ["off_target_class"]
    hidden = frame(["person", "car"], ([20, 900], [12, 8], [0.9, 0.0]), ([4, 0], [12, 8], [1, 1]))
    assert check_target(hidden, SAMPLE, cell(), OUTPUT) == ["off_target_visibility"]
    nothing = frame(["person"], ([0], [12], [1.0]), ([0], [12], [1.0]))
    assert check_target(nothing, SAMPLE, cell(), OUTPUT) == ["empty_frame"]
    assert check_target(frame([], ([], [], []), ([], [], [])), SAMPLE, cell(), OUTPUT) == ["empty_frame"]


def test_the_cell_that_pins_most_takes_the_object():
    cells = [{"class": "person", "target": 1}, {"class": "person", "range": [5, 15], "target": 1}, {"class": "person", "light": "day", "target": 1}]
    budget = Budget.model_validate({"name": "b", "cells": cells, "scenarios": [{"file": "s"}], "rig": "r"})
    seen = frame(["person", "person", "car", "person"], ([200, 200, 900, 3], [10, 20, 8, 9], [0] * 4), ([0] * 4, [10, 20, 8, 9], [0] * 4))
    assert count_instances(seen, budget) == [(0, "person · 5-15 m"), (1, "person")]


def test_the_annotator_misses_what_is_small_or_hidden_and_leaves_the_truth_alone():
    careful = {"edge_error": 0.02, "half_missed_px": 50, "half_missed_hidden": 0.8, "box_error_m": 0.05, "yaw_error_deg": 2, "seed": 3}
    annotator = Annotator(SimpleNamespace(options={}))
    classes = ["person"] * 400
    kinds = {"plain": (5000, 0.0), "small": (50, 0.0), "hidden": (5000, 0.8)}
    share = {}
    for kind, (pixels, hidden) in kinds.items():
        shown = frame(classes, ([pixels] * 400, [10] * 400, [hidden] * 400), ([0] * 400, [10] * 400, [1] * 400))
        before = copy.deepcopy(shown)
        labels = annotator.annotate(shown, careful)
        share[kind] = len(labels["camera"]) / 400
        assert labels["lidar"] == [] and labels == annotator.annotate(shown, careful)
        assert np.array_equal(shown.sensors["camera"].view.bbox_tight, before.sensors["camera"].view.bbox_tight)
    assert share["plain"] > 0.98 and abs(share["small"] - 0.5) < 0.08 and abs(share["hidden"] - 0.5) < 0.08
    boxes = np.array([row["bbox"] for row in annotator.annotate(shown, careful)["camera"]])
    assert np.allclose(boxes.mean(0), [10, 20, 59, 119], atol=0.5) and np.allclose(boxes.std(0), [1, 2, 1, 2], rtol=0.25)
