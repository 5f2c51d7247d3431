"""Read a composed stage into arrays for a renderer: prototypes, their instances, materials and labels.

Everything outside ``/Tailgate/Objects`` becomes one static prototype in the world frame, but for the prototypes of point instancers, which keep their
own frames and are placed many times. Each child of ``/Tailgate/Objects`` (a mover) becomes one prototype in its own frame, point instancers in it
included; movers of equal content share it. What cannot be shown is named in ``StageArrays.skipped``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import close_to
from tailgate.stage.composition import composition_errors, hushed, unloaded
from tailgate.stage.images import LUMINANCE, ImageStore
from tailgate.stage.labels import get_label
from tailgate.stage.materials import COLUMNS, GONE, PRESENCE, MaterialReader, Surface
from tailgate.stage.meshes import FARTHEST, NOT_FINITE, MeshData, primvar, read_shape
from tailgate.stage.shaders import TEXTURED
from tailgate.stage.textures import Texture
from tailgate.stage.walk import Notes, Placed, Scattered, Walk, ancestors

if TYPE_CHECKING:
    from pxr import Usd

PURPOSES = ("preview", "full")
"""Purposes of material bindings, in the order of preference; a binding for all purposes suits the first."""
FAR_OFF = 10_000.0
"""Shapes no part of which is nearer to the origin than this are said to be far [m]: rays leave a surface 4e-6 of the distance above it."""
OBJECTS = "/Tailgate/Objects"
RIG = "/Tailgate/Rig"


@dataclass(frozen=True)
class Prototype:
    """A merged mesh in the frame of its mover or point instancer's prototype, or of the world when static.

    Attributes:
        points: float32 [V, 3] m.
        triangles: int32 [F, 3].
        corner_normal: float32 [F, 3, 3], unit.
        corner_colour: float32 [F, 3, 3] linear RGB factor of the diffuse colour, or None for white.
        corner_st: texture coordinates, float32 [F, 3, 2], or None where no material asks for them.
        face_slot: row of the instance's slots per face, int32 [F].
        key: hash of all this.
    """

    points: np.ndarray
    triangles: np.ndarray
    corner_normal: np.ndarray
    corner_colour: np.ndarray | None
    corner_st: np.ndarray | None
    face_slot: np.ndarray
    key: str


@dataclass(frozen=True)
class Span:
    """The faces that one shape became: its prim, the row of its prototype, the first slot of its instances, the first face and their number."""

    prim: Usd.Prim
    prototype: int
    slot: int
    first: int
    count: int


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
        instance_mover: row of ``movers`` of each instance, -1 for static ones, int32 [I].
        instance_pose: T_mover_prototype or T_world_prototype of each instance, float64 [4, 4] each.
        instance_slot: first slot of each instance, int32 [I].
        slots: material row, semantic id, instance id, mover row (-1: none), int32 [S, 4].
        slot_prims: path of the shape or subset that each slot was read from, [S].
        movers: movers in path order.
        surfaces: constants of materials that no prim holds (display colours), by row.
        readers: material readers by row.
        images: the images of their textures.
        spans: the faces of every shape.
        skipped: what cannot be honoured, by name, sorted.
    """

    prototypes: list[Prototype] = field(default_factory=list)
    instance_prototype: list[int] = field(default_factory=list)
    instance_mover: list[int] = field(default_factory=list)
    instance_pose: list[np.ndarray] = field(default_factory=list)
    instance_slot: list[int] = field(default_factory=list)
    slots: list[list[int]] = field(default_factory=list)
    slot_prims: list[str] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)
    surfaces: dict[int, Surface] = field(default_factory=dict)
    readers: dict[int, MaterialReader] = field(default_factory=dict)
    images: ImageStore = field(default_factory=ImageStore)
    spans: list[Span] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def material_table(self) -> np.ndarray:
        """Constants of all materials, float32 [M, COLUMNS]."""
        table = np.zeros((len(self.surfaces) + len(self.readers), COLUMNS), np.float32)
        for row, surface in self.surfaces.items():
            table[row] = surface.row()
        for row, reader in self.readers.items():
            table[row] = reader.read().row()
        return table

    def texture_table(self) -> tuple[list[Texture], np.ndarray]:
        """All uses of images and the row of each material's, -1 for none: (textures, int32 [M, TEXTURED])."""
        rows: dict[Texture, int] = {}
        table = np.full((len(self.surfaces) + len(self.readers), len(TEXTURED)), -1, np.int32)
        for row, reader in sorted(self.readers.items()):
            for name, texture in reader.textures.items():
                table[row, TEXTURED.index(name)] = rows.setdefault(texture, len(rows))
        return list(rows), table


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
        images: images that were decoded before.
    """

    def __init__(self, stage: Usd.Stage, labels: dict[str, int], images: ImageStore | None = None):
        self.stage, self.labels = stage, labels
        self.notes = Notes()
        self.walk = Walk(stage, self.notes)
        self.T_world_stage = world_correction(stage)
        self.out = StageArrays(images=images or ImageStore())
        self._material_rows: dict[object, int] = {}
        self._shared: dict[str, int] = {}
        self._meant: dict[str, str] = {}
        self._away: dict[Usd.Prim, float] = {}

    @hushed()
    def run(self) -> StageArrays:
        """Read everything."""
        for path, words in composition_errors(self.stage):
            self.notes.add(f"composition: prim {path}: {words}" if path else f"composition: {words}", "composition")
        for path in unloaded(self.stage):
            self.notes.count("its payload is not loaded and is not shown", path, "composition")
        objects = self.stage.GetPrimAtPath(OBJECTS)
        placed, scattered = self.walk.shapes(self.stage.GetPseudoRoot(), OBJECTS)
        static = self._prototype([Placed(p.prim, self.T_world_stage @ p.T) for p in placed], -1)
        self._place(static, -1)
        for group in scattered:
            self._scatter(group)
        self._check_place()
        for prim in sorted(objects.GetChildren(), key=lambda p: p.GetPath()) if objects else []:
            self._add_mover(prim)
        self.out.skipped = self.notes.sorted()
        return self.out

    def _check_place(self) -> None:
        """Say so where everything, or some of it, lies far from the origin."""
        away = min(self._away.values(), default=0.0)
        if away > FAR_OFF:
            apart = f"positions there are {np.spacing(np.float32(away)):.2g} m apart and shadows begin off what throws them"
            self.notes.add(f"stage: it lies {away / 1000:.0f} km from the origin, {apart}: move it to the origin", "geometry")
            return
        for prim in (p for p, own in self._away.items() if own > FAR_OFF):
            words = f"it lies more than {FAR_OFF / 1000:g} km from the origin, where positions are {np.spacing(np.float32(FAR_OFF)):.1g} m apart"
            self.notes.count(f"{words} and more, and shadows begin off what throws them", prim.GetPath(), "geometry")

    def _scatter(self, group: Scattered) -> None:
        """Add the copies of a point instancer's prototype."""
        made = self._prototype(group.shapes, -1, group.instancer)
        for T in group.T:
            if np.isfinite(T).all() and (np.abs(self.T_world_stage @ T) <= FARTHEST).all() and abs(np.linalg.det(T[:3, :3])) > 0:
                self._place(made, -1, self.T_world_stage @ T)
                if made is not None:
                    away = distance_to(self.out.prototypes[made[0]].points, self.T_world_stage @ T)
                    self._away[group.instancer] = max(away, self._away.get(group.instancer, 0.0))
            else:
                words = f"copies of a point instancer whose scale is 0 or not finite, or that lie beyond {FARTHEST:g} m, are not shown"
                self.notes.count(words, group.root.GetPath(), "geometry")

    def _add_mover(self, prim: Usd.Prim) -> None:
        row = len(self.out.movers)
        held = {name: prim.GetAttribute(f"tailgate:{name}") for name in ("instance", "asset_class")}
        instance = int(held["instance"].Get() or 0) if held["instance"] else 0
        shown = not any(self.walk.hidden(p) for p in ancestors(prim))
        mover = Mover(prim, get_label(prim, "class"), instance, asset_stem(prim), np.zeros(3), np.zeros(3), shown)
        self.out.movers.append(mover)
        made = self._prototype(self.walk.flat(prim), row)
        self._place(made, row)
        if made is not None:
            points = self.out.prototypes[made[0]].points
            mover.lower, mover.upper = points.min(0).astype(np.float64), points.max(0).astype(np.float64)

    def _prototype(self, shapes: list[Placed], mover: int, instancer: Usd.Prim | None = None) -> tuple[int, int] | None:
        """Merge shapes of one frame, that of an ``instancer``'s prototype where one is given: (row of the prototype, first slot), or None when there
        is nothing to show."""
        read: list[MeshData] = []
        shown: list[Usd.Prim] = []
        first = len(self.out.slots)
        offsets = []
        for shape in shapes:
            data = read_shape(shape.prim, shape.T, self._coordinates)
            if isinstance(data, str):
                self.notes.count(f"{data}; it is not shown", shape.prim.GetPath(), "geometry")
                continue
            data = replace(data, corner_colour=self._tints(data))
            for flaw in data.flaws:
                self.notes.count(flaw, shape.prim.GetPath(), "geometry" if flaw == NOT_FINITE else "renderer")
            offsets.append(len(self.out.slots) - first)
            read.append(data)
            shown.append(shape.prim)
            if mover < 0 and instancer is None:
                self._away[shape.prim] = distance_to(data.points, np.eye(4))
            for part in data.parts:
                self.out.slots.append(self._slot(part, data, mover, instancer))
                self.out.slot_prims.append(part.GetPath().pathString)
        if not read:
            return None
        prototype = merge(read, offsets)
        if prototype.key not in self._shared:
            self._shared[prototype.key] = len(self.out.prototypes)
            self.out.prototypes.append(prototype)
        row, counts = self._shared[prototype.key], [len(data.triangles) for data in read]
        starts = np.cumsum([0, *counts])
        self.out.spans += [Span(prim, row, first, int(start), n) for prim, start, n in zip(shown, starts, counts, strict=False)]
        return row, first

    def _place(self, made: tuple[int, int] | None, mover: int, T: np.ndarray | None = None) -> None:
        """Add an instance of a prototype."""
        if made is not None:
            self.out.instance_prototype.append(made[0])
            self.out.instance_slot.append(made[1])
            self.out.instance_mover.append(mover)
            self.out.instance_pose.append(np.eye(4) if T is None else T)

    def _slot(self, part: Usd.Prim, data: MeshData, mover: int, instancer: Usd.Prim | None) -> list[int]:
        label = self.out.movers[mover].label if mover >= 0 else get_label(part, "class")
        if label is None and instancer is not None:
            label = get_label(instancer, "class")
        instance = self.out.movers[mover].instance if mover >= 0 else 0
        return [self._material(part, data), self.labels.get(label or "", 0), instance, mover]

    def _coordinates(self, part: Usd.Prim) -> str | None:
        """Name of the texture coordinates that the material bound to a part asks for."""
        row = self._bound(part)
        return None if row is None else self.out.readers[row].coordinates

    def _tints(self, data: MeshData) -> np.ndarray | None:
        """Factors of the diffuse colours at the corners: display colours where a part's material reads them or there is none, else white.

        Returns:
            float32 [F, 3, 3], or None for white.
        """
        bound = [self._bound(part) for part in data.parts]
        out = np.ones(data.corner_normal.shape, np.float32)
        for k, row in enumerate(bound):
            faces, read = data.face_part == k, None if row is None else self.out.readers[row].tint
            if data.corner_colour is not None and (row is None or read is not None):
                out[faces] = data.corner_colour[faces]
            elif read is not None:
                out[faces] = read if data.colour is None else data.colour
        return out if (out != 1).any() or (data.corner_colour is not None and None in bound) else None

    def _bound(self, part: Usd.Prim) -> int | None:
        """Row of the material bound to a shape or subset, None without one."""
        from pxr import UsdShade

        binding = UsdShade.MaterialBindingAPI(part)
        material = next((m for m, _ in map(binding.ComputeBoundMaterial, PURPOSES) if m), None)
        if material is None:
            self._check_binding(part)
            return None
        key = material.GetPath().pathString
        if key not in self._material_rows:
            self._material_rows[key] = len(self._material_rows)
            self.out.readers[self._material_rows[key]] = MaterialReader(material, self.notes, self.out.images)
        return self._material_rows[key]

    def _check_binding(self, part: Usd.Prim) -> None:
        """Name what a prim without a material is bound to all the same."""
        from pxr import UsdShade

        for prim in (part, *ancestors(part)):
            for name in (f"material:binding{purpose}" for purpose in ("", ":preview", ":full")):
                rel = prim.GetRelationship(name)
                missing = [path for path in rel.GetTargets() if not UsdShade.Material(self.stage.GetPrimAtPath(path))] if rel else []
                if missing:
                    words = f"the material {missing[0]} that it is bound to is not there{self._near(str(missing[0]))}"
                    self.notes.count(f"{words}, its display colour is shown", part.GetPath())

    def _near(self, path: str) -> str:
        """The material that a path may mean, for messages."""
        if path not in self._meant:
            self._meant[path] = close_to(path, (str(prim.GetPath()) for prim in self.stage.Traverse() if prim.GetTypeName() == "Material"))
        return self._meant[path]

    def _material(self, part: Usd.Prim, data: MeshData) -> int:
        """Row of the material of a shape or subset, or of its display colour."""
        row = self._bound(part)
        if row is not None:
            return row
        colour = (1.0, 1.0, 1.0) if data.corner_colour is not None else (0.5, 0.5, 0.5) if data.colour is None else data.colour
        key = (*map(float, colour), self._opacity(part))
        if key not in self._material_rows:
            row = self._material_rows[key] = len(self._material_rows)
            self.out.surfaces[row] = display_surface(key[:3], key[3])
        return self._material_rows[key]

    def _opacity(self, part: Usd.Prim) -> float:
        """Display opacity of a shape or subset without a material: its one value, or the mean of several, which is said."""
        values, _ = primvar(part, "displayOpacity", 1)
        finite = len(values) > 0 and bool(np.isfinite(values).all())
        opacity = float(values.mean()) if finite else 1.0
        if finite and np.ptp(values):
            self.notes.count("display opacity that varies over a mesh is shown as its mean", part.GetPath())
        return opacity


def display_surface(colour: tuple[float, ...], opacity: float) -> Surface:
    """Surface of a shape without a material: its display colour (linear RGB); it is there to the share of its display opacity."""
    surface = Surface(diffuse=tuple(colour), reflectance=float(np.clip(LUMINANCE @ np.array(colour), 0, 1)))
    if opacity >= 1:
        return surface
    if opacity < GONE:
        return replace(surface, opacity=0.0, cutout=2.0)
    return replace(surface, opacity=opacity, pane=PRESENCE, tint=(1 - opacity,) * 3, infrared=1 - opacity)


def distance_to(points: np.ndarray, T: np.ndarray) -> float:
    """Distance [m] from the origin to the box around points [V, 3], in its own frame T [4, 4]; 0 within."""
    origin = -np.linalg.solve(T[:3, :3], T[:3, 3])
    nearest = np.clip(origin, points.min(0), points.max(0))
    return float(np.linalg.norm(T[:3, :3] @ (nearest - origin)))


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
    st = None
    if any(m.corner_st is not None for m in read):
        st = np.concatenate([np.zeros((len(m.triangles), 3, 2), np.float32) if m.corner_st is None else m.corner_st for m in read])
    slot = np.concatenate([m.face_part + o for m, o in zip(read, slot_offsets, strict=True)]).astype(np.int32)
    digest = hashlib.sha256()
    for array in (points, triangles, normal, slot, *(np.zeros(0) if a is None else a for a in (colour, st))):
        digest.update(repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes())
    return Prototype(points, triangles, normal, colour, st, slot, digest.hexdigest())
