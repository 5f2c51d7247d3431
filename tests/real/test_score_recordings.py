"""`score` on folders nobody here made: real data pass against other real data of the same sensor, the same data with doubled noise do not."""

import shutil

import numpy as np
import pytest
import tailgate
from tailgate.errors import UserError


@pytest.fixture(scope="module")
def mosd(data_root, tmp_path_factory):
    """Every second scene, and the others."""
    root = data_root / "rgbd_mosd"
    scenes = sorted(p.name.removesuffix("_depth.png") for p in root.glob("*_depth.png"))
    if len(scenes) < 8:
        pytest.skip("no RGB-D scenes under the data root")
    halves = [tmp_path_factory.mktemp(name) for name in ("even", "odd")]
    for i, scene in enumerate(scenes):
        for file in root.glob(f"{scene}_*.png"):
            shutil.copy(file, halves[i % 2])
    return halves


def test_real_data_pass_against_themselves_and_are_said_to_be_the_same(kitti_root):
    card = tailgate.score(kitti_root, kitti_root, kind="kitti", reference_kind="kitti")
    assert card.verdict == "accepted" and card.exit_code == 0
    assert (card.synthetic.frames, card.reference.frames) == (3, 3)
    assert card.ratio.value < 1.1
    assert any("3 of 3" in note for note in card.notes)


def test_doubled_noise_is_refused(kitti_root, tmp_path):
    noisy = tmp_path / "noisy"
    shutil.copytree(kitti_root, noisy)
    generator = np.random.default_rng(5)
    for file in sorted((noisy / "velodyne").glob("*.bin")):
        file.chmod(0o644)
        points = np.fromfile(file, "<f4").reshape(-1, 4)
        reach = np.linalg.norm(points[:, :3], axis=1, keepdims=True)
        points[:, :3] *= 1 + 0.04 * generator.standard_normal((len(points), 1)).astype(np.float32) / reach
        points.tofile(file)
    card = tailgate.score(noisy, kitti_root, kind="kitti", reference_kind="kitti")
    assert card.verdict == "rejected" and card.exit_code == 1
    assert {"range_noise", "beam_noise"} & {r.metric for r in card.failed}
    assert card.histograms["range_noise"].typical[1] > 1.5 * card.histograms["range_noise"].typical[0]


@pytest.mark.slow
def test_halves_of_real_scenes_accept_each_other(mosd, tmp_path):
    card = tailgate.score(mosd[0], mosd[1], kind="mosd", reference_kind="mosd")
    assert card.verdict == "accepted"
    assert 0.7 < card.ratio.value < 1.3
    page = card.to_html(tmp_path / "score.html").read_text()
    assert "<script" not in page and "http://" not in page.replace("http://www.w3.org", "") and page.count("data:image/") >= 6


def test_a_folder_that_is_no_recording(tmp_path):
    with pytest.raises(UserError, match="velodyne"):
        tailgate.score(tmp_path, tmp_path, kind="kitti", reference_kind="kitti")
