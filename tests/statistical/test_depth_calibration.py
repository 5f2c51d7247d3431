"""A hidden response is recovered from its own statistics."""

import pytest
from tailgate.calibrate.depth import calibrated_priors, fit_depth_response, perfect_views, simulated_sketches
from tailgate.config.rig import load_sensor
from tailgate.config.setting import Setting
from tailgate.distributions import Constant
from tailgate.errors import UserError
from tailgate.sensors import nominal

HIDDEN = {"axial_noise": 2.3, "noise_window": 7.0, "lateral_noise": 1.2, "edge_loss": 2.2, "projector_offset": 0.07, "dropout": 0.004}


def half_size(fitted):
    model, _ = load_sensor("kinect_v1")
    response = {n: s if n in fitted else Setting(dist=Constant(value=nominal(model)[n]), role="pinned") for n, s in model.response.items()}
    return model.model_copy(update={"width": 320, "height": 240, "cx": 159.5, "cy": 119.5, "response": response})


def test_hidden_response_is_recovered():
    model = half_size(HIDDEN)
    views = perfect_views(model, 6, 0)
    reference = simulated_sketches(views, model, {**nominal(model), **HIDDEN}, 99)
    fit = fit_depth_response(reference, views, model, 0)
    assert fit.distance < 0.4 * fit.distance_prior
    for name, true in HIDDEN.items():
        found = fit.estimates[name]
        # A patch in a thousand pixels is a handful of events in these views.
        tolerance = 0.5 if name == "dropout" else 0.15
        assert found.value == pytest.approx(true, rel=tolerance), (name, found)
        assert found.low <= true <= found.high, (name, found)
    assert all(fit.estimates[n].identifiable for n in ("axial_noise", "noise_window", "lateral_noise", "edge_loss"))


def test_what_nothing_shows_is_not_claimed():
    model = half_size({"camera_offset", "grazing_noise"})
    flat = perfect_views(model, 3, 1)
    for view in flat:
        view.channels["distance_to_image_plane"][:] = 1.0
        view.channels["semantic_segmentation"][:] = 1
        view.channels["instance_segmentation"][:] = 0
    fit = fit_depth_response(simulated_sketches(flat, model, nominal(model), 9), flat, model, 0)
    assert not fit.estimates["camera_offset"].identifiable and not fit.estimates["grazing_noise"].identifiable


def test_calibration_says_what_is_missing():
    model, _ = load_sensor("kinect_v1")
    colour, _ = load_sensor("camera_vga")
    views = perfect_views(half_size(()), 1, 0)
    reference = simulated_sketches(views, model, nominal(model), 0)
    with pytest.raises(UserError, match="depth principle"):
        fit_depth_response(reference, views, colour)
    with pytest.raises(UserError, match="role: calibrated"):
        fit_depth_response(reference, views, half_size(()))
    with pytest.raises(UserError, match="at least one"):
        fit_depth_response([], views, model)
    assert "axial_noise" in calibrated_priors(model) and "depth_step" not in calibrated_priors(model)
