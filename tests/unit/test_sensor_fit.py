"""``calibrate sensor`` on recordings of others: what it takes, and what it refuses before it spends minutes; nothing is fitted here."""

from __future__ import annotations

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scan_folder import Scans
from sweeps import room_sweep
from tailgate.calibrate.bench import CameraBench, LidarBench
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.indirect import Fit
from tailgate.cli import app as command
from tailgate.config.rig import load_sensor
from tailgate.errors import UserError
from tailgate.reference.npz import NpzReader
from tailgate.runtime.sensor_fit import SensorRequest, fit_sensor
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def nothing_fitted(monkeypatch):
    for bench in (LidarBench, CameraBench):
        monkeypatch.setattr(bench, "fit", lambda self, blocks, heard=None: Fit({}, 1.0, 1.0))


def test_people_are_told_wider_intervals_than_a_lidar_draws_from():
    spread, bias = Estimate(0.12, 0.11, 0.13, 900, True, "it moves"), Estimate(0.004, 0.003, 0.005, 9, True, "spread of beams")
    fit = Fit({"intensity_spread": spread, "beam_bias": bias}, 1.0, 1.0)
    told = LidarBench(load_sensor("hdl64e")[0], bias=bias).said(fit)
    assert (told["intensity_spread"].low, told["intensity_spread"].high) == pytest.approx((0.10, 0.14)) and told["intensity_spread"].value == 0.12
    assert told["beam_bias"] == bias and fit.estimates["intensity_spread"] == spread
    assert CameraBench(load_sensor("kinect_v1")[0]).said(Fit({"blur": spread}, 1.0, 1.0)) == {"blur": spread}


def renamed(folder, model: str):
    """The recordings as of another device, "" for none."""
    file = folder / "sensor.yaml"
    file.write_text(file.read_text().replace("model: bench32\n", f"model: {model}\n" if model else ""))
    return folder


def depth_images(folder, depth: np.ndarray):
    folder.mkdir()
    for k in range(2):
        cv2.imwrite(str(folder / f"frame-{k:06d}.depth.png"), depth)
        cv2.imwrite(str(folder / f"frame-{k:06d}.color.png"), np.full((120, 160, 3), 90, np.uint8))
    np.savetxt(folder / "camera-intrinsics.txt", [[150, 0, 80], [0, 150, 60], [0, 0, 1]])
    return folder


@pytest.mark.parametrize("model", ["", "bench32"])
def test_the_device_of_recordings_that_do_not_name_a_known_one_is_asked_for(tmp_path, model):
    folder = renamed(Scans(range(2)).write(tmp_path / "own"), model)
    with pytest.raises(UserError, match=r"own: does not name a known device .*--sensor .*vlp32c"):
        fit_sensor(SensorRequest(folder))
    found = fit_sensor(SensorRequest(folder, "xt32"))
    assert found.models["lidar"].device == found.record.sensor == "xt32"
    assert found.models["lidar"].elevation_deg == pytest.approx(np.linspace(10, -20, 32), abs=0.01)
    assert any("are the recordings of that device?" in note for note in found.record.notes)
    assert found.models["lidar"].source.startswith("1 frames of own (calibrate sensor). What they do not tell: ")


def test_recordings_of_another_device_are_refused(tmp_path):
    known = renamed(Scans(range(2)).write(tmp_path / "known"), "vlp32c")
    with pytest.raises(UserError, match="known: holds recordings of vlp32c, not of hdl64e"):
        fit_sensor(SensorRequest(known, "hdl64e"))
    with pytest.raises(UserError, match="own: holds no recordings of a camera, which kinect_v1 is"):
        fit_sensor(SensorRequest(Scans(range(2)).write(tmp_path / "own"), "kinect_v1"))
    with pytest.raises(UserError, match="'vlp32' was not found .*did you mean 'vlp32c'"):
        fit_sensor(SensorRequest(tmp_path / "own", "vlp32"))
    with pytest.raises(UserError, match="own: scans must have the model's 64 beams, got 32"):
        fit_sensor(SensorRequest(tmp_path / "own", "hdl64e"))
    with pytest.raises(UserError, match=r"own: beams look \d\.\d deg beside the table of vlp32c, which allows 2, however it is mounted: are they"):
        fit_sensor(SensorRequest(tmp_path / "own", "vlp32c"))


def test_points_of_another_frame_are_refused_or_told(tmp_path):
    xyz = room_sweep(16, 720).xyz.reshape(-1, 3)

    def recorded(name: str, points: np.ndarray):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sensor.yaml").write_text("kind: lidar_points\nmodel: vlp16\nxyz: xyz\nring: ring\n")
        np.savez(tmp_path / name / "a.npz", xyz=points, ring=np.repeat(np.arange(16), 720))
        return fit_sensor(SensorRequest(tmp_path / name)).record.notes

    with pytest.raises(UserError, match="axes: returns of a beam must lie on a cone.*axes of a camera"):
        recorded("axes", xyz @ np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]))
    assert any("Points were moved by (-2.0, 0.0, 1.0) m and tilted by 0 deg" in note for note in recorded("vehicle", xyz + [2.0, 0.0, -1.0]))
    assert not any("moved" in note for note in recorded("own", xyz))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (0, "without a single measured distance"),
        (20_000, "median distance is 20 m, and kinect_v1 measures 0.4 to 8 m"),
        (2, "metres read as millimetres"),
    ],
)
def test_depth_that_the_camera_cannot_measure_is_refused(tmp_path, counts, message):
    with pytest.raises(UserError, match=message):
        fit_sensor(SensorRequest(depth_images(tmp_path / "own", np.full((120, 160), counts, np.uint16))))


def test_depth_and_colour_of_a_sequence_have_one_size(tmp_path):
    with pytest.raises(UserError, match=r"frame-00000\d.depth.png: must have the size of its colour image"):
        fit_sensor(SensorRequest(depth_images(tmp_path / "half", np.full((60, 80), 900, np.uint16))))
    found = fit_sensor(SensorRequest(depth_images(tmp_path / "small", np.full((120, 160), 900, np.uint16))))
    assert (found.models["kinect"].width, found.models["kinect"].height) == (160, 120)


def test_beams_that_cannot_be_told_apart_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(NpzReader, "placed", 0.8, raising=False)
    with pytest.raises(UserError, match="stores no beams, and 20% of a file's returns lie between them"):
        fit_sensor(SensorRequest(Scans(range(2)).write(tmp_path / "own"), "vlp32c"))


def test_a_cloud_of_more_beams_than_the_device_has_is_refused(tmp_path):
    sweep, noise = room_sweep(32, 360), np.random.default_rng(0).normal(0, 0.02, (32, 360))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "sensor.yaml").write_text("kind: lidar_points\nmodel: vlp16\nxyz: xyz\n")
    np.savez(tmp_path / "more" / "a.npz", xyz=replace(sweep, elevation=sweep.elevation + noise).xyz.reshape(-1, 3))
    with pytest.raises(UserError, match="more: stores no beams, and 8.% of a file's returns .* of another device than vlp16"):
        fit_sensor(SensorRequest(tmp_path / "more"))


def test_a_file_that_its_decoder_chokes_on_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(NpzReader, "read", lambda self, name: 1 // 0)
    with pytest.raises(UserError, match="own: frame 'room00' cannot be read: ZeroDivisionError"):
        fit_sensor(SensorRequest(Scans(range(1)).write(tmp_path / "own"), "vlp32c"))


def test_zero_errors_have_intervals(tmp_path):
    record = fit_sensor(SensorRequest(Scans(range(2)).write(tmp_path / "own"), "xt32")).record
    rows = {row.name: row for row in record.settings}
    # Rooms of some metres are no streets.
    assert any("those of the exact streets within" in note for note in record.notes)
    height = rows["beam_height_m[0]"]
    assert height.low < height.value == 0.0 < height.high
    assert all(row.high > row.low for name, row in rows.items() if name.startswith(("range_offset", "azimuth_error")))


def test_files_that_cannot_be_written_are_refused_before_the_fit(tmp_path, monkeypatch):
    folder = Scans(range(1)).write(tmp_path / "own")

    def complaint(out) -> str:
        words = ["calibrate", "sensor", "--reference", str(folder), "--sensor", "vlp32c", "-o", str(out)]
        return str(CliRunner().invoke(command.app, words).exception)

    before = (folder / "sensor.yaml").read_text()
    assert "describes the recordings" in complaint(folder / "sensor.yaml") and (folder / "sensor.yaml").read_text() == before
    assert "must not end in .html" in complaint(tmp_path / "page.html")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert "permission denied" in complaint(tmp_path / "a.yaml") and not (tmp_path / "a.yaml").exists()


def test_an_unknown_layout_is_told_from_its_neighbour(tmp_path):
    with pytest.raises(UserError, match="kind must be one that holds recordings .did you mean 'clouds'"):
        fit_sensor(SensorRequest(tmp_path, kind="cloud"))


def test_an_interrupt_is_told(monkeypatch, capsys):
    monkeypatch.setattr(command, "app", lambda *args, **kwargs: command.STOPPED)
    with pytest.raises(SystemExit, match="130"):
        command.main()
    assert "stopped; run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize(("low", "high", "state"), [(9.2, 10.8, "identified"), (9.05, 10.95, "roughly"), (9.1, 11.2, "roughly"), (0, 10, "roughly")])
def test_identified_is_what_is_near_the_truth_wherever_that_lies(low, high, state):
    assert Estimate(10.0, low, high, 1, True, "").state == state
    assert Estimate(-10.0, -high, -low, 1, True, "").state == state
    assert Estimate(10.0, low, high, 1, False, "").state == "not identified"
