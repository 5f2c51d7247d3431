"""Errors that a user can act on: one sentence with what, where and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Where:
    """A place in an input file.

    Args:
        file: the file, as the user named it.
        line: 1-based line number, if known.
        key: key path such as ``cells[2].target``, if any.
    """

    file: str | Path | None = None
    line: int | None = None
    key: str = ""

    def __str__(self) -> str:
        place = str(self.file or "")
        if self.line:
            place += f":{self.line}"
        return ": ".join(part for part in (place, self.key) if part)


class TailgateError(Exception):
    """Base of every error raised on purpose. ``exit_code`` is what the command line returns."""

    exit_code = 2


class UserError(TailgateError):
    """The user's mistake: «X must Y, got Z», with its place. Exit code 2, nothing written half."""

    def __init__(self, message: str, where: Where | str | Path | None = None):
        self.message = message
        self.where = where if isinstance(where, Where) or where is None else Where(where)
        super().__init__(f"{self.where}: {message}" if self.where and str(self.where) else message)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the valid name closest to ``name``, else the list of valid names."""
    options = sorted(str(v) for v in valid)
    return close_to(name, options) or (f" (known: {', '.join(options)})" if options else "")


def close_to(name: str, valid: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the valid name closest to ``name``, "" where none is close."""
    lowered = {str(v).lower(): str(v) for v in sorted(valid)}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.55)
    return f" (did you mean '{lowered[close[0]]}'?)" if close else ""


def close_file(path: str | Path) -> str:
    """Return `` (did you mean 'x'?)`` for the file of a missing file's folder whose name is closest, "" where none is close or ``path`` is there."""
    path = Path(path)
    if path.exists() or not path.parent.is_dir():
        return ""
    names = {p.stem.lower(): p.name for p in sorted(path.parent.iterdir(), key=lambda p: p.suffix == path.suffix) if p.is_file()}
    close = difflib.get_close_matches(path.stem.lower(), names, n=1, cutoff=0.55)
    return f" (did you mean '{names[close[0]]}'?)" if close else ""


def unknown(kind: str, name: str, valid: Iterable[str], where: Where | None = None) -> UserError:
    """Build the error for a name that is not among ``valid``."""
    return UserError(f"unknown {kind} '{name}'{nearest(name, valid)}", where)


@contextmanager
def placed(where: Callable[[Where | None], Where]) -> Iterator[None]:
    """Give complaints that name no file their place in one; ``where`` gets the place they have, of which only the key is known."""
    try:
        yield
    except UserError as error:
        if error.where and error.where.file:
            raise
        raise UserError(error.message, where(error.where)) from None
