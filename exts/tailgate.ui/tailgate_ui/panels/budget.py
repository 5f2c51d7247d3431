"""Which budget, on which stage, against which data, into which folder; and what is wrong with that."""

from __future__ import annotations

from typing import Any

import omni.ui as ui
from tailgate.config.scenario import OPEN_STAGE

from tailgate_ui import look
from tailgate_ui.panels.panel import Panel
from tailgate_ui.picker import Picker
from tailgate_ui.state import State

BASES = {"the stage that is open": OPEN_STAGE, "the scenarios' own stages": ""}


class BudgetPanel(Panel):
    """Fields and the budget's check."""

    title = "Budget"

    def __init__(self, session: Any):
        super().__init__(session)
        self._pickers = {
            "Budget": Picker("Choose a budget", lambda path: session.choose(budget=path), session.refuse, (".yaml", "Budget (*.yaml)")),
            "Real data": Picker("Choose the root of the real data", lambda path: session.choose(data=path), session.refuse),
            "Output": Picker("Choose a run folder", lambda path: session.choose(out=path), session.refuse),
        }

    def shows(self, state: State) -> tuple[Any, ...]:
        return state.choices, state.budget

    def build(self, state: State) -> None:
        chosen, choose = state.choices, self.session.choose
        with ui.VStack(spacing=look.GAP, height=0):
            look.field("Budget", chosen.budget, lambda text: choose(budget=text), "the YAML file that says what is short", self._pick("Budget"))
            index = list(BASES.values()).index(chosen.base)
            look.choice("On", tuple(BASES), index, lambda k: choose(base=list(BASES.values())[k]), "where scenarios place their objects")
            hint = "root of your recordings; $TAILGATE_DATA if empty"
            look.field("Real data", chosen.data, lambda text: choose(data=text), hint, self._pick("Real data"))
            hint = "run folder; runs/ beside the budget if empty"
            look.field("Output", chosen.out, lambda text: choose(out=text), hint, self._pick("Output"))
            with ui.CollapsableFrame("More", collapsed=not chosen.overrides, height=0):
                with ui.VStack(spacing=look.GAP, height=0):
                    look.field("Device", chosen.device, lambda text: choose(device=text), "cuda:N or cpu")
                    hint = "as for --set, such as limits.rounds=1 limits.batch_clips=10"
                    look.field("Overrides", chosen.overrides, lambda text: choose(overrides=text), hint)
            self._found(state)

    def close(self) -> None:
        for picker in self._pickers.values():
            picker.close()

    def _pick(self, name: str) -> Any:
        picker = self._pickers[name]
        held = {"Budget": "budget", "Real data": "data", "Output": "out"}[name]
        return lambda: picker.show(getattr(self.session.state.choices, held) or self.session.state.choices.budget)

    def _found(self, state: State) -> None:
        """The check: one sentence, or what the budget asks for."""
        budget = state.budget
        if budget.error:
            look.sentence(budget.error, "problem")
        elif budget.checking and not budget.facts:
            look.text("reading the budget …", "faint")
        elif not budget.facts:
            look.text("Choose a budget: it says which classes are short and by how much.", "faint")
        else:
            with ui.ZStack(height=0):
                ui.Rectangle(style={"background_color": look.kit_color(look.VOID), "border_radius": 4})
                with look.inset(), ui.VStack(spacing=3, height=0):
                    for name, target in budget.cells:
                        with ui.HStack(height=18):
                            ui.Label(name, elided_text=True)
                            ui.Label(f"{target:,}", width=60, alignment=ui.Alignment.RIGHT_CENTER)
                    ui.Spacer(height=2)
                    for name, words in budget.facts:
                        look.fact(name, words)
            if budget.note:
                look.sentence(budget.note, "warning")
