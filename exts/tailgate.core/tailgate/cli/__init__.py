"""The command line: thin faces over the library. Exit 0 done · 1 a gate failed · 2 the user's mistake · 3 limits reached first."""

from tailgate.cli import calibrate, gap, run, score, stage  # noqa: F401 (registers their commands)
from tailgate.cli.app import main

__all__ = ["main"]
