"""``tailgate gap``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tailgate.cli.app import Json, app, console, print_json
from tailgate.cli.bars import bars, pairs
from tailgate.cli.sides import WORKERS, Kind, Labels, Options, Reference, ReferenceKind, ReferenceOptions, Synthetic, Workers
from tailgate.terminal import say

if TYPE_CHECKING:
    from tailgate.report.gap_record import GapRecord

SHOWN = 20
"""Differences in the table; the page and --json have all."""


@app.command()
def gap(
    synthetic: Synthetic,
    reference: Reference,
    kind: Kind = None,
    reference_kind: ReferenceKind = None,
    option: Options = [],  # noqa: B006 (typer copies it)
    reference_option: ReferenceOptions = [],  # noqa: B006 (typer copies it)
    labels: Labels = None,
    workers: Workers = WORKERS,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Page (HTML) to write.")] = None,
    as_json: Json = False,
) -> None:
    """Say which differences between a synthetic set and real recordings matter, and by what a classifier tells them apart."""
    from tailgate.runtime.folder import check_writable
    from tailgate.runtime.gap import gap as compare
    from tailgate.runtime.score import ScoreRequest

    if out is not None:
        check_writable(out, ".html")
    options = pairs("--option", option), pairs("--reference-option", reference_option)
    with bars() as shown:
        found = compare(ScoreRequest(synthetic, reference, kind, reference_kind, *options, labels, workers=workers, tick=shown.tick))
    page = found.to_html(out) if out else None
    print_json(found.to_json()) if as_json else print_gap(found, console)
    if page and not as_json:
        say(console, "page: {}", page)


def print_gap(found: GapRecord, console: Console) -> None:
    """The differences that lead, and what a classifier goes by."""
    from tailgate.report.gap_record import direction_words, reason_words

    console.print(f"{found.synthetic.frames} synthetic frames against {found.reference.frames} real ones")
    table = Table("family", "difference", "where", "× real against real", "real", "synthetic", "matters", box=None)
    for d in found.differences[:SHOWN]:
        times = f"{d.ratio:.1f} [{d.interval[0]:.1f}, {d.interval[1]:.1f}]" if d.ratio is not None else "no floor"
        where = " ".join(w for w in (d.class_name, d.stratum if d.stratum != "all" else "") if w)
        row = (f"{d.family} {d.modality}".strip(), direction_words(d.metric, d.direction), where, times)
        table.add_row(*map(escape, row), f"{d.real:.3g}", f"{d.synthetic:.3g}", "yes" if d.matters else "no")
    console.print(table)
    for told in found.told:
        floor = "too few real places for a floor" if told.floor is None else f"real places against each other {told.floor:.2f}"
        say(console, "{}: a classifier tells the sets apart at AUC {:.2f} (p {:.3g}); {}", told.modality, told.auc, told.p, floor)
        for reason in told.reasons[:3]:
            say(console, "    {}", reason_words(reason))
    for note in found.notes:
        say(console, "[yellow]note:[/yellow] {}", note)
    say(console, "[bold]{}[/bold]", found.sentence)
