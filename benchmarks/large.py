"""A stage that is one mesh of ten million triangles: CPU time to open it and to render a frame, and the memory it takes.

    python benchmarks/large.py [MILLIONS]

There is no peer; the targets are what a user waits for without a message.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

import numpy as np
from pxr import UsdGeom, Vt
from tailgate.config.rig import T_FORWARD_OPTICAL, MountedSensor, ResolvedRig
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace import WarpBackend

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import stage_kit as kit


def terrain(millions: float) -> object:
    """A stage with a square kilometre of rough hills in quads."""
    side = round(np.sqrt(millions * 1e6 / 2)) + 1
    x, y = np.meshgrid(*[np.linspace(-500, 500, side)] * 2)
    z = 3 * np.sin(0.03 * x) * np.cos(0.021 * y) + np.random.default_rng(1).normal(0, 0.02, x.shape)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    stage = kit.new_stage()
    kit.lights(stage, 0.3, 3.0, (-1, 0.6, 1.0))
    mesh = UsdGeom.Mesh.Define(stage, "/World/terrain")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(first), 4, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.stack([first, first + 1, first + side + 1, first + side], 1).astype(np.int32).ravel()))
    mesh.CreateSubdivisionSchemeAttr("none")
    return stage


def peak_gb() -> float:
    """Most memory this process has held [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Print the FIGURE lines of this benchmark."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    stage, before = terrain(millions), peak_gb()
    camera = MountedSensor(kit.pinhole(640, 480, 500.0), "test", kit.pose(x=-50, z=8) @ T_FORWARD_OPTICAL)
    backend, loop = WarpBackend(), asyncio.new_event_loop()
    start = time.process_time()
    backend.open(stage, ResolvedRig("bench", {"camera": camera}), {})
    read = time.process_time() - start
    backend.apply(Sample(FrameId("bench", 0, 0)))
    opened = time.process_time() - start
    frames = []
    for _ in range(5):
        start = time.process_time()
        loop.run_until_complete(backend.capture())
        frames.append(time.process_time() - start)
    for name, value, unit in (("read", read, "s"), ("open", opened, "s"), ("frame", min(frames) * 1e3, "ms"), ("memory", peak_gb() - before, "GB")):
        print(f"FIGURE large_{name}_{millions:g}m value={value:.2f} unit={unit} peer=none ratio=nan")
    backend.close()
    loop.close()


if __name__ == "__main__":
    main()
