"""Values and items behind the widgets of omni.ui."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checks import behaves
from .sim import given


class Subscription:
    """Keeps a callback; it goes when this is dropped."""

    def __init__(self, held: dict[int, Any], key: int):
        self._held, self._key = held, key

    def __del__(self) -> None:
        self._held.pop(self._key, None)


class Callbacks:
    """Callbacks by number."""

    def __init__(self) -> None:
        self.held: dict[int, Callable[..., None]] = {}
        self._next = 0

    def add(self, function: Callable[..., None]) -> int:
        """Number of the callback."""
        self._next += 1
        self.held[self._next] = function
        return self._next

    def call(self, *values: Any) -> None:
        """Call them all."""
        for function in list(self.held.values()):
            given(function, *values)


def _ready(model: Any) -> Any:
    if not hasattr(model, "_callbacks"):
        raise RuntimeError(f"{type(model).__name__}.__init__ must call super().__init__()")
    return model._callbacks


@behaves("omni.ui.AbstractValueModel")
class AbstractValueModel:
    """A value that widgets show; subclasses hold it."""

    def __init__(self):
        self._callbacks, self._edits = Callbacks(), Callbacks()

    def _get(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define how its value is read")

    def get_value_as_bool(self):
        return bool(self._get())

    def get_value_as_int(self):
        return int(self._get())

    def get_value_as_float(self):
        return float(self._get())

    def get_value_as_string(self):
        return str(self._get())

    def set_value(self, value):
        raise NotImplementedError(f"{type(self).__name__} must define set_value")

    def _value_changed(self):
        _ready(self).call(self)

    def add_value_changed_fn(self, function):
        return _ready(self).add(function)

    def remove_value_changed_fn(self, number):
        _ready(self).held.pop(number, None)

    def subscribe_value_changed_fn(self, function):
        return Subscription(_ready(self).held, _ready(self).add(function))

    def add_end_edit_fn(self, function):
        return self._edits.add(function)

    def subscribe_end_edit_fn(self, function):
        return Subscription(self._edits.held, self._edits.add(function))

    def add_begin_edit_fn(self, function):
        return 0

    def begin_edit(self):
        """A person begins to edit."""

    def end_edit(self):
        self._edits.call(self)


def _simple(kind: type, empty: Any) -> Callable[[type], type]:
    def fill(cls: type) -> type:
        def __init__(self: Any, default_value: Any = empty) -> None:
            AbstractValueModel.__init__(self)
            self._value = _cast(kind, default_value)

        def set_value(self: Any, value: Any) -> None:
            new = _cast(kind, value)
            if new != self._value:
                self._value = new
                self._value_changed()

        cls.__init__, cls.set_value, cls._get = __init__, set_value, lambda self: self._value
        return behaves(f"omni.ui.{cls.__name__}")(cls)

    return fill


def _cast(kind: type, value: Any) -> Any:
    """A value as the model holds it; what no Python binding takes is an error."""
    if kind is str and not isinstance(value, (str, bool, int, float)):
        raise TypeError(f"a model takes text or a number, got {type(value).__name__}")
    if kind is not str and isinstance(value, str):
        try:
            return kind(float(value))
        except ValueError:
            return kind()
    return kind(value)


@_simple(str, "")
class SimpleStringModel(AbstractValueModel):
    """Text."""


@_simple(int, 0)
class SimpleIntModel(AbstractValueModel):
    """A whole number."""


@_simple(float, 0.0)
class SimpleFloatModel(AbstractValueModel):
    """A number."""


@_simple(bool, False)
class SimpleBoolModel(AbstractValueModel):
    """Yes or no."""


@behaves("omni.ui.AbstractItem")
class AbstractItem:
    """One row; the model must keep a reference to it."""

    def __init__(self):
        self._item_ready = True


@behaves("omni.ui.AbstractItemModel")
class AbstractItemModel:
    """Rows for trees and combo boxes."""

    def __init__(self):
        self._callbacks = Callbacks()

    def get_item_children(self, parentItem=None):
        return []

    def get_item_value_model(self, item=None, column_id=0):
        return None

    def get_item_value_model_count(self, item=None):
        return 1

    def _item_changed(self, item):
        _ready(self).call(self, item)

    def add_item_changed_fn(self, function):
        return _ready(self).add(function)

    def remove_item_changed_fn(self, number):
        _ready(self).held.pop(number, None)

    def subscribe_item_changed_fn(self, function):
        return Subscription(_ready(self).held, _ready(self).add(function))


@behaves("omni.ui.AbstractItemDelegate")
class AbstractItemDelegate:
    """Builds the widgets of a tree's rows."""

    def __init__(self):
        self._callbacks = Callbacks()

    def build_branch(self, model, item=None, column_id=0, level=0, expanded=False):
        """Nothing by default."""

    def build_widget(self, model, item=None, index=0, level=0, expanded=False):
        """Nothing by default."""

    def build_header(self, column_id=0):
        """Nothing by default."""


class Choice(AbstractItem):
    """An entry of a combo box."""

    def __init__(self, text: str):
        super().__init__()
        self.model = SimpleStringModel(text)


class ChoiceModel(AbstractItemModel):
    """The model of ``ComboBox(index, *names)``."""

    def __init__(self, index: int, names: list[str]):
        super().__init__()
        self._index = SimpleIntModel(index)
        self._items = [Choice(n) for n in names]
        self._index.add_value_changed_fn(lambda m: self._item_changed(None))

    def get_item_children(self, parentItem=None):
        return list(self._items)

    def get_item_value_model(self, item=None, column_id=0):
        return self._index if item is None else item.model

    def append_child_item(self, parent, model):
        self._items.append(Choice(model.get_value_as_string()))
        self._item_changed(None)

    def remove_item(self, item):
        self._items.remove(item)
        self._item_changed(None)
