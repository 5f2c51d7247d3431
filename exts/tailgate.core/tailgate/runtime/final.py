"""What is decided once, over the whole accepted set, before it becomes a dataset: its integrity, what to make again, and the audit."""

from __future__ import annotations

import json
from typing import Any

from tailgate.atomic import write_atomically
from tailgate.config.budget import Budget
from tailgate.config.load import dump
from tailgate.frames import clip_of
from tailgate.ledger.ledger import Ledger
from tailgate.rng import stream_key
from tailgate.runtime.judge import Judge
from tailgate.runtime.reference import read_audit
from tailgate.runtime.spec import RunSpec
from tailgate.validate.evidence import STATISTICS
from tailgate.validate.integrity import set_rows
from tailgate.validate.ratio import distance_ratio
from tailgate.validate.scorecard import Row
from tailgate.validate.sketch import Sketch, compare, summarize

QUARANTINE, AGAIN = "quarantine.yaml", "again.yaml"
WORST = 10
"""Objects named per quarantined class."""


def audit(spec: RunSpec, ledger: Ledger, judge: Judge) -> dict[str, Any] | None:
    """Score the accepted frames against the audit part. It is read once in the life of a run: a second call gives the first result back.

    Returns:
        W1 by statistic, the distance ratio with its standard error, and how many frames were on either side; None where the reference has no audit
        part or nothing was accepted.
    """
    held = ledger.meta("audit")
    names = [r["id"] for r in ledger.rows("select id from accepted order by clip_index, tick")]
    if held or not names:
        return held
    groups = read_audit(spec)
    if not groups:
        return None
    evidence = {name: e for name in names if judge.reference.shows((e := judge.evidence(name)).weather)}
    if not evidence:
        return None
    blocks = [b for e in evidence.values() for b in e.blocks]
    clips = [clip_of(name) for name, e in evidence.items() for _ in e.blocks]
    real = {group: [b for e in found for b in e.blocks] for group, found in groups.items()}
    ratio = distance_ratio(real, blocks, STATISTICS, clips)
    total = Sketch.total(b for found in real.values() for b in found)
    result = {
        "groups": sorted(groups),
        "frames": {"real": sum(map(len, groups.values())), "synthetic": len(evidence)},
        "distance_ratio": ratio.value,
        "error": ratio.error,
        "statistics": summarize(compare(total, Sketch.total(blocks), STATISTICS)),
    }
    with ledger.transaction():
        ledger.set_meta("audit", result)
    return result


def integrity(spec: RunSpec, ledger: Ledger, judge: Judge) -> list[Row]:
    """What only the whole set can show: frames that repeat each other, and conditions that give a class away though no cell ties them together."""
    rows = ledger.rows("select id, sample from accepted order by clip_index, tick")
    if not rows:
        return []
    evidence = {r["id"]: judge.evidence(r["id"]) for r in rows}
    conditions = [json.loads(r["sample"]).get("conditions") or {} for r in rows]
    clips = [clip_of(r["id"]) for r in rows]
    real = {group: found[0] for group, found in judge.reference.groups["feedback"].items()} or None
    found = set_rows(evidence, conditions, clips, real, _pinned(spec.budget))
    with ledger.transaction():
        ledger.set_meta("integrity", [row.to_json() for row in found])
    return found


def unjudged(ledger: Ledger, judge: Judge) -> list[str]:
    """What to say of accepted frames in weather that the reference does not show."""
    rows = ledger.rows("select sample from accepted order by id")
    weathers = [json.loads(row["sample"])["conditions"].get("weather", "") for row in rows]
    unseen = [weather for weather in weathers if not judge.reference.shows(weather)]
    kinds = " and no ".join(sorted(set(unseen)))
    return [f"{len(unseen)} of {len(rows)} accepted frames were not judged: the reference shows no {kinds}."] if unseen else []


def _pinned(budget: Budget) -> frozenset[tuple[str, str]]:
    """Pairs of class and condition that the cells tie together: where one cell pins the light, classes of other cells keep away from it."""
    conditions = [name for name in ("light", "weather") if any(getattr(c, name) for c in budget.cells)]
    return frozenset((c.class_, name) for c in budget.cells for name in conditions)


def quarantine(spec: RunSpec, ledger: Ledger, classes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Name what to make again of each quarantined class, and write it into the run folder.

    ``quarantine.yaml``: per class the reasons, the clips that hold it, its instances by cell, and the objects farthest from any real one.
    ``again.yaml``: a budget that asks for just these instances, with another seed. Both files go when nothing that was accepted is
    quarantined.

    Returns:
        What was written, by class.
    """
    held = {n: _withdrawn(ledger, n, c["rows"]) for n, c in sorted(classes.items()) if c["verdict"] == "quarantined"}
    found = {n: entry for n, entry in held.items() if entry["instances"]}
    files = [spec.out / QUARANTINE, spec.out / AGAIN]
    if not found:
        for file in files:
            file.unlink(missing_ok=True)
        return {}
    again = _again(spec.budget, {cell: n for entry in found.values() for cell, n in entry["instances"].items()})
    head = "# Classes that the final gate refuses, and what holds them. Change what the reasons name, then make them again with again.yaml.\n"
    write_atomically(files[0], head + dump(found))
    head = f"# Asks again for what was quarantined in the run '{spec.budget.name}'. Paths are those of its budget: put this file beside that one.\n"
    write_atomically(files[1], head + dump(again))
    return found


def _withdrawn(ledger: Ledger, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    failed = [r for r in map(Row.from_json, rows) if r.gates and r.verdict == "failed"]
    objects = ledger.rows(
        "select o.frame, o.instance, o.cell, o.range, o.counted, o.scores, a.clip_index from objects o join accepted a on a.id = o.frame"
        " where o.class = ? order by a.clip_index, a.tick, o.instance",
        name,
    )
    instances: dict[str, int] = {}
    for o in objects:
        if o["counted"]:
            instances[o["cell"]] = instances.get(o["cell"], 0) + 1
    far = [{"frame": o["frame"], "instance": o["instance"], "range_m": round(o["range"], 2), "chamfer_m": _chamfer(o)} for o in objects]
    far = sorted((f for f in far if f["chamfer_m"] is not None), key=lambda f: (-f["chamfer_m"], f["frame"], f["instance"]))
    return {
        "reasons": [_reason(r) for r in failed],
        "instances": dict(sorted(instances.items())),
        "clips": sorted({o["clip_index"] for o in objects if o["counted"]}),
        "farthest": far[:WORST],
    }


def _reason(row: Row) -> dict[str, Any]:
    value, limit = (None if v is None else round(v, 4) for v in (row.value, row.limit))
    return {"metric": row.metric, "sensor": row.modality, "stratum": row.stratum, "value": value, "limit": limit, "note": row.note}


def _chamfer(row: dict[str, Any]) -> float | None:
    value = json.loads(row["scores"]).get("chamfer")
    return None if value is None else round(value, 4)


def _again(budget: Budget, instances: dict[str, int]) -> Budget:
    cells = [c.model_copy(update={"target": instances[c.name]}) for c in budget.cells if instances.get(c.name)]
    return budget.model_copy(update={"name": f"{budget.name}-again", "seed": stream_key(budget.seed, "again") % 2**63, "cells": cells})
