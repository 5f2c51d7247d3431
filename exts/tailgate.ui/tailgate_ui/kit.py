"""What the session asks of Kit, in one place."""

from __future__ import annotations

import asyncio
import importlib
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailgate.errors import UserError

if TYPE_CHECKING:
    from pxr import Usd


def open_stage() -> Usd.Stage | None:
    """The stage that the user has open."""
    import omni.usd

    return omni.usd.get_context().get_stage()


def stage_name() -> tuple[str, str] | None:
    """What tells one open stage from another without holding on to it: names of its root and session layer."""
    stage = open_stage()
    return (stage.GetRootLayer().identifier, stage.GetSessionLayer().identifier) if stage is not None else None


def selected() -> tuple[str, ...]:
    """Paths of the selected prims."""
    import omni.usd

    return tuple(map(str, omni.usd.get_context().get_selection().get_selected_prim_paths()))


def select(path: str) -> None:
    """Select a prim and show it in the stage tree."""
    import omni.usd

    omni.usd.get_context().get_selection().set_selected_prim_paths([path], True)


@asynccontextmanager
async def as_before(replaced: bool) -> AsyncIterator[None]:
    """Afterwards the timeline stands, or plays, where it did, and the stage that was open is open again.

    Args:
        replaced: whether other stages will take its place meanwhile.

    Raises:
        UserError: the stage would be lost, as it has no file to be opened from.
    """
    import omni.timeline
    import omni.usd

    timeline, context = omni.timeline.get_timeline_interface(), omni.usd.get_context()
    stage = context.get_stage()
    if replaced and stage is not None and stage.GetRootLayer().anonymous and _shows_anything(stage):
        raise UserError("save the open stage first: it has no file yet, and the scenarios' own stages take its place")
    name = stage.GetRootLayer().identifier if stage is not None and not stage.GetRootLayer().anonymous else ""
    at, playing = timeline.get_current_time(), timeline.is_playing()
    del stage
    try:
        yield
    finally:
        if replaced and name and context.get_stage().GetRootLayer().identifier != name:
            await context.open_stage_async(name)
        if timeline.get_current_time() != at or timeline.is_playing() != playing:
            timeline.set_current_time(at)
            if playing:
                timeline.play()
            timeline.commit()


def _shows_anything(stage: Usd.Stage) -> bool:
    from pxr import UsdGeom

    return any(prim.IsA(UsdGeom.Gprim) for prim in stage.Traverse())


def notify(text: str, warning: bool = False) -> None:
    """Show a notification; a warning stays longer and goes to the log, where it can be copied."""
    import carb
    from omni.kit.notification_manager import NotificationStatus, post_notification

    (carb.log_warn if warning else carb.log_info)(f"tailgate: {text}")
    status = NotificationStatus.WARNING if warning else NotificationStatus.INFO
    post_notification(f"Tailgate: {text}", duration=8 if warning else 4, status=status)


def log_fault(text: str) -> None:
    """Put a traceback into the log."""
    import carb

    carb.log_error(f"tailgate: {text}")


async def imported(name: str) -> Any:
    """A module, imported aside: Kit draws on meanwhile."""
    return await asyncio.to_thread(importlib.import_module, name)


async def show(path: Path) -> None:
    """Open a file or folder with what the desktop has for it."""
    await asyncio.to_thread(webbrowser.open, path.resolve().as_uri())
