"""The command line: thin faces over the library. Exit 0 done · 1 a gate failed · 2 the user's mistake · 3 limits reached first."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tailgate.errors import TailgateError
from tailgate.packages import packages_named
from tailgate.terminal import say

UsageError = typer.BadParameter.__base__
"""What typer raises for unknown options and values of the wrong type."""

STOPPED = 130
"""Exit code of an interrupted command, which is all that typer leaves of the interrupt."""

app = typer.Typer(name="tailgate", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, emoji=False)
stderr = Console(stderr=True, highlight=False, emoji=False)

Data = Annotated[Path | None, typer.Option("--data", help="Root of the real data (default: $TAILGATE_DATA).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Sets = Annotated[list[str], typer.Option("--set", help="Override one value: path=value, such as cells[0].target=20.")]


def main() -> None:
    """Entry point: a user's mistake, or a disk that cannot be written, becomes one sentence and an exit code."""
    try:
        with packages_named():
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if code == STOPPED:
            raise KeyboardInterrupt
        sys.exit(code)
    except TailgateError as error:
        _fail(str(error), error.exit_code)
    except UsageError as error:
        _fail(f"{error.format_message() or 'Name a command to run.'} See 'tailgate --help'.", 2)
    except OSError as error:
        if error.errno is None:
            raise
        _fail(f"{error.filename or 'disk'}: {(error.strerror or str(error)).lower()}", 2)
    except KeyboardInterrupt:
        stderr.print("stopped; run the same command again: runs and measurements resume, fits start anew")
        sys.exit(STOPPED)


def print_json(value: Any) -> None:
    """Print for machines."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")


def _fail(sentence: str, code: int) -> None:
    say(stderr, "[red]error:[/red] {}", sentence)
    sys.exit(code)
