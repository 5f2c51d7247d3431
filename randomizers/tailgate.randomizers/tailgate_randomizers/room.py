"""lighting.room: lamps over a table or along aisles; the condition ``light`` is "indoor"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tailgate.config.setting import Setting
from tailgate.errors import UserError
from tailgate.randomize.protocol import BaseRandomizer, Drawn, PoolScene, SampleContext, Streams
from tailgate.stage.contexts import Context
from tailgate.stage.layers import FrameLayer

from tailgate_randomizers.camera import pick_surface
from tailgate_randomizers.make import choice, ranged, rounded
from tailgate_randomizers.sun_sky import INTENSITY, SKY, author_lamp, declare_light, lamp_color, write_light

LAMPS = 4
TABLE_RADIANCE, HALL_RADIANCE, AMBIENT = 4.0, 22.0, 0.02


class Room(BaseRandomizer):
    """Draws how many lamps burn, where they hang, how bright and how warm they are, and how much light the room gives back.

    Options:
        over: "surface" (a table) or "aisles" (a hall); by default aisles where the scene has any.
    """

    name: ClassVar[str] = "lighting.room"
    level: ClassVar[str] = "global"
    offers: ClassVar[dict[str, tuple[str, ...]]] = {"light": ("indoor",)}
    options: ClassVar[tuple[str, ...]] = ("over",)

    def defaults(self) -> dict[str, Setting]:
        """Lamps lit, height above the surface (or the floor), distance from the middle, strength, temperature and ambient share."""
        hall = self.option("over", None) == "aisles" or (self.option("over", None) is None and self.setup.scenario.base == "warehouse")
        return {
            "lamps": choice((3, 4), (0.4, 0.6)) if hall else choice((1, 2, 3), (0.4, 0.4, 0.2)),
            "height_m": ranged(4.8, 6.2, "m") if hall else ranged(0.8, 1.75, "m"),
            "spread_m": ranged(0.0, 0.8, "m") if hall else ranged(0.1, 1.6, "m"),
            "strength": ranged(0.5, 2.0, log=True),
            "temperature_k": ranged(3600, 6500, "K") if hall else ranged(2700, 6500, "K"),
            "ambient": ranged(0.4, 2.5, log=True),
        }

    def author(self, scene: PoolScene) -> None:
        """Lamps and the ambient dome."""
        scene.layers.pool.define(SKY, "DomeLight")
        declare_light(scene.layers.frame, SKY, AMBIENT * INTENSITY)
        for i in range(LAMPS):
            author_lamp(scene, i, (0.0, 0.0, 3.0), 0.12)
            scene.layers.frame.declare(f"/Tailgate/Lights/Lamp_{i}.xformOp:transform", "matrix4d", _at((0.0, 0.0, 3.0)))

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """Position, intensity and colour of each lamp."""
        draw = ctx.drawing(streams)
        aisles = [c for c in ctx.contexts if c.kind == "aisle" and c.is_spline]
        over = self.option("over", "aisles" if aisles else "surface")
        if over not in ("surface", "aisles") or (over == "aisles" and not aisles):
            raise UserError(f"option over of {self.name} must be 'surface', or 'aisles' in a scene that has some, got {over!r}")
        lit, strength = int(draw("lamps")), draw("strength")
        color = rounded(lamp_color(draw("temperature_k")))
        height, spread = draw("height_m"), draw("spread_m")
        aisle = _beside_the_rig(aisles, ctx.contexts) if over == "aisles" else None
        places = [_place(ctx, aisle, (i, lit), streams("lamp", i), (height, spread)) for i in range(lit)]
        each = INTENSITY * (HALL_RADIANCE if over == "aisles" else TABLE_RADIANCE) * strength / lit
        ambient = INTENSITY * AMBIENT * strength * draw("ambient")
        values = {
            "lamps": [{"position": rounded(p), "intensity": round(each, 4), "color": color} for p in places],
            "ambient": {"intensity": round(ambient, 4), "color": rounded(0.5 + 0.5 * np.array(color))},
        }
        return Drawn(values, draw.draws, conditions={"light": "indoor"})

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Write the lamps that burn; the others go back to their default: off."""
        write_light(frame, SKY, values["ambient"])
        for i, lamp in enumerate(values["lamps"]):
            path = f"/Tailgate/Lights/Lamp_{i}"
            frame.write(f"{path}.xformOp:transform", _at(lamp["position"]))
            write_light(frame, path, lamp)


def _beside_the_rig(aisles: list[Context], contexts: tuple[Context, ...]) -> Context:
    """The aisle that the rig's path follows most closely; the longest one without a path."""
    paths = [c for c in contexts if c.kind == "ego"]
    if not paths:
        return max(aisles, key=lambda c: (c.length, c.name))
    middle, _ = paths[0].at(np.linspace(0, paths[0].length, 9))
    return min(aisles, key=lambda c: (round(sum(abs(c.nearest(p)[1]) for p in middle), 6), -c.length, c.name))


def _place(
    ctx: SampleContext, aisle: Context | None, number: tuple[int, int], generator: np.random.Generator, reach: tuple[float, float]
) -> np.ndarray:
    """Position of one lamp (index, of how many): spaced along the aisle, or around the middle of the table; ``reach`` = height and spread [m]."""
    (index, lit), (height, spread) = number, reach
    if aisle is not None:
        xyz, _ = aisle.at(np.array([(index + generator.uniform(0.2, 0.8)) / lit * aisle.length]), spread * generator.uniform(-1, 1))
        return xyz[0] + [0, 0, height]
    angle = generator.uniform(-np.pi, np.pi)
    return pick_surface(ctx.contexts).centre + [spread * np.cos(angle), spread * np.sin(angle), height]


def _at(position: tuple[float, float, float] | list[float]) -> list[list[float]]:
    T = np.eye(4)
    T[:3, 3] = position
    return T.tolist()
