"""distractors.scatter: what else is there, without hiding what the cell asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tailgate.config.setting import Setting
from tailgate.geometry.queries import footprints_overlap
from tailgate.randomize.protocol import BaseRandomizer, Drawing, Drawn, Placed, SampleContext, Streams
from tailgate.randomize.queries import box_of, footprint, may_hide
from tailgate.randomize.slots import AssetSlot, canonical_class
from tailgate.stage.layers import FrameLayer

from tailgate_randomizers.make import constant, ranged
from tailgate_randomizers.placement import pace, show
from tailgate_randomizers.standing import Wish, find_place, fits, habit_of

TOUCH = 0.0005
"""Gap between objects that touch [m]."""
LEAST_VISIBLE = 0.55
"""Without an occlusion interval, distractors leave at least this share of each target in sight."""


class Scatter(BaseRandomizer):
    """Places objects of the scenario's distractor classes (parked and moving traffic, passers-by, other things on the table).

    Options:
        classes: asset classes; default the scenario's ``distractors``.
        contexts: asset class -> context kinds, as for ``placement.contexts``.
    """

    name: ClassVar[str] = "distractors.scatter"
    level: ClassVar[str] = "object"
    options: ClassVar[tuple[str, ...]] = ("classes", "contexts")

    def classes(self) -> list[str]:
        """The distractor classes."""
        return [canonical_class(name) for name in self.option("classes", self.setup.scenario.distractors)]

    def defaults(self) -> dict[str, Setting]:
        """How many, how far, which share touches a neighbour, and speeds."""
        return {
            "count": ranged(2, 9),
            "range_m": ranged(4, 60, "m"),
            "touching": constant(0.0),
            "yaw_jitter_deg": ranged(-12, 12, "deg", (3, 3)),
            "walk_m_s": ranged(0.0, 1.8, "m/s"),
            "drive_m_s": ranged(0.0, 14.0, "m/s"),
        }

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """Up to ``count`` objects; one that would spoil a target's visibility is left out."""
        draw = ctx.drawing(streams)
        placed: list[Placed] = []
        classes, touching = self.classes(), draw("touching")
        count = int(round(draw("count"))) if classes else 0
        for number in range(min(count, len(ctx.free_slots(classes)))):
            here = ctx.with_draw(Drawn(placed=tuple(placed)))
            generator = streams("object", number)
            slot = _free_slot(here, classes, generator)
            if slot is None:
                break
            found = self._place(here, slot, draw, generator, touching)
            if found and leaves_targets(here, found):
                placed.append(found)
        return Drawn({"objects": [p.to_json() for p in placed]}, draw.draws, placed=tuple(placed))

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Show the distractors."""
        show(frame, values, tick)

    def _place(self, ctx: SampleContext, slot: AssetSlot, draw: Drawing, generator: np.random.Generator, touching: float) -> Placed | None:
        neighbours = [p for p in ctx.placed if p.role != "occluder"]
        if neighbours and generator.random() < touching:
            beside = put_beside(ctx, slot, neighbours[int(generator.integers(len(neighbours)))], generator)
            if beside:
                return beside
        habit = habit_of(slot.asset_class, ctx.contexts, self.option("contexts", {}))
        wish = Wish(
            habit,
            "distractor",
            near=draw("range_m", slot.name),
            in_view=bool(generator.random() < 0.7),
            yaw_jitter=draw("yaw_jitter_deg", slot.name),
            speed=pace(habit, draw, slot.name, ctx.ticks),
        )
        return find_place(ctx, slot, wish, generator)


def _free_slot(ctx: SampleContext, classes: list[str], generator: np.random.Generator) -> AssetSlot | None:
    """A free slot of a class drawn first, so that a class with many slots is not more frequent; at most ``slots`` of a class at once."""
    by_class: dict[str, list[AssetSlot]] = {}
    for slot in ctx.free_slots(classes):
        by_class.setdefault(slot.asset_class, []).append(slot)
    if not by_class:
        return None
    names = list(by_class)
    free = by_class[names[int(generator.integers(len(names)))]]
    return free[int(generator.integers(len(free)))]


def leaves_targets(ctx: SampleContext, added: Placed) -> bool:
    """True if every target keeps the visible share that its cell asks for (LEAST_VISIBLE without an interval) once ``added`` stands there.

    A target that was hidden more than that before only must not get worse.
    """
    eye = ctx.views.eye(ctx.rig_poses[0])
    pinned = ctx.cell.occlusion if ctx.cell else None
    for target in (p for p in ctx.placed if p.role == "target"):
        if not may_hide(added, target, eye):
            continue
        after = ctx.queries.visible_share(eye, target, (*ctx.placed, added))
        least = 1.0 - pinned[1] + 0.03 if pinned else LEAST_VISIBLE
        if after < least and after < ctx.queries.visible_share(eye, target, ctx.placed):
            return False
    return True


def put_beside(ctx: SampleContext, slot: AssetSlot, neighbour: Placed, generator: np.random.Generator) -> Placed | None:
    """Stand an object so that its box just touches a neighbour's, by bisection along a random direction; None if that place is taken."""
    pose_n = neighbour.pose(0)
    theirs = box_of(neighbour.slot, pose_n)
    angle, yaw = generator.uniform(-np.pi, np.pi), round(float(pose_n[3] + generator.choice([0.0, 90.0, generator.uniform(-45, 45)])), 4)
    direction = np.array([np.cos(angle), np.sin(angle)])

    def at(distance: float) -> tuple[float, float, float, float]:
        return (round(float(pose_n[0] + distance * direction[0]), 5), round(float(pose_n[1] + distance * direction[1]), 5), pose_n[2], yaw)

    near, far = 0.0, float(np.hypot(*slot.size[:2]) + np.hypot(*neighbour.slot.size[:2]))
    for _ in range(18):
        middle = (near + far) / 2
        near, far = (middle, far) if footprints_overlap(box_of(slot, at(middle)), [theirs])[0] else (near, middle)
    placed = Placed(slot, (at(far + TOUCH),), "neighbour", neighbour.context)
    surface = next((c for c in ctx.contexts if c.name == neighbour.context), None)
    inside = surface is None or bool(surface.contains(np.column_stack([footprint(slot, placed.poses[0]), np.zeros(4)])).all())
    return placed if inside and fits(ctx, placed, ctx.placed, 0.0) else None
