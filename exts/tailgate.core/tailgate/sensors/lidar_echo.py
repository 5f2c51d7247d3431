"""Which of a firing's echoes a device reports.

"strongest" and "last" are single-return modes; "dual" gives the strongest and the last, or the second strongest where these coincide (Velodyne
VLP-32C user manual, section 9.3; Hesai PandarXT user manual, dual return); "two_strongest" the strongest and the second strongest (Ouster firmware
user manual, "Return Order").
"""

from __future__ import annotations

from typing import Literal

import numpy as np


def choose_echoes(ranges: np.ndarray, power: np.ndarray, mode: Literal["strongest", "last", "dual", "two_strongest"]) -> np.ndarray:
    """Index of every reported echo, int64 [..., 1 or 2]; it may point at an echo of range 0 where there are too few.

    Args:
        ranges: detected ranges [m], 0 = not detected, [..., echoes].
        power: of each echo, any unit.
    """
    seen = ranges > 0
    strength = np.where(seen, power, -1.0)
    strongest = strength.argmax(axis=-1)[..., None]
    if mode == "strongest":
        return strongest
    rest = strength.copy()
    np.put_along_axis(rest, strongest, -2.0, axis=-1)
    second = rest.argmax(axis=-1)[..., None]
    if mode == "two_strongest":
        return np.concatenate([strongest, second], axis=-1)
    last = np.where(seen, ranges, -1.0).argmax(axis=-1)[..., None]
    if mode == "last":
        return last
    return np.concatenate([strongest, np.where(last == strongest, second, last)], axis=-1)
