"""The class gate: the accumulated object crops of a class against real crops of the same class and range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tailgate.config.budget import Gate
from tailgate.rng import kernel_seed
from tailgate.validate.backbones import Backbone, open_backbone
from tailgate.validate.chamfer import chamfer_matrix
from tailgate.validate.class_limits import Limits, class_limits, power_words
from tailgate.validate.class_sets import set_rows
from tailgate.validate.crops import Crop, range_bin_name
from tailgate.validate.dogss import DISTANCES
from tailgate.validate.js import MAX_JS
from tailgate.validate.scorecard import Null, Row, Scorecard
from tailgate.validate.stratum import DRAWS, PARTS, Material, Stratum, chosen, shortage

MIN_SYNTHETIC = 5
"""Fewest synthetic crops that are judged."""
Key = tuple[str, str, int]
"""Class, modality, range bin."""


class ClassGate:
    """Judges a class over its accumulated candidates, range bin by range bin.

    ``dogss`` compares shapes, ``js_norm`` and ``js_sliced`` (the largest over 16 fixed directions) the features of points; all three have a null at
    the size in use (``stratum``) and one joint limit (``class_limits``). A metric gates only where it rejects at least 95 % of batches of blobs and
    95 % of batches of hollow boxes; what it tells beyond that is said in its note. Wrong classes, shifted boxes, noise and density are not
    required: a metric that knows an object from a blob deserves a vote before it can tell every subtler fault.

    A class with too few real crops in a range bin, for which ``cfg.support`` names one that has enough, is judged against that one by its point
    features alone: the shapes of two classes differ by nature, so dogss stays unjudged. Even local geometry differs between classes; how much it
    may is taken from the other real classes: batches of those against the support class are the null. Without enough of them nothing gates.

    Args:
        reference: real crops; ``Crop.group`` is the track or the recording.
        cfg: the budget's gate.
        seed: of choices and draws.
        backbone: features of points; by default what ``cfg.backbone`` names.
    """

    def __init__(self, reference: Sequence[Crop], cfg: Gate, seed: int = 0, backbone: Backbone | None = None):
        self.cfg, self.seed, self.backbone = cfg, seed, backbone or open_backbone(cfg.backbone)
        self._reference: dict[Key, list[Crop]] = {}
        for crop in reference:
            self._reference.setdefault((crop.class_name, crop.modality, crop.range_bin), []).append(crop)
        self._strata: dict[tuple[str, str, int, bool], Stratum] = {}

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
            reference = np.stack([c.resampled for c in chosen(self._reference[key], self.seed)])
            out[rows] = chamfer_matrix(np.stack([crops[i].resampled for i in rows]), reference).min(axis=1)
        return out

    def limits(self, key: Key, size: int) -> Limits | None:
        """Limits and power for batches of ``size`` crops of (class, modality, range bin); None where the reference is too small."""
        material, _ = self._material(key)
        if shortage(material):
            return None
        stratum = self._stratum(key, material)
        return class_limits(stratum.draws(size), stratum.groups, self.cfg)

    def _material(self, key: Key) -> tuple[Material, str]:
        """Real crops a class is judged by, and the name of its support class where that one stands in, else ""."""
        own = self._reference.get(key, [])
        axes = own[0].axes if own else ""
        others = self._others(key, axes, {key[0]})
        support = self.cfg.support.get(key[0], "")
        standing = self._reference.get((support, *key[1:]), [])
        if shortage(Material(own)) and standing and not shortage(Material(standing)):
            return Material(standing, self._others(key, standing[0].axes, {support}), support=True), support
        return Material(own, others), ""

    def _others(self, key: Key, axes: str, besides: set[str]) -> list[Crop]:
        found = [crops for k, crops in sorted(self._reference.items()) if k[1:] == key[1:] and k[0] not in besides]
        return [c for crops in found for c in crops if c.axes == axes]

    def _stratum(self, key: Key, material: Material) -> Stratum:
        held = (*key, material.reference[0].intensity is not None)
        if held not in self._strata:
            self._strata[held] = Stratum(material, self.backbone, kernel_seed(self.seed, *key))
        return self._strata[held]

    def _absent(self, class_name: str) -> Scorecard:
        if not any(key[0] == class_name for key in self._reference):
            note = "neither real nor synthetic crops of this class"
            return Scorecard([Row("js_norm", None, "nats", class_name=class_name, note=note)], "unjudged")
        note = "the class is absent on the synthetic side"
        row = Row("js_norm", MAX_JS, "nats", class_name=class_name, limit=self.cfg.js_max, gates=True, verdict="failed", note=note)
        return Scorecard([row], "quarantined")

    def _rows(self, key: Key, crops: Sequence[Crop]) -> list[Row]:
        material, support = self._material(key)
        stratum = f"{range_bin_name(key[2])} against {support}" if support else range_bin_name(key[2])
        base = dict(modality=key[1], class_name=key[0], stratum=stratum, n=len(crops))
        note = shortage(material)
        if not note and len(crops) < MIN_SYNTHETIC:
            note = f"only {len(crops)} synthetic crops; {MIN_SYNTHETIC} are needed"
        elif not note and {c.axes for c in crops} != {c.axes for c in material.reference}:
            note = "real and synthetic crops have different axes (one side has no boxes)"
        says = f"judged against {support} (support); " if support else ""
        if note:
            return [Row("dogss", None, **base, note=says + note), Row("js_norm", None, unit="nats", **base, note=says + note)]
        if any(c.intensity is None for c in (*crops, *material.reference, *material.others)):
            material, crops = Material(_unlit(material.reference), _unlit(material.others), material.support), _unlit(crops)
        reference, crops = self._stratum(key, material), chosen(crops, self.seed)
        limits = class_limits(reference.draws(len(crops)), reference.groups, self.cfg)
        judged = _Judged(reference.parts(crops), reference.draws(len(crops)).real, limits, {**base, "n": len(crops)}, says)
        shown = [] if support else set_rows(material.reference, crops, self.backbone, judged.base, self.seed)
        return [*judged.dogss(self.cfg.dogss_min), judged.js("js_norm"), judged.js("js_sliced"), *judged.joint(), *shown]


def _unlit(crops: Sequence[Crop]) -> list[Crop]:
    """The crops without intensity, for sides of which one has none."""
    return [replace(c, intensity=None) for c in crops]


class _Judged:
    """Rows of one batch of crops from its parts [4], those of real batches [DRAWS, 4] and the limits."""

    def __init__(self, parts: np.ndarray, real: np.ndarray, limits: Limits, base: dict, says: str):
        self.parts, self.real, self.limits, self.base, self.says = parts, real, limits, base, says

    def dogss(self, dogss_min: float) -> list[Row]:
        """The score and its two distances."""
        if not np.isfinite(self.parts[: len(DISTANCES)]).all():
            return [Row("dogss", None, **self.base, note=f"{self.says}shapes of different classes are not compared")]
        scores = [self.limits.score(row) for row in self.real]
        null = Null(float(np.median(scores)), float(np.quantile(scores, 0.05)), DRAWS)
        note = "higher is better, so the null's q95 is the score that 95 % of real batches reach alone"
        rows = [self._row("dogss", self.limits.score(self.parts), "1", dogss_min, null, note)]
        for k, name in enumerate(DISTANCES):
            limit = float(self.limits.limit[k])
            verdict = "failed" if self.parts[k] > limit else "ok"
            rows.append(Row(f"dogss_{name}", float(self.parts[k]), "m", limit=limit, null=Null.of(self.real[:, k]), verdict=verdict, **self.base))
        return rows

    def js(self, metric: str) -> Row:
        """One divergence."""
        k = PARTS.index(metric)
        note = "limit of the budget (js_max)" if metric in self.limits.budget else "joint limit"
        return self._row(metric, float(self.parts[k]), "nats", float(self.limits.limit[k]), Null.of(self.real[:, k]), note)

    def joint(self) -> list[Row]:
        """The largest standardized value over the gating metrics, with what the gate as a whole can tell."""
        if not self.limits.gating:
            return []
        found = {m: float(self.limits.standardized(self.parts, m)) for m in self.limits.gating}
        worst = max(found, key=found.__getitem__)
        told = f"the gate {power_words(self.limits.gate_power)} at n = {self.base['n']}"
        note = f"{self.says}{told}; largest standardized metric over {', '.join(found)}: {worst}"
        return [Row("joint", found[worst], "1", limit=self.limits.joint, verdict="ok", note=note, **self.base)]

    def _row(self, metric: str, value: float, unit: str, limit: float, null: Null, note: str) -> Row:
        told = f"{power_words(self.limits.power[metric])} at n = {self.base['n']}"
        row = dict(metric=metric, value=value, unit=unit, limit=limit, null=null, **self.base, note=f"{self.says}{told}; {note}")
        if metric not in self.limits.gating:
            return Row(**row, verdict="no power")
        return Row(**row, gates=True, verdict="failed" if self.limits.fails(self.parts, metric) else "ok")
