"""What the class gate can tell of each class of a reference, at a few batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tailgate.config.budget import Gate
from tailgate.config.gate import ClassLimits, ClassRecord
from tailgate.validate.class_gate import ClassGate
from tailgate.validate.class_limits import Limits
from tailgate.validate.crops import Crop, range_bin_name
from tailgate.validate.stratum import MAX_CROPS, MIN_GROUPS, MIN_REFERENCE, PARTS

SIZES = (8, Gate().n_min, MAX_CROPS)
"""Crops in a batch: few, as many as a class needs for a verdict, as many as are ever compared."""


def class_records(crops: Sequence[Crop], seed: int = 0, tick: Callable[[str, int, int], None] = lambda words, done, total: None) -> list[ClassRecord]:
    """Limits and power per class, modality and range bin, in that order.

    Args:
        crops: of all real frames.
        seed: of the class gate.
        tick: hears of every stratum that is done.
    """
    gate, held = ClassGate(crops, Gate(), seed), sorted({(c.class_name, c.modality, c.range_bin) for c in crops})
    records = []
    for key in held:
        tick("limits of classes", len(records), len(held))
        own = [c.group for c in crops if (c.class_name, c.modality, c.range_bin) == key]
        found = {n: gate.limits(key, n) for n in SIZES}
        sizes = [_limits(n, limits) for n, limits in found.items() if limits]
        note = "" if sizes else f"{MIN_REFERENCE} crops of {MIN_GROUPS} groups are needed"
        base = {"class": key[0], "modality": key[1], "range": range_bin_name(key[2])}
        records.append(ClassRecord(**base, crops=len(own), groups=len(set(own)), sizes=sizes, note=note))
    tick("limits of classes", len(held), len(held))
    return records


def _limits(size: int, found: Limits) -> ClassLimits:
    limits = dict(zip(PARTS, map(float, found.limit), strict=True))
    return ClassLimits(size=size, joint=found.joint, limits=limits, x_max=found.x_max, gates=list(found.gating), power=found.power)
