"""What this machine can do: one check per thing a run needs, each with what was found and how to mend it. Reads, and writes nothing that stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.doctor.check import Check
from tailgate.doctor.gpu import check_gpus
from tailgate.doctor.isaac import check_isaac, release_here
from tailgate.doctor.machine import check_cores, check_disk, check_memory, check_system, check_write
from tailgate.doctor.nodes import compare_nodes
from tailgate.doctor.software import check_packages, check_python, check_tailgate, check_warp
from tailgate.terminal import say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Check", "diagnose", "print_checks"]


def diagnose(out: str | Path = ".", nodes: Sequence[str] = ()) -> list[Check]:
    """Look at everything a run needs.

    Args:
        out: folder whose disk is checked; the nearest existing parent where it is not made yet.
        nodes: hosts to compare with this one over ssh, one after another in the result.

    Returns:
        Checks in a fixed order; every one is made, whatever the others find.
    """
    out = Path(out).expanduser().resolve()
    folder = next(p for p in (out, *out.parents) if p.is_dir())
    release = release_here()
    checks = [check_tailgate(), check_python(), *check_packages(), *check_warp()]
    checks += [check_disk(folder), check_write(folder), check_memory(release), check_cores(), check_system(release)]
    checks += [*check_gpus(release), *check_isaac(release)]
    return [*checks, *compare_nodes(nodes, checks, out)]


def print_checks(checks: list[Check], console: Console) -> None:
    """Print a table of checks and, below it, how to mend what is wrong."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/green]" if check.ok else "[red]no[/red]"
        table.add_row(mark, escape(check.name), escape(check.found))
    console.print(table)
    for check in checks:
        if check.fix:
            say(console, f"[{'yellow' if check.ok else 'red'}]{{}}[/]: {{}}", check.name, check.fix)
    wrong = sum(not c.ok for c in checks)
    console.print(f"{wrong} thing{'s' if wrong != 1 else ''} to mend" if wrong else "this machine can make data")
