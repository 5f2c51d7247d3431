"""What of a distance is the simulator's own error."""

import numpy as np
import pytest
from tailgate.calibrate.auxiliary import Auxiliary, residual_of
from tailgate.calibrate.problem import Problem
from tailgate.distributions import Ranged
from tailgate.validate.sketch import Sketch, Statistic

STRATA, BLOCKS, EACH = 40, 12, 400
NORMAL = Statistic("normal", "1", tuple(np.linspace(-5.0, 5.0, 81)), tuple(f"stratum {k}" for k in range(STRATA)))


def blocks(rng, shift, count=EACH):
    """Normal values, a standard deviation of 1 around each stratum's shift [strata], so many in each."""
    out = []
    for _ in range(BLOCKS):
        sketch = Sketch()
        sketch.add(NORMAL, np.repeat(np.arange(STRATA), count), rng.normal(np.repeat(shift, count)))
        out.append(sketch)
    return out


def misfit(shift, seed=0):
    rng = np.random.default_rng(seed)
    scenes = [[block] for block in blocks(rng, shift)]
    problem = Problem(blocks(rng, np.zeros(STRATA)), {"normal": NORMAL}, {"x": Ranged(low=0.0, high=1.0)}, {"x": ["normal"]}, lambda values: scenes)
    auxiliary = Auxiliary(problem, scenes)
    return auxiliary.misfit(residual_of(auxiliary, problem, scenes))


def test_chance_is_no_misfit():
    assert misfit(np.zeros(STRATA))["normal"] < 0.01


def test_the_misfit_of_all_strata_is_found():
    """The Cramér distance of two normals a little apart over their own spread is half the squared shift."""
    shift = np.random.default_rng(1).normal(0.0, 0.2, STRATA)
    found = misfit(shift)
    assert found["normal"] == pytest.approx(0.2 * np.sqrt(0.5), rel=0.25)


def test_a_stratum_of_more_values_weighs_more_where_the_simulator_errs():
    """It is expected to err by less, as the root of what it holds says."""
    rng, count = np.random.default_rng(2), np.where(np.arange(STRATA) < STRATA // 2, EACH, 16 * EACH)
    scenes = [[block] for block in blocks(rng, np.zeros(STRATA), count)]
    problem = Problem(
        blocks(rng, np.zeros(STRATA), count), {"normal": NORMAL}, {"x": Ranged(low=0.0, high=1.0)}, {"x": ["normal"]}, lambda values: scenes
    )
    weight = Auxiliary(problem, scenes, {"normal": 10.0}).weight
    assert weight[-1] / weight[0] == pytest.approx(4.0, rel=1e-3)


def test_blocks_that_agree_by_chance_do_not_make_a_stratum_known():
    """Of one law, half of the strata would have a variance below the middle one."""
    rng = np.random.default_rng(3)
    scenes = [[block] for block in blocks(rng, np.zeros(STRATA))]
    problem = Problem(blocks(rng, np.zeros(STRATA)), {"normal": NORMAL}, {"x": Ranged(low=0.0, high=1.0)}, {"x": ["normal"]}, lambda values: scenes)
    variance = Auxiliary(problem, scenes).variance
    assert np.isclose(variance, variance.min()).sum() == STRATA // 2
