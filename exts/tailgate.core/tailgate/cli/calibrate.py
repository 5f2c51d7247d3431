"""``tailgate calibrate sensor`` and ``tailgate calibrate gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailgate.cli.app import Json, app, console, print_json
from tailgate.cli.bars import bars, pairs
from tailgate.cli.sides import WORKERS, Reference, Workers

calibrate = typer.Typer(no_args_is_help=True, help="Estimate from real recordings.")
app.add_typer(calibrate, name="calibrate")


@calibrate.callback()
def _calibrate() -> None:
    """Estimate from real recordings."""


@calibrate.command("sensor")
def calibrate_sensor(
    reference: Annotated[Path, typer.Option("--reference", help="Folder of recordings.")],
    sensor: Annotated[str, typer.Option(help="Sensor model to start from: a name in configs/sensors or a file.")],
    kind: Annotated[str, typer.Option(help="Layout: kitti, mosd or av2.")] = "kitti",
    out: Annotated[Path, typer.Option("-o", "--out", help="Sensor model to write.")] = Path("sensor.yaml"),
) -> None:
    """Estimate a sensor's noise, losses and intensity law from real recordings."""
    from tailgate.runtime.sensor_fit import fit_sensor

    fit_sensor(reference, kind, sensor, out).print(console)
    console.print(f"sensor model: {out}", soft_wrap=True)


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
    from tailgate.runtime.folder import check_writable
    from tailgate.runtime.gate_file import write_gate
    from tailgate.runtime.gate_fit import GateRequest, fit_gate

    page = out.with_suffix(".html")
    check_writable(out)
    check_writable(page)
    with bars() as shown:
        gate = fit_gate(GateRequest(reference, kind, pairs("--option", option), seed, workers, shown.tick))
    write_gate(gate, out)
    write_gate_page(gate, page)
    if as_json:
        print_json(gate.model_dump(mode="json", by_alias=True))
        return
    print_gate(gate, console)
    console.print(f"gate: {out}, page: {page}", soft_wrap=True)
