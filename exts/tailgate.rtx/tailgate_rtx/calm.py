"""Whether somebody changes the stage between ``apply`` and the end of ``capture``: such a frame would not be its sample's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailgate.render.backend import StageDisturbed
from tailgate.stage.watch import of_application

if TYPE_CHECKING:
    from pxr import Usd


class Calm:
    """Listens to a stage. Tailgate's own writes come before ``begin``; what follows is somebody else's. Call ``close`` when done.

    The application's own prims (viewport cameras, render products) and metadata of the stage, such as the timeline's range, do not count.
    """

    def __init__(self, stage: Usd.Stage):
        from pxr import Tf, Usd

        self._first: str | None = None
        self._listener = Tf.Notice.Register(Usd.Notice.ObjectsChanged, self._on_change, stage)

    def begin(self) -> None:
        """From now on every change counts."""
        self._first = None

    def check(self) -> None:
        """Raise StageDisturbed where something was changed since ``begin``."""
        if self._first is not None:
            raise StageDisturbed(f"{self._first} was changed while the frame was taken")

    def _on_change(self, notice: Usd.Notice.ObjectsChanged, sender: Usd.Stage) -> None:
        changed = [p for p in notice.GetChangedInfoOnlyPaths() if p.pathString != "/"]
        for path in (*changed, *notice.GetResyncedPaths()):
            if not of_application(path):
                self._first = self._first or path.pathString
                return

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._listener:
            self._listener.Revoke()
        self._listener = None
