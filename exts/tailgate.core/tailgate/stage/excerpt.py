"""Cut one prim of a stage out into a file of its own, so that it can serve as an asset of a tail class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import UserError
from tailgate.stage.contexts import CONTEXT

if TYPE_CHECKING:
    from pxr import Sdf, Usd

ROOT = "Excerpt"


def cut_asset(stage: Usd.Stage, path: str) -> Sdf.Layer:
    """A prim with what is below it and the materials it uses, as a layer that needs no other file but its textures.

    The layer is in metres with z up. Size and tilt are those that it has in the stage; its own x axis, seen from above, becomes forward (x). Where
    it stands and whether it is hidden there does not matter. Exported to a file it can be a budget's ``ontology.<class>.usd``.

    Args:
        stage: the stage; read only, with the session layer and edits that are not saved.
        path: of the prim.

    Raises:
        UserError: there is no such prim, it lies in an instance, or it shows no mesh.
    """
    from pxr import Sdf, Usd

    from tailgate.stage.marks import prim_at

    prim = prim_at(stage, path)
    session = Sdf.Layer.CreateAnonymous()
    session.subLayerPaths.append(stage.GetSessionLayer().identifier)
    part = Usd.Stage.OpenMasked(stage.GetRootLayer(), session, Usd.StagePopulationMask([prim.GetPath()]))
    _plain(part, prim.GetPath())
    part.ExpandPopulationMask()
    _check_shows(part, prim.GetPath())
    made = _nested(part.Flatten(addSourceFileComment=False), prim.GetPath().GetPrefixes()[0].name)
    _turn(made, part, prim.GetPath())
    return made


def _plain(part: Usd.Stage, path: Sdf.Path) -> None:
    """Undo instancing, and show the prim and its ancestors, in the part's own session layer."""
    from pxr import Sdf, Usd, UsdGeom

    part.SetEditTarget(part.GetSessionLayer())
    while instances := [p for p in part.Traverse() if p.IsInstance()]:
        for instance in instances:
            instance.SetInstanceable(False)
    for prefix in path.GetPrefixes():
        if (prim := part.GetPrimAtPath(prefix)).IsA(UsdGeom.Imageable):
            UsdGeom.Imageable(prim).CreateVisibilityAttr().Set(UsdGeom.Tokens.inherited)
    for prim in Usd.PrimRange(part.GetPrimAtPath(path)):
        if prim.GetPath() != path and prim.GetAttribute(CONTEXT):
            Sdf.CreatePrimInLayer(part.GetSessionLayer(), prim.GetPath()).SetInfo("active", False)


def _check_shows(part: Usd.Stage, path: Sdf.Path) -> None:
    from pxr import Usd, UsdGeom

    below = list(Usd.PrimRange(part.GetPrimAtPath(path)))
    if not any(p.IsA(UsdGeom.Mesh) for p in below):
        kinds = sorted({str(p.GetTypeName()) for p in below if p.IsA(UsdGeom.Gprim)})
        raise UserError(f"an asset must show a mesh, and {path} holds {', '.join(kinds) or 'no shape'}")


def _nested(flat: Sdf.Layer, first: str) -> Sdf.Layer:
    """All root prims below one, which becomes the default prim: only what is below it comes along with a reference."""
    from pxr import Sdf

    made = Sdf.Layer.CreateAnonymous(".usda")
    root = Sdf.PrimSpec(made, ROOT, Sdf.SpecifierDef, "Xform")
    made.defaultPrim = ROOT
    made.pseudoRoot.SetInfo("metersPerUnit", 1.0)
    made.pseudoRoot.SetInfo("upAxis", "Z")
    names = sorted((prim.name for prim in flat.rootPrims if prim.name != "Tailgate"), key=lambda name: name != first)
    for name in names:
        Sdf.CopySpec(flat, f"/{name}", made, root.path.AppendChild(name))
    old, new = Sdf.Path.absoluteRootPath, root.path

    def move(path: Sdf.Path) -> None:
        spec = made.GetObjectAtPath(path) if path.IsPrimPropertyPath() else None
        targets = spec and (spec.targetPathList if isinstance(spec, Sdf.RelationshipSpec) else spec.connectionPathList)
        if targets and targets.explicitItems:
            targets.explicitItems = [p if p.HasPrefix(new) else p.ReplacePrefix(old, new) for p in targets.explicitItems]

    made.Traverse(root.path, move)
    return made


def _turn(made: Sdf.Layer, part: Usd.Stage, path: Sdf.Path) -> None:
    """Carry the root to metres with z up, turned so that the prim's own x axis heads along x."""
    from pxr import Gf, Sdf

    from tailgate.stage.extract import world_correction
    from tailgate.stage.triangles import world_matrix

    T_world_stage = world_correction(part)
    ahead = (T_world_stage @ world_matrix(part.GetPrimAtPath(path)))[:3, 0]
    yaw = np.arctan2(ahead[1], ahead[0]) if np.hypot(*ahead[:2]) > 1e-9 * np.linalg.norm(ahead) else 0.0
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]]
    T = turn @ T_world_stage
    root = made.GetPrimAtPath(f"/{ROOT}")
    Sdf.AttributeSpec(root, "xformOp:transform", Sdf.ValueTypeNames.Matrix4d).default = Gf.Matrix4d(*np.round(T.T, 15).ravel().tolist())
    Sdf.AttributeSpec(root, "xformOpOrder", Sdf.ValueTypeNames.TokenArray, Sdf.VariabilityUniform).default = ["xformOp:transform"]
