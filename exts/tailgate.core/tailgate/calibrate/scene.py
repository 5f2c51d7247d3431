"""Perfect scans of a plain street made of planes: what calibration compares with when no rendered scan is at hand, and an exact ground for tests."""

from __future__ import annotations

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.frames import ObjectView, SensorFrame
from tailgate.geometry.beams import directions
from tailgate.geometry.firing import firing_grid, from_the_origin
from tailgate.geometry.rounding import Rounding
from tailgate.rng import rng
from tailgate.sensors.noise_field import pcg3d_twin

SENSOR_HEIGHT = 1.8
"""Height of a LiDAR above the road [m] of which nobody knows how it is mounted."""
PATCHES, TONES = (0.1, 2.0), 0.6
"""Sizes of painted patches [m] and the largest standard deviation of the log of their tones."""
KERB, RECESS = (0.0, 0.16), (0.05, 0.3)
"""Heights of kerbs, and depths by which windows lie behind their wall [m]."""
_MATERIALS = {"road": 0.17, "pavement": 0.3, "facade": 0.35, "plant": 0.4, "paint": 0.35, "dark": 0.08}
"""Mean reflectance at 905 nm, rounded from laboratory spectra (ECOSTRESS library, Meerdink et al. 2019)."""


def street_scan(model: LidarModel, seed: int = 0, boxes: int = 40, T_rig_sensor: np.ndarray | None = None, relief: float = 1.0) -> SensorFrame:
    """An exact scan of a street: road, kerbs, pavements, two rows of facades with windows, and boxes of the size of cars, poles, people and hedges.

    Args:
        model: the device; its beams give the rays.
        seed: another seed gives another street.
        boxes: how many boxes stand along it.
        T_rig_sensor: pose of the device on its rig, which stands on the road [4, 4]; level at ``SENSOR_HEIGHT`` where not given.
        relief: kerbs and the depth of windows, as a share; at 0 road and facades are plane.

    Returns:
        A scan with range [m], incidence, reflectance (also as intensity), azimuth and elevation [deg] and ring; nothing is lost but what lies
        beyond the model's range limits.
    """
    draw = rng(seed, "street_scan", 0, 0, 0, "scene")
    grid, pose = firing_grid(model), np.eye(4) if T_rig_sensor is None else np.asarray(T_rig_sensor, dtype=np.float64)
    if T_rig_sensor is None:
        pose[2, 3] = SENSOR_HEIGHT
    az, el = grid.azimuth, grid.elevation
    origins = np.array([0.0, 0.0, pose[2, 3]]) + grid.height[:, None].astype(np.float64) * pose[:3, 2]
    best = _Nearest(directions(az, el) @ pose[:3, :3].T, origins[:, None])
    kerb = draw.uniform(3.5, 6.0)
    _ground(best, draw, kerb, relief)
    for side in (-1.0, 1.0):
        _facades(best, draw, side * draw.uniform(8.0, 18.0), relief)
    for _ in range(boxes):
        _box(best, draw, kerb)
    best.paint(draw)
    rng_, incidence, reflectance = (channel * grid.live[..., None] for channel in best.result(model))
    rng_, el = from_the_origin(rng_, grid)
    el = el[..., 0]
    beams = len(model.elevation_deg)
    channels = {
        "range": rng_,
        "intensity": reflectance,
        "reflectance": reflectance,
        "incidence": incidence,
        "azimuth": az,
        "elevation": el,
        "time_offset": grid.time[..., None],
        "ring": np.arange(beams, dtype=np.int32),
    }
    none, empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    counts = np.zeros(0, np.int32)
    view = ObjectView(none, none.copy(), counts, counts.copy(), empty, empty.copy(), empty.copy())
    return SensorFrame("lidar", channels, np.stack([pose] * 2), 0, grid.sweep, view, rounding=Rounding.of(model.storage, pose))


class _Nearest:
    """Nearest surface along every ray so far; rays (beams, columns, 3) and each beam's origin [m] (beams, 1, 3) in the street's frame."""

    def __init__(self, rays: np.ndarray, origin: np.ndarray):
        self.rays, self.origin = rays, np.broadcast_to(origin, rays.shape)
        self.lead = np.einsum("ijk,ijk->ij", rays, self.origin)
        self.t = np.full(rays.shape[:2], np.inf)
        self.cosine = np.zeros(rays.shape[:2])
        self.reflectance = np.zeros(rays.shape[:2])
        self.surface, self.count = np.zeros(rays.shape[:2], dtype=np.int64), 0

    def plane(self, normal: np.ndarray, offset: float, reflectance: np.ndarray | float, keep=None) -> None:
        """Add the plane normal·p = offset; ``keep(points [n, 3]) -> bool [n]`` cuts it."""
        slope = self.rays @ normal
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(np.abs(slope) > 1e-9, (offset - self.origin[:, :1] @ normal) / slope, np.inf)
        hit = (t > 1e-3) & (t < self.t)
        if keep is not None:
            hit[hit] = keep(self.rays[hit] * t[hit][:, None] + self.origin[hit])
        self.t[hit], self.cosine[hit] = t[hit], np.abs(slope[hit])
        self.reflectance[hit] = np.broadcast_to(reflectance, self.t.shape)[hit]
        self._own(hit)

    def box(self, centre: np.ndarray, half: np.ndarray, yaw: float, reflectance: float) -> None:
        """Add a box that stands upright, by slabs (Kay and Kajiya 1986)."""
        c, s = np.cos(yaw), np.sin(yaw)
        R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        reach = np.linalg.norm(half)
        along = self.rays @ centre - self.lead
        near = np.nonzero((along > 0) & (along**2 > ((centre - self.origin[:, :1]) ** 2).sum(axis=2) - reach**2))
        d, origin = self.rays[near] @ R, (self.origin[near] - centre) @ R
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (-half - origin) / d, (half - origin) / d
        entry = np.fmin(a, b)
        t, axis = entry.max(axis=1), entry.argmax(axis=1)
        hit = (t <= np.fmax(a, b).min(axis=1)) & (t > 1e-3) & (t < self.t[near])
        cells = tuple(index[hit] for index in near)
        self.t[cells], self.reflectance[cells] = t[hit], reflectance
        self.cosine[cells] = np.abs(d[hit, axis[hit]])
        self._own(cells)

    def _own(self, cells) -> None:
        """Give cells to a new surface."""
        self.count += 1
        self.surface[cells] = self.count

    def paint(self, draw: np.random.Generator) -> None:
        """Give surfaces patches of another tone, as markings, bricks and windows do: a tone per cube of space, of a size of each surface's own."""
        size, spread = np.exp(draw.uniform(*np.log(PATCHES), self.count + 1)), draw.uniform(0.0, TONES, self.count + 1)
        points = self.origin + self.rays * np.where(np.isfinite(self.t), self.t, 0.0)[..., None]
        cube = np.floor(points / size[self.surface][..., None]).astype(np.int64).astype(np.uint32)
        word = pcg3d_twin(*np.moveaxis(cube, -1, 0))[0]
        self.reflectance = np.clip(self.reflectance * np.exp(spread[self.surface] * np.sqrt(12.0) * (word / 2.0**32 - 0.5)), 0.0, 0.95)

    def result(self, model: LidarModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Range, incidence and reflectance, float32 (beams, columns, 1); 0 where nothing lies within the model's limits."""
        seen = (self.t >= model.range_min) & (self.t <= model.range_max)
        return tuple(np.where(seen, v, 0.0).astype(np.float32)[..., None] for v in (self.t, self.cosine, self.reflectance))


def _tone(draw: np.random.Generator, material: str) -> float:
    return float(np.clip(_MATERIALS[material] * np.exp(0.35 * draw.standard_normal()), 0.02, 0.95))


def _ground(best: _Nearest, draw: np.random.Generator, kerb: float, relief: float) -> None:
    """A road between two raised pavements."""
    up, across, height, stone = np.eye(3)[2], np.eye(3)[1], relief * draw.uniform(*KERB), _tone(draw, "pavement")
    best.plane(up, 0.0, _tone(draw, "road"), lambda p: np.abs(p[:, 1]) < kerb)
    best.plane(up, height, stone, lambda p: np.abs(p[:, 1]) >= kerb)
    for side in (-kerb, kerb):
        best.plane(across, side, stone, lambda p: (p[:, 2] > 0.0) & (p[:, 2] < height))


def _facades(best: _Nearest, draw: np.random.Generator, y: float, relief: float) -> None:
    """A row of houses of different depth and tone, with gaps."""
    x = -90.0
    while x < 90.0:
        width, gap = draw.uniform(8.0, 22.0), draw.uniform(0.0, 6.0)
        _house(best, draw, y * draw.uniform(0.95, 1.25), (x, x + width), relief)
        x += width + gap


def _house(best: _Nearest, draw: np.random.Generator, y: float, ends: tuple[float, float], relief: float) -> None:
    """A wall with a window in the middle of each bay of each storey, and behind it the plane of the panes."""
    top, recess, across = draw.uniform(4.0, 15.0), relief * draw.uniform(*RECESS), np.eye(3)[1]
    bay, share = draw.uniform((2.2, 2.8), (4.0, 3.4)), draw.uniform(0.3, 0.6, 2)

    def within(p: np.ndarray) -> np.ndarray:
        return (p[:, 0] > ends[0]) & (p[:, 0] < ends[1]) & (p[:, 2] < top)

    def solid(p: np.ndarray) -> np.ndarray:
        return within(p) & (np.abs((p[:, ::2] - (ends[0], 0.0)) / bay % 1.0 - 0.5) > share / 2).any(axis=1)

    best.plane(across, y, _tone(draw, "facade"), solid)
    best.plane(across, y + np.copysign(recess, y), _tone(draw, "facade"), within)


def _box(best: _Nearest, draw: np.random.Generator, kerb: float) -> None:
    kinds = {"paint": (4.3, 1.8, 1.5), "dark": (4.6, 1.8, 1.6), "facade": (0.3, 0.3, 5.0), "plant": (3.0, 1.5, 1.6), "pavement": (0.5, 0.5, 1.75)}
    material = sorted(kinds)[int(draw.integers(len(kinds)))]
    size = np.array(kinds[material]) * np.exp(0.15 * draw.standard_normal(3))
    side, along = float(draw.choice([-1.0, 1.0])), float(draw.uniform(-60.0, 60.0))
    centre = np.array([along, side * draw.uniform(kerb - 1.5, kerb + 4.0), size[2] / 2])
    if np.hypot(centre[0], centre[1]) > 3.0:
        best.box(centre, size / 2, float(draw.normal(0.0, 0.15)), _tone(draw, material))
