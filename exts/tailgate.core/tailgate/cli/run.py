"""Commands that make data: plan, generate, status, preview, report, export, compose, explain, randomizers, doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tailgate.cli.app import Data, Json, Sets, app, console, print_json
from tailgate.errors import UserError
from tailgate.terminal import say


@app.command()
def plan(
    labels: Annotated[Path, typer.Argument(help="COCO json, KITTI txt or folder, nuScenes tables, Argoverse 2 feather or npz, or class,count csv.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Budget file to write.")] = Path("budget.yaml"),
    target: Annotated[int, typer.Option(help="Instances wanted of each tail class, real ones included.")] = 500,
    percentile: Annotated[float, typer.Option(help="Tail: classes with counts at or below this percentile of class counts.")] = 20.0,
    classes: Annotated[str, typer.Option(help="Comma-separated classes to budget for instead of the tail; tail and all are names too.")] = "",
    include_zero: Annotated[bool, typer.Option(help="Count declared classes without any sample as 0.")] = False,
    usd: Annotated[list[str], typer.Option(help="CLASS=FILE: your own USD for a class.")] = [],  # noqa: B006 (typer copies it)
    scenario: Annotated[str | None, typer.Option(help="Scenario; chosen by class where not given.")] = None,
    rig: Annotated[str | None, typer.Option(help="Rig; chosen by the labels where not given.")] = None,
    measured: Annotated[Path | None, typer.Option(help="Run folder whose measured rate and acceptance give the hours.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Read a real dataset's labels, show its tail and write a budget for it."""
    from tailgate.datasets.labels import read_labels
    from tailgate.plan import PlanOptions, print_plan, print_survey, survey
    from tailgate.plan import plan as make_plan
    from tailgate.runtime.spec import data_root

    options = PlanOptions(
        labels,
        target=target,
        percentile=percentile,
        classes=tuple(c.strip() for c in classes.split(",") if c.strip()),
        include_zero=include_zero,
        usd=dict(_pair("--usd", text) for text in usd),
        measured_from=measured,
        scenario=scenario,
        rig=rig,
        data=data_root(data),
        output=out,
    )
    if as_json:
        print_json(make_plan(options).to_json())
        return
    print_survey(survey(read_labels(labels), options), console)
    print_plan(make_plan(options), console)
    say(console, "budget: {}", out)


@app.command()
def generate(
    budget: Annotated[Path, typer.Argument(help="Budget file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Run folder (default: runs/<budget name>). The same command resumes.")] = None,
    data: Data = None,
    backend: Annotated[str, typer.Option(help="warp: the embedded renderer; isaac: inside Isaac Sim (scripts/isaac_generate.py).")] = "warp",
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 2,
    engine: Annotated[str, typer.Option(help="inline or local.")] = "local",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be made; write nothing.")] = False,
    overrides: Sets = [],  # noqa: B006 (typer copies it)
    as_json: Json = False,
) -> None:
    """Make the dataset that a budget asks for."""
    from tailgate.runtime.progress import Progress
    from tailgate.runtime.run import describe_plan, execute
    from tailgate.runtime.spec import RunOptions

    if engine not in ("inline", "local"):
        raise UserError(f"--engine must be inline or local, got '{engine}'")
    options = RunOptions(budget, out, data, backend, device, tuple(overrides))
    if dry_run:
        rows = describe_plan(options)
        lines = [("note" if k == "notes" else k, v) for k, values in rows.items() for v in (values if k == "notes" else [values])]
        print_json(rows) if as_json else [say(console, "[bold]{}[/bold]: {}", k, str(v)) for k, v in lines]
        return
    with Progress(console if not as_json else None) as progress:
        summary = execute(options, engine, workers, progress.listen)
    print_json(summary.to_json()) if as_json else summary.print(console)
    raise typer.Exit(summary.exit_code)


@app.command()
def status(run: Path, hash: Annotated[bool, typer.Option("--hash", help="Print plan_hash and content_hash.")] = False, as_json: Json = False) -> None:
    """How far a run is; with --hash what identifies its samples and its data."""
    from tailgate.ledger.ledger import hashes, read

    with read(run):
        found = hashes(run) if hash else _status(run)
    if as_json or not hash:
        print_json(found)
    else:
        for name, value in found.items():
            say(console, "{} {}", name, str(value))


@app.command()
def preview(
    budget: Path,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write.")] = Path("preview.png"),
    count: Annotated[int | None, typer.Option("-n", min=1, max=64, help="Clips to show (default: 6), or effects (default: all).")] = None,
    data: Data = None,
    device: str = "cpu",
    ablate: Annotated[bool, typer.Option(help="Each sensor effect alone, from off to strong.")] = False,
    overrides: Sets = [],  # noqa: B006 (typer copies it)
) -> None:
    """Write a contact sheet of the first clips a budget would make."""
    from tailgate.runtime.ablation import ablation
    from tailgate.runtime.preview import contact
    from tailgate.runtime.spec import RunOptions

    options = RunOptions(budget, out, data, "warp", device, tuple(overrides))
    ablation(options, out, count) if ablate else contact(options, out, count or 6)
    say(console, "contact sheet: {}", out)


@app.command()
def report(run: Path, out: Annotated[Path | None, typer.Option("-o", "--out")] = None) -> None:
    """Write the run's report: one self-contained HTML file."""
    from tailgate.report.html import write_report
    from tailgate.runtime.folder import check_writable

    target = out or run / "report.html"
    check_writable(target, ".html")
    write_report(run, target)
    say(console, "report: {}", target)


@app.command()
def export(
    run: Path,
    formats: Annotated[str, typer.Option("--format", help="Comma-separated: basicwriter, coco, kitti, semantickitti.")] = "",
) -> None:
    """Write the accepted frames of a run again, in the formats named."""
    from tailgate.runtime.export import export_run

    folders, notes = export_run(run, tuple(f.strip() for f in formats.split(",") if f.strip()))
    for name, folder in folders.items():
        say(console, "{}: {}", name, folder)
    for note in notes:
        say(console, "[yellow]note:[/yellow] {}", note)


@app.command()
def compose(
    real: Annotated[Path, typer.Option("--real", help="Labels of the real dataset.")],
    synthetic: Annotated[Path, typer.Option("--synthetic", help="Run folder.")],
    ratio: Annotated[float, typer.Option(min=0.0, max=0.95, help="Share of synthetic frames in the mix.")] = 0.5,
    stratify: Annotated[str, typer.Option(help="'frequency': by class-frequency bucket; 'none'.")] = "frequency",
    out: Annotated[Path, typer.Option("-o", "--out", help="Manifest to write (.parquet).")] = Path("train.parquet"),
    seed: int = 0,
) -> None:
    """Write a mixed training manifest of real and accepted synthetic frames."""
    from tailgate.datasets.compose import ComposeOptions
    from tailgate.runtime.mix import mix_run, print_mix

    print_mix(mix_run(real, synthetic, out, ComposeOptions(ratio, stratify, seed)), out, console)


@app.command()
def explain(frame: str, run: Annotated[Path, typer.Option("--run", help="Run folder.")] = Path(".")) -> None:
    """Say of one frame what was drawn for it, what was measured and why it was kept or not."""
    from tailgate.runtime.explain import explain_frame

    explain_frame(run, frame, console)


@app.command("randomizers")
def list_randomizers(as_json: Json = False) -> None:
    """List the registered randomizers with their settings."""
    from tailgate.runtime.explain import randomizer_table

    rows = randomizer_table()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(console, "[bold]{}[/bold] ({}, {}): {}", row["name"], row["kind"], row["level"], row["summary"])
        for name, words in row["settings"].items():
            say(console, "    {}: {}", name, words)


@app.command()
def doctor(
    out: Annotated[Path, typer.Option(help="Folder whose disk is checked.")] = Path("."),
    nodes: Annotated[str, typer.Option(help="Comma-separated hosts that must be as this machine; asked over ssh.")] = "",
    as_json: Json = False,
) -> None:
    """Check this machine: versions, devices, memory, disk, Isaac Sim; with a fix per line. Changes nothing."""
    from tailgate.doctor import diagnose, print_checks

    checks = diagnose(out, [n.strip() for n in nodes.split(",") if n.strip()])
    print_json([c.to_json() for c in checks]) if as_json else print_checks(checks, console)
    raise typer.Exit(0 if all(c.ok for c in checks) else 1)


def _status(run: Path) -> dict[str, Any]:
    file = run / "status.json"
    if not file.is_file():
        raise UserError("holds no status.json yet: no batch has been judged", run)
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise UserError(f"is not valid JSON ({error}); run generate again to restore it", file) from None


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"{option} must be CLASS=FILE, got '{text}'")
    return name, value
