"""occlusion.blockers: puts something between the sensor and a target so that the wanted share of it is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tailgate.config.setting import Setting
from tailgate.randomize.protocol import BaseRandomizer, Drawn, Placed, SampleContext, Streams
from tailgate.randomize.slots import AssetSlot, canonical_class
from tailgate.stage.layers import FrameLayer

from tailgate_randomizers.make import ranged
from tailgate_randomizers.placement import show
from tailgate_randomizers.standing import PROPOSALS, fits, habit_of

STEPS = 9
"""Bisection steps per proposal: the last one moves by 1/512 of the span, centimetres for a car."""
STREET_OCCLUDERS = ("car", "van", "barrier", "motorcycle", "drum")


class Blockers(BaseRandomizer):
    """One occluder per target when the cell pins an occlusion interval that excludes 0.

    A proposal is an occluder, its distance along the line of sight and a side; it is slid sideways until the hidden share, measured by rays, is the
    wanted one. At most 16 proposals are made per target. The result is verified on
    the rendered frame by the caller.

    Options:
        classes: asset classes that may hide a target.
    """

    name: ClassVar[str] = "occlusion.blockers"
    level: ClassVar[str] = "object"
    options: ClassVar[tuple[str, ...]] = ("classes",)

    def classes(self) -> list[str]:
        """The occluders."""
        return [canonical_class(name) for name in self.option("classes", STREET_OCCLUDERS)]

    def defaults(self) -> dict[str, Setting]:
        """Hidden share of the target (pinned by the cell) and where the occluder stands between the nearest and the farthest place that can work."""
        return {"hidden_share": ranged(0.0, 0.95), "distance_share": ranged(0.0, 1.0, shape=(1.5, 1.2))}

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """An occluder for each target that needs one."""
        interval = ctx.cell.occlusion if ctx.cell else None
        if interval is None or interval[0] <= 0:
            return Drawn({"objects": []})
        draw = ctx.drawing(streams)
        placed: list[Placed] = []
        for target in (p for p in ctx.placed if p.role == "target"):
            margin = 0.15 * (interval[1] - interval[0])
            wanted = draw.within("hidden_share", interval[0] + margin, interval[1] - margin, target.slot.name)
            share = draw("distance_share", target.slot.name)
            here = ctx.with_draw(Drawn(placed=tuple(placed)))
            found = self._search(here, _Goal(target, interval, wanted, share), streams("search", target.slot.name))
            placed += [found] if found else []
        return Drawn({"objects": [p.to_json() for p in placed]}, draw.draws, placed=tuple(placed))

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Show the occluders."""
        show(frame, values, tick)

    def _search(self, ctx: SampleContext, goal: _Goal, generator: np.random.Generator) -> Placed | None:
        """At most PROPOSALS of (occluder, distance, side), each slid sideways; the first that fits and hides about the wanted share."""
        free = ctx.free_slots(self.classes())
        for _ in range(PROPOSALS if free else 0):
            slot = free[int(generator.integers(len(free)))]
            low, high = reach(ctx, slot, goal.target)
            share = low + (high - low) * float(np.clip(goal.distance_share + generator.uniform(-0.3, 0.3), 0.0, 1.0))
            if high <= low:
                continue
            offer = _Offer(slot, share, 1.0 if generator.random() < 0.5 else -1.0, float(generator.uniform(-180, 180)))
            found = slide(ctx, goal, offer)
            if found is not None and fits(ctx, found, ctx.placed, 0.02):
                return found
        return None


@dataclass(frozen=True)
class _Goal:
    target: Placed
    interval: tuple[float, float]
    wanted: float
    distance_share: float


@dataclass(frozen=True)
class _Offer:
    """An occluder, its distance as a share of the target's, the side it slides to, and its yaw where that is free [deg]."""

    slot: AssetSlot
    share: float
    side: float
    turn: float


def reach(ctx: SampleContext, slot: AssetSlot, target: Placed) -> tuple[float, float]:
    """Nearest and farthest place of an occluder, as shares of the distance to the target.

    It must be tall enough to rise above the line of sight to the target's middle, and thin enough to stand before it.
    """
    eye, pose_t = ctx.views.eye(ctx.rig_poses[0]), target.pose(0)
    distance = max(float(np.hypot(*(np.array(pose_t[:2]) - eye[:2]))), 1e-6)
    rise, middle = float(eye[2]) - pose_t[2], float(target.slot.size[2]) / 2
    low = (rise - float(slot.size[2])) / (rise - middle) if rise > middle else 0.0
    gap = (float(slot.size[:2].min()) + float(target.slot.size[:2].min())) / 2
    return max(low, 0.1), 1.0 - gap / distance


def slide(ctx: SampleContext, goal: _Goal, offer: _Offer) -> Placed | None:
    """Slide an occluder sideways off the line of sight until the wanted share is hidden, by bisection on the measured share.

    The hidden share falls as the occluder moves off the line. None if it hides too little even on the line, or if no offset meets the interval.
    """
    eye = ctx.views.eye(ctx.rig_poses[0])
    pose_t = goal.target.pose(0)
    sight = np.array(pose_t[:2]) - eye[:2]
    yaw = _facing(ctx, offer, pose_t, sight)
    across = np.array([-sight[1], sight[0]]) / max(float(np.hypot(*sight)), 1e-9) * offer.side

    def at(offset: float) -> Placed:
        x, y = (round(float(v), 5) for v in eye[:2] + offer.share * sight + offset * across)
        z = round(float(ctx.queries.ground(np.array([x, y, pose_t[2]]))[0]), 5)
        return Placed(offer.slot, ((x, y, z, yaw),), "occluder")

    def hidden(placed: Placed) -> float:
        return 1.0 - ctx.queries.visible_share(eye, goal.target, (*ctx.placed, placed))

    near, far = 0.0, float(np.hypot(*offer.slot.size[:2]) + np.hypot(*goal.target.slot.size[:2])) / 2
    if hidden(at(near)) < goal.wanted:
        return None
    for _ in range(STEPS):
        middle = (near + far) / 2
        placed = at(middle)
        share = hidden(placed)
        if abs(share - goal.wanted) < 0.15 * (goal.interval[1] - goal.interval[0]):
            return placed
        near, far = (middle, far) if share > goal.wanted else (near, middle)
    return None


def _facing(ctx: SampleContext, offer: _Offer, pose_t: tuple[float, ...], sight: np.ndarray) -> float:
    """Yaw of an occluder [deg]: along the nearest lane for vehicles, across the line of sight for what follows paths, else free."""
    habit = habit_of(offer.slot.asset_class, ctx.contexts, {})
    if habit.any_yaw:
        return round(offer.turn, 4)
    place = np.array([*(np.array(pose_t[:2]) - (1 - offer.share) * sight), pose_t[2]])
    lanes = [c for c in ctx.contexts if c.is_spline and c.kind in ("lane", "aisle")]
    if habit.pace == "drive" and lanes:
        lane = min(lanes, key=lambda c: (abs(c.nearest(place)[1]), c.name))
        return round(float(lane.at(np.array([lane.nearest(place)[0]]))[1][0]), 4)
    return round(float(np.degrees(np.arctan2(sight[1], sight[0]))) + 90.0 * offer.side, 4)
