"""The score for people at a terminal: one row per statistic and class, single strata only where they failed or all are asked for."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tailgate.report.page import LONGEST_UNIT
from tailgate.report.score_record import ScoreRecord
from tailgate.terminal import say
from tailgate.validate.scorecard import Row

COLORS = {"ok": "green", "failed": "red", "no power": "yellow", "unjudged": "dim", "accepted": "green", "rejected": "red"}
COLUMNS = ("measure", "where", "value", "limit", "real : real", "verdict")
RIGHT = ("value", "limit", "real : real")
UNDECIDED = ("unjudged", "no power")


def print_score(found: ScoreRecord, console: Console, verbose: bool = False) -> None:
    """Counts, table, distance ratio, notes and the verdict last."""
    for words, side in (("synthetic", found.synthetic), ("real", found.reference)):
        groups = "groups" if side.weak else "recordings"
        sensors = ", ".join(f"{name} ({model})" for name, model in sorted(side.sensors.items()))
        held = f"{side.kind}, {side.frames} frames, {side.groups} {groups}; {sensors}"
        say(console, "[bold]{}[/bold] {}: {}", words, side.root, held)
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=name != "where", overflow="fold")
    shown = _shown(found, verbose)
    for row in shown:
        table.add_row(*_cells(row))
    console.print(table)
    hidden = sum(r.verdict in UNDECIDED for r in found.rows if not r.class_name) - sum(r.verdict in UNDECIDED for r in shown if not r.class_name)
    if hidden:
        console.print(f"[dim]{hidden} statistics and strata could not be judged; --verbose shows them, the page (-o) says why.[/dim]")
    _print_classes(found, console)
    say(console, "distance to the nearest real: {}", _ratio(found))
    for note in found.notes:
        say(console, "[yellow]note:[/yellow] {}", note)
    say(console, f"[bold {COLORS.get(found.verdict, 'yellow')}]{found.verdict}[/]: {{}}", found.sentence.partition(": ")[2])


def _shown(found: ScoreRecord, verbose: bool) -> list[Row]:
    """Measured statistics, under each that failed its worst stratum, and what decided on classes; or every row."""
    if verbose:
        return found.rows
    out = []
    for row in found.rows:
        if row.class_name:
            out += [row] if row.gates else []
        elif row.stratum == "all" and row.value is not None and row.metric != "joint":
            out.append(row)
            worst = found.histograms[row.metric].stratum if row.verdict == "failed" and row.metric in found.histograms else None
            out += [r for r in found.rows if (r.metric, r.stratum, r.class_name) == (row.metric, worst, "")]
    return out


def _cells(row: Row) -> tuple[str, ...]:
    null = f"{row.null.median:.2g} … {row.null.q95:.2g}" if row.null else ""
    unit = row.unit if row.unit not in ("1", "share") and len(row.unit) <= LONGEST_UNIT else ""
    value = "" if row.value is None else f"{row.value:.3g} {unit}".strip()
    limit = "" if row.limit is None else f"{row.limit:.3g}"
    single = not row.class_name and row.stratum != "all"
    name = f"{row.class_name}: {row.metric}" if row.class_name else f"  {row.metric}" if single else row.metric
    verdict = f"[{COLORS[row.verdict]}]{row.verdict}[/]" if row.gates or row.verdict != "failed" else "[dim]beyond[/dim]"
    return escape(name), "" if row.stratum == "all" else escape(row.stratum), value, limit, null, verdict


def _print_classes(found: ScoreRecord, console: Console) -> None:
    for name, verdict in found.classes.items():
        synthetic, real = (sum(getattr(c, side) for c in found.counts if c.class_name == name) for side in ("synthetic", "real"))
        why = next((r.note for r in found.rows if r.class_name == name and r.note), "") if verdict in ("unjudged", "provisional") else ""
        words = f"class {{}}: {synthetic} synthetic and {real} real crops, [{COLORS.get(verdict, 'yellow')}]{verdict}[/]{{}}"
        say(console, words, name, f": {why}" if why else "")


def _ratio(found: ScoreRecord) -> str:
    if found.ratio.value is None:
        return "cannot be formed"
    error = f" ± {found.ratio.error:.2f}" if found.ratio.error is not None else ""
    return f"{found.ratio.value:.2f}{error} × the distance between real {'recordings' if found.ratio.across_groups else 'places'}; 1 is ideal"
