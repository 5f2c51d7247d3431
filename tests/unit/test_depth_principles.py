"""Kinect v1 against its published law; active stereo and time of flight against their twins and closed-form answers."""

import numpy as np
import pytest
import warp as wp
from tailgate.calibrate.tabletop import perfect_frame, random_tabletop
from tailgate.config.rig import load_sensor
from tailgate.errors import UserError
from tailgate.frames import Intrinsics
from tailgate.sensors import check_response, nominal
from tailgate.sensors.camera import respond_camera
from tailgate.sensors.kinect import DISPARITY_CONSTANT, KinectResponse, respond_depth
from tailgate.sensors.stereo import StereoResponse, respond_stereo, respond_stereo_twin
from tailgate.sensors.tof import TofResponse, respond_tof, respond_tof_twin

FOCAL, BASELINE = 446.8, 0.05
SMALL = Intrinsics(200, 150, 160.0, 160.0, 99.5, 74.5)
LAW = 1.425e-3
"""Khoshelham and Elberink 2012: standard deviation of depth [m] at 1 m, growing with z squared."""


def grey(shape, level=0.5):
    return wp.full(shape, level, dtype=wp.float32)


def pinhole(shape, focal):
    return Intrinsics(shape[1], shape[0], focal, focal, (shape[1] - 1) / 2, (shape[0] - 1) / 2)


def stereo(depth, response, seed=3, luminance=None, focal=FOCAL):
    lum = grey(depth.shape) if luminance is None else wp.array(luminance.astype(np.float32))
    return respond_stereo(wp.array(depth.astype(np.float32)), lum, pinhole(depth.shape, focal), (0.195, 10.0), response, seed).numpy()


def tof(depth, response, seed=3, level=0.5, k=None):
    k = k or Intrinsics(depth.shape[1], depth.shape[0], 1e6, 1e6, 0.0, 0.0)
    return respond_tof(wp.array(depth.astype(np.float32)), grey(depth.shape, level), k, (0.05, 20.0), response, seed).numpy()


def table(seed=3):
    view = perfect_frame(random_tabletop(np.random.default_rng(seed)), SMALL)
    return view.channels["distance_to_image_plane"], view.channels["rgb"][..., 1].astype(np.float32) / 255


def test_kinect_keeps_the_law_of_khoshelham_and_elberink():
    """At the published strength the spread is within 3 % of 1.425e-3 z² where the noise exceeds the steps' own, and depth stays unbiased."""
    response = KinectResponse(axial_noise=1.425, noise_window=1.0)
    for z in (1.0, 2.0, 3.0, 4.0, 5.0):
        out = respond_depth(wp.full((240, 320), z, dtype=wp.float32), grey((240, 320)), pinhole((240, 320), 525.0), (0.4, 8.0), response, 5).numpy()
        assert out.std() == pytest.approx(LAW * z**2, rel=0.03)
        assert out.mean() == pytest.approx(z, abs=2e-4 * z**2)


def test_kinect_steps_add_their_own_spread():
    """Steps of 1/8 px add (1/8 px)² / 12 to the variance of disparity: 2.84 mm z² wide, so that the whole is 15 % above the law."""
    response = KinectResponse(axial_noise=1.425, disparity_step=0.125)
    step = 0.125 / DISPARITY_CONSTANT
    expected = np.sqrt(LAW**2 + step**2 / 12)
    spreads = []
    for z in np.linspace(1.9, 2.1, 21):
        out = respond_depth(wp.full((120, 160), z, dtype=wp.float32), grey((120, 160)), pinhole((120, 160), 525.0), (0.4, 8.0), response, 5).numpy()
        levels = np.unique(np.rint(1 / out / step))
        assert np.abs(1 / out / step - np.rint(1 / out / step)).max() < 2e-3 and len(levels) < 12
        spreads.append((1 / out).std())
    assert np.mean(spreads) == pytest.approx(expected, rel=0.03)
    assert expected / LAW == pytest.approx(1.15, abs=0.02)


def test_kinect_as_shipped_holds_the_law_in_its_bounds():
    dist = load_sensor("kinect_v1")[0].response["axial_noise"].dist
    assert dist.low < 1.425 < dist.high and dist.mean == pytest.approx(1.425, rel=0.15)


@pytest.mark.parametrize("z", [0.5, 1.0, 2.0, 4.0])
def test_stereo_noise_is_the_tuning_guides(z):
    spread = stereo(np.full((240, 320), z), StereoResponse(subpixel_rms=0.08)).std()
    assert spread == pytest.approx(z**2 * 0.08 / (FOCAL * BASELINE), rel=0.04)


def test_stereo_steps_of_disparity():
    z = stereo(np.linspace(0.7, 2.0, 320)[None].repeat(4, 0), StereoResponse(disparity_step=1 / 32))
    steps = FOCAL * BASELINE / z[np.isfinite(z)] * 32
    assert np.abs(steps - np.rint(steps)).max() < 1e-2


def test_stereo_shadow_is_left_of_near_objects():
    depth = np.full((24, 320), 1.2)
    depth[:, 140:200] = 0.6
    missing = ~np.isfinite(stereo(depth, StereoResponse(occlusion=1.0)))
    width = FOCAL * BASELINE * (1 / 0.6 - 1 / 1.2)
    assert (np.abs(missing[:, 60:140].sum(1) - width) <= 1.0).all() and not missing[:, 140:].any()


def test_stereo_has_no_depth_where_the_right_imager_does_not_look():
    """Intel's invalid depth band: base line / (2 z tan(field of view / 2)) of the image's width, which is focal length x base line / z columns."""
    for z in (0.5, 1.0, 2.0):
        missing = ~np.isfinite(stereo(np.full((6, 424), z), StereoResponse(baseline=BASELINE, occlusion=1.0)))
        assert (missing.sum(1) == round(FOCAL * BASELINE / z)).all() and not missing[:, round(FOCAL * BASELINE / z) :].any()
    assert np.isfinite(stereo(np.full((6, 424), 0.5), StereoResponse(baseline=BASELINE))).all()


def test_stereo_needs_contrast():
    """On a plain wall the pattern's contrast 0.5 x 0.5 / z² falls below the limit at z = sqrt(0.25 / limit); texture fills the hole."""
    reach, wall = np.sqrt(0.25 / 0.02), np.ones((60, 80))
    for share, low, high in ((0.7, 0.98, 1.0), (1.0, 0.45, 0.55), (1.4, 0.0, 0.15)):
        assert low <= np.isfinite(stereo(share * reach * wall, StereoResponse(texture_limit=0.02))).mean() <= high
    texture = 0.5 + 0.1 * np.sign(np.sin(np.arange(80) * 1.3))[None].repeat(60, 0)
    assert np.isfinite(stereo(1.4 * reach * wall, StereoResponse(texture_limit=0.02), luminance=texture)).mean() > 0.99
    assert np.isfinite(stereo(wall, StereoResponse(texture_limit=0.02, pattern=0.0))).mean() < 0.01


def test_stereo_matches_its_twin():
    depth, luminance = table()
    r = StereoResponse(0.05, 0.08, 0.0, 7.0, 5.0, 0.1, 1.0, 1 / 32, 1.0, 0.05, 1.0, 0.3, 0.8, 1.0, 82.0, 0.01, 0.003, 0.5, 0.05)
    made = stereo(depth, r, 11, luminance, 160.0)
    twin = respond_stereo_twin(depth, luminance, pinhole(depth.shape, 160.0), (0.195, 10.0), r, 11)
    held, held_twin = np.isfinite(made), np.isfinite(twin)
    both = held & held_twin
    # Votes and disparities on the verge fall to either side in float32 for a few pixels in a thousand.
    assert (held != held_twin).mean() < 2e-3 and (np.abs(made[both] - twin[both]) > 1e-4).mean() < 5e-3
    assert 0.5 < held.mean() < 0.99


def test_tof_noise_grows_as_one_over_amplitude():
    """Lange and Seitz: sigma_d = wrap / 2 pi x sigma / a, with a = brightness / d²."""
    for z, level in ((1.0, 0.5), (2.0, 0.5), (2.0, 0.25), (3.0, 1.0)):
        r = TofResponse(phase_noise=2e-3)
        spread = tof(np.full((240, 320), z), r, level=level).std()
        assert spread == pytest.approx(r.wrap / (2 * np.pi) * 2e-3 * z**2 / level, rel=0.03)


def test_tof_wraps_and_loses_faint_light():
    r = TofResponse(modulation=30.0)
    assert r.wrap == pytest.approx(4.9965, abs=1e-3)
    assert tof(np.full((4, 4), 6.0), r) == pytest.approx(6.0 - r.wrap, abs=1e-4)
    reach = np.sqrt(0.5 / 0.05)
    for share in (0.99, 1.01):
        assert np.isfinite(tof(np.full((4, 4), share * reach), TofResponse(modulation=30.0, amplitude_limit=0.05))).all() == (share < 1)


def test_tof_pixels_fly_between_edges():
    depth = np.full((20, 200), 2.0)
    depth[:, 80:120] = 1.0
    row = tof(depth, TofResponse(spread=1.0))[10]
    flying = (row > 1.02) & (row < 1.95)
    assert 2 <= flying[60:100].sum() <= 8 and not flying[90:110].any()
    assert not ((tof(depth, TofResponse())[10] > 1.01) & (tof(depth, TofResponse())[10] < 1.99)).any()


def test_tof_measures_along_the_ray_and_gives_depth():
    k = Intrinsics(64, 48, 40.0, 40.0, 31.5, 23.5)
    out = tof(np.full((48, 64), 2.0), TofResponse(modulation=10.0), k=k)
    assert out == pytest.approx(2.0, abs=1e-4)


def test_light_falls_with_the_angle_between_ray_and_surface():
    """A plane n·X = 1 aside of the axis, pixels that are no squares: what comes back is cos / d², with cos = n·X / (|n| |X|)."""
    k, n = Intrinsics(80, 60, 60.0, 45.0, 10.0, 50.0), np.array([0.3, -0.4, 0.8])
    ray = np.stack([*(a.T for a in np.meshgrid((np.arange(80) - 10) / 60, (np.arange(60) - 50) / 45, indexing="ij")), np.ones((60, 80))], -1)
    length, inverse = np.linalg.norm(ray, axis=-1), ray @ n
    amplitude = 0.5 * inverse / (np.linalg.norm(n) * length) * (inverse / length) ** 2
    for limit in np.quantile(amplitude, (0.2, 0.5, 0.8)):
        held = np.isfinite(tof(1 / inverse, TofResponse(modulation=1.0, amplitude_limit=limit), k=k))
        clear = np.abs(amplitude / limit - 1) > 1e-3
        np.testing.assert_array_equal(held[clear], (amplitude > limit)[clear])


def test_tof_matches_its_twin():
    depth, luminance = table()
    r = TofResponse(25.0, 3e-4, 0.8, 0.004, 1.0)
    made = respond_tof(wp.array(depth), wp.array(luminance), SMALL, (0.2, 8.0), r, 5).numpy()
    twin = respond_tof_twin(depth, luminance, SMALL, (0.2, 8.0), r, 5)
    held, held_twin = np.isfinite(made), np.isfinite(twin)
    both = held & held_twin
    # Amplitudes at the limit fall to either side in float32, and depths to either step.
    assert (held != held_twin).mean() < 2e-3 and (np.abs(made[both] - twin[both]) > 1.1e-3).mean() < 1e-3


@pytest.mark.parametrize("name", ["d435", "tof_vga"])
def test_shipped_depth_cameras(name):
    model, _ = load_sensor(name)
    check_response(model)
    k = model.intrinsics
    view = perfect_frame(random_tabletop(np.random.default_rng(2)), k)
    out = respond_camera(view, model, nominal(model), 7)
    again = respond_camera(view, model, nominal(model), 7)
    assert all(np.array_equal(out[c], again[c]) for c in out) and 0.5 < out["valid"].mean() < 1.0
    rgb = out["rgb"].astype(int)
    assert np.abs(rgb[..., 0] - rgb[..., 1]).max() <= 1
    with pytest.raises(UserError, match="projector_offset"):
        respond_camera(view, model, {"projector_offset": 0.05}, 7)
