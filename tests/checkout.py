"""Where things lie in this checkout and beside it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTS, ORACLES = ROOT / "exts", ROOT / "tests" / "oracles"


def shared(variable: str, name: str) -> Path | None:
    """The folder that an environment variable names, else the one of this name in ``../shared``; None where there is none."""
    named = Path(os.environ[variable]) if os.environ.get(variable) else ROOT.parent / "shared" / name
    return named if named.is_dir() else None
