"""Samples on the open stage, which is put back afterwards."""

from __future__ import annotations

from typing import Any

import omni.ui as ui

from tailgate_ui import look
from tailgate_ui.panels.panel import Panel
from tailgate_ui.state import Shot, State

HEIGHT = 168
"""Height of the pictures of a sample [px]."""


class PreviewPanel(Panel):
    """A number, a button and a strip of samples."""

    title = "Preview"

    def __init__(self, session: Any):
        super().__init__(session)
        self._count = session.state.preview.wanted
        self._providers: dict[Shot, list[tuple[str, Any, int]]] = {}

    def shows(self, state: State) -> tuple[Any, ...]:
        return state.preview, state.busy, bool(state.budget.facts)

    def build(self, state: State) -> None:
        preview = state.preview
        with ui.VStack(spacing=look.GAP, height=0):
            with ui.HStack(height=look.ROW, spacing=look.GAP):
                ui.Label("Samples", name="faint", width=look.LABEL)
                count = ui.IntDrag(min=1, max=16, width=60, identifier="Samples")
                count.model.set_value(self._count)
                count.model.add_value_changed_fn(lambda model: setattr(self, "_count", model.get_value_as_int()))
                look.button("Preview", lambda: self.session.preview(self._count), bool(state.budget.facts) and not state.busy, "main")
                look.button("Cancel", self.session.stop, preview.going)
                ui.Spacer()
            if preview.going:
                bar = ui.ProgressBar(height=6)
                bar.model.set_value(len(preview.shots) / preview.wanted)
                look.text("opening the scenario and making samples; please leave the stage alone", "faint")
            if preview.said and not preview.going:
                look.sentence(preview.said, "problem" if preview.wrong else "ok")
            self._providers = {shot: self._pictures(shot) for shot in preview.shots}
            if preview.shots:
                never, needed = ui.ScrollBarPolicy.SCROLLBAR_ALWAYS_OFF, ui.ScrollBarPolicy.SCROLLBAR_AS_NEEDED
                with ui.ScrollingFrame(height=HEIGHT + 62, vertical_scrollbar_policy=never, horizontal_scrollbar_policy=needed):
                    with ui.HStack(width=0, spacing=10):
                        for shot in preview.shots:
                            self._shot(shot)

    def _pictures(self, shot: Shot) -> list[tuple[str, Any, int]]:
        """Name, provider and width of a shot's pictures; those that Kit holds already are kept."""
        if shot in self._providers:
            return self._providers[shot]
        made = []
        for name, image in shot.pictures:
            provider = ui.ByteImageProvider()
            provider.set_data_array(image, [image.shape[1], image.shape[0]])
            made.append((name, provider, round(HEIGHT * image.shape[1] / image.shape[0])))
        return made

    def _shot(self, shot: Shot) -> None:
        width = sum(w for _, _, w in self._providers[shot]) + 4 * (len(self._providers[shot]) - 1)
        with ui.VStack(width=max(width, 200), height=0, spacing=3):
            with ui.HStack(height=HEIGHT, spacing=4):
                for name, provider, wide in self._providers[shot]:
                    ui.ImageWithProvider(provider, width=wide, height=HEIGHT, tooltip=name)
            with ui.HStack(height=18, spacing=6):
                look.pill(shot.verdict)
                ui.Label(shot.cell, elided_text=True)
            ui.Label(shot.reason, name="faint", height=16, elided_text=True)
