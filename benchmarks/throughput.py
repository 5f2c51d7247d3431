"""Accepted frames per hour: RGB-D 640x480 with labels and a 32-beam LiDAR, through every stage of the loop, on two worker processes.

    python benchmarks/throughput.py [CLIPS]

A job of six batches of CLIPS (16). Prints a FIGURE line and each stage's share of the work. Start-up, the fit, judging and export are in it, so that
a larger job shows more frames per hour.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from tailgate.config.rig import configs_root
from tailgate.runtime.run import execute
from tailgate.runtime.spec import RunOptions

TARGET = 1000.0


def main() -> None:
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        rounds = ("limits.rounds=3", f"limits.batch_clips={clips}", "limits.batches_per_round=2")
        targets = tuple(f"cells[{i}].target=100000" for i in range(4))
        budget = configs_root() / "budgets" / "quickstart.yaml"
        warm = RunOptions(budget, out / "warm", overrides=("limits.rounds=1", "limits.batch_clips=6", *targets))
        execute(warm, "local", 2, lambda event: None)
        options = RunOptions(budget, out / "run", overrides=(*rounds, *targets, "gate.mode=report"))
        start = time.perf_counter()
        execute(options, "local", 2, lambda event: None)
        elapsed = time.perf_counter() - start
        status = json.loads((out / "run" / "status.json").read_text())
    rate = status["accepted_clips"] / elapsed * 3600
    print(f"FIGURE accepted_per_hour value={rate:.0f} unit=1/h peer=target_{TARGET:.0f} ratio={rate / TARGET:.2f}")
    print(f"    {status['accepted_clips']} frames in {elapsed:.0f} s")
    total = sum(status["seconds_by_stage"].values())
    for stage, seconds in sorted(status["seconds_by_stage"].items(), key=lambda item: -item[1]):
        print(f"    {stage:10s} {seconds / total:6.1%}  {seconds / max(status['accepted_clips'], 1) * 1000:7.0f} ms per accepted frame")


if __name__ == "__main__":
    main()
