"""One reading of a stage for all checks: its shapes with their sizes in the world, and a scene to trace rays in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.contexts import LEVEL, Context
from tailgate.stage.extract import FAR_OFF, Extraction
from tailgate.stage.labels import stage_labels
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.geometry.trace import TraceScene
    from tailgate.stage.extract import Span, StageArrays


@dataclass(frozen=True)
class Shape:
    """A shape as it is shown, with all its copies by point instancers.

    Attributes:
        path: of its prim.
        low, high: bounds in the world [m], float64 [3].
        triangles: of one copy.
        copies: how often it is shown.
        flat: triangles without an area.
        area: of one copy, both sides counted once [m²].
        labelled: part of ``area`` whose faces carry a class.
        level: part of ``area`` that faces up, seen from above [m²]; ``height``: its mean height [m].
    """

    path: str
    low: np.ndarray
    high: np.ndarray
    triangles: int
    copies: int
    flat: int
    area: float
    labelled: float
    level: float
    height: float


class Survey:
    """A stage as the renderer reads it.

    Args:
        stage: composed stage; it is only read.
        contexts: its contexts.

    Attributes:
        shapes: what is shown.
        classes: of what is shown, sorted.
    """

    def __init__(self, stage: Usd.Stage, contexts: tuple[Context, ...]):
        self.stage, self.contexts = stage, contexts
        labels = stage_labels(stage, "class")
        extraction = Extraction(stage, {label: k + 1 for k, label in enumerate(labels)})
        self.arrays: StageArrays = extraction.run()
        self.notes, self.time = extraction.notes, extraction.walk.time
        self._slots = np.array(self.arrays.slots, np.int64).reshape(-1, 4)
        self.classes = [label for k, label in enumerate(labels) if (self._slots[:, 1] == k + 1).any()]
        self._copies: dict[int, list[int]] = {}
        for i, (slot, mover) in enumerate(zip(self.arrays.instance_slot, self.arrays.instance_mover, strict=True)):
            if mover < 0:
                self._copies.setdefault(slot, []).append(i)
        self.shapes = [self._measure(span) for span in self.arrays.spans if span.slot in self._copies]

    @cached_property
    def scene(self) -> TraceScene:
        """Everything that is shown, for rays on the CPU."""
        from tailgate.geometry.queries import scene_of

        return scene_of(self.arrays)

    @cached_property
    def together(self) -> list[Shape]:
        """Shapes no further than ``FAR_OFF`` from where most of them are: one that lies astray tells nothing of the scene. The origin is counted as a
        shape, so that of two the nearer one stays."""
        if not self.shapes:
            return []
        low, high = (np.stack([getattr(s, name) for s in self.shapes]) for name in ("low", "high"))
        middle = np.median([*(low + high) / 2, np.zeros(3)], axis=0)
        middle = (low + high)[np.argmin(np.linalg.norm((low + high) / 2 - middle, axis=1))] / 2
        away = np.linalg.norm(np.clip(middle, low, high) - middle, axis=1)
        return [shape for shape, own in zip(self.shapes, away, strict=True) if own <= FAR_OFF]

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of the shapes that lie together [m], two float64 [3]; zeros for an empty stage."""
        if not self.shapes:
            return np.zeros(3), np.zeros(3)
        return np.min([s.low for s in self.together], 0), np.max([s.high for s in self.together], 0)

    def below(self, path: str) -> list[Shape]:
        """Shapes at and below a prim."""
        return [s for s in self.shapes if s.path == path or s.path.startswith(f"{path}/")]

    def _measure(self, span: Span) -> Shape:
        breathe()
        prototype = self.arrays.prototypes[span.prototype]
        copies = self._copies[span.slot]
        faces = slice(span.first, span.first + span.count)
        triangles = prototype.triangles[faces]
        used = prototype.points[np.unique(triangles)].astype(np.float64)
        low, high = used.min(0), used.max(0)
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
        poses = np.stack([self.arrays.instance_pose[i] for i in copies])
        placed = (np.einsum("nij,kj->nki", poses[:, :3, :3], corners) + poses[:, None, :3, 3]).reshape(-1, 3)
        T = poses[0]
        a, b, c = (prototype.points[triangles[:, k]].astype(np.float64) @ T[:3, :3].T + T[:3, 3] for k in range(3))
        normal = 0.5 * np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        up = normal[:, 2] >= LEVEL * np.maximum(area, 1e-30)
        slots = self._slots[self.arrays.instance_slot[copies[0]] + prototype.face_slot[faces]]
        level = normal[up, 2]
        return Shape(
            path=str(span.prim.GetPath()),
            low=placed.min(0),
            high=placed.max(0),
            triangles=span.count,
            copies=len(copies),
            flat=int((area <= 1e-12 * max(float(((high - low) ** 2).sum()), 1e-30)).sum()),
            area=float(area.sum()),
            labelled=float(area[slots[:, 1] > 0].sum()),
            level=float(level.sum()),
            height=float(np.average((a[up, 2] + b[up, 2] + c[up, 2]) / 3, weights=level)) if level.sum() > 0 else float(placed[:, 2].max()),
        )

