"""Widgets of omni.ui: text, buttons, fields, pictures and trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import behaves
from .sim import given
from .ui import Container, Widget, kind_of
from .ui_choices import Type
from .ui_models import (
    AbstractItemModel,
    AbstractValueModel,
    ChoiceModel,
    SimpleBoolModel,
    SimpleFloatModel,
    SimpleIntModel,
    SimpleStringModel,
    _ready,
)

for _name in ("Spacer", "Separator", "Rectangle", "Circle", "Triangle", "Line"):
    kind_of(_name, Widget, "direction size_policy radius arc")


@behaves("omni.ui.Label")
class Label(Widget):
    """Text."""

    _more = ("word_wrap", "elided_text", "elided_text_str", "hide_text_after_hash", "exact_content_width")
    _attributes = ("text",)

    def __init__(self, text, **kwargs):
        if not isinstance(text, str):
            raise TypeError(f"omni.ui.Label takes text, got {type(text).__name__}")
        super().__init__(**kwargs)
        self.text = text

    def _text(self) -> str:
        return self.text


@behaves("omni.ui.Button")
class Button(Widget):
    """Text, or a picture, to press."""

    _more = ("clicked_fn", "image_url", "image_width", "image_height", "spacing")
    _attributes = ("text",)

    def __init__(self, text="", **kwargs):
        super().__init__(**kwargs)
        self.text = text

    def set_clicked_fn(self, function):
        self.clicked_fn = function

    def call_clicked_fn(self):
        if self.clicked_fn:
            given(self.clicked_fn)

    def _text(self) -> str:
        return self.text

    def _click(self) -> None:
        """Press it, if a person could."""
        if not self._active():
            raise RuntimeError(f"button {self.text!r} is disabled")
        self.call_clicked_fn()


class Valued(Widget):
    """A widget that shows a model's value."""

    _attributes = ("model",)
    _made: type = SimpleStringModel

    def __init__(self, model=None, **kwargs):
        if model is not None and not isinstance(model, AbstractValueModel):
            raise TypeError(f"omni.ui.{type(self).__name__} takes a value model, got {type(model).__name__}")
        super().__init__(**kwargs)
        self.model = model or self._made()

    def _text(self) -> str:
        return self.model.get_value_as_string()

    def _type(self, value: Any) -> None:
        """Enter a value as a person does."""
        if not self._active() or getattr(self, "read_only", False):
            raise RuntimeError(f"{type(self).__name__} {self.name!r} cannot be edited")
        self.model.begin_edit()
        self.model.set_value(value)
        self.model.end_edit()


RANGE = "min max step format precision"
for _name, _model, _more in (
    ("StringField", SimpleStringModel, "read_only multiline password_mode allow_tab_input"),
    ("IntField", SimpleIntModel, "read_only"),
    ("FloatField", SimpleFloatModel, "step format precision read_only"),
    ("IntDrag", SimpleIntModel, RANGE),
    ("UIntDrag", SimpleIntModel, RANGE),
    ("FloatDrag", SimpleFloatModel, RANGE),
    ("IntSlider", SimpleIntModel, RANGE),
    ("UIntSlider", SimpleIntModel, RANGE),
    ("FloatSlider", SimpleFloatModel, RANGE),
    ("CheckBox", SimpleBoolModel, ""),
    ("ProgressBar", SimpleFloatModel, ""),
):
    _made = type(_name, (Valued,), {"_made": _model, "_more": tuple(_more.split()), "__doc__": _name})
    behaves(f"omni.ui.{_name}")(_made)


@behaves("omni.ui.ComboBox")
class ComboBox(Widget):
    """``ComboBox(index, *names)`` or ``ComboBox(item_model)``."""

    _more = ("arrow_only",)
    _attributes = ("model",)

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)
        if args and isinstance(args[0], AbstractItemModel):
            self.model = args[0]
        else:
            names = list(args[1:])
            if not all(isinstance(n, str) for n in names) or (args and not isinstance(args[0], int)):
                raise TypeError("omni.ui.ComboBox takes an index and texts, or an item model")
            self.model = ChoiceModel(args[0] if args else 0, names)

    def _names(self) -> list[str]:
        return [self.model.get_item_value_model(item, 0).get_value_as_string() for item in self.model.get_item_children(None)]

    def _text(self) -> str:
        names, index = self._names(), self.model.get_item_value_model(None, 0).get_value_as_int()
        return names[index] if 0 <= index < len(names) else ""

    def _choose(self, text: str) -> None:
        """Choose an entry as a person does."""
        if text not in self._names():
            raise LookupError(f"no entry {text!r}; there are {self._names()}")
        self.model.get_item_value_model(None, 0).set_value(self._names().index(text))


@behaves("omni.ui.Plot")
class Plot(Widget):
    """A curve: ``Plot(type, min, max, *floats)``."""

    _more = ("value_stride", "title")
    _attributes = ("data",)

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)
        data = [float(v) for v in args[3:]]
        if args and (not isinstance(args[0], Type) or not all(np.isfinite([*args[1:3], *data]))):
            raise TypeError("omni.ui.Plot takes a Type, two finite limits and finite numbers")
        self._data = data

    def set_data(self, *data):
        self._data = [float(v) for v in data]


@behaves("omni.ui.Image")
class Image(Widget):
    """A picture by address."""

    _more = ("fill_policy", "pixel_aligned", "progress_changed_fn")
    _attributes = ("source_url",)

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)
        self.source_url = str(args[0]) if args else ""


@behaves("omni.ui.ByteImageProvider")
class ByteImageProvider:
    """A picture from memory; ``_pixels`` is uint8 (H, W, 4)."""

    def __init__(self):
        self._pixels = np.zeros((0, 0, 4), np.uint8)

    def set_bytes_data(self, *args):
        data, sizes = args
        self._take(np.asarray(data), sizes)

    def set_data_array(self, data, sizes):
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
            raise TypeError("set_data_array takes a uint8 numpy array")
        self._take(data, sizes)

    def _take(self, data: np.ndarray, sizes: Any) -> None:
        width, height = (int(v) for v in sizes)
        if data.size != width * height * 4:
            raise ValueError(f"a picture of {width} x {height} needs {width * height * 4} bytes of RGBA, got {data.size}")
        if data.min(initial=0) < 0 or data.max(initial=0) > 255:
            raise ValueError("bytes must lie within 0 .. 255")
        self._pixels = data.reshape(height, width, 4).astype(np.uint8)


@behaves("omni.ui.ImageWithProvider")
class ImageWithProvider(Widget):
    """A picture of a provider."""

    _more = ("fill_policy", "pixel_aligned")

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)
        self._provider = args[0] if args else None


@behaves("omni.ui.TreeView")
class TreeView(Container):
    """Rows of an item model, built by a delegate."""

    _more = tuple(
        "delegate header_visible root_visible column_widths min_column_widths columns_resizable selection_changed_fn drop_between_items "
        "root_expanded keep_alive keep_expanded expand_on_branch_click".split()
    )
    _attributes = ("model", "selection")

    def __init__(self, *args, **kwargs):
        super().__init__(**kwargs)
        self.model = args[0] if args else None
        if not isinstance(self.model, AbstractItemModel):
            raise TypeError("omni.ui.TreeView takes an item model first")
        _ready(self.model)
        if self.delegate is not None:
            _ready(self.delegate)
        self.selection, self._due = [], True
        self.model.add_item_changed_fn(lambda model, item: self._outdated())

    def _outdated(self) -> None:
        self._due = True

    def _draw(self) -> None:
        if not self._due or not self._shown():
            return
        self._due = False
        self._children.clear()
        columns = self.model.get_item_value_model_count(None)
        if self.header_visible and self.delegate is not None:
            for column in range(columns):
                with self:
                    self.delegate.build_header(column)
        self._rows(None, 0, columns)
        for child in self._children:
            for widget in child._walk():
                widget._draw()

    def _rows(self, parent: Any, level: int, columns: int) -> None:
        for item in self.model.get_item_children(parent):
            for column in range(columns):
                with self:
                    if self.delegate is None:
                        Label(self.model.get_item_value_model(item, column).get_value_as_string())
                    else:
                        self.delegate.build_branch(self.model, item, column, level, False)
                        self.delegate.build_widget(self.model, item, column, level, False)
            self._rows(item, level + 1, columns)

    def _select(self, items: list[Any]) -> None:
        """Select rows as a person does."""
        self.selection = items
        if self.selection_changed_fn:
            given(self.selection_changed_fn, items)
