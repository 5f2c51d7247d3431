"""A clothed human figure on a pose: lofted trunk, limbs, head, hands and shoes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.assets.body import SIDES, Body, Pose, hips, shoulders, spine
from tailgate.assets.looks import CLOTHING, PRIVACY, Color, Look, Part, cloth, hair, plastic, retro, skin
from tailgate.assets.mesh_kit import Mesh, box, clean, ellipse, ellipsoid, join, loft, sections, tube, unit

Rows = tuple[tuple[float, ...], ...]

TRUNK: Rows = (
    (-0.058, 0.060, 0.052, -0.004),
    (-0.035, 0.088, 0.068, -0.006),
    (0.000, 0.098, 0.073, -0.008),
    (0.050, 0.094, 0.066, -0.002),
    (0.100, 0.085, 0.058, 0.004),
    (0.165, 0.092, 0.064, 0.006),
    (0.225, 0.105, 0.069, 0.004),
    (0.258, 0.108, 0.063, -0.002),
    (0.283, 0.094, 0.051, -0.008),
    (0.300, 0.062, 0.042, -0.010),
    (0.314, 0.041, 0.037, -0.008),
)
"""Trunk sections: height above the hip joints, half width, half depth, forward offset; fractions of the unit. The breadths match Drillis and
Contini: biacromial 0.23, hips 0.191, waist 0.17."""

LEG: Rows = ((0.02, 0.056, 0.062), (0.25, 0.054, 0.059), (0.6, 0.046, 0.050), (0.9, 0.036, 0.039), (1.05, 0.034, 0.037),
             (1.3, 0.032, 0.037), (1.6, 0.026, 0.029), (1.85, 0.021, 0.024), (1.97, 0.021, 0.024))  # fmt: skip
"""Leg sections: 0 hip, 1 knee, 2 ankle; half width and half depth, fractions of the unit."""

ARM: Rows = ((0.0, 0.031, 0.034), (0.15, 0.032, 0.035), (0.5, 0.029, 0.031), (0.95, 0.025, 0.026), (1.25, 0.026, 0.026),
             (1.7, 0.020, 0.019), (2.0, 0.017, 0.015))  # fmt: skip

HEAD: Rows = ((0.0, 0.09, 0.08, 0.27), (0.05, 0.17, 0.19, 0.18), (0.15, 0.24, 0.29, 0.09), (0.32, 0.285, 0.375, 0.03),
              (0.48, 0.32, 0.41, 0.005), (0.64, 0.335, 0.43, -0.01), (0.79, 0.31, 0.395, -0.015), (0.91, 0.22, 0.29, -0.02),
              (0.97, 0.12, 0.17, -0.02), (1.0, 0.02, 0.03, -0.02))  # fmt: skip
"""Head sections: height above the chin, half width, half depth, forward offset; fractions of the head's height."""


@dataclass(frozen=True)
class Clothes:
    """What the figure wears.

    Attributes:
        top: "tshirt", "shirt", "jacket", "coat" or "vest" (high visibility over a shirt).
        bottom: "trousers", "shorts", "skirt".
        head: "short", "long", "bun", "bald", "cap", "beanie", "hood", "helmet", "hardhat" or "full_helmet".
        bag: carries a backpack.
        colors: of "top", "bottom", "shoes", "skin", "hair", "bag", "hat".
    """

    top: str
    bottom: str
    head: str
    bag: bool
    colors: dict[str, Color]


def figure(body: Body, pose: Pose, wear: Clothes) -> list[Part]:
    """All parts of a dressed person in ``pose``."""
    bare: list[Mesh] = []
    top = [_trunk(body, pose, wear)]
    bottom = [_pelvis(body, pose)]
    shoes: list[Mesh] = []
    for k in (0, 1):
        leg, sleeve = _leg(body, pose, k, wear), _arm(body, pose, k, wear)
        bottom.append(leg[0])
        top.append(sleeve[0])
        bare += leg[1:] + sleeve[1:] + _hand(body, pose, k)
        shoes.append(_shoe(body, pose, k))
    if wear.bottom == "skirt" or wear.top == "coat":
        (top if wear.top == "coat" else bottom).append(_skirt(body, pose, 0.33 if wear.top == "coat" else 0.27))
    head, extras = _head(body, pose, wear)
    parts = [
        Part("cloth_upper", cloth(wear.colors["top"]), join(*top), 60),
        Part("cloth_lower", cloth(wear.colors["bottom"]), join(*bottom), 60),
        Part("skin", skin(wear.colors["skin"]), join(*bare, *head), 70),
        Part("rubber_shoes", Look(wear.colors["shoes"], 0.2, 0.8), join(*shoes), 50),
        *extras,
    ]
    if wear.bag:
        parts.append(_backpack(body, pose, wear))
    if wear.top == "vest":
        parts.append(_bands(body, pose))
    return parts


def _looseness(top: str) -> float:
    return {"tshirt": 0.004, "shirt": 0.005, "vest": 0.010, "jacket": 0.013, "coat": 0.014}[top]


def _trunk_rows(body: Body, low: float, high: float, loose: float) -> np.ndarray:
    """Trunk sections between two heights with stoutness and clothing: [N, 4]."""
    rows = np.array(TRUNK)
    s = np.unique(np.concatenate([[low, high], np.linspace(low, high, 14)]))
    table = np.stack([np.interp(s, rows[:, 0], rows[:, k]) for k in range(1, 4)], 1)
    belly = np.exp(-(((s - 0.09) / 0.075) ** 2)) * max(body.girth - 0.3, 0.0)
    width = np.interp(s, [-0.05, 0.02, 0.12, 0.25], [body.hips, body.hips, 1.0, body.shoulders])
    table[:, 0] = table[:, 0] * width * (0.96 + 0.12 * body.girth) + belly * 0.02 + loose * np.clip((0.33 - s) / 0.06, 0.25, 1)
    table[:, 1] = table[:, 1] * body.thick + belly * 0.035 + loose * np.clip((0.33 - s) / 0.06, 0.25, 1)
    table[:, 2] += belly * 0.03
    table[:, :2] += np.where(loose > 0.0035, np.clip((0.10 - s) / 0.10, 0, 1) * 0.010, 0.0)[:, None]
    return np.column_stack([s, table * body.unit])


def _trunk_mesh(body: Body, pose: Pose, table: np.ndarray, power: float = 2.3) -> Mesh:
    points, forward = spine(body, pose.pelvis, pose.pitch, table[:, 0])
    rings = sections(points + forward * table[:, 3:], (np.array([0.0, 1, 0]), forward), table[:, 1:3], 20, power)
    return clean(loft(rings))


def _trunk(body: Body, pose: Pose, wear: Clothes) -> Mesh:
    low = {"tshirt": 0.0, "shirt": -0.005, "vest": -0.01, "jacket": -0.015, "coat": -0.02}[wear.top]
    table = _trunk_rows(body, low, 0.312, _looseness(wear.top))
    meshes = [_trunk_mesh(body, pose, table)]
    if wear.top in ("jacket", "coat") or wear.head == "hood":
        collar = _trunk_rows(body, 0.300, 0.326, 0.012)
        collar[:, 1:3] = np.maximum(collar[:, 1:3], 0.046 * body.unit)
        meshes.append(_trunk_mesh(body, pose, collar, 2.0))
    return join(*meshes)


def _pelvis(body: Body, pose: Pose) -> Mesh:
    return _trunk_mesh(body, pose, _trunk_rows(body, -0.058, 0.075, 0.003), 2.2)


def _limb(joints: np.ndarray, rows: np.ndarray, side_hint: np.ndarray) -> Mesh:
    """A lofted limb over three joints whose middle bend is rounded; ``rows`` = (position 0..2, half width, half depth) in metres."""
    t = np.unique(np.concatenate([rows[:, 0], [0.82, 0.92, 1.0, 1.08, 1.18]]))
    t = t[(t >= rows[0, 0]) & (t <= rows[-1, 0])]

    def at(q: np.ndarray) -> np.ndarray:
        low, high = np.minimum(q, 1)[:, None], np.maximum(q - 1, 0)[:, None]
        return joints[0] + (joints[1] - joints[0]) * low + (joints[2] - joints[1]) * high

    path = (at(t - 0.09) + 2 * at(t) + at(t + 0.09)) / 4
    halves = np.stack([np.interp(t, rows[:, 0], rows[:, k]) for k in (1, 2)], 1)
    return tube(path, halves, 12, side_hint=side_hint)


def _cut(rows: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.unique(np.concatenate([[low, high], rows[(rows[:, 0] > low) & (rows[:, 0] < high), 0]]))
    return np.column_stack([t, np.interp(t, rows[:, 0], rows[:, 1]), np.interp(t, rows[:, 0], rows[:, 2])])


def _leg(body: Body, pose: Pose, k: int, wear: Clothes) -> list[Mesh]:
    """Trouser leg, and bare leg where the garment is short."""
    joints = np.stack([hips(body, pose.pelvis)[k], pose.knees[k], pose.ankles[k]])
    rows = np.array(LEG)
    bare = rows.copy()
    bare[:, 1:] *= body.unit * body.thick
    garment = rows.copy()
    garment[:, 1:] = (garment[:, 1:] * body.thick + np.interp(rows[:, 0], [0, 0.5, 1.6, 2], [0.002, 0.005, 0.009, 0.011])[:, None]) * body.unit
    hint = np.array([0.0, 1.0, 0.0])
    end = {"trousers": 1.95, "shorts": 0.92, "skirt": 0.4}[wear.bottom]
    meshes = [_limb(joints, _cut(garment, 0.02, end), hint)]
    return meshes if wear.bottom == "trousers" else [*meshes, _limb(joints, _cut(bare, 0.3, 1.97), hint)]


def _arm(body: Body, pose: Pose, k: int, wear: Clothes) -> list[Mesh]:
    """Sleeve, and bare forearm where it is short."""
    joints = np.stack([shoulders(body, pose.pelvis, pose.pitch)[k], pose.elbows[k], pose.wrists[k]])
    rows = np.array(ARM)
    bare = rows.copy()
    bare[:, 1:] *= body.unit * body.thick
    garment = rows.copy()
    garment[:, 1:] = (garment[:, 1:] * body.thick + 0.75 * _looseness(wear.top)) * body.unit
    hint = np.array([0.0, 1.0, 0.0])
    short = wear.top in ("tshirt",)
    meshes = [_limb(joints, _cut(garment, 0.0, 0.62 if short else 1.96), hint)]
    meshes[0] = join(meshes[0], ellipsoid(np.array([1.04, 0.95, 0.85]) * garment[0, 2], joints[0], 12, 7))
    return meshes if not short else [*meshes, _limb(joints, _cut(bare, 0.5, 2.0), hint)]


def _hand(body: Body, pose: Pose, k: int) -> list[Mesh]:
    """A relaxed hand: a flat loft that curls, and a thumb."""
    u, side = body.unit, SIDES[k]
    along = unit(pose.wrists[k] - pose.elbows[k])
    across = unit(np.cross(along, [0.0, side, 0.0]))
    inward = unit(np.cross(along, across)) * -1
    inward = inward if inward[1] * side < 0 else -inward
    t = np.array([-0.006, 0.02, 0.045, 0.07, 0.088, 0.1]) * u
    curl = inward * (np.array([0, 0, 0.004, 0.014, 0.026, 0.036])[:, None] * u)
    halves = np.array([[0.015, 0.012], [0.021, 0.012], [0.024, 0.012], [0.022, 0.010], [0.018, 0.009], [0.009, 0.006]]) * u
    path = pose.wrists[k] + along * t[:, None] + curl
    palm = tube(path, halves, 10, side_hint=across)
    root = pose.wrists[k] + along * 0.025 * u
    thumb = np.stack(
        [
            root + across * 0.012 * u,
            root + (across * 0.027 + along * 0.02 + inward * 0.01) * u,
            root + (across * 0.028 + along * 0.042 + inward * 0.017) * u,
        ]
    )
    return [palm, tube(thumb, np.array([0.009, 0.009, 0.006]) * u, 7)]


def _shoe(body: Body, pose: Pose, k: int) -> Mesh:
    """A shoe with a flat sole, heel, arch, ball and toe; length 0.165 of the unit."""
    length = 0.165 * body.unit
    rows = np.array([[0.0, 0.09, 0.16], [0.04, 0.125, 0.30], [0.2, 0.14, 0.37], [0.32, 0.138, 0.39], [0.45, 0.138, 0.30],
                     [0.62, 0.16, 0.23], [0.78, 0.168, 0.19], [0.91, 0.135, 0.16], [0.98, 0.08, 0.12], [1.0, 0.03, 0.08]])  # fmt: skip
    outline = ellipse(12, 2.6)
    rings = np.empty((len(rows), 12, 3))
    for ring, (x, half, height) in zip(rings, rows, strict=True):
        taper = np.where(outline[:, 1] > 0, 1 - 0.35 * outline[:, 1], 1.0)
        ring[:, 0], ring[:, 1], ring[:, 2] = (
            x - 0.24,
            half * outline[:, 0] * taper,
            np.maximum(outline[:, 1], -0.85) * height / 1.85 + height * 0.85 / 1.85,
        )
    rings *= length
    rings[..., 2] -= 0.039 * body.unit
    a, turn = pose.foot_pitch[k], np.deg2rad(6.0) * SIDES[k]
    forward = np.array([np.cos(a) * np.cos(turn), np.sin(turn), np.sin(a)])
    up = np.array([-np.sin(a), 0.0, np.cos(a)])
    return clean(loft(rings)).placed(pose.ankles[k], forward, up)


def _skirt(body: Body, pose: Pose, length: float) -> Mesh:
    """A closed flare from the waist to ``length`` below the hips, wide enough for both thighs."""
    u = body.unit
    s = np.linspace(0.0, 1.0, 8)
    joints = hips(body, pose.pelvis)
    tips = joints + (pose.knees - joints) * min(length / 0.245, 1.0)
    top = pose.pelvis + np.array([0, 0, 0.08 * u])
    low = tips.mean(0) - np.array([0, 0, max(length - 0.245, 0) * u])
    centres = top + (low - top) * s[:, None]
    spread = 0.62 * np.ptp(tips[:, 0])
    halves = np.stack(
        [np.interp(s, [0, 0.25, 1], [0.092, 0.11, 0.128]) * u * body.hips, np.interp(s, [0, 0.25, 1], [0.066, 0.082, 0.09]) * u + spread * s], 1
    )
    return clean(loft(sections(centres, (np.array([0.0, 1, 0]), np.array([1.0, 0, 0])), halves * (0.95 + 0.15 * body.girth), 18, 2.2)))


def _head_frame(body: Body, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chin height's origin on the neck axis, forward and up of the head."""
    base, _ = spine(body, pose.pelvis, pose.pitch, np.array([0.316]))
    a = 0.5 * (pose.pitch[1] + pose.pitch[2])
    neck = base[0] + 0.028 * body.unit * np.array([np.sin(a), 0, np.cos(a)])
    return neck, np.array([np.cos(pose.pitch[2]), 0, -np.sin(pose.pitch[2])]), np.array([np.sin(pose.pitch[2]), 0, np.cos(pose.pitch[2])])


def _skull(rows: np.ndarray, grow: float = 0.0, sides: int = 18) -> Mesh:
    """Head sections (fractions of its height) skinned in a frame with the chin at z = 0."""
    centres = np.column_stack([rows[:, 3], np.zeros(len(rows)), rows[:, 0]])
    return clean(loft(sections(centres, (np.array([0.0, 1, 0]), np.array([1.0, 0, 0])), rows[:, 1:3] + grow, sides, 2.2)))


def _head(body: Body, pose: Pose, wear: Clothes) -> tuple[list[Mesh], list[Part]]:
    """Skin of head and neck, and hair or headgear as parts of their own."""
    h, rows = body.head, np.array(HEAD)
    origin, forward, up = _head_frame(body, pose)
    place = lambda mesh: mesh.scaled(h).placed(origin, forward, up)  # noqa: E731
    nose = ellipsoid((0.085, 0.055, 0.11), (0.42, 0, 0.40), 8, 6)
    ears = ellipsoid((0.065, 0.03, 0.11), (-0.01, 0.33, 0.42), 8, 6).with_mirror()
    base, _ = spine(body, pose.pelvis, pose.pitch, np.array([0.290]))
    neck = tube(
        np.stack([base[0], origin + up * 0.08 * h, origin + up * 0.30 * h - forward * 0.04 * h]),
        np.array([0.037, 0.034, 0.034]) * body.unit * (0.9 + 0.25 * body.girth),
        12,
    )
    skinned = [place(join(_skull(rows), nose, ears)), neck]
    brows = join(
        *(ellipsoid((0.03, 0.055, 0.022), (0.375, s * 0.145, 0.5), 6, 5) for s in SIDES),
        *(ellipsoid((0.03, 0.075, 0.014), (0.388, s * 0.15, 0.575), 6, 5) for s in SIDES),
    )
    extras = [Part("hair", hair(wear.colors["hair"]), place(join(brows, *_hair(rows, wear.head))), 70)]
    hat = _headgear(rows, wear.head)
    if hat is not None:
        look = cloth(wear.colors["hat"]) if wear.head in ("cap", "beanie", "hood") else plastic(wear.colors["hat"], 0.25)
        name = "cloth_hat" if wear.head in ("cap", "beanie", "hood") else "plastic_helmet"
        extras.append(Part(name, look, place(hat), 60))
    if wear.head == "full_helmet":
        visor = np.array([(0.33, 0.41, 0.50, 0.05), (0.40, 0.445, 0.545, 0.05), (0.60, 0.455, 0.56, 0.05), (0.70, 0.42, 0.52, 0.05)])
        extras.append(Part("glass_visor", PRIVACY, place(_skull(visor).moved(x=0.05)), 60))
    return skinned, extras


def _hair(rows: np.ndarray, style: str) -> list[Mesh]:
    """Hair over the skull's top and back, behind the face."""
    if style in ("bald", "beanie", "hood", "full_helmet"):
        return []
    low = {"long": -0.25, "bun": 0.2}.get(style, 0.3)
    f = np.array([low, 0.5 * (low + 0.5), 0.5, 0.66, 0.8, 0.92, 1.0, 1.035])
    table = np.stack([np.interp(np.maximum(f, 0.25), rows[:, 0], rows[:, k]) for k in (1, 2, 3)], 1)
    recess = np.interp(f, [0.3, 0.6, 0.72, 0.82], [0.34, 0.27, 0.10, 0.0])
    width = table[:, 0] + np.interp(f, [0.3, 0.6, 0.9, 1.0], [0.005, 0.025, 0.045, 0.03])
    width[-1], table[-1, 1] = 0.06, 0.08
    depth = table[:, 1] - recess / 2 + np.interp(f, [0.3, 0.9, 1.0], [0.03, 0.05, 0.04])
    shape = [_skull(np.column_stack([f, width, depth, table[:, 2] - recess / 2]))]
    return [*shape, ellipsoid((0.14, 0.14, 0.13), (-0.47, 0, 0.75), 10, 7)] if style == "bun" else shape


def _headgear(rows: np.ndarray, style: str) -> Mesh | None:
    """Hat, hood or helmet in head units, or None."""
    crown = rows[rows[:, 0] >= 0.6].copy()
    if style in ("cap", "beanie", "hardhat", "helmet"):
        crown = np.vstack([[0.56 if style == "beanie" else 0.63, *crown[0, 1:]], crown])
        grow, lift = {"cap": (0.05, 1.04), "beanie": (0.06, 1.1), "hardhat": (0.12, 1.12), "helmet": (0.13, 1.13)}[style]
        crown[:, 0] = 0.6 + (crown[:, 0] - 0.6) * lift
        shell = [_skull(crown, grow)]
        if style in ("cap", "hardhat"):
            reach = 0.3 if style == "cap" else 0.16
            shell.append(ellipsoid((reach, 0.29, 0.025), (0.42, 0, 0.66), 14, 5))
        if style == "hardhat":
            shell.append(ellipsoid((0.6, 0.5, 0.03), (0.0, 0, 0.64), 18, 5))
        return join(*shell)
    if style == "hood":
        hood = rows[rows[:, 0] >= 0.15].copy()
        hood[:, 3] -= np.interp(hood[:, 0], [0.2, 0.7, 0.9], [0.32, 0.22, 0.03])
        return _skull(hood, 0.07)
    if style == "full_helmet":
        f = np.array([-0.04, 0.1, 0.35, 0.6, 0.8, 0.95, 1.05, 1.1])
        w = np.array([0.27, 0.37, 0.45, 0.47, 0.44, 0.34, 0.2, 0.04])
        return _skull(np.column_stack([f, w, w * 1.22, np.full(8, 0.02)]))
    return None


def _backpack(body: Body, pose: Pose, wear: Clothes) -> Part:
    """A backpack of 0.46 × 0.3 × 0.17 m on an adult's back with two straps."""
    u = body.unit
    centre, forward = spine(body, pose.pelvis, pose.pitch, np.array([0.19]))
    up = np.cross(forward[0], [0.0, 1, 0])
    pack = box((0.10, 0.17, 0.25), (-0.122, 0, 0), 0.03)
    pocket = box((0.04, 0.12, 0.11), (-0.18, 0, -0.05), 0.015)
    strap = np.array(
        [
            [-0.07, 0.055, 0.10],
            [-0.03, 0.06, 0.125],
            [0.03, 0.06, 0.115],
            [0.085, 0.062, 0.06],
            [0.085, 0.07, -0.02],
            [0.0, 0.115, -0.09],
            [-0.08, 0.07, -0.09],
        ]
    )
    straps = tube(strap, np.tile([[0.004, 0.014]], (len(strap), 1)), 6, side_hint=(0, 0, 1)).with_mirror()
    return Part("cloth_bag", cloth(wear.colors["bag"]), join(pack, pocket, straps).scaled(u).placed(centre[0], forward[0], up), 40)


def _bands(body: Body, pose: Pose) -> Part:
    """Two retroreflective bands around a high-visibility vest (EN ISO 20471: at least 50 mm wide)."""
    bands = []
    for height in (0.06, 0.15):
        table = _trunk_rows(body, height, height + 0.05 / body.unit, _looseness("vest") + 0.003)
        bands.append(_trunk_mesh(body, pose, table))
    return Part("retro_bands", retro((0.75, 0.76, 0.74), CLOTHING), join(*bands), 60)
