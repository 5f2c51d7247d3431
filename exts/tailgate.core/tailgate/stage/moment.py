"""The moment at which a stage is read: one picture of it, not its motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pxr import Usd


def moment(of: Usd.Stage | Usd.Object) -> Usd.TimeCode:
    """The start of the stage's time range, where a viewer opens it; without one the first time sample of each value."""
    from pxr import Usd

    stage = of if isinstance(of, Usd.Stage) else of.GetStage()
    return Usd.TimeCode(stage.GetStartTimeCode()) if stage.HasAuthoredMetadata("startTimeCode") else Usd.TimeCode.EarliestTime()
