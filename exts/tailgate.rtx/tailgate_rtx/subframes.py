"""How many subframes a capture needs, by what changed since the one before.

The renderer reuses light and pixels of earlier frames, so a picture shows the state before until enough frames have passed: 4 to 8 after prims were
moved or lights changed, 16 to 32 with new materials, textures or path tracing, at least 3 for another dome image (omni.replicator.core 1.12,
documentation of ``rt_subframes`` and of dome lights).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from tailgate.stage.lights import Lights
from tailgate.stage.watch import StageState

SETTLED, CHANGED, NEW = 4, 8, 32
"""Subframes where nothing changed, where values did, and where there is something to load and compile or everything is sampled anew."""


@dataclass(frozen=True)
class Change:
    """What differs from the frame before.

    Attributes:
        new: first frame, or shapes, materials or textures that were not there before.
        moved: a prim or the rig was moved, shown or hidden.
        lights: a light changed.
        materials: an input of a material changed.
    """

    new: bool = False
    moved: bool = False
    lights: bool = False
    materials: bool = False

    @classmethod
    def between(cls, before: StageState | None, after: StageState) -> Change:
        """From one state of a stage to the next; None is before the first frame."""
        if before is None or before.version != after.version:
            return cls(new=True)
        moved = ("T_world_mover", "visible", "T_world_rig")
        return cls(
            moved=not all(np.array_equal(getattr(before, name), getattr(after, name)) for name in moved),
            lights=not _same_lights(before.lights, after.lights),
            materials=not np.array_equal(before.materials, after.materials),
        )


def _same_lights(a: Lights, b: Lights) -> bool:
    if (a.dome is None) != (b.dome is None) or (a.dome and (a.dome.path != b.dome.path or not np.array_equal(a.dome.tint, b.dome.tint))):
        return False
    if a.dome and not np.array_equal(a.dome.R_image_world, b.dome.R_image_world):
        return False
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Lights) if f.name != "dome")


def subframes(change: Change, path_tracing: bool = False) -> int:
    """Subframes of one capture after a change."""
    if change.new or path_tracing:
        return NEW
    return CHANGED if change.moved or change.lights or change.materials else SETTLED
