"""The metrics against independently computed values, on real recordings."""

import golden
import golden_checks
import pytest


@pytest.mark.parametrize("case", golden.cases("chamfer, chamfer_sq", recordings=True))
def test_chamfer(case, data_root):
    golden_checks.check_chamfer(case, golden.arrays(case, golden.loader(data_root)))


@pytest.mark.parametrize("case", golden.cases("emd", recordings=True))
def test_emd(case, data_root):
    golden_checks.check_emd(case, golden.arrays(case, golden.loader(data_root)))


@pytest.mark.parametrize("case", golden.cases("sliced_w1", recordings=True))
def test_sliced_w1(case, data_root):
    golden_checks.check_sliced(case, golden.arrays(case, golden.loader(data_root)))


@pytest.mark.parametrize("case", golden.cases("dogss_score geometric part", recordings=True))
def test_dogss_score(case, data_root):
    golden_checks.check_dogss(case, golden.arrays(case, golden.loader(data_root)))


@pytest.mark.parametrize("case", golden.cases("voxel IoU", recordings=True))
def test_voxel_iou(case, data_root):
    golden_checks.check_voxels(case, golden.arrays(case, golden.loader(data_root)))


@pytest.mark.parametrize("case", golden.cases("m3c2", recordings=True))
def test_m3c2(case, data_root):
    golden_checks.check_m3c2(case, golden.arrays(case, golden.loader(data_root)))
