"""``score``: a synthetic set judged against real data, both read by the same reader, with no run in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tailgate.config.budget import Gate
from tailgate.errors import UserError
from tailgate.validate.evidence import STATISTICS, Evidence, measure
from tailgate.validate.gate import BatchGate
from tailgate.validate.ratio import distance_ratio
from tailgate.validate.scorecard import Row
from tailgate.validate.sketch import Sketch


@dataclass(frozen=True)
class Score:
    """How a synthetic set compares with a reference.

    Attributes:
        verdict: accepted or rejected.
        rows: the scorecard's rows over all strata, those of single strata left out.
        ratio: distance ratio; None where it cannot be formed.
        frames: frames on the synthetic and on the real side.
        notes: sentences of the readers.
    """

    verdict: str
    rows: list[Row]
    ratio: float | None
    frames: tuple[int, int]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        rows = [r.to_json() for r in self.rows]
        return {"verdict": self.verdict, "distance_ratio": self.ratio, "frames": list(self.frames), "rows": rows, "notes": self.notes}

    def print(self, console: Console) -> None:
        """A table for people."""
        console.print(f"{self.frames[0]} synthetic frames against {self.frames[1]} real ones")
        table = Table("statistic", "value", "limit", "real against real", "decides", "verdict", box=None)
        for r in self.rows:
            null = f"{r.null.median:.3g} … {r.null.q95:.3g}" if r.null else ""
            value = "" if r.value is None else f"{r.value:.4g} {r.unit}"
            limit = "" if r.limit is None else f"{r.limit:.4g}"
            table.add_row(r.metric, value, limit, null, "yes" if r.gates else "no", r.verdict)
        console.print(table)
        ratio = "cannot be formed" if self.ratio is None else f"{self.ratio:.2f} × the distance between real recordings"
        console.print(f"distance to the nearest real: {ratio}")
        for note in self.notes:
            console.print(f"[yellow]note:[/yellow] {note}")
        console.print(f"verdict: [bold]{self.verdict}[/bold]")


def score(synthetic: Path, reference: Path, kind: str) -> Score:
    """Judge every frame of a synthetic folder together against all frames of a real one.

    Args:
        synthetic, reference: folders in the layout that ``kind`` names.
        kind: "kitti", "mosd" or "av2".

    Raises:
        UserError: a folder that does not read, or too little real data for any limit.
    """
    ours, our_notes = _evidence(synthetic, kind)
    real, real_notes = _evidence(reference, kind)
    groups = {g: [b for e in found for b in e.blocks] for g, found in real.items()}
    blocks = [b for found in ours.values() for e in found for b in e.blocks]
    card = BatchGate(groups, STATISTICS, Gate()).judge(Sketch.total(blocks))
    if not any(r.limit is not None for r in card.rows):
        raise UserError("holds too little real data to set any limit", reference)
    rows = [r for r in card.rows if r.stratum == "all"]
    counts = (sum(map(len, ours.values())), sum(map(len, real.values())))
    return Score(card.verdict, rows, distance_ratio(groups, blocks, STATISTICS).value, counts, list(dict.fromkeys([*our_notes, *real_notes])))


def _evidence(folder: Path, kind: str) -> tuple[dict[str, list[Evidence]], Sequence[str]]:
    from tailgate.reference.open import open_reader

    reader, entries = open_reader(kind, folder)
    found: dict[str, list[Evidence]] = {}
    for entry in entries:
        found.setdefault(entry.recording, []).append(measure(reader.read(entry.name), entry.name, entry.recording))
    return found, reader.notes

