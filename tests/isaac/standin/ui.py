"""omni.ui: a widget tree that is built as Kit builds it, and that tests can read and click (``Desk``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .checks import behaves
from .sim import Sim, given, sim
from .ui_choices import DockPosition, Type
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

COMMON = (
    "width height name style style_type_name_override identifier visible enabled tooltip tooltip_fn alignment checked selected "
    "mouse_pressed_fn mouse_released_fn mouse_double_clicked_fn mouse_hovered_fn mouse_moved_fn key_pressed_fn drag_fn accept_drop_fn drop_fn "
    "opaque_for_mouse_events scroll_only_window_hovered computed_content_size_changed_fn"
).split()


class Desk:
    """All windows, and what a person could see and do. Windows that stay are leftovers."""

    def __init__(self, owner: Sim):
        self.windows: dict[str, Window] = {}
        self.stack: list[Widget] = []

    def window(self, title: str) -> Window:
        """The window of a title, its deferred parts built."""
        if title not in self.windows:
            raise LookupError(f"no window {title!r}; there are {sorted(self.windows)}")
        self.draw()
        return self.windows[title]

    def draw(self) -> None:
        """Build every visible frame that waits for it, as drawing does."""
        for window in list(self.windows.values()):
            if window.visible:
                for widget in window.frame._walk():
                    widget._draw()

    def all(self, kind: str = "Widget", text: str | None = None, shown: bool = True, **attributes: Any) -> list[Any]:
        """Widgets of a kind ("Button"), by text and attributes, in drawing order; only those that are shown by default."""
        self.draw()
        found = []
        for window in self.windows.values():
            for widget in window.frame._walk():
                if kind not in [c.__name__ for c in type(widget).__mro__] or (shown and not (window.visible and widget._shown())):
                    continue
                if text is not None and widget._text() != text:
                    continue
                if all(getattr(widget, key, None) == value for key, value in attributes.items()):
                    found.append(widget)
        return found

    def find(self, kind: str = "Widget", text: str | None = None, **attributes: Any) -> Any:
        """The only such widget."""
        found = self.all(kind, text, **attributes)
        if len(found) != 1:
            texts = sorted({t for w in self.all(kind) if (t := w._text())})
            raise LookupError(f"{len(found)} shown {kind}s with text {text!r} {attributes or ''}; there are {texts}")
        return found[0]

    def texts(self) -> list[str]:
        """Everything that can be read: labels, buttons, values of fields."""
        return [t for widget in self.all() if (t := widget._text())]

    def click(self, text: str | None = None, **attributes: Any) -> None:
        """Click the only enabled button with this text."""
        button = self.find("Button", text, **attributes)
        button._click()

    def leftovers(self) -> list[str]:
        """Windows that were not destroyed."""
        return [f"window {title}" for title in self.windows]


class Widget:
    """Base of widgets. Keywords and attributes that no source shows are errors here; the real one may take them in silence."""

    _more: tuple[str, ...] = ()
    _attributes: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any):
        self._children: list[Widget] = []
        self._parent: Widget | None = None
        known = [*COMMON, *self._more]
        for key in kwargs:
            if key not in known:
                raise TypeError(f"omni.ui.{type(self).__name__} is not known to take {key!r}; it takes {', '.join(sorted(known))}")
        self.visible, self.enabled = True, True
        for key, value in kwargs.items():
            setattr(self, key, value)
        stack = sim().part(Desk).stack
        if stack:
            stack[-1]._adopt(self)
        elif not isinstance(self, WindowFrame):
            raise RuntimeError(f"omni.ui.{type(self).__name__} must be made inside a container")

    def __setattr__(self, key: str, value: Any) -> None:
        if not key.startswith("_") and key not in COMMON and key not in self._more and key not in self._attributes:
            raise AttributeError(f"omni.ui.{type(self).__name__} has no attribute {key!r}")
        object.__setattr__(self, key, value)

    def __getattr__(self, key: str) -> Any:
        if key in COMMON or key in self._more:
            return "" if key in ("name", "identifier", "tooltip", "style_type_name_override") else None
        if key.startswith("set_") and key.endswith("_fn") and key[4:] in [*COMMON, *self._more]:
            return lambda function: setattr(self, key[4:], function)
        raise AttributeError(f"omni.ui.{type(self).__name__} has no attribute {key!r} that any source shows")

    def destroy(self) -> None:
        if self._parent is not None and self in self._parent._children:
            self._parent._children.remove(self)

    def _adopt(self, child: Widget) -> None:
        child._parent = self
        self._children.append(child)

    def _walk(self) -> Iterator[Widget]:
        yield self
        for child in list(self._children):
            yield from child._walk()

    def _shown(self) -> bool:
        return bool(self.visible) and (self._parent is None or self._parent._shown())

    def _active(self) -> bool:
        return bool(self.enabled) and (self._parent is None or self._parent._active())

    def _draw(self) -> None:
        """Build what waits to be built."""

    def _text(self) -> str:
        return ""


class Container(Widget):
    """A widget that others are made inside of."""

    def __enter__(self) -> Container:
        sim().part(Desk).stack.append(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        stack = sim().part(Desk).stack
        if not stack or stack[-1] is not self:
            raise RuntimeError(f"omni.ui.{type(self).__name__} was left out of order")
        stack.pop()

    def clear(self) -> None:
        self._children.clear()

    def add_child(self, widget: Widget) -> None:
        widget.destroy()
        self._adopt(widget)


def _kind(name: str, base: type, more: str = "", attributes: str = "") -> type:
    """A class of omni.ui that is its base with other keywords."""
    made = type(name, (base,), {"_more": (*base._more, *more.split()), "_attributes": (*base._attributes, *attributes.split()), "__doc__": name})
    return behaves(f"omni.ui.{name}")(made)


STACKS = "spacing content_clipping direction"
VStack, HStack, ZStack = (_kind(n, Container, STACKS) for n in ("VStack", "HStack", "ZStack"))
VGrid, HGrid = (_kind(n, Container, "column_count column_width row_count row_height") for n in ("VGrid", "HGrid"))
Placer = _kind("Placer", Container, "offset_x offset_y draggable drag_axis stable_size")


class Framed(Container):
    """A container of one child that may be built later by ``build_fn``."""

    _more = tuple("build_fn horizontal_clipping vertical_clipping horizontal_scrollbar_policy vertical_scrollbar_policy scroll_x scroll_y".split())

    def __init__(self, **kwargs: Any):
        self._due = kwargs.get("build_fn") is not None
        super().__init__(**kwargs)

    def __enter__(self) -> Container:
        self._children.clear()
        return super().__enter__()

    def _adopt(self, child: Widget) -> None:
        self._children.clear()
        super()._adopt(child)

    def set_build_fn(self, function: Callable[[], None]) -> None:
        self.build_fn, self._due = function, function is not None

    def rebuild(self) -> None:
        self._due = self.build_fn is not None

    def _draw(self) -> None:
        if self._due and self._shown():
            self._due = False
            self._children.clear()
            with self:
                given(self.build_fn)
            for child in self._children:
                for widget in child._walk():
                    widget._draw()


Frame = _kind("Frame", Framed)
ScrollingFrame = _kind("ScrollingFrame", Framed)


class WindowFrame(Frame):
    """The frame of a window."""


class _Collapsable(Framed):
    _more = (*Framed._more, "collapsed", "build_header_fn", "collapsed_changed_fn")
    _attributes = ("title",)

    def __init__(self, title="", **kwargs):
        super().__init__(**{"collapsed": False, **kwargs})
        self.title = title

    def set_collapsed_changed_fn(self, fn):
        self.collapsed_changed_fn = fn

    def _text(self) -> str:
        return self.title


CollapsableFrame = behaves("omni.ui.CollapsableFrame")(_Collapsable)
for _name in ("Spacer", "Separator", "Rectangle", "Circle", "Triangle", "Line"):
    globals()[_name] = _kind(_name, Widget, "direction size_policy radius arc")


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


class _Valued(Widget):
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
    _made = type(_name, (_Valued,), {"_made": _model, "_more": tuple(_more.split()), "__doc__": _name})
    globals()[_name] = behaves(f"omni.ui.{_name}")(_made)


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


WINDOW = "flags visible width height padding_x padding_y position_x position_y auto_resize noTabBar raster_policy".split()
WINDOW += ["width_changed_fn", "height_changed_fn", "visibility_changed_fn", "exclusive_keyboard", "detachable"]


@behaves("omni.ui.Window")
class Window:
    """A window; its title is its name."""

    def __init__(self, title, dockPreference=None, **kwargs):
        for key in kwargs:
            if key not in WINDOW:
                raise TypeError(f"omni.ui.Window is not known to take {key!r}; it takes {', '.join(WINDOW)}")
        held = sim().part(Desk).windows
        if title in held:
            raise RuntimeError(f"there is a window {title!r} already: its title is its name")
        self.title, self._destroyed, self._visible = title, False, bool(kwargs.get("visible", True))
        self._changed = kwargs.get("visibility_changed_fn")
        self.width, self.height, self._docked = kwargs.get("width", 0), kwargs.get("height", 0), None
        stack, sim().part(Desk).stack = sim().part(Desk).stack, []
        self._frame = WindowFrame()
        sim().part(Desk).stack = stack
        held[title] = self

    @property
    def frame(self):
        if self._destroyed:
            raise RuntimeError(f"window {self.title!r} is destroyed")
        return self._frame

    @property
    def visible(self):
        return self._visible

    @visible.setter
    def visible(self, on):
        changed, self._visible = bool(on) != self._visible, bool(on)
        if changed and self._changed:
            given(self._changed, self._visible)

    def set_visibility_changed_fn(self, function):
        self._changed = function

    def destroy(self):
        self._destroyed = True
        sim().part(Desk).windows.pop(self.title, None)

    def dock_in_window(self, title, dockPosition, ratio=0.5):
        if not isinstance(dockPosition, DockPosition):
            raise TypeError("dock_in_window takes a DockPosition")
        self._docked = title

    def deferred_dock_in(self, target_window, active_window=None):
        self._docked = target_window


@behaves("omni.ui.Workspace")
class Workspace:
    """All windows by title."""

    @staticmethod
    def get_window(title):
        return sim().part(Desk).windows.get(title)

    @staticmethod
    def get_windows():
        return list(sim().part(Desk).windows.values())

    @staticmethod
    def show_window(title, show=True):
        window = sim().part(Desk).windows.get(title)
        if window is not None:
            window.visible = show
        return window is not None
