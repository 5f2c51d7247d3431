"""What ``score`` found: plain data that the terminal, JSON, the page and the Python API show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.frames import Frame
from tailgate.report.words import code_words
from tailgate.validate.deviation import magnitudes
from tailgate.validate.ratio import DistanceRatio
from tailgate.validate.scorecard import Row
from tailgate.validate.sketch import Sketch, Statistic

ACCEPTED, REJECTED, UNJUDGED = "accepted", "rejected", "unjudged"
INTEGRITY = "integrity"
"""Modality of the rows that ask whether frames are sound, not whether they look real."""
SHOWN_BINS = 40
"""Bars of a drawn histogram; finer bins are merged."""
TAIL = 0.005
"""Share of values beyond either end of a drawn histogram; the outer bars hold them."""


@dataclass(frozen=True)
class SetInfo:
    """One side of a comparison.

    Attributes:
        root: folder, as the user named it.
        kind: layout it was read as.
        frames: frames measured.
        groups: recordings, or place blocks where there are fewer than four recordings.
        weak: there are fewer recordings than four.
        sensors: sensor name -> model.
        notes: sentences of the reader.
    """

    root: str
    kind: str
    frames: int
    groups: int
    weak: bool
    sensors: dict[str, str]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return Path(self.root).resolve().name


@dataclass(frozen=True)
class Histogram:
    """One statistic in the stratum that differs most, real beside synthetic.

    Attributes:
        stratum: its name.
        edges: of the bars, [B + 1].
        real, synthetic: shares per bar, [B].
        low, high: 5 and 95 % of the share over single real groups (over place blocks where there is one group), [B]; None where they are too few.
        n_real, n_synthetic: values counted.
        typical: mean value real and synthetic; residuals by magnitude.
        rate: a share of missing returns or pixels, no distribution.
    """

    stratum: str
    edges: tuple[float, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    n_real: int
    n_synthetic: int
    typical: tuple[float, float]
    rate: bool

    @classmethod
    def of(cls, statistic: Statistic, stratum: int, real: Sequence[Sketch], synthetic: Sketch) -> Histogram:
        """Histogram of one stratum.

        Args:
            statistic: what is counted.
            stratum: its index.
            real: sketches of the real groups, or of place blocks.
            synthetic: sum over the synthetic set.
        """
        ours, *held = (np.broadcast_to(s.counts.get(statistic.name, 0.0), statistic.shape)[stratum] for s in (synthetic, *real))
        theirs = np.sum(held, axis=0)
        value = magnitudes(statistic)
        typical = tuple(float(h @ value / h.sum()) for h in (theirs, ours))
        rate = len(statistic.edges) == 3
        merged = np.arange(3) if rate else _shown(np.asarray(statistic.edges), theirs + ours)
        edges = tuple(float(e) for e in np.asarray(statistic.edges)[merged])
        starts = [*merged[:-1]]
        starts[0] = 0
        shares = [np.add.reduceat(h, starts) / h.sum() for h in (theirs, ours)]
        single = [np.add.reduceat(h, starts) / h.sum() for h in held if h.sum() >= max(statistic.min_count / 4, 1)]
        band = np.quantile(single, [0.05, 0.95], axis=0).tolist() if len(single) >= 2 else (None, None)
        low, high = (tuple(b) if b is not None else None for b in band)
        name = statistic.strata[stratum]
        return cls(name, edges, *(tuple(s.tolist()) for s in shares), low, high, int(theirs.sum()), int(ours.sum()), typical, rate)


def _shown(edges: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Indices of the edges that are drawn: all but TAIL of the values at either end, at most SHOWN_BINS bars of equally many bins."""
    cdf = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(cdf, TAIL, side="right"))
    last = int(np.searchsorted(cdf, 1 - TAIL)) + 1
    step = -(-(last - first) // SHOWN_BINS)
    return np.arange(first, min(first + step * -(-(last - first) // step), len(edges) - 1) + 1, step)


@dataclass(frozen=True)
class ClassCount:
    """Crops of one class in one range bin.

    Attributes:
        class_name, modality, stratum: as in the rows.
        synthetic, real: crops.
        groups: groups the real ones come from.
        support: real class that stands in for it, or "".
    """

    class_name: str
    modality: str
    stratum: str
    synthetic: int
    real: int
    groups: int
    support: str = ""


@dataclass
class ScoreRecord:
    """How a synthetic set compares with a reference.

    Attributes:
        synthetic, reference: the two sides.
        verdict: accepted, rejected or unjudged.
        rows: every row of the gates.
        classes: class -> verdict of the class gate.
        counts: crops by class and range.
        ratio: distance ratio.
        histograms: statistic -> the stratum that differs most.
        gate: where the limits come from, in words.
        version: of Tailgate.
        sample: frames for pictures, (synthetic, real), read again when asked for.
    """

    synthetic: SetInfo
    reference: SetInfo
    verdict: str
    rows: list[Row]
    classes: dict[str, str]
    counts: list[ClassCount]
    ratio: DistanceRatio
    histograms: dict[str, Histogram]
    gate: str
    version: str
    sample: Callable[[], tuple[list[Frame], list[Frame]]] = field(repr=False, compare=False, default=lambda: ([], []))

    @property
    def failed(self) -> list[Row]:
        """The rows that refuse the set."""
        return [r for r in self.rows if r.gates and r.verdict == "failed" and self.classes.get(r.class_name, "") != "provisional"]

    @property
    def judged(self) -> list[Row]:
        """The rows of statistics and classes that could have refused it."""
        return [r for r in self.rows if r.gates and r.metric != "joint" and r.modality != INTEGRITY]

    @property
    def exit_code(self) -> int:
        """0 only where something was judged and nothing failed: what nobody could judge never passes silently."""
        return 0 if self.verdict == ACCEPTED else 1

    @property
    def sentence(self) -> str:
        """The verdict for people who did not build the system."""
        if self.verdict == REJECTED:
            codes = list(dict.fromkeys((r.metric, r.class_name) for r in self.failed))
            return "Refused: " + "; ".join(f"{f'{name}: ' if name else ''}{code_words(code)}" for code, name in codes) + "."
        if self.verdict == UNJUDGED:
            return "Unjudged: no measure could be shown to tell wrong data from real data here, so nothing was accepted and nothing refused."
        decided = sorted({r.class_name for r in self.judged if r.class_name})
        statistics = len({r.metric for r in self.judged if not r.class_name})
        classes = f" and the shapes of {', '.join(decided)}" if decided else ""
        return f"Accepted: {statistics} sensor statistic{'s' * (statistics != 1)}{classes} lie within what real recordings show against each other."

    @property
    def notes(self) -> list[str]:
        """Sentences that every output repeats."""
        weak = [
            "The real recordings are fewer than four: places within them stand in for recordings, so limits may be tighter than between recordings."
        ]
        told = [f"{side.name}: {note}" for side in (self.synthetic, self.reference) for note in side.notes]
        return list(dict.fromkeys([*(weak if self.reference.weak else []), *told]))

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, as plain data."""
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "sentence": self.sentence,
            "failed": list(dict.fromkeys(r.metric for r in self.failed)),
            "distance_ratio": asdict(self.ratio),
            "classes": self.classes,
            "class_counts": [asdict(c) for c in self.counts],
            "rows": [r.to_json() for r in self.rows],
            "histograms": {name: asdict(h) for name, h in self.histograms.items()},
            "synthetic": asdict(self.synthetic),
            "reference": asdict(self.reference),
            "gate": self.gate,
            "notes": self.notes,
            "version": self.version,
        }

    def to_html(self, path: str | Path) -> Path:
        """Write the page: self-contained, no script, no network."""
        from tailgate.report.page import write_page
        from tailgate.report.score_page import render

        return write_page(render(self), path)
