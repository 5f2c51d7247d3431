"""Object crops and their features: geometry with known answers."""

import numpy as np
import pytest
from frames_fixture import make_frame
from tailgate.frames import Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.validate.backbones.geometric import NAMES, _covariance, _neighbours, local_covariance_twin, point_features
from tailgate.validate.crops import RESAMPLED, CropSource, camera_crops, lidar_crops, pack, range_bin_name, resample, unpack
from tailgate.validate.evidence import measure


def turn(yaw: float, position=(0.0, 0.0, 0.0)) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    pose = np.eye(4)
    pose[:2, :2] = [[c, -s], [s, c]]
    pose[:3, 3] = position
    return pose


def view(n: int) -> ObjectView:
    return ObjectView(*(np.zeros((n, 4), np.float32) for _ in range(2)), *(np.zeros(n) for _ in range(5)))


def scan(xyz: np.ndarray, poses: np.ndarray, offset_ns: np.ndarray | None = None) -> SensorFrame:
    """A scan of one beam that returns exactly these points of the sensor frame."""
    r = np.linalg.norm(xyz, axis=1)
    channels = {
        "range": r.astype(np.float32)[None, :, None],
        "intensity": np.linspace(0, 1, len(r), dtype=np.float32)[None, :, None],
        "azimuth": np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0]))[None],
        "elevation": np.rad2deg(np.arcsin(xyz[:, 2] / r))[None],
        "ring": np.zeros(1, np.int32),
    }
    if offset_ns is not None:
        channels["time_offset"] = offset_ns.astype(np.int32)[None, :, None]
    return SensorFrame("lidar", channels, poses, 0, 100_000_000, view(1))


def boxes(*poses: np.ndarray, size=(4.0, 2.0, 1.6)) -> Objects:
    n = len(poses)
    return Objects(np.arange(1, n + 1, dtype=np.int32), ["car"] * n, np.array(poses), np.tile(size, (n, 1)), [""] * n)


def box_points(n: int, seed: int = 0) -> np.ndarray:
    """Points well inside a box of 4 x 2 x 1.6 m, in its frame."""
    return (np.random.default_rng(seed).random((n, 3)) - 0.5) * [3.9, 1.9, 1.4] + [0, 0, 0.05]


def placed(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ pose[:3, :3].T + pose[:3, 3]


def test_lidar_points_land_in_the_box_frame():
    box, sensor = turn(0.7, (20, 5, 0.8)), turn(-0.3, (1, 2, 1.7))
    inside = box_points(40)
    clutter = placed(box, np.array([[2.2, 0, 0], [0, 1.2, 0], [0, 0, 1.0], [0, 0, -0.79]]))
    world = np.concatenate([placed(box, inside), clutter])
    local = (world - sensor[:3, 3]) @ sensor[:3, :3]
    (crop,) = lidar_crops(scan(local, np.stack([sensor, sensor])), boxes(box), CropSource("f", "g"))
    assert crop.count == 40 and crop.axes == "box" and crop.size == (4.0, 2.0, 1.6)
    assert np.sort(crop.points, axis=0) == pytest.approx(np.sort(inside, axis=0), abs=1e-4)
    assert crop.range == pytest.approx(np.linalg.norm([19, 3, -0.9])) and range_bin_name(crop.range_bin) == "15-30 m"
    assert crop.intensity is not None and crop.intensity.max() < 1


def test_motion_within_a_sweep_is_undone():
    start, end = turn(0.0), turn(0.2, (2.0, 0.0, 0.0))
    box, inside = turn(0.4, (12, -3, 0.8)), box_points(60)
    world, share = placed(box, inside), np.linspace(0, 1, 60)
    seen = np.array([(w - s * end[:3, 3]) @ turn(0.2 * s)[:3, :3] for w, s in zip(world, share, strict=True)])
    (crop,) = lidar_crops(scan(seen, np.stack([start, end]), share * 1e8), boxes(box), CropSource("f", "g"))
    assert crop.count == 60
    assert np.sort(crop.points, axis=0) == pytest.approx(np.sort(inside, axis=0), abs=1e-4)


def test_few_points_and_missing_boxes_give_no_crop():
    box = turn(0.0, (10, 0, 0))
    held = scan(placed(box, box_points(5)), np.stack([np.eye(4)] * 2))
    assert lidar_crops(held, boxes(box), CropSource("f", "g", min_points=6)) == []
    assert lidar_crops(held, boxes(box, size=(np.nan,) * 3), CropSource("f", "g", min_points=1)) == []


def camera(depth: np.ndarray, ids: np.ndarray, pose: np.ndarray) -> SensorFrame:
    channels = {"distance_to_image_plane": depth.astype(np.float32), "instance_segmentation": ids.astype(np.uint32)}
    h, w = depth.shape
    return SensorFrame("camera", channels, np.stack([pose, pose]), 0, 0, view(1), Intrinsics(w, h, 100.0, 100.0, w / 2, h / 2))


def test_camera_crops_with_and_without_boxes():
    depth, ids = np.full((40, 60), 2.0), np.zeros((40, 60))
    ids[10:20, 30:50] = 7
    depth[12, 33] = np.inf
    depth[13, 33] = 0.0
    optical = np.array([[0, 0, 1.0, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    objects = boxes(turn(0.0, (2.0, -0.19, 0.11)), size=(0.1, 0.5, 0.3))
    objects.instance[0] = 7
    image = camera(depth, ids, optical)
    (boxed,) = camera_crops(image, objects, CropSource("f", "g"))
    assert boxed.count == 198 and boxed.axes == "box" and boxed.intensity is None
    assert np.ptp(boxed.points[:, 1]) == pytest.approx(19 * 0.02, abs=1e-5) and np.abs(boxed.points[:, 0]).max() < 1e-5
    (free,) = camera_crops(image, objects, CropSource("f", "g"), axes="camera_up")
    assert np.median(free.points, axis=0) == pytest.approx([0, 0, 0], abs=0.011)
    assert np.ptp(free.points, axis=0) == pytest.approx([0, 0.38, 0.18], abs=1e-5)
    top = free.points[np.argmax(free.points[:, 2])]
    assert top[2] > 0 and free.size[2] == pytest.approx(0.18, abs=0.02)


def test_resampling_is_even_seeded_and_of_fixed_size():
    points = np.arange(300.0).reshape(100, 3)
    crops = [resample(points, RESAMPLED, np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(crops[0], crops[1]) and not np.array_equal(crops[0], crops[2])
    _, repeats = np.unique(crops[0][:, 0], return_counts=True)
    assert len(repeats) == 100 and set(repeats) == {2, 3}


def test_packing_loses_nothing():
    box = turn(0.3, (10, 0, 0.5))
    held = scan(placed(box, box_points(50)), np.stack([np.eye(4)] * 2))
    crops = lidar_crops(held, boxes(box), CropSource("f", ["track-1"]))
    (back,) = unpack(pack(crops))
    assert back.group == "track-1" and np.array_equal(back.points, crops[0].points) and np.array_equal(back.resampled, crops[0].resampled)
    assert back.size == crops[0].size and np.array_equal(back.intensity, crops[0].intensity)
    assert unpack(pack([])) == []


def mean_features(points: np.ndarray) -> dict[str, float]:
    box = turn(0.0, (10, 0, 0))
    (crop,) = lidar_crops(scan(placed(box, points), np.stack([np.eye(4)] * 2)), boxes(box), CropSource("f", "g"))
    return dict(zip(NAMES, point_features(crop).mean(axis=0), strict=True))


def test_features_of_a_line_a_plane_and_a_ball():
    rng = np.random.default_rng(0)
    line = mean_features(np.stack([np.linspace(-1.9, 1.9, 200), np.zeros(200), np.zeros(200)], axis=1))
    plane = mean_features(np.concatenate([rng.uniform(-0.9, 0.9, (300, 2)), np.zeros((300, 1))], axis=1))
    ball = mean_features(rng.normal(size=(400, 3)) * 0.15)
    assert line["linearity"] > 0.999 and line["planarity"] < 1e-3
    assert plane["planarity"] > plane["linearity"] and plane["surface_variation"] < 1e-3
    assert plane["normal_z"] == pytest.approx(1.0, abs=1e-3) and plane["height"] == pytest.approx(0.5, abs=1e-3)
    assert ball["surface_variation"] > 0.2 and ball["scattering"] > 10 * plane["scattering"]


def test_neighbourhoods_match_their_twin():
    points = np.random.default_rng(3).normal(size=(60, 3))
    assert _covariance(points[_neighbours(points)]) == pytest.approx(local_covariance_twin(points), abs=1e-12)


def test_a_tracked_object_is_its_own_group():
    """Two looks at one car are no two cars, in whatever part of the recording they were made."""
    frame = make_frame(0)
    frame.objects.track = [f"t{i}" for i in range(len(frame.objects))]
    for part in ("log#0", "log#1"):
        crops = measure(frame, "f", part).crops
        assert crops and all(c.group == f"log t{list(frame.objects.instance).index(c.instance)}" for c in crops)
    frame.objects.track = []
    assert {c.group for c in measure(frame, "f", "log#1").crops} == {"log#1"}


def test_objects_without_boxes_are_cut_by_instance():
    """Axes of the line of sight: the same object seen from another side of the sensor gives the same crop."""
    points = box_points(60) + [12.0, 0.0, 0.2]
    for yaw in (0.0, 1.1):
        held = scan(points @ turn(yaw)[:3, :3].T, np.stack([np.eye(4)] * 2))
        held.channels["instance"] = np.full((1, 60, 1), 7, np.uint32)
        unboxed = Objects(np.array([7], np.int32), ["car"], np.full((1, 4, 4), np.nan), np.full((1, 3), np.nan), [""])
        (crop,) = lidar_crops(held, unboxed, CropSource("f", "g"))
        assert crop.axes == "view" and crop.count == 60 and crop.range == pytest.approx(12.0, abs=0.3)
        assert np.abs(np.median(crop.points, axis=0)).max() < 0.15 and crop.size[0] > crop.size[1] > crop.size[2]
    boxed = boxes(turn(0.0, (12.0, 0.0, 0.2)))
    boxed.instance[:] = 7
    assert [c.axes for c in lidar_crops(held, boxed, CropSource("f", "g"), "view")] == ["view"]
