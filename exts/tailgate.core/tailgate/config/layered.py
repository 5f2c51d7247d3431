"""A YAML file that builds on another: ``base: name`` takes over the other file's keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tailgate.config.load import Source, parse_key_path
from tailgate.errors import UserError, Where

BASE = "base"
MERGED = "response"
"""The one mapping whose entries are taken over one by one."""
MAX_DEPTH = 8


class Layered:
    """A document and the one it builds on.

    A key of the upper file replaces that of the lower one whole; only entries of ``response`` are replaced one by one.

    Attributes:
        data: the document with the keys it takes over.
    """

    def __init__(self, top: Source, below: Source | Layered):
        self._top, self._below = top, below
        self.data: dict[str, Any] = {**below.data, **top.data}
        inner = [layer.data.get(MERGED) for layer in (below, top)]
        if all(isinstance(entries, dict) for entries in inner):
            self.data[MERGED] = {**inner[0], **inner[1]}

    def takes_over(self, key: str) -> bool:
        """Whether a key is the lower file's."""
        return key in self.data and key not in self._top.data

    def at(self, key: str) -> Where:
        """Place of a key path given as text."""
        return self.where(parse_key_path(key))

    def where(self, loc: tuple) -> Where:
        """Place of a key path in the file that holds it."""
        held: Any = self._top.data
        for part in loc[: 2 if loc[:1] == (MERGED,) else 1]:
            if not isinstance(held, dict) or part not in held:
                return self._below.where(loc)
            held = held[part]
        return self._top.where(loc)


def layered(path: Path, find: Callable[[str, Where], Path], read: Callable[[Path], Source] = Source, depth: int = 0) -> Source | Layered:
    """Read a file with what it builds on.

    Args:
        path: the file.
        find: path of a base by its name; the place of the name is for complaints.
        read: reader of one file.
    """
    source = read(path)
    if BASE not in source.data:
        return source
    place, name = source.at(BASE), source.data.pop(BASE)
    if not isinstance(name, str):
        raise UserError(f"base must be the name of a file, got {name!r}", place)
    if depth == MAX_DEPTH:
        raise UserError(f"base must not lead through more than {MAX_DEPTH} files; does one name itself?", place)
    return Layered(source, layered(find(name, place), find, read, depth + 1))
