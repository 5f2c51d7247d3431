"""Mark prims of a stage for Tailgate: contexts, labels, unit and up axis; written to a layer of the caller's choice, never to the stage itself.

In Kit that layer is the session layer (or a sublayer of the user's choice); on the command line it is an overlay, a small file that holds the
stage as its sublayer. Everything is checked before anything is written.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.errors import UserError, nearest, unknown
from tailgate.stage.contexts import CONTEXT, CONTEXT_KINDS, REVERSE, WIDTH, read_context, standing_faces
from tailgate.stage.curves import centre_lines
from tailgate.stage.extract import world_correction
from tailgate.stage.labels import SCHEMA, attribute_name, direct_labels, every_prim, old_labels

if TYPE_CHECKING:
    from pxr import Sdf, Usd

SCOPE = "/Contexts"
"""Where curves are put that a mark makes."""
USUAL_WIDTH = {"lane": 3.5, "parking": 2.4, "sidewalk": 2.0, "crosswalk": 3.0, "aisle": 2.5, "ego": 3.0}
"""Width of a spline that says none [m]."""
MADE = "tailgate:overlay"
"""Key of an overlay's custom layer data, by which it is known."""


def mark_context(stage: Usd.Stage, path: str, kind: str, layer: Sdf.Layer | None = None, width: float = 0.0, reverse: bool = False) -> str:
    """Mark a curve or mesh as a context.

    A BasisCurves becomes one spline per curve, and things on it face along it. A Mesh becomes a surface (its faces that face up); of a kind
    that has a direction (lane, sidewalk, …) its centre lines are made curves of their own below ``/Contexts``, as wide as the mesh.

    Args:
        stage: the stage that holds the prim; read only.
        path: of the curve or mesh.
        kind: one of ``CONTEXT_KINDS``.
        layer: where the mark is written; by default the stage's session layer.
        width: of a spline [m]; 0 takes the curve's own ``widths``, or the mesh's width, or what is usual.
        reverse: things face against the direction of the curve.

    Returns:
        Path of the prim that is the context now.

    Raises:
        UserError: there is no such prim, it cannot be a context, or ``kind`` or ``width`` is none.
    """
    from pxr import UsdGeom

    if kind not in CONTEXT_KINDS:
        raise unknown("kind of context", kind, CONTEXT_KINDS)
    if not (np.isfinite(width) and 0 <= width <= 1000):
        raise UserError(f"width of context {path} must be from 0 to 1000 m, got {width:g}")
    prim = _markable(stage, path)
    layer = layer or stage.GetSessionLayer()
    read_context(prim, kind)
    if prim.IsA(UsdGeom.BasisCurves):
        values = {CONTEXT: kind, WIDTH: width or _own_width(prim) or USUAL_WIDTH.get(kind, 1.0), REVERSE: reverse}
        _write(layer, path, values)
        return path
    if kind in ("surface", "volume"):
        _write(layer, path, {CONTEXT: kind})
        return path
    try:
        strips = centre_lines(*standing_faces(prim))
    except ValueError as error:
        raise UserError(f"{path} cannot be made a {kind}: {error}; mark it as a surface, or draw a curve and mark that") from None
    values = {CONTEXT: kind, WIDTH: width or min(own for _, own in strips), REVERSE: reverse}
    return _write_curves(stage, layer, f"{prim.GetName()}_{kind}", [knots for knots, _ in strips], values)


def mark_label(stage: Usd.Stage, path: str, label: str, layer: Sdf.Layer | None = None) -> None:
    """Label a prim, and so what is below it, with a class; see ``mark_context`` for ``layer``.

    Raises:
        UserError: there is no such prim, it lies in an instance, or the class is no name.
    """
    if not label.strip() or "," in label:
        raise UserError(f"label of {path} must be one class, got '{label}'")
    prim = prim_at(stage, path)
    _write_label(layer or stage.GetSessionLayer(), prim, label.strip())


def upgrade_labels(stage: Usd.Stage, layer: Sdf.Layer | None = None) -> list[str]:
    """Write the labels that prims hold by the old SemanticsAPI in the present form, where they have none; returns the prims' paths."""
    layer, done = layer or stage.GetSessionLayer(), []
    for prim in every_prim(stage):
        older = old_labels(prim, "class")
        if older and not direct_labels(prim, "class") and not prim.IsInstanceProxy() and not prim.IsInPrototype():
            _write_label(layer, prim, older[0])
            done.append(str(prim.GetPath()))
    return done


def overlay(stage: Usd.Stage, file: Path) -> Sdf.Layer:
    """A layer, not yet saved, that holds a stage's root layer as its sublayer and repeats its metadata; ``save_overlay`` writes it.

    An overlay that was made so before is extended when the stage is ``file`` itself.

    Raises:
        UserError: the stage has no file, or ``file`` is the stage and no overlay of Tailgate's.
    """
    from pxr import Sdf, UsdGeom

    root, file = stage.GetRootLayer(), Path(file).resolve()
    if root.anonymous:
        raise UserError("the stage must have been saved to a file before an overlay can refer to it")
    made = Sdf.Layer.CreateAnonymous(file.name)
    if Path(root.realPath) == file:
        if MADE not in root.customLayerData:
            raise UserError("an overlay must not replace the stage it refers to; choose another file", file)
        made.TransferContent(root)
        made.subLayerPaths[:] = [root.ComputeAbsolutePath(p) for p in root.subLayerPaths]
        return made
    made.subLayerPaths.append(root.realPath)
    made.customLayerData = {MADE: True}
    made.defaultPrim = root.defaultPrim
    for name in ("startTimeCode", "endTimeCode", "timeCodesPerSecond", "framesPerSecond"):
        if stage.HasAuthoredMetadata(name):
            setattr(made, name, stage.GetMetadata(name))
    mark_frame(made, UsdGeom.GetStageMetersPerUnit(stage), str(UsdGeom.GetStageUpAxis(stage)))
    return made


def save_overlay(layer: Sdf.Layer, file: Path) -> None:
    """Write an overlay, its sublayers by paths relative to it, through a temporary file."""
    from pxr import Sdf

    file, saved = Path(file).resolve(), Sdf.Layer.CreateAnonymous()
    saved.TransferContent(layer)
    saved.subLayerPaths[:] = [_relative(Path(path), file.parent) for path in layer.subLayerPaths]
    with tempfile.TemporaryDirectory(prefix=".tailgate-", dir=file.parent) as scratch:
        written = Path(scratch) / file.name
        saved.Export(str(written))
        written.replace(file)


def mark_frame(layer: Sdf.Layer, meters_per_unit: float | None = None, up_axis: str | None = None) -> None:
    """Declare the unit [m] and the up axis ("Y" or "Z") of a root layer; None leaves what it says. USD takes them from the root layer alone."""
    root = layer.pseudoRoot
    if meters_per_unit is not None:
        if not 1e-6 <= meters_per_unit <= 1e6:
            raise UserError(f"metersPerUnit must be a number of metres from 1e-6 to 1e6, got {meters_per_unit:g}")
        root.SetInfo("metersPerUnit", float(meters_per_unit))
    if up_axis is not None:
        if up_axis.upper() not in ("Y", "Z"):
            raise UserError(f"up axis must be Y or Z, got '{up_axis}'")
        root.SetInfo("upAxis", up_axis.upper())


def _relative(target: Path, folder: Path) -> str:
    path = os.path.relpath(target, folder).replace(os.sep, "/")
    return path if path.startswith(".") else f"./{path}"


def prim_at(stage: Usd.Stage, path: str) -> Usd.Prim:
    """The prim of a path, if an opinion about it can be written."""
    from pxr import Sdf

    prim = stage.GetPrimAtPath(path) if Sdf.Path.IsValidPathString(path) and path.startswith("/") else None
    if not prim or prim.IsPseudoRoot():
        known = [str(p.GetPath()) for p in stage.Traverse()]
        raise UserError(f"there is no prim '{path}' in the stage{nearest(path, known) if len(known) <= 5000 else ''}")
    if prim.IsInstanceProxy() or prim.IsInPrototype():
        holder = next((p for p in prim.GetPath().GetPrefixes() if stage.GetPrimAtPath(p).IsInstance()), "it")
        raise UserError(f"{path} lies inside the instance {holder}, where nothing can be written; make {holder} not instanceable first")
    return prim


def _markable(stage: Usd.Stage, path: str) -> Usd.Prim:
    """A prim that is a curve or a mesh; of a group with one of them below, that one is named."""
    from pxr import Usd, UsdGeom

    prim = prim_at(stage, path)
    if prim.IsA(UsdGeom.BasisCurves) or prim.IsA(UsdGeom.Mesh):
        return prim
    inside = [str(p.GetPath()) for p in Usd.PrimRange(prim) if p.IsA(UsdGeom.BasisCurves) or p.IsA(UsdGeom.Mesh)]
    hint = f"; did you mean {' or '.join(inside[:3])}?" if inside else ""
    raise UserError(f"a context must be a BasisCurves or a Mesh, got {path}, a prim of type {prim.GetTypeName() or 'none'}{hint}")


def _own_width(prim: Usd.Prim) -> float:
    """Mean of a curve's ``widths`` [m] where they are those of a road rather than of a drawn line; 0 otherwise."""
    from pxr import UsdGeom

    from tailgate.stage.values import array

    widths = array(UsdGeom.BasisCurves(prim).GetWidthsAttr())
    width = float(widths.mean()) * float(np.linalg.norm(world_correction(prim.GetStage())[:3, 0])) if len(widths) else 0.0
    return width if 0.3 <= width <= 50 else 0.0


def _write(layer: Sdf.Layer, path: str, values: dict[str, Any]) -> None:
    """Author custom attributes of a prim, an ``over`` where the layer has none."""
    from pxr import Sdf

    kinds = {CONTEXT: Sdf.ValueTypeNames.Token, WIDTH: Sdf.ValueTypeNames.Float, REVERSE: Sdf.ValueTypeNames.Bool}
    with Sdf.ChangeBlock():
        prim = layer.GetPrimAtPath(path) or Sdf.CreatePrimInLayer(layer, path)
        for name, value in values.items():
            if name == REVERSE and not value and not layer.GetAttributeAtPath(f"{path}.{name}"):
                continue
            spec = layer.GetAttributeAtPath(f"{path}.{name}") or Sdf.AttributeSpec(prim, name, kinds[name], declaresCustom=True)
            spec.default = value


def _write_label(layer: Sdf.Layer, prim: Usd.Prim, label: str) -> None:
    from pxr import Sdf

    path, name = prim.GetPath(), attribute_name("class")
    with Sdf.ChangeBlock():
        spec = layer.GetPrimAtPath(path) or Sdf.CreatePrimInLayer(layer, path)
        held = spec.GetInfo("apiSchemas") if spec.HasInfo("apiSchemas") else Sdf.TokenListOp()
        if f"{SCHEMA}:class" not in held.prependedItems:
            held.prependedItems = [*held.prependedItems, f"{SCHEMA}:class"]
            spec.SetInfo("apiSchemas", held)
        attribute = layer.GetAttributeAtPath(f"{path}.{name}") or Sdf.AttributeSpec(spec, name, Sdf.ValueTypeNames.TokenArray, declaresCustom=False)
        attribute.default = [label]


def _write_curves(stage: Usd.Stage, layer: Sdf.Layer, name: str, lines: list[np.ndarray], values: dict[str, Any]) -> str:
    """Author a prim of linear guide curves through world knots [n, 3] m below ``SCOPE``; returns its path."""
    from pxr import Sdf, Vt

    T = np.linalg.inv(world_correction(stage))
    path = f"{SCOPE}/{name}"
    with Sdf.ChangeBlock():
        prim = Sdf.CreatePrimInLayer(layer, path)
        prim.specifier, prim.typeName = Sdf.SpecifierDef, "BasisCurves"
        scope = layer.GetPrimAtPath(SCOPE)
        scope.specifier, scope.typeName = Sdf.SpecifierDef, scope.typeName or "Scope"
        points = Vt.Vec3fArray.FromNumpy((np.concatenate(lines) @ T[:3, :3].T + T[:3, 3]).astype(np.float32))
        tokens = (("type", "token", "linear"), ("purpose", "token", "guide"))
        own = (("points", "point3f[]", points), ("curveVertexCounts", "int[]", [len(line) for line in lines]), *tokens)
        for attribute, kind, value in own:
            held = layer.GetAttributeAtPath(f"{path}.{attribute}")
            spec = held or Sdf.AttributeSpec(prim, attribute, Sdf.ValueTypeNames.Find(kind), declaresCustom=False)
            spec.default = value
    _write(layer, path, values)
    return path
