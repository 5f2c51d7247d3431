"""``gate.yaml``: what ``calibrate gate`` measured of a reference, and the limits that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tailgate.config.load import Model

Share = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[float, Field(ge=0)]


class Rate(Model):
    """A share of trials with its 95 % interval."""

    value: Share
    low: Share
    high: Share


class RealNull(Model):
    """Real against real: quantiles of a statistic over pseudo-batches, the 90 % interval of its q95, and the root mean square, its unit."""

    median: Length
    q95: Length
    q95_low: Length
    q95_high: Length
    rms: Annotated[float, Field(gt=0)]
    n: int = Field(ge=1)


class StatisticGate(Model):
    """One statistic at one batch size.

    Attributes:
        null: real against real.
        limit: the joint limit in the unit of the statistic.
        gates: whether it decides.
        weights: share of each stratum in the mean over strata.
        strata: median and q95 of each stratum's null; none where real data cannot tell.
        power: control -> share of wrong batches beyond the limit, by strength, from weak to strong.
    """

    null: RealNull
    limit: Length
    gates: bool
    weights: list[Length]
    strata: list[tuple[Length, Length] | None]
    power: dict[str, list[Share]] = {}


class BatchLimits(Model):
    """Everything at one batch size.

    Attributes:
        size: blocks in a batch.
        batches: disjoint real batches of this size that the reference holds; intervals are as wide as these leave them.
        joint: joint limit of the largest statistic, in units of the null's root mean square.
        false_rejects: share of real batches that are rejected, of places that had no part in the limits.
        power: control -> share of wrong batches rejected, by strength, of places that had no part in the limits.
    """

    size: int = Field(ge=1)
    batches: int = Field(ge=1)
    joint: Length
    false_rejects: Rate
    power: dict[str, list[Rate]] = {}
    statistics: dict[str, StatisticGate]


class ControlRecord(Model):
    """A negative control: what is wrong, how strongly, and from which strength on the gate must notice."""

    words: str = ""
    strengths: list[float] = Field(min_length=1)
    stated: float

    @model_validator(mode="after")
    def _member(self) -> ControlRecord:
        if self.stated not in self.strengths:
            raise ValueError(f"stated must be one of strengths {self.strengths}, got {self.stated}")
        return self

    @property
    def at(self) -> int:
        """Position of the stated strength."""
        return self.strengths.index(self.stated)


class ModalityGate(Model):
    """The gate of one modality.

    Attributes:
        place: what was resampled, in words.
        places, blocks: how many of them, and of the blocks they hold.
        controls: the negative controls by name.
        sizes: by batch size, rising; a batch is judged by the largest one it reaches.
    """

    place: str
    places: int = Field(ge=1)
    blocks: int = Field(ge=1)
    controls: dict[str, ControlRecord] = {}
    sizes: list[BatchLimits] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> ModalityGate:
        held = [s.size for s in self.sizes]
        if held != sorted(set(held)):
            raise ValueError(f"sizes must rise, got {held}")
        for limits in self.sizes:
            for power in (limits.power, *(s.power for s in limits.statistics.values())):
                _check_power(power, self.controls)
        return self

    def at(self, size: float) -> BatchLimits:
        """The largest calibrated size that a batch of so many blocks reaches; the smallest for one below all."""
        return next((s for s in reversed(self.sizes) if s.size <= size), self.sizes[0])

    def reaches(self, control: str, power: float = 0.95) -> int | None:
        """Smallest batch size from which on every one has this power against a control at its stated strength; None where there is none."""
        at, found = self.controls[control].at, None
        for limits in reversed(self.sizes):
            if limits.power[control][at].value < power:
                break
            found = limits.size
        return found

    def falling(self, limits: BatchLimits, slack: float = 0.02) -> list[str]:
        """Controls noticed more often than not whose detection falls by more than ``slack`` to a greater strength."""
        values = {c: [r.value for r in p] for c, p in limits.power.items()}
        return [c for c, p in values.items() if any(a >= 0.5 and a - b > slack for a, b in zip(p, p[1:], strict=False))]


def _check_power(power: Mapping[str, list], controls: Mapping[str, ControlRecord]) -> None:
    for name, values in power.items():
        if name not in controls:
            raise ValueError(f"power names a control '{name}' that is not under controls")
        if len(values) != len(controls[name].strengths):
            raise ValueError(f"power against '{name}' must have {len(controls[name].strengths)} values, one a strength; got {len(values)}")


class Calibrated(Model):
    """The reference a gate was calibrated on."""

    kind: str
    fingerprint: str
    frames: list[str]


class ClassLimits(Model):
    """The class gate at one number of crops.

    Attributes:
        size: crops in a batch.
        joint: joint limit of the gating metrics, in units of q95 - median of each null.
        limits: distance [m] or divergence [nats] -> its limit.
        x_max: distance -> the scale of ``dogss_score`` [m].
        gates: metrics with enough power to decide.
        power: metric -> control -> share of batches made wrong that it rejects; drawn from the same crops as the limits.
    """

    size: int = Field(ge=1)
    joint: float
    limits: dict[str, float]
    x_max: dict[str, float]
    gates: list[str]
    power: dict[str, dict[str, Share]]


class ClassRecord(Model):
    """What the class gate can tell of a class within a range bin; without sizes it judges nothing there, and ``note`` says why."""

    class_: str = Field(alias="class")
    modality: str
    range: str
    crops: int = Field(ge=0)
    groups: int = Field(ge=0)
    sizes: list[ClassLimits] = []
    note: str = ""


class GateFile(Model):
    """Limits of the batch gate by modality, with the numbers behind them, and what the class gate can tell.

    The batch gate judges by this file. The class gate judges at the very number of crops it is given and draws its limits for that number from the
    reference; ``classes`` shows those limits at a few numbers.
    """

    version: Literal[1] = 1
    tailgate: str
    seed: int
    reference: Calibrated
    batch: dict[str, ModalityGate]
    classes: list[ClassRecord] = []
