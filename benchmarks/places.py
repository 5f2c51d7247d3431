"""Exact scans of places that are no streets: a yard and a room, of plain walls and boxes, by a ray caster of a few lines. What intervals of fits on
exact streets are worth there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tailgate.calibrate.scene import SENSOR_HEIGHT, street_scan
from tailgate.config.sensor import LidarModel
from tailgate.frames import SensorFrame
from tailgate.geometry.beams import directions

BOXES = 30


def yard_scan(model: LidarModel, seed: int) -> SensorFrame:
    """Plane ground, sheds of all sizes in all directions and things between them; every surface has one tone."""
    draw = np.random.default_rng([seed, 1])
    far = draw.uniform(12.0, 50.0, BOXES)
    sheds = _boxes(draw, far, draw.uniform((2.0, 2.0, 2.0), (15.0, 15.0, 10.0), (BOXES, 3)))
    things = _boxes(draw, draw.uniform(3.0, 25.0, BOXES), draw.uniform((0.2, 0.2, 0.5), (3.0, 3.0, 2.5), (BOXES, 3)))
    return _scan(model, seed, np.concatenate([sheds, things]), None, draw)


def room_scan(model: LidarModel, seed: int) -> SensorFrame:
    """Floor, ceiling, four walls and furniture, all within some metres."""
    draw = np.random.default_rng([seed, 2])
    walls = np.array([-draw.uniform(2.0, 8.0, 2), draw.uniform(2.0, 8.0, 2)])
    furniture = _boxes(draw, draw.uniform(1.5, 6.0, 12), draw.uniform((0.2, 0.2, 0.4), (2.0, 2.0, 2.0), (12, 3)))
    return _scan(model, seed, furniture, (walls, draw.uniform(2.4, 4.0)), draw)


def _boxes(draw: np.random.Generator, far: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Upright boxes on the ground, lowest and highest corner [n, 2, 3]; none stands over the sensor."""
    angle = draw.uniform(0.0, 2.0 * np.pi, len(far))
    low = np.stack([far * np.cos(angle), far * np.sin(angle), 0.0 * far], axis=1)
    low[:, :2] -= size[:, :2] * (low[:, :2] < 0)
    return np.stack([low, low + size], axis=1)


def _scan(model: LidarModel, seed: int, boxes: np.ndarray, room: tuple[np.ndarray, float] | None, draw: np.random.Generator) -> SensorFrame:
    scan = street_scan(model, seed)
    rays = directions(np.asarray(scan.channel("azimuth")), np.asarray(scan.channel("elevation")))
    origin = np.array([0.0, 0.0, min(SENSOR_HEIGHT, 0.6 * room[1])]) if room else np.array([0.0, 0.0, SENSOR_HEIGHT])
    with np.errstate(divide="ignore", invalid="ignore"):
        shell = [(2, 0.0)] + ([(axis, corner[axis]) for corner in room[0] for axis in (0, 1)] + [(2, room[1])] if room else [])
        hits = [(np.where((t := (at - origin[axis]) / rays[..., axis]) > 0, t, np.inf), np.abs(rays[..., axis])) for axis, at in shell]
        for low, high in boxes:
            a, b = (low - origin) / rays, (high - origin) / rays
            entry, leave = np.fmin(a, b), np.fmax(a, b).min(axis=-1)
            t, axis = entry.max(axis=-1), entry.argmax(axis=-1)
            hits.append((np.where((t > 0) & (t <= leave), t, np.inf), np.abs(np.take_along_axis(rays, axis[..., None], axis=-1)[..., 0])))
    t, cosine = (np.stack(part) for part in zip(*hits, strict=True))
    first = t.argmin(axis=0)[None]
    tone = np.exp(draw.normal(np.log(0.25), 0.6, len(hits))).clip(0.03, 0.9)[first[0]]
    rng = np.take_along_axis(t, first, axis=0)[0]
    seen = np.isfinite(rng) & (rng >= model.range_min) & (rng <= model.range_max)
    exact = {"range": rng, "incidence": np.take_along_axis(cosine, first, axis=0)[0], "reflectance": tone}
    exact = {name: np.where(seen, value, 0.0).astype(np.float32)[..., None] for name, value in exact.items()}
    return replace(scan, channels={**scan.channels, **exact, "intensity": exact["reflectance"]})
