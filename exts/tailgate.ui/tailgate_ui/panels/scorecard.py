"""The last batch: every measure with value, limit, verdict and reason, and how near the data are to real ones."""

from __future__ import annotations

from typing import Any

import omni.ui as ui
from tailgate.report.palette import FAINT

from tailgate_ui import look
from tailgate_ui.panels.panel import Panel
from tailgate_ui.state import Card, Line, Round, State

VALUE, LIMIT, BAR, VERDICT = 62, 62, 70, 74
"""Widths of the columns [px]; the first takes the rest."""
PARTS = {"feedback": "(seen by feedback)", "holdout": "(held back)"}
STRATA = 8
"""Strata shown below an opened measure."""


class ScorecardPanel(Panel):
    """A table of the last batch; a click opens a measure's strata."""

    title = "Scorecard"

    def __init__(self, session: Any):
        super().__init__(session)
        self._open: frozenset[tuple[str, str]] = frozenset()

    def shows(self, state: State) -> tuple[Any, ...]:
        return state.run.card, state.run.rounds, self._open

    def build(self, state: State) -> None:
        card = state.run.card
        with ui.VStack(spacing=3, height=0):
            if card is None:
                look.text("Each batch is judged against your real data before it becomes data. The verdicts appear here.", "faint")
                return
            self._head(card)
            self._nearness(state.run.rounds)
            for line, strata in card.lines:
                opened = (line.sensor, line.metric) in self._open
                self._line(line, "-" if opened else "+" if strata else "")
                if line.verdict == "failed":
                    with ui.HStack(height=0):
                        ui.Spacer(width=22)
                        look.text(line.reason, "bad")
                for part in strata[:STRATA] if opened else ():
                    self._line(part, "")
                if opened and len(strata) > STRATA:
                    look.text(f"      and {len(strata) - STRATA} more in the report", "faint")

    def _head(self, card: Card) -> None:
        with ui.HStack(height=look.ROW, spacing=8):
            with ui.VStack(width=0):
                ui.Spacer()
                look.pill(card.verdict)
                ui.Spacer()
            ui.Label(card.title)
        look.text(card.words, "faint")

    def _nearness(self, rounds: tuple[Round, ...]) -> None:
        """Distance ratio of the last round that was measured, and the heads of the columns."""
        last = next((r for r in reversed(rounds) if r.ratio), None)
        if last is not None:
            parts = " and ".join(f"{last.nearness(part)} {words}" for part, words in PARTS.items() if last.nearness(part))
            look.text(f"round {last.number} lies {parts} times as far from real data as real data from each other", "faint")
        ui.Spacer(height=2)
        with ui.HStack(height=18, spacing=look.GAP):
            ui.Label("measure", name="head")
            for name, width in (("value", VALUE), ("limit", LIMIT)):
                ui.Label(name, name="head", width=width, alignment=ui.Alignment.RIGHT_CENTER)
            ui.Label("value : limit", name="head", width=BAR)
            ui.Label("verdict", name="head", width=VERDICT)
        ui.Rectangle(name="line", height=1)

    def _line(self, line: Line, mark: str) -> None:
        with ui.HStack(height=20, spacing=look.GAP):
            if line.stratum:
                ui.Spacer(width=18)
                ui.Label(line.stratum, name="faint", elided_text=True)
            elif mark:
                look.button(mark, lambda: self._toggle(line), name="bare", width=16, height=18, identifier=f"strata of {line.metric}")
                ui.Label(f"{line.metric}", elided_text=True, tooltip=f"{line.sensor}: {line.reason}")
            else:
                ui.Spacer(width=16)
                ui.Label(line.metric, elided_text=True, tooltip=f"{line.sensor}: {line.reason}")
            ui.Label(line.value, width=VALUE, alignment=ui.Alignment.RIGHT_CENTER)
            ui.Label(line.limit, name="faint", width=LIMIT, alignment=ui.Alignment.RIGHT_CENTER)
            self._bar(line)
            color = look.kit_color(look.VERDICTS.get(line.verdict, FAINT))
            ui.Label(line.verdict, width=VERDICT, style={"color": color})

    def _bar(self, line: Line) -> None:
        """How much of the limit is used; the mark is the limit, the bar ends at twice of it."""
        with ui.VStack(width=BAR):
            ui.Spacer()
            with ui.ZStack(height=6):
                if line.share is not None:
                    color = look.kit_color(look.VERDICTS.get(line.verdict, FAINT))
                    ui.Rectangle(name="track")
                    with ui.HStack():
                        ui.Rectangle(width=max(2.0, BAR / 2 * min(2.0, abs(line.share))), style={"background_color": color, "border_radius": 3})
                        ui.Spacer()
                    with ui.HStack():
                        ui.Spacer(width=BAR / 2 - 1)
                        ui.Rectangle(width=2, name="page")
                        ui.Spacer()
            ui.Spacer()

    def _toggle(self, line: Line) -> None:
        self._open ^= {(line.sensor, line.metric)}
