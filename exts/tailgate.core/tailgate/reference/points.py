"""From a list of returns to one LiDAR's scan: which returns count, which beam made each, and the scan as a SensorFrame.

A list that stores no ring is sorted into beams by elevation: a device measures on fixed beams, so elevations pile up on lines. Their
density is smoothed until it has no more modes than the device has beams (in one dimension a wider Gaussian never adds a mode; Silverman
1981), and a return goes to its line unless it lies about as far from the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tailgate.config.rig import load_sensor
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.reference.boxes import lidar_view
from tailgate.reference.mounting import NEAREST, from_highest
from tailgate.reference.organise import Grid, doubled, fill_directions, organise, place, recover_grid, use_free_columns

FARTHEST = 5000.0
"""No terrestrial LiDAR reaches farther [m]: larger coordinates are not those of a sensor frame."""
_BIN_DEG = 0.005
_SHARPEST_DEG, _PLATEAU = 0.01, 3.0
"""Narrowest smoothing of elevation, and the factor over which the number of lines must not change to count as unambiguous."""
_STRAY = 0.01
"""A line with less than this share of the median line's returns may be strays."""
_OWN_SIDE = 0.35
"""A return further from its line than this share of the gap to the next line is not placed."""
_MOST_BEAMS = 256
_DOUBLED, _TWICE = 0.05, "Many returns come from the same firing as another, as of a device that reports two: the first in the file counts."
"""Share of returns that share their firing from which on the notes say so, and what they say."""
PLACED = 10
"""Files that a reader opens at the start to say how many returns it can place."""
_WEDGE_DEG = 10.0
"""A wedge this wide without any return was not swept, or nothing is known of it."""


@dataclass(frozen=True)
class Returns:
    """Returns of one sweep in file order.

    Attributes:
        xyz: sensor frame [m], float64 [n, 3].
        intensity: 0..1, float32 [n].
        ring: beam of each return, any order of beams, int [n]; None where it is not stored.
        extra: further values by channel name (``semantic``, ``instance``, ``time_offset``), [n] each.
    """

    xyz: np.ndarray
    intensity: np.ndarray
    ring: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def keep(self, held: np.ndarray) -> Returns:
        """The returns where ``held`` [n] is true."""
        ring = None if self.ring is None else self.ring[held]
        return Returns(self.xyz[held], self.intensity[held], ring, {k: v[held] for k, v in self.extra.items()})


@dataclass(frozen=True)
class Placing:
    """What became of the points of one file.

    Attributes:
        points: as stored.
        void: fillers: not finite, or at the sensor itself.
        beamless: returns that no beam claims.
        crowded: returns without a column of their own: another return holds the cell, or none fits.
        also: further sentences about what was read, as how points were brought into the sensor's frame.
    """

    points: int
    void: int
    beamless: int
    crowded: int
    also: str = ""

    @property
    def share(self) -> float:
        """Share of the returns (fillers left out) that have a cell, 0..1."""
        returns = self.points - self.void
        return 1.0 - (self.beamless + self.crowded) / returns if returns else 0.0

    @property
    def beams(self) -> float:
        """Share of the returns (fillers left out) that fit a beam, 0..1."""
        return 1.0 - self.beamless / max(self.points - self.void, 1)

    def sentence(self, name: str) -> str:
        """What a reader's notes say about the file."""
        lost = f"{self.beamless} fit no beam, {self.crowded} share a cell with another return or fit no column"
        held = f"{100 * self.share:.2f} % of {self.points - self.void} returns have a cell of the scan"
        return f"{name}: {held} ({lost}). {self.also}".rstrip()


def read_records(path: Path, fields: str) -> np.ndarray:
    """Points of a file of little-endian float32 records, float32 [n, number of fields]; UserError for a missing, empty or cut one.

    Args:
        fields: names of a record's numbers, as ``x, y, z, intensity``.
    """
    count = fields.count(",") + 1
    if not path.is_file():
        raise UserError("file not found", path)
    size = path.stat().st_size
    if size == 0 or size % (4 * count):
        raise UserError(f"must hold whole points of {count} float32 ({fields}), got {size} bytes", path)
    return np.fromfile(path, dtype="<f4").reshape(-1, count)


def placing_notes(placings: list[tuple[str, Placing]], files: int) -> list[str]:
    """Sentences for a reader's notes on the first of its ``files``, which were opened to count; one for files of which the same is to be said."""
    alike: dict[tuple[str, str], list[tuple[str, Placing]]] = {}
    for name, placing in placings:
        alike.setdefault((f"{100 * placing.share:.0f}", placing.also), []).append((name, placing))
    notes = []
    for (_, also), group in alike.items():
        counts = (sum(getattr(placing, key) for _, placing in group) for key in ("points", "void", "beamless", "crowded"))
        notes.append(Placing(*counts, also).sentence(group[0][0] if len(group) == 1 else f"{len(group)} files, {group[0][0]} the first"))
    return notes + ([f"The other {files - len(placings)} files were not opened for this count."] if files > len(placings) else [])


def sweep_channels(
    returns: Returns, beams: int | np.ndarray | None, file: object, ordered: bool = False, grid: Grid | None = None
) -> tuple[dict[str, np.ndarray], Placing]:
    """Organised channels of a sweep, beams from the highest to the lowest.

    Args:
        returns: as stored; fillers are dropped here.
        beams: elevation of each beam of the device [deg], those that returned nothing then keep their row; or only how many there are. Absent: the
            rings that are there, or the lines of elevation where they are unambiguous.
        file: named in complaints.
        ordered: rings run from the highest beam down already and keep their numbers.
        grid: where each return sits, if known; rows as in ``returns``.

    Raises:
        UserError: no return at all, coordinates that are not metres in a sensor frame, or beams that cannot be told apart.
    """
    distance = np.linalg.norm(returns.xyz, axis=1)
    real = np.isfinite(distance) & (distance > NEAREST)
    if not real.any():
        raise UserError("holds no return: every point is missing or lies at the sensor itself", file)
    held = returns.keep(real)
    if distance[real].max() > FARTHEST:
        raise UserError(f"must hold points in metres in the sensor's frame, got one {distance[real].max():.0f} m away", file)
    horizontal = np.hypot(held.xyz[:, 0], held.xyz[:, 1])
    elevation = np.rad2deg(np.arctan2(held.xyz[:, 2], horizontal))
    azimuth = np.rad2deg(np.arctan2(held.xyz[:, 1], held.xyz[:, 0])) % 360.0
    table = np.sort(beams)[::-1] if isinstance(beams, np.ndarray) else None
    count = len(table) if table is not None else beams
    if held.ring is None:
        ring = rings_from_elevation(elevation, count, file)
    else:
        ring = held.ring.astype(np.int32) if ordered else from_highest(held.ring, held.xyz)
    if table is not None and not ordered:
        ring = rings_of_table(ring, elevation, table)
    rows = max(int(ring.max()) + 1, count if count and (ordered or table is not None) else 0)
    known = ring >= 0
    if grid is not None:
        cells = Grid(ring, grid.column[real], grid.columns)
    else:
        found = _grid(ring[known], azimuth[known], horizontal[known])
        column = np.full(len(ring), -1, np.int32)
        column[known] = found.column
        cells = Grid(np.where(known, ring, 0).astype(np.int32), column, found.columns)
    channels = organise(held.xyz, np.clip(np.nan_to_num(held.intensity), 0, 1), cells.ring, cells, rows)
    for name, values in held.extra.items():
        channels[name] = place(cells, rows, values)
    lost = int((~known).sum())
    also = _TWICE if grid is None and doubled(cells, azimuth) > _DOUBLED else ""
    return channels, Placing(len(distance), int((~real).sum()), lost, cells.unplaced - lost, also)


def _grid(ring: np.ndarray, azimuth: np.ndarray, horizontal: np.ndarray) -> Grid:
    """Grid of a sweep from azimuth [deg] (0..360). Where a wedge holds no return at all, the sweep is a sector from behind the wedge to before it."""
    rising = np.sort(azimuth)
    gaps = np.diff(rising, append=rising[0] + 360.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] < _WEDGE_DEG:
        return use_free_columns(recover_grid(ring, azimuth, horizontal), azimuth)
    turned = (azimuth - rising[(widest + 1) % len(rising)] + 1.0) % 360.0
    grid = use_free_columns(recover_grid(ring, turned, horizontal), turned)
    first = int(grid.column[grid.column >= 0].min())
    column = np.where(grid.column < 0, -1, grid.column - first).astype(np.int32)
    return Grid(grid.ring, column, int(column.max()) + 1)


def beams_of_model(model: str, count: int | None = None) -> np.ndarray | int | None:
    """Elevation of each beam [deg] of a sensor model of this name; ``count`` where there is none, or none with so many beams."""
    try:
        found, _ = load_sensor(model)
    except UserError:
        return count
    if not isinstance(found, LidarModel) or count not in (None, len(found.elevation_deg)):
        return count
    return np.array(found.elevation_deg)


def rings_of_table(ring: np.ndarray, elevation: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rings that count the beams which returned something, renumbered by the device's table, int32 [n]; -1 stays.

    Beams keep their order, so this is the alignment of two falling sequences that leaves the least sum of differences (dynamic programming, Needleman
    and Wunsch 1970, with gaps on one side alone).

    Args:
        ring: from the highest beam that returned something down, without gaps, [n].
        elevation: of each return [deg], [n].
        table: of the device from the highest beam down [deg], [beams]; more rings than this stay as they are.
    """
    lines = int(ring.max()) + 1
    if lines >= len(table):
        return ring
    median = np.array([np.median(elevation[ring == k]) for k in range(lines)])
    cost = np.full((lines + 1, len(table) + 1), np.inf)
    cost[0] = 0.0
    for k in range(lines):
        taken = cost[k, :-1] + np.abs(table - median[k])
        cost[k + 1, 1:] = np.minimum.accumulate(taken)
    beam, rows = len(table), np.zeros(lines, np.int32)
    for k in reversed(range(lines)):
        beam = int(np.argmax(cost[k + 1, 1 : beam + 1] == cost[k + 1, beam]))
        rows[k] = beam
    return np.where(ring >= 0, rows[ring], -1).astype(np.int32)


def rings_from_elevation(elevation: np.ndarray, beams: int | None, file: object) -> np.ndarray:
    """Beam of each return of a bare cloud, from the highest down without gaps, int32 [n]; -1 for a return between two lines.

    Args:
        elevation: [deg], [n].
        beams: how many lines there are at most; absent: as many as there unambiguously are.
        file: named in complaints.
    """
    if beams is None:
        lines = _lines(elevation, _SHARPEST_DEG)
        if len(lines) > _MOST_BEAMS or len(lines) != len(_lines(elevation, _SHARPEST_DEG * _PLATEAU)):
            give = "give their number (--option beams=64, or 'beams' in a sensor.yaml)"
            raise UserError(f"stores no ring and its beams cannot be told apart by elevation: {give}", file)
    else:
        lines = _at_most(elevation, beams)
    if len(lines) == 1:
        return np.zeros(len(elevation), np.int32)
    above = np.clip(np.searchsorted(lines, elevation), 1, len(lines) - 1)
    lower, upper = lines[above - 1], lines[above]
    own = np.where(elevation - lower < upper - elevation, above - 1, above)
    off = np.minimum(np.abs(elevation - lower), np.abs(upper - elevation))
    ring, placed = len(lines) - 1 - own, off <= _OWN_SIDE * (upper - lower)
    return np.where(placed, np.searchsorted(np.unique(ring[placed]), ring), -1).astype(np.int32)


def _at_most(elevation: np.ndarray, beams: int) -> np.ndarray:
    """The lines at the narrowest smoothing that leaves no more than ``beams`` of them, found by halving; strays count only if there is room."""
    every = _lines(elevation, _SHARPEST_DEG, stray=0.0)
    if len(every) <= beams:
        return every
    narrow, wide = _SHARPEST_DEG, _SHARPEST_DEG
    while len(lines := _lines(elevation, wide)) > beams:
        narrow, wide = wide, wide * 2
    while wide > narrow * 1.02:
        middle = np.sqrt(narrow * wide)
        found = _lines(elevation, middle)
        if len(found) <= beams:
            wide, lines = middle, found
        else:
            narrow = middle
    return lines


def _lines(elevation: np.ndarray, width: float, stray: float = _STRAY) -> np.ndarray:
    """Modes of the density of elevation smoothed by a Gaussian of ``width`` [deg], rising; modes of strays are left out."""
    from scipy.ndimage import gaussian_filter1d

    low, pad = float(elevation.min()), int(np.ceil(4 * width / _BIN_DEG)) + 2
    counts = np.bincount(((elevation - low) / _BIN_DEG).astype(np.int64) + pad).astype(np.float64)
    density = gaussian_filter1d(np.pad(counts, (0, pad)), width / _BIN_DEG, mode="constant")
    density[density < 1e-9] = 0.0
    step = np.sign(np.diff(density))
    moves = np.flatnonzero(step)
    peaks = moves[:-1][(step[moves[:-1]] > 0) & (step[moves[1:]] < 0)] + 1
    valleys = np.concatenate([[0], [p + int(np.argmin(density[p:q])) for p, q in zip(peaks[:-1], peaks[1:], strict=True)], [len(density)]])
    mass = np.add.reduceat(np.pad(counts, (0, pad + 1)), valleys[:-1].astype(np.int64))
    held = mass >= stray * np.median(mass)
    return low + (peaks[held] - pad + 0.5) * _BIN_DEG


def grid_directions(xyz: np.ndarray, file: object) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth and elevation [deg], float32 (beams, columns) each, from the points (beams, columns, 3) of an organised scan, filled in between.

    A point that is not finite or lies at the sensor itself is no return.
    """
    held = np.linalg.norm(np.nan_to_num(xyz, posinf=0.0, neginf=0.0), axis=-1) > NEAREST
    held &= np.isfinite(xyz).all(axis=-1)
    if not held.any():
        raise UserError("holds no return: every point is missing or lies at the sensor itself", file)
    ring, column = np.nonzero(held)
    x, y, z = xyz[held].T
    grid = Grid(ring.astype(np.int32), column.astype(np.int32), xyz.shape[1])
    return fill_directions(grid, xyz.shape[0], np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y))))


def grid_channels(stored: dict[str, np.ndarray], azimuth: np.ndarray, elevation: np.ndarray) -> dict[str, np.ndarray]:
    """Channels of a scan that is organised already: those given (beams, columns, echoes), its directions, ``ring`` and ``incidence``.

    Rows that run from the lowest beam up are turned round.
    """
    from tailgate.geometry.local_planes import local_planes

    if np.median(elevation[0]) < np.median(elevation[-1]):
        stored, azimuth, elevation = {name: values[::-1] for name, values in stored.items()}, azimuth[::-1], elevation[::-1]
    planes = local_planes(stored["range"][..., 0], azimuth, elevation)
    incidence = (np.nan_to_num(planes.incidence)[..., None] * (stored["range"] > 0)).astype(np.float32)
    ring = np.arange(len(azimuth), dtype=np.int32)
    return {**stored, "azimuth": azimuth, "elevation": elevation, "ring": ring, "incidence": incidence}


def lidar_frame_sensor(channels: dict[str, np.ndarray], model: str, height: float = 0.0, period_ns: int = 0) -> SensorFrame:
    """A LiDAR without labelled boxes, level and ``height`` [m] above the ground in the middle of the rig."""
    pose = np.eye(4)
    pose[2, 3] = height
    nobody = lidar_view(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0))
    return SensorFrame("lidar", channels, np.stack([pose] * 2), 0, period_ns, nobody, model=model)
