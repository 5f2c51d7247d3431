"""All cameras of a rig: one capture of the renderer at a time, taken again until it shows the stage as it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from tailgate.config.rig import MountedSensor
from tailgate.errors import TailgateError
from tailgate.frames import ObjectView, Sample, SensorFrame
from tailgate.render.raytrace.live import LiveScene
from tailgate.render.raytrace.visibility import Seen
from tailgate.stage.watch import StageState

from tailgate_rtx.calm import Calm
from tailgate_rtx.cameras import Eye, NotReady, Rendering, misplaced
from tailgate_rtx.image_kernels import Taken
from tailgate_rtx.labels import Paths
from tailgate_rtx.subframes import Change, subframes

TRIES = 6
"""Captures that may be empty or late before the renderer is given up."""
KEYS = {"dusk": 0.55, "night": 0.3}
DAY_KEY = 0.52
"""Brightness that automatic exposure aims for, by the condition ``light``, as a share of a log-average of 0.2. By day the embedded renderer meters
the light that falls on the ground, whose unit RTX does not tell; this gives its pictures' brightness on the shipped street."""
LOADING = 3600
"""Updates of the application in which a stage's assets must be loaded."""

Poses = dict[str, np.ndarray]


class Pictures:
    """The cameras.

    Args:
        live: the stage on our device.
        sensors: name -> model and place, path of its prim.
        on_gpu: whether annotators hand out buffers of the GPU.
    """

    def __init__(self, live: LiveScene, sensors: dict[str, tuple[MountedSensor, str]], on_gpu: bool):
        self._live = live
        self._before: StageState | None = None
        self._eyes: dict[str, Eye] = {}
        try:
            for name, (mounted, path) in sensors.items():
                self._eyes[name] = Eye(name, mounted, path, live.device, on_gpu)
        except BaseException:
            self.close()
            raise

    def forget(self) -> None:
        """The stage was changed by somebody: the next picture is as good as a first one."""
        self._before = None

    async def shoot(self, state: StageState, poses: Poses, seen: Seen, calm: Calm) -> dict[str, tuple[Taken, ObjectView]]:
        """What the cameras see now, and what they see of each object.

        Raises:
            StageDisturbed: the stage was changed meanwhile.
            TailgateError: the renderer gives nothing, or an earlier state, however often it is asked.
        """
        if not self._eyes:
            return {}
        paths = Paths(self._live.watch.stage, self._live.watch.arrays.movers, self._live.labels)
        count, reason = subframes(Change.between(self._before, state), path_tracing()), ""
        if self._before is None:
            await self._warm_up(count, poses, paths)
        for _ in range(TRIES):
            try:
                taken = await self._step(count, poses, paths)
            except NotReady as error:
                reason = str(error)
                continue
            views = await asyncio.to_thread(self._look, taken, poses, seen)
            calm.check()
            late = [(name, row) for name, view in views.items() for row in misplaced(view)]
            if not late:
                self._before = replace(state, materials=state.materials.copy())
                return {name: (taken[name], views[name]) for name in taken}
            name, row = late[0]
            path = self._live.watch.arrays.movers[int(seen.mover[row])].prim.GetPath()
            reason, count = f"sensor '{name}' shows {path} where it was before, after {count} subframes", 2 * count
        raise TailgateError(f"the renderer gives no picture of the present stage in {TRIES} captures: {reason}")

    async def develop(self, shots: dict[str, tuple[Taken, ObjectView]], poses: Poses, sample: Sample) -> dict[str, SensorFrame]:
        """Frames of what was taken: fog, exposure and colours by the sample's hints and light."""
        light = Rendering(
            fog=float(sample.hints.get("fog_extinction", 0.0)),
            exposure=sample.hints.get("exposure"),
            key=KEYS.get(sample.conditions.get("light", ""), DAY_KEY),
        )
        return {n: await asyncio.to_thread(self._eyes[n].finish, taken, view, poses[n], light) for n, (taken, view) in shots.items()}

    async def _warm_up(self, count: int, poses: Poses, paths: Paths) -> None:
        """Wait for assets, and let a first picture pass, with which shaders are compiled."""
        for eye in self._eyes.values():
            await asyncio.to_thread(eye.prepare)
        await assets_loaded()
        with suppress(NotReady):
            await self._step(count, poses, paths)

    async def _step(self, count: int, poses: Poses, paths: Paths) -> dict[str, Taken]:
        """One capture of all cameras while the timeline stands; everything is copied before the next frame begins."""
        import omni.replicator.core as rep

        self._switch(True)
        try:
            await rep.orchestrator.step_async(rt_subframes=count, delta_time=0.0, pause_timeline=True)
            return {name: eye.take(poses[name], paths) for name, eye in self._eyes.items()}
        finally:
            self._switch(False)

    def _look(self, taken: dict[str, Taken], poses: Poses, seen: Seen) -> dict[str, ObjectView]:
        return {name: eye.look(taken[name], self._live.scene, poses[name], seen) for name, eye in self._eyes.items()}

    def _switch(self, on: bool) -> None:
        for eye in self._eyes.values():
            eye.product.switch(on)

    def close(self) -> None:
        """Destroy all products; safe to call twice."""
        for eye in self._eyes.values():
            eye.product.close()
        self._eyes = {}


def path_tracing() -> bool:
    """Whether the renderer samples every frame anew."""
    return setting("/rtx/rendermode") == "PathTracing"


def setting(path: str) -> Any:
    """A setting of the application."""
    import carb.settings

    return carb.settings.get_settings().get(path)


async def assets_loaded() -> None:
    """Wait until the stage's assets are loaded."""
    import omni.kit.app
    from isaacsim.core.simulation_manager import SimulationManager

    app = omni.kit.app.get_app()
    for _ in range(LOADING):
        await app.next_update_async()
        if not SimulationManager.assets_loading():
            return
    raise TailgateError(f"the stage's assets are not loaded after {LOADING} updates of Isaac Sim: is the asset server within reach?")
