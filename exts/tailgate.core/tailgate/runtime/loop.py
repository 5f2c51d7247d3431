"""The loop: rounds → batches → clips. The only place that sees all stages."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tailgate.atomic import write_atomically
from tailgate.config.load import dump
from tailgate.config.setting import Setting, from_plain, to_plain
from tailgate.feedback.guard import Watch, check
from tailgate.ledger.ledger import Ledger, canonical
from tailgate.rng import rng
from tailgate.runtime.allocate import allocate
from tailgate.runtime.backends import aside_of
from tailgate.runtime.control import Control
from tailgate.runtime.engine import Engine
from tailgate.runtime.events import Events
from tailgate.runtime.folder import retire, write_status
from tailgate.runtime.judge import Judge
from tailgate.runtime.spec import RunSpec


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``met`` when every cell reached its target; ``reason`` says which limit stopped it otherwise."""

    met: bool
    reason: str
    achieved: dict[str, int]


class Loop:
    """Drives one run to its end; resumable at any moment."""

    def __init__(self, spec: RunSpec, ledger: Ledger, engine: Engine, judge: Judge, events: Events, control: Control | None = None):
        self.spec, self.ledger, self.engine, self.judge, self.events = spec, ledger, engine, judge, events
        self.control, self._aside = control or Control(), aside_of(spec.backend)
        clock = ledger.meta("clock") or {"elapsed_s": 0.0, "seconds": {}}
        self._in_force: dict[bool, dict[str, Any]] = {}
        self._started = time.monotonic() - clock["elapsed_s"]
        self._seconds: Counter[str] = Counter(clock["seconds"])

    async def run(self, initial: dict[str, Setting]) -> Outcome:
        """Make rounds until every cell is met or a limit is reached."""
        settings, limits = initial, self.spec.budget.limits
        self._initial = initial
        reason = ""
        for number in range(limits.rounds):
            held = self.ledger.rows("select state, settings from rounds where round = ?", number)
            if held:
                settings = from_plain(json.loads(held[0]["settings"]))
            if not (held and held[0]["state"] == "closed"):
                reason = await self._aside(self._limit_reached, number)
                if reason or not await self._aside(self._open_round, number, settings):
                    break
                self._tell_round(number)
                await self._make_round(number)
                await self._close_round(number, settings)
            settings = self._next_settings(number, settings)
        achieved = self.achieved()
        met = all(achieved.get(c.name, 0) >= c.target for c in self.spec.budget.cells)
        reason = "" if met else reason or f"{limits.rounds} rounds"
        return Outcome(met, reason, achieved)

    def achieved(self) -> dict[str, int]:
        """Accepted instances by cell name."""
        query = "select o.cell, count(*) as n from objects o join accepted a on a.id = o.frame where o.counted = 1 group by o.cell"
        return {r["cell"]: r["n"] for r in self.ledger.rows(query)}

    def _standing(self) -> dict[str, Any]:
        """Where every cell stands: accepted instances, and clips by state."""
        states: dict[str, dict[str, int]] = {}
        query = "select cell, state, count(*) as n from clips where state != 'rendered' group by cell, state order by cell, state"
        for row in self.ledger.rows(query):
            states.setdefault(row["cell"], {})[row["state"]] = row["n"]
        return {"achieved": self.achieved(), "states": states}

    def _limit_reached(self, number: int) -> str:
        limits = self.spec.budget.limits
        if number * limits.batch_clips * limits.batches_per_round >= limits.clips:
            return f"{limits.clips} clips"
        if time.monotonic() - self._started > limits.hours * 3600:
            return f"{limits.hours:g} hours"
        used = sum(p.stat().st_size for p in (self.spec.out / "frames").rglob("*") if p.is_file()) / 1e9
        return f"{limits.disk_gb:g} GB on disk" if used > limits.disk_gb else ""

    def _open_round(self, number: int, settings: dict[str, Setting]) -> bool:
        """Fix settings and allocation of a round; False when nothing is short."""
        limits = self.spec.budget.limits
        held = self.ledger.rows("select allocation from rounds where round = ?", number)
        if not held:
            clips = limits.batch_clips * limits.batches_per_round
            plan = allocate(self.spec.budget.cells, self.achieved(), clips)
            if not plan:
                return False
            with self.ledger.transaction():
                self.ledger.insert("rounds", [{"round": number, "state": "open", "settings": to_plain(settings), "allocation": plan}])
        self._write_settings(number, settings)
        return True

    def _tell_round(self, number: int) -> None:
        limits = self.spec.budget.limits
        clips = limits.batch_clips * limits.batches_per_round
        self.events.emit("round_started", round=number, batches=limits.batches_per_round, clips=clips, **self._standing())

    def _write_settings(self, number: int, settings: dict[str, Setting]) -> None:
        """Write the settings in force, and those of the share drawn from the prior: what was searched starts anew, what was estimated stays."""
        prior = {a: self._initial[a] if s.role == "nuisance" else s for a, s in settings.items()}
        for chosen, is_prior in ((settings, False), (prior, True)):
            self._in_force[is_prior] = to_plain(chosen)
            write_atomically(self.spec.out / settings_file(number, is_prior), dump({"round": number, "settings": self._in_force[is_prior]}))

    async def _make_round(self, number: int) -> None:
        """Render what is missing and judge batches in index order; stop as soon as every cell is met."""
        limits = self.spec.budget.limits
        first = number * limits.batch_clips * limits.batches_per_round
        allocation = json.loads(self.ledger.rows("select allocation from rounds where round = ?", number)[0]["allocation"])
        rendered = await self._aside(self._rendered, number)
        judged = {r["number"] for r in self.ledger.rows("select number from batches where round = ?", number)}
        jobs = [self._job(number, first + i, cell) for i, cell in enumerate(allocation) if first + i not in rendered]
        jobs.sort(key=lambda job: (job["index"] // limits.batch_clips, job["scenario"], job["index"]))
        pending: dict[asyncio.Task, dict[str, Any]] = {}
        try:
            for batch in range(limits.batches_per_round):
                indices = range(first + batch * limits.batch_clips, first + (batch + 1) * limits.batch_clips)
                while not all(i in rendered for i in indices):
                    while jobs and len(pending) < self.engine.ahead and not (pending and self.control.paused):
                        await self.control.ready()
                        job = jobs.pop(0)
                        pending[asyncio.ensure_future(self.engine.submit(job))] = job
                    done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    finished = [(pending.pop(task), task.result()) for task in done]
                    await self._aside(self._record_clips, number, finished)
                    rendered.update((job["index"], result) for job, result in finished)
                    self._tell_clips(finished)
                if batch not in judged:
                    await self._judge_batch(number, batch, [rendered[i] for i in indices])
                if self._met():
                    break
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def _job(self, number: int, index: int, cell: str) -> dict[str, Any]:
        prior = number > 0 and rng(self.spec.budget.seed, "", number, index, 0, "runtime.prior").random() < self.spec.budget.feedback.prior_share
        return {"round": number, "index": index, "cell": cell, "scenario": self._scenario(index), "settings": self._in_force[prior]}

    def _scenario(self, index: int) -> str:
        names, weights = zip(*sorted(self.spec.weights.items()), strict=True)
        share = [w / sum(weights) for w in weights]
        return names[int(rng(self.spec.budget.seed, "", 0, index, 0, "runtime.scenario").choice(len(names), p=share))]

    def _rendered(self, number: int) -> dict[int, dict[str, Any]]:
        """Results of the round's clips that were recorded before, by index."""
        clips = self.ledger.rows("select clip_index, result from clips where round = ?", number)
        return {r["clip_index"]: json.loads(r["result"]) for r in clips}

    def _record_clips(self, number: int, finished: list[tuple[dict, dict]]) -> None:
        limits = self.spec.budget.limits
        with self.ledger.transaction():
            for job, result in finished:
                batch = job["index"] // limits.batch_clips % limits.batches_per_round
                row = {"clip_index": job["index"], "round": number, "batch": batch, "scenario": job["scenario"], "cell": job["cell"]}
                self.ledger.insert("clips", [{**row, "attempts": result["attempts"], "state": "rendered", "result": result}])

    def _tell_clips(self, finished: list[tuple[dict, dict]]) -> None:
        for job, result in finished:
            self._seconds.update(result["seconds"])
            self.events.emit("clip", index=job["index"], cell=job["cell"], codes=result["codes"], attempts=result["attempts"])

    async def _judge_batch(self, number: int, batch: int, results: list[dict[str, Any]]) -> None:
        """Judge one batch, record it in one transaction and tell."""
        started = time.perf_counter()
        verdict = await self._aside(self.judge.batch, results)
        self._seconds["validate"] += time.perf_counter() - started
        tally = await self._aside(self._record_batch, number, batch, results, verdict)
        rows = [row.to_json() for row in verdict.rows]
        self.events.emit(
            "batch", round=number, batch=batch, verdict=verdict.verdict, codes=verdict.codes, rows=rows, clips=tally, **self._standing()
        )

    def _record_batch(self, number: int, batch: int, results: list[dict[str, Any]], verdict: Any) -> list[dict[str, str]]:
        """Put a batch's verdicts into the ledger; returns cell and state of each clip."""
        need = {c.name: c.target - self.achieved().get(c.name, 0) for c in self.spec.budget.cells}
        states = {}
        with self.ledger.transaction():
            for result in results:
                state = self._clip_state(result, verdict, need)
                states[result["index"]] = state
                self.ledger.update("clips", {"clip_index": result["index"]}, state=state)
                self.ledger.insert("frames", verdict.frame_rows(result))
                self.ledger.insert("objects", verdict.object_rows(result))
                self.ledger.count(f"clips_{state}")
                self.ledger.count("attempts", result["attempts"])
            row = {"round": number, "number": batch, "first_index": results[0]["index"], "count": len(results)}
            self.ledger.insert(
                "batches", [{**row, "verdict": verdict.verdict, "codes": verdict.codes, "scorecard": [r.to_json() for r in verdict.rows]}]
            )
        self._write_status(number)
        cells = {job["index"]: job["sample"]["cell"] for job in results}
        return [{"cell": cells[index], "state": state} for index, state in states.items()]

    def _clip_state(self, result: dict[str, Any], verdict: Any, need: dict[str, int]) -> str:
        """State of a clip; acceptance in index order until the quota, surplus discarded."""
        if result["codes"]:
            return "off_target"
        if any(frame["codes"] for frame in result["frames"]):
            return "failed"
        if verdict.verdict == "rejected" and self.spec.budget.gate.mode == "enforce":
            return "rejected"
        counted = Counter(o["cell"] for f in result["frames"] for o in f["objects"] if o["counted"])
        if not any(need.get(cell, 0) > 0 for cell in counted):
            return "surplus"
        for cell, n in counted.items():
            need[cell] = need.get(cell, 0) - n
        return "accepted"

    def _retire(self, number: int) -> None:
        """Take the frames of a closed round that are not data out of ``frames/``, keeping some that were refused for people to look at."""
        query = "select f.id, c.state from frames f join clips c using (clip_index) where c.round = ? and c.state != 'accepted' order by f.id"
        kept = len(list((self.spec.out / "rejected").glob("*")))
        for row in self.ledger.rows(query, number):
            keep = row["state"] in ("rejected", "failed") and kept < self.spec.budget.output.keep_rejected
            retire(self.spec.out, row["id"], keep)
            kept += keep

    def _met(self) -> bool:
        achieved = self.achieved()
        return all(achieved.get(c.name, 0) >= c.target for c in self.spec.budget.cells)

    async def _close_round(self, number: int, settings: dict[str, Setting]) -> None:
        """Score the round against both parts of the reference and decide what the next round changes."""
        columns = "f.id, f.verdict, f.scores, f.sample, c.state"
        query = f"select {columns} from frames f join clips c using (clip_index) where c.round = ? order by f.clip_index, f.tick"
        frames = self.ledger.rows(query, number)
        self.events.emit("busy", text=f"round {number}: measured against the reference; deciding what changes")
        started = time.perf_counter()
        scorecard = await self._aside(self.judge.round, frames)
        guard = self.ledger.meta("guard") or self._guard(scorecard, number)
        restored = self._restored(guard)
        after, changes = (restored, []) if restored else await self._aside(self.judge.feedback, number, settings, frames, self._step())
        self._seconds["feedback"] += time.perf_counter() - started
        await self._aside(self._record_round, number, after, {"scorecard": scorecard, "feedback": [c.to_json() for c in changes]}, guard)
        said = {"summary": scorecard.get("summary", {}), "ratio_error": scorecard.get("ratio_error", {}), "changes": [c.to_json() for c in changes]}
        self.events.emit("round_closed", round=number, **said)

    def _step(self) -> Callable[[str, int, int], None]:
        """Tells listeners how far a long step is; from another thread, by the loop that they live on."""
        loop, home = asyncio.get_running_loop(), threading.get_ident()

        def tell(text: str, done: int, total: int) -> None:
            emit = partial(self.events.emit, "step", text=text, done=done, total=total)
            emit() if threading.get_ident() == home else loop.call_soon_threadsafe(emit)

        return tell

    def _record_round(self, number: int, after: dict[str, Setting], columns: dict[str, Any], guard: dict[str, Any] | None) -> None:
        """Close a round in the ledger and in the run folder."""
        with self.ledger.transaction():
            self.ledger.update("clips", {"round": number, "state": "rendered"}, state="surplus")
            self.ledger.update("rounds", {"round": number}, state="closed", **columns)
            self.ledger.set_meta(f"settings_after_{number}", to_plain(after))
            if guard:
                self.ledger.set_meta("guard", guard)
        self._retire(number)
        self._write_status(number)

    def _guard(self, scorecard: dict[str, Any], number: int) -> dict[str, Any] | None:
        """Whether the held-back recordings say that feedback fools itself; a weak hold-out warns and stops nothing."""
        closed = self.ledger.rows("select round, scorecard from rounds where state = 'closed' order by round")
        cards = {r["round"]: json.loads(r["scorecard"]) for r in closed}
        alarm = check([w for n, card in {**cards, number: scorecard}.items() if (w := watch(n, card))])
        if alarm is None:
            return None
        stopped = not self.judge.reference.weak
        done = f"feedback stops and the settings of round {alarm.best} are restored" if stopped else "the hold-out is weak, so feedback goes on"
        self.events.emit("note", text=f"{alarm.words}; {done}.")
        return {**alarm.to_json(), "stopped": stopped}

    def _restored(self, guard: dict[str, Any] | None) -> dict[str, Setting] | None:
        """Settings of the best round, once the guard has stopped feedback."""
        if not (guard and guard["stopped"]):
            return None
        held = self.ledger.rows("select settings from rounds where round = ?", guard["best"])
        return from_plain(json.loads(held[0]["settings"]))

    def _next_settings(self, number: int, settings: dict[str, Setting]) -> dict[str, Setting]:
        held = self.ledger.meta(f"settings_after_{number}")
        return from_plain(held) if held else settings

    def _write_status(self, number: int) -> None:
        achieved = self.achieved()
        cells = [{"cell": c.name, "target": c.target, "achieved": achieved.get(c.name, 0)} for c in self.spec.budget.cells]
        accepted = self.ledger.counters().get("clips_accepted", 0)
        seconds = {k: round(v, 3) for k, v in sorted(self._seconds.items())}
        elapsed = round(time.monotonic() - self._started, 1)
        with self.ledger.transaction():
            self.ledger.set_meta("clock", {"elapsed_s": elapsed, "seconds": seconds})
        status = {
            "name": self.spec.budget.name,
            "round": number,
            "cells": cells,
            "clips": self.ledger.counters(),
            "accepted_clips": accepted,
            "seconds_by_stage": seconds,
            "elapsed_s": elapsed,
        }
        write_status(self.spec.out, json.loads(canonical(status)))


def watch(number: int, card: dict[str, Any]) -> Watch | None:
    """What the guard reads of a round's scorecard; None where a part was not measured."""
    ratio, error = card.get("summary", {}).get("distance_ratio", {}), card.get("ratio_error", {}).get("holdout")
    known = [ratio.get("feedback"), ratio.get("holdout"), error]
    return None if None in known else Watch(number, *known)


def settings_file(number: int, prior: bool = False) -> str:
    """Path of a round's settings within the run folder; ``prior`` for the share of clips drawn as before feedback."""
    return f"settings/{'prior' if prior else 'round'}-{number:03d}.yaml"
