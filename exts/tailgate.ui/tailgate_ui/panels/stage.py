"""The open stage: what a run would miss on it, and what of it may be used."""

from __future__ import annotations

from typing import Any

import omni.ui as ui

from tailgate_ui import kit, look
from tailgate_ui.marks import KINDS
from tailgate_ui.panels.panel import Panel
from tailgate_ui.state import State

MORE = ("ego", "parking", "crosswalk", "aisle", "volume")
SHOWN = 12
"""Findings listed at most."""


class StagePanel(Panel):
    """Findings and the tools for what is selected."""

    title = "Stage"

    def __init__(self, session: Any):
        super().__init__(session)
        self._class, self._width, self._reverse, self._more = "", 0.0, False, 0

    def shows(self, state: State) -> tuple[Any, ...]:
        return state.stage, state.busy

    def build(self, state: State) -> None:
        with ui.VStack(spacing=look.GAP, height=0):
            self._verdict(state)
            if state.stage.report is not None:
                self._findings(state.stage.report)
            ui.Rectangle(name="line", height=1)
            self._tools(state)
            if state.stage.said:
                look.sentence(state.stage.said, "problem" if state.stage.wrong else "ok")

    def _verdict(self, state: State) -> None:
        stage, report = state.stage, state.stage.report
        with ui.HStack(height=look.ROW, spacing=8):
            if report is None:
                ui.Label("looking at the stage …" if stage.checking else "not looked at yet", name="faint")
            else:
                word, _, rest = report.verdict.partition(": ")
                with ui.VStack(width=0):
                    ui.Spacer()
                    look.pill(word)
                    ui.Spacer()
                ui.Label("looking again …" if stage.checking else rest, name="faint")
            look.button("Check again", self.session.check_stage, not (stage.checking or state.busy))

    def _findings(self, report: Any) -> None:
        for finding in report.findings[:SHOWN]:
            with ui.HStack(height=0, spacing=8):
                look.sentence(finding.sentence, finding.severity)
                if finding.prim:
                    look.button("Show", lambda path=finding.prim: kit.select(path), height=20, identifier=f"show {finding.prim}")
        if len(report.findings) > SHOWN:
            look.text(f"and {len(report.findings) - SHOWN} more", "faint")

    def _tools(self, state: State) -> None:
        """Use what is selected."""
        selected, free = state.stage.selected, bool(state.stage.selected) and not state.busy
        names = ", ".join(path.rsplit("/", 1)[-1] for path in selected[:3]) + (f" and {len(selected) - 3} more" if len(selected) > 3 else "")
        look.fact("Selected", names or "nothing: select curves or meshes to use them")
        with ui.HStack(height=look.ROW, spacing=look.GAP):
            ui.Label("Use as", name="faint", width=look.LABEL)
            for kind in KINDS:
                look.button(kind, lambda kind=kind: self._mark(kind), free, width=ui.Fraction(1))
            box = ui.ComboBox(self._more, *MORE, width=ui.Fraction(1), identifier="further kind")
            box.model.add_item_changed_fn(lambda model, item: setattr(self, "_more", model.get_item_value_model().get_value_as_int()))
            look.button("Use", lambda: self._mark(MORE[self._more]), free, identifier="use further kind")
        with ui.HStack(height=look.ROW, spacing=look.GAP):
            ui.Label("Width", name="faint", width=look.LABEL, tooltip="of a lane, sidewalk or aisle; 0: its own, or what is usual")
            width = ui.FloatDrag(min=0.0, max=50.0, step=0.1, identifier="Width")
            width.model.set_value(self._width)
            width.model.add_value_changed_fn(lambda model: setattr(self, "_width", model.get_value_as_float()))
            ui.Label("m", name="faint", width=16)
            reverse = ui.CheckBox(width=18, identifier="reverse")
            reverse.model.set_value(self._reverse)
            reverse.model.add_value_changed_fn(lambda model: setattr(self, "_reverse", model.get_value_as_bool()))
            ui.Label("against its direction", name="faint", width=ui.Fraction(1))
        with ui.HStack(height=look.ROW, spacing=look.GAP):
            ui.Label("Class", name="faint", width=look.LABEL, tooltip="the class that the selected prims show")
            box = ui.StringField(identifier="Class")
            box.model.set_value(self._class)
            box.model.add_value_changed_fn(lambda model: setattr(self, "_class", model.get_value_as_string().strip()))
            look.button("Label", lambda: self.session.mark("label", label=self._class), free, tooltip="label the prims with the class")
            look.button("Asset", lambda: self.session.cut(self._class), free, tooltip="cut the prim out as a model of the class")

    def _mark(self, kind: str) -> None:
        self.session.mark(kind, width=self._width, reverse=self._reverse)
