"""What a self-check found: rows of a table for people, and the same as JSON for bug reports."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

OK, WRONG, TOLD = "ok", "wrong", "told"


@dataclass(frozen=True)
class Row:
    """One thing that was looked at.

    Attributes:
        check: group ("annotator").
        name: what.
        verdict: "ok", "wrong", or "told": worth knowing, nothing is broken.
        found, expected: in words.
    """

    check: str
    name: str
    verdict: str
    found: str
    expected: str = ""


@dataclass
class Findings:
    """Everything found so far."""

    rows: list[Row] = field(default_factory=list)
    traces: dict[str, str] = field(default_factory=dict)

    def add(self, check: str, name: str, right: bool, found: object, expected: str = "") -> None:
        """Add a row that is ok or wrong."""
        self.rows.append(Row(check, name, OK if right else WRONG, str(found), expected))

    def tell(self, check: str, name: str, found: object) -> None:
        """Add a row that decides nothing."""
        self.rows.append(Row(check, name, TOLD, str(found)))

    @contextmanager
    def guarded(self, check: str) -> Iterator[None]:
        """Whatever a check raises becomes a row, and the next check runs."""
        try:
            yield
        except Exception as error:
            self.traces[check] = traceback.format_exc()
            self.add(check, "ran to its end", False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}", "no exception")

    async def run(self, check: str, function: Callable[[Findings], Awaitable[None]]) -> None:
        """Run one check, guarded."""
        with self.guarded(check):
            await function(self)

    @property
    def wrong(self) -> list[Row]:
        """Rows that are wrong."""
        return [row for row in self.rows if row.verdict == WRONG]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"wrong": len(self.wrong), "rows": [asdict(row) for row in self.rows], "traces": self.traces}

    def table(self) -> str:
        """The rows as text, wrong ones again at the end."""
        wide = max((len(row.name) for row in self.rows), default=0)
        check, lines = "", []
        for row in self.rows:
            if row.check != check:
                check = row.check
                lines.append(f"\n{check}")
            lines.append(_line(row, wide))
        lines.append(f"\n{len(self.rows)} things looked at, {len(self.wrong)} wrong")
        return "\n".join([*lines, *(_line(row, wide) for row in self.wrong)])


def _line(row: Row, wide: int) -> str:
    mark = {OK: "  ok   ", WRONG: "  WRONG", TOLD: "       "}[row.verdict]
    expected = f"   (expected: {row.expected})" if row.verdict == WRONG and row.expected else ""
    return f"{mark} {row.name:<{wide}}  {row.found}{expected}"
