"""What feedback changed after each round and why, and whether the data came nearer to real ones it never saw."""

from __future__ import annotations

from typing import Any

import omni.ui as ui

from tailgate_ui import look
from tailgate_ui.panels.panel import Panel
from tailgate_ui.state import Round, State

PARTS = {"feedback": "to the part that feedback reads", "holdout": "to the part held back"}
SHOWN = 8
"""Changes listed of a round."""


class FeedbackPanel(Panel):
    """Distance ratios by round, and the changes of the last one that made any."""

    title = "Feedback"

    def shows(self, state: State) -> tuple[Any, ...]:
        return (state.run.rounds,)

    def build(self, state: State) -> None:
        rounds = state.run.rounds
        with ui.VStack(spacing=look.GAP, height=0):
            if not rounds:
                look.text("Between rounds, what failed changes the settings of the next one. What changed and why appears here.", "faint")
                return
            if any(r.ratio for r in rounds):
                self._ratios(rounds)
            for k, one in enumerate(reversed([r for r in rounds if r.changes])):
                self._changes(one, collapsed=k > 0)

    def _ratios(self, rounds: tuple[Round, ...]) -> None:
        look.text("Distance to the nearest real data, over that of real data to other real data (1 is ideal)", "faint")
        with ui.HStack(height=18, spacing=look.GAP):
            ui.Label("", width=look.LABEL)
            for words in PARTS.values():
                ui.Label(words, name="head", elided_text=True)
        for one in rounds:
            with ui.HStack(height=20, spacing=look.GAP):
                ui.Label(f"round {one.number}", name="faint", width=look.LABEL)
                for part in PARTS:
                    ui.Label(one.nearness(part))

    def _changes(self, one: Round, collapsed: bool) -> None:
        with ui.CollapsableFrame(f"After round {one.number}: {len(one.changes)} settings changed", collapsed=collapsed, height=0):
            with ui.VStack(spacing=look.GAP, height=0):
                for change in one.changes[:SHOWN]:
                    _, randomizer, setting = change["address"].split("/")
                    with ui.VStack(height=0, spacing=1):
                        with ui.HStack(height=18, spacing=8):
                            ui.Label(setting, width=0)
                            ui.Label(randomizer, name="faint", elided_text=True)
                        ui.Label(f"{change['old']}  →  {change['new']}", height=16, elided_text=True)
                        look.text(change["words"], "faint")
                if len(one.changes) > SHOWN:
                    look.text(f"and {len(one.changes) - SHOWN} more in the report", "faint")

