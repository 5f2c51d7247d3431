"""``gap``: which differences between a synthetic set and real data matter, and what gives the synthetic one away."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tailgate import __version__
from tailgate.report.gap_record import GapRecord, MapOfBlocks
from tailgate.runtime.measured import MeasuredSet
from tailgate.runtime.score import ScoreRequest, measure_sides, set_info
from tailgate.validate.content import content_sketch, content_statistics, timing_sketch, timing_statistics
from tailgate.validate.evidence import MODALITIES, STATISTICS, Evidence
from tailgate.validate.gap import Difference, Layer, differences, ranked
from tailgate.validate.image_statistics import IMAGE_STATISTICS
from tailgate.validate.lidar_statistics import SECTORS
from tailgate.validate.places import Places
from tailgate.validate.ratio import distance_ratio
from tailgate.validate.sketch import Sketch, Statistic
from tailgate.validate.told import BlockTable, ToldApart, embed, thinned, told_apart

BLOCKS = {"lidar": SECTORS, "rgbd": 1}
"""Place blocks one frame gives, by modality."""


def gap(request: ScoreRequest) -> GapRecord:
    """Compare every frame of a synthetic folder with all frames of a real one.

    Raises:
        UserError: as ``score`` does.
    """
    synthetic, real = measure_sides(request)
    found: list[Difference] = []
    told: list[ToldApart] = []
    maps: dict[str, MapOfBlocks] = {}
    places: dict[str, tuple[str, int]] = {}
    for modality, statistics in MODALITIES.items():
        held = Places.of(real.blocks, statistics, BLOCKS[modality])
        blocks = [(b, str(i)) for i, e in enumerate(synthetic.evidence) for b in e.blocks if any(n in b.counts for n in statistics)]
        if not len(held) or not blocks:
            continue
        places[modality] = (held.kind, len(held))
        ours = [b for b, _ in blocks], [frame for _, frame in blocks]
        for family, chosen in _families(statistics).items():
            found += differences(Layer(family, modality, chosen), held, *ours)
        table = BlockTable.of(([real.blocks[g][i] for g, i in held.origin], [str(p) for p in held.place]), ours, statistics)
        if (verdict := told_apart(table, modality)) is not None:
            told.append(verdict)
            shown = thinned(table)
            maps[modality] = MapOfBlocks(embed(shown), shown.real, shown.unit.tolist())
    found += _content(synthetic, real) + _latency(synthetic, real)
    frames = [str(i) for i, e in enumerate(synthetic.evidence) for _ in e.blocks]
    ratio = distance_ratio(real.blocks, [b for e in synthetic.evidence for b in e.blocks], STATISTICS, frames)
    info = set_info(synthetic), set_info(real)
    notes = list(dict.fromkeys([*info[0].notes, *info[1].notes]))
    return GapRecord(*info, ranked(found), told, maps, ratio.value, places, notes, __version__)


def _families(statistics: Mapping[str, Statistic]) -> dict[str, dict[str, Statistic]]:
    visual = {n: s for n, s in statistics.items() if n in IMAGE_STATISTICS}
    return {"sensor": {n: s for n, s in statistics.items() if n not in visual}, "visual": visual}


def _content(synthetic: MeasuredSet, real: MeasuredSet) -> list[Difference]:
    """Differences in what is shown, class by class; nothing where a side has no objects."""
    classes = sorted({c.class_name for c in synthetic.crops} | {c.class_name for c in real.crops})
    if not synthetic.crops or not real.crops:
        return []
    statistics = content_statistics(classes)
    return _by_frame(Layer("content", "", statistics, by_class=True), synthetic, real, lambda e: content_sketch(e.crops, statistics))


def _latency(synthetic: MeasuredSet, real: MeasuredSet) -> list[Difference]:
    """Differences in when sensors measure, sensor by sensor; nothing where a side has no clock or no sensor of the other's name."""
    clocks = [{name for e in side.evidence for name in e.times} for side in (synthetic, real)]
    sensors = sorted(clocks[0] & clocks[1])
    statistics = timing_statistics(sensors)

    def sketch(evidence: Evidence) -> Sketch:
        return timing_sketch({n: t for n, t in evidence.times.items() if n in sensors}, statistics)

    return _by_frame(Layer("latency", "", statistics), synthetic, real, sketch) if sensors else []


def _by_frame(layer: Layer, synthetic: MeasuredSet, real: MeasuredSet, sketch: Callable[[Evidence], Sketch]) -> list[Difference]:
    """Differences of statistics that a frame gives as a whole."""
    held = Places.of({group: [sketch(e) for e in found] for group, found in real.groups.items()}, layer.statistics)
    return differences(layer, held, [sketch(e) for e in synthetic.evidence], [str(i) for i in range(len(synthetic.evidence))])
