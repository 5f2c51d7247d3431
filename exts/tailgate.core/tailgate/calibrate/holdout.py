"""The real test of a calibration: fitted to some places of a reference, judged on others it never saw.

For every statistic of the sensor three distances to an unseen place, W1 within strata: that of the model before it was fitted, that of the fitted
one, and, on average, that of each place it was fitted to. The last is what two real places differ by, and no fit can be asked for less. Few places
tell the ratio of the two badly: its interval leaves out one place after another (jackknife, Quenouille 1956, Tukey 1958). Many places poured together
show what is wrong at all of them: between all unseen and all known ones chance is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tailgate.calibrate.sectors import WITHHELD
from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import SECTORS, sector_of
from tailgate.validate.quantile import student_t
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
        view: of a depth camera, see ``places.view_of``.
    """

    recording: str
    blocks: list[Sketch]
    scans: Mapping[str, SensorFrame] = field(default_factory=dict)
    pose: tuple[float, float] | None = None
    labelled: bool = True
    view: np.ndarray | None = None


@dataclass(frozen=True)
class Fold:
    """One way of holding places out.

    Attributes:
        frames: those whose recordings, poses and grids the fit may know.
        known: blocks of each place it is fitted to, by the place's number.
        unseen: blocks of each place it is judged on.
    """

    frames: list[Recorded]
    known: dict[int, list[Sketch]]
    unseen: dict[int, list[Sketch]]

    @property
    def blocks(self) -> list[Sketch]:
        """Blocks it is fitted to."""
        return [block for place in self.known.values() for block in place]


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
        turns = {turn: [block for k, block in blocks if k == turn] for turn in range(PARTS)}
        known = [{k: turn for k, turn in turns.items() if k != held} for held in turns]
        return "quarter turns", [Fold([_without(f, k) for f in frames], known[k], {k: turns[k]}) for k in turns]
    runs = [[frames[i] for i in run] for run in np.array_split(np.arange(len(frames)), min(PARTS, len(frames)))] if len(frames) > 1 else []
    return "runs of images", _deal(runs, PARTS)


def _without(frame: Recorded, turn: int) -> Recorded:
    """The frame whose scans show nothing of a quarter turn."""
    scans = {}
    for name, scan in frame.scans.items():
        unseen = sector_of(np.asarray(scan.channel("azimuth"))) * PARTS // SECTORS == turn
        left = np.where(unseen[..., None], 0.0, scan.channel("range")).astype(np.float32)
        scans[name] = replace(scan, channels={**scan.channels, "range": left, WITHHELD: unseen})
    return replace(frame, scans=scans)


def _deal(places: list[list[Recorded]], most: int) -> list[Fold]:
    """Places dealt to at most ``most`` folds, each held out in one."""
    out = []
    for k in range(min(most, len(places))):
        known, held = ({i: p for i, p in enumerate(places) if (i % most == k) == wanted} for wanted in (False, True))
        blocks = ({i: [b for f in place for b in f.blocks] for i, place in part.items()} for part in (known, held))
        out.append(Fold([f for place in known.values() for f in place], *blocks))
    return out


@dataclass(frozen=True)
class Compared:
    """A statistic on one fold.

    Attributes:
        unseen, known: the places of each pair, int [P].
        pairs: distances to the unseen one: of the model before and after the fit, and of the known place, [P, 3].
        together: distance of all unseen places as one to the fitted model.
        apart: distance of all unseen places as one to all that it was fitted to as one.
    """

    unseen: np.ndarray
    known: np.ndarray
    pairs: np.ndarray
    together: float
    apart: float

    def without(self, place: int) -> np.ndarray | None:
        """Mean distances over the pairs that a place is not in, [3]; None where it is in all."""
        kept = self.pairs[(self.unseen != place) & (self.known != place)]
        return kept.mean(0) if len(kept) else None


@dataclass(frozen=True)
class HeldOut:
    """A statistic on unseen places, averaged over them and over the folds.

    Attributes:
        statistic, unit: name, and unit of the distances.
        before, after: distance of the model to an unseen place, before and after the fit.
        between: distance of a place it was fitted to.
        together: distance of all unseen places as one to the fitted model.
        apart: distance of all unseen places as one to all that it was fitted to as one.
        interval: 95 % interval of ``ratio`` by the chance of the places; 0 to infinity where two tell nothing of it.
    """

    statistic: str
    unit: str
    before: float
    after: float
    between: float
    together: float
    apart: float
    interval: tuple[float, float] = (0.0, np.inf)

    @property
    def ratio(self) -> float:
        """After, in units of what two real places differ by."""
        return self.after / max(self.between, 1e-12)

    @property
    def common(self) -> float:
        """All unseen places as one, in units of what they differ by from the known ones."""
        return self.together / max(self.apart, 1e-12)


def distances(fold: Fold, before: Sketch, after: Sketch, statistics: Mapping[str, Statistic]) -> dict[str, Compared]:
    """A fold's distances by statistic, where all sides hold enough of it."""
    known, unseen = ({i: Sketch.total(place) for i, place in part.items()} for part in (fold.known, fold.unseen))
    found: dict[str, list[tuple[float, ...]]] = {}
    for i, place in unseen.items():
        of_model = [compare(place, side, statistics) for side in (before, after)]
        for j, other in known.items():
            for name, pair in _side_by_side([*of_model, compare(place, other, statistics)], [place, before, after, other], statistics).items():
                found.setdefault(name, []).append((i, j, *pair))
    sides = [Sketch.total(unseen.values()), after, Sketch.total(known.values())]
    together = _side_by_side([compare(sides[0], side, statistics) for side in sides[1:]], sides, statistics)
    rows = {name: np.array(pairs) for name, pairs in found.items()}
    return {name: Compared(row[:, 0], row[:, 1], row[:, 2:], *together[name]) for name, row in rows.items()}


def _side_by_side(
    found: Sequence[Sequence[StratumDistance]], sides: Sequence[Sketch], statistics: Mapping[str, Statistic]
) -> dict[str, tuple[float, ...]]:
    """Distances summed over the strata that all sides hold enough of, which weigh by the smallest count among them."""
    least = {(n, stratum): s.min_count for n, s in statistics.items() for stratum in s.strata}
    mix = {key: n if n >= least[key] else 0.0 for key, n in common_mix(sides, statistics).items()}
    sums = [summarize(one, mix) for one in found]
    return {name: tuple(one[name] for one in sums) for name in sums[0]}


def average(found: Sequence[Mapping[str, Compared]], statistics: Mapping[str, Statistic]) -> list[HeldOut]:
    """Mean over the folds that could judge a statistic."""
    rows = []
    for name, statistic in statistics.items():
        held = [f[name] for f in found if name in f]
        if held:
            means = np.mean([(*f.pairs.mean(0), f.together, f.apart) for f in held], axis=0)
            rows.append(HeldOut(name, statistic.unit, *map(float, means), _interval(held)))
    return rows


def _interval(held: Sequence[Compared]) -> tuple[float, float]:
    """95 % interval of a ratio. Its logarithm is taken with each place left out, on whichever side of a pair it is; what is drawn around the
    whole one's is Student's t, one degree of freedom less than there are places."""
    places = np.unique(np.concatenate([part for f in held for part in (f.unseen, f.known)]))
    left = [[mean for f in held if (mean := f.without(place)) is not None] for place in places]
    if not all(left):
        return 0.0, np.inf
    _, after, between = np.maximum([np.mean([f.pairs.mean(0) for f in held], axis=0), *(np.mean(means, axis=0) for means in left)], 1e-12).T
    logs, n = np.log(after / between), len(places)
    reach = student_t(0.975, n - 1) * np.sqrt((n - 1) * np.var(logs[1:]))
    return float(np.exp(logs[0] - reach)), float(np.exp(logs[0] + reach))
