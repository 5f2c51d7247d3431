"""Readable numpy twin of what rays meet, for tests of small scenes: every triangle is tested, and all that a ray crosses is known at once.

Textures are not read here (their twin is ``atlas.sample_twin``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.geometry.twins import triangle_hits_twin
from tailgate.render.raytrace.panes import pane_twin
from tailgate.stage.extract import StageArrays
from tailgate.stage.images import LUMINANCE
from tailgate.stage.materials import CUTOUT, GLOW, OPACITY, PANE, PASSED
from tailgate.stage.watch import StageState

OFF = 3e-4
"""What lies nearer than this to the start of a ray is the surface that it leaves [m]."""
ROUGHNESS, METALLIC, F0 = 3, 4, 10
"""Places of these in a material's numbers; see ``tailgate.stage.materials.Surface.row``."""


@dataclass(frozen=True)
class Soup:
    """The triangles of a scene in the world, one row each; those in cut-out holes are left out.

    Attributes:
        corners: float64 [F, 3, 3] m.
        normals: shading normals at the corners, of any length, float64 [F, 3, 3].
        tint: display colours at the corners, float64 [F, 3, 3].
        instance, slot: rows of the tracer's instances and of ``slots``, int [F].
        material: the numbers of each triangle's material, float64 [F, COLUMNS].
        slots: material, semantic id, instance id, mover, int [S, 4].
    """

    corners: np.ndarray
    normals: np.ndarray
    tint: np.ndarray
    instance: np.ndarray
    slot: np.ndarray
    material: np.ndarray
    slots: np.ndarray

    def only(self, faces: np.ndarray) -> Soup:
        """Some of the triangles, bool [F]."""
        return Soup(*(a[faces] for a in (self.corners, self.normals, self.tint, self.instance, self.slot, self.material)), self.slots)


def soup_of(arrays: StageArrays, state: StageState) -> Soup:
    """The triangles of a stage's visible instances, in the order of ``DeviceScene.update``."""
    rows: list[list] = [[], [], [], [], []]
    shown = -1
    for k, mover in enumerate(arrays.instance_mover):
        T = np.eye(4) if mover < 0 else state.T_world_mover[mover]
        if (mover >= 0 and not state.visible[mover]) or np.linalg.det(T[:3, :3]) == 0:
            continue
        shown += 1
        mesh, T = arrays.prototypes[arrays.instance_prototype[k]], T @ arrays.instance_pose[k]
        colour = np.ones_like(mesh.corner_normal) if mesh.corner_colour is None else mesh.corner_colour
        instance = np.full(len(mesh.triangles), shown)
        placed = mesh.points[mesh.triangles] @ T[:3, :3].T + T[:3, 3]
        for row, value in zip(
            rows, (placed, mesh.corner_normal @ np.linalg.inv(T[:3, :3]), colour, instance, arrays.instance_slot[k] + mesh.face_slot), strict=True
        ):
            row.append(np.asarray(value))
    corners, normals, tint, instance, slot = (np.concatenate(row) for row in rows)
    slots = np.array(arrays.slots, int).reshape(-1, 4)
    soup = Soup(corners, normals, tint, instance, slot, state.materials[slots[slot, 0]].astype(np.float64), slots)
    return soup.only(soup.material[:, CUTOUT] <= 0)


@dataclass(frozen=True)
class Met:
    """What N rays meet.

    Attributes:
        t: parameter, inf for nothing, [N].
        face: row of the soup, [N]; of no meaning where nothing is met.
        normal, face_normal: unit normals towards the start of the ray, [N, 3].
        position: [N, 3] m.
        colour: diffuse colour, [N, 3].
        passed: share of red, green, blue and infrared light that panes let through from there, [N, 4].
        pane: slot of the first pane on the way, -1 for none, [N].
    """

    t: np.ndarray
    face: np.ndarray
    normal: np.ndarray
    face_normal: np.ndarray
    position: np.ndarray
    colour: np.ndarray
    passed: np.ndarray
    pane: np.ndarray

    @property
    def tint(self) -> np.ndarray:
        """Share of visible light that arrives, [N, 3]."""
        return self.passed[:, :3]

    @property
    def hit(self) -> np.ndarray:
        """Whether something is met, [N]."""
        return np.isfinite(self.t)


def meet(soup: Soup, origins: np.ndarray, directions: np.ndarray, behind: bool = True, between: tuple[float, float | np.ndarray] = (OFF, 1e6)) -> Met:
    """Follow rays to the first surface that is no pane, or with ``behind`` False to the first surface.

    Args:
        origins, directions: [N, 3]; directions of any length.
        between: parameters at which surfaces count; the second may be [N, 1].
    """
    origins, directions = (np.broadcast_to(a, (len(directions), 3)).astype(np.float64) for a in (origins, directions))
    t, u, v = triangle_hits_twin(origins, directions, soup.corners)
    t = np.where((t >= between[0]) & (t <= between[1]), t, np.inf)
    glass, row = soup.material[:, PANE] >= 0, np.arange(len(t))
    end = np.where(glass & behind, np.inf, t)
    face = end.argmin(1)
    first = t.argmin(1)
    u, v = (np.where(np.isfinite(end.min(1)), weight[row, face], 0.0) for weight in (u, v))
    weights = np.stack([u, v, 1 - u - v], -1)[:, :, None]
    corners = soup.corners[face]
    flat, smooth = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])), _unit((weights * soup.normals[face]).sum(1))
    flat = flat * -np.sign((flat * directions).sum(-1, keepdims=True))
    passed = np.ones((len(t), 4))
    for k in np.flatnonzero(glass & behind):
        own = pane_of(soup.material[k], np.abs(_unit(directions) @ _face_normal(soup, k)))[1]
        passed *= np.where((t[:, k] < end.min(1))[:, None], own, 1.0)
    return Met(
        t=end.min(1),
        face=face,
        normal=smooth * np.where((smooth * flat).sum(-1, keepdims=True) < 0, -1.0, 1.0),
        face_normal=flat,
        position=origins + directions * np.where(np.isfinite(end.min(1)), end.min(1), 0.0)[:, None],
        colour=soup.material[face, :3] * soup.material[face, OPACITY, None] * (weights * soup.tint[face]).sum(1),
        passed=passed,
        pane=np.where(glass[first] & np.isfinite(t.min(1)) & behind, soup.slot[first], -1),
    )


def pane_of(material: np.ndarray, cosine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of red, green, blue and infrared light that a pane of a material [COLUMNS] mirrors and lets through at angles of these cosines [N], each
    [N, 4]: those of glass and, for as much of it as is metal, Schlick's reflectance."""
    metal, root = material[METALLIC], np.sqrt(material[F0])
    ior, cosine = (1 + root) / (1 - root), np.clip(cosine, 1e-4, 1.0)
    mirrored, passed = np.zeros((len(cosine), 4)), np.zeros((len(cosine), 4))
    for c, (clear, head_on) in enumerate(zip(material[PASSED], (*material[:3], material[:3] @ LUMINANCE), strict=True)):
        glass, through = pane_twin(int(material[PANE]), ior, material[OPACITY], np.full_like(cosine, clear), cosine)
        shine = metal * (head_on + (1 - head_on) * (1 - cosine) ** 5)
        mirrored[:, c] = glass * (1 - metal) + shine
        passed[:, c] = through * (1 - shine)
    return mirrored, passed


def arriving(soup: Soup, origins: np.ndarray, directions: np.ndarray, distance: np.ndarray | float = 1e6) -> np.ndarray:
    """Share of light that comes from a distance [m], one or [N], in unit directions: nothing past a surface, tinted through panes, [N, 3]."""
    met = meet(soup, origins, directions, between=(OFF, np.reshape(distance, (-1, 1))))
    return np.where(met.hit[:, None], 0.0, met.tint)


def glow_of(soup: Soup, met: Met) -> np.ndarray:
    """Radiance that the surfaces met send by themselves, [N, 3]."""
    return np.where(met.hit[:, None], soup.material[met.face, GLOW], 0.0)


def see_twin(soup: Soup, origins: np.ndarray, directions: np.ndarray, clipping: tuple[float, float]) -> dict[str, np.ndarray]:
    """Twin of ``see_kernel`` for rays of unit depth: the exact channels of the first surface, be it a pane.

    Args:
        origins, directions: of each pixel, [N, 3].
        clipping: nothing nearer than the first is seen, nothing further than the second has a depth [m].
    """
    met = meet(soup, origins, directions, behind=False, between=(clipping[0], 1e6))
    depth = np.where(met.t <= clipping[1], met.t, np.inf)
    labels = np.where(met.hit[:, None], soup.slots[soup.slot[met.face]], [-1, 0, 0, -1])
    return {
        "distance_to_image_plane": depth,
        "distance_to_camera": depth * np.linalg.norm(directions, axis=-1),
        "normals": np.where(met.hit[:, None], np.append(met.normal, np.ones((len(depth), 1)), 1), 0.0),
        "semantic": labels[:, 1],
        "instance": labels[:, 2],
        "mover": labels[:, 3],
    }


def behind_twin(soup: Soup, origins: np.ndarray, directions: np.ndarray, near: float) -> dict[str, np.ndarray]:
    """Twin of the pixels that ``see_kernel`` and ``behind_kernel`` leave: what each ray meets behind all panes."""
    met = meet(soup, origins, directions, between=(near, 1e6))
    hit = met.hit[:, None]
    return {
        "t": np.where(met.hit, met.t, -1.0),
        "way": directions * np.where(hit, met.t[:, None], 1.0),
        "instance": np.where(met.hit, soup.instance[met.face], -1),
        "slot": np.where(met.hit, soup.slot[met.face], -1),
        "pane": met.pane,
        "normal": np.where(hit, met.normal, 0.0),
        "base": np.where(hit, met.colour, 0.0),
        "emissive": glow_of(soup, met),
        "material": np.where(hit, soup.material[met.face][:, [ROUGHNESS, METALLIC, F0]], 0.0),
    }


def _unit(a: np.ndarray) -> np.ndarray:
    """Vectors [N, 3] of length 1."""
    return a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-300)


def _face_normal(soup: Soup, k: int) -> np.ndarray:
    """Unit normal of one triangle, [3]."""
    a, b, c = soup.corners[k]
    return _unit(np.cross(b - a, c - a))
