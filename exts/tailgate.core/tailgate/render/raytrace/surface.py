"""What a ray meets: the surface at a hit with its textures, and hits that pass through cut-out holes."""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from tailgate.geometry.quiet import outlined, wp
from tailgate.geometry.rays import Hit, Scene, closest_hit, instance_entry, world_normal
from tailgate.render.raytrace.atlas import sample
from tailgate.render.raytrace.scene import Tables

wp.set_module_options({"enable_backward": False})

LAYERS = wp.constant(64)
"""Holes that one ray passes through at most."""


@wp.struct
class Point:
    """A point on a surface: position, shading and face normal (both towards the viewer) and material."""

    position: wp.vec3
    normal: wp.vec3
    face_normal: wp.vec3
    base: wp.vec3
    emissive: wp.vec3
    roughness: wp.float32
    metallic: wp.float32
    f0: wp.float32
    slot: wp.int32
    material: wp.int32


@wp.func
def slot_of(tables: Tables, hit: Hit) -> int:
    """Row of the slots behind a hit."""
    first = tables.base[hit.instance]
    return first[3] + tables.face_slot[first[0] + hit.face]


@wp.func
def corner_tint(tables: Tables, hit: Hit) -> wp.vec3:
    """Display colour at a hit; white where a mesh has none of its own per corner."""
    colours = tables.base[hit.instance][1]
    if colours < 0:
        return wp.vec3(1.0, 1.0, 1.0)
    corner = (colours + hit.face) * 3
    w = 1.0 - hit.u - hit.v
    return tables.corner_colour[corner] * hit.u + tables.corner_colour[corner + 1] * hit.v + tables.corner_colour[corner + 2] * w


@wp.func
def coordinates(tables: Tables, hit: Hit) -> wp.vec2:
    """Texture coordinates at a hit."""
    first = tables.base[hit.instance][2]
    if first < 0:
        return wp.vec2()
    corner = (first + hit.face) * 3
    return tables.corner_st[corner] * hit.u + tables.corner_st[corner + 1] * hit.v + tables.corner_st[corner + 2] * (1.0 - hit.u - hit.v)


@wp.func
def local_normal(tables: Tables, hit: Hit) -> wp.vec3:
    """Shading normal at a hit in the instance's own frame, unit."""
    corner = (tables.base[hit.instance][0] + hit.face) * 3
    w = 1.0 - hit.u - hit.v
    return wp.normalize(tables.corner_normal[corner] * hit.u + tables.corner_normal[corner + 1] * hit.v + tables.corner_normal[corner + 2] * w)


@wp.func
def surface_point(scene: Scene, tables: Tables, hit: Hit, direction: wp.vec3, position: wp.vec3) -> Point:
    """Normals and constant material at a hit. ``direction`` is the ray's; colours are as authored, without grain."""
    out = Point()
    out.face_normal = wp.where(wp.dot(hit.normal, direction) > 0.0, -hit.normal, hit.normal)
    first = tables.base[hit.instance]
    face = first[0] + hit.face
    w = 1.0 - hit.u - hit.v
    n = tables.corner_normal[face * 3] * hit.u + tables.corner_normal[face * 3 + 1] * hit.v + tables.corner_normal[face * 3 + 2] * w
    m = scene.T_local_world[hit.instance]
    world = wp.normalize(
        wp.vec3(
            m[0, 0] * n[0] + m[1, 0] * n[1] + m[2, 0] * n[2],
            m[0, 1] * n[0] + m[1, 1] * n[1] + m[2, 1] * n[2],
            m[0, 2] * n[0] + m[1, 2] * n[1] + m[2, 2] * n[2],
        )
    )
    out.normal = wp.where(wp.dot(world, out.face_normal) < 0.0, -world, world)
    out.position = position
    out.slot = first[3] + tables.face_slot[face]
    material = tables.slot[out.slot][0]
    out.material = material
    out.base = wp.vec3(tables.material[material, 0], tables.material[material, 1], tables.material[material, 2]) * tables.material[material, 8]
    if first[1] >= 0:
        out.base = wp.cw_mul(out.base, corner_tint(tables, hit))
    out.roughness = tables.material[material, 3]
    out.metallic = tables.material[material, 4]
    out.emissive = wp.vec3(tables.material[material, 5], tables.material[material, 6], tables.material[material, 7])
    out.f0 = tables.material[material, 10]
    return out


@wp.func
def st_footprint(scene: Scene, tables: Tables, hit: Hit, direction: wp.vec3, footprint: float) -> float:
    """Width in texture coordinates that a width [m] across a ray covers at a hit, the mean of its two axes on the face; 1 without coordinates."""
    first = tables.base[hit.instance][2]
    if first < 0:
        return float(1.0)
    face = 2 * (first + hit.face)
    area = wp.length(wp.cross(tables.face_st[face], tables.face_st[face + 1]))
    if area <= 0.0:
        return float(0.0)
    along = wp.normalize(direction)
    local = wp.length(wp.transform_vector(scene.T_local_world[hit.instance], along))
    return footprint * local / wp.sqrt(area * wp.max(wp.abs(wp.dot(hit.normal, along)), 0.02))


@wp.func
def world_way(scene: Scene, instance: int, way: wp.vec3) -> wp.vec3:
    """Carry a direction of an instance's frame to the world, unit: the inverse of T_local_world by its cofactors."""
    m = scene.T_local_world[instance]
    a = wp.vec3(m[0, 0], m[0, 1], m[0, 2])
    b = wp.vec3(m[1, 0], m[1, 1], m[1, 2])
    c = wp.vec3(m[2, 0], m[2, 1], m[2, 2])
    out = wp.normalize(wp.cross(b, c) * way[0] + wp.cross(c, a) * way[1] + wp.cross(a, b) * way[2])
    return wp.where(wp.dot(a, wp.cross(b, c)) < 0.0, -out, out)


@wp.func
def bent_normal(scene: Scene, tables: Tables, hit: Hit, bend: wp.vec3) -> wp.vec3:
    """World normal of a tangent-space one (x along s, y along t), unit, on the side of the mesh's own normal."""
    n = world_normal(scene, hit.instance, local_normal(tables, hit))
    face = 2 * (tables.base[hit.instance][2] + hit.face)
    s = world_way(scene, hit.instance, tables.face_st[face])
    t = world_way(scene, hit.instance, tables.face_st[face + 1])
    s = wp.normalize(s - n * wp.dot(n, s))
    t = wp.normalize(t - n * wp.dot(n, t))
    return wp.normalize(s * bend[0] + t * bend[1] + n * wp.max(bend[2], 0.05))


@wp.func
def one_channel(tables: Tables, use: int, st: wp.vec2, footprint: float) -> float:
    """Value of a texture that gives a number."""
    value = sample(tables.atlas, use, st, footprint)
    return value[wp.max(tables.atlas.images[use].channel, 0)]


@wp.func
def three_channels(tables: Tables, use: int, st: wp.vec2, footprint: float) -> wp.vec3:
    """Value of a texture that gives a colour; one channel of an image is grey."""
    value = sample(tables.atlas, use, st, footprint)
    channel = tables.atlas.images[use].channel
    if channel >= 0:
        return wp.vec3(value[channel], value[channel], value[channel])
    return wp.vec3(value[0], value[1], value[2])


@outlined
def textured(scene: Scene, tables: Tables, hit: Hit, direction: wp.vec3, width: float, point: Point) -> Point:
    """Replace a point's constants by what its textures say over ``width`` [m] across the ray."""
    if tables.textures == 0:
        return point
    out = point
    m = point.material
    uses = tables.texture_of[m]
    if uses[0] < 0 and uses[1] < 0 and uses[2] < 0 and uses[3] < 0 and uses[5] < 0:
        return point
    st = coordinates(tables, hit)
    footprint = st_footprint(scene, tables, hit, direction, width)
    use = int(0)
    while use < 6:
        if use != 4 and uses[use] >= 0:
            value = three_channels(tables, uses[use], st, footprint)
            if use == 0:
                out.base = wp.cw_mul(value * tables.material[m, 8], corner_tint(tables, hit))
            if use == 1:
                out.roughness = wp.clamp(value[0], 0.0, 1.0)
            if use == 2:
                out.metallic = wp.clamp(value[0], 0.0, 1.0)
            if use == 3:
                out.emissive = value
            if use == 5 and tables.base[hit.instance][2] >= 0:
                world = bent_normal(scene, tables, hit, value)
                world = wp.where(wp.dot(world_normal(scene, hit.instance, local_normal(tables, hit)), point.normal) < 0.0, -world, world)
                if wp.dot(world, point.face_normal) > 0.02 and wp.dot(world, direction) < 0.0:
                    out.normal = world
        use += 1
    return out


@wp.func
def is_there(tables: Tables, hit: Hit) -> bool:
    """False where a hit falls into a cut-out hole."""
    material = tables.slot[slot_of(tables, hit)][0]
    threshold = tables.material[material, 11]
    if threshold <= 0.0:
        return True
    use = tables.texture_of[material][4]
    if use < 0:
        return False
    return one_channel(tables, use, coordinates(tables, hit), 0.0) >= threshold


@wp.func
def is_pane(tables: Tables, hit: Hit) -> bool:
    """True where light passes through a hit."""
    return tables.material[tables.slot[slot_of(tables, hit)][0], 12] >= 0.0


@wp.func
def step_past(t: float) -> float:
    """Parameter from which a ray goes on behind a surface it passed at t."""
    return t * (1.0 + 4.0e-6) + 1.0e-5


@outlined
def nearest(scene: Scene, tables: Tables, origin: wp.vec3, direction: wp.vec3, t_max: float) -> Hit:
    """Nearest hit with t <= t_max that is not in a cut-out hole."""
    start = float(0.0)
    hit = Hit()
    for _ in range(LAYERS):
        hit = closest_hit(scene, origin + direction * start, direction, t_max - start)
        hit.t += start
        if hit.instance < 0 or tables.cutouts == 0:
            return hit
        if is_there(tables, hit):
            return hit
        start = step_past(hit.t)
    return hit


@wp.func
def alone_entry(scene: Scene, tables: Tables, instance: int, origin: wp.vec3, direction: wp.vec3, t_max: float, through: int) -> float:
    """Parameter of the first hit with one instance alone that is not in a cut-out hole, nor with ``through`` 1 on a pane, or -1."""
    t = instance_entry(scene, instance, origin, direction, t_max)
    if t < 0.0 or (tables.cutouts == 0 and (through == 0 or tables.panes == 0)):
        return t
    start = t * (1.0 - 4.0e-6) - 1.0e-5
    layer = int(0)
    while layer < LAYERS:
        hit = closest_hit(scene, origin + direction * start, direction, t_max - start)
        if hit.instance < 0:
            return float(-1.0)
        if hit.instance == instance and is_there(tables, hit) and (through == 0 or not is_pane(tables, hit)):
            return start + hit.t
        start += step_past(hit.t)
        layer += 1
    return float(-1.0)
