"""Many small arrays in one npz file as two members: a table of what there is, and the bytes of all. Read and written one by one, a hundred members
take ten times as long as their bytes do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tailgate.atomic import replacing
from tailgate.errors import UserError


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, of any shape and of any type without objects; the file appears whole or not at all."""
    held = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    table = json.dumps([[name, a.dtype.str, np.shape(arrays[name])] for name, a in held.items()]).encode()
    data = b"".join(a.tobytes() for a in held.values())
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, table=np.frombuffer(table, np.uint8), data=np.frombuffer(data, np.uint8))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what ``save_arrays`` wrote; every array owns its memory. UserError for another npz file."""
    with np.load(path, allow_pickle=False) as held:
        if not {"table", "data"} <= set(held.files):
            raise UserError("must hold a table and its data; another version of tailgate wrote this file, finish its run with that one", path)
        table, data = json.loads(held["table"].tobytes()), held["data"]
    out, end = {}, 0
    for name, kind, shape in table:
        start, end = end, end + np.dtype(kind).itemsize * int(np.prod(shape))
        out[name] = data[start:end].view(kind).reshape(shape).copy()
    return out
