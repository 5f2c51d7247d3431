"""Finite differences of simulators whose slopes are known."""

import numpy as np
import pytest
from tailgate.calibrate.differences import Differences
from tailgate.calibrate.lidar import simulated_scans
from tailgate.calibrate.problem import Problem
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.distributions import Ranged
from tailgate.validate.lidar_statistics import SECTORS
from tailgate.validate.sketch import Sketch

STEPS = np.array([0.1, 0.1])


def blocks(values, scale=1.0):
    """Four blocks of one scene: bent in x, straight in y, and the odd ones count twice."""
    moved = scale * np.array([max(values["x"] - 0.5, 0.0) ** 2, 3.0 * values["y"]])
    return [[Sketch({"told": k % 2 * moved[None] + moved[None]}) for k in range(4)]]


def differences(*scales):
    simulators = [lambda values, scale=scale: blocks(values, scale) for scale in scales]
    priors = {name: Ranged(low=0.0, high=1.0) for name in "xy"}
    return Differences(Problem([], {}, priors, {name: ("told",) for name in "xy"}, simulators[0], slopes=simulators))


def told(sketch):
    return sketch.counts["told"][0]


def test_either_half_of_the_blocks_has_slopes_of_its_own():
    found = differences(1.0)
    found.look(0, np.array([0.8, 0.3]), STEPS)
    even, odd = found.jacobian(told, np.array([0.8, 0.3]))
    assert even == pytest.approx(2.0 * np.diag([0.6, 3.0])) and odd == pytest.approx(2.0 * even)


@pytest.mark.parametrize(("x", "both", "slope"), [(0.9, False, 0.7), (0.9, True, 0.8), (0.95, True, 0.85)])
def test_a_step_goes_as_far_as_the_bounds_or_to_their_middle_alone(x, both, slope):
    found, at = differences(1.0), np.array([x, 0.5])
    found.look(0, at, STEPS, both)
    assert found.jacobian(told, at)[0] == pytest.approx(2.0 * np.diag([slope, 3.0]))


def test_looks_at_other_scenes_count_together_by_the_square_of_their_length():
    found, at = differences(1.0, 2.0), np.array([0.2, 0.5])
    found.look(0, at, STEPS)
    found.look(1, at, 2.0 * STEPS)
    assert found.jacobian(told, at)[0][1, 1] == pytest.approx(2.0 * 3.0 * (1.0 * 1 + 2.0 * 4) / 5)
    found.look(2, at, STEPS)
    assert len(found.looks) == 2


def test_what_does_not_span_the_point_does_not_count():
    found, near, far = differences(1.0, 1.0), np.array([0.2, 0.5]), np.array([0.9, 0.5])
    found.look(0, far, STEPS)
    found.look(1, near, STEPS)
    assert found.jacobian(told, near)[0] == pytest.approx(2.0 * np.diag([0.0, 3.0]))


@pytest.mark.parametrize("lost", [0.0, 1.0])
def test_a_scan_has_as_many_blocks_whatever_the_settings_leave_of_it(lost):
    model = load_sensor("vlp16")[0].model_copy(update={"columns": 360})
    (found,) = simulated_scans([street_scan(model, 1)], model, {"drop_base": lost}, 3)
    assert len(found) == SECTORS
