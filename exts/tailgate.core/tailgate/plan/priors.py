"""Placement priors from 3-D labels: where, how turned, how large, how many at once, beside what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.config.budget import QUANTILES, Prior
from tailgate.datasets.labels import LabelTable
from tailgate.rng import rng

_OBJECTS_MIN, _BOXES_MIN = 5, 20
"""Different objects, or boxes where there are no track ids, before ranges and headings are drawn from them."""
_RESAMPLES = 200
_TOGETHER_MIN = 0.05
"""Classes met in a smaller share of the frames are not written to ``with_classes``."""


@dataclass(frozen=True)
class Interval:
    """The median of one quantity with its bootstrap interval.

    Attributes:
        quantity: "range", "yaw_deg", "length", "width", "height" or "per_frame".
        median: [m], [deg] or objects.
        low, high: 5 % and 95 % of the median under resampling of whole tracks (frames where there are no tracks, and for ``per_frame``); None with a
            single track, whose boxes tell nothing about other objects.
    """

    quantity: str
    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ClassPrior:
    """A prior with what a reader needs to trust it.

    Attributes:
        prior: the quantiles, as written to the budget.
        tracks: different objects among the boxes; 0 when the labels have no track ids.
        frames: frames that hold the class.
        intervals: one per quantity.
    """

    prior: Prior
    tracks: int
    frames: int
    intervals: list[Interval]

    def for_budget(self) -> Prior:
        """The prior without range and heading where too few objects gave them: they say where those stood, not where such things do."""
        enough = enough_objects(self.prior.n, self.tracks)
        return self.prior if enough else self.prior.model_copy(update={"range": None, "yaw_deg": None})


def enough_objects(boxes: int, tracks: int) -> bool:
    """Whether so many boxes of so many tracked objects (0: no track ids) say where such objects stand: 5 objects, or 20 boxes."""
    return tracks >= _OBJECTS_MIN if tracks else boxes >= _BOXES_MIN


def measure_priors(table: LabelTable, classes: list[str]) -> dict[str, ClassPrior]:
    """Measure the prior of each class that has 3-D boxes; classes without any are absent.

    Quantiles are those at 5, 25, 50, 75 and 95 %. Headings are unwrapped at their emptiest direction before quantiles are taken, so that they rise
    and may lie outside -180..180. ``per_frame`` counts objects in frames that hold at least one.
    """
    out = {}
    for name in classes:
        rows = table.rows_of(name)
        rows = rows[np.isfinite(table.size[rows, 0])]
        if len(rows):
            out[name] = _measure(table, name, rows)
    return out


def _measure(table: LabelTable, name: str, rows: np.ndarray) -> ClassPrior:
    placed = np.isfinite(table.centre[rows, 0])
    columns: dict[str, np.ndarray] = {}
    if placed.all():
        columns = {"range": table.range[rows], "yaw_deg": unwrapped(np.rad2deg(table.yaw[rows]))}
    columns |= dict(zip(("length", "width", "height"), table.size[rows].T, strict=True))
    tracks = [table.track[r] for r in rows]
    tracked = all(tracks)
    blocks = np.unique(np.array(tracks) if tracked else table.frame_index[rows], return_inverse=True)[1]
    frames, per_frame = np.unique(table.frame_index[rows], return_counts=True)
    gen = rng(0, "plan", 0, 0, 0, "priors", name)
    intervals = [_interval(q, values, blocks, gen) for q, values in columns.items()]
    intervals.append(_interval("per_frame", per_frame.astype(np.float64), np.arange(len(frames)), gen))
    quantiles = {q: tuple(round(float(v), 3) + 0.0 for v in np.quantile(values, QUANTILES)) for q, values in columns.items()}
    prior = Prior(
        n=len(rows),
        per_frame=tuple(float(v) for v in np.quantile(per_frame, QUANTILES)),
        with_classes=_together(table, name, frames),
        **quantiles,
    )
    return ClassPrior(prior, int(blocks.max()) + 1 if tracked else 0, len(frames), intervals)


def unwrapped(angles_deg: np.ndarray) -> np.ndarray:
    """Cut the circle at the emptiest direction and return angles that rise from there, [deg], shape as given, median in -180..180."""
    turns = np.mod(angles_deg, 360.0)
    bins = np.bincount((turns // 10).astype(int) % 36, minlength=36)
    cut = 10.0 * int(np.argmin(bins + np.roll(bins, 1) + np.roll(bins, -1))) + 5.0
    risen = cut + np.mod(turns - cut, 360.0)
    return risen - 360.0 * np.round(np.median(risen) / 360.0)


def _interval(quantity: str, values: np.ndarray, blocks: np.ndarray, gen: np.random.Generator) -> Interval:
    median = float(np.median(values))
    n_blocks = int(blocks.max()) + 1
    if n_blocks < 2:
        return Interval(quantity, median, None, None)
    order = np.argsort(blocks, kind="stable")
    parts = np.split(values[order], np.cumsum(np.bincount(blocks))[:-1])
    medians = [np.median(np.concatenate([parts[i] for i in gen.integers(0, n_blocks, n_blocks)])) for _ in range(_RESAMPLES)]
    low, high = np.quantile(medians, [0.05, 0.95])
    return Interval(quantity, median, float(low), float(high))


def _together(table: LabelTable, name: str, frames: np.ndarray) -> dict[str, float]:
    """Share of the frames with ``name`` that also hold each other class, most frequent first."""
    present = np.zeros((len(table.frames), len(table.classes)), dtype=bool)
    present[table.frame_index, table.class_index] = True
    share = present[frames].mean(axis=0)
    found = [(c, round(float(s), 3)) for c, s in zip(table.classes, share, strict=True) if c != name and s >= _TOGETHER_MIN]
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))
