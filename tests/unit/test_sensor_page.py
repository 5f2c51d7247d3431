"""What ``calibrate sensor`` tells people."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tailgate.calibrate.holdout import HeldOut
from tailgate.report.page import capitalize_first
from tailgate.report.sensor_page import SensorRecord, SettingRow, print_sensor, sentences, write_sensor_page


def row(name, value, bounds, state="roughly", open=(False, False), supposes=()):
    return SettingRow(name, "m", "", value, 0.9 * value, 1.1 * value, 100, state, 0.1, "hole_rate moves with it", bounds, open, supposes)


@pytest.mark.parametrize(
    "value, bounds, open, told",
    [
        (0.04, (0.0, 0.04), (False, True), "it lies at the end of its bounds, 0.04"),
        (0.0399, (0.0, 0.04), (False, True), "it lies at the end of its bounds, 0.04"),
        (0.038, (0.0, 0.04), (False, True), "its interval reaches the end of its bounds, 0.04"),
        (0.03, (0.0, 0.04), (False, False), ""),
        (5.0, (5.0, 120.0), (True, False), "it lies at the end of its bounds, 5"),
        (7.0, (5.0, 120.0), (True, False), "its interval reaches the end of its bounds, 5"),
    ],
)
def test_an_estimate_at_the_end_of_its_bounds_is_told(value, bounds, open, told):
    """Bounds that span a decade are measured on a log scale."""
    found = row("noise_sigma", value, bounds, open=open)
    assert found.at_end == (f"{told}: what the device does may lie beyond" if told else "")
    assert found.interval.endswith({(False, True): " or more", (True, False): " or less"}.get(open, f" … {1.1 * value:.4g}"))
    assert ("±" in found.verdict) == (not any(open))


def test_an_estimate_that_makes_up_for_one_at_its_end_says_for_which():
    assert row("drop_incidence", 0.2, (0.0, 0.3), supposes=("drop_base",)).at_end == "it makes up for drop_base, which may lie beyond the bounds"
    assert "a, b, c and others" in row("drop_incidence", 0.2, (0.0, 0.3), supposes=tuple("abcd")).at_end


def test_what_the_reference_does_not_tell_is_no_end():
    assert row("noise_sigma", 0.04, (0.0, 0.04), "not identified", (False, True)).at_end == ""


def test_settings_unknown_for_one_reason_share_a_line(tmp_path):
    why = "no statistic of the reference responds to it"
    silent = [replace(row(name, 0.5, (0.0, 1.0), "not identified"), why=why) for name in ("gain", "contrast")]
    record = SensorRecord("hdl64e", "kitti", 3, [*silent, row("noise_sigma", 0.04, (0.0, 0.04), open=(False, True))])
    out = Console(file=io.StringIO(), width=300)
    print_sensor(record, out)
    text = out.file.getvalue()
    assert "gain, contrast: no statistic of the reference responds to it" in text
    assert "noise_sigma: it lies at the end of its bounds, 0.04" in text
    assert "hole_rate moves with it; it lies at the end of its bounds" in write_sensor_page(record, tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    "interval, told", [((0.7, 2.6), "mixed pixels (perhaps by chance)."), ((1.4, 2.0), "mixed pixels."), ((0.0, np.inf), "(perhaps by chance).")]
)
def test_a_ratio_beyond_the_limit_says_whether_chance_could_do_it(interval, told):
    record = SensorRecord("kinect_v1", "mosd", 3, [], "recordings", [HeldOut("mixed_pixels", "share", 3.0, 1.5, 1.0, 1.5, 1.0, interval)])
    assert sentences(record)[-1].endswith(told)
    (row,) = json.loads(json.dumps(record.to_json()))["holdout"]
    assert row["interval"] == [interval[0], interval[1] if np.isfinite(interval[1]) else None]


def test_what_is_a_share_needs_no_unit(tmp_path):
    held = [HeldOut(name, unit, 0.3, 0.2, 0.1, 0.2, 0.1) for name, unit in (("overshoot", "share of an edge"), ("depth_noise", "mm"))]
    record = SensorRecord("kinect_v1", "mosd", 3, [], "recordings", held)
    out = Console(file=io.StringIO(), width=300)
    print_sensor(record, out)
    for text in (out.file.getvalue().lower(), write_sensor_page(record, tmp_path / "page.html").read_text().lower()):
        assert "rims of edges in pictures" in text and "share of an edge" not in text and "[mm]" in text


def test_names_of_files_keep_their_letters():
    assert capitalize_first("a0.pcd: 99 % of it") == "a0.pcd: 99 % of it" and capitalize_first("the scans show") == "The scans show"


def test_a_beam_of_a_table_is_no_setting():
    record = SensorRecord("hdl32e", "clouds", 3, [row("elevation_deg[24]", -21.0, None, "identified"), row("noise_sigma", 0.02, (0.0, 0.04))])
    assert sentences(record)[0] == "Of 1 settings 0 are identified, 1 roughly, 0 not."
