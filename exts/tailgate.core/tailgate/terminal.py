"""Lines for people at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def say(console: Console, words: str, *values: object) -> None:
    """Print a line. ``words`` may hold rich's markup and a ``{}`` for each value; names, paths and sentences among those are shown as they are."""
    from rich.markup import escape

    console.print(words.format(*(escape(str(v)) if isinstance(v, (str, Path)) else v for v in values)), soft_wrap=True, emoji=False)
