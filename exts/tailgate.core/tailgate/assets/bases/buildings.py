"""Buildings with recessed windows, a room behind each, doors, sills and roofs.

Storeys of 2.8-3.4 m, windows 1.1-1.7 m wide every 2.3-3.3 m with reveals of 0.12-0.25 m, rooms 3-5 m deep (Neufert, Architects' Data). How many
windows are curtained is chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.assets.bases.scene import quads
from tailgate.assets.looks import DARK_METAL, PANE, WOOD, Color, Look, Part, cloth
from tailgate.assets.mesh_kit import Mesh, box, extrude, join, rod

WALLS: tuple[tuple[Color, float], ...] = (
    ((0.55, 0.50, 0.40), 0.55), ((0.36, 0.15, 0.09), 0.42), ((0.62, 0.60, 0.56), 0.6), ((0.45, 0.34, 0.20), 0.5),
    ((0.30, 0.30, 0.29), 0.38), ((0.52, 0.30, 0.22), 0.48), ((0.60, 0.53, 0.30), 0.55),
)  # fmt: skip
ROOFS: tuple[Color, ...] = ((0.20, 0.06, 0.035), (0.06, 0.06, 0.065), (0.12, 0.085, 0.06))
STONE = Look((0.42, 0.40, 0.37), 0.45, 0.9)
ROOM = Look((0.42, 0.39, 0.34), 0.6, 0.9)
CURTAIN = cloth((0.62, 0.60, 0.55))
CURTAINS = ((), (0.22,), (0.3,), (0.5,))
CURTAIN_SHARE = (0.3, 0.3, 0.25, 0.15)
"""Share of a window that a curtain covers from each side, and how often: a half each is a closed one."""
DOORS: tuple[Color, ...] = ((0.10, 0.05, 0.025), (0.02, 0.06, 0.04), (0.12, 0.02, 0.02), (0.03, 0.04, 0.09))


@dataclass(frozen=True)
class House:
    """Sizes of one building [m]: front of ``width`` along x facing -y at y = 0, ``depth`` towards +y."""

    width: float
    depth: float
    floors: int
    storey: float
    pitch: float
    window: tuple[float, float]
    reveal: float
    gabled: bool
    shop: bool
    balconies: bool

    @property
    def height(self) -> float:
        """Height of the eaves."""
        return 0.35 + self.floors * self.storey


def draw_house(width: float, floors: tuple[int, int], stream: np.random.Generator) -> House:
    """Draw the proportions of a building of a given front."""
    return House(
        width, float(stream.uniform(9, 13)), int(stream.integers(floors[0], floors[1] + 1)), float(stream.uniform(2.8, 3.4)),
        float(stream.uniform(2.3, 3.3)), (float(stream.uniform(1.1, 1.7)), float(stream.uniform(1.3, 1.8))), float(stream.uniform(0.12, 0.25)),
        bool(stream.random() < 0.55), bool(stream.random() < 0.35), bool(stream.random() < 0.3),
    )  # fmt: skip


def facade(width: float, openings: list[tuple[float, float, float, float]], height: float, reveal: float) -> tuple[Mesh, Mesh, Mesh, Mesh]:
    """A wall in the plane y = 0 facing -y from x = 0 to ``width``, with recessed openings (x0, x1, z0, z1) set in a regular grid.

    Returns:
        Wall with reveals, glass, frames, sills.
    """
    xs = np.unique(np.round([0, width, *(v for o in openings for v in o[:2])], 4))
    zs = np.unique(np.round([0, height, *(v for o in openings for v in o[2:])], 4))
    wall, glass, frames, sills = [], [], [], []
    centres_x, centres_z = (xs[:-1] + xs[1:]) / 2, (zs[:-1] + zs[1:]) / 2
    for x0, x1, xc in zip(xs[:-1], xs[1:], centres_x, strict=True):
        for z0, z1, zc in zip(zs[:-1], zs[1:], centres_z, strict=True):
            if not any(o[0] < xc < o[1] and o[2] < zc < o[3] for o in openings):
                wall.append([(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)])
    r = reveal
    for x0, x1, z0, z1 in openings:
        glass.append([(x0, r, z0), (x1, r, z0), (x1, r, z1), (x0, r, z1)])
        wall += [
            [(x0, 0, z0), (x0, 0, z1), (x0, r, z1), (x0, r, z0)], [(x1, 0, z1), (x1, 0, z0), (x1, r, z0), (x1, r, z1)],
            [(x0, 0, z1), (x1, 0, z1), (x1, r, z1), (x0, r, z1)], [(x1, 0, z0), (x0, 0, z0), (x0, r, z0), (x1, r, z0)],
        ]  # fmt: skip
        middle = (x0 + x1) / 2
        frames.append(box((0.06, 0.04, z1 - z0), (middle, r - 0.01, (z0 + z1) / 2)))
        frames += [box((x1 - x0, 0.04, 0.07), ((x0 + x1) / 2, r - 0.01, z)) for z in (z0 + 0.035, z1 - 0.035)]
        frames += [box((0.07, 0.04, z1 - z0), (x, r - 0.01, (z0 + z1) / 2)) for x in (x0 + 0.035, x1 - 0.035)]
        if z0 > 0.6:
            sills.append(box((x1 - x0 + 0.16, 0.14, 0.05), (middle, -0.02, z0 - 0.025)))
    return (
        quads(np.array(wall)),
        quads(np.array(glass)),
        join(*frames),
        join(*sills) if sills else box((0.1, 0.02, 0.02), (width / 2, 0, height - 0.1)),
    )


def rooms(openings: list[tuple[float, float, float, float]], house: House, stream: np.random.Generator) -> tuple[Mesh, Mesh | None]:
    """A room behind each opening, which is open to it alone, and the curtains."""
    y0 = house.reveal + 0.002
    walls, cloths = [], []
    for x0, x1, z0, z1 in openings:
        low, high, a, b, y1 = z0 - 0.3, z1 + 0.25, x0 - 0.2, x1 + 0.2, y0 + min(float(stream.uniform(3, 5)), house.depth - 1.5)
        walls += [
            [(b, y1, low), (a, y1, low), (a, y1, high), (b, y1, high)], [(a, y0, low), (b, y0, low), (b, y1, low), (a, y1, low)],
            [(a, y1, high), (b, y1, high), (b, y0, high), (a, y0, high)], [(a, y0, high), (a, y0, low), (a, y1, low), (a, y1, high)],
            [(b, y1, high), (b, y1, low), (b, y0, low), (b, y0, high)],
        ]  # fmt: skip
        for share in () if house.shop and z0 < 1.0 else CURTAINS[int(stream.choice(len(CURTAINS), p=CURTAIN_SHARE))]:
            inner = share * (b - a)
            y = y0 + 0.1
            cloths += [[(p, y, low), (q, y, low), (q, y, high), (p, y, high)] for p, q in ((a, a + inner), (b - inner, b))]
    return quads(np.array(walls)), quads(np.array(cloths)) if cloths else None


def _openings(house: House) -> tuple[list[tuple[float, float, float, float]], float]:
    """Windows of the front, and the x of the door."""
    columns = max(2, int((house.width - 1.0) / house.pitch))
    step = house.width / columns
    w, h = min(house.window[0], step - 0.5), house.window[1]
    found = []
    for floor in range(house.floors):
        base = 0.35 + floor * house.storey + (house.storey - h) * 0.55
        for k in range(columns):
            x = (k + 0.5) * step
            if floor == 0 and k == columns // 2:
                continue
            if floor == 0 and house.shop:
                found.append((x - step * 0.42, x + step * 0.42, 0.75, 0.35 + house.storey - 0.7))
            else:
                found.append((x - w / 2, x + w / 2, base, base + h))
    return found, (columns // 2 + 0.5) * step


def building(house: House, stream: np.random.Generator, furnishing: np.random.Generator) -> list[Part]:
    """All parts of a building, named by material; about 500-3,000 triangles."""
    tone, shade, tiles, door_tone = (int(stream.integers(n)) for n in (len(WALLS), 2, len(ROOFS), len(DOORS)))
    color, reflectance = tuple(c * (0.82, 1.1)[shade] for c in WALLS[tone][0]), WALLS[tone][1]
    plaster, roof = Look(color, reflectance, 0.9), Look(ROOFS[tiles], 0.35, 0.85)
    w, d, h = house.width, house.depth, house.height
    openings, door_x = _openings(house)
    wall, glass, frames, sills = facade(w, openings, h, house.reveal)
    rear = [[(w, d, 0), (0, d, 0), (0, d, h), (w, d, h)], [(0, d, 0), (0, 0, 0), (0, 0, h), (0, d, h)], [(w, 0, 0), (w, d, 0), (w, d, h), (w, 0, h)]]
    plinth = box((w + 0.06, d + 0.06, 0.45), (w / 2, d / 2, 0.225))
    door = [box((1.1, 0.06, 2.2), (door_x, -0.05, 1.25), 0.02), box((0.5, 0.03, 0.8), (door_x, -0.085, 1.7), 0.01)]
    surround = [
        box((1.4, 0.08, 2.4), (door_x, -0.02, 1.3)),
        box((1.7, 0.5, 0.16), (door_x, -0.25, 0.12)),
        box((1.8, 0.7, 0.1), (door_x, -0.35, 2.75), 0.02),
    ]
    trim = [box((w + 0.1, 0.16, 0.18), (w / 2, -0.02, 0.35 + house.storey - 0.1))] if house.floors > 1 else []
    pipe = rod((0.25, -0.08, 0), (0.25, -0.08, h), 0.05, 8)
    metal = [pipe, *(_balconies(house, openings) if house.balconies else [])]
    parts = [
        Part(f"wall_{tone}{shade}", plaster, join(wall, quads(np.array(rear))), 1), Part("glass", PANE, glass, 1),
        Part("frames", Look((0.62, 0.61, 0.58), 0.6, 0.5), frames, 1), Part("trim", STONE, join(sills, *surround, *trim, plinth), 1),
        Part(f"door_{door_tone}", Look(DOORS[door_tone], 0.5, 0.5), join(*door), 1), Part("metal", DARK_METAL, join(*metal), 40),
    ]  # fmt: skip
    walls, covers = _roof(house)
    inside, curtains = rooms(openings, house, furnishing)
    parts += [Part("room", ROOM, inside, 1), *([Part("curtain", CURTAIN, curtains, 1)] if curtains else [])]
    return [*parts, Part(f"wall_{tone}{shade}", plaster, walls, 1), Part(f"roof_{tiles}", roof, covers, 1)]


def _balconies(house: House, openings: list[tuple[float, float, float, float]]) -> list[Mesh]:
    """Slabs with railings below every third window above the ground floor."""
    made = []
    for x0, x1, z0, _ in [o for o in openings if o[2] > house.storey + 0.6][1::3]:
        middle, wide, z = (x0 + x1) / 2, x1 - x0 + 0.9, z0 - 0.35
        made.append(box((wide, 1.1, 0.14), (middle, -0.55, z)))
        made += [
            box((wide, 0.04, 0.05), (middle, -1.08, z + 1.0)),
            *(box((0.04, 1.1, 0.05), (middle + s * wide / 2, -0.55, z + 1.0)) for s in (-1, 1)),
        ]
        made += [box((0.025, 0.025, 0.95), (x, -1.08, z + 0.52)) for x in np.linspace(middle - wide / 2, middle + wide / 2, 9)]
    return made


def _roof(house: House) -> tuple[Mesh, Mesh]:
    """Walls and cover of a gabled roof with its ridge along x and a chimney, or of a flat one with a parapet and a stair head."""
    w, d, h = house.width, house.depth, house.height
    if not house.gabled:
        parapet = [box((w, 0.25, 0.6), (w / 2, y, h + 0.3)) for y in (0.125, d - 0.125)] + [
            box((0.25, d, 0.6), (x, d / 2, h + 0.3)) for x in (0.125, w - 0.125)
        ]
        return join(*parapet, box((3, 3, 2.4), (w * 0.35, d * 0.6, h + 1.2))), box((w - 0.3, d - 0.3, 0.1), (w / 2, d / 2, h))
    rise = d * 0.38
    gable = extrude([(0, h), (d, h), (d / 2, h + rise)], w - 0.02, axis="x").moved(x=w / 2)
    slope = np.array([(-0.5, h - 0.38), (d / 2, h + rise), (d + 0.5, h - 0.38), (d + 0.5, h - 0.20), (d / 2, h + rise + 0.18), (-0.5, h - 0.20)])
    chimney = box((0.7, 0.6, 1.6), (w * 0.7, d * 0.62, h + rise * 0.9))
    return join(gable, chimney), extrude(slope, w + 0.3, axis="x").moved(x=w / 2)


def fence(length: float, height: float, wooden: bool) -> Part:
    """A garden fence of pickets or a low wall along x, base at z = 0."""
    if not wooden:
        return Part(
            "wall_low",
            Look((0.40, 0.38, 0.35), 0.45, 0.9),
            join(box((length, 0.24, height * 0.8), (0, 0, height * 0.4)), box((length, 0.32, 0.07), (0, 0, height * 0.82))),
            1,
        )
    pickets = [box((0.09, 0.025, height), (x, 0, height / 2)) for x in np.arange(-length / 2 + 0.1, length / 2, 0.16)]
    rails = [box((length, 0.05, 0.08), (0, 0.04, height * t)) for t in (0.25, 0.8)]
    return Part("fence", WOOD, join(*pickets, *rails), 1)
