"""Strengths of an ablation: off is ideal, strong the bound that is furthest from it."""

from pathlib import Path

import pytest
from tailgate.config.rig import configs_root, load_sensor
from tailgate.distributions import Constant
from tailgate.frames import FrameId, Sample
from tailgate.report import ablation as sheet
from tailgate.report import sheet as contacts
from tailgate.runtime import ablation as runtime_ablation
from tailgate.runtime import preview
from tailgate.runtime.ablation import LEVELS, _alone, ablation
from tailgate.runtime.spec import RunOptions
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
        # What the device always has is an effect too; fewer bits are the stronger one.
        ("kinect_v1", "disparity_step", [0.0, 0.0625, 0.125]),
        ("d435", "saturation", [1.0, 0.5, 0.0]),
        ("rgb_rolling", "raw_bits", [12.0, 10.0, 8.0]),
        # The nearer the receiver sees the whole beam, the more of the air comes back.
        ("vlp16", "overlap", [25.0, 13.0, 1.0]),
        # A device without limit, one of twice its least reach, one of that.
        ("vlp16", "range_10pct", [0.0, 30.0, 15.0]),
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
    lost = model.response["disparity_step"].model_copy(update={"dist": Constant(value=0.9)})
    lossy = model.model_copy(update={"response": {**model.response, "dropped": lost}})
    assert _alone(SAMPLE, "camera", lossy, "grazing_limit", 1.0).sensors["camera"]["dropped"] == 0.0


@pytest.mark.parametrize(
    ("sensor", "parameter", "base"),
    [
        ("vlp16", "noise_tail", {"noise_sigma": 0.04}),
        ("vlp16", "drop_grain", {"drop_base": 0.06}),
        ("d435", "noise_grain", {"subpixel_rms": 0.15}),
        ("kinect_v1", "registration", {"camera_offset": 0.025}),
        ("kinect_v1", "speckle", {"noise_window": 9.0, "support": 0.3}),
        ("kinect_v1", "support", {"noise_window": 9.0, "speckle": 1.0}),
    ],
)
def test_what_shapes_an_effect_shows_with_it(sensor, parameter, base):
    """At every level alike, and only what the device has."""
    drawn, perfect = levels(sensor, parameter), ideal(load_sensor(sensor)[0])
    for level in drawn:
        assert {n: level[n] for n in base} == base and set(level) <= set(load_sensor(sensor)[0].response)
    strengths = [abs(level[parameter] - perfect[parameter]) for level in drawn]
    assert 0.0 == strengths[0] < strengths[1] < strengths[2]


def test_every_effect_of_a_rig_has_a_row_that_shows_it(tmp_path, monkeypatch):
    """Named with the values it takes and what it is; steps, storage and fog among them, and none that changes nothing."""
    shown = []
    monkeypatch.setattr(sheet, "ablation_sheet", lambda rows, path: shown.extend(rows))
    lidar = "base: vlp32c_av2\ncolumns: 200\nsub_rays: 7\n"
    camera = "base: kinect_v1\nwidth: 80\nheight: 60\nfx: 65\nfy: 65\ncx: 39.5\ncy: 29.5\nfocus: {distance: 2, opening_mm: 40, views: 5}\n"
    camera += "response: {exposure_lag: {dist: {kind: ranged, low: 0, high: 0.5, unit: s}}}\n"
    rig = "name: r\nsensors:\n"
    for name, text, mount in (("lidar", lidar, "[0, 0, 1.8]"), ("kinect", camera, "[0.3, 0, 0.9], rpy_deg: [0, 10, 0]")):
        (tmp_path / f"{name}.yaml").write_text(text)
        rig += f"  {name}: {{model: {name}.yaml, mount: {{xyz: {mount}}}}}\n"
    (tmp_path / "rig.yaml").write_text(rig)
    budget = "name: b\nseed: 3\ncells:\n  - {class: cone, target: 1}\nscenarios:\n  - {file: warehouse}\nrig: rig.yaml\nreference: {kind: none}\n"
    (tmp_path / "b.yaml").write_text(budget)
    ablation(RunOptions(Path(tmp_path / "b.yaml"), tmp_path / "x"), tmp_path / "x.png")
    names = [name for name, _ in shown]
    for part in (
        "lidar: sweep at 0, 7.5, 15 m/s and 0, 12.5, 25 deg/s",
        "lidar: footprint 0, ",
        "lidar: panes, 0, 0.5, 1 of their transparency",
        "lidar: attenuation by fog, extinction 0, 0.03, 0.06 1/m",
        "lidar: steps of range 0, 0.002, 0.004 m",
        "lidar: storage of coordinates off, on, on",
        "kinect: focus at 2 m, opening 0, 20, 40 mm",
    ):
        assert any(name.startswith(part) for name in names), part
    assert "kinect: disparity_step 0, 0.0625, 0.125 px" in names
    assert "kinect: exposure_lag 0, 0.25, 0.5 s, 0.1 s after a light of a quarter" in names
    assert any(name.startswith("lidar: noise_sigma 0, 0.03, 0.06 m (range noise") for name in names)
    nothing = [name for name, frames in shown if not sheet._changed_lines(frames, 240)]
    assert not [name for name in nothing if not name.endswith(("of their transparency", "as the last echo"))]


def test_a_preview_goes_by_the_name_of_its_budget(monkeypatch, tmp_path):
    async def none(options, count):
        for take in ():
            yield take

    titles = []
    monkeypatch.setattr(preview, "takes", none)
    monkeypatch.setattr(contacts, "contact_sheet", lambda frames, out, title, captions: titles.append(title))
    (tmp_path / "mine_v2.yaml").write_text("name: mine\n")
    preview.contact(RunOptions(tmp_path / "mine_v2.yaml"), tmp_path / "x.png", 1)
    assert titles == ["mine: preview"]


def test_studios_are_closed_whatever_happens(monkeypatch, tmp_path):
    class Studio:
        closed = 0

        def __init__(self, spec):
            pass

        async def shoot(self, *_):
            raise RuntimeError

        def close(self):
            Studio.closed += 1

    monkeypatch.setattr(runtime_ablation, "Studio", Studio)
    with pytest.raises(RuntimeError):
        ablation(RunOptions(configs_root() / "budgets" / "quickstart.yaml"), tmp_path / "effects.png")
    assert Studio.closed == 1
