"""The reference as the loop sees it: evidence of the feedback and the hold-out part, real or simulated."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailgate.atomic import write_atomically
from tailgate.config.setting import Setting, to_plain
from tailgate.distributions import Constant, Ranged
from tailgate.ledger.ledger import canonical
from tailgate.rng import rng
from tailgate.runtime.backends import aside_of
from tailgate.runtime.engine import Engine
from tailgate.runtime.events import Events
from tailgate.runtime.measured import Source, evidence_name, fingerprint
from tailgate.runtime.spec import RunSpec
from tailgate.validate.evidence import Evidence
from tailgate.validate.sketch import Sketch

if TYPE_CHECKING:
    from tailgate.reference.reader import ReferenceSet

PARTS = ("feedback", "holdout")
STANDIN_SETTINGS = "settings/standin.yaml"


@dataclass
class ReferenceData:
    """Measured reference.

    Attributes:
        kind: as in the budget.
        groups: part -> group -> evidence of its frames.
        weak: whether the hold-out shares recordings or places with the feedback part.
        notes: sentences that every output repeats.
        weather: that its frames were taken in; empty where one does not tell, and of a stand-in, which is made of the run's own scenes.
    """

    kind: str
    groups: dict[str, dict[str, list[Evidence]]] = field(default_factory=lambda: {p: {} for p in PARTS})
    weak: bool = False
    notes: list[str] = field(default_factory=list)
    weather: frozenset[str] = frozenset()

    def shows(self, weather: str) -> bool:
        """Whether a frame in this weather can be compared with it; one of which nobody says can."""
        return not (self.weather and weather) or weather in self.weather

    def blocks(self, part: str) -> dict[str, list[Sketch]]:
        """Place blocks by group."""
        return {group: [b for e in found for b in e.blocks] for group, found in self.groups[part].items()}

    def crops(self, part: str) -> list[Any]:
        """Object crops of a part."""
        return [crop for found in self.groups[part].values() for e in found for crop in e.crops]

    def total(self, part: str) -> Sketch:
        """Sum over a part."""
        return Sketch.total(block for blocks in self.blocks(part).values() for block in blocks)

    def describe(self) -> dict[str, Any]:
        """Plain data for the ledger and the report."""
        frames = {p: sum(len(v) for v in g.values()) for p, g in self.groups.items()}
        flags = {"weak": self.weak, "standin": self.kind == "standin", "unmeasured": self.kind == "none"}
        return {"kind": self.kind, "notes": self.notes, "frames": frames, "groups": {p: sorted(g) for p, g in self.groups.items()}, **flags}


def reference_hash(spec: RunSpec) -> str:
    """Hash of how the reference is read and of the bytes of its files; of its configuration where it is simulated."""
    cfg = spec.budget.reference
    if cfg.kind in ("standin", "none"):
        return hashlib.sha256(canonical(cfg.model_dump(mode="json")).encode()).hexdigest()
    from tailgate.config.load import inside

    return fingerprint(Source(inside(spec.data, cfg.root), cfg.kind, cfg.options))


async def measure_reference(spec: RunSpec, engine: Engine, initial: dict[str, Setting], events: Events) -> ReferenceData:
    """Measure both parts; what was measured before is read back."""
    kind = spec.budget.reference.kind
    if kind == "none":
        data = ReferenceData(kind, notes=["No reference: every number of this run is unmeasured against real data."])
    elif kind == "standin":
        events.emit("busy", text="simulating the stand-in reference")
        data = await _simulate(spec, engine, initial)
    else:
        events.emit("busy", text=f"measuring the {kind} reference")
        data = await aside_of(spec.backend)(_read, spec)
    for note in data.notes:
        events.emit("note", text=note)
    return data


def _read(spec: RunSpec) -> ReferenceData:
    from tailgate.reference import open_reference

    reference = open_reference(spec.budget.reference, spec.data)
    groups = {part: _measure_part(spec, reference, part) for part in PARTS}
    told = {e.weather for found in groups.values() for measured in found.values() for e in measured}
    weather = frozenset(spec.budget.reference.weather or (() if "" in told else told))
    return ReferenceData(spec.budget.reference.kind, groups, reference.weak, list(reference.notes) + _elsewhere(spec, weather), weather)


def _elsewhere(spec: RunSpec, weather: frozenset[str]) -> list[str]:
    """What to say where cells ask for weather that the reference does not show."""
    asked = sorted({c.weather for c in spec.budget.cells if c.weather} - weather)
    if not weather or not asked:
        return []
    words = f"Cells ask for {' and '.join(asked)}, the reference shows {' and '.join(sorted(weather))}"
    return [f"{words}: frames in other weather are not judged against it."]


def read_audit(spec: RunSpec) -> dict[str, list[Evidence]]:
    """Evidence of the audit part by group: nothing but the report of a finished run may ask for it. Empty where there is none."""
    from tailgate.reference import open_reference

    if spec.budget.reference.kind in ("none", "standin"):
        return {}
    return _measure_part(spec, open_reference(spec.budget.reference, spec.data), "audit")


def _measure_part(spec: RunSpec, reference: ReferenceSet, part: str) -> dict[str, list[Evidence]]:
    """Evidence of one part by group; what was measured before is read back."""
    from tailgate.validate.evidence import measure

    group_of = {name: group for group, names in reference.groups.items() for name in names}
    found: dict[str, list[Evidence]] = {}
    backbone = spec.backbone()
    for name in reference.split.get(part, []):
        file = spec.out / "evidence" / f"reference-{part}-{evidence_name(name)}"
        if not file.is_file():
            measure(reference.read(name), name, group_of[name], backbone=backbone, fitted=True).save(file)
        found.setdefault(group_of[name], []).append(Evidence.load(file))
    return found


async def _simulate(spec: RunSpec, engine: Engine, initial: dict[str, Setting]) -> ReferenceData:
    """A stand-in: the same scenes with a hidden response of every sensor, never shown to feedback but through its frames."""
    aside = aside_of(spec.backend)
    hidden = await aside(_write_hidden, spec, initial)
    frames = int(spec.budget.reference.options.get("frames", 6))
    note = "The reference is a stand-in, simulated with a hidden sensor response: this run shows the loop and says nothing about a real sensor."
    data = ReferenceData("standin", notes=[note])
    jobs = []
    for i, part in enumerate(p for p in PARTS for _ in range(frames)):
        cell = spec.budget.cells[i % len(spec.budget.cells)].name
        scenario = sorted(spec.scenarios)[i % len(spec.scenarios)]
        job = {"round": 0, "index": 1_000_000_000 + i, "cell": cell, "scenario": scenario, "settings": hidden}
        jobs.append((part, {**job, "reference": f"reference-{part}-{i:03d}"}))
    missing = [job for _, job in jobs if not (spec.out / "evidence" / f"{job['reference']}.npz").is_file()]
    await asyncio.gather(*(engine.submit(job) for job in sorted(missing, key=lambda job: job["scenario"])))
    for part, job in jobs:
        file = spec.out / "evidence" / f"{job['reference']}.npz"
        data.groups[part][job["reference"]] = [await aside(Evidence.load, file)]
    return data


def _write_hidden(spec: RunSpec, initial: dict[str, Setting]) -> dict[str, Any]:
    """Write the hidden settings into the run folder; returns them as plain data."""
    from tailgate.config.load import dump

    hidden = to_plain(hidden_settings(initial, spec.budget.seed))
    write_atomically(spec.out / STANDIN_SETTINGS, dump({"round": 0, "settings": hidden}))
    return hidden


def hidden_settings(initial: dict[str, Setting], seed: int) -> dict[str, Setting]:
    """The stand-in's truth: every calibrated sensor setting a constant drawn from the middle four fifths of its bounds."""
    hidden = dict(initial)
    for address, setting in sorted(initial.items()):
        if setting.role == "calibrated" and isinstance(setting.dist, Ranged):
            share = 0.1 + 0.8 * float(rng(seed, "standin", 0, 0, 0, "hidden", address).random())
            hidden[address] = setting.model_copy(update={"dist": Constant(value=setting.dist._from_unit(share), unit=setting.dist.unit)})
    return hidden

