"""Walk wide trees on a CPU: eight boxes or eight triangles at once, in the vector registers that Warp's compiler has for the machine.

A tree is a table of rows of eight 32-bit values (``wide_tree``). A node has seven rows: lower x, upper x, lower y, upper y, lower z, upper z of its
children's boxes, and the children: the first row of a node, or ``-1 - row`` of a leaf (in the tree over instances ``-1 - instance``). A leaf has ten
rows: x, y, z of the corners a, b, c, and the faces.

Triangles are met as in Woop, Benthin and Wald 2013, "Watertight ray/triangle intersection", but an edge belongs to both its faces: the rounded
product of two numbers never lies on the wrong side of another's, so no ray slips between two faces. Of equal hits the lower instance wins, then the
lower face; hits on an edge take the lowest face met there, as ``rays.lowest_tied_face`` does. Boxes are cut with slack for rounding, so what comes
back does not depend on the tree.

What is done once for a ray counts beside its ten nodes. Hence rays are aimed by whole vectors, since a wide load of what narrow stores have just
written waits for them, and helpers are static, since what a function captures is stored anew for every ray.
"""

from __future__ import annotations

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

mat33f = wp.mat33f
"""What a walk found, in rows: t, instance (-1: nothing), face, the last two as ``integer`` reads them; weights of the face's three corners; its unit
normal in the world, by winding. The name is Warp's own, since 1.8 knows no other for what native functions return."""

SHARED = """
#ifdef __CUDA_ARCH__
    return {};
#else
#pragma clang fp contract(off)
    typedef float f8 __attribute__((vector_size(32), may_alias));
    typedef float f8u __attribute__((vector_size(32), may_alias, aligned(4)));
    typedef float f4 __attribute__((vector_size(16)));
    typedef float f4u __attribute__((vector_size(16), may_alias, aligned(4)));
    typedef int i4 __attribute__((vector_size(16)));
    typedef double d4 __attribute__((vector_size(32)));
    typedef int i8 __attribute__((vector_size(32), may_alias));
    typedef bool b8 __attribute__((ext_vector_type(8)));
    static constexpr float slack = 1.0e-6f, edge = 1.0e-5f, tie = 2.0e-6f;

    struct Ray {
        f4 o, d, inverse, to_near, to_far, wider;
        float sx, sy, sz;
        int kx, ky, kz;

        void aim(f4 origin, f4 direction) {
            o = origin;
            d = direction;
            const i4 flat = (d < 1.0e-18f) & (d > -1.0e-18f);
            inverse = flat ? (d < 0.0f ? f4{} - 1.0e18f : f4{} + 1.0e18f) : 1.0f / d;
            const f4 at = o * inverse, error = 2.0f * slack * (at < 0.0f ? -at : at);
            to_near = at + error;
            to_far = at - error;
            wider = inverse + slack * inverse;
            const f4 square = d * d;
            kz = square[0] > square[1] ? (square[0] > square[2] ? 0 : 2) : (square[1] > square[2] ? 1 : 2);
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

    static constexpr auto least = [](f8 a, f8 b) { return a < b ? a : b; };
    static constexpr auto most = [](f8 a, f8 b) { return a > b ? a : b; };
    static constexpr auto bits = [](i8 lanes) -> unsigned { return __builtin_bit_cast(unsigned char, __builtin_convertvector(lanes, b8)); };

    // Visit the leaves that a ray may meet up to `reach`, the nearer first, until `leaf` returns true. A ray that is not a number meets nothing.
    static constexpr auto descend = [](const f8* rows, const Ray& ray, const float& reach, auto&& leaf) {
#pragma clang fp contract(fast)
        const float all = ray.sx + ray.sy + ray.sz + ray.to_near[0] + ray.to_near[1] + ray.to_near[2];
        if (all != all) return false;
        Entry stack[512];
        int top = 0, child = 0;
        const f4 inverse = ray.inverse, wider = ray.wider, to_near = ray.to_near, to_far = ray.to_far;
        const int x = inverse[0] < 0.0f, y = inverse[1] < 0.0f, z = inverse[2] < 0.0f;
        for (;;) {
            if (child >= 0) {
                const f8* node = rows + child;
                const int* children = (const int*)(node + 6);
                const f8 start = most(most(node[x] * inverse[0] - to_near[0], node[2 + y] * inverse[1] - to_near[1]),
                                      most(node[4 + z] * inverse[2] - to_near[2], f8{}));
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
    static constexpr auto meet = [](const f8* leaf, const Ray& ray, float reach, float margin) {
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
    static constexpr auto walk_tree = [](const f8* rows, const Ray& ray, int instance, bool any, Hit& best) {
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
    static constexpr auto unmoved = [](const float* m) {
        const f8u* half = (const f8u*)m;
        const f8u first = {1, 0, 0, 0, 0, 1, 0, 0}, second = {0, 0, 1, 0, 0, 0, 0, 1};
        return bits((i8)(half[0] != first) | (i8)(half[1] != second)) == 0;
    };

    // Carry a world ray into an instance's frame, its parameter unchanged.
    static constexpr auto local = [](const float* m, f4 o, f4 d) {
        const f4 x = {m[0], m[4], m[8]}, y = {m[1], m[5], m[9]}, z = {m[2], m[6], m[10]}, at = {m[3], m[7], m[11]};
        const f4 origin = x * o[0] + y * o[1] + z * o[2] + at;
        const f4 direction = x * d[0] + y * d[1] + z * d[2];
        Ray ray;
        ray.aim(origin, direction);
        return ray;
    };
"""

SCENE = """
    const wp::uint64* const tree = trees.data;
    const float* const poses = (const float*)T_local_world.data;
    Ray world;
    world.aim(f4{origin[0], origin[1], origin[2]}, f4{direction[0], direction[1], direction[2]});

    // Nearest hit of the whole scene up to best.t, or any.
    const auto walk_scene = [&](bool any, Hit& best) __attribute__((noinline)) {
        return descend((const f8*)top, world, best.t, [&](int instance) {
            const float* m = poses + 16 * instance;
            const Ray* ray = &world;
            Ray own;
            if (!unmoved(m)) {
                own = local(m, world.o, world.d);
                ray = &own;
            }
            return walk_tree((const f8*)tree[instance], *ray, instance, any, best);
        });
    };
"""

CLOSEST = (
    SHARED
    + SCENE
    + """
    Hit best = {t_max, -1, -1, 0.0f, 0.0f, nullptr};
    walk_scene(false, best);
    wp::mat_t<3, 3, float> found;
    found.data[0][1] = __builtin_bit_cast(float, -1);
    if (best.instance < 0) return found;
    // The lowest face of those that meet in the edge.
    const auto settle = [&]() __attribute__((noinline)) {
        const f8* rows = (const f8*)tree[best.instance];
        const Ray ray = local(poses + 16 * best.instance, world.o, world.d);
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
    if (best.u <= edge || best.v <= edge || 1.0f - best.u - best.v <= edge) settle();
    const auto corner = [&](int k) {
        return __builtin_convertvector((f4{best.corner[24 * k], best.corner[24 * k + 8], best.corner[24 * k + 16]}), d4);
    };
    const d4 ab = corner(1) - corner(0), ac = corner(2) - corner(0);
    const f4 own = __builtin_convertvector(__builtin_shufflevector(ab, ab, 1, 2, 0, 3) * __builtin_shufflevector(ac, ac, 2, 0, 1, 3)
        - __builtin_shufflevector(ab, ab, 2, 0, 1, 3) * __builtin_shufflevector(ac, ac, 1, 2, 0, 3), f4);
    const f4u* pose = (const f4u*)(poses + 16 * best.instance);
    const f4 normal = own[0] * pose[0] + own[1] * pose[1] + own[2] * pose[2];
    const float length = __builtin_sqrtf(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
    const f4 unit = normal / (length > 0.0f ? length : 1.0f);
    const float instance = __builtin_bit_cast(float, best.instance), number = __builtin_bit_cast(float, best.face);
    const float values[9] = {best.t, instance, number, best.u, best.v, 1.0f - best.u - best.v, unit[0], unit[1], unit[2]};
    for (int k = 0; k < 9; ++k) found.data[k / 3][k % 3] = values[k];
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
    const f4 from = {origin[0], origin[1], origin[2]}, along = {direction[0], direction[1], direction[2]};
    const Ray ray = local((const float*)(T_local_world.data + instance), from, along);
    walk_tree((const f8*)trees.data[instance], ray, instance, false, best);
    return best.instance < 0 ? -1.0f : best.t;
#endif
"""
)


@wp.func_native("""
    union { float value; int bits; } held = {value};
    return held.bits;
""")
def integer(value: float) -> int:
    """The whole number whose bits a walk put into a float."""


@wp.func_native(CLOSEST)
def wide_closest(
    top: wp.uint64, trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44), origin: wp.vec3, direction: wp.vec3, t_max: float
) -> mat33f: ...


@wp.func_native(BLOCKED)
def wide_blocked(
    top: wp.uint64, trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44), origin: wp.vec3, direction: wp.vec3, t_max: float
) -> bool: ...


@wp.func_native(ENTRY)
def wide_entry(
    trees: wp.array(dtype=wp.uint64), T_local_world: wp.array(dtype=wp.mat44), instance: int, origin: wp.vec3, direction: wp.vec3, t_max: float
) -> float: ...
