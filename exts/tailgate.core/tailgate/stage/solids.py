"""Tessellate the implicit shapes of UsdGeom: Sphere, Cube, Cylinder, Cone, Capsule and Plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tailgate.stage.moment import moment
from tailgate.stage.values import fits

if TYPE_CHECKING:
    from pxr import Usd

AROUND, ALONG = 96, 48
"""Facets around a round shape and from pole to pole of a sphere: its radius is off by at most 1 - cos(pi / 96) = 0.05 %."""

SOLIDS = ("Sphere", "Cube", "Cylinder", "Cylinder_1", "Cone", "Capsule", "Capsule_1", "Plane")


@dataclass(frozen=True)
class Solid:
    """A tessellated shape in its prim's own frame and unit.

    Attributes:
        points: float64 [V, 3].
        triangles: int32 [F, 3], counter-clockwise seen from outside.
        normals: exact unit normals per corner, float32 [F, 3, 3].
        st: texture coordinates per corner, float32 [F, 3, 2]; around the axis and along it.
    """

    points: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    st: np.ndarray


def read_solid(prim: Usd.Prim) -> Solid:
    """Tessellate the shape of one of ``SOLIDS``; sizes and axis at the stage's moment.

    Raises:
        ValueError: a size is not a finite number above 0, or the axis none.
    """

    def size(name: str) -> float:
        got = prim.GetAttribute(name).Get(moment(prim))
        if not fits(got, 1.0) or got < 0 or (got == 0 and name not in ("radiusTop", "radiusBottom")):
            raise ValueError(f"{name} must be above 0, got {got}")
        return float(got)

    kind = prim.GetTypeName()
    if kind == "Cube":
        return cube(size("size"))
    axis = "Z" if kind == "Sphere" else prim.GetAttribute("axis").Get(moment(prim))
    if axis not in ("X", "Y", "Z"):
        raise ValueError(f"axis must be X, Y or Z, got {axis}")
    if kind == "Plane":
        sides = size("width"), size("length")
        return turned(plane(*(sides if axis == "Z" else sides[::-1])), axis)
    if kind == "Sphere":
        profile = dome(size("radius"), 0.0, -90, 90, ALONG)
    elif kind == "Cone":
        profile = frustum(size("radius"), 0.0, size("height"))
    elif kind == "Cylinder":
        profile = frustum(size("radius"), size("radius"), size("height"))
    elif kind == "Cylinder_1":
        profile = frustum(size("radiusBottom"), size("radiusTop"), size("height"))
    else:
        bottom, top = (size("radiusBottom"), size("radiusTop")) if kind == "Capsule_1" else (size("radius"),) * 2
        profile = capsule(bottom, top, size("height"))
    return turned(lathe(profile), axis)


def dome(radius: float, z: float, low_deg: float, high_deg: float, steps: int) -> np.ndarray:
    """Profile of a part of a sphere about height ``z``: [steps, 2 ends, (r, z, normal r, normal z)]."""
    a = np.deg2rad(np.linspace(low_deg, high_deg, steps + 1))
    rows = np.stack([radius * np.cos(a), z + radius * np.sin(a), np.cos(a), np.sin(a)], 1)
    return np.stack([rows[:-1], rows[1:]], 1)


def frustum(bottom: float, top: float, height: float) -> np.ndarray:
    """Profile of a cone's frustum with its caps, centred on the origin; layout of ``dome``."""
    low, high = -height / 2, height / 2
    slope = np.array([height, bottom - top]) / np.hypot(height, bottom - top)
    side = [[bottom, low, *slope], [top, high, *slope]]
    caps = [[[0.0, low, 0, -1], [bottom, low, 0, -1]], [[top, high, 0, 1], [0.0, high, 0, 1]]]
    return np.array([caps[0], side, caps[1]])


def capsule(bottom: float, top: float, height: float) -> np.ndarray:
    """Profile of two spheres, ``height`` apart, and the cone that touches both; layout of ``dome``."""
    lean = np.rad2deg(np.arcsin(np.clip((bottom - top) / height, -1, 1)))
    lower, upper = dome(bottom, -height / 2, -90, lean, ALONG // 2), dome(top, height / 2, lean, 90, ALONG // 2)
    return np.concatenate([lower, np.stack([lower[-1, 1], upper[0, 0]])[None], upper])


def lathe(profile: np.ndarray) -> Solid:
    """Turn a profile (from the bottom up, outside to the right) about the z axis; layout of ``dome``."""
    phi = np.arange(AROUND + 1) * 2 * np.pi / AROUND
    c, s = np.cos(phi), np.sin(phi)
    c[-1], s[-1] = c[0], s[0]

    def ring(end: np.ndarray, first: int) -> np.ndarray:
        r, z = end[:, None, first], np.broadcast_to(end[:, None, first + 1], (len(end), AROUND + 1))
        return np.stack([r * c, r * s, z], -1)

    points, normals = ([ring(profile[:, k], first) for k in (0, 1)] for first in (0, 2))
    length = np.concatenate([[0], np.cumsum(np.hypot(*(profile[:, 1, :2] - profile[:, 0, :2]).T))])
    share = length / length[-1]
    around = np.broadcast_to(np.arange(AROUND + 1) / AROUND, (len(profile), AROUND + 1))
    st = [np.stack([around, np.broadcast_to(v[:, None], around.shape)], -1) for v in (share[:-1], share[1:])]
    corners = [(0, 0), (0, 1), (1, 1), (1, 0)]
    spread = [np.stack([a[k][:, j : AROUND + j] for k, j in corners], 2).reshape(-1, 4, a[0].shape[-1]) for a in (points, normals, st)]
    return from_quads(*spread)


def from_quads(points: np.ndarray, normals: np.ndarray, st: np.ndarray) -> Solid:
    """Split quads [Q, 4, ...] into triangles and drop those without an area."""
    pick = np.array([[0, 1, 2], [0, 2, 3]])
    points, normals, st = (a[:, pick].reshape(-1, 3, a.shape[-1]) for a in (points, normals, st))
    with np.errstate(over="ignore", invalid="ignore"):
        cross = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        keep = np.linalg.norm(cross, axis=1) > 1e-12 * np.abs(points).max() ** 2
    unique, place = np.unique(np.round(points[keep], 12).reshape(-1, 3), axis=0, return_inverse=True)
    return Solid(unique, place.reshape(-1, 3).astype(np.int32), normals[keep].astype(np.float32), st[keep].astype(np.float32))


def cube(size: float) -> Solid:
    """Cube about the origin; each face holds the whole texture."""
    h, faces, normals = size / 2, [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3] * sign
            n = np.eye(3)[axis] * sign
            faces.append([h * (n - u - v), h * (n + u - v), h * (n + u + v), h * (n - u + v)])
            normals.append([n] * 4)
    return from_quads(np.array(faces), np.array(normals), np.tile([[0.0, 0], [1, 0], [1, 1], [0, 1]], (6, 1, 1)))


def plane(width: float, length: float) -> Solid:
    """Rectangle across the z axis: ``width`` along x, ``length`` along y, facing +z."""
    x, y = width / 2, length / 2
    corners = np.array([[[-x, -y, 0.0], [x, -y, 0], [x, y, 0], [-x, y, 0]]])
    return from_quads(corners, np.tile([0.0, 0, 1], (1, 4, 1)), np.array([[[0.0, 0], [1, 0], [1, 1], [0, 1]]]))


def turned(solid: Solid, axis: str) -> Solid:
    """Turn a shape about z so that it stands about ``axis``: a cyclic change of axes, which keeps the winding."""
    order = {"X": [2, 0, 1], "Y": [1, 2, 0], "Z": [0, 1, 2]}[str(axis)]
    return Solid(solid.points[:, order], solid.triangles, solid.normals[..., order], solid.st)
