"""Replicator's folders: our own export reads back, and each form real BasicWriter output takes gives the same frame."""

import json

import cv2
import numpy as np
import pytest
from frames_fixture import make_frame
from tailgate.datasets.basicwriter import BOX_2D, BOX_3D, BasicWriter
from tailgate.errors import UserError
from tailgate.frames import FrameId
from tailgate.reference.annotators import frame_of
from tailgate.reference.open import open_reader
from tailgate.reference.replicator import read_camera
from tailgate.validate.evidence import measure

WIDTH, HEIGHT = 64, 48
FOCAL, APERTURE = 24.0, 20.955
FX = WIDTH * FOCAL / APERTURE
PATHS = {2: "/World/Cube", 3: "/World/Person"}
CLASSES = {2: "box", 3: "person"}


@pytest.mark.parametrize("count", [1, 2])
def test_own_export_reads_back(tmp_path, count):
    frames = [make_frame(i, cameras=count, lidars=count) for i in range(2)]
    writer = BasicWriter(tmp_path)
    for frame in frames:
        writer.add(frame)
    reader, entries = open_reader("basicwriter", tmp_path)
    assert [e.name for e in entries] == ["0000", "0001"]
    for entry, made in zip(entries, frames, strict=True):
        read = reader.read(entry.name)
        assert set(read.sensors) == set(made.sensors)
        rows = [made.objects.instance.tolist().index(i) for i in read.objects.instance]
        assert read.objects.class_name == [made.objects.class_name[r] for r in rows]
        np.testing.assert_allclose(read.objects.T_world_box, made.objects.T_world_box[rows], atol=1e-5)
        np.testing.assert_allclose(read.objects.size, made.objects.size[rows], atol=1e-5)
        for name, sensor in read.sensors.items():
            _same_camera(sensor, made.sensors[name], rows) if sensor.kind == "camera" else _same_lidar(sensor, made.sensors[name])
        assert measure(read, entry.name, "x").codes == []


def _same_camera(read, made, rows):
    assert read.intrinsics == pytest.approx(made.intrinsics)
    np.testing.assert_allclose(read.T_world_sensor, made.T_world_sensor, atol=1e-9)
    for name in ("rgb", "distance_to_image_plane", "distance_to_camera", "instance_segmentation"):
        np.testing.assert_array_equal(read.channels[name], made.channels[name], name)
    np.testing.assert_array_equal(read.channels["valid"], np.isfinite(made.channels["distance_to_image_plane"]))
    np.testing.assert_array_equal(read.view.visible, made.view.visible[rows])
    np.testing.assert_array_equal(read.view.bbox_tight, made.view.bbox_tight[rows])


def _same_lidar(read, made):
    ours, theirs = read.points(), made.points()
    np.testing.assert_allclose(read.T_world_sensor, made.T_world_sensor, atol=1e-9)
    assert len(ours["xyz"]) > 0.97 * len(theirs["xyz"])
    distance = np.abs(ours["xyz"][:, None] - theirs["xyz"][None]).max(axis=2)
    nearest = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 1e-3
    np.testing.assert_allclose(ours["intensity"], theirs["intensity"][nearest], atol=1e-6)
    np.testing.assert_array_equal(ours["instance"], theirs["instance"][nearest])


def _projection():
    P = np.zeros((4, 4))
    P[0, 0], P[1, 1], P[3, 2], P[2, 3] = 2 * FX / WIDTH, 2 * FX / HEIGHT, -1, 0.01
    return P.T.ravel().tolist()


def _params(unit=1.0, projection=True, **more):
    """A camera 2 m above the ground looking along +x of a z-up stage; row vectors, world to camera."""
    T = np.array([[0, 0, -1, 0], [-1, 0, 0, 0], [0, 1, 0, 2 / unit], [0, 0, 0, 1.0]])
    tree = {
        "cameraModel": "pinhole",
        "cameraFocalLength": FOCAL,
        "cameraAperture": [APERTURE, 15.2908],
        "renderProductResolution": [WIDTH, HEIGHT],
        "cameraViewTransform": np.linalg.inv(T).T.ravel().tolist(),
        "metersPerSceneUnit": unit,
    }
    return {**tree, **({"cameraProjection": _projection()} if projection else {}), **more}


def _ids():
    ids = np.zeros((HEIGHT, WIDTH), np.uint32)
    ids[10:30, 10:30], ids[20:40, 40:50], ids[40:] = 2, 3, 1
    return ids


COLOURS = {0: (0, 0, 0, 0), 1: (0, 0, 0, 255), 2: (140, 25, 255, 255), 3: (25, 82, 255, 255)}


def _mask_files(kind, raw, numpy2):
    ids = _ids()
    names = {0: "BACKGROUND", 1: "UNLABELLED"}
    key = {i: str(i) if raw else str(c) for i, c in COLOURS.items()}
    if numpy2:
        key = {i: "(" + ", ".join(f"np.uint8({v})" for v in c) + ")" for i, c in COLOURS.items()}
    image = ids.astype(np.uint16) if raw else np.array([COLOURS[i] for i in range(4)], np.uint8)[ids]
    labels = {key[i]: {"class": names.get(i, CLASSES.get(i))} for i in COLOURS}
    paths = {key[i]: names.get(i, PATHS.get(i)) for i in COLOURS}
    if kind == "semantic":
        return {"semantic_segmentation": image, "semantic_segmentation_labels": labels}
    return {"instance_segmentation": image, "instance_segmentation_mapping": paths, "instance_segmentation_semantics_mapping": labels}


def _files(unit=1.0, raw=False, numpy2=False, **more):
    """One frame as BasicWriter names it: annotator and part -> content; lengths in stage units."""
    depth = np.full((HEIGHT, WIDTH), 5.0 / unit, np.float32)
    depth[:5] = np.inf
    boxes = np.zeros(2, BOX_3D)
    boxes["semanticId"], boxes["occlusionRatio"] = [2, 3], [0.25, -1]
    for a in "xyz":
        boxes[f"{a}_min"], boxes[f"{a}_max"] = -0.5, 0.5
    for row, (scale, place) in enumerate((((2, 1, 1), (5, 1, 0.5)), ((0.5, 0.5, -1.8), (5, -1, 0.9)))):
        M = np.diag([*scale, 1.0])
        M[:3, 3] = place
        M[:3] /= unit
        boxes["transform"][row] = M.T
    tight = np.zeros(1, BOX_2D)
    tight[0] = (2, 10, 10, 29, 29, 0.25)
    labels = {"2": {"class": "box"}, "3": {"class": "person"}}
    return {
        "rgb": np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 4), np.uint8),
        "distance_to_image_plane": depth,
        **_mask_files("semantic", raw, numpy2),
        **_mask_files("instance", raw, numpy2),
        "bounding_box_3d": boxes,
        "bounding_box_3d_labels": labels,
        "bounding_box_3d_prim_paths": list(PATHS.values()),
        "bounding_box_2d_tight": tight,
        "bounding_box_2d_tight_labels": labels,
        "bounding_box_2d_tight_prim_paths": [PATHS[2]],
        "camera_params": _params(unit),
        **more,
    }


def _write(folder, files, number="0000", prefix=""):
    for name, data in files.items():
        path = folder / f"{prefix}{name}_{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, (dict, list)):
            path.with_name(path.name + ".json").write_text(json.dumps(data))
        elif data.dtype in (np.uint8, np.uint16):
            image = data[..., [2, 1, 0, 3]] if data.ndim == 3 else data
            cv2.imwrite(str(path) + ".png", image)
        else:
            np.save(str(path) + ".npy", data)


def _check(frame, sensor="camera"):
    camera, objects = frame.sensors[sensor], frame.objects
    assert camera.intrinsics.fx == pytest.approx(FX) and camera.intrinsics.fy == pytest.approx(FX)
    assert (camera.intrinsics.cx, camera.intrinsics.cy) == pytest.approx((31.5, 23.5))
    np.testing.assert_allclose(camera.T_world_sensor[0], [[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 2], [0, 0, 0, 1]], atol=1e-9)
    assert np.isinf(camera.channels["distance_to_image_plane"][:5]).all()
    np.testing.assert_allclose(camera.channels["distance_to_image_plane"][5:], 5.0, rtol=1e-6)
    assert camera.channels["valid"][:5].sum() == 0 and camera.channels["valid"][5:].all()
    assert frame.labels == {"background": 0, "box": 1, "person": 2, "unlabelled": 3} and objects.class_name == ["box", "person"]
    np.testing.assert_array_equal(camera.channels["semantic_segmentation"], np.array([0, 3, 1, 2])[_ids()])
    np.testing.assert_array_equal(camera.channels["instance_segmentation"], np.array([0, 0, 1, 2])[_ids()])
    np.testing.assert_allclose(objects.size, [[2, 1, 1], [0.5, 0.5, 1.8]], rtol=1e-6)
    np.testing.assert_allclose(objects.T_world_box[:, :3, 3], [[5, 1, 0.5], [5, -1, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.det(objects.T_world_box[:, :3, :3]), 1.0)
    assert camera.view.visible.tolist() == [400, 200] and camera.view.bbox_tight.tolist() == [[10, 10, 29, 29], [40, 20, 49, 39]]
    assert camera.view.occluded[0] == 0.25 and np.isnan(camera.view.occluded[1])


def _in_memory(keys=str, **form):
    """The same frame as a Writer gets it: masks of ids, and flat dicts."""
    files = _files(raw=True, **form)
    held = {name: files[name] for name in ("rgb", "distance_to_image_plane", "camera_params")}
    named = {0: {"class": "BACKGROUND"}, 1: {"class": "UNLABELLED"}, **{i: {"class": c} for i, c in CLASSES.items()}}
    labels = {keys(i): label for i, label in named.items()}
    paths = {keys(i): path for i, path in {0: "BACKGROUND", 1: "UNLABELLED", **PATHS}.items()}
    held["semantic_segmentation"] = {"data": _ids(), "idToLabels": labels}
    held["instance_segmentation"] = {"data": _ids(), "idToLabels": paths, "idToSemantics": labels}
    for kind in ("2d_tight", "3d"):
        name = f"bounding_box_{kind}"
        held[name] = {"data": files[name], "idToLabels": labels, "primPaths": files[f"{name}_prim_paths"]}
    return held


@pytest.mark.parametrize("form", [{}, {"keys": int}, {"unit": 0.01}])
def test_annotators_in_memory_give_the_same_frame(form):
    _check(frame_of(FrameId("script", 0, 0), {"camera": _in_memory(**form)}, np.eye(4)))


def test_what_annotators_lack_is_said():
    held = _in_memory()
    with pytest.raises(UserError, match="camera 'front' must have what the annotator 'distance_to_image_plane' returns.*no frame was rendered yet"):
        frame_of(FrameId("script", 0, 0), {"front": {**held, "distance_to_image_plane": np.zeros(0)}}, np.eye(4))
    bare = frame_of(FrameId("script", 0, 0), {"camera": {n: held[n] for n in ("distance_to_image_plane", "camera_params")}}, np.eye(4))
    assert len(bare.objects) == 0 and set(bare.sensors["camera"].channels) == {"distance_to_image_plane", "distance_to_camera", "valid"}


@pytest.mark.parametrize("form", [{}, {"raw": True}, {"numpy2": True}, {"unit": 0.01}])
def test_one_product(tmp_path, form):
    _write(tmp_path, _files(**form))
    reader, entries = open_reader("basicwriter", tmp_path)
    _check(reader.read(entries[0].name))


def test_without_a_projection_both_focal_lengths_follow_the_horizontal_aperture(tmp_path):
    _write(tmp_path, _files(camera_params=_params(projection=False)))
    _check(open_reader("basicwriter", tmp_path)[0].read("0000"))


def test_camera_params_of_a_replicator_camera(tmp_path):
    """Numbers of a published set, rounded: the vertical aperture does not fit the image, the projection does; the camera is 2.461 m off."""
    tree = {
        "cameraModel": "pinhole",
        "cameraAperture": [22.53, 15.29],
        "cameraFocalLength": 34.54,
        "renderProductResolution": [640, 480],
        "cameraProjection": [3.066, 0, 0, 0, 0, 4.089, 0, 0, 0, 0, 1e-8, -1, 0, 0, 0.01, 0],
        "cameraViewTransform": [-0.177, -0.711, 0.681, 0, 0.984, -0.128, 0.122, 0, 0, 0.692, 0.722, 0, 0, 0, -2.461, 1],
        "metersPerSceneUnit": 1.0,
    }
    (tmp_path / "a.json").write_text(json.dumps(tree))
    (tmp_path / "b.json").write_text(json.dumps({k: v for k, v in tree.items() if k != "cameraProjection"}))
    camera, other = (read_camera(tmp_path / f"{name}.json") for name in "ab")
    assert (camera.intrinsics.fx, camera.intrinsics.fy) == pytest.approx((981.1, 981.4), abs=0.1)
    assert (other.intrinsics.fx, other.intrinsics.fy) == pytest.approx((981.2, 981.2), abs=0.1)
    assert (camera.intrinsics.cx, camera.intrinsics.cy) == pytest.approx((319.5, 239.5))
    looks = camera.T_world_camera[:3, 2]
    np.testing.assert_allclose(camera.T_world_camera[:3, 3] + 2.461 * looks, 0, atol=0.01)
    assert camera.T_world_camera[2, 3] > 1.5 and camera.T_world_camera[2, 1] < 0


def test_several_products_in_folders_of_their_own(tmp_path):
    for product in ("Replicator", "Replicator_01"):
        for name, data in _files().items():
            annotator = next(a for a in ("rgb", "distance_to_image_plane", "semantic_segmentation", "instance_segmentation", "bounding_box_3d",
                                         "bounding_box_2d_tight", "camera_params") if name.startswith(a))  # fmt: skip
            _write(tmp_path / product / annotator, {name: data})
    reader, entries = open_reader("basicwriter", tmp_path)
    frame = reader.read("0000")
    assert len(entries) == 1 and list(reader.sensors) == ["Replicator", "Replicator_01"] == list(frame.sensors)
    _check(frame, "Replicator_01")


def test_a_common_folder_of_several_products(tmp_path):
    for product in ("left", "right"):
        for name in ("rgb", "distance_to_image_plane", "camera_params"):
            _write(tmp_path / name, {name: _files()[name]}, prefix=f"{product}_")
    reader, _ = open_reader("basicwriter", tmp_path)
    frame = reader.read("0000")
    assert list(frame.sensors) == ["left", "right"] and "semantic_segmentation" not in frame.sensors["left"].channels


def test_trigger_counts_and_runs_in_sub_folders_stay_apart(tmp_path):
    _write(tmp_path / "run_a", _files(), "2_0000")
    _write(tmp_path / "run_a", _files(), "10_0000")
    _write(tmp_path / "run_b", _files())
    entries = open_reader("basicwriter", tmp_path)[1]
    assert [(e.name, e.recording) for e in entries] == [("run_a/2_0000", "run_a"), ("run_a/10_0000", "run_a"), ("run_b/0000", "run_b")]


def test_depth_along_the_ray_gives_the_image_plane(tmp_path):
    files = _files()
    files["distance_to_camera"] = files.pop("distance_to_image_plane")
    _write(tmp_path, files)
    camera = open_reader("basicwriter", tmp_path)[0].read("0000").sensors["camera"]
    u = (10 - 31.5) / FX
    v = (20 - 23.5) / FX
    assert camera.channels["distance_to_image_plane"][20, 10] == pytest.approx(5 / np.sqrt(1 + u * u + v * v))


def test_images_without_depth_are_no_rgbd_and_say_so(tmp_path):
    _write(tmp_path, {k: v for k, v in _files().items() if not k.startswith("distance")})
    reader, _ = open_reader("basicwriter", tmp_path)
    assert "no depth" in reader.notes[0] and "valid" not in reader.read("0000").sensors["camera"].channels


def test_a_stage_with_y_up_is_turned(tmp_path):
    _write(tmp_path, _files())
    reader, _ = open_reader("basicwriter", tmp_path, {"up_axis": "y"})
    np.testing.assert_allclose(reader.read("0000").objects.T_world_box[0, :3, 3], [5, -0.5, 1], atol=1e-6)


def test_intrinsics_beside_the_images(tmp_path):
    _write(tmp_path, {k: v for k, v in _files().items() if k in ("rgb", "distance_to_image_plane")})
    with pytest.raises(UserError, match="no focal length"):
        open_reader("basicwriter", tmp_path)[0].read("0000")
    (tmp_path / "intrinsics.json").write_text('{"fx": 70, "cx": 30}')
    k = open_reader("basicwriter", tmp_path)[0].read("0000").sensors["camera"].intrinsics
    assert (k.fx, k.fy, k.cx, k.cy) == (70, 70, 30, 23.5)
    k = open_reader("basicwriter", tmp_path, {"fx": 80})[0].read("0000").sensors["camera"].intrinsics
    assert k.fx == 80


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"camera_params": _params(cameraModel="fisheyePolynomial")}, "fisheyePolynomial"),
        ({"camera_params": _params(cameraViewTransform=[1, 2])}, "16 finite numbers"),
        ({"camera_params": _params(renderProductResolution=[640, 480])}, "640 x 480"),
        ({"camera_params": []}, "JSON object"),
        ({"distance_to_image_plane": np.zeros((2, 2, 2), np.float32)}, "float image"),
        ({"semantic_segmentation_labels": {"(0, 0, 0, 0)": {"class": "BACKGROUND"}}}, "3 of them are missing"),
        ({"semantic_segmentation_labels": {"blue": {"class": "x"}}}, "'blue'"),
        ({"bounding_box_3d_labels": {"2": {"class": "box"}}}, "semantic id 3"),
        ({"bounding_box_3d_prim_paths": ["/a"]}, "one path per box"),
        ({"bounding_box_3d": np.zeros(3)}, "semanticId"),
        ({"bounding_box_3d": np.zeros(2, BOX_2D)}, "'z_min'"),
        ({"bounding_box_3d_labels": {"two": {"class": "box"}}}, "'two'"),
    ],
)
def test_damage_is_named(tmp_path, change, words):
    _write(tmp_path, _files(**change))
    with pytest.raises(UserError, match=words):
        open_reader("basicwriter", tmp_path)[0].read("0000")


def test_a_frame_that_was_cut_off_is_refused(tmp_path):
    _write(tmp_path, _files())
    _write(tmp_path, {"rgb": _files()["rgb"]}, "0001")
    with pytest.raises(UserError, match="frame 0001 .* no 'bounding_box_2d_tight'"):
        open_reader("basicwriter", tmp_path)[0].read("0001")


@pytest.mark.parametrize(("options", "words"), [({"upaxis": "y"}, "did you mean 'up_axis'"), ({"up_axis": "x"}, "'z' or 'y'")])
def test_bad_options(tmp_path, options, words):
    _write(tmp_path, _files())
    with pytest.raises(UserError, match=words):
        open_reader("basicwriter", tmp_path, options)


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "my_rgb_0000.png").write_bytes(b"")
    with pytest.raises(UserError, match="BasicWriter output"):
        open_reader("basicwriter", tmp_path)
