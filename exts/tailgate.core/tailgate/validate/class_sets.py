"""A class's crops as a set: the figures the literature reports. They are shown beside what real sets show, and decide nothing.

MMD-CD, coverage and 1-NNA (Achlioptas et al. 2018, Yang et al. 2019) compare shapes; KID (Bińkowski 2018) and the Fréchet distance (Heusel 2017)
compare the mean features of crops by the backbone in use. Without a null they say little: their values depend on the sample size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tailgate.rng import rng
from tailgate.validate.backbones import Backbone
from tailgate.validate.chamfer import chamfer_matrix
from tailgate.validate.crops import Crop
from tailgate.validate.frechet import frechet
from tailgate.validate.mmd import kid
from tailgate.validate.scorecard import Null, Row
from tailgate.validate.sets import compared

UNITS = {"mmd_cd": "m²", "coverage": "1", "one_nna": "1", "kid": "1", "frechet": "1"}
HALVES = 20
"""Random halves of the real groups behind each null."""
MIN_SIDE = 8
"""Fewest crops on either side."""
NOTE = "shown, decides nothing; the null is half of the real groups against the other half"


def set_rows(real: Sequence[Crop], synthetic: Sequence[Crop], backbone: Backbone, base: dict[str, Any], seed: int = 0) -> list[Row]:
    """One row per figure; none with fewer than MIN_SIDE crops on a side.

    Args:
        real: crops of one class, sensor kind and range bin.
        synthetic: the same of the other side, with equal axes.
        backbone: gives features per point; a crop counts by their mean.
        base: fields that all rows share.
        seed: of the halves.
    """
    if min(len(real), len(synthetic)) < MIN_SIDE:
        return []
    crops = [*real, *synthetic]
    clouds, features = np.stack([c.resampled for c in crops]), np.stack([backbone.of_crop(c).mean(axis=0) for c in crops])
    squared = chamfer_matrix(clouds, clouds, squared=True)
    is_real = np.arange(len(crops)) < len(real)
    values = _figures(squared, features, np.flatnonzero(is_real), np.flatnonzero(~is_real))
    groups = np.array([c.group for c in real])
    halves = [h for k in range(HALVES) if min((h := _half(groups, seed, k)).sum(), (~h).sum()) >= MIN_SIDE]
    drawn = [_figures(squared, features, np.flatnonzero(h), np.flatnonzero(~h)) for h in halves]
    nulls = {name: Null.of([d[name] for d in drawn]) if drawn else None for name in UNITS}
    return [Row(name, values[name], UNITS[name], null=nulls[name], verdict="no power", note=NOTE, **base) for name in UNITS]


def _half(groups: np.ndarray, seed: int, k: int) -> np.ndarray:
    names = np.unique(groups)
    return np.isin(groups, rng(seed, "", 0, k, 0, "validate.class_sets").permutation(names)[: len(names) // 2])


def _figures(squared: np.ndarray, features: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    found = compared(squared[np.ix_(a, b)], squared[np.ix_(a, a)], squared[np.ix_(b, b)])
    sides = features[a], features[b]
    return {"mmd_cd": found.mmd, "coverage": found.coverage, "one_nna": found.one_nna, "kid": kid(*sides), "frechet": frechet(*sides)}
