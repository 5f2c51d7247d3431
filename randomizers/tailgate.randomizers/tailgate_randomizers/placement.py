"""placement.contexts: the objects that the cell asks for, each in a context that fits its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tailgate.config.budget import QUANTILES, Cell, Prior
from tailgate.config.setting import Setting
from tailgate.randomize.protocol import BaseRandomizer, Drawing, Drawn, Placed, SampleContext, Streams
from tailgate.randomize.slots import AssetSlot
from tailgate.stage.extract import OBJECTS
from tailgate.stage.layers import FrameLayer, pose_matrix

from tailgate_randomizers.make import choice, ranged
from tailgate_randomizers.standing import Habit, Wish, find_place, habit_of

PRIOR_MIN_N = 20


class Contexts(BaseRandomizer):
    """Places the cell's targets in its range interval, inside a view, on the ground and touching nothing.

    Without an interval, distances come from the budget's prior of the class, else from ``range_m``. A prior's yaw is relative to the rig's
    heading; a class that follows its context takes the direction nearest to it. Of the free shape variants, the one nearest to a size drawn
    from the prior is used.

    Options:
        contexts: asset class -> context kinds, where the built-in habits do not suit.
    """

    name: ClassVar[str] = "placement.contexts"
    level: ClassVar[str] = "object"
    options: ClassVar[tuple[str, ...]] = ("contexts",)

    def defaults(self) -> dict[str, Setting]:
        """Number of targets, distance, heading jitter, and speed by pace (clips of several ticks)."""
        return {
            "targets": choice((1, 2, 3), (0.5, 0.35, 0.15)),
            "range_m": ranged(4, 40, "m"),
            "yaw_jitter_deg": ranged(-15, 15, "deg", (3, 3)),
            "walk_m_s": ranged(0.0, 1.8, "m/s"),
            "drive_m_s": ranged(0.0, 14.0, "m/s"),
        }

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """Up to ``targets`` objects; fewer where the search finds no place (the frame is then off target)."""
        draw = ctx.drawing(streams)
        placed: list[Placed] = []
        if ctx.cell is not None:
            for number in range(min(int(draw("targets")), len(ctx.free_slots()))):
                here = ctx.with_draw(Drawn(placed=tuple(placed)))
                slot = self._slot(here, ctx.cell, streams, number)
                found = slot and find_place(here, slot, self._wish(here, ctx.cell, slot, draw), streams("place", slot.name))
                if found:
                    placed.append(found)
        return Drawn({"objects": [p.to_json() for p in placed]}, draw.draws, placed=tuple(placed))

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Show the objects at their poses."""
        show(frame, values, tick)

    def _slot(self, ctx: SampleContext, cell: Cell, streams: Streams, number: int) -> AssetSlot | None:
        free = [s for s in ctx.free_slots() if s.output_class == cell.class_]
        if not free:
            return None
        generator = streams("slot", number)
        prior = ctx.priors.get(cell.class_)
        wanted = prior_size(prior, generator)
        if wanted is None:
            return free[int(generator.integers(len(free)))]
        misfit = [float(np.abs(np.log(np.maximum(s.size, 1e-3) / wanted)).sum()) for s in free]
        return free[int(np.argmin(misfit))]

    def _wish(self, ctx: SampleContext, cell: Cell, slot: AssetSlot, draw: Drawing) -> Wish:
        habit = habit_of(slot.asset_class, ctx.contexts, self.option("contexts", {}))
        prior = ctx.priors.get(cell.class_)
        interval, near = self._distance(cell, prior, slot, draw)
        yaw = from_quantiles(prior.yaw_deg if prior and prior.n >= PRIOR_MIN_N else None, draw.streams("yaw", slot.name))
        rig = ctx.rig_poses[0]
        rig_yaw = float(np.degrees(np.arctan2(rig[1, 0], rig[0, 0])))
        free_view = 1.0 - (cell.occlusion[1] if cell.occlusion else 0.6)
        if cell.occlusion and cell.occlusion[0] > 0:
            free_view = max(0.85, free_view)
        return Wish(
            habit,
            "target",
            range=interval,
            near=near,
            min_visible=max(free_view, 0.05),
            yaw_jitter=draw("yaw_jitter_deg", slot.name),
            yaw=None if yaw is None else yaw + rig_yaw,
            speed=pace(habit, draw, slot.name, ctx.ticks),
        )

    def _distance(self, cell: Cell, prior: Prior | None, slot: AssetSlot, draw: Drawing) -> tuple[tuple[float, float], float]:
        if cell.range:
            return cell.range, draw.within("range_m", *cell.range, object=slot.name)
        near = from_quantiles(prior.range if prior and prior.n >= PRIOR_MIN_N else None, draw.streams("range", slot.name))
        return (0.0, np.inf), near if near is not None else draw("range_m", slot.name)


def pace(habit: Habit, draw: Drawing, slot: str, ticks: int) -> float:
    """Speed [m/s] of an object; 0 for what stands still and for single frames."""
    return float(draw(f"{habit.pace}_m_s", slot)) if habit.pace and ticks > 1 else 0.0


def show(frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
    """Write pose and visibility of every object in ``values["objects"]``."""
    for entry in values["objects"]:
        path = f"{OBJECTS}/{entry['slot']}"
        pose = entry["poses"][min(tick, len(entry["poses"]) - 1)]
        frame.write(f"{path}.xformOp:transform", pose_matrix(*pose))
        frame.write(f"{path}.visibility", "inherited")


def from_quantiles(values: tuple[float, ...] | None, generator: np.random.Generator) -> float | None:
    """Draw from the piecewise linear distribution through the 5, 25, 50, 75, 95 % quantiles, cut at the outer two; None without them."""
    if not values or len(values) != len(QUANTILES):
        return None
    return float(np.interp(generator.uniform(QUANTILES[0], QUANTILES[-1]), QUANTILES, values))


def prior_size(prior: Prior | None, generator: np.random.Generator) -> np.ndarray | None:
    """Length, width, height [m] drawn from a prior at one common quantile (big objects are big in all three); None without one."""
    if prior is None or prior.n < PRIOR_MIN_N or not (prior.length and prior.width and prior.height):
        return None
    u = generator.uniform(QUANTILES[0], QUANTILES[-1])
    return np.array([max(float(np.interp(u, QUANTILES, q)), 1e-3) for q in (prior.length, prior.width, prior.height)])
