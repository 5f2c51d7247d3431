"""Files that several datasets hold: JSON, arrays, images. A missing or damaged one is a UserError that names it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.errors import UserError, nearest

MOST_INDEX_FILES = 32
"""More JSON files than this in one folder are one a frame."""


def need_folder(root: Path, what: str) -> None:
    """UserError unless ``root`` is a folder, which is to hold ``what``."""
    if not root.is_dir():
        raise UserError(f"must be a folder of {what}{', got a file' if root.exists() else '; it does not exist'}", root)


def read_json(path: Path, kind: type = dict) -> Any:
    """A JSON document whose outermost value is of ``kind`` (dict or list)."""
    wanted = {dict: "object", list: "list"}
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"must be readable JSON: {error}", path) from None
    if not isinstance(tree, kind):
        raise UserError(f"must hold a JSON {wanted[kind]}, got {type(tree).__name__}", path)
    return tree


def index_files(folder: Path) -> list[Path]:
    """JSON files of a folder that may describe it as a whole; none where there are so many that each describes one frame."""
    found = sorted(folder.glob("*.json"))
    return found if len(found) <= MOST_INDEX_FILES else []


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file."""
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, ValueError, EOFError):
        raise UserError("must be a readable .npy file without pickled objects", path) from None


def read_image(path: Path) -> np.ndarray:
    """An image as stored: [H, W], [H, W, 3] RGB or [H, W, 4] RGBA; any depth of PNG, JPEG or EXR."""
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    import cv2

    if not path.is_file():
        raise _missing(path)
    data = np.fromfile(path, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        hint = "; many builds of OpenCV cannot read EXR: write the depth as .npy" if path.suffix == ".exr" else ""
        raise UserError(f"is not a readable image{hint}", path)
    if image.ndim == 2:
        return image
    return np.ascontiguousarray(image[..., [2, 1, 0, 3][: image.shape[2]]])


def read_rgba(path: Path) -> np.ndarray:
    """A colour or grey 8-bit image as RGBA, uint8 [H, W, 4]."""
    image = read_image(path)
    if image.dtype != np.uint8:
        raise UserError(f"must be an 8-bit image, got {image.dtype}", path)
    colour = image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return np.concatenate([colour, np.full((*colour.shape[:2], 1), 255, np.uint8)], axis=2)


def _missing(path: Path) -> UserError:
    beside = [p.name for p in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
    near = nearest(path.name, beside)
    return UserError(f"file not found{near if 'did you mean' in near else ''}", path)
