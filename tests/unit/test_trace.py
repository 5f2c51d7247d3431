"""The two-level tracer and placement queries against analytic answers and the brute-force twin."""

import numpy as np
import pytest
from tailgate.geometry.queries import Box, footprints_overlap, inside_solids, visible_share, volumes_overlap
from tailgate.geometry.trace import TraceScene, collapse_repeats
from tailgate.geometry.twins import trace_twin

QUAD = (np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]), np.array([[0, 1, 2], [0, 2, 3]]))
CUBE_POINTS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
CUBE = (CUBE_POINTS, np.array([f for a, b, c, d in CUBE_QUADS for f in ((a, b, c), (a, c, d))]))


def moved(x=0.0, y=0.0, z=0.0, linear=None):
    T = np.eye(4)
    T[:3, :3] = np.eye(3) if linear is None else linear
    T[:3, 3] = x, y, z
    return T


def scene_of(prototypes, ids, T):
    scene = TraceScene("cpu")
    for prototype in prototypes:
        scene.add_prototype(*prototype)
    scene.set_instances(np.array(ids), np.array(T))
    return scene


def upright(x, y, z, size, yaw_deg=0.0):
    a = np.deg2rad(yaw_deg)
    return Box(moved(x, y, z, [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]), np.array(size, float))


def test_twin_on_random_instances():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(30, 3)), np.array([rng.choice(30, 3, replace=False) for _ in range(20)])
    T = np.tile(np.eye(4), (5, 1, 1))
    T[:, :3, 3] = rng.normal(size=(5, 3)) * 3
    T[1, 0, 0], T[2, :3, :3], T[3, :3, :3] = -2, rng.normal(size=(3, 3)), np.eye(3) * 0.1
    ids = [0, 1, 1, 1, 0]
    origins = rng.normal(size=(4000, 3)) * 5
    directions = (rng.normal(size=(4000, 3)) - origins) * rng.uniform(0.1, 1, (4000, 1))
    got, expected = scene_of([QUAD, cloud], ids, T).trace(origins, directions), trace_twin([QUAD, cloud], ids, T, (origins, directions))
    assert (expected.instance >= 0).mean() > 0.2
    np.testing.assert_array_equal(got.instance, expected.instance)
    np.testing.assert_array_equal(got.face, expected.face)
    np.testing.assert_allclose(got.t, expected.t, rtol=2e-5)
    np.testing.assert_allclose(got.normal, expected.normal, atol=2e-5)
    hit = expected.instance >= 0
    np.testing.assert_allclose(got.weights[hit], expected.weights[hit], atol=2e-3)


def test_scaled_and_mirrored_box():
    scene = scene_of([CUBE], [0, 0], [moved(10, 0, 0, np.diag([2.0, 1, 1])), moved(0, 20, 0, np.diag([1.0, -3, 1]))])
    hits = scene.trace(np.zeros(3), [[1, 0.1, 0.05], [0.01, 2, 0.02], [0, 0, 1]])
    np.testing.assert_allclose(hits.t, [8, 8.5, np.inf], rtol=1e-6)
    np.testing.assert_array_equal(hits.instance, [0, 1, -1])
    np.testing.assert_allclose(hits.normal[:2] @ np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), [[-1, 0, 0], [0, -1, 0]], atol=1e-6)


def test_equal_hits_prefer_the_lower_instance_and_face():
    same = [moved(0, 0, 5)] * 4
    centre = scene_of([QUAD], [0] * 4, same).trace(np.zeros(3), [[0, 0, 1], [0.01, 0.01, 1], [-0.02, -0.02, 1]])
    np.testing.assert_array_equal(centre.instance, 0)
    np.testing.assert_array_equal(centre.face, 0)
    turned = (QUAD[0], QUAD[1][::-1])
    np.testing.assert_array_equal(scene_of([turned], [0], [moved(0, 0, 5)]).trace(np.zeros(3), [[0, 0, 1], [0.01, 0.01, 1]]).face, 0)


def test_repeated_triangles_report_the_first():
    triangles = np.array([[0, 1, 2], [2, 1, 0], [0, 2, 3], [1, 2, 0]])
    collapsed = collapse_repeats(QUAD[0], triangles)
    np.testing.assert_array_equal(collapsed[[0, 2]], triangles[[0, 2]])
    assert (collapsed[[1, 3]] == collapsed[[1, 3], :1]).all()
    assert scene_of([(QUAD[0], triangles)], [0], [moved(0, 0, 2)]).trace(np.zeros(3), [[0.05, -0.1, 1]]).face[0] == 0


def test_moving_instances_and_the_empty_scene():
    scene = TraceScene("cpu")
    assert np.isinf(scene.trace(np.zeros(3), [[0, 0, 1]]).t).all()
    scene.add_prototype(*QUAD)
    for z in (3.0, 7.0):
        scene.set_instances(np.array([0]), moved(0, 0, z)[None])
        assert scene.trace(np.zeros(3), [[0, 0, 1]]).t[0] == pytest.approx(z)
    assert np.isinf(scene.trace(np.zeros(3), [[0, 0, 1]], t_max=6.9).t).all()


def test_rays_that_are_not_numbers_meet_nothing():
    rng = np.random.default_rng(3)
    T = np.tile(np.eye(4), (900, 1, 1))
    T[:, :3, 3] = rng.normal(size=(900, 3)) * 9
    scene = scene_of([CUBE], [0] * 900, T)
    for bad in np.vstack([np.eye(3), np.ones(3)]) > 0:
        aside = np.where(bad, np.nan, 1.0)
        assert (scene.trace(np.zeros((50, 3)), np.tile(aside, (50, 1))).instance == -1).all()
        assert (scene.trace(np.tile(aside, (50, 1)), np.ones((50, 3))).instance == -1).all()


def test_bad_prototype_is_refused():
    with pytest.raises(ValueError, match="at least one triangle"):
        TraceScene("cpu").add_prototype(np.zeros((3, 3)), np.zeros((0, 3), int))


def test_footprints():
    a = upright(0, 0, 0, (2, 2, 2))
    others = [upright(1.9, 0, 0, (2, 2, 2)), upright(2.1, 0, 0, (2, 2, 2)), upright(2.1, 0, 0, (2, 2, 2), 45), upright(0, 0, 5, (1, 1, 1))]
    np.testing.assert_array_equal(footprints_overlap(a, others), [True, False, True, True])
    np.testing.assert_array_equal(footprints_overlap(a, others, gap=0.2), [True] * 4)
    np.testing.assert_array_equal(volumes_overlap(a, others), [True, False, True, False])


def test_visible_share():
    target = upright(10, 0, 0, (0.01, 2, 2))
    half = upright(5, 1.5, 0, (0.01, 3, 4))
    assert visible_share(np.zeros(3), target, []) == 1.0
    assert visible_share(np.zeros(3), target, [half]) == pytest.approx(0.5, abs=0.03)
    assert visible_share(np.zeros(3), target, [upright(5, 0, 0, (0.1, 3, 4))]) == 0.0
    assert visible_share(np.array([10.0, 0, 0]), target, []) == 0.0
    wall = scene_of([QUAD], [0], [moved(5, -1.5, 0, np.array([[0.0, 0, 1], [3, 0, 0], [0, 4, 0]]))])
    assert visible_share(np.zeros(3), target, [], wall) == pytest.approx(0.5, abs=0.03)


def test_inside_of_solids_but_not_of_rooms():
    """A pillar of 1 x 1 x 6 m, a shell of 8 x 8 x 5 m with its faces outwards or inwards, and a sheet."""
    pillar = scene_of([CUBE], [0], [moved(0, 0, 3, np.diag([0.5, 0.5, 3.0]))])
    points = np.array([[0, 0, 1], [0.4, 0.4, 5], [0.6, 0, 1], [0, 0, 6.5], [0, 0, -0.5]])
    np.testing.assert_array_equal(inside_solids(pillar, points), [True, True, False, False, False])
    for mirror in (1.0, -1.0):
        room = scene_of([CUBE], [0], [moved(0, 0, 2.5, np.diag([4.0 * mirror, 4.0, 2.5]))])
        assert not inside_solids(room, [[0, 0, 1], [3, 3, 1]]).any()
    assert not inside_solids(scene_of([QUAD], [0], [moved(0, 0, 1)]), [[0, 0, 0.5]]).any()
