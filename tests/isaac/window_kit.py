"""A user of the window in the stand-in: files to choose, a stage to have open, and a Kit that ticks while threads work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from small_street import small_budget, small_rig, small_scenario, write_street
from standin import Sim
from standin.products import Products
from tailgate.config.load import dump
from tailgate.turns import _Turns

EXTENSION = "tailgate.ui-0.1.0"
MENU = "Tools/Replicator/Tailgate"
TICK = 0.002
"""Seconds a tick lasts at least, so that threads get on."""


def write_files(folder: Path) -> Path:
    """A budget with its scenario and rig in a folder; returns the budget's file."""
    rig = {"name": "small", "sensors": {}}
    for name, sensor in small_rig().sensors.items():
        xyz = [float(v) for v in sensor.T_rig_sensor[:3, 3]]
        rig["sensors"][name] = {"model": sensor.model.model_dump(mode="json", exclude_none=True), "mount": {"xyz": xyz}}
    (folder / "rig.yaml").write_text(dump(rig))
    (folder / "scenario.yaml").write_text(dump(small_scenario(write_street(folder / "street.usda"))))
    budget = small_budget(scenarios=[{"file": "scenario.yaml"}], rig="rig.yaml", limits={"rounds": 2, "batch_clips": 2, "batches_per_round": 1})
    budget = budget.model_copy(update={"reference": budget.reference.model_copy(update={"kind": "none"})})
    (folder / "budget.yaml").write_text(dump(budget))
    return folder / "budget.yaml"


class User:
    """Somebody at the window.

    Attributes:
        gaps: seconds of Kit's thread that each tick took beside the stand-in's own drawing.
        turns: seconds of its thread that work on the stage took while Kit's thread waited for it, for each turn.
    """

    def __init__(self, sim: Sim):
        self.sim, self.gaps, self.turns = sim, [], []
        self._extension: Any = None
        self._needed: Any = None

    @property
    def state(self) -> Any:
        """What the session holds."""
        return self._extension._session.state

    @property
    def session(self) -> Any:
        """The extension's session."""
        return self._extension._session

    def enable(self) -> None:
        """Enable the extension and the one it needs as Kit does it: modules are imported anew, and the class is looked for in the package."""
        import omni.ext  # noqa: F401

        for name in [n for n in sys.modules if n.split(".")[0] in ("tailgate_ui", "tailgate_rtx")]:
            del sys.modules[name]
        import tailgate_rtx
        import tailgate_ui

        self._needed = tailgate_rtx.RtxExtension()
        self._needed.on_startup("tailgate.rtx-0.1.0")
        self._extension = tailgate_ui.TailgateWindowExtension()
        self._extension.on_startup(EXTENSION)

    def disable(self) -> None:
        """Disable it and let what it cancelled come to its end."""
        self._extension.on_shutdown()
        self._extension = None
        self.settle()
        self._needed.on_shutdown()

    def tick(self) -> None:
        """One tick of Kit, and how much work it was."""
        started, self._drawing = time.thread_time(), 0.0
        with timed(self.sim.part(Products), "render", self._drew), between(_Turns, "_wait", self.turns.append):
            self.sim.tick()
        self.gaps.append(time.thread_time() - started - self._drawing)
        time.sleep(TICK)

    def _drew(self, seconds: float) -> None:
        self._drawing += seconds

    def settle(self) -> None:
        """Tick until no task runs."""
        import asyncio

        self.until(lambda: not asyncio.all_tasks(self.sim.loop))

    def until(self, done: Callable[[], Any], seconds: float = 120.0) -> None:
        """Tick until something is so."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"not so after {seconds:g} s; the window says {self.sim.ui.texts()}")
            self.tick()

    def sees(self, words: str) -> bool:
        """Whether words can be read in the window."""
        return any(words in text for text in self.sim.ui.texts())

    def types(self, field: str, text: str) -> None:
        """Type into the field of a label and leave it."""
        self.sim.ui.find("StringField", identifier=field)._type(text)


@contextmanager
def timed(owner: Any, name: str, told: Callable[[float], None]) -> Iterator[None]:
    """A method of an object that tells how much of its thread's time it took."""
    plain = getattr(owner, name)

    def call() -> Any:
        started = time.thread_time()
        try:
            return plain()
        finally:
            told(time.thread_time() - started)

    setattr(owner, name, call)
    try:
        yield
    finally:
        delattr(owner, name)


_left = threading.local()


@contextmanager
def between(owner: type, name: str, told: Callable[[float], None]) -> Iterator[None]:
    """A method of a class that tells how much of its thread's time has gone since it returned there before."""
    plain = getattr(owner, name)

    def call(self: Any) -> None:
        if getattr(_left, "at", None) is not None:
            told(time.thread_time() - _left.at)
        plain(self)
        _left.at = time.thread_time()

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, plain)


@contextmanager
def window(sim: Sim) -> Iterator[User]:
    """The extension, enabled, with its window open; disabled at the end."""
    user = User(sim)
    user.enable()
    try:
        sim.menus.click(MENU)
        user.tick()
        yield user
    finally:
        user.disable()
