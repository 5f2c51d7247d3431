"""omni.ui: windows and containers, built as Kit builds them, in a tree that tests can read and click (``Desk``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .checks import behaves
from .sim import Sim, given, sim
from .ui_choices import DockPosition

COMMON = (
    "width height name style style_type_name_override identifier visible enabled tooltip tooltip_fn alignment checked selected "
    "mouse_pressed_fn mouse_released_fn mouse_double_clicked_fn mouse_hovered_fn mouse_moved_fn key_pressed_fn drag_fn accept_drop_fn drop_fn "
    "opaque_for_mouse_events scroll_only_window_hovered computed_content_size_changed_fn"
).split()


class Desk:
    """All windows, and what a person could see and do. Windows that stay are leftovers."""

    def __init__(self, owner: Sim):
        self.windows: dict[str, Window] = {}
        self.showing: dict[str, Callable[[bool], None]] = {}
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
        """Windows that were not destroyed, and functions that still show one."""
        return [f"window {title}" for title in self.windows] + [f"show function of window {title}" for title in self.showing]


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
        return bool(self.visible) and (self._parent is None or (self._parent._shown() and self._parent._open()))

    def _open(self) -> bool:
        """Whether what it holds can be seen."""
        return True

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


def kind_of(name: str, base: type, more: str = "", attributes: str = "") -> type:
    """A class of omni.ui that is its base with other keywords."""
    made = type(name, (base,), {"_more": (*base._more, *more.split()), "_attributes": (*base._attributes, *attributes.split()), "__doc__": name})
    return behaves(f"omni.ui.{name}")(made)


STACKS = "spacing content_clipping direction"
for _name in ("VStack", "HStack", "ZStack"):
    kind_of(_name, Container, STACKS)
for _name in ("VGrid", "HGrid"):
    kind_of(_name, Container, "column_count column_width row_count row_height")
kind_of("Placer", Container, "offset_x offset_y draggable drag_axis stable_size")


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


Frame = kind_of("Frame", Framed)
kind_of("ScrollingFrame", Framed)


class WindowFrame(Frame):
    """The frame of a window."""


@behaves("omni.ui.CollapsableFrame")
class CollapsableFrame(Framed):
    """A frame under a title that may be folded."""

    _more = (*Framed._more, "collapsed", "build_header_fn", "collapsed_changed_fn")
    _attributes = ("title",)

    def __init__(self, title="", **kwargs):
        super().__init__(**{"collapsed": False, **kwargs})
        self.title = title

    def set_collapsed_changed_fn(self, fn):
        self.collapsed_changed_fn = fn

    def _open(self) -> bool:
        return not self.collapsed

    def _text(self) -> str:
        return self.title

    def _fold(self, on: bool) -> None:
        """Fold or unfold it as a person does."""
        self.collapsed = on
        if self.collapsed_changed_fn:
            given(self.collapsed_changed_fn, on)


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
    def set_show_window_fn(title, function):
        held = sim().part(Desk).showing
        held.pop(title, None)
        if function is not None:
            held[title] = function

    @staticmethod
    def show_window(title, show=True):
        held = sim().part(Desk)
        if title in held.showing:
            given(held.showing[title], show)
            return True
        window = held.windows.get(title)
        if window is not None:
            window.visible = show
        return window is not None
