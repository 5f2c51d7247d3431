"""Reading a run folder back."""

from __future__ import annotations

import json
from pathlib import Path

from tailgate.errors import UserError
from tailgate.runtime.spec import SPEC_FILE, RunSpec


def open_spec(run: Path) -> RunSpec:
    """Rebuild a run's spec from what its folder holds."""
    file = Path(run) / SPEC_FILE
    if not file.is_file():
        raise UserError(f"is not a run folder: it holds no {SPEC_FILE}", run)
    try:
        return RunSpec.from_json(json.loads(file.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot be read back, it was changed or damaged ({type(error).__name__}); run generate again to restore it", file) from None
