"""A 640 x 480 frame with all channels, a 32-beam LiDAR sweep, and the update of 200 moved objects; one thread, medians."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import numpy as np
from pxr import Sdf
from tailgate.config.rig import T_FORWARD_OPTICAL, MountedSensor, ResolvedRig, load_sensor
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace import WarpBackend

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import stage_kit as kit

OBJECTS = 200


def street() -> object:
    """A street of buildings with 200 objects of 12 to 1,000 triangles on it."""
    stage, rng = kit.new_stage(), np.random.default_rng(1)
    kit.lights(stage, 0.2, 3.0, (-1, 0.6, 1.2))
    kit.ground(stage, "/World/ground", kit.material(stage, "/World/asphalt", (0.1, 0.1, 0.1), 0.8))
    brick = kit.material(stage, "/World/brick", (0.4, 0.25, 0.2), 0.9)
    for k in range(40):
        x, side = 8.0 * (k // 2) - 20, 1 if k % 2 else -1
        kit.box(stage, f"/World/house_{k}", (x, 9 * side - 3, 0), (x + 7, 9 * side + 3, float(rng.uniform(5, 12))), brick)
    ball = kit.sphere(32)
    paint = [kit.material(stage, f"/World/paint_{k}", tuple(map(float, rng.uniform(0.05, 0.7, 3))), 0.25 + 0.2 * k) for k in range(4)]
    for k in range(OBJECTS):
        path = kit.mover(stage, f"thing_v0_{k}", k + 1, kit.pose(x=2 + 0.4 * k, y=float(rng.uniform(-5, 5)), z=0.5, scale=0.5))
        kit.mesh(stage, f"{path}/body", *ball, paint[k % 4]) if k % 2 else kit.box(stage, f"{path}/body", (-1, -1, -1), (1, 1, 1), paint[k % 4])
    return stage


def median_ms(action, repeats: int) -> float:
    """Median duration of a call [ms]; the first call is not counted."""
    action()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)) * 1e3


def main() -> None:
    """Print the FIGURE lines of this benchmark."""
    stage = street()
    T = kit.pose(x=-6, z=1.7)
    lidar, name = load_sensor("vlp32c")
    sensors = {
        "frame_640x480": MountedSensor(kit.pinhole(640, 480, 500.0), "test", T @ T_FORWARD_OPTICAL),
        "lidar_vlp32c": MountedSensor(lidar, name, T),
    }
    sample = Sample(FrameId("bench", 0, 0))
    for label, sensor in sensors.items():
        backend = WarpBackend()
        backend.open(stage, ResolvedRig("bench", {label: sensor}), {"car": 1})
        backend.apply(sample)
        spent = median_ms(lambda backend=backend: asyncio.run(backend.capture()), 5)
        print(f"FIGURE {label} value={spent:.0f} unit=ms peer=none ratio=nan")
        backend.close()
    backend = WarpBackend()
    backend.open(stage, ResolvedRig("bench", {}), {"car": 1})
    attributes = [stage.GetPrimAtPath(f"/Tailgate/Objects/thing_v0_{k}").GetAttribute("xformOp:transform") for k in range(OBJECTS)]
    poses = [kit.gf(kit.pose(x=2 + 0.4 * k, z=0.5, scale=0.5)) for k in range(OBJECTS)]
    with Sdf.ChangeBlock():
        for attribute, pose in zip(attributes, poses, strict=True):
            attribute.Set(pose)
    spent = median_ms(lambda: backend.apply(sample), 20)
    print(f"FIGURE update_200_objects value={spent:.2f} unit=ms peer=none ratio=nan")
    backend.close()


if __name__ == "__main__":
    main()
