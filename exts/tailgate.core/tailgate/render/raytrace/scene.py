"""A stage's arrays on a device: the two-level tracer's scene and the tables that shading looks up."""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.geometry.trace import TraceScene
from tailgate.render.raytrace.atlas import Atlas, build_atlas
from tailgate.stage.extract import StageArrays
from tailgate.stage.images import LUMINANCE
from tailgate.stage.materials import COAT, CUTOUT, GLOW, PANE, clouded
from tailgate.stage.watch import StageState

wp.set_module_options({"enable_backward": False})


Six = wp.types.vector(length=6, dtype=wp.int32)


@wp.struct
class Tables:
    """Rows behind a hit (instance, face).

    ``base`` has one row per instance: its first face, first coloured face (-1: white), first face with texture coordinates (-1: none), first slot.
    ``face_st`` are the two ways on a face [m, own frame] along which s and t grow by 1. ``slot`` = material, semantic id, instance id, mover.
    ``material`` columns are those of ``tailgate.stage.materials.Surface.row``; ``texture_of`` has a material's textures in the order of
    ``tailgate.stage.shaders.TEXTURED``. ``textures``, ``cutouts``, ``panes`` and ``coats`` are 0
    where no material has any.
    """

    base: wp.array(dtype=wp.vec4i)
    face_slot: wp.array(dtype=wp.int32)
    corner_normal: wp.array(dtype=wp.vec3)
    corner_colour: wp.array(dtype=wp.vec3)
    slot: wp.array(dtype=wp.vec4i)
    material: wp.array2d(dtype=wp.float32)
    corner_st: wp.array(dtype=wp.vec2)
    face_st: wp.array(dtype=wp.vec3)
    texture_of: wp.array(dtype=Six)
    atlas: Atlas
    textures: wp.int32
    cutouts: wp.int32
    panes: wp.int32
    coats: wp.int32


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
        self._face_base = np.cumsum(faces) - faces
        self._colour_base = _bases(faces, [p.corner_colour is not None for p in arrays.prototypes])
        self._st_base = _bases(faces, [p.corner_st is not None for p in arrays.prototypes])
        self._prototype = np.array(arrays.instance_prototype, np.int64)
        self._mover = np.array(arrays.instance_mover, np.int64)
        self._pose = np.array(arrays.instance_pose, np.float64).reshape(-1, 4, 4)
        self._slot_base = np.array(arrays.instance_slot, np.int64)
        self._balls: dict[tuple[int, int], tuple[np.ndarray, float]] = {}
        self.tables = Tables()
        self.tables.face_slot = self._array(_join([p.face_slot for p in arrays.prototypes], (0,)), wp.int32)
        self.tables.corner_normal = self._array(_join([p.corner_normal.reshape(-1, 3) for p in arrays.prototypes], (0, 3)), wp.vec3)
        colours = [p.corner_colour.reshape(-1, 3) for p in arrays.prototypes if p.corner_colour is not None]
        self.tables.corner_colour = self._array(_join(colours, (0, 3)), wp.vec3)
        mapped = [p for p in arrays.prototypes if p.corner_st is not None]
        self.tables.corner_st = self._array(_join([p.corner_st.reshape(-1, 2) for p in mapped], (0, 2)), wp.vec2)
        ways = _join([st_ways(p.points[p.triangles], p.corner_st) for p in mapped], (0, 2, 3))
        self.tables.face_st = self._array(ways.reshape(-1, 3), wp.vec3)
        textures, texture_of = arrays.texture_table()
        self.tables.atlas = build_atlas(textures, arrays.images, device)
        self.tables.texture_of = wp.array(texture_of, dtype=Six, device=device)
        self.tables.textures = len(textures)
        self.tables.slot = self._array(np.array(arrays.slots, np.int32).reshape(-1, 4), wp.vec4i)

    def _array(self, data: np.ndarray, dtype: type) -> wp.array:
        kind = np.int32 if dtype in (wp.int32, wp.vec4i) else np.float32
        return wp.array(np.ascontiguousarray(data, kind), dtype=dtype, device=self.device)

    @property
    def scene(self) -> Scene:
        """The tracer's device arrays."""
        return self.tracer.scene

    def update(self, state: StageState, transparency: float = 1.0) -> None:
        """Place the static instances and the visible movers; only the top-level tree is rebuilt. What is scaled to nothing is not shown, panes keep a
        share ``transparency`` of theirs."""
        poses = np.concatenate([state.T_world_mover, np.eye(4)[None]])
        flat = np.linalg.det(poses[:, :3, :3]) == 0
        shown = np.nonzero(np.append(state.visible, True)[self._mover] & ~flat[self._mover])[0]
        self._shown, self._T_world_shown = shown, poses[self._mover[shown]] @ self._pose[shown]
        self.tracer.set_instances(self._prototype[shown], self._T_world_shown)
        prototype = self._prototype[shown]
        first = np.stack([self._face_base[prototype], self._colour_base[prototype], self._st_base[prototype], self._slot_base[shown]], 1)
        self.tables.base = self._array(first, wp.vec4i)
        materials = clouded(state.materials, transparency)
        self.tables.cutouts = int((materials[:, CUTOUT] > 0).any())
        self.tables.panes = int((materials[:, PANE] >= 0).any())
        self.tables.coats = int((materials[:, COAT] > 0).any())
        self.tables.material = wp.array(materials, dtype=wp.float32, device=self.device)
        self.instance_of_mover = {int(self._mover[i]): row for row, i in enumerate(shown) if self._mover[i] >= 0}

    def glowing(self, state: StageState, least: float) -> np.ndarray:
        """Balls around the shown shapes that glow more than ``least``: centre and radius [m], luminance, [n, 5]."""
        glow = (state.materials[:, GLOW] @ LUMINANCE)[np.array(self.arrays.slots, np.int64).reshape(-1, 4)[:, 0]]
        first, rows = self._slot_base[self._shown], []
        for slot in np.nonzero(glow > least)[0]:
            for k in np.nonzero(first == first[first <= slot].max(initial=-1))[0]:
                prototype = int(self._prototype[self._shown[k]])
                ball = self._ball(prototype, int(slot - first[k]))
                if ball is not None:
                    T = self._T_world_shown[k]
                    rows.append([*(T[:3, :3] @ ball[0] + T[:3, 3]), ball[1] * np.linalg.norm(T[:3, :3], axis=0).max(), glow[slot]])
        return np.array(rows).reshape(-1, 5)

    def _ball(self, prototype: int, slot: int) -> tuple[np.ndarray, float] | None:
        """Centre and radius [m] of the faces of one slot in the prototype's frame, None where it has none."""
        if (prototype, slot) not in self._balls:
            made = self.arrays.prototypes[prototype]
            points = made.points[made.triangles[made.face_slot == slot]].reshape(-1, 3).astype(np.float64)
            centre = 0.5 * (points.min(0) + points.max(0)) if len(points) else None
            self._balls[prototype, slot] = None if centre is None else (centre, float(np.linalg.norm(points - centre, axis=1).max()))
        return self._balls[prototype, slot]


def st_ways(corners: np.ndarray, st: np.ndarray) -> np.ndarray:
    """dP/ds and dP/dt of triangles [F, 3, 3] with texture coordinates [F, 3, 2]: float64 [F, 2, 3], 0 where the coordinates span no area."""
    ab, ac = (corners[:, k].astype(np.float64) - corners[:, 0] for k in (1, 2))
    (p, q), (u, v) = ((st[:, k].astype(np.float64) - st[:, 0]).T for k in (1, 2))
    det = p * v - q * u
    scale = np.where(np.abs(det) > 1e-20, 1 / np.where(det == 0, 1, det), 0.0)[:, None]
    return np.stack([(ab * v[:, None] - ac * q[:, None]) * scale, (ac * p[:, None] - ab * u[:, None]) * scale], 1)


def _bases(faces: np.ndarray, present: list[bool]) -> np.ndarray:
    """First face of each prototype in an array that holds the faces of those present, -1 for the others."""
    counted = faces * np.array(present, bool)
    return np.where(present, np.cumsum(counted) - counted, -1)


def _join(parts: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(empty, np.float32)
