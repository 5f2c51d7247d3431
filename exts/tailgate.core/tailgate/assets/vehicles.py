"""Cars and vans: a lofted lower body with wheel arches and a lofted cabin with glazed panels.

Sizes follow the European market segments (ICCT, European Vehicle Market Statistics 2022/23): hatchback 4.0-4.4 × 1.8 × 1.45-1.5 m, sedan and
estate 4.5-4.9 × 1.82-1.88 × 1.45-1.5 m, SUV 4.3-4.8 × 1.85-1.92 × 1.6-1.75 m, panel van 4.9-6.0 × 1.95-2.05 × 1.95-2.6 m; tyres of
0.63-0.72 m. Cars of the KITTI tracking labels have a median of 3.85 × 1.63 × 1.50 m, vans 4.73 × 1.82 × 2.06 m. Mirrors add 0.1 m a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.assets.cabin import bench, cockpit, furnished, seat, tub
from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import BLACK_PLASTIC, METAL, MIRROR, PLATE, PRIVACY, RUBBER, WINDOW, Part, lacquer, lamp, retro
from tailgate.assets.mesh_kit import Mesh, box, cells, clean, ellipse, ellipsoid, extrude, join, lathe, loft
from tailgate.assets.wheels import tyre
from tailgate.assets.write import grounded

CAR_COLORS: tuple[Color, ...] = (
    (0.74, 0.74, 0.73), (0.012, 0.012, 0.014), (0.14, 0.145, 0.15), (0.42, 0.43, 0.44), (0.02, 0.06, 0.22),
    (0.32, 0.012, 0.015), (0.20, 0.16, 0.11), (0.03, 0.10, 0.07), (0.55, 0.22, 0.02),
)  # fmt: skip
CAR_COLOR_SHARE = (24, 21, 20, 12, 10, 6, 3, 2, 2)
"""White, black, grey, silver, blue, red, brown, green, orange: shares of new cars after the BASF color report for EMEA 2022."""


@dataclass(frozen=True)
class Shape:
    """Outline of a passenger vehicle [m]; x = 0 amidships, positive forward.

    Attributes:
        length, width, height: overall, without mirrors.
        wheelbase, wheel: axle distance, tyre radius.
        sill: ground clearance of the body side.
        belt: height of the lower window edge.
        nose, cowl: height of the body at the front end and below the windscreen.
        cowl_x, roof_front, roof_rear, tail_x: where the windscreen starts, the roof starts and ends, and the rear window ends.
        deck: height of the body at the rear end.
        windows: x ranges of the side windows, as fractions from the front (0) to the rear (1) of the cabin.
        boxy: above 4 for a van: upright sides, no glass in the rear without side windows.
    """

    length: float
    width: float
    height: float
    wheelbase: float
    wheel: float
    sill: float
    belt: float
    nose: float
    cowl: float
    cowl_x: float
    roof_front: float
    roof_rear: float
    tail_x: float
    deck: float
    windows: tuple[tuple[float, float], ...]
    boxy: float = 3.2

    @property
    def axles(self) -> tuple[float, float]:
        """x of the front and rear axle."""
        front = self.length / 2 - 0.19 * self.length
        return front, front - self.wheelbase


def car_shape(draw: Draw) -> Shape:
    """Draw a hatchback, sedan, estate or SUV; parameters ``style``, ``length``, ``width``, ``height``."""
    style = draw.choice("style", ("hatchback", "sedan", "estate", "suv"), (0.35, 0.25, 0.15, 0.25))
    typical = {"hatchback": (4.05, 1.76, 1.48), "sedan": (4.70, 1.83, 1.45), "estate": (4.68, 1.83, 1.48), "suv": (4.48, 1.87, 1.66)}[style]
    spread = {"length": 0.09, "width": 0.035, "height": 0.035}
    free = {
        k: (0.75 * v, 1.3 * v) if k in draw.overrides else (v * (1 - spread[k]), v * (1 + spread[k])) for k, v in zip(spread, typical, strict=True)
    }
    length, width, height = (draw.real(k, *free[k], v) for k, v in zip(spread, typical, strict=True))
    wheel = {"hatchback": 0.310, "sedan": 0.325, "estate": 0.325, "suv": 0.360}[style]
    belt = 0.62 * height + draw.real("belt", -0.02, 0.03)
    half = length / 2
    cowl_x = half - length * draw.real("hood", 0.225, 0.275)
    rake = draw.real("rake", 0.48, 0.72)
    rear = {"hatchback": 0.012, "sedan": 0.165, "estate": 0.015, "suv": 0.02}[style] * length
    slope = {"hatchback": 0.36, "sedan": 0.62, "estate": 0.30, "suv": 0.32}[style] * draw.real("rear_slope", 0.85, 1.15)
    windows = {
        "sedan": ((0.17, 0.49), (0.53, 0.82)),
        "hatchback": ((0.18, 0.54), (0.58, 0.88)),
        "estate": ((0.15, 0.42), (0.455, 0.69), (0.72, 0.91)),
    }
    tail_x = -half + rear
    deck = belt + (0.02 if style == "sedan" else 0.0)
    return Shape(
        length,
        width,
        height,
        length * draw.real("wheelbase", 0.575, 0.625, 0.6),
        wheel,
        0.20 + 0.09 * (style == "suv"),
        belt,
        0.80 * belt,
        belt + 0.005,
        cowl_x,
        cowl_x - rake,
        tail_x + slope,
        tail_x,
        deck,
        windows.get(style, windows["estate"]),
        3.0,
    )


def van_shape(draw: Draw) -> Shape:
    """Draw a panel van or minibus; parameters ``style``, ``length``, ``width``, ``height``."""
    style = draw.choice("style", ("compact", "panel", "high_roof", "minibus"), (0.3, 0.35, 0.2, 0.15))
    typical = {"compact": (4.5, 1.82, 1.86), "panel": (5.1, 1.93, 2.02), "high_roof": (5.9, 2.02, 2.55), "minibus": (5.2, 1.95, 2.08)}[style]
    free = [(0.75 * v, 1.3 * v) if k in draw.overrides else (0.94 * v, 1.06 * v) for k, v in zip(("length", "width", "height"), typical, strict=True)]
    length, width, height = (draw.real(k, *f, v) for k, f, v in zip(("length", "width", "height"), free, typical, strict=True))
    belt, half = min(0.56 * height, 1.22), length / 2
    cowl_x = half - draw.real("hood", 0.62, 0.85)
    cab = ((0.13, 0.30),) if style != "minibus" else ((0.13, 0.30), (0.33, 0.60), (0.63, 0.93))
    return Shape(
        length,
        width,
        height,
        length * draw.real("wheelbase", 0.57, 0.63),
        0.335,
        0.24,
        belt,
        0.80 * belt,
        belt + 0.01,
        cowl_x,
        cowl_x - draw.real("rake", 0.55, 0.75) * (height - belt) / 0.85,
        -half + 0.09,
        -half + 0.02,
        belt,
        cab,
        4.2,
    )


def _profile(shape: Shape, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Top height, bottom height and half width of the lower body at ``x``."""
    half = shape.length / 2
    knots = [-half, -half + 0.06, -half + 0.22, shape.tail_x + 0.25, shape.cowl_x, half - 0.45, half - 0.12, half - 0.03, half]
    tops = [
        shape.deck - 0.16,
        shape.deck - 0.05,
        shape.deck,
        shape.belt,
        shape.cowl,
        shape.nose + 0.03,
        shape.nose - 0.05,
        shape.nose - 0.13,
        shape.nose - 0.24,
    ]
    order = np.argsort(knots)
    top = np.interp(x, np.array(knots)[order], np.array(tops)[order])
    bottom = np.full_like(x, shape.sill)
    bottom += np.interp(np.abs(x), [half - 0.35, half], [0.0, 0.06])
    arch = shape.wheel + 0.065
    for axle in shape.axles:
        rise = np.sqrt(np.maximum(arch**2 - (x - axle) ** 2, 0.0))
        bottom = np.maximum(bottom, np.where(np.abs(x - axle) < arch, shape.wheel + rise, 0.0))
    plan = np.interp(np.abs(x) / half, [0, 0.72, 0.88, 0.955, 0.985, 1.0], [1.0, 0.995, 0.955, 0.87, 0.78, 0.64])
    return top, bottom, plan * shape.width / 2


def _lower_body(shape: Shape) -> tuple[Mesh, Mesh]:
    """Painted shell of the lower body, open at the top between windscreen and rear shelf, and the dark strip along its bottom."""
    half, arch = shape.length / 2, shape.wheel + 0.066
    x = [
        -half,
        -half + 0.02,
        -half + 0.06,
        -half + 0.14,
        -half + 0.28,
        half - 0.28,
        half - 0.14,
        half - 0.07,
        half - 0.03,
        half,
        shape.cowl_x,
        shape.tail_x + 0.25,
        0.0,
    ]
    for axle in shape.axles:
        x += list(axle + arch * np.cos(np.linspace(0, np.pi, 13))) + [axle - arch - 0.004, axle + arch + 0.004]
    x = np.unique(np.clip(np.round(x, 4), -half, half))
    top, bottom, width = _profile(shape, x)
    fraction = np.array([0.0, 0.0, 0.05, 0.14, 0.40, 0.68, 0.86, 0.955, 1.0, 1.012])
    across = np.array([0.0, 0.90, 0.965, 0.985, 1.0, 0.985, 0.955, 0.90, 0.62, 0.0])
    rise = bottom[:, None] + (top - bottom)[:, None] * fraction
    side = width[:, None] * across
    ring_y = np.concatenate([side, -side[:, -2:0:-1]], 1)
    ring_z = np.concatenate([rise, rise[:, -2:0:-1]], 1)
    rings = np.stack([np.broadcast_to(x[:, None], ring_y.shape), ring_y, ring_z], -1)
    shell = loft(rings)
    sides = rings.shape[1]
    dark = cells(len(x), sides, range(len(x) - 1), [0, 1, 2, sides - 3, sides - 2, sides - 1])
    inside = [k for k in range(len(x) - 1) if x[k] > shape.tail_x + 0.24 and x[k + 1] < shape.cowl_x + 0.01]
    mask, opened = np.zeros(len(shell.triangles), bool), np.zeros(len(shell.triangles), bool)
    mask[dark], opened[cells(len(x), sides, inside, range(7, 11))] = True, True
    return shell.select(~mask & ~opened), shell.select(mask)


def _cabin(shape: Shape) -> tuple[Mesh, Mesh, Mesh]:
    """Painted roof and pillars, the windows around the front seats, and those behind."""
    roof, low = shape.height, shape.belt
    h = np.array([low - 0.06, low + 0.025, low + 0.5 * (roof - low), roof - 0.105, roof - 0.045, roof - 0.015, roof])
    t = np.clip((h - low) / (roof - 0.06 - low), -0.1, 1.06)
    front = shape.cowl_x + (shape.roof_front - shape.cowl_x) * np.sign(t) * np.abs(t) ** 1.08
    rear = shape.tail_x + (shape.roof_rear - shape.tail_x) * np.sign(t) * np.abs(t) ** 1.3
    tumble = 1.0 - (0.10 if shape.boxy > 4 else 0.20) * np.clip(t, 0, 1) ** 1.4
    half = shape.width / 2 * 0.945 * tumble
    shrink = np.array([0, 0, 0, 0, 0.03, 0.16, 0.55])
    stops = sorted({0.0, 0.035, 0.965, 1.0, *(f for w in shape.windows for f in w)})
    bulge = np.array([0.0, 0.035, 0.06])
    rings = np.array([_cabin_ring(front[k], rear[k], half[k], shrink[k], np.array(stops), bulge) + [0, 0, h[k]] for k in range(len(h))])
    shell = loft(rings, (False, True))
    count, sides, glazed = len(h), rings.shape[1], [1, 2]
    n = len(stops)
    columns = [3 + k for k, (a, b) in enumerate(zip(stops[:-1], stops[1:], strict=True)) if (a, b) in shape.windows]
    other = 2 * (n + 5) - 1
    screen, back = [sides - 2, sides - 1, 0, 1], [c + n + 2 for c in range(1, 5)]
    behind = [c for own in columns[1:] for c in (own, other - own)]
    if shape.boxy < 4 or len(shape.windows) > 1:
        behind += back
    masks = []
    for picked in ([columns[0], other - columns[0], *screen], behind):
        masks.append(np.zeros(len(shell.triangles), bool))
        masks[-1][cells(count, sides, glazed, picked)] = True
    return shell.select(~masks[0] & ~masks[1]), shell.select(masks[0]), shell.select(masks[1])


def _cabin_ring(front: float, rear: float, half: float, shrink: float, stops: np.ndarray, bulge: np.ndarray) -> np.ndarray:
    """One level of the cabin, [2 · (stops + 5), 3] counter-clockwise from the front's centre: curved front and rear, straight sides."""
    middle, reach = (front + rear) / 2, (front - rear) / 2 * (1 - 0.5 * shrink)
    front, rear, half = middle + reach, middle - reach, half * (1 - shrink)
    plan = 1 - 0.045 * (2 * stops - 1) ** 4 * np.ones_like(stops)
    x = front - 0.06 + (rear + 0.04 - front + 0.06) * stops
    left = [(front + bulge[2], 0.0), (front + bulge[1], 0.5 * half), (front - 0.015, 0.88 * half)]
    left += list(zip(x, half * plan, strict=True))
    left += [(rear + 0.01, 0.88 * half), (rear - 0.03, 0.5 * half)]
    points = np.array(left)
    last = np.array([[rear - 0.04, 0.0]])
    ring = np.concatenate([points, last, points[:0:-1] * [1, -1]])
    return np.column_stack([ring, np.zeros(len(ring))])


def road_wheel(radius: float, width: float, spokes: int = 5, steel: bool = False) -> tuple[Mesh, Mesh, Mesh]:
    """Tyre, rim with spokes, and the dark disc behind them, about the y axis; the outer face looks to +y."""
    rim = radius * 0.68
    ring = lathe(
        [(rim, width * 0.46), (rim, -width * 0.45), (rim - 0.02, -width * 0.45), (rim - 0.035, width * 0.30), (rim - 0.012, width * 0.47)],
        24,
        closed=True,
    )
    hub = lathe([(0, width * 0.20), (0.07, width * 0.20), (0.06, width * 0.36), (0, width * 0.38)], 14)
    if steel:
        pieces = [lathe([(0, width * 0.10), (rim - 0.02, width * 0.10), (rim - 0.03, width * 0.26), (0.09, width * 0.30), (0, width * 0.30)], 20)]
    else:
        bar = box((rim - 0.04, 0.075 * radius / 0.32, width * 0.13), (rim / 2, 0, width * 0.32), 0.01)
        pieces = [bar.turned("z", 360 * k / spokes) for k in range(spokes)]
    disc = lathe([(0, -width * 0.3), (rim - 0.01, -width * 0.3), (rim - 0.01, width * 0.02), (0, width * 0.02)], 20)
    return tyre(radius, radius - rim + 0.005, width, 28), join(ring, hub, *pieces).turned("x", -90), disc.turned("x", -90)


def wheels_at(axles: list[tuple[float, float]], radius: float, width: float, spokes: int = 5, steel: bool = False) -> list[Part]:
    """Wheels left and right at each axle (x, y of the wheel's centre plane)."""
    rubber, rim, dark = road_wheel(radius, width, spokes, steel)

    def everywhere(mesh: Mesh) -> Mesh:
        return join(*(mesh.moved(x, y, radius).with_mirror() for x, y in axles))

    return [Part("rubber", RUBBER, everywhere(rubber)), Part("metal", METAL, everywhere(rim)), Part("plastic", BLACK_PLASTIC, everywhere(dark))]


def _details(shape: Shape, color: Color) -> list[Part]:
    """Underbody, lamps, plates, mirrors, handles and grille."""
    half, width = shape.length / 2, shape.width / 2
    arch = shape.wheel + 0.07
    under = box((shape.length - 0.6, shape.width - 0.60, shape.nose - shape.sill - 0.22), (0, 0, (shape.sill + shape.nose - 0.18) / 2))
    middle = box((shape.wheelbase - 2 * arch, shape.width * 0.9, 0.05), (sum(shape.axles) / 2, 0, shape.sill + 0.02))
    grille = box((0.03, width * 1.05, 0.09), (half - 0.008, 0, shape.nose - 0.31), 0.01)
    intake = box((0.03, width * 1.1, 0.09), (half - 0.006, 0, shape.sill + 0.14), 0.01)
    rear = box((0.03, width * 1.1, 0.10), (-half + 0.004, 0, shape.sill + 0.14), 0.01)
    mirror_x = shape.cowl_x - 0.22
    mirror = ellipsoid((0.07, 0.10, 0.065), (mirror_x, width * 0.945 + 0.065, shape.belt + 0.085), 10, 7).with_mirror()
    faces = extrude(ellipse(14) * [0.085, 0.052], 0.006, axis="x").moved(mirror_x - 0.058, width * 0.945 + 0.065, shape.belt + 0.085).with_mirror()
    stems = box((0.05, 0.12, 0.025), (mirror_x, width * 0.945, shape.belt + 0.04), 0.008).with_mirror()
    handles = [
        box((0.15, 0.03, 0.025), (x, width * 0.982, shape.belt - 0.12), 0.008).with_mirror() for x in (shape.cowl_x - 0.95, shape.cowl_x - 1.85)
    ]
    front_lamp = ellipsoid((0.17, 0.19, 0.062), (half - 0.17, width * 0.70, shape.nose - 0.13), 12, 7).with_mirror()
    rear_lamp = ellipsoid((0.08, 0.13, 0.085 if shape.boxy < 4 else 0.2), (-half + 0.085, width * 0.76, shape.deck - 0.20), 12, 7).with_mirror()
    plates = join(box((0.012, 0.50, 0.11), (half + 0.004, 0, shape.sill + 0.26)), box((0.012, 0.50, 0.11), (-half - 0.004, 0, shape.deck - 0.32)))
    return [
        Part("plastic", BLACK_PLASTIC, join(under, middle, grille, intake, rear, *handles, stems)),
        Part("paint", lacquer(color), mirror),
        Part("mirror", MIRROR, faces),
        Part("lamp_front", lamp((0.80, 0.82, 0.85), 0.15), front_lamp),
        Part("lamp_rear", lamp((0.42, 0.015, 0.015), 0.1), rear_lamp),
        Part("retro_plate", retro((0.72, 0.72, 0.70), PLATE), plates),
    ]


def _interior(shape: Shape, roof: Mesh) -> list[Part]:
    """Lining, seats in one row or two, dashboard, wheel and rear shelf; a van without rear windows has a wall behind its seats."""
    floor, width, front = shape.belt - 0.66, shape.width * 0.84, shape.cowl_x - 1.45
    side = 0.22 * shape.width
    seats = [seat(front, y, floor) for y in (-side, side)]
    hold = tub((shape.tail_x + 0.25, shape.cowl_x - 0.02), width, (floor, shape.belt - 0.05))
    furniture = [cockpit(shape.cowl_x, shape.cowl - 0.02, width, side), hold]
    if shape.boxy > 4 and len(shape.windows) == 1:
        furniture.append(box((0.03, width, shape.height - floor - 0.1), (front - 0.35, 0, (floor + shape.height) / 2 - 0.04)))
        return furnished(roof, seats, furniture)
    last = shape.tail_x + 0.3 + 0.35 * (shape.roof_rear - shape.tail_x)
    rows = max(1, round((front - last) / 0.95))
    seats += [bench(max(front - 0.88 * (k + 1), last), width * 0.92, floor) for k in range(rows)]
    shelf = box((0.36, width, 0.02), (shape.tail_x + 0.16, 0, shape.belt + 0.022))
    return furnished(roof, seats, [*furniture, shelf])


def passenger_vehicle(draw: Draw, shape: Shape, color: Color, spokes: int, steel: bool = False) -> list[Part]:
    """All parts of a car or van; ``privacy`` darkens the windows behind the front seats."""
    body, skirt = _lower_body(shape)
    roof, glass, behind = _cabin(shape)
    track = shape.width / 2 - 0.115
    dark = draw.chance("privacy", 0.3)
    return [
        Part("paint", lacquer(color), join(clean(body), clean(roof)), 38),
        Part("glass", WINDOW, glass, 50),
        *([Part("glass_rear", PRIVACY if dark else WINDOW, behind, 50)] if len(behind.triangles) else []),
        *_interior(shape, clean(roof)),
        Part("plastic", BLACK_PLASTIC, skirt),
        *wheels_at([(x, track) for x in shape.axles], shape.wheel, 0.21, spokes, steel),
        *_details(shape, color),
    ]


def build_car(draw: Draw) -> list[Part]:
    """A passenger car; see ``car_shape``; ``color`` linear RGB."""
    color = draw.color("color", CAR_COLORS, CAR_COLOR_SHARE, 0.02)
    return grounded(passenger_vehicle(draw, car_shape(draw), color, draw.integer("spokes", 5, 10)))


def build_van(draw: Draw) -> list[Part]:
    """A van or minibus; see ``van_shape``; ``color`` linear RGB."""
    color = draw.color("color", CAR_COLORS, (50, 8, 14, 14, 6, 4, 1, 1, 1), 0.02)
    return grounded(passenger_vehicle(draw, van_shape(draw), color, 5, steel=draw.chance("steel_wheels", 0.7)))
