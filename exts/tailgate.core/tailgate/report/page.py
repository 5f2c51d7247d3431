"""What every page shares: its template, its style and the way numbers are written."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

LONGEST_UNIT = 6
"""Units of more letters stand beside the metric's name, not behind each number."""


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def source(name: str) -> str:
        return files("tailgate.report").joinpath(f"templates/{name}").read_text(encoding="utf-8")

    environment = Environment(loader=FunctionLoader(source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = figure
    environment.filters["capitalize_first"] = capitalize_first
    environment.filters["count"] = lambda n: "not measured" if n is None else f"{n:,}"
    return environment


def capitalize_first(words: str) -> str:
    """Words with a capital at their start, but for the name of a file or sensor before a colon."""
    return words if words.partition(" ")[0].endswith(":") else words[:1].upper() + words[1:]


def template(name: str) -> Any:
    """A page's template by file name; what is put into it is escaped."""
    return _environment().get_template(name)


def write_page(page: str, out: str | Path) -> Path:
    """Write a page; it needs no network, no script and no other file."""
    from tailgate.atomic import write_atomically

    write_atomically(Path(out), page)
    return Path(out)


def figure(value: float | None, unit: str = "") -> str:
    """A number for people: three digits and its unit, or "not measured"."""
    if value is None:
        return "not measured"
    if unit == "share":
        return f"{value:.3g}" if 0 < abs(value) < 5e-4 else f"{value:.1%}"
    return f"{value:.3g} {unit if unit != '1' and len(unit) <= LONGEST_UNIT else ''}".strip()


def long_unit(unit: str) -> str:
    """A unit that is too long to stand behind every number, else ""."""
    return unit if len(unit) > LONGEST_UNIT else ""


def svg(text: str) -> Any:
    """A chart as markup that the template does not escape."""
    from markupsafe import Markup

    return Markup(text)
