"""What the window shows, as plain values: runtime events folded into a ``Run``, and the other panels' parts beside it. No Kit, no logic of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tailgate.report.words import code_words, metric_words
from tailgate.runtime.events import Event

from tailgate_ui.choices import Choices

if TYPE_CHECKING:
    import numpy as np

ACTIVE = ("starting", "running", "pausing", "paused", "stopping")
"""Phases in which a run holds the stage."""
KEPT_NOTES = 6


@dataclass(frozen=True)
class Budget:
    """What is known of the chosen budget: a sentence on what is wrong with it, or what it asks for."""

    checking: bool = False
    error: str = ""
    cells: tuple[tuple[str, int], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Stage:
    """What is known of the open stage and of what is selected on it.

    Attributes:
        report: a ``StageReport`` of ``tailgate.stage.check``; None before the first check.
        selected: paths of the selected prims.
        said: what the last mark did, or why it could not be made.
        wrong: whether ``said`` is a complaint.
    """

    checking: bool = False
    report: Any = None
    selected: tuple[str, ...] = ()
    said: str = ""
    wrong: bool = False


@dataclass(frozen=True, eq=False)
class Shot:
    """One sample of a preview: captions, and pictures as RGBA uint8 [H, W, 4] by sensor."""

    cell: str
    verdict: str
    reason: str
    pictures: tuple[tuple[str, np.ndarray], ...]


@dataclass(frozen=True)
class Preview:
    """A preview: how many samples were asked for, what came, and how it ended."""

    going: bool = False
    wanted: int = 4
    shots: tuple[Shot, ...] = ()
    said: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class Cell:
    """A budget cell: instances accepted of its target, and clips by state."""

    name: str
    target: int
    achieved: int = 0
    clips: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """0 … 1 of the target."""
        return min(1.0, self.achieved / max(1, self.target))

    @property
    def lost(self) -> str:
        """Clips that became no data, in words; "" where there is none."""
        return ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in self.clips.items() if state != "accepted")


@dataclass(frozen=True)
class Line:
    """One row of the scorecard.

    Attributes:
        metric, sensor, stratum: what was measured and where.
        value, limit: with unit, or "".
        share: value over limit; None where there is no limit.
        verdict: ok, failed, beyond (outside, but it decides nothing), unjudged or no power.
        reason: why, in words.
        decides: whether a failure refuses the batch.
    """

    metric: str
    sensor: str
    stratum: str
    value: str
    limit: str
    share: float | None
    verdict: str
    reason: str
    decides: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Line:
        """A line of a scorecard row as an event carries it."""
        value, limit, unit = row["value"], row["limit"], row["unit"]
        share = value / limit if value is not None and limit else None
        beyond = not row["gates"] and row["verdict"] in ("ok", "failed") and share is not None and share > 1
        verdict = "beyond" if beyond else row["verdict"]
        reason = code_words(row["metric"]) if row["verdict"] == "failed" else row["note"]
        where = "" if row["stratum"] == "all" else row["stratum"]
        said = amount(value, unit), amount(limit, unit)
        return cls(metric_words(row["metric"]), row["modality"], where, *said, share, verdict, reason, row["gates"])


@dataclass(frozen=True)
class Card:
    """The scorecard of one batch: a line per measure, failed ones first, and under each its strata."""

    round: int
    batch: int
    verdict: str
    codes: tuple[str, ...]
    lines: tuple[tuple[Line, tuple[Line, ...]], ...]

    @property
    def title(self) -> str:
        """Which batch it is."""
        return f"round {self.round}, batch {self.batch}"

    @property
    def words(self) -> str:
        """What the verdict rests on, in one sentence."""
        judged = [line for line, _ in self.lines if line.decides]
        if not judged:
            return next((line.reason for line, _ in self.lines if line.reason), "nothing could be judged")
        failed = sum(line.verdict == "failed" for line in judged)
        said = f"{failed} of {len(judged)} measures that decide lie" if failed else f"all {len(judged)} measures that decide lie"
        return f"{said} {'beyond' if failed else 'within'} what real recordings show against each other"


@dataclass(frozen=True)
class Round:
    """A closed round: distance ratio (1 is ideal) to both parts of the reference with standard errors, and what feedback changed."""

    number: int
    ratio: Mapping[str, float]
    error: Mapping[str, float]
    changes: tuple[Mapping[str, Any], ...] = ()

    def nearness(self, part: str) -> str:
        """Ratio to a part of the reference with its standard error; "" where it was not measured."""
        value, error = self.ratio.get(part), self.error.get(part)
        return "" if value is None else f"{value:.2f}" + (f" ± {error:.2f}" if error is not None else "")


@dataclass(frozen=True)
class Pace:
    """How fast a run is: clips and instances per hour, and seconds left; None where nothing can be said yet."""

    clips: float | None = None
    instances: float | None = None
    left_s: float | None = None


@dataclass(frozen=True)
class Run:
    """A run as its events tell it.

    Attributes:
        phase: "idle", one of ``ACTIVE``, "done", "stopped" or "failed".
        said: one sentence on how it stands or ended.
        busy: what is under way beside clips.
        clips, planned: of the round at hand.
        clock: seconds this session spent making clips up to ``since``; ``since`` is None while it makes none.
        made, gained: clips made and instances accepted in this session.
    """

    phase: str = "idle"
    said: str = ""
    name: str = ""
    out: str = ""
    cells: tuple[Cell, ...] = ()
    busy: str = ""
    notes: tuple[str, ...] = ()
    round: int | None = None
    clips: int = 0
    planned: int = 0
    card: Card | None = None
    rounds: tuple[Round, ...] = ()
    report: str = ""
    clock: float = 0.0
    since: float | None = None
    made: int = 0
    gained: int = 0

    @property
    def active(self) -> bool:
        """Whether it holds the stage."""
        return self.phase in ACTIVE

    @property
    def achieved(self) -> int:
        """Accepted instances of all cells, none counted beyond its target."""
        return sum(min(c.achieved, c.target) for c in self.cells)

    @property
    def target(self) -> int:
        """Instances asked for."""
        return sum(c.target for c in self.cells)

    def pace(self, now: float) -> Pace:
        """Rates of this session, from the time spent making clips alone (pauses do not count)."""
        spent = self.clock + (now - self.since if self.since is not None else 0.0)
        if not self.made or spent < 1.0:
            return Pace()
        clips, instances = self.made / spent, self.gained / spent
        return Pace(3600 * clips, 3600 * instances, (self.target - self.achieved) / instances if instances else None)


@dataclass(frozen=True)
class State:
    """Everything the window shows; each part is replaced as a whole when it changes."""

    choices: Choices = field(default_factory=Choices)
    budget: Budget = field(default_factory=Budget)
    stage: Stage = field(default_factory=Stage)
    preview: Preview = field(default_factory=Preview)
    run: Run = field(default_factory=Run)

    @property
    def busy(self) -> bool:
        """Whether a preview or a run holds the stage."""
        return self.preview.going or self.run.active


def fold(run: Run, event: Event, now: float) -> Run:
    """The run after one more event; ``now`` is a monotonic clock [s]. Events of other kinds change nothing."""
    return _FOLDS.get(event.kind, lambda run, data, now: run)(run, event.data, now)


def held(run: Run, now: float) -> Run:
    """The run with its clock stopped: paused, or at its end."""
    return replace(run, clock=run.clock + (now - run.since if run.since is not None else 0.0), since=None)


def going(run: Run, now: float) -> Run:
    """The run with its clock going."""
    return replace(run, since=now if run.since is None else run.since)


def _started(run: Run, data: Mapping[str, Any], now: float) -> Run:
    cells = tuple(Cell(name, target) for name, target in data["cells"].items())
    return Run("running", "", data["name"], data["out"], cells)


def _note(run: Run, data: Mapping[str, Any], now: float) -> Run:
    kept = [note for note in run.notes if note != data["text"]]
    return replace(run, notes=(*kept, data["text"])[-KEPT_NOTES:])


def _busy(run: Run, data: Mapping[str, Any], now: float) -> Run:
    return replace(held(run, now), busy=data["text"])


def _step(run: Run, data: Mapping[str, Any], now: float) -> Run:
    return replace(run, busy=f"{data['text']}: {data['done']} of {data['total']}")


def _round_started(run: Run, data: Mapping[str, Any], now: float) -> Run:
    run = replace(_standing(run, data), round=data["round"], clips=0, planned=data["clips"], busy="")
    return going(run, now) if run.phase != "paused" else run


def _clip(run: Run, data: Mapping[str, Any], now: float) -> Run:
    return replace(run, clips=run.clips + 1, made=run.made + 1)


def _batch(run: Run, data: Mapping[str, Any], now: float) -> Run:
    before = run.achieved
    run = _standing(run, data)
    card = Card(data["round"], data["batch"], data["verdict"], tuple(data["codes"]), table(data["rows"]))
    return replace(run, card=card, gained=run.gained + run.achieved - before)


def _round_closed(run: Run, data: Mapping[str, Any], now: float) -> Run:
    ratio = data["summary"].get("distance_ratio", {})
    closed = Round(data["round"], ratio, data["ratio_error"], tuple(data["changes"]))
    return replace(run, rounds=(*run.rounds, closed), busy="")


def _standing(run: Run, data: Mapping[str, Any]) -> Run:
    cells = (replace(c, achieved=data["achieved"].get(c.name, 0), clips=data["states"].get(c.name, {})) for c in run.cells)
    return replace(run, cells=tuple(cells))


_FOLDS = {
    "started": _started,
    "note": _note,
    "busy": _busy,
    "step": _step,
    "round_started": _round_started,
    "clip": _clip,
    "batch": _batch,
    "round_closed": _round_closed,
}


def table(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[Line, tuple[Line, ...]], ...]:
    """Lines of a scorecard: each measure as a whole (what failed first, then what was judged, in the card's order), with its measured strata."""
    order = {"failed": 0, "ok": 1, "beyond": 2, "no power": 3, "unjudged": 4}
    wholes = [(row, Line.of(row)) for row in rows if row["stratum"] == "all"]
    found = []
    for row, line in sorted(wholes, key=lambda one: order[one[1].verdict]):
        own = [r for r in rows if (r["metric"], r["modality"], r["class"]) == (row["metric"], row["modality"], row["class"])]
        parts = [Line.of(r) for r in own if r["stratum"] != "all" and r["value"] is not None]
        found.append((line, tuple(sorted(parts, key=lambda part: -(part.share or 0.0)))))
    return tuple(found)


def amount(value: float | None, unit: str) -> str:
    """A number with its unit, lengths below a tenth of a metre in millimetres."""
    if value is None:
        return ""
    if unit == "m" and abs(value) < 0.1:
        value, unit = 1000 * value, "mm"
    return f"{value:.3g} {'' if unit in ('1', 'share') else unit}".strip()


def clock(seconds: float | None) -> str:
    """A duration in words for people: "2 h 05 min", "40 s"; "" where it is not known."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
