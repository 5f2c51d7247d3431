"""Progress bars and ``key=value`` options of the commands that measure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tailgate.cli.app import stderr
from tailgate.errors import UserError


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars that vanish when the work is done; none where nobody watches a terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        yield Bars(progress)


@contextmanager
def doing(words: str) -> Iterator[None]:
    """A line that says what is under way and vanishes when it is done; nothing where nobody watches a terminal."""
    with stderr.status(words) if stderr.is_terminal else nullcontext():
        yield


class Bars:
    """A bar per piece of work, with its rate."""

    def __init__(self, bars: Progress):
        self.bars, self.tasks = bars, {}

    def tick(self, words: str, done: int, total: int) -> None:
        """Show the state of one piece of work."""
        if words not in self.tasks:
            self.tasks[words] = self.bars.add_task(words, total=total, completed=done, rate="")
        task = next(t for t in self.bars.tasks if t.id == self.tasks[words])
        self.bars.update(task.id, completed=done, rate=f"{task.speed:.1f} /s" if task.speed else "")


def pairs(option: str, texts: list[str]) -> dict[str, Any]:
    """``key=value`` options; values are read as YAML, so that 0.001 is a number."""
    from tailgate.config.load import value_of

    out = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UserError(f"{option} must be key=value, got '{text}'")
        out[name] = value_of(f"{option} {name}", value)
    return out
