"""Physics must not move what is labelled while the timeline plays for a LiDAR."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tailgate.errors import UserError
from tailgate.stage.extract import OBJECTS, RIG
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Usd

RIGID = "PhysicsRigidBodyAPI"
STILL = 1e-6
"""Change of a pose, in metres and in matrix elements, that is none."""


class Bodies:
    """What physics could move: rigid bodies, the pool's objects and the rig. Reading the stage takes a while; see ``tailgate.turns``.

    Attributes:
        scene: the stage's physics scene in words.
    """

    def __init__(self, stage: Usd.Stage):
        self._stage, self._rigid = stage, []
        scene = ""
        for prim in stage.Traverse():
            breathe()
            if prim.GetTypeName() == "PhysicsScene":
                scene = scene or f"physics scene {prim.GetPath()}"
            if RIGID in map(str, prim.GetAppliedSchemas()):
                self._rigid.append(prim)
        self.scene = scene or "physics (the stage holds no physics scene prim)"

    def refuse_dynamic(self) -> None:
        """Raise UserError where a body would fall or roll: its pose may then live in Fabric alone, where the stage does not show it."""
        for prim in self._rigid:
            enabled, kinematic = (prim.GetAttribute(f"physics:{name}Enabled") for name in ("rigidBody", "kinematic"))
            if not (enabled and enabled.Get() is False) and not (kinematic and kinematic.Get()):
                raise UserError(
                    f"tracer rtx plays the timeline, and the {self.scene} would move {prim.GetPath()}: disable its rigid body or make it kinematic,"
                    " or leave tracer: tailgate"
                )

    def poses(self) -> dict[str, np.ndarray]:
        """Pose in the world by path, [4, 4] each."""
        from pxr import Usd, UsdGeom

        cache = UsdGeom.XformCache(Usd.TimeCode.Default())
        objects = self._stage.GetPrimAtPath(OBJECTS)
        prims = [*self._rigid, *(objects.GetChildren() if objects else []), self._stage.GetPrimAtPath(RIG)]
        return {str(prim.GetPath()): np.array(cache.GetLocalToWorldTransform(prim)) for prim in prims if prim}

    def refuse_moved(self, before: dict[str, np.ndarray]) -> None:
        """Raise UserError where something is not where it was."""
        for path, pose in self.poses().items():
            if path in before and not np.allclose(pose, before[path], rtol=0.0, atol=STILL):
                raise UserError(
                    f"the {self.scene} moved {path} while the LiDAR turned, and labels would be wrong: take its objects out of physics,"
                    " or leave tracer: tailgate"
                )
