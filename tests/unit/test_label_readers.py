"""Label readers on small hand-made files: what they hold, and what they say of mistakes."""

import json

import numpy as np
import pytest
from tailgate.datasets.labels import buckets, read_labels, tail_threshold
from tailgate.errors import UserError

KITTI = "Car 0.25 1 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57\n"
DONT_CARE = "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n"
COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    "categories": [{"id": 0, "name": "cup"}, {"id": 1, "name": "pen"}, {"id": 5, "name": "cup"}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 0, "bbox": [1, 2, 3, 4]}, {"id": 2, "image_id": 7, "category_id": 5}],
}


def write(path, text):
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def test_coco(tmp_path):
    table = read_labels(write(tmp_path / "x.json", COCO))
    assert table.format == "coco" and table.counts() == {"pen": 0, "cup": 2} and table.frames == ["a.jpg", "b.jpg"]
    assert table.box2d[0].tolist() == [1, 2, 4, 6] and np.isnan(table.box2d[1]).all() and "'cup'" in table.notes[0]
    assert np.isnan(table.centre).all()


def test_kitti_box_in_forward_left_up(tmp_path):
    table = read_labels(write(tmp_path / "000004.txt", KITTI + DONT_CARE))
    assert table.format == "kitti" and len(table) == 1 and table.frames == ["000004"] and "DontCare" in table.notes[0]
    assert table.centre[0] == pytest.approx([58.49, 16.53, 1.67 / 2 - 2.39]) and table.size[0] == pytest.approx([3.69, 1.87, 1.67])
    assert table.yaw[0] == pytest.approx(-np.pi, abs=0.01) or table.yaw[0] == pytest.approx(np.pi, abs=0.01)
    assert table.truncated[0] == 0.25 and table.occluded[0] == pytest.approx(0.3)
    assert table.counts()["Tram"] == 0


def test_kitti_tracking_folder(tmp_path):
    row = "3 9 Cyclist 0 0 -1.79 296.7 161.7 455.2 292.3 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1\n"
    write(tmp_path / "0000.txt", row)
    write(tmp_path / "0001.txt", row + row.replace("3 9", "4 9", 1))
    table = read_labels(tmp_path)
    assert table.format == "kitti_tracking" and table.frames == ["0000/000003", "0001/000003", "0001/000004"]
    assert table.track == ["0000/9", "0001/9", "0001/9"] and table.counts()["Cyclist"] == 3


def test_label_2_beside_other_folders_and_an_empty_file(tmp_path):
    folder = tmp_path / "training" / "label_2"
    folder.mkdir(parents=True)
    write(folder / "000000.txt", "")
    write(folder / "000001.txt", KITTI)
    table = read_labels(tmp_path)
    assert table.frames == ["000000", "000001"] and len(table) == 1


def _nuscenes(folder, poses=True):
    half = np.sqrt(0.5)
    tables = {
        "category": [{"token": "c1", "name": "vehicle.car"}, {"token": "c2", "name": "human.pedestrian.stroller"}],
        "instance": [{"token": "i1", "category_token": "c2"}],
        "sample": [{"token": "s1"}, {"token": "s2"}],
        "sample_annotation": [
            {
                "token": "a1", "sample_token": "s1", "instance_token": "i1", "visibility_token": "2", "translation": [100.0, 212.0, 1.0],
                "size": [0.6, 1.1, 1.0], "rotation": [1.0, 0.0, 0.0, 0.0],
            }
        ],
    }
    if poses:
        tables["ego_pose"] = [{"token": "p1", "translation": [100.0, 200.0, 0.0], "rotation": [half, 0.0, 0.0, half]}]
        tables["sample_data"] = [
            {"sample_token": "s1", "ego_pose_token": "p1", "is_key_frame": True, "filename": "samples/LIDAR_TOP/x.bin"},
            {"sample_token": "s1", "ego_pose_token": "none", "is_key_frame": False, "filename": "sweeps/LIDAR_TOP/y.bin"},
        ]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write(folder / f"{name}.json", rows)
    return folder


def test_nuscenes_tables_in_the_ego_frame(tmp_path):
    _nuscenes(tmp_path / "v1.0-mini")
    table = read_labels(tmp_path)
    assert table.counts() == {"vehicle.car": 0, "human.pedestrian.stroller": 1} and table.frames == ["s1", "s2"] and table.track == ["i1"]
    assert table.centre[0] == pytest.approx([12.0, 0.0, 1.0]) and table.yaw[0] == pytest.approx(-np.pi / 2)
    assert table.size[0] == pytest.approx([1.1, 0.6, 1.0]) and table.occluded[0] == 0.5


def test_nuscenes_without_poses_says_so(tmp_path):
    table = read_labels(_nuscenes(tmp_path, poses=False))
    assert np.isnan(table.centre).all() and "range" in table.notes[0] and table.counts()["human.pedestrian.stroller"] == 1
    write(tmp_path / "instance.json", [])
    with pytest.raises(UserError, match="instance_token must lead to a category"):
        read_labels(tmp_path)


def test_mmdet3d_info(tmp_path):
    T = [[0, 1, 0, 1.0], [-1, 0, 0, 0], [0, 0, 1, 1.8], [0, 0, 0, 1]]
    box = {"bbox_label_3d": 0, "bbox_3d": [0.0, 10.0, -1.0, 4.0, 2.0, 1.5, np.pi / 2]}
    entry = {"token": "t", "lidar_points": {"lidar2ego": T}, "instances": [box, {**box, "bbox_label_3d": -1}]}
    table = read_labels(write(tmp_path / "info.json", {"metainfo": {"categories": {"car": 0, "bus": 1}}, "data_list": [entry]}))
    assert table.centre[0] == pytest.approx([11.0, 0.0, 0.8]) and table.yaw[0] == pytest.approx(0.0) and "-1" in table.notes[0]
    assert table.counts() == {"bus": 0, "car": 1}


@pytest.mark.parametrize("form", ["npz", "feather"])
def test_av2(tmp_path, form):
    columns = {
        "timestamp_ns": np.array([20, 10, 10]), "track_uuid": np.array(["u", "u", "v"]), "category": np.array(["STROLLER", "STROLLER", "BOLLARD"]),
        **{c: np.array([1.0, 1.0, 2.0]) for c in ("length_m", "width_m", "height_m")},
        "qw": np.full(3, np.cos(0.4)), "qx": np.zeros(3), "qy": np.zeros(3), "qz": np.full(3, np.sin(0.4)),
        "tx_m": np.array([3.0, 6.0, 0.0]), "ty_m": np.array([4.0, 8.0, 1.0]), "tz_m": np.zeros(3),
    }
    path = tmp_path / "log7" / f"annotations.{form}"
    path.parent.mkdir()
    if form == "npz":
        np.savez(path, **columns)
    else:
        import pyarrow as pa
        from pyarrow import feather

        feather.write_feather(pa.table({k: pa.array(v.tolist()) for k, v in columns.items()}), path)
    for source in (path, tmp_path):
        table = read_labels(source)
        assert table.format == "av2" and table.counts() == {"BOLLARD": 1, "STROLLER": 2} and table.frames == ["log7/10", "log7/20"]
        assert table.range.tolist() == [5, 10, 1] and table.yaw == pytest.approx(0.8) and len(set(table.track)) == 2


def test_csv(tmp_path):
    table = read_labels(write(tmp_path / "x.csv", "class,count\nperson, 2000\nwheelchair user,45\n"))
    assert table.counts() == {"wheelchair user": 45, "person": 2000} and len(table) == 0


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("x.csv", "class,count\nperson,12\ncar,-3\n", r"x.csv:3: count of 'car' must be a whole number from 0 on, got '-3'"),
        ("x.csv", "class,count\nperson,12,3\n", r"x.csv:2: a row must be class,count, got 3 fields"),
        ("x.csv", "class,count\na,1\na,2\n", r"x.csv:3: class 'a' is listed twice"),
        ("x.csv", "name,n\na,1\n", r"x.csv:1: the first line must be 'class,count'"),
        ("000000.txt", KITTI + "Car 1 2 3\n", r"000000.txt:2: a kitti row must have 15 fields \(or 16 with a score\), got 4"),
        ("000000.txt", KITTI + KITTI.replace("58.49", "far"), r"000000.txt:2: every field but the type must be a number, got 'far'"),
        ("000000.txt", "Car 1 2 3\n", r"000000.txt:1: a KITTI row has 15 fields"),
        ("x.json", "{", r"x.json:1: is not valid JSON"),
        ("x.json", {"images": []}, r"must have the lists 'annotations' and 'categories', got keys images"),
        ("x.json", {**COCO, "annotations": [{"image_id": 7, "category_id": 99}]}, r"annotations\[0\]: category_id must be one of the 3"),
        ("x.json", {**COCO, "annotations": [{"image_id": 9, "category_id": 0}]}, r"annotations\[0\]: image_id must be one of the 2"),
        ("x.json", {**COCO, "annotations": [{"category_id": 0}]}, r"annotations\[0\]: 'image_id' is required"),
        ("x.json", {**COCO, "annotations": [{"image_id": 7, "category_id": 0, "bbox": [1, 2]}]}, r"bbox must be four numbers"),
        ("x.txt", "", "is empty"),
        ("x.yaml", "a: 1\n", "is in no known label format"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, name, text, message):
    with pytest.raises(UserError, match=message):
        read_labels(write(tmp_path / name, text))


def test_missing_and_unknown_sources(tmp_path):
    write(tmp_path / "labels.json", COCO)
    with pytest.raises(UserError, match="did you mean 'labels.json'"):
        read_labels(tmp_path / "label.json")
    write(tmp_path / "other.json", COCO)
    with pytest.raises(UserError, match="several label sets"):
        read_labels(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no labels in a known format"):
        read_labels(empty)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(UserError, match="not a readable npz"):
        read_labels(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", xyz=np.zeros(3))
    with pytest.raises(UserError, match="lacks the columns timestamp_ns"):
        read_labels(tmp_path / "other.npz")
    (tmp_path / "bad.feather").write_bytes(b"ARROW1 no table")
    with pytest.raises(UserError, match="not a readable feather"):
        read_labels(tmp_path / "bad.feather")


def test_buckets():
    counts = {"a": 1, "b": 10, "c": 20, "d": 30, "e": 1000}
    found = buckets(counts)
    assert found.of == {"a": "tail", "b": "body", "c": "body", "d": "body", "e": "head"}
    assert found.rarest(["e", "b"]) == "body" and found.rarest(["e", "new"]) == "tail" and found.rarest([]) == "empty"
    with pytest.raises(UserError, match="between 0 and 100"):
        tail_threshold(counts, 120)


def test_a_missing_file_names_the_nearest_one_and_no_others(tmp_path):
    for name in (".dockerenv", "bin.txt", "annotations.json"):
        (tmp_path / name).write_text("")
    for asked, said in (("x.json", "label file not found"), ("anotations.jsn", "label file not found (did you mean 'annotations.json'?)")):
        with pytest.raises(UserError) as refused:
            read_labels(tmp_path / asked)
        assert refused.value.message == said
