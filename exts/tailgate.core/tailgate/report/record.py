"""What a run folder says, read into plain values. Nothing is computed anew and nothing is filled in: what was not measured stays None."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.config.budget import Budget
from tailgate.config.load import load
from tailgate.report.coverage import Coverage, read_coverage
from tailgate.validate.scorecard import Row


@dataclass(frozen=True)
class Cell:
    """One cell of the budget against what the run made; ``states`` counts the clips drawn for it by their state."""

    name: str
    class_name: str
    target: int
    achieved: int
    states: dict[str, int]
    why: str

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.achieved >= self.target


@dataclass(frozen=True)
class ClassResult:
    """One output class: what was asked and made, the class gate's verdict, its reasons and its scores."""

    name: str
    target: int
    achieved: int
    verdict: str | None
    codes: tuple[str, ...]
    scores: tuple[Row, ...]


@dataclass(frozen=True)
class Round:
    """One round: distances to both parts of the reference by statistic (W1) with their units, their ratio to real-against-real, and what feedback
    changed after it."""

    number: int
    state: str
    clips: int
    accepted: int
    batches: int
    batches_accepted: int
    feedback: dict[str, float]
    holdout: dict[str, float]
    distance_ratio: dict[str, float]
    real_vs_real: dict[str, dict[str, float]]
    units: dict[str, str]
    changes: tuple[dict[str, Any], ...]

    @property
    def measured(self) -> bool:
        """Whether the round was scored against the reference."""
        return bool(self.feedback or self.holdout)

    @property
    def change_count(self) -> int:
        """Number of settings that feedback changed after this round."""
        return len(self.changes)


@dataclass(frozen=True)
class FrameRecord:
    """One recorded frame and where its files lie now; ``folder`` is None where they were not kept."""

    id: str
    clip: int
    cell: str
    state: str
    verdict: str
    codes: tuple[str, ...]
    conditions: dict[str, str]
    counted: int
    folder: Path | None


@dataclass(frozen=True)
class RunRecord:
    """Everything the report shows."""

    folder: Path
    budget: Budget
    cells: tuple[Cell, ...]
    classes: tuple[ClassResult, ...]
    rounds: tuple[Round, ...]
    frames: tuple[FrameRecord, ...]
    batch_scores: tuple[Row, ...]
    frame_scores: dict[str, tuple[float, ...]]
    object_scores: dict[str, dict[str, tuple[float, ...]]]
    batch_codes: dict[str, int]
    clip_codes: dict[str, int]
    clip_states: dict[str, int]
    coverage: tuple[Coverage, ...]
    seconds: dict[str, float]
    elapsed_s: float | None
    reference: dict[str, Any] | None
    outcome: dict[str, Any] | None
    guard: dict[str, Any] | None
    audit: dict[str, Any] | None
    faults: tuple[Row, ...]
    fingerprint: dict[str, str]
    hashes: dict[str, str]

    @property
    def target(self) -> int:
        """Instances asked for."""
        return sum(c.target for c in self.cells)

    @property
    def delivered(self) -> int:
        """Accepted instances, each cell counted up to its target."""
        return sum(min(c.achieved, c.target) for c in self.cells)


def read_run(folder: str | Path) -> RunRecord:
    """Read a run folder; raise UserError where it is none."""
    from tailgate.ledger.ledger import hashes, read

    folder = Path(folder)
    with read(folder) as db:
        budget = load(Budget, folder / "budget.yaml")
        meta = {r["key"]: json.loads(r["value"]) for r in db.execute("select key, value from meta")}
        rounds = tuple(_round(db, row) for row in db.execute("select * from rounds order by round"))
        cells, outcome = _cells(db, budget), meta.get("outcome")
        seconds, elapsed = _seconds(db, folder)
        return RunRecord(
            folder=folder,
            budget=budget,
            cells=cells,
            classes=_classes(cells, outcome),
            rounds=rounds,
            frames=tuple(_frames(db, folder)),
            batch_scores=tuple(_batch_scores(db)),
            frame_scores=_numbers(r["scores"] for r in db.execute("select scores from frames order by clip_index, attempt, tick")),
            object_scores=_object_scores(db),
            batch_codes=_codes(r["codes"] for r in db.execute("select codes from batches order by id")),
            clip_codes=_clip_codes(db),
            clip_states=dict(db.execute("select state, count(*) from clips group by state order by state").fetchall()),
            coverage=tuple(read_coverage(db)),
            seconds=seconds,
            elapsed_s=elapsed,
            reference=meta.get("reference"),
            outcome=outcome,
            guard=meta.get("guard"),
            audit=meta.get("audit"),
            faults=tuple(row for row in map(Row.from_json, meta.get("integrity") or ()) if row.verdict == "failed"),
            fingerprint=dict(meta.get("fingerprint") or {}),
            hashes=hashes(folder),
        )


def _cells(db: sqlite3.Connection, budget: Budget) -> tuple[Cell, ...]:
    query = "select o.cell, count(*) from objects o join accepted a on a.id = o.frame where o.counted = 1 group by o.cell"
    made = dict(db.execute(query).fetchall())
    states: dict[str, dict[str, int]] = defaultdict(dict)
    for cell, state, n in db.execute("select cell, state, count(*) from clips group by cell, state order by cell, state"):
        states[cell][state] = n
    return tuple(Cell(c.name, c.class_, c.target, made.get(c.name, 0), states.get(c.name, {}), c.why) for c in budget.cells)


def _classes(cells: Iterable[Cell], outcome: Mapping[str, Any] | None) -> tuple[ClassResult, ...]:
    judged = (outcome or {}).get("classes") or {}
    names = list(dict.fromkeys([*(c.class_name for c in cells), *sorted(judged)]))
    cells, results = tuple(cells), []
    for name in names:
        own = [c for c in cells if c.class_name == name]
        entry = judged.get(name) or {}
        scores = tuple(map(Row.from_json, entry.get("rows") or ()))
        codes = entry.get("codes") or list(dict.fromkeys(s.metric for s in scores if s.gates and s.verdict == "failed"))
        results.append(
            ClassResult(
                name,
                sum(c.target for c in own),
                sum(c.achieved for c in own),
                entry.get("verdict"),
                tuple(codes),
                scores,
            )
        )
    return tuple(results)


def _round(db: sqlite3.Connection, row: sqlite3.Row) -> Round:
    card, number = json.loads(row["scorecard"]), row["round"]
    summary = card.get("summary") or {}
    clips = dict(db.execute("select state, count(*) from clips where round = ? group by state", (number,)).fetchall())
    batches = dict(db.execute("select verdict, count(*) from batches where round = ? group by verdict", (number,)).fetchall())
    units = {r["statistic"]: r["unit"] for part in ("feedback", "holdout") for r in card.get(part) or ()}
    return Round(
        number,
        row["state"],
        sum(clips.values()),
        clips.get("accepted", 0),
        sum(batches.values()),
        batches.get("accepted", 0),
        _finite(summary.get("feedback")),
        _finite(summary.get("holdout")),
        _finite(summary.get("distance_ratio")),
        {k: _finite(v) for k, v in (card.get("real_vs_real") or {}).items() if isinstance(v, Mapping)},
        units,
        tuple(json.loads(row["feedback"])),
    )


def _batch_scores(db: sqlite3.Connection) -> Iterable[Row]:
    for batch in db.execute("select scorecard from batches order by round, number"):
        yield from map(Row.from_json, json.loads(batch["scorecard"]))


def _frames(db: sqlite3.Connection, folder: Path) -> Iterable[FrameRecord]:
    query = "select f.*, c.cell, c.state from frames f join clips c using (clip_index) order by f.clip_index, f.attempt, f.tick"
    for row in db.execute(query):
        places = [folder / row["path"]] if row["path"] else []
        places += [folder / "frames" / row["id"], folder / "rejected" / row["id"]]
        held = next((p for p in places if p.is_dir() and folder.resolve() in p.resolve().parents), None)
        conditions = json.loads(row["sample"]).get("conditions") or {}
        codes = tuple(json.loads(row["codes"]))
        yield FrameRecord(row["id"], row["clip_index"], row["cell"], row["state"], row["verdict"], codes, conditions, row["counted"], held)


def _numbers(texts: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """Finite numbers by score name over many JSON objects."""
    out: dict[str, list[float]] = defaultdict(list)
    for text in texts:
        for name, value in json.loads(text).items():
            number = _number(value)
            if number is not None:
                out[name].append(number)
    return {name: tuple(values) for name, values in sorted(out.items())}


def _object_scores(db: sqlite3.Connection) -> dict[str, dict[str, tuple[float, ...]]]:
    """Class -> score -> values over the counted objects."""
    rows: dict[str, list[str]] = defaultdict(list)
    for row in db.execute("select class, scores from objects where counted = 1 order by frame, instance"):
        rows[row["class"]].append(row["scores"])
    return {name: _numbers(texts) for name, texts in rows.items()}


def _codes(texts: Iterable[str]) -> dict[str, int]:
    return dict(Counter(code for text in texts for code in json.loads(text)).most_common())


def _clip_codes(db: sqlite3.Connection) -> dict[str, int]:
    """How many clips were lost to each reason: off-target codes of the clip and codes of its frames, each once per clip."""
    tally: Counter[str] = Counter()
    for row in db.execute("select result from clips where state != 'accepted' order by clip_index"):
        result = json.loads(row["result"])
        tally.update({*result.get("codes", ()), *(c for f in result.get("frames", ()) for c in f.get("codes", ()))})
    return dict(sorted(tally.items(), key=lambda item: (-item[1], item[0])))


def _seconds(db: sqlite3.Connection, folder: Path) -> tuple[dict[str, float], float | None]:
    """Seconds of work per stage over all clips, and wall time where the run's status tells it."""
    total: Counter[str] = Counter()
    for row in db.execute("select result from clips order by clip_index"):
        total.update({k: float(v) for k, v in (json.loads(row["result"]).get("seconds") or {}).items()})
    elapsed, status = None, folder / "status.json"
    if status.is_file():
        said = json.loads(status.read_text(encoding="utf-8"))
        elapsed = _number(said.get("elapsed_s"))
        for stage, seconds in (said.get("seconds_by_stage") or {}).items():
            total.setdefault(stage, float(seconds))
    return dict(total), elapsed


def _finite(values: Any) -> dict[str, float]:
    """Finite numbers by name; an entry may also be a mapping that holds its number under ``value``."""
    if not isinstance(values, Mapping):
        return {}
    plain = {k: v.get("value") if isinstance(v, Mapping) else v for k, v in values.items()}
    return {k: n for k, v in plain.items() if (n := _number(v)) is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < float("inf") else None
