"""One run from command to summary: resolve, hold the folder, measure the reference, loop, export, report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailgate.config.setting import Setting
from tailgate.ledger.ledger import Ledger, hashes
from tailgate.packages import packages_named
from tailgate.report.words import fault_words
from tailgate.runtime.backends import aside_of, turns_of
from tailgate.runtime.check import check_packages, foresee, rehearse
from tailgate.runtime.control import Control
from tailgate.runtime.engine import make_engine
from tailgate.runtime.events import Event, Events
from tailgate.runtime.export import export_run, refused_classes
from tailgate.runtime.final import AGAIN, QUARANTINE, audit, integrity, quarantine, unjudged
from tailgate.runtime.folder import check_folder, hold, sweep
from tailgate.runtime.judge import Judge
from tailgate.runtime.loop import Loop, Outcome
from tailgate.runtime.reference import measure_reference, reference_hash
from tailgate.runtime.spec import RunOptions, RunSpec, resolve, write_resolved
from tailgate.terminal import say

if TYPE_CHECKING:
    from rich.console import Console

CLASS_WORDS = {
    "provisional": "too few accepted samples for a verdict",
    "unjudged": "the reference holds too little of it to say whether it looks real",
    "quarantined": "it does not look like the reference",
}


@dataclass(frozen=True)
class Summary:
    """What a finished run tells its user."""

    out: str
    met: bool
    reason: str
    cells: dict[str, list[int]]
    refused: list[str]
    classes: dict[str, str]
    datasets: dict[str, str]
    sheet: str
    report: str
    faults: list[str]
    enforced: bool
    again: dict[str, int]
    plan_hash: str
    content_hash: str
    notes: list[str]

    @property
    def exit_code(self) -> int:
        """0 done, 1 a class was refused by the gate or the whole set has a fault (in enforce mode), 3 a limit came first."""
        return 1 if self.refused or (self.enforced and self.faults) else 0 if self.met else 3

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def print(self, console: Console) -> None:
        """Cells, notes and where everything is."""
        for name, (achieved, target) in self.cells.items():
            mark = "[green]met[/green]" if achieved >= target else "[yellow]short[/yellow]"
            say(console, f"  {mark}  {{}}: {achieved} of {target}", name)
        for name, verdict in self.classes.items():
            if verdict != "accepted":
                say(console, "  class {}: {}: {}", name, verdict, CLASS_WORDS[verdict])
        for name, n in self.again.items():
            files = f"reasons in {self.out}/{QUARANTINE}, budget {self.out}/{AGAIN}"
            say(console, "  {} instances of {} to make again: {}", n, name, files)
        for words in self.faults:
            say(console, "[yellow]fault of the set:[/yellow] {}", words)
        for note in self.notes:
            say(console, "[yellow]note:[/yellow] {}", note)
        if self.refused:
            say(console, "[red]refused by the class gate:[/red] {}", ", ".join(self.refused))
        if self.reason:
            say(console, "stopped by a limit before the budget was met: {}", self.reason)
        for name, folder in self.datasets.items():
            say(console, "dataset ({}): {}", name, folder)
        say(console, "contact sheet: {}\nreport: {}", self.sheet, self.report)


def execute(options: RunOptions, engine_name: str, workers: int, listener: Callable[[Event], None]) -> Summary:
    """Run a budget to its end, or resume it."""
    return asyncio.run(generate(options, listener, Crew(engine_name, workers)))


@dataclass(frozen=True)
class Crew:
    """Who makes the clips: an engine by name with its number of workers, and what may hold them."""

    engine: str = "inline"
    workers: int = 1
    control: Control | None = None


async def generate(options: RunOptions, listener: Callable[[Event], None], crew: Crew) -> Summary:
    """Run a budget to its end, or resume it, on the loop of the caller: of this process, or of an application that lives on (Kit).

    Cancelling the task stops the run; what was recorded is safe and the same call resumes.
    """
    aside = aside_of(options.backend)
    spec = await aside(resolve, options)
    await aside(check_packages, spec)
    fingerprint = await turns_of(options.backend)(spec.fingerprint, await aside(reference_hash, spec))
    events = Events()
    events.subscribe(listener)
    with hold(spec.out), packages_named():
        ledger = await aside(Ledger, spec.out, fingerprint)
        try:
            await aside(_lay_out, spec)
            return await _drive(spec, ledger, crew, events)
        finally:
            ledger.close()


def _lay_out(spec: RunSpec) -> None:
    """What a run folder begins with."""
    write_resolved(spec)
    for folder in ("frames", "evidence", "settings"):
        (spec.out / folder).mkdir(exist_ok=True)


async def _drive(spec: RunSpec, ledger: Ledger, crew: Crew, events: Events) -> Summary:
    aside = aside_of(spec.backend)
    events.emit("started", name=spec.budget.name, out=str(spec.out), cells={c.name: c.target for c in spec.budget.cells})
    await aside(sweep, spec.out, _recorded_frames(ledger))
    for text in foresee(spec):
        events.emit("note", text=text)
    engine = make_engine(crew.engine, spec, crew.workers)
    try:
        initial = await aside(initial_settings, spec)
        reference = await measure_reference(spec, engine, initial, events)
        with ledger.transaction():
            ledger.set_meta("reference", reference.describe())
        judge = await aside(Judge, spec, reference)
        outcome = await Loop(spec, ledger, engine, judge, events, crew.control).run(initial)
    finally:
        engine.close()
    events.emit("busy", text="judging the whole set; writing datasets, contact sheet and report")
    summary = await aside(_finish, spec, ledger, judge, outcome)
    events.emit("exported", datasets=summary.datasets)
    return summary


def _finish(spec: RunSpec, ledger: Ledger, judge: Judge, outcome: Outcome) -> Summary:
    """Judge the whole set, export what passed and show it."""
    sweep(spec.out, _recorded_frames(ledger))
    classes = judge.classes(ledger)
    judge.reference.notes += unjudged(ledger, judge)
    with ledger.transaction():
        ledger.set_meta("reference", judge.reference.describe())
        ledger.set_meta("outcome", {"met": outcome.met, "reason": outcome.reason, "classes": classes})
    refused, again = refused_classes(spec.budget, classes), quarantine(spec, ledger, classes)
    faults = [fault_words(row) for row in integrity(spec, ledger, judge) if row.verdict == "failed"]
    audit(spec, ledger, judge)
    datasets, left_out = export_run(spec.out)
    sheet, page = _show(spec.out)
    return Summary(
        out=str(spec.out),
        met=outcome.met,
        reason=outcome.reason,
        cells={c.name: [outcome.achieved.get(c.name, 0), c.target] for c in spec.budget.cells},
        refused=refused,
        classes={name: found["verdict"] for name, found in classes.items()},
        datasets={k: str(v) for k, v in datasets.items()},
        sheet=str(sheet or "none: no frame is left to show"),
        report=str(page),
        faults=faults,
        enforced=spec.budget.gate.mode == "enforce",
        again={name: sum(entry["instances"].values()) for name, entry in again.items()},
        notes=[*judge.reference.notes, *left_out],
        **hashes(spec.out),
    )


def _show(run: Path) -> tuple[Path | None, Path]:
    """Draw the contact sheet and write the report."""
    from tailgate.report.html import write_report
    from tailgate.runtime.preview import sheet_of_run

    return sheet_of_run(run, run / "contact_sheet.png"), write_report(run, run / "report.html")


def _recorded_frames(ledger: Ledger) -> set[str]:
    """Frames that a record names and that are, or may yet become, data."""
    waiting = [json.loads(r["result"]) for r in ledger.rows("select result from clips where state = 'rendered'")]
    known = {frame["id"] for result in waiting for frame in result["frames"]}
    query = "select f.id from frames f join clips c using (clip_index) join rounds r using (round) where c.state = 'accepted' or r.state = 'open'"
    return known | {r["id"] for r in ledger.rows(query)}


def initial_settings(spec: RunSpec) -> dict[str, Setting]:
    """Settings of the first round: every scenario's, by address."""
    from tailgate.randomize.scenario import make_randomizers, resolve_settings

    settings: dict[str, Setting] = {}
    for scenario in spec.scenarios.values():
        settings.update(resolve_settings(scenario, make_randomizers(scenario, spec.budget, spec.rig)))
    return settings


def describe_plan(options: RunOptions) -> dict[str, Any]:
    """What a budget would make, after every check that needs no rendering."""
    spec = resolve(options)
    check_folder(spec.out)
    check_packages(spec)
    rehearse(spec)
    return plan_of(spec)


def plan_of(spec: RunSpec) -> dict[str, Any]:
    """What a resolved run would make, as plain data."""
    limits = spec.budget.limits
    return {
        "budget": spec.budget.name,
        "run folder": str(spec.out),
        "cells": {c.name: c.target for c in spec.budget.cells},
        "scenarios": sorted(spec.scenarios),
        "sensors": {n: s.model_name for n, s in spec.rig.sensors.items()},
        "settings": len(initial_settings(spec)),
        "reference": spec.budget.reference.kind,
        "gate": spec.budget.gate.mode,
        "at most": f"{limits.rounds} rounds of {limits.batches_per_round} batches of {limits.batch_clips} clips",
        **({"notes": notes} if (notes := foresee(spec)) else {}),
    }
