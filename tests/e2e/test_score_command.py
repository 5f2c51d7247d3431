"""`tailgate score` at the command line: exit codes, and every mistake in one sentence."""

import io
import json
import shutil
import sys

import cv2
import numpy as np
import pytest
from rich.console import Console
from scan_folder import Scans
from tailgate.cli import app as cli


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    Scans(range(8)).write(folder / "real")
    Scans(range(20, 24)).write(folder / "alike")
    return folder


@pytest.fixture
def said(monkeypatch, rooms, capfd):
    """Run ``score`` in this process: exit code, what was printed, and what was complained."""
    monkeypatch.chdir(rooms)

    def run(*args: object) -> tuple[int, str, str]:
        err = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["tailgate", "score", "--workers", "1", *map(str, args)])
        monkeypatch.setattr(cli, "stderr", Console(file=err, highlight=False, width=400))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capfd.readouterr().out, err.getvalue()

    return run


@pytest.fixture
def refused(said):
    """Run ``score`` on what must be a mistake; returns the sentence."""

    def run(*args: object) -> str:
        code, out, err = said(*args)
        assert (code, out) == (2, ""), err
        assert err.startswith("error: ") and err.count("\n") == 1, err
        return err

    return run


def test_accepted_is_zero_and_json_is_json(said):
    code, out, _ = said("alike", "--reference", "real", "--json")
    assert code == 0 and json.loads(out)["verdict"] == "accepted"


def test_refused_is_one_with_a_page(said, rooms, tmp_path):
    Scans(range(30, 34), noise=0.04).write(tmp_path / "noisy")
    code, out, _ = said(tmp_path / "noisy", "--reference", "real", "-o", tmp_path / "score.html")
    assert code == 1 and "rejected: LiDAR distances scatter" in out
    assert (tmp_path / "score.html").stat().st_size > 20_000


@pytest.mark.parametrize(
    "args, words",
    [
        (("nowhere", "--reference", "real"), "nowhere: must be a folder of frames; it does not exist"),
        (("alike", "--reference", "nowhere"), "nowhere: must be a folder of frames; it does not exist"),
        (("alike", "--reference", "real", "--kind", "kiti"), "did you mean 'kitti'?"),
        (("alike", "--reference", "real", "--kind", "kitti"), "velodyne"),
        (("alike", "--reference", "real", "--option", "x"), "--option must be key=value, got 'x'"),
        (("alike", "--reference", "real", "--labels", "map.yaml"), "map.yaml: file not found"),
        (("alike", "--reference", "real", "--gate", "gate.yaml"), "gate.yaml: file not found"),
        (("alike", "--reference", "real", "-o", "a/b.html"), "its folder does not exist"),
        (("alike", "--reference", "real", "--workers", "0"), "--workers"),
    ],
)
def test_wrong_arguments(refused, args, words):
    assert words in refused(*args)


def test_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "it holds nothing" in refused(tmp_path / "empty", "--reference", "real")


def test_another_sensor(refused, tmp_path):
    Scans(range(2), beams=16).write(tmp_path / "other")
    assert "16 beams against 32" in refused(tmp_path / "other", "--reference", "real")


def test_millimetres_read_as_metres(refused, tmp_path):
    Scans(range(2), stored=0.01).write(tmp_path / "cm")
    assert "read as metres" in refused(tmp_path / "cm", "--reference", "real")


def test_frames_of_two_sensors(refused, tmp_path):
    Scans(range(4)).write(tmp_path / "mixed")
    Scans(range(4, 8), beams=16).write(tmp_path / "more")
    for file in (tmp_path / "more").glob("*.npz"):
        shutil.copy(file, tmp_path / "mixed")
    assert "must be the same in every frame" in refused(tmp_path / "mixed", "--reference", "real")


def test_a_damaged_file_is_named(refused, tmp_path):
    Scans(range(20, 26)).write(tmp_path / "damaged")
    (tmp_path / "damaged" / "room22.npz").write_bytes(b"PK\x03\x04 and no more")
    assert "room22.npz" in refused(tmp_path / "damaged", "--reference", "real")


def test_a_reference_too_small(refused, tmp_path):
    """A single depth image is a single place."""
    (tmp_path / "one").mkdir()
    colour = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    for name, image in (("depth", np.full((480, 640), 10_000, np.uint16)), ("label", np.ones((480, 640), np.uint8)), ("rgb", colour)):
        cv2.imwrite(str(tmp_path / "one" / f"a_{name}.png"), image)
    assert "one: holds too little real data to set any limit" in refused(tmp_path / "one", "--reference", tmp_path / "one")


def test_a_gate_of_another_reference(refused, tmp_path):
    gate = "tailgate: 0.1.0\nseed: 0\nreference: {kind: npz, fingerprint: '0123456789abcdef', frames: [a]}\nbatch: {}\n"
    (tmp_path / "gate.yaml").write_text(gate)
    assert "calibrated on another one" in refused("alike", "--reference", "real", "--gate", tmp_path / "gate.yaml")
