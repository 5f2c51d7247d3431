"""Every format written from the same frames: loads in its own tools, and the boxes are equal everywhere."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from frames_fixture import CAMERA, LABELS, make_frame
from tailgate.datasets.basicwriter import colour_key, colours
from tailgate.datasets.boxes import corners, inverse, levelling
from tailgate.datasets.files import decode_png
from tailgate.datasets.labels import read_labels
from tailgate.datasets.manifest import ManifestRow, read_manifest
from tailgate.datasets.shared import firing_table_order, once
from tailgate.datasets.write import WRITERS, write_dataset
from tailgate.errors import TailgateError, UserError
from tailgate.frames import FrameId
from tailgate.reference.organise import rings_from_order

FRAMES = 3


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("dataset")
    frames = [make_frame(i) for i in range(FRAMES)]
    summary = write_dataset(iter(frames), out, list(WRITERS), classes=("wheelchair user", "Car", "Pedestrian"))
    return out, frames, summary


def _visible(frame):
    return np.flatnonzero(frame.sensors["camera"].view.visible > 0)


def test_the_fixture_has_every_case():
    view = make_frame().sensors["camera"].view
    assert (view.visible > 0).tolist() == [True, True, True, False]
    assert 0.1 < view.occluded[1] < 0.9 and view.truncated[2] > 0.1 and view.alone[3] > 0


def test_coco_loads_and_masks_match_boxes(written, capsys):
    from pycocotools import mask as run_lengths
    from pycocotools.coco import COCO

    out, frames, _ = written
    coco = COCO(str(out / "coco" / "annotations.json"))
    assert sorted(coco.imgs) == [1, 2, 3] and min(coco.anns) == 1
    assert {c["name"]: c["id"] for c in coco.loadCats(coco.getCatIds())} == {"wheelchair user": 1, "Car": 2, "Pedestrian": 3}
    assert sum(len(_visible(f)) for f in frames) == len(coco.anns)
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert isinstance(annotation["segmentation"]["counts"], str) and isinstance(annotation["area"], float) and annotation["iscrowd"] == 0
        assert run_lengths.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]
        assert mask.sum() == annotation["area"] and mask.shape == (CAMERA.height, CAMERA.width)
        image = coco.imgs[annotation["image_id"]]
        assert decode_png((out / "coco" / "images" / image["file_name"]).read_bytes()).shape == (CAMERA.height, CAMERA.width, 3)


def test_coco_perfect_detections_score_one(written, capsys):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    coco = COCO(str(written[0] / "coco" / "annotations.json"))
    detections = coco.loadRes([{**{k: a[k] for k in ("image_id", "category_id", "bbox", "segmentation")}, "score": 1.0} for a in coco.anns.values()])
    for kind in ("bbox", "segm"):
        scores = COCOeval(coco, detections, kind)
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
        assert scores.stats[0] == pytest.approx(1.0)


def test_kitti_projects_boxes_into_their_images(written):
    out, frames, _ = written
    for i, frame in enumerate(frames):
        calib = _kitti_calib(out / "kitti" / "training" / "calib" / f"{i:06d}.txt")
        lines = (out / "kitti" / "training" / "label_2" / f"{i:06d}.txt").read_text().splitlines()
        camera = frame.sensors["camera"]
        for row, line in zip(_visible(frame), lines, strict=True):
            name, *fields = line.split()
            truncated, occluded, alpha, x1, y1, x2, y2, h, w, length, x, y, z, ry = map(float, fields)
            assert name == frame.objects.class_name[row].replace(" ", "_")
            assert np.allclose([length, w, h], frame.objects.size[row], atol=1e-4)
            T = np.eye(4)
            T[:3, :3] = [[np.cos(ry), np.sin(ry), 0], [0, 0, -1], [-np.sin(ry), np.cos(ry), 0]]
            T[:3, 3] = [x, y - h / 2, z]
            truth = np.eye(4)
            truth[:3, :3] = calib["R0_rect"]
            truth = truth @ inverse(camera.T_world_sensor[0]) @ frame.objects.T_world_box[row]
            assert np.allclose(corners(T, np.array([length, w, h])), corners(truth, frame.objects.size[row]), atol=2e-3)
            u, v, depth = calib["P2"] @ [x, y - h / 2, z, 1.0]
            loose = camera.view.bbox_loose[row]
            if truncated < 0.01:
                assert loose[0] <= u / depth <= loose[2] and loose[1] <= v / depth <= loose[3]
            if truncated < 0.01 and occluded == 0:
                assert x1 <= u / depth <= x2 and y1 <= v / depth <= y2
            assert [x1, y1, x2, y2] == camera.view.bbox_tight[row].tolist()
            assert np.isclose(np.cos(alpha), np.cos(ry - np.arctan2(x, z)), atol=1e-3)


def test_kitti_points_fall_on_their_objects(written):
    out, frames, _ = written
    calib = _kitti_calib(out / "kitti" / "training" / "calib" / "000000.txt")
    cloud = np.fromfile(out / "kitti" / "training" / "velodyne" / "000000.bin", "<f4").reshape(-1, 4)
    points = firing_table_order(frames[0].sensors["lidar"].points())
    azimuth = np.rad2deg(np.arctan2(cloud[:, 1], cloud[:, 0])) % 360
    assert len(np.unique(rings_from_order(azimuth))) == len(np.unique(points["ring"]))
    assert np.array_equal(cloud[:, :3], points["xyz"]) and np.array_equal(cloud[:, 3], points["intensity"])
    on_car = np.concatenate([cloud[points["instance"] == 3, :3], np.ones((int((points["instance"] == 3).sum()), 1))], axis=1)
    u, v, depth = calib["P2"] @ np.vstack([calib["R0_rect"] @ (calib["Tr_velo_to_cam"] @ on_car.T), np.ones(len(on_car))])
    x1, y1, x2, y2 = frames[0].sensors["camera"].view.bbox_loose[0]
    assert len(on_car) > 20 and np.all((u / depth >= x1 - 2) & (u / depth <= x2 + 2) & (v / depth >= y1 - 2) & (v / depth <= y2 + 2))


def _kitti_calib(path):
    rows = {line.split(":")[0]: np.array(line.split(":")[1].split(), float) for line in path.read_text().splitlines()}
    shapes = {"R0_rect": (3, 3), **dict.fromkeys(("P0", "P1", "P2", "P3", "Tr_velo_to_cam", "Tr_imu_to_velo"), (3, 4))}
    return {k: v.reshape(shapes[k]) for k, v in rows.items()}


def test_semantickitti_points_and_labels_agree(written):
    out, frames, _ = written
    folder = out / "semantickitti" / "sequences" / "00"
    for i, frame in enumerate(frames):
        points = np.fromfile(folder / "velodyne" / f"{i:06d}.bin", "<f4").reshape(-1, 4)
        labels = np.fromfile(folder / "labels" / f"{i:06d}.label", "<u4")
        assert len(points) == len(labels) == (frame.sensors["lidar"].channels["range"] > 0).sum()
        truth = firing_table_order(frame.sensors["lidar"].points())
        assert np.array_equal(labels & 0xFFFF, truth["semantic"]) and np.array_equal(labels >> 16, truth["instance"])
    poses = np.loadtxt(folder / "poses.txt").reshape(-1, 3, 4)
    assert np.allclose(poses[1], frames[1].sensors["lidar"].T_world_sensor[0][:3])
    from ruamel.yaml import YAML

    names = YAML(typ="safe").load(out / "semantickitti" / "semantic-kitti.yaml")
    assert names["labels"] == {0: "unlabeled", **{i: n for n, i in LABELS.items()}} and names["split"]["train"] == [0]
    assert set(names["learning_map"]) == set(names["color_map"]) == set(names["labels"])


def test_a_clip_of_several_frames_is_a_sequence(tmp_path):
    frames = [replace(make_frame(k), id=FrameId("street", 0, k // 2, tick=k % 2)) for k in range(4)]
    summary = write_dataset(frames, tmp_path, ["semantickitti"], clips={frame.id.clip for frame in frames})
    assert summary.formats["semantickitti"] == {"frames": 4, "sequences": ["00", "01"]}
    for k, sequence in enumerate(("00", "01")):
        named = (tmp_path / "semantickitti" / "sequences" / sequence / "frames.txt").read_text().split()
        assert named == [str(frame.id) for frame in frames[2 * k : 2 * k + 2]]


def test_basicwriter_layout_and_dtypes(written):
    out, frames, _ = written
    folder, frame = out / "basicwriter", frames[1]
    view = frame.sensors["camera"].view
    tight = np.load(folder / "bounding_box_2d_tight_0001.npy")
    assert tight.dtype.names == ("semanticId", "x_min", "y_min", "x_max", "y_max", "occlusionRatio")
    labels = json.loads((folder / "bounding_box_2d_tight_labels_0001.json").read_text())
    paths = json.loads((folder / "bounding_box_2d_tight_prim_paths_0001.json").read_text())
    rows = _visible(frame)
    assert [labels[str(s)]["class"] for s in tight["semanticId"]] == [frame.objects.class_name[r] for r in rows] and len(paths) == len(rows)
    assert np.array_equal(np.stack([tight[c] for c in ("x_min", "y_min", "x_max", "y_max")], axis=1), view.bbox_tight[rows])
    assert len(np.load(folder / "bounding_box_2d_loose_0001.npy")) == 4
    solid = np.load(folder / "bounding_box_3d_0001.npy")
    assert np.allclose(solid["transform"][0].T, frame.objects.T_world_box[0], atol=1e-6) and solid["x_max"][0] == pytest.approx(2.1)
    depth = np.load(folder / "distance_to_image_plane_0001.npy")
    assert np.array_equal(depth, frame.sensors["camera"].channels["distance_to_image_plane"])
    rgb = decode_png((folder / "rgb_0001.png").read_bytes())
    assert np.array_equal(rgb, frame.sensors["camera"].channels["rgb"])
    points = frame.sensors["lidar"].points()
    assert np.load(folder / "pointcloud_0001.npy").shape == (len(points["xyz"]), 3)
    for name in ("semantic", "instance", "intensity", "ring", "echo", "time_offset"):
        assert np.array_equal(np.load(folder / f"pointcloud_{name}_0001.npy"), points[name])


def test_basicwriter_masks_name_every_colour(written):
    out, frames, _ = written
    folder, camera = out / "basicwriter", frames[0].sensors["camera"]
    for name, suffix in (("semantic_segmentation", "labels"), ("instance_segmentation", "mapping"), ("instance_segmentation", "semantics_mapping")):
        image = decode_png((folder / f"{name}_0000.png").read_bytes())
        table = json.loads((folder / f"{name}_{suffix}_0000.json").read_text())
        assert {str(tuple(c)) for c in np.unique(image.reshape(-1, 4), axis=0).tolist()} == set(table)
    semantics = json.loads((folder / "instance_segmentation_semantics_mapping_0000.json").read_text())
    assert semantics[colour_key(3)] == {"class": "Car"} and semantics["(0, 0, 0, 0)"] == {"class": "BACKGROUND"}
    assert np.array_equal(decode_png((folder / "instance_segmentation_0000.png").read_bytes()), colours(camera.channels["instance_segmentation"]))
    assert len(np.unique(colours(np.arange(20_000)), axis=0)) == 20_000


def test_camera_params_project_like_the_camera(written):
    out, frames, _ = written
    params = json.loads((out / "basicwriter" / "camera_params_0000.json").read_text())
    view, projection = (np.array(params[k]).reshape(4, 4) for k in ("cameraViewTransform", "cameraProjection"))
    camera = frames[0].sensors["camera"]
    world = np.append(frames[0].objects.T_world_box[0][:3, 3], 1.0)
    clip = world @ view @ projection
    x, y = clip[:2] / clip[3]
    u, v = (x + 1) / 2 * CAMERA.width - 0.5, (1 - y) / 2 * CAMERA.height - 0.5
    p = camera.intrinsics.matrix @ (inverse(camera.T_world_sensor[0]) @ world)[:3]
    assert [u, v] == pytest.approx((p[:2] / p[2]).tolist()) and 0 < clip[2] / clip[3] < 1


def test_boxes_are_equal_in_every_format(written):
    out, frames, _ = written
    coco, kitti = read_labels(out / "coco" / "annotations.json"), read_labels(out / "kitti")
    assert kitti.format == "kitti" and len(coco) == len(kitti)
    assert np.array_equal(coco.box2d - [0, 0, 1, 1], kitti.box2d)
    for name in ("centre", "size", "yaw", "truncated"):
        assert np.allclose(getattr(coco, name), getattr(kitti, name), atol=6e-3 if name == "truncated" else 1e-3)
    camera = frames[0].sensors["camera"]
    level = np.eye(4)
    level[:3, :3] = levelling(camera.T_world_sensor[0])
    optical = (level @ inverse(camera.T_world_sensor[0]) @ frames[0].objects.T_world_box[0])[:3, 3]
    assert np.allclose(coco.centre[0], [optical[2], -optical[0], -optical[1]], atol=1e-9)
    assert np.allclose(coco.range[:3], camera.view.range[:3], atol=1e-4)


def test_levelling_a_level_camera_changes_nothing():
    frame = make_frame(tilt_deg=0.0)
    assert np.allclose(levelling(frame.sensors["camera"].T_world_sensor[0]), np.eye(3), atol=1e-12)
    down = levelling(make_frame(tilt_deg=90.0).sensors["camera"].T_world_sensor[0])
    assert np.allclose(down @ down.T, np.eye(3)) and np.linalg.det(down) == pytest.approx(1.0)


def test_several_sensors_get_folders(tmp_path):
    write_dataset([make_frame(0, cameras=2, lidars=2)], tmp_path, list(WRITERS))
    assert (tmp_path / "basicwriter" / "camera_0" / "rgb" / "rgb_0000.png").is_file()
    assert (tmp_path / "basicwriter" / "lidar_1" / "pointcloud" / "pointcloud_instance_0000.npy").is_file()
    assert len(json.loads((tmp_path / "coco" / "annotations.json").read_text())["images"]) == 2
    assert (tmp_path / "semantickitti" / "sequences" / "01" / "labels" / "000000.label").is_file()


def test_a_lidar_only_rig_leaves_image_formats_out(tmp_path):
    summary = write_dataset([make_frame(0, cameras=0)], tmp_path, list(WRITERS))
    assert set(summary.left_out) == {"coco", "kitti"} and "camera" in summary.left_out["coco"]
    assert not (tmp_path / "coco").exists() and (tmp_path / "semantickitti").is_dir()


def test_manifest_round_trip(tmp_path):
    def describe(frame):
        return ManifestRow(str(frame.id), scores={"dogss": 0.8}, counted={"Car": 1}, settings={"street/lighting.sun_sky/elevation": 12.5, "b": "wet"})

    frames = [make_frame(i) for i in range(2)]
    summary = write_dataset(frames, tmp_path, ["coco", "kitti"], describe=describe)
    rows = read_manifest(summary.manifest)
    assert [r.id for r in rows] == [str(f.id) for f in frames]
    assert rows[0].scores == {"dogss": 0.8} and rows[0].settings["b"] == "wet" and len(rows[0].digest) == 64
    assert all((tmp_path / file).is_file() for row in rows for files in row.files.values() for file in files)


def test_nothing_is_left_behind_by_a_failed_export(tmp_path):
    broken = make_frame(1)
    broken.sensors["camera"].view.bbox_tight[0, 0] += 3
    with pytest.raises(TailgateError, match="must span its visible pixels"):
        write_dataset([make_frame(0), broken], tmp_path, ["kitti", "coco"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="no accepted frame"):
        write_dataset([], tmp_path, ["kitti"])
    with pytest.raises(UserError, match="did you mean 'coco'"):
        write_dataset([], tmp_path, ["cocoo"])


def test_an_export_replaces_its_own_folders_only(tmp_path):
    for n in (2, 1):
        write_dataset([make_frame(i) for i in range(n)], tmp_path, ["kitti"])
    assert len(list((tmp_path / "kitti" / "training" / "label_2").iterdir())) == 1
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="left alone"):
        write_dataset([make_frame(0)], tmp_path, ["coco"])
    assert (tmp_path / "coco" / "mine.txt").read_text() == "keep"


def test_what_formats_share_is_made_once_for_each_frame_of_a_sensor():
    made = []

    @once
    def asked(sensor):
        made.append(sensor)
        return len(made)

    a, b = (make_frame(i).sensors["camera"] for i in range(2))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(asked, [a, a, a])) == [1, 1, 1] and asked(b) == 2 and asked(replace(a)) == 3
