"""What holds for every cloud metric: refusals by name, and what order, motion, repetition and swapping may change."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import warp as wp
from tailgate.errors import UserError
from tailgate.validate.chamfer import chamfer, chamfer_sq
from tailgate.validate.cloudmetrics import Options, cloudmetrics
from tailgate.validate.clouds import FLOAT32_LIMIT, checked, checked_set, shaped
from tailgate.validate.density import density_aware_chamfer
from tailgate.validate.emd import directions, emd, sliced_w1
from tailgate.validate.m3c2 import Scale, m3c2, summary
from tailgate.validate.sets import compare_sets
from tailgate.validate.voxels import require_paired, voxel_iou

UNIT = directions(200, 3, np.random.default_rng(5))
SMALL = Scale((1.5,), 1.0, 5.0)
CORES = np.stack(np.meshgrid([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.2]), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class Metric:
    """A cloud metric as a number, and what it promises."""

    measure: Callable[[np.ndarray, np.ndarray], float]
    moves: float | None = 1e-4
    """Relative change allowed under a rigid motion; None: depends on the axes or the grid."""
    repeats: bool = True
    """Repeating every point of both clouds changes nothing."""
    symmetric: bool = True
    least: int = 1


def _labelled(points):
    return points, np.zeros(len(points), int)


METRICS = {
    "chamfer": Metric(chamfer),
    "chamfer_sq": Metric(chamfer_sq),
    "emd": Metric(emd),
    "sliced_w1": Metric(lambda p, q: float(sliced_w1(p, q, UNIT).mean()), moves=0.1),
    "density_aware_chamfer": Metric(lambda p, q: density_aware_chamfer(p, q, 5.0), repeats=False),
    "m3c2": Metric(lambda p, q: summary(m3c2(p, q, CORES, SMALL)).median_abs, moves=None, symmetric=False, least=3),
    "voxel_iou": Metric(lambda p, q: voxel_iou(p, q).iou, moves=None),
    "require_paired": Metric(lambda p, q: float(require_paired(p, q) is None), moves=None),
    "cloudmetrics": Metric(
        lambda p, q: cloudmetrics(_labelled(p), _labelled(q), Options(every=1, scale=SMALL)).gap, moves=None, symmetric=False, least=20
    ),
}


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("metric", [METRICS[n] for n in names], ids=names)


TABLE = of(*METRICS)
MOVING = of(*(name for name, metric in METRICS.items() if metric.moves is not None))
SYMMETRIC = of(*(name for name, metric in METRICS.items() if metric.symmetric))


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    p, q = (rng.random((200, 3)) * [4.0, 4.0, 0.4] for _ in range(2))
    return p.astype(np.float32), (q + [0.03, 0.0, 0.1]).astype(np.float32)


@TABLE
def test_the_order_of_points_changes_nothing(metric, pair):
    p, q = pair
    assert metric.measure(p[::-1], np.roll(q, 57, axis=0)) == pytest.approx(metric.measure(p, q), rel=1e-6)


@TABLE
def test_equal_results_run_to_run(metric, pair):
    assert metric.measure(*pair) == metric.measure(*pair)


@MOVING
def test_a_rigid_motion_changes_nothing_where_promised(metric, pair):
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = [(c.astype(np.float64) @ turn.T + [3.0, -2.0, 1.0]).astype(np.float32) for c in pair]
    assert metric.measure(*moved) == pytest.approx(metric.measure(*pair), rel=metric.moves)


@TABLE
def test_repeated_points_count_as_stated(metric, pair):
    p, q = pair
    same = metric.measure(np.repeat(p, 2, axis=0), np.repeat(q, 2, axis=0)) == pytest.approx(metric.measure(p, q), rel=1e-3)
    assert same == metric.repeats


@SYMMETRIC
def test_symmetric_where_promised(metric, pair):
    assert metric.measure(*pair) == pytest.approx(metric.measure(*pair[::-1]), rel=1e-6)


def _with(value: float) -> np.ndarray:
    cloud = np.random.default_rng(0).random((60, 3))
    cloud[17, 1] = value
    return cloud


BAD = {
    "empty": (np.zeros((0, 3)), "must hold at least"),
    "flat": (np.zeros((4, 2)), r"must be points of shape \(n, 3\)"),
    "ragged": ([[0.0, 0.0, 0.0], [1.0, 2.0]], "rows of different lengths"),
    "words": (np.array([["a", "b", "c"]]), "must hold numbers"),
    "nan": (_with(np.nan), "in 1 of 60 points, first in row 17"),
    "infinity": (_with(-np.inf).astype(np.float32), "in 1 of 60 points, first in row 17"),
    "far": (_with(1e7), "below 1e[+]07 m, got 1e[+]07 m"),
    "far in float32": (_with(-1e7).astype(np.float32), "float32 steps are 1 m"),
    "too far for float32": (_with(2e6).astype(np.float32), "float32 steps are 0.125 m"),
}


@TABLE
@pytest.mark.parametrize("side", ["real", "synthetic"])
@pytest.mark.parametrize("bad", BAD)
def test_bad_clouds_are_refused_by_name(metric, side, bad):
    wrong, words = BAD[bad]
    good = np.random.default_rng(1).random((60, 3))
    with pytest.raises(UserError, match=f"the {side} cloud .*{words}"):
        metric.measure(*((wrong, good) if side == "real" else (good, wrong)))


@TABLE
def test_one_point_is_enough_or_refused(metric):
    one = np.array([[1.0, 2.0, 3.0]])
    if metric.least > 1:
        with pytest.raises(UserError, match="points"):
            metric.measure(one, one)
    else:
        assert np.isfinite(metric.measure(one, one))


def test_far_clouds_in_double_precision_are_taken():
    p = np.random.default_rng(3).random((50, 3)) + [4e5, 5.8e6, 100.0]
    assert chamfer(p, p + [0.0, 0.5, 0.0]) > 0.0 and checked(p, "the real cloud").dtype == np.float64
    with pytest.raises(UserError, match="subtract a common origin"):
        chamfer(p.astype(np.float32), p.astype(np.float32))
    with pytest.raises(UserError, match="the synthetic cloud Q .* float32 steps are 0.5 m"):
        chamfer(p, p - [0.0, 5.8e6, 0.0])


def test_the_limit_of_float32_is_where_its_step_passes_a_sixteenth():
    assert np.spacing(np.float32(FLOAT32_LIMIT) * np.float32(0.999)) == 1 / 16 and np.spacing(np.float32(FLOAT32_LIMIT)) == 1 / 8


def test_device_arrays_are_checked_where_they_are():
    bad = np.random.default_rng(4).random((30, 3)).astype(np.float32)
    bad[[5, 9]] = np.nan
    with pytest.raises(UserError, match="the synthetic cloud Q .* in 2 of 30 points, first in row 5"):
        chamfer(np.zeros((3, 3)), wp.array(bad, dtype=wp.vec3, device="cpu"))
    assert shaped(wp.zeros(4, dtype=wp.vec3, device="cpu"), "it").shape == (4,)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((0, 4, 3)), "the synthetic set must be clouds of shape"),
        ([np.zeros((4, 3)), np.zeros((5, 3))], "the synthetic set must hold clouds of one size"),
        (np.stack([np.zeros((4, 3)), np.full((4, 3), np.nan)]), "cloud 1 of the synthetic set must hold finite coordinates"),
        (np.full((2, 4, 3), 1e7), "the synthetic set must have coordinates below"),
    ],
)
def test_bad_sets_are_refused_by_name(bad, words):
    with pytest.raises(UserError, match=words):
        compare_sets(np.zeros((3, 4, 3)), bad)
    with pytest.raises(UserError, match=words):
        checked_set(bad, "the synthetic set")
