"""Meshes that are read in blocks: a terrain through the whole path, and the same triangles whatever the blocks."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import UsdGeom, Vt
from tailgate.geometry.queries import static_scene
from tailgate.geometry.trace import collapse_repeats
from tailgate.stage import meshes, normals
from tailgate.stage.meshes import triangulate
from tailgate.stage.normals import smooth_normals


def height(x, y):
    return 2 * np.sin(0.3 * x) + 0.1 * y


def test_terrain_of_many_quads(monkeypatch):
    monkeypatch.setattr(meshes, "BLOCK", 10_000)
    monkeypatch.setattr(normals, "BLOCK", 10_000)
    side, stage = 301, kit.new_stage()
    x, y = np.meshgrid(*[np.linspace(-15, 15, side)] * 2)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    mesh = UsdGeom.Mesh.Define(stage, "/World/terrain")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.stack([x, y, height(x, y)], -1).reshape(-1, 3).astype(np.float32)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(first), 4, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.stack([first, first + 1, first + side + 1, first + side], 1).astype(np.int32).ravel()))
    xy = np.random.default_rng(3).uniform(-14.9, 14.9, (5000, 2))
    t = static_scene(stage).trace(np.column_stack([xy, np.full(len(xy), 100.0)]), np.tile([0.0, 0.0, -1.0], (len(xy), 1))).t
    np.testing.assert_allclose(100.0 - t, height(*xy.T), atol=3e-4)


@pytest.mark.parametrize("block", [1, 4, 7])
def test_blocks_leave_no_trace(monkeypatch, block):
    rng, dart = np.random.default_rng(1), np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [3, 1, 0], [0, 4, 0]], float)
    counts = rng.choice([3, 4, 5, 1, 2], 40)
    ring = np.arange(5) * 2 * np.pi / 5
    points = np.concatenate([dart if n == 5 else np.stack([np.cos(ring[:n]), np.sin(ring[:n]), ring[:n] * 0], 1) for n in counts])
    expected = triangulate(counts, np.arange(len(points)), points)
    monkeypatch.setattr(meshes, "BLOCK", block)
    monkeypatch.setattr(normals, "BLOCK", block)
    found = triangulate(counts, np.arange(len(points)), points)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    triangles = found[0].astype(np.int32)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    np.testing.assert_allclose(smooth_normals(points, triangles, 0.0)[:, 1], normal / np.linalg.norm(normal, axis=1, keepdims=True), atol=1e-6)


def test_repeats_are_those_with_the_same_corner_positions():
    """Many equal triangles in any order of corners, through equal points of other numbers and through both zeros."""
    rng = np.random.default_rng(5)
    points = rng.integers(-2, 3, (60, 3)).astype(np.float32)
    points[::2][points[::2] == 0] = -0.0
    triangles = rng.integers(0, 60, (20_000, 3)).astype(np.int32)
    seen, expected = set(), triangles.copy()
    for k, corners in enumerate(points[triangles] + 0.0):
        key = tuple(sorted(map(tuple, corners)))
        if key in seen:
            expected[k] = expected[k, 0]
        seen.add(key)
    assert len(seen) < 15_000
    np.testing.assert_array_equal(collapse_repeats(points, triangles), expected)
