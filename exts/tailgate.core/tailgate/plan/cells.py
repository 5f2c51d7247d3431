"""Deficits as cells: class × range band × occlusion band, each with its share of the missing samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.config.budget import Cell
from tailgate.datasets.labels import LabelTable
from tailgate.plan.priors import enough_objects

RANGE_MAX = 60.0
"""No cell reaches beyond this distance [m]."""
OCCLUSION_BANDS = ((0.0, 0.1), (0.1, 0.4), (0.4, 0.8))
_NEAREST = 5.0
"""Nearest range [m] of bands that are not drawn from labels."""
_BAND_MIN = 3.0
"""Narrowest range band [m]."""
_COUNTED_PIXELS, _COUNTED_HITS = 100, 5


@dataclass(frozen=True)
class Split:
    """How deficits are split.

    Attributes:
        bands: range bands per class, of equal share.
        occlusion: split by occlusion too.
        focal_px: focal length [px] that decides how far an object still covers 100 px.
        ray_deg2: solid angle of one LiDAR ray [deg²] that decides how far it still gets 5 returns.
    """

    bands: int = 3
    occlusion: bool = False
    focal_px: float = 600.0
    ray_deg2: float = 0.08


def make_cells(table: LabelTable, deficits: dict[str, int], outputs: dict[str, str], split: Split) -> tuple[list[Cell], list[str]]:
    """Turn deficits into cells whose targets add up to them.

    Range bands are quantile bands of the class's own labels up to the distance at which an object of its median size still counts (at most 60 m), so
    each band holds the same share of real objects and of the target. With too few different objects the bands are equal steps up to that distance.

    Args:
        table: the labels.
        deficits: missing samples per source class.
        outputs: output class per source class.
        split: options.

    Returns:
        The cells and sentences for the user.
    """
    cells, said = [], []
    for name, missing in deficits.items():
        edges, notes = _range_bands(table, name, split)
        said += notes
        occlusions = OCCLUSION_BANDS if split.occlusion else (None,)
        parts = _occlusion_shares(table, name) if split.occlusion else [1.0]
        shares = np.outer(np.full(len(edges), 1 / len(edges)), parts).ravel()
        pairs = [(band, occlusion) for band in edges for occlusion in occlusions]
        have = table.counts()[name]
        for (band, occlusion), target in zip(pairs, apportion(missing, shares), strict=True):
            if target:
                why = f"{have:,} of {have + missing:,} labelled" + (f"; {target:,} of the {missing:,} missing" if target < missing else "")
                cells.append(Cell(**{"class": outputs[name]}, range=band, occlusion=occlusion, target=target, why=why))
    return cells, said


def apportion(total: int, shares: np.ndarray) -> list[int]:
    """Split ``total`` by ``shares`` into whole numbers that add up to it (largest remainder, ties to the first)."""
    exact = total * np.asarray(shares, dtype=np.float64) / np.sum(shares)
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole.tolist()


def visible_range(width: float, height: float, split: Split) -> float:
    """Distance [m] up to which a face of width × height [m] covers 100 px or gets 5 LiDAR returns, at most RANGE_MAX."""
    by_pixels = np.sqrt(width * height / _COUNTED_PIXELS) * split.focal_px
    by_rays = np.rad2deg(np.sqrt(width * height / (_COUNTED_HITS * split.ray_deg2)))
    return min(RANGE_MAX, float(max(by_pixels, by_rays)))


def _range_bands(table: LabelTable, name: str, split: Split) -> tuple[list[tuple[float, float] | None], list[str]]:
    rows = table.rows_of(name)
    rows = rows[np.isfinite(table.centre[rows, 0]) & np.isfinite(table.size[rows, 0])]
    if not len(rows):
        return [None], []
    side = np.sort(np.median(table.size[rows], axis=0)[:2])
    limit = visible_range(float(side[0]), float(np.median(table.size[rows, 2])), split)
    near = rows[table.range[rows] <= limit]
    far, notes = 1 - len(near) / len(rows), []
    if far >= 0.005:
        seen = "" if limit == RANGE_MAX else f", where one gives fewer than {_COUNTED_PIXELS} px and {_COUNTED_HITS} LiDAR returns"
        notes.append(f"{far:.0%} of the {name} boxes lie beyond {limit:.0f} m{seen}: no cell asks for those")
    tracks = {table.track[r] for r in near}
    if enough_objects(len(near), 0 if "" in tracks else len(tracks)):
        return _quantile_bands(table.range[near], split.bands), notes
    n, noun = (len(near), "box") if "" in tracks else (len(tracks), "different object")
    what = f"{n} {noun}{'' if n == 1 else 'es' if noun == 'box' else 's'}"
    notes.append(f"{name}: {what} within {limit:.0f} m cannot say at which ranges it stands; the bands are equal steps")
    edges = np.round(np.linspace(min(_NEAREST, limit / 2), limit, split.bands + 1)).tolist()
    return list(zip(edges[:-1], edges[1:], strict=True)), notes


def _quantile_bands(distance: np.ndarray, bands: int) -> list[tuple[float, float] | None]:
    inner = [float(round(q)) for q in np.quantile(distance, np.arange(1, bands) / bands)]
    low, high = float(np.floor(distance.min())), float(np.ceil(distance.max()))
    edges = [low]
    for edge in inner:
        if edge - edges[-1] >= _BAND_MIN and high - edge >= _BAND_MIN:
            edges.append(edge)
    edges.append(max(high, edges[-1] + 1.0))
    return list(zip(edges[:-1], edges[1:], strict=True))


def _occlusion_shares(table: LabelTable, name: str) -> list[float]:
    """Measured share of each occlusion band, at least a tenth each; equal where the labels do not tell."""
    hidden = table.occluded[table.rows_of(name)]
    hidden = hidden[np.isfinite(hidden)]
    if not len(hidden):
        return [1 / len(OCCLUSION_BANDS)] * len(OCCLUSION_BANDS)
    counts = np.array([np.sum((hidden >= low) & (hidden < high)) for low, high in OCCLUSION_BANDS], dtype=np.float64)
    shares = np.maximum(counts / max(counts.sum(), 1), 0.1)
    return (shares / shares.sum()).tolist()
