"""A stage's arrays on a device: the two-level tracer's scene and the tables that shading looks up."""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.geometry.trace import TraceScene
from tailgate.stage.extract import StageArrays
from tailgate.stage.watch import StageState

wp.set_module_options({"enable_backward": False})


@wp.struct
class Tables:
    """Rows behind a hit (instance, face).

    ``face_base``, ``colour_base`` and ``slot_base`` have one row per instance; ``colour_base`` is -1 for white. ``slot`` = material, semantic id,
    instance id, mover. ``material`` columns are those of ``tailgate.stage.materials.Surface.row``.
    """

    face_base: wp.array(dtype=wp.int32)
    colour_base: wp.array(dtype=wp.int32)
    slot_base: wp.array(dtype=wp.int32)
    face_slot: wp.array(dtype=wp.int32)
    corner_normal: wp.array(dtype=wp.vec3)
    corner_colour: wp.array(dtype=wp.vec3)
    slot: wp.array(dtype=wp.vec4i)
    material: wp.array2d(dtype=wp.float32)


class DeviceScene:
    """Prototypes and tables of a stage, built once; ``update`` places the instances of a clip.

    Args:
        arrays: what the stage holds.
        device: Warp device.
    """

    def __init__(self, arrays: StageArrays, device: str):
        self.arrays, self.device = arrays, device
        self.tracer = TraceScene(device)
        for prototype in arrays.prototypes:
            self.tracer.add_prototype(prototype.points, prototype.triangles)
        faces = np.array([len(p.triangles) for p in arrays.prototypes], np.int64)
        coloured = np.array([p.corner_colour is not None for p in arrays.prototypes], bool)
        self._face_base = np.cumsum(faces) - faces
        coloured_faces = faces * coloured
        self._colour_base = np.where(coloured, np.cumsum(coloured_faces) - coloured_faces, -1)
        self._prototype = np.array(arrays.instance_prototype, np.int64)
        self._mover = np.array(arrays.instance_mover, np.int64)
        self._pose = np.array(arrays.instance_pose, np.float64).reshape(-1, 4, 4)
        self._slot_base = np.array(arrays.instance_slot, np.int64)
        self.tables = Tables()
        self.tables.face_slot = self._array(_join([p.face_slot for p in arrays.prototypes], (0,)), wp.int32)
        self.tables.corner_normal = self._array(_join([p.corner_normal.reshape(-1, 3) for p in arrays.prototypes], (0, 3)), wp.vec3)
        colours = [p.corner_colour.reshape(-1, 3) for p in arrays.prototypes if p.corner_colour is not None]
        self.tables.corner_colour = self._array(_join(colours, (0, 3)), wp.vec3)
        self.tables.slot = self._array(np.array(arrays.slots, np.int32).reshape(-1, 4), wp.vec4i)

    def _array(self, data: np.ndarray, dtype: type) -> wp.array:
        kind = np.int32 if dtype in (wp.int32, wp.vec4i) else np.float32
        return wp.array(np.ascontiguousarray(data, kind), dtype=dtype, device=self.device)

    @property
    def scene(self) -> Scene:
        """The tracer's device arrays."""
        return self.tracer.scene

    def update(self, state: StageState) -> None:
        """Place the static instances and the visible movers; only the top-level tree is rebuilt. What is scaled to nothing is not shown."""
        poses = np.concatenate([state.T_world_mover, np.eye(4)[None]])
        flat = np.linalg.det(poses[:, :3, :3]) == 0
        shown = np.nonzero(np.append(state.visible, True)[self._mover] & ~flat[self._mover])[0]
        self.tracer.set_instances(self._prototype[shown], poses[self._mover[shown]] @ self._pose[shown])
        prototype = self._prototype[shown]
        self.tables.face_base = self._array(self._face_base[prototype], wp.int32)
        self.tables.colour_base = self._array(self._colour_base[prototype], wp.int32)
        self.tables.slot_base = self._array(self._slot_base[shown], wp.int32)
        self.tables.material = wp.array(state.materials, dtype=wp.float32, device=self.device)
        self.instance_of_mover = {int(self._mover[i]): row for row, i in enumerate(shown) if self._mover[i] >= 0}


def _join(parts: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(empty, np.float32)
