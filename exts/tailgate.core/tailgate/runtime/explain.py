"""In words: why a frame is what it is, and what the randomizers offer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailgate.config.rig import configs_root
from tailgate.errors import UserError, nearest
from tailgate.feedback.change import describe
from tailgate.ledger.ledger import read
from tailgate.registry import randomizers
from tailgate.runtime.spec import RunOptions, resolve
from tailgate.terminal import say

if TYPE_CHECKING:
    from rich.console import Console

STATES = {
    "accepted": "it is part of the dataset",
    "rejected": "its batch was rejected",
    "off_target": "it never showed what its cell asks for",
    "failed": "it failed a check of its own",
    "surplus": "every cell it could count for was full",
    "rendered": "its batch has not been judged yet",
}


def explain_frame(run: Path, frame: str, console: Console) -> None:
    """Print what was drawn for a frame, what it shows, what was measured and what became of it."""
    from tailgate.report.words import code_words

    query = "select f.*, c.state, c.cell, c.round, c.batch, c.result from frames f join clips c using (clip_index) where f.id = ?"
    with read(run) as db:
        row = db.execute(query, (frame,)).fetchone()
        if row is None:
            known = [r["id"] for r in db.execute("select id from frames")]
            raise UserError(f"no frame '{frame}' in this run{nearest(frame, known) if known else ''}", run)
        batch = db.execute("select verdict, codes from batches where round = ? and number = ?", (row["round"], row["batch"])).fetchone()
        objects = db.execute("select * from objects where frame = ? order by instance", (frame,)).fetchall()
        pictured = bool(db.execute("select max(alone) from objects").fetchone()[0])
    sample, codes = json.loads(row["sample"]), [f"{code} ({code_words(code)})" for code in json.loads(row["codes"])] or ["none"]
    say(console, "[bold]{}[/bold]: {}: {}", frame, row["state"], STATES[row["state"]])
    say(console, "drawn for the cell '{}', attempt {}; conditions: {}", row["cell"], row["attempt"] + 1, _pairs(sample["conditions"]))
    missing = next((f.get("dropped", ()) for f in json.loads(row["result"])["frames"] if f["id"] == frame), ())
    if missing:
        say(console, "dropped: {}", ", ".join(missing))
    judged = f"batch {row['batch']} of round {row['round']}: {batch['verdict']}"
    say(console, "frame verdict {}, codes: {}; {}", row["verdict"], ", ".join(codes), judged)
    if scores := json.loads(row["scores"]):
        shown = ", ".join(f"{name} {value:+.2f}" for name, value in sorted(scores.items()))
        say(console, "deviations from the reference's means, in its standard deviations: {}", shown)
    for o in objects:
        counted = f"counts for '{o['cell']}'" if o["counted"] else "not counted"
        say(console, "  object {} {} at {:.1f} m: {}; {}", o["instance"], o["class"], o["range"], seen_of(o, pictured), counted)
    say(console, "settings drawn:")
    for address, value in sorted(sample["draws"].items()):
        say(console, "  {} = {}", address, f"{value:.4g}" if isinstance(value, float) else str(value))


def seen_of(row: Mapping[str, Any], pictured: bool) -> str:
    """What sensors saw of an object, by its row of the ledger; ``pictured``: the run has a camera."""
    returns, hidden = f"{row['lidar_hits']} returns", f"{row['occluded']:.0%} occluded"
    if not pictured:
        return f"{returns}, {hidden}"
    return f"{row['visible']} px, {returns}, {hidden}" if row["alone"] else f"outside the image, {returns}"


def randomizer_table() -> list[dict[str, Any]]:
    """Every registered randomizer: name, kind, level, first line of its documentation, and its settings as the quickstart's street sees them."""
    from tailgate.randomize.protocol import Setup

    spec = resolve(RunOptions(configs_root() / "budgets" / "quickstart.yaml"))
    scenario = next(iter(spec.scenarios.values()))
    rows = []
    for name in randomizers:
        cls = randomizers.get(name)
        settings = cls(Setup({}, scenario, spec.budget, spec.rig)).defaults()
        summary = (inspect.getdoc(cls) or "").split("\n")[0]
        shown = {n: f"{describe(s)} ({s.role})" for n, s in settings.items()}
        rows.append({"name": name, "kind": cls.kind, "level": cls.level, "summary": summary, "settings": shown})
    return rows


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{k} {v}" for k, v in sorted(values.items())) or "none"
