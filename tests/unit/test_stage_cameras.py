"""Cameras of a stage against USD's own frustum; near clipping and focus against geometry."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, UsdGeom
from tailgate.config.camera import Focus
from tailgate.config.rig import MountedSensor, ResolvedRig
from tailgate.errors import UserError
from tailgate.render.raytrace.camera import lens_points
from tailgate.sensors.camera import respond_camera
from tailgate.sensors.tof import TofResponse
from tailgate.stage.cameras import read_camera, stage_cameras
from tailgate.stage.walk import Notes


def camera_stage(**values):
    stage = kit.new_stage()
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    camera = UsdGeom.Camera.Define(stage, "/World/eye")
    camera.AddTranslateOp().Set(Gf.Vec3d(100, 50, 700))
    camera.AddRotateYOp().Set(20.0)
    for name, value in {"focalLength": 24.0, "horizontalAperture": 36.0, "verticalAperture": 24.0, **values}.items():
        camera.GetPrim().GetAttribute(name).Set(value)
    return stage, camera


def test_intrinsics_and_pose_agree_with_usd():
    """A point projects where USD's frustum puts it, offsets included; the stage is in centimetres with Y up."""
    stage, camera = camera_stage(horizontalApertureOffset=3.0, verticalApertureOffset=-2.0, clippingRange=Gf.Vec2f(10, 5000))
    model, T = read_camera(stage, "", 300, Notes())
    assert (model.width, model.height) == (300, 200) and (model.near, model.far) == pytest.approx((0.1, 50.0))
    frustum = camera.GetCamera(0).frustum
    full = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
    for point in ((30, -20, -100), (200, 150, -300), (-250, 80, 0)):
        ndc = full.Transform(Gf.Vec3d(*point))
        world = np.array([point[0], -point[2], point[1]]) * 0.01
        x, y, z = T[:3, :3].T @ (world - T[:3, 3])
        u, v = model.fx * x / z + model.cx, model.fy * y / z + model.cy
        np.testing.assert_allclose([u, v], [(ndc[0] + 1) / 2 * 300 - 0.5, (1 - ndc[1]) / 2 * 200 - 0.5], atol=1e-3)


@pytest.mark.parametrize("scale", [(3, 3, 3), (-1, 1, 1), (1, 2.5, 0.5)])
def test_scaled_and_mirrored_parents(scale):
    stage, camera = camera_stage()
    UsdGeom.Xform(stage.GetPrimAtPath("/World")).AddScaleOp().Set(scale)
    _, T = read_camera(stage, "", 64, Notes())
    expected = np.array(camera.GetCamera(0).frustum.ComputeViewInverse()).T
    to_z_up = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_allclose(T[:3, :3], to_z_up @ expected[:3, :3] @ np.diag([1, -1, -1]), atol=1e-6)
    np.testing.assert_allclose(T[:3, 3], 0.01 * to_z_up @ expected[:3, 3], atol=1e-6)


def test_cameras_in_instances_and_without_a_place():
    stage, camera = camera_stage()
    copy = UsdGeom.Xform.Define(stage, "/Copy")
    copy.GetPrim().GetReferences().AddInternalReference("/World")
    copy.GetPrim().SetInstanceable(True)
    assert stage_cameras(stage) == ["/Copy/eye", "/World/eye"]
    camera.AddScaleOp().Set((1, float("nan"), 1))
    with pytest.raises(UserError, match="camera /World/eye must have a transform that is finite"):
        read_camera(stage, "/World/eye", 64, Notes())


def test_f_stop_is_an_opening():
    stage, _ = camera_stage(fStop=2.0, focusDistance=300.0)
    model, _ = read_camera(stage, "/World/eye", 64, Notes())
    assert model.focus.distance == pytest.approx(3.0) and model.focus.opening_mm == pytest.approx(12.0)


def test_a_lens_that_is_too_wide_is_sharp_and_named():
    """A focal length of 50 in a stage of metres is 5 m by USD's tenths of a unit."""
    stage, camera = camera_stage(fStop=1.4, focusDistance=4.0)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    camera.GetFocalLengthAttr().Set(50.0)
    notes = Notes()
    model, _ = read_camera(stage, "/World/eye", 64, notes)
    assert model.focus is None and "its f-stop opens it 3571 mm wide" in "\n".join(notes.sorted())


def test_bad_cameras_are_refused():
    stage, camera = camera_stage()
    with pytest.raises(UserError, match="one of the stage's 1 cameras, got '/World/eyes' .did you mean '/World/eye'"):
        read_camera(stage, "/World/eyes", 64, Notes())
    camera.GetFocalLengthAttr().Set(0.0)
    with pytest.raises(UserError, match="focal length and apertures above 0"):
        read_camera(stage, "", 64, Notes())
    camera.GetFocalLengthAttr().Set(24.0)
    camera.GetClippingRangeAttr().Set(Gf.Vec2f(5, 1))
    with pytest.raises(UserError, match="clipping range that rises, got 5 to 1"):
        read_camera(stage, "", 64, Notes())
    camera.GetClippingRangeAttr().Set(Gf.Vec2f(1, 5))
    camera.GetVerticalApertureAttr().Set(1e9)
    with pytest.raises(UserError, match="camera /World/eye makes no image 64 px wide: height must be"):
        read_camera(stage, "", 64, Notes())
    camera.GetProjectionAttr().Set("orthographic")
    with pytest.raises(UserError, match="must be a perspective one"):
        read_camera(stage, "", 64, Notes())
    with pytest.raises(UserError, match="one of the stage's 0 cameras"):
        read_camera(kit.new_stage(), "", 64, Notes())


def wall(stage, path, distance, half, colour):
    glow = kit.material(stage, f"{path}_look", (0.0, 0.0, 0.0), emissiveColor=(float(colour),) * 3, ior=1.0)
    d, h = distance, half
    kit.mesh(stage, path, [(d, h, -h), (d, 0, -h), (d, 0, h), (d, h, h)], [(0, 3, 2, 1)], glow)


def test_near_clipping_looks_through():
    stage = kit.new_stage()
    wall(stage, "/World/near", 0.5, 50, 1.0)
    wall(stage, "/World/far", 4.0, 50, 1.0)
    depth = kit.render(stage, kit.rig_of(kit.pinhole(16, 16, 20.0, near=1.0))).sensors["camera"].channels["distance_to_image_plane"]
    np.testing.assert_allclose(depth[:, :8], 4.0, rtol=1e-5)


@pytest.mark.parametrize("distance, blur", [(4.0, 0.0), (2.0, None)])
def test_focus_blurs_by_the_circle_of_confusion(distance, blur):
    """An edge at 4 m seen with the focus at s through an opening D spreads over f D |1/s - 1/4| px; in focus it stays sharp. Depth stays sharp."""
    opening = 0.2
    stage = kit.new_stage()
    wall(stage, "/World/wall", 4.0, 50, 1.0)
    camera = kit.pinhole(201, 5, 200.0, focus=Focus(distance=distance, opening_mm=1e3 * opening, views=129))
    rig = ResolvedRig("test", {"camera": MountedSensor(camera, "test", kit.rig_of(camera).sensors["camera"].T_rig_sensor)})
    channels = kit.render(stage, rig, smoothing=0, edges=False).sensors["camera"].channels
    row = channels["HdrColor"][2, :, 0]
    spread = np.flatnonzero((row > 0.02) & (row < 0.98))
    expected = 200.0 * opening * abs(1 / distance - 1 / 4)
    assert len(spread) == pytest.approx(expected, abs=3) if blur is None else len(spread) <= 1
    assert row[:101].mean() + row[100:].mean() == pytest.approx(1.0, abs=0.02)
    assert np.isfinite(channels["distance_to_camera"][2]).sum() == 101


def test_lens_points():
    points = lens_points(65)
    np.testing.assert_array_equal(points[32], 0)
    assert np.linalg.norm(points, axis=1).max() <= 1 and np.abs(points.mean(0)).max() < 0.02
    assert (points**2).sum(1).mean() == pytest.approx(0.5, abs=0.01)


def test_a_depth_camera_shows_what_it_cannot_measure():
    """Nearer than its nearest depth there is a hole, in a picture and labels that show what is there; light from beyond its furthest wraps."""
    stage = kit.new_stage()
    kit.lights(stage)
    for name, row, at in (("near", 1, kit.pose(x=0.3, y=-0.1)), ("far", 2, kit.pose(x=12.0, y=6.0))):
        half = 0.05 if row == 1 else 5.0
        corners = [(0, half, -half), (0, -half, -half), (0, -half, half), (0, half, half)]
        kit.mesh(stage, f"{kit.mover(stage, name, row, at)}/body", corners, [(0, 3, 2, 1)])
    for depth in ("kinect_v1", "time_of_flight"):
        model = kit.pinhole(160, 120, 100.0).model_copy(update={"depth": depth, "near": 0.4, "far": 8.0})
        view = kit.render(stage, kit.rig_of(model)).sensors["camera"]
        out, shown = respond_camera(view, model, {}, 3), view.channels["instance_segmentation"]
        near, far = shown == 1, shown == 2
        assert near.sum() > 500 and far.sum() > 500 and (view.view.occluded == 0).all()
        assert not out["valid"][near].any() and out["distance_to_image_plane_true"][near] == pytest.approx(0.3, rel=1e-4)
        along = 1 / view.intrinsics.rays(*np.meshgrid(np.arange(160), np.arange(120)))[far][:, 2]
        wrapped = 12.0 * along % TofResponse().wrap / along
        beyond = np.where((wrapped >= 0.4) & (depth == "time_of_flight"), wrapped, np.inf)
        np.testing.assert_allclose(out["distance_to_image_plane"][far], beyond, atol=1e-3)
