"""Photometric profiles of luminaires: files of ANSI/IES LM-63, type C, as one table over all directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tailgate.stage.images import file_bytes

ROWS, COLUMNS = 361, 145
"""Steps of a table: 0.5 degrees from where the light looks, 2.5 degrees around."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Luminous intensity by direction.

    Attributes:
        table: intensity over its mean, float32 [ROWS, COLUMNS]: rows from the light's -z (0 degrees) to its +z (180), columns from +x by way of +y
            around to +x again.
        mean: mean intensity over the sphere [cd].
        share: share of the sphere that the file speaks of, 1 or, without directions above 96 degrees, 0.5.
    """

    table: np.ndarray
    mean: float
    share: float


@lru_cache(maxsize=64)
def read_profile(path: str, angle_scale: float) -> Profile | None:
    """Read a profile through USD's asset resolver.

    Args:
        path: resolved path.
        angle_scale: ``inputs:shaping:ies:angleScale``: above 0 the profile is stretched so much from 0 degrees, below 0 from 180 degrees.

    Returns:
        None if there is no such file, or none of type C that emits anything.
    """
    try:
        down, around, intensity = parse(file_bytes(path).decode("latin-1"))
    except (ValueError, IndexError, OverflowError):
        return None
    theta = np.linspace(0.0, 180.0, ROWS)
    at = theta if angle_scale == 0 else theta / angle_scale if angle_scale > 0 else 180.0 + (theta - 180.0) / -angle_scale
    turns = np.linspace(0.0, 360.0, COLUMNS)
    by_row = np.stack([np.interp(at, down, row, left=0.0, right=0.0) for row in intensity], 1)
    table = np.stack([np.interp(turns, around, row, period=360.0) for row in by_row])
    ring = np.sin(np.deg2rad(theta))
    mean = float((table[:, :-1].mean(1) * ring).sum() / ring.sum())
    if not (np.isfinite(mean) and mean > 0):
        return None
    return Profile((table / mean).astype(np.float32), mean, 1.0 if down[-1] - down[0] > 96 else 0.5)


def parse(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertical angles [V] and horizontal ones around the circle [H] in degrees, and intensities [H, V] in candela.

    Raises:
        ValueError, IndexError, OverflowError: the text is no such file, or not of type C.
    """
    head, _, body = text.partition("TILT=")
    kind, _, body = body.partition("\n")
    numbers = np.array(body.replace(",", " ").split(), np.float64)
    if kind.strip() == "INCLUDE":
        numbers = numbers[2 + 2 * int(numbers[1]) :]
    rows, columns = int(numbers[3]), int(numbers[4])
    data = numbers[13 : 13 + rows + columns + rows * columns]
    down, around = data[:rows], data[rows : rows + columns]
    intensity = data[rows + columns :].reshape(columns, rows) * numbers[2] * numbers[10]
    if numbers[5] != 1 or min(rows, columns) < 1 or (np.diff(down) <= 0).any() or (np.diff(around) <= 0).any() or intensity.min() < 0:
        raise ValueError
    return down, *whole_circle(around, intensity)


def whole_circle(around: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal angles [H] and intensities [H, V] continued by the symmetry that the angles stand for: 0 alone about the axis, 0 to 90 in each
    quadrant, 0 to 180 or 90 to 270 on both sides of a plane."""
    span = (around[0], around[-1])
    if span not in ((0, 0), (0, 90), (0, 180), (0, 360), (90, 270)):
        raise ValueError
    if span == (0, 90):
        around, intensity = np.append(around, 180 - around[-2::-1]), np.append(intensity, intensity[-2::-1], 0)
    if span in ((0, 90), (0, 180)):
        around, intensity = np.append(around, 360 - around[-2::-1]), np.append(intensity, intensity[-2::-1], 0)
    if span == (90, 270):
        around, intensity = np.append(180 - around[:0:-1], around), np.append(intensity[:0:-1], intensity, 0)
    return around, intensity
