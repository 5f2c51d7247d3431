"""Places: the unit that is resampled, pseudo-batches of them, and how far a batch of counts lies from a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from tailgate.reference.split import MIN_RECORDINGS
from tailgate.validate.controls import is_rate, statistic_control
from tailgate.validate.sketch import Sketch, Statistic, w1


def stratum_distances(statistic: Statistic, batch: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distance per stratum of batch [D, S, B] and reference [D or 1, S, B]: [D, S], NaN where either side holds fewer than ``min_count`` values.

    W1 in the statistic's unit; of a rate the difference of the angles arcsin √rate, which vary alike at small and at large rates (Anscombe 1948): on
    the scale of shares the few places where much is missing would hide a sensor that never misses anything.
    """
    batch, reference = np.broadcast_arrays(batch, reference)
    enough = np.minimum(batch.sum(axis=-1), reference.sum(axis=-1)) >= statistic.min_count
    batch, reference, out = batch[enough], reference[enough], np.full(enough.shape, np.nan)
    out[enough] = np.abs(_angle(batch) - _angle(reference)) if is_rate(statistic) else w1(batch, reference, statistic.edges)
    return out


def distance_unit(statistic: Statistic) -> str:
    """Unit of ``stratum_distances``."""
    return "rad" if is_rate(statistic) else statistic.unit


def _angle(counts: np.ndarray) -> np.ndarray:
    """arcsin √(share of the missing) of rates [..., 2], 0 … π/2 [rad]."""
    return np.arcsin(np.sqrt(counts[..., 1] / np.maximum(counts.sum(axis=-1), 1)))


def weighted(strata: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the judged strata [D, S] -> [D]; NaN where none of positive weight is judged."""
    weight = np.where(np.isfinite(strata), weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nansum(strata * weight, axis=-1) / weight.sum(axis=-1)


@dataclass(frozen=True)
class Places:
    """Real blocks of one modality, N in all, and the place each belongs to.

    Attributes:
        statistics: name -> what it counts; only those the blocks hold.
        counts: statistic -> counts per block, float64 [N, S, B].
        place: place of each block, 0 … P - 1, int [N].
        kind: what a place is, in words.
        spread: whether a batch of real data touches many places with a block each (parts of recordings) or few with many (recordings).
        origin: group and position in it of each block.
    """

    statistics: dict[str, Statistic]
    counts: dict[str, np.ndarray]
    place: np.ndarray
    kind: str
    spread: bool
    origin: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, blocks: Mapping[str, Sequence[Sketch]], statistics: Mapping[str, Statistic], sectors: int = 1) -> Places:
        """Group blocks into places.

        A place is a recording where there are at least four. Else it is the same sector of all sweeps of a recording, so that frames of a sensor that
        stands still do not stand on both sides of a comparison; without sectors, a frame.

        Args:
            blocks: group -> its blocks, in the order of frames and, within a frame, of sectors. A group is a recording or, named ``<recording>#<k>``,
                a part of one.
            statistics: those of the modality; blocks without any of them are another modality's.
            sectors: blocks a sensor gives of a frame.
        """
        own = [(g, i) for g in sorted(blocks) for i, b in enumerate(blocks[g]) if any(n in b.counts for n in statistics)]
        recording = [g.partition("#")[0] for g, _ in own]
        whole = len(set(recording)) >= MIN_RECORDINGS
        position = {r: count() for r in recording}
        parts = [(r, n % sectors if sectors > 1 else n) for r in recording for n in [next(position[r])]]
        keys = recording if whole else parts
        full = [k for k, (g, i) in enumerate(own) if any(np.any(blocks[g][i].counts.get(n, 0.0)) for n in statistics)]
        index = {key: i for i, key in enumerate(dict.fromkeys(keys[k] for k in full))}
        origin = tuple(own[k] for k in full)
        held = {n: s for n, s in statistics.items() if any(np.any(blocks[g][i].counts.get(n, 0.0)) for g, i in origin)}
        kind = "recording" if whole else "sector of a recording" if sectors > 1 else "frame"
        place = np.array([index[keys[k]] for k in full], dtype=int)
        return cls(held, _stacked(blocks, held, origin), place, kind, not whole, origin)

    def again(self, blocks: Mapping[str, Sequence[Sketch]]) -> Places:
        """The same blocks measured once more, after something was done to their frames."""
        return replace(self, counts=_stacked(blocks, self.statistics, self.origin))

    def standin(self) -> Places:
        """The places with every statistic turned into its sketch-level control (see ``controls.statistic_control``)."""
        return replace(self, counts={n: c @ statistic_control(self.statistics[n])[1] for n, c in self.counts.items()})

    def __len__(self) -> int:
        return int(self.place.max()) + 1 if len(self.place) else 0

    def size_of(self, sketch: Sketch) -> float:
        """Real blocks that hold as much data as a sketch: the median over the statistics; 0 for an empty one."""
        ratios = [np.sum(sketch.counts.get(n, 0.0)) / (c.sum() / len(c)) for n, c in self.counts.items()]
        return float(np.median(ratios)) if ratios else 0.0

    def pick(self, among: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
        """Blocks of a pseudo-batch, without repetition, int [≤ size]: one of each place before the second of any where batches are spread, else all
        of a place before the next.

        Args:
            among: places in the order in which they are used.
        """
        turn = np.full(len(self), -1)
        turn[among] = np.arange(len(among))
        blocks = generator.permutation(np.flatnonzero(turn[self.place] >= 0))
        blocks = blocks[np.argsort(turn[self.place[blocks]], kind="stable")]
        own = turn[self.place[blocks]]
        nth = np.arange(len(blocks)) - np.searchsorted(own, own)
        return (blocks[np.argsort(nth, kind="stable")] if self.spread else blocks)[:size]

    def distances(self, batches: np.ndarray, references: np.ndarray) -> dict[str, np.ndarray]:
        """W1 per statistic and stratum of draws of blocks (bool or float [D, N] each): name -> [D, S]."""
        return {n: stratum_distances(s, self.total(n, batches), self.total(n, references)) for n, s in self.statistics.items()}

    def total(self, name: str, draws: np.ndarray) -> np.ndarray:
        """Counts of one statistic summed over the blocks of each draw [D, N]: [D, S, B]."""
        counts = self.counts[name]
        return (draws.astype(float) @ counts.reshape(len(counts), -1)).reshape(len(draws), *counts.shape[1:])


def _stacked(blocks: Mapping[str, Sequence[Sketch]], statistics: Mapping[str, Statistic], origin: Sequence[tuple[str, int]]) -> dict[str, np.ndarray]:
    return {n: np.stack([np.broadcast_to(blocks[g][i].counts.get(n, 0.0), s.shape) for g, i in origin]) for n, s in statistics.items()}
