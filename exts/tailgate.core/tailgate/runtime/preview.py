"""Contact sheets: what a budget would make, what a run made, and what each sensor effect does alone."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from tailgate.config.setting import Setting
from tailgate.distributions import Ranged
from tailgate.frames import Frame, Sample
from tailgate.runtime.folder import check_writable, frame_folder
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunOptions, resolve
from tailgate.runtime.studio import Studio

LEVELS = (0.0, 0.5, 1.0)
"""Shares of a response setting's bounds shown by an ablation: off, middle, strong."""


def contact(options: RunOptions, out: Path, count: int) -> None:
    """Render the first ``count`` clips a budget would make and put them on one sheet."""
    from tailgate.report.sheet import Caption, contact_sheet

    check_writable(out)
    with tempfile.TemporaryDirectory() as folder:
        spec = resolve(replace(options, out=Path(folder)))
        studio, settings = Studio(spec), initial_settings(spec)
        frames, captions = [], []
        cells = spec.budget.cells
        for i in range(count):
            cell = cells[i % len(cells)]
            take = asyncio.run(studio.shoot(sorted(spec.scenarios)[i % len(spec.scenarios)], settings, i, cell))
            frames.append(take.frames[0])
            captions.append(Caption(cell.name, "off_target" if take.codes else "ok", take.codes))
        studio.close()
    contact_sheet(frames, out, f"{spec.budget.name}: preview", captions=captions)


def ablation(options: RunOptions, out: Path, count: int) -> None:
    """Show every sensor response setting alone, from off to strong, on one clip."""
    from tailgate.report.sheet import ablation_sheet

    check_writable(out)
    with tempfile.TemporaryDirectory() as folder:
        spec = resolve(replace(options, out=Path(folder)))
        studio, settings = Studio(spec), initial_settings(spec)
        name = sorted(spec.scenarios)[0]
        take = asyncio.run(studio.shoot(name, settings, 0, spec.budget.cells[0]))
        rows = []
        for sensor, mounted in spec.rig.sensors.items():
            for parameter, setting in mounted.model.response.items():
                if isinstance(setting.dist, Ranged):
                    frames = [studio.respond(take.perfect, _alone(take.sample, sensor, mounted.model.response, parameter, s)) for s in LEVELS]
                    rows.append((f"{sensor}: {parameter}", [_only(frame, sensor) for frame in frames]))
        studio.close()
    ablation_sheet(rows[:count * 4], out)


def sheet_of_run(run: Path, out: Path, count: int = 9) -> Path | None:
    """Contact sheet of a run's accepted frames, newest first, cells in turns; of refused ones where nothing was accepted; None without frames."""
    from tailgate.datasets import store
    from tailgate.ledger.ledger import read
    from tailgate.report.sheet import Caption, contact_sheet

    query = (
        "select f.id, f.verdict, f.codes, f.path, c.cell, c.state, row_number() over (partition by c.cell order by c.clip_index desc, f.tick) as turn"
        " from frames f join clips c using (clip_index) where f.path != '' order by c.state != 'accepted', turn, c.cell limit ?"
    )
    rows = [(r, folder) for r in read(run).execute(query, (8 * count,)) if (folder := frame_folder(run, r["id"]))][:count]
    if not rows:
        return None
    frames = [store.load(folder) for _, folder in rows]
    captions = [Caption(r["cell"], r["state"]) for r, _ in rows]
    return contact_sheet(frames, out, run.name, captions=captions)


def _alone(sample: Sample, sensor: str, response: dict[str, Setting], parameter: str, share: float) -> Sample:
    """The sample with every response of every sensor off but one, at a share of its bounds."""
    off = {s: {p: 0.0 for p in values} for s, values in sample.sensors.items()}
    for name, setting in response.items():
        off[sensor][name] = neutral(setting)
    dist = response[parameter].dist
    off[sensor][parameter] = dist.low + share * (dist.high - dist.low)
    return replace(sample, sensors={**sample.sensors, sensor: off[sensor]})


def neutral(setting: Setting) -> float:
    """The value at which an effect does nothing: 1 for a gain (bounds on both sides of 1), else the bound nearest 0."""
    dist = setting.dist
    if not isinstance(dist, Ranged):
        return float(dist.sample(None))
    if dist.low <= 0.0 <= dist.high:
        return 0.0
    return 1.0 if dist.low < 1.0 < dist.high else min((dist.low, dist.high), key=abs)


def _only(frame: Frame, sensor: str) -> Frame:
    return replace(frame, sensors={sensor: frame.sensors[sensor]})
