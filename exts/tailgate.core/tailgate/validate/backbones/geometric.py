"""The backbone of clouds: local geometry of every point of a crop. Deterministic, needs no training."""

from __future__ import annotations

import numpy as np

from tailgate.validate.backbones.protocol import Backbone, backbones
from tailgate.validate.crops import Crop

NAMES = (
    "linearity",
    "planarity",
    "scattering",
    "surface_variation",
    "normal_z",
    "normal_variation",
    "curvature",
    "height",
    "intensity",
)
"""Features in order, all in 0..1 but for outliers in height; crops without intensity have all but the last."""
NEIGHBOURS = 16
MIN_POINTS = 6
"""Smallest crop with features: fewer points span no meaningful neighbourhood."""


@backbones.register
class Geometric(Backbone):
    """Local geometry of the points, whatever sensor they come from."""

    name = "geometric"


def shape_features(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape of neighbourhoods from their covariances [n, 3, 3]: features [n, 4] and unit normals [n, 3], float64.

    With eigenvalues λ1 ≥ λ2 ≥ λ3: linearity (λ1-λ2)/λ1, planarity (λ2-λ3)/λ1, scattering λ3/λ1 (Weinmann et al. 2015), surface variation
    3 λ3/(λ1+λ2+λ3) (Pauly et al. 2002, scaled to 0..1). The normal is the eigenvector of λ3, its sign undefined.
    """
    values, vectors = np.linalg.eigh(covariance)
    l3, l2, l1 = np.maximum(values, 0.0).T
    scale = np.maximum(l1, 1e-12)
    return np.stack([(l1 - l2) / scale, (l2 - l3) / scale, l3 / scale, 3 * l3 / np.maximum(l1 + l2 + l3, 1e-12)], axis=1), vectors[:, :, 0]


def point_features(crop: Crop) -> np.ndarray:
    """Features of each point of a crop, float32 [n, 9] (LiDAR) or [n, 8] (no intensity); [0, ·] for a crop of fewer than MIN_POINTS points.

    Over the 16 nearest points of the crop (all where it has fewer): ``shape_features``; |z| of the local normal; normal variation, the mean of
    1 - |cos| between the point's normal and its neighbours'; curvature, the distance of the point from the middle of its neighbours along the
    normal as a share of the neighbourhood's radius; height above the middle of the box as a share of its height + ½ (clipped to -½..1½);
    intensity 0..1.
    """
    width = len(NAMES) - (crop.intensity is None)
    points = crop.points.astype(np.float64)
    if len(points) < MIN_POINTS:
        return np.zeros((0, width), dtype=np.float32)
    index = _neighbours(points)
    near = points[index]
    middle = near.mean(axis=1)
    shape, normals = shape_features(_covariance(near))
    turned = 1.0 - np.abs(np.einsum("nd,nkd->nk", normals, normals[index])).mean(axis=1)
    radius = np.sqrt(np.square(near - middle[:, None]).sum(axis=2).mean(axis=1))
    bulge = np.abs(np.sum((points - middle) * normals, axis=1)) / np.maximum(radius, 1e-9)
    height = np.clip(points[:, 2] / max(crop.size[2], 1e-3) + 0.5, -0.5, 1.5)
    columns = [*shape.T, np.abs(normals[:, 2]), turned, np.minimum(bulge, 1.0), height]
    if crop.intensity is not None:
        columns.append(np.clip(crop.intensity, 0.0, 1.0))
    return np.stack(columns, axis=1).astype(np.float32)


def _neighbours(points: np.ndarray) -> np.ndarray:
    """Each point's nearest points, itself included: indices [n, k]."""
    from scipy.spatial import cKDTree

    return cKDTree(points).query(points, k=min(NEIGHBOURS, len(points)))[1]


def _covariance(near: np.ndarray) -> np.ndarray:
    """Covariance [n, 3, 3] of neighbourhoods [n, k, 3]."""
    near = near - near.mean(axis=1, keepdims=True)
    return near.transpose(0, 2, 1) @ near / near.shape[1]


def local_covariance_twin(points: np.ndarray) -> np.ndarray:
    """Readable twin of the neighbourhood covariance: all distances, one point after the other."""
    out = []
    for p in points:
        nearest = np.argsort(np.linalg.norm(points - p, axis=1), kind="stable")[: min(NEIGHBOURS, len(points))]
        out.append(np.cov(points[nearest].T, bias=True))
    return np.array(out)
