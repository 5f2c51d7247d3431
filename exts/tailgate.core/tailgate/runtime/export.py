"""The accepted frames of a run in the formats people train on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tailgate.atomic import write_atomically
from tailgate.config.budget import Budget
from tailgate.datasets import store
from tailgate.datasets.files import SUMMARY
from tailgate.datasets.manifest import ManifestRow, read_manifest
from tailgate.datasets.write import WRITERS, write_dataset
from tailgate.errors import UserError
from tailgate.frames import Frame, clip_of
from tailgate.ledger.ledger import canonical, read
from tailgate.runtime.run_folder import open_spec
from tailgate.runtime.spec import RunSpec

MANIFEST, ANNOTATIONS = "manifest.parquet", "annotations.jsonl"


def export_run(run: Path, formats: tuple[str, ...] = ()) -> tuple[dict[str, Path], list[str]]:
    """Write ``dataset/<format>`` and the manifest for every accepted frame that counts for a class which the final gate does not refuse.

    Formats of an earlier export that are not named stay where they hold the same frames, and are written again where they do not.

    Args:
        run: run folder.
        formats: names of formats; those of the budget where empty.

    Returns:
        Folder per format written, and the manifest; notes on what was left out.
    """
    spec, out = open_spec(run), run / "dataset"
    with read(run) as db:
        chosen = _chosen(db, spec)
        if not chosen.rows:
            gone = "; what was exported before is removed" if _withdraw(out) else ""
            return {}, [f"{chosen.refusal or 'No frame was accepted'}: there is no dataset{gone}."]
        asked = formats or tuple(spec.budget.output.formats)
        others = [name for name in WRITERS if name not in asked and _exported(out / name)]
        earlier = _earlier(out / MANIFEST, chosen, others)
        stale = [name for name in others if not any(name in files for files in earlier.values())]
        classes = tuple(dict.fromkeys(c.class_ for c in spec.budget.cells))
        clips = {clip for clip, count in Counter(map(clip_of, chosen.rows)).items() if count > 1}
        frames = _frames(run, [row["path"] for row in chosen.rows.values()])
        summary = write_dataset(frames, out, [*asked, *stale], classes, _describe(chosen, earlier), spec.rig, clips)
        _write_annotations(db, out / ANNOTATIONS, set(chosen.rows))
    notes = [f"Dataset format {name} was left out: it {why}." for name, why in summary.left_out.items()]
    notes += [f"Dataset format {name} was written again too: it held other frames." for name in stale if name in summary.formats]
    return {**{name: out / name for name in summary.formats}, "manifest": summary.manifest}, notes


def refused_classes(budget: Budget, classes: dict[str, dict]) -> list[str]:
    """Classes that the final gate keeps out of the dataset: quarantined, or unjudged where the budget holds those; only in enforce mode."""
    if budget.gate.mode != "enforce":
        return []
    held = {"quarantined"} | ({"unjudged"} if budget.gate.unjudged == "hold" else set())
    return [name for name, found in classes.items() if found["verdict"] in held]


@dataclass
class _Chosen:
    """Frames of the dataset by id, in order; the classes each counts for; why there is none, where the gate refuses all."""

    rows: dict[str, sqlite3.Row] = field(default_factory=dict)
    counted: dict[str, dict[str, int]] = field(default_factory=dict)
    refusal: str = ""


def _chosen(db: sqlite3.Connection, spec: RunSpec) -> _Chosen:
    outcome = db.execute("select value from meta where key = 'outcome'").fetchone()
    refused = refused_classes(spec.budget, json.loads(outcome["value"])["classes"]) if outcome else []
    rows = {row["id"]: row for row in db.execute("select * from accepted order by clip_index, tick")}
    counted = {name: _counted(db, name) for name in rows}
    kept = {name: row for name, row in rows.items() if not refused or set(counted[name]) - set(refused)}
    words = f"The final gate refuses {', '.join(refused)}, and no accepted frame counts for another class" if rows and not kept else ""
    return _Chosen(kept, counted, words)


def _exported(folder: Path) -> bool:
    return (folder / SUMMARY).is_file()


def _withdraw(out: Path) -> bool:
    """Remove what exports wrote, and nothing else; whether there was anything."""
    folders, files = [out / name for name in WRITERS if _exported(out / name)], [out / name for name in (MANIFEST, ANNOTATIONS)]
    found = [path for path in (*folders, *files) if path.exists()]
    for path in found:
        shutil.rmtree(path) if path in folders else path.unlink()
    with suppress(OSError):
        out.rmdir()
    return bool(found)


def _earlier(manifest: Path, chosen: _Chosen, formats: list[str]) -> dict[str, dict[str, list[str]]]:
    """Files by frame and format of an earlier export of the same frames; empty where it held others."""
    try:
        rows = read_manifest(manifest) if formats else []
    except UserError:
        return {}
    if [(row.id, row.digest) for row in rows] != [(name, row["digest"]) for name, row in chosen.rows.items()]:
        return {}
    return {row.id: {name: row.files[name] for name in formats if name in row.files} for row in rows}


def _describe(chosen: _Chosen, earlier: dict[str, dict[str, list[str]]]) -> Callable[[Frame], ManifestRow]:
    def describe(frame: Frame) -> ManifestRow:
        row = chosen.rows[str(frame.id)]
        return ManifestRow(
            row["id"],
            files=earlier.get(row["id"], {}),
            verdict=row["verdict"],
            codes=json.loads(row["codes"]),
            scores={k: float(v) for k, v in json.loads(row["scores"]).items()},
            counted=chosen.counted[row["id"]],
            settings=json.loads(row["sample"])["draws"],
            cell=row["cell"],
            digest=row["digest"],
        )

    return describe


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
