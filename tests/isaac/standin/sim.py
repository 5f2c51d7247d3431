"""The state of one pretended Isaac Sim: its flavour, its loop and its parts. Everything else keeps its state in a part of it."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from . import table
from .checks import FLAVOUR_OF
from .faults import FAULTS, Fault
from .modules import Importer

P = TypeVar("P")

MODES = ("gui", "standalone")
HUNG_S = 900.0
"""Seconds after which a coroutine counts as hung."""
TICK_S = 0.0005
"""Seconds between ticks of a coroutine that is waited for: what it waits for may run in another thread."""
BEFORE_APP = "SimulationApp must be made before any omni, carb or pxr import"


class Part(Protocol):
    """State of one idea. ``tick`` and ``leftovers`` are optional."""

    def __init__(self, sim: Sim) -> None: ...


class Sim:
    """One Isaac Sim.

    Args:
        flavour: "5.1" or "6.0".
        mode: "gui": an extension inside a running Kit; "standalone": a script that makes its own SimulationApp.
        settings: carb settings as if given on the command line.
    """

    def __init__(self, flavour: str, mode: str = "gui", settings: dict[str, Any] | None = None):
        if flavour not in table.FLAVOURS or mode not in MODES:
            raise ValueError(f"the stand-in plays {table.FLAVOURS} in modes {MODES}, got {flavour!r}, {mode!r}")
        self.flavour, self.mode, self.start_settings = flavour, mode, dict(settings or {})
        self.loop = asyncio.new_event_loop()
        self.rendered_frames: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []
        self._parts: dict[type, Any] = {}
        self._faults: dict[str, Fault] = {}
        self._physics: list[Callable[[float], None]] = []
        self._waiters: list[asyncio.Future] = []
        self.ticks = 0
        self.importer = Importer(flavour)
        self._failures: list[str] = []
        self.loop.set_exception_handler(self._failed)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something in the loop raised and nobody looked: Kit logs it, here it fails the test."""
        self._failures.append(f"error in the loop that nobody saw: {context.get('exception') or context['message']!r}")

    # parts ------------------------------------------------------------------------------------------------------------------------------------------

    def part(self, kind: type[P]) -> P:
        """The one part of a kind, made when first asked for."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)  # type: ignore[call-arg]
        return self._parts[kind]

    def parts(self) -> list[Any]:
        """All parts that were made so far."""
        return list(self._parts.values())

    # what tests ask for -----------------------------------------------------------------------------------------------------------------------------

    @property
    def ui(self) -> Any:
        """What a person sees and clicks; see ``ui.Desk``."""
        from .ui import Desk

        return self.part(Desk)

    @property
    def menus(self) -> Any:
        """Menus, actions, notifications and dialogs; see ``menus.Menus``."""
        from .menus import Menus

        return self.part(Menus)

    @property
    def stage(self) -> Any:
        """The open stage."""
        from .usd import UsdContext

        return self.part(UsdContext).stage

    def use_stage(self, stage: Any) -> None:
        """Take a stage that was made elsewhere as the open one."""
        from .usd import UsdContext

        self.part(UsdContext).use(stage)

    def misbehave(self, name: str, **options: Any) -> None:
        """Switch one fault of the real one on; see ``faults.FAULTS``."""
        if name not in FAULTS:
            raise ValueError(f"unknown fault {name!r}; the stand-in has {', '.join(sorted(FAULTS))}")
        self._faults[name] = FAULTS[name].with_options(options)

    def behave(self, name: str) -> None:
        """Switch a fault off."""
        self._faults.pop(name, None)

    def fault(self, name: str) -> dict[str, Any] | None:
        """Options of a fault that is on, None while it is off."""
        return self._faults[name].options if name in self._faults else None

    def physics(self, function: Callable[[float], None]) -> None:
        """Call ``function(dt)`` at every tick while the timeline plays, before rendering."""
        self._physics.append(function)

    # the loop ---------------------------------------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """One app tick: timeline and physics, update events, rendering, then what waits for the frame and every ready callback."""
        if self.loop.is_running():
            raise RuntimeError("Kit's loop cannot be ticked from inside itself")
        from .kit import Events
        from .orchestrator import Orchestrator
        from .products import Products
        from .timeline import Timeline

        self.ticks += 1
        step = self.part(Timeline).advance(self.part(Orchestrator).clock())
        if step is not None:
            for function in self._physics:
                function(step)
        self.part(Events).update()
        self.part(Products).render()
        self.part(Orchestrator).rendered()
        waiting, self._waiters = self._waiters, []
        for future in waiting:
            if not future.done():
                future.set_result(0.0)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def update(self, count: int = 1) -> None:
        """Several ticks."""
        for _ in range(count):
            self.tick()

    async def next_tick(self) -> float:
        """Wait for the next app tick."""
        if asyncio.get_running_loop() is not self.loop:
            raise RuntimeError("this would wait for ever: the running event loop is not Kit's (use run_coroutine or ensure_future, not asyncio.run)")
        future = self.loop.create_future()
        self._waiters.append(future)
        return await future

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Tick until a coroutine is done and return its result, as Kit does for a task."""
        task = self.loop.create_task(coroutine)
        started = time.monotonic()
        while time.monotonic() - started < HUNG_S:
            self.tick()
            if task.done():
                return task.result()
            time.sleep(TICK_S)
        task.cancel()
        self.tick()
        raise TimeoutError(f"the coroutine was not done after {HUNG_S:g} s")

    # life -------------------------------------------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the place of Isaac Sim's modules."""
        self.importer.open(BEFORE_APP if self.mode == "standalone" else "")
        FLAVOUR_OF.append(self.flavour)
        CURRENT.append(self)
        asyncio.set_event_loop(self.loop)

    def close(self) -> list[str]:
        """Give the modules back and return what was left over."""
        try:
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
            left = [line for part in self.parts() if hasattr(part, "leftovers") for line in part.leftovers()]
            left += self._failures
            left += [f"task still running: {task.get_coro().__qualname__}" for task in asyncio.all_tasks(self.loop)]
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            for part in self.parts():
                if hasattr(part, "close"):
                    part.close()
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
            return left
        finally:
            self.importer.close()
            self.loop.close()
            asyncio.set_event_loop(None)
            CURRENT.pop()
            FLAVOUR_OF.pop()


CURRENT: list[Sim] = []


def sim() -> Sim:
    """The open Isaac Sim."""
    if not CURRENT:
        raise RuntimeError("no stand-in of Isaac Sim is open: what was imported from it is used after its end")
    return CURRENT[-1]


def within_loop() -> bool:
    """Whether the caller runs inside an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def standin(flavour: str = "5.1", mode: str = "gui", settings: dict[str, Any] | None = None) -> Iterator[Sim]:
    """Pretend to be Isaac Sim inside the block. At its end whatever the code under test left behind is an AssertionError."""
    if CURRENT:
        raise RuntimeError("a stand-in is open already")
    made = Sim(flavour, mode, settings)
    made.open()
    failed = True
    try:
        yield made
        failed = False
    finally:
        left = made.close()
        if left and not failed:
            raise AssertionError("left over in Isaac Sim:\n  " + "\n  ".join(left))


def given(function: Callable[..., Any], *values: Any) -> Any:
    """Call a user's callback; a coroutine function is not one."""
    out = function(*values)
    if inspect.iscoroutine(out):
        out.close()
        raise TypeError(f"{function} must be a plain function: Kit does not await callbacks")
    return out
