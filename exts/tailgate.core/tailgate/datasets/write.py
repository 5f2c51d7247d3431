"""Frames in, every requested format and the manifest out, in one pass; a frame's formats are written at the same time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tailgate.config.rig import ResolvedRig
from tailgate.datasets.basicwriter import BasicWriter
from tailgate.datasets.coco import CocoWriter
from tailgate.datasets.files import Draft
from tailgate.datasets.kitti import KittiWriter
from tailgate.datasets.manifest import ManifestRow, ManifestWriter
from tailgate.datasets.semantickitti import SemanticKittiWriter
from tailgate.datasets.store import digest
from tailgate.errors import UserError, unknown
from tailgate.frames import Frame


class Writer(Protocol):
    """One format: frames are added one by one, ``finish`` completes the folder."""

    name: str
    needs: tuple[str, ...]
    lenses: bool

    def add(self, frame: Frame) -> list[str]:
        """Write one frame; returns its files, relative to the format's folder."""

    def finish(self) -> dict[str, Any]:
        """Complete the folder; returns a summary."""


WRITERS: dict[str, type] = {w.name: w for w in (BasicWriter, CocoWriter, KittiWriter, SemanticKittiWriter)}


@dataclass
class DatasetSummary:
    """What was written.

    Attributes:
        frames: number of frames.
        formats: format -> its own summary.
        left_out: format -> why it was not written.
        manifest: path of the manifest.
    """

    frames: int
    formats: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    manifest: Path | None = None


def write_dataset(
    frames: Iterable[Frame],
    out: str | Path,
    formats: Sequence[str],
    classes: Sequence[str] = (),
    describe: Callable[[Frame], ManifestRow] | None = None,
    rig: ResolvedRig | None = None,
    clips: Collection[str] = (),
) -> DatasetSummary:
    """Write ``<out>/<format>/`` for each format and ``<out>/manifest.parquet``.

    Every folder appears whole or not at all; an earlier export is replaced, anything else is left alone. A format that needs a kind of sensor the rig
    does not have is left out and named in the summary.

    Args:
        frames: accepted frames in their final order; held two at a time.
        out: folder of the data set.
        formats: names from ``WRITERS``.
        classes: output classes in the order of their COCO category ids; others follow as they are met.
        describe: the manifest row of a frame (what is written here joins its ``files``, and its ``digest`` is filled in where empty).
        rig: what carried the sensors, of which a frame may miss some; left out: what each frame holds.
        clips: those of which several frames come (``FrameId.clip``): a format of sequences gives each its own.

    Raises:
        UserError: no frame, unknown format, or ``out`` cannot be written.
    """
    stray = [f for f in formats if f not in WRITERS]
    if stray:
        raise unknown("format", stray[0], WRITERS)
    out = Path(out)
    drafts: dict[str, Draft] = {}
    try:
        return _write(frames, out, list(dict.fromkeys(formats)), (tuple(classes), describe, rig, clips), drafts)
    except OSError as error:
        raise UserError(f"the data set cannot be written: {error.strerror or error}", out) from None
    finally:
        for draft in drafts.values():
            draft.discard()


def _write(frames: Iterable[Frame], out: Path, formats: list[str], how: tuple, drafts: dict[str, Draft]) -> DatasetSummary:
    classes, describe, rig, clips = how
    aboard = {name: mounted.model.type for name, mounted in rig.sensors.items()} if rig else {}
    given = {CocoWriter.name: (classes,), BasicWriter.name: (aboard,), KittiWriter.name: (aboard,), SemanticKittiWriter.name: (clips,)}
    out.mkdir(parents=True, exist_ok=True)
    summary, writers = DatasetSummary(0, manifest=out / "manifest.parquet"), {}
    partial = out / ".manifest.parquet.partial"
    manifest, pool = ManifestWriter(partial), ThreadPoolExecutor(1 + len(formats))
    try:
        for frame in _ahead(frames, pool):
            kinds = {s.kind for s in frame.sensors.values()}
            for name in formats:
                if name not in writers and _fits(frame, name, summary, rig):
                    drafts[name] = Draft(out / name)
                    writers[name] = WRITERS[name](drafts[name].folder, *given.get(name, ()))
            row = describe(frame) if describe else ManifestRow(str(frame.id))
            added = {name: pool.submit(writer.add, frame) for name, writer in writers.items() if kinds.issuperset(writer.needs)}
            files = {name: [f"{name}/{file}" for file in job.result()] for name, job in added.items() if job.result()}
            manifest.add(replace(row, files={**row.files, **files}, digest=row.digest or digest(frame)))
            summary.frames += 1
        manifest.close()
        if not summary.frames:
            raise UserError("there is no accepted frame to write", out)
        for name, writer in writers.items():
            summary.formats[name] = writer.finish()
            drafts[name].publish(summary.formats[name])
        partial.replace(out / "manifest.parquet")
    finally:
        pool.shutdown(cancel_futures=True)
        partial.unlink(missing_ok=True)
    return summary


def _ahead(frames: Iterable[Frame], pool: ThreadPoolExecutor) -> Iterator[Frame]:
    """The frames, each read while the one before is written."""
    source = iter(frames)
    coming = pool.submit(next, source, None)
    while (frame := coming.result()) is not None:
        coming = pool.submit(next, source, None)
        yield frame


def _fits(frame: Frame, name: str, summary: DatasetSummary, rig: ResolvedRig | None) -> bool:
    """Whether a format can hold such frames; why not is noted, until a frame that it can hold comes (a sensor may miss a tick)."""
    cls, kinds = WRITERS[name], {s.kind for s in frame.sensors.values()}
    missing = [k for k in cls.needs if k not in kinds]
    lenses = {n: s.intrinsics.distortion for n, s in frame.sensors.items() if s.intrinsics}
    lenses |= {n: s.model.lens for n, s in rig.sensors.items() if s.model.type == "camera"} if rig else {}
    bent = next((n for n, lens in lenses.items() if lens), None)
    if missing:
        summary.left_out[name] = f"needs a {missing[0]}, the rig has none"
    elif bent and not cls.lenses:
        summary.left_out[name] = f"holds pinhole images alone, and the camera '{bent}' has a lens"
    else:
        summary.left_out.pop(name, None)
        return True
    return False
