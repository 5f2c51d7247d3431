"""A hidden response of a camera is found again on other scenes; what nothing shows is not claimed."""

import numpy as np
import pytest
from tailgate.calibrate.camera import SEEN_BY, calibrated_priors, fit_camera, perfect_views, simulated_views
from tailgate.config.rig import load_sensor
from tailgate.config.setting import Setting
from tailgate.distributions import Constant
from tailgate.errors import UserError
from tailgate.sensors import nominal


def device(name, fitted, shrink=2):
    """A camera of part of its size, of which only some settings are free."""
    model, _ = load_sensor(name)
    response = {n: s if n in fitted else Setting(dist=Constant(value=nominal(model)[n]), role="pinned") for n, s in model.response.items()}
    size = {"width": model.width // shrink, "height": model.height // shrink}
    return model.model_copy(update={"response": response, "cx": (size["width"] - 1) / 2, "cy": (size["height"] - 1) / 2, **size})


def find(model, hidden, views, others):
    """Fit to other scenes than those it is fitted on."""
    reference = simulated_views(perfect_views(model, others, 50), model, {**nominal(model), **hidden}, 99)
    return fit_camera(reference, perfect_views(model, views, 0), model, 0)


def check(fit, hidden, sharp):
    """What counts as identified is found within 10 %, and so are these; intervals hold the truth (benchmarks/truth.py counts how often)."""
    assert set(sharp) <= {n for n, e in fit.estimates.items() if e.identifiable}, fit.estimates
    for name, e in fit.estimates.items():
        if e.state == "identified" or name in sharp:
            assert e.value == pytest.approx(hidden[name], rel=0.1), (name, hidden[name], e)
    assert np.mean([e.low <= hidden[n] <= e.high for n, e in fit.estimates.items() if e.identifiable]) >= 0.75


@pytest.mark.parametrize(
    ("name", "hidden", "sharp"),
    [
        ("kinect_v1", {"axial_noise": 2.3, "noise_window": 11.0}, ["noise_window"]),
        ("d435", {"subpixel_rms": 0.12, "noise_window": 8.0}, ["subpixel_rms", "noise_window"]),
        ("kitti_cam2", {"blur": 0.7, "shot_noise": 1e-4}, ["blur"]),
    ],
)
def test_a_hidden_pair_is_found(name, hidden, sharp):
    check(find(device(name, hidden), hidden, 10, 12), hidden, sharp)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "hidden", "sharp"),
    [
        (
            "kinect_v1",
            {"axial_noise": 2.3, "noise_window": 11.0, "noise_rows": 5.0, "projector_offset": 0.07, "camera_offset": 0.03, "speckle": 1.5},
            ["axial_noise", "noise_window", "projector_offset"],
        ),
        (
            "d435",
            {"subpixel_rms": 0.12, "noise_window": 8.0, "noise_rows": 5.0, "speckle": 1.4, "fattening": 1.2},
            ["subpixel_rms", "noise_window", "noise_rows"],
        ),
    ],
)
def test_a_hidden_depth_response_is_found(name, hidden, sharp):
    fit = find(device(name, hidden, 1), hidden, 20, 24)
    assert fit.distance < 0.4 * fit.distance_prior
    check(fit, hidden, sharp)


def test_what_nothing_shows_is_not_claimed():
    model = device("kinect_v1", {"camera_offset", "grazing_noise"})
    flat = perfect_views(model, 3, 1)
    for view in flat:
        view.channels["distance_to_image_plane"][:] = 1.0
        view.channels["semantic_segmentation"][:] = 1
        view.channels["instance_segmentation"][:] = 0
    fit = fit_camera(simulated_views(flat, model, nominal(model), 9), flat, model, 0)
    assert not fit.estimates["camera_offset"].identifiable and not fit.estimates["grazing_noise"].identifiable


def test_calibration_says_what_is_missing():
    model, _ = load_sensor("kinect_v1")
    small = device("kinect_v1", {"dropout"})
    views = perfect_views(small, 1, 0)
    reference = simulated_views(views, small, nominal(small), 0)
    with pytest.raises(UserError, match="role: calibrated"):
        fit_camera(reference, views, device("kinect_v1", ()))
    with pytest.raises(UserError, match="at least one"):
        fit_camera([], views, model)
    assert set(calibrated_priors(model)) <= set(SEEN_BY) and "depth_step" not in calibrated_priors(model)
    heard = []
    assert fit_camera(reference, views, small) == fit_camera(reference, views, small, heard=lambda *how: heard.append(how))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard) and heard[-1] == (15, 15) and len(heard) > 5
