"""One table for the labels of any data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class LabelTable:
    """Labelled objects, one row each. What a format does not give is NaN (numbers) or "" (tracks).

    Boxes lie in the ego or sensor frame of the data set, turned to x forward, y left, z up; units are metres, radians and pixels.

    Attributes:
        source: file or folder that was read.
        format: "coco", "kitti", "kitti_tracking", "nuscenes", "mmdet3d", "av2" or "csv".
        classes: every declared class, with or without samples, in the order of the source.
        frames: name of every frame or image, with or without labels.
        class_index: row into ``classes``, int32 [N].
        frame_index: row into ``frames``, int32 [N].
        box2d: x_min, y_min, x_max, y_max [px], float64 [N, 4].
        centre: box centre [m], float64 [N, 3].
        size: length, width, height [m], float64 [N, 3].
        yaw: heading about z, 0 along x, counter-clockwise [rad], float64 [N].
        occluded: share of the object that is hidden, 0..1, float64 [N].
        truncated: share of the object outside the image, 0..1, float64 [N].
        track: track id, unique within the table, [N].
        counted: samples known by number alone (csv), int64 [len(classes)].
        notes: what the reader left out or assumed, to be said aloud.
    """

    source: Path
    format: str
    classes: list[str]
    frames: list[str]
    class_index: np.ndarray
    frame_index: np.ndarray
    box2d: np.ndarray
    centre: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    occluded: np.ndarray
    truncated: np.ndarray
    track: list[str]
    counted: np.ndarray
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.class_index)

    def counts(self) -> dict[str, int]:
        """Samples per declared class, fewest first, ties by name."""
        n = np.bincount(self.class_index, minlength=len(self.classes)) + self.counted
        return dict(sorted(((c, int(k)) for c, k in zip(self.classes, n, strict=True)), key=lambda item: (item[1], item[0])))

    def rows_of(self, class_name: str) -> np.ndarray:
        """Row numbers of one class, int64."""
        return np.flatnonzero(self.class_index == self.classes.index(class_name))

    @property
    def range(self) -> np.ndarray:
        """Distance from the frame's origin to the box centre [m], float64 [N]."""
        return np.linalg.norm(self.centre, axis=1)


@dataclass(frozen=True)
class LabelRow:
    """One label as a reader meets it; see LabelTable for units and frames."""

    class_name: str
    frame: str
    box2d: tuple[float, ...] = (np.nan,) * 4
    centre: tuple[float, ...] = (np.nan,) * 3
    size: tuple[float, ...] = (np.nan,) * 3
    yaw: float = np.nan
    occluded: float = np.nan
    truncated: float = np.nan
    track: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a table comes from and what it declares beyond its rows.

    Attributes:
        source, format: as in LabelTable.
        classes: declared classes in order; classes met in rows are added behind.
        frames: declared frames in order; frames met in rows are added behind.
        notes: as in LabelTable.
    """

    source: Path
    format: str
    classes: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def table_of(rows: Iterable[LabelRow], origin: Origin, counted: Mapping[str, int] | None = None) -> LabelTable:
    """Gather rows into a table; ``counted`` holds samples known by number alone."""
    rows = list(rows)
    classes = list(dict.fromkeys([*origin.classes, *(r.class_name for r in rows), *(counted or {})]))
    frames = list(dict.fromkeys([*origin.frames, *(r.frame for r in rows)]))
    class_row, frame_row = {c: i for i, c in enumerate(classes)}, {f: i for i, f in enumerate(frames)}

    def column(name: str, width: int = 0) -> np.ndarray:
        values = np.array([getattr(r, name) for r in rows], dtype=np.float64)
        return values.reshape(len(rows), width) if width else values.reshape(len(rows))

    return LabelTable(
        source=origin.source,
        format=origin.format,
        classes=classes,
        frames=frames,
        class_index=np.array([class_row[r.class_name] for r in rows], dtype=np.int32),
        frame_index=np.array([frame_row[r.frame] for r in rows], dtype=np.int32),
        box2d=column("box2d", 4),
        centre=column("centre", 3),
        size=column("size", 3),
        yaw=column("yaw"),
        occluded=column("occluded"),
        truncated=column("truncated"),
        track=[r.track for r in rows],
        counted=np.array([(counted or {}).get(c, 0) for c in classes], dtype=np.int64),
        notes=list(origin.notes),
    )


def yaw_of_quaternion(qw: np.ndarray, qx: np.ndarray, qy: np.ndarray, qz: np.ndarray) -> np.ndarray:
    """Heading about z [rad] of the rotated x axis; any shape."""
    return np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))
