"""The stage of the application: opening a base scene in it, and what identifies the one that is open."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.errors import UserError
from tailgate.stage.layers import open_base

if TYPE_CHECKING:
    from pxr import Sdf, Usd

NO_STAGE = "base '@open' needs an open stage, and none is open: open one, or name a USD file"


def open_stage() -> Usd.Stage:
    """The stage that is open; UserError where there is none."""
    import omni.usd

    stage = omni.usd.get_context().get_stage()
    if stage is None:
        raise UserError(NO_STAGE)
    return stage


async def load_stage(base: Path | None) -> Usd.Stage:
    """Open a base scene in the application; None takes the stage that is open.

    Raises:
        UserError: it does not open, is not z up in metres, or would replace a stage with changes that were not saved.
    """
    import omni.usd

    if base is None:
        return open_base(open_stage())
    if not Path(base).is_file():
        raise UserError("base scene must be a USD file, and this file was not found", base)
    context = omni.usd.get_context()
    unsaved = _unsaved(context.get_stage())
    if unsaved:
        raise UserError(f"the open stage must be saved or closed before the base scene '{base}' takes its place: {unsaved} has changes")
    opened, reason = await context.open_stage_async(str(base))
    if not opened:
        raise UserError(f"base scene must be a readable USD file, and Isaac Sim cannot open it ({reason or 'no reason given'})", base)
    return open_base(context.get_stage())


def _unsaved(stage: Usd.Stage | None) -> str:
    """A file of the stage whose changes are not saved, "" without one."""
    layers = stage.GetLayerStack(includeSessionLayers=False) if stage else []
    return next((layer.GetDisplayName() for layer in layers if layer.dirty and not layer.anonymous), "")


def stage_digest(stage: Usd.Stage) -> str:
    """SHA-256 over the content of every layer that the stage is composed of, hex.

    The session layer and what lies under it are left out: there the application keeps its cameras, and Tailgate what it writes.
    """
    digest = hashlib.sha256()
    for identifier, layer in sorted(_layers(stage).items()):
        digest.update(f"{'' if layer.anonymous else Path(identifier).name}\0{_content(layer)}\0".encode())
    return digest.hexdigest()


def _layers(stage: Usd.Stage) -> dict[str, Sdf.Layer]:
    """Loaded layers by identifier, followed from the root layer along what they name."""
    from pxr import Sdf

    found: dict[str, Sdf.Layer] = {}
    waiting = [stage.GetRootLayer()]
    while waiting:
        layer = waiting.pop()
        if layer.identifier in found:
            continue
        found[layer.identifier] = layer
        named = {*layer.subLayerPaths, *layer.GetCompositionAssetDependencies()}
        waiting += [held for name in sorted(named) if name and (held := Sdf.Layer.FindRelativeToLayer(layer, name))]
    return found


def _content(layer: Sdf.Layer) -> str:
    """Hash of a layer: of its file where that holds the present state, else of its text."""
    if layer.realPath and not layer.dirty and Path(layer.realPath).is_file():
        return hashlib.sha256(Path(layer.realPath).read_bytes()).hexdigest()
    return hashlib.sha256(layer.ExportToString().encode()).hexdigest()
