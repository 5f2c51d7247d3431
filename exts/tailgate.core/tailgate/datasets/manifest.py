"""The manifest: one parquet row per frame of a data set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailgate.errors import UserError
from tailgate.packages import need

_GROUP = 512
"""Rows kept in memory before they are written."""


@dataclass(frozen=True)
class ManifestRow:
    """What is known of one frame.

    Attributes:
        id: text of its FrameId.
        files: format -> files, relative to the data set's folder.
        verdict: "ok", "off_target" or "failed".
        codes: reason codes.
        scores: metric -> value.
        counted: class -> instances that count towards the budget.
        settings: setting address -> drawn value.
        cell: budget cell it was made for.
        digest: SHA-256 of its content.
    """

    id: str
    files: dict[str, list[str]] = field(default_factory=dict)
    verdict: str = "ok"
    codes: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    cell: str = ""
    digest: str = ""


def _schema() -> Any:
    pa = need("pyarrow")
    return pa.schema(
        [
            ("id", pa.string()),
            ("files", pa.map_(pa.string(), pa.list_(pa.string()))),
            ("verdict", pa.string()),
            ("codes", pa.list_(pa.string())),
            ("scores", pa.map_(pa.string(), pa.float64())),
            ("counted", pa.map_(pa.string(), pa.int64())),
            ("settings", pa.string()),
            ("cell", pa.string()),
            ("digest", pa.string()),
        ]
    )


class ManifestWriter:
    """Streams rows into a parquet file; ``settings`` is a column of JSON text, since draws are numbers, words or truth values."""

    def __init__(self, path: Path):
        pq = need("pyarrow.parquet")
        self.path, self._rows = path, []
        self._file = pq.ParquetWriter(path, _schema(), compression="zstd")

    def add(self, row: ManifestRow) -> None:
        """Append one row."""
        self._rows.append(row)
        if len(self._rows) >= _GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left and the footer."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        pa = need("pyarrow")
        if self._rows:
            columns = {
                name: [getattr(r, name) for r in self._rows] for name in ("id", "verdict", "codes", "cell", "digest")
            } | {name: [sorted(getattr(r, name).items()) for r in self._rows] for name in ("files", "scores", "counted")}
            columns["settings"] = [json.dumps(r.settings, sort_keys=True) for r in self._rows]
            self._file.write_table(pa.table({n: columns[n] for n in _schema().names}, schema=_schema()))
            self._rows = []


def read_manifest(path: str | Path) -> list[ManifestRow]:
    """Read every row of a manifest.

    Raises:
        UserError: no such file, or no manifest.
    """
    pa, pq = need("pyarrow"), need("pyarrow.parquet")
    path = Path(path)
    if not path.is_file():
        raise UserError("no manifest there; `export` writes it", path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError):
        raise UserError("is not a readable parquet file", path) from None
    missing = [n for n in _schema().names if n not in table.column_names]
    if missing:
        raise UserError(f"is no manifest: it lacks the column {missing[0]}", path)
    rows = []
    for entry in table.select(_schema().names).to_pylist():
        maps = {name: dict(entry[name]) for name in ("files", "scores", "counted")}
        rows.append(ManifestRow(**{**entry, **maps, "settings": json.loads(entry["settings"])}))
    return rows
