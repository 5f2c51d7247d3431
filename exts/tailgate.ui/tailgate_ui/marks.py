"""Marks on the open stage as commands of Kit: written to the layer that the user edits, taken back exactly by Undo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import omni.kit.commands
from tailgate.errors import UserError
from tailgate.turns import in_turns

from tailgate_ui import kit
from tailgate_ui.choices import Choices

if TYPE_CHECKING:
    from pxr import Sdf, Usd

KINDS = ("lane", "sidewalk", "surface")
"""Kinds of context that are offered first."""


class Mark(NamedTuple):
    """What is written to one prim, in plain values; see ``TailgateMark``."""

    kind: str
    path: str
    width: float = 0.0
    reverse: bool = False
    label: str = ""


class TailgateMark(omni.kit.commands.Command):
    """Mark prims of the open stage in the layer that is edited, in one step. Arguments are plain, so that Kit can show and repeat the command.

    Args:
        kind: a kind of context, or "label".
        paths: of the prims.
        width, reverse: of a context; see ``stage.marks.mark_context``.
        label: class of a label.
    """

    def __init__(self, kind: str, paths: Sequence[str], width: float = 0.0, reverse: bool = False, label: str = ""):
        self._marks = [Mark(kind, path, width, reverse, label) for path in paths]

    def do(self) -> list[str]:
        """Write; returns the paths of the prims that carry the marks."""
        from tailgate.stage.marks import SCOPE

        stage, made = kit.open_stage(), []
        layer, self._kept = stage.GetEditTarget().GetLayer(), []
        for one in self._marks:
            self._kept += [Kept(layer, path) for path in (one.path, f"{SCOPE}/{one.path.rsplit('/', 1)[-1]}_{one.kind}")]
            made.append(write(stage, layer, one))
        return made

    def undo(self) -> None:
        """Put everything back."""
        for kept in reversed(self._kept):
            kept.restore()


def write(stage: Usd.Stage, layer: Sdf.Layer, mark: Mark) -> str:
    """Write a mark to a layer; returns the path of the prim that carries it."""
    from tailgate.stage.marks import mark_context, mark_label

    if mark.kind != "label":
        return mark_context(stage, mark.path, mark.kind, layer, mark.width, mark.reverse)
    mark_label(stage, mark.path, mark.label, layer)
    return mark.path


class Kept:
    """A prim spec's own properties and schemas as they are now, or that there is none."""

    def __init__(self, layer: Sdf.Layer, path: str):
        from pxr import Sdf

        self._layer, self._path = layer, Sdf.Path(path)
        self._missing = next((p for p in self._path.GetPrefixes() if not layer.GetPrimAtPath(p)), None)
        self._copy = Sdf.Layer.CreateAnonymous()
        self._schemas: Any = None
        spec = layer.GetPrimAtPath(path)
        if spec is not None:
            Sdf.CreatePrimInLayer(self._copy, self._path)
            for own in spec.properties:
                Sdf.CopySpec(layer, own.path, self._copy, own.path)
            self._schemas = spec.GetInfo("apiSchemas") if spec.HasInfo("apiSchemas") else None

    def restore(self) -> None:
        """Make it so again."""
        from pxr import Sdf

        with Sdf.ChangeBlock():
            if self._missing is not None:
                made = self._layer.GetPrimAtPath(self._missing)
                if made:
                    del (made.nameParent or self._layer.pseudoRoot).nameChildren[made.name]
                return
            spec, before = self._layer.GetPrimAtPath(self._path), self._copy.GetPrimAtPath(self._path)
            for own in list(spec.properties):
                if not self._copy.GetPropertyAtPath(own.path):
                    spec.RemoveProperty(own)
            for own in before.properties:
                Sdf.CopySpec(self._copy, own.path, self._layer, own.path)
            if self._schemas is not None:
                spec.SetInfo("apiSchemas", self._schemas)
            elif spec.HasInfo("apiSchemas"):
                spec.ClearInfo("apiSchemas")


def register() -> None:
    """Make the command known to Kit."""
    omni.kit.commands.register(TailgateMark)


def deregister() -> None:
    """Take it away."""
    omni.kit.commands.unregister(TailgateMark)


def mark(kind: str, paths: tuple[str, ...], width: float = 0.0, reverse: bool = False, label: str = "") -> str:
    """Mark prims of the open stage and say what was done.

    Args:
        kind: a kind of context, or "label".
        paths: of prims.
        width, reverse: of a context.
        label: class of a label.

    Raises:
        UserError: nothing is open or selected, or a prim cannot be marked so; then nothing was written.
    """
    stage = _asked(paths, label if kind == "label" else kind)
    for path in paths:
        write(stage, _scratch(), Mark(kind, path, width, reverse, label))
    words, one = f"labelled {label}" if kind == "label" else f"a {kind}", len(paths) == 1
    _, made = omni.kit.commands.execute("TailgateMark", kind=kind, paths=list(paths), width=width, reverse=reverse, label=label)
    layer = stage.GetEditTarget().GetLayer()
    where = f"written to {layer.GetDisplayName() or 'the layer that you edit'}, Undo takes {'it' if one else 'them'} back"
    return f"{', '.join(made)} {'is' if one else 'are each'} {words}; {where}"


async def cut(name: str, paths: tuple[str, ...], choices: Choices) -> str:
    """Cut one prim of the open stage out to a file beside the budget; returns where it is and what to put into the budget."""
    from tailgate.runtime.stage_marks import write_asset

    stage = _asked(paths, name)
    if len(paths) != 1:
        raise UserError(f"select the one prim that shows a {name}, got {len(paths)}")
    if not choices.budget:
        raise UserError("choose a budget first: the asset is written beside it")
    return await in_turns(write_asset, stage, paths[0], name, Path(choices.budget).parent)


def _asked(paths: tuple[str, ...], name: str) -> Usd.Stage:
    """The open stage, once there is all that a mark needs."""
    stage = kit.open_stage()
    if stage is None:
        raise UserError("open a stage first")
    if not paths:
        raise UserError("select a prim first")
    if not name:
        raise UserError("name the class first")
    return stage


def _scratch() -> Sdf.Layer:
    """Somewhere to try a mark before the stage is touched: Kit turns what a command raises into a line of its log."""
    from pxr import Sdf

    return Sdf.Layer.CreateAnonymous()
