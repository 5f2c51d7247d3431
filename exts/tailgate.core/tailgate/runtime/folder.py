"""The run folder: made, locked against a second process, and swept of what no record names."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailgate.atomic import write_atomically
from tailgate.errors import UserError
from tailgate.ledger.ledger import FILE, read
from tailgate.packages import need

LOCK = ".lock"


def check_folder(folder: Path) -> None:
    """Refuse a run folder that is a file or holds something else; writes nothing."""
    if folder.exists() and not folder.is_dir():
        raise UserError("must be a folder, got a file", folder)
    foreign = sorted(p.name for p in folder.iterdir() if p.name not in (LOCK, FILE)) if folder.is_dir() else []
    if foreign and not (folder / FILE).exists():
        raise UserError(f"must be a new, empty or Tailgate run folder; it holds other files ({foreign[0]}, …)", folder)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make the run folder and hold its lock; a second process on the same run is refused. A full disk becomes one sentence.

    What stops a new run before its first clip is recorded leaves no folder behind.
    """
    filelock = need("filelock")
    try:
        check_folder(folder)
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError("is in use by another tailgate process; wait for it or choose another --out", folder) from None
    except OSError as error:
        raise unwritable(error, folder) from None
    try:
        yield
    except (OSError, sqlite3.OperationalError, UserError) as error:
        if made and not any((folder / "frames").glob("*")) and not _holds_clips(folder):
            shutil.rmtree(folder, ignore_errors=True)
        raise error if isinstance(error, UserError) else unwritable(error, folder) from None
    finally:
        lock.release()


def _holds_clips(folder: Path) -> bool:
    """Whether the ledger of a run names a clip, or cannot be read and may."""
    if not (folder / FILE).exists():
        return False
    try:
        with read(folder) as db:
            return db.execute("select 1 from clips").fetchone() is not None
    except (UserError, sqlite3.Error):
        return True


def check_writable(file: Path, suffix: str = "") -> None:
    """Refuse a file to be written whose folder does not exist or is not to be written to, that is a folder itself, or whose name ends otherwise than
    what is written, which may be somebody's scene or budget."""
    folder = file.resolve().parent
    if not folder.is_dir():
        raise UserError("cannot be written: its folder does not exist", file)
    if not os.access(folder, os.W_OK):
        raise UserError("cannot be written: permission denied, or read-only", file)
    if file.is_dir():
        raise UserError("must be a file to write, got a folder", file)
    if suffix and file.suffix.lower() != suffix:
        raise UserError(f"cannot be written: its name must end in {suffix}", file)


def unwritable(error: Exception, place: Path) -> Exception:
    """The sentence for a full disk or a missing permission, whoever noticed it; any other error as it is."""
    number, text = getattr(error, "errno", None), str(error).lower()
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "disk is full" in text:
        return UserError("no space left on the device; free some and run the same command again to resume", place)
    if number in (errno.EACCES, errno.EROFS, errno.EPERM) or "readonly" in text or "unable to open" in text:
        return UserError("cannot be written: permission denied, or read-only", place)
    if number in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return UserError(f"cannot be a folder: {error.strerror.lower()}", place)
    return error


def frame_folder(folder: Path, frame: str) -> Path | None:
    """Where a frame's files lie: among the data, among the refused, or nowhere any more."""
    return next((p for p in (folder / "frames" / frame, folder / "rejected" / frame) if p.is_dir()), None)


def retire(folder: Path, frame: str, keep: bool) -> None:
    """Take a frame that is not data out of ``frames/``: into ``rejected/`` for people to look at, or away."""
    source = folder / "frames" / frame
    if source.is_dir():
        target = folder / "rejected" / frame
        if keep and not target.exists():
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
        else:
            shutil.rmtree(source)


def sweep(folder: Path, known: set[str]) -> None:
    """Remove frames and evidence that no record names: what a killed process left half made."""
    for path in sorted((folder / "frames").glob("*")):
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)
    for path in sorted((folder / "evidence").glob("*")):
        if path.name.removesuffix(".npz") not in known and not path.name.startswith("reference-"):
            path.unlink()


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Replace ``status.json`` atomically; remote readers need nothing else."""
    write_atomically(folder / "status.json", json.dumps(status, indent=1, sort_keys=True))
