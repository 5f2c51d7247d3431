"""Argoverse 2 sensor annotations (Wilson et al. 2021): ``annotations.feather`` or the same columns as npz."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tailgate.datasets.labels.table import LabelTable, yaw_of_quaternion
from tailgate.errors import UserError
from tailgate.packages import need

COLUMNS = ("timestamp_ns", "track_uuid", "category", "length_m", "width_m", "height_m", "qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")


def read_av2(source: Path, files: list[Path]) -> LabelTable:
    """Read annotation tables, one per log.

    Boxes are given in the ego vehicle frame (x forward, y left, z up, origin at the rear axle) and stay there. A frame is one lidar sweep.

    Raises:
        UserError: a file is damaged or lacks a column.
    """
    logs = [(file.stem if file.stem != "annotations" else file.parent.name, _columns(file)) for file in files]
    joined = {name: np.concatenate([np.asarray(columns[name]) for _, columns in logs]) for name in COLUMNS}
    categories, class_index = np.unique(joined["category"].astype(str), return_inverse=True)
    stamps = [f"{log}/{t}" for log, columns in logs for t in np.asarray(columns["timestamp_ns"]).tolist()]
    tracks = [f"{log}/{t}" for log, columns in logs for t in np.asarray(columns["track_uuid"]).tolist()]
    frames = sorted(set(stamps))
    row = {name: i for i, name in enumerate(frames)}
    n = len(stamps)
    number = {name: joined[name].astype(np.float64) for name in COLUMNS[3:]}
    return LabelTable(
        source=source,
        format="av2",
        classes=categories.tolist(),
        frames=frames,
        class_index=class_index.astype(np.int32),
        frame_index=np.array([row[s] for s in stamps], dtype=np.int32),
        box2d=np.full((n, 4), np.nan),
        centre=np.stack([number["tx_m"], number["ty_m"], number["tz_m"]], axis=1),
        size=np.stack([number["length_m"], number["width_m"], number["height_m"]], axis=1),
        yaw=yaw_of_quaternion(*(number[q] for q in ("qw", "qx", "qy", "qz"))),
        occluded=np.full(n, np.nan),
        truncated=np.full(n, np.nan),
        track=tracks,
        counted=np.zeros(len(categories), dtype=np.int64),
    )


def _columns(file: Path) -> Mapping[str, np.ndarray]:
    if file.suffix == ".npz":
        try:
            with np.load(file, allow_pickle=False) as data:
                found = {name: data[name] for name in data.files if name in COLUMNS}
        except (ValueError, OSError, zipfile.BadZipFile):
            raise UserError("is not a readable npz file of plain arrays", file) from None
    else:
        found = _feather(file)
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise UserError(f"must be an Argoverse 2 annotation table; it lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}", file)
    if len({len(column) for column in found.values()}) > 1:
        raise UserError("all columns must have the same length", file)
    return found


def _feather(file: Path) -> dict[str, np.ndarray]:
    pa, feather = need("pyarrow"), need("pyarrow.feather")
    try:
        table = feather.read_table(file)
    except (pa.ArrowInvalid, OSError):
        raise UserError("is not a readable feather file", file) from None
    return {name: table[name].to_numpy() for name in table.column_names if name in COLUMNS}
