"""Comparison of two sets of object crops, cloud by cloud: MMD-CD, coverage (Achlioptas et al. 2018) and 1-NNA (Yang et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.errors import UserError, unknown
from tailgate.validate.chamfer import chamfer_matrix, chamfer_matrix_twin
from tailgate.validate.clouds import checked_set

DISTANCES = ("chamfer_sq", "chamfer")
"""What clouds are compared by; the literature's MMD-CD takes the squared one."""


@dataclass(frozen=True)
class SetComparison:
    """How two sets compare.

    Attributes:
        mmd: mean over the real clouds of the distance to the nearest synthetic one [m² for chamfer_sq, m for chamfer]: how well each real one is met.
        coverage: share of the real clouds that are the nearest of some synthetic one, in [0, 1]: low when the synthetic set repeats itself.
        one_nna: leave-one-out accuracy of the nearest neighbour's side over both sets, in [0, 1]: 0.5 where they are alike, 1 where told apart.
    """

    mmd: float
    coverage: float
    one_nna: float


def compare_sets(real: Any, synthetic: Any, distance: str = "chamfer_sq", device: str = "cpu") -> SetComparison:
    """Compare two sets of equal-size clouds (crops resampled to one number of points).

    Work is (A + B)² n², memory (A + B)² n / 8: no matrix over points is formed. Of equally near clouds the first counts.
    1-NNA is near 0.5 for like sets only where A and B are about equal.

    Args:
        real, synthetic: [A, n, 3] and [B, n, 3], metres, in box axes.
        distance: of DISTANCES.
        device: "cpu" or "cuda:0".

    Raises:
        UserError: a set that ``validate.clouds`` refuses, clouds of another size, or an unknown distance.
    """
    if distance not in DISTANCES:
        raise unknown("distance between clouds", distance, DISTANCES)
    a, b = checked_set(real, "the real set"), checked_set(synthetic, "the synthetic set")
    if a.shape[1] != b.shape[1]:
        raise UserError(f"the real and the synthetic set must hold clouds of one size, got {a.shape[1]} and {b.shape[1]} points: resample them first")
    between, within_a, within_b = (chamfer_matrix(x, y, device, distance == "chamfer_sq") for x, y in ((a, b), (a, a), (b, b)))
    return compared(between, within_a, within_b)


def compare_sets_twin(real: np.ndarray, synthetic: np.ndarray, distance: str = "chamfer_sq") -> SetComparison:
    """Readable twin of ``compare_sets``: every pair by scipy's k-d tree."""
    pairs = ((real, synthetic), (real, real), (synthetic, synthetic))
    return compared(*(chamfer_matrix_twin(x, y, distance == "chamfer_sq") for x, y in pairs))


def compared(between: np.ndarray, within_a: np.ndarray, within_b: np.ndarray) -> SetComparison:
    """The comparison from distances real to synthetic [A, B], among the real [A, A] and among the synthetic ones [B, B]."""
    count = len(within_a)
    table = np.block([[within_a, between], [between.T, within_b]])
    np.fill_diagonal(table, np.inf)
    side = np.arange(len(table)) >= count
    return SetComparison(
        mmd=float(between.min(axis=1).mean()),
        coverage=len(np.unique(between.argmin(axis=0))) / count,
        one_nna=float(np.mean(side[table.argmin(axis=1)] == side)),
    )
