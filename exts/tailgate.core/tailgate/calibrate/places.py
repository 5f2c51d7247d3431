"""Which recordings show one place: a copy under another name, or another visit, tells nothing of the device that the first did not.

The ground looks alike everywhere, so beams that look level and up are compared: by the nearest return of each in each degree of azimuth. Sweeps of
one street a tenth of a second apart agree in eight of ten cells and more, those of two streets in a tenth, exact streets and rooms in half at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tailgate.calibrate.holdout import Recorded
from tailgate.frames import SensorFrame
from tailgate.geometry.beams import directions

CELLS = 360
"""Azimuth cells of a beam."""
DOWN = 4.0
"""Beams that look down by more than this [deg] see the ground."""
ALIKE, AGREE = 0.05, 0.7
"""Ranges within this share of each other are alike, and two scans in which this share of the cells are, show one place."""


def by_place(frames: Sequence[Recorded]) -> list[Recorded]:
    """The frames, recordings of one place under the name of the first; frames without scans keep theirs."""
    name = {frame.recording: frame.recording for frame in frames}
    order, seen = list(name), []
    for frame in frames:
        view = {head: _surroundings(scan) for head, scan in frame.scans.items()}
        for other, held in seen:
            first, second = sorted((name[frame.recording], name[other]), key=order.index)
            if first != second and any(_alike(view[head], held[head]) for head in view.keys() & held.keys()):
                name = {recording: first if shown == second else shown for recording, shown in name.items()}
        seen.append((frame.recording, view))
    return [replace(frame, recording=name[frame.recording]) for frame in frames]


def same_places(before: Sequence[Recorded], after: Sequence[Recorded]) -> list[str]:
    """A sentence for each recording that ``by_place`` gave the name of another."""
    pairs = {(a.recording, b.recording) for a, b in zip(before, after, strict=True) if a.recording != b.recording}
    return [f"{one} shows the place of {other}: they count as one." for one, other in sorted(pairs)]


def _surroundings(scan: SensorFrame) -> np.ndarray:
    """Nearest range [m] in each cell of the beams that do not look down, inf without a return, float64 [beams, CELLS]."""
    azimuth, rng = np.asarray(scan.channel("azimuth"), np.float64) % 360.0, np.asarray(scan.channel("range"))[..., 0]
    rays = directions(scan.channel("azimuth"), scan.channel("elevation"))
    level = np.median(rays @ np.asarray(scan.T_world_sensor)[0, 2, :3], axis=1) > -np.sin(np.deg2rad(DOWN))
    ring, column = np.nonzero((rng > 0) & level[:, None])
    nearest = np.full((len(rng), CELLS), np.inf)
    np.minimum.at(nearest, (ring, (azimuth[ring, column] * CELLS / 360.0).astype(np.int64) % CELLS), rng[ring, column])
    return nearest


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two surroundings [beams, CELLS] are those of one place; not without a cell in common."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    return bool(both.any() and (np.abs(a - b) < ALIKE * np.minimum(a, b)).mean() > AGREE)
