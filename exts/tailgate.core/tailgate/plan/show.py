"""A plan for the eye: histogram, what was left out and why, cells, priors, hours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tailgate.terminal import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tailgate.plan.budget import PlanResult, Survey
    from tailgate.plan.priors import Interval

_BAR = 28


def print_survey(found: Survey, console: Console) -> None:
    """Print the histogram of classes."""
    console.print(_histogram(found))


def print_plan(result: PlanResult, console: Console) -> None:
    """Print a plan: every remark, the cells, the priors with intervals and the hours."""
    for sentence in result.said:
        say(console, "[yellow]•[/] {}", sentence)
    console.print(_cells(result))
    if result.priors:
        console.print(_priors(result))
        for name, found in result.priors.items():
            if found.prior.with_classes:
                others = ", ".join(f"{c} {share:.0%}" for c, share in list(found.prior.with_classes.items())[:4])
                say(console, "[dim]{} stands in the same frame as {}[/]", name, others)
    console.print()
    total, hours, rate = sum(result.missing.values()), sum(result.hours.values()), result.rate
    classes = f"{len(result.missing)} class{'es' if len(result.missing) > 1 else ''}"
    words = "[bold]{:,} samples missing[/] in {}: about [bold]{:.2g} h[/] at {:,.0f} samples an hour and {:.0%} accepted ({})"
    say(console, words, total, classes, hours, rate.per_hour, rate.acceptance, rate.origin)


def _histogram(result: Survey) -> Table:
    from rich.table import Table

    counts, selection = result.counts, result.selection
    total = sum(counts.values())
    table = Table(title=f"{total:,} labels of {len(counts)} classes ({result.table.format})", title_justify="left", box=None, pad_edge=False)
    table.add_column("class")
    table.add_column("samples", justify="right")
    table.add_column("share", justify="right")
    table.add_column("logarithmic", no_wrap=True)
    table.add_column("")
    most = max(counts.values(), default=1)
    for name, n in counts.items():
        in_tail = name in selection.tail
        colour = "red" if in_tail else "magenta" if not n else "cyan"
        length = round(_BAR * math.log1p(n) / math.log1p(most)) if most else 0
        word = "tail" if in_tail else "no sample" if not n else ""
        state = " → ".join(filter(None, [word, f"{result.missing[name]:,} missing" if name in result.missing else _absent(result, name)]))
        table.add_row(_plain(name), f"{n:,}", f"{n / total:.1%}" if total else "", f"[{colour}]{'█' * length}[/]", state)
    table.caption = f"tail: {selection.threshold:g} samples or fewer, percentile {selection.percentile:g} of the class counts"
    table.caption_justify = "left"
    return table


def _absent(result: Survey, name: str) -> str:
    if name in result.ontology.missing:
        return "no asset"
    return ""


def _cells(result: PlanResult) -> Table:
    from rich.table import Table

    table = Table(title="\ncells", title_justify="left", box=None, pad_edge=False)
    for column in ("class", "made as", "range", "occluded", "target", "hours"):
        table.add_column(column, justify="left" if column in ("class", "made as") else "right")
    for cell in result.budget.cells:
        entry = next(e for s, e in result.budget.ontology.items() if (e.output or s) == cell.class_)
        made = f"{entry.asset} (USD)" if entry.usd else f"{entry.asset} (stand-in)" if entry.stands_for else entry.asset
        band = f"{cell.range[0]:g}–{cell.range[1]:g} m" if cell.range else "any"
        hidden = f"{cell.occlusion[0]:.0%}–{cell.occlusion[1]:.0%}" if cell.occlusion else "any"
        table.add_row(_plain(cell.class_), made, band, hidden, f"{cell.target:,}", f"{result.rate.hours(cell.target):.2g}")
    return table


def _priors(result: PlanResult) -> Table:
    from rich.table import Table

    table = Table(title="\nplacement in the labels", title_justify="left", box=None, pad_edge=False)
    for column in ("class", "of", "5 %", "median", "95 %", "median when objects are resampled"):
        table.add_column(column, justify="left" if column in ("class", "of") else "right", no_wrap=column == "class")
    for name, found in result.priors.items():
        who = f"{found.prior.n:,} box{'' if found.prior.n == 1 else 'es'}"
        who += f", {found.tracks:,} object{'' if found.tracks == 1 else 's'}" if found.tracks else ""
        for i, interval in enumerate(found.intervals):
            quantity, unit = _UNITS[interval.quantity]
            five = getattr(found.prior, interval.quantity)
            shown = [_number(v, interval) for v in (five[0], interval.median, five[-1])]
            label = _plain(name) if i == 0 else f"[dim]{who}[/]" if i == 1 else ""
            table.add_row(label, f"{quantity} {unit}".strip(), *shown, _spread(interval))
    table.caption = "5 % and 95 %: of the boxes; last column: 5 % to 95 % of the median when whole objects (frames without track ids) are drawn again"
    table.caption_justify = "left"
    return table


_UNITS = {
    "range": ("range", "m"), "yaw_deg": ("yaw", "°"), "length": ("length", "m"), "width": ("width", "m"), "height": ("height", "m"),
    "per_frame": ("in a frame", ""),
}


def _number(value: float, interval: Interval) -> str:
    digits = {"range": 1, "yaw_deg": 0, "per_frame": 0}.get(interval.quantity, 2)
    return f"{value:.{digits}f}"


def _spread(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "one only: unknown"
    return f"{_number(interval.low, interval)} … {_number(interval.high, interval)}"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
