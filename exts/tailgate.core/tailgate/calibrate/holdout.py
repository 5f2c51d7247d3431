"""The real test of a calibration: fitted to some places of a reference, judged on others it never saw.

For every statistic of the sensor three distances to the unseen places, W1 within strata: that of the model before it was fitted, that of the fitted
one, and that of the places it was fitted to. The last is what real places differ by, and no fit can be asked for less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import SECTORS
from tailgate.validate.sketch import Sketch, Statistic, common_mix, compare, summarize

FOLDS, PARTS = 3, 4
"""How often places are held out: recordings are dealt to three folds, one recording is cut in four."""


@dataclass(frozen=True)
class Recorded:
    """One recorded frame of the sensor.

    Attributes:
        recording: frames of one recording share a place.
        blocks: its place blocks: azimuth sectors of a scan (of each head), or one for an image.
        scans: a LiDAR's heads, as recorded; empty for a camera.
        pose: height over the support [m] and downward look [rad] of a depth camera.
        labelled: whether its surfaces are labelled, so that nothing else counts.
    """

    recording: str
    blocks: list[Sketch]
    scans: tuple[SensorFrame, ...] = ()
    pose: tuple[float, float] | None = None
    labelled: bool = True


@dataclass(frozen=True)
class Fold:
    """One way of holding places out.

    Attributes:
        frames: those whose recordings, poses and grids the fit may know.
        known: blocks it is fitted to.
        unseen: blocks it is judged on.
    """

    frames: list[Recorded]
    known: list[Sketch]
    unseen: list[Sketch]


def folds(frames: Sequence[Recorded]) -> tuple[str, list[Fold]]:
    """What is held out, in words, and the folds; none where the reference holds one place only.

    Whole recordings where there are two or more. Of a single recording a LiDAR's quarter turns show different places, since its sweeps may show the
    same; a camera's runs of consecutive images do.
    """
    recordings = sorted({f.recording for f in frames})
    if len(recordings) > 1:
        dealt = [recordings[k::FOLDS] for k in range(min(FOLDS, len(recordings)))]
        return "recordings", [_fold(frames, [f for f in frames if f.recording in held]) for held in dealt]
    if frames and all(f.scans or len(f.blocks) % SECTORS == 0 for f in frames):
        return "quarter turns", [_quarter(frames, k) for k in range(PARTS)]
    runs = np.array_split(np.arange(len(frames)), min(PARTS, len(frames))) if len(frames) > 1 else []
    return "runs of images", [_fold(frames, [frames[i] for i in run]) for run in runs]


def _fold(frames: Sequence[Recorded], held: list[Recorded]) -> Fold:
    known = [f for f in frames if not any(f is h for h in held)]
    return Fold(known, *([b for f in part for b in f.blocks] for part in (known, held)))


def _quarter(frames: Sequence[Recorded], k: int) -> Fold:
    inside = [(i % SECTORS * PARTS // SECTORS == k, block) for f in frames for i, block in enumerate(f.blocks)]
    return Fold(list(frames), *([b for held, b in inside if held == wanted] for wanted in (False, True)))


@dataclass(frozen=True)
class HeldOut:
    """A statistic on unseen places, averaged over the folds.

    Attributes:
        statistic, unit: name, and unit of the distances.
        before, after: distance of the model before and after the fit.
        between: distance of the places it was fitted to.
    """

    statistic: str
    unit: str
    before: float
    after: float
    between: float

    @property
    def ratio(self) -> float:
        """After, in units of what real places differ by."""
        return self.after / max(self.between, 1e-12)


def distances(fold: Fold, before: Sketch, after: Sketch, statistics: Mapping[str, Statistic]) -> dict[str, tuple[float, float, float]]:
    """Before, after and between of each statistic that all sides hold enough of; strata weigh by the smallest count among the sides."""
    known, unseen = Sketch.total(fold.known), Sketch.total(fold.unseen)
    least = {(n, stratum): s.min_count for n, s in statistics.items() for stratum in s.strata}
    mix = {key: n if n >= least[key] else 0.0 for key, n in common_mix([known, unseen, before, after], statistics).items()}
    found = [summarize(compare(unseen, side, statistics), mix) for side in (before, after, known)]
    return {name: tuple(side[name] for side in found) for name in found[0]}


def average(found: Sequence[Mapping[str, tuple[float, float, float]]], statistics: Mapping[str, Statistic]) -> list[HeldOut]:
    """Mean over the folds that could judge a statistic."""
    rows = []
    for name, statistic in statistics.items():
        held = [f[name] for f in found if name in f]
        if held:
            rows.append(HeldOut(name, statistic.unit, *(float(v) for v in np.mean(held, axis=0))))
    return rows
