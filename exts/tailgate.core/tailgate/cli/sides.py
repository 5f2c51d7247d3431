"""Options of the commands that compare a synthetic folder with a real one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

Synthetic = Annotated[Path, typer.Argument(help="Folder of synthetic frames, whoever made them.")]
Reference = Annotated[Path, typer.Option("--reference", help="Folder of real recordings.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Layout of the synthetic folder; guessed where not given.")]
ReferenceKind = Annotated[str | None, typer.Option("--reference-kind", help="Layout of the real folder; guessed where not given.")]
Options = Annotated[list[str], typer.Option("--option", help="key=value for the reader of the synthetic folder.")]
ReferenceOptions = Annotated[list[str], typer.Option("--reference-option", help="key=value for the reader of the real one.")]
Labels = Annotated[Path | None, typer.Option("--labels", help="Label map: classes of the synthetic folder in the reference's words.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that measure.")]
WORKERS = os.cpu_count() or 1
