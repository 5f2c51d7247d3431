"""The class gate: the accumulated object crops of a class against real crops of the same class and range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.config.budget import Gate
from tailgate.rng import kernel_seed, rng
from tailgate.validate.chamfer import chamfer_matrix
from tailgate.validate.controls import CROP_CONTROLS
from tailgate.validate.crops import Crop, range_bin_name
from tailgate.validate.dogss import DISTANCES, block_bootstrap, dogss_score, nearest_reference, x_max_of_null
from tailgate.validate.emd import directions
from tailgate.validate.features import point_features
from tailgate.validate.js import MAX_JS, js_projected
from tailgate.validate.scorecard import Null, Row, Scorecard

Backbone = Callable[[Crop], np.ndarray]
"""Features of each point of a crop: [n, D]."""

MIN_REFERENCE, MIN_GROUPS, MIN_SYNTHETIC = 20, 2, 5
"""Fewest reference crops and groups a stratum is judged against, and fewest synthetic crops that are judged."""
MAX_CROPS = 48
"""Most crops a side brings into a stratum: a seeded choice where there are more."""
DRAWS = 200
POWER = 0.95
SLICES = 16


class _Stratum:
    """Real crops of one class and range bin, with what the nulls need."""

    def __init__(self, crops: Sequence[Crop], seed: int, backbone: Backbone):
        self.crops = _chosen(crops, seed)
        self.groups = [c.group for c in self.crops]
        self.seed, self.backbone = seed, backbone
        self.enough = len(self.crops) >= MIN_REFERENCE and len(set(self.groups)) >= MIN_GROUPS
        if not self.enough:
            return
        self.clouds = np.stack([c.resampled for c in self.crops])
        others = np.array([[a != b for b in self.groups] for a in self.groups])
        self.nearest = nearest_reference(self.clouds, self.clouds, others)
        self.features = [self.project(c) for c in self.crops]
        self.controls = {name: [make(c) for c in self.crops] for name, make in CROP_CONTROLS.items()}
        self.control_nearest = {
            name: nearest_reference(np.stack([c.resampled for c in wrong]), self.clouds, others, exact=False) for name, wrong in self.controls.items()
        }
        self.control_features = {name: [self.project(c) for c in wrong] for name, wrong in self.controls.items()}
        self._nulls: dict[int, _Nulls] = {}

    def project(self, crop: Crop) -> np.ndarray:
        """Norm of each point's features, then their projections onto SLICES fixed directions: [n, 1 + SLICES]."""
        features = self.backbone(crop)
        unit = directions(SLICES, features.shape[1], np.random.Generator(np.random.Philox(key=kernel_seed("js_sliced", features.shape[1]))))
        return np.concatenate([np.linalg.norm(features, axis=1, keepdims=True), features @ unit.T], axis=1)

    def nulls(self, size: int) -> _Nulls:
        """Nulls for batches of ``size`` crops."""
        if size not in self._nulls:
            self._nulls[size] = self._measure_nulls(size)
        return self._nulls[size]

    def _measure_nulls(self, size: int) -> _Nulls:
        generator = rng(self.seed, "", 0, 0, 0, "validate.class_gate", size)
        batches = block_bootstrap(self.groups, size, DRAWS, generator)
        x = {name: self.nearest[name][batches].mean(axis=1) for name in DISTANCES}
        x_max = {name: max(x_max_of_null(x[name]), 1e-9) for name in DISTANCES}
        controls = np.array([[_score(found, b, x_max) for b in batches] for found in self.control_nearest.values()])
        return _Nulls(x, x_max, controls, *self._js_null(size, generator))

    def _js_null(self, size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """norm and sliced JS of real crops of a random half of the groups against the other half [draws, 2], and of the controls [C, draws, 2]."""
        names = np.array(sorted(set(self.groups)))
        of = np.array(self.groups)
        real, wrong = np.empty((DRAWS, 2)), np.empty((len(self.control_features), DRAWS, 2))
        for d in range(DRAWS):
            half = generator.permutation(names)[: len(names) // 2]
            inside = np.flatnonzero(np.isin(of, half))
            picked = generator.choice(inside, min(size, len(inside)), replace=False)
            others = np.concatenate([self.features[i] for i in np.flatnonzero(~np.isin(of, half))])
            real[d] = _js_pair(others, [self.features[i] for i in picked])
            for k, features in enumerate(self.control_features.values()):
                wrong[k, d] = _js_pair(others, [features[i] for i in picked])
        return real, wrong


@dataclass(frozen=True)
class _Nulls:
    """Real against real at one size.

    Attributes:
        x: distance -> mean nearest distance per draw [m].
        x_max: distance -> its scale [m].
        controls: dogss score per negative control and draw [C, draws].
        js: norm and sliced JS per draw [draws, 2]; ``js_controls``: per negative control [C, draws, 2].
    """

    x: dict[str, np.ndarray]
    x_max: dict[str, float]
    controls: np.ndarray
    js: np.ndarray
    js_controls: np.ndarray


def _score(found: dict[str, np.ndarray], batch: np.ndarray, x_max: dict[str, float]) -> float:
    return dogss_score({name: float(found[name][batch].mean()) for name in DISTANCES}, x_max).score


def _js_pair(reference: np.ndarray, crops: Sequence[np.ndarray]) -> tuple[float, float]:
    """norm-JS and the largest sliced JS; the maximum where a side has no features."""
    ours = np.concatenate(crops) if crops else np.zeros((0, 1 + SLICES))
    if not len(ours) or not len(reference):
        return MAX_JS, MAX_JS
    values = js_projected(reference, ours)
    return float(values[0]), float(values[1:].max())


def _chosen(crops: Sequence[Crop], seed: int) -> list[Crop]:
    if len(crops) <= MAX_CROPS:
        return list(crops)
    picked = rng(seed, "", 0, 0, 0, "validate.crop_choice").choice(len(crops), MAX_CROPS, replace=False)
    return [crops[i] for i in np.sort(picked)]


class ClassGate:
    """Judges a class over its accumulated candidates, range bin by range bin.

    ``dogss`` needs ``cfg.dogss_min``. ``js_norm`` and ``js_sliced`` (the largest over 16 fixed directions) have a null at the size in use: real crops
    of half the groups against the other half, as many as the synthetic side has. Their limit is ``cfg.js_max`` where that lies above the null's q95
    and still rejects the negative controls, else the null's q95. Each metric gates only if it rejects at least 95 % of negative controls (a blob, a
    hollow box). A range bin is judged with ≥ 20 reference crops of ≥ 2 groups and ≥ 5 synthetic ones.

    Args:
        reference: real crops; ``Crop.group`` is the track or the recording.
        cfg: the budget's gate.
        seed: of choices and bootstraps.
        backbone: features per point; built-in local geometry by default.
    """

    def __init__(self, reference: Sequence[Crop], cfg: Gate, seed: int = 0, backbone: Backbone = point_features):
        self.cfg, self.seed, self.backbone = cfg, seed, backbone
        self._reference: dict[tuple[str, str, int], list[Crop]] = {}
        for crop in reference:
            self._reference.setdefault((crop.class_name, crop.modality, crop.range_bin), []).append(crop)
        self._strata: dict[tuple[str, str, int], _Stratum] = {}

    def judge(self, class_name: str, crops: Sequence[Crop]) -> Scorecard:
        """Rows per range bin, and the verdict: ``provisional`` below ``n_min`` crops, ``quarantined`` when a gating row fails, ``accepted`` when at
        least one passes and none fails, else ``unjudged``. A class without any synthetic crop scores the maximal JS and fails.
        """
        ours = [c for c in crops if c.class_name == class_name]
        card = Scorecard()
        if not ours:
            return self._absent(class_name)
        for modality in sorted({c.modality for c in ours}):
            for k in sorted({c.range_bin for c in ours if c.modality == modality}):
                card.extend(self._rows((class_name, modality, k), [c for c in ours if c.modality == modality and c.range_bin == k]))
        if len(ours) < self.cfg.n_min:
            card.verdict = "provisional"
        elif card.failed():
            card.verdict = "quarantined"
        else:
            card.verdict = "accepted" if any(r.gates for r in card.rows) else "unjudged"
        return card

    def nearest(self, crops: Sequence[Crop]) -> np.ndarray:
        """Per-object row: chamfer [m] to the nearest reference crop of the same class, sensor kind and range bin; NaN where there is none."""
        out = np.full(len(crops), np.nan)
        for key in sorted({(c.class_name, c.modality, c.range_bin) for c in crops} & set(self._reference)):
            rows = [i for i, c in enumerate(crops) if (c.class_name, c.modality, c.range_bin) == key]
            reference = np.stack([c.resampled for c in _chosen(self._reference[key], self.seed)])
            out[rows] = chamfer_matrix(np.stack([crops[i].resampled for i in rows]), reference).min(axis=1)
        return out

    def _stratum(self, key: tuple[str, str, int]) -> _Stratum:
        if key not in self._strata:
            self._strata[key] = _Stratum(self._reference.get(key, []), kernel_seed(self.seed, *key), self.backbone)
        return self._strata[key]

    def _absent(self, class_name: str) -> Scorecard:
        if not any(key[0] == class_name for key in self._reference):
            note = "neither real nor synthetic crops of this class"
            return Scorecard([Row("js_norm", None, "nats", class_name=class_name, note=note)], "unjudged")
        note = "the class is absent on the synthetic side"
        row = Row("js_norm", MAX_JS, "nats", class_name=class_name, limit=self.cfg.js_max, gates=True, verdict="failed", note=note)
        return Scorecard([row], "quarantined")

    def _rows(self, key: tuple[str, str, int], crops: Sequence[Crop]) -> list[Row]:
        reference = self._stratum(key)
        base = dict(modality=key[1], class_name=key[0], stratum=range_bin_name(key[2]), n=len(crops))
        groups, enough = len(set(reference.groups)), f"{MIN_REFERENCE} crops of {MIN_GROUPS} groups"
        if not reference.enough:
            note = f"the reference holds {len(reference.crops)} crops of {groups} groups; {enough} are needed"
        elif len(crops) < MIN_SYNTHETIC:
            note = f"only {len(crops)} synthetic crops; {MIN_SYNTHETIC} are needed"
        elif {c.axes for c in crops} != {c.axes for c in reference.crops}:
            note = "real and synthetic crops have different axes (one side has no boxes)"
        else:
            crops = _chosen(crops, self.seed)
            nulls = reference.nulls(len(crops))
            return [*self._dogss_rows(base, reference, crops, nulls), *self._js_rows(base, reference, crops, nulls)]
        return [Row("dogss", None, **base, note=note), Row("js_norm", None, unit="nats", **base, note=note)]

    def _dogss_rows(self, base: dict, reference: _Stratum, crops: Sequence[Crop], nulls: _Nulls) -> list[Row]:
        found = nearest_reference(np.stack([c.resampled for c in crops]), reference.clouds)
        x = {name: float(found[name].mean()) for name in DISTANCES}
        result = dogss_score(x, nulls.x_max)
        scores = [dogss_score({n: nulls.x[n][d] for n in DISTANCES}, nulls.x_max).score for d in range(DRAWS)]
        null = Null(float(np.median(scores)), float(np.quantile(scores, 0.05)), DRAWS)
        row = dict(metric="dogss", value=result.score, limit=self.cfg.dogss_min, null=null, **base)
        note = f"decided by {result.decided_by}; higher is better, so the null's q95 is the score that 95 % of real batches reach"
        power = float(np.mean(nulls.controls < self.cfg.dogss_min, axis=1).min())
        if power < POWER:
            rows = [Row(**row, verdict="no power", note=f"rejects only {power:.0%} of its weakest negative control; {note}")]
        else:
            rows = [Row(**row, gates=True, verdict="failed" if result.score < self.cfg.dogss_min else "ok", note=note)]
        for name in DISTANCES:
            limit = nulls.x_max[name] * (1 - self.cfg.dogss_min)
            verdict = "failed" if x[name] > limit else "ok"
            rows.append(Row(f"dogss_{name}", x[name], "m", limit=limit, null=Null.of(nulls.x[name]), verdict=verdict, **base))
        return rows

    def _js_rows(self, base: dict, reference: _Stratum, crops: Sequence[Crop], nulls: _Nulls) -> list[Row]:
        values = _js_pair(np.concatenate(reference.features), [reference.project(c) for c in crops])
        rows = []
        for k, metric in enumerate(("js_norm", "js_sliced")):
            null = Null.of(nulls.js[:, k])
            rejected = {limit: float(np.mean(nulls.js_controls[..., k] > limit, axis=1).min()) for limit in (self.cfg.js_max, null.q95)}
            limit = self.cfg.js_max if self.cfg.js_max >= null.q95 and rejected[self.cfg.js_max] >= POWER else null.q95
            row = dict(metric=metric, value=values[k], unit="nats", limit=limit, null=null, **base)
            if rejected[limit] < POWER:
                note = f"rejects only {rejected[limit]:.0%} of its weakest negative control"
                rows.append(Row(**row, verdict="no power", note=note))
            else:
                note = "limit of the budget" if limit == self.cfg.js_max else "limit is the null's q95"
                rows.append(Row(**row, gates=True, verdict="failed" if values[k] > limit else "ok", note=note))
        return rows
