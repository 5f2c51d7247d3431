"""Walk wide trees on a CPU: eight boxes or eight triangles at once, in the vector registers that Warp's compiler has for the machine.

A tree is a table of rows of eight 32-bit values (``wide_tree``). A node has seven rows: lower x, upper x, lower y, upper y, lower z, upper z of its
children's boxes, and the children: the first row of a node, or ``-1 - row`` of a leaf (in the tree over instances ``-1 - instance``). A leaf has ten
rows: x, y, z of the corners a, b, c, and the faces.

Triangles are met as in Woop, Benthin and Wald 2013, "Watertight ray/triangle intersection", but an edge belongs to both its faces: the rounded
product of two numbers never lies on the wrong side of another's, so no ray slips between two faces. Of equal hits the lower instance wins, then the
lower face; hits on an edge take the lowest face met there, as ``rays.lowest_tied_face`` does. Boxes are cut with slack for rounding, so what comes
back does not depend on the tree.
"""

from __future__ import annotations

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

mat33d = wp.mat33d
"""What a walk found, in rows: t, instance (-1: nothing), face; weights of the face's three corners; its normal by winding, not normalized.
The name is Warp's own, since 1.8 knows no other for what native functions return."""

SHARED = """
#ifdef __CUDA_ARCH__
    return {};
#else
#pragma clang fp contract(off)
    typedef float f8 __attribute__((vector_size(32), may_alias));
    typedef float f8u __attribute__((vector_size(32), may_alias, aligned(4)));
    typedef int i8 __attribute__((vector_size(32), may_alias));
    typedef bool b8 __attribute__((ext_vector_type(8)));
    const float slack = 1.0e-6f, edge = 1.0e-5f, tie = 2.0e-6f;

    struct Ray {
        float o[3], d[3], inverse[3], sx, sy, sz;
        int kx, ky, kz;

        void aim(const float* origin, const float* direction) {
            for (int k = 0; k < 3; ++k) {
                o[k] = origin[k];
                d[k] = direction[k];
                const bool flat = d[k] < 1.0e-18f && d[k] > -1.0e-18f;
                inverse[k] = flat ? (d[k] < 0.0f ? -1.0e18f : 1.0e18f) : 1.0f / d[k];
            }
            const float x = d[0] * d[0], y = d[1] * d[1], z = d[2] * d[2];
            kz = x > y ? (x > z ? 0 : 2) : (y > z ? 1 : 2);
            kx = kz == 2 ? 0 : kz + 1;
            ky = kx == 2 ? 0 : kx + 1;
            sz = inverse[kz];
            sx = d[kx] * sz;
            sy = d[ky] * sz;
        }
    };
    struct Meeting { f8 t, u, v; unsigned lanes; };
    struct Hit { float t; int instance, face; float u, v; const float* corner; };
    struct Entry { int child; float near; };

    const auto least = [](f8 a, f8 b) { return a < b ? a : b; };
    const auto most = [](f8 a, f8 b) { return a > b ? a : b; };
    const auto bits = [](i8 lanes) -> unsigned { return __builtin_bit_cast(unsigned char, __builtin_convertvector(lanes, b8)); };

    // Visit the leaves that a ray may meet up to `reach`, the nearer first, until `leaf` returns true.
    const auto descend = [&](const f8* rows, const Ray& ray, const float& reach, auto&& leaf) {
#pragma clang fp contract(fast)
        Entry stack[512];
        int top = 0, child = 0;
        const int x = ray.inverse[0] < 0.0f, y = ray.inverse[1] < 0.0f, z = ray.inverse[2] < 0.0f;
        float to_near[3], to_far[3], wider[3];
        for (int k = 0; k < 3; ++k) {
            const float at = ray.o[k] * ray.inverse[k], error = 2.0f * slack * (at < 0.0f ? -at : at);
            to_near[k] = at + error;
            to_far[k] = at - error;
            wider[k] = ray.inverse[k] + slack * ray.inverse[k];
        }
        for (;;) {
            if (child >= 0) {
                const f8* node = rows + child;
                const int* children = (const int*)(node + 6);
                const f8 start = most(most(node[x] * ray.inverse[0] - to_near[0], node[2 + y] * ray.inverse[1] - to_near[1]),
                                      most(node[4 + z] * ray.inverse[2] - to_near[2], f8{}));
                const f8 end = least(least(node[1 - x] * wider[0] - to_far[0], node[3 - y] * wider[1] - to_far[1]),
                                     least(node[5 - z] * wider[2] - to_far[2], f8{} + (reach + slack * reach)));
                unsigned lanes = bits(start <= end);
                if (lanes) {
                    const int lane = __builtin_ctz(lanes);
                    lanes &= lanes - 1;
                    Entry nearest = {children[lane], start[lane]};
                    const int bottom = top;
                    for (; lanes; lanes &= lanes - 1) {
                        const int lane = __builtin_ctz(lanes);
                        Entry met = {children[lane], start[lane]};
                        if (met.near < nearest.near) {
                            const Entry other = met;
                            met = nearest;
                            nearest = other;
                        }
                        int at = top++;
                        for (; at > bottom && stack[at - 1].near < met.near; --at) stack[at] = stack[at - 1];
                        stack[at] = met;
                    }
                    child = nearest.child;
                    continue;
                }
            } else if (leaf(-1 - child)) {
                return true;
            }
            do {
                if (top == 0) return false;
                --top;
            } while (stack[top].near > reach + slack * reach);
            child = stack[top].child;
        }
    };

    // Meet the eight triangles of a leaf; a lane counts within `margin` (share of the area) of the triangle.
    const auto meet = [&](const f8* leaf, const Ray& ray, float reach, float margin) {
        Meeting out;
        const f8 az = leaf[ray.kz] - ray.o[ray.kz], bz = leaf[3 + ray.kz] - ray.o[ray.kz], cz = leaf[6 + ray.kz] - ray.o[ray.kz];
        const f8 ax = leaf[ray.kx] - ray.o[ray.kx] - ray.sx * az, ay = leaf[ray.ky] - ray.o[ray.ky] - ray.sy * az;
        const f8 bx = leaf[3 + ray.kx] - ray.o[ray.kx] - ray.sx * bz, by = leaf[3 + ray.ky] - ray.o[ray.ky] - ray.sy * bz;
        const f8 cx = leaf[6 + ray.kx] - ray.o[ray.kx] - ray.sx * cz, cy = leaf[6 + ray.ky] - ray.o[ray.ky] - ray.sy * cz;
        const f8 u = cx * by - cy * bx, v = ax * cy - ay * cx, w = bx * ay - by * ax;
        const f8 area = u + v + w;
        const f8 low = least(u, least(v, w)), high = most(u, most(v, w));
        i8 inside = ((low >= -margin * area) | (high <= -margin * area)) & (area != 0.0f);
        out.lanes = bits(inside);
        if (out.lanes == 0) return out;
        const f8 per_area = 1.0f / area;
        out.t = (u * az + v * bz + w * cz) * ray.sz * per_area;
        out.u = u * per_area;
        out.v = v * per_area;
        out.lanes = bits(inside & (out.t >= 0.0f) & (out.t <= reach));
        return out;
    };

    // Narrow `best` to the nearest hit of one instance's tree; with `any` the first one found will do.
    const auto walk_tree = [&](const f8* rows, const Ray& ray, int instance, bool any, Hit& best) {
        return descend(rows, ray, best.t, [&](int row) {
            const Meeting met = meet(rows + row, ray, best.t, 0.0f);
            if (any && met.lanes) return true;
            for (unsigned lanes = met.lanes; lanes; lanes &= lanes - 1) {
                const int lane = __builtin_ctz(lanes), face = ((const int*)(rows + row + 9))[lane];
                const float t = met.t[lane];
                const bool first = best.instance < 0 || instance < best.instance || (instance == best.instance && face < best.face);
                if (t < best.t || (t == best.t && first))
                    best = {t, instance, face, met.u[lane], met.v[lane], (const float*)(rows + row) + lane};
            }
            return false;
        });
    };

    // An unmoved instance: its rays are the world's.
    const auto unmoved = [&](const float* m) {
        const f8u* half = (const f8u*)m;
        const f8u first = {1, 0, 0, 0, 0, 1, 0, 0}, second = {0, 0, 1, 0, 0, 0, 0, 1};
        return bits((i8)(half[0] != first) | (i8)(half[1] != second)) == 0;
    };

    // Carry a world ray into an instance's frame, its parameter unchanged.
    const auto local = [](const float* m, const float* o, const float* d) {
        float origin[3], direction[3];
        for (int k = 0; k < 3; ++k) {
            origin[k] = m[4 * k] * o[0] + m[4 * k + 1] * o[1] + m[4 * k + 2] * o[2] + m[4 * k + 3];
            direction[k] = m[4 * k] * d[0] + m[4 * k + 1] * d[1] + m[4 * k + 2] * d[2];
        }
        Ray ray;
        ray.aim(origin, direction);
        return ray;
    };
"""

SCENE = """
    // Nearest hit of the whole scene up to best.t, or any.
    const auto walk_scene = [&](bool any, Hit& best) __attribute__((noinline)) {
        Ray world;
        world.aim(&origin[0], &direction[0]);
        return descend((const f8*)top, world, best.t, [&](int instance) {
            const float* m = (const float*)(T_local_world.data + instance);
            const Ray* ray = &world;
            Ray own;
            if (!unmoved(m)) {
                own = local(m, &origin[0], &direction[0]);
                ray = &own;
            }
            return walk_tree((const f8*)trees.data[instance], *ray, instance, any, best);
        });
    };
"""

CLOSEST = (
    SHARED
    + SCENE
    + """
    Hit best = {t_max, -1, -1, 0.0f, 0.0f, nullptr};
    walk_scene(false, best);
    wp::mat_t<3, 3, double> found;
    found.data[0][1] = -1.0;
    if (best.instance < 0) return found;
    const float w = 1.0f - best.u - best.v;
    // The lowest face of those that meet in the edge.
    const auto settle = [&]() __attribute__((noinline)) {
        const f8* rows = (const f8*)trees.data[best.instance];
        const Ray ray = local((const float*)(T_local_world.data + best.instance), &origin[0], &direction[0]);
        const float t = best.t, reach = t + tie * t;
        descend(rows, ray, reach, [&](int row) {
            const Meeting met = meet(rows + row, ray, reach, edge);
            for (unsigned lanes = met.lanes; lanes; lanes &= lanes - 1) {
                const int lane = __builtin_ctz(lanes), face = ((const int*)(rows + row + 9))[lane];
                if (face < best.face && met.t[lane] >= t - tie * t)
                    best = {t, best.instance, face, met.u[lane], met.v[lane], (const float*)(rows + row) + lane};
            }
            return false;
        });
    };
    if (best.u <= edge || best.v <= edge || w <= edge) settle();
    double ab[3], ac[3];
    for (int k = 0; k < 3; ++k) {
        ab[k] = (double)best.corner[8 * (3 + k)] - best.corner[8 * k];
        ac[k] = (double)best.corner[8 * (6 + k)] - best.corner[8 * k];
    }
    const double values[3][3] = {{best.t, (double)best.instance, (double)best.face},
                                 {best.u, best.v, 1.0 - best.u - best.v},
                                 {ab[1] * ac[2] - ab[2] * ac[1], ab[2] * ac[0] - ab[0] * ac[2], ab[0] * ac[1] - ab[1] * ac[0]}};
    for (int k = 0; k < 9; ++k) found.data[k / 3][k % 3] = values[k / 3][k % 3];
    return found;
#endif
"""
)

BLOCKED = (
    SHARED
    + SCENE
    + """
    Hit best = {t_max, -1, -1, 0.0f, 0.0f, nullptr};
    return walk_scene(true, best);
#endif
"""
)

ENTRY = (
    SHARED
    + """
    Hit best = {t_max, -1, -1, 0.0f, 0.0f, nullptr};
    const Ray ray = local((const float*)(T_local_world.data + instance), &origin[0], &direction[0]);
    walk_tree((const f8*)trees.data[instance], ray, instance, false, best);
    return best.instance < 0 ? -1.0f : best.t;
#endif
"""
)


@wp.func_native(CLOSEST)
def wide_closest(
    top: wp.uint64, trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44), origin: wp.vec3, direction: wp.vec3, t_max: float
) -> mat33d: ...


@wp.func_native(BLOCKED)
def wide_blocked(
    top: wp.uint64, trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44), origin: wp.vec3, direction: wp.vec3, t_max: float
) -> bool: ...


@wp.func_native(ENTRY)
def wide_entry(
    trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44), instance: int, origin: wp.vec3, direction: wp.vec3, t_max: float
) -> float: ...
