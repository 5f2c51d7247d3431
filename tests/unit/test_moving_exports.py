"""Data sets of a rig under way: boxes, points, masks and calibration of one frame fit in every format."""

import json
from dataclasses import replace

import numpy as np
import pytest
import stage_kit as kit
from tailgate.config.camera import CameraModel
from tailgate.config.rig import load_sensor
from tailgate.datasets.boxes import corners, inverse
from tailgate.datasets.labels import read_labels
from tailgate.datasets.shared import firing_table_order
from tailgate.datasets.write import WRITERS, write_dataset
from tailgate.frames import FrameId
from tailgate.geometry.firing import in_sensor, in_world, pose_at
from tailgate.reference.basicwriter import BasicWriterReader

UNDER_WAY = {"ego_speed": 15.0, "ego_yaw_rate": 30.0, "ego_course": 4.0}
NEAR = 0.02
"""How far a point may lie outside the box that it is on [m]: float32 coordinates, and a turn taken linearly by the rows of the picture."""


def frame_of(hints):
    """A street of four boxes about a rig with a rolling camera and a LiDAR that starts behind."""
    stage = kit.new_stage()
    kit.lights(stage)
    for k, (x, y, yaw) in enumerate([(9, 2.5, 20), (12, 7, 70), (7, -1.5, 0), (-6, 3, 40)], 1):
        kit.box(stage, kit.mover(stage, f"car_{k}", k, kit.pose(x=x, y=y, z=-0.3, yaw_deg=yaw)) + "/body", (-0.9, -0.4, -0.8), (0.9, 0.4, 0.8))
    camera = CameraModel.model_validate({**kit.pinhole(160, 120, 100.0).model_dump(), "shutter": {"readout_ms": 60.0}})
    lidar = load_sensor("vlp16")[0].model_copy(update={"azimuth_start_deg": 170.0})
    return replace(kit.render(stage, kit.rig_of(camera, lidar), hints=hints), id=FrameId("street", 0, 0, tick=1))


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    frame, out = frame_of(UNDER_WAY), tmp_path_factory.mktemp("moving")
    lidar = frame.sensors["lidar"]
    frame = replace(frame, sensors={**frame.sensors, "lidar": replace(lidar, t_start=lidar.t_start + 10**8, t_end=lidar.t_end + 10**8)})
    write_dataset([frame], out, list(WRITERS))
    return frame, out


def outside(points, T_box, size):
    """How far the furthest of some points [n, 3] lies outside a box [m]."""
    return float((np.abs((points - T_box[:3, 3]) @ T_box[:3, :3]) - np.asarray(size) / 2).max())


def kitti(out):
    rows = (line.split(":") for line in (out / "kitti/training/calib/000000.txt").read_text().splitlines())
    calib = {name: np.array(values.split(), float).reshape(3, -1) for name, values in rows}
    points = np.fromfile(out / "kitti/training/velodyne/000000.bin", "<f4").reshape(-1, 4)[:, :3].astype(float)
    boxes = [line.split() for line in (out / "kitti/training/label_2/000000.txt").read_text().splitlines()]
    return calib, points, np.array([b[1:] for b in boxes], float)


def test_world_points_lie_on_their_objects_and_lead_back_to_the_sensor(moved):
    frame, out = moved
    world, instance = (np.load(out / f"basicwriter/pointcloud{name}_0000.npy") for name in ("", "_instance"))
    for row, i in enumerate(frame.objects.instance):
        mine = world[instance == i]
        assert len(mine) > 20 and outside(mine, frame.objects.T_world_box[row], frame.objects.size[row]) < NEAR
    read = BasicWriterReader(out / "basicwriter").read("0000")
    back, there = read.sensors["lidar"], frame.sensors["lidar"]
    np.testing.assert_allclose(back.T_world_sensor, there.T_world_sensor, atol=1e-9)
    ours, theirs = (s.points()["xyz"].astype(float) for s in (there, back))
    assert len(ours) == len(theirs)
    order = [np.lexsort(np.round(p, 2).T) for p in (ours, theirs)]
    assert np.abs(ours[order[0]] - theirs[order[1]]).max() < 0.03 and np.median(np.abs(ours[order[0]] - theirs[order[1]])) < 1e-4
    fired, told = (s.points()["time_offset"] for s in (there, back))
    assert fired.max() > 0 and np.array_equal(np.sort(fired), np.sort(told))
    for name in ("camera", "lidar"):
        assert (read.sensors[name].t_start, read.sensors[name].t_end) == (frame.sensors[name].t_start, frame.sensors[name].t_end)
        np.testing.assert_allclose(read.sensors[name].T_world_sensor, frame.sensors[name].T_world_sensor, atol=1e-9)
    params = json.loads((out / "basicwriter/camera_params_0000.json").read_text())
    assert (params["frame"], params["tick"]) == (str(frame.id), 1)


def test_points_go_to_the_world_and_back():
    poses = np.stack([kit.pose(x=1.0, yaw_deg=10.0), kit.pose(x=2.5, y=0.3, z=0.1, yaw_deg=25.0)])
    gen = np.random.default_rng(3)
    xyz, offset = gen.normal(size=(200, 3)) * 20, gen.integers(0, 10**8, 200)
    world = in_world(xyz, offset, poses, 10**8)
    np.testing.assert_allclose(in_sensor(world, offset, poses, 10**8), xyz, atol=1e-9)
    for k in range(3):
        np.testing.assert_allclose(world[k], (pose_at(poses, offset[k] / 1e8) @ [*xyz[k], 1.0])[:3], atol=1e-9)


def test_kitti_points_boxes_and_pictures_fit(moved):
    frame, out = moved
    calib, points, boxes = kitti(out)
    camera, to_camera = frame.sensors["camera"], calib["R0_rect"] @ calib["Tr_velo_to_cam"][:, :3]
    optical = points @ to_camera.T + calib["R0_rect"] @ calib["Tr_velo_to_cam"][:, 3]
    rows = np.flatnonzero(camera.view.visible > 0)
    assert len(rows) == len(boxes) == 3
    for row, box in zip(rows, boxes, strict=True):
        x1, y1, x2, y2, h, w, length, x, y, z, heading = box[3:]
        T = kit.pose(x=x, y=y - h / 2, z=z)
        T[:3, :3] = [[np.cos(heading), np.sin(heading), 0], [0, 0, -1], [-np.sin(heading), np.cos(heading), 0]]
        near = optical[np.linalg.norm(optical - T[:3, 3], axis=1) < 2.0]
        assert len(near) > 20 and outside(near, T, (length, w, h)) < NEAR
        u, v, depth = calib["P2"] @ np.vstack([corners(T, np.array([length, w, h])).T, np.ones(8)])
        shown = [(u / depth).min(), (v / depth).min(), (u / depth).max(), (v / depth).max()]
        seen = camera.view.bbox_tight[row]
        inside = (seen > 0) & (seen < [159, 119, 159, 119])
        assert inside.sum() >= 3 and np.abs(shown - seen)[inside].max() < 2.5
        still = inverse(camera.T_world_sensor[0]) @ frame.objects.T_world_box[row]
        assert np.linalg.norm(still[:3, 3] - calib["R0_rect"].T @ T[:3, 3]) > 0.2
        pu, pv, pd = calib["P2"] @ np.vstack([near.T, np.ones(len(near))])
        labels = camera.channels["instance_segmentation"]
        hit = labels[np.clip(np.rint(pv / pd), 0, 119).astype(int), np.clip(np.rint(pu / pd), 0, 159).astype(int)]
        assert (hit == frame.objects.instance[row]).mean() > 0.9


def test_coco_boxes_are_those_of_kitti_and_images_tell_when_and_whence(moved):
    frame, out = moved
    coco, other = read_labels(out / "coco/annotations.json"), read_labels(out / "kitti")
    for name in ("centre", "yaw"):
        np.testing.assert_allclose(getattr(coco, name), getattr(other, name), atol=1e-3)
    (image,) = json.loads((out / "coco/annotations.json").read_text())["images"]
    camera, held = frame.sensors["camera"], image["tailgate"]
    assert (held["tick"], held["t_start_ns"], held["t_end_ns"]) == (1, camera.t_start, camera.t_end)
    np.testing.assert_allclose(held["T_world_camera"], camera.T_world_sensor)


def test_semantickitti_points_lie_on_their_objects(moved):
    frame, out = moved
    folder = out / "semantickitti/sequences/00"
    points = np.fromfile(folder / "velodyne/000000.bin", "<f4").reshape(-1, 4)[:, :3].astype(float)
    instance = np.fromfile(folder / "labels/000000.label", "<u4") >> 16
    T = np.vstack([np.loadtxt(folder / "poses.txt").reshape(3, 4), [0, 0, 0, 1]])
    for row, i in enumerate(frame.objects.instance):
        mine = points[instance == i] @ T[:3, :3].T + T[:3, 3]
        assert len(mine) > 20 and outside(mine, frame.objects.T_world_box[row], frame.objects.size[row]) < NEAR


def test_a_standing_rig_gives_the_points_as_they_were_fired(tmp_path):
    frame = frame_of({})
    write_dataset([frame], tmp_path, ["kitti", "semantickitti"])
    want = firing_table_order(frame.sensors["lidar"].points())["xyz"]
    for file in ("kitti/training/velodyne/000000.bin", "semantickitti/sequences/00/velodyne/000000.bin"):
        assert np.array_equal(np.fromfile(tmp_path / file, "<f4").reshape(-1, 4)[:, :3], want)


def test_kitti_passes_over_frames_without_the_lidar_of_its_rig(moved, tmp_path):
    frame, _ = moved
    from tailgate.datasets.kitti import KittiWriter

    writer = KittiWriter(tmp_path, {name: s.kind for name, s in frame.sensors.items()})
    assert writer.add(replace(frame, sensors={"camera": frame.sensors["camera"]})) == [] and writer.add(frame)
    assert writer.finish()["frames"] == 1 == len(list((tmp_path / "training/velodyne").iterdir()))


def test_semantickitti_times_rise_whatever_jitter_does(moved, tmp_path):
    frame, _ = moved
    lidar = frame.sensors["lidar"]
    stamps = (0.1, 0.366, 0.301, 0.31, 0.4)
    frames = []
    for tick, t in enumerate(stamps):
        late = replace(lidar, t_start=round(1e9 * t), t_end=round(1e9 * t) + 10**8)
        frames.append(replace(frame, id=replace(frame.id, tick=tick), sensors={"lidar": late}))
    write_dataset(frames, tmp_path, ["semantickitti"], clips={frame.id.clip})
    times = np.loadtxt(tmp_path / "semantickitti/sequences/00/times.txt")
    assert (np.diff(times) > 0).all() and times[[0, 1, 4]].tolist() == [0.1, 0.366, 0.4]


def test_distances_of_a_depth_camera_are_measured_and_the_truth_says_so(moved, tmp_path):
    frame, _ = moved
    camera = frame.sensors["camera"]
    true = camera.channels["distance_to_image_plane"]
    measured = np.where(np.indices(true.shape)[1] % 3, true * np.float32(1.01), np.float32(np.inf))
    channels = {**camera.channels, "distance_to_image_plane": measured, "distance_to_image_plane_true": true, "valid": np.isfinite(measured)}
    write_dataset([replace(frame, sensors={"camera": replace(camera, channels=channels)})], tmp_path, ["basicwriter"])
    held = {n: np.load(tmp_path / f"basicwriter/{n}_0000.npy") for n in ("distance_to_image_plane", "distance_to_camera", "distance_valid")}
    truth = {n: np.load(tmp_path / f"basicwriter/{n}_true_0000.npy") for n in ("distance_to_image_plane", "distance_to_camera")}
    assert np.array_equal(held["distance_to_image_plane"], measured) and np.array_equal(truth["distance_to_image_plane"], true)
    assert np.array_equal(truth["distance_to_camera"], camera.channels["distance_to_camera"])
    np.testing.assert_allclose(held["distance_to_camera"], np.where(np.isfinite(measured), 1.01 * truth["distance_to_camera"], np.inf), rtol=1e-5)
    assert np.array_equal(held["distance_valid"], np.isfinite(measured))
