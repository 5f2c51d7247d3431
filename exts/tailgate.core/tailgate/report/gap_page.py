"""The page of ``gap``: what matters first, then by family, range and class, what gives the data away, and a map of both sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.report import gap_charts
from tailgate.report.gap_record import GapRecord, direction_words, reason_words, words_of
from tailgate.report.html import Tile
from tailgate.report.page import figure, svg, template
from tailgate.report.words import FAMILIES, metric_words
from tailgate.validate.gap import Difference

SHOWN = 24
"""Differences drawn before the rest is folded away."""
_RANGE = re.compile(r"(?:[<>] )?\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)? m\b")
MODALITIES = {"lidar": "LiDAR", "rgbd": "RGB-D camera", "": "all sensors"}


def write_page(record: GapRecord, out: str | Path) -> Path:
    """Write the page; it needs no network, no script and no other file."""
    from tailgate.atomic import write_atomically

    out = Path(out)
    write_atomically(out, render(record))
    return out


def render(record: GapRecord) -> str:
    """The page as text. Everything that comes from data is escaped by the template or by the charts."""
    rows = [_row(d) for d in record.differences if d.family != "content"]
    matter, within = [r for r in rows if r.matters], [r for r in rows if not r.matters]
    return template("gap.html.j2").render(
        record=record,
        level="good" if not record.faults else "bad",
        word="No gap found" if not record.faults else "A gap that matters",
        tiles=_tiles(record),
        shown=matter[:SHOWN],
        folded=matter[SHOWN:],
        within=within,
        key=svg(gap_charts.scale_key()),
        families=_families(record),
        by_range=_by_range(record),
        classes=[_row(d) for d in record.differences if d.family == "content"],
        told=[_told(record, i) for i in range(len(record.told))],
        modalities=MODALITIES,
        metric_words=metric_words,
    )


def _tiles(record: GapRecord) -> list[Tile]:
    judged = [d for d in record.differences if d.floor and d.family != "content"]
    ratio = "not measured" if record.ratio is None else f"{record.ratio:.2f} ×"
    tiles = [
        Tile(
            "Differences that matter", f"{len(record.faults)} / {len(judged)}", "statistics in single strata, their whole interval beyond the floor"
        ),
        Tile("Distance to real", ratio, "times the distance between real places; 1 is ideal"),
    ]
    for told in record.told:
        floor = "no floor" if told.floor is None else f"real places against each other {told.floor:.2f}"
        tiles.append(Tile(f"Told apart, {MODALITIES[told.modality]}", f"AUC {told.auc:.2f}", f"0.5 is alike; {floor}"))
    return [*tiles, Tile("Frames", f"{record.synthetic.frames:,} : {record.reference.frames:,}", "synthetic to real")]


@dataclass(frozen=True)
class _Row:
    """One difference on the page."""

    words: str
    where: str
    modality: str
    chart: Any
    times: str
    real: str
    synthetic: str
    matters: bool


def _row(found: Difference) -> _Row:
    where = found.class_name or ("" if found.stratum == "all" else found.stratum)
    chart = svg(gap_charts.floor_scale(found.ratio, found.interval, found.matters)) if found.ratio is not None else None
    times = "no floor" if found.ratio is None else f"{found.ratio:.1f} ×"
    real, synthetic = (figure(v, found.unit) for v in (found.real, found.synthetic))
    words = direction_words(found.metric, found.direction)
    return _Row(words[:1].upper() + words[1:], where, MODALITIES[found.modality], chart, times, real, synthetic, found.matters)


@dataclass(frozen=True)
class _Family:
    """One family on one kind of sensor."""

    name: str
    modality: str
    matter: int
    judged: int
    worst: str


def _families(record: GapRecord) -> list[_Family]:
    out = []
    for name, found in record.families().items():
        for modality in sorted({d.modality for d in found}):
            own = [d for d in found if d.modality == modality]
            judged = [d for d in own if d.ratio is not None]
            worst = max(judged, key=lambda d: (d.interval[0], d.ratio), default=None)
            words = "" if worst is None else words_of(worst)
            out.append(_Family(FAMILIES[name], MODALITIES[modality], sum(d.matters for d in own), len(judged), words))
        if not found:
            out.append(_Family(FAMILIES[name], "", 0, 0, "nothing that both sides hold"))
    return out


def _by_range(record: GapRecord) -> list[tuple[str, list[str], list[tuple[str, list[tuple[str, str]]]]]]:
    """Per kind of sensor: spans of range, and per statistic the worst ratio in each."""
    tables = []
    for modality, name in MODALITIES.items():
        cells: dict[str, dict[str, float]] = {}
        for d in record.differences:
            span = _RANGE.search(d.stratum)
            if d.modality == modality and d.family != "content" and span and d.ratio is not None:
                held = cells.setdefault(metric_words(d.metric), {})
                held[span.group()] = max(held.get(span.group(), 0.0), d.ratio)
        spans = sorted({s for held in cells.values() for s in held}, key=_start)
        if len(spans) > 1:
            rows = [(m, [_cell(held.get(s)) for s in spans]) for m, held in sorted(cells.items(), key=lambda c: -max(c[1].values()))]
            tables.append((name, spans, rows))
    return tables


def _start(span: str) -> float:
    first = float(re.search(r"\d+(?:\.\d+)?", span).group())
    return first - 0.5 if span.startswith("<") else first + 0.5 if span.startswith(">") else first


def _cell(ratio: float | None) -> tuple[str, str]:
    return ("" if ratio is None else f"{ratio:.1f} ×", gap_charts.heat(ratio))


@dataclass(frozen=True)
class _Told:
    """The classifier's part of the page for one kind of sensor."""

    modality: str
    sentence: str
    chart: Any
    map: Any


def _told(record: GapRecord, index: int) -> _Told:
    told = record.told[index]
    kind, count = record.places.get(told.modality, ("place", 0))
    sentence = f"A classifier that has not seen them tells synthetic from real blocks at AUC {told.auc:.2f} (p = {told.p:.2g})."
    if told.floor is None:
        sentence += f" There are too few real places ({count}) to say what it would make of real against real."
    else:
        sentence += f" Real places ({count}, each a {kind}) it tells from other real places at {told.floor:.2f}; only what lies above that is a gap."
    bars = [(reason_words(r), r.importance) for r in told.reasons]
    chart = svg(gap_charts.importances([(w[:1].upper() + w[1:], v) for w, v in bars])) if bars else None
    found = record.maps.get(told.modality)
    return _Told(MODALITIES[told.modality], sentence, chart, svg(gap_charts.scatter(found.points, found.real)) if found else None)
