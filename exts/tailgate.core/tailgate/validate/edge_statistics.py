"""Statistics of the depth edges of a measured depth image: missing bands, mixed pixels, ragged outlines, and where labels and colours put the edge.

* ``edge_fattening`` [px]: width of the missing band beside a depth edge.
* ``edge_roughness`` [px]: second difference of an edge's column over rows.
* ``mixed_pixels``: edges crossed by a pixel between both surfaces.
* ``label_edges`` [px]: distance along the row from a depth edge to the nearest change of the instance label, where one is within LABEL_REACH.
* ``colour_edges`` [px]: how far the near surface's depth reaches beyond the strongest colour edge around, negative where it stays behind it.
"""

from __future__ import annotations

import numpy as np

from tailgate.validate.depth_image import DepthImage, Steps
from tailgate.validate.sketch import Sketch, Statistic, edges_below

JUMP = (0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.37, 0.45, 0.55, 0.7)
"""Limits of the strata of an edge's step in inverse depth [1/m]."""
ROUGHNESS_ROWS = (1, 4)
LABEL_REACH = 10
"""Label changes further from a depth edge belong to another one [px]."""
INWARD, OUTWARD = 12, 8
"""How far from the depth edge a colour edge is looked for, towards the near surface and away from it [px]."""
CONTRAST = 0.12
"""Change of luminance across two pixels (share of white) that makes a colour edge."""

_PX = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 32.0, 49.0)
_BEND = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 17.0)
_RATE = (0.0, 0.5, 1.0)
_SIDES = ("left", "right", "top")


def _jump_names() -> tuple[str, ...]:
    limits = [f"{v:g}" for v in JUMP]
    return (f"step < {limits[0]} 1/m", *(f"step {a}-{b} 1/m" for a, b in zip(limits, limits[1:], strict=False)), f"step > {limits[-1]} 1/m")


_EDGE_STRATA = tuple(f"{side}, {jump}" for side in _SIDES for jump in _jump_names())

EDGE_STATISTICS: dict[str, Statistic] = {
    "edge_fattening": Statistic("edge_fattening", "px", _PX, _EDGE_STRATA),
    "edge_roughness": Statistic("edge_roughness", "px", _BEND, tuple(f"{r} rows" for r in ROUGHNESS_ROWS)),
    "mixed_pixels": Statistic("mixed_pixels", "share", _RATE, ("left", "right")),
    "label_edges": Statistic("label_edges", "px", tuple(k - 0.5 for k in range(LABEL_REACH + 2)), ("left", "right")),
    "colour_edges": Statistic("colour_edges", "px", tuple(k - 0.5 for k in range(-OUTWARD, INWARD + 2)), ("left", "right")),
}
"""Edge statistics by name."""


def add_edges(sketch: Sketch, image: DepthImage, rows: Steps, columns: Steps) -> None:
    """Count EDGE_STATISTICS: bands on the left, right and top of surfaces, everything else on their left and right edges."""
    width = image.inverse.shape[1]
    for side, line, rising in (("left", rows, True), ("right", rows, False), ("top", columns, True)):
        use = line.is_edge & ((line.jump > 0) == rising)
        stratum = _SIDES.index(side) * (len(JUMP) + 1) + edges_below(np.abs(line.jump[use]), JUMP)
        sketch.add(EDGE_STATISTICS["edge_fattening"], stratum, line.gap[use].astype(np.float64))
        if line is rows:
            near = line.second[use] if rising else line.first[use]
            _add_roughness(sketch, near, width)
            _add_colour(sketch, image, near, rising)
    _add_mixed(sketch, rows)
    _add_labels(sketch, image, rows)


def _add_labels(sketch: Sketch, image: DepthImage, rows: Steps) -> None:
    owner, width = image.instance.ravel(), image.inverse.shape[1]
    changes = rows.second[owner[rows.first] != owner[rows.second]]
    edges, rising = rows.second[rows.is_edge], rows.jump[rows.is_edge] > 0
    nearest = _nearest_column(changes, edges, width, LABEL_REACH)
    found = nearest >= 0
    away = np.abs(nearest - edges)[found].astype(np.float64)
    sketch.add(EDGE_STATISTICS["label_edges"], np.where(rising[found], 0, 1), away)


def _add_colour(sketch: Sketch, image: DepthImage, near: np.ndarray, rising: bool) -> None:
    """``near`` are the flat indices of the near surface's last pixels; the far surface lies to their left where the step is ``rising``."""
    if image.luma is None or not len(near):
        return
    width, outward = image.inverse.shape[1], -1 if rising else 1
    y, x = np.divmod(near, width)
    inside = (x >= INWARD + 2) & (x < width - INWARD - 2)
    y, x = y[inside, None], x[inside, None]
    offset = np.arange(-INWARD, OUTWARD + 1)[None]
    at = x + outward * offset
    change = np.abs(image.luma[y, at + 1] - image.luma[y, at - 1])
    best = change.argmax(axis=1)
    strong = change[np.arange(len(best)), best] >= CONTRAST
    sketch.add(EDGE_STATISTICS["colour_edges"], np.full(int(strong.sum()), 0 if rising else 1), -offset[0, best[strong]].astype(np.float64))


def _add_mixed(sketch: Sketch, rows: Steps) -> None:
    """An edge is mixed where the next step is an edge of the same sense, through one pixel that touches either side."""
    edge, jump, gap = rows.is_edge, rows.jump, rows.gap
    same_sense = (jump[:-1] > 0) == (jump[1:] > 0)
    chained = (rows.second[:-1] == rows.first[1:]) & edge[:-1] & edge[1:] & same_sense & (np.minimum(gap[:-1], gap[1:]) == 0)
    mixed, follower = np.append(chained, False), np.append(False, chained)
    use = edge & ~follower
    sketch.add(EDGE_STATISTICS["mixed_pixels"], np.where(jump[use] > 0, 0, 1), mixed[use].astype(np.float64))


def _add_roughness(sketch: Sketch, near: np.ndarray, width: int) -> None:
    """Second difference of an edge's column over rows; ``near`` are flat indices of the near pixels of one sense."""
    near = np.sort(near)
    for k, lag in enumerate(ROUGHNESS_ROWS):
        limit = 2 + lag
        above, below = (_nearest_column(near, near + s * lag * width, width, limit) for s in (-1, 1))
        both = (above >= 0) & (below >= 0)
        x = near[both] % width
        bend = np.abs(above[both] % width - 2 * x + below[both] % width).astype(np.float64)
        sketch.add(EDGE_STATISTICS["edge_roughness"], np.full(len(bend), k), bend)


def _nearest_column(sorted_at: np.ndarray, wanted: np.ndarray, width: int, limit: int) -> np.ndarray:
    """Member of ``sorted_at`` nearest to each wanted index, within ``limit`` columns of its row; -1 where there is none, the left one on ties."""
    if not len(sorted_at):
        return np.full(len(wanted), -1)
    right = np.searchsorted(sorted_at, wanted)
    best = np.full(len(wanted), -1)
    distance = np.full(len(wanted), limit + 1)
    for candidate in (sorted_at[np.maximum(right - 1, 0)], sorted_at[np.minimum(right, len(sorted_at) - 1)]):
        away = np.abs(candidate - wanted)
        better = (away < distance) & (candidate // width == wanted // width)
        best, distance = np.where(better, candidate, best), np.where(better, away, distance)
    return best
