"""The gap of the DoGSS-PCL authors' CloudMetrics: one figure for two clouds of one place, with its parts. Lower is better. Paired clouds only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tailgate.errors import UserError
from tailgate.validate.chamfer import chamfer
from tailgate.validate.clouds import REAL, SYNTHETIC, checked
from tailgate.validate.m3c2 import Scale, signed_distances, summary
from tailgate.validate.voxels import common, overlap, require_paired

MIN_POINTS, MIN_DISTANCES, MAX_NAN = 20, 50, 0.9
"""A class has no part in M below so many points a side, below so many core points, or above this share of core points without a distance."""
SCALE = Scale(normal_radii=(0.21, 0.42, 0.84), radius=0.21, reach=10.0)
"""The authors' M3C2 radii and reach [m]."""


def cloudmetrics_gap(m3c2_median: float, nearest: float, iou: float) -> float:
    """1 − exp(−0.2 (0.6 |M| + 0.3 |C| + 0.1 / (I + 1e-5))), in [0.0198, 1): a perfect match gives 0.0198, no voxel in common 1.

    Args:
        m3c2_median: M, weighted mean over the classes of the magnitude of the median M3C2 distance [m].
        nearest: C, mean nearest distance, averaged over both directions [m].
        iou: I, weighted mean voxel IoU over the classes, in [0, 1].
    """
    return float(1.0 - np.exp(-0.2 * (0.6 * abs(m3c2_median) + 0.3 * abs(nearest) + 0.1 / (iou + 1e-5))))


@dataclass(frozen=True)
class Gap:
    """The gap and its parts.

    Attributes:
        gap: in [0.0198, 1), lower is better.
        m3c2_median, nearest, iou: its parts M [m], C [m] and I, as ``cloudmetrics_gap`` takes them.
        left_out: class -> why it does not count in M.
    """

    gap: float
    m3c2_median: float
    nearest: float
    iou: float
    left_out: dict[int, str]


@dataclass(frozen=True)
class Options:
    """How ``cloudmetrics`` measures.

    Attributes:
        weights: class -> weight in M and I, each positive; by default all classes of the real cloud alike.
        every: step through the real points of a class from one core point to the next.
        scale: of the M3C2 distances.
    """

    weights: Mapping[int, float] = field(default_factory=dict)
    every: int = 10
    scale: Scale = SCALE

    def __post_init__(self) -> None:
        if self.every < 1 or not all(w > 0 for w in self.weights.values()):
            raise UserError(f"cloudmetrics must have positive weights and a step of at least 1, got {dict(self.weights)} and {self.every}")


Labelled = tuple[np.ndarray, np.ndarray]
"""Points [n, 3] in metres and their classes, int [n]."""


def cloudmetrics(real: Labelled, synthetic: Labelled, options: Options = Options()) -> Gap:
    """Measure the gap on the 5 m ground cells that both clouds occupy. A class that is left out of M keeps its part in I, as in the authors' code.

    Args:
        real, synthetic: points and classes of one place in one frame; classes all 0 where there are none.

    Raises:
        UserError: a cloud that ``validate.clouds`` refuses, labels of another length, clouds of different places, or no class to form M from.
    """
    (p, p_class), (q, q_class) = _labelled(real, REAL), _labelled(synthetic, SYNTHETIC)
    require_paired(p, q)
    in_p, in_q, _ = common(p, q)
    p, p_class, q, q_class = p[in_p], p_class[in_p], q[in_q], q_class[in_q]
    weights = dict(options.weights) or {int(c): 1.0 for c in np.unique(p_class)}
    medians, ious, left_out = {}, {}, {}
    for c in sorted(weights):
        a, b = p[p_class == c], q[q_class == c]
        ious[c] = overlap(a, b).iou
        found = _median(a, b, options)
        (left_out if isinstance(found, str) else medians)[c] = found
    if not medians:
        raise UserError(
            f"cloudmetrics must find a class with enough points on both sides, got none: {'; '.join(f'{c}: {w}' for c, w in left_out.items())}"
        )
    m = sum(weights[c] * abs(d) for c, d in medians.items()) / sum(weights[c] for c in medians)
    i = sum(weights[c] * v for c, v in ious.items()) / sum(weights.values())
    nearest = chamfer(p, q)
    return Gap(cloudmetrics_gap(m, nearest, i), m, nearest, i, left_out)


def _labelled(side: Labelled, name: str) -> Labelled:
    points, classes = checked(side[0], name), np.asarray(side[1])
    if classes.shape != (len(points),):
        raise UserError(f"{name} must have one class per point, got {len(points)} points and classes of shape {classes.shape}")
    return points, classes


def _median(real: np.ndarray, synthetic: np.ndarray, options: Options) -> float | str:
    """Median M3C2 distance of a class [m], or why it has none."""
    if min(len(real), len(synthetic)) < MIN_POINTS:
        return f"{len(real)} real and {len(synthetic)} synthetic points, {MIN_POINTS} are needed"
    cores = real[:: options.every]
    if len(cores) < MIN_DISTANCES:
        return f"{len(cores)} core points, {MIN_DISTANCES} are needed"
    distances = signed_distances(real, synthetic, cores, options.scale)
    share = float(np.isnan(distances).mean())
    return f"{share:.0%} of the core points have no distance" if share > MAX_NAN else summary(distances).median
