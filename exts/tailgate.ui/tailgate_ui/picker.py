"""The file dialog, made when first asked for and kept until the extension goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from omni.kit.window.filepicker import FilePickerDialog
from tailgate.errors import UserError

from tailgate_ui.choices import local_path


class Picker:
    """Chooses a file, or a folder where no kind of file is given.

    Args:
        title: of the dialog.
        chosen: told the path.
        refused: told why a path cannot be taken.
        kind: extension and words of the files to show.
    """

    def __init__(self, title: str, chosen: Callable[[str], None], refused: Callable[[str], None], kind: tuple[str, str] | None = None):
        self._title, self._chosen, self._refused, self._kind = title, chosen, refused, kind
        self._dialog: Any = None

    def show(self, near: str = "") -> None:
        """Open the dialog in the folder of ``near``."""
        if self._dialog is None:
            more = {"file_extension_options": [self._kind]} if self._kind else {}
            handlers = {"click_apply_handler": self._apply, "click_cancel_handler": lambda name, folder: self._dialog.hide()}
            self._dialog = FilePickerDialog(self._title, apply_button_label="Choose", **handlers, **more)
        path = Path(near) if near else Path.home()
        self._dialog.show(str(path if path.is_dir() else path.parent))

    def close(self) -> None:
        """Destroy the dialog."""
        if self._dialog is not None:
            self._dialog.destroy()
            self._dialog = None

    def _apply(self, name: str, folder: str) -> None:
        self._dialog.hide()
        try:
            self._chosen(local_path(folder, name))
        except UserError as error:
            self._refused(str(error))
