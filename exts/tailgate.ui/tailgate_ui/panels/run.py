"""The run: start, hold, stop; how far each cell is, how fast it goes and what came of it."""

from __future__ import annotations

import time
from typing import Any

import omni.ui as ui

from tailgate_ui import look
from tailgate_ui.panels.panel import Panel
from tailgate_ui.state import Cell, Run, State, clock


class RunPanel(Panel):
    """Buttons, progress per cell, pace, notes."""

    title = "Run"

    def shows(self, state: State) -> tuple[Any, ...]:
        ticking = int(time.monotonic()) if state.run.since is not None else 0
        return state.run, state.busy, bool(state.budget.facts), ticking

    def build(self, state: State) -> None:
        run, session = state.run, self.session
        with ui.VStack(spacing=look.GAP, height=0):
            with ui.HStack(height=28, spacing=look.GAP):
                if run.phase in ("paused", "pausing"):
                    look.button("Resume", session.resume, True, "main", width=ui.Fraction(1), height=28)
                else:
                    look.button("Run", session.run, bool(state.budget.facts) and not state.busy, "main", width=ui.Fraction(1), height=28)
                look.button("Pause", session.pause, run.phase == "running", width=ui.Fraction(1), height=28)
                look.button("Stop", session.stop, run.active and run.phase != "stopping", width=ui.Fraction(1), height=28)
            if run.phase != "idle":
                self._standing(run)
            for cell in run.cells:
                self._cell(cell)
            if run.cells:
                self._results(run)
            for note in run.notes:
                look.sentence(note, "warning")

    def _standing(self, run: Run) -> None:
        """Phase, pace and what is under way."""
        pace = run.pace(time.monotonic())
        parts = [
            f"round {run.round}: {run.clips} of {run.planned} clips" if run.round is not None else "",
            f"{pace.clips:,.0f} clips/h" if pace.clips else "",
            f"{pace.instances:,.0f} instances/h" if pace.instances else "",
            f"about {clock(pace.left_s)} left" if pace.left_s and run.since is not None else "",
        ]
        with ui.HStack(height=look.ROW, spacing=8):
            with ui.VStack(width=0):
                ui.Spacer()
                look.pill(run.phase)
                ui.Spacer()
            ui.Label(" · ".join(filter(None, parts)), name="faint", elided_text=True)
        if run.said:
            look.sentence(run.said, run.phase)
        if run.busy and run.active:
            look.text(f"{run.busy} …", "faint")

    def _cell(self, cell: Cell) -> None:
        met = cell.achieved >= cell.target
        with ui.VStack(height=0, spacing=2):
            with ui.HStack(height=18):
                ui.Label(cell.name, elided_text=True)
                ui.Label(f"{cell.achieved:,} of {cell.target:,}", name="good" if met else "", width=90, alignment=ui.Alignment.RIGHT_CENTER)
            bar = ui.ProgressBar(name="met" if met else "", height=6, identifier=cell.name)
            bar.model.set_value(cell.share)
            if cell.lost:
                ui.Label(f"clips lost: {cell.lost}", name="faint", height=16, elided_text=True)

    def _results(self, run: Run) -> None:
        with ui.HStack(height=look.ROW, spacing=look.GAP):
            look.button("Open folder", self.session.open_output, bool(run.out))
            look.button("Open report", self.session.open_report, bool(run.report))
            ui.Label(run.out, name="faint", elided_text=True)
