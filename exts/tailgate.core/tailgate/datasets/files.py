"""Bytes on disk: images, atomic files and folders, long JSON lists."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from tailgate.errors import TailgateError, UserError
from tailgate.packages import need

SUMMARY = "summary.json"
"""Every folder made here holds this file; a folder without it is somebody else's and never replaced."""
CONTENTS = {"shapes": (), "noise": (1, "SUB", "HUFFMAN_ONLY"), "labels": (1, "NONE", "DEFAULT"), "draft": (0, "NONE", "DEFAULT")}
"""What an image shows -> compression level, filter and strategy, by the names that OpenCV from 4.11 on has for them; none: OpenCV's own. A sensor's
noise repeats nowhere, labels have no slopes, and a draft is read again so soon that writing a larger file costs less than compressing."""


def encode_png(image: np.ndarray, content: str = "shapes") -> bytes:
    """PNG bytes of uint8 or uint16, [H, W], [H, W, 3] RGB or [H, W, 4] RGBA; ``content`` is one of ``CONTENTS``."""
    cv2 = need("cv2")
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(image.shape[2] if image.ndim == 3 else 1)
    how = []
    if CONTENTS[content] and hasattr(cv2, "IMWRITE_PNG_FILTER"):
        level, filter_, strategy = CONTENTS[content]
        how = [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_FILTER, getattr(cv2, f"IMWRITE_PNG_FILTER_{filter_}")]
        how += [cv2.IMWRITE_PNG_STRATEGY, getattr(cv2, f"IMWRITE_PNG_STRATEGY_{strategy}")]
    ok, data = cv2.imencode(".png", image if order is None else cv2.cvtColor(image, order), how)
    if not ok:
        raise TailgateError(f"an image of shape {image.shape} and type {image.dtype} cannot be encoded as PNG")
    return data.tobytes()


def decode_png(data: bytes) -> np.ndarray:
    """Inverse of ``encode_png``, bit for bit."""
    cv2 = need("cv2")
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise TailgateError("is not a readable PNG image")
    order = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(image.shape[2] if image.ndim == 3 else 1)
    return image if order is None else cv2.cvtColor(image, order)


def write_bytes(path: Path, data: bytes, durable: bool = False) -> None:
    """Write a file, making its folder; ``durable`` waits until it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def write_array(path: Path, array: np.ndarray) -> None:
    """Write ``.npy``, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def write_json(path: Path, data: Any) -> None:
    """Write JSON text, making its folder."""
    write_bytes(path, (json.dumps(data, indent=1) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Draft:
    """A folder written beside its final name and put in its place in one step.

    Args:
        final: where it will lie. An earlier one made here is replaced; anything else there is refused.

    Raises:
        UserError: ``final`` exists without ``summary.json``, or cannot be written.
    """

    def __init__(self, final: Path):
        self.final = final
        self.folder = final.parent / f".{final.name}.partial"
        if final.exists() and not (final / SUMMARY).is_file() and (not final.is_dir() or any(final.iterdir())):
            raise UserError(f"was not written by an export (no {SUMMARY}) and is left alone; name another folder", final)
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", final) from None

    def publish(self, summary: dict[str, Any]) -> None:
        """Add the summary and put the folder in its place."""
        write_json(self.folder / SUMMARY, summary)
        old = self.final.parent / f".{self.final.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if self.final.exists():
            self.final.rename(old)
        self.folder.rename(self.final)
        sync_folder(self.final.parent)
        shutil.rmtree(old, ignore_errors=True)

    def discard(self) -> None:
        """Remove what was written so far; nothing to do once published."""
        shutil.rmtree(self.folder, ignore_errors=True)


class JsonList:
    """A JSON list written entry by entry, so that its length costs no memory."""

    def __init__(self, path: Path):
        self.path, self.length = path, 0
        self._file: TextIO = path.open("w", encoding="utf-8")

    def append(self, entry: Any) -> None:
        """Add one entry."""
        self._file.write((",\n" if self.length else "") + json.dumps(entry))
        self.length += 1

    def move_into(self, target: TextIO) -> None:
        """Copy the entries, in brackets, into an open file and remove the own one."""
        self._file.close()
        target.write("[")
        with self.path.open(encoding="utf-8") as source:
            shutil.copyfileobj(source, target)
        target.write("]")
        self.path.unlink()
