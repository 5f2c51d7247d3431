"""A render node: the supervisor and its worker as real processes, the worker in the stand-in for Isaac Sim."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from tailgate.ledger.ledger import hashes
from tailgate.runtime.supervise import FILE_VARIABLE, Rules, Supervisor

SCRIPT, LAUNCH = ROOT / "scripts" / "isaac_generate.py", Path(__file__).with_name("launch.py")
SMALL = ["limits.rounds=1", "limits.batch_clips=2", "limits.batches_per_round=1", "limits.clips=2", "reference.options.frames=2", "gate.mode=report"]
SMALL += ["feedback.estimate=false"]  # test_rtx_job estimates, in either place
SETS = [part for text in SMALL for part in ("--set", text)]
BUDGET = ROOT / "configs" / "budgets" / "quickstart.yaml"


def worker(flavour, *arguments):
    """The command that Isaac Sim's python.sh would run."""
    return [sys.executable, str(LAUNCH), flavour, str(SCRIPT), *map(str, arguments), "--worker", "--device", "cpu"]


@pytest.mark.slow
def test_recycled_workers_make_the_run_that_one_makes_outside(tmp_path):
    told = []
    command = worker("5.1", BUDGET, "--out", tmp_path / "inside", *SETS, "--clips", 1)
    code = Supervisor(command, tmp_path / "told.json", Rules(), told.append).run()
    outside = [sys.executable, "-m", "tailgate.cli", "generate", str(BUDGET), "--out", str(tmp_path / "outside"), "--workers", "1", *SETS]
    done = subprocess.run(outside, capture_output=True, text=True)
    assert code == done.returncode == 3, done.stderr
    assert told and set(told) == {"worker recycled after 1 clips"}
    assert hashes(tmp_path / "inside")["plan_hash"] == hashes(tmp_path / "outside")["plan_hash"]


def test_a_mistake_keeps_its_exit_code(tmp_path):
    told = tmp_path / "told.json"
    command = worker("5.1", tmp_path / "none.yaml", "--out", tmp_path / "run")
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, FILE_VARIABLE: str(told)})
    assert json.loads(told.read_text())["code"] == 2 and "none.yaml" in done.stdout and "Traceback" not in done.stderr + done.stdout
    command = worker("6.0", BUDGET, "--share", "9/8")
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, FILE_VARIABLE: str(told)})
    assert json.loads(told.read_text())["code"] == done.returncode == 2 and "--share" in done.stdout
