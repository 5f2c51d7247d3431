"""Opened scenarios with a backend each: sample → apply → render → sensors, for workers and previews alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tailgate.config.budget import Cell
from tailgate.config.setting import Setting
from tailgate.errors import UserError
from tailgate.frames import Frame, Sample
from tailgate.render.backend import StageDisturbed
from tailgate.runtime.backends import aside_of, backend_class, turns_of
from tailgate.runtime.spec import RunSpec

CAPTURES = 8
"""Times that a frame is taken again because somebody changed the stage meanwhile."""


class Clock:
    """Seconds spent per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start


@dataclass
class Take:
    """One clip as drawn and seen.

    Attributes:
        sample: what was drawn.
        frames: a frame per tick as it came; only the first where the clip is off target.
        perfect: the first tick before responses.
        measured: the first tick with responses applied, none of its sensors dropped.
        codes: why the clip is off target; empty when it is on target.
        attempts: draws it took.
    """

    sample: Sample
    frames: list[Frame]
    perfect: Frame
    measured: Frame
    codes: list[str]
    attempts: int
    clock: Clock = field(default_factory=Clock)

    def dropped(self, tick: int = 0) -> list[str]:
        """Names of the sensors whose frame of a tick was dropped."""
        return [name for name in self.perfect.sensors if name not in self.frames[tick].sensors]


class Studio:
    """Opens each scenario once and keeps it; every take depends on its arguments alone."""

    def __init__(self, spec: RunSpec):
        self.spec = spec
        self._backend, self.aside, self._turns = backend_class(spec.backend), aside_of(spec.backend), turns_of(spec.backend)
        self._open: dict[str, tuple[Any, Any]] = {}

    async def shoot(self, scenario: str, settings: Mapping[str, Setting], index: int, cell: Cell, round: int = 0) -> Take:
        """Draw and render a clip; one that misses its cell is drawn again, up to the budget's limit of attempts.

        Whether it meets the cell is seen before any frame is dropped: a lost message says nothing of the scene.
        """
        from tailgate.randomize.draw import ClipRequest, draw_sample
        from tailgate.randomize.verify import check_target, count_instances

        opened, backend = await self.scenario(scenario)
        clock, budget = Clock(), self.spec.budget
        for attempt in range(budget.limits.attempts):
            with clock("randomize"):
                sample = await self.aside(draw_sample, opened, settings, ClipRequest(round, index, attempt, cell, budget.seed))
            perfect = await self._render(opened, backend, sample, 0, clock)
            first = whole = await self.aside(self._measured, perfect, sample, clock)
            codes = check_target(whole, sample, cell, budget.output)
            if not codes:
                break
        frames = [self._delivered(whole, sample)]
        for tick in range(1, 1 if codes else self.spec.scenarios[scenario].ticks):
            seen = await self._render(opened, backend, sample, tick, clock)
            whole = await self.aside(self._measured, seen, sample, clock, whole)
            frames.append(self._delivered(whole, sample))
        take = Take(sample, frames, perfect, first, codes, attempt + 1, clock)
        if not codes and take.dropped() and not any(count_instances(frame, budget) for frame in frames if frame.sensors):
            take.codes.append("dropped")
        return take

    async def render(self, sample: Sample, tick: int = 0) -> Frame:
        """A drawn sample as its scenario's backend sees it, before responses."""
        return await self._render(*await self.scenario(sample.id.scenario), sample, tick, Clock())

    def respond(self, frame: Frame, sample: Sample, before: Frame | None = None) -> Frame:
        """What the rig delivers of a frame, with the sensor responses that a sample drew; ``before`` is the tick before as measured."""
        return self._delivered(self._measured(frame, sample, Clock(), before), sample)

    def _measured(self, frame: Frame, sample: Sample, clock: Clock, before: Frame | None = None) -> Frame:
        from tailgate.sensors import measured

        with clock("sensors"):
            return measured(frame, sample, self.spec.rig, (self.spec.budget.seed, str(frame.id)), before)

    def _delivered(self, frame: Frame, sample: Sample) -> Frame:
        from tailgate.sensors import delivered

        return delivered(frame, sample, self.spec.rig, (self.spec.budget.seed, str(frame.id)))

    def annotate(self, frame: Frame, sample: Sample) -> dict[str, Any]:
        """Labels as the annotators of an open scenario give them."""
        from tailgate.randomize.apply import annotate_frame

        return annotate_frame(self._open[sample.id.scenario][0], sample, frame)

    async def scenario(self, name: str) -> tuple[Any, Any]:
        """A scenario and its backend, opened on first use; the others are closed where the backend holds one scene at a time."""
        if name not in self._open:
            from tailgate.randomize.scenario import author_scenario, prepare

            if self._backend.shares_loop:
                self.close()
            given = self.spec.scenarios[name], self.spec.budget, self.spec.rig, self.spec.cache
            base = await self.aside(prepare, *given)
            backend = self._backend(self.spec.device)
            opened = await self._turns(author_scenario, *given, await backend.load(base))
            opened.layers.attach()
            backend.open(opened.stage, self.spec.rig, opened.labels)
            self._open[name] = opened, backend
        return self._open[name]

    def close(self) -> None:
        """Close backends and stages; idempotent."""
        for opened, backend in self._open.values():
            backend.close()
            opened.close()
        self._open.clear()

    async def _render(self, opened: Any, backend: Any, sample: Sample, tick: int, clock: Clock) -> Frame:
        from tailgate.randomize.apply import apply_sample

        for _ in range(CAPTURES):
            with clock("randomize"):
                apply_sample(opened, sample, tick)
            try:
                with clock("render"):
                    backend.apply(sample.at(tick))
                    return later(await backend.capture(tick), tick * self.spec.scenarios[sample.id.scenario].tick_s)
            except StageDisturbed as error:
                last = error
        raise UserError(f"the stage must be left alone while clips are taken; in {CAPTURES} captures of {sample.id} it was not: {last}")


def later(frame: Frame, seconds: float) -> Frame:
    """A frame whose times are counted from its tick, counted from the clip's first instead."""
    ns = round(1e9 * seconds)
    return replace(frame, sensors={name: replace(s, t_start=s.t_start + ns, t_end=s.t_end + ns) for name, s in frame.sensors.items()})
