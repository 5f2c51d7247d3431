"""The kind of a folder by what lies in it."""

from typing import get_args

import pytest
from tailgate.config.budget import Reference
from tailgate.errors import UserError
from tailgate.reference.detect import SIGNS, detect
from tailgate.reference.open import READERS

COCO = '{"images": [], "annotations": [], "categories": []}'
FOLDERS = {
    "kitti": ["velodyne/000000.bin", "calib/000000.txt", "image_2/000000.png"],
    "semantickitti": ["sequences/00/velodyne/000000.bin"],
    "nuscenes": ["v1.0-mini/sample.json", "samples/LIDAR_TOP/a.pcd.bin"],
    "mosd": ["learn0_depth.png", "learn0_label.png", "learn0_rgb.png"],
    "av2": ["log/lidar_1.npz", "log/annotations.npz"],
    "basicwriter": ["Replicator/rgb/rgb_0000.png"],
    "coco_depth": ["annotations/instances.json", "images/a.png", "depth/a.png"],
    "clouds": ["scan_1.pcd"],
    "npz": ["sensor.yaml", "lidar_1.npz"],
}


def _make(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COCO if name.endswith("instances.json") else '{"data_list": []}' if name == "info.json" else "")
    return root


def test_every_reader_has_a_sign_and_can_stand_in_a_budget():
    assert set(READERS) == set(SIGNS)
    assert set(READERS) <= set(get_args(Reference.model_fields["kind"].annotation))


@pytest.mark.parametrize("kind", FOLDERS)
def test_each_kind(tmp_path, kind):
    assert detect(_make(tmp_path, FOLDERS[kind])) == (kind, tmp_path)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["velodyne/drive/0.bin"], "kitti"),
        (["velodyne/0.bin", "labels/0.label"], "semantickitti"),
        (["info.json"], "nuscenes"),
        (["frame-000000.depth.png", "frame-000000.color.jpg"], "mosd"),
        (["rgb_0000.png", "semantic_segmentation_0000.png"], "basicwriter"),
        (["rgb/Camera_rgb_0000.png"], "basicwriter"),
        (["distance_to_camera_0000.npy"], "basicwriter"),
        (["a/1.las"], "clouds"),
    ],
)
def test_other_forms(tmp_path, names, kind):
    assert detect(_make(tmp_path, names))[0] == kind


RUNS = [(["kitti", "coco"], "kitti", "kitti"), (["coco", "basicwriter"], "basicwriter", "basicwriter"), (["coco"], "coco_depth", "coco")]


@pytest.mark.parametrize(("formats", "kind", "folder"), RUNS)
def test_a_run_gives_its_best_export(tmp_path, formats, kind, folder):
    _make(tmp_path, ["ledger.sqlite", "dataset/manifest.parquet"] + [f"dataset/{f}/summary.json" for f in formats])
    assert detect(tmp_path) == (kind, tmp_path / "dataset" / folder) == detect(tmp_path / "dataset")


def test_a_run_without_a_dataset(tmp_path):
    with pytest.raises(UserError, match="tailgate export"):
        detect(_make(tmp_path, ["ledger.sqlite"]))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "holds nothing: name the kind"),
        (["notes.txt", "my_rgb_0000.png"], r"basicwriter.*holds my_rgb_0000.png, notes.txt: name the kind"),
        (["b.npz"], r"holds b.npz: say what the arrays are in a sensor.yaml"),
        (["scan.ply", "rgb_0000.png"], r"could be of 2 kinds: files named as Replicator.*\(basicwriter\); scan.ply \(clouds\)"),
    ],
)
def test_nothing_or_too_much(tmp_path, names, words):
    with pytest.raises(UserError, match=words):
        detect(_make(tmp_path, names))


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        detect(tmp_path / "no")
    (tmp_path / "frames.npz").touch()
    with pytest.raises(UserError, match="frames.npz: must be a folder of frames, got a file"):
        detect(tmp_path / "frames.npz")


def test_a_damaged_json_is_no_sign(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match="name the kind"):
        detect(tmp_path)


def test_kitti_object_benchmark_is_read_from_its_labelled_part(tmp_path):
    _make(tmp_path, ["ImageSets/trainval.txt", "training/velodyne/000000.bin", "training/calib/000000.txt"])
    assert detect(tmp_path) == ("kitti", tmp_path / "training")
