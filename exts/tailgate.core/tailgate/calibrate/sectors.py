"""Where a LiDAR returns nothing in any scan: sectors in which no beam does, parts of the vehicle in the way of single beams, and dead beams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.frames import SensorFrame
from tailgate.geometry.beams import directions

WITHHELD = "withheld"
"""Channel of a scan, bool (beams, columns): cells whose returns were taken out, which tell nothing."""
MIN_BLIND = 2.0
"""Narrowest blind sector [deg]: a mast is wider, a gap between returns is not."""
SEEN = 0.9
"""Share of the columns beside blind sectors in which something must return before empty ones count as blind."""
NARROW, EDGE, SHARP = 10.0, 3, 0.25
"""Blind sectors wider than this [deg] end sharply: so many columns at each end hold at least this share of a usual column's returns."""
MIN_HIDDEN = 3
"""Narrowest part of a beam's turn that counts as hidden by the vehicle [columns]."""
DOWN, SURE = 4.0, 0.9
"""Beams that look down by so much [deg] and return from so large a share of the cells in which they ever do can tell what the vehicle hides."""
FEWEST, DEAD = 60, 0.01
"""Returns that the beams beside it must have, and the share of them from which on a beam is not dead."""

Sector = tuple[float, float]


def blind_sectors(scans: Sequence[SensorFrame], columns: int, model: LidarModel) -> list[Sector] | None:
    """Azimuth sectors [deg, counter-clockwise] without a return in any scan, to one of ``columns`` of a turn; None where too few columns beside them
    return anything.

    They may be of any width; wide ones end sharply, for where there is nothing to return from, fewer and fewer beams do.
    """
    middle, sense = (np.arange(columns) + 0.5) * 360.0 / columns, -1.0 if model.direction == "cw" else 1.0
    count = np.zeros(columns)
    for scan in scans:
        told = _held(scan) | np.asarray(scan.channels.get(WITHHELD, False))
        np.add.at(count, _bin(scan, columns)[told], 1.0)
    if not count.any():
        return None
    count[sense * (middle - model.azimuth_start_deg) % 360.0 > model.azimuth_fov_deg] = count.max()
    edge = SHARP * np.median(count[count > 0])

    def ends_sharply(first: int, last: int) -> bool:
        return all(count[np.arange(a, a + EDGE) % columns].mean() >= edge for a in (first - EDGE, last))

    one = columns / 360.0
    runs = [run for run in _empty_runs(count > 0, MIN_BLIND * one) if run[1] - run[0] <= NARROW * one or ends_sharply(*run)]
    if (count > 0).sum() < SEEN * (columns - sum(last - first for first, last in runs)):
        return None
    return _sectors(runs, columns)


def hidden_sectors(scans: Sequence[SensorFrame], columns: int, blind: Sequence[Sector]) -> list[list[Sector]]:
    """Sectors [deg, counter-clockwise] of each beam without a return in any scan, to one of ``columns`` of a turn, besides those that are blind.

    Parts of the vehicle stand in the way of beams that look down: they return from the ground, or not at all. Beams that look level, and those that
    lose returns elsewhere too, tell nothing, for the sky and the range limit look alike.
    """
    beams, middle = len(_held(scans[0])), (np.arange(columns) + 0.5) * 360.0 / columns
    fired, held = np.zeros((beams, columns)), np.zeros((beams, columns))
    for scan in scans:
        cell = np.indices(_held(scan).shape)[0], _bin(scan, columns)
        np.add.at(fired, cell, ~np.broadcast_to(scan.channels.get(WITHHELD, False), _held(scan).shape))
        np.add.at(held, cell, _held(scan))
    masked = np.any([(middle - first) % 360.0 < (last - first) % 360.0 for first, last in blind] or [np.zeros(columns, bool)], axis=0)
    rays = directions(scans[0].channel("azimuth"), scans[0].channel("elevation"))
    down = np.median(rays @ np.asarray(scans[0].T_world_sensor)[0, 2, :3], axis=1) < -np.sin(np.deg2rad(DOWN))
    seen = held > 0
    share = np.where(seen, held, 0).sum(axis=1) / np.maximum(np.where(seen, fired, 0).sum(axis=1), 1)
    tells = down & (share >= SURE)
    return [_sectors(_empty_runs(seen[k] | (fired[k] == 0) | masked, MIN_HIDDEN), columns) if tells[k] else [] for k in range(beams)]


def dead_beams(scans: Sequence[SensorFrame]) -> list[int]:
    """Beams that return next to nothing in any scan while the next ones above and below that do return have plenty: the sky and the ground lie on one
    side of a beam."""
    count = np.sum([_held(scan).sum(axis=1) for scan in scans], axis=0)
    alive = np.flatnonzero(count >= FEWEST)
    between = range(alive[0] + 1, alive[-1]) if len(alive) else ()
    return [k for k in between if count[k] < DEAD * min(count[alive[alive < k][-1]], count[alive[alive > k][0]])]


def _held(scan: SensorFrame) -> np.ndarray:
    """Whether a cell has a return, bool (beams, columns)."""
    return np.asarray(scan.channel("range"))[..., 0] > 0


def _bin(scan: SensorFrame, columns: int) -> np.ndarray:
    """Which of ``columns`` parts of a turn each cell looks at, int (beams, columns of the scan)."""
    return (np.asarray(scan.channel("azimuth"), np.float64) % 360.0 * columns / 360.0).astype(np.int64) % columns


def _empty_runs(bins: np.ndarray, least: float) -> list[tuple[int, int]]:
    """First and last + 1 of the runs of at least ``least`` empty bins of a turn, which may pass its end; bool [n]."""
    if not bins.any():
        return [(0, len(bins))]
    first = int(np.argmax(bins))
    edges = first + np.flatnonzero(np.diff(np.concatenate([[True], np.roll(bins, -first), [True]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def _sectors(runs: list[tuple[int, int]], columns: int) -> list[Sector]:
    """Runs of parts of a turn as sectors in [-180, 180) [deg]."""
    whole = [(-180.0, 180.0)] if runs == [(0, columns)] else None
    return whole or [tuple(round((k * 360.0 / columns + 180.0) % 360.0 - 180.0, 2) for k in run) for run in runs]
