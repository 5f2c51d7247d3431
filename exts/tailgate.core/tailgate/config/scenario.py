"""A scenario: one structured domain randomization."""

from __future__ import annotations

from pydantic import Field

from tailgate.config.load import Model
from tailgate.config.setting import Setting

OPEN_STAGE = "@open"
"""Base of a scenario that works on the stage open in Isaac Sim."""


class Use(Model):
    """One randomizer in use: its name, plain options, and settings that replace its defaults."""

    use: str
    options: dict[str, object] = {}
    settings: dict[str, Setting] = {}


class Scenario(Model):
    """One structured domain randomization.

    Attributes:
        base: "street", "warehouse", "table_top" (built in), a USD file, or "@open": the stage open in Isaac Sim.
        base_options: options of a built-in base.
        ticks: frames per clip.
        tick_s: time between ticks [s].
        variants: shape variants per asset class and run.
        slots: copies of each class that may be visible at once, or a few more: the same number of each variant.
        distractors: asset classes that may appear without being asked for by a cell.
        randomizers: in the order of their levels: global, context, object, then sensor and annotation.
    """

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_]+$")
    base: str
    base_options: dict[str, object] = {}
    ticks: int = Field(1, ge=1, le=1000)
    tick_s: float = Field(0.1, gt=0)
    variants: int = Field(3, ge=1, le=64)
    slots: int = Field(4, ge=1, le=64)
    distractors: list[str] = []
    randomizers: list[Use] = Field(min_length=1)
