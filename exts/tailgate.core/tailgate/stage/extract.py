"""Read a composed stage into arrays for a renderer: prototypes, their instances, materials and labels.

Everything outside ``/Tailgate/Objects`` becomes one static prototype in the world frame. Each child of ``/Tailgate/Objects`` (a mover) becomes one
prototype in its own frame; movers of equal content share it. What cannot be shown is named in ``StageArrays.skipped``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.labels import get_label
from tailgate.stage.materials import COLUMNS, MaterialReader, Surface
from tailgate.stage.meshes import MeshData, read_mesh

if TYPE_CHECKING:
    from pxr import Usd

OBJECTS = "/Tailgate/Objects"
RIG = "/Tailgate/Rig"


@dataclass(frozen=True)
class Prototype:
    """A merged mesh in the frame of its mover, or of the world when static.

    Attributes:
        points: float32 [V, 3] m.
        triangles: int32 [F, 3].
        corner_normal: float32 [F, 3, 3], unit.
        corner_colour: float32 [F, 3, 3] linear RGB factor of the diffuse colour, or None for white.
        face_slot: row of the instance's slots per face, int32 [F].
        key: hash of all this.
    """

    points: np.ndarray
    triangles: np.ndarray
    corner_normal: np.ndarray
    corner_colour: np.ndarray | None
    face_slot: np.ndarray
    key: str


@dataclass
class Mover:
    """One child of ``/Tailgate/Objects``: label, identity and the box of its mesh in its own frame.

    ``lower`` and ``upper`` are float64 [3] m; ``shown`` is false when an ancestor hides it.
    """

    prim: Usd.Prim
    label: str | None
    instance: int
    asset: str
    lower: np.ndarray
    upper: np.ndarray
    shown: bool


@dataclass
class StageArrays:
    """What a renderer needs of a stage that does not change from clip to clip.

    Attributes:
        prototypes: unique meshes.
        instance_prototype: prototype of each instance, int32 [I].
        instance_mover: row of ``movers`` of each instance, -1 for the static one, int32 [I].
        instance_slot: first slot of each instance, int32 [I].
        slots: material row, semantic id, instance id, mover row (-1: none), int32 [S, 4].
        movers: movers in path order.
        surfaces: constants of materials that no prim holds (display colours), by row.
        readers: material readers by row.
        skipped: what cannot be honoured, by name, sorted.
    """

    prototypes: list[Prototype] = field(default_factory=list)
    instance_prototype: list[int] = field(default_factory=list)
    instance_mover: list[int] = field(default_factory=list)
    instance_slot: list[int] = field(default_factory=list)
    slots: list[list[int]] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)
    surfaces: dict[int, Surface] = field(default_factory=dict)
    readers: dict[int, MaterialReader] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def material_table(self) -> np.ndarray:
        """Constants of all materials, float32 [M, COLUMNS]."""
        table = np.zeros((len(self.surfaces) + len(self.readers), COLUMNS), np.float32)
        for row, surface in self.surfaces.items():
            table[row] = surface.row()
        for row, reader in self.readers.items():
            table[row] = reader.read().row()
        return table


def world_correction(stage: Usd.Stage) -> np.ndarray:
    """T_world_stage [4, 4]: to metres and z up."""
    from pxr import UsdGeom

    T = np.eye(4)
    if UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.y:
        T[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    T[:3, :3] *= UsdGeom.GetStageMetersPerUnit(stage)
    return T


class Extraction:
    """One reading of a stage.

    Args:
        stage: composed stage.
        labels: class name -> semantic id; other classes become 0.
    """

    def __init__(self, stage: Usd.Stage, labels: dict[str, int]):
        from pxr import Usd, UsdGeom

        self.stage, self.labels = stage, labels
        self.cache = UsdGeom.XformCache(Usd.TimeCode.EarliestTime())
        self.T_world_stage = world_correction(stage)
        self.out = StageArrays()
        self.skipped: set[str] = set()
        self._material_rows: dict[object, int] = {}
        self._shared: dict[str, int] = {}

    def run(self) -> StageArrays:
        """Read everything."""
        from pxr import Usd

        objects = self.stage.GetPrimAtPath(OBJECTS)
        movers = sorted(objects.GetChildren(), key=lambda p: p.GetPath()) if objects else []
        static = self._meshes(Usd.PrimRange(self.stage.GetPseudoRoot(), Usd.TraverseInstanceProxies()), OBJECTS)
        self._add_group([(prim, self.T_world_stage @ self._world(prim)) for prim in static if self._visible(prim)], -1)
        for prim in movers:
            self._add_mover(prim)
        self.out.skipped = sorted(self.skipped)
        return self.out

    def _world(self, prim: Usd.Prim) -> np.ndarray:
        return np.array(self.cache.GetLocalToWorldTransform(prim)).T

    def _visible(self, prim: Usd.Prim) -> bool:
        from pxr import UsdGeom

        return UsdGeom.Imageable(prim).ComputeVisibility() != UsdGeom.Tokens.invisible

    def _meshes(self, prims: Usd.PrimRange, excluded: str = "") -> list[Usd.Prim]:
        """Meshes of a range that are to be shown; prims that should be shown but cannot are named."""
        from pxr import UsdGeom

        found = []
        walk = iter(prims)
        for prim in walk:
            if excluded and prim.GetPath() == excluded:
                walk.PruneChildren()
            elif prim.IsA(UsdGeom.PointInstancer):
                walk.PruneChildren()
                self.skipped.add(f"prim {prim.GetPath()}: PointInstancer is not shown")
            elif prim.IsA(UsdGeom.Gprim) and not prim.HasAttribute("tailgate:context"):
                if UsdGeom.Imageable(prim).ComputePurpose() not in (UsdGeom.Tokens.default_, UsdGeom.Tokens.render):
                    continue
                if prim.IsA(UsdGeom.Mesh):
                    found.append(prim)
                else:
                    self.skipped.add(f"prim {prim.GetPath()}: {prim.GetTypeName()} is not shown, only Mesh is")
        return found

    def _add_mover(self, prim: Usd.Prim) -> None:
        from pxr import Usd, UsdGeom

        row = len(self.out.movers)
        held = {name: prim.GetAttribute(f"tailgate:{name}") for name in ("instance", "asset_class")}
        instance = int(held["instance"].Get() or 0) if held["instance"] else 0
        parent = prim.GetParent()
        mover = Mover(prim, get_label(prim, "class"), instance, asset_stem(prim), np.zeros(3), np.zeros(3), self._visible(parent))
        self.out.movers.append(mover)
        meshes = []
        for mesh in self._meshes(Usd.PrimRange(prim, Usd.TraverseInstanceProxies())):
            chain = [mesh]
            while chain[-1] != prim:
                chain.append(chain[-1].GetParent())
            hidden = any(UsdGeom.Imageable(p).GetVisibilityAttr().Get() == UsdGeom.Tokens.invisible for p in chain[:-1] if p.IsA(UsdGeom.Imageable))
            if not hidden:
                relative = np.eye(4) if mesh == prim else np.array(self.cache.ComputeRelativeTransform(mesh, prim)[0]).T
                meshes.append((mesh, relative))
        prototype = self._add_group(meshes, row)
        if prototype is not None:
            mover.lower, mover.upper = prototype.points.min(0).astype(np.float64), prototype.points.max(0).astype(np.float64)

    def _add_group(self, meshes: list[tuple[Usd.Prim, np.ndarray]], mover: int) -> Prototype | None:
        """Merge meshes into one prototype and add its instance."""
        from pxr import UsdGeom

        read: list[MeshData] = []
        first = len(self.out.slots)
        offsets = []
        for prim, T in meshes:
            data = read_mesh(UsdGeom.Mesh(prim), T)
            if data is None:
                self.skipped.add(f"prim {prim.GetPath()}: mesh without faces or with broken topology is not shown")
                continue
            offsets.append(len(self.out.slots) - first)
            read.append(data)
            for part in data.parts:
                self.out.slots.append(self._slot(part, data, mover))
        if not read:
            return None
        prototype = merge(read, offsets)
        if prototype.key not in self._shared:
            self._shared[prototype.key] = len(self.out.prototypes)
            self.out.prototypes.append(prototype)
        self.out.instance_prototype.append(self._shared[prototype.key])
        self.out.instance_mover.append(mover)
        self.out.instance_slot.append(first)
        return prototype

    def _slot(self, part: Usd.Prim, data: MeshData, mover: int) -> list[int]:
        label = self.out.movers[mover].label if mover >= 0 else get_label(part, "class")
        instance = self.out.movers[mover].instance if mover >= 0 else 0
        return [self._material(part, data), self.labels.get(label or "", 0), instance, mover]

    def _material(self, part: Usd.Prim, data: MeshData) -> int:
        """Row of the material bound to a mesh or subset, or of its display colour."""
        from pxr import UsdShade

        material = UsdShade.MaterialBindingAPI(part).ComputeBoundMaterial()[0]
        key: object = material.GetPath().pathString if material else None
        if key is None:
            colour = (1.0, 1.0, 1.0) if data.corner_colour is not None else (0.5, 0.5, 0.5) if data.colour is None else tuple(data.colour)
            key = tuple(float(c) for c in colour)
        elif data.corner_colour is not None:
            self.skipped.add(f"prim {part.GetPath()}: display colours of a mesh with a material are multiplied into it")
        if key not in self._material_rows:
            row = self._material_rows[key] = len(self._material_rows)
            if isinstance(key, str):
                self.out.readers[row] = MaterialReader(material, self.skipped)
            else:
                self.out.surfaces[row] = Surface(diffuse=key, reflectance=float(np.clip(np.dot([0.2126, 0.7152, 0.0722], key), 0, 1)))
        return self._material_rows[key]


def asset_stem(prim: Usd.Prim) -> str:
    """File stem of the first asset that a prim references, or the prim's name."""
    from pathlib import PurePosixPath

    from pxr import Usd

    for arc in Usd.PrimCompositionQuery.GetDirectReferences(prim).GetCompositionArcs():
        layer = arc.GetTargetLayer()
        if layer and not layer.anonymous:
            return PurePosixPath(layer.identifier).stem
    return prim.GetName()


def merge(read: list[MeshData], slot_offsets: list[int]) -> Prototype:
    """Join meshes of one frame; the slot of a face is its mesh's offset plus its part."""
    base = np.cumsum([0, *(len(m.points) for m in read)])
    points = np.concatenate([m.points for m in read]).astype(np.float32)
    triangles = np.concatenate([m.triangles + b for m, b in zip(read, base, strict=False)]).astype(np.int32)
    normal = np.concatenate([m.corner_normal for m in read])
    colour = None
    if any(m.corner_colour is not None for m in read):
        colour = np.concatenate([np.ones_like(m.corner_normal) if m.corner_colour is None else m.corner_colour for m in read])
    slot = np.concatenate([m.face_part + o for m, o in zip(read, slot_offsets, strict=True)]).astype(np.int32)
    digest = hashlib.sha256()
    for array in (points, triangles, normal, slot, np.zeros(0) if colour is None else colour):
        digest.update(repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes())
    return Prototype(points, triangles, normal, colour, slot, digest.hexdigest())
