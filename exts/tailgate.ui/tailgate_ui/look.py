"""Colours, sizes and the few composed widgets that all panels are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import omni.ui as ui
from tailgate.report.palette import BAD, FAINT, GOOD, INK, LINE, PAGE, PANEL, VOID, WARN, Color

ROW, GAP, LABEL = 24, 6, 88
"""Height of a row, space between rows, width of a field's label [px]."""
BLUE: Color = (64, 132, 214)
OFF: Color = (32, 37, 47)
VERDICTS = {
    **dict.fromkeys(("ok", "accepted", "on target", "done", "met", "ready"), GOOD),
    **dict.fromkeys(("failed", "rejected", "problem", "not ready"), BAD),
    **dict.fromkeys(("off target", "warning", "no power", "paused", "pausing", "stopping", "stopped"), WARN),
    **dict.fromkeys(("running", "starting", "checking"), BLUE),
}
"""Colour of a word; any other is drawn faint."""


def kit_color(color: Color, alpha: int = 255) -> int:
    """omni.ui's 0xAABBGGRR."""
    red, green, blue = color
    return alpha << 24 | blue << 16 | green << 8 | red


def style() -> dict[str, dict[str, Any]]:
    """The style of the whole window."""
    c = kit_color
    return {
        "Label": {"color": c(INK), "font_size": 14},
        "Label::faint": {"color": c(FAINT), "font_size": 13},
        "Label::title": {"color": c(INK), "font_size": 18},
        "Label::good": {"color": c(GOOD)},
        "Label::warn": {"color": c(WARN)},
        "Label::bad": {"color": c(BAD)},
        "Label::pill": {"color": c(VOID), "font_size": 12},
        "Label::head": {"color": c(FAINT), "font_size": 12},
        "Rectangle::page": {"background_color": c(PAGE)},
        "Rectangle::card": {"background_color": c(PANEL), "border_radius": 6},
        "Rectangle::track": {"background_color": c(LINE), "border_radius": 3},
        "Rectangle::line": {"background_color": c(LINE)},
        "Button": {"background_color": c(LINE), "border_radius": 4, "padding": 4},
        "Button:hovered": {"background_color": c(BLUE)},
        "Button:disabled": {"background_color": c(OFF)},
        "Button.Label:disabled": {"color": c(LINE)},
        "Button::main": {"background_color": c(BLUE)},
        "Button::bare": {"background_color": 0x0, "padding": 0},
        "StringField": {"background_color": c(VOID), "color": c(INK), "border_radius": 4, "border_color": c(LINE), "border_width": 1},
        "IntDrag": {"background_color": c(VOID), "color": c(INK), "secondary_color": c(LINE), "border_radius": 4},
        "FloatDrag": {"background_color": c(VOID), "color": c(INK), "secondary_color": c(LINE), "border_radius": 4},
        "ComboBox": {"background_color": c(VOID), "color": c(INK), "secondary_color": c(LINE), "border_radius": 4},
        "ProgressBar": {"background_color": c(LINE), "color": c(BLUE), "secondary_color": 0x0, "border_radius": 3},
        "ProgressBar::met": {"color": c(GOOD)},
        "CollapsableFrame": {"background_color": c(PANEL), "secondary_color": c(PANEL), "border_radius": 6, "color": c(INK), "font_size": 15},
    }


@contextmanager
def inset(side: float = 8, edge: float = 6) -> Iterator[None]:
    """Room around what is made inside [px]; a stack that is as high as its content."""
    with ui.HStack(height=0):
        ui.Spacer(width=side)
        with ui.VStack(height=0):
            ui.Spacer(height=edge)
            yield
            ui.Spacer(height=edge)
        ui.Spacer(width=side)


def text(words: str, name: str = "", **more: Any) -> ui.Label:
    """A line of text that wraps where it must."""
    return ui.Label(words, name=name, **{"word_wrap": True, "height": 0, "alignment": ui.Alignment.LEFT_TOP, **more})


def pill(word: str) -> None:
    """A word on its colour."""
    width = 14 + 6.5 * len(word)
    with ui.ZStack(width=width, height=18):
        ui.Rectangle(style={"background_color": kit_color(VERDICTS.get(word, FAINT)), "border_radius": 9})
        ui.Label(word, name="pill", alignment=ui.Alignment.CENTER)


def sentence(words: str, severity: str) -> None:
    """A sentence with a bar of its severity's colour at its left."""
    with ui.HStack(height=0, spacing=8):
        ui.Rectangle(width=4, style={"background_color": kit_color(VERDICTS.get(severity, FAINT)), "border_radius": 2})
        text(words)


def button(label: str, clicked: Callable[[], None], enabled: bool = True, name: str = "", **more: Any) -> ui.Button:
    """A button."""
    return ui.Button(label, clicked_fn=clicked, enabled=enabled, name=name, **{"height": ROW, "width": 0, **more})


def field(label: str, value: str, edited: Callable[[str], None], hint: str = "", pick: Callable[[], None] | None = None) -> None:
    """A text field with its label; ``edited`` is told when the user has finished, ``pick`` opens a dialog."""
    with ui.HStack(height=ROW, spacing=GAP):
        ui.Label(label, name="faint", width=LABEL, tooltip=hint)
        box = ui.StringField(tooltip=hint, identifier=label)
        box.model.set_value(value)
        box.model.add_end_edit_fn(lambda model: edited(model.get_value_as_string().strip()))
        if pick is not None:
            button("…", pick, width=28, identifier=f"pick {label}", tooltip=f"choose the {label.lower()} in a dialog")


def choice(label: str, names: tuple[str, ...], index: int, chosen: Callable[[int], None], hint: str = "") -> None:
    """A choice among names with its label."""
    with ui.HStack(height=ROW, spacing=GAP):
        ui.Label(label, name="faint", width=LABEL, tooltip=hint)
        box = ui.ComboBox(index, *names, identifier=label, tooltip=hint)
        box.model.add_item_changed_fn(lambda model, item: chosen(model.get_item_value_model().get_value_as_int()))


def fact(label: str, words: str) -> None:
    """A name and what it is."""
    with ui.HStack(height=0, spacing=GAP):
        ui.Label(label, name="faint", width=LABEL, height=0, alignment=ui.Alignment.LEFT_TOP)
        text(words)
