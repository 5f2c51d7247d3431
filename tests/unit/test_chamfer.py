"""Chamfer distance: analytic answers, the twin, refusals."""

import numpy as np
import pytest
import warp as wp
from tailgate.errors import UserError
from tailgate.validate.chamfer import chamfer, chamfer_matrix, chamfer_matrix_twin, chamfer_sq, halves, halves_twin, nearest_distances
from tailgate.validate.nearest import CPU_WIDTH, LEAF, clouds


def lattice(n: int, step: float) -> np.ndarray:
    axis = np.arange(n) * step
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def test_a_shifted_lattice_has_the_shift_as_its_distance():
    p = lattice(9, 1.0)
    for shift in ([0.25, 0, 0], [0.2, -0.1, 0.3]):
        expected = float(np.linalg.norm(shift))
        assert chamfer(p, p + shift) == pytest.approx(expected, rel=1e-5)
        assert chamfer_sq(p, p + shift) == pytest.approx(expected**2, rel=1e-5)


def test_halves_are_directed():
    h = halves([[0, 0, 0], [10, 0, 0]], [[0, 3, 0]])
    assert h.d_pq == pytest.approx((3 + np.hypot(10, 3)) / 2, rel=1e-6)
    assert h.d_qp == pytest.approx(3) and h.d2_qp == pytest.approx(9)


def test_equal_clouds_in_another_order_are_at_zero():
    p = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    assert chamfer(p, p[::-1].copy()) == 0.0


@pytest.mark.parametrize("sizes", [(1, 1), (1, 50), (LEAF, LEAF + 1), (LEAF - 1, 3), (333, 1000), (4096, 77)])
def test_kernel_and_twin_agree(sizes):
    rng = np.random.default_rng(sum(sizes))
    p, q = (rng.normal(size=(n, 3)) * [40, 10, 0.5] for n in sizes)
    ours, twin = halves(p, q), halves_twin(p, q)
    assert ours.chamfer == pytest.approx(twin.chamfer, rel=1e-5) and ours.chamfer_sq == pytest.approx(twin.chamfer_sq, rel=1e-5)


def test_distances_come_in_input_order():
    p = np.array([[5.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    d, _ = nearest_distances(p, np.zeros((1, 3)))
    assert d.tolist() == [5.0, 1.0, 3.0]


def test_queries_per_thread_change_nothing():
    rng = np.random.default_rng(1)
    a, b = clouds({"P": rng.random((1001, 3)), "Q": rng.random((500, 3))})
    assert np.array_equal(a.squared_distances(b, 1), a.squared_distances(b, CPU_WIDTH))


def test_outliers_and_coincident_points_cost_nothing():
    p = np.concatenate([np.zeros((500, 3)), [[1e6, 0, 0]]])
    q = np.concatenate([np.full((500, 3), 0.5), [[1e6, 0, 1.0]]])
    d, e = nearest_distances(p, q)
    assert d[:-1] == pytest.approx(np.sqrt(0.75)) and d[-1] == pytest.approx(1.0) and e[-1] == pytest.approx(1.0)


def test_far_from_the_origin_in_double_precision():
    rng = np.random.default_rng(2)
    p, q = rng.random((400, 3)), rng.random((300, 3))
    far = np.array([5e6, -3e6, 100.0])
    assert chamfer(p + far, q + far) == pytest.approx(halves_twin(p, q).chamfer, rel=1e-5)


def test_device_arrays_are_taken_as_they_are():
    rng = np.random.default_rng(3)
    p, q = (rng.random((n, 3)).astype(np.float32) for n in (100, 90))
    on_device = wp.array(p, dtype=wp.vec3, device="cpu"), wp.array(q, dtype=wp.float32, device="cpu")
    assert chamfer(*on_device) == chamfer(p, q) == chamfer(on_device[0], q)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((0, 3)), "Q must hold at least one point"),
        (np.zeros((4, 2)), "Q must be points of shape"),
        ([[0, 0, np.nan]], "Q must hold finite coordinates"),
        ([[0, np.inf, 0]], "Q must hold finite coordinates"),
    ],
)
def test_bad_clouds_are_refused_by_name(bad, words):
    with pytest.raises(UserError, match=words):
        chamfer(np.zeros((5, 3)), bad)


def test_all_pairs_of_crops():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(3, 37, 3)), rng.normal(size=(5, 20, 3))
    assert chamfer_matrix(a, b) == pytest.approx(chamfer_matrix_twin(a, b), rel=1e-5)
    with pytest.raises(UserError, match="second set"):
        chamfer_matrix(a, np.full((2, 4, 3), np.nan))
