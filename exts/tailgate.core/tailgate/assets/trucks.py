"""Trucks, buses and trailers: bevelled boxes on frames, glazed cabs and double wheels.

Sizes: Directive 96/53/EC limits (2.55 m wide, 4.0 m high, rigid vehicle 12 m, trailer 12 m); box trucks of the Argoverse 2 and KITTI
labels are 9.6-11.5 m long and 3.5-4.3 m high, light ones from 6 m; city bus 10-12 m × 2.55 m × 3.0-3.3 m; tyres 295/80 R22.5: 1.05 m,
light trucks 0.75-0.8 m.
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.cabin import cockpit, furnished, seat, tub
from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import BLACK_PLASTIC, CONTOUR, DARK_METAL, METAL, MIRROR, PLATE, RUBBER, WINDOW, Look, Part, lacquer, lamp, paint, retro
from tailgate.assets.mesh_kit import Mesh, box, cells, clean, join, lathe, loft, rod, rounded_rectangle
from tailgate.assets.vehicles import wheels_at
from tailgate.assets.write import grounded

CAB_COLORS: tuple[Color, ...] = (
    (0.72, 0.72, 0.70),
    (0.48, 0.02, 0.02),
    (0.02, 0.08, 0.32),
    (0.62, 0.36, 0.02),
    (0.04, 0.18, 0.10),
    (0.14, 0.145, 0.15),
)
BODY_COLORS: tuple[Color, ...] = (
    (0.74, 0.74, 0.73),
    (0.70, 0.71, 0.70),
    (0.40, 0.42, 0.44),
    (0.05, 0.14, 0.38),
    (0.55, 0.06, 0.04),
    (0.58, 0.45, 0.05),
    (0.08, 0.25, 0.12),
)
BUS_COLORS: tuple[Color, ...] = ((0.55, 0.03, 0.03), (0.72, 0.72, 0.70), (0.04, 0.14, 0.40), (0.75, 0.48, 0.02), (0.06, 0.30, 0.16))


def glazed_shell(
    columns: list[tuple[float, float]], levels: list[tuple[float, float, float, float]], glass: list[tuple[int, int]], front: tuple[int, ...]
) -> tuple[Mesh, Mesh]:
    """A box-like shell with windows cut from its own faces.

    Args:
        columns: (x, share of the half width) from front to rear along the left side.
        levels: (height, shift of the front end, shift of the rear end, half width) from the bottom up.
        glass: (level, column) cells that are windows on both sides.
        front: levels whose front face is a window.

    Returns:
        Painted shell and windows.
    """
    x, share = np.array(columns).T
    rings = []
    for z, shift_front, shift_rear, half in levels:
        along = x + shift_front + (shift_rear - shift_front) * (x[0] - x) / (x[0] - x[-1])
        left = np.column_stack([along, half * share])
        ends = np.array([[along[0] + 0.05, 0.0]]), np.array([[along[-1] - 0.01, 0.0]])
        ring = np.concatenate([ends[0], left, ends[1], left[::-1] * [1, -1]])
        rings.append(np.column_stack([ring, np.full(len(ring), z)]))
    shell = loft(np.array(rings))
    count, sides = len(rings), len(rings[0])
    picked = [cells(count, sides, [level], [column + 1, sides - 2 - column]) for level, column in glass]
    picked += [cells(count, sides, [level], [0, sides - 1]) for level in front]
    mask = np.zeros(len(shell.triangles), bool)
    if picked:
        mask[np.concatenate(picked)] = True
    return shell.select(~mask), shell.select(mask)


def truck_cab(front: float, length: float, width: float, low: float, top: float) -> tuple[Mesh, Mesh]:
    """A forward-control cab whose nose is at x = ``front``: painted shell and windows."""
    half, belt = width / 2, low + 0.42 * (top - low)
    columns = [
        (front - 0.02, 0.86),
        (front - 0.10, 0.97),
        (front - 0.28, 1.0),
        (front - 0.28 - 0.48 * length, 1.0),
        (front - length + 0.05, 1.0),
        (front - length, 0.97),
    ]
    levels = [
        (low, -0.05, 0, half * 0.98),
        (low + 0.08, 0, 0, half),
        (belt - 0.06, 0, 0, half),
        (belt, -0.01, 0, half),
        (belt + 0.47 * (top - belt), -0.06, 0, half * 0.985),
        (top - 0.22 * (top - belt), -0.13, 0, half * 0.97),
        (top - 0.07, -0.20, 0, half * 0.95),
        (top, -0.34, 0, half * 0.85),
    ]
    return glazed_shell(columns, levels, [(3, 2), (4, 2)], (3, 4))


def _cab_details(front: float, width: float, low: float, belt: float) -> list[Part]:
    """Bumper, grille, lamps, mirrors and plate of a cab."""
    half = width / 2
    bumper = box((0.22, width * 0.97, 0.30), (front - 0.06, 0, low - 0.02), 0.05)
    grille = [box((0.03, width * 0.62, 0.05), (front + 0.035, 0, low + 0.34 + 0.09 * k), 0.01) for k in range(3)]
    mirrors = join(
        box((0.12, 0.12, 0.38), (front - 0.02, half + 0.14, belt + 0.30), 0.03),
        rod((front - 0.1, half - 0.03, belt + 0.42), (front - 0.02, half + 0.12, belt + 0.42), 0.015, 6),
    ).with_mirror()
    wipers = [rod((front + 0.05, y, belt - 0.03), (front + 0.03, y + 0.5, belt + 0.06), 0.012, 4) for y in (-0.75, -0.1)]
    faces = box((0.006, 0.10, 0.34), (front - 0.083, half + 0.14, belt + 0.30)).with_mirror()
    lamps = box((0.06, 0.32, 0.15), (front + 0.035, half * 0.72, low + 0.02), 0.03).with_mirror()
    return [
        Part("mirror", MIRROR, faces),
        Part("plastic", BLACK_PLASTIC, join(bumper, *grille, mirrors, *wipers)),
        Part("lamp_front", lamp((0.80, 0.82, 0.85), 0.15), lamps),
        Part("retro_plate", retro((0.72, 0.72, 0.70), PLATE), box((0.012, 0.50, 0.11), (front + 0.058, 0, low - 0.07))),
    ]


def _cab_interior(shell: Mesh, size: tuple[float, float, float, float]) -> list[Part]:
    """Lining, two seats, dashboard and wheel of a cab of this (front, length, width, height of the windows' lower edge)."""
    front, length, width, belt = size
    floor, back = belt - 0.75, front - min(length - 0.2, 1.35)
    seats = [seat(back, y, floor) for y in (-0.3 * width, 0.3 * width)]
    return furnished(shell, seats, [cockpit(front - 0.12, belt - 0.03, width * 0.86, 0.3 * width)], 0.03)


def _rear_details(rear: float, width: float, floor: float) -> list[Part]:
    """Underrun bar, tail lamps, plate and reflectors at x = ``rear``."""
    half = width / 2
    bar = [
        box((0.10, width * 0.92, 0.12), (rear + 0.12, 0, 0.50), 0.02),
        box((0.10, 0.10, floor - 0.52), (rear + 0.14, 0.5, (floor + 0.5) / 2), 0.01).with_mirror(),
    ]
    lamps = box((0.06, 0.38, 0.13), (rear + 0.05, half - 0.32, floor - 0.14), 0.02).with_mirror()
    chevrons = [box((0.012, 0.36, 0.10), (rear - 0.006, s * (half - 0.25), floor + 0.08)) for s in (-1, 1)]
    return [
        Part("metal_frame", DARK_METAL, join(*bar)),
        Part("lamp_rear", lamp((0.42, 0.015, 0.015), 0.1), lamps),
        Part("retro_plate", retro((0.72, 0.72, 0.70), PLATE), box((0.012, 0.50, 0.11), (rear + 0.05, 0, floor - 0.14))),
        Part("retro_rear", retro((0.72, 0.10, 0.02), CONTOUR), join(*chevrons)),
    ]


def cargo_body(front: float, rear: float, width: float, floor: float, top: float, color: Color) -> list[Part]:
    """A box body with corner rails, rear doors and their lock bars."""
    length, height, middle = front - rear, top - floor, (front + rear) / 2
    shell = box((length, width, height), (middle, 0, (top + floor) / 2), 0.035)
    rails = [box((length, 0.05, 0.11), (middle, s * width / 2, z)) for s in (-1, 1) for z in (floor + 0.05, top - 0.05)]
    posts = [box((0.08, 0.05, height), (x, s * width / 2, (top + floor) / 2)) for s in (-1, 1) for x in (rear + 0.05, front - 0.05)]
    bars = [rod((rear - 0.025, y, floor + 0.1), (rear - 0.025, y, top - 0.1), 0.018, 6) for y in (-0.72, -0.25, 0.25, 0.72)]
    hinges = [box((0.03, 0.16, 0.05), (rear - 0.015, s * (width / 2 - 0.1), floor + height * t)) for s in (-1, 1) for t in (0.15, 0.5, 0.85)]
    return [Part("paint_body", paint(color, 0.4), shell), Part("metal", METAL, join(*rails, *posts, *bars, *hinges))]


def _chassis(front: float, rear: float, floor: float, low: float) -> Mesh:
    """Two frame rails with cross members under the floor."""
    middle, length = (front + rear) / 2, front - rear
    rails = box((length, 0.09, floor - low), (middle, 0.42, (floor + low) / 2)).with_mirror()
    cross = [box((0.1, 0.84, 0.12), (x, 0, (floor + low) / 2)) for x in np.linspace(rear + 0.3, front - 0.3, 6)]
    return join(rails, *cross)


def _flatbed(front: float, rear: float, width: float, floor: float) -> list[Part]:
    """A platform with drop sides and a headboard."""
    length, middle = front - rear, (front + rear) / 2
    sides = [box((length, 0.04, 0.42), (middle, s * (width / 2 - 0.02), floor + 0.27), 0.01) for s in (-1, 1)]
    sides += [box((0.04, width, 0.42), (rear + 0.02, 0, floor + 0.27), 0.01), box((0.06, width, 1.15), (front - 0.03, 0, floor + 0.62), 0.015)]
    return [
        Part("metal", METAL, join(*sides)),
        Part("wood", Look((0.22, 0.16, 0.10), 0.5, 0.85), box((length, width, 0.10), (middle, 0, floor), 0.01)),
    ]


def build_truck(draw: Draw) -> list[Part]:
    """A rigid truck with a box or flat bed; ``style``, ``length``, ``height`` [m], ``cab_color``, ``body_color``."""
    style = draw.choice("style", ("box", "light_box", "flatbed"), (0.5, 0.3, 0.2))
    light = style == "light_box"
    low, high = (5.9, 7.6) if light else (8.0, 11.8)
    if "length" in draw.overrides:
        low, high = 5.0, 13.0
    length = draw.real("length", low, high)
    width = draw.real("width", 2.15, 2.3) if light else draw.real("width", 2.48, 2.55)
    height = draw.real("height", 2.5, 4.2, 3.05 if light else 3.65)
    cab_length, wheel, floor = (1.75, 0.385, 0.95) if light else (draw.real("cab", 1.8, 2.3), 0.515, 1.15)
    front, rear = length / 2, -length / 2
    cab_top = min(2.35 if light else draw.real("cab_height", 2.75, 3.45), height + 0.2)
    low = wheel * 0.95
    paint_cab, glass = truck_cab(front - 0.06, cab_length, width * 0.97, low, cab_top)
    belt = low + 0.42 * (cab_top - low)
    axle_front, axle_rear = front - 0.06 - cab_length * 0.62, rear + 0.24 * length
    axles = [(axle_front, width / 2 - 0.16), (axle_rear, width / 2 - 0.16), (axle_rear, width / 2 - 0.47)]
    if not light and draw.chance("third_axle", 0.5):
        axles += [(axle_rear - 1.32, width / 2 - 0.16)]
    bed_front = front - cab_length - 0.25
    color = draw.color("body_color", BODY_COLORS, (30, 20, 10, 10, 10, 10, 10), 0.02)
    bed = _flatbed(bed_front, rear, width, floor) if style == "flatbed" else cargo_body(bed_front, rear, width, floor, height, color)
    tank = (
        lathe([(0, -0.5), (0.27, -0.5), (0.30, -0.46), (0.30, 0.46), (0.27, 0.5), (0, 0.5)], 16)
        .turned("y", 90)
        .moved((axle_front + axle_rear) / 2 + 0.4, width / 2 - 0.36, floor - 0.45)
    )
    guards = (
        box((0.9, 0.06, 0.09), (0, 0, 0), 0.02)
        .scaled(1.6, 1, 1)
        .moved((axle_front + axle_rear) / 2 - 0.5, width / 2 - 0.06, floor - 0.45)
        .with_mirror()
    )
    fenders = [_fender(axle_front, wheel, width / 2 - 0.16), _fender(axle_rear, wheel, width / 2 - 0.30)]
    return grounded(
        [
            Part("paint_cab", lacquer(draw.color("cab_color", CAB_COLORS, (40, 12, 16, 8, 8, 16), 0.02)), clean(paint_cab), 35),
            Part("glass", WINDOW, glass),
            *_cab_interior(clean(paint_cab), (front - 0.06, cab_length, width * 0.97, belt)),
            *_cab_details(front - 0.06, width * 0.97, low, belt),
            *bed,
            *_rear_details(rear, width, floor),
            Part("metal_frame", DARK_METAL, join(_chassis(front - 0.5, rear + 0.1, floor - 0.05, floor - 0.33), tank, guards)),
            Part("plastic", BLACK_PLASTIC, join(*fenders)),
            *wheels_at(axles, wheel, 0.28 if not light else 0.21, steel=True),
        ]
    )


def _fender(x: float, wheel: float, y: float) -> Mesh:
    """A mudguard over half a wheel, both sides."""
    a = np.deg2rad(np.linspace(20, 160, 9))
    outer, inner = ((wheel + d) * np.stack([np.cos(a), np.sin(a)], 1) + [x, wheel] for d in (0.09, 0.06))
    rings = np.array(
        [[[o[0], y - 0.17, o[1]], [o[0], y + 0.17, o[1]], [i[0], y + 0.17, i[1]], [i[0], y - 0.17, i[1]]] for o, i in zip(outer, inner, strict=True)]
    )
    return loft(rings).with_mirror()


def build_bus(draw: Draw) -> list[Part]:
    """A city bus; ``length`` [m], ``color``."""
    length, height = draw.real("length", 9.5, 12.2, 12.0), draw.real("height", 2.95, 3.3)
    front, rear, half = length / 2, -length / 2, 1.275
    bays = max(5, round((length - 2.6) / 1.45))
    x = [front - 0.02, front - 0.10, front - 0.30]
    for k in range(bays):
        start = front - 0.45 - k * (length - 0.95) / bays
        x += [start, start - (length - 0.95) / bays + 0.09]
    x += [rear + 0.30, rear + 0.08, rear]
    share = np.array([0.88, 0.97, *([1.0] * (len(x) - 4)), 0.985, 0.93])
    levels = [
        (0.30, -0.03, 0, half * 0.985), (0.40, 0, 0, half), (0.98, 0, 0, half), (1.06, 0, 0, half), (1.75, -0.03, 0, half * 0.995),
        (2.45, -0.08, 0.01, half * 0.985), (height - 0.22, -0.12, 0.02, half * 0.975), (height - 0.06, -0.18, 0.05, half * 0.93),
        (height, -0.34, 0.16, half * 0.80),
    ]  # fmt: skip
    windows = [(level, 3 + 2 * k) for level in (3, 4) for k in range(bays)] + [(2, 3), (1, 3)]
    shell, glass = glazed_shell(list(zip(x, share, strict=True)), levels, windows, (3, 4, 2))
    axles = [(front - 2.6, half - 0.08), (rear + 3.1, half - 0.08)]
    arches = [rod((x, -half - 0.006, 0.50), (x, half + 0.006, 0.50), 0.575, 24) for x, _ in axles]
    roof_unit = box((2.4, 1.6, 0.26), (rear + 3.5, 0, height + 0.10), 0.08)
    sign = box((0.04, 1.5, 0.24), (front - 0.09, 0, 2.62), 0.01)
    arm = rod((front - 0.05, half - 0.12, 2.62), (front + 0.12, half + 0.10, 2.38), 0.02, 6)
    mirrors = join(box((0.14, 0.16, 0.34), (front + 0.12, half + 0.10, 2.25), 0.03), arm).with_mirror()
    lamps = box((0.06, 0.34, 0.16), (front - 0.01, half * 0.68, 0.62), 0.03).with_mirror()
    tails = box((0.05, 0.16, 0.55), (rear + 0.005, half * 0.86, 1.0), 0.02).with_mirror()
    return grounded(
        [
            Part("paint_body", lacquer(draw.color("color", BUS_COLORS, None, 0.02)), join(clean(shell), roof_unit), 35),
            Part("glass", WINDOW, glass),
            *furnished(clean(shell), _bus_seats(front, rear), [cockpit(front - 0.22, 1.02, 2.2, 0.62), _bus_floor(front, rear)], 0.03),
            Part("mirror", MIRROR, box((0.006, 0.13, 0.30), (front + 0.047, half + 0.10, 2.25)).with_mirror()),
            Part("plastic", BLACK_PLASTIC, join(sign, mirrors, *arches, box((length - 0.6, 2.0, 0.2), (0, 0, 0.42)))),
            Part("lamp_front", lamp((0.80, 0.82, 0.85), 0.15), lamps),
            Part("lamp_rear", lamp((0.42, 0.015, 0.015), 0.1), tails),
            Part(
                "retro_plate",
                retro((0.72, 0.72, 0.70), PLATE),
                join(box((0.02, 0.52, 0.11), (front + 0.04, 0, 0.50)), box((0.02, 0.52, 0.11), (rear - 0.015, 0, 0.65))),
            ),
            *wheels_at(axles, 0.48, 0.28, steel=True),
        ]
    )


def _bus_seats(front: float, rear: float) -> list[Mesh]:
    """Double seats on both sides of an aisle, and the driver's."""
    rows = np.arange(rear + 0.7, front - 2.4, 0.82)
    return [seat(x, y, 0.62, 0.9, headrest=False) for x in rows for y in (-0.7, 0.7)] + [seat(front - 1.35, 0.62, 0.62)]


def _bus_floor(front: float, rear: float) -> Mesh:
    """Floor and lower walls of a bus."""
    return tub((rear + 0.15, front - 0.2), 2.38, (0.6, 0.96))


def build_trailer(draw: Draw) -> list[Part]:
    """A trailer on its own: box, flat bed, or small utility trailer; ``style``, ``length`` [m]; the drawbar points forward."""
    style = draw.choice("style", ("box", "flatbed", "utility"), (0.4, 0.25, 0.35))
    typical = {"box": (6.2, 8.5), "flatbed": (5.5, 8.0), "utility": (2.2, 3.2)}[style]
    length = draw.real("length", *((2.0, 12.5) if "length" in draw.overrides else typical))
    width, wheel, floor = (1.5, 0.30, 0.55) if style == "utility" else (2.5, 0.42, 1.05)
    front, rear = length / 2, -length / 2
    bar = join(
        rod((front + 1.15, 0, floor - 0.15), (front - 0.2, 0.45, floor - 0.1), 0.045, 8).with_mirror(),
        box((0.22, 0.10, 0.10), (front + 1.2, 0, floor - 0.15), 0.03),
    )
    jockey = join(
        rod((front + 0.75, 0.06, 0.1), (front + 0.75, 0.06, floor + 0.25), 0.03, 8),
        lathe([(0, -0.03), (0.09, -0.03), (0.09, 0.03), (0, 0.03)], 14).turned("x", 90).moved(front + 0.75, 0.06, 0.09),
    )
    color = draw.color("body_color", BODY_COLORS, None, 0.02)
    if style == "box":
        body = cargo_body(front, rear, width, floor, draw.real("height", 2.9, 3.7), color)
    elif style == "flatbed":
        body = _flatbed(front, rear, width, floor)
    else:
        body = _tub(length, width, floor, Look(color, 0.45, 0.7) if draw.chance("tarpaulin", 0.4) else None)
    middle = -0.1 * length
    pairs = [middle] if style == "utility" else [middle - 0.5, middle + 0.5]
    y = width / 2 + 0.12 if style == "utility" else width / 2 - 0.15
    fenders = [_fender(x, wheel, y) for x in pairs]
    return grounded(
        [
            *body,
            *(_light_rear if style == "utility" else _rear_details)(rear, width, floor),
            Part(
                "metal_frame",
                DARK_METAL,
                join(
                    bar,
                    jockey,
                    _chassis(front, rear + 0.1, floor - 0.02, floor - 0.2)
                    if style != "utility"
                    else box((length * 0.9, 0.1, 0.1), (0, 0, floor - 0.08)),
                    *(rod((x, -y, wheel), (x, y, wheel), 0.04, 8) for x in pairs),
                ),
            ),
            Part("plastic", BLACK_PLASTIC, join(*fenders)),
            Part("rubber", RUBBER, rod((front + 0.75, 0.03, 0.09), (front + 0.75, 0.09, 0.09), 0.095, 16)),
            *wheels_at([(x, y) for x in pairs], wheel, 0.2 if style == "utility" else 0.28, steel=True),
        ]
    )


def _tub(length: float, width: float, floor: float, cover: Look | None) -> list[Part]:
    """The open tub of a utility trailer, with or without a domed cover."""
    tub = [box((length, 0.04, 0.45), (0, s * (width / 2 - 0.02), floor + 0.2), 0.01) for s in (-1, 1)]
    tub += [box((0.04, width, 0.45), (s * (length / 2 - 0.02), 0, floor + 0.2), 0.01) for s in (-1, 1)]
    body = [Part("metal", METAL, join(*tub, box((length, width, 0.05), (0, 0, floor))))]
    if cover:
        outline = rounded_rectangle(length, width, 0.1)
        levels = ((0.42, 1.02), (0.6, 1.0), (0.95, 0.93), (1.05, 0.82))
        rings = [np.column_stack([outline * s, np.full(len(outline), floor + h)]) for h, s in levels]
        body.append(Part("cloth_cover", cover, loft(np.array(rings))))
    return body


def _light_rear(rear: float, width: float, floor: float) -> list[Part]:
    lamps = box((0.05, 0.2, 0.1), (rear - 0.02, width / 2 - 0.12, floor - 0.02), 0.015).with_mirror()
    return [
        Part("lamp_rear", lamp((0.42, 0.015, 0.015), 0.1), lamps),
        Part("retro_plate", retro((0.72, 0.72, 0.70), PLATE), box((0.012, 0.50, 0.11), (rear - 0.02, 0, floor - 0.03))),
    ]
