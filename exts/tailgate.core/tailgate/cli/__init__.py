"""The command line: thin faces over the library. Exit 0 done · 1 a gate failed · 2 the user's mistake · 3 limits reached first."""

import sys

from tailgate.errors import UserError
from tailgate.packages import packages_named

try:
    with packages_named():
        from tailgate.cli import calibrate, gap, run, score, stage  # noqa: F401 (registers their commands)
        from tailgate.cli.app import main
except UserError as lacking:
    sys.stderr.write(f"error: {lacking}\n")
    sys.exit(lacking.exit_code)

__all__ = ["main"]
