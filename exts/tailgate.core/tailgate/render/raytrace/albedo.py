"""What a GGX surface mirrors of a uniform environment: a table by angle and roughness, from the micro-facets of ``shading.ggx`` themselves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

CELLS = 20
LAST = wp.constant(CELLS - 1)
"""Rows of the table by the root of the cosine and columns by roughness, both from 0 to 1; the last of each."""


@wp.func
def mirrored_shares(table: wp.array2d(dtype=wp.vec2), roughness: float, n_v: float) -> wp.vec2:
    """Interpolated entry of ``share_table``."""
    x = wp.sqrt(wp.clamp(n_v, 0.0, 1.0)) * float(LAST)
    y = wp.clamp(roughness, 0.0, 1.0) * float(LAST)
    i = wp.min(int(x), LAST - 1)
    j = wp.min(int(y), LAST - 1)
    a = x - float(i)
    b = y - float(j)
    return (table[i, j] * (1.0 - b) + table[i, j + 1] * b) * (1.0 - a) + (table[i + 1, j] * (1.0 - b) + table[i + 1, j + 1] * b) * a


def ggx_shares(n_v: np.ndarray, roughness: np.ndarray, steps: int = 32) -> np.ndarray:
    """Factors on the reflectance head-on and on that at grazing incidence, which add up to what is mirrored of a uniform environment (the split sum
    of Karis 2013, with Smith's masking on either side), by the midpoints of ``steps``^2 visible micro-normals (Heitz 2018).

    Args:
        n_v: cosine of the view [N], above 0.
        roughness: [N].
        steps: of the rule in either number.

    Returns:
        float64 [N, 2].
    """
    a = np.maximum(roughness**2, 0.003)[:, None, None]
    cosine = n_v[:, None, None]
    u, v = (np.mgrid[:steps, :steps] + 0.5) / steps
    side = np.sqrt(1 - cosine**2)
    length = np.hypot(a * side, cosine)
    sx, sz = a * side / length, cosine / length
    p, q = np.sqrt(u) * np.cos(2 * np.pi * v), np.sqrt(u) * np.sin(2 * np.pi * v)
    lean = 0.5 * (1 + sz)
    q = (1 - lean) * np.sqrt(1 - p**2) + lean * q
    up = np.sqrt(np.maximum(1 - p**2 - q**2, 0))
    h = np.stack(np.broadcast_arrays(a * (up * sx - q * sz), a * p, np.maximum(up * sz + q * sx, 1e-6)))
    h /= np.linalg.norm(h, axis=0)
    v_h = h[0] * side + h[2] * cosine
    n_l = np.maximum(2 * v_h * h[2] - cosine, 0.0)
    kept = 2 * n_l / (n_l + np.sqrt(a**2 + (1 - a**2) * n_l**2))
    edge = (1 - np.clip(v_h, 0, 1)) ** 5
    return np.stack([(kept * (1 - edge)).mean((1, 2)), (kept * edge).mean((1, 2))], -1)


@lru_cache(maxsize=4)
def share_table(device: str) -> wp.array:
    """``ggx_shares`` on a device, float32 [CELLS, CELLS, 2]."""
    axis = np.linspace(0, 1, CELLS)
    n_v, roughness = np.meshgrid(np.maximum(axis, 0.02) ** 2, axis, indexing="ij")
    table = ggx_shares(n_v.ravel(), roughness.ravel()).reshape(CELLS, CELLS, 2)
    return wp.array(table.astype(np.float32), dtype=wp.vec2, device=device)
