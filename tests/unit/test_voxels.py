"""Voxel overlap: counted by hand, the twin, and the guard of the paired metrics."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.voxels import Overlap, numbered, require_paired, voxel_iou, voxel_iou_twin


def test_counted_by_hand():
    p = np.array([[0.1, 0.1, 0.1], [0.2, 0.2, 0.2], [0.7, 0.1, 0.1], [12.0, 0.0, 0.0]])
    q = np.array([[0.4, 0.4, 0.4], [4.9, 4.9, 0.1], [-0.1, 0.1, 0.1]])
    with pytest.raises(UserError, match="33%"):
        voxel_iou(p, q)
    found = voxel_iou(p[:3], q[:2])
    assert found == Overlap(1, 2, 2, 1, 3) and found.iou == pytest.approx(1 / 3)


def test_a_cloud_overlaps_itself_whatever_its_order():
    p = np.random.default_rng(0).random((400, 3)) * 30 - 15
    assert voxel_iou(p, p[::-1]).iou == 1.0


@pytest.mark.parametrize("axes", [2, 3])
def test_sorting_and_sets_agree(axes):
    rng = np.random.default_rng(1)
    p, q = (rng.normal(size=(n, 3)) * [9, 9, 1] for n in (900, 700))
    assert voxel_iou(p, q, axes=axes) == voxel_iou_twin(p, q, axes=axes)


def test_a_twin_is_kept_apart_by_ground_cells_or_cubes():
    p = np.random.default_rng(2).random((300, 3)) * [20, 20, 2]
    q = np.concatenate([p, p + [0, 0, 50.0]])
    assert voxel_iou(p, q, axes=3).iou == 1.0 and voxel_iou(p, q, axes=2).iou == pytest.approx(0.5)


def test_rows_are_numbered_by_value():
    a, b = numbered(np.array([[2, 1], [-1, 5], [2, 1]]), np.array([[2, 0], [-1, 5]]))
    assert a.tolist() == [2, 0, 2] and b.tolist() == [1, 0]


def test_two_places_are_refused():
    rng = np.random.default_rng(3)
    p, q = (rng.random((3000, 3)) * [60, 60, 3] for _ in range(2))
    require_paired(p, q)
    require_paired(p, q + [10.0, 0.0, 0.0])
    for shift in ([40.0, 0, 0], [1000.0, 0, 0]):
        with pytest.raises(UserError, match="paired metrics compare two recordings of one place"):
            require_paired(p, q + shift)
