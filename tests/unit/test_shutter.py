"""Rolling shutter and motion blur of a moving camera against closed-form answers."""

import numpy as np
import pytest
import stage_kit as kit
from tailgate.config.camera import CameraModel
from tailgate.config.rig import MountedSensor, ResolvedRig, pose
from tailgate.config.sensor import Mount
from tailgate.frames import Intrinsics
from tailgate.render.raytrace.camera import lens_points
from tailgate.render.raytrace.smear import image_way, views_for

FX, SPEED, DEPTH = 200.0, 10.0, 8.0


def shoot(stage, hints, yaw=90.0, **shutter):
    """Frame of a camera on a rig that drives along +x; with ``yaw`` 90 it looks to the left, so that it moves to its own right."""
    model = CameraModel.model_validate({**kit.pinhole(160, 120, FX).model_dump(), "shutter": shutter})
    rig = ResolvedRig("rig", {"camera": MountedSensor(model, "camera", pose(Mount(xyz=(0, 0, 0), rpy_deg=(0, 0, yaw)), model))})
    return kit.render(stage, rig, hints=hints).sensors["camera"]


def wall_to_the_left(x=-50.0):
    """A mover across the rig's y axis, 8 m to the left, whose near edge stands at ``x``."""
    stage = kit.new_stage()
    kit.lights(stage)
    path = kit.mover(stage, "wall", 1, kit.pose(x=x, y=DEPTH))
    kit.mesh(stage, f"{path}/body", [(0, 0, -30), (60, 0, -30), (60, 0, 30), (0, 0, 30)], [(0, 1, 2, 3)])
    return stage


def edge(sensor):
    """First column of the wall in each row."""
    return (sensor.channels["instance_segmentation"] == 1).argmax(axis=1)


def test_a_vertical_edge_leans_by_speed_times_row_time():
    """The camera moves right by v t while it reads down to row t: the edge moves left by fx v t / z, in picture and labels alike."""
    still = edge(shoot(wall_to_the_left(0.3), {"ego_speed": SPEED}))
    assert np.ptp(still) == 0
    sensor = shoot(wall_to_the_left(0.3), {"ego_speed": SPEED}, readout_ms=60.0)
    rows = np.arange(120)
    expected = still[0] - FX * SPEED * 0.060 * rows / 119 / DEPTH
    assert np.abs(edge(sensor) - expected).max() <= 1.0
    assert edge(sensor)[0] - edge(sensor)[-1] == pytest.approx(FX * SPEED * 0.060 / DEPTH, abs=1.0)
    seen = np.isfinite(sensor.channels["distance_to_image_plane"])
    np.testing.assert_array_equal(seen, sensor.channels["instance_segmentation"] == 1)
    np.testing.assert_array_equal(sensor.view.bbox_tight[0], [edge(sensor).min(), 0, 159, 119])
    assert sensor.view.visible[0] == sensor.view.alone[0] == seen.sum()
    assert sensor.t_end - sensor.t_start == 60_000_000
    np.testing.assert_allclose(sensor.T_world_sensor[1][:3, 3] - sensor.T_world_sensor[0][:3, 3], [0.6, 0, 0], atol=1e-9)


def test_a_turning_camera_shears_by_rate_times_row_time():
    """Turning left by w t moves what is ahead to the right by fx tan(w t)."""
    stage = kit.new_stage()
    kit.lights(stage)
    path = kit.mover(stage, "post", 1, kit.pose(x=20.0))
    kit.mesh(stage, f"{path}/body", [(0, 0, -30), (0, -60, -30), (0, -60, 30), (0, 0, 30)], [(0, 1, 2, 3)])
    lean = edge(shoot(stage, {"ego_yaw_rate": 90.0}, yaw=0.0, readout_ms=50.0))
    assert lean[-1] - lean[0] == pytest.approx(FX * np.tan(np.deg2rad(90 * 0.05)), abs=1.0)


def test_blur_of_an_edge_is_as_wide_as_the_way():
    """The edge becomes a ramp of fx v t / z = 20 px about its place at the middle of the exposure; labels stay sharp there."""
    stage = wall_to_the_left(0.3)
    hints = {"ego_speed": SPEED, "exposure": 1.0}
    sharp = shoot(stage, hints)
    smeared = shoot(stage, hints, exposure_ms=80.0, moments=20)
    place = edge(sharp)[60]
    np.testing.assert_array_equal(edge(smeared), edge(sharp))
    line = [s.channels["HdrColor"][60, :, :3].sum(axis=1).astype(float) for s in (sharp, smeared)]
    left, right = line[0][place - 25 : place - 15].mean(), line[0][place + 15 : place + 25].mean()
    share = (line[1] - left) / (right - left)
    width = np.interp(0.9, share[place - 20 : place + 20], np.arange(40)) - np.interp(0.1, share[place - 20 : place + 20], np.arange(40))
    assert width == pytest.approx(0.8 * FX * SPEED * 0.080 / DEPTH, rel=0.15)
    assert share[place] == pytest.approx(0.5, abs=0.08)
    assert smeared.channels["exposure"][0] == 1.0


def test_labels_hold_what_is_passed_by_while_turning():
    """A box passed in the middle of a readout is nearer there than before and after; depth is the ray's share of the distance in every row."""
    stage = kit.new_stage()
    kit.lights(stage)
    kit.box(stage, kit.mover(stage, "post", 1, kit.pose(x=0.9, y=0.5)) + "/body", (-0.15, -0.15, -0.4), (0.15, 0.15, 0.1))
    sensor = shoot(stage, {"ego_speed": 20.0, "ego_yaw_rate": 120.0}, yaw=50.0, readout_ms=100.0)
    rows, columns = np.nonzero(sensor.channels["instance_segmentation"])
    view, box = sensor.view, np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    np.testing.assert_array_equal(view.bbox_tight[0], box)
    assert (view.bbox_loose[0] * [1, 1, -1, -1] <= box * [1, 1, -1, -1]).all()
    assert view.visible[0] == view.alone[0] == len(rows) > 500
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    share = sensor.intrinsics.rays(u, v)[..., 2][rows, columns]
    got = [sensor.channels[name][rows, columns] for name in ("distance_to_image_plane", "distance_to_camera")]
    np.testing.assert_allclose(got[0], got[1] * share, rtol=1e-6)


@pytest.mark.parametrize("moments", [2, 4, 5])
def test_labels_show_the_middle_of_an_exposure(moments):
    stage, hints = wall_to_the_left(0.3), {"ego_speed": SPEED}
    sharp, smeared = shoot(stage, hints), shoot(stage, hints, exposure_ms=90.0, moments=moments)
    for name in ("instance_segmentation", "distance_to_image_plane"):
        np.testing.assert_array_equal(sharp.channels[name], smeared.channels[name])
    np.testing.assert_array_equal(sharp.view.bbox_tight, smeared.view.bbox_tight)


def test_the_whole_opening_is_used_throughout_an_exposure():
    for count in (17, 33, 65):
        radius = np.hypot(*lens_points(count).T)
        assert radius[count // 2] == 0 and abs(np.corrcoef(radius, np.arange(count))[0, 1]) < 0.2


def test_a_still_camera_is_not_blurred():
    stage = wall_to_the_left(0.3)
    plain, open_ = shoot(stage, {}), shoot(stage, {}, exposure_ms=80.0, readout_ms=20.0)
    for name in plain.channels:
        np.testing.assert_array_equal(plain.channels[name], open_.channels[name])


def test_fast_motion_is_smeared_and_not_shown_several_times():
    """A thin bright bar that moves by 24 px is an even band: no row of copies with dark between them."""
    stage = kit.new_stage()
    kit.lights(stage)
    white, black = kit.material(stage, "/World/white", (0.8, 0.8, 0.8)), kit.material(stage, "/World/black", (0.02, 0.02, 0.02))
    kit.box(stage, "/World/wall", (-60, DEPTH, -30), (60, DEPTH + 0.1, 30), black)
    kit.box(stage, "/World/bar", (-0.04, DEPTH - 0.1, -30), (0.04, DEPTH, 30), white)
    line = shoot(stage, {"ego_speed": SPEED, "exposure": 1.0}, exposure_ms=1000 * 24 * (DEPTH - 0.1) / FX / SPEED).channels["HdrColor"][60, :, 1]
    band = line[72:88].astype(float) - line[40]
    assert band.min() > 0.5 * band.max()


def test_way_in_the_image():
    """Beside a wall it is fx v t / z, all over; of the sky only a turn moves anything."""
    k, far = Intrinsics(160, 120, FX, FX, 79.5, 59.5), np.full((120, 160), np.inf)
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = -0.3, 0.0, 0.3
    assert image_way(k, DEPTH / k.rays(u, v)[..., 2], poses) == pytest.approx(FX * 0.6 / DEPTH)
    assert image_way(k, far, poses) < 1e-3
    for pose_, angle in zip(poses, (-0.01, 0.0, 0.01), strict=True):
        pose_[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    assert image_way(k, far, poses) == pytest.approx(FX * 0.02, rel=0.2)
    assert [views_for(way, 5) for way in (0.0, 7.0, 12.0, 1e6)] == [5, 5, 9, 33] and views_for(1e6, 64) == 65
