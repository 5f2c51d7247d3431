"""A hand-made table of samples per class: ``class,count``."""

from __future__ import annotations

import csv
from pathlib import Path

from tailgate.datasets.labels.table import LabelTable, Origin, table_of
from tailgate.errors import UserError, Where


def read_csv(path: Path, text: str) -> LabelTable:
    """Read ``class,count`` lines below that header.

    Raises:
        UserError: with file and line, for another header, a count that is no whole number from 0 on, or a class given twice.
    """
    lines = csv.reader(text.lstrip("\ufeff").splitlines())
    header = [h.strip().lower() for h in next(lines, [])]
    if header != ["class", "count"]:
        raise UserError(f"the first line must be 'class,count', got '{','.join(header)}'", Where(path, 1))
    counted: dict[str, int] = {}
    for fields in lines:
        place = Where(path, lines.line_num)
        if not any(f.strip() for f in fields):
            continue
        if len(fields) != 2:
            raise UserError(f"a row must be class,count, got {len(fields)} fields", place)
        name, count = fields[0].strip(), fields[1].strip()
        if not name:
            raise UserError("the class must have a name", place)
        if not count.isdecimal():
            raise UserError(f"count of '{name}' must be a whole number from 0 on, got '{count}'", place)
        if name in counted:
            raise UserError(f"class '{name}' is listed twice", place)
        counted[name] = int(count)
    return table_of([], Origin(path, "csv"), counted)
