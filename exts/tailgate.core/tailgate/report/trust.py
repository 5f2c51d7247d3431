"""Is the delivered data trustworthy? Plain rules over a run's record, each with its sentence."""

from __future__ import annotations

from dataclasses import dataclass

from tailgate.report.record import RunRecord
from tailgate.report.words import fault_words, metric_words

MEASURED, PARTLY, UNMEASURED, REFUSED = "measured", "partly measured", "unmeasured", "outside its limits"


@dataclass(frozen=True)
class Notice:
    """One thing a reader must know; ``level`` is "good", "warn" or "bad"."""

    level: str
    title: str
    words: str


@dataclass(frozen=True)
class Trust:
    """The answer in one word, one sentence, and the notices it rests on."""

    level: str
    word: str
    sentence: str
    notices: tuple[Notice, ...]


def judge(run: RunRecord) -> Trust:
    """Weigh a run: the worst of reference, gate, classes and hold-out decides the word."""
    readers = (_reference_notices, _gate_notices, _class_notices, _integrity_notices, _holdout_notices, _audit_notices, _limit_notices)
    notices = [notice for read in readers for notice in read(run)]
    levels = {n.level for n in notices}
    kind = (run.reference or {}).get("kind", run.budget.reference.kind)
    refused = [c.name for c in run.classes if c.verdict == "quarantined"]
    if kind == "none" or not any(r.measured for r in run.rounds):
        return Trust("bad", UNMEASURED, "Nobody has compared this data with real sensors: treat it as a draft.", tuple(notices))
    if refused:
        return Trust("bad", REFUSED, f"Measured, and not good enough for {_list(refused)}: these are left out of the dataset.", tuple(notices))
    if levels & {"warn", "bad"}:
        return Trust("warn", PARTLY, "Compared with the reference, with the reservations below.", tuple(notices))
    return Trust("good", MEASURED, "Compared with held-back real data, and within the limits that real data sets for itself.", tuple(notices))


def _reference_notices(run: RunRecord) -> list[Notice]:
    reference = run.reference or {}
    kind, notes = reference.get("kind", run.budget.reference.kind), [str(n) for n in reference.get("notes") or []]
    out = []
    if kind == "none":
        words = "The budget names no real reference, so nothing in this run was compared with real data."
        out.append(Notice("bad", "Unmeasured", notes.pop(0) if notes else words))
    elif kind == "standin" or reference.get("standin"):
        words = "The reference is simulated with a hidden sensor response: this shows the machinery and says nothing about a real sensor."
        out.append(Notice("warn", "The reference is a stand-in", notes.pop(0) if notes else words))
    elif reference.get("unmeasured"):
        out.append(Notice("warn", "Partly unmeasured", "Some of what was made has no real counterpart in the reference."))
    if reference.get("weak"):
        words = "The part held back shares recordings or places with the part that feedback reads: its warnings come late."
        out.append(Notice("warn", "Weak hold-out", words))
    return out + [Notice("info", "Note on the reference", note) for note in notes]


def _gate_notices(run: RunRecord) -> list[Notice]:
    if run.budget.reference.kind == "none" or run.budget.gate.mode == "enforce":
        return []
    rejected = run.batch_codes and any(r.batches_accepted < r.batches for r in run.rounds)
    words = "Limits were measured and shown but rejected nothing: the gate ran in report mode."
    return [Notice("warn", "The gate only reported", words + (" Some batches would have been rejected." if rejected else ""))]


def _class_notices(run: RunRecord) -> list[Notice]:
    out = []
    unjudged = [c.name for c in run.classes if c.verdict in ("unjudged", None)]
    provisional = [c.name for c in run.classes if c.verdict == "provisional"]
    refused = [c.name for c in run.classes if c.verdict == "quarantined"]
    if unjudged and run.budget.reference.kind != "none":
        out.append(Notice("warn", "Classes nobody could judge", f"The reference holds too few real examples of {_list(unjudged)}."))
    if provisional:
        out.append(Notice("warn", "Verdicts that may still change", f"Too few samples so far of {_list(provisional)}."))
    if refused:
        out.append(Notice("bad", "Classes left out", f"{_list(refused)} lie outside the limits."))
    return out


def _holdout_notices(run: RunRecord) -> list[Notice]:
    """Feedback improving while the hold-out worsens is the sign of a loop that fools itself; the guard acts on the whole of it."""
    if run.guard:
        done = f"Feedback was stopped and round {run.guard['best']} restored" if run.guard["stopped"] else "The hold-out is weak, so feedback went on"
        return [Notice("warn", "The loop began to fool itself", f"After round {run.guard['round']}: {run.guard['words']}. {done}.")]
    measured = [r for r in run.rounds if r.feedback and r.holdout]
    if len(measured) < 2:
        return []
    first, last = measured[0], measured[-1]
    shared = sorted(set(first.feedback) & set(last.feedback) & set(first.holdout) & set(last.holdout))
    drifted = [s for s in shared if last.feedback[s] < first.feedback[s] and last.holdout[s] > 1.1 * first.holdout[s]]
    if not drifted:
        return []
    words = f"{_list([metric_words(s) for s in drifted])}: closer to the part of the real data that feedback reads, farther from the part held back."
    return [Notice("warn", "Better on paper only", words)]


def _integrity_notices(run: RunRecord) -> list[Notice]:
    return [Notice("warn", "A fault of the whole set", fault_words(row)[:1].upper() + fault_words(row)[1:] + ".") for row in run.faults]


def _audit_notices(run: RunRecord) -> list[Notice]:
    """What recordings say that neither feedback nor the hold-out guard ever read."""
    if not run.audit or run.audit["distance_ratio"] is None:
        return []
    error = f" ± {2 * run.audit['error']:.2f}" if run.audit["error"] is not None else ""
    words = (
        f"Read once, at the end: {run.audit['frames']['synthetic']:,} accepted frames are {run.audit['distance_ratio']:.2f}{error} times as far from"
        f" the {run.audit['frames']['real']:,} real frames kept for the audit as real recordings are from each other."
    )
    return [Notice("info", "Audit", words)]


def _limit_notices(run: RunRecord) -> list[Notice]:
    reason = (run.outcome or {}).get("reason")
    if run.outcome is None:
        return [Notice("warn", "The run has not ended", "The figures below are those of the batches judged so far.")]
    return [Notice("warn", "Stopped before the budget was met", f"The run reached its limit of {reason}.")] if reason else []


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}" if names else "nothing"
