"""Every name of Isaac Sim that this project's code uses, against the install at hand: it exists, and each call binds to its signature.

The calls are read from the source, so nothing has to be kept up to date. A call on an object cannot be resolved this way and is not counted.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate_rtx.selfcheck.found import Findings

ROOTS = ("isaacsim", "omni", "carb")
CHECK = "calls"


@dataclass(frozen=True)
class Call:
    """One call in the source: full dotted name, place, number of positional arguments (None where a star hides it) and keywords."""

    name: str
    place: str
    positional: int | None
    keywords: tuple[str, ...]


def calls_in(file: Path, shown: str) -> Iterator[Call]:
    """Calls of names that the file imports from Isaac Sim; ``shown`` is what the file is called in reports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = _imports(tree)
    for node in ast.walk(tree):
        parts = _dotted(node.func) if isinstance(node, ast.Call) else None
        if parts and parts[0] in names:
            full = ".".join([names[parts[0]], *parts[1:]])
            starred = any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords)
            if full.split(".")[0] in ROOTS:
                yield Call(full, f"{shown}:{node.lineno}", None if starred else len(node.args), tuple(k.arg for k in node.keywords if k.arg))


def _dotted(node: ast.AST) -> list[str] | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else None


def _imports(tree: ast.AST) -> dict[str, str]:
    """Local name -> full dotted name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    return names


def find(name: str) -> Any:
    """The object of a dotted name; ImportError where no module of it is there, AttributeError where the module lacks it."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ImportError(f"no module of {name} is there")


def binds(target: Any, call: Call) -> str | None:
    """Why a call does not bind, None where it does or where the object tells no signature."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return None
    if call.positional is None:
        return None
    try:
        signature.bind(*[None] * call.positional, **dict.fromkeys(call.keywords))
    except TypeError as error:
        return f"{error}; it is {signature}"
    return None


def check_calls(found: Findings, files: Mapping[str, Path], release: str, only_in: Mapping[str, str]) -> None:
    """Look every call up.

    Args:
        files: name in reports -> source file.
        release: the one that runs.
        only_in: prefix of a dotted name -> the release that has it; elsewhere it is passed over.
    """
    good, unsigned = 0, []
    for shown, file in sorted(files.items()):
        for call in calls_in(file, shown):
            if any(call.name.startswith(prefix) and own != release for prefix, own in only_in.items()):
                continue
            try:
                target = find(call.name)
            except (ImportError, AttributeError) as error:
                found.add(CHECK, call.name, False, f"{call.place}: {error}", "it exists")
                continue
            why = binds(target, call)
            if why:
                found.add(CHECK, call.name, False, f"{call.place}: {why}", "the call binds")
                continue
            good += 1
            if not _signed(target):
                unsigned.append(call.name)
    found.add(CHECK, "calls that bind", good > 0, good, "some")
    if unsigned:
        found.tell(CHECK, "without a signature to compare", ", ".join(sorted(set(unsigned))))


def _signed(target: Any) -> bool:
    try:
        inspect.signature(target)
    except (TypeError, ValueError):
        return False
    return True
