"""Fréchet distance of two samples of features, as if both were Gaussian: FID with the features of an Inception network (Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np

from tailgate.validate.samples import checked_pair


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """|mean difference|² + tr(A + B - 2 (A B)^½), in the squared unit of the features (Dowson & Landau 1982).

    A and B are the sample covariances (divided by n - 1), nothing is added to their diagonals. Estimates of small samples are too large: compare
    numbers at equal n only, and use ``kid`` below a few thousand rows.

    Args:
        x, y: finite features [n, D] and [m, D], two rows or more each.

    Raises:
        UserError: NaN or infinity, another width, or fewer than two rows.
    """
    x, y = checked_pair(x, y)
    a, b = (np.atleast_2d(np.cov(s, rowvar=False)) for s in (x, y))
    shift = x.mean(axis=0) - y.mean(axis=0)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ b @ root)
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2.0 * np.sqrt(np.maximum(shared, 0.0)).sum())
