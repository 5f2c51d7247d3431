"""What the session asks of Kit, in one place."""

from __future__ import annotations

import asyncio
import importlib
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pxr import Usd


def open_stage() -> Usd.Stage | None:
    """The stage that the user has open."""
    import omni.usd

    return omni.usd.get_context().get_stage()


def selected() -> tuple[str, ...]:
    """Paths of the selected prims."""
    import omni.usd

    return tuple(map(str, omni.usd.get_context().get_selection().get_selected_prim_paths()))


def select(path: str) -> None:
    """Select a prim and show it in the stage tree."""
    import omni.usd

    omni.usd.get_context().get_selection().set_selected_prim_paths([path], True)


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
