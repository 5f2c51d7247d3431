"""``score --paired``: a digital twin against recordings of the same place, cloud by cloud. Its numbers say nothing of other places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.errors import UserError, nearest
from tailgate.frames import Frame
from tailgate.runtime.measured import Source
from tailgate.runtime.score import ScoreRequest
from tailgate.validate.chamfer import halves
from tailgate.validate.cloudmetrics import cloudmetrics
from tailgate.validate.density import density_aware_chamfer
from tailgate.validate.m3c2 import m3c2, summary
from tailgate.validate.voxels import voxel_iou

if TYPE_CHECKING:
    from rich.console import Console

CORE_EVERY = 100
"""Step through the real points from one core point of M3C2 to the next."""
UNITS = {
    "chamfer": "m",
    "chamfer_sq": "m²",
    "density_aware_chamfer": "",
    "voxel_iou": "",
    "m3c2_median": "m",
    "m3c2_median_abs": "m",
    "cloudmetrics_gap": "",
}


@dataclass(frozen=True)
class Pair:
    """Metrics of one pair of clouds; names and units as in UNITS. A metric that cannot be formed is NaN."""

    frame: str
    sensor: str
    values: dict[str, float]


@dataclass(frozen=True)
class Paired:
    """Pairs of a synthetic and a real cloud, and the floor: consecutive real clouds of one recording."""

    pairs: list[Pair]
    floor: list[Pair]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"protocol": "paired", "units": UNITS, "pairs": [asdict(p) for p in self.pairs], "floor": [asdict(p) for p in self.floor]}

    def print(self, console: Console) -> None:
        """Median and range over the pairs, beside the floor."""
        from rich.table import Table

        table = Table("metric", "median", "from … to", "real, one sweep to the next", box=None)
        for name, unit in UNITS.items():
            found, floor = ([p.values[name] for p in side if np.isfinite(p.values[name])] for side in (self.pairs, self.floor))
            if found:
                real = f"{np.median(floor):.3g} {unit}" if floor else "not known"
                table.add_row(name, f"{np.median(found):.3g} {unit}", f"{min(found):.3g} … {max(found):.3g}", real)
        console.print(f"{len(self.pairs)} clouds against recordings of the same place, {len(self.floor)} pairs of consecutive real ones")
        console.print(table)
        console.print("paired: measured, nothing decided; distances between recordings of one place are no measure for other places")


def compare_pairs(request: ScoreRequest) -> Paired:
    """Compare frames of equal names, each LiDAR with that of the same name, in world coordinates.

    Raises:
        UserError: frames without a counterpart, no LiDAR, or two clouds that are not of one place.
    """
    ours = Source.find(request.synthetic, request.kind, request.options, None)
    theirs = Source.find(request.reference, request.reference_kind, request.reference_options)
    (our_reader, our_entries), (their_reader, their_entries) = ours.open(), theirs.open()
    real_names = [e.name for e in their_entries]
    for entry in our_entries:
        if entry.name not in real_names:
            raise UserError(f"frame '{entry.name}' must have a real one of the same name to be paired{nearest(entry.name, real_names)}", ours.root)
    pairs = []
    for done, entry in enumerate(our_entries):
        request.tick("comparing pairs", done, len(our_entries))
        pairs += _pairs(entry.name, theirs.read(their_reader, entry.name), ours.read(our_reader, entry.name))
    if not pairs:
        raise UserError("holds no LiDAR of a name that the reference has: paired metrics compare clouds", ours.root)
    following = [(a, b) for a, b in zip(their_entries, their_entries[1:], strict=False) if a.recording == b.recording]
    floor: list[Pair] = []
    for done, (a, b) in enumerate(following):
        request.tick("real against real", done, len(following))
        floor += _floor(b.name, theirs.read(their_reader, a.name), theirs.read(their_reader, b.name))
    return Paired(pairs, floor)


def _floor(name: str, before: Frame, after: Frame) -> Iterable[Pair]:
    """Consecutive sweeps; nothing where the sensor has moved to another place."""
    try:
        return _pairs(name, before, after)
    except UserError:
        return []


def _pairs(name: str, real: Frame, synthetic: Frame) -> list[Pair]:
    shared = [n for n, s in real.sensors.items() if s.kind == "lidar" and n in synthetic.sensors]
    return [Pair(name, n, _metrics(_cloud(real, n), _cloud(synthetic, n))) for n in shared]


def _cloud(frame: Frame, sensor: str) -> tuple[np.ndarray, np.ndarray]:
    """Points [n, 3] in the world [m], and their classes (0 where there are none)."""
    found = frame.sensors[sensor].points()
    T = frame.sensors[sensor].T_world_sensor[0]
    classes = found.get("semantic", np.zeros(len(found["xyz"])))
    return found["xyz"].astype(np.float64) @ T[:3, :3].T + T[:3, 3], np.asarray(classes).astype(np.int64)


def _metrics(real: tuple[np.ndarray, np.ndarray], synthetic: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    p, q = real[0], synthetic[0]
    iou, distance = voxel_iou(p, q).iou, halves(p, q)
    moved = summary(m3c2(p, q, p[::CORE_EVERY]))
    labelled = all(len(np.unique(c)) > 1 for _, c in (real, synthetic))
    sides = (real, synthetic) if labelled else ((p, np.zeros(len(p), np.int64)), (q, np.zeros(len(q), np.int64)))
    return {
        "chamfer": distance.chamfer,
        "chamfer_sq": distance.chamfer_sq,
        "density_aware_chamfer": density_aware_chamfer(p, q),
        "voxel_iou": iou,
        "m3c2_median": moved.median,
        "m3c2_median_abs": moved.median_abs,
        "cloudmetrics_gap": cloudmetrics(*sides).gap,
    }
