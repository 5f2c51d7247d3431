"""Named plugins. Fed by entry points (pip) and by an extension's ``on_startup`` (Kit)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

from tailgate.errors import unknown


class Registry:
    """A table of plugin classes by their ``name`` attribute.

    Args:
        kind: the word used in error messages ("randomizer").
        group: entry-point group whose members are called as ``register(registry)`` on first use.
    """

    def __init__(self, kind: str, group: str):
        self.kind, self.group = kind, group
        self._classes: dict[str, type] = {}
        self._loaded = False

    def register(self, cls: type) -> type:
        """Add a class under ``cls.name``; usable as a decorator. Another class of the same name is refused; the same one imported anew (hot reload)
        takes its place."""
        held = self._classes.get(cls.name, cls)
        if (held.__module__, held.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"{self.kind} '{cls.name}' is registered twice: {held.__module__} and {cls.__module__}")
        self._classes[cls.name] = cls
        return cls

    def unregister(self, cls: type) -> None:
        """Remove a class, for hot reload."""
        self._classes.pop(cls.name, None)

    def get(self, name: str) -> type:
        """Return the class called ``name``, or raise UserError with the nearest name."""
        self._load()
        if name not in self._classes:
            raise unknown(self.kind, name, self._classes)
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._classes))

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            for entry in sorted(entry_points(group=self.group), key=lambda e: e.name):
                entry.load()(self)


randomizers = Registry("randomizer", "tailgate.randomizers")
backends = Registry("backend", "tailgate.backends")
