"""Motorcycles and scooters, with or without a rider.

Sizes: motorcycles 2.0-2.2 × 0.75-0.85 × 1.1-1.25 m with 17 in wheels (tyre radius 0.30-0.32 m), wheelbase 1.38-1.50 m, seat
0.78-0.83 m; scooters 1.85-2.0 m with 12-14 in wheels (0.23-0.27 m), wheelbase 1.30-1.38 m (makers' data sheets; vehicle category L3e of
Regulation (EU) 168/2013).
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.body import Seat, seated
from tailgate.assets.draw import Color, Draw
from tailgate.assets.figure import figure
from tailgate.assets.looks import BLACK_PLASTIC, DARK_METAL, METAL, PLATE, RUBBER, Look, Part, lacquer, lamp, paint, retro
from tailgate.assets.mesh_kit import Mesh, box, ellipsoid, join, lathe, rod, spline, tube
from tailgate.assets.people import draw_body, draw_clothes
from tailgate.assets.vehicles import road_wheel
from tailgate.assets.wheels import tyre
from tailgate.assets.write import grounded

BIKE_COLORS: tuple[Color, ...] = (
    (0.45, 0.015, 0.015), (0.02, 0.07, 0.30), (0.012, 0.012, 0.014), (0.70, 0.70, 0.68),
    (0.55, 0.20, 0.01), (0.06, 0.26, 0.08), (0.30, 0.31, 0.32), (0.45, 0.60, 0.55),
)  # fmt: skip


class MotorcycleFit:
    """Where a motorcycle's parts are [m], origin on the ground amidships; ``style`` "roadster", "sport" or "scooter"."""

    def __init__(self, draw: Draw):
        self.style = draw.choice("style", ("roadster", "sport", "scooter"), (0.4, 0.2, 0.4))
        scooter = self.style == "scooter"
        self.wheelbase = draw.real("wheelbase", 1.28, 1.50, 1.33 if scooter else 1.43)
        self.radius = draw.real("wheel_radius", 0.23, 0.27) if scooter else draw.real("wheel_radius", 0.300, 0.320)
        self.seat = draw.real("seat_height", 0.76, 0.84, 0.79)
        bar = {"roadster": (0.28, 1.08, 0.37), "sport": (0.36, 0.92, 0.31), "scooter": (0.30, 1.05, 0.33)}[self.style]
        self.grips = np.array([[bar[0], side * bar[2], bar[1]] for side in (-1, 1)])
        self.front, self.rear = np.array([self.wheelbase / 2, 0, self.radius]), np.array([-self.wheelbase / 2, 0, self.radius])
        self.feet = np.array(
            [
                [0.28 if scooter else (-0.16 if self.style == "sport" else -0.02), s * (0.13 if scooter else 0.20), 0.32 if scooter else 0.30]
                for s in (-1, 1)
            ]
        )


def _fat_tube(points: list[tuple[float, float]], halves: list[tuple[float, float]], sides: int = 14) -> Mesh:
    """A body in the middle plane: (x, z) centre line with (half width, half height) sections and domed ends."""
    p = np.array([(x, 0.0, z) for x, z in points])
    count = 3 * len(points)
    return tube(spline(p, count), np.maximum(spline(halves, count), 0.008), sides, round_ends=True)


def _wheels(fit: MotorcycleFit) -> list[Part]:
    fat = 0.105 if fit.style == "scooter" else 0.12
    rubber, rim, dark = [], [], []
    for centre, width in ((fit.front, fat), (fit.rear, fat * 1.3)):
        _, spokes, disc = road_wheel(fit.radius, width, 5)
        rubber.append(tyre(fit.radius, 0.42 * fat + 0.06, width, 26).moved(*centre))
        rim.append(spokes.with_mirror().moved(*centre))
        dark.append(disc.scaled(0.6, 1, 0.6).moved(*centre))
    return [Part("rubber", RUBBER, join(*rubber)), Part("metal", METAL, join(*rim)), Part("metal_dark", DARK_METAL, join(*dark))]


def _steering(fit: MotorcycleFit) -> list[Part]:
    """Fork, bar, grips, mirrors, head lamp, front mudguard."""
    bar = fit.grips.mean(0)
    top, r = bar + [0.03, 0, -0.06], fit.radius
    legs = rod(fit.front + [0, 0.085, 0], top + [0, 0.085, -0.1], 0.026, 9).with_mirror()
    path = spline(
        [
            fit.grips[0] + [-0.03, -0.05, 0],
            fit.grips[0] + [0.03, 0.12, 0],
            bar + [0.05, -0.05, -0.04],
            bar + [0.05, 0.05, -0.04],
            fit.grips[1] + [0.03, -0.12, 0],
            fit.grips[1] + [-0.03, 0.05, 0],
        ],
        14,
    )
    grips = join(*(rod(g + [0.0, -0.06, 0], g + [0.0, 0.06, 0], 0.02, 8) for g in fit.grips))
    mirrors = join(
        rod(fit.grips[1] + [0.03, -0.1, 0], fit.grips[1] + [0.08, -0.02, 0.16], 0.007, 5),
        ellipsoid((0.02, 0.075, 0.045), fit.grips[1] + [0.08, 0.0, 0.18], 10, 6),
    ).with_mirror()
    a = np.deg2rad(np.linspace(30, 165, 10))
    guard = tube(fit.front + (r + 0.03) * np.stack([np.cos(a), 0 * a, np.sin(a)], 1), np.tile([[0.065, 0.008]], (10, 1)), 8)
    lamp_at = bar + [0.15, 0, -0.12] if fit.style != "scooter" else bar + [0.14, 0, -0.03]
    return [
        Part("metal", METAL, join(legs, tube(path, 0.013, 7))),
        Part("plastic", BLACK_PLASTIC, join(grips, mirrors, ellipsoid((0.075, 0.095, 0.095), lamp_at - np.array([0.03, 0, 0]), 14, 8))),
        Part("lamp_front", lamp((0.85, 0.85, 0.80), 0.6), ellipsoid((0.03, 0.082, 0.082), lamp_at + [0.035, 0, 0], 14, 7)),
        Part("paint", paint((0.02, 0.02, 0.02)), guard),
    ]


def _machine(fit: MotorcycleFit, color: Color) -> list[Part]:
    """Engine, frame, tank, seat, tail, exhaust of a motorcycle."""
    seat, rear, front = fit.seat, fit.rear, fit.front
    tank = _fat_tube(
        [(0.30, seat + 0.05), (0.16, seat + 0.13), (0.0, seat + 0.10), (-0.10, seat + 0.02)], [(0.07, 0.06), (0.15, 0.12), (0.14, 0.11), (0.09, 0.06)]
    )
    saddle = _fat_tube(
        [(-0.06, seat - 0.04), (-0.25, seat - 0.05), (-0.45, seat), (-0.70, seat + 0.05)], [(0.09, 0.04), (0.15, 0.045), (0.14, 0.05), (0.10, 0.04)]
    )
    tail = _fat_tube([(-0.30, seat - 0.12), (-0.55, seat - 0.05), (-0.80, seat + 0.03)], [(0.11, 0.05), (0.11, 0.055), (0.05, 0.035)])
    block = [
        box((0.42, 0.34, 0.28), (0.04, 0, 0.40), 0.06),
        box((0.24, 0.36, 0.22), (0.14, 0, 0.60), 0.04),
        *(box((0.26, 0.38, 0.012), (0.14, 0, 0.53 + 0.04 * k)) for k in range(5)),
    ]
    head = fit.grips.mean(0) + [0.02, 0, -0.18]
    frame = [
        rod(head, (-0.18, 0.11, 0.60), 0.028, 8).with_mirror(),
        rod(head, (0.22, 0.09, 0.34), 0.022, 8).with_mirror(),
        rod((-0.18, 0.11, 0.62), (-0.62, 0.09, seat - 0.06), 0.02, 8).with_mirror(),
    ]
    frame += [rod((-0.16, 0.12, 0.38), rear + [0, 0.12, 0], 0.032, 8).with_mirror(), rod((-0.22, 0.0, 0.60), rear + [0.14, 0, 0.03], 0.035, 10)]
    pipe = tube(spline([(0.30, -0.1, 0.52), (0.36, -0.12, 0.34), (0.20, -0.16, 0.22), (-0.20, -0.18, 0.26)], 12), 0.022, 8)
    muffler = tube(
        np.array([(-0.18, -0.19, 0.26), (-0.25, -0.20, 0.28), (-0.62, -0.24, 0.40), (-0.68, -0.24, 0.42)]), np.array([0.03, 0.058, 0.062, 0.04]), 12
    )
    pegs = [rod(f + [0.03, 0.07 if k == 0 else -0.07, -0.03], f + [0.03, -0.05 if k == 0 else 0.05, -0.03], 0.014, 6) for k, f in enumerate(fit.feet)]
    painted = [tank, tail]
    if fit.style == "sport":
        painted.append(
            _fat_tube([(0.10, 0.42), (0.30, 0.56), (0.48, 0.78), (0.58, 0.90)], [(0.20, 0.17), (0.22, 0.22), (0.19, 0.17), (0.07, 0.07)], 16)
        )
    a = np.deg2rad(np.linspace(60, 170, 8))
    hugger = tube(rear + (fit.radius + 0.035) * np.stack([np.cos(a), 0 * a, np.sin(a)], 1), np.tile([[0.085, 0.008]], (8, 1)), 8)
    chain = rod((-0.1, 0.14, 0.38), rear + [0, 0.14, 0], 0.018, 5)
    return [
        Part("paint", lacquer(color), join(*painted), 60),
        Part("plastic_seat", Look((0.02, 0.02, 0.021), 0.3, 0.8), saddle, 60),
        Part("metal_dark", DARK_METAL, join(*block, *frame, *pegs, chain)),
        Part("metal", METAL, join(pipe, muffler)),
        Part("plastic", BLACK_PLASTIC, hugger),
        Part("lamp_rear", lamp((0.45, 0.015, 0.015), 0.2), ellipsoid((0.03, 0.07, 0.03), (-0.84, 0, seat + 0.03), 8, 5)),
        Part("retro_plate", retro((0.72, 0.72, 0.70), PLATE), box((0.012, 0.18, 0.14), (-0.86, 0, seat - 0.14))),
        Part(
            "plastic", BLACK_PLASTIC, join(rod((-0.72, 0, seat - 0.02), (-0.86, 0, seat - 0.16), 0.02, 6), rod(front, front + [0, 0.09, 0], 0.03, 8))
        ),
    ]


def _scooter(fit: MotorcycleFit, color: Color) -> list[Part]:
    """Leg shield, footboard, engine cover, seat and tail of a scooter."""
    seat = fit.seat
    head = fit.grips.mean(0) + [0.06, 0, -0.08]
    shield = tube(
        spline([(0.30, 0, 0.32), (0.38, 0, 0.45), (0.37, 0, 0.70), (head[0] + 0.02, 0, head[2])], 10),
        spline([(0.16, 0.05), (0.24, 0.05), (0.22, 0.055), (0.09, 0.07)], 10),
        14,
        round_ends=True,
    )
    cover = _fat_tube([(0.0, 0.48), (-0.20, 0.56), (-0.50, 0.62), (-0.80, 0.72)], [(0.12, 0.13), (0.19, 0.17), (0.19, 0.13), (0.08, 0.06)], 16)
    board = box((0.52, 0.40, 0.09), (0.16, 0, 0.29), 0.03)
    belly = box((0.5, 0.26, 0.16), (0.0, 0, 0.24), 0.05)
    saddle = _fat_tube(
        [(0.03, seat - 0.05), (-0.2, seat - 0.04), (-0.45, seat - 0.02), (-0.70, seat)], [(0.08, 0.05), (0.15, 0.06), (0.15, 0.06), (0.10, 0.05)]
    )
    engine = box((0.55, 0.16, 0.2), (fit.rear[0] + 0.2, 0.14, fit.radius + 0.02), 0.05)
    muffler = rod((fit.rear[0] + 0.2, -0.17, fit.radius - 0.02), (fit.rear[0] - 0.22, -0.19, fit.radius + 0.08), 0.06, 12, True)
    parts = [
        Part("paint", lacquer(color), join(shield, cover), 60),
        Part("plastic", BLACK_PLASTIC, join(board, belly, rod(head + [0.0, 0, -0.05], fit.front + [-0.03, 0, 0.1], 0.05, 10))),
        Part("plastic_seat", Look((0.03, 0.025, 0.022), 0.3, 0.8), saddle, 60),
        Part("metal_dark", DARK_METAL, join(engine, muffler)),
        Part("lamp_rear", lamp((0.45, 0.015, 0.015), 0.2), ellipsoid((0.03, 0.09, 0.04), (-0.86, 0, 0.72), 8, 5)),
        Part("retro_plate", retro((0.72, 0.72, 0.70), PLATE), box((0.012, 0.18, 0.14), (-0.87, 0, 0.55))),
    ]
    parts.append(Part("metal_dark", DARK_METAL, rod((-0.80, 0, 0.66), (-0.87, 0, 0.50), 0.02, 6)))
    return parts


def motorcycle_parts(draw: Draw, fit: MotorcycleFit) -> list[Part]:
    """All parts of a motorcycle or scooter; ``color`` linear RGB, ``top_case``."""
    color = draw.color("color", BIKE_COLORS, None, 0.02)
    steering = [Part(p.name, lacquer(color) if p.name == "paint" else p.look, p.mesh, p.crease_deg) for p in _steering(fit)]
    parts = [*(_scooter if fit.style == "scooter" else _machine)(fit, color), *steering, *_wheels(fit)]
    if draw.chance("top_case", 0.3) and fit.style != "sport":
        parts.append(
            Part(
                "plastic",
                BLACK_PLASTIC,
                join(box((0.36, 0.40, 0.30), (-0.86, 0, fit.seat + 0.24), 0.05), box((0.3, 0.2, 0.04), (-0.80, 0, fit.seat + 0.07))),
            )
        )
    return parts


def build_motorcycle(draw: Draw) -> list[Part]:
    """A motorcycle or scooter standing upright on its stand."""
    fit = MotorcycleFit(draw)
    stand = Part("metal_dark", DARK_METAL, rod((-0.05, 0.1, 0.28), (-0.02, 0.22, 0.0), 0.012, 6))
    axle = Part("metal", METAL, lathe([(0, -0.14), (0.02, -0.14), (0.02, 0.14), (0, 0.14)], 10).turned("x", 90).moved(*fit.rear))
    return grounded([*motorcycle_parts(draw, fit), stand, axle])


def build_motorcyclist(draw: Draw) -> list[Part]:
    """A rider with a full-face or open helmet on a motorcycle or scooter."""
    fit, body = MotorcycleFit(draw), draw_body(draw, "adult")
    wear = draw_clothes(draw, ("jacket",), ("trousers",), ("full_helmet", "full_helmet", "helmet"), 0.25)
    lean = {"roadster": 0.25, "sport": 0.75, "scooter": 0.08}[fit.style] + draw.real("lean", -0.05, 0.12)
    pelvis = np.array([-0.30 if fit.style != "scooter" else -0.22, 0, fit.seat + 0.03 + 0.062 * body.unit * body.thick])
    ankles = fit.feet + [-0.04, 0.0, 0.039 * body.unit + 0.01]
    seat = Seat(
        pelvis, ankles, fit.grips + [-0.075, 0, 0.03], (lean * 0.7, lean, lean * 0.35), elbow_bend=(-0.4, 1.0, -0.6), knee_bend=(1.0, 0.3, 0.5)
    )
    return grounded([*motorcycle_parts(draw, fit), *figure(body, seated(body, seat), wear)])
