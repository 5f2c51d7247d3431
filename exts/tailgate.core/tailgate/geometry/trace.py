"""A two-level ray tracer: prototypes are built once, moving their instances rebuilds only a small tree over world boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.turns import breathe


@dataclass(frozen=True)
class Hits:
    """Nearest hits of N rays.

    Attributes:
        t: parameter along the direction, float32 [N]; metres for unit directions; inf where nothing was hit.
        instance: row of ``set_instances``, int32 [N]; -1 where nothing was hit.
        face: triangle of the prototype, int32 [N]; -1 where nothing was hit.
        weights: barycentric weights of the face's first two corners, float32 [N, 2].
        normal: unit world normal by the winding of the face, float32 [N, 3]; 0 where nothing was hit.
    """

    t: np.ndarray
    instance: np.ndarray
    face: np.ndarray
    weights: np.ndarray
    normal: np.ndarray


class TraceScene:
    """Triangle meshes (prototypes) and their placed copies (instances) on one device.

    Args:
        device: Warp device, "cpu" or "cuda:0".
        stock: use Warp's own trees on a CPU too; only ``trace`` knows how.
    """

    def __init__(self, device: str = "cpu", stock: bool = False):
        from tailgate.geometry.quiet import wp
        from tailgate.geometry.wide_check import wide_trees_work

        self.wp = wp
        self.device = self.wp.get_device(device)
        self.wide = self.device.is_cpu and not stock and wide_trees_work()
        self._trees: list = []
        self._bounds: list[np.ndarray] = []
        self.set_instances(np.zeros(0, np.int32), np.zeros((0, 4, 4)))

    def add_prototype(self, points: np.ndarray, triangles: np.ndarray) -> int:
        """Build the tree of one mesh and return its id.

        Args:
            points: [V, 3] m, in the prototype's own frame.
            triangles: corner indices [F, 3], F >= 1. Of triangles with the same three corners the first one is always the one reported.
        """
        breathe()
        wp = self.wp
        points = np.ascontiguousarray(points, np.float32).reshape(-1, 3)
        triangles = np.ascontiguousarray(triangles, np.int32).reshape(-1, 3)
        if len(triangles) == 0 or not np.isfinite(points).all():
            raise ValueError("a prototype must have at least one triangle and finite points")
        single = collapse_repeats(points, triangles)
        if self.wide:
            from tailgate.geometry.wide_tree import triangle_tree

            self._trees.append(triangle_tree(points, single))
        else:
            indices = wp.array(single.ravel(), dtype=wp.int32, device=self.device)
            self._trees.append(wp.Mesh(points=wp.array(points, dtype=wp.vec3, device=self.device), indices=indices))
        used = points[triangles.ravel()]
        self._bounds.append(np.stack([used.min(0), used.max(0)]).astype(np.float64))
        return len(self._trees) - 1

    def set_instances(self, prototype_ids: np.ndarray, T_world: np.ndarray) -> None:
        """Place copies of prototypes, replacing all earlier ones; only the tree over their world boxes is rebuilt.

        Args:
            prototype_ids: int [I].
            T_world: T_world_prototype, float64 [I, 4, 4], affine and invertible (scale and mirror allowed).
        """
        from tailgate.geometry.rays import Scene

        wp = self.wp
        ids = np.asarray(prototype_ids, np.int64).reshape(-1)
        T_world = np.asarray(T_world, np.float64).reshape(-1, 4, 4)
        lower, upper = self.world_bounds(ids, T_world)
        scene = Scene()
        scene.T_local_world = wp.array(np.linalg.inv(T_world).astype(np.float32), dtype=wp.mat44, device=self.device)
        scene.lower = wp.array(lower, dtype=wp.vec3, device=self.device)
        scene.upper = wp.array(upper, dtype=wp.vec3, device=self.device)
        addresses = [tree.ctypes.data if self.wide else int(tree.id) for tree in self._trees]
        trees = wp.array(np.array([addresses[p] for p in ids], np.uint64), dtype=wp.uint64, device=self.device)
        self._top = None
        if self.wide:
            from tailgate.geometry.wide_tree import instance_tree

            scene.tree, self._top = trees, instance_tree(lower, upper)
            scene.wide = wp.uint64(self._top.ctypes.data)
        else:
            scene.mesh = trees
            if len(ids):
                self._top = wp.Bvh(scene.lower, scene.upper)
                scene.bvh = self._top.id
        self.scene = scene
        self.instances = len(ids)

    def world_bounds(self, prototype_ids: np.ndarray, T_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World boxes of placed prototypes, widened by 1e-5 of their size so that flat ones keep a volume: two float32 [I, 3]."""
        if len(prototype_ids) == 0:
            return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
        bounds = np.stack(self._bounds)[prototype_ids]
        centre, half = bounds.mean(1), np.ptp(bounds, axis=1) / 2
        world = (T_world[:, :3, :3] @ centre[:, :, None])[:, :, 0] + T_world[:, :3, 3]
        reach = (np.abs(T_world[:, :3, :3]) @ half[:, :, None])[:, :, 0]
        reach += 1e-5 * reach.max(1, keepdims=True) + 1e-6 * (np.abs(world) + 1.0)
        return (world - reach).astype(np.float32), (world + reach).astype(np.float32)

    def trace(self, origins: np.ndarray, directions: np.ndarray, t_max: float = 1e6) -> Hits:
        """Trace N rays.

        Args:
            origins, directions: world space [N, 3] m; one origin [3] serves all directions.
            t_max: largest parameter, in lengths of the direction.
        """
        from tailgate.geometry.rays import Hit, launch, trace_kernel

        wp = self.wp
        directions = np.ascontiguousarray(directions, np.float32).reshape(-1, 3)
        origins = np.ascontiguousarray(np.broadcast_to(np.asarray(origins, np.float32), directions.shape))
        hits = wp.empty(len(directions), dtype=Hit, device=self.device)
        rays = [wp.array(a, dtype=wp.vec3, device=self.device, copy=False) for a in (origins, directions)]
        launch(trace_kernel, len(directions), [self.scene, *rays, float(t_max)], [hits], self.device)
        found = hits.numpy()
        return Hits(found["t"], found["instance"], found["face"], np.stack([found["u"], found["v"]], 1), found["normal"])


def collapse_repeats(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Collapse all but the first of the triangles with the same three corner positions to a point, so that no ray meets two of them."""
    key = corner_keys(points)[triangles].sum(1, dtype=np.uint64)
    ascending = np.sort(key)
    twice = ascending[1:][ascending[1:] == ascending[:-1]]
    suspects = np.flatnonzero(np.isin(key, twice)) if len(twice) else []
    if len(suspects) == 0:
        return triangles
    corners = points[triangles[suspects]]
    _, place = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    _, first = np.unique(np.sort(place.reshape(-1, 3), axis=1), axis=0, return_index=True)
    repeated = np.delete(suspects, first)
    out = triangles.copy()
    out[repeated] = out[repeated][:, :1]
    return out


def corner_keys(points: np.ndarray) -> np.ndarray:
    """A number per point, uint64 [V], the same for the same position: a multiply-and-shift hash (Dietzfelbinger et al. 1997) of its coordinates."""
    bits = (np.ascontiguousarray(points, np.float32) + np.float32(0.0)).view(np.uint32).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (bits * np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)).sum(1, dtype=np.uint64)
        return (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
