"""Closest-hit rate on 935k triangles (camera, LiDAR and random rays), one thread, CPU time; peers: Warp's mesh query, Embree if open3d is there."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import numpy as np
from tailgate.geometry.quiet import wp
from tailgate.geometry.trace import TraceScene

wp.set_module_options({"enable_backward": False})


def terrain(cells: int = 684) -> tuple[np.ndarray, np.ndarray]:
    """A street canyon on rolling ground: height field of 2 cells^2 triangles (935,712), 200 m wide."""
    x, y = np.meshgrid(np.linspace(-100, 100, cells + 1), np.linspace(-100, 100, cells + 1), indexing="ij")
    wall = 8.0 * ((np.abs(y) > 12) & (np.sin(x / 6) > -0.6))
    z = 0.4 * np.sin(x / 7) * np.cos(y / 9) + 0.05 * np.sin(5 * x) * np.sin(5 * y) + wall
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    a = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    b = a + cells + 1
    return points, np.concatenate([np.stack([a, b, b + 1], 1), np.stack([a, b + 1, a + 1], 1)])


def camera_rays() -> np.ndarray:
    """1280 x 720 pixels, 90 degrees wide, looking along x and slightly down."""
    v, u = np.mgrid[:720, :1280]
    return np.stack([np.ones(u.size), -((u - 639.5) / 640).ravel(), -((v - 359.5) / 640).ravel() - 0.05], 1)


def lidar_rays() -> np.ndarray:
    """128 beams from -25 to 15 degrees, 1800 columns."""
    elevation, azimuth = np.meshgrid(np.deg2rad(np.linspace(-25, 15, 128)), np.linspace(0, 2 * np.pi, 1800, endpoint=False), indexing="ij")
    flat = np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], -1).reshape(-1, 3)


def random_rays() -> np.ndarray:
    """Uniform directions."""
    return np.random.default_rng(0).normal(size=(400_000, 3))


def stock(points: np.ndarray, triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> Callable:
    """Warp's own tree over the triangles alone, without instances: ``wp.mesh_query_ray``."""
    corners = wp.array(points.astype(np.float32), dtype=wp.vec3, device="cpu")
    mesh = wp.Mesh(corners, wp.array(triangles.ravel().astype(np.int32), dtype=wp.int32, device="cpu"))
    rays = [wp.array(a, dtype=wp.vec3, device="cpu") for a in (origins, directions)]

    def run() -> None:
        out = [wp.empty(len(origins), dtype=kind, device="cpu") for kind in (wp.float32, wp.int32, wp.vec2, wp.vec3)]
        wp.launch(stock_kernel, dim=len(origins), inputs=[mesh.id, *rays], outputs=out, device="cpu")

    return run


@wp.kernel
def stock_kernel(
    mesh: wp.uint64, origins: wp.array(dtype=wp.vec3), directions: wp.array(dtype=wp.vec3), t: wp.array(dtype=wp.float32),
    face: wp.array(dtype=wp.int32), weights: wp.array(dtype=wp.vec2), normal: wp.array(dtype=wp.vec3),
):  # fmt: skip
    """Nearest hit of one mesh."""
    k = wp.tid()
    ray = wp.mesh_query_ray(mesh, origins[k], directions[k], 1.0e6)
    t[k] = wp.where(ray.result, ray.t, wp.inf)
    face[k] = ray.face
    weights[k] = wp.vec2(ray.u, ray.v)
    normal[k] = ray.normal


def embree(points: np.ndarray, triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> Callable:
    """Embree through open3d on one thread."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(o3d.core.Tensor(points.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    rays = o3d.core.Tensor(np.concatenate([origins, directions], 1))
    return lambda: scene.cast_rays(rays, nthreads=1)


def cpu_seconds(action: Callable) -> float:
    """CPU time of a call, all threads together: what a loaded machine does not stretch."""
    start = time.process_time()
    action()
    return time.process_time() - start


def compare(name: str, directions: np.ndarray, scene: TraceScene, mesh: tuple[np.ndarray, np.ndarray]) -> None:
    """Print one FIGURE line per peer; the runs are interleaved, the least of seven counts."""
    directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    origins = np.tile(np.float32([0, 0, 2.0]), (len(directions), 1))
    runs = {"ours": lambda: scene.trace(origins, directions), "wp.mesh_query_ray": stock(*mesh, origins, directions)}
    if importlib.util.find_spec("open3d"):
        runs["embree"] = embree(*mesh, origins, directions)
    spent = [[cpu_seconds(run) for run in runs.values()] for _ in range(7)]
    least = dict(zip(runs, np.min(spent, axis=0), strict=True))
    rate = len(directions) / least["ours"] / 1e6
    for peer in list(runs)[1:]:
        print(f"FIGURE rays_{name} value={rate:.2f} unit=Mray/s peer={peer} ratio={least[peer] / least['ours']:.2f}")


def main() -> None:
    """Print the FIGURE lines of this benchmark."""
    mesh = terrain()
    scene = TraceScene("cpu")
    scene.add_prototype(mesh[0][:3], np.array([[0, 1, 2]]))
    start = time.process_time()
    number = scene.add_prototype(*mesh)
    print(f"FIGURE rays_build value={time.process_time() - start:.2f} unit=s peer=none ratio=nan")
    scene.set_instances(np.array([number]), np.eye(4)[None])
    for name, make in (("camera", camera_rays), ("lidar", lidar_rays), ("random", random_rays)):
        compare(name, make(), scene, mesh)


if __name__ == "__main__":
    main()
