"""The doctor sees what is there, says what is missing, and never stops half way."""

from __future__ import annotations

import io
import json
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from tailgate import doctor


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    return doctor.diagnose(tmp_path_factory.mktemp("out"))


def test_every_topic_is_looked_at(checks):
    names = [c.name for c in checks]
    topics = ["Python", "numpy", "pydantic", "warp-lang", "Warp devices", "Warp kernel on cpu", "usd-core", "POT"]
    topics += ["disk space", "write rate", "memory"]
    assert [n for n in topics if n not in names] == []
    assert names[-3:] == ["cores", "NVIDIA GPU", "Isaac Sim"]
    assert len(set(names)) == len(names)


def test_this_machine_can_run_the_tests(checks):
    assert [c for c in checks if not c.ok and c.name not in ("disk space", "memory")] == []


def test_json_round_trip(checks):
    plain = json.loads(json.dumps([c.to_json() for c in checks]))
    assert [doctor.Check(**row) for row in plain] == checks


def test_missing_folder_is_checked_at_its_nearest_parent_and_left_unmade(tmp_path):
    target = tmp_path / "not" / "yet"
    assert doctor.check_disk(tmp_path).ok
    assert {c.name: c for c in doctor.diagnose(target)}["write rate"].ok
    assert list(tmp_path.iterdir()) == []


def test_old_and_missing_packages_are_named_with_a_fix():
    old = doctor.check_package("numpy", "99.0")
    assert not old.ok and "99.0" in old.fix and doctor.INSTALL in old.fix
    missing = doctor.check_package("no-such-package-here", "1.0")
    assert not missing.ok and missing.found == "not installed" and missing.fix == doctor.INSTALL


def test_kit_needs_no_standalone_packages(monkeypatch):
    monkeypatch.setitem(doctor.sys.modules, "omni.kit.app", SimpleNamespace())
    assert doctor.check_package("no-such-package-here", "1.0", inside_kit=True).ok
    assert not doctor.check_package("no-such-package-here", "1.0").ok
    assert doctor.check_isaac().found == "this Python runs inside Kit"


@pytest.mark.parametrize(("text", "numbers"), [("1.8.1", (1, 8, 1)), ("1.13.0rc2", (1, 13, 0)), ("24.11", (24, 11)), ("2.0.dev3", (2, 0))])
def test_version_numbers(text, numbers):
    assert doctor._numbers(text) == numbers


def test_full_disk_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e9))
    check = doctor.check_disk(tmp_path)
    assert not check.ok and check.found == "1.0 GB free" and "--out" in check.fix


def test_driver_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "nvidia-smi")

    def broken(*_, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", 20)

    silent = doctor.check_driver(broken)
    assert silent.ok and "does not answer" in silent.found and silent.fix
    answer = SimpleNamespace(stdout="NVIDIA H200, 570.1, 143771 MiB\n")
    assert doctor.check_driver(lambda *_, **__: answer).found == "NVIDIA H200, 570.1, 143771 MiB"


def test_printed_table_escapes_and_counts():
    out = io.StringIO()
    checks = [doctor.Check("disk [red]", True, "[bold]x"), doctor.Check("memory", False, "1 GB", "buy more")]
    doctor.print_checks(checks, Console(file=out, width=120))
    text = out.getvalue()
    assert "disk [red]" in text and "[bold]x" in text and "buy more" in text and "1 thing to mend" in text


def test_kernel_equals_its_twin():
    import warp as wp
    from tailgate.doctor_kernel import double, double_twin

    values = np.linspace(-3, 3, 7, dtype=np.float32)
    array = wp.array(values, dtype=wp.float32, device="cpu")
    wp.launch(double, dim=7, inputs=[array], device="cpu")
    np.testing.assert_array_equal(array.numpy(), double_twin(values))
