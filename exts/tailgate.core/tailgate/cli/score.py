"""``tailgate score``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailgate.cli.app import Json, app, console, print_json


@app.command()
def score(
    synthetic: Path,
    reference: Annotated[Path, typer.Option("--reference", help="Folder of real recordings in the same layout.")],
    kind: Annotated[str, typer.Option(help="Layout of both: kitti, mosd or av2.")] = "kitti",
    as_json: Json = False,
) -> None:
    """Judge a synthetic set, whoever made it, against real recordings; exit 1 when the gate refuses it."""
    from tailgate.runtime.score import score as judge

    found = judge(synthetic, reference, kind)
    print_json(found.to_json()) if as_json else found.print(console)
    raise typer.Exit(0 if found.verdict == "accepted" else 1)
