"""Strengths of an ablation: off is ideal, strong the bound that is furthest from it."""

import pytest
from tailgate.config.rig import load_sensor
from tailgate.frames import FrameId, Sample
from tailgate.runtime.ablation import LEVELS, _alone
from tailgate.sensors import ideal

SAMPLE = Sample(FrameId("s", 0, 0), sensors={"camera": {"exposure": 0.7}})


def levels(sensor, parameter):
    model = load_sensor(sensor)[0]
    return [_alone(SAMPLE, "camera", model, parameter, share).sensors["camera"] for share in LEVELS]


@pytest.mark.parametrize(
    ("sensor", "parameter", "values"),
    [
        ("kinect_v1", "grazing_limit", [90.0, 80.0, 70.0]),
        ("kinect_v1", "axial_noise", [0.0, 4.0, 8.0]),
        ("rgb_rolling", "white_balance_red", [1.0, 1.125, 1.25]),
        ("rgb_rolling", "jpeg_loss", [0.0, 30.0, 60.0]),
        ("vlp16", "intensity_gain", [1.0, 1.5, 2.0]),
    ],
)
def test_from_ideal_to_the_furthest_bound(sensor, parameter, values):
    assert [drawn[parameter] for drawn in levels(sensor, parameter)] == pytest.approx(values)


def test_everything_else_is_off_but_what_the_device_is():
    model, drawn = load_sensor("d435")[0], levels("d435", "grazing_limit")[2]
    perfect = ideal(model)
    others = {n: v for n, v in drawn.items() if n != "grazing_limit"}
    fixed = {"disparity_step", "depth_step", "baseline", "pattern", "saturation"}
    assert all(v == perfect[n] for n, v in others.items() if n not in fixed) and drawn["disparity_step"] == 1 / 32


@pytest.mark.parametrize(
    ("sensor", "parameter", "base"),
    [("vlp16", "noise_tail", {"noise_sigma": 0.04}), ("vlp16", "drop_grain", {"drop_base": 0.06}), ("d435", "noise_grain", {"subpixel_rms": 0.15})],
)
def test_what_shapes_an_effect_shows_with_it(sensor, parameter, base):
    """At every level alike, and only what the device has."""
    drawn, perfect = levels(sensor, parameter), ideal(load_sensor(sensor)[0])
    for level in drawn:
        assert {n: level[n] for n in base} == base and set(level) <= set(load_sensor(sensor)[0].response)
    assert drawn[0][parameter] == perfect[parameter] < drawn[1][parameter] < drawn[2][parameter]
