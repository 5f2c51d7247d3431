"""COCO annotations with a depth folder: every form of mask and depth, units that cannot be, and what is missing."""

import json

import cv2
import numpy as np
import pytest
from frames_fixture import CAMERA, make_frame
from pycocotools import mask as run_lengths
from tailgate.datasets.coco import CocoWriter
from tailgate.errors import UserError
from tailgate.reference.open import open_reader
from tailgate.validate.evidence import measure

HEIGHT, WIDTH = 40, 60
GIVEN = {"fx": 50.0, "depth_unit": 0.001}


def _box_mask(x, y, w, h):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y : y + h, x : x + w] = 1
    return mask


def _compressed(mask):
    code = run_lengths.encode(np.asfortranarray(mask))
    return {"size": code["size"], "counts": code["counts"].decode()}


def _counts(mask):
    flat = np.concatenate([[0], mask.ravel(order="F"), [1 - mask.ravel(order="F")[-1]]])
    changes = np.flatnonzero(np.diff(flat)) if flat[1] == 0 else np.concatenate([[0], np.flatnonzero(np.diff(flat))])
    return {"size": [HEIGHT, WIDTH], "counts": np.diff(np.concatenate([[0], changes, []])).astype(int).tolist()}


def _tree():
    """Image a: a big box as a polygon, a smaller one on it as run lengths, a crowd; image b: nothing."""
    polygon = [[10, 10, 30, 10, 30, 30, 10, 30]]
    rows = [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 20, 20], "segmentation": polygon, "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 5, "bbox": [20, 20, 5, 5], "segmentation": _compressed(_box_mask(20, 20, 5, 5)), "iscrowd": 0},
        {"id": 3, "image_id": 7, "category_id": 5, "bbox": [50, 0, 10, 4], "segmentation": _counts(_box_mask(50, 0, 10, 4)), "iscrowd": 1},
    ]
    images = [{"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}, {"id": 8, "file_name": "b.png", "width": WIDTH, "height": HEIGHT}]
    return {"images": images, "annotations": rows, "categories": [{"id": 3, "name": "crate"}, {"id": 5, "name": "apple"}]}


def _depth():
    depth = np.full((HEIGHT, WIDTH), 1.5)
    depth[:, :6] = 0
    return depth


def _write(root, suffix=".png", tree=None, depth=None):
    (root / "images").mkdir()
    (root / "depth").mkdir()
    (root / "annotations.json").write_text(json.dumps(tree or _tree()))
    metres = _depth() if depth is None else depth
    for name in ("a", "b"):
        cv2.imwrite(str(root / "images" / f"{name}.png"), np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
        if suffix == ".png":
            cv2.imwrite(str(root / "depth" / f"{name}.png"), np.rint(metres * 1000).astype(np.uint16))
        elif suffix:
            np.save(root / "depth" / f"{name}.npy", metres.astype(np.float32))
    return root


@pytest.mark.parametrize(("suffix", "options"), [(".png", GIVEN), (".npy", {"fx": 50.0})])
def test_a_frame(tmp_path, suffix, options):
    reader, entries = open_reader("coco_depth", _write(tmp_path, suffix), options)
    assert [(e.name, e.recording) for e in entries] == [("a", tmp_path.name), ("b", tmp_path.name)]
    frame = reader.read("a")
    camera, labels = frame.sensors["camera"], frame.labels
    assert labels == {"background": 0, "apple": 1, "crate": 2, "unannotated": 3}
    assert (camera.intrinsics.fx, camera.intrinsics.fy, camera.intrinsics.cx, camera.intrinsics.cy) == (50, 50, 29.5, 19.5)
    assert camera.channels["valid"][:, :6].sum() == 0 and camera.channels["valid"][:, 6:].all()
    np.testing.assert_allclose(camera.channels["distance_to_image_plane"][:, 6:], 1.5, atol=1e-3)
    assert np.isinf(camera.channels["distance_to_image_plane"][:, :6]).all()
    semantic, instance = camera.channels["semantic_segmentation"], camera.channels["instance_segmentation"]
    assert semantic[15, 15] == 2 and semantic[22, 22] == 1 and semantic[1, 55] == 1 and semantic[35, 5] == 3
    assert instance[15, 15] == 1 and instance[22, 22] == 2 and instance[1, 55] == 0
    assert frame.objects.class_name == ["crate", "apple"] and frame.objects.instance.tolist() == [1, 2]
    assert camera.view.visible.tolist() == [375, 25] and camera.view.bbox_tight[1].tolist() == [20, 20, 24, 24]
    assert camera.view.range[1] == pytest.approx(1.5, abs=1e-3)
    assert measure(frame, "a", "x").codes == [] and len(measure(frame, "a", "x").crops) == 2
    assert len(reader.read("b").objects) == 0


def test_the_sidecar_gives_unit_and_matrix(tmp_path):
    _write(tmp_path)
    (tmp_path / "intrinsics.json").write_text('{"K": [[51, 0, 30], [0, 52, 20], [0, 0, 1]], "depth_unit": 0.001}')
    camera = open_reader("coco_depth", tmp_path)[0].read("a").sensors["camera"]
    assert (camera.intrinsics.fx, camera.intrinsics.fy, camera.intrinsics.cx) == (51, 52, 30)
    assert camera.channels["distance_to_image_plane"][20, 30] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fx": 50}, "must be given for depth in counts.*depth_unit: 0.001 would make the median 1.5 m"),
        ({"fx": 50, "depth_unit": 1}, "1.5e\\+03 m with depth_unit 1.*depth_unit: 0.001"),
        ({"fx": 50, "depth_unit": 1e-5}, "0.015 m with depth_unit 1e-05.*depth_unit: 0.001"),
        ({"fx": 50, "depth_unit": -1}, "positive number"),
        ({"fx": 50, "depth_units": 1}, "did you mean 'depth_unit'"),
        ({"depth_unit": 0.001}, "no focal length"),
        ({"depth_unit": 0.001, "cx": 3}, "'fx' must be given with cx"),
        ({**GIVEN, "depth": "../x"}, "must stay inside"),
        ({**GIVEN, "images": "depths"}, "such as a.png"),
        ({**GIVEN, "annotations": "no.json"}, "file not found"),
    ],
)
def test_bad_options(tmp_path, options, words):
    _write(tmp_path)
    with pytest.raises(UserError, match=words):
        open_reader("coco_depth", tmp_path, options)[0].read("a")


def test_millimetres_in_a_float_file_are_found_out(tmp_path):
    _write(tmp_path, ".npy", depth=_depth() * 1000)
    with pytest.raises(UserError, match="a.npy: the median depth is 1.5e\\+03 m.*depth_unit: 0.001 would make the median 1.5 m"):
        open_reader("coco_depth", tmp_path, {"fx": 50})


def test_without_depth_images_and_masks_are_there_and_it_says_so(tmp_path):
    _write(tmp_path, "")
    (tmp_path / "depth").rmdir()
    reader, _ = open_reader("coco_depth", tmp_path)
    camera = reader.read("a").sensors["camera"]
    assert "only image statistics" in reader.notes[0] and "valid" not in camera.channels and camera.intrinsics is None
    assert camera.view.visible.tolist() == [375, 25] and np.isnan(camera.view.range).all()


def test_boxes_without_masks(tmp_path):
    tree = _tree()
    for row in tree["annotations"]:
        row.pop("segmentation")
    reader, _ = open_reader("coco_depth", _write(tmp_path, tree=tree), GIVEN)
    camera = reader.read("a").sensors["camera"]
    assert "3 of 3 annotations have no mask" in reader.notes[0] and "instance_segmentation" not in camera.channels
    assert camera.view.bbox_tight[0].tolist() == [10, 10, 29, 29] and camera.view.visible.tolist() == [400, 25]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t["annotations"][0].update(category_id=9), "known category"),
        (lambda t: t["annotations"][0].pop("bbox"), r"annotations\[0\]: must have 'bbox'"),
        (lambda t: t["annotations"][0].update(segmentation=[[1]]), "polygons or run lengths"),
        (lambda t: t["annotations"][1]["segmentation"].update(size=[3, 3]), "polygons or run lengths|size of its image"),
        (lambda t: t.update(categories={}), "the list 'categories'"),
        (lambda t: t.update(images=[]), "lists no images"),
        (lambda t: t["images"][0].update(file_name="../a.png"), "must stay inside"),
    ],
)
def test_damaged_annotations(tmp_path, change, words):
    tree = _tree()
    change(tree)
    with pytest.raises(UserError, match=words):
        reader = open_reader("coco_depth", _write(tmp_path, tree=tree), {**GIVEN, "annotations": "annotations.json"})[0]
        reader.read(sorted(reader._images)[0])


def test_depth_of_another_size_or_missing(tmp_path):
    _write(tmp_path)
    np.save(tmp_path / "depth" / "a.npy", np.ones((5, 5), np.float32))
    (tmp_path / "depth" / "a.png").unlink()
    (tmp_path / "depth" / "b.png").unlink()
    reader, _ = open_reader("coco_depth", tmp_path, {"fx": 50, "depth_unit": 1})
    with pytest.raises(UserError, match="registered to the colour image, 60 x 40, got 5 x 5"):
        reader.read("a")
    with pytest.raises(UserError, match="depth file of image 'b' is missing"):
        reader.read("b")


def test_two_annotation_files_must_be_told_apart(tmp_path):
    _write(tmp_path)
    (tmp_path / "other.json").write_text(json.dumps(_tree()))
    with pytest.raises(UserError, match="found annotations.json, other.json: name it"):
        open_reader("coco_depth", tmp_path, GIVEN)


def test_own_export_reads_back(tmp_path):
    frame = make_frame(lidars=0)
    writer = CocoWriter(tmp_path)
    writer.add(frame)
    writer.finish()
    reader, entries = open_reader("coco_depth", tmp_path)
    read = reader.read(entries[0].name)
    camera = read.sensors["camera"]
    assert camera.intrinsics == CAMERA and sorted(read.objects.class_name) == ["Car", "Pedestrian", "wheelchair user"]
    assert sorted(camera.view.visible.tolist()) == sorted(v for v in frame.sensors["camera"].view.visible.tolist() if v)
