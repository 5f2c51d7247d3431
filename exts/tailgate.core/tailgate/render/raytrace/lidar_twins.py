"""Readable numpy twins of LiDAR rays and of what sensors see of each object, for tests of small scenes: every triangle is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tailgate.geometry.beams import directions
from tailgate.geometry.firing import FiringGrid
from tailgate.render.raytrace.scene_twin import F0, METALLIC, ROUGHNESS, Met, Soup, meet, pane_of
from tailgate.stage.images import LUMINANCE
from tailgate.stage.materials import OPACITY, PANE

REFLECTANCE = 9
"""Place of the reflectance at 905 nm in a material's numbers."""
SMOOTH = 0.1
"""Roughness up to which metal mirrors a beam."""


def beams_twin(grid: FiringGrid, divergence_mrad: tuple[float, float], T_world_lidar: np.ndarray) -> np.ndarray:
    """Unit directions [K, 7, 3] in the world of a beam's axis and of six rays on its contour, an ellipse, by a LiDAR that stands still."""
    axis = directions(grid.azimuth, grid.elevation).reshape(-1, 3)
    aside = directions(grid.azimuth + 90.0, np.zeros_like(grid.elevation)).reshape(-1, 3)
    above = np.cross(axis, aside)
    wide, high = np.tan(0.5e-3 * np.array(divergence_mrad))
    turn = np.deg2rad(60.0 * np.arange(1, 7))
    rays = [axis] + [axis + wide * np.cos(a) * aside + high * np.sin(a) * above for a in turn]
    local = np.stack([ray / np.linalg.norm(ray, axis=-1, keepdims=True) for ray in rays], 1)
    return local @ T_world_lidar[:3, :3].T


@dataclass(frozen=True)
class Returns:
    """What the rays of K firings return, [K, rays]; see ``lidar_kernels.Rays``."""

    range: np.ndarray
    energy: np.ndarray
    cosine: np.ndarray
    reflectance: np.ndarray
    row: np.ndarray
    seen: np.ndarray


def fire_twin(soup: Soup, origin: np.ndarray, ways: np.ndarray, limits: tuple[float, float], ghosts: bool) -> Returns:
    """Twin of ``fire_kernel`` where there are panes or ghosts: each ray's return from behind all panes, that of the first pane on the axis, and the
    mirror image on the axis.

    Args:
        origin: of all rays, [3] m.
        ways: unit directions, the axis first, [K, R, 3].
        limits: least and greatest range [m].
    """
    count, rays = ways.shape[:2]
    columns = []
    for i in range(rays):
        met = meet(soup, origin, ways[:, i], between=(0.0, limits[1]))
        share = 1.0 if rays == 1 else 0.5 if i == 0 else 1 / 12
        columns.append(_returned(soup, met, ways[:, i], share * met.passed[:, 3] ** 2, met.t >= limits[0]))
    first = meet(soup, origin, ways[:, 0], behind=False, between=(0.0, limits[1]))
    mirrored = _mirrored(soup, first, ways[:, 0])
    glass = soup.material[first.face, PANE] >= 0
    columns.append(_returned(soup, first, ways[:, 0], np.ones(count), glass & (first.t >= limits[0])))
    reflected = ways[:, 0] - 2 * (ways[:, 0] * first.face_normal).sum(-1, keepdims=True) * first.face_normal
    image = meet(soup, first.position, reflected, behind=False)
    way = first.t + image.t
    kept = ghosts & first.hit & (mirrored > 0) & (way >= limits[0]) & (way <= limits[1])
    ghost = _returned(soup, image, reflected, mirrored**2, kept, plain=True)
    ghost["range"], ghost["seen"] = np.where(kept, way, 0.0), np.zeros(count)
    return Returns(**{name: np.stack([column[name] for column in [*columns, ghost]], 1) for name in ghost})


def _mirrored(soup: Soup, met: Met, ways: np.ndarray) -> np.ndarray:
    """Share of the light at 905 nm that glass and smooth metal mirror where rays meet them, 0 for anything else, [N]."""
    cosine, out = np.abs((met.face_normal * ways).sum(-1)), np.zeros(len(met.t))
    for k in np.flatnonzero(met.hit):
        material = soup.material[met.face[k]]
        if material[PANE] >= 0 or (material[METALLIC] >= 0.5 and material[ROUGHNESS] <= SMOOTH):
            head_on = material[:3] @ LUMINANCE
            metal = material[METALLIC] * (head_on + (1 - head_on) * (1 - cosine[k]) ** 5)
            out[k] = metal + material[F0] * (1 - material[METALLIC])
            if material[PANE] >= 0:
                out[k] = pane_of(material, cosine[k : k + 1])[0][0, 3]
    return out


def _returned(soup: Soup, met: Met, ways: np.ndarray, energy: np.ndarray, kept: np.ndarray, plain: bool = False) -> dict[str, np.ndarray]:
    """What surfaces send straight back, by the fields of ``Returns`` [N]: their body's part of what is not mirrored, and the glint of facets that
    face the beam (Beckmann and Spizzichino 1963); ``plain`` leaves out what glass and metal do."""
    material = soup.material[met.face]
    cosine = np.clip(np.abs((met.face_normal * ways).sum(-1)), 1e-3, 1.0)
    body = np.maximum(material[:, REFLECTANCE], 0.0)
    body = np.where(body > 1, body / cosine, body)
    if not plain:
        mirrored, tan2 = _mirrored(soup, met, ways), 1 / cosine**2 - 1
        width = np.maximum(material[:, ROUGHNESS] ** 2, 0.003) ** 2
        slopes = np.exp(-tan2 / width) / (np.pi * width * cosine**4)
        body = body * material[:, OPACITY] * (1 - mirrored) + np.pi * mirrored * slopes / (4 * cosine**2)
    kept = kept & met.hit
    values = {"range": met.t, "energy": energy, "cosine": cosine, "reflectance": body}
    out = {name: np.where(kept, value, 0.0) for name, value in values.items()}
    return {**out, "row": np.where(kept, soup.slot[met.face], -1), "seen": kept.astype(int)}


def labels_twin(soup: Soup, returns: Returns, ray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twin of ``label_kernel``: semantic and instance ids of echoes named by rays [K, E] (-1: no echo); 0 for mirror images."""
    named = np.maximum(ray, 0)
    row, seen = (np.take_along_axis(a, named, 1) for a in (returns.row, returns.seen))
    slots = soup.slots[row] * ((ray >= 0) & (seen > 0))[..., None]
    return slots[..., 1], slots[..., 2]


def movers_twin(soup: Soup, returns: Returns, rays: int) -> np.ndarray:
    """Twin of ``mover_kernel``: the mover that each of the first rays has light from, -1 for none, [K, rays]."""
    lit = (returns.row >= 0) & (returns.energy * returns.reflectance * returns.cosine > 0)
    return np.where(lit, soup.slots[returns.row, 3], -1)[:, :rays]


def count_twin(mover: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Twin of ``count_kernel``: pixels of each mover in an image of their rows [H, W], [rows], and bounds x_min, y_min, x_max, y_max [rows, 4], -1
    for what is not there."""
    places = [np.nonzero(mover == k)[::-1] for k in range(rows)]
    bounds = [[x.min(), y.min(), x.max(), y.max()] if len(x) else [-1] * 4 for x, y in places]
    return np.array([len(x) for x, _ in places], int), np.array(bounds, int).reshape(rows, 4)


def count_firings_twin(mover: np.ndarray, rows: int) -> np.ndarray:
    """Twin of ``count_firings_kernel``: firings of which a ray [K, rays] meets each mover, [rows]."""
    return np.array([(mover == k).any(1).sum() for k in range(rows)], int)


def alone_twin(soup: Soup, ways: Callable, size: tuple[int, int], beyond: int) -> tuple[int, int, np.ndarray]:
    """Twin of ``alone_kernel`` for one object's triangles: pixels that its rays meet in the image and up to ``beyond`` pixels outside, and the bounds
    of all of them.

    Args:
        ways: origins and directions [N, 3] of the rays through image points u and v, [N] each.
        size: width and height of the image.
    """
    width, height = size
    u, v = (a.ravel() for a in np.meshgrid(np.arange(-beyond, width + beyond), np.arange(-beyond, height + beyond)))
    met = meet(soup, *ways(u, v), behind=False).hit
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    if not met.any():
        return 0, 0, np.full(4, -1)
    bounds = np.array([u[met].min(), v[met].min(), u[met].max(), v[met].max()])
    return int((met & inside).sum()), int((met & ~inside).sum()), bounds


def alone_firings_twin(soup: Soup, origin: np.ndarray, ways: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Twin of ``alone_rays_kernel`` for one object's triangles: whether any ray of each firing [K, R, 3] would measure it, through its panes, [K]."""
    met = meet(soup, origin, ways.reshape(-1, 3), between=(0.0, limits[1]))
    return (met.hit & (met.t >= limits[0])).reshape(ways.shape[:2]).any(1)
