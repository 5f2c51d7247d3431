"""Real crops of one class and range bin: how far batches of real crops, and of crops made wrong on purpose, lie from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.errors import UserError
from tailgate.rng import kernel_seed, rng
from tailgate.validate.backbones import Backbone
from tailgate.validate.controls import CROP_CONTROLS, WRONG_CLASS
from tailgate.validate.crops import Crop
from tailgate.validate.dogss import DISTANCES, nearest_reference
from tailgate.validate.emd import directions
from tailgate.validate.js import BINS, MAX_JS, js_of_counts

PARTS = (*DISTANCES, "js_norm", "js_sliced")
"""What is measured of a batch of crops: two mean distances to the nearest reference crop [m] and two divergences of point features [nats]."""
MIN_REFERENCE, MIN_GROUPS = 20, 4
"""Fewest reference crops and groups that a batch is judged against: fewer than four groups split into halves in at most three ways, of which there
is no 95 % quantile."""
MAX_CROPS, CONTROL_CROPS = 48, 24
"""Most crops a side brings, and most that a control is made of: a seeded choice where there are more."""
DRAWS = 400
"""Batches behind every null and every power."""
SLICES = 16


def chosen(crops: Sequence[Crop], seed: int, most: int = MAX_CROPS) -> list[Crop]:
    """At most so many of the crops, in their order: whole groups in a seeded order, of the last one a seeded choice.

    Whole groups, because a batch of real crops is made of them: thinned groups would look less alike within than they are.
    """
    if len(crops) <= most:
        return list(crops)
    generator, of = rng(seed, "", 0, 0, 0, "validate.crop_choice"), np.array([c.group for c in crops])
    members = [generator.permutation(np.flatnonzero(of == name)) for name in generator.permutation(np.unique(of))]
    return [crops[i] for i in np.sort(np.concatenate(members)[:most])]


class Histograms:
    """Point features as one histogram per crop, which add up: over the features' norm and over their projections onto SLICES fixed directions.

    Unlike ``js_norm`` of two samples the bins are fixed by the reference: 50 over 99.8 % of its values, what lies beyond in the outer bins. So a
    batch's histogram is the sum of its crops', and one stray value cannot squeeze both sides into a few bins. Features are standardized by the
    reference's spread before they are projected: no unit outweighs another.
    """

    def __init__(self, features: Sequence[np.ndarray]):
        held = np.concatenate(features).astype(np.float64)
        self.width = held.shape[1]
        self._mean, self._spread = held.mean(axis=0), np.maximum(held.std(axis=0), 1e-6)
        self._unit = directions(SLICES, self.width, np.random.Generator(np.random.Philox(key=kernel_seed("js_sliced", self.width))))
        self._low, high = np.quantile(self._projected(held), [0.001, 0.999], axis=0)
        self._scale = BINS / np.where(high > self._low, high - self._low, 1.0)

    def count(self, features: np.ndarray) -> np.ndarray:
        """Counts of one crop's features [n, D]: float64 [1 + SLICES, BINS]."""
        if features.shape[1] != self.width:
            raise UserError(f"real and synthetic features must come from one backbone, got {self.width} and {features.shape[1]} of them a point")
        bins = np.clip((self._projected(features) - self._low) * self._scale, 0, BINS - 1).astype(np.int64)
        flat = bins + BINS * np.arange(1 + SLICES)
        return np.bincount(flat.ravel(), minlength=BINS * (1 + SLICES)).reshape(-1, BINS).astype(np.float64)

    def _projected(self, features: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(features, axis=1, keepdims=True)
        return np.concatenate([norm, ((features - self._mean) / self._spread) @ self._unit.T], axis=1)


@dataclass(frozen=True)
class Measured:
    """Crops as rows that batches add up from.

    Attributes:
        x: distance to the nearest reference crop for each of DISTANCES [n, 2] [m]; NaN where shapes are not compared.
        counts: histograms [n, 1 + SLICES, BINS]; NaN where the backbone cannot see the crop.
        group: index of the group [n].
    """

    x: np.ndarray
    counts: np.ndarray
    group: np.ndarray

    def batches(self, picks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of x [D, 2] and of counts [D, 1 + SLICES, BINS] over batches given as rows [D, size]."""
        weight = np.array([np.bincount(p, minlength=len(self.x)) for p in picks], dtype=np.float64)
        return weight @ self.x, np.tensordot(weight, self.counts, axes=1)


@dataclass(frozen=True)
class Draws:
    """Batches of one size against the reference without their own groups.

    Attributes:
        real: PARTS of real batches [DRAWS, 4].
        wrong: negative control -> PARTS of batches made wrong [DRAWS, 4].
    """

    real: np.ndarray
    wrong: dict[str, np.ndarray]


@dataclass(frozen=True)
class Material:
    """Real crops behind a stratum.

    Attributes:
        reference: crops of the class, or of its support class.
        others: crops of other classes, of the same sensor kind, axes and range bin. Those of the reference's size are mixed in as a control. They
            are what real batches are drawn from where ``support`` is set.
        support: whether the reference stands in for another class.
    """

    reference: Sequence[Crop]
    others: Sequence[Crop] = ()
    support: bool = False

    @property
    def real(self) -> Sequence[Crop]:
        """What real batches are drawn from."""
        return self.others if self.support else self.reference


class Stratum:
    """Measures batches against the reference of one class and range bin.

    A real batch is drawn from as many random groups as hold its size, at most half of them, and compared with the crops of all other groups: a batch
    is judged by how far another recording of real objects would lie off. Against a support class shapes are not compared, and a real batch holds
    other real classes than the support class: how far these lie off is how far the class itself may.

    Args:
        material: real crops, enough of them (see ``shortage``).
        backbone: features of points.
        seed: of choices and draws.
    """

    def __init__(self, material: Material, backbone: Backbone, seed: int):
        self.seed, self.backbone, self.support = seed, backbone, material.support
        self.reference = chosen(material.reference, seed)
        real = chosen(material.real, seed)
        names = sorted({c.group for c in [*self.reference, *real]})
        self._index = {name: k for k, name in enumerate(names)}
        self.groups = len(names)
        self._clouds = np.stack([c.resampled for c in self.reference])
        features = [backbone.of_crop(c) for c in self.reference]
        self.histograms = Histograms(features)
        self._held = np.stack([self.histograms.count(f) for f in features])
        self._group = self._groups_of(self.reference)
        self.real = self.measure(real, apart=True)
        sources = chosen(real, seed, CONTROL_CROPS)
        made = {name: [c for c in map(make, sources) if c is not None] for name, make in CROP_CONTROLS.items()}
        self.controls = {name: self.measure(crops, apart=True, exact=False) for name, crops in made.items() if crops}
        same_size = [] if self.support else _of_size(material.others, self.reference)
        self.others = self.measure(chosen(same_size, seed, CONTROL_CROPS), exact=False) if same_size else None
        self._draws: dict[int, Draws] = {}

    def measure(self, crops: Sequence[Crop], apart: bool = False, exact: bool = True) -> Measured:
        """Rows of some crops.

        Args:
            crops: at least one.
            apart: leave the reference's crops of a crop's own group out.
            exact: False puts a lower bound in place of the earth mover's distance.
        """
        group = self._groups_of(crops)
        x = np.full((len(crops), len(DISTANCES)), np.nan)
        if not self.support:
            allowed = group[:, None] != self._group[None] if apart else None
            found = nearest_reference(np.stack([c.resampled for c in crops]), self._clouds, allowed, exact)
            x = np.stack([found[name] for name in DISTANCES], axis=1)
        seen = self.reference[0].features is None
        unseen = np.full(self._held.shape[1:], np.nan)
        counts = [self.histograms.count(self.backbone.of_crop(c)) if seen or c.features is not None else unseen for c in crops]
        return Measured(x, np.stack(counts), group)

    def parts(self, crops: Sequence[Crop]) -> np.ndarray:
        """PARTS [4] of one batch against the whole reference."""
        rows = self.measure(crops)
        return _parts(rows.x.mean(axis=0)[None], rows.counts.sum(axis=0)[None], self._held.sum(axis=0)[None])[0]

    def draws(self, size: int) -> Draws:
        """Real batches and batches made wrong, of ``size`` crops."""
        if size not in self._draws:
            self._draws[size] = self._draw(size)
        return self._draws[size]

    def _groups_of(self, crops: Sequence[Crop]) -> np.ndarray:
        return np.array([self._index.get(c.group, -1) for c in crops], dtype=np.int64)

    def _draw(self, size: int) -> Draws:
        generator = rng(self.seed, "", 0, 0, 0, "validate.class_gate", size)
        inside = self._batch_groups(size, generator)
        picks = np.array([_pick(self.real.group, groups, size, generator) for groups in inside])
        apart = np.array([~np.isin(self._group, groups) for groups in inside], dtype=np.float64)
        against = np.tensordot(apart, self._held, axes=1)
        x, counts = self.real.batches(picks)
        wrong = {}
        for name, rows in self.controls.items():
            bad_x, bad_counts = rows.batches(np.array([_pick(rows.group, groups, size, generator) for groups in inside]))
            wrong[name] = _parts(bad_x / size, bad_counts, against)
        for name, share in WRONG_CLASS.items() if self.others else ():
            swapped = int(np.ceil(share * size))
            rest = self.real.batches(picks[:, swapped:])
            mixed = self.others.batches(generator.integers(len(self.others.x), size=(DRAWS, swapped)))
            wrong[name] = _parts((rest[0] + mixed[0]) / size, rest[1] + mixed[1], against)
        rest = apart @ self.real.x / apart.sum(axis=1, keepdims=True) if len(apart[0]) == len(self.real.x) else 0
        return Draws(_parts(self.real.x.mean(axis=0) + x / size - rest, counts, against), wrong)

    def _batch_groups(self, size: int, generator: np.random.Generator) -> list[np.ndarray]:
        """Groups of each real batch: as many as hold ``size`` crops, at most half of those that hold any."""
        names, held = np.unique(self.real.group, return_counts=True)
        out = []
        for _ in range(DRAWS):
            order = generator.permutation(len(names))
            wanted = int(np.searchsorted(np.cumsum(held[order]), size)) + 1
            out.append(names[order[: min(wanted, max(len(names) // 2, 1))]])
        return out


def shortage(material: Material) -> str:
    """Why this is too little to judge anything by; "" when it is enough."""
    for crops, words in ((material.reference, "the reference holds"), (material.real, "of other classes the reference holds")):
        groups = len({c.group for c in crops})
        if len(crops) < MIN_REFERENCE or groups < MIN_GROUPS:
            held = f"{len(crops)} crop{'s' * (len(crops) != 1)} of {groups} group{'s' * (groups != 1)}"
            return f"{words} {held}; {MIN_REFERENCE} crops of {MIN_GROUPS} groups are needed"
    return ""


def _pick(of: np.ndarray, groups: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Rows of a batch from the groups, each once where there are enough; from all rows where the groups hold none."""
    held = np.flatnonzero(np.isin(of, groups))
    held = held if len(held) else np.arange(len(of))
    return generator.choice(held, size, replace=len(held) < size)


def _parts(x: np.ndarray, counts: np.ndarray, against: np.ndarray) -> np.ndarray:
    """PARTS [D, 4] from mean distances [D, 2] and summed histograms of the batches and of what they are compared with [D, 1 + SLICES, BINS]."""
    empty = (counts.sum(axis=-1) == 0) | (against.sum(axis=-1) == 0)
    js = np.where(empty, MAX_JS, js_of_counts(against, counts))
    return np.concatenate([x, js[:, :1], js[:, 1:].max(axis=1, keepdims=True)], axis=1)


def _of_size(crops: Sequence[Crop], reference: Sequence[Crop]) -> list[Crop]:
    """Crops whose longest side lies within a quarter of the middle nine tenths of the reference's."""
    low, high = np.quantile([max(c.size) for c in reference], [0.05, 0.95])
    return [c for c in crops if low / 1.25 <= max(c.size) <= high * 1.25]
