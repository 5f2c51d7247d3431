"""Contact sheets: what a budget would make, and what a run made."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from tailgate.config.load import Source
from tailgate.runtime.backends import aside_of
from tailgate.runtime.folder import check_writable, frame_folder
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunOptions, resolve
from tailgate.runtime.studio import Studio, Take


def contact(options: RunOptions, out: Path, count: int) -> None:
    """Render the first ``count`` clips a budget would make and put them on one sheet."""
    from tailgate.report.sheet import Caption, contact_sheet

    async def taken() -> list[Take]:
        return [take async for take in takes(options, count)]

    check_writable(out, ".png")
    shown, name = asyncio.run(taken()), Source(options.budget, options.overrides).data["name"]
    captions = [Caption(t.sample.cell, "off_target" if t.codes else "ok", [*t.codes, *(f"{n} dropped" for n in t.dropped())]) for t in shown]
    contact_sheet([take.frames[0] for take in shown], out, f"{name}: preview", captions=captions)


async def takes(options: RunOptions, count: int) -> AsyncIterator[Take]:
    """The first clips a budget would make, one by one, cells and scenarios in turns; nothing is kept, and stages are as before when it ends."""
    aside = aside_of(options.backend)
    with tempfile.TemporaryDirectory() as folder:
        spec = await aside(resolve, replace(options, out=Path(folder)))
        studio, settings, cells, scenarios = Studio(spec), await aside(initial_settings, spec), spec.budget.cells, sorted(spec.scenarios)
        try:
            for i in range(count):
                yield await studio.shoot(scenarios[i % len(scenarios)], settings, i, cells[i % len(cells)])
        finally:
            studio.close()


def sheet_of_run(run: Path, out: Path, count: int = 9) -> Path | None:
    """Contact sheet of a run's accepted frames, newest first, cells in turns; of refused ones where nothing was accepted; None without frames."""
    from tailgate.datasets import store
    from tailgate.ledger.ledger import read
    from tailgate.report.sheet import Caption, contact_sheet

    query = (
        "select f.id, f.verdict, f.codes, f.path, c.cell, c.state, row_number() over (partition by c.cell order by c.clip_index desc, f.tick) as turn"
        " from frames f join clips c using (clip_index) where f.path != '' order by c.state != 'accepted', turn, c.cell limit ?"
    )
    with read(run) as db:
        rows = [(r, folder) for r in db.execute(query, (8 * count,)) if (folder := frame_folder(run, r["id"]))][:count]
    if not rows:
        return None
    frames = [store.load(folder) for _, folder in rows]
    captions = [Caption(r["cell"], r["state"]) for r, _ in rows]
    return contact_sheet(frames, out, run.name, captions=captions)
