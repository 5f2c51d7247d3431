"""Statistics of objects in a scan whose answers are known: boxes on a plane, traced exactly."""

from dataclasses import replace

import handmade
import numpy as np
import pytest
from handmade import Box
from tailgate.frames import Objects
from tailgate.validate.box_rays import ScanRays, crossing
from tailgate.validate.lidar_statistics import SECTORS
from tailgate.validate.object_statistics import NEARBY, OBJECT_STATISTICS, depth, fit, object_sketches, returns_per_area
from tailgate.validate.sketch import Sketch
from tailgate.validate.wrong_lidar import density

BEAMS, COLUMNS = 96, 1440
CELL = 28 / (BEAMS - 1) * 360 / COLUMNS
CAR = Box("car", 10, -3, 0.4)


def scan(*boxes: Box):
    return handmade.lidar(list(boxes), BEAMS, COLUMNS)


def rays(sensor, box: Box = CAR, pose=None):
    return ScanRays(sensor).through(box.pose if pose is None else pose, box.extent, NEARBY)


def test_an_exact_box_returns_every_ray():
    seen = rays(scan(CAR))
    assert returns_per_area(seen, CAR.extent) == pytest.approx(-np.log2(CELL), abs=0.05)
    assert fit(seen, CAR.extent) == 1.0 and abs(depth(seen, CAR.extent)) < 1e-3


def test_half_the_returns_are_one_octave_less():
    sensor = scan(CAR)
    thin = replace(sensor, channels={**sensor.channels, **density(sensor, 2.0, np.random.default_rng(0))})
    assert returns_per_area(rays(sensor), CAR.extent) - returns_per_area(rays(thin), CAR.extent) == pytest.approx(1.0, abs=0.15)


def test_what_hides_an_object_does_not_count():
    alone, hidden = scan(CAR), scan(CAR, Box("building", 6, -2.2, 0.4, (0.2, 1.0, 2.0)))
    assert np.count_nonzero(hidden.channels["instance"] == 1) < 0.8 * np.count_nonzero(alone.channels["instance"] == 1)
    assert returns_per_area(rays(hidden), CAR.extent) == pytest.approx(returns_per_area(rays(alone), CAR.extent), abs=0.1)


@pytest.mark.parametrize("towards", [-0.5, 0.5])
def test_a_shifted_box_shows(towards):
    sensor, pose = scan(CAR), CAR.pose
    pose[:3, 3] += towards * np.array([CAR.x, CAR.y, 0.0]) / np.hypot(CAR.x, CAR.y)
    seen = rays(sensor, pose=pose)
    assert depth(seen, CAR.extent) == pytest.approx(-towards, abs=0.12) and (towards < 0 or fit(seen, CAR.extent) < 0.7)


def test_one_value_per_object_in_its_sector():
    boxes = [CAR, Box("pedestrian", -7, 2)]
    objects = Objects(
        np.array([1, 2], np.int32), ["car", "pedestrian"], np.array([b.pose for b in boxes]), np.array([b.extent for b in boxes]), [""] * 2
    )
    sketches = object_sketches(scan(*boxes), objects)
    assert len(sketches) == SECTORS and sum(bool(s.counts) for s in sketches) == 2
    total = Sketch.total(sketches)
    strata = OBJECT_STATISTICS["box_fit"].strata
    assert {strata[k] for k in np.flatnonzero(total.counts["box_fit"].sum(axis=1))} == {"large, 0-30 m", "small, 0-30 m"}
    assert all(total.counts[name].sum() == 2 for name in OBJECT_STATISTICS)


@pytest.mark.parametrize(("away", "reach"), [(25.0, "0-30 m"), (31.0, "30-60 m"), (99.0, "60-100 m"), (101.0, "100+ m")])
def test_strata_tell_how_far_an_object_stands(away, reach):
    far = Box("building", away, 0.0, 0.0, (3.0, 9.0, 9.0))
    objects = Objects(np.array([1], np.int32), ["building"], far.pose[None], far.extent[None], [""])
    counts = Sketch.total(object_sketches(scan(far), objects)).counts["points_per_object"]
    assert [OBJECT_STATISTICS["points_per_object"].strata[k] for k in np.flatnonzero(counts.sum(axis=1))] == [f"large, {reach}"]


def test_objects_without_boxes_add_nothing():
    nothing = Objects(np.array([1], np.int32), ["object"], np.full((1, 4, 4), np.nan), np.full((1, 3), np.nan), [""])
    assert Sketch.total(object_sketches(scan(CAR), nothing)).counts == {}
    empty = scan(CAR)
    empty.channels["range"] = np.zeros_like(empty.channels["range"])
    car = Objects(np.array([1], np.int32), ["car"], CAR.pose[None], CAR.extent[None], [""])
    counts = Sketch.total(object_sketches(empty, car)).counts
    assert counts["points_per_object"].sum() == 1 and counts["box_fit"].sum() == 0


def test_a_moving_sensor_sees_a_box_from_where_it_was():
    sensor = scan(CAR)
    late = np.full((BEAMS, COLUMNS, 1), 75_000_000, np.int32)
    start, end = (sensor.T_world_sensor[0].copy() for _ in range(2))
    start[0, 3], end[0, 3] = -3.0, 1.0
    moving = replace(sensor, T_world_sensor=np.stack([start, end]), channels={**sensor.channels, "time_offset": late})
    still, moved = rays(sensor), rays(moving)
    assert np.allclose(moved.origin, still.origin) and np.allclose(moved.enter, still.enter)


def test_rays_cross_a_box_where_they_should():
    enter, leave = crossing(np.array([-5.0, 0.0, 0.0]), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([2.0, 2.0, 2.0]))
    assert (enter[0], leave[0]) == (4.0, 6.0) and enter[1] > leave[1]
