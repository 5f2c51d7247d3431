"""What ``calibrate gate`` found, for people: tables for the terminal, and a page with power against strength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.config.budget import Gate
from tailgate.config.gate import BatchLimits, ClassRecord, ControlRecord, GateFile, ModalityGate, Rate, RealNull
from tailgate.report import charts
from tailgate.report.page import figure, svg, template, write_page
from tailgate.report.words import metric_words
from tailgate.terminal import say
from tailgate.validate.calibration import POWER
from tailgate.validate.evidence import STATISTICS
from tailgate.validate.places import distance_unit

if TYPE_CHECKING:
    from rich.console import Console

FALSE_REJECTS = 0.10
"""Largest share of real batches that may be rejected."""
SHADES = ("#b9d2ea", "#8fb8dc", "#5f9acb", "#3f82bb", charts.BLUE)
"""Lines from the smallest batch to the largest."""
MAX_SIZES = 5
"""Batch sizes that a chart and a table show, evenly spaced over all."""


def shown_sizes(gate: ModalityGate) -> list[BatchLimits]:
    """A few of the sizes, the smallest and the largest among them."""
    last, n = len(gate.sizes) - 1, min(MAX_SIZES, len(gate.sizes))
    return [gate.sizes[round(k * last / max(n - 1, 1))] for k in range(n)]


def sentences(gate: ModalityGate) -> list[str]:
    """What holds and what does not, in words."""
    out = [f"Real batches of places that had no part in the limits are rejected: {_bound(gate)}."]
    reached = {c: gate.reaches(c, POWER) for c in gate.controls}
    seen = [f"{_control(c, gate.controls[c])} from {n} block{'s' if n > 1 else ''} on" for c, n in reached.items() if n]
    unseen = [_control(c, gate.controls[c]) for c, n in reached.items() if n is None]
    if seen:
        out.append(f"At least {POWER:.0%} of wrong batches are rejected under: {'; '.join(seen)}.")
    if unseen:
        out.append(f"Not noticed by this gate at any size calibrated here: {'; '.join(unseen)}.")
    falls = [f"{c.replace('_', ' ')} at batches of {s.size}" for s in gate.sizes for c in gate.falling(s)]
    out.append(f"Detection falls with strength under: {', '.join(falls)}." if falls else "Detection never falls as a control grows stronger.")
    return out


def _bound(gate: ModalityGate) -> str:
    beyond = [s for s in gate.sizes if s.false_rejects.value > FALSE_REJECTS]
    held = max((s.false_rejects.value for s in gate.sizes if s not in beyond), default=None)
    parts = [] if held is None else [f"at most {held:.0%} at {'every batch size' if not beyond else 'the other batch sizes'}"]
    for s in beyond:
        told = "" if s.false_rejects.low > FALSE_REJECTS else f", which {s.batches} disjoint batches cannot tell from {FALSE_REJECTS:.0%}"
        parts.insert(0, f"{s.false_rejects.value:.1%} at batches of {s.size}{told}")
    return "; ".join(parts)


def print_gate(gate: GateFile, console: Console) -> None:
    """Tables: false rejects and power by batch size, then the statistics at the largest one."""
    from rich.markup import escape
    from rich.table import Table

    for modality, own in gate.batch.items():
        console.print(f"[bold]{modality}[/bold]: {own.places} places (each a {own.place}), {own.blocks} blocks")
        sizes = shown_sizes(own)
        table = Table("blocks in a batch", *(str(s.size) for s in sizes), box=None)
        table.add_row("disjoint real batches", *(str(s.batches) for s in sizes))
        table.add_row("joint limit", *(f"{s.joint:.2f}" for s in sizes))
        table.add_row("false rejects", *(_rate(s.false_rejects) for s in sizes))
        for name, control in own.controls.items():
            table.add_row(escape(f"power: {_control(name, control)}"), *(f"{s.power[name][control.at].value:.0%}" for s in sizes))
        console.print(table)
        table = Table(f"statistic at {sizes[-1].size} blocks", "real against real", "limit", "decides", "power at the stated strengths", box=None)
        for row in statistic_rows(own, sizes[-1]):
            table.add_row(*map(escape, (row.name, row.null, row.limit, row.decides, row.power)))
        console.print(table)
        for sentence in sentences(own):
            say(console, "{}", sentence)
    if gate.classes:
        table = Table("class", "range", "crops", "groups", "decides", "the gate's metrics reject", box=None)
        for record in gate.classes:
            named = f"{record.class_} ({record.modality})"
            table.add_row(*map(escape, (named, record.range, str(record.crops), str(record.groups), *class_words(record))))
        console.print(table)


def class_words(record: ClassRecord) -> tuple[str, str]:
    """Metrics that decide, and the controls they tell, at the number of crops a verdict needs."""
    if not record.sizes:
        return "unjudged", record.note
    limits = next((s for s in record.sizes if s.size >= Gate().n_min), record.sizes[-1])
    found = {c: max(own.get(c, 0.0) for m, own in limits.power.items() if m in limits.gates) for m in limits.gates for c in limits.power[m]}
    return ", ".join(limits.gates) or "no power", ", ".join(f"{c} {p:.0%}" for c, p in found.items()) + f" at {limits.size} crops" if found else ""


@dataclass(frozen=True)
class StatisticRow:
    """One statistic at one batch size, as text; ``shares`` is its power per control at the stated strength."""

    name: str
    null: str
    limit: str
    decides: str
    power: str
    shares: Sequence[tuple[str, float]] = ()


def statistic_rows(gate: ModalityGate, limits: BatchLimits) -> list[StatisticRow]:
    """All statistics of the modality that the batch size could judge, then those it could not."""
    rows = []
    for name, own in limits.statistics.items():
        unit = distance_unit(STATISTICS[name])
        null = _null(own.null, unit)
        shares = [(c, p[gate.controls[c].at]) for c, p in own.power.items()]
        best = ", ".join(f"{c} {p:.0%}" for c, p in sorted(shares, key=lambda s: -s[1])[:3] if p >= 0.5)
        rows.append(StatisticRow(name, null, figure(own.limit, unit), "yes" if own.gates else "no power", best or "none above 50%", shares))
    missing = {n for s in gate.sizes for n in s.statistics} - set(limits.statistics)
    return rows + [StatisticRow(n, "", "", "unjudged", "too few values in a batch of this size") for n in sorted(missing)]


def write_gate_page(gate: GateFile, out: Path) -> Path:
    """Write the page."""
    parts = [
        {
            "name": name,
            "gate": own,
            "sizes": shown_sizes(own),
            "sentences": sentences(own),
            "charts": [(_control(c, r), svg(power_chart(own, c))) for c, r in own.controls.items()],
            "rows": statistic_rows(own, own.sizes[-1]),
        }
        for name, own in gate.batch.items()
    ]
    page = template("gate.html.j2").render(gate=gate, parts=parts, shades=SHADES, metric_words=metric_words, rate=_rate, class_words=class_words)
    return write_page(page, out)


def power_chart(gate: ModalityGate, name: str, width: int = 330, height: int = 190) -> str:
    """Share of batches rejected against a control's strength, a line per batch size; «real» is the share of real batches. Whiskers: 95 % interval at
    the largest size. The dashed line is the power asked for, the grey band the strength at which it is asked."""
    record, sizes = gate.controls[name], shown_sizes(gate)
    left, right, bottom, top = 38.0, width - 12.0, height - 34.0, 12.0
    step = (right - left) / (len(record.strengths) + 1)

    def at(k: int, share: float) -> tuple[float, float]:
        return left + (k + 0.5) * step, bottom - (bottom - top) * share

    body = charts.rect((at(record.at + 1, 0)[0] - step / 2, top), (step, bottom - top), "#eef2f6")
    for share in (0.0, 0.5, 1.0):
        y = at(0, share)[1]
        body += charts.line((left, y), (right, y)) + charts.text(left - 6, y + 4, f"{share:.0%}", 10.5, "#4b5665", "end")
    y = at(0, POWER)[1]
    body += charts.line((left, y), (right, y), charts.INK, 1.2, "5 4")
    for k, words in enumerate(["real", *(f"{s:g}" for s in record.strengths)]):
        body += charts.text(at(k, 0)[0], bottom + 16, words, 10.5, "#4b5665", "middle")
    body += charts.text((left + right) / 2, height - 4, "strength", 10.5, "#4b5665", "middle")
    for i, limits in enumerate(sizes):
        rates: list[Rate] = [limits.false_rejects, *limits.power[name]]
        color = SHADES[len(SHADES) - len(sizes) + i]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(k, r.value) for k, r in enumerate(rates)))
        body += f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
        for k, rate in enumerate(rates):
            x, y = at(k, rate.value)
            if limits is sizes[-1]:
                body += charts.line((x, at(k, rate.low)[1]), (x, at(k, rate.high)[1]), color, 1.2)
            body += charts.dot(x, y, 3.2, color)
    stated = f"{sizes[-1].power[name][record.at].value:.0%} of batches of {sizes[-1].size} blocks rejected at {record.stated:g}"
    return charts.svg(width, height, body, f"{name}: {stated}")


def _null(null: RealNull, unit: str) -> str:
    median, q95, low, high = (figure(v) for v in (null.median, null.q95, null.q95_low, null.q95_high))
    return f"{median} … {q95} [{low}, {high}] {unit if unit != '1' else ''}".strip()


def _control(name: str, record: ControlRecord) -> str:
    return f"{name.replace('_', ' ')} {record.stated:g}"


def _rate(rate: Rate) -> str:
    return f"{rate.value:.0%} ({100 * rate.low:.0f}–{100 * rate.high:.0f})"
