"""A run without a window: what a worker on a render node does once Kit is there, and when it asks to be started again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.errors import TailgateError
from tailgate.runtime.events import Event
from tailgate.runtime.run import Crew, generate
from tailgate.runtime.spec import RunOptions
from tailgate.runtime.supervise import RECYCLE, Told


@dataclass(frozen=True)
class Life:
    """How long a worker lives.

    Attributes:
        clips: it is recycled after this many.
        growth_gb: or once its memory has grown by this much since its first clip.
    """

    clips: int = 2000
    growth_gb: float = 8.0


class Worker:
    """Drives one run on Kit's loop until it is done, or until this process has lived long enough.

    Args:
        options: of the run.
        life: of this process.
        say: hears one line per event that people want to read.
    """

    def __init__(self, options: RunOptions, life: Life = Life(), say: Callable[[str], None] = print):
        self.options, self.life, self.say = options, life, say
        self._told, self._clips, self._base_gb = Told(), 0, None
        self._task: asyncio.Task | None = None
        self._enough = False

    async def run(self) -> int:
        """Exit code of the run: 0, 1, 2 or 3 as of ``tailgate generate``, or RECYCLE."""
        code = await self._outcome()
        self._told.ends(code)
        return code

    def stop(self) -> None:
        """End the run after what is under way is recorded; the same command resumes."""
        self._enough = True
        if self._task is not None:
            self._task.cancel()

    async def _outcome(self) -> int:
        self._told.beat()
        self._task = asyncio.ensure_future(generate(self.options, self._listen, Crew()))
        try:
            summary = await self._task
        except asyncio.CancelledError:
            if self._enough:
                return RECYCLE
            raise
        except TailgateError as error:
            self.say(f"error: {error}")
            return error.exit_code
        self.say(f"{'budget met' if summary.met else f'stopped: {summary.reason}'}; report: {summary.report}")
        return summary.exit_code

    def _listen(self, event: Event) -> None:
        done = event.kind == "clip"
        self._told.beat(int(done))
        if line := words(event):
            self.say(line)
        if not done:
            return
        self._clips += 1
        held = resident_gb()
        self._base_gb = held if self._base_gb is None else self._base_gb
        if self._clips >= self.life.clips or held - self._base_gb > self.life.growth_gb:
            self.stop()


def words(event: Event) -> str:
    """One line of a log for an event, "" for those that nobody reads in one."""
    data = event.data
    if event.kind == "started":
        return f"{data['name']} -> {data['out']}"
    if event.kind in ("note", "busy"):
        return f"{event.kind}: {data['text']}"
    if event.kind == "batch":
        cells = ", ".join(f"{name} {n}" for name, n in sorted(data["achieved"].items()))
        codes = f" ({', '.join(data['codes'])})" if data["codes"] else ""
        return f"round {data['round']} batch {data['batch']}: {data['verdict']}{codes}; achieved: {cells or 'nothing yet'}"
    if event.kind == "round_closed":
        return "\n".join(f"feedback: {change}" for change in data["changes"])
    return ""


def resident_gb() -> float:
    """Memory of this process in use [GB]; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (OSError, ValueError):
        return 0.0


def run_in_app(app: Any, make: Callable[[], Worker]) -> int:
    """Run a worker in a SimulationApp and close it with the run's exit code; a termination signal ends the run in good order.

    Args:
        app: the SimulationApp.
        make: makes the worker; what it raises is the user's mistake.
    """
    from tailgate_rtx.releases import close_arguments

    try:
        worker = make()
        signal.signal(signal.SIGTERM, lambda number, frame: worker.stop())
        code = app.run_coroutine(worker.run())
    except TailgateError as error:
        print(f"error: {error}", flush=True)
        code = error.exit_code
        Told().ends(code)
    app.close(**close_arguments(code))
    return code
