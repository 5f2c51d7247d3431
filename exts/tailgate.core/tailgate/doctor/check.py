"""One thing that was looked at, and the little that all checks share."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether a run can work with what was found; optional things are ok when absent.
        found: what is there.
        fix: what to do, "" where nothing is wrong.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def numbers(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: 1.8.1rc2 -> (1, 8, 1)."""
    found = re.match(r"\d+(\.\d+){0,2}", text)
    return tuple(int(n) for n in found[0].split(".")) if found else ()


def first_line(error: object) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
