"""A folder of frames, read by the reader of its layout and measured frame by frame, in several processes where there are many."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import tailgate
from tailgate.errors import UserError
from tailgate.frames import Frame
from tailgate.reference.detect import detect
from tailgate.reference.files import need_folder
from tailgate.reference.labelmap import LabelMap
from tailgate.reference.open import open_reader, reader_class
from tailgate.reference.reader import Entry, Reader, ReferenceSet
from tailgate.reference.split import MIN_RECORDINGS, make_groups
from tailgate.validate.backbones import Backbone, open_backbone
from tailgate.validate.evidence import Cut, Evidence, measure
from tailgate.validate.sketch import Sketch

FRAMES_PER_WORKER = 16
"""A process more pays from this many frames on: it takes about as long to start as ten frames to measure."""

GEOMETRIC = "geometric"

Tick = Callable[[str, int, int], None]
"""Called after each frame with what is measured, the frames done and their number."""


@dataclass(frozen=True)
class Source:
    """A folder of frames and how to read it.

    Attributes:
        root: the folder.
        kind: its layout, one of ``reference.open.READERS``.
        options: of the reader.
        labels: what its classes are called here; None keeps the words of the source.
    """

    root: Path
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    labels: LabelMap | None = field(default=None, hash=False)

    @classmethod
    def find(cls, root: Path, kind: str | None, options: Mapping[str, Any], labels: LabelMap | None = None) -> Source:
        """The set in a folder; its layout is guessed where ``kind`` is None. UserError where the folder does not exist or its layout is not known."""
        root = Path(root)
        need_folder(root, "frames")
        if kind is None:
            kind, root = detect(root)
        reader_class(kind)
        return cls(root, kind, dict(options), labels)

    def open(self) -> tuple[Reader, list[Entry]]:
        """The reader and the frames it holds; UserError where there are none."""
        return open_reader(self.kind, self.root, dict(self.options))

    def read(self, reader: Reader | ReferenceSet, name: str) -> Frame:
        """One frame, in the words of the label map. Whatever a damaged file makes a decoder raise becomes a UserError that names folder and frame."""
        try:
            frame = reader.read(name)
            return self.labels.apply(frame) if self.labels else frame
        except (UserError, MemoryError):
            raise
        except Exception as error:
            raise UserError(
                f"frame '{name}' cannot be read: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", self.root
            ) from error


@dataclass
class MeasuredSet:
    """What a set gives to the gates.

    Attributes:
        source: where it comes from.
        reader: reads single frames again, for pictures.
        entries: its frames, in (recording, time) order.
        groups: group -> evidence of its frames: recordings where there are at least four, else place blocks.
        weak: there are fewer recordings than four.
        notes: sentences that every output repeats: the reader's, and what a comparison adds.
    """

    source: Source
    reader: Reader
    entries: list[Entry]
    groups: dict[str, list[Evidence]] = field(default_factory=dict)
    weak: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def evidence(self) -> list[Evidence]:
        """Evidence of all frames."""
        return [e for found in self.groups.values() for e in found]

    @property
    def blocks(self) -> dict[str, list[Sketch]]:
        """Place blocks by group."""
        return {group: [b for e in found for b in e.blocks] for group, found in self.groups.items()}

    @property
    def crops(self) -> list[Any]:
        """Object crops of all frames."""
        return [c for e in self.evidence for c in e.crops]


def evidence_name(frame: str) -> str:
    """Name of the evidence file of a frame of any name."""
    return f"{hashlib.sha256(frame.encode()).hexdigest()[:32]}.npz"


@dataclass(frozen=True)
class Measuring:
    """One set to measure: plain data, so that it can be sent to another process.

    Attributes:
        source: the set.
        cut: what of its labels counts.
        folder: where evidence is written, one file a frame; what lies there already is not measured again.
        backbone: located name of the feature extractor, see ``validate.backbones``.
    """

    source: Source
    cut: Cut
    folder: Path
    backbone: str = GEOMETRIC

    def file(self, name: str) -> Path:
        """Evidence file of a frame."""
        return self.folder / evidence_name(name)

    def frame(self, reader: Reader, name: str, group: str) -> None:
        """Measure one frame and write its evidence."""
        measure(self.source.read(reader, name), name, group, self.cut, opened_backbone(self.backbone)).save(self.file(name))


def measure_set(job: Measuring, opened: tuple[Reader, list[Entry]], workers: int, tick: Tick) -> MeasuredSet:
    """Measure every frame of a set.

    The first frame is measured in this process, which also compiles the kernels, so that processes started after it find them compiled.

    Raises:
        UserError: a frame that cannot be read, named with its folder or file.
    """
    reader, entries = opened
    groups = make_groups(entries)
    group_of = {name: group for group, names in groups.items() for name in names}
    found = MeasuredSet(job.source, reader, entries, {g: [] for g in groups}, len({e.recording for e in entries}) < MIN_RECORDINGS)
    missing = [e.name for e in entries if not job.file(e.name).is_file()]
    workers = min(workers, len(missing) // FRAMES_PER_WORKER)
    done, words = len(entries) - len(missing), f"measuring {job.source.root.name or job.source.root}"
    tick(words, done, len(entries))
    first = missing if workers < 2 else missing[:1]
    for name in first:
        job.frame(reader, name, group_of[name])
        done += 1
        tick(words, done, len(entries))
    rest = missing[len(first) :]
    for _ in _in_processes(job, rest, [group_of[n] for n in rest], workers) if rest else ():
        done += 1
        tick(words, done, len(entries))
    found.notes = list(reader.notes)
    for entry in entries:
        found.groups[group_of[entry.name]].append(Evidence.load(job.file(entry.name)))
    return found


def _in_processes(job: Measuring, names: Sequence[str], groups: Sequence[str], workers: int) -> Iterator[None]:
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_measure_one, job, name, group) for name, group in zip(names, groups, strict=True)]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise UserError("a process that measured it was killed, most likely for want of memory; use fewer --workers", job.source.root) from None
        finally:
            for future in futures:
                future.cancel()


def _measure_one(job: Measuring, name: str, group: str) -> None:
    job.frame(_reader(job.source), name, group)


@lru_cache(maxsize=2)
def _reader(source: Source) -> Reader:
    """One reader per process and set."""
    return source.open()[0]


@lru_cache(maxsize=2)
def opened_backbone(spec: str) -> Backbone:
    """One backbone per process."""
    return open_backbone(spec, (Path("/"),))


def fingerprint(source: Source) -> str:
    """Hash of a set: its layout, the options of its reader and the bytes of its files."""
    digest = hashlib.sha256(json.dumps([source.kind, dict(source.options)], default=str, sort_keys=True).encode())
    for path in _files(source.root):
        with open(path, "rb") as file:
            digest.update(path.relative_to(source.root).as_posix().encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def content_key(source: Source, *more: Any) -> str:
    """Hash of everything the evidence of a set depends on: the bytes of its files, how they are read, and the code that measures."""
    parts = [source.root.name, fingerprint(source), *map(str, more), _versions()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _files(root: Path) -> list[Path]:
    """Every file below a folder, also behind links to folders; a loop of links is walked once."""
    found, seen = [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [Path(folder, name) for name in names]
    return sorted(path for path in found if path.is_file())


@lru_cache(maxsize=1)
def _versions() -> list[str]:
    """Versions of what measures; of Tailgate the bytes of its modules."""
    from importlib.metadata import version

    digest, root = hashlib.sha256(), Path(tailgate.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.read_bytes())
    return [digest.hexdigest(), *(version(name) for name in ("numpy", "warp-lang"))]
