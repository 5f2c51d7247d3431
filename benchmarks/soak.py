"""Whether memory stays constant: many small frames of the quickstart's street, each placed, rendered, responded to and measured as a run does.

    python benchmarks/soak.py [FRAMES]

Every tenth frame draws a new clip, the others repeat earlier ones under new addresses. Growth is the resident memory at the end over that after the
first tenth, in which caches fill.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

from tailgate.config.rig import ResolvedRig, configs_root
from tailgate.frames import FrameId, Sample
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunOptions, RunSpec, resolve
from tailgate.runtime.studio import Studio
from tailgate.validate.evidence import measure

PAGE = os.sysconf("SC_PAGE_SIZE")
SMALL = {"camera": dict(width=80, height=60, fx=65.0, fy=65.0, cx=39.5, cy=29.5), "lidar": dict(columns=180)}
REPEATED = 20
"""Clips that are repeated."""
LIMIT_MB = 20.0


def resident_mb() -> float:
    """Memory of this process that is in use [MB]."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE / 1e6


def small_spec(folder: Path) -> RunSpec:
    """The quickstart with an eighth of its camera's and a tenth of its LiDAR's resolution."""
    spec = resolve(RunOptions(configs_root() / "budgets" / "quickstart.yaml", folder / "run"))
    sensors = {n: replace(s, model=s.model.model_copy(update=SMALL[n])) for n, s in spec.rig.sensors.items()}
    return replace(spec, rig=ResolvedRig(spec.rig.name, sensors))


async def soak(spec: RunSpec, frames: int) -> tuple[float, float]:
    """Growth of memory [MB] over the last nine tenths of the frames, and CPU time of a frame [ms]."""
    studio, settings, kept = Studio(spec), initial_settings(spec), deque[Sample](maxlen=REPEATED)
    start, before = time.process_time(), 0.0
    for k in range(frames):
        if k % 10 == 0 or not kept:
            cell = spec.budget.cells[k // 10 % len(spec.budget.cells)]
            kept.append((await studio.shoot("street", settings, k, cell)).sample)
        else:
            sample = replace(kept[k % len(kept)], id=FrameId("street", 0, k))
            frame = studio.respond(await studio.render(sample), sample)
            measure(frame, str(frame.id), f"clip-{k}")
        if k == frames // 10:
            before = resident_mb()
        if k % max(frames // 20, 1) == 0:
            print(f"    {k:6d} frames {resident_mb():8.1f} MB", flush=True)
    growth = resident_mb() - before
    studio.close()
    return growth, (time.process_time() - start) / frames * 1e3


def main() -> None:
    """Print the FIGURE lines of this benchmark."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        growth, spent = asyncio.run(soak(small_spec(Path(folder)), frames))
    print(f"FIGURE rss_growth value={growth:.1f} unit=MB peer=limit_{LIMIT_MB:g} ratio={LIMIT_MB / max(growth, 1e-3):.2f}")
    print(f"    over {frames * 9 // 10} frames of {spent:.1f} ms of CPU time")


if __name__ == "__main__":
    main()
