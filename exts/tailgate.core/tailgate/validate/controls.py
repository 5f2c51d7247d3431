"""Negative controls: data made wrong on purpose. A metric may gate only where it tells them from real data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tailgate.rng import stream_key
from tailgate.validate.crops import MARGIN, RESAMPLED, Crop, resample
from tailgate.validate.sketch import Statistic

MIN_LEFT = 8
"""Fewest points of a control: sensors give no crop of fewer."""


def is_rate(statistic: Statistic) -> bool:
    """Whether the statistic counts kept and missing (two bins)."""
    return statistic.shape[1] == 2


def is_signed(statistic: Statistic) -> bool:
    """Whether the bins are symmetric about 0, as those of a residual."""
    edges = np.asarray(statistic.edges)
    return edges[0] < 0 and not is_rate(statistic) and bool(np.allclose(edges, -edges[::-1]))


def statistic_control(statistic: Statistic) -> tuple[str, np.ndarray]:
    """The control that fits a statistic: its name and the matrix [B, B] that turns a histogram (row) into the control's.

    Rates: nothing missing. Residuals and lengths in metres: noise doubled. Shares within 0..1: inverted. Anything else: all in the lowest bin.
    """
    bins, edges = statistic.shape[1], np.asarray(statistic.edges)
    lowest = np.tile(np.eye(bins)[0], (bins, 1))
    if is_rate(statistic):
        return "nothing missing", lowest
    if is_signed(statistic) or statistic.unit in ("m", "mm", "m²"):
        return "noise doubled", _stretch(edges, 2.0)
    if edges[0] >= -0.05 and edges[-1] <= 1.05:
        return "inverted", np.eye(bins)[::-1]
    return "all in the lowest bin", lowest


def _stretch(edges: np.ndarray, factor: float) -> np.ndarray:
    """Histogram of factor * value, the mass of a bin spread evenly inside it; beyond the edges it goes to the outer bins."""
    out = np.zeros((len(edges) - 1, len(edges) - 1))
    for i, (low, high) in enumerate(zip(factor * edges[:-1], factor * edges[1:], strict=True)):
        inner = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
        out[i] = np.maximum(np.minimum(high, inner[1:]) - np.maximum(low, inner[:-1]), 0.0) / (high - low)
    return out


def blob(crop: Crop) -> Crop:
    """A Gaussian cloud of the right size in place of the object: half the box's extent is two standard deviations."""
    rng = _stream("blob", crop)
    return _replaced(crop, rng.normal(size=(len(crop.points), 3)) * (np.asarray(crop.size) / 4), rng)


def hollow_box(crop: Crop) -> Crop:
    """The surface of the object's box, evenly covered."""
    rng, size = _stream("hollow_box", crop), np.asarray(crop.size)
    points = (rng.random((len(crop.points), 3)) - 0.5) * size
    area = np.repeat([size[1] * size[2], size[0] * size[2], size[0] * size[1]], 2)
    face = rng.choice(6, size=len(points), p=area / area.sum())
    points[np.arange(len(points)), face // 2] = np.where(face % 2, 0.5, -0.5) * size[face // 2]
    return _replaced(crop, points, rng)


def shifted_box(crop: Crop) -> Crop | None:
    """The box half a metre off in a random horizontal direction, holding what then lies in it; None where a crop has no box or nothing is left."""
    if crop.axes != "box":
        return None
    rng = _stream("shifted_box", crop)
    turn = rng.uniform(0.0, 2 * np.pi)
    points = crop.points + SHIFT * np.array([np.cos(turn), np.sin(turn), 0.0])
    inside = (np.abs(points[:, :2]) <= np.asarray(crop.size[:2]) / 2 + MARGIN).all(axis=1)
    return _kept(crop, points, inside, rng)


def doubled_noise(crop: Crop) -> Crop:
    """Every point twice as far from the plane of its eight nearest ones."""
    from scipy.spatial import cKDTree

    points = crop.points.astype(np.float64)
    near = points[cKDTree(points).query(points, k=min(9, len(points)))[1][:, 1:]]
    middle = near.mean(axis=1)
    spread = near - middle[:, None]
    normal = np.linalg.eigh(spread.transpose(0, 2, 1) @ spread)[1][:, :, 0]
    off = np.sum((points - middle) * normal, axis=1, keepdims=True)
    return _replaced(crop, points + off * normal, _stream("doubled_noise", crop))


def half_density(crop: Crop) -> Crop | None:
    """Every second point is missing; None where more are missing from the crop already, which keeps a limited number of points."""
    rng, left = _stream("half_density", crop), crop.count // 2
    if left >= len(crop.points):
        return None
    kept = np.zeros(len(crop.points), dtype=bool)
    kept[rng.choice(len(crop.points), left, replace=False)] = True
    return _kept(crop, crop.points, kept, rng)


SHIFT = 0.5
"""How far a shifted box lies off [m]."""
REQUIRED = ("blob", "hollow box")
"""Controls that a metric of the class gate must reject to gate: a shape of the right size that is not the object."""
WRONG_CLASS = {"another class": 1.0, "20 % of another class": 0.2}
"""Controls of a batch that take a share of its crops from other real classes of the same size."""
REQUIRED_UNSEEN = ("another class",)
"""What takes the place of REQUIRED where features come from images: no image shows a blob."""
CROP_CONTROLS: dict[str, Callable[[Crop], Crop | None]] = {
    "blob": blob,
    "hollow box": hollow_box,
    "box shifted 0.5 m": shifted_box,
    "noise doubled": doubled_noise,
    "density halved": half_density,
}
"""Negative controls of crops by name; None where one does not apply to a crop."""


def _stream(kind: str, crop: Crop) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=stream_key(kind, crop.frame, crop.modality, crop.instance)))


def _replaced(crop: Crop, points: np.ndarray, rng: np.random.Generator) -> Crop:
    """The crop with other points; what an image backbone saw of the true ones stays behind."""
    return replace(crop, points=points.astype(np.float32), resampled=resample(points, RESAMPLED, rng), features=None)


def _kept(crop: Crop, points: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> Crop | None:
    if kept.sum() < MIN_LEFT:
        return None
    rows = {name: None if getattr(crop, name) is None else getattr(crop, name)[kept] for name in ("intensity", "features")}
    changed = _replaced(crop, points[kept], rng)
    return replace(changed, count=int(crop.count * kept.mean()), **rows)
