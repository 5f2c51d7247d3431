"""The score for people at a terminal: one row per statistic and class, single strata only where they failed or all are asked for."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tailgate.report.score_record import ScoreRecord
from tailgate.validate.scorecard import Row

COLORS = {"ok": "green", "failed": "red", "no power": "yellow", "unjudged": "dim", "accepted": "green", "rejected": "red"}


def print_score(found: ScoreRecord, console: Console, verbose: bool = False) -> None:
    """Counts, table, distance ratio, notes and the verdict last."""
    for words, side in (("synthetic", found.synthetic), ("real", found.reference)):
        groups = "parts of recordings" if side.weak else "recordings"
        sensors = ", ".join(f"{name} ({model})" for name, model in sorted(side.sensors.items()))
        console.print(f"[bold]{words}[/bold] {side.root}: {side.kind}, {side.frames} frames, {side.groups} {groups}; {sensors}", soft_wrap=True)
    table = Table(box=None, header_style="dim")
    for name in ("measure", "stratum", "value", "limit", "real against real", "verdict"):
        table.add_column(name, justify="right" if name in ("value", "limit", "real against real") else "left", overflow="fold")
    for row in _shown(found.rows, verbose):
        table.add_row(*_cells(row))
    console.print(table)
    hidden = sum(r.verdict == "unjudged" for r in found.rows) - sum(r.verdict == "unjudged" for r in _shown(found.rows, verbose))
    if hidden:
        console.print(f"[dim]{hidden} strata could not be judged; --verbose shows why.[/dim]")
    _print_classes(found, console)
    console.print(f"distance to the nearest real: {_ratio(found)}")
    for note in found.notes:
        console.print(f"[yellow]note:[/yellow] {note}", soft_wrap=True)
    console.print(f"[bold {COLORS.get(found.verdict, 'yellow')}]{found.verdict}[/]: {found.sentence.partition(': ')[2]}", soft_wrap=True)


def _shown(rows: list[Row], verbose: bool) -> list[Row]:
    """Rows over all strata; of single strata and of classes those that were judged and failed, or decide, or all."""
    return [r for r in rows if verbose or (r.stratum == "all" and not r.class_name) or (r.class_name and r.gates) or r.verdict == "failed"]


def _cells(row: Row) -> tuple[str, ...]:
    null = f"{row.null.median:.3g} … {row.null.q95:.3g}" if row.null else ""
    value = "" if row.value is None else f"{row.value:.4g} {row.unit if row.unit != '1' else ''}".strip()
    limit = "" if row.limit is None else f"{row.limit:.4g}"
    name = f"{row.class_name}: {row.metric}" if row.class_name else row.metric if row.stratum == "all" else f"  {row.metric}"
    color = COLORS[row.verdict] if row.gates or row.verdict != "failed" else "dim red"
    decides = "" if row.gates or row.verdict in ("unjudged", "no power") or row.metric == "joint" else " (shown only)"
    return name, row.stratum, value, limit, null, f"[{color}]{row.verdict}[/{color}]{decides}"


def _print_classes(found: ScoreRecord, console: Console) -> None:
    for name, verdict in found.classes.items():
        synthetic, real = (sum(getattr(c, side) for c in found.counts if c.class_name == name) for side in ("synthetic", "real"))
        why = next((r.note for r in found.rows if r.class_name == name and r.note), "") if verdict == "unjudged" else ""
        color = COLORS.get(verdict, "yellow")
        console.print(
            f"class {name}: {synthetic} synthetic and {real} real crops, [{color}]{verdict}[/{color}]{': ' + why if why else ''}", soft_wrap=True
        )


def _ratio(found: ScoreRecord) -> str:
    if found.ratio.value is None:
        return "cannot be formed"
    error = f" ± {found.ratio.error:.2f}" if found.ratio.error is not None else ""
    return f"{found.ratio.value:.2f}{error} × the distance between real {'recordings' if found.ratio.across_groups else 'places'}; 1 is ideal"
