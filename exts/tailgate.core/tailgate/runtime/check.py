"""What can be checked of a run without rendering: everything a budget names exists, opens, fits together and can be met."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.config.camera import Shutter
from tailgate.config.scenario import OPEN_STAGE
from tailgate.errors import UserError, Where, placed, unknown
from tailgate.packages import need
from tailgate.runtime.backends import backend_class
from tailgate.validate.emd import pot

if TYPE_CHECKING:
    from tailgate.config.budget import Cell
    from tailgate.config.load import Source
    from tailgate.randomize.protocol import Randomizer
    from tailgate.runtime.spec import RunSpec, Sources
    from tailgate.stage.check import StageReport


def check_run(spec: RunSpec, sources: Sources) -> None:
    """Raise UserError, with its place, for the first thing that would stop the run later."""
    budget = sources.budget
    _classes(spec, budget)
    made = {name: _scenario(spec, name, source) for name, source in sources.scenarios.items()}
    for i, cell in enumerate(spec.budget.cells):
        _can_be_met(spec, cell, made, lambda key, i=i: budget.at(f"cells[{i}]{key}"))
    _can_be_seen(spec, budget)
    _responses(spec)
    backend_class(spec.backend).check_rig(spec.rig)
    _gate(spec, budget)
    _reference(spec, budget)


def check_packages(spec: RunSpec) -> None:
    """Import what the end of a run needs (data sets, contact sheet, report, class gate), so that its absence is told before the first clip."""
    used = ["pyarrow", "cv2", "PIL", "jinja2"]
    used += ["pycocotools"] if "coco" in spec.budget.output.formats else []
    for module in used:
        need(module)
    if spec.budget.reference.kind != "none":
        need("scipy")
        pot()


def rehearse(spec: RunSpec) -> None:
    """Read every frame of the reference, open every scenario and draw a clip for every cell; nothing is rendered or written.

    A scenario on the user's open stage is left alone: it is read when the run begins.
    """
    from tailgate.randomize.draw import ClipRequest, draw_sample
    from tailgate.randomize.scenario import open_scenario
    from tailgate.reference import open_reference

    if spec.budget.reference.kind not in ("standin", "none"):
        reference = open_reference(spec.budget.reference, spec.data)
        for name in (name for names in reference.split.values() for name in names):
            reference.read(name)
    for scenario in spec.scenarios.values():
        if scenario.base == OPEN_STAGE:
            continue
        opened = open_scenario(scenario, spec.budget, spec.rig, spec.cache)
        try:
            for index, cell in enumerate(spec.budget.cells):
                draw_sample(opened, opened.settings, ClipRequest(0, index, 0, cell, spec.budget.seed))
        finally:
            opened.close()


def foresee(spec: RunSpec) -> list[str]:
    """Sentences on targets that the limits cannot reach, however well everything goes, and the warnings on the user's own stages."""
    from tailgate.randomize.slots import slot_count

    limits = spec.budget.limits
    clips = min(limits.clips, limits.rounds * limits.batches_per_round * limits.batch_clips)
    most = max(slot_count(s, s.variants) * s.ticks for s in spec.scenarios.values()) * clips
    short = [c.name for c in spec.budget.cells if c.target > most]
    total = sum(c.target for c in spec.budget.cells)
    said = [f"limits: {clips:,} clips hold at most {most:,} instances of '{name}', fewer than its target" for name in short]
    said = said or ([f"limits: {clips:,} clips are fewer than the {total:,} instances asked for"] if clips * 4 < total else [])
    stages = (f"{file.name}: {f.sentence}" for file in user_stages(spec) for f in report_of(str(file), file.stat().st_mtime_ns).of("warning"))
    return [*said, *overlaps(spec), *stages]


def overlaps(spec: RunSpec) -> list[str]:
    """Sentences on sensors of which one frame of a clip begins before the one before has ended."""
    out = []
    for scenario in (s for s in spec.scenarios.values() if s.ticks > 1):
        for name, mounted in spec.rig.sensors.items():
            model = mounted.model
            if model.type == "camera":
                shutter = model.shutter or Shutter()
                lasts = 1e-3 * (shutter.readout_ms + shutter.exposure_ms)
            else:
                lasts = model.azimuth_fov_deg / 360 / model.rate_hz
            if lasts > scenario.tick_s * 1.001:
                out.append(f"{scenario.name}: a frame of {name} takes {lasts:.3g} s, and ticks are {scenario.tick_s:g} s apart: its frames overlap")
    return out


def user_stages(spec: RunSpec) -> list[Path]:
    """Files of the scenarios' base scenes that are the user's own."""
    from tailgate.randomize.scenario import BUILT_IN_BASES

    return sorted({Path(s.base) for s in spec.scenarios.values() if s.base not in (*BUILT_IN_BASES, OPEN_STAGE)})


def _classes(spec: RunSpec, source: Source) -> None:
    from tailgate.assets import ASSET_CLASSES, from_usd
    from tailgate.randomize.slots import canonical_class, read_shape

    ontology = spec.budget.ontology
    made = {entry.output or name for name, entry in ontology.items()}
    for name, entry in ontology.items():
        with placed(lambda _, name=name: source.where(("ontology", name, "asset"))):
            asset = canonical_class(entry.asset, entry.usd)
        if entry.usd:
            wrapper = from_usd(entry.usd, asset if asset in ASSET_CLASSES else None, spec.cache)
            try:
                read_shape(wrapper)
            except UserError as error:
                raise UserError(error.message, source.where(("ontology", name, "usd"))) from None
    for i, cell in enumerate(spec.budget.cells):
        if cell.class_ not in made:
            with placed(lambda _, i=i: source.at(f"cells[{i}].class")):
                canonical_class(cell.class_)
    known = {*made, *(c.class_ for c in spec.budget.cells), *ASSET_CLASSES}
    for name in spec.budget.priors:
        if name not in known:
            raise unknown("class of a prior", name, known, source.where(("priors", name)))


def _scenario(spec: RunSpec, name: str, source: Source) -> tuple[Randomizer, ...]:
    """A scenario's randomizers, once their names, options, settings and classes and its base are known to be right."""
    from tailgate.randomize.scenario import BUILT_IN_BASES, base_file, make_randomizers, resolve_settings
    from tailgate.randomize.slots import canonical_class

    scenario = spec.scenarios[name]
    with placed(lambda own: source.at(own.key) if own else Where(source.path)):
        made = make_randomizers(scenario, spec.budget, spec.rig)
        resolve_settings(scenario, made)
    if not any(r.level == "object" for r in made):
        raise UserError("must use a randomizer that places objects, such as placement.contexts", source.at("randomizers"))
    if scenario.base == OPEN_STAGE and not backend_class(spec.backend).shares_loop:
        message = f"must be built in or a USD file with --backend {spec.backend}: '{OPEN_STAGE}' is the stage open in Isaac Sim"
        raise UserError(message, source.at("base"))
    if scenario.base not in (*BUILT_IN_BASES, OPEN_STAGE):
        with placed(lambda _: source.at("base")):
            _user_stage(base_file(scenario, spec.budget, spec.cache))
    elif scenario.base_options and scenario.base != OPEN_STAGE:
        with placed(lambda _: source.at("base_options")):
            base_file(scenario, spec.budget, spec.cache)
    for i, distractor in enumerate(scenario.distractors):
        with placed(lambda _, i=i: source.at(f"distractors[{i}]")):
            canonical_class(distractor)
    for randomizer in made:
        index = next(i for i, use in enumerate(scenario.randomizers) if use.use == randomizer.name)
        with placed(lambda _, i=index: source.at(f"randomizers[{i}].options")):
            for asset in randomizer.classes():
                canonical_class(asset)
    return made


def _user_stage(file: Path) -> None:
    """Refuse a stage with a problem, in the words of ``tailgate check``."""
    from tailgate.stage.check.finding import as_typed

    problems = report_of(str(file), file.stat().st_mtime_ns).of("problem")
    if problems:
        more = f"; 'tailgate check {as_typed(file)}' says {len(problems) - 1} more" if problems[1:] else ""
        raise UserError(f"{problems[0].sentence}{more}", file)


@functools.lru_cache(maxsize=8)
def report_of(file: str, changed_ns: int) -> StageReport:
    """Check of a user's stage, once per state of its file."""
    from tailgate.stage.check import check_stage
    from tailgate.stage.layers import open_base

    return check_stage(open_base(file))


def _can_be_met(spec: RunSpec, cell: Cell, made: dict[str, tuple[Randomizer, ...]], where: Callable[[str], Where]) -> None:
    """Some sensor reaches the cell's range, and some scenario makes its light and weather."""
    reach = [(m.range_min, m.range_max) if m.type == "lidar" else (m.near, m.far) for m in (s.model for s in spec.rig.sensors.values())]
    if cell.range and not any(cell.range[0] < high and cell.range[1] > low for low, high in reach):
        spans = ", ".join(f"{n} {low:g}-{high:g} m" for n, (low, high) in zip(spec.rig.sensors, reach, strict=True))
        raise UserError(f"range must be one that a sensor of the rig reaches ({spans}), got {list(cell.range)}", where(".range"))
    for condition in ("light", "weather"):
        wanted = getattr(cell, condition)
        offered = sorted({value for randomizers in made.values() for r in randomizers for value in getattr(r, "offers", {}).get(condition, ())})
        if wanted and wanted not in offered:
            makes = f"{', '.join(made)}: {', '.join(offered) or 'none'}"
            raise UserError(f"{condition} must be one that a scenario makes ({makes}), got '{wanted}'", where(f".{condition}"))


def _can_be_seen(spec: RunSpec, source: Source) -> None:
    """An object that fills a whole sensor counts as seen."""
    output, models = spec.budget.output, [s.model for s in spec.rig.sensors.values()]
    pixels = max((m.width * m.height for m in models if m.type == "camera"), default=0)
    hits = sum(len(m.elevation_deg) * m.columns for m in models if m.type == "lidar")
    if pixels < output.min_pixels and hits < output.min_lidar_hits:
        message = f"min_pixels {output.min_pixels:,} and min_lidar_hits {output.min_lidar_hits:,} must be within what the rig's sensors have"
        raise UserError(f"{message}: {pixels:,} pixels, {hits:,} returns", source.at("output"))


def _responses(spec: RunSpec) -> None:
    """Every response parameter of the rig's sensors is one that the response models know."""
    from tailgate.sensors import check_response

    for name, sensor in spec.rig.sensors.items():
        with placed(lambda _, name=name: Where(f"rig {spec.rig.name}", key=f"sensors.{name}.response")):
            check_response(sensor.model, sensor.places)


def _gate(spec: RunSpec, source: Source) -> None:
    from tailgate.validate.evidence import STATISTICS

    for name in spec.budget.gate.statistics:
        if name not in STATISTICS:
            raise unknown("statistic", name, STATISTICS, source.where(("gate", "statistics", name)))


def _reference(spec: RunSpec, source: Source) -> None:
    """The reference opens, splits as asked and was recorded with a sensor of the rig."""
    cfg = spec.budget.reference
    if cfg.kind in ("standin", "none"):
        return
    if spec.data is None:
        raise UserError(f"reference.kind '{cfg.kind}' needs real data: give --data FOLDER or set TAILGATE_DATA", source.at("reference"))
    from tailgate.reference import open_reference

    with placed(lambda own: source.at(own.key if own and own.key else "reference")):
        recorded = open_reference(cfg, spec.data).sensors
    mounted = {s.model_name for s in spec.rig.sensors.values()}
    if recorded and not mounted & set(recorded.values()):
        held, carried = ", ".join(sorted(set(recorded.values()))), ", ".join(sorted(mounted))
        message = f"reference was recorded with {held}, but the rig '{spec.rig.name}' carries {carried}; they cannot be compared"
        raise UserError(message, source.at("reference"))
