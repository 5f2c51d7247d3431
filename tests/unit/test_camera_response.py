"""Colour and structured-light responses against their twins and against closed-form answers."""

from dataclasses import replace

import numpy as np
import pytest
import warp as wp
from tailgate.calibrate.tabletop import perfect_frame, random_tabletop
from tailgate.config.rig import load_rig, load_sensor
from tailgate.errors import UserError
from tailgate.frames import Intrinsics
from tailgate.sensors import nominal
from tailgate.sensors.camera import respond_camera
from tailgate.sensors.inverse_depth import shadow_kernel, shadow_twin
from tailgate.sensors.kinect import DISPARITY_CONSTANT, KinectResponse, respond_depth
from tailgate.sensors.kinect_twin import respond_depth_twin
from tailgate.sensors.matching import Window, match
from tailgate.sensors.noise_field import noise_fields, noise_fields_twin

SMALL = Intrinsics(200, 150, 160.0, 160.0, 99.5, 74.5)
LIMITS = (0.4, 8.0)
EVERYTHING = KinectResponse(2.0, 0.5, 8.3, 4.6, 0.2, 1.3, 0.125, 1.0, 0.8, 0.1, 0.05, 1.2, 0.3, 0.6, 0.05, 0.022, 0.4, 82.0, 0.015, 0.003)
WINDOW = {"noise_window": 9.0, "noise_rows": 7.0}


def measure(depth, response, focal=525.0, seed=3, luminance=0.5):
    lum = wp.full(depth.shape, luminance, dtype=wp.float32)
    k = Intrinsics(depth.shape[1], depth.shape[0], focal, focal, (depth.shape[1] - 1) / 2, (depth.shape[0] - 1) / 2)
    return respond_depth(wp.array(depth.astype(np.float32)), lum, k, LIMITS, response, seed).numpy()


def step_scene(near=0.6, far=1.2, shape=(24, 320), columns=(140, 200)):
    depth = np.full(shape, far)
    depth[:, columns[0] : columns[1]] = near
    return depth


@pytest.mark.parametrize("window", [(1.0, 1.0), (3.5, 5.0), (1.0, 9.3)])
def test_noise_fields_match_twin_and_have_unit_variance(window):
    made, twin = noise_fields(5, 2, (120, 160), window).numpy(), noise_fields_twin(5, 2, (120, 160), window)
    assert np.abs(made - twin).max() < 1e-4
    many = noise_fields(5, 2, (480, 640), window).numpy()
    assert many.std() == pytest.approx(1.0, abs=0.03)
    assert np.abs(np.corrcoef(many.reshape(4, -1)) - np.eye(4)).max() < 0.08


def test_noise_field_correlation_is_the_overlap_of_windows():
    field = noise_fields(9, 1, (480, 640), (5.0, 8.0)).numpy()[0]
    across = [np.mean(field[:, :-k] * field[:, k:]) for k in (2, 4, 6, 9)]
    down = [np.mean(field[:-k] * field[k:]) for k in (1, 3, 6)]
    assert across == pytest.approx([0.75, 0.5, 0.25, 0.0], abs=0.05) and down == pytest.approx([0.8, 0.4, 0.0], abs=0.05)


def test_depth_response_matches_twin():
    view = perfect_frame(random_tabletop(np.random.default_rng(3)), SMALL)
    depth = view.channels["distance_to_image_plane"]
    luminance = np.full(depth.shape, 0.02, np.float32)
    made = respond_depth(wp.array(depth), wp.array(luminance), SMALL, LIMITS, EVERYTHING, 11).numpy()
    twin = respond_depth_twin(depth, luminance, SMALL, LIMITS, EVERYTHING, 11)
    held, held_twin = np.isfinite(made), np.isfinite(twin)
    both = held & held_twin
    # Votes and disparities on the verge fall to either side in float32 for a few pixels in ten thousand.
    assert (held != held_twin).mean() < 1e-3
    assert (np.abs(made[both] - twin[both]) > 1e-4).mean() < 1e-3


def test_elections_of_eight_pixels_are_those_of_one():
    """In an image that is as wide as a window they are held one by one: each pixel finds what it finds among eight, to the bit."""
    rng, window, width = np.random.default_rng(5), Window(5.4, 8.2, 0.3, 1.0, 0.5), 9
    surface = np.cumsum(rng.choice([0.004, 0.1], (12, 40), p=[0.9, 0.1]), axis=1) % 0.7 + 0.8
    images = np.abs(surface - 1.1), np.where(rng.random(surface.shape) < 0.7, surface, 0.0), np.exp(rng.normal(size=surface.shape))

    def found(columns):
        return match(*(wp.array(np.ascontiguousarray(image[:, columns], np.float32)) for image in images), window).numpy()

    alone = [found(slice(x, x + width))[:, width // 2] for x in range(surface.shape[1] - width + 1)]
    np.testing.assert_array_equal(found(slice(None))[:, width // 2 : -(width // 2)], np.stack(alone, axis=1))


@pytest.mark.parametrize("base", [-30.0, 0.0, 30.0])
def test_shadows_match_their_twin(base):
    inverse = np.zeros((20, 90), np.float32)
    inverse[:, 3:-5] = 0.8
    inverse[:, 30:45], inverse[5:, 60:63] = 1.4, 1.1
    hidden, nearest = wp.empty(inverse.shape, dtype=wp.uint8), wp.array(inverse.max(axis=1))
    wp.launch(shadow_kernel, dim=20, inputs=[wp.array(inverse), base, nearest, 90, hidden])
    there = inverse > 0
    np.testing.assert_array_equal((hidden.numpy() > 0)[there], shadow_twin(inverse.astype(np.float64), base)[there])


def test_a_moved_image_is_of_bounded_width():
    """However near a camera may measure, the infrared image is a few times as wide as the colour image; what stays inside is as it was."""
    response, depth = KinectResponse(camera_offset=0.02), np.full((20, 60), 2.0, np.float32)
    assert response.seen_width(60, 525.0, 1e-5) == 4 * 60 and response.seen_width(640, 525.0, 0.5) == 640 + 21
    k = Intrinsics(60, 20, 525.0, 525.0, 29.5, 9.5)
    lit = np.full(depth.shape, 0.5, np.float32)
    made = respond_depth(wp.array(depth), wp.array(lit), k, (1e-5, 4.0), response, 3).numpy()
    np.testing.assert_allclose(made, respond_depth_twin(depth, lit, k, (1e-5, 4.0), response, 3), rtol=1e-5)
    np.testing.assert_allclose(made[2:-2, 10:-2], 2.0, rtol=1e-5)


def test_ideal_response_changes_nothing():
    flat = 1 / (1.0 + np.tan(np.deg2rad(88.5)) * (np.arange(40) - 19.5) / 525.0 * np.ones((30, 1)) * 0.5)
    for depth in (step_scene(), flat[:, flat[0] > 0]):
        inside = (depth >= LIMITS[0]) & (depth <= LIMITS[1])
        assert np.allclose(measure(depth, KinectResponse())[inside], depth[inside], rtol=1e-6)


def test_noise_grows_off_the_axis_of_the_pattern():
    depth = np.ones((400, 640))
    quiet, off = (1 / measure(depth, KinectResponse(axial_noise=2.0, field_noise=s, field_aside=-0.2), focal=525.0) - 1 for s in (0.0, 1.5))
    u, v = np.meshgrid(np.arange(640), np.arange(400))
    square = ((u - 319.5) / 525 + 0.2) ** 2 + ((v - 199.5) / 525) ** 2
    np.testing.assert_allclose(off, quiet * (1 + 1.5 * square), atol=1e-6)


def test_axial_noise_grows_with_the_square_of_distance():
    for z in (0.8, 1.6, 3.0):
        spread = measure(np.full((240, 320), z), KinectResponse(axial_noise=1.5)).std()
        assert spread == pytest.approx(1.5e-3 * z**2, rel=0.03)


def test_near_noise_does_not_grow():
    for z in (0.6, 1.2, 2.4):
        spread = measure(np.full((240, 320), z), KinectResponse(axial_noise=1.0, near_noise=1.5)).std()
        assert spread == pytest.approx(1e-3 * np.hypot(1.5, z**2), rel=0.03)


def test_grain_is_each_pixels_own():
    noisy = measure(np.full((240, 320), 1.0), KinectResponse(axial_noise=2.0, noise_grain=0.3, **WINDOW)) - 1.0
    beside = np.mean(noisy[:, 1:] * noisy[:, :-1]) / noisy.var()
    assert noisy.std() == pytest.approx(2e-3, rel=0.1) and beside == pytest.approx(0.7 * 8 / 9, abs=0.05)


def test_noise_turns_with_disparity():
    """On a wall that faces the camera rows stay alike; where disparity grows by a quarter of the period a row, they do not."""
    response = KinectResponse(axial_noise=2.0, noise_period=1.0, **WINDOW)
    quarter = 0.25 / DISPARITY_CONSTANT
    for slope, expected in ((0.0, 6 / 7), (quarter, 0.0)):
        inverse = 0.8 + slope * np.arange(240)[:, None].repeat(320, 1) * np.ones(320)
        error = 1.0 / measure(1 / inverse, response) - inverse
        assert np.mean(error[1:] * error[:-1]) / error.var() == pytest.approx(expected, abs=0.06)


def test_disparity_is_whole_steps():
    z = measure(np.linspace(0.7, 2.0, 320)[None].repeat(4, 0), KinectResponse(disparity_step=0.125))
    steps = DISPARITY_CONSTANT / z[np.isfinite(z)] / 0.125
    assert np.abs(steps - np.rint(steps)).max() < 2e-3


@pytest.mark.parametrize("side", ["projector_offset", "camera_offset"])
def test_shadow_band_is_as_wide_as_the_baseline_says(side):
    """The move to the colour camera fills one column of what it tears open."""
    out = measure(step_scene(), KinectResponse(**{side: 0.05}))
    missing = ~np.isfinite(out)
    width = 525.0 * 0.05 * (1 / 0.6 - 1 / 1.2)
    left, right = missing[:, :140].sum(1), missing[:, 200:].sum(1)
    hidden, lit = (left, right) if side == "projector_offset" else (right + 1, left)
    assert (np.abs(hidden - width) <= 1.0).all() and (lit == 0).all()
    assert not missing[:, 140:200].any()


def test_a_projector_on_the_left_casts_its_shadow_to_the_right():
    left, right = (measure(step_scene(), KinectResponse(projector_offset=s)) for s in (-0.05, 0.05))
    assert np.array_equal(left[:, ::-1], measure(step_scene(columns=(120, 180)), KinectResponse(projector_offset=0.05)))
    assert not np.isfinite(left[:, 200:205]).any() and np.isfinite(left[:, :140]).all() and np.isfinite(right[:, 200:]).all()


def test_what_is_too_near_to_be_measured_casts_its_shadow():
    missing = ~np.isfinite(measure(step_scene(near=0.3, columns=(140, 240)), KinectResponse(projector_offset=0.05)))
    width = 525.0 * 0.05 * (1 / 0.3 - 1 / 1.2)
    assert missing[:, 140:240].all() and not missing[:, 240:].any() and (np.abs(missing[:, :140].sum(1) - width) <= 1.0).all()


def test_thin_pole_casts_a_detached_shadow():
    out = measure(step_scene(columns=(140, 146)), KinectResponse(projector_offset=0.05))
    missing = np.flatnonzero(~np.isfinite(out[10]))
    shift = 525.0 * 0.05 * (1 / 0.6 - 1 / 1.2)
    assert missing.min() == pytest.approx(140 - shift, abs=1.5) and missing.max() == pytest.approx(145 - shift, abs=1.5)


def test_windows_see_into_a_shadow():
    """Without speckle a surface is found as long as its share of the window reaches the support: window (1/2 - support) on either side."""
    plain = (~np.isfinite(measure(step_scene(), KinectResponse(projector_offset=0.05)))).sum(1)[12]
    for support in (0.2, 0.35, 0.5):
        out = measure(step_scene(), KinectResponse(projector_offset=0.05, support=support, **WINDOW))
        assert (~np.isfinite(out)).sum(1)[12] == pytest.approx(plain - 2 * 9 * (0.5 - support), abs=1.0)


def test_near_surfaces_grow_by_fattening():
    """A near surface that counts twice wins from a third of the window on: it grows by window (1/2 - 1/3) on either side."""
    out = measure(step_scene(), KinectResponse(fattening=1.0, **WINDOW))
    assert (out < 0.7).sum(1)[12] == pytest.approx(60 + 2 * 9 * (1 / 2 - 1 / 3), abs=1.0)


def test_outlines_are_ragged_and_nothing_lies_between():
    out = measure(step_scene(shape=(400, 320)), KinectResponse(speckle=1.0, **WINDOW))
    near = np.abs(out - 0.6) < 1e-3
    assert (near | (np.abs(out - 1.2) < 1e-3)).all()
    first = near.argmax(1)
    assert 0.4 < first.std() < 2.0 and abs(first.mean() - 140) < 0.5
    assert np.corrcoef(first[:-1], first[1:])[0, 1] > 0.5 > np.corrcoef(first[:-12], first[12:])[0, 1]


def test_what_is_narrower_than_half_a_window_vanishes():
    widths = [(measure(step_scene(columns=(140, 140 + w)), KinectResponse(support=0.2, **WINDOW)) < 0.7).sum(1)[12] for w in (3, 8)]
    assert widths[0] == 0 and widths[1] == pytest.approx(8, abs=1)


def test_the_move_tears_a_band_with_two_outlines_of_one_shape():
    response = KinectResponse(camera_offset=0.05, speckle=1.5, **WINDOW)
    out = measure(step_scene(shape=(300, 320)), response)
    near_end = (np.abs(out - 0.6) < 1e-3).cumsum(1).argmax(1)
    gap = np.array([np.argmax(np.isfinite(row[end + 1 :])) for row, end in zip(out, near_end, strict=True)])
    width = 525.0 * 0.05 * (1 / 0.6 - 1 / 1.2) - 1
    assert near_end.std() > 0.5 and np.abs(gap - width).mean() < 0.6 * near_end.std()


def test_registration_shifts_depth():
    response = KinectResponse(camera_offset=0.025)
    plain, shifted = (measure(step_scene(), replace(response, registration=r)) for r in (0.0, 2.0))
    assert np.array_equal(shifted[:, 4:], plain[:, 2:-2])


def test_dark_and_patches():
    wall = np.full((240, 320), 1.0)
    assert (~np.isfinite(measure(wall, KinectResponse(dark_limit=0.2), luminance=0.02))).mean() > 0.995
    assert (~np.isfinite(measure(wall, KinectResponse(dropout=0.02, noise_window=4.0, noise_rows=4.0)))).mean() == pytest.approx(0.02, abs=0.008)


def test_what_is_lost_does_not_choose_the_noise_of_what_is_left():
    """Half of a dark wall, and a tenth in patches, is gone; the rest is as noisy as ever, and where it was."""
    common = {"axial_noise": 2.0, "noise_period": 1.3, "noise_window": 4.0, "noise_rows": 3.0}
    for loss in ({"dark_limit": 0.02}, {"dropout": 0.1}):
        out = 1 / measure(np.ones((480, 640)), KinectResponse(**common, **loss), luminance=0.02) - 1
        error = 1e3 * out[out > -1]
        assert abs(error.mean()) < 0.1 and error.std() == pytest.approx(2.0, rel=0.03)


def test_grazing_surface_is_lost():
    u = np.arange(320) - 159.5
    inverse = 1.0 + u * np.tan(np.deg2rad(80.0)) / 525.0 * 0.3
    depth = 1 / np.clip(inverse, 0.3, 2.2)[None].repeat(20, 0)
    tilt = np.rad2deg(np.arctan(525.0 * np.gradient(1 / depth[0]) * depth[0]))
    lost = ~np.isfinite(measure(depth, KinectResponse(grazing_limit=60.0, noise_window=1.0)))
    # The corners where the ramp ends take the slope of their flat side.
    assert lost[:, tilt > 70].mean() > 0.95 and lost[:, (tilt > 5) & (tilt < 50)].mean() < 0.01


def test_a_grazing_wall_is_lost_up_to_the_border():
    inverse = 1.0 + np.tan(np.deg2rad(75.0)) * (np.arange(60) - 29.5) / 525.0 * np.ones((40, 1))
    for depth in (1 / inverse, 1 / inverse.T):
        assert not np.isfinite(measure(depth, KinectResponse(grazing_limit=60.0))).any()


def test_camera_keeps_truth_and_labels():
    model, name = load_sensor("kinect_v1")
    view = perfect_frame(random_tabletop(np.random.default_rng(1)), Intrinsics(640, 480, 525.0, 525.0, 319.5, 239.5))
    out = respond_camera(view, model, nominal(model), 7)
    again = respond_camera(view, model, nominal(model), 7)
    assert name == "kinect_v1" and all(np.array_equal(out[c], again[c]) for c in out)
    assert out["distance_to_image_plane_true"] is view.channels["distance_to_image_plane"]
    assert out["semantic_segmentation"] is view.channels["semantic_segmentation"]
    assert np.array_equal(out["valid"] > 0, np.isfinite(out["distance_to_image_plane"])) and out["valid"].dtype == np.uint8
    assert 0.5 < out["valid"].mean() < 1.0


def test_warp_arrays_stay_on_their_device():
    model, _ = load_sensor("kinect_v1")
    view = perfect_frame(random_tabletop(np.random.default_rng(1)), SMALL)
    on_device = {n: wp.array(view.channels[n], device="cpu") for n in ("rgb", "distance_to_image_plane")}
    out = respond_camera(replace(view, channels=on_device), model, nominal(model), 7)
    host = respond_camera(view, model, nominal(model), 7)
    for name in ("rgb", "distance_to_image_plane", "valid"):
        assert isinstance(out[name], wp.array) and np.array_equal(out[name].numpy(), host[name])


def test_depth_is_measured_with_the_optics_of_its_image():
    """A frame that was rendered smaller than the camera is: shadows are as wide as its own focal length makes them."""
    model, view = load_sensor("kinect_v1")[0], perfect_frame(random_tabletop(np.random.default_rng(1)), SMALL)
    depth = wp.array(view.channels["distance_to_image_plane"])
    out = respond_camera(view, model, {"projector_offset": 0.075}, 7)["distance_to_image_plane"]
    own = respond_depth(depth, wp.full(depth.shape, 0.5, dtype=wp.float32), SMALL, LIMITS, KinectResponse(projector_offset=0.075), 7).numpy()
    np.testing.assert_array_equal(out, own)


def test_channels_of_other_renderers():
    """Half floats, doubles and three colours; pixels without depth as zero, not-a-number or infinite."""
    model, rng = load_sensor("kinect_v1")[0], np.random.default_rng(1)
    view = perfect_frame(random_tabletop(rng), SMALL)
    depth, rgb = view.channels["distance_to_image_plane"].copy(), view.channels["rgb"]
    hdr = rng.uniform(0, 1, (*depth.shape, 4)).astype(np.float16)
    run = lambda **channels: respond_camera(replace(view, channels=channels), model, nominal(model), 7)  # noqa: E731
    plain = run(rgb=rgb, distance_to_image_plane=depth, HdrColor=hdr.astype(np.float32))
    other = run(rgb=rgb[..., :3], distance_to_image_plane=depth.astype(np.float64), HdrColor=hdr)
    assert other["rgb"].shape == (*depth.shape, 3) and np.abs(other["rgb"].astype(int) - plain["rgb"][..., :3]).max() <= 1
    assert np.array_equal(other["distance_to_image_plane"], plain["distance_to_image_plane"])
    lost = [run(rgb=rgb, distance_to_image_plane=np.where(depth > 1.0, none, depth)) for none in (np.inf, 0.0, np.nan)]
    assert all(np.array_equal(lost[0]["distance_to_image_plane"], out["distance_to_image_plane"]) for out in lost)


def test_channels_of_another_form_are_refused_by_name():
    model, view = load_sensor("kinect_v1")[0], perfect_frame(random_tabletop(np.random.default_rng(1)), SMALL)
    rgb, depth = view.channels["rgb"], view.channels["distance_to_image_plane"]
    wrong = [
        ({"rgb": rgb.astype(np.float32) / 255}, "'rgb' .* uint8 .150, 200, 3 or 4., got float32"),
        ({"rgb": rgb[..., 0]}, r"'rgb' .* got uint8 .150, 200."),
        ({"distance_to_image_plane": depth[..., None]}, "'distance_to_image_plane' .* float .150, 200., got float32 .150, 200, 1."),
        ({"distance_to_image_plane": (1000 * np.minimum(depth, 60)).astype(np.uint16)}, "must be float .* got uint16"),
        ({"distance_to_image_plane": wp.array(depth.astype(np.float64))}, "must be float32 .* got float64"),
        ({"HdrColor": np.zeros((75, 100, 4), np.float32)}, "'HdrColor' .* got float32 .75, 100, 4."),
    ]
    for channels, said in wrong:
        with pytest.raises(UserError, match=said):
            respond_camera(replace(view, channels={**view.channels, **channels}), model, nominal(model), 7)


def test_unknown_parameter_is_named():
    model, _ = load_sensor("kinect_v1")
    with pytest.raises(UserError, match="axial_noise"):
        respond_camera(perfect_frame(random_tabletop(np.random.default_rng(1)), SMALL), model, {"axial_nois": 1.0}, 0)


@pytest.mark.parametrize("name", ["kinect_v1", "camera_vga", "kitti_cam2"])
def test_shipped_cameras_have_a_nominal_response(name):
    assert all(np.isfinite(v) for v in nominal(load_sensor(name)[0]).values())


def test_shipped_rig_looks_at_the_table():
    sensor = load_rig("tabletop_kinect").sensors["kinect"]
    axis, origin = sensor.T_rig_sensor[:3, 2], sensor.T_rig_sensor[:3, 3]
    assert (origin[2] - 0.75) / -axis[2] == pytest.approx(1.0, abs=0.1)
