"""The page of ``score``: one self-contained HTML file; a manager reads the first sentence, an engineer the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.config.budget import Gate
from tailgate.frames import Frame
from tailgate.report import charts, draw
from tailgate.report.html import Tile
from tailgate.report.page import figure, svg, template
from tailgate.report.pictures import Picture, class_swatches, frame_pictures
from tailgate.report.score_record import ACCEPTED, INTEGRITY, REJECTED, ClassCount, Histogram, ScoreRecord
from tailgate.report.trust import Notice
from tailgate.report.words import VERDICTS, code_words, metric_words
from tailgate.validate.scorecard import Row
from tailgate.validate.stratum import MIN_GROUPS, MIN_REFERENCE

LEVELS = {ACCEPTED: ("good", "Accepted"), REJECTED: ("bad", "Refused")}
PER_FRAME = 2
"""Pictures of one frame."""
WHERE_SHOWN = 6
"""Strata named in one line of what was not judged; the others are counted."""


def write_page(card: ScoreRecord, out: str | Path) -> Path:
    """Write the page of a score; it needs no network, no script and no other file."""
    from tailgate.atomic import write_atomically

    out = Path(out)
    write_atomically(out, render(card))
    return out


def render(card: ScoreRecord) -> str:
    """The page as text. Everything that comes from data is escaped by the template or by ``charts``."""
    level, word = LEVELS.get(card.verdict, ("warn", "Unjudged"))
    return template("score.html.j2").render(
        card=card,
        level=level,
        word=word,
        sentence=card.sentence.partition(": ")[2],
        findings=_findings(card),
        tiles=_tiles(card),
        rows=_rows(*card.sample()),
        measures=[_Measure.of(r, card.histograms.get(r.metric)) for r in _statistics(card) if r.value is not None],
        classes=[_class(card, name) for name in card.classes],
        class_rows=[r for r in card.rows if r.class_name and r.value is not None],
        unjudged=_unjudged(card),
        metric_words=metric_words,
        min_reference=MIN_REFERENCE,
        min_groups=MIN_GROUPS,
        n_min=Gate().n_min,
    )


def _statistics(card: ScoreRecord) -> list[Row]:
    """Rows of the sensor statistics over all strata, failed ones first."""
    rows = [r for r in card.rows if not r.class_name and r.stratum == "all" and r.metric != "joint" and r.modality != INTEGRITY]
    return sorted(rows, key=lambda r: ("failed", "ok", "no power", "unjudged").index(r.verdict))


def _findings(card: ScoreRecord) -> list[Notice]:
    """What failed, and what that means; several rows of one measure and class become one."""
    found: dict[tuple[str, str], Notice] = {}
    for row in card.failed:
        title = f"{row.class_name}: {metric_words(row.metric)}" if row.class_name else metric_words(row.metric)
        words = _sentence(code_words(row.metric))
        if row.metric in card.histograms and not row.class_name:
            words += f" {difference(card.histograms[row.metric], row.unit)}"
        elif row.value is not None and row.limit is not None:
            at = f" at {row.stratum}" if row.stratum != "all" else ""
            words += f" {figure(row.value, row.unit)}{at}, where {figure(row.limit, row.unit)} is the limit."
        found.setdefault((row.metric, row.class_name), Notice("bad", _sentence(title)[:-1], words))
    return list(found.values())


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def difference(found: Histogram, unit: str) -> str:
    """How the typical value differs in the stratum shown."""
    real, synthetic = found.typical
    if found.rate:
        return f"Synthetic {synthetic:.1%}, real {real:.1%} ({found.stratum})."
    times = f", {synthetic / real:.2g} times as much" if real > 0 and not 0.8 < synthetic / real < 1.25 else ""
    return f"Typically {figure(synthetic, unit)}, real {figure(real, unit)}{times} ({found.stratum})."


def _tiles(card: ScoreRecord) -> list[Tile]:
    deciding = [r for r in _statistics(card) if r.gates]
    good = sum(r.verdict == "ok" for r in deciding)
    judged = [v for v in card.classes.values() if v in ("accepted", "quarantined")]
    ratio = card.ratio
    told = f"times the distance between real {'recordings' if ratio.across_groups else 'places'}; 1 is ideal"
    value = "not measured" if ratio.value is None else f"{ratio.value:.2f} ×"
    strata = [r for r in card.rows if not r.class_name and r.stratum != "all"]
    seen = sum(r.verdict != "unjudged" for r in strata)
    return [
        Tile("Statistics within limits", f"{good} / {len(deciding)}", "sensor statistics that decide"),
        Tile("Classes accepted", f"{judged.count('accepted')} / {len(card.classes)}", f"{len(judged)} could be judged"),
        Tile("Distance to real", value, told if ratio.value is not None else "too little data on one side"),
        Tile("Strata judged", f"{seen} / {len(strata)}", "the others hold too few values on one side"),
        Tile("Frames", f"{card.synthetic.frames:,} : {card.reference.frames:,}", "synthetic to real"),
    ]


@dataclass(frozen=True)
class _Measure:
    """One statistic on the page: its row, what it means, its chart."""

    row: Row
    words: str
    chart: Any

    @classmethod
    def of(cls, row: Row, found: Histogram | None) -> _Measure:
        words = [difference(found, row.unit)] if found else []
        if row.verdict in ("no power", "unjudged"):
            words.append(_sentence(row.note))
        return cls(row, " ".join(words), svg(charts.comparison(found, row.unit)) if found else None)


@dataclass(frozen=True)
class _Class:
    """One class on the page."""

    name: str
    verdict: str
    words: str
    counts: list[ClassCount]


def _class(card: ScoreRecord, name: str) -> _Class:
    verdict = card.classes[name]
    rows = [r for r in card.rows if r.class_name == name]
    codes = [code_words(m) for m in dict.fromkeys(r.metric for r in rows if r.gates and r.verdict == "failed")]
    why = [r.note for r in rows if r.note][:1] if verdict == "unjudged" else []
    counts = [c for c in card.counts if c.class_name == name]
    return _Class(name, verdict, "; ".join([*(codes or [VERDICTS.get(verdict, verdict)]), *why]), counts)


def _unjudged(card: ScoreRecord) -> list[tuple[str, str, str]]:
    """Measure, where and why; strata of one statistic that lack the same side become one line."""
    lines: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in card.rows:
        if row.verdict not in ("unjudged", "no power"):
            continue
        single = not row.class_name and row.stratum != "all"
        why = (_lacking(row) if single else row.note) or row.note
        lines[f"{row.class_name}: {metric_words(row.metric)}" if row.class_name else metric_words(row.metric), why].append(row)
    return [(name, _where(rows), why) for (name, why), rows in lines.items()]


def _lacking(row: Row) -> str:
    return "too few values on the real side, or spread over too few recordings" if row.n else "the synthetic set holds nothing there"


def _where(rows: Sequence[Row]) -> str:
    named = [f"{r.stratum} ({r.n:,})" if r.n else r.stratum for r in rows]
    more = f" and {len(named) - WHERE_SHOWN} more" if len(named) > WHERE_SHOWN else ""
    return "; ".join(named[:WHERE_SHOWN]) + more


def _rows(synthetic: list[Frame], real: list[Frame]) -> list[tuple[str, list[tuple[Picture, ...]], list[tuple[str, str]]]]:
    """A row of pictures per side, classes in the same colours on both."""
    alike = draw.alike([*real, *synthetic])
    sides = (("Real", alike[: len(real)]), ("Synthetic", alike[len(real) :]))
    return [(title, [frame_pictures(f)[:PER_FRAME] for f in frames], class_swatches(frames)) for title, frames in sides if frames]
