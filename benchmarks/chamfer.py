"""Chamfer distance both ways, trees included, against scipy's cKDTree and open3d where it is installed: medians of interleaved runs.

Ours and cKDTree take one thread; open3d takes OMP_NUM_THREADS, by default one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from tailgate.validate.chamfer import chamfer

THREADS = os.environ.setdefault("OMP_NUM_THREADS", "1")
Chamfer = Callable[[np.ndarray, np.ndarray], float]


def scan(n: int, seed: int) -> np.ndarray:
    """A street-like LiDAR cloud: rings on the ground and facades, range noise of 2 cm; float32 [n, 3] metres."""
    rng = np.random.default_rng(seed)
    azimuth, elevation = rng.uniform(-np.pi, np.pi, n), np.deg2rad(rng.choice(np.linspace(-25, 10, 64), n))
    wall = 8 + 30 * np.abs(np.sin(3 * azimuth + 0.5))
    ground = np.where(elevation < -0.01, 1.8 / np.tan(np.maximum(-elevation, 0.01)), np.inf)
    r = np.minimum(wall, ground) + rng.normal(0, 0.02, n)
    return np.stack([r * np.cos(azimuth), r * np.sin(azimuth), r * np.tan(elevation)], axis=1).astype(np.float32)


def tree_peer() -> Chamfer:
    """½ (mean d(p, Q) + mean d(q, P)) [m] by scipy's cKDTree, one thread."""
    from scipy.spatial import cKDTree

    return lambda p, q: 0.5 * (cKDTree(q).query(p)[0].mean() + cKDTree(p).query(q)[0].mean())


def open3d_peer() -> Chamfer:
    """The same by open3d, on OMP_NUM_THREADS threads; its clouds are float64."""
    import open3d

    def cloud(points: np.ndarray) -> open3d.geometry.PointCloud:
        return open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))

    def measure(p: np.ndarray, q: np.ndarray) -> float:
        a, b = cloud(p.astype(np.float64)), cloud(q.astype(np.float64))
        return 0.5 * (np.mean(a.compute_point_cloud_distance(b)) + np.mean(b.compute_point_cloud_distance(a)))

    return measure


def peers() -> dict[str, Chamfer]:
    """Name -> peer, of those that can be imported here."""
    found = {}
    for name, make in (("cKDTree", tree_peer), (f"open3d_{THREADS}_thread", open3d_peer)):
        try:
            found[name] = make()
        except (ImportError, OSError) as error:
            print(f"no comparison with {name}: {error}")
    return found


def main() -> None:
    """Print one FIGURE line per cloud size and peer."""
    others = peers()
    for label, n, repeats in (("2k", 2048, 60), ("20k", 20_000, 15), ("120k", 120_000, 7)):
        p, q = scan(n, 1), scan(n, 2)
        assert all(abs(chamfer(p, q) - other(p, q)) < 1e-5 for other in others.values())
        times: dict[str, list[float]] = {name: [] for name in ("ours", *others)}
        for _ in range(repeats):
            for name, measure in {"ours": chamfer, **others}.items():
                start = time.perf_counter()
                measure(p, q)
                times[name].append(time.perf_counter() - start)
        spent = {name: float(np.median(t)) * 1e3 for name, t in times.items()}
        for name in others:
            print(f"FIGURE chamfer_{label} value={spent['ours']:.2f} unit=ms peer={name} ratio={spent[name] / spent['ours']:.2f}")


if __name__ == "__main__":
    main()
