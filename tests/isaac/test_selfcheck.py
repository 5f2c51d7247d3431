"""The self-check in the stand-in: all is well there, and each fault of a real install is named."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from tailgate_rtx.selfcheck import ONLY_IN, check_versions, sources
from tailgate_rtx.selfcheck.annotators import check_annotators
from tailgate_rtx.selfcheck.calls import check_calls
from tailgate_rtx.selfcheck.found import Findings
from tailgate_rtx.selfcheck.runs import growth_per_clip

LAUNCH = Path(__file__).with_name("launch.py")
SCRIPT = ROOT / "scripts" / "isaac_selfcheck.py"


def annotators(sim):
    found = Findings()
    sim.run(found.run("annotators", check_annotators))
    return found


def test_annotators_are_as_documented(sim):
    found = annotators(sim)
    assert not found.wrong, found.table()
    assert {"rgb: type", "depth of the cube", "camera: focal length", "view on the GPU without a copy"} <= {row.name for row in found.rows}


@pytest.mark.parametrize("fault, named", [("no_data", "annotators"), ("stale_frames", "")])
def test_a_fault_is_named_and_the_rest_goes_on(sim51, fault, named):
    sim51.misbehave(fault, **({"annotator": "normals"} if fault == "no_data" else {"subframes": 4}))
    found = annotators(sim51)
    assert ({row.check for row in found.wrong} == {named}) if named else not found.wrong


def test_every_call_of_ours_binds(sim):
    found = Findings()
    check_calls(found, sources(), sim.flavour, ONLY_IN)
    assert not found.wrong, found.table()


def test_calls_that_do_not_bind_are_named(sim, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        textwrap.dedent("""
            import omni.replicator.core as rep
            from omni.usd import get_contexts

            rep.create.render_product("/Camera", (1, 1), sharpness=3)
            rep.annotators.obtain("rgb")
            get_contexts()
        """)
    )
    found = Findings()
    check_calls(found, {"mine.py": script}, sim.flavour, {})
    said = {row.name: row.found for row in found.wrong}
    rep = "omni.replicator.core"
    assert set(said) == {f"{rep}.create.render_product", f"{rep}.annotators.obtain", "omni.usd.get_contexts", "calls that bind"}
    assert "mine.py:5" in said[f"{rep}.create.render_product"] and "sharpness" in said[f"{rep}.create.render_product"]


def test_memory_that_steps_once_does_not_grow():
    clips = np.arange(50)
    step = 2.0 + 0.3 * (clips >= 45)
    assert growth_per_clip(step) == 0.0
    noise = 0.05 * np.sin(7.0 * clips)
    assert growth_per_clip(2.0 + 0.01 * clips + noise) == pytest.approx(0.01, rel=0.3)


def test_versions(sim51):
    found = Findings()
    check_versions(found, "cpu")
    assert not found.wrong and ("Isaac Sim", "5.1") in {(row.name, row.found) for row in found.rows}


def test_the_table_ends_with_what_is_wrong():
    found = Findings()
    found.add("a", "one", True, 1)
    found.add("a", "two", False, 2, "3")
    with found.guarded("b"):
        raise RuntimeError("broken\nat length")
    lines = found.table().splitlines()
    assert lines[-3].startswith("3 things looked at, 2 wrong") and "(expected: 3)" in lines[-2] and "RuntimeError: broken" in lines[-1]
    assert "broken" in found.to_json()["traces"]["b"]


@pytest.mark.slow
def test_the_whole_check_is_well_in_the_stand_in(tmp_path):
    """As a user runs it: the script, in a process of its own; nothing here has a GPU, so only what needs one may be wrong."""
    out = tmp_path / "selfcheck.json"
    command = [sys.executable, str(LAUNCH), "6.0", str(SCRIPT), "-o", str(out), "--device", "cpu", "--clips", "3"]
    done = subprocess.run(command, capture_output=True, text=True)
    held = json.loads(out.read_text())
    assert not held["wrong"] and not held["traces"] and done.returncode == 0, done.stdout + done.stderr
    assert {row["check"] for row in held["rows"]} >= {"versions", "calls", "annotators", "LiDAR by RTX", "randomize and restore", "a run of 3 clips"}
