"""Photometric profiles of lamps on a device; twin of ``profiled``: linear interpolation in the table, ``tailgate.stage.ies.Profile``."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.lamps import PI, Lamp
from tailgate.stage import ies

wp.set_module_options({"enable_backward": False})

ROWS, COLUMNS = wp.constant(ies.ROWS), wp.constant(ies.COLUMNS)


@wp.func
def profiled(profiles: wp.array3d(dtype=wp.float32), lamp: Lamp, outwards: wp.vec3) -> float:
    """Intensity of a lamp in a direction away from it over that of its profile's mean; 1 without a profile."""
    if lamp.profile < 0:
        return float(1.0)
    x = wp.dot(outwards, lamp.side)
    y = wp.dot(outwards, wp.cross(lamp.side, lamp.axis))
    row = wp.acos(wp.clamp(wp.dot(outwards, lamp.axis), -1.0, 1.0)) / PI * float(ROWS - 1)
    turn = wp.atan2(y, x) / (2.0 * PI)
    column = (turn - wp.floor(turn)) * float(COLUMNS - 1)
    i = wp.min(int(row), ROWS - 2)
    j = wp.min(int(column), COLUMNS - 2)
    a = row - float(i)
    b = column - float(j)
    above = profiles[lamp.profile, i, j] * (1.0 - b) + profiles[lamp.profile, i, j + 1] * b
    below = profiles[lamp.profile, i + 1, j] * (1.0 - b) + profiles[lamp.profile, i + 1, j + 1] * b
    return above * (1.0 - a) + below * a


@lru_cache(maxsize=4)
def profiles_of(files: tuple[tuple[str, float], ...], device: str) -> wp.array:
    """Tables of profiles by path and angle scale, float32 [P, ROWS, COLUMNS]."""
    tables = [ies.read_profile(*file).table for file in files]
    return wp.array(np.stack(tables) if tables else np.zeros((0, 1, 1), np.float32), dtype=wp.float32, device=device)
