"""Open the real data that a budget names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from tailgate.config.budget import Reference
from tailgate.config.load import inside
from tailgate.errors import UserError, Where, nearest
from tailgate.frames import Frame
from tailgate.reference.files import need_folder
from tailgate.reference.reader import Entry, Reader, ReferenceSet
from tailgate.reference.split import MIN_RECORDINGS, automatic_split, explicit_split, make_groups, shares_a_recording

READERS = {
    "kitti": "tailgate.reference.kitti:KittiReader",
    "av2": "tailgate.reference.av2:Av2Reader",
    "mosd": "tailgate.reference.mosd:MosdReader",
    "basicwriter": "tailgate.reference.basicwriter:BasicWriterReader",
    "coco_depth": "tailgate.reference.coco_depth:CocoDepthReader",
    "nuscenes": "tailgate.reference.nuscenes:NuScenesReader",
    "semantickitti": "tailgate.reference.semantickitti:SemanticKittiReader",
    "clouds": "tailgate.reference.clouds:CloudsReader",
    "npz": "tailgate.reference.npz:NpzReader",
}
"""Kind -> the reader's class as ``module:class``, imported on use."""


def reader_class(kind: str) -> Callable[..., Reader]:
    """The reader of a kind; UserError for an unknown one."""
    if kind not in READERS:
        raise UserError(f"kind must be one that holds recordings{nearest(kind, READERS)}, got '{kind}'", Where(key="reference.kind"))
    module, _, name = READERS[kind].partition(":")
    return getattr(import_module(module), name)


def open_reference(cfg: Reference, data_root: str | Path) -> ReferenceSet:
    """Open, group and split a reference.

    Args:
        cfg: what the budget says; ``cfg.root`` lies under ``data_root``.
        data_root: the folder the user names with ``--data`` or ``TAILGATE_DATA``.

    Raises:
        UserError: a path outside the root, a missing or empty folder, another sensor, a bad split, or a kind that holds no recordings.
    """
    root = inside(data_root, cfg.root, Where(key="reference.root"))
    reader, entries = open_reader(cfg.kind, root, dict(cfg.options))
    chosen = _chosen_sensors(reader, cfg.sensor)
    groups = make_groups(entries)
    split = explicit_split(groups, cfg.split) if cfg.split else automatic_split(groups)
    recordings = {e.recording for e in entries}
    blocks = len(recordings) < MIN_RECORDINGS and not cfg.split
    weak = blocks or shares_a_recording(split, entries)
    notes = [*reader.notes, *_split_notes(split, groups, weak)]
    sensors = {name: reader.sensors[name] for name in chosen}
    return ReferenceSet(groups, split, weak, notes, _read_one(reader, chosen), sensors, getattr(reader, "placed", 1.0))


def open_reader(kind: str, root: Path, options: dict[str, object] | None = None) -> tuple[Reader, list[Entry]]:
    """The reader of a kind on an existing folder, and the frames it holds.

    Raises:
        UserError: an unknown kind, a missing folder, or one without frames.
    """
    reader_of = reader_class(kind)
    need_folder(Path(root), "recordings")
    reader = reader_of(Path(root), options or {})
    entries = reader.entries()
    if not entries:
        raise UserError(f"the reference is empty: it holds no {kind} frame", root)
    return reader, entries


def _chosen_sensors(reader: Reader, wanted: str | None) -> list[str]:
    """All sensors, the one of this name, or those of this model."""
    if wanted is None:
        return list(reader.sensors)
    chosen = [name for name, model in reader.sensors.items() if wanted in (name, model)]
    if chosen:
        return chosen
    held = ", ".join(f"{name} ({model})" for name, model in sorted(reader.sensors.items()))
    known = [*reader.sensors, *reader.sensors.values()]
    message = f"sensor must be one the reference was recorded with: {held}; got '{wanted}'{nearest(wanted, known)}"
    raise UserError(message, Where(key="reference.sensor"))


def _read_one(reader: Reader, chosen: list[str]) -> Callable[[str], Frame]:
    names = {e.name for e in reader.entries()}

    def read(name: str) -> Frame:
        if name not in names:
            raise UserError(f"unknown frame '{name}' of the reference{nearest(name, names)}")
        frame = reader.read(name)
        return replace(frame, sensors={sensor: frame.sensors[sensor] for sensor in chosen if sensor in frame.sensors})

    return read


def _split_notes(split: dict[str, list[str]], groups: dict[str, list[str]], weak: bool) -> list[str]:
    notes = []
    if not split["holdout"]:
        notes.append("The reference has no hold-out: nothing watches for over-fitting to the feedback part.")
    elif weak:
        notes.append("The hold-out is weak: it shares recordings or places with the feedback part, or there are fewer than four recordings.")
    used = {name for names in split.values() for name in names}
    left_out = [name for names in groups.values() for name in names if name not in used]
    if left_out:
        notes.append(f"{len(left_out)} of {len(left_out) + len(used)} reference frames are in no part of the split and are not used.")
    return notes
