"""Work that buttons start on Kit's loop: by name, one of each at a time, all cancelled when the extension goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """Named tasks.

    Args:
        failed: told of an exception that a task let through; cancelling is none.
    """

    def __init__(self, failed: Callable[[str, BaseException], None]):
        self._failed = failed
        self._held: dict[str, asyncio.Task] = {}

    def start(self, name: str, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Start ``work(*args)`` under a name; what ran under it is cancelled and finished first."""
        self._held[name] = asyncio.ensure_future(self._after(self._held.get(name), name, work, *args))

    def running(self, name: str) -> bool:
        """Whether work of that name is under way."""
        return name in self._held and not self._held[name].done()

    def cancel(self, name: str) -> None:
        """Ask work to end; it still puts things back."""
        if self.running(name):
            self._held[name].cancel()

    def close(self) -> None:
        """Ask all work to end, and say nothing of how it ends."""
        self._failed = lambda name, error: None
        for name in self._held:
            self.cancel(name)

    async def _after(self, before: asyncio.Task | None, name: str, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        try:
            if before is not None and not before.done():
                before.cancel()
                await asyncio.wait([before])
            await work(*args)
        except Exception as error:
            self._failed(name, error)
