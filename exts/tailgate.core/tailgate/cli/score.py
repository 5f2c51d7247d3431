"""``tailgate score``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tailgate.cli.app import Json, app, console, print_json, stderr
from tailgate.errors import UserError


@app.command()
def score(
    synthetic: Annotated[Path, typer.Argument(help="Folder of synthetic frames, whoever made them.")],
    reference: Annotated[Path, typer.Option("--reference", help="Folder of real recordings.")],
    kind: Annotated[str | None, typer.Option("--kind", help="Layout of the synthetic folder; guessed where not given.")] = None,
    reference_kind: Annotated[str | None, typer.Option("--reference-kind", help="Layout of the real folder; guessed where not given.")] = None,
    option: Annotated[list[str], typer.Option("--option", help="key=value for the reader of the synthetic folder.")] = [],  # noqa: B006
    reference_option: Annotated[list[str], typer.Option("--reference-option", help="key=value for the reader of the real one.")] = [],  # noqa: B006
    support: Annotated[list[str], typer.Option("--support", help="CLASS=REAL: a real class that stands in for one with too few.")] = [],  # noqa: B006
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that measure.")] = os.cpu_count() or 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Report page (HTML) to write.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every stratum.")] = False,
    as_json: Json = False,
) -> None:
    """Judge a synthetic set against real recordings. Exit 0 accepted · 1 refused, or nothing could be judged · 2 a mistake."""
    from tailgate.cli.score_table import print_score
    from tailgate.runtime.folder import check_writable
    from tailgate.runtime.score import ScoreRequest
    from tailgate.runtime.score import score as judge

    if out is not None:
        check_writable(out)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=stderr, transient=True) as bars:
        request = ScoreRequest(
            synthetic,
            reference,
            kind,
            reference_kind,
            options=_pairs("--option", option),
            reference_options=_pairs("--reference-option", reference_option),
            support={name: str(value) for name, value in _pairs("--support", support).items()},
            workers=workers,
            tick=_Bars(bars).tick,
        )
        found = judge(request)
        page = found.to_html(out) if out else None
    print_json(found.to_json()) if as_json else print_score(found, console, verbose)
    if page and not as_json:
        console.print(f"report: {page}", soft_wrap=True)
    raise typer.Exit(found.exit_code)


class _Bars:
    """A bar per measured set, with its rate."""

    def __init__(self, bars: Progress):
        self.bars, self.tasks = bars, {}

    def tick(self, words: str, done: int, total: int) -> None:
        """Show the state of one set."""
        if words not in self.tasks:
            self.tasks[words] = self.bars.add_task(words, total=total, completed=done, rate="")
        task = next(t for t in self.bars.tasks if t.id == self.tasks[words])
        self.bars.update(task.id, completed=done, rate=f"{task.speed:.1f} frames/s" if task.speed else "")


def _pairs(option: str, texts: list[str]) -> dict[str, Any]:
    """``key=value`` options; values are read as YAML, so that 0.001 is a number."""
    from tailgate.config.load import value_of

    out = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UserError(f"{option} must be key=value, got '{text}'")
        out[name] = value_of(f"{option} {name}", value)
    return out
