"""``calibrate sensor``: a sensor model whose response settings are estimated from real recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailgate.config.budget import Reference
from tailgate.config.load import dump
from tailgate.config.rig import load_sensor
from tailgate.errors import UserError
from tailgate.feedback.estimate import apply_estimates
from tailgate.ledger.ledger import write_atomically

if TYPE_CHECKING:
    from rich.console import Console

STREETS = 4
"""Exact scans of simple streets that a LiDAR's response is fitted on."""


@dataclass(frozen=True)
class SensorFit:
    """A calibrated model and the estimates behind it."""

    text: str
    estimates: dict[str, Any]
    notes: list[str]

    def print(self, console: Console) -> None:
        """Every parameter with its interval, and what could not be identified."""
        from rich.table import Table

        table = Table("parameter", "estimate", "interval", "real measurements", "", box=None)
        for name, e in self.estimates.items():
            word = "" if e.identifiable else "[yellow]hardly identified[/yellow]"
            table.add_row(name, f"{e.value:.4g}", f"{e.low:.3g} … {e.high:.3g}", f"{e.n:,}", word)
        console.print(table)
        for note in self.notes:
            console.print(f"[yellow]note:[/yellow] {note}")


def fit_sensor(reference: Path, kind: str, sensor: str, out: Path) -> SensorFit:
    """Estimate a model's calibrated response settings from the feedback part of a reference and write the model.

    Args:
        reference: folder of recordings.
        kind: "kitti", "mosd" or "av2".
        sensor: name or path of the sensor model to start from.
        out: YAML file to write.
    """
    from tailgate.reference import open_reference

    model, name = load_sensor(sensor)
    found = open_reference(Reference(kind=kind, root="."), reference)
    names = [n for n, recorded in found.sensors.items() if recorded == name]
    if not names:
        raise UserError(f"holds recordings of {', '.join(sorted(set(found.sensors.values())))}, not of {name}", reference)
    grid, notes = {}, list(found.notes)
    if model.type == "lidar":
        model, grid, told = _grid(found, names, model.model_copy(update={"device": name}))
        notes += told
    estimates = _estimate(found, names, model)
    response, _ = apply_estimates(model.response, estimates)
    text = dump(model.model_copy(update={"response": response}))
    write_atomically(out, text)
    return SensorFit(text, {**grid, **estimates}, notes)


def _grid(found: Any, names: list[str], model: Any) -> tuple[Any, dict[str, Any], list[str]]:
    """The model with the firing grid of its recordings, the grid's estimates and what could not be told. Several heads of a kind keep the table."""
    from tailgate.calibrate.lidar_grid import estimate_grid

    if len(names) > 1:
        return model, {}, [f"{len(names)} heads of one kind: the beam table stays that of the data sheet"]
    grid = estimate_grid([found.read(n).sensors[names[0]] for n in found.split["feedback"]], model)
    return grid.applied(model), grid.rows(model), grid.notes()


def _estimate(found: Any, names: list[str], model: Any) -> dict[str, Any]:
    if model.type == "camera":
        from tailgate.calibrate.depth import estimate_depth

        return estimate_depth(found, names[0], model)
    from tailgate.calibrate.lidar import fit_response
    from tailgate.calibrate.scene import street_scan
    from tailgate.validate.lidar_statistics import lidar_sketches

    frames = [found.read(n) for n in found.split["feedback"]]
    blocks = [b for frame in frames for name in names for b in lidar_sketches(frame.sensors[name])]
    return fit_response(blocks, [street_scan(model, k) for k in range(STREETS)], model, model.response)
