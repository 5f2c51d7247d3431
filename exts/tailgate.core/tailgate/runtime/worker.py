"""One clip from sample to files: sample → apply → render → sensors → measure → store. Runs where the engine puts it."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tailgate.config.budget import Cell
from tailgate.config.load import load
from tailgate.config.setting import Setting
from tailgate.frames import Frame, Sample
from tailgate.runtime.spec import RunSpec


class Worker:
    """Keeps the opened scenarios and a backend per scenario; every result depends on the job alone."""

    def __init__(self, spec: RunSpec):
        self.spec = spec
        self._open: dict[str, Any] = {}
        self._backends: dict[str, Any] = {}
        self._settings: dict[str, dict[str, Setting]] = {}
        self._cells = {c.name: c for c in spec.budget.cells}

    async def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make one clip.

        Args:
            job: ``index``, ``round``, ``scenario``, ``cell`` (name), ``settings`` (file of the settings in force); ``reference`` (name of an
                evidence file) makes a frame of a simulated reference instead, of which nothing else is kept.

        Returns:
            ``codes`` (empty when on target), ``attempts``, ``frames`` (one record per stored tick) and ``seconds`` per stage.
        """
        from tailgate.randomize.draw import ClipRequest, draw_sample
        from tailgate.randomize.verify import check_target
        from tailgate.validate.evidence import measure

        scenario, backend = self._scenario(job["scenario"])
        settings, cell = self._load_settings(job["settings"]), self._cells[job["cell"]]
        clock = _Clock()
        for attempt in range(self.spec.budget.limits.attempts):
            request = ClipRequest(job["round"], job["index"], attempt, cell, self.spec.budget.seed)
            with clock("randomize"):
                sample = draw_sample(scenario, settings, request)
            first = await self._render(scenario, backend, sample, 0, clock)
            codes = check_target(first, sample, cell, self.spec.budget.output)
            if not codes:
                break
        records = []
        if "reference" in job:
            measure(first, job["reference"], job["reference"]).save(self.spec.out / "evidence" / f"{job['reference']}.npz")
        elif not codes:
            for tick in range(self.spec.scenarios[job["scenario"]].ticks):
                frame = first if tick == 0 else await self._render(scenario, backend, sample, tick, clock)
                records.append(self._store(frame, sample, cell, clock))
        return {
            "index": job["index"],
            "codes": codes,
            "attempts": attempt + 1,
            "sample": sample.to_json(),
            "frames": records,
            "seconds": dict(clock.seconds),
        }

    def close(self) -> None:
        """Close backends and stages; idempotent."""
        for backend in self._backends.values():
            backend.close()
        for scenario in self._open.values():
            scenario.close()
        self._backends.clear()
        self._open.clear()

    async def _render(self, scenario: Any, backend: Any, sample: Sample, tick: int, clock: _Clock) -> Frame:
        from tailgate.randomize.apply import apply_sample
        from tailgate.sensors import respond

        with clock("randomize"):
            apply_sample(scenario, sample, tick)
        with clock("render"):
            backend.apply(sample)
            frame = await backend.capture(tick)
        with clock("sensors"):
            return respond(frame, sample, self.spec.rig, (self.spec.budget.seed, str(frame.id)))

    def _store(self, frame: Frame, sample: Sample, cell: Cell, clock: _Clock) -> dict[str, Any]:
        """Measure a frame and write it with its evidence; the folder appears whole or not at all."""
        from tailgate.datasets import store
        from tailgate.randomize.verify import count_instances
        from tailgate.validate.evidence import measure

        with clock("validate"):
            evidence = measure(frame, str(frame.id), f"clip-{frame.id.index}")
        with clock("write"):
            folder = self.spec.out / "frames" / str(frame.id)
            shutil.rmtree(folder, ignore_errors=True)
            store.save(frame, folder)
            evidence.save(self.spec.out / "evidence" / f"{frame.id}.npz")
            digest = store.digest(frame)
        return {
            "id": str(frame.id),
            "tick": frame.id.tick,
            "attempt": frame.id.attempt,
            "digest": digest,
            "codes": evidence.codes,
            "objects": _object_rows(frame, dict(count_instances(frame, self.spec.budget))),
            "hints": frame.hints,
        }

    def _scenario(self, name: str) -> tuple[Any, Any]:
        if name not in self._open:
            from tailgate.randomize.scenario import open_scenario
            from tailgate.render.raytrace import WarpBackend

            opened = open_scenario(self.spec.scenarios[name], self.spec.budget, self.spec.rig, self.spec.cache)
            backend = WarpBackend(device=self.spec.device)
            backend.open(opened.stage, self.spec.rig, opened.labels)
            self._open[name], self._backends[name] = opened, backend
        return self._open[name], self._backends[name]

    def _load_settings(self, file: str) -> dict[str, Setting]:
        if file not in self._settings:
            self._settings = {file: read_settings(self.spec.out / file)}
        return self._settings[file]


class _Clock:
    """Seconds spent per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str):
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start


def read_settings(path: Path) -> dict[str, Setting]:
    """Settings by address from a settings file."""
    from tailgate.config.load import Model

    class _File(Model):
        round: int
        settings: dict[str, Setting]

    return load(_File, path).settings


def _object_rows(frame: Frame, cells: dict[int, str]) -> list[dict[str, Any]]:
    """One record per object: what the primary camera sees of it, and the returns of all LiDARs."""
    cameras = [s for s in frame.sensors.values() if s.kind == "camera"]
    lidars = [s for s in frame.sensors.values() if s.kind == "lidar"]
    main = (cameras or lidars)[0].view
    rows = []
    for i, name in enumerate(frame.objects.class_name):
        hits = int(sum(s.view.visible[i] for s in lidars))
        rows.append(
            {
                "instance": int(frame.objects.instance[i]),
                "class": name,
                "cell": cells.get(i, ""),
                "range": float(main.range[i]),
                "occluded": float(main.occluded[i]),
                "truncated": float(main.truncated[i]),
                "visible": int(main.visible[i]),
                "alone": int(main.alone[i]),
                "lidar_hits": hits,
                "counted": int(i in cells),
            }
        )
    return rows
