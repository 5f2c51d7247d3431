"""``score``: a synthetic set judged against real data, each read by the reader of its own layout, with no run in between."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tailgate import __version__
from tailgate.assets import cache_folder
from tailgate.config.budget import Gate
from tailgate.config.gate import GateFile
from tailgate.errors import UserError
from tailgate.frames import Frame
from tailgate.reference.compatible import Side, check_compatible
from tailgate.reference.labelmap import load_label_map
from tailgate.reference.reader import Entry, Reader
from tailgate.report.score_record import ACCEPTED, INTEGRITY, REJECTED, UNJUDGED, ClassCount, Histogram, ScoreRecord, SetInfo
from tailgate.runtime.gate_file import read_gate
from tailgate.runtime.measured import (
    GEOMETRIC,
    MeasuredSet,
    Measuring,
    Source,
    Tick,
    content_key,
    fingerprint,
    measure_set,
    opened_backbone,
)
from tailgate.validate.backbones import file_of, locate
from tailgate.validate.class_gate import ClassGate
from tailgate.validate.crops import range_bin_name
from tailgate.validate.evidence import CUTS, STATISTICS, Cut
from tailgate.validate.gate import MIN_PLACES, BatchGate, places_by_modality
from tailgate.validate.integrity import set_rows
from tailgate.validate.ratio import distance_ratio
from tailgate.validate.scorecard import Row, Scorecard
from tailgate.validate.sketch import Sketch

PICTURES = 3
"""Frames of each side that the page shows."""
FORMAT_CODES = ("unknown_instance",)
"""Integrity codes that are shown and decide nothing: formats list the objects of one sensor only, though another one sees more."""


@dataclass(frozen=True)
class ScoreRequest:
    """What to compare, and how.

    Attributes:
        synthetic, reference: folders.
        kind, reference_kind: their layouts; guessed from what lies in the folders where not given.
        options, reference_options: of their readers.
        labels: label map (YAML): classes of the synthetic set in the words of the reference.
        gate: ``gate.yaml`` of this reference; without it the gate calibrates itself on the reference.
        support: class -> real class that stands in for it where the reference has too little of it.
        backbone: feature extractor of the class gate: a registered name, a model file or ``timm:<model>``.
        workers: processes at most.
        tick: hears how many frames are measured.
    """

    synthetic: Path
    reference: Path
    kind: str | None = None
    reference_kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reference_options: Mapping[str, Any] = field(default_factory=dict)
    labels: Path | None = None
    gate: Path | None = None
    support: Mapping[str, str] = field(default_factory=dict)
    backbone: str = GEOMETRIC
    workers: int = 1
    tick: Tick = lambda words, done, total: None


def score(request: ScoreRequest) -> ScoreRecord:
    """Judge every frame of a synthetic folder together against all frames of a real one.

    Raises:
        UserError: a folder or file that does not read, sets that cannot be compared, a gate of another reference, or a reference too small for any
            limit.
    """
    calibrated = read_gate(Path(request.gate), fingerprint(_reference(request))) if request.gate else None
    synthetic, real = measure_sides(request)
    cfg = Gate(unjudged="accept", support=dict(request.support), backbone=_backbone(request))
    return judge_sets(synthetic, real, Gates(cfg, calibrated))


def _backbone(request: ScoreRequest) -> str:
    """The backbone with its file as an absolute path; UserError where it does not open."""
    spec = locate(request.backbone, (Path.cwd(), Path("/")))
    opened_backbone(spec)
    return spec


def measure_sides(request: ScoreRequest) -> tuple[MeasuredSet, MeasuredSet]:
    """Measure the synthetic and the real side, once a few frames of each show that they can be compared; UserError as for ``score``."""
    labels = load_label_map(request.labels) if request.labels else None
    ours, theirs = Source.find(request.synthetic, request.kind, request.options, labels), _reference(request)
    opened = {side: side.open() for side in (ours, theirs)}
    looked_at = [Side.of(side.root, Reading(side, opened[side][0]), opened[side][1]) for side in (theirs, ours)]
    notes = check_compatible(*looked_at)
    backbone = _backbone(request)
    real = measure_reference(theirs, opened[theirs], backbone, request.workers, request.tick)
    with TemporaryDirectory(prefix="tailgate-score-") as folder:
        cut = CUTS.get(theirs.kind, Cut())
        synthetic = measure_set(Measuring(ours, cut, Path(folder), backbone), opened[ours], request.workers, request.tick)
    synthetic.notes += [*notes, *_same_frames(synthetic, real)]
    return synthetic, real


def measure_reference(source: Source, opened: tuple[Reader, list[Entry]], backbone: str, workers: int, tick: Tick) -> MeasuredSet:
    """Measure real data, or read back what was measured before; UserError where they are too few to set any limit."""
    real = measure_set(Measuring(source, Cut(), _cache(source, backbone), backbone), opened, workers, tick)
    held = max((len(p) for p in places_by_modality(real.blocks, STATISTICS).values()), default=0)
    if held < MIN_PLACES:
        raise UserError(f"holds too little real data to set any limit: {held} places, {MIN_PLACES} are needed", source.root)
    return real


def _same_frames(synthetic: MeasuredSet, real: MeasuredSet) -> list[str]:
    """Frames that measure exactly alike on both sides are the same frames: data compared with themselves say nothing."""

    def prints(measured: MeasuredSet) -> list[str]:
        return [hashlib.sha256(b"".join(counts.tobytes() for _, counts in sorted(e.total.counts.items()))).hexdigest() for e in measured.evidence]

    held, ours = set(prints(real)), prints(synthetic)
    same = sum(p in held for p in ours)
    words = f"{same} of {len(ours)} synthetic frames are frames of the reference: data compared with themselves are always accepted."
    return [words] if same else []


@dataclass(frozen=True)
class Reading:
    """A reader whose every failure names folder and frame."""

    source: Source
    reader: Reader

    def read(self, name: str) -> Frame:
        return self.source.read(self.reader, name)


@dataclass(frozen=True)
class Gates:
    """Settings of the gates, and limits calibrated before, if any."""

    cfg: Gate
    calibrated: GateFile | None


def _reference(request: ScoreRequest) -> Source:
    return Source.find(request.reference, request.reference_kind, request.reference_options)


def _cache(source: Source, backbone: str) -> Path:
    """Folder that keeps the evidence of a reference from one call to the next: another byte in its files is another folder."""
    model = file_of(backbone)
    folder = cache_folder() / "evidence" / content_key(source, backbone, hashlib.sha256(model.read_bytes()).hexdigest() if model else "")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def judge_sets(synthetic: MeasuredSet, real: MeasuredSet, gates: Gates) -> ScoreRecord:
    """Judge a measured set against a measured reference."""
    cfg = gates.cfg
    total = Sketch.total(e.total for e in synthetic.evidence)
    batch = BatchGate(real.blocks, STATISTICS, cfg, calibrated=gates.calibrated).judge(total)
    rows = [*_integrity(synthetic, real), *_with_counts(batch.rows, Sketch.total(e.total for e in real.evidence))]
    cards, counts = _class_cards(synthetic, real, cfg), _class_counts(synthetic, real, cfg)
    rows += [row for card in cards.values() for row in card.rows]
    classes = {name: card.verdict for name, card in cards.items()}
    blocks = [(b, f"{i}") for i, e in enumerate(synthetic.evidence) for b in e.blocks]
    return ScoreRecord(
        synthetic=set_info(synthetic),
        reference=set_info(real),
        verdict=_verdict(rows, classes),
        rows=rows,
        classes=classes,
        counts=counts,
        ratio=distance_ratio(real.blocks, [b for b, _ in blocks], STATISTICS, [frame for _, frame in blocks]),
        histograms=_histograms(rows, total, real.blocks),
        gate="calibrated by `tailgate calibrate gate` for this reference" if gates.calibrated else "computed from this reference by the gate itself",
        version=__version__,
        sample=lambda: (_pictures(synthetic), _pictures(real)),
    )


def _verdict(rows: list[Row], classes: Mapping[str, str]) -> str:
    """Rejected where a gating row failed, accepted where one passed and none failed, else unjudged. A provisional class decides nothing, and sound
    frames alone are no likeness."""
    deciding = [r for r in rows if r.gates and r.metric != "joint" and classes.get(r.class_name) != "provisional"]
    if any(r.verdict == "failed" for r in deciding):
        return REJECTED
    return ACCEPTED if any(r.modality != INTEGRITY for r in deciding) else UNJUDGED


def _integrity(synthetic: MeasuredSet, real: MeasuredSet) -> list[Row]:
    """One row per code that frames carry (none may), and near-duplicates; frames of one group repeat each other by nature and are not counted."""
    evidence = synthetic.evidence
    broken = Counter(code for e in evidence for code in e.codes)
    base = dict(unit="share", modality=INTEGRITY, n=len(evidence), limit=0.0, verdict="failed")
    rows = [
        Row(code, count / len(evidence), **base, gates=code not in FORMAT_CODES, note=f"{count} of {len(evidence)} frames")
        for code, count in sorted(broken.items())
    ]
    ours = {f"{group}/{i}": e for group, found in synthetic.groups.items() for i, e in enumerate(found)}
    clips = [name.rsplit("/", 1)[0] for name in ours]
    theirs = {group: found[0] for group, found in real.groups.items() if found}
    return [*rows, *(replace(row, modality=INTEGRITY) for row in set_rows(ours, [{}] * len(ours), clips, theirs))]


def _with_counts(rows: list[Row], real: Sketch) -> list[Row]:
    """The batch gate's rows; a stratum that could not be judged says how much each side holds of it."""
    out = []
    for row in rows:
        statistic = STATISTICS.get(row.metric)
        if statistic and row.verdict == "unjudged" and row.stratum in statistic.strata:
            held = int(np.broadcast_to(real.counts.get(row.metric, 0.0), statistic.shape)[statistic.strata.index(row.stratum)].sum())
            note = f"{row.n:,} synthetic and {held:,} real values; {statistic.min_count} a side are needed, also in half of the real groups"
            row = replace(row, note=row.note or note)
        out.append(row)
    return out


def _class_cards(synthetic: MeasuredSet, real: MeasuredSet, cfg: Gate) -> dict[str, Scorecard]:
    """Scorecards of the classes either side has; a class that only the reference has is unjudged, since a set may be made for a few classes."""
    gate, ours = ClassGate(real.crops, cfg, backbone=opened_backbone(cfg.backbone)), synthetic.crops
    cards = {name: gate.judge(name, [c for c in ours if c.class_name == name]) for name in sorted({c.class_name for c in ours})}
    for name in sorted({c.class_name for c in real.crops} - set(cards)):
        cards[name] = Scorecard([Row("dogss", None, class_name=name, note="the synthetic set shows no object of this class")], "unjudged")
    return cards


def _class_counts(synthetic: MeasuredSet, real: MeasuredSet, cfg: Gate) -> list[ClassCount]:
    ours, theirs = ([(c.class_name, c.modality, c.range_bin) for c in side.crops] for side in (synthetic, real))
    groups: dict[tuple, set[str]] = {}
    for key, crop in zip(theirs, real.crops, strict=True):
        groups.setdefault(key, set()).add(crop.group)
    keys = sorted({*ours, *theirs})
    made = ((name, modality, range_bin_name(k)) for name, modality, k in keys)
    return [
        ClassCount(*m, ours.count(k), theirs.count(k), len(groups.get(k, ())), cfg.support.get(k[0], "")) for m, k in zip(made, keys, strict=True)
    ]


def _histograms(rows: list[Row], synthetic: Sketch, blocks: Mapping[str, list[Sketch]]) -> dict[str, Histogram]:
    """Of each statistic the stratum farthest beyond its own limit; where none has a limit, the one both sides hold most of."""
    real = [Sketch.total(found) for found in blocks.values()] if len(blocks) > 1 else [b for found in blocks.values() for b in found]
    total, out = Sketch.total(real), {}
    for name, statistic in STATISTICS.items():
        p, q = (np.broadcast_to(s.counts.get(name, 0.0), statistic.shape).sum(axis=1) for s in (total, synthetic))
        held = np.minimum(p, q)
        if held.max() < statistic.min_count:
            continue
        beyond = {
            r.stratum: r.value / r.limit for r in rows if r.metric == name and r.stratum in statistic.strata and r.value is not None and r.limit
        }
        worst = statistic.strata.index(max(beyond, key=beyond.__getitem__)) if beyond else int(np.argmax(held))
        out[name] = Histogram.of(statistic, worst, real, synthetic)
    return out


def set_info(measured: MeasuredSet) -> SetInfo:
    """What outputs say of one side."""
    source, reader = measured.source, measured.reader
    groups = sum(bool(found) for found in measured.groups.values())
    return SetInfo(str(source.root), source.kind, len(measured.entries), groups, measured.weak, dict(reader.sensors), tuple(measured.notes))


def _pictures(measured: MeasuredSet) -> list[Frame]:
    """A few frames, evenly spaced over the set."""
    count = len(measured.entries)
    chosen = sorted({(2 * i + 1) * count // (2 * PICTURES) for i in range(PICTURES)})
    return [measured.source.read(measured.reader, measured.entries[i].name) for i in chosen]
