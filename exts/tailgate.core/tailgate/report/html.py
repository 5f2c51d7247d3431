"""The report: one self-contained HTML page that a manager understands and an engineer can check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.report import charts
from tailgate.report.coverage import Coverage
from tailgate.report.page import long_unit, svg, template, write_page
from tailgate.report.pictures import cards
from tailgate.report.record import Round, RunRecord, read_run
from tailgate.report.trust import judge
from tailgate.report.words import STAGES, VERDICTS, code_words, metric_words
from tailgate.validate.scorecard import Row

PARTS = {"feedback": charts.BLUE, "hold-out": charts.ORANGE}
RATIO_PARTS = {"audit": "audit", "holdout": "held-back", "feedback": "feedback"}
"""Parts of the reference in words, the most independent first."""
MAX_COVERAGE = 240
"""Settings whose coverage is drawn; any beyond are counted in words."""


def write_report(run_dir: str | Path, out: str | Path) -> Path:
    """Write the report of a run.

    Args:
        run_dir: a run folder; UserError where it is none.
        out: HTML file to write. It needs no network and no other file.

    Returns:
        The file.
    """
    page = render(read_run(run_dir))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    return write_page(page, out)


def render(run: RunRecord) -> str:
    """The page as text. Everything that comes from the run is escaped by the template or by ``charts``."""
    return template("report.html.j2").render(
        run=run,
        trust=judge(run),
        cards=cards(run),
        tiles=_tiles(run),
        cells=[(cell, svg(charts.progress(cell.achieved, cell.target))) for cell in run.cells],
        clips=svg(charts.shares(_ordered_states(run.clip_states), charts.STATE_COLORS)) if run.clip_states else None,
        clip_count=sum(run.clip_states.values()),
        classes=[(c, _histograms(run.object_scores.get(c.name, {}), "m")) for c in run.classes],
        gate_rows=_gate_rows(run.batch_scores),
        frame_scores=_histograms(run.frame_scores, "spreads"),
        progress=_progress_rows(run.rounds),
        ratio=_ratio_chart(run.rounds),
        round_count=sum(r.measured for r in run.rounds),
        coverage=_coverage(run.coverage),
        coverage_left_out=max(0, len(run.coverage) - MAX_COVERAGE),
        stages=svg(charts.stage_bars({STAGES.get(k, k): v for k, v in _by_time(run.seconds)})) if run.seconds else None,
        speed=_speed(run),
        code_words=code_words,
        metric_words=metric_words,
        long_unit=long_unit,
        verdicts=VERDICTS,
    )


@dataclass(frozen=True)
class Tile:
    """One headline figure."""

    name: str
    value: str
    words: str


def _tiles(run: RunRecord) -> list[Tile]:
    clips, accepted = sum(run.clip_states.values()), run.clip_states.get("accepted", 0)
    judged = [c for c in run.classes if c.verdict in ("accepted", "quarantined")]
    share = f"{run.delivered / run.target:.0%} of what was asked" if run.target else ""
    met = sum(c.met for c in run.cells)
    ratio = next((r.distance_ratio for r in reversed(run.rounds) if r.distance_ratio), {})
    ratio = {**ratio, **({"audit": run.audit["distance_ratio"]} if run.audit and run.audit["distance_ratio"] is not None else {})}
    value, part = next(((ratio[k], words) for k, words in RATIO_PARTS.items() if k in ratio), (None, ""))
    told = f"times the distance between real recordings, against the {part} part; 1 is ideal"
    return [
        Tile("Instances delivered", f"{run.delivered:,} / {run.target:,}", share),
        Tile("Cells met", f"{met} / {len(run.cells)}", "kinds of situation the budget asks for"),
        Tile("Clips accepted", f"{accepted:,} / {clips:,}" if clips else "none made", f"{accepted / clips:.0%} of all clips made" if clips else ""),
        Tile("Classes accepted", f"{sum(c.verdict == 'accepted' for c in judged)} / {len(run.classes)}", f"{len(judged)} could be judged"),
        Tile("Distance to real", f"{value:.2f} ×" if value is not None else "not measured", told if value is not None else "no round was scored"),
    ]


def _ordered_states(states: dict[str, int]) -> dict[str, int]:
    return {s: states[s] for s in ("accepted", "surplus", "rendered", "off_target", "failed", "rejected") if s in states}


def _histograms(scores: dict[str, tuple[float, ...]], unit: str = "") -> list[tuple[str, int, Any]]:
    return [(metric_words(name), len(v), svg(charts.histogram(v, unit))) for name, v in scores.items() if len(v) >= 3]


@dataclass(frozen=True)
class GateRow:
    """One statistic over all batches, as shares of its limit: over all strata together, or in single strata."""

    metric: str
    modality: str
    single: bool
    strip: Any
    judged: int
    failed: int
    unjudged: int
    worst: Row | None
    gates: bool
    unit: str


def _gate_rows(scores: Sequence[Row]) -> list[GateRow]:
    """Rows by statistic, all strata together before single strata; statistics that were never measured come last."""
    groups: dict[tuple[str, str, bool], list[Row]] = defaultdict(list)
    for score in scores:
        if not score.class_name and score.metric not in ("reference", "unjudged"):
            groups[score.metric, score.modality, score.stratum not in ("", "all")].append(score)
    rows = [_gate_row(*key, group) for key, group in sorted(groups.items())]
    measured = {r.metric for r in rows if r.strip}
    return sorted(rows, key=lambda r: (r.metric not in measured, r.metric != "joint"))


def _gate_row(metric: str, modality: str, single: bool, group: list[Row]) -> GateRow:
    limited = [(_share_of_limit(s), s) for s in group if s.value is not None and s.limit]
    nulls = [(s.null.median / s.limit, s.null.q95 / s.limit) for _, s in limited if s.null]
    band = (sorted(n[0] for n in nulls)[len(nulls) // 2], sorted(n[1] for n in nulls)[len(nulls) // 2]) if nulls else None
    verdicts = [s.verdict for s in group]
    return GateRow(
        metric=metric,
        modality=modality,
        single=single,
        strip=svg(charts.ratio_strip([share for share, _ in limited], band)) if limited else None,
        judged=verdicts.count("ok") + verdicts.count("failed"),
        failed=verdicts.count("failed"),
        unjudged=verdicts.count("unjudged") + verdicts.count("no power"),
        worst=max(limited, key=lambda pair: pair[0])[1] if limited else None,
        gates=any(s.gates for s in group),
        unit=next((s.unit for s in group if s.unit), ""),
    )


def _share_of_limit(score: Row) -> float:
    """Above 1 = beyond the limit, also for scores that must reach it."""
    return score.limit / max(score.value, 1e-9) if score.higher_is_better else score.value / score.limit


@dataclass(frozen=True)
class ProgressRow:
    """One statistic from the first measured round to the last, on one part of the reference."""

    statistic: str
    part: str
    first: float
    last: float
    unit: str
    floor: float | None
    chart: Any

    @property
    def gain(self) -> float:
        """Relative change; negative = closer to real."""
        return (self.last - self.first) / self.first if self.first else 0.0


def _progress_rows(rounds: Sequence[Round]) -> list[ProgressRow]:
    measured = [r for r in rounds if r.measured]
    units = {name: unit for r in measured for name, unit in r.units.items()}
    floors = measured[-1].real_vs_real if measured else {}
    rows = []
    for statistic in sorted({s for r in measured for s in (*r.feedback, *r.holdout)}):
        for part, color in PARTS.items():
            values = [v for r in measured if (v := (r.feedback if part == "feedback" else r.holdout).get(statistic)) is not None]
            if values:
                real = floors.get(statistic, {})
                floor = real.get("q95", real.get("between_parts"))
                chart = svg(charts.change(values, floor, color))
                rows.append(ProgressRow(statistic, part, values[0], values[-1], units.get(statistic, ""), floor, chart))
    return rows


def _ratio_chart(rounds: Sequence[Round]) -> Any:
    series = {}
    for part, key in (("feedback", "feedback"), ("hold-out", "holdout")):
        points = [(r.number, r.distance_ratio[key]) for r in rounds if key in r.distance_ratio]
        if points:
            series[part] = points
    return svg(charts.rounds(series, PARTS)) if series else None


def _coverage(items: Sequence[Coverage]) -> list[tuple[str, list[tuple[Coverage, Any]]]]:
    families: dict[str, list[tuple[Coverage, Any]]] = defaultdict(list)
    for item in items[:MAX_COVERAGE]:
        families[item.family].append((item, svg(charts.coverage(item))))
    return sorted(families.items())


def _by_time(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: (-item[1], item[0]))


def _speed(run: RunRecord) -> list[tuple[str, str]]:
    """Rates over the whole run: of work done, and of wall time where the run's status tells it."""
    clips, accepted = sum(run.clip_states.values()), run.clip_states.get("accepted", 0)
    work = sum(run.seconds.values())
    frames = sum(f.state == "accepted" and f.verdict == "ok" for f in run.frames)
    facts = []
    if work and clips:
        facts += [("work per clip", f"{work / clips:.2f} s"), ("accepted frames per hour of work", f"{3600 * frames / work:,.0f}")]
    if run.elapsed_s:
        facts += [("wall time of the run", f"{run.elapsed_s:,.0f} s")]
    return [*facts, ("accepted clips", f"{accepted:,} of {clips:,}"), ("accepted frames", f"{frames:,}")]
