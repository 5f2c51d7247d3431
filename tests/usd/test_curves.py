"""Curves as polylines, and the middles of strips of triangles."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, UsdGeom
from tailgate.stage.contexts import Context
from tailgate.stage.curves import PER_SEGMENT, centre_lines, cubic, read_polylines

STAGE = kit.new_stage()


def curves(points, counts=None, **how):
    made = UsdGeom.BasisCurves.Define(STAGE, "/World/curve")
    made.CreatePointsAttr([Gf.Vec3f(*map(float, p)) for p in points])
    if counts is not None:
        made.CreateCurveVertexCountsAttr(counts)
    for name, value in {"type": "linear", **how}.items():
        made.GetPrim().GetAttribute(name).Set(value)
    return made


def test_several_linear_curves_and_closed_ones():
    points = [(k, 0, 0) for k in range(5)]
    first, second = read_polylines(curves(points, [2, 3]))
    assert first.tolist() == [[0, 0, 0], [1, 0, 0]] and len(second) == 3
    (closed,) = read_polylines(curves(points, [5], wrap="periodic"))
    assert len(closed) == 6 and (closed[0] == closed[-1]).all()
    with pytest.raises(ValueError, match="must sum to its 5 points, got 4"):
        read_polylines(curves(points, [4]))


def test_a_quarter_circle_of_bezier_curves():
    """The usual Bezier arc (handles of 0.5523 r) stays within 0.03 % of the circle."""
    k = 0.5522847498
    line = cubic(np.array([(1, 0, 0), (1, k, 0), (k, 1, 0), (0, 1, 0)], float), "bezier", "nonperiodic")
    assert len(line) == PER_SEGMENT + 1 and line[0].tolist() == [1, 0, 0] and line[-1].tolist() == [0, 1, 0]
    np.testing.assert_allclose(np.linalg.norm(line, axis=1), 1.0, atol=3e-4)


@pytest.mark.parametrize("basis", ["bspline", "catmullRom"])
def test_a_straight_line_stays_straight(basis):
    points = np.array([(k, 2 * k, 0) for k in range(6)], float)
    free, pinned = cubic(points, basis, "nonperiodic"), cubic(points, basis, "pinned")
    for line, ends in ((free, points[[1, 4]]), (pinned, points[[0, 5]])):
        np.testing.assert_allclose(line[:, 1], 2 * line[:, 0], atol=1e-12)
        np.testing.assert_allclose(line[[0, -1]], ends, atol=1e-12)
    assert len(cubic(points, basis, "periodic")) == 6 * PER_SEGMENT + 1
    with pytest.raises(ValueError, match="4 points or more"):
        cubic(points[:3], basis, "nonperiodic")


def ribbon(middle, width):
    """Quads along a line [n, 2] as triangles, flat at z = 1."""
    step = np.gradient(middle, axis=0)
    aside = np.stack([-step[:, 1], step[:, 0]], 1) / np.linalg.norm(step, axis=1, keepdims=True) * width / 2
    points = np.concatenate([middle + aside, middle - aside])
    n = len(middle)
    k = np.arange(n - 1)
    triangles = np.concatenate([np.stack([k, k + n, k + n + 1], 1), np.stack([k, k + n + 1, k + 1], 1)])
    return np.column_stack([points, np.ones(len(points))]), triangles


def test_the_middle_of_a_bent_road():
    x = np.linspace(0, 80, 41)
    points, triangles = ribbon(np.stack([x, 0.004 * x**2], 1), 6.0)
    ((knots, width),) = centre_lines(points, triangles)
    assert width == pytest.approx(6.1, abs=0.2) and np.ptp(knots[:, 0]) > 75 and (np.diff(knots[:, 0]) > 0).all()
    np.testing.assert_allclose(knots[2:-2, 1], 0.004 * knots[2:-2, 0] ** 2, atol=0.4)
    np.testing.assert_allclose(knots[:, 2], 1.0)


def test_strips_side_by_side_are_apart():
    x = np.stack([np.zeros(9), np.linspace(0, 40, 9)], 1)
    (a, ta), (b, tb) = ribbon(x - [4, 0], 2.0), ribbon(x + [4, 0], 3.0)
    (right, wide), (left, narrow) = centre_lines(np.concatenate([a, b]), np.concatenate([ta, tb + len(a)]))
    assert (wide, narrow) == pytest.approx((3.0, 2.0))
    np.testing.assert_allclose(right[:, 0], 4, atol=1e-9)
    np.testing.assert_allclose(left[:, 0], -4, atol=1e-9)
    np.testing.assert_allclose(right[[0, -1], 1], [0, 40], atol=1e-9)


def test_a_square_has_no_middle_line():
    points, triangles = ribbon(np.array([[0, 0], [10.0, 0]]), 10.0)
    with pytest.raises(ValueError, match="at least twice as long as wide"):
        centre_lines(points, triangles)


def test_what_lies_on_a_surface_of_many_triangles():
    """Against all triangles, one by one."""
    generator = np.random.default_rng(3)
    corners = generator.uniform(0, 20, (200, 1, 3)) + generator.uniform(-2, 2, (200, 3, 3))
    context = Context("s", "surface", 1.0, corners.reshape(-1, 3), np.arange(600).reshape(-1, 3))
    points = generator.uniform(-2, 22, (500, 3))
    expected = np.zeros(500, bool)
    for a, b, c in corners[:, :, :2]:
        p = points[:, :2]
        sides = np.stack([(v - u)[0] * (p - u)[:, 1] - (v - u)[1] * (p - u)[:, 0] for u, v in ((a, b), (b, c), (c, a))])
        expected |= (sides >= 0).all(0) | (sides <= 0).all(0)
    np.testing.assert_array_equal(context.contains(points), expected)
    assert 0.1 < expected.mean() < 0.9
