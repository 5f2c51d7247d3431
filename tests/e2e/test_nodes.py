"""The SLURM file as a shell runs it, with a stand-in for the scheduler and for Isaac Sim's launcher."""

import os
import subprocess

import pytest
from checkout import ROOT

FILE = ROOT / "scripts" / "nodes" / "generate.sbatch"


def submit(tmp_path, worker, *args, **environment):
    """Run the file as part 2 of 8 with a launcher that does what ``worker`` says; the words given to launcher and scheduler."""
    isaac, tools = tmp_path / "isaac", tmp_path / "bin"
    for folder in (isaac, tools):
        folder.mkdir()
    for name, body in ((isaac / "python.sh", f'echo "$@" > {tmp_path}/given\n{worker}'), (tools / "scontrol", f'echo "$@" >> {tmp_path}/queue')):
        name.write_text(f"#!/usr/bin/env bash\n{body}\n")
        name.chmod(0o755)
    array = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_JOB_ID": "41"}
    slurm = {"SLURM_SUBMIT_DIR": "/checkout", "SLURM_JOB_ID": "43", **array}
    env = {**os.environ, **slurm, "ISAACSIM_PATH": str(isaac), "PATH": f"{tools}:{os.environ['PATH']}", **environment}
    done = subprocess.run(["bash", str(FILE), *args], env=env, capture_output=True, text=True, timeout=30)
    told = [path.read_text().strip() if (path := tmp_path / name).exists() else "" for name in ("given", "queue")]
    return done, *told


@pytest.mark.parametrize("code", [0, 2, 3])
def test_each_node_makes_its_share_and_keeps_the_exit_code(tmp_path, code):
    done, given, queue = submit(tmp_path, f"exit {code}", "budget.yaml", str(tmp_path / "runs"), "--data", "/data")
    assert done.returncode == code and not queue
    assert given == f"/checkout/scripts/isaac_generate.py budget.yaml --out {tmp_path}/runs/part-2 --share 2/8 --data /data"


def test_a_worker_that_wants_to_go_on_is_queued_again(tmp_path):
    done, _, queue = submit(tmp_path, "exit 75", "budget.yaml", str(tmp_path / "runs"))
    assert (done.returncode, queue) == (0, "requeue 41_2")


def test_near_the_time_limit_the_worker_ends_in_good_order(tmp_path):
    worker = "trap 'sleep 0.3; exit 75' TERM\nkill -TERM $PPID\nfor i in $(seq 100); do sleep 0.05; done; exit 9"
    done, _, queue = submit(tmp_path, worker, "budget.yaml", str(tmp_path / "runs"))
    assert (done.returncode, queue) == (0, "requeue 41_2"), done.stderr


def test_what_is_missing_is_said(tmp_path):
    done, given, _ = submit(tmp_path, "exit 0", "budget.yaml", str(tmp_path / "runs"), ISAACSIM_PATH="/nowhere")
    assert done.returncode == 2 and "set ISAACSIM_PATH" in done.stderr and not given
