"""omni.replicator.core.backends and the functions that write files through them, run later by worker threads as the real ones are."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .checks import behaves
from .sim import Sim, sim


class Queue:
    """What backends have been asked to do and did not do yet."""

    def __init__(self, owner: Sim):
        self.waiting: list[Callable[[], None]] = []

    def flush(self) -> None:
        """Do it all."""
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            work()

    def leftovers(self) -> list[str]:
        """Work that nobody waited for."""
        return [f"{len(self.waiting)} writes that nobody waited for"] if self.waiting else []


@behaves("omni.replicator.core.backends.BaseBackend")
class BaseBackend:
    """Base of backends."""

    def initialize(self, *args, **kwargs):
        type(self).__init__(self, *args, **kwargs)

    @classmethod
    def get_name(cls):
        return cls.__name__

    def write_blob(self, path, data):
        raise NotImplementedError

    def read_blob(self, path):
        raise NotImplementedError

    def schedule(self, fn, *args, **kwargs):
        sim().part(Queue).waiting.append(lambda: fn(*args, **{"backend_instance": self, **kwargs}))

    @staticmethod
    def is_done_writing():
        return not sim().part(Queue).waiting

    @staticmethod
    def wait_until_done():
        sim().part(Queue).flush()


@behaves("omni.replicator.core.backends.DiskBackend")
class DiskBackend(BaseBackend):
    """A folder."""

    def __init__(self, output_dir, overwrite=True):
        root = Path(output_dir)
        if not root.is_absolute():
            raise ValueError(f"output_dir {output_dir!r} is relative: it would go to a folder of Replicator's choosing, pass an absolute one")
        number = 0
        while not overwrite and root.exists():
            number += 1
            root = Path(f"{output_dir}_{number:04d}")
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def resolve_path(self, path):
        return str(self._root / path)

    def write_blob(self, path, data):
        where = self._root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(data)

    def read_blob(self, path):
        return (self._root / path).read_bytes()


@behaves("omni.replicator.core.backends.get")
def get(name, init_params=None):
    if name != "DiskBackend":
        raise ValueError(f"the stand-in has no backend {name!r}, it has DiskBackend")
    made = DiskBackend.__new__(DiskBackend)
    if init_params is not None:
        made.initialize(**init_params)
    return made


F = "omni.replicator.core.functional."


def _blob(path: str, blob: bytes, backend: Any) -> None:
    if backend is None or backend is DiskBackend:
        Path(path).write_bytes(blob)
    else:
        backend.write_blob(path, blob)


def _host(data: Any) -> np.ndarray:
    return np.asarray(data.numpy() if hasattr(data, "numpy") else data)


def _picture(path: str, data: Any, backend: Any, format_: str, **how: Any) -> None:
    from PIL import Image

    held, out = _host(data), io.BytesIO()
    if format_ == "JPEG":
        held = held[..., :3]
    Image.fromarray(np.squeeze(held)).save(out, format=format_, **how)
    _blob(path, out.getvalue(), backend)


@behaves(F + "write_image")
def write_image(path, data, backend_instance=DiskBackend, **kwargs):
    _picture(path, data, backend_instance, "JPEG" if str(path).endswith((".jpg", ".jpeg")) else "PNG")


@behaves(F + "write_png")
def write_png(path, data, backend_instance=DiskBackend, compress_level=3, **kwargs):
    _picture(path, data, backend_instance, "PNG", compress_level=compress_level)


@behaves(F + "write_jpeg")
def write_jpeg(path, data, backend_instance=DiskBackend, quality=75, progressive=False, optimize=False, **kwargs):
    _picture(path, data, backend_instance, "JPEG", quality=quality, progressive=progressive, optimize=optimize)


@behaves(F + "write_json")
def write_json(path, data, backend_instance=None, encoding="utf-8", errors="strict", **kwargs):
    _blob(path, json.dumps(data, **kwargs).encode(encoding, errors), backend_instance)


@behaves(F + "write_np")
def write_np(path, data, backend_instance=DiskBackend, allow_pickle=True, fix_imports=True):
    out = io.BytesIO()
    np.save(out, _host(data), allow_pickle=allow_pickle)
    _blob(path, out.getvalue(), backend_instance)


@behaves(F + "write_pickle")
def write_pickle(path, data, backend_instance=DiskBackend, **kwargs):
    _blob(path, pickle.dumps(data), backend_instance)
