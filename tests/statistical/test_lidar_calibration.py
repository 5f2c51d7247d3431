"""Hidden response parameters are found again: from moments, and by simulation on other streets."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.lidar import estimate_lidar, fit_response, non_negative_fit
from tailgate.calibrate.lidar_grid import estimate_grid
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.errors import UserError
from tailgate.reference.organise import reorganise
from tailgate.sensors import nominal
from tailgate.sensors.lidar import LidarResponse, loss_probability, respond_lidar
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches
from tailgate.validate.sketch import Sketch, compare, summarize


@pytest.fixture(scope="module")
def device():
    """A 64-beam device of 720 columns."""
    return load_sensor("hdl64e")[0].model_copy(update={"columns": 720})


def _losses(params):
    """Loss probabilities at a few ranges [m] and cosines, for a 30 % target."""
    r, cosine = np.array([3.0, 6.0, 10.0, 15.0, 10.0]), np.array([0.95, 0.9, 0.8, 0.9, 0.3])
    return loss_probability(r, cosine, 0.3, LidarResponse.of(params))


def _scans(model, seeds, params):
    streets = [street_scan(model, s) for s in seeds]
    return [replace(s, channels=respond_lidar(s, model, params, 100 + k)) for k, s in zip(seeds, streets, strict=True)]


def test_moments_find_the_noise_and_loss_laws(device):
    hidden = {
        "noise_sigma": 0.025,
        "noise_per_metre": 0.0012,
        "noise_incidence": 0.008,
        "noise_correlation": 0.5,
        "beam_bias": 0.02,
        "drop_base": 0.03,
        "drop_near": 0.12,
        "drop_incidence": 0.1,
        "drop_correlation": 0.4,
    }
    found = estimate_lidar(_scans(device, range(6), hidden), device)
    # 20 % where two terms of the noise law compete, and for the beams' offsets, since patches that large ones roughen do not count. The terms of
    # the loss law are too alike to compare one by one, so the law itself is.
    tolerance = {"noise_per_metre": 0.2, "noise_incidence": 0.2, "noise_correlation": 0.2, "beam_bias": 0.2}
    for name in ("noise_sigma", "noise_per_metre", "noise_incidence", "noise_correlation", "beam_bias", "drop_correlation"):
        assert found[name].value == pytest.approx(hidden[name], rel=tolerance.get(name, 0.15)), name
        assert found[name].low < found[name].high
    np.testing.assert_allclose(_losses({n: found[n].value for n in hidden}), _losses(hidden), rtol=0.15)
    for name in ("range_10pct", "intensity_gain", "intensity_spread", "intensity_range"):
        assert not found[name].identifiable


@pytest.mark.slow
def test_simulation_finds_hidden_parameters_on_other_streets(device):
    hidden = {
        **nominal(device),
        "noise_sigma": 0.03,
        "noise_incidence": 0.004,
        "noise_correlation": 0.2,
        "beam_bias": 0.02,
        "drop_base": 0.04,
        "drop_near": 0.03,
        "drop_per_metre": 0.0005,
        "drop_incidence": 0.05,
        "range_10pct": 60.0,
        "intensity_gain": 0.7,
        "intensity_contrast": 1.0,
        "intensity_incidence": 0.5,
        "intensity_range": 0.5,
        "intensity_spread": 0.2,
    }
    device = device.model_copy(update={"columns": 360})
    blocks = [b for s in _scans(device, range(20, 28), hidden) for b in lidar_sketches(s)]
    found = fit_response(blocks, [street_scan(device, k) for k in range(8)], device, device.response)
    for name in ("noise_sigma", "range_10pct"):
        assert found[name].value == pytest.approx(hidden[name], rel=0.15), name
        assert found[name].identifiable, name
    # Other streets have other materials, so terms of the intensity law trade places: each lies within two half widths of its interval.
    for name in ("intensity_gain", "intensity_contrast", "intensity_incidence", "intensity_range", "intensity_spread"):
        half = (found[name].high - found[name].low) / 2
        assert abs(found[name].value - hidden[name]) < 2 * half, (name, found[name])
    np.testing.assert_allclose(_losses({**hidden, **{n: e.value for n, e in found.items()}}), _losses(hidden), rtol=0.2)
    fitted = {**nominal(device), **{n: e.value for n, e in found.items()}}
    real = Sketch.total(blocks)
    # What is left with the hidden parameters themselves is the difference between streets.
    far, near, floor = (
        summarize(compare(real, Sketch.total(b for s in _scans(device, range(40, 44), p) for b in lidar_sketches(s)), LIDAR_STATISTICS))
        for p in (nominal(device), fitted, hidden)
    )
    for name in ("range_noise", "hole_rate", "intensity"):
        assert near[name] - floor[name] < 0.5 * (far[name] - floor[name]), (name, far, near, floor)


def test_constant_settings_stay_and_missing_input_is_named(device):
    scan = street_scan(device, 1)
    prior = {"drop_base": device.response["drop_base"], "intensity_step": device.response["intensity_step"]}
    found = fit_response(lidar_sketches(scan), [scan], device, prior)
    assert list(found) == ["drop_base"]
    # An exact scan lost nothing.
    assert found["drop_base"].value < 0.004
    assert fit_response(lidar_sketches(scan), [scan], device, prior) == found
    with pytest.raises(UserError, match="needs reference blocks and exact scans"):
        fit_response([], [scan], device, prior)
    with pytest.raises(UserError, match="at least one scan"):
        estimate_lidar([], device)


def test_non_negative_fit_is_exact_inside_and_clamps_outside():
    x = np.linspace(0, 1, 40)
    design = np.stack([np.ones(40), x, x**2], axis=1)
    np.testing.assert_allclose(non_negative_fit(design, design @ [0.3, 0.0, 2.0], np.ones(40)), [0.3, 0.0, 2.0], atol=1e-9)
    clamped = non_negative_fit(design, design @ [0.3, -1.0, 0.5], np.ones(40))
    assert (clamped >= 0).all() and clamped[1] == 0.0


def _inside(estimates, truth, slack):
    return np.mean([e.low - slack <= t <= e.high + slack for e, t in zip(estimates, truth, strict=True)])


def test_a_hidden_grid_is_found_from_points_alone():
    """Points, rings and nothing else: columns, beam table with its heights, and a blind sector."""
    table = load_sensor("hdl64e")[0]
    draw = np.random.default_rng(5)
    hidden = table.model_copy(
        update={
            "elevation_deg": (np.array(table.elevation_deg) + draw.normal(0, 0.3, 64)).tolist(),
            "beam_height_m": [0.2] * 32 + [0.12] * 32,
            "columns": 2161,
            "blind_sectors_deg": [(150.0, 171.0)],
            "range_step": 0.0,
        }
    )
    scans = [reorganise(s) for s in _scans(hidden, range(3), {"noise_sigma": 0.015, "drop_base": 0.02})]
    grid = estimate_grid(scans, table)
    found = grid.applied(table)
    assert abs(found.columns - hidden.columns) <= 1 and grid.columns.low <= hidden.columns <= grid.columns.high
    assert found.rate_hz == pytest.approx(10.0 * 2083 / 2161, rel=1e-3) and not grid.rate.identifiable
    np.testing.assert_allclose(found.elevation_deg, hidden.elevation_deg, atol=0.03)
    np.testing.assert_allclose(found.beam_height_m, hidden.beam_height_m, atol=0.011)
    assert _inside(grid.elevation, hidden.elevation_deg, 0.002) > 0.8
    ((first, last),) = found.blind_sectors_deg
    assert first == pytest.approx(150.0, abs=0.4) and last == pytest.approx(171.0, abs=0.4)
    assert any("no firing times" in n for n in grid.notes())


def test_a_hidden_grid_is_found_with_firing_times():
    table = load_sensor("vlp32c")[0]
    draw = np.random.default_rng(6)
    hidden = table.model_copy(
        update={
            "azimuth_offset_deg": (np.array(table.azimuth_offset_deg) + draw.normal(0, 0.2, 32)).tolist(),
            "columns": 904,
            "rate_hz": 19.3,
            "direction": "ccw",
        }
    )
    scans = _scans(hidden, range(2), {"noise_sigma": 0.02, "drop_base": 0.02})
    grid = estimate_grid(scans, table)
    found = grid.applied(table)
    assert found.direction == "ccw" and found.columns == 904
    assert found.rate_hz == pytest.approx(19.3, rel=2e-3) and grid.rate.identifiable
    off = np.array(found.azimuth_offset_deg) - hidden.azimuth_offset_deg
    np.testing.assert_allclose(off - off.mean(), 0.0, atol=0.03)
    np.testing.assert_allclose(found.elevation_deg, hidden.elevation_deg, atol=0.005)
    assert found.beam_height_m == [] and found.blind_sectors_deg == []


def test_a_grid_that_cannot_be_told_stays_the_tables():
    table = load_sensor("vlp16")[0]
    scan = _scans(table.model_copy(update={"columns": 360}), [1], {})[0]
    with pytest.raises(UserError, match="must have the model's 32 beams, got 16"):
        estimate_grid([scan], load_sensor("vlp32c")[0])
    with pytest.raises(UserError, match="at least one scan"):
        estimate_grid([], table)
    none = replace(scan, channels={**scan.channels, "range": np.zeros_like(scan.channel("range"))})
    grid = estimate_grid([none], table)
    assert grid.applied(table).elevation_deg == table.elevation_deg and grid.blind is None
    assert any("beams 0, 1" in n for n in grid.notes())
