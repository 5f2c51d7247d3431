"""Calibrate the batch gate of every modality from measured blocks: real ones, and the same frames under every negative control and strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tailgate.config.gate import ControlRecord, ModalityGate
from tailgate.validate.calibration import LEVEL, Wrong, calibrate
from tailgate.validate.evidence import MODALITIES, STATISTICS
from tailgate.validate.gate import places_by_modality, sizes
from tailgate.validate.object_statistics import OBJECT_STATISTICS
from tailgate.validate.places import Places
from tailgate.validate.sketch import Sketch
from tailgate.validate.wrong import CONTROLS

SPLITS = 200
"""Trials behind every number of the file."""
Blocks = Mapping[str, Sequence[Sketch]]
"""Group -> its blocks, in the order of its frames."""
Tick = Callable[[str, int, int], None]
"""Called with what is done, how much of it and of how much."""


@dataclass(frozen=True)
class _How:
    """Seed of draws and splits, share of real batches that may be rejected, and trials."""

    seed: int
    level: float
    splits: int


def modality_gates(
    real: Blocks,
    wrong: Mapping[tuple[str, float], Blocks],
    seed: int = 0,
    tick: Tick = lambda words, done, total: None,
    splits: int = SPLITS,
) -> dict[str, ModalityGate]:
    """The gate of each modality with enough places and values; empty where there is none.

    Args:
        real: blocks of the reference.
        wrong: (control, strength) -> the same blocks after the control.
        seed: of draws and splits.
        tick: hears of every batch size that is done.
        splits: trials behind every number.
    """
    places = {m: p for m, p in places_by_modality(real, STATISTICS).items() if sizes(p)}
    found = {m: _gate(m, p, _controlled(p, wrong), _How(seed, LEVEL / len(places), splits), tick) for m, p in places.items()}
    return {m: gate for m, gate in found.items() if gate is not None}


def applicable(real: Blocks) -> list[tuple[str, float]]:
    """Controls of what the reference shows, with each of their strengths; those of objects where it shows enough objects to judge."""
    total = Sketch.total(b for own in real.values() for b in own)
    kinds = {m for m, own in MODALITIES.items() if any(n in total.counts for n in own)}
    if any((total.counts[n].sum(axis=1) >= s.min_count).any() for n, s in OBJECT_STATISTICS.items() if n in total.counts):
        kinds.add("objects")
    return [(c.name, s) for c in CONTROLS.values() if c.kind in kinds for s in c.strengths]


def _controlled(places: Places, wrong: Mapping[tuple[str, float], Blocks]) -> dict[str, Wrong]:
    """The places under each control that changes one of their statistics."""
    found = {}
    for name in dict.fromkeys(name for name, _ in wrong):
        control = CONTROLS[name]
        own = Wrong(tuple(places.again(wrong[name, s]) for s in control.strengths), control.strengths.index(control.stated))
        if any((own.by_strength[own.stated].counts[n] != c).any() for n, c in places.counts.items()):
            found[name] = own
    return found


def _gate(modality: str, places: Places, wrong: dict[str, Wrong], how: _How, tick: Tick) -> ModalityGate | None:
    steps, limits, words = sizes(places), [], f"limits and power, {modality}"
    tick(words, 0, len(steps))
    for size in steps:
        limits.append(calibrate(places, wrong, size, how.seed, how.splits, how.level))
        tick(words, len(limits), len(steps))
    judged = [found for found in limits if found is not None]
    if not judged:
        return None
    controls = {c: ControlRecord(words=CONTROLS[c].words, strengths=list(CONTROLS[c].strengths), stated=CONTROLS[c].stated) for c in wrong}
    return ModalityGate(place=places.kind, places=len(places), blocks=len(places.place), controls=controls, sizes=judged)
