"""Implicit shapes against their closed volumes, areas and normals."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import UsdGeom
from tailgate.stage.meshes import read_shape
from tailgate.stage.solids import read_solid


def define(kind, **sizes):
    stage = kit.new_stage()
    prim = stage.DefinePrim("/World/it", kind)
    for name, value in sizes.items():
        prim.GetAttribute(name).Set(value)
    return stage, prim


def solid_of(kind, **sizes):
    stage, prim = define(kind, **sizes)
    return read_solid(prim) if stage else None


def volume_and_area(solid):
    a, b, c = (solid.points[solid.triangles[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    return (a * cross).sum() / 6, np.linalg.norm(cross, axis=1).sum() / 2


SHAPES = [
    ("Sphere", {"radius": 2.0}, 32 / 3 * np.pi, 16 * np.pi),
    ("Cube", {"size": 2.0}, 8.0, 24.0),
    ("Cylinder", {"radius": 0.5, "height": 3.0, "axis": "X"}, 0.75 * np.pi, 3.5 * np.pi),
    ("Cylinder_1", {"radiusBottom": 1.0, "radiusTop": 0.5, "height": 2.0, "axis": "Y"}, 7 / 6 * np.pi, (1.5 * np.hypot(2, 0.5) + 1.25) * np.pi),
    ("Cone", {"radius": 3.0, "height": 4.0, "axis": "Z"}, 12 * np.pi, 24 * np.pi),
    ("Capsule", {"radius": 0.5, "height": 1.0, "axis": "Y"}, (0.25 + 1 / 6) * np.pi, 2 * np.pi),
    ("Capsule_1", {"radiusBottom": 0.5, "radiusTop": 0.5, "height": 1.0}, (0.25 + 1 / 6) * np.pi, 2 * np.pi),
]


@pytest.mark.parametrize("kind, sizes, volume, area", SHAPES)
def test_volume_and_area(kind, sizes, volume, area):
    """Facets lie inside a round shape: 0.2 % of its volume at most, and triangles wind outwards (the volume is positive)."""
    solid = solid_of(kind, **sizes)
    got = volume_and_area(solid)
    np.testing.assert_allclose(got, (volume, area), rtol=3e-3)
    facets = np.cross(*(solid.points[solid.triangles[:, k]] - solid.points[solid.triangles[:, 0]] for k in (1, 2)))
    facets /= np.linalg.norm(facets, axis=1, keepdims=True)
    assert (solid.normals * facets[:, None]).sum(-1).min() > np.cos(np.deg2rad(4.5))
    np.testing.assert_allclose(np.linalg.norm(solid.normals, axis=-1), 1.0, atol=1e-5)
    assert solid.st.min() >= 0 and solid.st.max() <= 1


@pytest.mark.parametrize("axis, size, normal", [("Z", (2, 4, 0), 2), ("X", (0, 4, 2), 0), ("Y", (2, 0, 4), 1)])
def test_plane_axes(axis, size, normal):
    solid = solid_of("Plane", width=2.0, length=4.0, axis=axis)
    np.testing.assert_allclose(np.ptp(solid.points, axis=0), size)
    np.testing.assert_array_equal(solid.normals, np.broadcast_to(np.eye(3)[normal], (2, 3, 3)))
    assert (np.cross(*(solid.points[solid.triangles[:, k]] - solid.points[solid.triangles[:, 0]] for k in (1, 2)))[:, normal] > 0).all()


def test_cylinder_stands_along_its_axis_and_extent_agrees():
    for kind, sizes, _, _ in SHAPES:
        stage, prim = define(kind, **sizes)
        solid = read_solid(prim)
        extent = np.array(UsdGeom.Boundable.ComputeExtentFromPlugins(UsdGeom.Boundable(prim), 0.0))
        np.testing.assert_allclose([solid.points.min(0), solid.points.max(0)], extent, atol=2e-3 * np.abs(extent).max())


def test_capsule_of_two_radii_is_tangent():
    solid = solid_of("Capsule_1", radiusBottom=1.0, radiusTop=0.4, height=2.0, axis="Z")
    assert solid.points[:, 2].min() == pytest.approx(-2.0) and solid.points[:, 2].max() == pytest.approx(1.4)
    facets = np.cross(*(solid.points[solid.triangles[:, k]] - solid.points[solid.triangles[:, 0]] for k in (1, 2)))
    facets /= np.linalg.norm(facets, axis=1, keepdims=True)
    assert (solid.normals * facets[:, None]).sum(-1).min() > np.cos(np.deg2rad(4.5))


def test_bad_sizes_and_mirrors():
    stage, prim = define("Sphere", radius=-1.0)
    assert "radius must be above 0, got -1" in read_shape(prim, np.eye(4))
    stage, prim = define("Cube", size=float("nan"))
    assert "size must be above 0" in read_shape(prim, np.eye(4))
    stage, prim = define("Sphere", radius=1.0)
    data = read_shape(prim, np.diag([-1.0, 2, 1, 1]))
    outward = np.cross(*(data.points[data.triangles[:, k]] - data.points[data.triangles[:, 0]] for k in (1, 2)))
    assert (outward * data.points[data.triangles].mean(1)).sum(1).min() > 0
    assert "flattens" in read_shape(prim, np.diag([1.0, 1, 0, 1]))
