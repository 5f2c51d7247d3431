"""Closest-hit rate on 935k triangles (camera, LiDAR and random rays), one thread; peer: embreex or open3d when importable."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import numpy as np
from tailgate.geometry.trace import TraceScene


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


def find_peer(points: np.ndarray, triangles: np.ndarray) -> tuple[str, Callable | None]:
    """Embree through open3d or embreex on one thread, or none."""
    if importlib.util.find_spec("open3d"):
        import open3d as o3d

        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(o3d.core.Tensor(points.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
        return "open3d", lambda origins, directions: scene.cast_rays(o3d.core.Tensor(np.concatenate([origins, directions], 1)))
    if importlib.util.find_spec("embreex"):
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        scene = EmbreeScene()
        TriangleMesh(scene, points[triangles].astype(np.float32))
        return "embreex", lambda origins, directions: scene.run(origins, directions)
    return "none", None


def main() -> None:
    """Print one FIGURE line per kind of ray."""
    points, triangles = terrain()
    scene = TraceScene("cpu")
    scene.set_instances(np.array([scene.add_prototype(points, triangles)]), np.eye(4)[None])
    peer_name, peer = find_peer(points, triangles)
    for name, make in (("camera", camera_rays), ("lidar", lidar_rays), ("random", random_rays)):
        directions = make().astype(np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        origins = np.tile(np.float32([0, 0, 2.0]), (len(directions), 1))
        spent: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(5):
            for who, run in (("ours", scene.trace), ("peer", peer)):
                start = time.perf_counter()
                if run:
                    run(origins, directions)
                spent[who].append(time.perf_counter() - start)
        rate = len(directions) / np.median(spent["ours"]) / 1e6
        ratio = np.median(spent["peer"]) / np.median(spent["ours"]) if peer else float("nan")
        print(f"FIGURE rays_{name} value={rate:.2f} unit=Mray/s peer={peer_name} ratio={ratio:.2f}")


if __name__ == "__main__":
    main()
