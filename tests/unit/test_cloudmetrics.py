"""The CloudMetrics gap: its formula, its parts, classes that are left out."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.chamfer import chamfer
from tailgate.validate.cloudmetrics import Options, cloudmetrics, cloudmetrics_gap
from tailgate.validate.m3c2 import Scale

OPTIONS = Options(every=4, scale=Scale((0.8,), 0.5, 3.0))


def ground(seed: int, height: float = 0.0, n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.c_[rng.random((n, 2)) * 10, height + 0.005 * rng.normal(size=n)] + [0, 0, 0.25]


def test_the_formula_at_its_ends():
    assert cloudmetrics_gap(0.0, 0.0, 1.0) == pytest.approx(0.0198, abs=5e-5)
    assert cloudmetrics_gap(0.0, 0.0, 0.0) == pytest.approx(1.0)
    assert cloudmetrics_gap(-0.5, 0.2, 0.4) == cloudmetrics_gap(0.5, 0.2, 0.4)


def test_the_parts_of_a_known_step():
    p, q = ground(0), ground(1, 0.1)
    found = cloudmetrics((p, np.zeros(4000, int)), (q, np.zeros(4000, int)), OPTIONS)
    assert found.m3c2_median == pytest.approx(0.1, abs=2e-3)
    assert found.iou == 1.0 and found.nearest == pytest.approx(chamfer(p, q))
    assert found.gap == cloudmetrics_gap(found.m3c2_median, found.nearest, found.iou) and not found.left_out


def test_points_outside_common_cells_count_for_nothing():
    p, q = ground(0), ground(1)
    more = np.concatenate([p, ground(2)[:500] * [0.2, 1, 1] + [15, 0, 0]])
    labels = [np.zeros(len(c), int) for c in (p, q, more)]
    assert cloudmetrics((more, labels[2]), (q, labels[1]), OPTIONS) == cloudmetrics((p, labels[0]), (q, labels[1]), OPTIONS)


def test_a_small_class_is_left_out_of_m_and_kept_in_the_iou():
    p, q = ground(0), ground(1, 0.1)
    labels = np.zeros(4000, int)
    labels[:10] = 7
    found = cloudmetrics((p, labels), (q, np.zeros(4000, int)), Options({0: 0.9, 7: 0.1}, 4, OPTIONS.scale))
    assert list(found.left_out) == [7] and "10 real and 0 synthetic points" in found.left_out[7]
    assert found.iou == pytest.approx(0.9) and found.m3c2_median == pytest.approx(0.1, abs=2e-3)


def test_what_cannot_be_compared_is_refused():
    p = ground(0)
    zeros = np.zeros(4000, int)
    with pytest.raises(UserError, match="one class per point"):
        cloudmetrics((p, zeros[:5]), (p, zeros), OPTIONS)
    with pytest.raises(UserError, match="one place"):
        cloudmetrics((p, zeros), (p + [300.0, 0, 0], zeros), OPTIONS)
    with pytest.raises(UserError, match="positive weights"):
        Options({0: 0.0})
    with pytest.raises(UserError, match="enough points on both sides"):
        cloudmetrics((p, zeros), (p, zeros + 1), OPTIONS)
