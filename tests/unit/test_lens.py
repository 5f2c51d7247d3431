"""Lenses against OpenCV, and the distorted picture against its labels."""

import json
from dataclasses import replace

import numpy as np
import pytest
import stage_kit as kit
import warp as wp
from frames_fixture import make_frame
from pydantic import ValidationError
from tailgate.config.sensor import CameraModel
from tailgate.datasets.write import write_dataset
from tailgate.frames import Intrinsics
from tailgate.geometry.lens import Distortion
from tailgate.render.raytrace.lens import Fisheye, fisheye_of, fisheye_ray, lens_ray, ray_table
from tailgate.sensors.optics import falloff

LENSES = {
    "barrel": Distortion("brown_conrady", (-0.28, 0.07, 1e-3, -5e-4)),
    "pincushion": Distortion("brown_conrady", (0.12, 0.02, -8e-4, 6e-4, 0.01)),
    "rational": Distortion("brown_conrady", (0.1, -0.02, 1e-3, 1e-3, 0.005, 0.15, 0.01, 0.003)),
    "fisheye": Distortion("kannala_brandt", (0.02, -0.005, 0.001, -0.0002)),
}
FX, FY, CX, CY = 260.0, 255.0, 159.5, 119.5


def intrinsics(name):
    return Intrinsics(320, 240, FX, FY, CX, CY, LENSES[name])


def with_lens(name):
    """A camera model of 320 x 240 px."""
    lens = {"model": LENSES[name].model, "coefficients": list(LENSES[name].coefficients)}
    return CameraModel.model_validate({**kit.pinhole(320, 240, FX).model_dump(), "lens": lens})


def opencv(name, xyz):
    """Image points by OpenCV, [n, 2]."""
    import cv2

    K, k, zero = intrinsics(name).matrix, np.array(LENSES[name].coefficients), np.zeros(3)
    project = cv2.fisheye.projectPoints if LENSES[name].model == "kannala_brandt" else cv2.projectPoints
    return project(np.ascontiguousarray(xyz[:, None]), zero, zero, K, k)[0][:, 0]


@wp.kernel
def look_up(rays: wp.array2d(dtype=wp.vec2), at: wp.array(dtype=wp.vec2), out: wp.array(dtype=wp.vec2)):
    k = wp.tid()
    out[k] = lens_ray(rays, at[k][0], at[k][1])


@pytest.mark.parametrize("name", LENSES)
def test_project_as_opencv_and_back(name):
    rng = np.random.default_rng(1)
    k = intrinsics(name)
    u, v = rng.uniform(0, 319, 4000), rng.uniform(0, 239, 4000)
    x, y = k.unproject(u, v)
    assert np.isfinite(x).all()
    z = rng.uniform(0.5, 50, 4000)
    assert np.abs(opencv(name, np.stack([x * z, y * z, z], 1)) - np.stack([u, v], 1)).max() < 1e-6
    again = k.project(x, y)
    assert np.abs(again[0] - u).max() < 1e-6 and np.abs(again[1] - v).max() < 1e-6


def test_wide_fisheye_as_opencv():
    theta, turn = np.linspace(0, np.deg2rad(85), 300), np.linspace(0, 40, 300)
    xyz = np.stack([np.sin(theta) * np.cos(turn), np.sin(theta) * np.sin(turn), np.cos(theta)], 1)
    u, v = intrinsics("fisheye").project(xyz[:, 0] / xyz[:, 2], xyz[:, 1] / xyz[:, 2])
    assert np.abs(opencv("fisheye", xyz) - np.stack([u, v], 1)).max() < 1e-6


def test_no_ray_where_the_model_folds_back():
    folding = Distortion("brown_conrady", (-0.5, 0.0, 0.0, 0.0))
    edge = np.sqrt(1 / 1.5)
    assert folding.reach == pytest.approx(edge, abs=1e-3)
    assert np.isnan(folding.distort(np.array([1.0]), np.array([0.0]))[0]).all()
    assert np.isnan(folding.undistort(np.array([0.9]), np.array([0.0]))[0]).all()
    inside = folding.undistort(np.array([0.5]), np.array([0.0]))[0]
    assert 0.5 < inside[0] < edge


@pytest.mark.parametrize("name", [name for name in LENSES if name != "fisheye"])
def test_rays_between_pixels(name):
    """The kernel's rays, projected by the exact model, fall within a hundredth of a pixel of where they were asked for."""
    k, rng = intrinsics(name), np.random.default_rng(2)
    at = rng.uniform((0, 0), (319, 239), (2000, 2)).astype(np.float32)
    out = wp.zeros(2000, dtype=wp.vec2)
    wp.launch(look_up, dim=2000, inputs=[ray_table(k, "cpu"), wp.array(at, dtype=wp.vec2), out])
    u, v = k.project(*out.numpy().astype(np.float64).T)
    assert np.hypot(u - at[:, 0], v - at[:, 1]).max() < 0.01
    whole = np.rint(at)
    wp.launch(look_up, dim=2000, inputs=[ray_table(k, "cpu"), wp.array(whole, dtype=wp.vec2), out])
    u, v = k.project(*out.numpy().astype(np.float64).T)
    assert np.hypot(u - whole[:, 0], v - whole[:, 1]).max() < 1e-3


@pytest.mark.parametrize("name", ["barrel", "fisheye"])
def test_picture_and_labels_are_distorted_alike(name):
    """A square facing the camera: every channel shows it where the model says, and the boxes are those of its pixels."""
    stage = kit.new_stage()
    kit.lights(stage)
    path = kit.mover(stage, "sign", 1, kit.pose(x=4.0, y=1.0, z=0.6))
    kit.mesh(stage, f"{path}/body", [(0, 0.8, -0.8), (0, -0.8, -0.8), (0, -0.8, 0.8), (0, 0.8, 0.8)], [(0, 3, 2, 1)])
    model = with_lens(name)
    sensor = kit.render(stage, kit.rig_of(model)).sensors["camera"]
    u, v = np.meshgrid(np.arange(320), np.arange(240))
    x, y = sensor.intrinsics.unproject(u, v)
    inside = (np.abs(4 * x + 1.0) < 0.8) & (np.abs(4 * y + 0.6) < 0.8)
    for channel in ("instance_segmentation", "semantic_segmentation"):
        np.testing.assert_array_equal(sensor.channels[channel] == 1, inside)
    depth = sensor.channels["distance_to_image_plane"]
    np.testing.assert_array_equal(np.isfinite(depth), inside)
    np.testing.assert_allclose(depth[inside], 4.0, rtol=1e-5)
    along = np.sqrt(x**2 + y**2 + 1)
    np.testing.assert_allclose(sensor.channels["distance_to_camera"][inside], (4 * along)[inside], rtol=1e-5)
    box = [u[inside].min(), v[inside].min(), u[inside].max(), v[inside].max()]
    np.testing.assert_array_equal(sensor.view.bbox_tight[0], box)
    np.testing.assert_array_equal(sensor.view.bbox_loose[0], box)
    assert sensor.view.visible[0] == sensor.view.alone[0] == inside.sum() and sensor.view.truncated[0] == 0
    pinhole = kit.render(stage, kit.rig_of(kit.pinhole(320, 240, FX))).sensors["camera"]
    assert (pinhole.channels["instance_segmentation"] == 1).sum() != inside.sum()


def test_truncation_at_the_edge_of_a_lens():
    """The image ends where it ends: of a square with its middle on the ray of the right border half is outside, more or less the bend."""
    model = with_lens("barrel")
    x, _ = model.intrinsics.unproject(np.array(319.5), np.array(119.5))
    stage = kit.new_stage()
    path = kit.mover(stage, "edge", 1, kit.pose(x=10.0, y=-10 * float(x)))
    kit.mesh(stage, f"{path}/body", [(0, 1, -1), (0, -1, -1), (0, -1, 1), (0, 1, 1)], [(0, 3, 2, 1)])
    view = kit.render(stage, kit.rig_of(model)).sensors["camera"].view
    assert view.truncated[0] == pytest.approx(0.5, abs=0.06) and view.visible[0] == view.alone[0]


def test_rays_of_bent_lenses_are_found():
    """Where the image is not folded over, every ray within reach comes back from where it is imaged, however strong the tangential part."""
    rng = np.random.default_rng(5)
    for _ in range(40):
        lens = Distortion("brown_conrady", (*rng.uniform((-0.6, -0.3), (0.3, 0.5)), *rng.uniform(-0.03, 0.03, 2)))
        x, y = rng.uniform(-1, 1, (2, 500))
        for share in np.linspace(0.05, 1, 20):
            xx, xy, yy = lens._slopes(share * x, share * y)
            whole = (xx * yy - xy * xy > 0.05) & (xx > 0) & (np.hypot(x, y) < lens.reach)
            x, y = x[whole], y[whole]
        again = lens.undistort(*lens.distort(x, y))
        alike = np.hypot(again[0] - x, again[1] - y) < 1e-6
        assert np.isfinite(again).all() and alike.mean() > 0.98, lens
        np.testing.assert_allclose(lens.distort(*again), lens.distort(x, y), atol=1e-8)


def test_slopes_are_those_of_the_image():
    h, (x, y) = 1e-6, np.random.default_rng(6).uniform(-0.8, 0.8, (2, 50))
    for lens in (lens for lens in LENSES.values() if not lens.fisheye):
        across = (np.array(lens._forward(x + h, y)) - lens._forward(x - h, y)) / (2 * h)
        down = (np.array(lens._forward(x, y + h)) - lens._forward(x, y - h)) / (2 * h)
        np.testing.assert_allclose(lens._slopes(x, y), [across[0], across[1], down[1]], atol=1e-8)
        np.testing.assert_allclose(down[0], across[1], atol=1e-8)


@pytest.mark.parametrize("f, centre, coefficients", [(26.851315, (35.901068, 30.739373), [-0.469, 0.1054, -0.0029, 0.0095])])
def test_pixels_inside_the_border_need_a_ray_too(f, centre, coefficients):
    model = {**kit.pinhole(64, 48, f).model_dump(), "cx": centre[0], "cy": centre[1]}
    with pytest.raises(ValidationError, match=r"none for 2 pixels, such as \(20, 38\)"):
        CameraModel.model_validate({**model, "lens": {"model": "brown_conrady", "coefficients": coefficients}})


def test_pixels_without_a_ray_are_black():
    """Were such a lens let through, its lost pixels would show nothing and leave the others alone."""
    model = with_lens("barrel")
    folding = model.model_copy(update={"fx": 150.0, "fy": 150.0, "lens": model.lens.model_copy(update={"coefficients": [-0.5, 0, 0, 0]})})
    stage = kit.new_stage()
    kit.lights(stage)
    kit.ground(stage, "/World/ground", z=-1.5)
    channels = kit.render(stage, kit.rig_of(folding)).sensors["camera"].channels
    lost = np.isnan(folding.intrinsics.unproject(*np.meshgrid(np.arange(320), np.arange(240)))[0])
    assert 0.1 < lost.mean() < 0.9
    assert np.isinf(channels["distance_to_image_plane"][lost]).all() and (channels["HdrColor"][lost, :3] == 0).all()
    assert np.isfinite(channels["HdrColor"]).all() and np.isfinite(channels["distance_to_image_plane"][~lost]).any()


def test_lens_needs_a_ray_for_every_pixel():
    base = kit.pinhole(320, 240, 120.0).model_dump()
    with pytest.raises(ValidationError, match="ray within 86 deg"):
        CameraModel.model_validate({**base, "lens": {"model": "brown_conrady", "coefficients": [-0.5, 0, 0, 0]}})
    with pytest.raises(ValidationError, match="4 or 5 or 8 numbers, got 3"):
        CameraModel.model_validate({**base, "lens": {"model": "brown_conrady", "coefficients": [-0.5, 0, 0]}})
    lens = {"model": "kannala_brandt", "coefficients": [0, 0, 0, 0]}
    with pytest.raises(ValidationError, match="undistorted"):
        CameraModel.model_validate({**base, "depth": "kinect_v1", "lens": lens})
    with pytest.raises(ValidationError, match="fov_deg must be left out of brown_conrady"):
        CameraModel.model_validate({**base, "lens": {"model": "brown_conrady", "coefficients": [0, 0, 0, 0], "fov_deg": 100.0}})
    assert CameraModel.model_validate({**base, "lens": {**lens, "fov_deg": 190.0}}).intrinsics.distortion.fov == 190.0


def test_formats_carry_the_lens_or_are_left_out(tmp_path):
    frame = make_frame(0)
    camera = frame.sensors["camera"]
    frame.sensors["camera"] = replace(camera, intrinsics=replace(camera.intrinsics, distortion=LENSES["barrel"]))
    summary = write_dataset([frame], tmp_path, ["kitti", "coco", "basicwriter"])
    assert set(summary.formats) == {"coco", "basicwriter"} and "'camera' has a lens" in summary.left_out["kitti"]
    image = json.loads((tmp_path / "coco" / "annotations.json").read_text())["images"][0]["tailgate"]
    assert image["distortion"] == {"model": "brown_conrady", "coefficients": list(LENSES["barrel"].coefficients)}
    params = json.loads(next((tmp_path / "basicwriter").glob("camera_params*.json")).read_text())
    assert params["cameraModel"] == "pinholeOpenCV" and params["lensDistortion"]["coefficients"] == list(LENSES["barrel"].coefficients)


WIDE = Distortion("kannala_brandt", (-0.02, 0.003, -0.0004, 0.00002), 200.0)


def fisheye(coefficients=(0.0, 0.0, 0.0, 0.0), fov=200.0, size=201, focal=50.0, **more):
    """A square fisheye camera; the circle of 200 deg has a radius of 87 px where it is equidistant."""
    lens = {"model": "kannala_brandt", "coefficients": list(coefficients), "fov_deg": fov}
    return CameraModel.model_validate({**kit.pinhole(size, size, focal).model_dump(), "lens": lens, **more})


def test_a_fisheye_images_what_is_behind_it_as_opencv():
    """Kannala and Brandt's polynomial of the angle, which OpenCV evaluates with atan2(r, z) or atan(r) of the point at unit depth: up to 90 deg by
    ``cv2.fisheye``, beyond by the polynomial itself."""
    rng = np.random.default_rng(3)
    k = Intrinsics(640, 480, 210.0, 205.0, 320.0, 240.0, WIDE)
    theta, turn = rng.uniform(0, np.deg2rad(99.9), 3000), rng.uniform(0, 2 * np.pi, 3000)
    rays = np.stack([np.sin(theta) * np.cos(turn), np.sin(theta) * np.sin(turn), np.cos(theta)], 1)
    uv = k.image_points(rays * rng.uniform(0.5, 50, (3000, 1)))
    polynomial = theta + sum(c * theta ** (2 * n + 3) for n, c in enumerate(WIDE.coefficients))
    np.testing.assert_allclose(uv, np.stack([320 + 210 * polynomial * np.cos(turn), 240 + 205 * polynomial * np.sin(turn)], 1), atol=1e-9)
    import cv2

    near = theta < np.deg2rad(89.5)
    theirs = cv2.fisheye.projectPoints(rays[near][:, None], np.zeros(3), np.zeros(3), k.matrix, np.array(WIDE.coefficients))[0][:, 0]
    np.testing.assert_allclose(uv[near], theirs, atol=1e-6)
    np.testing.assert_allclose(k.rays(*uv.T), rays, atol=1e-7)
    outside = np.array([[np.sin(1.75), 0, np.cos(1.75)], [0.0, 0.0, -1.0]])
    assert np.isnan(k.image_points(outside)).all() and np.isfinite(k.image_points(outside, beyond=True)).all()
    assert WIDE.half_angle == pytest.approx(np.deg2rad(100)) and Distortion("kannala_brandt", (0.0,) * 4).half_angle == pytest.approx(np.pi)


@wp.kernel
def fisheye_rays(lens: Fisheye, at: wp.array(dtype=wp.vec2), out: wp.array(dtype=wp.vec3)):
    k = wp.tid()
    out[k] = fisheye_ray(lens, at[k][0], at[k][1])


@pytest.mark.parametrize("lens", [WIDE, LENSES["fisheye"], Distortion("kannala_brandt", (0.0,) * 4)])
def test_fisheye_rays_of_the_kernel(lens):
    edge = float(lens.radius(np.array(min(lens.half_angle, 3.0))))
    at = np.random.default_rng(4).uniform(-edge / 2**0.5, edge / 2**0.5, (3000, 2)).astype(np.float32)
    out = wp.zeros(3000, dtype=wp.vec3)
    wp.launch(fisheye_rays, dim=3000, inputs=[fisheye_of(lens, "cpu"), wp.array(at, dtype=wp.vec2), out])
    np.testing.assert_allclose(out.numpy(), lens.rays(*at.astype(np.float64).T), atol=3e-6)


def box_around(stage, half=3.0):
    """A room of unlabelled walls with a labelled plate behind the camera, to its right and ahead."""
    kit.lights(stage)
    paint = kit.material(stage, "/World/paint", (0.5,) * 3, 0.4, emissiveColor=(1.0,) * 3)
    kit.box(stage, "/World/room", (-half, -half, -half), (half, half, half), paint)
    plates = {"a_ahead": (2.0, 0.0, 0.0), "b_right": (0.2, -2.0, 0.3), "c_behind": (-2.5, 0.2, 0.1)}
    for row, (name, at) in enumerate(plates.items(), 1):
        path = kit.mover(stage, name, row, kit.pose(*at, yaw_deg=90.0 if name == "b_right" else 0.0))
        glow = kit.material(stage, f"{path}/look", (0.5,) * 3, emissiveColor=(2.0, 1.0, 1.0))
        kit.mesh(stage, f"{path}/body", [(0, 0.5, -0.4), (0, -0.5, -0.4), (0, -0.5, 0.4), (0, 0.5, 0.4)], [(0, 3, 2, 1)], glow)


def test_channels_of_a_fisheye_beyond_a_right_angle():
    """Every channel against rays met with the room by hand; black, without depth and label outside the circle."""
    stage = kit.new_stage()
    box_around(stage)
    model = fisheye()
    sensor = kit.render(stage, kit.rig_of(model)).sensors["camera"]
    u, v = np.meshgrid(np.arange(201), np.arange(201))
    theta = np.hypot(u - 100, v - 100) / 50.0
    shown = theta <= np.deg2rad(100)
    clear = np.abs(theta - np.deg2rad(100)) > 1e-3
    got = sensor.channels
    assert (np.isfinite(got["distance_to_camera"]) == shown)[clear].all()
    black = ~shown & clear
    assert not got["rgb"][black][:, :3].any() and not got["HdrColor"][black][:, :3].any() and not got["instance_segmentation"][black].any()
    assert (got["rgb"][shown & clear][:, :3] > 0).all()
    rays = sensor.intrinsics.rays(u, v)[..., [2, 0, 1]] * [1, -1, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        wall = np.min(3.0 / np.abs(rays), axis=-1)
        right = -2.0 / rays[..., 1]
        point = rays * right[..., None] - [0.2, -2.0, 0.3]
    plate = (right > 0) & (np.abs(point[..., 0]) < 0.5) & (np.abs(point[..., 2]) < 0.4)
    inside = plate & shown
    edge = (np.abs(np.abs(point[..., 0]) - 0.5) < 0.02) | (np.abs(np.abs(point[..., 2]) - 0.4) < 0.02)
    assert ((got["instance_segmentation"] == 2) == inside)[clear & ~edge].all() and (inside & (theta > np.pi / 2)).sum() > 50
    np.testing.assert_allclose(got["distance_to_camera"][inside & clear], right[inside & clear], rtol=2e-5)
    bare = shown & clear & (got["instance_segmentation"] == 0)
    np.testing.assert_allclose(got["distance_to_camera"][bare], wall[bare], rtol=2e-5)
    ahead = shown & clear & (theta < np.deg2rad(89.8))
    np.testing.assert_allclose(got["distance_to_image_plane"][ahead], (got["distance_to_camera"] * np.cos(theta))[ahead], rtol=1e-4, atol=1e-4)
    assert np.isinf(got["distance_to_image_plane"][theta > np.deg2rad(89.95)]).all()


@pytest.mark.parametrize("fov", [360.0, None, 359.0])
def test_a_fisheye_that_sees_all_around_is_black_outside_its_circle(fov):
    """An equidistant circle of 360 deg; the camera stands tilted in a room, so that what is right behind it is one of the walls."""
    stage = kit.new_stage()
    box_around(stage)
    limit, T = np.deg2rad(fov or 360.0) / 2, kit.pose(0.3, -0.2, 0.1, yaw_deg=33.0)
    sensor = kit.render(stage, kit.rig_of(fisheye(fov=fov, focal=25.0), T_rig=T)).sensors["camera"]
    u, v = np.meshgrid(np.arange(201), np.arange(201))
    theta, got = np.hypot(u - 100, v - 100) / 25.0, sensor.channels
    shown, outside = theta < limit - 0.01, theta > limit + 1e-3
    assert outside.sum() > 1000 and np.isnan(sensor.intrinsics.rays(u, v)[outside]).all()
    for name in ("rgb", "HdrColor"):
        assert not got[name][outside][:, :3].any() and (got[name][shown][:, :3] > 0).all()
    for name in ("distance_to_camera", "distance_to_image_plane"):
        assert np.isinf(got[name][outside]).all()
    assert not got["instance_segmentation"][outside].any() and not got["semantic_segmentation"][outside].any() and not got["normals"][outside].any()
    assert np.isfinite(got["distance_to_camera"][shown]).all() and set(np.unique(got["instance_segmentation"])) == {0, 1, 2, 3}


def test_a_fisheye_sees_a_stage_without_objects():
    stage = kit.new_stage()
    kit.ground(stage, "/World/ground", z=-1.0)
    view = kit.render(stage, kit.rig_of(fisheye())).sensors["camera"].view
    assert view.visible.shape == (0,)


def test_boxes_occlusion_and_truncation_of_a_fisheye():
    """The plate to the right reaches behind the image plane and is whole; the one behind lies outside the circle; one across its edge is cut."""
    stage = kit.new_stage()
    box_around(stage)
    frame = kit.render(stage, kit.rig_of(fisheye()))
    view, masks = frame.sensors["camera"].view, frame.sensors["camera"].channels["instance_segmentation"]
    for row in (0, 1):
        rows, columns = np.nonzero(masks == row + 1)
        np.testing.assert_array_equal(view.bbox_tight[row], [columns.min(), rows.min(), columns.max(), rows.max()])
        np.testing.assert_array_equal(view.bbox_loose[row], view.bbox_tight[row])
        assert view.visible[row] == view.alone[row] == (masks == row + 1).sum() and view.occluded[row] == 0 and view.truncated[row] == 0
    assert view.visible[2] == view.alone[2] == 0 and view.truncated[2] == 1 and view.occluded[2] == 1
    narrow = kit.render(stage, kit.rig_of(fisheye(fov=180.0))).sensors["camera"].view
    assert 0.2 < narrow.truncated[1] < 0.45 and narrow.visible[1] == narrow.alone[1] < view.visible[1]
    assert narrow.bbox_loose[1][2] <= 100 + 50 * np.pi / 2


def test_a_fisheye_darkens_as_its_pixels_shrink():
    """Equidistant: sin a / a."""
    model = fisheye()
    share = falloff(model.intrinsics, 1.0, 0.0)
    u, v = np.meshgrid(np.arange(201), np.arange(201))
    theta = np.hypot(u - 100, v - 100) / 50.0
    shown = (theta < np.deg2rad(99.9)) & (theta > 0.01)
    np.testing.assert_allclose(share[shown], np.sinc(theta / np.pi)[shown], rtol=1e-4)
    assert share[100, 100] == pytest.approx(1.0, abs=1e-4) and (share[theta > np.deg2rad(100.1)] == 0).all()
