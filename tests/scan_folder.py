"""Folders of LiDAR scans in the layout of a user's own arrays (``sensor.yaml``): of made-up rooms, and of recordings."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tailgate.reference.npz import NpzReader

BEAMS, COLUMNS = 32, 360
YAML = """kind: lidar_scan
model: bench32
range: {{array: range, scale: {scale}}}
intensity: intensity
elevation_deg: elevation
rate_hz: 10
"""
OUSTER = """kind: lidar_scan
range: {array: range_mm, scale: 0.001}
intensity: {array: reflectivity, scale: 0.0039215686}
elevation_deg: beam_altitude_deg
azimuth_offset_deg: {array: beam_azimuth_deg, scale: -1}
pixel_shift: pixel_shift_by_row
rate_hz: 10
"""


@dataclass(frozen=True)
class Scans:
    """What is recorded.

    Attributes:
        rooms: one scan a room; rooms of one number are alike.
        noise: standard deviation of the range [m].
        lost: share of returns that are missing.
        beams: of the scanner.
        scale: metres per unit of the stored range, as sensor.yaml says.
        stored: metres per unit in truth.
    """

    rooms: range
    noise: float = 0.01
    lost: float = 0.02
    beams: int = BEAMS
    scale: float = 1.0
    stored: float = 1.0

    def write(self, folder: Path) -> Path:
        """Write sensor.yaml and a file a room."""
        folder.mkdir()
        (folder / "sensor.yaml").write_text(YAML.format(scale=self.scale))
        elevation = np.linspace(-20, 10, self.beams)
        for room in self.rooms:
            distance, shade = _room(room, elevation)
            generator = np.random.default_rng((room, 7))
            distance += self.noise * generator.standard_normal(distance.shape)
            kept = generator.random(distance.shape) >= self.lost
            intensity = np.clip(shade + 0.03 * generator.standard_normal(shade.shape), 0, 1).astype(np.float32)
            stored = np.where(kept, distance / self.stored, 0).astype(np.float32)
            np.savez(folder / f"room{room:02d}.npz", range=stored, intensity=intensity, elevation=elevation)
        return folder


def _room(room: int, elevation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance [m] to the walls, floor and ceiling of a box, and how bright each is, both [beams, COLUMNS]."""
    generator = np.random.default_rng(room)
    low, high = generator.uniform([-9, -9, -2], [-4, -4, -1.5]), generator.uniform([4, 4, 2], [9, 9, 4])
    azimuth, up = np.deg2rad(np.arange(COLUMNS) * 360 / COLUMNS), np.deg2rad(elevation)[:, None]
    ray = np.stack([np.cos(up) * np.cos(azimuth), np.cos(up) * np.sin(azimuth), np.sin(up) + 0 * azimuth], axis=-1)
    ray = np.where(np.abs(ray) < 1e-9, 1e-9, ray)
    reach = np.where(ray > 0, high / ray, low / ray)
    wall = np.argmin(reach, axis=-1)
    above = np.take_along_axis(ray, wall[..., None], axis=-1)[..., 0] > 0
    return reach.min(axis=-1), generator.uniform(0.2, 0.7, 6)[wall + 3 * above]


def collect(data_root: Path, source: str, pattern: str, tmp_path: Path, yaml: str) -> NpzReader:
    """Recorded files of one device in a folder with their ``sensor.yaml``; a test without them is skipped."""
    files = sorted((data_root / source).glob(pattern))
    if not files:
        pytest.skip(f"no {source} recordings here")
    for file in files:
        shutil.copy(file, tmp_path)
    (tmp_path / "sensor.yaml").write_text(yaml)
    return NpzReader(tmp_path)
