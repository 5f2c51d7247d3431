"""``tailgate score``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailgate.cli.app import Json, app, console, print_json
from tailgate.cli.bars import bars, pairs
from tailgate.cli.sides import WORKERS, Kind, Labels, Options, Reference, ReferenceKind, ReferenceOptions, Synthetic, Workers
from tailgate.errors import UserError
from tailgate.terminal import say

GEOMETRIC = "geometric"


@app.command()
def score(
    synthetic: Synthetic,
    reference: Reference,
    kind: Kind = None,
    reference_kind: ReferenceKind = None,
    option: Options = [],  # noqa: B006 (typer copies it)
    reference_option: ReferenceOptions = [],  # noqa: B006
    labels: Labels = None,
    gate: Annotated[Path | None, typer.Option("--gate", help="gate.yaml that 'calibrate gate' wrote for this reference.")] = None,
    support: Annotated[list[str], typer.Option("--support", help="CLASS=REAL: a real class that stands in for one with too few.")] = [],  # noqa: B006
    backbone: Annotated[str, typer.Option("--backbone", help="Features of the class gate: a name or a model file.")] = GEOMETRIC,
    paired: Annotated[bool, typer.Option("--paired", help="The synthetic set is a twin of the same place: compare its clouds one by one.")] = False,
    workers: Workers = WORKERS,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Report page (HTML) to write.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every stratum.")] = False,
    as_json: Json = False,
) -> None:
    """Judge a synthetic set against real recordings. Exit 0 accepted · 1 refused, or nothing could be judged · 2 a mistake."""
    from tailgate.cli.score_table import print_score
    from tailgate.runtime.folder import check_writable
    from tailgate.runtime.paired import compare_pairs
    from tailgate.runtime.score import ScoreRequest
    from tailgate.runtime.score import score as judge

    if paired:
        judging = {"--labels": labels, "--gate": gate, "--support": support, "--backbone": backbone != GEOMETRIC}
        _refuse_beside_paired({**judging, "--workers": workers != WORKERS, "--out": out, "--verbose": verbose})
    if out is not None:
        check_writable(out, ".html")
    with bars() as shown:
        request = ScoreRequest(
            synthetic,
            reference,
            kind,
            reference_kind,
            options=pairs("--option", option),
            reference_options=pairs("--reference-option", reference_option),
            labels=labels,
            gate=gate,
            support={name: str(value) for name, value in pairs("--support", support).items()},
            backbone=backbone,
            workers=workers,
            tick=shown.tick,
        )
        found = compare_pairs(request) if paired else judge(request)
        page = found.to_html(out) if out else None
    if paired:
        print_json(found.to_json()) if as_json else found.print(console)
        raise typer.Exit(0)
    print_json(found.to_json()) if as_json else print_score(found, console, verbose)
    if page and not as_json:
        say(console, "report: {}", page)
    raise typer.Exit(found.exit_code)


def _refuse_beside_paired(options: dict[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise UserError(f"--paired compares clouds and judges nothing: it must come without {' and '.join(given)}")
