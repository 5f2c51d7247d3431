"""Real and accepted synthetic frames in one training manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.datasets.compose import ComposeOptions, Mix, compose, save_mix
from tailgate.runtime.folder import check_writable
from tailgate.runtime.run_folder import open_spec
from tailgate.terminal import say

if TYPE_CHECKING:
    from rich.console import Console


def mix_run(real: Path, run: Path, out: Path, options: ComposeOptions) -> Mix:
    """Compose real labels with a run's accepted frames; classes are renamed as the run's ontology says."""
    check_writable(out, ".parquet")
    ontology = open_spec(run).budget.ontology
    rename = {source: entry.output for source, entry in ontology.items() if entry.output}
    mix = compose(real, run / "dataset", replace(options, rename=rename))
    save_mix(mix, out)
    return mix


def print_mix(mix: Mix, out: Path, console: Console) -> None:
    """A table of what each bucket got."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("bucket", "classes", "real frames", "synthetic", "wanted", "share", box=None)
    for b in mix.buckets:
        classes = ", ".join(b.classes[:4]) + (" …" if len(b.classes) > 4 else "")
        table.add_row(b.bucket, escape(classes), str(b.real), str(b.synthetic), str(b.wanted), f"{b.achieved:.0%} of {b.ratio:.0%}")
    console.print(table)
    for sentence in mix.said:
        say(console, "[yellow]note:[/yellow] {}", sentence)
    say(console, "manifest: {}", out)
