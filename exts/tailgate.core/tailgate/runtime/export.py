"""The accepted frames of a run in the formats people train on."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tailgate.atomic import write_atomically
from tailgate.datasets import store
from tailgate.datasets.manifest import ManifestRow
from tailgate.datasets.write import write_dataset
from tailgate.errors import UserError
from tailgate.frames import Frame
from tailgate.ledger.ledger import canonical, read
from tailgate.runtime.run_folder import open_spec

ACCEPTED = (
    "select f.id, f.codes, f.verdict, f.scores, f.sample, f.digest, f.path, c.cell from frames f join clips c using (clip_index)"
    " where c.state = 'accepted' and f.verdict = 'ok' order by f.clip_index, f.tick"
)


def export_run(run: Path, formats: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> tuple[dict[str, Path], list[str]]:
    """Write ``dataset/<format>`` and the manifest for every accepted frame.

    Args:
        run: run folder.
        formats: names of formats; those of the budget where empty.
        exclude: classes that the final gate refused; frames that count for nothing else are left out.

    Returns:
        Folder per format written, and the manifest; notes on what was left out.
    """
    db = read(run)
    spec = open_spec(run)
    budget = spec.budget
    rows = {r["id"]: r for r in db.execute(ACCEPTED)}
    counted = {name: _counted(db, name) for name in rows}
    kept = [name for name in rows if set(counted[name]) - set(exclude)] if exclude else list(rows)
    if not kept:
        return {}, ["No frame was accepted: there is no dataset."]

    def describe(frame: Frame) -> ManifestRow:
        row = rows[str(frame.id)]
        settings = json.loads(row["sample"])["draws"]
        scores = {k: float(v) for k, v in json.loads(row["scores"]).items()}
        return ManifestRow(
            row["id"], verdict=row["verdict"], codes=json.loads(row["codes"]), scores=scores, counted=counted[row["id"]], settings=settings,
            cell=row["cell"], digest=row["digest"],
        )  # fmt: skip

    classes = tuple(dict.fromkeys(c.class_ for c in budget.cells))
    frames = _frames(run, [rows[n]["path"] for n in kept])
    clips = {clip for clip, count in Counter(name.rpartition("-t")[0] for name in kept).items() if count > 1}
    summary = write_dataset(frames, run / "dataset", formats or tuple(budget.output.formats), classes, describe, spec.rig, clips)
    _write_annotations(db, run / "dataset" / "annotations.jsonl", set(kept))
    notes = [f"Dataset format {name} was left out: it {why}." for name, why in summary.left_out.items()]
    return {**{name: run / "dataset" / name for name in summary.formats}, "manifest": summary.manifest}, notes


def _write_annotations(db: sqlite3.Connection, file: Path, kept: set[str]) -> None:
    """One JSON line per frame with the labels that its annotators gave, beside the true ones in every format."""
    lines = []
    for row in db.execute("select result from clips where state = 'accepted' order by clip_index"):
        for frame in json.loads(row["result"])["frames"]:
            if frame["id"] in kept:
                lines.append(canonical({"id": frame["id"], "annotators": frame["annotations"]}) + "\n")
    write_atomically(file, "".join(lines))


def _frames(run: Path, paths: list[str]) -> Iterator[Frame]:
    for path in paths:
        if not (run / path).is_dir():
            raise UserError("is missing, though the ledger records it; the run folder was changed by hand", run / path)
        yield store.load(run / path)


def _counted(db: sqlite3.Connection, frame: str) -> dict[str, int]:
    return dict(Counter(r["class"] for r in db.execute("select class from objects where frame = ? and counted = 1 order by instance", (frame,))))
