"""What a reader of real data gives: the frames it holds, who recorded them, and each as a Frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tailgate.frames import Frame


@dataclass(frozen=True)
class Entry:
    """One real frame.

    Attributes:
        name: unique within the reference; what ``Reader.read`` takes.
        recording: frames of one recording share a place, a time and a device.
        time_ns: order within the recording [ns]; a frame number where the source has no clock.
    """

    name: str
    recording: str
    time_ns: int = 0


class Reader(Protocol):
    """Reader of one dataset: built with ``(root: Path, options: dict[str, object])``, where root is an existing folder.

    It raises UserError, naming the folder or file, for a folder without frames, a missing or damaged file, and data of another device.

    Attributes:
        sensors: sensor name as in ``Frame.sensors`` -> sensor model name (a file stem of configs/sensors, or the device's own name).
        notes: sentences every output must repeat (weak hold-out, quantized coordinates, points that could not be placed).

    One that recovers beams also has ``placed``, see ``ReferenceSet``.
    """

    sensors: dict[str, str]
    notes: list[str]

    def entries(self) -> list[Entry]:
        """All frames in (recording, time) order."""
        ...

    def read(self, name: str) -> Frame:
        """One frame: organised channels as for synthetic data, the source's own class names, world = rig frame at that moment."""
        ...


@dataclass(frozen=True)
class ReferenceSet:
    """Real data, split by group.

    Attributes:
        groups: group -> frame names; a group never spans two parts of the split.
        split: "feedback", "holdout", "audit" -> frame names; a part may be empty.
        weak: the hold-out shares a recording with the feedback part, or the groups are place blocks.
        notes: sentences every output must repeat.
        sensors: sensor name -> model name.
        read: frame name -> Frame.
        placed: least share of a file's returns that fit a beam, of the files that the reader looked at.
    """

    groups: dict[str, list[str]]
    split: dict[str, list[str]]
    weak: bool
    notes: list[str]
    read: Callable[[str], Frame]
    sensors: dict[str, str] = field(default_factory=dict)
    placed: float = 1.0

    def group_of(self, name: str) -> str:
        """Group of a frame."""
        return next(group for group, names in self.groups.items() if name in names)
