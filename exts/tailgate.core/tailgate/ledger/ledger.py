"""The record of a run: SQLite, one writer, durable transactions. The only truth about a run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tailgate.errors import UserError

FILE = "ledger.sqlite"
ACCEPTED = """
create temp view accepted as
select f.*, c.cell, c.round from main.frames f join main.clips c using (clip_index) where c.state = 'accepted' and f.verdict = 'ok'
"""
"""Frames that are data, as a table of every open ledger."""


def canonical(value: Any) -> str:
    """JSON text with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Ledger:
    """Writer of a run's ledger.

    WAL where the file system can lock shared memory, a rollback journal elsewhere; ``synchronous=FULL`` in both, so what a transaction wrote
    survives a power cut.

    Args:
        folder: the run folder.
        fingerprint: what the run's results depend on; an existing ledger with another one is refused.

    Any thread may use it, one at a time.
    """

    def __init__(self, folder: Path, fingerprint: dict[str, str]):
        self.path = Path(folder) / FILE
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        if self._db.execute("pragma journal_mode = wal").fetchone()[0] != "wal":
            self._db.execute("pragma journal_mode = truncate")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(files("tailgate.ledger").joinpath("schema.sql").read_text())
        self._db.execute(ACCEPTED)
        held = self.meta("fingerprint")
        if held is None:
            with self.transaction():
                self.set_meta("fingerprint", fingerprint)
        elif held != fingerprint:
            changed = sorted(k for k in {*held, *fingerprint} if held.get(k) != fingerprint.get(k))
            raise UserError(
                f"holds another run: {', '.join(changed)} differ from the run that made it; choose another --out or restore them", self.path.parent
            )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it returns."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def close(self) -> None:
        """Close the file; idempotent."""
        self._db.close()

    def meta(self, key: str) -> Any:
        """Value under ``key``, or None."""
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def set_meta(self, key: str, value: Any) -> None:
        """Set a value under ``key``."""
        self._db.execute("insert or replace into meta values (?, ?)", (key, canonical(value)))

    def insert(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        """Insert rows; dicts and lists are stored as canonical JSON. A row that is already there is replaced."""
        for row in rows:
            values = [canonical(v) if isinstance(v, (dict, list)) else v for v in row.values()]
            marks = ", ".join("?" * len(row))
            self._db.execute(f"insert or replace into {table} ({', '.join(row)}) values ({marks})", values)

    def update(self, table: str, key: dict[str, Any], **changes: Any) -> None:
        """Change columns of the rows that match ``key``."""
        values = [canonical(v) if isinstance(v, (dict, list)) else v for v in [*changes.values(), *key.values()]]
        sets, where = ", ".join(f"{c} = ?" for c in changes), " and ".join(f"{c} = ?" for c in key)
        self._db.execute(f"update {table} set {sets} where {where}", values)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self._db.execute("insert into counters values (?, ?) on conflict (name) do update set value = value + excluded.value", (name, amount))

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        return dict(self._db.execute("select name, value from counters order by name").fetchall())

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a query as dicts; JSON columns as text."""
        return [dict(row) for row in self._db.execute(query, values)]


@contextlib.contextmanager
def read(folder: Path) -> Iterator[sqlite3.Connection]:
    """A run's ledger for reading only, also in a folder where nothing can be written."""
    path = Path(folder) / FILE
    if not path.is_file():
        raise UserError(f"is not a run folder: it holds no {FILE}", folder)
    address = f"file:{quote(str(path))}?mode=ro"
    settled = not os.access(path.parent, os.W_OK) and not path.with_name(FILE + "-wal").exists()
    with contextlib.closing(sqlite3.connect(f"{address}&immutable=1" if settled else address, uri=True)) as db:
        db.row_factory = sqlite3.Row
        try:
            db.execute("select value from meta where key = 'fingerprint'").fetchone()
            db.execute(ACCEPTED)
        except sqlite3.Error as error:
            raise UserError(f"cannot be read as the ledger of a run: {error}", path) from None
        yield db


def hashes(folder: Path) -> dict[str, str]:
    """``plan_hash`` over samples and verdicts in clip order, ``content_hash`` over the digests of the accepted frames in clip order."""
    plan, content = hashlib.sha256(), hashlib.sha256()
    order = "order by clip_index, attempt, tick"
    with read(folder) as db:
        for row in db.execute(f"select id, sample, verdict, state from frames join clips using (clip_index) {order}"):
            plan.update(canonical([row["id"], json.loads(row["sample"]), row["verdict"], row["state"]]).encode())
        for row in db.execute(f"select id, digest from accepted {order}"):
            content.update(canonical([row["id"], row["digest"]]).encode())
    return {"plan_hash": plan.hexdigest(), "content_hash": content.hexdigest()}
