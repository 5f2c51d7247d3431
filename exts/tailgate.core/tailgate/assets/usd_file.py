"""A user's own USD as an asset: checked, wrapped to metres and z up, and stood on the ground at the origin."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailgate.assets.library import ASSET_CLASSES, resolve_asset_class
from tailgate.assets.write import address, cached, new_stage
from tailgate.errors import UserError

if TYPE_CHECKING:
    from pxr import Usd

UNITS = {"metres": 1.0, "centimetres": 0.01, "inches": 0.0254, "millimetres": 0.001, "feet": 0.3048}


class AssetUnitsWarning(UserWarning):
    """The declared unit of a USD file makes an absurd size; another one was taken."""


def from_usd(path: Path | str, asset_class: str | None = None, cache: Path | str | None = None) -> Path:
    """Check a USD file and write a small layer that references it in the library's frame.

    Args:
        path: the file; opened with its references, payloads and default variants.
        asset_class: whose nominal size judges the unit; None accepts anything between 1 cm and 30 m.
        cache: folder of the wrapper, as in ``library.generate``.

    Returns:
        Path of a ``.usda`` wrapper: ``/Asset`` with z up, metres, the bounding box centred over the origin and its bottom at z = 0. The file's
        own forward direction is kept, or +z turned to +x where its up axis is y.

    Raises:
        UserError: file missing, not readable as USD, showing nothing, or of a size that no usual unit explains.

    Warns:
        AssetUnitsWarning: the declared ``metersPerUnit`` makes an absurd size; names the unit taken instead.
    """
    source = Path(path).expanduser().resolve()
    stage = _open(source)
    box, scale, y_up = _extent(stage, source), *_frame(stage)
    name = resolve_asset_class(asset_class) if asset_class else None
    taken = _unit(box, scale, name)
    if taken is None:
        size = " × ".join(f"{v:.3g}" for v in (box[1] - box[0]) * scale)
        raise UserError(
            f"USD must have a plausible size for {name or 'an asset'}, got {size} m at metersPerUnit {scale:g} and no usual unit fits", source
        )
    if taken != scale:
        unit = next(k for k, v in UNITS.items() if v == taken)
        size = " × ".join(f"{v:.3g}" for v in (box[1] - box[0]) * taken)
        message = f"{source.name}: metersPerUnit {scale:g} makes {np.max(box[1] - box[0]) * scale:.3g} m; read in {unit} instead ({size} m)"
        warnings.warn(message, AssetUnitsWarning, stacklevel=2)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    key = address(kind="usd", source=str(source), digest=digest, scale=taken)
    matrix = _matrix(box, taken, y_up)
    return cached(cache, f"{key}.usda", lambda target: _wrap(target, source, stage, matrix))


def check_usd(path: Path | str) -> None:
    """UserError for a file that does not open as USD or shows nothing."""
    source = Path(path).expanduser().resolve()
    _extent(_open(source), source)


def _open(source: Path) -> Usd.Stage:
    from pxr import Tf, Usd

    if not source.is_file():
        raise UserError("USD file must exist, got no such file", source)
    try:
        stage = Usd.Stage.Open(str(source))
    except Tf.ErrorException as error:
        reason = str(error).rsplit(" : ", 1)[-1].strip().strip("'")
        raise UserError(f"file must open as USD ({reason})", source) from None
    if not stage.GetDefaultPrim() and not stage.GetPseudoRoot().GetChildren():
        raise UserError("USD must hold a prim, got an empty stage", source)
    return stage


def _extent(stage: Usd.Stage, source: Path) -> np.ndarray:
    """Bounding box [2, 3] of what the default prim (else the first root prim) shows, in the file's own units and axes."""
    from tailgate.stage.triangles import read_triangles

    root = _root(stage)
    points, triangles = read_triangles(root)
    if not len(triangles):
        raise UserError(f"USD must hold a mesh or solid that is shown under {root.GetPath()}, got none", source)
    used = points[np.unique(triangles)]
    return np.stack([used.min(0), used.max(0)])


def _root(stage: Usd.Stage) -> Usd.Prim:
    return stage.GetDefaultPrim() or stage.GetPseudoRoot().GetChildren()[0]


def _frame(stage: Usd.Stage) -> tuple[float, bool]:
    """Declared metres per unit, and whether y is up."""
    from pxr import UsdGeom

    return float(UsdGeom.GetStageMetersPerUnit(stage)), UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.y


def _unit(box: np.ndarray, declared: float, name: str | None) -> float | None:
    """The declared scale when the size is plausible, else the usual unit that comes closest to the class's nominal size, else None."""
    largest = float(np.max(box[1] - box[0]))
    low, high = (0.01, 30.0) if name is None else (max(ASSET_CLASSES[name].size) / 2.5, max(ASSET_CLASSES[name].size) * 2.5)
    if low <= largest * declared <= high:
        return declared
    fitting = [unit for unit in UNITS.values() if low <= largest * unit <= high]
    middle = np.sqrt(low * high)
    return min(fitting, key=lambda unit: abs(np.log(largest * unit / middle))) if fitting else None


def _matrix(box: np.ndarray, scale: float, y_up: bool) -> np.ndarray:
    """Row-vector matrix from the file's frame to metres, z up, centred over the origin, standing on z = 0."""
    turn = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]) if y_up else np.eye(3)
    corners = box @ turn * scale
    matrix = np.eye(4)
    matrix[:3, :3] = turn * scale
    centre = corners.mean(0)
    matrix[3, :3] = [-centre[0], -centre[1], -corners[:, 2].min()]
    return matrix


def _wrap(target: Path, source: Path, stage: Usd.Stage, matrix: np.ndarray) -> None:
    from pxr import Gf, UsdGeom

    wrapper = new_stage("/Asset")
    inner = UsdGeom.Xform.Define(wrapper, "/Asset/Frame")
    inner.AddTransformOp().Set(Gf.Matrix4d(*matrix.ravel().tolist()))
    content = wrapper.DefinePrim("/Asset/Frame/Source")
    content.GetReferences().AddReference(str(source), _root(stage).GetPath())
    wrapper.GetRootLayer().Export(str(target))
