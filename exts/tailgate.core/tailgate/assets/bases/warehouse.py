"""A warehouse hall: pallet racks with loads, aisles, pillars, cladding, dock doors, lamps.

Sizes: halls with 6-9 m clear height; rack bays of 2.7 m for three EUR pallets, 1.1 m deep, levels every 1.5-1.8 m, aisles of 2.9-3.6 m
(EN 15620, FEM 10.2.02); floor lines of 0.1 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.assets.bases.scene import Scene, quads, sheet
from tailgate.assets.cargo import CARDBOARD
from tailgate.assets.draw import Draw
from tailgate.assets.looks import DARK_METAL, METAL, WOOD, Look, Part, lamp, paint, plastic
from tailgate.assets.mesh_kit import Mesh, box, join

CONCRETE = Look((0.30, 0.295, 0.28), 0.35, 0.55)
YELLOW = Look((0.72, 0.46, 0.02), 0.65, 0.5)
BAY, DEPTH = 2.7, 1.1


@dataclass(frozen=True)
class Hall:
    """Sizes of the hall [m]: ``rows`` of double racks of ``bays`` bays along x, with aisles between them."""

    rows: int
    bays: int
    levels: int
    pitch: float
    aisle: float
    height: float

    @property
    def size(self) -> tuple[float, float]:
        """Inner length and width."""
        return self.bays * BAY + 14.0, (self.rows + 1) * self.aisle + self.rows * (2 * DEPTH + 0.2) + 2.0

    def row_y(self, row: int) -> float:
        """Middle of a double rack."""
        return -self.size[1] / 2 + 1.0 + self.aisle + DEPTH + 0.1 + row * (self.aisle + 2 * DEPTH + 0.2)

    def aisle_y(self, aisle: int) -> float:
        """Middle of aisle 0 … rows."""
        return -self.size[1] / 2 + 1.0 + self.aisle / 2 + aisle * (self.aisle + 2 * DEPTH + 0.2)


def author(scene: Scene, draw: Draw) -> None:
    """Fill ``scene``; parameters ``rows``, ``bays``, ``levels``, ``level_height``, ``aisle``, ``height``, ``fill`` (share of places with a load)."""
    levels, pitch = draw.integer("levels", 3, 4), draw.real("level_height", 1.5, 1.8, 1.6)
    clear = levels * pitch + 1.4
    hall = Hall(
        draw.integer("rows", 2, 3), draw.integer("bays", 6, 9), levels, pitch, draw.real("aisle", 2.9, 3.6), max(clear, draw.real("height", 6.5, 9.0))
    )
    _shell(scene, hall, draw)
    _lines(scene, hall)
    stream = draw.stream("loads")
    loads, fill = [*(load(stream, pitch) for _ in range(28)), []], draw.real("fill", 0.2, 1.0, 0.8)
    for row in range(hall.rows):
        _rack(scene, hall, row)
        for s in (-1, 1):
            _fill(scene, hall, hall.row_y(row) + s * (DEPTH / 2 + 0.1), [loads[k] for k in _choices(hall, fill, stream)], stream)
    _floor_stock(scene, hall, draw.stream("floor"))
    _contexts(scene, hall)


def _shell(scene: Scene, hall: Hall, draw: Draw) -> None:
    """Floor, ribbed walls, dock doors, pillars, roof beams and lamps."""
    (length, width), h = hall.size, hall.height
    x, y = length / 2, width / 2
    scene.add("floor", "concrete", CONCRETE, sheet((-x, x), (-y, y), 0.0, 3.0))
    cladding = Look(draw.color("wall_color", ((0.55, 0.56, 0.56), (0.42, 0.46, 0.50), (0.58, 0.56, 0.50)), None, 0.02), 0.5, 0.6)
    for axis, span, offset in (("x", length, y), ("y", width, x)):
        count = int(span / 0.5)
        ribs = join(*(box((0.22, 0.05, h), (-span / 2 + (k + 0.5) * span / count, -0.025, h / 2)) for k in range(count)))
        panel = join(box((span, 0.1, h), (0, 0.05, h / 2)), ribs)
        for turn in (0, 180):
            scene.add(
                "wall",
                "cladding",
                cladding,
                (panel.moved(y=offset).turned("z", turn)) if axis == "x" else panel.moved(y=offset).turned("z", 90 + turn),
            )
    base = join(
        *(box((length, 0.12, 0.9), (0, s * (y - 0.06), 0.45)) for s in (-1, 1)),
        *(box((0.12, width, 0.9), (s * (x - 0.06), 0, 0.45)) for s in (-1, 1)),
    )
    scene.add("wall", "plinth", Look((0.36, 0.35, 0.34), 0.4, 0.9), base)
    for py in np.arange(-y + 3.0, y - 2.0, 4.5):
        slats = join(*(box((0.05, 3.0, 0.42), (x - 0.16, py, 0.25 + 0.45 * k), 0.01) for k in range(8)))
        scene.add("door", "dock_slats", paint((0.62, 0.62, 0.60), 0.5), slats)
        scene.add(
            "door",
            "dock_frame",
            YELLOW,
            join(
                box((0.2, 0.16, 3.9), (x - 0.15, py - 1.6, 1.95)),
                box((0.2, 0.16, 3.9), (x - 0.15, py + 1.6, 1.95)),
                box((0.2, 3.4, 0.2), (x - 0.15, py, 3.85)),
            ),
        )
    steel = Look((0.20, 0.22, 0.25), 0.35, 0.6)
    for px in np.linspace(-x + 0.3, x - 0.3, 5):
        for py in (-y + 0.25, y - 0.25):
            column = join(
                box((0.3, 0.02, h), (px, py - 0.14, h / 2)), box((0.3, 0.02, h), (px, py + 0.14, h / 2)), box((0.02, 0.28, h), (px, py, h / 2))
            )
            scene.add("pillar", "steel", steel, column)
        scene.add("ceiling", "beam", steel, box((0.25, width, 0.55), (px, 0, h - 0.28)))
    scene.add("ceiling", "roof", Look((0.50, 0.50, 0.48), 0.5, 0.8), box((length, width, 0.2), (0, 0, h + 0.1)))
    tubes = [box((1.5, 0.22, 0.08), (px, hall.aisle_y(k), h - 0.75)) for k in range(hall.rows + 1) for px in np.linspace(-x + 3, x - 3, 6)]
    scene.add("ceiling", "lamps", lamp((0.9, 0.9, 0.86), 1.5), join(*tubes))


def _lines(scene: Scene, hall: Hall) -> None:
    """Yellow lines along the aisles and a hatched zone before the docks."""
    half, stripes = hall.bays * BAY / 2 + 0.6, []
    for k in range(hall.rows + 1):
        for s in (-1, 1):
            y = hall.aisle_y(k) + s * (hall.aisle / 2 - 0.18)
            stripes.append([(-half, y - 0.05, 0.003), (half, y - 0.05, 0.003), (half, y + 0.05, 0.003), (-half, y + 0.05, 0.003)])
    x = hall.size[0] / 2 - 3.4
    for y in np.arange(-hall.size[1] / 2 + 1, hall.size[1] / 2 - 2, 0.9):
        stripes.append([(x, y, 0.003), (x + 0.15, y, 0.003), (x + 1.0, y + 0.8, 0.003), (x + 0.85, y + 0.8, 0.003)])
    scene.add("floor", "lines", YELLOW, quads(np.array(stripes)))


def _rack(scene: Scene, hall: Hall, row: int) -> None:
    """Uprights with braces, beams with decks, foot guards of a double rack."""
    top, start = hall.levels * hall.pitch - 0.4, -hall.bays * BAY / 2
    uprights, beams, guards, decks = [], [], [], []
    for s in (-1, 1):
        y0 = hall.row_y(row) + s * (DEPTH / 2 + 0.1)
        for k in range(hall.bays + 1):
            x = start + k * BAY
            uprights += [box((0.09, 0.07, top), (x, y0 + t * (DEPTH / 2 - 0.05), top / 2)) for t in (-1, 1)]
            uprights += [
                box((0.03, DEPTH * 1.15, 0.03), (0, 0, 0)).turned("x", 32 * (-1) ** j).moved(x, y0, 0.5 + 0.75 * j)
                for j in range(int(top / 0.75) - 1)
            ]
            guards.append(box((0.2, 0.04, 0.4), (x, y0 + s * (DEPTH / 2 + 0.02), 0.2), 0.01))
        for level in range(1, hall.levels):
            z = level * hall.pitch
            beams += [box((hall.bays * BAY, 0.05, 0.12), (0, y0 + t * (DEPTH / 2 - 0.05), z - 0.06)) for t in (-1, 1)]
            decks += [box((0.06, DEPTH, 0.03), (start + (k + 0.5) * BAY / 3, y0, z - 0.015)) for k in range(hall.bays * 3)]
    scene.add("rack", "uprights", paint((0.02, 0.08, 0.30), 0.4), join(*uprights))
    scene.add("rack", "beams", paint((0.75, 0.20, 0.02), 0.4), join(*beams))
    scene.add("rack", "decks", METAL, join(*decks))
    scene.add("rack", "guards", YELLOW, join(*guards))


def load(stream: np.random.Generator, tall: float) -> list[Part]:
    """A EUR pallet under cartons, a wrapped block, a box cage or drums; depth along y, base at z = 0; about 150-400 triangles."""
    deck = [box((0.8, 1.2, 0.022), (0, 0, 0.133)), box((0.8, 1.2, 0.022), (0, 0, 0.011))] + [
        box((0.1, 0.14, 0.1), (x, y, 0.072)) for x in (-0.35, 0, 0.35) for y in (-0.53, 0, 0.53)
    ]
    parts = [Part("pallet", WOOD, join(*deck))]
    kind, high = stream.random(), stream.uniform(0.55, 1.0) * (tall - 0.35)
    if kind < 0.6:
        layers, tone = max(1, int(high / 0.28)), int(stream.integers(3))
        grid = (2, 3) if stream.random() < 0.6 else (2, 2)
        cartons = []
        for k in range(layers):
            for i in range(grid[0]):
                for j in range(grid[1]):
                    if k < layers - 1 or stream.random() < 0.7:
                        size = (0.78 / grid[0], 1.18 / grid[1], high / layers)
                        spot = (-0.39 + (i + 0.5) * size[0], -0.59 + (j + 0.5) * size[1], 0.146 + (k + 0.5) * size[2])
                        cartons.append(
                            box((size[0] - 0.012, size[1] - 0.012, size[2] - 0.006), (0, 0, 0)).turned("z", stream.uniform(-1.5, 1.5)).moved(*spot)
                        )
        return [*parts, Part(f"cardboard_{tone}", Look(CARDBOARD[tone], 0.6, 0.9), join(*cartons))] if cartons else parts
    if kind < 0.8:
        wrap = int(stream.integers(2))
        return [
            *parts,
            Part(
                f"wrap_{wrap}", plastic(((0.50, 0.52, 0.54), (0.02, 0.02, 0.022))[wrap], 0.2), box((0.8, 1.18, high), (0, 0, 0.146 + high / 2), 0.05)
            ),
        ]
    color = int(stream.integers(2))
    bins = [
        box((0.38, 0.58, min(0.3, high / 2)), (x, y, 0.146 + (k + 0.5) * min(0.32, high / 2)), 0.02)
        for x in (-0.2, 0.2)
        for y in (-0.3, 0.3)
        for k in range(2)
    ]
    return [*parts, Part(f"bins_{color}", plastic(((0.03, 0.12, 0.40), (0.45, 0.04, 0.03))[color]), join(*bins))]


def _choices(hall: Hall, fill: float, stream: np.random.Generator) -> np.ndarray:
    """Index of the load at each place of one rack, level by level; -1 (the last, an empty one) where there is none."""
    places = hall.levels * hall.bays * 3
    return np.where(stream.random(places) < fill, stream.integers(0, 28, places), -1)


def _fill(scene: Scene, hall: Hall, y: float, loads: list[list[Part]], stream: np.random.Generator) -> None:
    """Put one load on each place of the rack at ``y``, three to a bay, a little askew."""
    for place, parts in enumerate(loads):
        level, k = divmod(place, hall.bays * 3)
        x = -hall.bays * BAY / 2 + (k // 3) * BAY + 0.47 + 0.88 * (k % 3)
        shift = stream.uniform(-0.03, 0.03, 2)
        for part in parts:
            scene.add("cargo", part.name, part.look, part.mesh.moved(x + shift[0], y + shift[1], level * hall.pitch))


def _floor_stock(scene: Scene, hall: Hall, stream: np.random.Generator) -> None:
    """Pallets along the wall opposite the docks, and extinguisher posts."""
    x = -hall.size[0] / 2 + 1.0
    for y in np.arange(-hall.size[1] / 2 + 1.5, hall.size[1] / 2 - 1.5, 1.5):
        if stream.random() < 0.55:
            for part in load(stream, 1.7):
                scene.add("cargo", part.name, part.look, part.mesh.turned("z", 90 + stream.uniform(-4, 4)).moved(x, y, 0))
    for s in (-1, 1):
        scene.add("pillar", "extinguisher", paint((0.50, 0.01, 0.01)), box((0.25, 0.2, 0.6), (2.0 * s, s * (hall.size[1] / 2 - 0.3), 1.0), 0.05))
    rails: list[Mesh] = []
    for row in range(hall.rows):
        for s in (-1, 1):
            end = s * (hall.bays * BAY / 2 + 0.35)
            rails += [box((0.08, 2 * DEPTH + 0.3, 0.12), (end, hall.row_y(row), z)) for z in (0.16, 0.36)]
            rails += [box((0.1, 0.1, 0.45), (end, hall.row_y(row) + t * DEPTH, 0.22)) for t in (-1, 1)]
    scene.add("barrier", "rails", YELLOW, join(*rails))
    scene.add(
        "barrier",
        "bases",
        DARK_METAL,
        join(
            *(
                box((0.2, 0.2, 0.015), (s * (hall.bays * BAY / 2 + 0.35), hall.row_y(r) + t * DEPTH, 0.008))
                for r in range(hall.rows)
                for s in (-1, 1)
                for t in (-1, 1)
            )
        ),
    )


def _contexts(scene: Scene, hall: Hall) -> None:
    """An aisle spline between the racks (odd ones run back), cross aisles at both ends, the ego path, and the free floor as a surface."""
    half, x = hall.bays * BAY / 2, hall.size[0] / 2
    for k in range(hall.rows + 1):
        run = np.linspace(-half, half, 2 * hall.bays + 1) * (1 if k % 2 == 0 else -1)
        scene.spline(f"aisle_{k}", "aisle", np.column_stack([run, np.full(len(run), hall.aisle_y(k)), 0 * run]), hall.aisle - 0.5)
        scene.surface(
            f"aisle_floor_{k}",
            sheet((-half, half), (hall.aisle_y(k) - hall.aisle / 2 + 0.2, hall.aisle_y(k) + hall.aisle / 2 - 0.2), 0.0, 5.0),
            hall.aisle,
        )
    for k, end in enumerate((-1, 1)):
        run = np.linspace(-hall.size[1] / 2 + 1.5, hall.size[1] / 2 - 1.5, 9)
        scene.spline(f"cross_aisle_{k}", "aisle", np.column_stack([np.full(9, end * (half + 3.0)), run, 0 * run]), 3.5)
    middle = hall.aisle_y((hall.rows + 1) // 2)
    run = np.linspace(-half - 3.0, half * 0.3, 9)
    scene.spline("ego", "ego", np.column_stack([run, np.full(9, middle), 0 * run]), hall.aisle * 0.3)
    scene.surface("dock_floor", sheet((half + 1.0, x - 1.0), (-hall.size[1] / 2 + 1, hall.size[1] / 2 - 1), 0.0, 4.0), x - half - 2.0)
