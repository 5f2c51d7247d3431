"""Warp functions that trace one ray through a two-level scene. On a CPU the trees are our own (``wide_walk``), where they work; elsewhere instances
lie under a ``wp.Bvh``, each a ``wp.Mesh`` in its own frame. Which of the two it is, is known when a kernel is compiled: with both in it a kernel
gets too long to be compiled into one piece, and slower.

A ray's direction is carried into an instance's frame without renormalizing, so its parameter t is the same in both frames. Which of several
equal hits comes back never depends on the order of the walk: the lower instance wins, then the lower face.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from typing import Any

from tailgate.geometry.quiet import outlined, wp
from tailgate.geometry.wide_check import wide_trees_work
from tailgate.geometry.wide_walk import integer, wide_blocked, wide_closest, wide_entry

wp.set_module_options({"enable_backward": False})

EDGE = wp.constant(1.0e-5)
TIE = wp.constant(2.0e-6)
WIDE = wp.constant(wide_trees_work())
BLOCK = 128
"""Threads of a CUDA block that traces: from Warp 1.13 on a query of instances and one of a mesh's boxes keep 32 numbers per thread each in the 48 KiB
that a block's threads share."""


def strips(items: int, device: str, length: int = 256) -> tuple[int, int]:
    """Threads, and items that each works through, for a launch over ``items``. On a CPU a thread takes over the structs of a launch in longer than
    it takes to trace a ray, so it works through ``length`` items; on CUDA through one."""
    strip = length if wp.get_device(device).is_cpu else 1
    return -(-items // strip), strip


def launch(kernel: Any, dim: int | tuple[int, ...], inputs: list[Any], outputs: list[Any], device: str) -> None:
    """Launch any kernel of a module that traces rays: such a module is compiled for blocks of ``BLOCK`` threads alone."""
    wp.launch(kernel, dim=dim, inputs=inputs, outputs=outputs, device=device, block_dim=BLOCK)


@wp.struct
class Scene:
    """Device arrays of a two-level scene; rows are instances. Either ``wide``, the address of the tree over instances, and ``tree``, those of
    their prototypes' trees, are set, or ``bvh``, 0 for an empty scene, and ``mesh``."""

    wide: wp.uint64
    tree: wp.array(dtype=wp.uint64)
    bvh: wp.uint64
    mesh: wp.array(dtype=wp.uint64)
    T_local_world: wp.array(dtype=wp.mat44)
    lower: wp.array(dtype=wp.vec3)
    upper: wp.array(dtype=wp.vec3)


@wp.struct
class Hit:
    """Nearest hit: parameter t, instance (-1: none), face, barycentric weights u, v of the face's first two corners, and the world normal
    (unit, by the winding of the face in its own frame)."""

    t: wp.float32
    instance: wp.int32
    face: wp.int32
    u: wp.float32
    v: wp.float32
    normal: wp.vec3


@wp.func
def box_entry(lower: wp.vec3, upper: wp.vec3, origin: wp.vec3, direction: wp.vec3) -> float:
    """Parameter at which a ray enters a box (0 when it starts inside), or a huge number if it misses."""
    near = float(0.0)
    far = float(3.0e38)
    for axis in range(3):
        d = direction[axis]
        if wp.abs(d) < 1.0e-12:
            d = 1.0e-12
        a = (lower[axis] - origin[axis]) / d
        b = (upper[axis] - origin[axis]) / d
        near = wp.max(near, wp.min(a, b))
        far = wp.min(far, wp.max(a, b))
    if near <= far * 1.000001:
        return near
    return float(3.0e38)


@wp.func
def lowest_tied_face(mesh: wp.uint64, origin: wp.vec3, direction: wp.vec3, t: float, face: int) -> int:
    """Lowest face of ``mesh`` that the ray meets at parameter t within rounding; called for hits on an edge only."""
    point = origin + t * direction
    reach = wp.vec3(1.0, 1.0, 1.0) * (TIE * (wp.length(point) + t * wp.length(direction)) + 1.0e-9)
    best = int(face)
    query = wp.mesh_query_aabb(mesh, point - reach, point + reach)
    other = int(0)
    while wp.mesh_query_aabb_next(query, other):
        if other < best:
            a = wp.mesh_get_point(mesh, other * 3)
            ab = wp.mesh_get_point(mesh, other * 3 + 1) - a
            ac = wp.mesh_get_point(mesh, other * 3 + 2) - a
            p = wp.cross(direction, ac)
            det = wp.dot(ab, p)
            if det != 0.0:
                s = origin - a
                q = wp.cross(s, ab)
                b1 = wp.dot(s, p) / det
                b2 = wp.dot(direction, q) / det
                near = wp.abs(wp.dot(ac, q) / det - t) <= TIE * t
                if near and b1 >= -EDGE and b2 >= -EDGE and b1 + b2 <= 1.0 + EDGE:
                    best = other
    return best


@wp.func
def barycentric(mesh: wp.uint64, face: int, point: wp.vec3) -> wp.vec2:
    """Weights of the first two corners of a face at a point of its plane."""
    a = wp.mesh_get_point(mesh, face * 3)
    b = wp.mesh_get_point(mesh, face * 3 + 1)
    c = wp.mesh_get_point(mesh, face * 3 + 2)
    n = wp.cross(b - a, c - a)
    area = wp.max(wp.dot(n, n), 1.0e-30)
    u = wp.dot(wp.cross(c - b, point - b), n) / area
    v = wp.dot(wp.cross(a - c, point - c), n) / area
    return wp.vec2(u, v)


@wp.func_native("""
#ifdef __CUDA_ARCH__
    return false;
#else
    return true;
#endif
""")
def on_cpu() -> bool:
    """True in code for a CPU, false in code for CUDA."""


@wp.func
def wide_hit(scene: Scene, origin: wp.vec3, direction: wp.vec3, t_max: float) -> Hit:
    """``closest_hit`` through our own trees."""
    found = wide_closest(scene.wide, scene.tree, scene.T_local_world, origin, direction, t_max)
    best = Hit()
    best.t = t_max
    best.instance = integer(found[0, 1])
    best.face = -1
    if best.instance >= 0:
        best.t = found[0, 0]
        best.face = integer(found[0, 2])
        best.u = found[1, 0]
        best.v = found[1, 1]
        best.normal = wp.vec3(found[2, 0], found[2, 1], found[2, 2])
    return best


@wp.func
def closest_hit(scene: Scene, origin: wp.vec3, direction: wp.vec3, t_max: float) -> Hit:
    """Nearest hit with t <= t_max."""
    if WIDE:
        if on_cpu():
            return wide_hit(scene, origin, direction, t_max)
    return stock_hit(scene, origin, direction, t_max)


@wp.func
def stock_hit(scene: Scene, origin: wp.vec3, direction: wp.vec3, t_max: float) -> Hit:
    """``closest_hit`` through Warp's trees."""
    best = Hit()
    best.t = t_max
    best.instance = -1
    best.face = -1
    if scene.bvh == wp.uint64(0):
        return best
    local_origin = wp.vec3()
    local_direction = wp.vec3()
    query = wp.bvh_query_ray(scene.bvh, origin, direction)
    i = int(0)
    while wp.bvh_query_next(query, i):
        if box_entry(scene.lower[i], scene.upper[i], origin, direction) <= best.t:
            o = wp.transform_point(scene.T_local_world[i], origin)
            d = wp.transform_vector(scene.T_local_world[i], direction)
            ray = wp.mesh_query_ray(scene.mesh[i], o, d, best.t * 1.000001)
            if ray.result and (ray.t < best.t or (ray.t == best.t and (best.instance < 0 or i < best.instance))):
                best.t = ray.t
                best.instance = i
                best.face = ray.face
                best.u = ray.u
                best.v = ray.v
                best.normal = ray.normal
                local_origin = o
                local_direction = d
    if best.instance >= 0:
        mesh = scene.mesh[best.instance]
        if wp.min(wp.min(best.u, best.v), 1.0 - best.u - best.v) <= EDGE:
            lowest = lowest_tied_face(mesh, local_origin, local_direction, best.t, best.face)
            if lowest != best.face:
                best.face = lowest
                weights = barycentric(mesh, lowest, local_origin + best.t * local_direction)
                best.u = weights[0]
                best.v = weights[1]
                best.normal = wp.mesh_eval_face_normal(mesh, lowest)
        best.normal = world_normal(scene, best.instance, best.normal)
    return best


@wp.func
def world_normal(scene: Scene, instance: int, normal: wp.vec3) -> wp.vec3:
    """Carry a normal of an instance's frame to the world: the transpose of T_local_world, normalized."""
    m = scene.T_local_world[instance]
    x = m[0, 0] * normal[0] + m[1, 0] * normal[1] + m[2, 0] * normal[2]
    y = m[0, 1] * normal[0] + m[1, 1] * normal[1] + m[2, 1] * normal[2]
    z = m[0, 2] * normal[0] + m[1, 2] * normal[1] + m[2, 2] * normal[2]
    return wp.normalize(wp.vec3(x, y, z))


@wp.func
def instance_entry(scene: Scene, instance: int, origin: wp.vec3, direction: wp.vec3, t_max: float) -> float:
    """Parameter of the first hit with one instance alone, or -1."""
    if box_entry(scene.lower[instance], scene.upper[instance], origin, direction) > t_max:
        return float(-1.0)
    if WIDE:
        if on_cpu():
            return wide_entry(scene.tree, scene.T_local_world, instance, origin, direction, t_max)
    o = wp.transform_point(scene.T_local_world[instance], origin)
    d = wp.transform_vector(scene.T_local_world[instance], direction)
    ray = wp.mesh_query_ray(scene.mesh[instance], o, d, t_max)
    if ray.result:
        return ray.t
    return float(-1.0)


@outlined
def occluded(scene: Scene, origin: wp.vec3, direction: wp.vec3, t_max: float) -> bool:
    """True if anything is hit with t < t_max."""
    if WIDE:
        if on_cpu():
            return wide_blocked(scene.wide, scene.tree, scene.T_local_world, origin, direction, t_max)
    if scene.bvh == wp.uint64(0):
        return False
    query = wp.bvh_query_ray(scene.bvh, origin, direction)
    i = int(0)
    blocked = bool(False)
    while wp.bvh_query_next(query, i):
        if not blocked:
            blocked = instance_entry(scene, i, origin, direction, t_max) >= 0.0
    return blocked


@wp.kernel
def trace_kernel(
    scene: Scene,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    t_max: float,
    hits: wp.array(dtype=Hit),
):
    """Nearest hit per ray, through Warp's trees if the scene has those; twin: ``tailgate.geometry.twins.trace_twin``."""
    k = wp.tid()
    if scene.wide != wp.uint64(0):
        hits[k] = closest_hit(scene, origins[k], directions[k], t_max)
    else:
        hits[k] = stock_hit(scene, origins[k], directions[k], t_max)
    if hits[k].instance < 0:
        hits[k].t = wp.inf
