"""weather.conditions: clear, rain, fog or snow, with what each does to the air."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tailgate.config.setting import Setting
from tailgate.errors import UserError
from tailgate.randomize.protocol import BaseRandomizer, Drawn, SampleContext, Streams

from tailgate_randomizers.make import choice, ranged

WEATHERS = ("clear", "rain", "fog", "snow")


class Conditions(BaseRandomizer):
    """Draws the weather and its extinction.

    Extinction follows Koschmieder (1924): contrast falls as exp(-k d), and visibility is 3.912 / k. Fog settings span visibilities from 50 to
    800 m; rain takes k = 0.00021 R^0.6 1/m for R in mm/h (order of Atlas 1953), snow ten times that of rain at the same water rate.
    """

    name: ClassVar[str] = "weather.conditions"
    level: ClassVar[str] = "global"
    offers: ClassVar[dict[str, tuple[str, ...]]] = {"weather": WEATHERS}

    def defaults(self) -> dict[str, Setting]:
        """``weather``, ``visibility_m`` in fog, ``rain_mm_h`` in rain, ``snow_mm_h`` in snow."""
        return {
            "weather": choice(WEATHERS, (0.75, 0.15, 0.1, 0.0)),
            "visibility_m": ranged(50, 800, "m", log=True),
            "rain_mm_h": ranged(0.5, 25, "mm/h", log=True),
            "snow_mm_h": ranged(0.3, 4, "mm/h", log=True),
        }

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """The weather of the cell if it pins one, else a draw."""
        draw = ctx.drawing(streams)
        weather = ctx.cell.weather if ctx.cell and ctx.cell.weather else draw("weather")
        extinction, rate = 0.0, 0.0
        if weather == "fog":
            extinction = 3.912 / _above_0(draw, "visibility_m")
        elif weather == "rain":
            rate = _above_0(draw, "rain_mm_h")
            extinction = 0.00021 * rate**0.6
        elif weather == "snow":
            rate = _above_0(draw, "snow_mm_h")
            extinction = 0.0021 * rate**0.6
        hints = {"fog_extinction": extinction} if extinction else {}
        values = {"weather": weather, "extinction": extinction, "rate": rate}
        given = {"wet": weather in ("rain", "snow"), "precipitation_mm_h": rate}
        return Drawn(values, draw.draws, given, {"weather": weather}, hints)


def _above_0(draw: Callable[[str], float], name: str) -> float:
    """A drawn value; UserError where the scenario's distribution gave one without a meaning."""
    value = draw(name)
    if not value > 0:
        raise UserError(f"setting {name} of weather.conditions must be above 0, got {value:g}")
    return value
