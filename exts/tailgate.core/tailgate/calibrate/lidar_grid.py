"""A LiDAR's firing grid from its own scans: columns per turn, rate, sense of rotation, beam table, errors of beams and blind sectors.

Each beam's returns lie on a cone: z = h + d·tan(elevation), with d the distance from the axis and h the height of the laser above the sensor's
origin. The cone's two numbers come from a line through (d, z), so they do not depend on how far the surroundings are. A head has its lasers off the
origin or has not: heights are believed where most beams show one. Where returns carry their firing times, the head's azimuth is a line in time, which
gives rate, sense of rotation and how far each beam looks aside of the head; nearby returns weigh less, since a scan moved to one moment displaces
them most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tailgate.calibrate.beam_errors import beam_errors
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.sectors import Sector, blind_sectors, dead_beams, hidden_sectors
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError
from tailgate.frames import SensorFrame

FOLDS = 8
"""Groups of the delete-a-group jackknife: azimuth sectors of all scans in turn."""
SECTORS = 16
MIN_RETURNS = 60
"""Returns below which a beam keeps its table's direction."""
MIN_SPREAD = 0.5
"""Standard deviation of a beam's distances [m] below which its height cannot be told: range noise is to be small against it."""
MIN_HEIGHT = 0.05
"""Smaller heights count as none [m]: moving a scan to one moment and errors of its mount feign as much."""
MOVED, WRONG = 0.5, 10.0
"""Returns of one beam that spread around their cone by more than this share of the gap between beams were moved after they were measured; those that
spread by so much [deg] lie on no cone at all: their frame has other axes."""
APART = 3.0
"""Beams that look further beside the table's [deg] are hardly the device's."""
LOOSE = 1.0
"""Half interval of a beam's azimuth offset [deg] from which on the table knows better."""
TRIM = 3.5
"""Returns off their cone by this many robust standard deviations are left out."""


@dataclass(frozen=True)
class GridEstimate:
    """What scans say of the firing grid.

    Attributes:
        columns, rate: firings per turn, turns per second [Hz].
        direction: "cw" or "ccw", None where the scans do not tell.
        elevation, aside, height: per beam, in the model's order [deg], [deg], [m].
        offset, turned: errors of each beam's range [m] and reported azimuth [deg].
        blind: sectors [deg], as in ``LidarModel``; None where the scans do not tell.
        hidden: sectors of each beam [deg], as in ``LidarModel``; None where the scans do not tell.
        dead: beams that never return though those beside them do.
        spread: of a beam's returns around its cone [deg].
    """

    columns: Estimate
    rate: Estimate
    direction: str | None
    elevation: list[Estimate]
    aside: list[Estimate]
    height: list[Estimate]
    offset: list[Estimate]
    turned: list[Estimate]
    blind: list[Sector] | None
    hidden: list[list[Sector]] | None
    dead: list[int] = field(default_factory=list)
    spread: float = 0.0

    def applied(self, model: LidarModel) -> LidarModel:
        """The model with what was identified in place of its table."""
        new: dict[str, object] = {}
        if self.columns.identifiable:
            new["columns"] = round(self.columns.value)
            new["rate_hz"] = round(self.rate.value, 4)
        if self.direction is not None:
            new["direction"] = self.direction
        new["elevation_deg"] = _kept(self.elevation, model.elevation_deg, 3)
        if any(e.identifiable for e in self.aside):
            new["azimuth_offset_deg"] = _kept(self.aside, model.azimuth_offset_deg or [0.0] * len(self.aside), 3)
        if any(e.value for e in self.height):
            new["beam_height_m"] = _kept(self.height, model.beam_height_m or [0.0] * len(self.height), 4)
        if any(e.value for e in self.offset):
            table = model.range_offset_m or [None] * len(self.offset)
            new["range_offset_m"] = [round(e.value, 4) if e.identifiable else t for e, t in zip(self.offset, table, strict=True)]
        if any(e.value for e in self.turned):
            new["azimuth_error_deg"] = _kept(self.turned, model.azimuth_error_deg or [0.0] * len(self.turned), 4)
        if self.blind is not None:
            new["blind_sectors_deg"] = self.blind
        hidden = model.hidden_sectors_deg if self.hidden is None else self.hidden
        if self.dead:
            hidden = [[(-180.0, 180.0)] if k in self.dead else of for k, of in enumerate(hidden or [[]] * len(self.elevation))]
        new["hidden_sectors_deg"] = hidden if any(hidden) else []
        return LidarModel.model_validate(model.model_dump() | new)

    def rows(self, model: LidarModel) -> dict[str, Estimate]:
        """A few rows for a table: columns, rate, and per kind of angle the beam furthest from the model's."""
        out = {"columns": self.columns, "rate_hz": self.rate}
        names = ("elevation_deg", "azimuth_offset_deg", "beam_height_m", "range_offset_m", "azimuth_error_deg")
        tables = {name: getattr(model, name) for name in names}
        for (name, table), found in zip(tables.items(), (self.elevation, self.aside, self.height, self.offset, self.turned), strict=True):
            off = [abs(e.value - (t or 0.0)) if e.identifiable else -1.0 for e, t in zip(found, table or [0.0] * len(found), strict=True)]
            if max(off) >= 0:
                out[f"{name}[{int(np.argmax(off))}]"] = found[int(np.argmax(off))]
        return out

    def notes(self, model: LidarModel) -> list[str]:
        """What the scans do not tell, and what the table tells in place of a setting, one sentence each."""
        out = []
        beside = max(abs(e.value - t) if e.identifiable else 0.0 for e, t in zip(self.elevation, model.elevation_deg, strict=True))
        if self.spread > MOVED * np.ptp(model.elevation_deg) / len(model.elevation_deg) > 0:
            out.append(f"returns spread {self.spread:.2g} deg around their beam's cone: they were moved since, with a vehicle or into its frame")
        if beside > APART:
            out.append(f"a beam looks {beside:.1f} deg beside that of the model's table: are the recordings of that device?")
        for words, found in (("range", self.offset), ("azimuth", self.turned)):
            if not any(e.identifiable for e in found):
                out.append(f"errors of single beams in {words} cannot be told: {found[0].why}")
        untold = [str(k) for k, e in enumerate(self.offset) if not e.identifiable]
        if 0 < len(untold) < len(self.offset):
            out.append(f"errors of beams {', '.join(untold)} in range cannot be told: they stay the table's")
        if any(e.value for e in self.offset):
            spread = float(np.std([e.value for e in self.offset if e.identifiable]))
            untold = [str(k) for k, e in enumerate(self.offset) if not e.identifiable]
            left = f"; beams {', '.join(untold)} were not told (null), beam_bias draws theirs" if untold else ""
            out.append(f"ranges of beams err by {spread:.4f} m (standard deviation) against the beams beside them, see range_offset_m{left}")
        if self.direction is None:
            out.append("the scans carry no firing times: sense of rotation and azimuth offsets stay the table's, the rate follows from the columns")
        if self.blind is None:
            out.append("too few columns return anything to tell blind sectors")
        if self.hidden is None:
            out.append("the scans show one place only: what the vehicle hides cannot be told from what never returns there")
        if self.dead:
            out.append(f"beams {', '.join(map(str, self.dead))} never return where those beside them do: dead, hidden all round in sensor.yaml")
        silent = [str(k) for k, e in enumerate(self.elevation) if not e.identifiable and k not in self.dead]
        if silent:
            out.append(f"beams {', '.join(silent)} returned too little: their elevations stay the table's")
        return out


def estimate_grid(scans: Sequence[SensorFrame], model: LidarModel, places: int = 1) -> GridEstimate:
    """Estimate the firing grid.

    Args:
        scans: organised scans of one device with as many rings as the model has beams, both from the highest to the lowest.
        model: the device's table; what cannot be identified stays as it says.
        places: how many places the scans show; from two on, they tell what the vehicle hides.

    Raises:
        UserError: no scans, or another number of beams.
    """
    pool = Pool.of(scans, model)
    spread = cone_spread(pool)
    head = head_motion(pool, model)
    columns = _columns(scans, model)
    rate = head[0] if head else _derived_rate(columns, model)
    cones = _cones(pool, model)
    aside = head[2] if head else [_kept_as_is(v) for v in model.azimuth_offset_deg or [0.0] * len(cones)]
    count = max(round(columns.value), 1)
    blind = blind_sectors(scans, count, model)
    seen = blind, hidden_sectors(scans, count, blind or []) if places > 1 else None, dead_beams(scans)
    errors = beam_errors(scans)
    beam = [c[0] for c in cones], aside, [c[1] for c in cones], errors.range, errors.azimuth
    return GridEstimate(columns, rate, head[1] if head else None, *beam, *seen, spread)


@dataclass(frozen=True)
class Pool:
    """Returns of all scans, one row each: scan, ring, distance from the axis and height [m], azimuth [deg], time [s] or NaN, jackknife fold."""

    scan: np.ndarray
    ring: np.ndarray
    distance: np.ndarray
    z: np.ndarray
    azimuth: np.ndarray
    time: np.ndarray
    fold: np.ndarray

    @classmethod
    def of(cls, scans: Sequence[SensorFrame], model: LidarModel) -> Pool:
        """Returns of scans that have the model's beams, both from the highest to the lowest; UserError for other scans, and without any."""
        if not scans:
            raise UserError("estimating a firing grid needs at least one scan, got none")
        beams = {len(np.asarray(s.channel("range"))) for s in scans}
        if beams != {len(model.elevation_deg)}:
            got = f"{len(model.elevation_deg)} beams, got {', '.join(map(str, sorted(beams)))}"
            raise UserError(f"scans must have the model's {got}: name another with --sensor, or write one (base: a model, and its elevation_deg)")
        parts = []
        for k, scan in enumerate(scans):
            rng = np.asarray(scan.channel("range"))[..., 0].astype(np.float64)
            ring, column = np.nonzero(rng > 0)
            azimuth, elevation = (np.asarray(scan.channel(c), np.float64)[ring, column] for c in ("azimuth", "elevation"))
            r, angle = rng[ring, column], np.deg2rad(elevation)
            held = scan.channels.get("time_offset")
            time = np.asarray(held)[ring, column, 0] * 1e-9 if held is not None and np.ptp(np.asarray(held)) > 0 else np.full(len(r), np.nan)
            fold = (k * SECTORS + ((azimuth % 360.0) * SECTORS / 360.0).astype(np.int64)) % FOLDS
            parts.append((np.full(len(r), k), ring, r * np.cos(angle), r * np.sin(angle), azimuth, time, fold))
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _cones(pool: Pool, model: LidarModel) -> list[tuple[Estimate, Estimate]]:
    """Elevation [deg] and height [m] of every beam. A beam whose returns lie too much at one distance takes the height of its neighbours."""
    beams = np.arange(len(model.elevation_deg))
    table = model.beam_height_m or [0.0] * len(beams)
    free = [_cone(pool, k) for k in beams]
    told = np.array([cone is not None for cone in free])
    heights = np.array([cone[1].value if cone else 0.0 for cone in free])
    flat = Estimate(0.0, -MIN_HEIGHT, MIN_HEIGHT, 0, True, "the lasers show no height")
    if told.sum() < len(beams) / 4 or np.median(np.abs(heights[told])) < MIN_HEIGHT:
        return [_median_cone(pool, k, model.elevation_deg[k], flat) for k in beams]
    out = []
    for k, cone in enumerate(free):
        near = float(np.interp(k, beams[told], heights[told]))
        lent = Estimate(near, near - MIN_HEIGHT, near + MIN_HEIGHT, 0, True, "height of the neighbouring beams")
        silent = (pool.ring == k).sum() < MIN_RETURNS
        out.append(cone or _median_cone(pool, k, model.elevation_deg[k], _unknown(table[k], 0, "too few returns") if silent else lent))
    return out


def cone_spread(pool: Pool) -> float:
    """How far returns lie from the cone of their beam [deg]: the median over beams; UserError where they lie on none."""
    found = [0.0]
    for k in np.flatnonzero(np.bincount(pool.ring) >= MIN_RETURNS):
        d, z = pool.distance[pool.ring == k], pool.z[pool.ring == k]
        near = _on_line(d, z)
        elevation, height = _line(d[near], z[near])
        found.append(1.4826 * float(np.median(np.abs(np.rad2deg(np.arctan2(z - height, d)) - elevation))))
    spread = float(np.median(found))
    if spread > WRONG:
        raise UserError(f"returns of a beam must lie on a cone around the sensor's z axis, and spread by {spread:.0f} deg: axes of a camera?")
    return spread


def _cone(pool: Pool, ring: int) -> tuple[Estimate, Estimate] | None:
    """Elevation and height of one beam by a line through its returns; None where the height is less sure than ``MIN_HEIGHT``."""
    mine = pool.ring == ring
    d, z, fold = pool.distance[mine], pool.z[mine], pool.fold[mine]
    if len(d) < MIN_RETURNS or np.std(d) < MIN_SPREAD:
        return None
    near = _on_line(d, z)
    d, z = d[near], z[near]
    elevation, height = _jackknife(lambda keep: _line(d[keep], z[keep]), fold[near], "cone through the beam's returns")
    return (elevation, height) if height.identifiable and height.high - height.low < 2 * MIN_HEIGHT else None


def _median_cone(pool: Pool, ring: int, elevation: float, height: Estimate) -> tuple[Estimate, Estimate]:
    """Elevation of one beam of known height, its table's where it returned too little."""
    mine = pool.ring == ring
    if mine.sum() < MIN_RETURNS:
        return _unknown(elevation, int(mine.sum()), f"beam {ring} returned {mine.sum()} times"), height
    angle, fold = np.rad2deg(np.arctan2(pool.z[mine] - height.value, pool.distance[mine])), pool.fold[mine]
    (found,) = _jackknife(lambda keep: np.array([np.median(angle[keep])]), fold, "median elevation of the beam's returns")
    return found, replace(height, n=int(mine.sum()))


def _line(d: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Elevation [deg] and height [m] of the line through (d, z), by least squares."""
    mean_d, mean_z = d.mean(), z.mean()
    slope = float(((d - mean_d) * (z - mean_z)).sum() / ((d - mean_d) ** 2).sum())
    return np.array([np.rad2deg(np.arctan(slope)), mean_z - slope * mean_d])


def _on_line(d: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Returns near their common line, bool [n]."""
    near = np.ones(len(d), dtype=bool)
    for _ in range(2):
        elevation, height = _line(d[near], z[near])
        off = np.abs(z - height - d * np.tan(np.deg2rad(elevation)))
        near = off <= TRIM * max(1.4826 * float(np.median(off)), 1e-4)
    return near


def head_motion(pool: Pool, model: LidarModel) -> tuple[Estimate, str, list[Estimate]] | None:
    """Rate, sense of rotation and azimuth offsets from firing times; None without them."""
    timed = np.isfinite(pool.time) & (pool.distance > 1.0)
    if timed.sum() < MIN_RETURNS:
        return None
    scan, ring, azimuth, time, fold, far = (v[timed] for v in (pool.scan, pool.ring, pool.azimuth, pool.time, pool.fold, pool.distance))
    beams = len(model.elevation_deg)
    lead = ring == int(np.bincount(ring, minlength=beams).argmax())

    def speed(keep: np.ndarray) -> np.ndarray:
        slopes = [_turning(azimuth[use], time[use]) for k in np.unique(scan) if (use := lead & keep & (scan == k)).sum() >= MIN_RETURNS]
        return np.array([np.mean(slopes)]) if slopes else np.array([np.nan])

    (turning,) = _jackknife(speed, fold, "azimuth of the returns over their firing times")
    if not turning.identifiable:
        return None
    table = np.deg2rad(model.azimuth_offset_deg or np.zeros(beams))
    ahead = far * np.exp(1j * (np.deg2rad(azimuth - 360.0 * turning.value * time)))
    start = np.zeros(int(scan.max()) + 1, complex)
    np.add.at(start, scan, ahead * np.exp(-1j * table[ring]))
    ahead *= np.exp(-1j * np.angle(start))[scan]

    def offsets(keep: np.ndarray) -> np.ndarray:
        sums = np.bincount(ring[keep], ahead[keep].real, beams) + 1j * np.bincount(ring[keep], ahead[keep].imag, beams)
        return np.rad2deg(np.angle(sums))

    count = np.bincount(ring, minlength=beams)
    found = _jackknife(offsets, fold, "azimuth of the beam's returns against the head's")
    sure = [count[k] >= MIN_RETURNS and e.high - e.low < 2 * LOOSE for k, e in enumerate(found)]
    aside = [e if sure[k] else _unknown(e.value, int(count[k]), "too few returns agree") for k, e in enumerate(found)]
    low, high = sorted((abs(turning.low), abs(turning.high)))
    return replace(turning, value=abs(turning.value), low=low, high=high), "ccw" if turning.value > 0 else "cw", aside


def _turning(azimuth: np.ndarray, time: np.ndarray) -> float:
    """Turns per second of one beam of one sweep, positive counter-clockwise: a line through its azimuth [deg] over time [s]."""
    order = np.argsort(time, kind="stable")
    return float(np.polyfit(time[order], np.rad2deg(np.unwrap(np.deg2rad(azimuth[order]))), 1)[0]) / 360.0


def _columns(scans: Sequence[SensorFrame], model: LidarModel) -> Estimate:
    """Columns per turn: 360 deg over the mean step between neighbouring columns, scan by scan."""
    found = []
    for scan in scans:
        azimuth = np.deg2rad(np.asarray(scan.channel("azimuth"), np.float64))
        heads = np.unwrap(np.angle(np.exp(1j * azimuth).mean(axis=0)))
        if len(heads) >= 8:
            found.append(2 * np.pi / abs(np.polyfit(np.arange(len(heads)), heads, 1)[0]))
    if not found:
        return _unknown(float(model.columns), 0, "scans have too few columns")
    value, error = float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else 0.5
    half = max(2.0 * error, 0.5)
    return Estimate(value, value - half, value + half, len(found), True, "mean step between the columns of each scan")


def _derived_rate(columns: Estimate, model: LidarModel) -> Estimate:
    """Turns per second of a device that fires at its table's pace however fast its head turns."""
    pace = model.columns * model.rate_hz
    low, high = (pace / v for v in (columns.high, columns.low))
    return Estimate(pace / columns.value, low, high, columns.n, False, f"follows from the columns if the device fires {pace:,.0f} times a second")


def _jackknife(fit: Callable[[np.ndarray], np.ndarray], fold: np.ndarray, how: str) -> list[Estimate]:
    """Estimates of a fit with delete-a-group intervals of two standard errors (Kott 2001); ``fit(keep [n]) -> [k]``."""
    value = fit(np.ones(len(fold), dtype=bool))
    held = [k for k in range(FOLDS) if 0 < (fold != k).sum() < len(fold)]
    folds = np.array([fit(fold != k) for k in held]) if len(held) > 1 else np.full((2, len(value)), np.nan)
    error = np.sqrt((len(folds) - 1) / len(folds) * ((folds - folds.mean(axis=0)) ** 2).sum(axis=0))
    known = np.isfinite(error)
    error = np.where(known, error, 0.0)
    return [Estimate(float(v), float(v - 2 * e), float(v + 2 * e), len(fold), bool(k), how) for v, e, k in zip(value, error, known, strict=True)]


def _unknown(value: float, n: int, why: str) -> Estimate:
    return Estimate(float(value), float("-inf"), float("inf"), n, False, why)


def _kept_as_is(value: float) -> Estimate:
    return _unknown(value, 0, "the scans carry no firing times")


def _kept(found: list[Estimate], table: Sequence[float], digits: int) -> list[float]:
    """Identified values, rounded, and the table's where there are none."""
    return [round(e.value, digits) if e.identifiable else float(t) for e, t in zip(found, table, strict=True)]
