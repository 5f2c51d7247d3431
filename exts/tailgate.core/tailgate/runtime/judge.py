"""Verdicts: batches and rounds against the reference, classes over everything accepted, and what feedback makes of it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tailgate.config.setting import Setting
from tailgate.feedback.change import Change
from tailgate.feedback.estimate import apply_estimates
from tailgate.feedback.regress import Evidence as RegressionEvidence
from tailgate.feedback.regress import find_effects, step
from tailgate.frames import FrameId, clip_of
from tailgate.ledger.ledger import Ledger
from tailgate.runtime.fit import fit_sensors
from tailgate.runtime.gate_file import calibrated_gate
from tailgate.runtime.measured import Tick
from tailgate.runtime.reference import PARTS, ReferenceData
from tailgate.runtime.spec import RunSpec
from tailgate.validate.class_gate import ClassGate
from tailgate.validate.deviation import frame_deviation
from tailgate.validate.evidence import STATISTICS, Evidence
from tailgate.validate.gate import BatchGate
from tailgate.validate.ratio import distance_ratio
from tailgate.validate.scorecard import Row, Scorecard
from tailgate.validate.sketch import Sketch, common_mix, compare, summarize


@dataclass
class BatchVerdict:
    """The scorecard of a batch and the rows its frames and objects get in the ledger."""

    card: Scorecard
    scores: dict[str, dict[str, float]]
    object_scores: dict[tuple[str, int], dict[str, float]]

    @property
    def verdict(self) -> str:
        """accepted or rejected."""
        return self.card.verdict

    @property
    def codes(self) -> list[str]:
        """Reason codes."""
        return self.card.codes()

    @property
    def rows(self) -> list[Row]:
        """Scorecard rows."""
        return self.card.rows

    def frame_rows(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        """Ledger rows of a clip's frames; an off-target clip leaves one row without files."""
        sample = result["sample"]
        if result["codes"]:
            address = FrameId(**sample["id"])
            row = {"id": str(address), "clip_index": result["index"], "attempt": address.attempt, "tick": 0, "verdict": "off_target"}
            return [{**row, "codes": result["codes"], "digest": "", "scores": {}, "sample": sample, "path": "", "counted": 0}]
        rows = []
        for frame in result["frames"]:
            verdict = "failed" if frame["codes"] else "ok"
            row = {"id": frame["id"], "clip_index": result["index"], "attempt": frame["attempt"], "tick": frame["tick"], "verdict": verdict}
            counted = sum(o["counted"] for o in frame["objects"])
            more = {"scores": self.scores.get(frame["id"], {}), "sample": sample, "path": f"frames/{frame['id']}", "counted": counted}
            rows.append({**row, "codes": frame["codes"], "digest": frame["digest"], **more})
        return rows

    def object_rows(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        """Ledger rows of a clip's objects."""
        found = self.object_scores
        return [{"frame": f["id"], **o, "scores": found.get((f["id"], o["instance"]), {})} for f in result["frames"] for o in f["objects"]]


class Judge:
    """Holds the gates of a run, calibrated on the feedback part alone."""

    def __init__(self, spec: RunSpec, reference: ReferenceData):
        self.spec, self.reference = spec, reference
        self._feedback_total = reference.total("feedback")
        blocks = reference.blocks("feedback")
        measured = any(blocks.values())
        self._gate = BatchGate(blocks, STATISTICS, spec.budget.gate, calibrated=calibrated_gate(spec)) if measured else None
        self._class_gate = ClassGate(reference.crops("feedback"), spec.budget.gate, backbone=spec.backbone()) if measured else None

    def evidence(self, frame: str) -> Evidence:
        """Evidence of a frame of this run."""
        return Evidence.load(self.spec.out / "evidence" / f"{frame}.npz")

    def batch(self, results: list[dict[str, Any]]) -> BatchVerdict:
        """Judge the sound frames of a batch together, those in weather that the reference shows; without a reference everything is accepted,
        unmeasured."""
        frames = [f["id"] for r in results for f in r["frames"] if not f["codes"]]
        if self._gate is None or not frames:
            row = Row("reference", None, note="unmeasured: no reference" if self._gate is None else "no frame to judge")
            return BatchVerdict(Scorecard([row], "accepted"), {}, {})
        found = {name: self.evidence(name) for name in frames}
        evidence = {name: e for name, e in found.items() if self.reference.shows(e.weather)}
        totals = {name: e.total for name, e in evidence.items()}
        scores = {name: frame_deviation(total, self._feedback_total, STATISTICS) for name, total in totals.items()}
        crops = [c for e in evidence.values() for c in e.crops]
        nearest = self._class_gate.nearest(crops) if crops else []
        objects = {(c.frame, c.instance): {"chamfer": float(d)} for c, d in zip(crops, nearest, strict=True) if math.isfinite(d)}
        card = self._gate.judge(Sketch.total(totals.values()))
        if aside := sorted({e.weather for e in found.values() if not self.reference.shows(e.weather)}):
            note = f"{len(found) - len(evidence)} of {len(found)} frames unjudged: the reference shows no {' and no '.join(aside)}"
            card.rows.append(Row("reference", None, note=note))
        return BatchVerdict(card, scores, objects)

    def round(self, frames: list[dict[str, Any]]) -> dict[str, Any]:
        """W1 per statistic and the distance ratio of a round's frames against both parts of the reference."""
        found = {f["id"]: self.evidence(f["id"]) for f in frames if f["verdict"] == "ok"}
        evidence = {name: e for name, e in found.items() if self.reference.shows(e.weather)}
        synthetic = [b for e in evidence.values() for b in e.blocks]
        clips = [clip_of(name) for name, e in evidence.items() for _ in e.blocks]
        if self._gate is None or not synthetic:
            return {}
        total = Sketch.total(synthetic)
        held = [self.reference.total(p) for p in PARTS if self.reference.blocks(p)]
        mix = common_mix(held, STATISTICS)
        card: dict[str, Any] = {"summary": {"distance_ratio": {}}, "ratio_error": {}}
        for part in PARTS:
            groups = self.reference.blocks(part)
            if groups:
                distances = compare(self.reference.total(part), total, STATISTICS)
                card["summary"][part] = summarize(distances, mix)
                card[part] = [vars(d) for d in distances]
                ratio = distance_ratio(groups, synthetic, STATISTICS, clips)
                card["summary"]["distance_ratio"][part] = ratio.value
                card["ratio_error"][part] = ratio.error
        if len(held) == len(PARTS):
            between = summarize(compare(*held, STATISTICS), mix)
            card["real_vs_real"] = {name: {"between_parts": value} for name, value in between.items()}
        return card

    def feedback(
        self, number: int, settings: dict[str, Setting], frames: list[dict[str, Any]], tick: Tick = lambda words, done, total: None
    ) -> tuple[dict[str, Setting], list[Change]]:
        """Step 1, estimation, after the first round, and after each whose batches were refused, pooled with what was estimated before from other
        scenes; step 2, regression, from ``min_frames`` clips on. ``tick`` hears how far estimation is."""
        cfg, changes = self.spec.budget.feedback, []
        sound = [f for f in frames if f["verdict"] == "ok"]
        if self._gate is None or not sound:
            return settings, []
        if cfg.estimate and (number == 0 or any(f["state"] == "rejected" for f in sound)):
            estimates = fit_sensors(self.spec, self.reference, settings, sound, tick)
            settings, changes = apply_estimates(settings, estimates, pooled=number > 0)
        judged = [f for f in sound if json.loads(f["scores"])]
        if cfg.regress and number > 0 and len({clip_of(f["id"]) for f in judged}) >= cfg.min_frames:
            evidence = _by_clip(judged)
            free = {a: s for a, s in settings.items() if s.role == "nuisance"}
            moved, steps = step(free, find_effects(evidence, free, cfg.alpha), cfg)
            settings, changes = {**settings, **moved}, [*changes, *steps]
        return settings, changes

    def classes(self, ledger: Ledger) -> dict[str, dict[str, Any]]:
        """The class gate over the crops of all accepted frames: verdict and rows per output class; provisional where nothing was accepted at all."""
        found = [self.evidence(row["id"]) for row in ledger.rows("select id from accepted order by id")]
        crops = [crop for e in found if self.reference.shows(e.weather) for crop in e.crops]
        out = {}
        for name in sorted({c.class_ for c in self.spec.budget.cells}):
            if self._class_gate is None or not crops:
                out[name] = {"verdict": "unjudged" if self._class_gate is None else "provisional", "rows": []}
                continue
            card = self._class_gate.judge(name, [c for c in crops if c.class_name == name])
            out[name] = {"verdict": card.verdict, "rows": card.to_json()}
        return out


def _by_clip(frames: list[dict[str, Any]]) -> RegressionEvidence:
    """What was drawn for each clip and how far its frames deviate on average: frames of a clip share their draws and tell of them once."""
    clips: dict[str, list[dict[str, Any]]] = {}
    for frame in frames:
        clips.setdefault(clip_of(frame["id"]), []).append(frame)
    draws, deviations = [], []
    for held in clips.values():
        draws.append({k: v for k, v in json.loads(held[0]["sample"])["draws"].items() if isinstance(v, (int, float))})
        scores = [json.loads(frame["scores"]) for frame in held]
        deviations.append({name: fmean(own[name] for own in scores if name in own) for name in dict.fromkeys(n for own in scores for n in own)})
    return RegressionEvidence(draws, deviations)
