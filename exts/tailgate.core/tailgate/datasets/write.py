"""Frames in, every requested format and the manifest out, in one pass; every format has a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

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

T = TypeVar("T")
IN_FLIGHT = 2
"""Frames that some format may still be writing while the next is begun."""


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
        frames: accepted frames in their final order; a few are held at a time.
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
    manifest, lanes, written = ManifestWriter(partial), Lanes(), deque()
    try:
        for frame in lanes.ahead(frames):
            kinds = {s.kind for s in frame.sensors.values()}
            for name in formats:
                if name not in writers and _fits(frame, name, summary, rig):
                    drafts[name] = Draft(out / name)
                    writers[name] = WRITERS[name](drafts[name].folder, *given.get(name, ()))
            row = describe(frame) if describe else ManifestRow(str(frame.id))
            added = {name: lanes.start(name, writer.add, frame) for name, writer in writers.items() if kinds.issuperset(writer.needs)}
            written.append((replace(row, digest=row.digest or digest(frame)), added))
            if len(written) > IN_FLIGHT:
                manifest.add(_whole(*written.popleft()))
            summary.frames += 1
        for row, added in written:
            manifest.add(_whole(row, added))
        manifest.close()
        if not summary.frames:
            raise UserError("there is no accepted frame to write", out)
        for name, writer in writers.items():
            summary.formats[name] = writer.finish()
            drafts[name].publish(summary.formats[name])
        partial.replace(out / "manifest.parquet")
    finally:
        lanes.close()
        partial.unlink(missing_ok=True)
    return summary


class Lanes:
    """Threads by name, each of which does one thing after the other."""

    def __init__(self):
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def start(self, name: str, function: Callable[..., T], *args: Any) -> Future[T]:
        """Call ``function`` in the thread ``name`` when what was started there before is done."""
        if name not in self._pools:
            self._pools[name] = ThreadPoolExecutor(1)
        return self._pools[name].submit(function, *args)

    def ahead(self, source: Iterable[T]) -> Iterator[T]:
        """The items of ``source``, each taken while the one before is used."""
        items = iter(source)
        coming = self.start("ahead", next, items, None)
        while (item := coming.result()) is not None:
            coming = self.start("ahead", next, items, None)
            yield item

    def close(self) -> None:
        """Let what runs end; what has not begun never does."""
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)


def _whole(row: ManifestRow, added: dict[str, Future[list[str]]]) -> ManifestRow:
    """A frame's row, with its files, once every format holds the frame."""
    files = {name: [f"{name}/{file}" for file in job.result()] for name, job in added.items() if job.result()}
    return replace(row, files={**row.files, **files})


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
