"""A room with a table: the scene of RGB-D cameras that look at things on a table.

Sizes: tables 0.72-0.76 m high, rectangular 1.2-1.8 × 0.7-0.9 m or round 0.9-1.2 m (EN 1729, Neufert); chairs with seats at 0.45 m;
room 5 × 4 × 2.6 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.assets.bases.scene import Scene, quads, sheet
from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import DARK_METAL, GLASS, METAL, Look, Part, cloth, lamp, paint, plastic
from tailgate.assets.mesh_kit import Mesh, box, clean, ellipse, join, lathe, loft, rod, rounded_rectangle, tube

TOPS: tuple[Color, ...] = ((0.52, 0.38, 0.24), (0.62, 0.50, 0.36), (0.30, 0.17, 0.08), (0.66, 0.65, 0.62), (0.14, 0.08, 0.045))
ROOM: tuple[Color, ...] = ((0.68, 0.67, 0.63), (0.60, 0.62, 0.64), (0.66, 0.58, 0.44), (0.45, 0.52, 0.48))


@dataclass(frozen=True)
class Table:
    """A table top in the plane z = ``height``, centred on the origin [m]."""

    outline: np.ndarray
    height: float
    round: bool

    @property
    def half(self) -> np.ndarray:
        """Half sizes along x and y."""
        return np.abs(self.outline).max(0)

    def board(self, shrink: float, z: float) -> Mesh:
        """The outline drawn in by ``shrink`` metres as a flat face that looks up."""
        inner = self.outline * (1 - shrink / self.half)
        count = len(inner)
        points = np.column_stack([np.vstack([inner, inner.mean(0)]), np.full(count + 1, z)])
        k = np.arange(count)
        return Mesh(points, np.stack([k, (k + 1) % count, np.full(count, count)], 1))


def author(scene: Scene, draw: Draw) -> None:
    """Fill ``scene``; parameters ``shape`` (rectangular, round), ``table_height``, ``length``, ``width``, ``chairs``, colours."""
    round_top = draw.choice("shape", ("rectangular", "round"), (0.7, 0.3)) == "round"
    length, width = draw.real("length", 1.2, 1.8, 1.5), draw.real("width", 0.7, 0.95, 0.8)
    outline = ellipse(48) * draw.real("diameter", 0.95, 1.25) / 2 if round_top else rounded_rectangle(length, width, draw.real("corner", 0.005, 0.06))
    table = Table(outline, draw.real("table_height", 0.72, 0.76, 0.74), round_top)
    _room(scene, draw)
    _table(scene, table, draw)
    _furniture(scene, table, draw)
    _contexts(scene, table)


def _room(scene: Scene, draw: Draw) -> None:
    """Floor boards, walls with skirting, a window with a sill, a door, a ceiling lamp."""
    x, y, h = 2.5, 2.0, 2.6
    wood = draw.color("floor_color", ((0.30, 0.17, 0.08), (0.42, 0.29, 0.17), (0.22, 0.21, 0.20)), None, 0.02)
    boards: list[list[Mesh]] = [[], [], []]
    stream = draw.stream("floor")
    for k, px in enumerate(np.arange(-x, x, 0.25)):
        start = -y - (0.0 if k % 2 else 0.45)
        for py in np.arange(start, y, 0.9):
            low, high = max(py, -y), min(py + 0.9, y)
            if high - low > 0.02:
                boards[int(stream.integers(3))].append(sheet((px + 0.0015, px + 0.2485), (low + 0.0015, high - 0.0015), 0.0, 1.0))
    for k, shade in enumerate((0.8, 1.0, 1.18)):
        scene.add("floor", f"wood_{k}", Look(tuple(c * shade for c in wood), 0.5, 0.4), join(*boards[k]))
    scene.add("floor", "joints", Look(tuple(0.35 * c for c in wood), 0.3, 0.9), sheet((-x, x), (-y, y), -0.002, 5.0))
    color = draw.color("wall_color", ROOM, None, 0.02)
    plaster = Look(color, 0.7, 0.95)
    walls = [
        [(x, -y, 0), (x, y, 0), (x, y, h), (x, -y, h)][::-1],
        [(-x, -y, 0), (-x, y, 0), (-x, y, h), (-x, -y, h)],
        [(-x, y, 0), (x, y, 0), (x, y, h), (-x, y, h)],
        [(-x, -y, 0), (x, -y, 0), (x, -y, h), (-x, -y, h)][::-1],
    ]
    scene.add("wall", "plaster", plaster, quads(np.array(walls)))
    scene.add("ceiling", "plaster", Look((0.72, 0.72, 0.70), 0.75, 0.95), quads(np.array([[(-x, -y, h), (-x, y, h), (x, y, h), (x, -y, h)]])))
    skirting = join(
        *(box((2 * x, 0.02, 0.09), (0, s * (y - 0.01), 0.045)) for s in (-1, 1)),
        *(box((0.02, 2 * y, 0.09), (s * (x - 0.01), 0, 0.045)) for s in (-1, 1)),
    )
    scene.add("wall", "skirting", Look((0.62, 0.61, 0.58), 0.65, 0.5), skirting)
    frame = join(
        *(box((0.08, 0.06, 1.3), (px, y - 0.03, 1.5)) for px in (-0.75, 0.0, 0.75)),
        *(box((1.58, 0.06, 0.08), (0, y - 0.03, z)) for z in (0.86, 2.14)),
        box((1.8, 0.24, 0.04), (0, y - 0.12, 0.80), 0.008),
    )
    scene.add("window", "frame", paint((0.70, 0.70, 0.68), 0.5), frame)
    scene.add("window", "pane", Look((0.30, 0.36, 0.42), 0.05, 0.05), box((1.46, 0.02, 1.24), (0, y - 0.015, 1.5)))
    door = [
        box((0.05, 0.9, 2.05), (-x + 0.03, -0.9, 1.03), 0.008),
        box((0.02, 0.6, 0.7), (-x + 0.06, -0.9, 1.5), 0.008),
        box((0.02, 0.6, 0.7), (-x + 0.06, -0.9, 0.55), 0.008),
    ]
    scene.add("door", "leaf", paint((0.60, 0.58, 0.53), 0.5), join(*door))
    scene.add("door", "handle", METAL, rod((-x + 0.10, -0.55, 1.02), (-x + 0.10, -0.68, 1.02), 0.01, 8))
    shade = lathe([(0.04, 2.12), (0.16, 1.93), (0.165, 1.93), (0.05, 2.135), (0.04, 2.135)], 24, closed=True)
    scene.add("lamp", "shade", plastic((0.35, 0.35, 0.33)), join(shade, rod((0, 0, 2.13), (0, 0, h), 0.006, 6)))
    scene.add("lamp", "bulb", lamp((0.9, 0.85, 0.7), 2.0), lathe([(0, 1.95), (0.035, 1.97), (0.04, 2.0), (0.02, 2.06), (0, 2.1)], 14))


def _table(scene: Scene, table: Table, draw: Draw) -> None:
    """Top with an edge, and four legs with an apron or a foot."""
    z, o = table.height, table.outline
    top = Look(draw.color("top_color", TOPS, None, 0.02), 0.55, draw.real("gloss", 0.15, 0.7))
    levels = [(o * 0.985, z - 0.028), (o, z - 0.022), (o, z - 0.003), (o * 0.998, z)]
    scene.add("table", "top", top, clean(loft(np.array([np.column_stack([ring, np.full(len(ring), h)]) for ring, h in levels]))))
    hx, hy = table.half
    legs_look = DARK_METAL if draw.chance("metal_legs", 0.4) else Look(tuple(0.8 * c for c in top.color), 0.5, 0.6)
    if table.round:
        foot = [lathe([(0, 0), (0.28, 0), (0.27, 0.02), (0.05, 0.06), (0.04, z - 0.06), (0.16, z - 0.028), (0, z - 0.028)], 24)]
        scene.add("table", "foot", legs_look, join(*foot))
        return
    legs = [box((0.055, 0.055, z - 0.028), (sx * (hx - 0.07), sy * (hy - 0.07), (z - 0.028) / 2), 0.006) for sx in (-1, 1) for sy in (-1, 1)]
    apron = [box((2 * hx - 0.2, 0.022, 0.09), (0, s * (hy - 0.07), z - 0.073)) for s in (-1, 1)] + [
        box((0.022, 2 * hy - 0.2, 0.09), (s * (hx - 0.07), 0, z - 0.073)) for s in (-1, 1)
    ]
    scene.add("table", "legs", legs_look, join(*legs, *apron))


def chair(color: Color) -> list[Part]:
    """A chair that faces +x, seat at 0.45 m."""
    seat = box((0.42, 0.42, 0.03), (0, 0, 0.45), 0.01)
    back = tube(np.array([(-0.20, 0, 0.60), (-0.235, 0, 0.75), (-0.26, 0, 0.90)]), np.array([(0.19, 0.012)] * 3), 12)
    legs = [rod((sx * 0.18, sy * 0.18, 0.44), (sx * 0.205, sy * 0.20, 0), 0.014, 8) for sx in (-1, 1) for sy in (-1, 1)]
    posts = [rod((-0.19, s * 0.17, 0.44), (-0.255, s * 0.17, 0.86), 0.012, 8) for s in (-1, 1)]
    return [Part("seat", plastic(color), join(seat, back)), Part("legs", METAL, join(*legs, *posts))]


def _furniture(scene: Scene, table: Table, draw: Draw) -> None:
    """Chairs beside the table, a shelf with boxes and books, a rug, a picture."""
    hx, hy = table.half
    stream = draw.stream("furniture")
    spots = [(hx * 0.45, hy + 0.35, -90), (hx * 0.5, -hy - 0.45, 90), (-hx * 0.45, hy + 0.45, -90)]
    model = scene.prototype(
        "chair", chair(draw.color("chair_color", ((0.03, 0.03, 0.035), (0.55, 0.54, 0.50), (0.35, 0.04, 0.03), (0.05, 0.14, 0.20)), None, 0.02))
    )
    for k in range(draw.integer("chairs", 0, 3)):
        x, y, yaw = spots[k]
        scene.place("chair", model, f"chair_{k}", (x, y, 0.0, yaw + stream.uniform(-15, 15), 1.0))
    shelf_x = 2.5 - 0.16
    boards = (
        [box((0.3, 1.4, 0.02), (shelf_x, 0.9, z)) for z in (0.05, 0.42, 0.80, 1.18, 1.56)]
        + [box((0.3, 0.02, 1.6), (shelf_x, 0.9 + s * 0.7, 0.8)) for s in (-1, 1)]
        + [box((0.01, 1.4, 1.6), (shelf_x + 0.14, 0.9, 0.8))]
    )
    scene.add("shelf", "wood", Look((0.40, 0.30, 0.20), 0.55, 0.7), join(*boards))
    spines: list[list[Mesh]] = [[] for _ in range(4)]
    for z in (0.06, 0.43, 0.81, 1.19):
        y = 0.25
        while y < 1.5:
            wide, tall = stream.uniform(0.015, 0.06), stream.uniform(0.17, 0.30)
            if stream.random() < 0.8:
                spines[int(stream.integers(4))].append(box((0.2, wide - 0.002, tall), (shelf_x - 0.02, y + wide / 2, z + tall / 2)))
            y += wide
    for k, color in enumerate(((0.40, 0.04, 0.03), (0.04, 0.11, 0.28), (0.60, 0.56, 0.46), (0.06, 0.18, 0.09))):
        scene.add("shelf", f"books_{k}", Look(color, 0.5, 0.7), join(*spines[k]))
    if draw.chance("rug", 0.5):
        rug = rounded_rectangle(2 * hx + 0.6, 2 * hy + 0.7, 0.05)
        scene.add(
            "rug",
            "cloth",
            cloth(draw.color("rug_color", ((0.25, 0.06, 0.05), (0.12, 0.15, 0.20), (0.40, 0.36, 0.28)), None, 0.02)),
            loft(np.array([np.column_stack([rug, np.full(len(rug), z)]) for z in (0.0, 0.008)])),
        )
    picture = join(box((0.9, 0.02, 0.65), (0.9, -1.985, 1.55), 0.004))
    scene.add("picture", "frame", Look((0.08, 0.06, 0.05), 0.4, 0.5), picture)
    scene.add(
        "picture",
        "canvas",
        Look(draw.color("picture_color", ((0.20, 0.30, 0.38), (0.50, 0.32, 0.12), (0.12, 0.22, 0.10)), None, 0.04), 0.5, 0.6),
        box((0.8, 0.01, 0.55), (0.9, -1.972, 1.55)),
    )
    heater = join(*(box((0.09, 0.07, 0.55), (-0.6 + 0.1 * k, 1.93, 0.40), 0.02) for k in range(13)))
    scene.add("heater", "paint", paint((0.70, 0.70, 0.68), 0.5), heater)
    scene.add("heater", "glass_valve", GLASS, rod((-0.72, 1.93, 0.2), (-0.66, 1.93, 0.2), 0.02, 10))


def _contexts(scene: Scene, table: Table) -> None:
    """The table top and the floor as surfaces; four radial approaches for the rig that face the table."""
    hx, hy = table.half
    scene.surface("table", table.board(0.09, table.height), float(2 * min(hx, hy) - 0.18))
    scene.surface("floor", sheet((-2.2, 2.2), (-1.7, 1.7), 0.0, 1.0), 3.4)
    for k, (dx, dy) in enumerate(((-1, 0), (0, -1), (1, 0), (0, 1))):
        near, far = (hx + 0.05, hx + 0.65) if dx else (hy + 0.05, hy + 0.65)
        scene.spline(f"ego_{k}" if k else "ego", "ego", np.array([[dx * r, dy * r, 0.0] for r in (far, near)]), 0.5)
