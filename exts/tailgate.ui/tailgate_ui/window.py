"""The window: panels from top to bottom, each built anew when a part of the state that it shows has changed."""

from __future__ import annotations

import time
from typing import Any

import omni.ui as ui

from tailgate_ui import look
from tailgate_ui.panels.budget import BudgetPanel
from tailgate_ui.panels.feedback import FeedbackPanel
from tailgate_ui.panels.panel import Panel
from tailgate_ui.panels.preview import PreviewPanel
from tailgate_ui.panels.run import RunPanel
from tailgate_ui.panels.scorecard import ScorecardPanel
from tailgate_ui.panels.stage import StagePanel
from tailgate_ui.session import Session

TITLE = "Tailgate"
WIDTH, HEIGHT = 520, 900
PANELS: tuple[type[Panel], ...] = (BudgetPanel, StagePanel, PreviewPanel, RunPanel, ScorecardPanel, FeedbackPanel)
EVERY = 0.2
"""Seconds between two looks at the state."""


class TailgateWindow:
    """Shows a session; Kit may destroy it and ask for another while the session goes on.

    Attributes:
        window: the ``omni.ui.Window``.
    """

    def __init__(self, session: Session):
        self._session = session
        self._panels = [panel(session) for panel in PANELS]
        self._frames: list[Any] = []
        self._shown: list[Any] = [None] * len(PANELS)
        self._last = 0.0
        self.window = ui.Window(TITLE, width=WIDTH, height=HEIGHT)
        self.window.deferred_dock_in("Property", ui.DockPolicy.DO_NOTHING)
        self.window.frame.set_build_fn(self._build)
        self.window.frame.rebuild()

    def refresh(self) -> None:
        """Follow Kit and the session; called at every app update."""
        if not self.window.visible or time.monotonic() - self._last < EVERY:
            return
        self._last = time.monotonic()
        self._session.look()
        for k, (panel, frame) in enumerate(zip(self._panels, self._frames, strict=False)):
            shows = panel.shows(self._session.state)
            if shows != self._shown[k]:
                self._shown[k] = shows
                frame.rebuild()

    def close(self) -> None:
        """Let go of everything but the window itself, which Kit's menu helper destroys."""
        for panel in self._panels:
            panel.close()
        self._frames = []

    def _build(self) -> None:
        self._frames = []
        self._shown = [panel.shows(self._session.state) for panel in self._panels]
        with ui.ScrollingFrame(style=look.style(), horizontal_scrollbar_policy=ui.ScrollBarPolicy.SCROLLBAR_ALWAYS_OFF):
            with look.inset(6, 6), ui.VStack(spacing=8, height=0):
                for panel in self._panels:
                    with ui.CollapsableFrame(panel.title, collapsed=panel.collapsed, height=0):
                        self._frames.append(ui.Frame(build_fn=lambda panel=panel: panel.build(self._session.state), height=0))
