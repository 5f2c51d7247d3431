"""Sets of crops: answers known by construction, the twin."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.sets import compare_sets, compare_sets_twin


def crops(count: int, seed: int, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 40, 3)) * rng.uniform(0.5, 1.5, (count, 1, 3)) * scale


def test_a_copy_covers_everything():
    a = crops(8, 0)
    found = compare_sets(a, a[::-1])
    assert found.mmd == pytest.approx(0.0, abs=1e-12) and found.coverage == 1.0 and found.one_nna == 0.0


def test_one_crop_over_and_over_covers_little_and_is_told_apart():
    a = crops(10, 1)
    found = compare_sets(a, np.repeat(a[:1], 10, axis=0) + 0.01)
    assert found.coverage == pytest.approx(0.1) and found.one_nna >= 0.9


def test_sets_of_one_kind_are_near_a_half_and_others_near_one():
    a, b, other = crops(30, 2), crops(30, 3), crops(30, 4, scale=3.0)
    assert 0.3 < compare_sets(a, b).one_nna < 0.7 and compare_sets(a, other).one_nna > 0.85
    assert compare_sets(a, b).mmd < compare_sets(a, other).mmd


@pytest.mark.parametrize("distance", ["chamfer_sq", "chamfer"])
def test_kernel_and_twin_agree(distance):
    a, b = crops(6, 5), crops(9, 6)
    ours, twin = compare_sets(a, b, distance), compare_sets_twin(a, b, distance)
    assert ours.mmd == pytest.approx(twin.mmd, rel=1e-5) and (ours.coverage, ours.one_nna) == (twin.coverage, twin.one_nna)


def test_the_order_of_clouds_and_points_changes_nothing():
    a, b = crops(7, 7), crops(7, 8)
    assert compare_sets(a[::-1, ::-1], b[::-1]).mmd == pytest.approx(compare_sets(a, b).mmd, rel=1e-6)
    assert compare_sets(a[::-1], b[::-1]).one_nna == compare_sets(a, b).one_nna


def test_other_sizes_and_distances_are_refused():
    with pytest.raises(UserError, match="did you mean 'chamfer'"):
        compare_sets(crops(3, 0), crops(3, 1), "chamfr")
    with pytest.raises(UserError, match="got 40 and 20 points"):
        compare_sets(crops(3, 0), crops(3, 1)[:, :20])
