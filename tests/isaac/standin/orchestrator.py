"""omni.replicator.core.orchestrator: captures, their subframes and the timeline meanwhile."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

from .checks import NoBehaviour, behaves
from .products import Products
from .settings import Settings, setting
from .sim import Sim, sim, within_loop
from .timeline import STEP, Timeline


@behaves("omni.replicator.core.orchestrator.OrchestratorError")
class OrchestratorError(Exception):
    """A call that the orchestrator refuses."""


@behaves("omni.replicator.core.orchestrator.OrchestratorStatus")
class OrchestratorStatus(enum.Enum):
    """What the orchestrator is doing."""

    STOPPED = 0
    STARTED = 1
    STARTING = 2
    LOADING = 3
    STOPPING = 4
    PAUSED = 5
    INITIALIZING = 6
    STEPPING = 7
    STEPPED = 8


class Orchestrator:
    """State of the orchestrator.

    Attributes:
        step: None outside a capture; else what the timeline does in this tick: 0 stands still, -1 its usual way, more than 0 so many seconds.
        last: whether this tick is the last subframe of a capture.
        captures: captures so far.
    """

    def __init__(self, owner: Sim):
        self.owner = owner
        self.status = OrchestratorStatus.STOPPED
        self.capture_on_play = True
        self.step: float | None = None
        self.last = False
        self.subframes = 1
        self.next_subframes = 0
        self.captures = 0
        self.busy = False
        self.deltas: set[bool] = set()
        self.stopped_since = True
        self.callbacks: list[Callable[[OrchestratorStatus], None]] = []

    def become(self, status: OrchestratorStatus) -> None:
        """Change the status and tell who asked."""
        self.status = status
        for function in list(self.callbacks):
            function(status)

    def clock(self) -> float | None:
        """What the timeline is to do in this tick: None for its usual way."""
        return None if self.step is None or self.step < 0 else self.step

    def rendered(self) -> None:
        """After every tick's rendering: decide what annotators hand out, and let the writers write where a capture is complete."""
        from .writers import Writers

        if self.busy and not self.last:
            return
        playing = self.capture_on_play and not self.busy and self.owner.part(Timeline).playing
        for product in self.owner.part(Products).all.values():
            self._give(product)
        if self.busy or playing:
            self.captures += 1
            self.owner.part(Writers).capture()

    def _give(self, product: Any) -> None:
        if not product.enabled:
            return
        product.captures += 1
        stale, empty = self.owner.fault("stale_frames"), self.owner.fault("empty_first_frame")
        given = product.latest
        if stale is not None and self.busy and self.subframes < stale["subframes"]:
            given = product.captured
        if empty is not None and product.captures <= empty["frames"]:
            given = None
        product.given = given
        if self.busy:
            product.captured = product.latest


def _ticks(rt_subframes: int, pause_timeline: bool, delta_time: float | None, wait_for_render: bool) -> Iterator[None]:
    """Run one capture; the caller lets an app tick pass at every yield."""
    held, timeline = sim().part(Orchestrator), sim().part(Timeline)
    if not wait_for_render:
        raise NoBehaviour("the stand-in has no behaviour for wait_for_render=False")
    if held.busy:
        raise OrchestratorError("a step is under way already")
    if sim().flavour == "5.1" and delta_time is None and True in held.deltas and held.stopped_since:
        raise TypeError("unsupported operand type(s): delta_time None after a number, the orchestrator having been stopped between")
    if setting("/rtx/rendermode") == "PathTracing" and not setting("/rtx/pathtracing/totalSpp"):
        raise OrchestratorError("/rtx/pathtracing/totalSpp must be above 0 to capture in PathTracing")
    held.busy, held.last = True, False
    try:
        if held.status == OrchestratorStatus.STOPPED:
            for status in (OrchestratorStatus.STARTING, OrchestratorStatus.INITIALIZING):
                held.become(status)
            held.step = 0.0
            yield
        if held.capture_on_play:
            timeline.playing = True
        timeline.commit()
        held.become(OrchestratorStatus.STEPPING)
        held.subframes = _subframes(rt_subframes)
        first = _first_step(held, timeline, delta_time)
        held.deltas.add(delta_time is not None)
        held.stopped_since = False
        for number in range(held.subframes):
            held.step = first if number == 0 else 0.0
            held.last = number + 1 == held.subframes
            yield
        if pause_timeline:
            timeline.playing = False
        held.become(OrchestratorStatus.STEPPED)
    finally:
        held.busy, held.last, held.step = False, False, None


def _first_step(held: Orchestrator, timeline: Timeline, delta_time: float | None) -> float:
    """Time that passes in the first subframe [s]; a given step does not apply to the first capture."""
    if delta_time is None:
        return STEP if timeline.playing else 0.0
    return 0.0 if held.stopped_since else float(delta_time)


def _subframes(asked: int) -> int:
    held = sim().part(Orchestrator)
    least = int(setting("/omni/replicator/RTSubframes") or 1)
    out = max(least, asked, held.next_subframes)
    held.next_subframes = 0
    if setting("/rtx/rendermode") == "PathTracing":
        out = max(out, int(setting("/rtx/pathtracing/totalSpp")) // max(int(setting("/rtx/pathtracing/spp") or 1), 1))
    return out


def blocking(name: str) -> None:
    """Refuse a blocking call inside Kit's loop and outside a SimulationApp."""
    if sim().mode != "standalone" or within_loop():
        raise OrchestratorError(f"{name} blocks and would never return inside Kit's own loop: await {name}_async")


def finish() -> None:
    """Stop a stepped orchestrator and flush what writers have queued."""
    from .backends import Queue
    from .writers import Writers

    held = sim().part(Orchestrator)
    if held.status != OrchestratorStatus.STOPPED:
        held.become(OrchestratorStatus.STOPPING)
        sim().part(Writers).final()
        held.become(OrchestratorStatus.STOPPED)
        held.stopped_since = True
        held.capture_on_play = bool(setting("/persistent/omni/replicator/captureOnPlay"))
    sim().part(Queue).flush()


O = "omni.replicator.core.orchestrator."  # noqa: E741


@behaves(O + "step")
def step(rt_subframes=-1, pause_timeline=True, delta_time=None, wait_for_render=True):
    blocking("step")
    for _ in _ticks(rt_subframes, pause_timeline, delta_time, wait_for_render):
        sim().tick()


@behaves(O + "step_async")
async def step_async(rt_subframes=-1, pause_timeline=True, delta_time=None, wait_for_render=True):
    for _ in _ticks(rt_subframes, pause_timeline, delta_time, wait_for_render):
        await sim().next_tick()


@behaves(O + "wait_until_complete")
def wait_until_complete():
    blocking("wait_until_complete")
    finish()


@behaves(O + "wait_until_complete_async")
async def wait_until_complete_async():
    await sim().next_tick()
    finish()


@behaves(O + "run_until_complete")
def run_until_complete(num_frames=None, start_timeline=False):
    blocking("run_until_complete")
    for _ in range(num_frames or 1):
        step()
    finish()


@behaves(O + "run_until_complete_async")
async def run_until_complete_async(num_frames=None, start_timeline=False):
    for _ in range(num_frames or 1):
        await step_async()
    finish()


@behaves(O + "stop")
def stop():
    finish()


@behaves(O + "stop_async")
async def stop_async():
    await sim().next_tick()
    finish()


@behaves(O + "set_capture_on_play")
def set_capture_on_play(value):
    sim().part(Orchestrator).capture_on_play = bool(value)
    sim().part(Settings).put("/omni/replicator/captureOnPlay", bool(value))


@behaves(O + "set_next_rt_subframes")
def set_next_rt_subframes(rt_subframes):
    sim().part(Orchestrator).next_subframes = int(rt_subframes)


@behaves(O + "set_minimum_next_rt_subframes")
def set_minimum_next_rt_subframes(rt_subframes):
    held = sim().part(Orchestrator)
    held.next_subframes = max(held.next_subframes, int(rt_subframes))


@behaves(O + "get_status")
def get_status():
    return sim().part(Orchestrator).status


@behaves(O + "get_is_started")
def get_is_started():
    return sim().part(Orchestrator).status == OrchestratorStatus.STARTED


@behaves(O + "get_is_stopped")
def get_is_stopped():
    return sim().part(Orchestrator).status == OrchestratorStatus.STOPPED


@behaves(O + "get_is_paused")
def get_is_paused():
    return sim().part(Orchestrator).status == OrchestratorStatus.PAUSED


@behaves(O + "register_status_callback")
def register_status_callback(callback):
    held = sim().part(Orchestrator)
    held.callbacks.append(callback)
    return Registered(held.callbacks, callback)


class Registered:
    """A status callback's registration."""

    def __init__(self, held: list[Any], callback: Any):
        self._held, self._callback = held, callback

    def unregister(self) -> None:
        if self._callback in self._held:
            self._held.remove(self._callback)
