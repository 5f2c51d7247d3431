"""Which recordings show one place: a copy under another name, or another visit, tells nothing of the device that the first did not.

The ground looks alike everywhere, so beams that look level and up are compared: by the nearest return of each in each degree of azimuth. Sweeps of
one street a tenth of a second apart agree in eight of ten cells and more, those of two streets in a tenth, exact streets and rooms in half at most.

Images of a depth camera that stands still are one view, and their counts one block: else every copy would pass for a place of its own. Two scenes on
one table, seen from one place, agree in 96 of 100 cells of an image at most (mOSD), and stay two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tailgate.calibrate.holdout import Recorded
from tailgate.frames import SensorFrame
from tailgate.geometry.beams import directions
from tailgate.validate.sketch import Sketch

CELLS = 360
"""Azimuth cells of a beam."""
DOWN = 4.0
"""Beams that look down by more than this [deg] see the ground."""
ALIKE, AGREE = 0.05, 0.7
"""Ranges within this share of each other are alike, and two scans in which this share of the cells are, show one place."""

VIEW, STILL, SAME = (24, 32), 0.01, 0.97
"""Cells of an image, the share of each other within which two depths are the same, and the share of the cells of one view that are."""


def view_of(sensor: SensorFrame) -> np.ndarray:
    """Median depth [m] in each cell of an image, NaN without any, float32 ``VIEW``."""
    depth = np.asarray(sensor.channel("distance_to_image_plane"))
    held = np.isfinite(depth) & (depth > 0)
    row, column = (np.arange(n) * cells // n for n, cells in zip(depth.shape, VIEW, strict=True))
    out = np.full(VIEW, np.nan, np.float32)
    for i in range(VIEW[0]):
        for j in range(VIEW[1]):
            cell = np.ix_(row == i, column == j)
            if held[cell].any():
                out[i, j] = np.median(depth[cell][held[cell]])
    return out


def by_view(frames: Sequence[Recorded]) -> list[Recorded]:
    """The frames, images of one view poured together into the first of them; frames without a view stay."""
    kept: list[list[Recorded]] = []
    views = np.zeros((0, *VIEW), np.float32)
    for frame in frames:
        match = np.flatnonzero(_same(views, frame.view)) if frame.view is not None else []
        if len(match):
            kept[match[0]].append(frame)
        else:
            kept.append([frame])
            views = np.concatenate([views, np.full((1, *VIEW), np.nan, np.float32) if frame.view is None else frame.view[None]])
    return [_poured(group) if group[1:] else group[0] for group in kept]


def _poured(frames: Sequence[Recorded]) -> Recorded:
    """The first of the frames with the counts of all, block by block."""
    return replace(frames[0], blocks=[Sketch.total(blocks) for blocks in zip(*(frame.blocks for frame in frames), strict=True)])


def same_views(before: Sequence[Recorded], after: Sequence[Recorded]) -> list[str]:
    """A sentence where ``by_view`` poured images together."""
    gone = len(before) - len(after)
    return [f"{gone} of {len(before)} images show what another shows, as a camera that stands still does: they count once."] if gone else []


def _same(views: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Which of the views [n, *VIEW] show what this one shows, bool [n]."""
    both = np.isfinite(views) & np.isfinite(view)
    near = both & (np.abs(views - view) < STILL * np.minimum(views, view))
    cells = both.sum(axis=(1, 2))
    return (cells > 0) & (near.sum(axis=(1, 2)) > SAME * cells)


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


def count_places(frames: Sequence[Recorded]) -> int:
    """How many places the scans show, whatever recordings they come from: a vehicle under way passes many."""
    seen: list[dict[str, np.ndarray]] = []
    for frame in frames:
        view = {head: _surroundings(scan) for head, scan in frame.scans.items()}
        if view and not any(_alike(view[head], held[head]) for held in seen for head in view.keys() & held.keys()):
            seen.append(view)
    return len(seen)


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
