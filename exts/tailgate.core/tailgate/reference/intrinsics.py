"""Camera matrices that lie beside the images, or that the user gives, where a dataset's own format holds none."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tailgate.errors import UserError, Where
from tailgate.frames import Intrinsics
from tailgate.reference.files import read_json

KEYS = ("fx", "fy", "cx", "cy")
FILES = ("intrinsics.json", "camera-intrinsics.txt")
"""``{"fx": …, "fy": …, "cx": …, "cy": …}`` or ``{"K": 3 x 3}`` [px]; the text file holds K, 3 rows of 3 numbers."""


def given_intrinsics(root: Path, options: dict[str, object], shape: tuple[int, int]) -> Intrinsics | None:
    """Intrinsics from ``options`` (fx, fy, cx, cy [px]; fy = fx and the image centre where left out), else from a file in ``root``, else None.

    Args:
        root: folder of the images.
        options: of the reader.
        shape: height and width of the images [px].

    Raises:
        UserError: a damaged file, focal lengths that are not positive, or a centre outside the image.
    """
    height, width = shape
    centre = {"cx": (width - 1) / 2, "cy": (height - 1) / 2}
    if any(k in options for k in KEYS):
        where: Where | Path = Where(key="reference.options")
        found = {k: options[k] for k in KEYS if k in options}
        if "fx" not in found:
            raise UserError(f"'fx' must be given with {', '.join(sorted(found))}", where)
    else:
        file = next((root / name for name in FILES if (root / name).is_file()), None)
        if file is None:
            return None
        where, found = file, read_matrix(file)
    values = {**centre, "fy": found["fx"], **found}
    if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in values.values()):
        raise UserError(f"fx, fy, cx, cy must be finite numbers [px], got {values}", where)
    fx, fy, cx, cy = (float(values[k]) for k in KEYS)
    if min(fx, fy) <= 0 or not (0 <= cx < width and 0 <= cy < height):
        raise UserError(f"must give positive focal lengths and a centre inside {width} x {height}, got {fx:g}, {fy:g}, {cx:g}, {cy:g}", where)
    return Intrinsics(width, height, fx, fy, cx, cy)


def read_matrix(path: Path) -> dict[str, float]:
    """fx, fy, cx, cy [px] of a sidecar file, as far as it names them."""
    try:
        if path.suffix == ".txt":
            return _of_matrix(np.loadtxt(path, ndmin=2))
        tree = read_json(path)
        if "K" in tree:
            return _of_matrix(np.array(tree["K"], dtype=np.float64))
        return {"fx": float(tree["fx"]), **{k: float(tree[k]) for k in KEYS if k in tree}}
    except FileNotFoundError:
        raise UserError("file not found; it must hold the camera matrix K, 3 rows of 3 numbers", path) from None
    except (OSError, ValueError, TypeError, KeyError):
        raise UserError("must hold the camera matrix: K as 3 rows of 3 numbers, or fx, fy, cx, cy [px] in JSON", path) from None


def _of_matrix(K: np.ndarray) -> dict[str, float]:
    K = K.reshape(3, 3)
    return {"fx": float(K[0, 0]), "fy": float(K[1, 1]), "cx": float(K[0, 2]), "cy": float(K[1, 2])}
