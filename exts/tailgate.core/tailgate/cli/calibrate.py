"""``tailgate calibrate sensor`` and ``tailgate calibrate gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailgate.cli.app import app, console

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
