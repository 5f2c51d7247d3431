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
from tailgate.sensors.kinect import DISPARITY_CONSTANT, KinectResponse, respond_depth
from tailgate.sensors.kinect_twin import respond_depth_twin
from tailgate.sensors.noise_field import noise_fields, noise_fields_twin

SMALL = Intrinsics(200, 150, 160.0, 160.0, 99.5, 74.5)
LIMITS = (0.4, 8.0)
EVERYTHING = KinectResponse(2.0, 7.0, 0.125, 1.0, 0.05, 1.2, 6.0, 1.2, 1.5, 0.3, 0.05, 0.025, 82.0, 0.015, 0.003)


def measure(depth, response, focal=525.0, seed=3, luminance=0.5):
    lum = wp.full(depth.shape, luminance, dtype=wp.float32)
    return respond_depth(wp.array(depth.astype(np.float32)), lum, focal, LIMITS, response, seed).numpy()


def step_scene(near=0.6, far=1.2, shape=(24, 320), columns=(140, 200)):
    depth = np.full(shape, far)
    depth[:, columns[0] : columns[1]] = near
    return depth


@pytest.mark.parametrize("window", [1.0, 5.0, 9.3])
def test_noise_fields_match_twin_and_have_unit_variance(window):
    made, twin = noise_fields(5, 2, (120, 160), window).numpy(), noise_fields_twin(5, 2, (120, 160), window)
    assert np.abs(made - twin).max() < 1e-4
    many = noise_fields(5, 2, (480, 640), window).numpy()
    assert many.std() == pytest.approx(1.0, abs=0.03)
    assert np.abs(np.corrcoef(many.reshape(4, -1)) - np.eye(4)).max() < 0.08


def test_noise_field_correlation_follows_window():
    field = noise_fields(9, 1, (480, 640), 8.0).numpy()[0]
    measured = [np.mean(field[:, :-k] * field[:, k:]) for k in (2, 4, 6)]
    assert measured == pytest.approx([np.exp(-np.pi * (k / 8) ** 2) for k in (2, 4, 6)], abs=0.04)


def test_depth_response_matches_twin():
    view = perfect_frame(random_tabletop(np.random.default_rng(3)), SMALL)
    depth = view.channels["distance_to_image_plane"]
    luminance = np.full(depth.shape, 0.02, np.float32)
    made = respond_depth(wp.array(depth), wp.array(luminance), 160.0, LIMITS, EVERYTHING, 11).numpy()
    twin = respond_depth_twin(depth, luminance, 160.0, LIMITS, EVERYTHING, 11)
    held, held_twin = np.isfinite(made), np.isfinite(twin)
    both = held & held_twin
    # Roundings of displacements and disparities fall to either side in float32 for a few pixels in ten thousand.
    assert (held != held_twin).mean() < 1e-3
    assert (np.abs(made[both] - twin[both]) > 1e-4).mean() < 1e-3


def test_ideal_response_changes_nothing():
    depth = step_scene()
    assert np.allclose(measure(depth, KinectResponse()), depth, rtol=1e-6)


def test_axial_noise_grows_with_the_square_of_distance():
    for z in (0.8, 1.6, 3.0):
        spread = measure(np.full((240, 320), z), KinectResponse(axial_noise=1.5)).std()
        assert spread == pytest.approx(1.5e-3 * z**2, rel=0.03)


def test_disparity_is_whole_steps():
    z = measure(np.linspace(0.7, 2.0, 320)[None].repeat(4, 0), KinectResponse(disparity_step=0.125))
    steps = DISPARITY_CONSTANT / z[np.isfinite(z)] / 0.125
    assert np.abs(steps - np.rint(steps)).max() < 2e-3


@pytest.mark.parametrize("side", ["projector_offset", "camera_offset"])
def test_shadow_band_is_as_wide_as_the_baseline_says(side):
    out = measure(step_scene(), KinectResponse(**{side: 0.05}))
    missing = ~np.isfinite(out)
    width = 525.0 * 0.05 * (1 / 0.6 - 1 / 1.2)
    left, right = missing[:, :140].sum(1), missing[:, 200:].sum(1)
    hidden, lit = (left, right) if side == "projector_offset" else (right, left)
    assert (np.abs(hidden - width) <= 1.0).all() and (lit == 0).all()
    assert not missing[:, 140:200].any()


def test_thin_pole_casts_a_detached_shadow():
    out = measure(step_scene(columns=(140, 146)), KinectResponse(projector_offset=0.05))
    missing = np.flatnonzero(~np.isfinite(out[10]))
    shift = 525.0 * 0.05 * (1 / 0.6 - 1 / 1.2)
    assert missing.min() == pytest.approx(140 - shift, abs=1.5) and missing.max() == pytest.approx(145 - shift, abs=1.5)


def test_edges_grow_lose_and_mix():
    assert (measure(step_scene(), KinectResponse(edge_loss=4.0)) == np.inf).mean() * 320 == pytest.approx(8.0, rel=0.25)
    grown = measure(step_scene(), KinectResponse(fattening=3.0))
    assert (grown < 0.7).sum(1).mean() == pytest.approx(66.0, abs=1.0)
    mixed = measure(step_scene(), KinectResponse(mixed_pixels=0.5))
    assert ((mixed > 0.65) & (mixed < 1.1)).sum(1).mean() == pytest.approx(1.0, abs=0.4)


def test_dark_and_patches():
    wall = np.full((240, 320), 1.0)
    assert (~np.isfinite(measure(wall, KinectResponse(dark_limit=0.2), luminance=0.02))).mean() > 0.995
    assert (~np.isfinite(measure(wall, KinectResponse(dropout=0.02, noise_window=4.0)))).mean() == pytest.approx(0.02, abs=0.008)


def test_grazing_surface_is_lost():
    u = np.arange(320) - 159.5
    inverse = 1.0 + u * np.tan(np.deg2rad(80.0)) / 525.0 * 0.3
    depth = 1 / np.clip(inverse, 0.3, 2.2)[None].repeat(20, 0)
    tilt = np.rad2deg(np.arctan(525.0 * np.gradient(1 / depth[0]) * depth[0]))
    lost = ~np.isfinite(measure(depth, KinectResponse(grazing_limit=60.0, noise_window=1.0)))
    # The corners where the ramp ends take the slope of their flat side.
    assert lost[:, tilt > 70].mean() > 0.95 and lost[:, (tilt > 5) & (tilt < 50)].mean() < 0.01


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
