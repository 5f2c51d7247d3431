"""The run folder: made, locked against a second process, and swept of what no record names."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailgate.errors import UserError
from tailgate.ledger.ledger import write_atomically


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make the run folder and hold its lock; a second process on the same run is refused. A full disk becomes one sentence."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = [p.name for p in folder.iterdir() if p.name not in (".lock", "ledger.sqlite")]
        if foreign and not (folder / "ledger.sqlite").exists():
            raise UserError(f"must be a new, empty or Tailgate run folder; it holds other files ({sorted(foreign)[0]}, …)", folder)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError("is in use by another tailgate process; wait for it or choose another --out", folder) from None
    except PermissionError:
        raise UserError("cannot be written: permission denied", folder) from None
    except (FileExistsError, NotADirectoryError):
        raise UserError("must be a folder, got a file", folder) from None
    except OSError as error:
        raise _full(error, folder) from None
    try:
        yield
    except OSError as error:
        raise _full(error, folder) from None
    finally:
        lock.release()


def _full(error: OSError, folder: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError("no space left on the device; free some and run the same command again to resume", folder)
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return UserError(f"cannot be written: {error.strerror.lower()}", folder)
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
