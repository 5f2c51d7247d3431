"""``tailgate calibrate sensor`` and ``tailgate calibrate gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailgate.cli.app import Json, app, console, print_json
from tailgate.cli.bars import bars, pairs
from tailgate.cli.sides import WORKERS, Reference, Workers
from tailgate.errors import UserError
from tailgate.reference.recording import FILE
from tailgate.terminal import say

calibrate = typer.Typer(no_args_is_help=True, help="Estimate from real recordings.")
app.add_typer(calibrate, name="calibrate")


@calibrate.callback()
def _calibrate() -> None:
    """Estimate from real recordings."""


@calibrate.command("sensor")
def calibrate_sensor(
    reference: Reference,
    sensor: Annotated[str | None, typer.Option(help="Model to start from, a name in configs/sensors or a file; else the one recorded.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Layout; guessed where not given.")] = None,
    option: Annotated[list[str], typer.Option("--option", help="key=value for the reader.")] = [],  # noqa: B006 (typer copies it)
    holdout: Annotated[bool, typer.Option("--holdout", help="Also fit to some places and judge on the others.")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="Sensor model to write; a page of the same name lies beside it.")] = Path("sensor.yaml"),
    seed: Annotated[int, typer.Option(help="Of scenes and noise.")] = 0,
    as_json: Json = False,
) -> None:
    """Estimate a sensor's grid, noise, losses, edges and intensity law from real recordings, with intervals, and say what cannot be told."""
    from tailgate.atomic import write_atomically
    from tailgate.report.sensor_page import print_sensor, write_sensor_page
    from tailgate.runtime.sensor_fit import SensorRequest, fit_sensor

    page = _page(out)
    if out.name == FILE and out.resolve().parent == reference.resolve():
        raise UserError("would stand for what describes the recordings beside it: write it elsewhere, or under another name", out)
    with bars() as shown:
        fit = fit_sensor(SensorRequest(reference, sensor, kind, pairs("--option", option), holdout, seed, shown.tick))
    files = fit.files(out)
    for path, text in files.items():
        write_atomically(path, text)
    write_sensor_page(fit.record, page)
    if as_json:
        print_json(fit.record.to_json())
        return
    print_sensor(fit.record, console)
    named = ", ".join(f"{path} ({head})" if len(files) > 1 else str(path) for path, head in zip(files, fit.models, strict=True))
    say(console, "sensor model{}: {}, page: {}", "s" if len(files) > 1 else "", named, page)


@calibrate.command("gate")
def calibrate_gate(
    reference: Reference,
    kind: Annotated[str | None, typer.Option("--kind", help="Layout; guessed where not given.")] = None,
    option: Annotated[list[str], typer.Option("--option", help="key=value for the reader.")] = [],  # noqa: B006 (typer copies it)
    out: Annotated[Path, typer.Option("-o", "--out", help="Gate to write; a page of the same name lies beside it.")] = Path("gate.yaml"),
    seed: Annotated[int, typer.Option(help="Of controls, draws and splits.")] = 0,
    workers: Workers = WORKERS,
    as_json: Json = False,
) -> None:
    """Set the limits of the batch gate real against real, and measure what it notices: false rejects and power on places held out of the limits."""
    from tailgate.report.power import print_gate, write_gate_page
    from tailgate.runtime.gate_file import write_gate
    from tailgate.runtime.gate_fit import GateRequest, fit_gate

    page = _page(out)
    with bars() as shown:
        gate = fit_gate(GateRequest(reference, kind, pairs("--option", option), seed, workers, shown.tick))
    write_gate(gate, out)
    write_gate_page(gate, page)
    if as_json:
        print_json(gate.model_dump(mode="json", by_alias=True))
        return
    print_gate(gate, console)
    say(console, "gate: {}, page: {}", out, page)


def _page(out: Path) -> Path:
    """The page beside a file to be written; UserError where either cannot be written."""
    from tailgate.runtime.folder import check_writable

    page = out.with_suffix(".html")
    if page == out:
        raise UserError("must not end in .html: the page beside it does", out)
    check_writable(out)
    check_writable(page)
    return page
