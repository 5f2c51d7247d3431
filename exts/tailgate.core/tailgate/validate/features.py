"""The built-in backbone: local geometry of every point of a crop. Deterministic, frozen, needs no training."""

from __future__ import annotations

import numpy as np

from tailgate.validate.crops import Crop

NAMES = ("linearity", "planarity", "scattering", "surface_variation", "normal_z", "height", "intensity")
"""Features in order, all in 0..1 but for outliers in height; crops without intensity have all but the last."""
NEIGHBOURS = 16
MIN_POINTS = 6
"""Smallest crop with features: fewer points span no meaningful neighbourhood."""


def point_features(crop: Crop) -> np.ndarray:
    """Features of each point of a crop, float32 [n, 7] (LiDAR) or [n, 6] (RGB-D); [0, ·] for a crop of fewer than MIN_POINTS points.

    With λ1 ≥ λ2 ≥ λ3 the eigenvalues of the covariance of the 16 nearest points of the crop (all where it has fewer): linearity (λ1-λ2)/λ1,
    planarity (λ2-λ3)/λ1, scattering λ3/λ1 (Weinmann et al. 2015), surface variation 3 λ3/(λ1+λ2+λ3) (Pauly et al. 2002, scaled to 0..1),
    |z| of the local normal, height above the middle of the box as a share of its height + ½ (clipped to -½..1½), intensity 0..1.
    """
    width = len(NAMES) - (crop.intensity is None)
    points = crop.points.astype(np.float64)
    if len(points) < MIN_POINTS:
        return np.zeros((0, width), dtype=np.float32)
    values, vectors = np.linalg.eigh(_local_covariance(points))
    l3, l2, l1 = np.maximum(values, 0.0).T
    scale = np.maximum(l1, 1e-12)
    height = np.clip(points[:, 2] / max(crop.size[2], 1e-3) + 0.5, -0.5, 1.5)
    columns = [(l1 - l2) / scale, (l2 - l3) / scale, l3 / scale, 3 * l3 / np.maximum(l1 + l2 + l3, 1e-12), np.abs(vectors[:, 2, 0]), height]
    if crop.intensity is not None:
        columns.append(np.clip(crop.intensity, 0.0, 1.0))
    return np.stack(columns, axis=1).astype(np.float32)


def _local_covariance(points: np.ndarray) -> np.ndarray:
    """Covariance [n, 3, 3] of each point's nearest points, itself included."""
    from scipy.spatial import cKDTree

    _, index = cKDTree(points).query(points, k=min(NEIGHBOURS, len(points)))
    near = points[index]
    near -= near.mean(axis=1, keepdims=True)
    return near.transpose(0, 2, 1) @ near / near.shape[1]


def local_covariance_twin(points: np.ndarray) -> np.ndarray:
    """Readable twin of the neighbourhood covariance: all distances, one point after the other."""
    out = []
    for p in points:
        nearest = np.argsort(np.linalg.norm(points - p, axis=1), kind="stable")[: min(NEIGHBOURS, len(points))]
        out.append(np.cov(points[nearest].T, bias=True))
    return np.array(out)
