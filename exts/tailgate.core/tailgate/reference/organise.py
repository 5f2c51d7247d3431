"""From a list of returns to an organised scan: rings from the azimuth wraps, columns from the firing sequence.

A spinning LiDAR that stores only points in firing-table order (all of ring 0 by rising azimuth, then ring 1, …) keeps enough to recover its
grid. The ring steps where azimuth falls by more than half a turn. Within a ring, consecutive firings lie one column step apart, so every gap
tells how many firings did not return. Where a device reports azimuth as whole ticks of its encoder and its lasers sit beside the axis (HDL-64E:
4,000 ticks and ±26 mm, measured on KITTI), both are found from the data first: the offset is the one for which a ring's points fall on ticks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

ENCODER_TICKS = 4000
"""Ticks per turn of the HDL-64E encoder."""
_OFFSETS = np.linspace(-0.05, 0.05, 101)
"""Candidate distances of a laser from the axis [m]."""
_ON_TICK = 0.3
"""A return further than this from a whole tick is not placed."""
_LOCKED = 0.8
"""Mean resultant length above which a ring's azimuths count as encoder ticks."""
_SAME_STEP = 0.2
"""Gaps that differ from the median one by less than this share are one firing wide."""
_SHORT, _FEWEST_GAPS, _UNLOCKED, _MOST_PARTS = 3.0, 200, 0.5, 10
"""Gaps shorter than so many median ones tell of how many firings that one is, from so many gaps on; mean of their cosines at which it is one, and the
most firings it may be."""
_APART = 0.1
"""Returns of one beam closer than this share of a column come from one firing."""
_ALIKE = 20
"""Returns of one firing differ by rounding: azimuths within one part in so many of a column count as the same, and file order decides."""
_REANCHOR_DEG = 4.0
"""After a gap this wide a ring's columns are set from azimuth again."""


@dataclass(frozen=True)
class Grid:
    """Where each return sits in the organised scan.

    Attributes:
        ring: int32 [n].
        column: int32 [n]; -1 for a return that could not be placed.
        columns: firings per turn.
    """

    ring: np.ndarray
    column: np.ndarray
    columns: int

    @property
    def unplaced(self) -> int:
        """Returns without a cell."""
        return int((self.column < 0).sum())


def rings_from_order(azimuth: np.ndarray) -> np.ndarray:
    """Ring of each return, int32 [n]: one more at every fall of azimuth (0..360 deg, in file order) by over half a turn."""
    return np.concatenate([[0], np.cumsum(np.diff(azimuth) < -180.0)]).astype(np.int32)


def recover_grid(ring: np.ndarray, azimuth: np.ndarray, horizontal: np.ndarray) -> Grid:
    """Place every return in a column.

    Args:
        ring: ring of each return, int [n].
        azimuth: [deg], 0..360, [n].
        horizontal: distance from the axis [m], [n].

    Returns:
        The grid; column 0 is at azimuth 0 and columns follow rising azimuth. A ring that fires more often than most gives each cell its first return.
    """
    members = [np.flatnonzero(ring == k) for k in range(int(ring.max()) + 1)]
    ticks = _encoder_ticks(members, azimuth, horizontal)
    per_tick = 360.0 / ENCODER_TICKS
    encoded = ticks is not None
    if ticks is None:
        per_tick = _thinned_step([azimuth[m] for m in members])
        ticks = azimuth / per_tick
    step = _mean_step([ticks[m] for m in members]) if encoded else 1.0
    columns = max(1, round(360.0 / (per_tick * step)))
    column = np.full(len(ring), -1, dtype=np.int32)
    for m in members:
        held = m[np.isfinite(ticks[m])]
        order = held[np.argsort(np.rint(ticks[held] * _ALIKE), kind="stable")]
        finer = 1 if encoded else max(1, round(per_tick / _firing_step([azimuth[m]])))
        found = _columns_of_ring(ticks[order], step / finer, columns * finer, _REANCHOR_DEG / per_tick)
        column[order] = np.where(found < 0, -1, found // finer)
    return deduplicate(Grid(np.asarray(ring, dtype=np.int32), column, columns))


def axis_offset(azimuth: np.ndarray, horizontal: np.ndarray, tick_deg: float) -> tuple[float, float, float]:
    """Distance of one laser from the axis [m], the phase of its ticks [0, 1) and how well they lock (mean resultant length, 0..1)."""
    turn = 2j * np.pi / tick_deg
    some = slice(None, None, max(1, len(azimuth) // 400))
    parallax = np.rad2deg(np.arcsin(np.clip(_OFFSETS[:, None] / horizontal[None, some], -1, 1)))
    resultant = np.exp(turn * (azimuth[None, some] + parallax)).mean(axis=1)
    best = int(np.argmax(np.abs(resultant)))
    return float(_OFFSETS[best]), float(np.angle(resultant[best]) / (2 * np.pi) % 1.0), float(np.abs(resultant[best]))


def _encoder_ticks(members: list[np.ndarray], azimuth: np.ndarray, horizontal: np.ndarray) -> np.ndarray | None:
    """Encoder tick of every return (NaN where it falls on none), or None when the scan was not read from an encoder."""
    tick_deg = 360.0 / ENCODER_TICKS
    fits = [axis_offset(azimuth[m], horizontal[m], tick_deg) if len(m) >= 16 else (0.0, 0.0, 0.0) for m in members]
    if np.median([lock for _, _, lock in fits]) < _LOCKED:
        return None
    ticks = np.full(len(azimuth), np.nan)
    for m, (offset, phase, _) in zip(members, fits, strict=True):
        raw = (azimuth[m] + np.rad2deg(np.arcsin(np.clip(offset / horizontal[m], -1, 1)))) / tick_deg - phase
        whole = np.round(raw)
        ticks[m] = np.where(np.abs(raw - whole) <= _ON_TICK, whole, np.nan)
    return ticks


def _firing_step(azimuths: list[np.ndarray]) -> float:
    """Angle between firings [deg]: the mean of the gaps around the median one, which missing returns cannot move while most neighbours are there."""
    gaps = _gaps(azimuths)
    typical = np.sort(gaps)[(len(gaps) - 1) // 2]
    return float(np.mean(gaps[np.abs(gaps - typical) <= _SAME_STEP * typical]))


def _thinned_step(azimuths: list[np.ndarray]) -> float:
    """The same of a sweep that may have been thinned: where most neighbours are missing, the median gap is several firings wide and others are no
    multiples of it. The step is then the largest whole part of it of which they are."""
    gaps = _gaps(azimuths)
    typical = np.sort(gaps)[(len(gaps) - 1) // 2]
    short = gaps[gaps < _SHORT * typical]
    locked = [float(np.cos(2 * np.pi * n * short / typical).mean()) for n in range(1, _MOST_PARTS + 1)]
    parts = next((n for n, lock in enumerate(locked, start=1) if lock > _LOCKED), 1)
    if len(short) < _FEWEST_GAPS or locked[0] > _UNLOCKED or parts == 1:
        return _firing_step(azimuths)
    return float(short.sum() / np.rint(short * parts / typical).sum())


def _gaps(azimuths: list[np.ndarray]) -> np.ndarray:
    """Angles between neighbouring returns of a ring [deg], of all rings; one of 0.2 where there are none."""
    gaps = np.concatenate([np.diff(np.sort(a)) for a in azimuths if len(a) > 1] or [np.zeros(0)])
    gaps = gaps[gaps > 1e-3]
    return gaps if len(gaps) else np.array([0.2])


def _mean_step(ticks: list[np.ndarray]) -> float:
    """Mean ticks between consecutive firings: an encoder read at a steady rate alternates between the two whole numbers around it.

    The mean over neighbouring returns says how many firings every short gap holds; ticks over firings of all of them is the mean with less scatter.
    """
    gaps = np.concatenate([np.diff(np.sort(t[np.isfinite(t)])) for t in ticks])
    typical = np.median(gaps[gaps > 0.5]) if (gaps > 0.5).any() else 1.0
    step = float(np.mean(gaps[(gaps > 0.5 * typical - 0.01) & (gaps < 1.5 * typical - 0.01)]))
    short = gaps[(gaps > 0.5) & (gaps < 8 * typical)]
    firings = np.rint(short / step)
    return float(short.sum() / firings.sum()) if firings.sum() else step


def _columns_of_ring(ticks: np.ndarray, step: float, columns: int, wide: float) -> np.ndarray:
    """Columns of one ring's returns in tick order; a second return on the same firing gets -1."""
    if not len(ticks):
        return np.empty(0, dtype=np.int32)
    gaps = np.diff(ticks)
    moved = np.rint(gaps / step)
    start = np.concatenate([[True], gaps > wide])
    walked = np.concatenate([[0.0], np.cumsum(moved)])
    anchor = np.flatnonzero(start)
    run = np.cumsum(start) - 1
    middle = np.array([np.median(ticks[run == k] / step - walked[run == k]) for k in range(len(anchor))])
    column = (walked + np.rint(middle)[run]).astype(np.int64)
    column = np.maximum.accumulate(column)
    repeated = np.concatenate([[False], np.diff(column) <= 0])
    return np.where(repeated | (column < 0) | (column >= columns + 1), -1, column % columns).astype(np.int32)


def use_free_columns(grid: Grid, azimuth: np.ndarray) -> Grid:
    """The grid with returns that were crowded out given a column of their own where one is free beside them; azimuth [deg], 0..360.

    Firings of some devices bunch: two fall on one column and none on the next. Nobody moves by a column or more, nobody passes another, and a
    further return of the same firing stays out.
    """
    column, step = grid.column.copy(), 360.0 / grid.columns
    for k in np.unique(grid.ring[column < 0]):
        of_ring = np.flatnonzero(grid.ring == k)
        of_ring = of_ring[np.argsort(azimuth[of_ring], kind="stable")]
        apart = np.diff(azimuth[of_ring], prepend=-np.inf, append=np.inf) / step
        column[of_ring] = _make_room(column[of_ring], apart)
    return deduplicate(replace(grid, column=column))


def doubled(grid: Grid, azimuth: np.ndarray) -> float:
    """Share of the returns that come from the same firing as another, 0..1; azimuth [deg], 0..360, [n]."""
    order = np.lexsort((azimuth, grid.ring))
    near = (np.diff(azimuth[order]) < _APART * 360.0 / grid.columns) & (np.diff(grid.ring[order]) == 0)
    return float(near.sum() / max(len(azimuth), 1))


def _make_room(column: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Columns of one ring by rising azimuth; ``apart`` [n + 1] is how many columns of azimuth lie before, between and after the returns."""
    column = column.copy()
    for i in np.flatnonzero((column[1:-1] < 0) & (np.minimum(apart[1:-2], apart[2:-1]) > _APART)) + 1:
        below, above = column[i - 1], column[i + 1]
        if below < 0 or above < 0 or above <= below:
            continue
        before = column[i - 2] if i > 1 else -1
        after = column[i + 2] if i + 2 < len(column) else -1
        if above - below > 1 and apart[i] + apart[i + 1] > 1.0:
            column[i] = min(max(below + round(apart[i]), below + 1), above - 1)
        elif 0 <= before < below - 1 and apart[i - 1] > 1.0:
            column[i - 1 : i + 1] = below - 1, below
        elif after > above + 1 and apart[i + 2] > 1.0:
            column[i : i + 2] = above, above + 1
    return column


def align_rings(ring: np.ndarray, firing: np.ndarray, azimuth: np.ndarray) -> Grid:
    """Grid of returns whose firing is known, with every ring shifted by whole columns so that a column has one azimuth.

    Lasers of one head look up to several degrees aside of each other; columns of the firing number alone would put cells side by side that are not.

    Args:
        ring: int [n].
        firing: number of the firing within the sweep, int [n], from 0.
        azimuth: [deg], [n].
    """
    count = int(firing.max()) + 1
    angle = np.deg2rad(azimuth)
    sums = np.bincount(firing, np.cos(angle), count) + 1j * np.bincount(firing, np.sin(angle), count)
    aside = (azimuth - np.rad2deg(np.angle(sums))[firing] + 180.0) % 360.0 - 180.0
    known = np.abs(sums) > 0
    heads = np.rad2deg(np.unwrap(np.angle(sums[known])))
    per_firing = float(np.polyfit(np.flatnonzero(known), heads, 1)[0])
    column = firing.astype(np.int64)
    for k in np.unique(ring):
        column[ring == k] += int(round(float(np.median(aside[ring == k])) / per_firing))
    columns = int(column.max() - column.min()) + 1
    return deduplicate(Grid(np.asarray(ring, np.int32), (column - column.min()).astype(np.int32), columns))


def deduplicate(grid: Grid) -> Grid:
    """The grid with at most one return per cell: the first in file order stays."""
    column = grid.column.copy()
    cell = np.where(column >= 0, grid.ring.astype(np.int64) * grid.columns + column, -1 - np.arange(len(column)))
    first = np.zeros(len(column), dtype=bool)
    first[np.unique(cell, return_index=True)[1]] = True
    column[~first] = -1
    return replace(grid, column=column)


def fill_directions(grid: Grid, beams: int, azimuth: np.ndarray, elevation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction of every cell, [deg], float32 (beams, columns) each: measured where there is a return, else interpolated along the ring.

    Azimuth follows a straight line through the columns plus the interpolated deviation of the ring's returns from it; a ring without returns
    takes its neighbour's elevation.
    """
    placed = np.flatnonzero(grid.column >= 0)
    start, step = _column_azimuth(grid.column[placed], azimuth[placed], grid.columns)
    every = np.arange(grid.columns)
    even = start + step * every
    az, el = np.tile(even, (beams, 1)), np.full((beams, grid.columns), np.nan)
    for k in range(beams):
        of_ring = placed[grid.ring[placed] == k]
        if not len(of_ring):
            continue
        order = of_ring[np.argsort(grid.column[of_ring], kind="stable")]
        column = grid.column[order]
        deviation = (azimuth[order] - even[column] + 180.0) % 360.0 - 180.0
        az[k] += np.interp(every, column, deviation)
        el[k] = np.interp(every, column, elevation[order])
        az[k, column], el[k, column] = azimuth[order], elevation[order]
    rows = np.arange(beams)
    known = np.isfinite(el[:, 0])
    for k in rows[~known]:
        el[k] = el[rows[known][np.argmin(np.abs(rows[known] - k))]] if known.any() else 0.0
    return ((az + 180.0) % 360.0 - 180.0).astype(np.float32), el.astype(np.float32)


def _column_azimuth(column: np.ndarray, azimuth: np.ndarray, columns: int) -> tuple[float, float]:
    """Azimuth of column 0 and the step per column [deg]: a line through the columns' mean directions, with the turn undone."""
    angle = np.deg2rad(azimuth)
    sums = np.bincount(column, np.cos(angle), columns) + 1j * np.bincount(column, np.sin(angle), columns)
    known = np.flatnonzero(np.abs(sums) > 0)
    if len(known) < 2:
        return float(azimuth[0]) if len(azimuth) else 0.0, 360.0 / columns
    heads = np.angle(sums[known])
    steps = (np.diff(heads) + np.pi) % (2 * np.pi) - np.pi
    step = float(np.median(steps[np.diff(known) == 1])) if (np.diff(known) == 1).any() else 2 * np.pi / columns
    walked = np.concatenate([[0.0], np.cumsum(step * np.diff(known) + (steps - step * np.diff(known) + np.pi) % (2 * np.pi) - np.pi)])
    slope, offset = np.polyfit(known, heads[0] + walked, 1)
    return float(np.rad2deg(offset)), float(np.rad2deg(slope))


def place(grid: Grid, beams: int, values: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Values of returns [n] on the grid, (beams, columns, 1), ``fill`` where there is none."""
    out = np.full((beams, grid.columns, 1), fill, dtype=values.dtype)
    held = grid.column >= 0
    out[grid.ring[held], grid.column[held], 0] = values[held]
    return out


def organise(xyz: np.ndarray, intensity: np.ndarray, ring: np.ndarray, grid: Grid | None = None, beams: int | None = None) -> dict[str, np.ndarray]:
    """Organised channels of a list of returns: range [m], intensity, azimuth and elevation [deg], ring, incidence.

    Args:
        xyz: returns in the sensor frame [m], float [n, 3].
        intensity: 0..1, [n].
        ring: beam of each return, int [n], ordered by elevation.
        grid: where each return sits; recovered from azimuth when absent.
        beams: number of beams; the highest ring + 1 when absent.

    Returns:
        channels as in ``tailgate.frames.LIDAR_CHANNELS`` with one echo. ``incidence`` is that of the plane through the neighbouring returns,
        0 where none fits.
    """
    from tailgate.geometry.local_planes import local_planes

    xyz = np.asarray(xyz, dtype=np.float64)
    horizontal = np.hypot(xyz[:, 0], xyz[:, 1])
    azimuth = np.rad2deg(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    elevation = np.rad2deg(np.arctan2(xyz[:, 2], horizontal))
    grid = recover_grid(ring, azimuth, horizontal) if grid is None else grid
    beams = int(ring.max()) + 1 if beams is None else beams
    az, el = fill_directions(grid, beams, azimuth, elevation)
    rng = place(grid, beams, np.linalg.norm(xyz, axis=1).astype(np.float32))
    planes = local_planes(rng[..., 0], az, el)
    return {
        "range": rng,
        "intensity": place(grid, beams, np.asarray(intensity, dtype=np.float32)),
        "azimuth": az,
        "elevation": el,
        "ring": np.arange(beams, dtype=np.int32),
        "incidence": (np.nan_to_num(planes.incidence)[..., None] * (rng > 0)).astype(np.float32),
    }
