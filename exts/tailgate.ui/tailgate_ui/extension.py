"""The extension: one session, the window's menu entry, actions and context menus; all of it goes on shutdown."""

from __future__ import annotations

from typing import Any

import carb.eventdispatcher
import omni.ext
import omni.kit.app
from omni.kit.menu.utils import MenuHelperExtensionFull


class TailgateWindowExtension(omni.ext.IExt, MenuHelperExtensionFull):
    """Tools/Replicator/Tailgate."""

    def on_startup(self, ext_id: str) -> None:
        """Put everything into Kit."""
        from tailgate_ui import actions, marks, menu
        from tailgate_ui.session import Session
        from tailgate_ui.window import TITLE

        self._session, self._view = Session(), None
        self._context_menus = menu.add_context_menus(self._session)
        actions.register(self._session)
        marks.register()
        self.menu_startup(self._open, TITLE, TITLE, "Tools/Replicator")
        self._updates = carb.eventdispatcher.get_eventdispatcher().observe_event(
            event_name=omni.kit.app.GLOBAL_EVENT_UPDATE, on_event=self._update, observer_name="tailgate.ui"
        )

    def on_shutdown(self) -> None:
        """Take everything out of Kit again; work under way is cancelled."""
        from tailgate_ui import actions, marks

        self._updates = None
        self._session.close()
        self._context_menus = []
        actions.deregister()
        marks.deregister()
        if self._view is not None:
            self._view.close()
        self.menu_shutdown()
        self._view = self._session = None

    def _open(self) -> Any:
        """The window, made anew each time Kit asks for it."""
        from tailgate_ui.window import TailgateWindow

        if self._view is not None:
            self._view.close()
        self._session.check_budget()
        self._view = TailgateWindow(self._session)
        return self._view.window

    def _update(self, event: Any) -> None:
        if self._view is not None:
            self._view.refresh()
