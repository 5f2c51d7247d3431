"""Find what of a stage is to be shown, and where: shapes, native instances and point instancers, by visibility and purpose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import close_to, nearest
from tailgate.stage.composition import hushed
from tailgate.stage.layers import ROOT
from tailgate.stage.moment import moment
from tailgate.stage.poses import pose_of
from tailgate.stage.solids import SOLIDS
from tailgate.stage.values import array
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom

NAMED = 5
"""So many prims that share a flaw are named one by one."""


@dataclass(frozen=True)
class Placed:
    """A shape and T_frame_prim, float64 [4, 4]."""

    prim: Usd.Prim
    T: np.ndarray


@dataclass(frozen=True)
class Scattered:
    """A prototype of a point instancer: its shapes in the prototype's own frame and T_frame_prototype of its copies, float64 [N, 4, 4]."""

    instancer: Usd.Prim
    root: Usd.Prim
    shapes: list[Placed]
    T: np.ndarray


def ancestors(prim: Usd.Prim) -> list[Usd.Prim]:
    """Parents of a prim up to the pseudo-root."""
    out = []
    while prim.GetParent() and not prim.GetParent().IsPseudoRoot():
        prim = prim.GetParent()
        out.append(prim)
    return out


def unseen(prim: Usd.Prim) -> str:
    """Why a prim that may be meant to be seen shows nothing: a procedural, or a type that nobody knows; "" for others."""
    kind = str(prim.GetTypeName())
    if kind == "GenerativeProcedural":
        return f"{kind} is not shown, only meshes and solids are"
    own = prim.GetPath().HasPrefix(ROOT)
    if kind and not own and prim.GetPrimTypeInfo().GetSchemaType().isUnknown:
        return f"{kind} is of no type that this USD knows, it is not shown{close_to(kind, ('Mesh', *SOLIDS, 'PointInstancer', 'Xform', 'Scope'))}"
    return ""


def moves(prim: Usd.Prim) -> bool:
    """Whether time samples move, bend or hide a prim."""
    from pxr import UsdGeom

    place = UsdGeom.Xformable(prim)
    names = ("points", "visibility", "positions", "orientations", "scales", "protoIndices", "invisibleIds")
    return bool(place and place.TransformMightBeTimeVarying()) or any(
        attribute and attribute.ValueMightBeTimeVarying() for attribute in map(prim.GetAttribute, names)
    )


def listed(paths: Sequence[str]) -> str:
    """Paths for a sentence, in their order: all of a few, else the first and how many more there are."""
    return ", ".join(paths) if len(paths) <= NAMED else f"{paths[0]} and {len(paths) - 1:,} more"


class Notes:
    """What cannot be honoured: sentences about one prim, and tallies of flaws that many prims may share; each under a topic of ``stage.check``."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}
        self._tally: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, line: str, topic: str = "renderer") -> None:
        """One sentence, said once."""
        self._lines[line] = topic

    def count(self, flaw: str, path: object, topic: str = "renderer") -> None:
        """One more prim with a flaw."""
        self._tally[topic, flaw].add(str(path))

    def about(self, topic: str) -> list[str]:
        """Lines of one topic, a tally as one line."""
        lines = [line for line, own in self._lines.items() if own == topic]
        tallies = ((flaw, sorted(paths)) for (own, flaw), paths in self._tally.items() if own == topic)
        return sorted([*lines, *(f"prim{'s' * (len(paths) > 1)} {listed(paths)}: {flaw}" for flaw, paths in tallies)])

    def sorted(self) -> list[str]:
        """All lines."""
        topics = dict.fromkeys([*self._lines.values(), *(topic for topic, _ in self._tally)])
        return sorted({line for topic in topics for line in self.about(topic)})


class Walk:
    """Walks a stage at its ``moment``.

    Args:
        stage: composed stage.
        notes: prims that should be shown but cannot are named here.
    """

    def __init__(self, stage: Usd.Stage, notes: Notes):
        from pxr import UsdGeom

        self.stage, self.notes = stage, notes
        self.time = moment(stage)
        self.cache: UsdGeom.XformCache = UsdGeom.XformCache(self.time)
        self._open: list[Usd.Prim] = []

    def world(self, prim: Usd.Prim) -> np.ndarray:
        """T_stage_prim [4, 4]."""
        return pose_of(prim, self.cache)

    def relative(self, prim: Usd.Prim, root: Usd.Prim) -> np.ndarray:
        """T_root_prim [4, 4]."""
        return np.eye(4) if prim == root else pose_of(prim, self.cache, root)

    def hidden(self, prim: Usd.Prim) -> bool:
        """Whether the prim itself is invisible."""
        from pxr import UsdGeom

        return prim.IsA(UsdGeom.Imageable) and UsdGeom.Imageable(prim).GetVisibilityAttr().Get(self.time) == UsdGeom.Tokens.invisible

    def shapes(self, root: Usd.Prim, excluded: str = "", own_visibility: bool = False) -> tuple[list[Placed], list[Scattered]]:
        """Shapes at and below ``root`` in its frame, and those scattered by point instancers.

        Args:
            root: the pseudo-root, a mover or a prototype.
            excluded: path of a prim to pass over.
            own_visibility: an invisible root shows nothing; a mover's visibility is not its shapes'.
        """
        placed, scattered = [], []
        for prim in self._shown(root, excluded, own_visibility):
            T = self.relative(prim, root)
            if prim.GetTypeName() == "PointInstancer":
                scattered += self._scatter(prim, T)
            else:
                placed.append(Placed(prim, T))
        return placed, scattered

    def flat(self, root: Usd.Prim) -> list[Placed]:
        """Shapes at and below ``root`` in its frame, with every copy of a point instancer as shapes of its own."""
        placed, scattered = self.shapes(root)
        return placed + [Placed(s.prim, T @ s.T) for group in scattered for T in group.T for s in group.shapes]

    def _shown(self, root: Usd.Prim, excluded: str, own_visibility: bool) -> Iterator[Usd.Prim]:
        """Shapes and point instancers that are visible and for rendering."""
        from pxr import Usd, UsdGeom

        whole = Usd.PrimIsActive & Usd.PrimIsLoaded
        abstract = not root.IsPseudoRoot() and (root.IsAbstract() or not root.IsDefined())
        walk = iter(Usd.PrimRange(root, Usd.TraverseInstanceProxies(whole if abstract else Usd.PrimDefaultPredicate)))
        rendered = (UsdGeom.Tokens.default_, UsdGeom.Tokens.render)
        for prim in walk:
            if (excluded and prim.GetPath() == excluded) or ((own_visibility or prim != root) and self.hidden(prim)):
                walk.PruneChildren()
                continue
            breathe()
            self._check(prim)
            instancer = prim.IsA(UsdGeom.PointInstancer)
            if instancer:
                walk.PruneChildren()
            elif why := unseen(prim):
                self.notes.count(why, prim.GetPath())
                continue
            elif not prim.IsA(UsdGeom.Gprim) or (prim.HasAttribute("tailgate:context") and not prim.IsA(UsdGeom.Mesh)):
                continue
            if UsdGeom.Imageable(prim).ComputePurpose() not in rendered:
                continue
            if instancer or prim.IsA(UsdGeom.Mesh) or prim.GetTypeName() in SOLIDS:
                yield prim
            else:
                self.notes.count(f"{prim.GetTypeName()} is not shown, only meshes and solids are", prim.GetPath())

    def _scatter(self, prim: Usd.Prim, T: np.ndarray) -> list[Scattered]:
        """The shown copies of each prototype of a point instancer; ids that are invisible or inactive are left out."""
        from pxr import UsdGeom

        where = f"prim {prim.GetPath()}: PointInstancer"
        if prim in self._open:
            self.notes.add(f"{where} is its own prototype and is not shown there", "geometry")
            return []
        instancer = UsdGeom.PointInstancer(prim)
        kinds = array(instancer.GetProtoIndicesAttr(), np.int64)
        targets = [self.stage.GetPrimAtPath(path) for path in instancer.GetPrototypesRel().GetForwardedTargets()]
        if len(kinds) and (kinds.min() < 0 or kinds.max() >= len(targets)):
            span = f"{len(targets)} for {kinds.min()} to {kinds.max()}"
            self.notes.add(f"{where} must name a prototype for every index, got {span}, and is not shown", "geometry")
            return []
        how = UsdGeom.PointInstancer.IncludeProtoXform, UsdGeom.PointInstancer.IgnoreMask
        with hushed():
            matrices = instancer.ComputeInstanceTransformsAtTime(self.time, self.time, *how)
            mask = instancer.ComputeMaskAtTime(self.time)
        shown = np.array(mask, bool) if mask else np.ones(len(kinds), bool)
        if not len(matrices) == len(shown) == len(kinds) == len(array(instancer.GetPositionsAttr(), width=3)):
            self.notes.add(f"{where} must hold one position, orientation and scale per index, {len(kinds)} in all, and is not shown", "geometry")
            return []
        with np.errstate(invalid="ignore"):
            poses = T @ np.transpose(np.array(matrices, np.float64).reshape(-1, 4, 4), (0, 2, 1))
        if any(p.GetInterpolation() != UsdGeom.Tokens.constant for p in UsdGeom.PrimvarsAPI(prim).GetPrimvarsWithValues()):
            self.notes.count("primvars that vary over the copies of a PointInstancer are not honoured", prim.GetPath())
        self._open.append(prim)
        out = []
        for kind in np.unique(kinds[shown]):
            if not targets[kind]:
                self.notes.add(f"{where} names a prototype that is not there for index {kind}, its copies are not shown", "geometry")
                continue
            flat = [] if self.hidden(targets[kind]) else self.flat(targets[kind])
            out.append(Scattered(prim, targets[kind], flat, poses[shown & (kinds == kind)]))
        self._open.pop()
        return out

    def _check(self, prim: Usd.Prim) -> None:
        """Name what else of a prim is passed over: units of referenced layers, variants that are none, skinning, draw modes."""
        if prim.HasAuthoredReferences() or prim.HasAuthoredPayloads():
            self._check_units(prim)
        if prim.HasAuthoredMetadata("variantSelection"):
            self._check_variants(prim)
        if "SkelBindingAPI" in prim.GetAppliedSchemas() and prim.GetTypeName() == "Mesh":
            self.notes.count("skinned meshes are shown as modelled, without their skeleton's pose", prim.GetPath())
        if moves(prim):
            self.notes.count("its motion is not played, one moment of it is shown", prim.GetPath())
        mode = prim.GetAttribute("model:drawMode")
        if mode and mode.HasAuthoredValue() and mode.Get() not in ("default", "inherited"):
            self.notes.count("draw modes are not honoured, the full shape is shown", prim.GetPath())

    def _check_variants(self, prim: Usd.Prim) -> None:
        """Name selections of variants, or of sets of them, that a prim does not have: USD composes none of them, without a word."""
        held = prim.GetVariantSets()
        for name, chosen in sorted((prim.GetMetadata("variantSelection") or {}).items()):
            known = held.GetVariantSet(name).GetVariantNames() if held.HasVariantSet(name) else []
            if not held.HasVariantSet(name):
                words = f"it selects {name} = {chosen}, and has no variant set {name}{nearest(name, held.GetNames())}; none is shown"
            else:
                words = f"its variant {name} must be one of {', '.join(known)}, got {chosen}{close_to(chosen, known)}; none is shown"
            if chosen and chosen not in known:
                self.notes.count(words, prim.GetPath(), "geometry")

    def _check_units(self, prim: Usd.Prim) -> None:
        """Name layers brought in by a reference or payload whose unit or up axis differs from the stage's: USD converts neither."""
        from pxr import Usd, UsdGeom

        if any("unitsResolve" in op for p in (prim, *ancestors(prim)) for op in p.GetAttribute("xformOpOrder").Get() or ()):
            return
        unit, up = UsdGeom.GetStageMetersPerUnit(self.stage), str(UsdGeom.GetStageUpAxis(self.stage))
        with hushed():
            arcs = Usd.PrimCompositionQuery.GetDirectReferences(prim).GetCompositionArcs()
        for arc in arcs:
            layer = arc.GetTargetLayer()
            root = layer.pseudoRoot if layer else None
            own = root.GetInfo("metersPerUnit") if root and root.HasInfo("metersPerUnit") else unit
            axis = str(root.GetInfo("upAxis")) if root and root.HasInfo("upAxis") else up
            if not np.isclose(own, unit) or axis != up:
                name = layer.identifier.rsplit("/", 1)[-1]
                words = f"{name} is in units of {own:g} m with {axis} up, the stage in {unit:g} m with {up} up; shown as composed"
                self.notes.count(words, prim.GetPath(), "units")
