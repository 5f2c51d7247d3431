"""``calibrate sensor``: a sensor model whose response is estimated from real recordings, and how near it comes to recordings it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tailgate.calibrate.bench import CameraBench, LidarBench
from tailgate.calibrate.device import check_device
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.holdout import HeldOut, Recorded, average, distances, folds
from tailgate.calibrate.places import by_place, by_view, same_places, same_views, view_of
from tailgate.config.budget import Reference
from tailgate.config.load import dump
from tailgate.config.rig import configs_root, load_sensor
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.config.setting import Setting
from tailgate.distributions import Constant, Ranged
from tailgate.errors import UserError, Where, placed
from tailgate.feedback.estimate import apply_estimates
from tailgate.frames import SensorFrame
from tailgate.reference.compatible import LOOKED_AT, Side, check_side, median_distance
from tailgate.reference.reader import ReferenceSet
from tailgate.report.sensor_page import SensorRecord, SettingRow
from tailgate.runtime.measured import Source, Tick
from tailgate.sensors import nominal

GRID_SCANS = 16
"""Most scans a firing grid is read from."""
TOLD = ("clouds", "npz", "semantickitti")
"""Layouts whose files need not name their device: their readers hear of it from ``--sensor``, and know its beams."""
BEFORE = ". What they do not tell: "
"""What stands in the source of a calibrated model between its recordings and the source of the model it started from."""
PLACED = 0.9
"""Share of a file's returns that must fit a beam, or most of what is lost is lost by the recovery of beams."""


@dataclass(frozen=True)
class SensorRequest:
    """What to calibrate, and on what.

    Attributes:
        reference: folder of recordings.
        sensor: name or path of the sensor model to start from; None: the model the recordings name.
        kind: layout of the folder; guessed from what lies in it where not given.
        options: of its reader.
        holdout: also judge fits on places they have not seen.
        seed: of scenes and noise.
        tick: hears how far the work is.
    """

    reference: Path
    sensor: str | None = None
    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    holdout: bool = False
    seed: int = 0
    tick: Tick = lambda words, done, total: None


@dataclass(frozen=True)
class SensorFit:
    """Calibrated models, by the name of the sensor in the recordings, and the record of how they were found."""

    models: Mapping[str, LidarModel | CameraModel]
    record: SensorRecord

    def files(self, out: Path) -> dict[Path, str]:
        """YAML of each model by its file: ``out`` for the first, and beside it ``<stem>.<sensor>.yaml`` for further heads."""
        paths = [out, *(out.with_name(f"{out.stem}.{name}{out.suffix}") for name in list(self.models)[1:])]
        return {path: dump(model) for path, model in zip(paths, self.models.values(), strict=True)}


def fit_sensor(request: SensorRequest) -> SensorFit:
    """Estimate a model's calibrated settings from the feedback part of a reference, so that a run's hold-out stays unseen.

    Raises:
        UserError: a folder that does not read, or recordings of another sensor.
    """
    from tailgate.reference import open_reference

    source = Source.find(request.reference, request.kind, request.options)
    if request.sensor and load_sensor(request.sensor) and source.kind in TOLD:
        source = replace(source, options={"model": request.sensor, **source.options})
    found = open_reference(Reference(kind=source.kind, root=".", options=dict(source.options)), source.root)
    found = replace(found, read=partial(source.read, found))
    model, name, heads = _model(found, request.sensor, source.root)
    _check(found, heads, (model, name), source.root)
    with placed(lambda where: Where(source.root, key=where.key if where else "")):
        return _fit(found, (model, name, heads), source.kind, request)


def _fit(found: ReferenceSet, of: tuple[LidarModel | CameraModel, str, list[str]], kind: str, request: SensorRequest) -> SensorFit:
    """Fit a model to the recordings of its device, which have these names in the frames."""
    model, name, heads = of
    recorded = _read(found, found.split["feedback"], heads, model, request.tick)
    shown = by_view(recorded)
    frames = by_place(shown)
    bench = _bench(frames, model, request.seed)
    fit = bench.fit([b for frame in frames for b in frame.blocks], partial(request.tick, "fitting"))
    others = sorted({device for head, recorded in found.sensors.items() if head not in heads and (device := _device(recorded))})
    also = [f"The recordings are also of {other}: --sensor {other} fits it." for other in others]
    cut, held, notes = "", [], [*found.notes, *bench.notes, *same_views(recorded, shown), *same_places(shown, frames), *also]
    if request.holdout:
        cut, held = _held_out(by_place(by_view([*recorded, *_read(found, found.split["holdout"], heads, model, request.tick)])), model, request)
        notes += [] if held else ["The reference shows one place: there is nothing to judge the fit on that it has not seen."]
    settings = {**bench.said(fit), **_unseen(bench.model, fit.estimates)}
    rows = [_row(n, e) for n, e in bench.grid.items()] + [_row(n, e, bench.model.response[n]) for n, e in settings.items()]
    record = SensorRecord(name, kind, len(recorded), rows, cut, held, notes, (fit.distance_prior, fit.distance))
    models = {n: bench.heads[n].model for n in heads if n in bench.heads} if model.type == "lidar" else {heads[0]: model}
    source = f"{len(recorded)} frames of {request.reference.resolve().name} (calibrate sensor){BEFORE}{model.source.rpartition(BEFORE)[2]}"
    return SensorFit({n: _fitted(m, fit.estimates).model_copy(update={"source": source}) for n, m in models.items()}, record)


def _model(found: ReferenceSet, wanted: str | None, root: Path) -> tuple[LidarModel | CameraModel, str, list[str]]:
    """The model to start from, as its recordings were taken, its device and the sensors of the recordings that are of it."""
    model, name = load_sensor(wanted or _recorded_device(found, root))
    of = {n: _device(recorded) for n, recorded in found.sensors.items()}
    heads = [n for n in of if of[n] == name] or [n for n in of if of[n] is None]
    if not heads:
        raise UserError(f"holds recordings of {', '.join(sorted(set(found.sensors.values())))}, not of {name}", root)
    first = found.read(found.split["feedback"][0]).sensors
    heads = [n for n in heads if n not in first or first[n].kind == model.type]
    if not heads:
        raise UserError(f"holds no recordings of a {model.type}, which {name} is", root)
    if model.type == "lidar":
        return model.model_copy(update={"device": name}), name, heads
    k = first[heads[0]].intrinsics
    return model.model_copy(update={n: getattr(k, n) for n in ("width", "height", "fx", "fy", "cx", "cy")} if k else {}), name, heads


def _recorded_device(found: ReferenceSet, root: Path) -> str:
    """The device of the recordings, or the only one among them that measures depth."""
    named = sorted(set(found.sensors.values()))
    models = {d: load_sensor(d)[0] for d in named if _device(d)}
    if not models:
        known = ", ".join(sorted(p.stem for p in (configs_root() / "sensors").glob("*.yaml")))
        raise UserError(f"does not name a known device (it says {', '.join(named)}): name its model with --sensor (known: {known}, or a file)", root)
    deep = [d for d, m in models.items() if m.type == "lidar" or m.depth != "none"] or list(models)
    if len(deep) > 1:
        raise UserError(f"holds recordings of {', '.join(models)}: name one with --sensor", root)
    return deep[0]


def _device(recorded: str) -> str | None:
    """The device that recordings name, None where there is no sensor model of that name."""
    try:
        return load_sensor(recorded)[1]
    except UserError:
        return None


def _check(found: ReferenceSet, heads: list[str], of: tuple[LidarModel | CameraModel, str], root: Path) -> None:
    """Refuse recordings whose numbers cannot be those of the device: nothing measured, another unit, beams that were not recovered."""
    model, name = of
    names = found.split["feedback"]
    looked_at = {n: found.read(n) for n in names[:: -(-len(names) // LOOKED_AT)]}
    side = Side(root, {n: replace(f, sensors={h: f.sensors[h] for h in heads if h in f.sensors}) for n, f in looked_at.items()})
    if model.type == "camera" and model.depth != "none" and "rgbd" not in side.modalities:
        raise UserError(f"holds pictures without depth, which {name} measures", root)
    if found.placed < PLACED:
        lost = f"stores no beams, and {1 - found.placed:.0%} of a file's returns lie between them"
        raise UserError(f"{lost}: recordings of another device than {name}, or what is lost would be lost to that", root)
    check_side(side, side.modalities)
    low, high = (model.range_min, model.range_max) if model.type == "lidar" else (model.near, model.far)
    for modality in side.modalities - {"colour"}:
        median = median_distance(side, modality)
        if not low <= median <= high:
            raise UserError(f"the median distance is {median:.3g} m, and {name} measures {low:g} to {high:g} m: another unit?", root)
    scans = {head: [f.sensors[head] for f in side.frames.values() if head in f.sensors] for head in heads if model.type == "lidar"}
    with placed(lambda where: Where(root)):
        for some in filter(None, scans.values()):
            check_device(some, model, name)


def _read(found: ReferenceSet, names: Sequence[str], heads: list[str], model: LidarModel | CameraModel, tick: Tick) -> list[Recorded]:
    """Measure frames one by one; the scans of some and the poses of all are kept."""
    out, every = [], max(1, -(-len(names) // GRID_SCANS))
    for k, name in enumerate(names):
        sensors = found.read(name).sensors
        sensors = {head: sensors[head] for head in heads if head in sensors}
        out.append(_recorded(found.group_of(name).partition("#")[0], sensors, model, k % every == 0))
        tick("measuring", k + 1, len(names))
    return out


def _recorded(recording: str, sensors: dict[str, SensorFrame], model: LidarModel | CameraModel, keep: bool) -> Recorded:
    from tailgate.calibrate.camera import camera_blocks
    from tailgate.calibrate.support import support_pose
    from tailgate.validate.fit_statistics import fit_sketches

    if model.type == "lidar":
        return Recorded(recording, [b for scan in sensors.values() for b in fit_sketches(scan)], sensors if keep else {})
    (view,) = list(sensors.values())[:1]
    pose, shown = (support_pose(view), view_of(view)) if model.depth != "none" else (None, None)
    return Recorded(recording, camera_blocks(view), {}, pose, "semantic_segmentation" in view.channels, shown)


def _bench(frames: Sequence[Recorded], model: LidarModel | CameraModel, seed: int) -> LidarBench | CameraBench:
    return (LidarBench if model.type == "lidar" else CameraBench).of(frames, model, seed)


def _held_out(frames: Sequence[Recorded], model: LidarModel | CameraModel, request: SensorRequest) -> tuple[str, list[HeldOut]]:
    """The real test: what is held out, and each statistic over all folds."""
    words, cut = folds(frames)
    found, before, statistics = [], None, {}
    for k, fold in enumerate(cut):
        bench = _bench(fold.frames, model, request.seed)
        before = before or type(bench)(model, seed=request.seed).simulate(nominal(model))
        fit = bench.fit(fold.blocks, partial(request.tick, f"fitting without part {k + 1} of {len(cut)}"))
        after = bench.simulate(nominal(_fitted(bench.model, fit.estimates)))
        statistics = bench.statistics
        found.append(distances(fold, before, after, statistics))
        request.tick("judging on what it has not seen", k + 1, len(cut))
    return words, average(found, statistics)


def _unseen(model: LidarModel | CameraModel, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Settings to be calibrated that no statistic of a recording tells: they stay as they are."""
    free = {n: s.dist for n, s in model.response.items() if s.role == "calibrated" and isinstance(s.dist, Ranged) and n not in estimates}
    return {n: Estimate(d.mean, d.low, d.high, 0, False, "no statistic of a recording tells it") for n, d in free.items()}


def _fitted(model: LidarModel | CameraModel, estimates: Mapping[str, Estimate]) -> LidarModel | CameraModel:
    """The model with its estimates."""
    return model.model_copy(update={"response": apply_estimates(model.response, estimates)[0]})


def _row(name: str, e: Estimate, setting: Setting | None = None) -> SettingRow:
    dist = setting.dist if setting else None
    unit = dist.unit if isinstance(dist, (Constant, Ranged)) else ""
    bounds = (dist.low, dist.high) if isinstance(dist, Ranged) else None
    found = (e.value, e.low, e.high, e.n, e.state, e.margin, e.why)
    return SettingRow(name, unit, setting.why if setting else "", *found, bounds, e.open, e.supposes)
