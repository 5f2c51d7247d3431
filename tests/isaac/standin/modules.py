"""The modules isaacsim, omni.* and carb: made from the table when they are imported, forgotten when the stand-in closes."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from functools import cache
from typing import Any

from . import table
from .checks import BEHAVIOURS, flavour, missing, unknown_attribute
from .prose import EXTENSIONS, PROSE

ROOTS = ("isaacsim", "omni", "carb")
USD = "pxr"
TOGETHER = "omni.replicator.core"
"""Importing this package makes its parts attributes of it, as its own ``__init__`` does; elsewhere a part must be imported by name."""


@cache
def members(flavour_: str) -> dict[str, dict[str, str]]:
    """Module -> name -> full name of what is known in a flavour, from the table and from prose; packages of modules are included, empty."""
    out = {module: dict(names) for module, names in table.members(flavour_).items()}
    for full, versions in PROSE.items():
        if flavour_ in versions:
            module, _, name = full.rpartition(".")
            out.setdefault(module, {})[name] = BEHAVIOURS_ALIAS.get(full, full)
    for module in list(out):
        parent = module.rpartition(".")[0]
        while parent:
            out.setdefault(parent, {})
            parent = parent.rpartition(".")[0]
    return out


BEHAVIOURS_ALIAS = {
    "omni.replicator.core.Writer": "omni.replicator.core.writers.Writer",
    "omni.replicator.core.BackendDispatch": "omni.replicator.core.backends.BackendDispatch",
}


class StandinModule(types.ModuleType):
    """A module whose unknown names are errors."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = [n for n in vars(self) if not n.startswith("_")]
        below = f"{self.__name__}.{name}"
        if below in members(flavour()):
            raise AttributeError(f"module {below} must be imported before it is used: 'import {below}'")
        raise unknown_attribute(self.__name__, name, known)


def stand_for(full: str) -> Any:
    """The behaviour of a full name, or something that says there is none."""
    if full in BEHAVIOURS:
        return BEHAVIOURS[full]
    row = table.find(full)
    if row is not None and row["kind"] == "function":
        return missing(full)
    module, _, name = full.rpartition(".")
    made = type(name, (), {"__init__": _unbuilt(full), "__module__": module})
    for member in table.table().get(module, {}):
        owner, _, method = member.rpartition(".")
        if owner == name:
            setattr(made, method, staticmethod(missing(f"{full}.{method}")))
    return made


def _unbuilt(full: str) -> Any:
    call = missing(full)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)

    return __init__


class Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and makes the modules of one flavour. While ``closed`` names a reason, they and ``pxr`` cannot be imported."""

    def __init__(self, flavour_: str):
        self.flavour, self.members = flavour_, members(flavour_)
        self.closed = ""
        self._aside: dict[str, types.ModuleType] = {}
        self._before: set[str] = set()

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Specs of known modules; an error for unknown ones of these packages."""
        root = fullname.split(".")[0]
        if root == USD and self.closed:
            raise ImportError(f"'{fullname}' must not be imported yet: {self.closed}")
        if root not in ROOTS:
            return None
        if self.closed and fullname != "isaacsim":
            raise ImportError(f"'{fullname}' must not be imported yet: {self.closed}")
        if fullname not in self.members:
            raise ModuleNotFoundError(f"Isaac Sim {self.flavour} has no module '{fullname}' that the stand-in knows", name=fullname)
        package = any(name.startswith(fullname + ".") for name in self.members)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=package)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> StandinModule:
        """An empty module."""
        return StandinModule(spec.name, f"Stand-in for {spec.name} of Isaac Sim {self.flavour}.")

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill it from the table."""
        for name, full in self.members[module.__name__].items():
            setattr(module, name, stand_for(full))
        if module.__name__ == TOGETHER:
            for part in sorted(self.members):
                if part.startswith(TOGETHER + "."):
                    __import__(part)

    def open(self, closed: str = "") -> None:
        """Take the place of these packages in this process."""
        held = [name for name in sys.modules if name.split(".")[0] in ROOTS]
        if held:
            raise RuntimeError(f"{held[0]} is imported already: the stand-in cannot take its place")
        self._before = set(sys.modules)
        sys.meta_path.insert(0, self)
        self.closed = closed
        if closed:
            self._aside = {name: m for name, m in sys.modules.items() if name.split(".")[0] == USD}
            for name in self._aside:
                del sys.modules[name]

    def let_in(self) -> None:
        """From now on everything may be imported."""
        self.closed = ""
        sys.modules.update(self._aside)
        self._aside = {}

    def close(self) -> None:
        """Forget these packages, and the packages that were imported meanwhile and hold parts of them."""
        self.let_in()
        sys.meta_path.remove(self)
        roots = set(ROOTS)
        for name in set(sys.modules) - self._before:
            if name.split(".")[0] not in roots and _holds_standins(sys.modules[name]):
                roots.add(name.split(".")[0])
        for name in [n for n in sys.modules if n.split(".")[0] in roots and (n not in self._before or n.split(".")[0] in ROOTS)]:
            del sys.modules[name]


def _holds_standins(module: types.ModuleType) -> bool:
    values = list(vars(module).values()) if isinstance(module, types.ModuleType) else []
    return any(isinstance(v, StandinModule) or str(getattr(v, "__module__", "")).split(".")[0] in ROOTS for v in values if v is not module)


def extension_ids(flavour_: str) -> dict[str, str]:
    """Name -> id (name and version) of the extensions that are known to be there."""
    return {name: f"{name}-{versions[flavour_]}" for name, versions in EXTENSIONS.items() if flavour_ in versions}
