"""What ``calibrate sensor`` found, for people: tables for the terminal, and a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tailgate.report import charts
from tailgate.report.page import svg, template, write_page
from tailgate.report.words import metric_words
from tailgate.terminal import say

if TYPE_CHECKING:
    from rich.console import Console

LIMIT = 1.3
"""Largest distance to unseen places, in units of what real places differ by, that counts as met."""
STATES = {"identified": "ok", "roughly": "provisional", "not identified": "failed"}
COLORS = {"identified": "green", "roughly": "yellow", "not identified": "red"}
AT_END = 0.01
"""Nearer to an end of the bounds than this share of them, an estimate was stopped by it."""
SOME = 3
"""Most settings that another is said to suppose."""


@dataclass(frozen=True)
class SettingRow:
    """One setting: its estimate in its unit, what it means, and its bounds where it has such; states as in ``calibrate.estimate``."""

    name: str
    unit: str
    meaning: str
    value: float
    low: float
    high: float
    n: int
    state: str
    margin: float
    why: str
    bounds: tuple[float, float] | None
    open: tuple[bool, bool] = (False, False)
    supposes: tuple[str, ...] = ()

    @property
    def estimate(self) -> str:
        """The value in the unit of its interval."""
        return f"{self.value:.4g} {_short(self.unit)}".strip()

    @property
    def interval(self) -> str:
        """The 95 % interval, open at an end of the bounds."""
        if self.open == (False, True):
            return f"{self.low:.4g} or more"
        return f"{self.high:.4g} or less" if self.open == (True, False) else _span(self.low, self.high, ".4g")

    @property
    def verdict(self) -> str:
        """State with the share by which the value may be off."""
        return f"{self.state} ±{self.margin:.0%}" if self.state != "not identified" and self.margin < 1 and not any(self.open) else self.state

    @property
    def at_end(self) -> str:
        """What to think of an estimate at an end of its bounds, or that trades with one; "" elsewhere."""
        if self.bounds is None or self.state == "not identified":
            return ""
        if any(self.open):
            end = self.bounds[self.open[1] and (not self.open[0] or self.share(self.value) > 0.5)]
            what = "it lies at" if abs(self.share(self.value) - self.share(end)) <= AT_END else "its interval reaches"
            return f"{what} the end of its bounds, {end:g}: what the device does may lie beyond"
        others = ", ".join(self.supposes[:SOME]) + (" and others" if len(self.supposes) > SOME else "")
        return f"it makes up for {others}, which may lie beyond the bounds" if self.supposes else ""

    def share(self, value: float) -> float:
        """Where a value lies within the bounds, 0..1, on a log scale where those span a decade."""
        low, high = self.bounds
        if low > 0 and high / low >= 10:
            return min(max(math.log(max(value, low) / low) / math.log(high / low), 0.0), 1.0)
        return min(max((value - low) / (high - low), 0.0), 1.0)


class HeldOutLike(Protocol):
    """A statistic on unseen places; see ``calibrate.holdout.HeldOut``."""

    statistic: str
    unit: str
    before: float
    after: float
    between: float
    ratio: float
    interval: tuple[float, float]
    common: float


@dataclass(frozen=True)
class SensorRecord:
    """A calibration.

    Attributes:
        sensor: device.
        kind: layout of the reference.
        frames: frames it was fitted to.
        settings: grid and response.
        cut: what was held out in turn; "" where nothing was.
        held: statistics on unseen places.
        notes: what every output repeats.
        distance: scaled distance to the reference before and after the fit.
    """

    sensor: str
    kind: str
    frames: int
    settings: Sequence[SettingRow]
    cut: str = ""
    held: Sequence[HeldOutLike] = ()
    notes: Sequence[str] = ()
    distance: tuple[float, float] = (0.0, 0.0)

    @property
    def beyond(self) -> list[HeldOutLike]:
        """Statistics that stay further from unseen places than LIMIT."""
        return [h for h in self.held if h.ratio > LIMIT]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("statistic", "unit", "before", "after", "between", "ratio", "interval", "common")
        held = [_finite({n: getattr(h, n) for n in names}) for h in self.held]
        rest = {n: getattr(self, n) for n in ("sensor", "kind", "frames", "cut", "notes", "distance")}
        return {**rest, "settings": [_finite(asdict(s)) for s in self.settings], "holdout": held, "limit": LIMIT}


def sentences(record: SensorRecord) -> list[str]:
    """The result in words."""
    whole = [s for s in record.settings if "[" not in s.name]  # others show one beam of a table
    count = {state: sum(s.state == state for s in whole) for state in STATES}
    out = [f"Of {len(whole)} settings {count['identified']} are identified, {count['roughly']} roughly, {count['not identified']} not."]
    if record.held:
        far = ", ".join(metric_words(h.statistic) + (" (perhaps by chance)" if h.interval[0] <= LIMIT else "") for h in record.beyond)
        met = len(record.held) - len(record.beyond)
        words = f"From {record.cut} it has not seen, {met} of {len(record.held)} statistics lie within {LIMIT:g} times what two real ones differ by"
        out.append(f"{words}; beyond: {far}." if far else f"{words}.")
    return out


def print_sensor(record: SensorRecord, console: Console) -> None:
    """Settings with intervals, what is weakly known and why, then the hold-out."""
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(Column("setting", overflow="fold"), "estimate", "95 % interval", "", box=None)
    for row in record.settings:
        table.add_row(*map(escape, (row.name, row.estimate, row.interval)), f"[{COLORS[row.state]}]{row.verdict}[/{COLORS[row.state]}]")
    console.print(table)
    unknown: dict[str, list[str]] = {}
    for row in record.settings:
        if row.state == "not identified":
            unknown.setdefault(row.why, []).append(row.name)
        if row.at_end:
            say(console, "[yellow]{}[/yellow]: {}", row.name, row.at_end)
    for why, names in unknown.items():
        say(console, "[red]{}[/red]: {}", ", ".join(names), why)
    if record.held:
        table = Table("on what it has not seen", "before", "after", "real : real", "ratio", "95 % interval", "all as one", box=None)
        for held in record.held:
            color = "yellow" if held.ratio > LIMIT else "green"
            unit = "" if held.unit == "1" or held.unit.startswith("share") else f" [{held.unit}]"
            numbers = (f"{v:.3g}" for v in (held.before, held.after, held.between))
            ratio = f"[{color}]{held.ratio:.2f}[/{color}]"
            table.add_row(escape(metric_words(held.statistic) + unit), *numbers, ratio, escape(_span(*held.interval, ".2f")), f"{held.common:.2f}")
        console.print(table)
    for sentence in sentences(record):
        say(console, "{}", sentence)
    for note in record.notes:
        say(console, "[yellow]note:[/yellow] {}", note)


def write_sensor_page(record: SensorRecord, out: Path) -> Path:
    """Write the page."""
    strips = [svg(interval_strip(row)) if row.bounds else "" for row in record.settings]
    bars = [svg(ratio_bar(held)) for held in record.held]
    page = template("sensor.html.j2").render(
        record=record, sentences=sentences(record), strips=strips, bars=bars, states=STATES, limit=LIMIT, metric_words=metric_words, span=_span
    )
    return write_page(page, out)


def interval_strip(row: SettingRow, width: int = 170) -> str:
    """The interval and the estimate within the bounds, on a log scale where those span a decade."""

    def at(value: float) -> float:
        return 4 + (width - 8) * row.share(value)

    color = {"identified": charts.GREEN, "roughly": charts.ORANGE}.get(row.state, charts.GREY)
    body = charts.rect((4, 8), (width - 8, 4), charts.PALE, 2)
    body += charts.rect((at(row.low), 6), (max(at(row.high) - at(row.low), 1.5), 8), color, 2, 'fill-opacity="0.45"')
    body += charts.dot(at(row.value), 10, 3.6, color)
    return charts.svg(width, 20, body, f"{row.name}: {row.value:.3g} in {row.bounds[0]:g} … {row.bounds[1]:g}")


def ratio_bar(held: HeldOutLike, width: int = 260) -> str:
    """Before (pale) and after the fit in units of what real places differ by, with its interval, on a log scale from 0.5 to 50; the upright line is
    the limit."""

    def at(ratio: float) -> float:
        return (width - 4) * min(max(math.log(max(ratio, 0.5) / 0.5) / math.log(100.0), 0.0), 1.0)

    before = held.before / max(held.between, 1e-12)
    body = charts.rect((0, 5), (at(before), 10), charts.PALE, 2)
    body += charts.rect((0, 5), (max(at(held.ratio), 2), 10), charts.ORANGE if held.ratio > LIMIT else charts.GREEN, 2)
    body += charts.line((at(held.interval[0]), 10), (at(held.interval[1]), 10), charts.INK, 1)
    body += charts.line((at(LIMIT), 1), (at(LIMIT), 19), charts.INK, 1.5)
    return charts.svg(width, 20, body, f"{held.statistic}: {before:.2f} before, {held.ratio:.2f} after")


def _short(unit: str) -> str:
    return unit if len(unit) <= 9 else ""


def _span(low: float, high: float, digits: str) -> str:
    """An interval in words."""
    return f"{low:{digits}} … {high:{digits}}" if math.isfinite(high - low) else "unknown"


def _finite(value: Any) -> Any:
    """The same with infinities as None, which JSON knows."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_finite, value))
    return None if isinstance(value, float) and not math.isfinite(value) else value
