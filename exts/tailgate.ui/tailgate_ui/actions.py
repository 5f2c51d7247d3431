"""The session's deeds as actions of Kit, for hotkeys, menus and scripts: ``execute_action("tailgate.ui", "run")``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import omni.kit.actions.core

if TYPE_CHECKING:
    from tailgate_ui.session import Session

EXTENSION = "tailgate.ui"


def register(session: Session) -> None:
    """Register them all."""
    registry = omni.kit.actions.core.get_action_registry()
    deeds = {
        "run": (session.run, "Start the budget, or go on with it"),
        "pause": (session.pause, "Hold the run"),
        "stop": (session.stop, "End the run or the preview"),
        "preview": (session.preview, "Show samples on the open stage"),
        "check_budget": (session.check_budget, "Check the budget"),
        "check_stage": (session.check_stage, "Check the open stage"),
        "mark": (session.mark, "Use the selected prims: mark(kind)"),
    }
    for name, (deed, words) in deeds.items():
        registry.register_action(EXTENSION, name, deed, display_name=f"Tailgate: {name.replace('_', ' ')}", description=words, tag="Tailgate")


def deregister() -> None:
    """Take them all away."""
    omni.kit.actions.core.get_action_registry().deregister_all_actions_for_extension(EXTENSION)
