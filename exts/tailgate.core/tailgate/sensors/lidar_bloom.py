"""Blooming: the light of a retroreflector is so strong that beams beside it see it too.

The receiver's optics scatter a share of all light to the side, the same for every scene: a glare spread function acting on the echoes (Gump et al.
2026, CVPR, arXiv:2605.24753). A beam that looks past a retroreflector (reflectance above 1) by an angle d returns as if it met a surface of
reflectance ρ·``bloom_level``·exp(-d / ``bloom_width``) at the retroreflector's range. The exponential profile is this model's choice. Of several
retroreflectors the strongest counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.geometry.quiet import wp
from tailgate.sensors.lidar import LidarResponse

wp.set_module_options({"enable_backward": False})

WIDTHS = 4.0
"""Glare is followed over this many widths."""
MAX_COLUMNS = 64
"""And over this many columns to each side."""


@dataclass(frozen=True)
class Glare:
    """The glare spread function on a device's grid.

    Attributes:
        level, width: of the exponential [share, deg].
        step: between columns [deg].
        elevation: of the beams [deg], float32 (beams,).
        columns: reach of the glare.
        wrap: the last column borders the first.
    """

    level: float
    width: float
    step: float
    elevation: np.ndarray
    columns: int
    wrap: bool

    @classmethod
    def of(cls, response: LidarResponse, model: LidarModel) -> Glare:
        """Glare of a response on a device."""
        step = model.azimuth_fov_deg / model.columns
        reach = min(int(np.ceil(WIDTHS * response.bloom_width / step)), MAX_COLUMNS, (model.columns - 1) // 2)
        elevation = np.asarray(model.elevation_deg, np.float32)
        return cls(response.bloom_level, response.bloom_width, step, elevation, reach, model.azimuth_fov_deg == 360.0)


@wp.kernel
def bloom_kernel(
    surface: wp.array2d(dtype=wp.float32),
    power: wp.array2d(dtype=wp.float32),
    before: wp.array2d(dtype=wp.int32),
    elevation: wp.array(dtype=wp.float32),
    level: float,
    width: float,
    step: float,
    reach: int,
    wrap: int,
    out: wp.array2d(dtype=wp.float32),
    back: wp.array2d(dtype=wp.float32),
):
    """Strongest glare in one firing; ``before`` counts the retroreflectors of a beam before a column, so that what is near none costs little. Twin:
    ``bloom_twin``."""
    i, j = wp.tid()
    beams, columns = surface.shape[0], surface.shape[1]
    best = wp.float32(0.0)
    for b in range(beams):
        up = wp.abs(elevation[b] - elevation[i])
        if up <= WIDTHS * width:
            low = j - reach
            high = j + reach + 1
            near = before[b, wp.min(high, columns)] - before[b, wp.max(low, 0)]
            if wrap != 0 and low < 0:
                near += before[b, columns] - before[b, columns + low]
            if wrap != 0 and high > columns:
                near += before[b, high - columns]
            if near > 0:
                for n in range(2 * reach + 1):
                    c = j + n - reach
                    if wrap != 0:
                        c = (c + columns) % columns
                    if c >= 0 and c < columns and (b != i or c != j):
                        if power[b, c] > 1.0:
                            aside = step * float(wp.abs(n - reach))
                            share = power[b, c] * level * wp.exp(-wp.sqrt(up * up + aside * aside) / width)
                            strength = share / (surface[b, c] * surface[b, c])
                            if strength > best:
                                best = strength
                                out[i, j] = surface[b, c]
                                back[i, j] = share


def bloom_twin(surface: np.ndarray, power: np.ndarray, glare: Glare) -> tuple[np.ndarray, np.ndarray]:
    """Readable twin: range [m] (0: no glare) and the reflectance of a surface that would return as much, (beams, columns).

    Args:
        surface: exact range [m], (beams, columns).
        power: reflectance times |cos| of incidence; retroreflectors are above 1.
    """
    out, back, best = (np.zeros(surface.shape) for _ in range(3))
    for b, c in np.argwhere(power > 1.0):
        aside = np.arange(surface.shape[1]) - c
        if glare.wrap:
            aside = (aside + surface.shape[1] // 2) % surface.shape[1] - surface.shape[1] // 2
        up = np.abs(glare.elevation - glare.elevation[b])[:, None]
        share = power[b, c] * glare.level * np.exp(-np.hypot(up, glare.step * aside) / glare.width)
        seen = (np.abs(aside) <= glare.columns) & (up <= WIDTHS * glare.width)
        seen[b, c] = False
        strength = np.where(seen, share / surface[b, c] ** 2, 0.0)
        better = strength > best
        best[better], out[better], back[better] = strength[better], surface[b, c], share[better]
    return out.astype(np.float32), back.astype(np.float32)


def bloom_echo(surface: np.ndarray, power: np.ndarray, glare: Glare, device: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Glare of every firing as in ``bloom_twin``, or None where nothing blooms."""
    if glare.level <= 0 or glare.width <= 0 or not (power > 1.0).any():
        return None
    held = [wp.array(np.asarray(a, np.float32), dtype=wp.float32, device=device) for a in (surface, power, glare.elevation)]
    count = np.concatenate([np.zeros((len(power), 1), np.int32), np.cumsum(power > 1.0, axis=1, dtype=np.int32)], axis=1)
    held.insert(2, wp.array(count, dtype=wp.int32, device=device))
    out, back = (wp.zeros(surface.shape, dtype=wp.float32, device=device) for _ in range(2))
    inputs = [*held, glare.level, glare.width, glare.step, glare.columns, int(glare.wrap)]
    wp.launch(bloom_kernel, dim=surface.shape, inputs=inputs, outputs=[out, back], device=device)
    return out.numpy(), back.numpy()
