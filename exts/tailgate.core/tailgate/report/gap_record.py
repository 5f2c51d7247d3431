"""What ``gap`` found: plain data that the terminal, JSON and the page show, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.report.score_record import SetInfo
from tailgate.report.words import FAMILIES, metric_words
from tailgate.validate.gap import Difference
from tailgate.validate.told import Reason, ToldApart


@dataclass(frozen=True)
class MapOfBlocks:
    """Place blocks on a plane.

    Attributes:
        points: [n, 2].
        real: whether a block is real, bool [n].
        unit: place or frame of each.
    """

    points: np.ndarray
    real: np.ndarray
    unit: Sequence[str]


@dataclass
class GapRecord:
    """Which differences matter.

    Attributes:
        synthetic, reference: the two sides.
        differences: ranked, see ``validate.gap.ranked``.
        told: verdict of the classifier per modality.
        maps: modality -> map of the blocks.
        ratio: distance ratio, None where it cannot be formed.
        places: modality -> what a real place is, and how many there are.
        notes: sentences that every output repeats.
        version: of Tailgate.
    """

    synthetic: SetInfo
    reference: SetInfo
    differences: list[Difference]
    told: list[ToldApart]
    maps: dict[str, MapOfBlocks]
    ratio: float | None
    places: dict[str, tuple[str, int]]
    notes: list[str]
    version: str

    @property
    def faults(self) -> list[Difference]:
        """Differences that matter and are not content, which is meant to differ."""
        return [d for d in self.differences if d.matters and d.family != "content"]

    @property
    def sentence(self) -> str:
        """The answer for people who did not build the system."""
        if not any(d.floor for d in self.differences):
            return "No floor: the real data holds too few places to say how far real data lies from itself, so no difference can be called one."
        if not self.faults:
            return "No sensor or image statistic lies farther from the real data than real data lies from itself."
        lead = list(dict.fromkeys(d.metric for d in self.faults))[:3]
        first = {metric: next(d for d in self.faults if d.metric == metric) for metric in lead}
        return "What matters most: " + "; ".join(words_of(d) for d in first.values()) + "."

    def families(self) -> dict[str, list[Difference]]:
        """Differences by family, in the order of FAMILIES."""
        return {name: [d for d in self.differences if d.family == name] for name in FAMILIES}

    def to_json(self) -> dict[str, Any]:
        """Everything but the maps, as plain data."""
        return {
            "version": self.version,
            "sentence": self.sentence,
            "synthetic": asdict(self.synthetic),
            "reference": asdict(self.reference),
            "distance_ratio": self.ratio,
            "places": {k: {"kind": kind, "count": n} for k, (kind, n) in self.places.items()},
            "differences": [{**d.to_json(), "words": words_of(d)} for d in self.differences],
            "told_apart": [{**asdict(t), "words": [reason_words(r) for r in t.reasons]} for t in self.told],
            "notes": self.notes,
        }

    def to_html(self, out: str | Path) -> Path:
        """Write the page."""
        from tailgate.report.gap_page import render
        from tailgate.report.page import write_page

        return write_page(render(self), out)


DIRECTIONS: Mapping[str, Mapping[str, str]] = {
    "hole_rate": {"more": "too many lost returns", "less": "too few lost returns", "more alike": "too regular losses of returns"},
    "run_length": {"more": "gaps in scan lines too long", "less": "gaps in scan lines too short", "more alike": "too regular gaps in scan lines"},
    "range_noise": {"more": "range too noisy", "less": "range too clean", "more alike": "range noise too even"},
    "beam_noise": {"more": "range along a beam too noisy", "less": "range along a beam too clean", "more alike": "range noise along a beam too even"},
    "intensity_texture": {"more": "intensity too speckled", "less": "intensity too smooth", "more alike": "speckle of intensity too even"},
    "intensity": {
        "more": "intensity too high",
        "less": "intensity too low",
        "more alike": "intensity too uniform",
        "narrower": "intensity too uniform",
    },
    "return_rate": {"more": "too many returns", "less": "too few returns", "more alike": "returns too regular"},
    "depth_noise": {"more": "depth too noisy", "less": "depth too clean", "more alike": "depth noise too even"},
    "depth_noise_fine": {"more": "depth too noisy from pixel to pixel", "less": "depth too smooth from pixel to pixel"},
    "depth_hole_rate": {"more": "too much missing depth", "less": "too little missing depth", "more alike": "missing depth too regular"},
    "edge_fattening": {"more": "bands of missing depth at edges too wide", "less": "depth edges too perfect"},
    "edge_roughness": {"more": "depth edges too ragged", "less": "depth edges too straight"},
    "mixed_pixels": {"more": "too many points between surfaces", "less": "too few points between surfaces"},
    "luminance": {
        "more": "images too bright",
        "less": "images too dark",
        "narrower": "brightness too uniform",
        "more alike": "brightness too uniform",
    },
    "colourfulness": {"more": "colours too strong", "less": "colours too pale", "narrower": "colours too uniform"},
    "rgb_noise": {"more": "images too noisy", "less": "images too clean"},
    "sharpness": {"more": "images too sharp", "less": "images too soft"},
    "overshoot": {"more": "images sharpened too much", "less": "images sharpened too little"},
    "objects_per_frame": {"more": "more objects in a frame", "less": "fewer objects in a frame"},
    "object_distance": {"more": "objects farther away", "less": "objects nearer"},
    "object_length": {"more": "objects longer", "less": "objects shorter"},
    "sensor_offset": {
        "more": "fires later after the first sensor",
        "less": "fires too soon after the first sensor",
        "narrower": "fires too regularly",
    },
    "exposure_time": {"more": "takes too long", "less": "takes too short a time", "narrower": "takes too regular a time"},
}
"""A difference in words, by statistic and direction."""

_PLAIN = {"more": "too high", "less": "too low", "narrower": "too uniform", "wider": "too varied", "reshaped": "distributed otherwise"}
_PLAIN |= {"more alike": "too regular", "less alike": "too irregular"}


def direction_words(metric: str, direction: str) -> str:
    """What differs, in words."""
    return DIRECTIONS.get(metric, {}).get(direction) or f"{metric_words(metric)} {_PLAIN[direction]}"


def words_of(found: Difference) -> str:
    """A difference with where it is and how large: ``too few lost returns at 6-12 m, 0-40 deg (3.1 × real against real)``."""
    where = found.class_name or found.stratum
    place = f" at {where}" if where not in ("", "all") else ""
    size = f" ({found.ratio:.1f} × real against real)" if found.ratio is not None else ""
    return f"{direction_words(found.metric, found.direction)}{place}{size}"


def reason_words(reason: Reason) -> str:
    """What a classifier goes by: ``told apart by too regular gaps in scan lines at 25-50 m``."""
    part = "" if reason.part == "mean" else f" ({reason.part} quantile)"
    return f"told apart by {direction_words(reason.metric, reason.direction)} at {reason.stratum}{part}"
