"""``tailgate check`` and ``tailgate mark``: a stage of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tailgate.cli.app import Json, app, console, print_json
from tailgate.cli.bars import doing
from tailgate.errors import UserError
from tailgate.terminal import say

if TYPE_CHECKING:
    from tailgate.stage.check import StageReport

COLORS = {"problem": "red", "warning": "yellow", "note": "dim"}


@app.command("check")
def check_command(
    stage: Annotated[Path, typer.Argument(help="USD file of your scene.")],
    scenario: Annotated[str, typer.Option(help="Scenario that is to use it as its base: a name or file.")] = "",
    rig: Annotated[str, typer.Option(help="Rig to try it with; chosen by the scenario where not given.")] = "",
    classes: Annotated[str, typer.Option(help="Comma-separated classes to place; the scenario's distractors where not given.")] = "",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Picture (PNG) to write.")] = None,
    as_json: Json = False,
) -> None:
    """Say whether a stage of your own can be used, what is wrong with it and how to mend it. Exit 1 with a problem."""
    from tailgate.assets import cache_folder
    from tailgate.runtime.folder import check_writable
    from tailgate.runtime.stage_check import StageRequest, check, picture_stage
    from tailgate.stage.layers import open_base

    if out is not None:
        check_writable(out, ".png")
    if not scenario and (rig or classes):
        raise UserError(f"{'--rig' if rig else '--classes'} says how a scenario is tried: name it with --scenario")
    named = tuple(name.strip() for name in classes.split(",") if name.strip())
    request = StageRequest(open_base(stage), scenario, rig, named, cache_folder())
    with doing("reading the stage"):
        report, clip = check(request)
    drawn = None
    if out is not None and report.facts["shapes"]:
        with doing("taking its pictures"):
            drawn = picture_stage(request, report, clip, out)
    if as_json:
        print_json(report.to_json())
    else:
        print_report(report, console)
        if out is not None:
            say(console, "picture: {}", drawn or "none, the stage shows nothing")
    raise typer.Exit(0 if report.ok else 1)


def print_report(report: StageReport, console: Console) -> None:
    """What the stage holds, the findings with what to do, and the verdict last."""
    from tailgate.stage.check.finding import counted, figure

    facts = report.facts
    size = " × ".join(map(figure, facts["size_m"]))
    unit = f"declared in units of {facts['meters_per_unit']:g} m with {facts['up_axis']} up"
    held = f"{size} m, {counted(facts['shapes'], 'shape')}, {counted(facts['triangles_shown'], 'triangle')}, {unit}"
    say(console, "[bold]{}[/bold]: {}", Path(report.stage).name, held)
    for c in facts["contexts"]:
        form = f"{c['length_m']:g} m long, {c['width_m']:g} m wide, heading {c['heading']}" if c["form"] == "spline" else f"{c['area_m2']:g} m²"
        say(console, "  context {}: {}, {}", c["path"], c["kind"], form)
    if facts["classes"]:
        say(console, "  classes: {}", ", ".join(facts["classes"]))
    for f in report.findings:
        say(console, f"[{COLORS[f.severity]}]{f.severity:<8}[/] {f.topic}: {{}}", f.where + f.found)
        for line in (f.expected, f.mend):
            if line:
                say(console, "         {}", line)
    word, _, rest = report.verdict.partition(": ")
    say(console, f"[bold {'green' if report.ok else 'red'}]{word}[/]: {{}}", rest)


@app.command()
def mark(
    stage: Annotated[Path, typer.Argument(help="USD file of your scene; it is not changed.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Overlay (.usda) to write; use it in place of the scene.")],
    context: Annotated[list[str], typer.Option(help="PRIM=KIND[:WIDTH][:reverse]: a curve or mesh that objects stand on.")] = [],  # noqa: B006
    label: Annotated[list[str], typer.Option(help="PRIM=CLASS: label a prim and what is below it.")] = [],  # noqa: B006
    asset: Annotated[list[str], typer.Option(help="PRIM=CLASS: also write the prim to CLASS.usdc beside the overlay, as an asset.")] = [],  # noqa: B006
    meters_per_unit: Annotated[float | None, typer.Option(help="Unit that the scene was modelled in [m].")] = None,
    up: Annotated[str | None, typer.Option(help="Up axis that the scene was modelled with: Y or Z.")] = None,
    upgrade_labels: Annotated[bool, typer.Option("--upgrade-labels", help="Repeat labels of the old SemanticsAPI in the present form.")] = False,
    as_json: Json = False,
) -> None:
    """Mark curves and meshes as contexts, label prims, correct the unit: in an overlay, without touching the stage."""
    from tailgate.runtime.stage_marks import Marks, write_marks

    pairs = [[_pair(option, text) for text in texts] for option, texts in (("--context", context), ("--label", label), ("--asset", asset))]
    said = write_marks(stage, out, Marks(*map(tuple, pairs), meters_per_unit, up, upgrade_labels))
    if as_json:
        print_json({"overlay": str(out), "done": said})
        return
    for line in said:
        say(console, "{}", line)
    say(console, "overlay: {}", out)


def _pair(option: str, text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not (path and equals and value):
        raise UserError(f"{option} must be PRIM=…, got '{text}'")
    return path, value
