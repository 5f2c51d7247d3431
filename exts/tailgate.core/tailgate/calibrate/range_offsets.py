"""Constant range errors of a LiDAR's beams, from its own scans: what the factory's calibration left of each laser.

A beam whose range is wrong lies beside the planes through the beams around it, on every surface alike. Each beam is shifted by the median distance of
its returns from those planes, and again with the shifted beams (Richardson's iteration), until every one lies on the planes of the others. What many
neighbouring beams share cannot be seen that way and stays out, for it bends no surface either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tailgate.calibrate.estimate import Estimate
from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import SECTORS, Cells, measure_cells

ROUNDS, SCANS = 12, 8
"""Rounds of the iteration, and the most scans it looks at."""
MIN_RETURNS, MIN_BLOCKS = 20, 6
"""Returns on planes for a sector of a scan to tell a beam's error, and sectors for the beam's error to be told."""


def beam_range_offsets(scans: Sequence[SensorFrame]) -> list[Estimate]:
    """Error of every beam's range [m]; 0 for all where most lie within what chance allows. Their median is 0.

    Args:
        scans: organised scans of one device.
    """
    scans = scans[:: -(-len(scans) // SCANS)]
    offset = np.zeros(len(np.asarray(scans[0].channel("range"))))
    for k in range(ROUNDS):
        blocks = np.concatenate([_beside_planes(measure_cells(_shifted(scan, offset))) for scan in scans], axis=1)
        n = np.isfinite(blocks).sum(axis=1)
        told = n >= MIN_BLOCKS
        held = [row[np.isfinite(row)] if known else np.zeros(2) for row, known in zip(blocks, told, strict=True)]
        step, error = (np.array([of(row) for row in held]) for of in (np.median, _error))
        if k == 0 and (not told.any() or np.median(np.abs(step[told])) < 2.0 * np.median(error[told])):
            return [Estimate(0.0, 0.0, 0.0, 0, bool(told.any()), "the beams lie on the planes of their neighbours") for _ in offset]
        offset += step
    offset[told] -= np.median(offset[told])
    how, none = "the beam's distance from the planes of those beside it", "too few planes lie before the beam"
    return [
        Estimate(float(b), float(b - 2 * e), float(b + 2 * e), int(k), True, how) if known else Estimate(0.0, -np.inf, np.inf, int(k), False, none)
        for b, e, k, known in zip(offset, error, n, told, strict=True)
    ]


def _error(values: np.ndarray) -> float:
    """Standard error of a median of normal values [n]."""
    return 1.2533 * float(np.std(values, ddof=1)) / np.sqrt(len(values))


def _shifted(scan: SensorFrame, offset: np.ndarray) -> SensorFrame:
    """The scan without these errors of its beams [m]."""
    rng = np.asarray(scan.channel("range"))
    return replace(scan, channels={**scan.channels, "range": np.where(rng > 0, rng - offset[:, None, None], 0.0).astype(np.float32)})


def _beside_planes(cells: Cells) -> np.ndarray:
    """Median distance along the beam from the planes of the beams around [m], per beam and azimuth sector; NaN where too few returns tell it."""
    ring, column = np.nonzero(cells.noise_stratum >= 0)
    block = ring * SECTORS + cells.sector[ring, column]
    along = cells.residual[ring, column] * np.sqrt(1.0 + cells.planes.leverage[ring, column]) / cells.planes.incidence[ring, column]
    order = np.lexsort((along, block))
    first = np.flatnonzero(np.diff(block[order], prepend=-1))
    count = np.diff(first, append=len(order))
    out = np.full(len(cells.sector) * SECTORS, np.nan)
    enough = count >= MIN_RETURNS
    out[block[order[first[enough]]]] = along[order[(first + count // 2)[enough]]]
    return out.reshape(-1, SECTORS)
