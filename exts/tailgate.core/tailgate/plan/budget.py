"""Labels in, budget out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tailgate.assets import ASSET_CLASSES, check_usd
from tailgate.atomic import write_atomically
from tailgate.config.budget import Budget, Cell, ClassMap, Prior, WeightedScenario
from tailgate.config.load import dump, validate, within
from tailgate.config.rig import DEFAULT_RIG, RIGS, find_config
from tailgate.datasets.labels import LabelTable, read_labels
from tailgate.errors import UserError, Where, unknown
from tailgate.plan.cells import Split, make_cells
from tailgate.plan.ontology import SCENARIOS, Ontology, home, map_classes
from tailgate.plan.priors import ClassPrior, measure_priors
from tailgate.plan.rate import Rate, rate_of
from tailgate.plan.tail import Selection, deficits, quoted, select


@dataclass(frozen=True)
class PlanOptions:
    """What a user may ask of a plan.

    Attributes:
        labels: label file or folder.
        target: samples wanted per class.
        percentile: of class counts, 0..100; classes at or below it are tail.
        classes: classes that get a budget instead of the tail; ``tail`` stands for the tail, ``all`` for every class below the target.
        include_zero: declared classes without samples take part.
        split: how deficits become cells.
        usd: own USD file by source class.
        rate_per_hour, acceptance: expected speed; None for those of ``measured_from``, or the defaults.
        measured_from: folder of an earlier run whose status.json holds both.
        scenario, rig: None to choose by classes and by labels.
        data: root of the real data, to which a rig from calibration is relative.
        name: of the run; None for one made from the file name.
        output: YAML file to write; None to write nothing.
    """

    labels: Path
    target: int = 500
    percentile: float = 20.0
    classes: tuple[str, ...] = ()
    include_zero: bool = False
    split: Split = field(default_factory=Split)
    usd: Mapping[str, str] = field(default_factory=dict)
    rate_per_hour: float | None = None
    acceptance: float | None = None
    measured_from: Path | None = None
    scenario: str | None = None
    rig: str | None = None
    data: Path | None = None
    name: str | None = None
    output: Path | None = None


@dataclass(frozen=True)
class Survey:
    """What labels hold and what of it can be asked for; fields as in ``PlanResult``."""

    table: LabelTable
    counts: dict[str, int]
    selection: Selection
    missing: dict[str, int]
    ontology: Ontology


@dataclass(frozen=True)
class PlanResult:
    """A budget and how it came about.

    Attributes:
        table: the labels.
        counts: samples per declared class, fewest first.
        selection: the tail and the choice.
        missing: samples missing per class that gets a budget.
        ontology: how the classes are made, and those that cannot be.
        priors: measured placement by output class.
        rate: speed behind ``hours``.
        budget: the budget itself.
        said: every sentence for the user, in order.
        text: the budget as commented YAML.
    """

    table: LabelTable
    counts: dict[str, int]
    selection: Selection
    missing: dict[str, int]
    ontology: Ontology
    priors: dict[str, ClassPrior]
    rate: Rate
    budget: Budget
    said: list[str]
    text: str

    @property
    def hours(self) -> dict[str, float]:
        """Hours [h] per class that gets a budget."""
        return {c: self.rate.hours(n) for c, n in self.missing.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain data for machines: counts, tail, deficits, hours, remarks and the budget."""
        return {
            "counts": self.counts,
            "threshold": self.selection.threshold,
            "percentile": self.selection.percentile,
            "tail": self.selection.tail,
            "missing": self.missing,
            "hours": {c: round(h, 4) for c, h in self.hours.items()},
            "rate": asdict(self.rate),
            "remarks": self.said,
            "budget": self.budget.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True),
        }


def plan(options: PlanOptions) -> PlanResult:
    """Read labels, find the tail, and make (and write, if asked) the budget."""
    if options.output and options.output.is_dir():
        raise UserError("the budget must be written to a file, got a folder", options.output)
    result = make_budget(read_labels(options.labels), options)
    if options.output:
        _write(options.output, result.text)
    return result


def survey(table: LabelTable, options: PlanOptions) -> Survey:
    """Count labels, choose the classes to budget for and find what can make them.

    Raises:
        UserError: nothing is short, or an option is out of range.
    """
    _check(options)
    counts = table.counts()
    selection = select(counts, options.target, options.percentile, options.classes, options.include_zero)
    stray = [c for c in options.usd if c not in counts]
    if stray:
        raise unknown("class", stray[0], counts)
    wanted = deficits(counts, selection.chosen, options.target)
    ontology = map_classes(wanted, ASSET_CLASSES, _portable(options))
    return Survey(table, counts, selection, {c: n for c, n in wanted.items() if c in ontology.entries}, ontology)


def make_budget(table: LabelTable, options: PlanOptions) -> PlanResult:
    """Make the budget of a label table.

    Raises:
        UserError: nothing is short, no asset can make any of the chosen classes, or an option is out of range.
    """
    found = survey(table, options)
    counts, selection, missing, ontology = found.counts, found.selection, found.missing, found.ontology
    if not missing:
        raise _nothing_makeable(deficits(counts, selection.chosen, options.target), counts, options)
    cells, cell_notes = make_cells(table, missing, {c: c for c in missing}, options.split)
    priors = measure_priors(table, list(missing))
    scenarios = _scenarios(options, missing, ontology)
    rig, rig_note = _rig(options, table, scenarios)
    budget = _budget(options, cells, ontology.entries, {c: p.for_budget() for c, p in priors.items()}, scenarios, rig)
    said = [*table.notes, *selection.said, *ontology.said, *cell_notes, *rig_note]
    rate = rate_of(options.rate_per_hour, options.acceptance, options.measured_from)
    text = _commented(budget, table, selection, options.target, sum(rate.hours(n) for n in missing.values()), rate)
    return PlanResult(table, counts, selection, missing, ontology, priors, rate, budget, said, text)


def _nothing_makeable(wanted: dict[str, int], counts: dict[str, int], options: PlanOptions) -> UserError:
    short = [c for c, n in counts.items() if n < options.target and c not in wanted]
    others = list(map_classes(short, ASSET_CLASSES).entries)
    hint = f", --classes {quoted(others)} asks for what assets can make and the target is short of" if others else ""
    return UserError(f"no asset can make any of {', '.join(wanted)}; --usd '{next(iter(wanted))}=FILE' gives a USD of yours{hint}", options.labels)


def _check(options: PlanOptions) -> None:
    if not 1 <= options.target <= 10_000_000:
        raise UserError(f"target must be between 1 and 10,000,000 samples per class, got {options.target:,}")
    if not 1 <= options.split.bands <= 10:
        raise UserError(f"range bands must be between 1 and 10, got {options.split.bands}")
    for name, file in options.usd.items():
        if not Path(file).is_file():
            raise UserError(f"the USD file of '{name}' was not found", file)
        check_usd(file)
    for folder, config in (("scenarios", options.scenario), ("rigs", options.rig)):
        if config and ":" not in config:
            find_config(config, folder, _roots(options))


def _roots(options: PlanOptions) -> list[Path]:
    """Where paths of the budget may lead: its own folder, and the data root."""
    return [options.output.resolve().parent if options.output else Path.cwd(), *([options.data] if options.data else [])]


def _portable(options: PlanOptions) -> dict[str, str]:
    """The user's USD files by class as the budget names them: relative to its folder; one that a budget there may not name is refused."""
    roots = _roots(options)
    found = {name: within(roots, Path(file).resolve(), Where("--usd", key=name)) for name, file in options.usd.items()}
    return {name: str(file.relative_to(roots[0])) if roots[0] in file.parents else str(file) for name, file in found.items()}


def _scenarios(options: PlanOptions, missing: dict[str, int], ontology: Ontology) -> list[WeightedScenario]:
    """The user's scenario, or those where the classes are at home, weighted by their share of the missing samples."""
    if options.scenario:
        return [WeightedScenario(file=options.scenario)]
    share: dict[str, int] = {}
    for name, n in missing.items():
        place = home(ontology.entries[name].asset, ASSET_CLASSES)
        share[place] = share.get(place, 0) + n
    total = sum(share.values())
    return [WeightedScenario(file=s, weight=max(round(share[s] / total, 3), 0.001)) for s in SCENARIOS if s in share]


def _rig(options: PlanOptions, table: LabelTable, scenarios: list[WeightedScenario]) -> tuple[str, list[str]]:
    if options.rig:
        return options.rig, []
    if table.format.startswith("kitti"):
        return "kitti", ["the rig is KITTI's, as the labels are; --rig names another"]
    folder = table.source if table.source.is_dir() else table.source.parent
    calibration = folder / "calibration.json"
    if table.format == "av2" and calibration.is_file():
        return _calibrated_rig(calibration.resolve(), options.data)
    rig = RIGS.get(max(scenarios, key=lambda s: s.weight).file, DEFAULT_RIG)
    return rig, [f"no calibration beside the labels: the rig is '{rig}'; --rig names yours"]


def _calibrated_rig(calibration: Path, data: Path | None) -> tuple[str, list[str]]:
    """The rig of a calibration file, named relative to the data root, or to the folder above its log where that root is another or unknown."""
    root = data.resolve() if data and data.resolve() in calibration.parents else calibration.parent.parent
    return f"av2:{calibration.relative_to(root).as_posix()}", [f"the rig is read from {calibration}; generate with --data {root}"]


def _budget(
    options: PlanOptions,
    cells: list[Cell],
    entries: dict[str, ClassMap],
    priors: dict[str, Prior],
    scenarios: list[WeightedScenario],
    rig: str,
) -> Budget:
    data = dict(
        name=options.name or _run_name(options.labels),
        source=str(options.labels),
        ontology={k: v.model_dump(exclude_none=True) for k, v in entries.items()},
        cells=[c.model_dump(by_alias=True, exclude_none=True) for c in cells],
        priors={k: v.model_dump(exclude_none=True) for k, v in priors.items()},
        scenarios=[s.model_dump() for s in scenarios],
        rig=rig,
    )
    return validate(Budget, data)


def _run_name(labels: Path) -> str:
    """Name of the label file or folder, or of the first folder above it that says more than "annotations"."""
    parts = [labels.stem if labels.suffix else labels.name, *(p.name for p in labels.resolve().parents)]
    said = next((p for p in parts if p and p not in ("annotations", "label_2", "label_02", "training", "instances", "labels")), "labels")
    return (re.sub(r"[^A-Za-z0-9_.-]+", "_", said).strip("_.-") or "labels") + "_tail"


def _commented(budget: Budget, table: LabelTable, selection: Selection, target: int, hours: float, rate: Rate) -> str:
    """YAML that says where its numbers come from; what equals a default is left out."""
    plain = budget.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    comments = {
        "version": [
            f"Made from {len(table) or sum(table.counts().values()):,} labels of {len(table.classes)} classes ({table.format}).",
            f"Tail: {selection.threshold:g} samples or fewer (percentile {selection.percentile:g} of the class counts): {', '.join(selection.tail)}.",
            f"About {hours:.1f} h at {rate.per_hour:,.0f} samples an hour and {rate.acceptance:.0%} accepted ({rate.origin}).",
        ],
        "ontology": ["Source class -> asset class that makes it; `output:` renames it in the data set, `usd:` uses your own file."],
        "cells": [f"What is missing to {target:,} samples per class."],
        "priors": ["Placement measured from the labels: quantiles at 5, 25, 50, 75, 95 % over n boxes [m, deg, objects per frame]."],
        "rig": ["Without a `reference:` every output says `unmeasured`."],
    }
    lines = []
    for line in dump({"version": 1, **plain}).splitlines():
        key = line.split(":")[0]
        if key in comments:
            wrapped = [part for c in comments[key] for part in textwrap.wrap(c, 136)]
            lines += ([""] if lines else []) + [f"# {c}" for c in wrapped]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror or error}", path) from None
