"""Values of response settings that mean nothing are refused with their place, wherever they are written."""

import math

import numpy as np
import pytest
from small_street import ALL, small_rig
from tailgate.config.bounds import ABOVE_0, BOUNDS, WINDOWS
from tailgate.config.budget import Budget
from tailgate.config.rig import load_rig, load_sensor, pose
from tailgate.config.scenario import Scenario
from tailgate.config.sensor import HALF_REACH, LidarModel, Mount
from tailgate.errors import UserError
from tailgate.geometry.rounding import Rounding
from tailgate.randomize.scenario import make_randomizers, resolve_settings
from tailgate.sensors import check_response, ideal
from tailgate.sensors.noise_field import MAX_WINDOW

PRINCIPLES = ("vlp16", "rgb_rolling", "kinect_v1", "d435", "tof_vga")


def setting(text):
    return f"{{role: pinned, dist: {text}}}"


@pytest.mark.parametrize(
    ("base", "parameter", "dist", "words"),
    [
        ("vlp16", "noise_grain", "{kind: constant, value: 2.0}", "noise_grain' must be from 0 to 1, got 2"),
        ("vlp16", "noise_sigma", "{kind: ranged, low: -0.02, high: 0.02}", "noise_sigma' must be at least 0, got -0.02"),
        ("vlp16", "dropped", "{kind: constant, value: 1.5}", "dropped' must be from 0 to 1, got 1.5"),
        ("vlp16", "latency", "{kind: constant, value: 1.0e+303}", "latency' must be from 0 to 1e[+]06, got 1e[+]303"),
        ("camera_vga", "jitter", "{kind: ranged, low: 0, high: 1.0e+303}", "jitter' must be from 0 to 1e[+]06, got 1e[+]303"),
        ("vlp16", "jitter", "{kind: constant, value: soon}", "jitter' must be a number, got 'soon'"),
        ("tof_vga", "modulation", "{kind: constant, value: 0}", "modulation' must be above 0 and at most 10000, got 0"),
        ("d435", "baseline", "{kind: constant, value: 0}", "baseline' must be above 0 and at most 10, got 0"),
        ("tof_vga", "modulation", "{kind: constant, value: 2.0e+7}", "modulation' must be above 0 and at most 10000, got 2e[+]07"),
        ("d435", "baseline", "{kind: constant, value: 50}", "baseline' must be above 0 and at most 10, got 50"),
        ("kinect_v1", "camera_offset", "{kind: constant, value: 25}", "camera_offset' must be from 0 to 1, got 25"),
        ("kinect_v1", "noise_window", "{kind: constant, value: 60}", "noise_window' must be from 1 to 49, got 60"),
        ("camera_vga", "blur", "{kind: constant, value: 1.0e+9}", "blur' must be from 0 to 100, got 1e[+]09"),
        ("camera_vga", "illuminant_red", "{kind: constant, value: true}", "illuminant_red' must be a number, got True"),
    ],
)
def test_a_sensor_file_is_refused_with_its_line(tmp_path, base, parameter, dist, words):
    path = tmp_path / "unit.yaml"
    path.write_text(f"base: {base}\nresponse:\n  {parameter}: {setting(dist)}\n")
    with pytest.raises(UserError, match=f"unit.yaml:3: response.{parameter}: response parameter '{words}"):
        load_sensor(str(path))


def test_a_scenario_is_refused_with_its_key():
    wrong = {"lidar.noise_sigma": {"role": "pinned", "dist": {"kind": "constant", "value": -1.0}}}
    uses = [{"use": name, **({"settings": wrong} if name == "sensor_noise.response" else {})} for name in ALL]
    scenario = Scenario.model_validate({"name": "s", "base": "street", "randomizers": uses})
    cells = [{"class": "cone", "target": 1}]
    budget = Budget.model_validate({"name": "b", "seed": 1, "cells": cells, "scenarios": [{"file": "street"}], "rig": "small"})
    rig = small_rig()
    with pytest.raises(UserError, match=r"settings.lidar.noise_sigma: response parameter 'noise_sigma' must be at least 0, got -1"):
        resolve_settings(scenario, make_randomizers(scenario, budget, rig))
    model = rig.sensors["lidar"].model
    (held,) = model.response.values()
    low = held.dist.model_copy(update={"low": -1.0})
    with pytest.raises(UserError, match="noise_sigma"):
        check_response(model.model_copy(update={"response": {"noise_sigma": held.model_copy(update={"dist": low})}}))


@pytest.mark.parametrize(
    ("base", "line", "words"),
    [
        ("camera_vga", "  blurr: {dist: {kind: constant, value: 1}}", "one.yaml:3: response.blurr: unknown response parameter 'blurr' .*'blur'"),
        ("vlp16", "  blur: {dist: {kind: constant, value: 1}}", "one.yaml:3: response.blur: unknown LiDAR response parameter 'blur'"),
        ("camera_vga", "  blur: {dist: {kind: choice, values: [1, 2]}}", "one.yaml:3: response.blur: .* must be a constant, ranged or"),
        ("kinect_v1", "  blur: {dist: {kind: constant, value: 1}}\ndepth: none", r"kinect_v1.yaml:\d+: response.axial_noise: unknown"),
    ],
)
def test_unknown_parameters_are_named_with_their_line(tmp_path, base, line, words):
    (tmp_path / "one.yaml").write_text(f"base: {base}\nresponse:\n{line}\n")
    (tmp_path / "rig.yaml").write_text("name: r\nsensors:\n  one: {model: one.yaml, mount: {xyz: [0, 0, 1]}}\n")
    sensor = load_rig(str(tmp_path / "rig.yaml"), (tmp_path,)).sensors["one"]
    with pytest.raises(UserError, match=words):
        check_response(sensor.model, sensor.places)


def test_bounds_name_parameters_and_hold_what_does_nothing():
    every = {name: value for base in PRINCIPLES for name, value in ideal(load_sensor(base)[0]).items()}
    assert {*BOUNDS, *ABOVE_0} <= set(every)
    for name, value in every.items():
        low, high = BOUNDS.get(name, (0.0, math.inf))
        assert low <= value <= high, name


@pytest.mark.parametrize(
    ("base", "lines", "words"),
    [
        ("vlp16", "storage: {coordinates: 0}", "coordinates must be 'float16' or a step above 0 and up to 1"),
        ("vlp16", "storage: {coordinates: float8}", "got 'float8'"),
        ("vlp16", "storage: {coordinates: float16, frame: rig, origin: [70000, 0, 0]}", "unit.yaml:2: storage.origin: origin must lie within"),
        ("vlp16", "storage: {coordinates: 0.01, origin: [0, 1.0e+30, 0]}", r"storage.origin.1.: origin must be less than or equal to 10000000"),
        ("vlp16", "range_max: 1.0e+308", "range_max must be less than or equal to 10000"),
        ("vlp16", "azimuth_start_deg: 1.0e+300", "azimuth_start_deg must be less than or equal to 720"),
        ("vlp16", "azimuth_fov_deg: 1.0e-300", "azimuth_fov_deg must be greater than or equal to 0.1"),
        ("camera_vga", "fx: 1.0e-300", "unit.yaml:2: fx: fx must be greater than or equal to 0.1, got 1e-300"),
        ("camera_vga", "fy: 1.0e+300", "fy must be less than or equal to 1000000, got"),
        ("camera_vga", "cx: 1.0e+300", "cx must be less than or equal to 100000, got"),
        ("camera_vga", "near: 1.0e+300", "near must be less than or equal to 1000000, got"),
        ("camera_vga", "rate_hz: 1.0e-300", "rate_hz must be greater than or equal to 0.001"),
        ("camera_vga", "focus: {distance: 1.0e-300, opening_mm: 1}", "focus.distance: distance must be greater than or equal to 0.001"),
        ("camera_vga", "lens: {model: kannala_brandt, coefficients: [-1.0e+9, 0, 0, 0]}", "lens must image some pixel"),
        ("vlp16", "elevation_deg: [120]", "elevation_deg must be less than or equal to 90"),
        ("vlp16", "firing_us: [1.0e+9]", "firing_us must be less than or equal to 100000"),
        ("camera_vga", "shutter: {exposure_ms: 40}", "shutter.exposure_ms must be within the 33.33 ms of a frame at rate_hz 30, got 40"),
        (
            "camera_vga",
            "cx: -900\nlens: {model: kannala_brandt, coefficients: [0, 0, 0, 0], fov_deg: 180}",
            r"a circle about .-900, 239.5. that does not reach",
        ),
        ("camera_vga", "shutter: {readout_ms: 60}\nrate_hz: 20", "shutter.readout_ms must be within the 50 ms of a frame at rate_hz 20, got 60"),
    ],
)
def test_impossible_devices_are_refused(tmp_path, base, lines, words):
    path = tmp_path / "unit.yaml"
    path.write_text(f"base: {base}\n{lines}\n")
    with pytest.raises(UserError, match=words):
        load_sensor(str(path))


@pytest.mark.parametrize(
    ("base", "lines", "words"),
    [
        ("vlp16", "columns: true", "unit.yaml:2: columns: columns must be a whole number, got True"),
        ("vlp16", "columns: '90'", "unit.yaml:2: columns: columns must be a whole number, got '90'"),
        ("vlp16", "rate_hz: true", "rate_hz must be a number, got True"),
        ("vlp16", "rate_hz: '10'", "rate_hz must be a number, got '10'"),
        ("vlp16", "divergence_mrad: [1, true]", r"unit.yaml:2: divergence_mrad\[1\]: divergence_mrad must be a number, got True"),
        ("vlp16", "storage: {coordinates: true}", "coordinates must be 'float16' or a step above 0 and up to 1 .m., got True"),
        ("vlp16", "storage: {coordinates: 0.1, origin: [0, '1', 0]}", r"storage.origin\[1\]: origin must be a number, got '1'"),
        ("vlp16", "sub_rays: true", "sub_rays must be a whole number, got True"),
        ("camera_vga", "near: true", "near must be a number, got True"),
        ("camera_vga", "shutter: {exposure_ms: 1, moments: true}", "unit.yaml:2: shutter.moments: moments must be a whole number, got True"),
        ("camera_vga", "response:\n  blur: {dist: {kind: ranged, low: true, high: 2}}", "unit.yaml:3: response.blur.dist.low: low must be a number"),
    ],
)
def test_truth_values_and_texts_are_no_numbers(tmp_path, base, lines, words):
    path = tmp_path / "unit.yaml"
    path.write_text(f"base: {base}\n{lines}\n")
    with pytest.raises(UserError, match=words):
        load_sensor(str(path))


def test_whole_numbers_are_numbers_and_lists_are_rows(tmp_path):
    path = tmp_path / "unit.yaml"
    path.write_text("base: vlp16\nrate_hz: 20\ncolumns: 90.0\ndivergence_mrad: [1, 2]\nblind_sectors_deg: [[0, 10]]\nghosts: true\n")
    model = load_sensor(str(path))[0]
    assert (model.rate_hz, model.columns, model.divergence_mrad, model.blind_sectors_deg) == (20.0, 90, (1.0, 2.0), [(0.0, 10.0)])


def test_half_floats_hold_what_a_rig_may_see():
    """An origin, a mount and a range at their bounds stay below the largest half float."""
    storage = {"coordinates": "float16", "frame": "rig", "origin": [HALF_REACH, 0, 0]}
    model = LidarModel.model_validate({"elevation_deg": [0.0], "columns": 8, "range_max": 10_000, "storage": storage})
    rounding = Rounding.of(model.storage, pose(Mount(xyz=(-1000, 0, 1)), model))
    assert np.isfinite(rounding.rounded(np.array([[-model.range_max, 0.0, 0.0]]))).all()


def test_a_mount_lies_on_the_rig(tmp_path):
    (tmp_path / "rig.yaml").write_text("name: r\nsensors:\n  one: {model: vlp16, mount: {xyz: [0, 0, 1.0e+12]}}\n")
    with pytest.raises(UserError, match=r"rig.yaml:3: sensors.one.mount.xyz\[2\]: xyz must be less than or equal to 1000, got"):
        load_rig(str(tmp_path / "rig.yaml"))


def test_windows_are_as_large_as_noise_can_be():
    assert {BOUNDS[name][1] for name in WINDOWS} == {MAX_WINDOW}


def test_a_camera_must_see_nearer_than_far(tmp_path):
    path = tmp_path / "unit.yaml"
    path.write_text("base: camera_vga\nnear: 300\n")
    with pytest.raises(UserError, match="near must be below far, got 300 and 200"):
        load_sensor(str(path))
