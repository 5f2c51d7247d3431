"""The mesh kit: closed, outward, of the right volume."""

from __future__ import annotations

import numpy as np
import pytest
from tailgate.assets.mesh_kit import Mesh, box, corner_normals, ellipsoid, extrude, join, lathe, rod, rounded_rectangle, spline, triangulate, tube

POLYGON = [(0, 0), (4, 0), (4, 3), (2, 1), (0, 3)]
CIRCLE = [(2 + 0.5 * np.cos(a), 0.5 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 32, endpoint=False)]
SOLIDS: dict[str, tuple[Mesh, float, float]] = {
    "box": (box((1, 2, 3)), 6.0, 1e-9),
    "bevelled box": (box((1, 1, 1), bevel=0.1), 1 - 12 * 0.005 * 0.8 - 8 * (0.1**3) * 5 / 6, 1e-6),
    "cylinder": (rod((0, 0, 0), (0, 0, 2), 0.5, 64), 2 * np.pi * 0.25, 0.005),
    "sphere": (ellipsoid((1, 1, 1), sides=48, rings=40), 4 / 3 * np.pi, 0.03),
    "capsule": (tube(np.array([[0, 0, 0], [0, 0, 2.0]]), 0.5, 48, round_ends=True), 2 * np.pi * 0.25 + 4 / 3 * np.pi * 0.125, 0.04),
    "torus": (lathe(CIRCLE, 64, closed=True), 2 * np.pi**2 * 2 * 0.25, 0.02),
    "concave prism": (extrude(POLYGON, 2.0), 2 * (12 - 4), 1e-9),
    "turned prism": (extrude(POLYGON[::-1], 2.0, axis="z"), 2 * (12 - 4), 1e-9),
    "mirrored": (box((1, 2, 3)).moved(0.3).scaled(-1, 1, 1), 6.0, 1e-9),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_solids_are_closed_outward_and_of_their_volume(name: str) -> None:
    mesh, volume, tolerance = SOLIDS[name]
    assert mesh.volume() == pytest.approx(volume, rel=max(tolerance, 1e-9))
    edges = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]])
    directed = {tuple(e) for e in edges}
    assert len(directed) == len(edges), "an edge is used twice in one direction"
    assert all((b, a) in directed for a, b in directed), "an edge is open"


def test_triangulation_covers_a_concave_polygon() -> None:
    outline = np.array(POLYGON, float)
    a, b, c = (outline[triangulate(outline)[:, k]] for k in range(3))
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (areas > 0).all() and areas.sum() == pytest.approx(8.0)


def test_normals_are_radial_on_a_sphere_and_flat_on_a_box() -> None:
    sphere = ellipsoid((1, 1, 1), sides=40, rings=30)
    normals = corner_normals(sphere, 40)
    assert (np.einsum("ijk,ijk->ij", normals, sphere.points[sphere.triangles]) > 0.99).all()
    cube = box((1, 1, 1))
    flat = corner_normals(cube, 40)
    assert np.allclose(np.abs(flat).max(-1), 1) and np.allclose(flat[:, :1], flat)


def test_a_tube_keeps_its_radius_around_a_bend() -> None:
    path = spline([(0, 0, 0), (1, 0, 0), (1.7, 0, 0.7), (1.7, 0, 1.7)], 40)
    mesh = tube(path, 0.1, 16)
    distance = np.linalg.norm(mesh.points[:, None] - path[None], axis=-1).min(1)
    assert distance.max() < 0.105 and mesh.volume() == pytest.approx(0.0306 * np.linalg.norm(np.diff(path, axis=0), axis=1).sum(), rel=0.03)


def test_transforms_and_selection() -> None:
    cube = box((2, 2, 2))
    assert np.allclose(cube.turned("z", 90).moved(1, 2, 3).points.mean(0), [1, 2, 3])
    forward = box((3, 1, 1)).placed(np.zeros(3), np.array([0.0, 0, 1]), np.array([0.0, 1, 0]))
    assert np.allclose(np.ptp(forward.points, axis=0), [1, 1, 3]) and forward.volume() == pytest.approx(3)
    assert len(cube.select(np.array([0, 1])).points) <= 6
    assert join(cube, cube.moved(5)).volume() == pytest.approx(16)
    outline = rounded_rectangle(2, 1, 0.2, 16)
    area = 0.5 * (outline[:, 0] * np.roll(outline[:, 1], -1) - outline[:, 1] * np.roll(outline[:, 0], -1)).sum()
    assert area == pytest.approx(2 - (4 - np.pi) * 0.04, rel=1e-3)
