"""carb.settings: one tree of values with subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import table
from .checks import behaves
from .sim import Sim, sim


class Settings:
    """Values by path; a subscription that is not undone is a leftover."""

    def __init__(self, owner: Sim):
        self.values = {path: default for path, (_, default) in table.settings(owner.flavour).items() if default is not None}
        self.values.update(owner.start_settings)
        self.subscriptions: dict[int, tuple[str, Callable[..., None]]] = {}
        self._next = 1

    def put(self, path: str, value: Any) -> None:
        """Set a value and tell who listens to its path or one above."""
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"a setting's path must begin with '/', got {path!r}")
        self.values[path] = value
        for below, function in list(self.subscriptions.values()):
            if path == below or path.startswith(below.rstrip("/") + "/"):
                function(path, value)

    def subscribe(self, path: str, function: Callable[..., None]) -> int:
        """Number of the subscription."""
        self._next += 1
        self.subscriptions[self._next] = (path, function)
        return self._next

    def leftovers(self) -> list[str]:
        """Subscriptions."""
        return [f"settings subscription on {path}" for path, _ in self.subscriptions.values()]


def setting(path: str, default: Any = None) -> Any:
    """Present value of a setting."""
    return sim().part(Settings).values.get(path, default)


@behaves("carb.settings.ISettings")
class ISettings:
    """The settings interface."""

    def get(self, path):
        return setting(path)

    def set(self, path, value):
        sim().part(Settings).put(path, value)

    def get_as_bool(self, path):
        return bool(setting(path, False))

    def get_as_int(self, path):
        return int(setting(path, 0) or 0)

    def get_as_float(self, path):
        return float(setting(path, 0.0) or 0.0)

    def get_as_string(self, path):
        held = setting(path)
        return "" if held is None else str(held)

    def set_bool(self, path, value):
        sim().part(Settings).put(path, bool(value))

    def set_int(self, path, value):
        sim().part(Settings).put(path, int(value))

    def set_float(self, path, value):
        sim().part(Settings).put(path, float(value))

    def set_string(self, path, value):
        sim().part(Settings).put(path, str(value))

    def set_default(self, path, value):
        if setting(path) is None:
            sim().part(Settings).put(path, value)

    def subscribe_to_node_change_events(self, path, function):
        return sim().part(Settings).subscribe(path, lambda *_: function(None, None))

    def unsubscribe_to_change_events(self, id):
        if sim().part(Settings).subscriptions.pop(id, None) is None:
            raise ValueError(f"no settings subscription has the id {id}")


@behaves("carb.settings.get_settings")
def get_settings():
    return ISettings()


def _log(level: str) -> None:
    @behaves(f"carb.log_{level}")
    def log(message: str) -> None:
        sim().log.append((level, str(message)))


for _level in ("info", "warn", "error"):
    _log(_level)
