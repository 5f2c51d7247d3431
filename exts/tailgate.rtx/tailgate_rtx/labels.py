"""What the renderer's prims are called: paths, as its annotators name them, to Tailgate's ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tailgate.stage.extract import OBJECTS, Mover, world_correction
from tailgate.stage.labels import get_label

if TYPE_CHECKING:
    from pxr import Usd

Row = tuple[int, int, int]
"""Semantic id, instance id, row of the mover (-1: none)."""
NOTHING: Row = (0, 0, -1)


class Paths:
    """Ids of prims by path, looked up once.

    A prim below a mover is the mover's; any other has the label of the nearest labelled prim at or above it, as in the embedded renderer. The labels
    that annotators join with commas are not needed, nor are their ids, which differ from run to run.

    Args:
        stage: the stage.
        movers: movers of the stage, in the order of their rows.
        labels: class name -> semantic id.

    Attributes:
        T_world_stage: from the stage's unit and axes to metres and z up, [4, 4].
    """

    def __init__(self, stage: Usd.Stage, movers: list[Mover], labels: Mapping[str, int]):
        self._stage, self._labels = stage, labels
        self.T_world_stage = world_correction(stage)
        self._movers = {str(m.prim.GetPath()): (labels.get(m.label or "", 0), m.instance, row) for row, m in enumerate(movers)}
        self._known: dict[str, Row] = {}

    def row(self, path: str) -> Row:
        """Ids of a prim; nothing for a path that the stage does not hold."""
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def _find(self, path: str) -> Row:
        if path.startswith(OBJECTS + "/"):
            return self._movers.get("/".join(path.split("/")[: OBJECTS.count("/") + 2]), NOTHING)
        prim = self._stage.GetPrimAtPath(path) if path.startswith("/") else None
        return (self._labels.get(get_label(prim, "class") or "", 0), 0, -1) if prim else NOTHING

    def table(self, id_to_path: Mapping[Any, Any]) -> dict[int, Row]:
        """Rows by id of what an annotator calls ``idToLabels``; background and unlabelled prims are left out."""
        return {int(i): self.row(str(path)) for i, path in id_to_path.items() if str(path).startswith("/")}
