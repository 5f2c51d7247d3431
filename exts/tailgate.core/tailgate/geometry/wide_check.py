"""Self-test of the wide trees: they are used where Warp can compile their walk and it finds what testing every triangle finds."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.wide_tree import instance_tree, triangle_tree
from tailgate.geometry.wide_walk import integer, wide_blocked, wide_closest, wide_entry

wp.set_module_options({"enable_backward": False})


@wp.kernel
def probe_kernel(
    top: wp.uint64, trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44),
    origins: wp.array(dtype=wp.vec3), directions: wp.array(dtype=wp.vec3), found: wp.array(dtype=wp.mat33f), agree: wp.array(dtype=wp.int32),
):  # fmt: skip
    """Walk once per ray in each of the three ways; ``agree`` is 1 where they say the same."""
    k = wp.tid()
    found[k] = wide_closest(top, trees, T_local_world, origins[k], directions[k], 1.0e6)
    instance = integer(found[k][0, 1])
    same = wide_blocked(top, trees, T_local_world, origins[k], directions[k], 1.0e6) == (instance >= 0)
    if instance >= 0:
        same = same and wide_entry(trees, T_local_world, instance, origins[k], directions[k], 1.0e6) == found[k][0, 0]
    agree[k] = wp.where(same, 1, 0)


@functools.cache
def wide_trees_work() -> bool:
    """True where rays may be traced on a CPU through wide trees. The answer is found once per process; a failure is said in one warning."""
    try:
        reason = difference()
    except Exception as error:  # whatever a compiler or loader may raise: the other path serves
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if reason:
        warnings.warn(f"rays are traced through Warp's own trees, about four times slower on a CPU: {reason}", RuntimeWarning, stacklevel=2)
    return not reason


def difference() -> str:
    """Trace fixed rays through a small scene; say how the hits differ from the twin's, or nothing."""
    from tailgate.geometry.twins import trace_twin

    random = np.random.default_rng(7)
    meshes = [(random.normal(size=(30, 3)).astype(np.float32), random.permutation(30).reshape(10, 3).astype(np.int32)) for _ in range(2)]
    T_world = np.tile(np.eye(4), (3, 1, 1))
    T_world[:, :3, :3] += random.normal(size=(3, 3, 3)) * 0.3
    T_world[:, :3, 3] = random.normal(size=(3, 3)) * 2
    T_world[0], T_world[1, 0] = np.eye(4), -T_world[1, 0]
    ids = [0, 1, 1]
    origins = (random.normal(size=(128, 3)) * 4).astype(np.float32)
    directions = (random.normal(size=(128, 3)) - origins).astype(np.float32)
    expected = trace_twin(meshes, ids, T_world, (origins, directions))
    corners = [meshes[m][0] @ T[:3, :3].T + T[:3, 3] for m, T in zip(ids, T_world, strict=True)]
    top = instance_tree(np.array([c.min(0) for c in corners]), np.array([c.max(0) for c in corners]))
    trees = [triangle_tree(*mesh) for mesh in meshes]
    found, agree = wp.zeros(128, dtype=wp.mat33f, device="cpu"), wp.zeros(128, dtype=wp.int32, device="cpu")
    addresses = wp.array(np.array([trees[m].ctypes.data for m in ids], np.uint64), dtype=wp.uint64, device="cpu")
    inverse = wp.array(np.linalg.inv(T_world).astype(np.float32), dtype=wp.mat44, device="cpu")
    rays = [wp.array(a, dtype=wp.vec3, device="cpu") for a in (origins, directions)]
    wp.launch(probe_kernel, dim=128, inputs=[wp.uint64(top.ctypes.data), addresses, inverse, *rays], outputs=[found, agree], device="cpu")
    got, hit = found.numpy(), expected.instance >= 0
    whole = got.view(np.int32)
    if not np.array_equal(whole[:, 0, 1], expected.instance) or not np.array_equal(whole[hit, 0, 2], expected.face[hit]):
        return "the wide trees found other triangles than a test of all"
    if not np.allclose(got[hit, 0, 0], expected.t[hit], rtol=1e-4) or not np.allclose(got[hit, 1, :2], expected.weights[hit], atol=1e-3):
        return "the wide trees found other points than a test of all"
    return "" if agree.numpy().all() else "the ways to walk the wide trees disagree"
