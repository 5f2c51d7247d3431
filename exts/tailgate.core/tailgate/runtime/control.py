"""What a face can ask of a run under way: to wait, and to go on. Ending it is cancelling its task; the same command resumes."""

from __future__ import annotations

import asyncio


class Control:
    """Holds a run between clips; clips that have begun are finished and recorded."""

    def __init__(self) -> None:
        self._going = asyncio.Event()
        self._going.set()
        self._waiting = 0

    @property
    def paused(self) -> bool:
        """Whether new clips are held back."""
        return not self._going.is_set()

    @property
    def resting(self) -> bool:
        """Whether the run has finished what it had begun and waits."""
        return self._waiting > 0

    def pause(self) -> None:
        """Start no new clip."""
        self._going.clear()

    def resume(self) -> None:
        """Go on."""
        self._going.set()

    async def ready(self) -> None:
        """Wait until the run may go on."""
        self._waiting += 1
        try:
            await self._going.wait()
        finally:
            self._waiting -= 1
