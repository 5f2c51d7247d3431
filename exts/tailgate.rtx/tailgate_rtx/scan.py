"""From the raw output of an RTX LiDAR to the organised scan: which firing each return belongs to, and how much of a scan is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tailgate.config.sensor import LidarModel
from tailgate.geometry.firing import FiringGrid

AGREE, AGREE_SHARE = 0.3, 0.02
"""Two ranges show one surface where they differ by less than this [m] and this share of the range."""


@dataclass(frozen=True)
class Returns:
    """Returns of one output, [n] each: beam, azimuth and elevation [deg], range [m], intensity 0..1, object id uint8 [n, 16], material id."""

    beam: np.ndarray
    azimuth: np.ndarray
    elevation: np.ndarray
    range: np.ndarray
    intensity: np.ndarray
    object: np.ndarray
    material: np.ndarray

    def __len__(self) -> int:
        return len(self.range)


def returns_of(output: Any) -> Returns:
    """Returns of a generic model output, those that hit something; channels count from 1. Time stamps are not read: a firing's moment is known."""
    n = int(output.numElements)
    x, y, z = (np.asarray(getattr(output, axis), np.float32)[:n] for axis in "xyz")
    azimuth, elevation, distance = (x, y, z) if is_spherical(output.elementsCoordsType) else _spherical(x, y, z)
    hit = distance > 0
    objects = np.zeros((n, 16), np.uint8)
    given = np.asarray(output.objId).view(np.uint8).reshape(-1, 16)[:n]
    objects[: len(given)] = given
    beam = np.asarray(output.channelId).astype(np.int64)[:n] - 1
    scalar, material = np.asarray(output.scalar, np.float32)[:n], np.asarray(output.matId).astype(np.int64)[:n]
    return Returns(beam[hit], azimuth[hit], elevation[hit], distance[hit], scalar[hit], objects[hit], material[hit])


def is_spherical(kind: Any) -> bool:
    """Whether x, y, z are azimuth and elevation [deg] and range [m]."""
    return str(getattr(kind, "name", kind)).upper().endswith("SPHERICAL")


def _spherical(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth and elevation [deg] and range of points."""
    flat = np.hypot(x, y)
    return np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, flat)), np.hypot(flat, z)


def columns_of(returns: Returns, model: LidarModel, grid: FiringGrid) -> np.ndarray:
    """Column of the firing nearest to each return in azimuth, int [n]; -1 where the beam is unknown or does not look there."""
    step = (-1.0 if model.direction == "cw" else 1.0) * model.azimuth_fov_deg / model.columns
    known = (returns.beam >= 0) & (returns.beam < len(grid.azimuth))
    first = grid.azimuth[np.where(known, returns.beam, 0), 0].astype(np.float64)
    turned = ((returns.azimuth - first) * np.sign(step) + 0.5 * abs(step)) % 360.0
    column = np.floor(turned / abs(step)).astype(np.int64)
    if model.azimuth_fov_deg == 360.0:
        column %= model.columns
    return np.where(known & (column < model.columns), column, -1)


class Sheet:
    """An organised scan under way, first echoes only.

    Args:
        model: the device.
        grid: its firings.
        expected: ranges by our own rays at the same firings [m], (beams, columns): what tells whether an output shows the present state, and whether
            the scan is whole.
    """

    def __init__(self, model: LidarModel, grid: FiringGrid, expected: np.ndarray):
        self._model, self._grid, self._expected = model, grid, expected
        self.azimuth, self.elevation = grid.azimuth.copy(), grid.elevation.copy()
        self.range = np.zeros(expected.shape, np.float32)
        self.intensity = np.zeros(expected.shape, np.float32)
        self.object = np.zeros((*expected.shape, 16), np.uint8)
        self.material = np.zeros(expected.shape, np.int64)

    def add(self, returns: Returns) -> bool:
        """Put returns in their cells; False, and nothing is put, where most of them disagree with our own rays: an output of an earlier state."""
        column = columns_of(returns, self._model, self._grid)
        held = (column >= 0) & self._grid.live[np.clip(returns.beam, 0, len(self._grid.live) - 1), column]
        cell = returns.beam[held], column[held]
        expected = self._expected[cell]
        both = expected > 0
        if both.sum() >= 16 and agree(returns.range[held][both], expected[both]).mean() < 0.5:
            return False
        self.azimuth[cell], self.elevation[cell] = returns.azimuth[held], returns.elevation[held]
        self.range[cell], self.intensity[cell] = returns.range[held], returns.intensity[held]
        self.object[cell], self.material[cell] = returns.object[held], returns.material[held]
        return True

    @property
    def share(self) -> float:
        """Share of the firings that should return which did, 0..1."""
        due = (self._expected > 0) & self._grid.live
        return float((self.range[due] > 0).mean()) if due.any() else 1.0


def agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether ranges [m] show one surface."""
    return np.abs(a - b) <= AGREE + AGREE_SHARE * b


def distinct(objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different object ids, uint8 [m, 16], and which of them each is, int [n]; ``objects`` is uint8 [n, 16]."""
    halves = np.ascontiguousarray(objects).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    new = np.append(True, (halves[order][1:] != halves[order][:-1]).any(1))[: len(order)]
    which = np.empty(len(order), np.int64)
    which[order] = np.cumsum(new) - 1
    return objects[order][new], which
