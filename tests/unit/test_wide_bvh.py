"""Wide trees against Warp's own trees and the brute-force twin, and what a tree must keep."""

import numpy as np
import pytest
from tailgate.geometry import wide_check, wide_tree
from tailgate.geometry.trace import TraceScene
from tailgate.geometry.twins import trace_twin, tree_twin


def scenes(prototypes, ids, T_world):
    """The same scene through wide trees and through Warp's own."""
    out = []
    for stock in (False, True):
        scene = TraceScene("cpu", stock=stock)
        for prototype in prototypes:
            scene.add_prototype(*prototype)
        scene.set_instances(np.array(ids), np.array(T_world))
        assert scene.wide is not stock
        out.append(scene)
    return out


def soup(rng, count, size):
    """Separate triangles of a size in a cube of 10 m."""
    corners = rng.uniform(-5, 5, (count, 1, 3)) + rng.normal(size=(count, 3, 3)) * size
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


def sheet(cells, height):
    """A closed-edged height field over the unit square, 2 cells^2 triangles."""
    x, y = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1), indexing="ij")
    a = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    b = a + cells + 1
    return np.stack([x, y, height(x, y)], -1).reshape(-1, 3), np.concatenate([np.stack([a, b, b + 1], 1), np.stack([a, b + 1, a + 1], 1)])


def placed(rng, count):
    """Poses with turns, scales from 0.2 to 5, shear and mirrors."""
    T = np.tile(np.eye(4), (count, 1, 1))
    T[:, :3, :3] = rng.normal(size=(count, 3, 3)) * 10 ** rng.uniform(-0.7, 0.7, (count, 1, 1))
    T[:, :3, 3] = rng.uniform(-20, 20, (count, 3))
    return T


def rays(rng, count):
    """From inside and outside; a third along an axis or with one component zero."""
    origins = rng.uniform(-25, 25, (count, 3))
    directions = (rng.uniform(-8, 8, (count, 3)) - origins) * rng.uniform(0.01, 3, (count, 1))
    for axis in range(3):
        directions[axis::9, axis] = 0.0
        directions[axis + 3 :: 9] = np.eye(3)[axis] * np.sign(directions[axis + 3 :: 9, :1])
    return origins.astype(np.float32), directions.astype(np.float32)


def same_hits(got, expected, allowed=0):
    """Equal ids, but for ``allowed`` rays with two hits equally far within rounding; t to 1e-5, or the rounding of origins tens of metres off."""
    other = (got.instance != expected.instance) | (got.face != expected.face)
    hit = np.isfinite(expected.t) & np.isfinite(got.t)
    np.testing.assert_allclose(got.t[hit], expected.t[hit], rtol=1e-5, atol=3e-6)
    assert np.count_nonzero(other) <= allowed
    agree = hit & ~other
    np.testing.assert_allclose(got.normal[agree], expected.normal[agree], atol=2e-4)
    return np.count_nonzero(hit)


def test_the_walk_runs_here():
    assert wide_check.difference() == ""


@pytest.mark.parametrize("seed", range(4))
def test_same_hits_as_stock_trees(seed):
    rng = np.random.default_rng(seed)
    prototypes = [soup(rng, 3000, 0.2), soup(rng, 40, 2.0), soup(rng, 1, 3.0), sheet(30, lambda x, y: 0.1 * np.sin(9 * x) * np.cos(7 * y))]
    wide, stock = scenes(prototypes, rng.integers(0, 4, 60), placed(rng, 60))
    origins, directions = rays(rng, 20000)
    assert same_hits(wide.trace(origins, directions), stock.trace(origins, directions), allowed=2) > 5000


def test_same_hits_as_the_twin():
    rng = np.random.default_rng(5)
    prototypes, ids, T = [soup(rng, 60, 1.0), soup(rng, 5, 3.0)], [0, 1, 1, 0], placed(rng, 4)
    origins, directions = rays(rng, 3000)
    got, expected = scenes(prototypes, ids, T)[0].trace(origins, directions), trace_twin(prototypes, ids, T, (origins, directions))
    assert same_hits(got, expected, allowed=1) > 300
    np.testing.assert_allclose(got.t[::97], expected.t[::97], rtol=1e-4)


def test_no_ray_slips_between_faces():
    """Through vertices, along edges and diagonals of a sheet, straight and slanted, near and 10 km from the origin."""
    for offset in (0.0, 1e4):
        points, triangles = sheet(16, lambda x, y: 0.3 * x * y)
        scene, _ = scenes([(points + [offset, 0, 0], triangles)], [0], [np.eye(4)])
        grid = np.linspace(1 / 16, 15 / 16, 57)
        target = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
        for lean in ([0, 0], [0.3, -0.7], [1e-4, 5]):
            end = np.column_stack([target, 0.3 * target.prod(1)]) + [offset, 0, 0]
            directions = np.broadcast_to([*lean, -1.0], end.shape)
            assert np.isfinite(scene.trace(end - directions, directions).t).all()


def test_equal_hits_take_the_lowest_face_whatever_the_order():
    points, triangles = sheet(12, lambda x, y: 0 * x)
    rng = np.random.default_rng(1)
    inner = rng.integers(1, 12, (300, 2)) / 12
    directions = np.column_stack([rng.normal(size=(300, 2)) * 0.2, -np.ones(300)])
    origins = np.column_stack([inner, np.zeros(300)]) - 2 * directions
    around = [np.flatnonzero((np.abs(points[triangles][:, :, :2] - p).max(2) < 1e-9).any(1)) for p in inner]
    for order in (np.arange(len(triangles)), rng.permutation(len(triangles))):
        rank = np.argsort(order)
        got = scenes([(points, triangles[order])], [0], [np.eye(4)])[0].trace(origins, directions)
        np.testing.assert_array_equal(got.face, [rank[faces].min() for faces in around])
    same = scenes([(points, triangles)], [0, 0, 0], [np.eye(4)] * 3)[0].trace(origins, directions)
    assert (same.instance == 0).all()


def test_hits_do_not_depend_on_the_order_of_faces():
    rng = np.random.default_rng(2)
    points, triangles = soup(rng, 2000, 0.5)
    order = rng.permutation(len(triangles))
    origins, directions = rays(rng, 5000)
    one, other = (scenes([(points, t)], [0], [np.eye(4)])[0].trace(origins, directions) for t in (triangles, triangles[order]))
    np.testing.assert_array_equal(one.t, other.t)
    np.testing.assert_array_equal(one.face[one.face >= 0], order[other.face[other.face >= 0]])


def test_degenerate_triangles_and_wild_rays():
    rng = np.random.default_rng(3)
    points, triangles = soup(rng, 50, 1.0)
    flat = np.array([[0, 0, 1], [3, 3, 3], [3, 4, 3]])
    line = np.array([[-5, -5, -5], [0, 0, 0], [5, 5, 5.0]])
    mixed = np.concatenate([triangles, flat, np.arange(3)[None] + len(points)])
    scene = scenes([(np.concatenate([points, line]), mixed)], [0], [np.eye(4)])[0]
    origins, directions = rays(rng, 2000)
    plain = scenes([(points, triangles)], [0], [np.eye(4)])[0].trace(origins, directions)
    np.testing.assert_array_equal(scene.trace(origins, directions).face, plain.face)
    wild = np.array([[np.nan, 0, 1], [np.inf, 0, 1], [0, 0, 0], [1e-30, 1e-30, 1e-30]])
    assert (scene.trace(np.full(3, 50.0), wild).instance == -1).all()
    nothing = scenes([(points, flat)], [0], [np.eye(4)])[0]
    assert (nothing.trace(origins, directions).instance == -1).all()


def test_grazing_rays_and_the_reach():
    """Rays in a face's plane miss it; a hit at t_max counts, one beyond does not."""
    points, triangles = sheet(1, lambda x, y: 0 * x)
    scene, stock = scenes([(points, triangles)], [0], [np.eye(4)])
    assert np.isinf(scene.trace([[-1.0, 0.3, 0.0], [0.2, -3, 0]], [[1.0, 0, 0], [0, 1, 0]]).t).all()
    slanted = [[2.0, 0.0, -1e-3], [2.0, 0.1, -1e-5]]
    starts = np.array([[-1.0, 0.2, 1e-3], [-1.0, 0.3, 1e-5]])
    same_hits(scene.trace(starts, slanted), stock.trace(starts, slanted))
    down = [[0.0, 0, -1]]
    assert scene.trace([0.5, 0.25, 2], down, t_max=2.0).t[0] == 2.0
    assert np.isinf(scene.trace([0.5, 0.25, 2], down, t_max=1.99).t[0])


@pytest.mark.parametrize("name", ["random", "one place", "one line, ever further", "nested", "single", "none"])
def test_trees_hold_every_item_once_in_its_boxes(name):
    rng, n = np.random.default_rng(4), 3000
    centre = {"random": rng.normal(size=(n, 3)), "one place": np.zeros((n, 3)), "nested": np.zeros((n, 3)), "single": np.ones((1, 3))}.get(name)
    centre = np.outer(1.01 ** np.arange(n), [1, 0, 0]) if name == "one line, ever further" else np.zeros((0, 3)) if centre is None else centre
    half = np.outer(1.005 ** np.arange(n) if name == "nested" else np.full(len(centre), 0.1), [1, 1, 1])
    lower, upper = (centre - half).astype(np.float32), (centre + half).astype(np.float32)
    tree = wide_tree.build(lower, upper, 4)
    leaf = (tree["count"] > 0) & (tree["node"] < 0)
    covered = [k for f, c in zip(tree["first"][leaf], tree["count"][leaf], strict=True) for k in range(f, f + c)]
    assert sorted(covered) == list(range(len(centre))) and sorted(tree["order"]) == list(range(len(centre)))
    depth, deepest = {0: 1}, 1
    for node, slot in zip(*np.nonzero(tree["count"] > 0), strict=True):
        first, count = tree["first"][node, slot], tree["count"][node, slot]
        items = tree["order"][first : first + count]
        np.testing.assert_array_equal(tree["lower"][node, slot], lower[items].min(0))
        np.testing.assert_array_equal(tree["upper"][node, slot], upper[items].max(0))
        if tree["node"][node, slot] >= 0:
            depth[tree["node"][node, slot]] = depth[node] + 1
            deepest = max(deepest, depth[node] + 1)
        else:
            assert count <= 4
    assert 7 * deepest < 512


def parts(tree, node=0):
    """The tree below a node as ``tree_twin`` has it."""
    out = []
    for slot in np.flatnonzero(tree["count"][node] > 0):
        first, count, below = (tree[name][node, slot] for name in ("first", "count", "node"))
        out.append(set(tree["order"][first : first + count].tolist()) if below < 0 else parts(tree, below))
    return out


@pytest.mark.parametrize("capacity", [1, 8])
@pytest.mark.parametrize("count", [0, 1, 8, 9, 400])
def test_trees_are_parted_as_the_twin_parts_them(count, capacity):
    rng = np.random.default_rng(9)
    centre, half = rng.normal(size=(count, 3)) * [3, 1, 0.3], 10 ** rng.uniform(-2, 0, (count, 3))
    lower, upper = (centre - half).astype(np.float32), (centre + half).astype(np.float32)
    assert parts(wide_tree.build(lower, upper, capacity)) == tree_twin(lower, upper, capacity)


def test_two_heaps_are_two_leaves():
    centre = np.random.default_rng(10).uniform(size=(16, 3)) + np.where(np.arange(16) % 2, 50.0, 0.0)[:, None]
    lower, upper = (centre - 0.1).astype(np.float32), (centre + 0.1).astype(np.float32)
    assert parts(wide_tree.build(lower, upper, 8)) == tree_twin(lower, upper, 8) == [set(range(0, 16, 2)), set(range(1, 16, 2))]


def test_memory_is_constant_while_instances_move():
    scene = scenes([soup(np.random.default_rng(6), 100, 1.0)], [0] * 200, placed(np.random.default_rng(7), 200))[0]
    ids, T = np.zeros(200, int), placed(np.random.default_rng(8), 200)

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    def move(times):
        for k in range(times):
            T[:, 0, 3] += 0.01 * (k % 7 - 3)
            scene.set_instances(ids, T)

    try:
        move(50)
        before = resident()
    except OSError:
        pytest.skip("resident memory is read from /proc")
    move(400)
    assert resident() - before < 2 * 2**20


def test_a_walk_that_does_not_compile_or_differs_leaves_the_stock_trees(monkeypatch):
    def fails():
        raise RuntimeError("CPU kernel build failed\nat length")

    for outcome, said in ((fails, "CPU kernel build failed"), (lambda: "other triangles", "other triangles")):
        monkeypatch.setattr(wide_check, "difference", outcome)
        wide_check.wide_trees_work.cache_clear()
        try:
            with pytest.warns(RuntimeWarning, match=said):
                scene = TraceScene("cpu")
            assert not scene.wide
            scene.set_instances(np.array([scene.add_prototype(*sheet(1, lambda x, y: 0 * x))]), np.eye(4)[None])
            assert scene.trace([0.5, 0.25, 3], [[0, 0, -1.0]]).t[0] == 3.0
        finally:
            monkeypatch.undo()
            wide_check.wide_trees_work.cache_clear()
