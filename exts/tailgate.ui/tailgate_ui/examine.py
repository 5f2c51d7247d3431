"""What can be said of a budget and of the open stage before anything is made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tailgate.geometry.trace import TraceScene
from tailgate.packages import packages_named
from tailgate.runtime.folder import check_folder
from tailgate.runtime.run import plan_of
from tailgate.runtime.spec import resolve
from tailgate.stage.check import StageReport, check_stage
from tailgate.turns import in_turns

from tailgate_ui.choices import Choices
from tailgate_ui.state import Budget

if TYPE_CHECKING:
    from pxr import Usd


async def budget(choices: Choices) -> Budget:
    """Read a budget with all it names, aside; raises UserError with file, line and key of the first mistake."""
    return await asyncio.to_thread(_budget, choices)


def _budget(choices: Choices) -> Budget:
    with packages_named():
        spec = resolve(choices.options())
    check_folder(spec.out)
    plan = plan_of(spec)
    sensors = ", ".join(f"{name} ({model})" for name, model in plan["sensors"].items())
    shown = {"scenarios": ", ".join(plan["scenarios"]), "sensors": sensors, **{k: plan[k] for k in ("reference", "gate", "at most", "run folder")}}
    return Budget(cells=tuple(plan["cells"].items()), facts=tuple(shown.items()), note="\n".join(plan.get("notes", ())))


async def stage(opened: Usd.Stage) -> StageReport:
    """What a run would miss on a stage, read by turns with Kit's loop; what that needs is imported and compiled aside first."""
    await asyncio.to_thread(_warm)
    return await in_turns(check_stage, opened)


def _warm() -> None:
    import tailgate.assets
    import tailgate.stage.check.ground
    import tailgate.stage.check.units  # noqa: F401

    TraceScene()
