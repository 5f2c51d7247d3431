"""The real test of a calibration: fitted to some places of a reference, judged on others it never saw.

For every statistic of the sensor three distances to an unseen place, W1 within strata: that of the model before it was fitted, that of the fitted
one, and, on average, that of each place it was fitted to. The last is what two real places differ by, and no fit can be asked for less. Many places
poured together show what is wrong at all of them: between all unseen and all known ones chance is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import SECTORS, sector_of
from tailgate.validate.sketch import Sketch, Statistic, StratumDistance, common_mix, compare, summarize

FOLDS, PARTS = 3, 4
"""How often places are held out: recordings are dealt to three folds, one recording is cut in four."""


@dataclass(frozen=True)
class Recorded:
    """One recorded frame of the sensor.

    Attributes:
        recording: frames of one recording share a place.
        blocks: its place blocks: azimuth sectors of a scan (of each head), or one for an image.
        scans: a LiDAR's heads by name, as recorded; empty for a camera.
        pose: height over the support [m] and downward look [rad] of a depth camera.
        labelled: whether its surfaces are labelled, so that nothing else counts.
    """

    recording: str
    blocks: list[Sketch]
    scans: Mapping[str, SensorFrame] = field(default_factory=dict)
    pose: tuple[float, float] | None = None
    labelled: bool = True


@dataclass(frozen=True)
class Fold:
    """One way of holding places out.

    Attributes:
        frames: those whose recordings, poses and grids the fit may know.
        known: blocks of each place it is fitted to.
        unseen: blocks of each place it is judged on.
    """

    frames: list[Recorded]
    known: list[list[Sketch]]
    unseen: list[list[Sketch]]

    @property
    def blocks(self) -> list[Sketch]:
        """Blocks it is fitted to."""
        return [block for place in self.known for block in place]


def folds(frames: Sequence[Recorded]) -> tuple[str, list[Fold]]:
    """What is held out, in words, and the folds; none where the reference holds one place only.

    Whole recordings where there are two or more. Of a single recording a LiDAR's quarter turns show different places, since its sweeps may show the
    same; a camera's runs of consecutive images do.
    """
    recordings = sorted({f.recording for f in frames})
    if len(recordings) > 1:
        return "recordings", _deal([[f for f in frames if f.recording == name] for name in recordings], FOLDS)
    if frames and all(f.scans or len(f.blocks) % SECTORS == 0 for f in frames):
        blocks = [(i % SECTORS * PARTS // SECTORS, block) for f in frames for i, block in enumerate(f.blocks)]
        turns = [[block for k, block in blocks if k == turn] for turn in range(PARTS)]
        return "quarter turns", [Fold([_without(f, k) for f in frames], turns[:k] + turns[k + 1 :], [turns[k]]) for k in range(PARTS)]
    runs = [[frames[i] for i in run] for run in np.array_split(np.arange(len(frames)), min(PARTS, len(frames)))] if len(frames) > 1 else []
    return "runs of images", _deal(runs, PARTS)


def _without(frame: Recorded, turn: int) -> Recorded:
    """The frame whose scans show nothing of a quarter turn."""
    scans = {}
    for name, scan in frame.scans.items():
        unseen = sector_of(np.asarray(scan.channel("azimuth"))) * PARTS // SECTORS == turn
        scans[name] = replace(scan, channels={**scan.channels, "range": np.where(unseen[..., None], 0.0, scan.channel("range")).astype(np.float32)})
    return replace(frame, scans=scans)


def _deal(places: list[list[Recorded]], most: int) -> list[Fold]:
    """Places dealt to at most ``most`` folds, each held out in one."""
    out = []
    for k in range(min(most, len(places))):
        known, held = ([p for i, p in enumerate(places) if (i % most == k) == wanted] for wanted in (False, True))
        blocks = ([[b for f in place for b in f.blocks] for place in part] for part in (known, held))
        out.append(Fold([f for place in known for f in place], *blocks))
    return out


@dataclass(frozen=True)
class HeldOut:
    """A statistic on unseen places, averaged over them and over the folds.

    Attributes:
        statistic, unit: name, and unit of the distances.
        before, after: distance of the model to an unseen place, before and after the fit.
        between: distance of a place it was fitted to.
        together: distance of all unseen places as one to the fitted model.
        apart: distance of all unseen places as one to all that it was fitted to as one.
    """

    statistic: str
    unit: str
    before: float
    after: float
    between: float
    together: float
    apart: float

    @property
    def ratio(self) -> float:
        """After, in units of what two real places differ by."""
        return self.after / max(self.between, 1e-12)

    @property
    def common(self) -> float:
        """All unseen places as one, in units of what they differ by from the known ones."""
        return self.together / max(self.apart, 1e-12)


def distances(fold: Fold, before: Sketch, after: Sketch, statistics: Mapping[str, Statistic]) -> dict[str, tuple[float, ...]]:
    """The distances of ``HeldOut`` by statistic, where all sides hold enough of it."""
    known, unseen = ([Sketch.total(place) for place in part] for part in (fold.known, fold.unseen))
    single: dict[str, list[tuple[float, ...]]] = {}
    for place in unseen:
        of_model = [compare(place, side, statistics) for side in (before, after)]
        for other in known:
            for name, found in _side_by_side([*of_model, compare(place, other, statistics)], [place, before, after, other], statistics).items():
                single.setdefault(name, []).append(found)
    sides = [Sketch.total(unseen), after, Sketch.total(known)]
    together = _side_by_side([compare(sides[0], side, statistics) for side in sides[1:]], sides, statistics)
    return {name: (*np.mean(found, axis=0), *together[name]) for name, found in single.items()}


def _side_by_side(
    found: Sequence[Sequence[StratumDistance]], sides: Sequence[Sketch], statistics: Mapping[str, Statistic]
) -> dict[str, tuple[float, ...]]:
    """Distances summed over the strata that all sides hold enough of, which weigh by the smallest count among them."""
    least = {(n, stratum): s.min_count for n, s in statistics.items() for stratum in s.strata}
    mix = {key: n if n >= least[key] else 0.0 for key, n in common_mix(sides, statistics).items()}
    sums = [summarize(one, mix) for one in found]
    return {name: tuple(one[name] for one in sums) for name in sums[0]}


def average(found: Sequence[Mapping[str, tuple[float, ...]]], statistics: Mapping[str, Statistic]) -> list[HeldOut]:
    """Mean over the folds that could judge a statistic."""
    rows = []
    for name, statistic in statistics.items():
        held = [f[name] for f in found if name in f]
        if held:
            rows.append(HeldOut(name, statistic.unit, *(float(v) for v in np.mean(held, axis=0))))
    return rows
