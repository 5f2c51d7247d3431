"""Follow a stage from clip to clip: what moved is read at every update, what else changed is noticed, nothing else is read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.extract import RIG, Extraction, StageArrays, world_correction
from tailgate.stage.images import ImageStore
from tailgate.stage.light_checks import light_prims
from tailgate.stage.light_links import light_links
from tailgate.stage.lights import Lights, read_lights
from tailgate.stage.materials import GLOW
from tailgate.stage.moment import moment
from tailgate.stage.walk import Notes

if TYPE_CHECKING:
    from pxr import Sdf, Usd, UsdGeom

APPLICATION = ("Render", "Replicator", "Orchestrator")
"""Root prims that an application (Kit) keeps on a stage for its render products and graphs; its viewport cameras begin with ``OmniverseKit_``."""

CONNECTIONS = "connectionPaths"
"""USD's field of an attribute that names what it is connected to."""


def of_application(path: Sdf.Path) -> bool:
    """Whether a prim is the application's own and no part of the scene."""
    root = path.pathString.lstrip("/").partition("/")[0]
    return root in APPLICATION or root.startswith("OmniverseKit_")


@dataclass
class StageState:
    """What changes from clip to clip.

    Attributes:
        T_world_mover: pose (scale included) of each mover, float64 [K, 4, 4].
        visible: bool [K].
        materials: float32 [M, COLUMNS].
        lights: lights in the world frame.
        T_world_rig: pose of the rig, float64 [4, 4], without scale.
        version: counts full readings; prototypes of another version are outdated.
    """

    T_world_mover: np.ndarray
    visible: np.ndarray
    materials: np.ndarray
    lights: Lights
    T_world_rig: np.ndarray
    version: int


class StageWatch:
    """A stage's arrays, kept up to date. Call ``close`` when done.

    Args:
        stage: composed stage with the pool authored.
        labels: class name -> semantic id.
    """

    def __init__(self, stage: Usd.Stage, labels: dict[str, int]):
        from pxr import Tf, Usd

        self.stage, self.labels = stage, labels
        self.version = 0
        self._state: StageState | None = None
        self._images = ImageStore()
        self._read()
        self._listener = Tf.Notice.Register(Usd.Notice.ObjectsChanged, self._on_change, stage)

    def _read(self) -> None:
        """Read the whole stage."""
        from pxr import UsdGeom

        self.arrays: StageArrays = Extraction(self.stage, self.labels, self._images).run()
        notes = Notes()
        self._lights = light_prims(self.stage, notes)
        self._links = light_links(self._lights, self.arrays.slot_prims, notes)
        self._materials = self.arrays.material_table()
        self.arrays.skipped = sorted({*self.arrays.skipped, *notes.sorted(), *self._absent()})
        self._material_of = {path: row for row, reader in self.arrays.readers.items() for path in reader.prim_paths()}
        self._dirty_materials: set[int] = set()
        self._rewired_materials: set[int] = set()
        self._outdated = False
        self._T_world_stage = world_correction(self.stage)
        movers = [UsdGeom.Xformable(m.prim) for m in self.arrays.movers]
        self._ops = [m.GetOrderedXformOps() for m in movers]
        self._visibility = [m.GetVisibilityAttr() for m in movers]
        shown = {m.prim.GetPath() for m in self.arrays.movers}
        lit = {path for light in self._lights for path in light.GetPath().GetPrefixes()}
        self._always_read = shown | lit | {self.stage.GetPseudoRoot().GetPath().AppendPath(RIG.lstrip("/"))}
        self.version += 1

    def _absent(self) -> list[str]:
        """What a stage must have for its pictures and labels to say anything, and lacks."""
        glow = self._materials[:, GLOW].any()
        known = any(slot[1] > 0 for slot in self.arrays.slots)
        absent = []
        if not self._lights and not glow:
            absent.append("stage: there is no light and nothing glows, pictures are black")
        if self.labels and self.arrays.slots and not known:
            absent.append(f"stage: no shape carries a label of the classes {', '.join(sorted(self.labels))}, semantic images are empty")
        return absent

    def _on_change(self, notice: Usd.Notice.ObjectsChanged, sender: Usd.Stage) -> None:
        self._state = None
        for path in notice.GetChangedInfoOnlyPaths():
            self._classify(path, CONNECTIONS in notice.GetChangedFields(path))
        for path in notice.GetResyncedPaths():
            self._classify(path, rewired=True, resynced=True)

    def _classify(self, path: Sdf.Path, rewired: bool, resynced: bool = False) -> None:
        """Sort one change into: read anyway, values or more of one material, without meaning here, or everything."""
        prim = path.GetPrimPath()
        if of_application(prim):
            return
        if path.IsPropertyPath():
            if prim in self._always_read and not path.name.startswith(("primvars:", "material:", "collection:", "xformOpOrder")):
                return
            row = self._material_of.get(prim.pathString)
            if row is not None:
                self._dirty_materials.add(row)
                if rewired or not self.arrays.readers[row].holds(path):
                    self._rewired_materials.add(row)
                return
            if path.name.startswith(("tailgate:", "ui:", "userProperties:")):
                return
        elif not resynced:
            return
        self._outdated = True

    def update(self) -> StageState:
        """Read what has changed since the last call; the same state again if nothing has. A change of shapes, bindings or prims reads the whole stage
        again."""
        if self._state is None:
            self._state = self._present()
        return self._state

    def _present(self) -> StageState:
        """The stage's state now."""
        from pxr import UsdGeom

        if self._outdated:
            self._read()
        for row in sorted(self._dirty_materials):
            if row in self._rewired_materials:
                self.arrays.readers[row].resolve(Notes())
            self._materials[row] = self.arrays.readers[row].read().row()
        self._dirty_materials.clear()
        self._rewired_materials.clear()
        cache = UsdGeom.XformCache(moment(self.stage))
        T_world_rig = np.eye(4)
        rig = self.stage.GetPrimAtPath(RIG)
        if rig:
            T_world_rig = self._T_world_stage @ np.array(cache.GetLocalToWorldTransform(rig)).T
            T_world_rig[:3, :3] /= np.linalg.norm(T_world_rig[:3, :3], axis=0)
        visible = [m.shown and attr.Get() != UsdGeom.Tokens.invisible for m, attr in zip(self.arrays.movers, self._visibility, strict=True)]
        return StageState(
            T_world_mover=self._mover_poses(cache, visible),
            visible=np.array(visible, bool),
            materials=self._materials,
            lights=read_lights(self._lights, cache, self._T_world_stage, self._links),
            T_world_rig=T_world_rig,
            version=self.version,
        )

    def _mover_poses(self, cache: UsdGeom.XformCache, visible: list[bool]) -> np.ndarray:
        """Poses of the visible movers; identity for the others. One ``xformOp:transform`` is read directly, anything else through the cache."""
        poses = np.tile(np.eye(4), (len(visible), 1, 1))
        shown = [k for k, seen in enumerate(visible) if seen]
        if not shown:
            return poses
        parent = cache.GetLocalToWorldTransform(self.arrays.movers[0].prim.GetParent())
        for k in shown:
            ops, prim = self._ops[k], self.arrays.movers[k].prim
            if len(ops) == 1 and ops[0].GetOpName() == "xformOp:transform":
                poses[k] = ops[0].Get()
            else:
                poses[k] = cache.GetLocalTransformation(prim)[0]
        return self._T_world_stage @ np.transpose(poses @ np.array(parent), (0, 2, 1))

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._listener:
            self._listener.Revoke()
        self._listener = None
