"""KITTI object labels (``label_2``) and tracking labels (Geiger et al. 2012; the object and tracking development kits' readme)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tailgate.datasets.labels.table import LabelRow, LabelTable, Origin, table_of
from tailgate.errors import UserError, Where

CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
_OCCLUDED = {0: 0.0, 1: 0.3, 2: 0.7}
"""Middle of what the levels "fully visible", "partly" and "largely occluded" stand for; level 3 is unknown."""


def is_kitti_line(line: str) -> str | None:
    """Return "kitti" or "kitti_tracking" when a line has that many fields with the type where it belongs, else None."""
    parts = line.split()
    if len(parts) in (15, 16) and not _is_number(parts[0]) and all(map(_is_number, parts[1:])):
        return "kitti"
    if len(parts) in (17, 18) and _is_number(parts[0]) and not _is_number(parts[2]):
        return "kitti_tracking"
    return None


def read_kitti(source: Path, files: list[Path], form: str) -> LabelTable:
    """Read KITTI text labels.

    Boxes are given in the rectified left camera frame; they are turned to x forward, y left, z up with the origin left at the camera. ``DontCare``
    regions are no objects and are left out.

    Args:
        source: what the user named.
        files: text files; one frame each ("kitti") or one sequence each ("kitti_tracking").
        form: "kitti" or "kitti_tracking".

    Raises:
        UserError: with file and line, for a row with another number of fields or a field that is no number.
    """
    rows, frames, ignored = [], [], 0
    for file in files:
        if form == "kitti":
            frames.append(file.stem)
        for number, line in enumerate(_text(file).splitlines(), 1):
            if line.strip():
                row = _row(line.split(), file, number, form)
                frames.append(row.frame)
                ignored += row.class_name == "DontCare"
                rows.append(row)
    known = [r for r in rows if r.class_name != "DontCare"]
    notes = [f"{ignored:,} DontCare regions are no objects and were left out"] if ignored else []
    declared = CLASSES if {r.class_name for r in known} <= set(CLASSES) else ()
    return table_of(known, Origin(source, form, declared, tuple(dict.fromkeys(frames)), tuple(notes)))


def _row(parts: list[str], file: Path, number: int, form: str) -> LabelRow:
    place = Where(file, number)
    tracking = form == "kitti_tracking"
    wanted = (17, 18) if tracking else (15, 16)
    if len(parts) not in wanted:
        raise UserError(f"a {form} row must have {wanted[0]} fields (or {wanted[1]} with a score), got {len(parts)}", place)
    head, name, tail = (parts[:2], parts[2], parts[3:]) if tracking else ([], parts[0], parts[1:])
    try:
        values = [float(v) for v in tail[:14]]
        ids = [int(v) for v in head]
    except ValueError as error:
        raise UserError(f"every field but the type must be a number, got {str(error).split(':')[-1].strip()}", place) from None
    if _is_number(name):
        raise UserError(f"field {3 if tracking else 1} must be the object's type, got {name}", place)
    truncated, occluded, _, x1, y1, x2, y2, h, w, length, x, y, z, ry = values
    known = h > 0 and z > -999
    nan = float("nan")
    return LabelRow(
        class_name=name,
        frame=f"{file.stem}/{ids[0]:06d}" if tracking else file.stem,
        box2d=(x1, y1, x2, y2),
        centre=(z, -x, h / 2 - y) if known else (nan,) * 3,
        size=(length, w, h) if known else (nan,) * 3,
        yaw=float(np.arctan2(np.sin(-ry - np.pi / 2), np.cos(-ry - np.pi / 2))) if known else nan,
        occluded=_OCCLUDED.get(int(occluded), nan),
        truncated=_truncated(truncated, tracking),
        track=f"{file.stem}/{ids[1]}" if tracking else "",
    )


def _truncated(value: float, tracking: bool) -> float:
    """The object kit gives a share, the tracking kit a level 0, 1, 2; only level 0 says a share."""
    if value < 0:
        return float("nan")
    return (0.0 if value == 0 else float("nan")) if tracking else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError("must be UTF-8 text, got binary data", file) from None
