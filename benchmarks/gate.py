"""What the gate costs: seconds of measuring and judging a batch over seconds of rendering and sensor response of the same batch, one process.

The batch is eight clips of the quickstart's street (RGB-D 640x480 and a 32-beam LiDAR) against a reference of twelve more of them. Calibration, done
once a run, is timed apart.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from tailgate.config.rig import configs_root
from tailgate.frames import Frame
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunOptions, resolve
from tailgate.runtime.studio import Studio
from tailgate.validate.class_gate import ClassGate
from tailgate.validate.evidence import STATISTICS, measure
from tailgate.validate.gate import BatchGate
from tailgate.validate.sketch import Sketch

BATCH, REFERENCE, REPEATS = 8, 12, 3
TARGET = 0.10


def shoot(studio: Studio, first: int, count: int) -> tuple[list[Frame], float]:
    """Frames of ``count`` clips, and their seconds of rendering and sensor response."""
    spec = studio.spec
    settings, frames, seconds = initial_settings(spec), [], 0.0
    for index in range(first, first + count):
        cell = spec.budget.cells[index % len(spec.budget.cells)]
        take = asyncio.run(studio.shoot(sorted(spec.scenarios)[0], settings, index, cell))
        frames += take.frames
        seconds += (take.clock.seconds["render"] + take.clock.seconds["sensors"]) / take.attempts
    return frames, seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec = resolve(RunOptions(configs_root() / "budgets" / "quickstart.yaml", Path(folder) / "run"))
        studio = Studio(spec)
        reference, _ = shoot(studio, 0, REFERENCE)
        real = [measure(frame, str(i), f"g{i}") for i, frame in enumerate(reference)]
        start = time.perf_counter()
        gate = BatchGate({f"g{i}": e.blocks for i, e in enumerate(real)}, STATISTICS, spec.budget.gate)
        classes = ClassGate([c for e in real for c in e.crops], spec.budget.gate)
        gate.judge(Sketch.total(b for e in real for b in e.blocks))
        calibration = time.perf_counter() - start
        shares = []
        for repeat in range(REPEATS):
            frames, rendering = shoot(studio, 100 + repeat * BATCH, BATCH)
            start = time.perf_counter()
            evidence = [measure(frame, str(frame.id), "batch") for frame in frames]
            measuring = time.perf_counter() - start
            gate.judge(Sketch.total(e.total for e in evidence))
            classes.nearest([c for e in evidence for c in e.crops])
            judging = time.perf_counter() - start - measuring
            shares.append((measuring + judging) / rendering)
            print(f"    batch {repeat}: render and sensors {rendering:.2f} s, measuring {measuring:.3f} s, judging {judging:.3f} s")
        studio.close()
    share = statistics.median(shares)
    print(f"FIGURE gate_share value={share:.3f} unit=1 peer=target_{TARGET} ratio={TARGET / share:.2f}")
    print(f"    calibration of both gates, once a run: {calibration:.2f} s")


if __name__ == "__main__":
    main()
