"""`score` on folders nobody here made: real data pass against themselves, the same data with doubled noise do not."""

import shutil

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.runtime.score import score


@pytest.fixture(scope="module")
def kitti(data_root):
    if not (data_root / "kitti" / "velodyne").is_dir():
        pytest.skip("no KITTI sweeps under the data root")
    return data_root / "kitti"


def test_real_data_pass_against_themselves(kitti):
    found = score(kitti, kitti, "kitti")
    assert found.verdict == "accepted" and found.frames == (3, 3)
    assert found.ratio < 1.1


def test_noise_is_noticed(kitti, tmp_path):
    noisy = tmp_path / "noisy"
    shutil.copytree(kitti, noisy)
    generator = np.random.default_rng(5)
    for file in sorted((noisy / "velodyne").glob("*.bin")):
        file.chmod(0o644)
        points = np.fromfile(file, "<f4").reshape(-1, 4)
        reach = np.linalg.norm(points[:, :3], axis=1, keepdims=True)
        points[:, :3] *= 1 + 0.04 * generator.standard_normal((len(points), 1)).astype(np.float32) / reach
        points.tofile(file)
    found = score(noisy, kitti, "kitti")
    assert found.verdict == "rejected"
    assert any(r.metric in ("range_noise", "beam_noise") and r.verdict == "failed" for r in found.rows)


def test_a_folder_that_is_no_recording(tmp_path):
    with pytest.raises(UserError, match="velodyne"):
        score(tmp_path, tmp_path, "kitti")
