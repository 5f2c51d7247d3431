"""Everything a run depends on, resolved once from the budget file and handed to workers as plain data."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate import __version__
from tailgate.assets import cache_folder
from tailgate.config.budget import Budget, ClassMap, Gate
from tailgate.config.load import Source, dump, validate, within
from tailgate.config.rig import ResolvedRig, configs_root, find_config, load_rig
from tailgate.config.scenario import OPEN_STAGE, Scenario
from tailgate.errors import UserError, Where, placed, unknown
from tailgate.ledger.ledger import canonical
from tailgate.turns import breathe
from tailgate.validate.backbones import Backbone, file_of, locate, open_backbone

SPEC_FILE = "settings/spec.json"


@dataclass(frozen=True)
class RunOptions:
    """What the command line says: the budget file and what it adds; ``out`` None means ``runs/<budget name>``; ``base`` replaces every scenario's."""

    budget: Path
    out: Path | None = None
    data: Path | None = None
    backend: str = "warp"
    device: str = "cpu"
    overrides: tuple[str, ...] = ()
    base: str = ""


@dataclass(frozen=True)
class RunSpec:
    """A resolved run.

    Attributes:
        budget: the budget with every default filled in.
        scenarios: by name, with the weight of each.
        rig: sensors and poses.
        out: run folder.
        data: root of the real data, or None.
        cache: folder of generated assets.
    """

    budget: Budget
    scenarios: dict[str, Scenario]
    weights: dict[str, float]
    rig: ResolvedRig
    out: Path
    data: Path | None
    backend: str
    device: str
    cache: Path

    def to_json(self) -> dict[str, Any]:
        """Plain data for a worker process."""
        return {
            "budget": self.budget.model_dump(mode="json", by_alias=True),
            "scenarios": {n: s.model_dump(mode="json") for n, s in self.scenarios.items()},
            "weights": self.weights,
            "rig": self.rig.to_json(),
            "out": str(self.out),
            "data": str(self.data) if self.data else None,
            "backend": self.backend,
            "device": self.device,
            "cache": str(self.cache),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunSpec:
        """Rebuild from ``to_json``."""
        return cls(
            Budget.model_validate(data["budget"]),
            {n: Scenario.model_validate(s) for n, s in data["scenarios"].items()},
            data["weights"],
            ResolvedRig.from_json(data["rig"]),
            Path(data["out"]),
            Path(data["data"]) if data["data"] else None,
            data["backend"],
            data["device"],
            Path(data["cache"]),
        )

    def backbone(self) -> Backbone:
        """What gives the features that classes are judged by; its file was located when the run was resolved."""
        return open_backbone(self.budget.gate.backbone, (Path("/"),))

    def fingerprint(self, reference_hash: str) -> dict[str, str]:
        """What results depend on, by name; resume refuses another one."""
        from tailgate.runtime.backends import backend_class

        plain = self.to_json()
        return {
            "budget": _sha(canonical(plain["budget"])),
            "scenarios": _sha(canonical([plain["scenarios"], plain["weights"]])),
            "rig": _sha(canonical(plain["rig"])),
            "usd": _sha(canonical([[str(p), _file_sha(p)] for p in self.usd_files()])),
            "reference": reference_hash,
            "backbone": _file_sha(model) if (model := file_of(self.budget.gate.backbone)) else self.budget.gate.backbone,
            "gate": _file_sha(Path(self.budget.gate.file)) if self.budget.gate.file else "",
            "versions": canonical(versions()),
            "device": f"{self.backend} on {self.device.split(':')[0]}",
            **({"open stage": backend_class(self.backend).open_stage_digest()} if self.on_open_stage else {}),
        }

    @property
    def on_open_stage(self) -> bool:
        """Whether a scenario works on the stage that the user has open."""
        return any(s.base == OPEN_STAGE for s in self.scenarios.values())

    def usd_files(self) -> list[Path]:
        """The user's own USD files, by class and base."""
        named = [m.usd for m in self.budget.ontology.values() if m.usd] + [s.base for s in self.scenarios.values()]
        return sorted(Path(n) for n in named if Path(n).is_file())


def versions() -> dict[str, str]:
    """Versions of what computes: tailgate, numpy, Warp, USD."""
    from importlib.metadata import PackageNotFoundError, version

    out = {"tailgate": __version__}
    for package in ("numpy", "warp-lang", "usd-core"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            out[package] = "bundled"
    return out


@dataclass(frozen=True)
class Sources:
    """The files a run was read from, for complaints: the budget and each scenario by name."""

    budget: Source
    scenarios: dict[str, Source]


def resolve(options: RunOptions) -> RunSpec:
    """Read a budget with all it names, and check everything that needs no rendering.

    Every path in a budget is relative to its folder and must lie in that folder, in the data root or in the shipped configs; a path in a scenario
    or a rig is relative to that file's folder, which is then allowed as well.
    """
    from tailgate.runtime.backends import backend_class
    from tailgate.runtime.check import check_run

    source = Source(options.budget, options.overrides)
    budget = validate(Budget, source.data, source)
    data = data_root(options.data)
    roots = (options.budget.resolve().parent, *([data] if data else []))
    backend = backend_class(options.backend)
    backend.check(options.device)
    scenarios, weights, sources = {}, {}, {}
    for i, entry in enumerate(budget.scenarios):
        where = source.where(("scenarios", i, "file"))
        scenario, found = read_scenario(entry.file, roots, where, options.base)
        if scenario.name in scenarios:
            raise UserError(f"scenarios must have different names, got '{scenario.name}' twice", where)
        scenarios[scenario.name], weights[scenario.name], sources[scenario.name] = scenario, entry.weight, found
    rig = read_rig(budget.rig, data, roots, source.at("rig"))
    budget = budget.model_copy(update={"ontology": {name: _locate(name, entry, roots, source) for name, entry in budget.ontology.items()}})
    budget = budget.model_copy(update={"gate": _locate_gate(budget, roots, source)})
    with placed(lambda _: source.at("gate.backbone")):
        backbone = locate(budget.gate.backbone, roots)
        open_backbone(backbone, (Path("/"),))
    budget = budget.model_copy(update={"gate": budget.gate.model_copy(update={"backbone": backbone})})
    out = (options.out or Path("runs") / budget.name).resolve()
    spec = RunSpec(budget, scenarios, weights, rig, out, data, options.backend, options.device, cache_folder())
    check_run(spec, Sources(source, sources))
    return spec


def read_scenario(name: str, roots: tuple[Path, ...], where: Where, base: str = "") -> tuple[Scenario, Source]:
    """A scenario by name or path, its base resolved where that is a file; ``base`` replaces its own."""
    from tailgate.randomize.scenario import BUILT_IN_BASES
    from tailgate.stage.layers import usd_files

    path = find_config(name, "scenarios", roots, where)
    source = Source(path)
    scenario = validate(Scenario, source.data, source)
    if base:
        scenario = scenario.model_copy(update={"base": base, "base_options": {}})
    if scenario.base not in (*BUILT_IN_BASES, OPEN_STAGE):
        place, kind = source.at("base"), "base scene (built in, or a USD file)"
        missing = unknown(kind, scenario.base, (*BUILT_IN_BASES, *usd_files(path.parent)), place)
        scenario = scenario.model_copy(update={"base": _file(scenario.base, (path.parent, *roots), place, missing)})
    return scenario, source


def _locate(name: str, entry: ClassMap, roots: tuple[Path, ...], source: Source) -> ClassMap:
    where = source.where(("ontology", name, "usd"))
    missing = UserError(f"USD file not found: '{entry.usd}'", where)
    return entry.model_copy(update={"usd": _file(entry.usd, roots, where, missing)}) if entry.usd else entry


def _locate_gate(budget: Budget, roots: tuple[Path, ...], source: Source) -> Gate:
    where, gate = source.at("gate.file"), budget.gate
    if gate.file and budget.reference.kind in ("standin", "none"):
        raise UserError(f"must be calibrated on real recordings, got reference.kind '{budget.reference.kind}'", where)
    missing = UserError(f"gate file not found: '{gate.file}'", where)
    return gate.model_copy(update={"file": _file(gate.file, roots, where, missing)}) if gate.file else gate


def _file(path: str, roots: tuple[Path, ...], where: Where, missing: UserError) -> str:
    found = within((*roots, configs_root()), path, where)
    if not found.is_file():
        raise missing
    return str(found)


def read_rig(spec: str, data: Path | None, roots: tuple[Path, ...], where: Where) -> ResolvedRig:
    """A rig by name or path, or ``av2:<path>`` / ``kitti:<path>`` from a dataset's calibration under the data root."""
    if ":" in spec:
        from tailgate.config.rig import resolve as resolve_rig
        from tailgate.reference.calibration import rig_from

        if data is None:
            raise UserError(f"rig '{spec}' needs real data: give --data FOLDER or set TAILGATE_DATA", where)
        with placed(lambda own: where):
            return resolve_rig(rig_from(spec, data), roots)
    return load_rig(spec, roots, where)


def data_root(given: Path | None) -> Path | None:
    """Root of the real data: ``--data``, else ``$TAILGATE_DATA``; None where neither is set."""
    named = given or (Path(os.environ["TAILGATE_DATA"]) if os.environ.get("TAILGATE_DATA") else None)
    if named is not None and not named.is_dir():
        raise UserError(f"data folder not found: '{named}' (given by {'--data' if given else '$TAILGATE_DATA'})")
    return named.resolve() if named else None


def write_resolved(spec: RunSpec) -> None:
    """Put the resolved budget and scenarios into the run folder for people, and the whole spec for later commands."""
    from tailgate.atomic import write_atomically

    write_atomically(spec.out / "budget.yaml", dump(spec.budget))
    (spec.out / "settings").mkdir(exist_ok=True)
    write_atomically(spec.out / SPEC_FILE, canonical(spec.to_json()))
    for name, scenario in spec.scenarios.items():
        write_atomically(spec.out / "settings" / f"scenario-{name}.yaml", dump(scenario))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_sha(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 22):
            breathe()
            digest.update(piece)
    return digest.hexdigest()
