"""Trees and hedges: trunks with branches, crowns of leaf facets around lobes.

Sizes: street trees 5-12 m high with crowns of 3-7 m and trunks of 0.1-0.35 m (USDA urban tree database, McPherson et al. 2016).
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.looks import Color, Look, Part
from tailgate.assets.mesh_kit import Mesh, ellipsoid, join, spline, tube, unit

GREENS: tuple[Color, ...] = ((0.045, 0.10, 0.022), (0.075, 0.14, 0.03), (0.03, 0.075, 0.025), (0.11, 0.15, 0.03))
BARK = Look((0.11, 0.085, 0.065), 0.35, 0.95)


def leaves(centres: np.ndarray, radii: np.ndarray, count: int, size: float, stream: np.random.Generator) -> Mesh:
    """Leaf clusters: ``count`` kites of about ``size`` metres near the surface of ellipsoids (``centres`` [N, 3], ``radii`` [N, 3])."""
    lobe = stream.integers(len(centres), size=count)
    direction = unit(stream.normal(size=(count, 3)))
    position = centres[lobe] + radii[lobe] * direction * stream.uniform(0.72, 1.08, (count, 1))
    normal = unit(direction + stream.normal(scale=0.7, size=(count, 3)))
    across = unit(np.cross(normal, stream.normal(size=(count, 3))))
    along = np.cross(normal, across)
    half = size * stream.uniform(0.6, 1.3, (count, 1)) / 2
    kite = np.stack([position - along * half, position + across * half * 0.8, position + along * half, position - across * half * 0.8], 1)
    first = 4 * np.arange(count)[:, None]
    return Mesh(kite.reshape(-1, 3), np.concatenate([first + [0, 1, 2], first + [0, 2, 3]], 1).reshape(-1, 3))


def _lumpy(mesh: Mesh, amount: float, stream: np.random.Generator) -> Mesh:
    """Move points along their direction from the centre by a smooth random field."""
    waves, shifts = stream.normal(size=(6, 3)) * 2.2, stream.uniform(0, 6.28, 6)
    scale = np.abs(mesh.points).max()
    field = np.sin(mesh.points / scale @ waves.T + shifts).mean(1, keepdims=True)
    return Mesh(mesh.points * (1 + amount * field), mesh.triangles)


def tree(height: float, crown: float, slim: float, color: Color, stream: np.random.Generator) -> list[Part]:
    """A broad-leaved tree: ``height``, crown diameter [m], ``slim`` > 1 for a tall crown. About 2,500 triangles."""
    start, radius = min(2.6, 0.35 * height), 0.022 * height + 0.02
    top = np.array([stream.normal(scale=0.15), stream.normal(scale=0.15), height * 0.78])
    trunk = [
        tube(
            spline([(0, 0, -0.05), (top[0] * 0.2, top[1] * 0.2, start), top], 8),
            np.linspace(radius, radius * 0.25, 8) + np.array([0.05, 0.01, 0, 0, 0, 0, 0, 0]),
            9,
        )
    ]
    middle = np.array([0, 0, (start + height) / 2 + 0.1 * height])
    lobes, radii = [middle], [np.array([0.36, 0.36, 0.30 * slim]) * crown]
    for k in range(9):
        a, up = 2 * np.pi * (k + stream.uniform(-0.3, 0.3)) / 5.0, stream.uniform(-0.6, 0.75)
        spread = np.sqrt(1 - 0.8 * abs(up)) * 0.33 * crown
        lobe = middle + [spread * np.cos(a), spread * np.sin(a), up * (height - start) * 0.40]
        lobes.append(lobe)
        radii.append(np.array([1, 1, 0.85 * slim]) * crown * stream.uniform(0.15, 0.24))
        fork = np.array([top[0] * 0.4, top[1] * 0.4, start + stream.uniform(0.0, 0.3) * (height - start)])
        trunk.append(tube(spline([fork, (fork + lobe) / 2 + [0, 0, 0.15], lobe], 5), np.linspace(radius * 0.42, 0.02, 5), 6))
    core = join(*(_lumpy(ellipsoid(r * 0.68, (0, 0, 0), 9, 7), 0.25, stream).moved(*c) for c, r in zip(lobes, radii, strict=True)))
    foliage = leaves(np.array(lobes), np.array(radii), 1100, 0.055 * crown + 0.06, stream)
    dark = tuple(0.45 * c for c in color)
    return [
        Part("bark", BARK, join(*trunk), 60),
        Part("leaves", Look(color, 0.5, 0.9), foliage, 1),
        Part("leaves_inner", Look(dark, 0.42, 0.95), core, 70),
    ]


def hedge(length: float, height: float, depth: float, color: Color, stream: np.random.Generator) -> list[Part]:
    """A clipped hedge along x, base at z = 0."""
    count = max(2, int(length / 0.8))
    x = np.linspace(-length / 2 + 0.3, length / 2 - 0.3, count)
    wobble = stream.uniform(0.92, 1.05, (count, 2))
    body = tube(
        np.column_stack([x, 0 * x, np.full(count, height * 0.48)]), np.column_stack([depth * 0.42 * wobble[:, 0], height * 0.46 * wobble[:, 1]]), 8
    )
    centres = np.column_stack([x, 0 * x, np.full(count, height * 0.5)])
    radii = np.column_stack([np.full(count, length / count * 0.6), np.full(count, depth * 0.62), np.full(count, height * 0.56)])
    facets = leaves(centres, radii, int(75 * length * height), 0.14, stream)
    low = facets.points[:, 2] < 0.02
    facets.points[low, 2] = 0.02
    dark = tuple(0.45 * c for c in color)
    return [Part("leaves", Look(color, 0.5, 0.9), facets, 1), Part("leaves_inner", Look(dark, 0.42, 0.95), body, 40)]
