"""Accepted frames per hour: RGB-D 640x480 with labels and a 32-beam LiDAR, through every stage of the loop, on two worker processes.

    python benchmarks/throughput.py [CLIPS]

Jobs of six batches of 16 and of 67 clips, or one of CLIPS. Prints for each a FIGURE line, the time that all processes spent computing, which other
work on the machine hardly changes, and each stage's share of the work. Start-up, the fit, judging and export are in it; they come once a run, so that
the larger job shows more frames per hour.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from tailgate.config.rig import configs_root
from tailgate.runtime.run import execute
from tailgate.runtime.spec import RunOptions

JOBS = {"accepted_per_hour": 16, "accepted_per_hour_400": 67}
"""Figure -> clips of a batch."""
TARGET = 1000.0
WORKERS = 2


def run(out: Path, rounds: int, clips: int, *more: str) -> None:
    """The quickstart's scenes without an end: ``rounds`` of two batches of ``clips``."""
    limits = (f"limits.rounds={rounds}", f"limits.batch_clips={clips}", "limits.batches_per_round=2")
    targets = tuple(f"cells[{i}].target=100000" for i in range(4))
    options = RunOptions(configs_root() / "budgets" / "quickstart.yaml", out, overrides=(*limits, *targets, "gate.mode=report", *more))
    execute(options, "local", WORKERS, lambda event: None)


def computed() -> float:
    """CPU time of this process and of those it has waited for [s]."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measure(name: str, out: Path, clips: int) -> None:
    """Print the lines of one job."""
    start, before = time.perf_counter(), computed()
    run(out, 3, clips)
    elapsed, spent = time.perf_counter() - start, computed() - before
    status = json.loads((out / "status.json").read_text())
    frames = status["accepted_clips"]
    rate = frames / elapsed * 3600
    print(f"FIGURE {name} value={rate:.0f} unit=1/h peer=target_{TARGET:.0f} ratio={rate / TARGET:.2f}")
    print(f"    {frames} frames in {elapsed:.0f} s; {spent:.0f} s of CPU: {frames / spent * WORKERS * 3600:.0f}/h if it kept {WORKERS} cores busy")
    total = sum(status["seconds_by_stage"].values())
    for stage, seconds in sorted(status["seconds_by_stage"].items(), key=lambda item: -item[1]):
        print(f"    {stage:10s} {seconds / total:6.1%}  {seconds / max(frames, 1) * 1000:7.0f} ms per accepted frame")


def main() -> None:
    """Print the lines of this benchmark; kernels are compiled before."""
    jobs = {"accepted_per_hour": int(sys.argv[1])} if len(sys.argv) > 1 else JOBS
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "warm", 1, 4, "feedback.estimate=false")
        for name, clips in jobs.items():
            measure(name, Path(folder) / name, clips)


if __name__ == "__main__":
    main()
