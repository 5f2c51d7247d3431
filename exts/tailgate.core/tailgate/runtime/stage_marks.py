"""Write the marks that a command line asks for: an overlay over the user's stage, and assets cut out of it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.errors import UserError

if TYPE_CHECKING:
    from pxr import Usd

SUFFIXES = (".usda", ".usd", ".usdc")


@dataclass(frozen=True)
class Marks:
    """What to mark.

    Attributes:
        contexts: prim path and ``KIND[:WIDTH][:reverse]``.
        labels: prim path and class.
        assets: prim path and class.
        meters_per_unit, up_axis: what the stage was modelled in; None leaves what it declares.
        upgrade_labels: repeat labels of the old kind in the present one.
    """

    contexts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    assets: tuple[tuple[str, str], ...] = ()
    meters_per_unit: float | None = None
    up_axis: str | None = None
    upgrade_labels: bool = False


def write_marks(source: Path, out: Path, marks: Marks) -> list[str]:
    """Write the overlay, and an asset file per ``assets``; returns a sentence for each thing done. Nothing is written before all is right.

    Raises:
        UserError: the stage or a prim is not there, cannot be marked so, or ``out`` cannot be written.
    """
    from pxr import Usd

    from tailgate.runtime.folder import check_writable
    from tailgate.stage.layers import open_base
    from tailgate.stage.marks import mark_context, mark_frame, mark_label, overlay, save_overlay, upgrade_labels

    check_writable(out)
    if out.suffix not in SUFFIXES:
        raise UserError(f"an overlay must be written as {', '.join(SUFFIXES)}, got '{out.name}'")
    if marks == Marks():
        raise UserError("name something to mark: --context, --label, --asset, --meters-per-unit, --up or --upgrade-labels")
    layer = overlay(open_base(source), out)
    mark_frame(layer, marks.meters_per_unit, marks.up_axis)
    stage, said = Usd.Stage.Open(layer), []
    for path, value in marks.contexts:
        kind, width, reverse = parse(path, value)
        made = mark_context(stage, path, kind, layer, width, reverse)
        said.append(f"{made} is a context of kind {kind}")
    for path, label in marks.labels:
        mark_label(stage, path, label, layer)
        said.append(f"{path} is labelled {label}")
    if marks.upgrade_labels:
        done = upgrade_labels(stage, layer)
        said.append(f"{len(done)} prims with labels of the old SemanticsAPI are labelled in the present form")
    if marks.meters_per_unit or marks.up_axis:
        said.append(f"it is in units of {stage.GetMetadata('metersPerUnit'):g} m with {stage.GetMetadata('upAxis')} up")
    _check_overlay(out)
    _check_assets(stage, out.parent, [name for _, name in marks.assets])
    with tempfile.TemporaryDirectory(prefix=".tailgate-", dir=out.resolve().parent) as scratch:
        for path, name in marks.assets:
            said.append(_cut(stage, path, name, Path(scratch), out.parent))
        for file in sorted(Path(scratch).glob("*.usdc")):
            file.replace(out.parent / file.name)
    save_overlay(layer, out)
    return said


def write_asset(stage: Usd.Stage, path: str, name: str, folder: Path) -> str:
    """Cut one prim out to ``folder`` as an asset of class ``name``; returns where it is and what to put into a budget.

    Raises:
        UserError: there is no such prim, the class cannot use it, or ``folder`` cannot be written.
    """
    from tailgate.runtime.folder import check_writable

    check_writable(folder / name)
    _check_assets(stage, folder, [name])
    with tempfile.TemporaryDirectory(prefix=".tailgate-", dir=folder) as scratch:
        said = _cut(stage, path, name, Path(scratch), folder)
        for file in Path(scratch).glob("*.usdc"):
            file.replace(folder / file.name)
    return said


def _check_overlay(out: Path) -> None:
    """Refuse to write an overlay over a file that holds anything else than one."""
    from pxr import Sdf, Tf

    from tailgate.stage.composition import hushed
    from tailgate.stage.marks import MADE

    if not out.is_file() or not out.stat().st_size:
        return
    try:
        with hushed():
            held = Sdf.Layer.OpenAsAnonymous(str(out))
    except Tf.ErrorException:
        held = None
    if held is None or MADE not in held.customLayerData:
        raise UserError("an overlay must not replace a file that is none; choose another file", out)


def _check_assets(stage: Usd.Stage, folder: Path, classes: list[str]) -> None:
    """Refuse to write an asset over a layer of the stage that it is cut from."""
    from tailgate.assets.write import prim_name

    layers = {Path(layer.realPath) for layer in stage.GetUsedLayers() if layer.realPath}
    for file in (folder.resolve() / f"{prim_name(name)}.usdc" for name in classes):
        if file in layers:
            raise UserError("an asset must not replace a file that the stage is made of; choose another folder", file)


def parse(path: str, value: str) -> tuple[str, float, bool]:
    """``KIND[:WIDTH][:reverse]``: kind, width [m] (0 where not given), whether it runs backwards."""
    kind, *rest = value.split(":")
    reverse = "reverse" in rest
    numbers = [part for part in rest if part != "reverse"]
    try:
        (width,) = map(float, numbers) if numbers else (0.0,)
    except ValueError:
        raise UserError(f"--context {path} must be KIND[:WIDTH][:reverse], got '{value}'") from None
    return kind, width, reverse


def _cut(stage: Usd.Stage, path: str, name: str, scratch: Path, folder: Path) -> str:
    """Cut an asset out to ``scratch`` and see that its class can use it; what to put into a budget."""
    from tailgate.assets import ASSET_CLASSES, from_usd
    from tailgate.assets.write import prim_name
    from tailgate.stage.excerpt import cut_asset

    known = name if name in ASSET_CLASSES else None
    file = scratch / f"{prim_name(name)}.usdc"
    cut_asset(stage, path).Export(str(file))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            from_usd(file, known, scratch / "cache")
        except UserError as error:
            raise UserError(f"{path} cannot serve as {name}: {error.message}") from None
        finally:
            shutil.rmtree(scratch / "cache", ignore_errors=True)
    notes = "".join(f" ({w.message})" for w in caught)
    return f"{folder / file.name}: use it in a budget with ontology: {{{name}: {{asset: {name}, usd: {file.name}}}}}{notes}"
