"""Helpers of the tests of the backend ``isaac`` through the stand-in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scene import FOCAL_PX, SIZE, street
from stage_kit import pinhole, pose, rig_of
from tailgate.config.rig import ResolvedRig
from tailgate.config.sensor import LidarModel
from tailgate.frames import Frame, FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend

LABELS = {"road": 1, "car": 2}
SAMPLE = Sample(FrameId("test", 0, 0))
BEAMS = {"elevation_deg": [-12.0, -8.0, -4.0, -2.0, 0.0, 2.0], "azimuth_offset_deg": [1.4, -1.4, 4.2, -4.2, 0.0, 0.0]}
STABLE = {"/rtx-transient/stableIds/enabled": True}


def scanner(**more: Any) -> LidarModel:
    """A LiDAR of six beams that look aside of the head and fire one after the other."""
    return LidarModel(**{**BEAMS, "firing_us": [0, 5, 10, 15, 20, 25], "columns": 180, "range_min": 0.5, "range_max": 100, **more})


def rig(camera: Any = None, lidar: LidarModel | None = None) -> ResolvedRig:
    """A rig 1.5 m above the street; a pinhole where nothing is given."""
    return rig_of(camera or (None if lidar else pinhole(*SIZE, FOCAL_PX)), lidar, T_rig=pose(0, 0, 1.5))


def embedded(sensors: ResolvedRig, sample: Sample = SAMPLE, stage: Any = None) -> Frame:
    """The same street through the embedded renderer."""
    backend = WarpBackend()
    backend.open(stage or street(), sensors, LABELS)
    try:
        backend.apply(sample)
        return asyncio.run(backend.capture())
    finally:
        backend.close()


def drive(sim: Any, coroutine: Coroutine[Any, Any, Any], seconds: float = 240.0) -> Any:
    """Let Kit tick until a coroutine is done. Threads work beside it, so that ticks are spread over time as a real one's are."""
    task, end = sim.loop.create_task(coroutine), time.monotonic() + seconds
    while not task.done():
        sim.tick()
        time.sleep(0.0005)
        if time.monotonic() > end:
            task.cancel()
            sim.tick()
            raise TimeoutError(f"not done after {seconds:g} s")
    return task.result()


@contextmanager
def opened(sim: Any, sensors: ResolvedRig, stage: Any = None, views: bool = False) -> Iterator[Any]:
    """The backend on a street; with ``views`` annotators hand out views of the renderer's buffers, as on a GPU."""
    from tailgate_rtx.backend import RtxBackend

    held = stage or street()
    sim.use_stage(held)
    backend = RtxBackend("cpu")
    backend.on_gpu = views
    backend.open(held, sensors, LABELS)
    try:
        yield backend
    finally:
        backend.close()
        backend.close()


def capture(sim: Any, backend: Any, sample: Sample = SAMPLE, tick: int = 0) -> Frame:
    """One frame."""
    backend.apply(sample)
    return drive(sim, backend.capture(tick))


def differing(a: Frame, b: Frame, passed: tuple[str, ...] = ()) -> list[str]:
    """Channels and views in which two frames differ, ``passed`` left out."""
    out = []
    for name, sensor in a.sensors.items():
        other = b.sensors[name]
        for channel, values in sensor.channels.items():
            if channel not in passed and not np.array_equal(np.asarray(values), np.asarray(other.channels[channel])):
                out.append(f"{name}/{channel}")
        out += [f"{name}/view.{f}" for f in vars(sensor.view) if not np.array_equal(getattr(sensor.view, f), getattr(other.view, f))]
    same = all(np.array_equal(getattr(a.objects, f), getattr(b.objects, f)) for f in ("instance", "class_name", "T_world_box", "size", "asset"))
    return out if same else [*out, "objects"]
