"""How classes stand in a scene, and the bounded search for a place that nothing else takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tailgate.randomize.protocol import Placed, SampleContext
from tailgate.randomize.queries import overlaps
from tailgate.randomize.slots import AssetSlot
from tailgate.stage.contexts import Context

CANDIDATES = 1024
PROPOSALS = 16


@dataclass(frozen=True)
class Habit:
    """How a class stands.

    Attributes:
        tiers: context kinds in order of preference; the first tier that the scene has is used.
        spread: share of the context's half width that it uses about ``edge``.
        edge: 0 keeps to the middle of a spline, 1 to its edges.
        both_ways: may face against the context's direction.
        any_yaw: turns freely.
        pace: "walk", "drive" or "" for what stands still.
        view_edge: share of the image on each side where its centre is not wanted.
    """

    tiers: tuple[tuple[str, ...], ...]
    spread: float = 1.0
    edge: float = 0.0
    both_ways: bool = True
    any_yaw: bool = False
    pace: str = ""
    view_edge: float = 0.04


_ON_FOOT = (("sidewalk", "crosswalk"), ("aisle",), ("surface",), ("lane",))
_DRIVING = (("lane", "parking"), ("aisle",), ("surface",))
_RIDING = (("lane",), ("aisle",), ("surface",))
_FLOOR = (("aisle", "surface"), ("sidewalk",), ("lane",))
HABITS: dict[str, Habit] = {
    "walker": Habit(_ON_FOOT, pace="walk"),
    "vehicle": Habit(_DRIVING, spread=0.25, both_ways=False, pace="drive"),
    "cyclist": Habit(_RIDING, spread=0.3, edge=0.55, both_ways=False, pace="drive"),
    "road_side": Habit((("lane", "sidewalk"), ("aisle",), ("surface",)), spread=0.15, edge=0.85, any_yaw=True),
    "post": Habit((("sidewalk",), ("aisle",), ("surface",)), spread=0.05, edge=0.95),
    "parked": Habit((("sidewalk",), ("aisle",), ("surface",)), spread=0.15, edge=0.75),
    "floor": Habit(_FLOOR, any_yaw=True),
    "table": Habit((("surface",), ("aisle",), ("sidewalk",)), any_yaw=True, view_edge=0.15),
}
"""By group; ``habit_of`` maps classes to groups."""

_GROUPS: dict[str, tuple[str, ...]] = {
    "walker": ("person", "construction_worker", "wheelchair_user", "stroller", "dog"),
    "vehicle": ("car", "truck", "van", "bus", "trailer"),
    "cyclist": ("cyclist", "motorcyclist"),
    "road_side": ("traffic_cone", "barrel", "barrier", "bollard"),
    "post": ("sign",),
    "parked": ("bicycle", "motorcycle", "empty_wheelchair"),
    "floor": ("pallet", "box", "crate", "drum"),
}


def habit_of(asset_class: str, contexts: Sequence[Context], overrides: Mapping[str, Sequence[str]]) -> Habit:
    """Habit of a class; ``overrides`` maps a class to context kinds. Where there is a table everything stands on it; unknown classes stand freely."""
    group = next((g for g, names in _GROUPS.items() if asset_class in names), "table")
    habit = HABITS["table" if tables(contexts) else group]
    return replace(habit, tiers=(tuple(overrides[asset_class]),)) if asset_class in overrides else habit


def tables(contexts: Sequence[Context]) -> list[Context]:
    """Surfaces that are called a table, or all contexts of a scene that has nothing but surfaces."""
    named = [c for c in contexts if not c.is_spline and "table" in c.name.lower()]
    return named or ([] if any(c.is_spline for c in contexts) else list(contexts))


def fitting(habit: Habit, contexts: Sequence[Context]) -> list[Context]:
    """Contexts of the first tier that the scene has, only the table where there is one; any but the rig's own path if none fits."""
    if habit.tiers == HABITS["table"].tiers and tables(contexts):
        return tables(contexts)
    for tier in habit.tiers:
        found = [c for c in contexts if c.kind in tier]
        if found:
            return found
    return [c for c in contexts if c.kind != "ego"]


@dataclass(frozen=True)
class Wish:
    """What a place must be like.

    Attributes:
        habit: how the class stands.
        role: role of the placed object.
        range: [low, high] of the distance from the primary sensor to the box centre [m].
        near: preferred distance [m], or None for any.
        in_view: must lie inside a view of the rig.
        min_visible: least share of it that must be seen past what stands already; 0 asks nothing.
        yaw_jitter: added to the context's heading [deg].
        yaw: preferred world heading [deg], or None.
        speed: along the context [m/s].
    """

    habit: Habit
    role: str
    range: tuple[float, float] = (0.0, np.inf)
    near: float | None = None
    in_view: bool = True
    min_visible: float = 0.0
    yaw_jitter: float = 0.0
    yaw: float | None = None
    speed: float = 0.0


@dataclass(frozen=True)
class _Candidates:
    xyz: np.ndarray
    yaw: np.ndarray
    context: np.ndarray


def find_place(ctx: SampleContext, slot: AssetSlot, wish: Wish, generator: np.random.Generator) -> Placed | None:
    """Search for a place: candidates over the fitting contexts, those in range and view, nearest to the wished distance first.

    At most PROPOSALS candidates are examined; one is taken if it stands level, cuts neither the base scene nor another object, keeps clear of
    the rig and is visible enough.

    Returns:
        The object with a pose per tick, or None.
    """
    found = fitting(wish.habit, ctx.contexts)
    candidates = _candidates(found, slot, wish, generator)
    order = _preferred(ctx, slot, wish, candidates, generator)
    for k in order[:PROPOSALS]:
        context = found[candidates.context[k]]
        yaw = heading(wish, float(candidates.yaw[k]), generator)
        speed = 0.0 if context.kind == "parking" else wish.speed
        poses = travel(ctx, context, candidates.xyz[k], yaw, speed, abs(_turn(yaw - candidates.yaw[k])) > 90)
        placed = Placed(slot, poses, wish.role, context.name)
        if fits(ctx, placed, ctx.placed) and (wish.min_visible <= 0 or _visible(ctx, placed) >= wish.min_visible):
            return placed
    return None


def fits(ctx: SampleContext, placed: Placed, others: Sequence[Placed], margin: float = 0.05) -> bool:
    """True if an object stands level on the ground, clear of the rig, the base scene and other objects."""
    slot, pose = placed.slot, placed.poses[0]
    clearance = float(ctx.given.get("rig_radius_m", 0.0)) + float(np.hypot(*slot.size[:2])) / 2
    rig = ctx.rig_poses[0][:2, 3]
    if clearance > 0 and np.hypot(pose[0] - rig[0], pose[1] - rig[1]) < clearance and ctx.given.get("rig_radius_m"):
        return False
    if overlaps(slot, placed.poses, others, min(margin, 0.15 * float(slot.size[:2].min()))):
        return False
    return ctx.queries.stands_flat(slot, pose) and not ctx.queries.hits_base(slot, pose)


def heading(wish: Wish, along: float, generator: np.random.Generator) -> float:
    """World heading [deg]: along the context or against it, nearest to the wished one, with jitter; anything for classes that turn freely."""
    if wish.habit.any_yaw:
        return wish.yaw if wish.yaw is not None else float(generator.uniform(-180, 180))
    back = wish.habit.both_ways and (
        abs(_turn(wish.yaw - along)) > 90 if wish.yaw is not None else bool(generator.random() < 0.5)
    )
    return _turn(along + (180.0 if back else 0.0) + wish.yaw_jitter)


def travel(
    ctx: SampleContext, context: Context, start: np.ndarray, yaw: float, speed: float, backwards: bool
) -> tuple[tuple[float, float, float, float], ...]:
    """Poses per tick of an object that moves along a spline (straight ahead elsewhere) at ``speed`` [m/s], on the ground."""
    ticks = ctx.ticks if speed > 0 else 1
    ahead = speed * ctx.tick_s * np.arange(ticks)
    if context.is_spline and ticks > 1:
        s, lateral = context.nearest(start)
        xyz, along = context.at(s + (-ahead if backwards else ahead), lateral)
        yaws = yaw + np.array([_turn(a - along[0]) for a in along])
    else:
        direction = np.array([np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw)), 0.0])
        xyz, yaws = start + ahead[:, None] * direction, np.full(ticks, yaw)
    xyz[:, 2] = ctx.queries.ground(xyz)
    return tuple((round(float(p[0]), 5), round(float(p[1]), 5), round(float(p[2]), 5), round(float(a), 4)) for p, a in zip(xyz, yaws, strict=True))


def _candidates(found: Sequence[Context], slot: AssetSlot, wish: Wish, generator: np.random.Generator) -> _Candidates:
    """Points over the contexts in proportion to their length (splines) or their extent (surfaces), in the part of the width that the habit uses."""
    extent = np.array([c.length if c.is_spline else np.sqrt(c.area) for c in found])
    counts = np.maximum(np.round(CANDIDATES * extent / extent.sum()), 8).astype(int)
    parts = []
    for k, (context, n) in enumerate(zip(found, counts, strict=True)):
        if context.is_spline:
            across = float(slot.size[1] if not wish.habit.any_yaw else slot.size[:2].max())
            half = max((context.width - across) / 2, 0.0)
            side = np.where(generator.random(n) < 0.5, -1.0, 1.0) if wish.habit.edge > 0 else np.ones(n)
            lateral = np.clip(side * wish.habit.edge + wish.habit.spread * generator.uniform(-1, 1, n), -1, 1) * half
            xyz, yaw = context.at(generator.random(n) * context.length, lateral)
        else:
            xyz, yaw = context.scatter(generator, n)
            xyz, yaw = _inside(context, slot, xyz), np.zeros(n)
            yaw = generator.choice([0.0, 90.0, 180.0, 270.0], len(xyz))
        parts.append((xyz, yaw[: len(xyz)], np.full(len(xyz), k)))
    return _Candidates(*(np.concatenate([p[i] for p in parts]) for i in range(3)))


def _inside(context: Context, slot: AssetSlot, xyz: np.ndarray) -> np.ndarray:
    """Points of a surface that keep the object's half diagonal from its edges."""
    reach = float(np.hypot(*slot.size[:2])) / 2
    keep = np.ones(len(xyz), bool)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        keep &= context.contains(xyz + reach * np.array([dx, dy, 0.0]))
    return xyz[keep]


def _preferred(ctx: SampleContext, slot: AssetSlot, wish: Wish, candidates: _Candidates, generator: np.random.Generator) -> np.ndarray:
    """Candidates in range and view, nearest to the wished distance first (in random order without one)."""
    if len(candidates.xyz) == 0:
        return np.zeros(0, np.int64)
    T_world_rig = ctx.rig_poses[0]
    centres = candidates.xyz + [0.0, 0.0, float(slot.shape.low[2] + slot.shape.high[2]) / 2]
    ranges = ctx.views.ranges(T_world_rig, centres)
    low, high = wish.range
    slack = 0.02 * (high - low) if np.isfinite(high) else 0.0
    keep = (ranges >= low + slack) & (ranges <= high - slack)
    if wish.in_view:
        keep &= ctx.views.in_view(T_world_rig, centres, wish.habit.view_edge)
    rows = np.nonzero(keep)[0]
    key = np.abs(ranges[rows] - wish.near) if wish.near is not None else generator.random(len(rows))
    return rows[np.argsort(key, kind="stable")]


def _visible(ctx: SampleContext, placed: Placed) -> float:
    return ctx.queries.visible_share(ctx.views.eye(ctx.rig_poses[0]), placed, ctx.placed)


def _turn(degrees: float) -> float:
    """Angle in (-180, 180]."""
    return float(-((-degrees + 180.0) % 360.0 - 180.0))
