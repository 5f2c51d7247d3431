"""A gate for frames that somebody else makes: each is measured as it comes, batches are judged, and a ledger keeps what was found.

For Replicator scripts that have their own randomization; a run of this project's own has its gate inside its loop.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tailgate.config.budget import Gate as GateConfig
from tailgate.datasets import store
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId
from tailgate.ledger.ledger import Ledger, canonical
from tailgate.reference.compatible import Side, check_compatible
from tailgate.reference.labelmap import load_label_map
from tailgate.reference.reader import Entry
from tailgate.report.score_record import ScoreRecord
from tailgate.runtime.folder import frame_folder, hold, retire, sweep, write_status
from tailgate.runtime.gate_file import read_gate
from tailgate.runtime.measured import GEOMETRIC, MeasuredSet, Source, Tick, fingerprint, opened_backbone
from tailgate.runtime.score import Gates, Reading, judge_sets, measure_reference
from tailgate.runtime.spec import versions
from tailgate.runtime.worker import object_rows
from tailgate.validate.backbones import locate
from tailgate.validate.evidence import CUTS, STATISTICS, Cut, Evidence, measure
from tailgate.validate.gate import BatchGate
from tailgate.validate.scorecard import Scorecard
from tailgate.validate.sketch import Sketch

SCRIPT = "script"
"""Scenario, and layout, of frames made elsewhere."""
PAGE = "scorecard.html"


@dataclass(frozen=True)
class GateSpec:
    """What to judge frames against, and how.

    Attributes:
        reference: folder of real recordings, in any layout that ``score`` reads; ``kind`` names it where it cannot be guessed.
        out: folder of the ledger, the frames and the scorecards; the same folder goes on where it stopped.
        batch: frames judged together.
        enforce: move refused frames from ``frames/`` to ``rejected/``; else verdicts are written and nothing is taken away.
        labels: label map (YAML): classes of the frames in the words of the reference.
        gate: ``gate.yaml`` of this reference; without it limits come from the reference itself.
        support, backbone: as in a budget's ``gate``.
        tell: hears one sentence a batch.
        tick: hears how many frames of the reference are measured.
    """

    reference: Path
    out: Path
    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 8
    enforce: bool = False
    labels: Path | None = None
    gate: Path | None = None
    support: Mapping[str, str] = field(default_factory=dict)
    backbone: str = GEOMETRIC
    tell: Callable[[str], None] = print
    tick: Tick = lambda words, done, total: None


class Gate:
    """Judges frames as they come. ``add`` each, then ``close``; a ``with`` block closes it, or only releases the folder where an exception ends it.

    Raises:
        UserError: a reference that does not read or is too small, a folder that holds something else, or frames that cannot be compared with it.
    """

    def __init__(self, spec: GateSpec):
        if spec.batch < 1:
            raise UserError(f"batch must be at least 1, got {spec.batch}")
        self.spec, self._source = spec, Source.find(spec.reference, spec.kind, spec.options)
        self._labels = load_label_map(spec.labels) if spec.labels else None
        self._backbone = locate(spec.backbone, (Path.cwd(), Path("/")))
        opened = self._source.open()
        marks = fingerprint(self._source)
        calibrated = read_gate(spec.gate, marks) if spec.gate else None
        self._real = measure_reference(self._source, opened, self._backbone, 1, spec.tick)
        self._looked_at = Side.of(self._source.root, Reading(self._source, opened[0]), opened[1])
        self._gates = Gates(GateConfig(support=dict(spec.support), backbone=self._backbone), calibrated)
        self._gate = BatchGate(self._real.blocks, STATISTICS, self._gates.cfg, calibrated=calibrated)
        marked = {"source": SCRIPT, "reference": marks, "backbone": self._backbone, "versions": canonical(versions())}
        with ExitStack() as held:
            held.enter_context(hold(Path(spec.out).resolve()))
            self._ledger = Ledger(spec.out, marked)
            held.callback(self._ledger.close)
            self._begin()
            self._held = held.pop_all()
        self._closed = False

    def _begin(self) -> None:
        for folder in ("frames", "evidence"):
            (self.spec.out / folder).mkdir(exist_ok=True)
        held = self._ledger.rows("select result from clips order by clip_index")
        self._records = [json.loads(row["result"]) for row in held]
        batches = self._ledger.rows("select count from batches")
        self._judged, self._batches = sum(b["count"] for b in batches), len(batches)
        sweep(self.spec.out, {r["frames"][0]["id"] for r in self._records})
        self._notes: list[str] = []
        if not self._ledger.rows("select round from rounds"):
            with self._ledger.transaction():
                self._ledger.insert("rounds", [{"round": 0, "state": "open", "settings": {}, "allocation": []}])

    @property
    def next_id(self) -> FrameId:
        """Address of the next frame."""
        return FrameId(SCRIPT, 0, len(self._records))

    def add(self, frame: Frame) -> None:
        """Measure a frame and record it; every ``batch`` frames are judged. The frame gets the address ``next_id``."""
        frame = replace(self._labels.apply(frame) if self._labels else frame, id=self.next_id)
        if not self._records:
            self._notes += check_compatible(self._looked_at, Side(self.spec.out, {str(frame.id): frame}))
        evidence = measure(frame, str(frame.id), str(frame.id), CUTS.get(self._source.kind, Cut()), opened_backbone(self._backbone))
        evidence.save(self._evidence(str(frame.id)))
        store.save(frame, self.spec.out / "frames" / str(frame.id))
        objects = [{k: -1.0 if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()} for row in object_rows(frame, {})]
        record = {"id": str(frame.id), "tick": 0, "attempt": 0, "digest": store.digest(frame), "codes": evidence.codes, "objects": objects}
        index = frame.id.index
        result = {"index": index, "codes": [], "attempts": 1, "frames": [record]}
        row = {"clip_index": index, "round": 0, "batch": self._batches, "scenario": SCRIPT, "cell": ""}
        with self._ledger.transaction():
            self._ledger.insert("clips", [{**row, "attempts": 1, "state": "rendered", "result": result}])
        self._records.append(result)
        if len(self._records) - self._judged >= self.spec.batch:
            self.judge()

    def judge(self) -> Scorecard | None:
        """Judge what has come since the last batch; None where nothing has."""
        waiting = self._records[self._judged :]
        if not waiting:
            return None
        sound = [r["frames"][0]["id"] for r in waiting if not r["frames"][0]["codes"]]
        card = self._gate.judge(Sketch.total(self._load(name).total for name in sound)) if sound else Scorecard([], "rejected")
        number = self._batches
        row = {"round": 0, "number": number, "first_index": waiting[0]["index"], "count": len(waiting), "verdict": card.verdict}
        with self._ledger.transaction():
            for result in waiting:
                self._record_verdict(result, card)
            self._ledger.insert("batches", [{**row, "codes": card.codes(), "scorecard": [r.to_json() for r in card.rows]}])
        self._judged += len(waiting)
        self._batches += 1
        self._write_status()
        codes = f" ({', '.join(card.codes())})" if card.codes() else ""
        self.spec.tell(f"tailgate: batch {number}: {card.verdict}{codes}: {len(sound)} of {len(waiting)} frames sound")
        return card

    def _record_verdict(self, result: dict[str, Any], card: Scorecard) -> None:
        frame = result["frames"][0]
        state = "failed" if frame["codes"] else "rejected" if card.verdict == "rejected" and self.spec.enforce else "accepted"
        sample = {"id": vars(FrameId(SCRIPT, 0, result["index"])), "draws": {}, "conditions": {}}
        row = {"id": frame["id"], "clip_index": result["index"], "attempt": 0, "tick": 0, "verdict": "failed" if frame["codes"] else "ok"}
        more = {"codes": frame["codes"], "digest": frame["digest"], "scores": {}, "sample": sample, "path": f"frames/{frame['id']}", "counted": 0}
        self._ledger.insert("frames", [{**row, **more}])
        self._ledger.insert("objects", [{"frame": frame["id"], **o, "scores": {}} for o in frame["objects"]])
        self._ledger.update("clips", {"clip_index": result["index"]}, state=state)
        self._ledger.count(f"clips_{state}")
        if state == "rejected":
            retire(self.spec.out, frame["id"], keep=True)

    def _write_status(self) -> None:
        counters = self._ledger.counters()
        held = {"name": Path(self.spec.out).resolve().name, "clips": counters, "accepted_clips": counters.get("clips_accepted", 0)}
        write_status(self.spec.out, {**held, "batches": self._batches})

    def scorecard(self) -> ScoreRecord:
        """Everything that has come, judged as one set against the reference: statistics, classes, integrity, distance ratio."""
        self.judge()
        if not self._records:
            raise UserError("holds no frame to judge", self.spec.out)
        names = [r["frames"][0]["id"] for r in self._records]
        first = store.load(frame_folder(self.spec.out, names[0]))
        reader = _Stored(self.spec.out, names, {name: sensor.model for name, sensor in first.sensors.items()})
        made = MeasuredSet(Source(Path(self.spec.out), SCRIPT), reader, reader.entries(), {n: [self._load(n)] for n in names}, False, self._notes)
        return judge_sets(made, self._real, self._gates)

    def close(self) -> ScoreRecord | None:
        """Judge the rest, write the page and release the folder; safe to call twice. None where nothing has come."""
        if self._closed:
            return None
        self._closed = True
        with self._held:
            if not self._records:
                return None
            card = self.scorecard()
            card.to_html(self.spec.out / PAGE)
            self.spec.tell(f"tailgate: {card.sentence} Page: {self.spec.out / PAGE}")
            return card

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        elif not self._closed:
            self._closed = True
            self._held.close()

    def _evidence(self, name: str) -> Path:
        return self.spec.out / "evidence" / f"{name}.npz"

    def _load(self, name: str) -> Evidence:
        return Evidence.load(self._evidence(name))


@dataclass
class _Stored:
    """Reader of the frames that a gate has stored."""

    root: Path
    names: list[str]
    sensors: dict[str, str]
    notes: list[str] = field(default_factory=list)

    def entries(self) -> list[Entry]:
        return [Entry(name, name) for name in self.names]

    def read(self, name: str) -> Frame:
        return store.load(frame_folder(self.root, name))
