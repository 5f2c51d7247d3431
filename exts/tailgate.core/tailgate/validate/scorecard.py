"""A scorecard: every metric of a batch or class with its value, sample size, limit, null and verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

ROW_VERDICTS = ("ok", "failed", "unjudged", "no power")


@dataclass(frozen=True)
class Null:
    """What the metric gives for real data against other real data at a comparable sample size.

    Attributes:
        median, q95: quantiles, in the unit of the metric.
        n: number of draws they come from.
    """

    median: float
    q95: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Null:
        """Summarize draws of a null (numpy's linear quantiles)."""
        values = np.asarray(values, dtype=float)
        return cls(float(np.median(values)), float(np.quantile(values, 0.95)), len(values))


@dataclass(frozen=True)
class Row:
    """One metric in one stratum.

    Attributes:
        metric: name as in DESIGN; the reason code when the row fails.
        value: None where it could not be measured.
        unit: "m", "m²", "nats", "1" and so on.
        modality: "lidar", "rgbd" or the sensor's name.
        class_name: class, or "" where the metric is of the whole batch.
        stratum: stratum name, or "all".
        n: synthetic sample size (values, crops or points, as the note says).
        limit: what decides; None where nothing does.
        null: real against real.
        gates: whether a failure rejects.
        verdict: one of ROW_VERDICTS.
        note: one sentence for people.
    """

    metric: str
    value: float | None
    unit: str = "1"
    modality: str = ""
    class_name: str = ""
    stratum: str = "all"
    n: int = 0
    limit: float | None = None
    null: Null | None = None
    gates: bool = False
    verdict: str = "unjudged"
    note: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in ROW_VERDICTS:
            raise ValueError(f"a row's verdict must be one of {', '.join(ROW_VERDICTS)}, got '{self.verdict}'")

    @property
    def higher_is_better(self) -> bool:
        """True for the dogss score, which must reach its limit instead of staying below it."""
        return self.metric == "dogss"

    def to_json(self) -> dict[str, Any]:
        """Plain data; a value that is not finite becomes null."""
        data = asdict(self)
        data["class"] = data.pop("class_name")
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in data.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        """Rebuild a row from ``to_json``."""
        fields = dict(data)
        fields["class_name"] = fields.pop("class")
        return cls(**{**fields, "null": Null(**fields["null"]) if fields.get("null") else None})


@dataclass
class Scorecard:
    """Rows and the verdict they lead to.

    Attributes:
        rows: in a fixed order.
        verdict: batch: accepted, rejected · class: provisional, accepted, unjudged, quarantined.
    """

    rows: list[Row] = field(default_factory=list)
    verdict: str = ""

    def failed(self) -> list[Row]:
        """The gating rows that failed."""
        return [r for r in self.rows if r.gates and r.verdict == "failed"]

    def codes(self) -> list[str]:
        """Reason codes: the metrics of the failed gating rows, each once, in row order."""
        return list(dict.fromkeys(r.metric for r in self.failed()))

    def value(self, metric: str, stratum: str = "all") -> float | None:
        """Value of the first row of a metric and stratum; None where there is none."""
        return next((r.value for r in self.rows if r.metric == metric and r.stratum == stratum), None)

    def extend(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        self.rows.extend(rows)

    def to_json(self) -> list[dict[str, Any]]:
        """The rows as plain data (the verdict is kept beside them)."""
        return [r.to_json() for r in self.rows]

    @classmethod
    def from_json(cls, rows: Iterable[Mapping[str, Any]], verdict: str = "") -> Scorecard:
        """Rebuild a scorecard from ``to_json``."""
        return cls([Row.from_json(r) for r in rows], verdict)
