"""Long work on a stage beside an application's event loop: the loop and the work take turns, so that no two threads ever touch the stage at once.

The work runs in a thread of its own while the loop's thread waits for it; after ``SLICE`` seconds, at the next ``breathe``, it is the loop's turn
for one iteration. What takes long therefore calls ``breathe`` in its loops; where nobody takes turns with it, ``breathe`` does nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

SLICE = 0.02
"""Seconds of work between two iterations of the loop."""

_of_thread = threading.local()
_under_way: set[_Turns] = set()


def breathe() -> None:
    """Let the loop have its turn, if there is one and it has waited long enough."""
    if _under_way:
        turns = getattr(_of_thread, "turns", None)
        if turns is not None:
            turns.offer()


async def in_turns(function: Callable[..., T], *args: Any) -> T:
    """Call ``function(*args)`` by turns with the running loop. A caller that is cancelled ends the work at its next ``breathe``."""
    turns, cancelled = _Turns(lambda: function(*args)), False
    while turns.work():
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            turns.stop = cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return turns.result()


class _Stopped(BaseException):
    """Unwinds work that nobody waits for any more."""


class _Turns:
    """Work in a thread, and whose turn it is."""

    def __init__(self, call: Callable[[], Any]):
        self._call, self._began, self.stop = call, 0.0, False
        self._work, self._loop = threading.Semaphore(0), threading.Semaphore(0)
        self._outcome: tuple[Any, BaseException | None] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def work(self) -> bool:
        """One turn of the work, seen from the loop's thread; False when it is done."""
        self._work.release()
        self._loop.acquire()
        return self._outcome is None

    def offer(self) -> None:
        """Seen from the work's thread: hand over if the turn was long enough."""
        if time.perf_counter() - self._began >= SLICE:
            self._loop.release()
            self._wait()

    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        value, error = self._outcome
        if error is not None:
            raise error
        return value

    def _wait(self) -> None:
        self._work.acquire()
        self._began = time.perf_counter()
        if self.stop:
            raise _Stopped

    def _run(self) -> None:
        _of_thread.turns = self
        _under_way.add(self)
        outcome: tuple[Any, BaseException | None] = (None, None)
        try:
            self._wait()
            outcome = self._call(), None
        except BaseException as error:
            outcome = None, error
        finally:
            _under_way.discard(self)
            self._outcome = outcome
            self._loop.release()
