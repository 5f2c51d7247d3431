"""The budget: the file that drives a run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tailgate.config.load import Model, Name
from tailgate.errors import nearest

Count = Annotated[int, Field(ge=0, le=10_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
Quantiles = tuple[float, float, float, float, float]
"""Values at QUANTILES."""
Interval = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


def _ordered(name: str, interval: Interval | None) -> None:
    if interval is not None and not interval[0] < interval[1]:
        raise ValueError(f"{name} must be [low, high] with low below high, got {list(interval)}")


Weather = Literal["clear", "rain", "fog", "snow"]


class ClassMap(Model):
    """One line of the ontology: source class → asset class → output class."""

    asset: str
    output: str | None = None
    usd: str | None = None
    stands_for: str | None = None


class Cell(Model):
    """class × range × occlusion × light × weather, with a target count of instances."""

    class_: str = Field(alias="class")
    range: Interval | None = None
    occlusion: tuple[Share, Share] | None = None
    light: Literal["day", "dusk", "night", "overcast", "indoor"] | None = None
    weather: Weather | None = None
    target: Count
    why: str = ""

    @model_validator(mode="after")
    def _intervals(self) -> Cell:
        _ordered("range", self.range)
        _ordered("occlusion", self.occlusion)
        return self

    @property
    def name(self) -> str:
        """Readable name, unique within a budget: class and every pinned condition."""
        parts = [self.class_]
        if self.range:
            parts.append(f"{self.range[0]:g}-{self.range[1]:g} m")
        if self.occlusion:
            parts.append(f"occluded {self.occlusion[0]:.0%}-{self.occlusion[1]:.0%}")
        return " · ".join([*parts, *(p for p in (self.light, self.weather) if p)])


class Prior(Model):
    """What labels say of an output class: quantiles 5, 25, 50, 75, 95 % with the sample size. Placement draws from the first five; ``per_frame`` and
    ``with_classes`` (class -> share of the frames that hold it too) are for people to read."""

    n: Count
    range: Quantiles | None = None
    yaw_deg: Quantiles | None = None
    length: Quantiles | None = None
    width: Quantiles | None = None
    height: Quantiles | None = None
    per_frame: Quantiles | None = None
    with_classes: dict[str, float] = {}

    @field_validator("range", "yaw_deg", "length", "width", "height", "per_frame")
    @classmethod
    def _rising(cls, quantiles: Quantiles | None) -> Quantiles | None:
        if quantiles is not None and list(quantiles) != sorted(quantiles):
            raise ValueError(f"quantiles must rise from 5 to 95 %, got {list(quantiles)}")
        return quantiles


class Reference(Model):
    """The real data. ``root`` is a folder under the data root; ``split`` names groups, or is made by the reader; ``weather`` is what the recordings
    were taken in, where they do not tell it themselves. Frames in other weather are not judged against them.

    ``kind: standin`` simulates a reference with a hidden sensor response; every output then says so. ``none``: every output says ``unmeasured``.
    ``reference: none`` is short for ``reference: {kind: none}``.
    """

    kind: Literal[
        "kitti", "mosd", "av2", "nuscenes", "semantickitti", "coco_depth", "clouds", "npz", "basicwriter", "standin", "none"
    ]  # fmt: skip
    root: str = "."
    sensor: str | None = None
    weather: list[Weather] = []
    split: dict[Literal["feedback", "holdout", "audit"], list[str]] = {}
    options: dict[str, object] = {}

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, given: object) -> object:
        return {"kind": given} if isinstance(given, str) else given

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        """Editors take the short form too."""
        return {"anyOf": [handler(core), {"enum": ["standin", "none"]}]}

    @model_validator(mode="after")
    def _simulated(self) -> Reference:
        if self.kind not in ("standin", "none"):
            return self
        if self.split or self.sensor or self.weather:
            raise ValueError(f"kind '{self.kind}' holds no recordings: it has neither a split nor a sensor nor weather of its own")
        known = ("frames",) if self.kind == "standin" else ()
        for name, value in self.options.items():
            if name not in known:
                raise ValueError(f"unknown option '{name}' of a reference of kind '{self.kind}'{nearest(name, known)}")
            if type(value) is not int or not 1 <= value <= 10_000:
                raise ValueError(f"options.{name} must be a whole number from 1 to 10,000, got {value!r}")
        return self


class Gate(Model):
    """How verdicts are made. ``report`` decides nothing; ``enforce`` rejects. A limit named in ``statistics`` replaces the calibrated one.

    ``file`` is what ``calibrate gate`` wrote for this reference; without it the gate calibrates itself, on the feedback part alone.
    ``backbone`` names what gives the features that ``semantic_js`` compares: a registered name, a file (.pt, .pt2, .onnx) or ``timm:<model>``.
    ``support`` names, for a class with too few real samples, the class whose local geometry it is judged by.
    """

    mode: Literal["report", "enforce"] = "report"
    unjudged: Literal["hold", "accept"] = "accept"
    dogss_min: Share = 0.75
    js_max: Annotated[float, Field(gt=0, le=1)] = 0.15
    file: str = ""
    n_min: int = Field(20, ge=2)
    statistics: dict[str, Annotated[float, Field(gt=0)]] = {}
    backbone: Annotated[str, Field(min_length=1)] = "geometric"
    support: dict[str, str] = {}

    @field_validator("support")
    @classmethod
    def _another_class(cls, support: dict[str, str]) -> dict[str, str]:
        for name, other in support.items():
            if name == other:
                raise ValueError(f"support must name another class than the one it stands in for, got {name}: {other}")
        return support


class Feedback(Model):
    """What feedback may do between rounds; in ``min_frames``, frames of one clip count as one."""

    estimate: bool = True
    regress: bool = True
    min_frames: int = Field(128, ge=8)
    kl_max: float = Field(0.5, gt=0)
    prior_share: Share = 0.1
    nuisance_width_min: Share = 0.25
    alpha: float = Field(0.05, gt=0, lt=1)


class Limits(Model):
    """Where a run stops even if the budget is not met."""

    rounds: int = Field(8, ge=1, le=1_000_000)
    batch_clips: int = Field(8, ge=1, le=4096)
    batches_per_round: int = Field(4, ge=1, le=4096)
    clips: int = Field(100_000, ge=1, le=10_000_000)
    hours: float = Field(24.0, gt=0)
    disk_gb: float = Field(50.0, gt=0)
    attempts: int = Field(3, ge=1, le=64)

    @model_validator(mode="after")
    def _contradictions(self) -> Limits:
        if self.clips < self.batch_clips * self.batches_per_round:
            round = f"batch_clips={self.batch_clips}, batches_per_round={self.batches_per_round}"
            raise ValueError(f"clips must be at least batch_clips x batches_per_round, one round; got clips={self.clips}, {round}")
        return self


class Output(Model):
    """What is written."""

    formats: list[Literal["basicwriter", "coco", "kitti", "semantickitti"]] = ["basicwriter", "coco", "kitti", "semantickitti"]
    keep_rejected: int = Field(24, ge=0)
    min_pixels: int = Field(100, ge=1)
    min_lidar_hits: int = Field(5, ge=1)


class WeightedScenario(Model):
    """A scenario file and its share of the clips."""

    file: str
    weight: float = Field(1.0, gt=0)


class Budget(Model):
    """The file that drives a run: cells and counts, scenarios, rig, reference, gate, feedback, limits, output.

    Paths (a scenario, a rig, a class's ``usd``) are relative to the budget's folder and must lie in it, in the data root or in the shipped configs,
    links resolved; ``reference.root`` and rigs from calibration are relative to the data root and must lie in it.
    """

    version: Literal[1] = 1
    name: Name
    seed: int = Field(0, ge=0, lt=2**63)
    source: str = ""
    ontology: dict[str, ClassMap] = {}
    cells: list[Cell] = Field(min_length=1)
    priors: dict[str, Prior] = {}
    scenarios: list[WeightedScenario] = Field(min_length=1)
    rig: str
    reference: Reference = Reference(kind="none")
    gate: Gate = Gate()
    feedback: Feedback = Feedback()
    limits: Limits = Limits()
    output: Output = Output()

    @field_validator("cells")
    @classmethod
    def _different(cls, cells: list[Cell]) -> list[Cell]:
        names = [c.name for c in cells]
        doubled = next((n for n in names if names.count(n) > 1), None)
        if doubled:
            raise ValueError(f"cells must differ, got '{doubled}' twice")
        if sum(c.target for c in cells) == 0:
            raise ValueError("cells must ask for at least one instance, got a total target of 0")
        return cells

    def asset_class(self, output_class: str) -> str:
        """Asset class that makes instances of an output class; the class itself where the ontology is silent."""
        for source, entry in self.ontology.items():
            if (entry.output or source) == output_class:
                return entry.asset
        return output_class
