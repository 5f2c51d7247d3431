"""What the user chose in the window, kept from one start of Isaac Sim to the next."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.config.scenario import OPEN_STAGE
from tailgate.errors import UserError

if TYPE_CHECKING:
    from tailgate.runtime.spec import RunOptions

KEPT = "/persistent/exts/tailgate.ui"
DEFAULTS = "/exts/tailgate.ui"
BACKEND = "isaac"


@dataclass(frozen=True)
class Choices:
    """The fields of the window.

    Attributes:
        budget: budget file.
        base: ``OPEN_STAGE``, or "" for the scenarios' own stages.
        data: root of the real data; "" for none, or what $TAILGATE_DATA says.
        out: run folder; "" for ``runs/<budget>`` beside the budget.
        device: Warp device that renders and measures.
        overrides: ``path=value`` pairs as for ``--set``, separated by blanks.
    """

    budget: str = ""
    base: str = OPEN_STAGE
    data: str = ""
    out: str = ""
    device: str = "cuda:0"
    overrides: str = ""

    @property
    def run_folder(self) -> Path:
        """Where a run goes."""
        budget = Path(self.budget)
        return Path(self.out) if self.out else budget.parent / "runs" / budget.stem

    def options(self) -> RunOptions:
        """What the runtime takes; raises UserError where nothing is chosen or the overrides cannot be read."""
        from tailgate.runtime.spec import RunOptions

        if not self.budget:
            raise UserError("choose a budget file first")
        try:
            overrides = tuple(shlex.split(self.overrides))
        except ValueError as error:
            raise UserError(f"must be path=value pairs separated by blanks, got '{self.overrides}' ({error})", "Overrides") from None
        data = Path(self.data) if self.data else None
        return RunOptions(Path(self.budget), self.run_folder, data, BACKEND, self.device, overrides, self.base)

    @classmethod
    def load(cls) -> Choices:
        """What was kept, else the extension's defaults."""
        import carb.settings

        settings, held = carb.settings.get_settings(), {}
        for one in fields(cls):
            found = (settings.get(f"{root}/{one.name}") for root in (KEPT, DEFAULTS))
            held[one.name] = next((value for value in found if isinstance(value, str)), one.default)
        return cls(**held)

    def save(self) -> None:
        """Keep them."""
        import carb.settings

        settings = carb.settings.get_settings()
        for name, value in asdict(self).items():
            settings.set_string(f"{KEPT}/{name}", value)


def local_path(folder: str, name: str = "") -> str:
    """A choice of the file dialog as a path of this machine; raises UserError for one that lies elsewhere."""
    text = folder.removeprefix("file://").removeprefix("file:")
    if "://" in text:
        raise UserError(f"must be a file or folder of this machine, got {folder}")
    path = Path(text) / name if name else Path(text)
    return str(path).rstrip("/") or "/"
