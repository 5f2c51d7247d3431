"""Things on small wheels: bicycle, stroller, wheelchair, and the wheels themselves.

Sizes: ISO 5775 rim 622 mm with 28-47 mm tyres (bicycle wheels 0.68-0.72 m), bicycle length 1.7-1.9 m; ISO 7193 manual wheelchairs up to
1.2 × 0.7 × 1.09 m, rear wheels 0.61 m (24 in), castors 0.13-0.2 m; EN 1888 strollers about 0.9 × 0.58 × 1.05 m with wheels of 0.15-0.3 m.
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import BLACK_PLASTIC, DARK_METAL, METAL, RA1, RUBBER, Part, cloth, lamp, paint, retro
from tailgate.assets.mesh_kit import Mesh, box, ellipsoid, extrude, join, lathe, loft, rod, sections, spline, tube
from tailgate.assets.write import grounded

FRAME_COLORS: tuple[Color, ...] = (
    (0.015, 0.015, 0.018), (0.55, 0.02, 0.02), (0.03, 0.12, 0.42), (0.72, 0.72, 0.70), (0.05, 0.25, 0.14),
    (0.30, 0.31, 0.33), (0.75, 0.42, 0.03), (0.10, 0.38, 0.42),
)  # fmt: skip
FABRIC: tuple[Color, ...] = ((0.02, 0.02, 0.022), (0.04, 0.06, 0.14), (0.22, 0.22, 0.23), (0.35, 0.03, 0.04), (0.10, 0.20, 0.16), (0.42, 0.36, 0.26))


def tyre(radius: float, section: float, width: float, sides: int = 28) -> Mesh:
    """A tyre about the y axis through the origin: outer ``radius``, ``section`` height and ``width`` of its rounded profile [m]."""
    a = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    c, s = np.cos(a), np.sin(a)
    profile = np.stack([radius - section / 2 + section / 2 * np.sign(c) * np.abs(c) ** 0.7, width / 2 * np.sign(s) * np.abs(s) ** 0.7], 1)
    return lathe(profile, sides, closed=True).turned("x", 90)


def spoked_wheel(radius: float, width: float, spokes: int = 24, sides: int = 32) -> tuple[Mesh, Mesh]:
    """Tyre, and rim with hub and spokes, about the y axis through the origin."""
    rim_radius = radius - width
    profile = np.array([[0.0, -0.4], [0.007, -0.45], [0.014, -0.3], [0.014, 0.3], [0.007, 0.45], [0.0, 0.4]]) * [1, width]
    rim = lathe(profile * [-1, 1] + [rim_radius, 0], sides, closed=True).turned("x", 90)
    hub = rod((0, -0.035, 0), (0, 0.035, 0), 0.022, 8)
    rods = []
    for k in range(spokes):
        a = 2 * np.pi * k / spokes
        b = a + (0.35 if k % 4 < 2 else -0.35)
        start = (0.018 * np.cos(b), 0.028 if k % 2 else -0.028, 0.018 * np.sin(b))
        rods.append(rod(start, ((rim_radius - 0.008) * np.cos(a), 0.0, (rim_radius - 0.008) * np.sin(a)), 0.0014, 3))
    return tyre(radius, width, width, sides), join(rim, hub, *rods)


class BicycleFit:
    """Where a bicycle's parts are [m], origin on the ground between the wheels' contact points.

    Args:
        draw: names ``wheelbase``, ``wheel_radius``, ``saddle_height``, ``bar_height``, ``crank_angle``.
        scale: 1 for an adult's bicycle.
    """

    def __init__(self, draw: Draw, scale: float = 1.0):
        self.wheelbase = draw.real("wheelbase", 0.98, 1.12, 1.04) * scale
        self.radius = draw.real("wheel_radius", 0.330, 0.365, 0.342) * scale
        self.saddle = np.array([-0.18 * scale, 0.0, draw.real("saddle_height", 0.86, 1.02, 0.95) * scale])
        self.bar = np.array([0.36 * scale, 0.0, draw.real("bar_height", 0.95, 1.14, 1.05) * scale])
        self.crank = np.array([-0.03 * scale, 0.0, 0.28 * scale])
        self.crank_length = 0.17 * scale
        self.crank_angle = 2 * np.pi * draw.real("crank_angle", 0.0, 1.0)
        self.rear = np.array([-self.wheelbase / 2, 0.0, self.radius])
        self.front = np.array([self.wheelbase / 2, 0.0, self.radius])
        self.grips = np.array([[self.bar[0] - 0.07, side * 0.27 * scale, self.bar[2] + 0.02] for side in (-1, 1)])

    def pedal(self, k: int) -> np.ndarray:
        """Centre of the right (0) or left (1) pedal."""
        a = self.crank_angle + np.pi * k
        return self.crank + np.array([self.crank_length * np.cos(a), (0.13 if k else -0.13), self.crank_length * np.sin(a)])


def bicycle_parts(draw: Draw, fit: BicycleFit) -> list[Part]:
    """Frame, wheels, drive, saddle, bar; mudguards, rack, basket and lights by variant."""
    step_through = draw.choice("frame", ("diamond", "step_through")) == "step_through"
    color = draw.color("color", FRAME_COLORS)
    head_top, head_low = fit.bar + [0.0, 0, -0.16], fit.bar + [0.045, 0, -0.28]
    seat_top = fit.crank + (fit.saddle - fit.crank) * 0.74
    frame = [rod(fit.crank, fit.saddle - [0, 0, 0.05], 0.015), rod(head_low, fit.crank, 0.019), rod(head_low, head_top, 0.020)]
    if step_through:
        frame.append(tube(spline([head_top - [0, 0, 0.02], (fit.bar + fit.crank) / 2 - [0.08, 0, 0.10], fit.crank + [-0.04, 0, 0.16]], 6), 0.016, 8))
    else:
        frame.append(rod(head_top, seat_top, 0.016))
    for y in (-0.055, 0.055):
        frame += [rod(fit.rear + [0, y, 0], fit.crank + [0, y * 0.5, 0], 0.010, 6), rod(fit.rear + [0, y, 0], seat_top + [0, y * 0.3, 0], 0.009, 6)]
        frame.append(tube(spline([fit.front + [0, y, 0], fit.front + [-0.06, y, 0.18], head_low + [0.0, y * 0.7, 0]], 5), 0.011, 6))
    tyres, rims = zip(*(spoked_wheel(fit.radius, 0.036) for _ in range(2)), strict=True)
    place = [fit.rear, fit.front]
    bar = spline(
        [
            fit.grips[0] + [-0.06, 0, 0],
            fit.grips[0],
            fit.bar + [0.03, -0.08, 0.0],
            fit.bar + [0.03, 0.08, 0],
            fit.grips[1],
            fit.grips[1] + [-0.06, 0, 0],
        ],
        14,
    )
    metal = [
        tube(bar, 0.012, 7),
        rod(head_top, fit.bar + [0.02, 0, 0], 0.014),
        lathe([(0, -0.004), (0.09, -0.004), (0.09, 0.004), (0, 0.004)], 18).turned("x", 90).moved(*(fit.crank + [0, -0.05, 0])),
    ]
    dark = [join(*(rod(g + [0.02, 0, 0], g + [-0.07, 0, 0], 0.017, 8) for g in fit.grips)), _saddle(fit)]
    for k in (0, 1):
        pedal = fit.pedal(k)
        metal.append(rod(fit.crank + [0, (0.06 if k else -0.06), 0], pedal - [0, (0.05 if k else -0.05), 0], 0.011, 6))
        dark.append(box((0.095, 0.08, 0.022), pedal, 0.005))
    parts = [
        Part("paint_frame", paint(color), join(*frame)),
        Part("rubber", RUBBER, join(*(t.moved(*p) for t, p in zip(tyres, place, strict=True)))),
        Part("metal", METAL, join(*metal, *(r.moved(*p) for r, p in zip(rims, place, strict=True)))),
        Part("plastic", BLACK_PLASTIC, join(*dark)),
    ]
    return parts + _bicycle_extras(draw, fit)


def _saddle(fit: BicycleFit) -> Mesh:
    x = np.array([-0.13, -0.11, -0.04, 0.03, 0.10, 0.135])
    halves = np.stack([[0.05, 0.085, 0.06, 0.028, 0.022, 0.012], [0.02, 0.032, 0.03, 0.024, 0.018, 0.01]], 1)
    return tube(np.stack([x, 0 * x, np.zeros(6)], 1) + fit.saddle, halves, 10)


def _bicycle_extras(draw: Draw, fit: BicycleFit) -> list[Part]:
    lamps = [Part("retro_rear", retro((0.75, 0.02, 0.02), RA1), ellipsoid((0.012, 0.03, 0.03), fit.saddle + [-0.14, 0, -0.09], 8, 5))]
    extras = []
    if draw.chance("mudguards", 0.6):
        for centre, span in ((fit.rear, (15, 200)), (fit.front, (30, 170))):
            a = np.deg2rad(np.linspace(*span, 12))
            arc = centre + (fit.radius + 0.02) * np.stack([np.cos(a), 0 * a, np.sin(a)], 1)
            extras.append(tube(arc, np.tile([[0.026, 0.003]], (12, 1)), 6))
    if draw.chance("rack", 0.5):
        z = fit.rear[2] + fit.radius + 0.06
        extras += [box((0.34, 0.012, 0.012), (fit.rear[0] + 0.0, y, z)) for y in (-0.05, 0, 0.05)]
        extras += [rod(fit.rear + [0, y, 0], (fit.rear[0] - 0.05, y, z), 0.006, 5) for y in (-0.06, 0.06)]
    if draw.chance("basket", 0.25):
        low, high = np.array([0.14, 0.11]), np.array([0.17, 0.14])
        centre = fit.bar + [0.17, 0, -0.08]
        for t in np.linspace(0, 1, 5):
            half = low + (high - low) * t
            ring = np.array([[half[0], half[1], 0], [-half[0], half[1], 0], [-half[0], -half[1], 0], [half[0], -half[1], 0], [half[0], half[1], 0]])
            extras.append(tube(ring + centre + [0, 0, -0.11 + 0.22 * t], 0.004, 4))
        extras.append(box((0.27, 0.21, 0.008), centre + [0, 0, -0.11]))
    if extras:
        lamps.append(Part("metal_extras", DARK_METAL, join(*extras)))
    return lamps


def build_bicycle(draw: Draw) -> list[Part]:
    """A bicycle standing upright; see ``BicycleFit`` and ``bicycle_parts`` for its parameters."""
    return grounded(bicycle_parts(draw, BicycleFit(draw)))


class WheelchairFit:
    """Where a manual wheelchair's parts are [m], origin on the ground below the seat."""

    def __init__(self, draw: Draw):
        self.width = draw.real("seat_width", 0.38, 0.50, 0.44)
        self.seat = draw.real("seat_height", 0.47, 0.54, 0.50)
        self.radius = draw.real("wheel_radius", 0.290, 0.320, 0.305)
        self.axle = np.array([-0.12, 0.0, self.radius])
        self.back = draw.real("back_height", 0.34, 0.50, 0.42)
        self.depth = 0.43
        self.feet = np.array([[0.50, side * 0.10, 0.16] for side in (-1, 1)])

    def rim(self, k: int, angle: float) -> np.ndarray:
        """A point on the right (0) or left (1) push rim, ``angle`` [rad] from the top, positive forward."""
        y = (self.width / 2 + 0.07) * (1 if k else -1)
        return self.axle + np.array([0.26 * np.sin(angle), y, 0.26 * np.cos(angle)])


def wheelchair_parts(draw: Draw, fit: WheelchairFit) -> list[Part]:
    """Wheels with spokes and push rims, castors, tube frame, sling seat and back, armrests, footrests and push handles."""
    half, seat = fit.width / 2, fit.seat
    big_tyre, big_rim = spoked_wheel(fit.radius, 0.030, 24)
    push_rim = tyre(0.265, 0.016, 0.016, 28).moved(y=0.035)
    left = fit.axle + [0, half + 0.04, 0]
    rubber = [big_tyre.moved(*left).with_mirror()]
    metal = [join(big_rim, push_rim).moved(*left).with_mirror()]
    caster = np.array([0.36, half - 0.03, 0.075])
    rubber.append(tyre(0.075, 0.03, 0.032, 18).moved(*caster).with_mirror())
    metal += [lathe([(0, -0.012), (0.05, -0.012), (0.05, 0.012), (0, 0.012)], 14).turned("x", 90).moved(*caster).with_mirror()]
    side = [
        spline([(0.46, half, 0.2), (0.41, half, seat - 0.12), (0.34, half, seat - 0.02), (0.1, half, seat - 0.02), (-0.2, half, seat - 0.02)], 12),
        np.array(
            [
                [-0.2, half, 0.28],
                [-0.2, half, seat],
                [-0.25, half, seat + fit.back],
                [-0.27, half, seat + fit.back + 0.05],
                [-0.37, half, seat + fit.back + 0.06],
            ]
        ),
        np.array([[-0.2, half, 0.3], [0.3, half, 0.27], [0.36, half - 0.01, 0.16]]),
        np.array([[0.34, half, 0.27], [0.34, half, seat - 0.02]]),
        np.array(
            [[-0.21, half + 0.01, seat + 0.2], [0.12, half + 0.01, seat + 0.2], [0.15, half + 0.01, seat + 0.16], [0.15, half + 0.01, seat - 0.02]]
        ),
    ]
    frame = [tube(path, 0.0125, 8).with_mirror() for path in side]
    frame += [
        rod((0.0, -half, seat - 0.04), (0.05, half, 0.29), 0.011),
        rod((0.05, half, seat - 0.04), (0.0, -half, 0.29), 0.011),
        rod(fit.axle + [0, -half - 0.03, 0], fit.axle + [0, half + 0.03, 0], 0.013),
    ]
    frame.append(join(rod(caster, caster + [0, 0.026, 0], 0.008), rod(caster + [0, 0.026, -0.01], caster + [-0.02, 0.02, 0.10], 0.010)).with_mirror())
    foot = box((0.17, 0.13, 0.018), (0.50, 0.10, 0.125), 0.005).with_mirror()
    sling = loft(
        sections(
            [(-0.23, 0, seat), (0.0, 0, seat - 0.012), (0.23, 0, seat)], (np.array([0.0, 1, 0]), np.array([0.0, 0, 1])), [(half, 0.025)] * 3, 12, 4
        )
    )
    back = loft(
        sections(
            [(-0.205, 0, seat + 0.05), (-0.235, 0, seat + 0.2), (-0.25, 0, seat + fit.back)],
            (np.array([0.0, 1, 0]), np.array([1.0, 0, 0])),
            [(half, 0.018)] * 3,
            12,
            4,
        )
    )
    pads = box((0.30, 0.05, 0.03), (-0.02, half + 0.01, seat + 0.215), 0.01).with_mirror()
    handles = rod((-0.28, half, seat + fit.back + 0.055), (-0.39, half, seat + fit.back + 0.06), 0.018, 8).with_mirror()
    return [
        Part("rubber", RUBBER, join(*rubber)),
        Part("metal", METAL, join(*metal)),
        Part("paint_frame", paint(draw.color("frame_color", FRAME_COLORS)), join(*frame)),
        Part("cloth_seat", cloth(draw.color("seat_color", FABRIC[:4], jitter=0.01)), join(sling, back)),
        Part("plastic", BLACK_PLASTIC, join(foot, pads, handles)),
    ]


def build_wheelchair(draw: Draw) -> list[Part]:
    """An empty manual wheelchair."""
    return grounded(wheelchair_parts(draw, WheelchairFit(draw)))


def build_stroller(draw: Draw) -> list[Part]:
    """A child's stroller with canopy; ``style`` three or four wheels, ``occupied`` shows a child's blanket and head."""
    radius = draw.real("wheel_radius", 0.09, 0.15, 0.12)
    width = draw.real("width", 0.50, 0.64, 0.58)
    handle = draw.real("handle_height", 0.96, 1.10, 1.03)
    three = draw.choice("style", ("four_wheels", "three_wheels"), (0.7, 0.3)) == "three_wheels"
    half, fabric = width / 2, draw.color("fabric_color", FABRIC)
    wheel_tyre, wheel_rim = (
        tyre(radius, 0.04, 0.045, 20),
        lathe([(0, -0.014), (radius - 0.03, -0.018), (radius - 0.03, 0.018), (0, 0.014)], 16).turned("x", 90),
    )
    front = [(0.42, 0.0, radius)] if three else [(0.38, -half + 0.1, radius), (0.38, half - 0.1, radius)]
    spots = [(-0.30, -half, radius * 1.0), (-0.30, half, radius * 1.0), *front]
    legs = []
    for y in (-half + 0.04, half - 0.04):
        tip = (0.40, 0.0 if three else y * 0.8, radius + 0.02)
        legs += [
            tube(spline([(-0.52, y, handle - 0.03), (-0.33, y, 0.78), (0.08, y, 0.46), tip], 10), 0.014, 8),
            rod((-0.04, y, 0.54), (-0.30, y, radius), 0.014, 8),
        ]
    legs.append(rod((-0.30, -half, radius), (-0.30, half, radius), 0.012, 8))
    grip = spline(
        [
            (-0.52, -half + 0.04, handle - 0.03),
            (-0.565, -half + 0.08, handle),
            (-0.575, 0, handle + 0.005),
            (-0.565, half - 0.08, handle),
            (-0.52, half - 0.04, handle - 0.03),
        ],
        14,
    )
    s = np.array([(0.30, 0.30), (0.22, 0.44), (0.02, 0.46), (-0.13, 0.56), (-0.25, 0.80), (-0.28, 0.92)])
    seat = tube(np.stack([s[:, 0], 0 * s[:, 0], s[:, 1]], 1), np.tile([[half - 0.09, 0.03]], (6, 1)), 12)
    wings = (
        extrude([(0.24, 0.42), (0.0, 0.43), (-0.16, 0.55), (-0.29, 0.92), (-0.16, 0.90), (0.0, 0.66), (0.2, 0.62)], 0.02)
        .moved(y=half - 0.075)
        .with_mirror()
    )
    basket = box((0.42, width - 0.18, 0.14), (-0.06, 0, 0.27), 0.03)
    parts = [
        Part("rubber", RUBBER, join(*(wheel_tyre.moved(*p) for p in spots))),
        Part("plastic", BLACK_PLASTIC, join(*(wheel_rim.moved(*p) for p in spots), tube(grip, 0.018, 8))),
        Part("metal", METAL if draw.chance("bright_frame", 0.5) else DARK_METAL, join(*legs)),
        Part("cloth_seat", cloth(fabric), join(seat, wings)),
        Part("cloth_basket", cloth((0.03, 0.03, 0.033)), basket),
        Part("cloth_canopy", cloth(draw.color("canopy_color", (fabric, *FABRIC))), _canopy(half - 0.06, draw.real("canopy_opening", 55, 115, 85))),
    ]
    if draw.chance("occupied", 0.5):
        blanket = tube(
            np.array([(0.26, 0, 0.46), (0.1, 0, 0.55), (-0.08, 0, 0.62), (-0.16, 0, 0.70)]),
            np.array([(0.10, 0.06), (0.13, 0.075), (0.12, 0.07), (0.07, 0.05)]),
            12,
            round_ends=True,
        )
        parts += [
            Part("cloth_blanket", cloth((0.55, 0.50, 0.40)), blanket),
            Part("skin", cloth((0.5, 0.3, 0.22)), ellipsoid((0.075, 0.068, 0.09), (-0.185, 0, 0.80), 12, 8)),
        ]
    return grounded(parts)


def _canopy(half: float, opening: float) -> Mesh:
    """A folding hood: ribs turned about a pivot, as a thin shell."""
    pivot, rings = np.array([-0.17, 0, 0.80]), []
    for shrink in (1.0, 0.95):
        a = np.deg2rad(np.linspace(165, 165 - opening, 8))
        t = np.linspace(0, np.pi, 11)
        rib = (
            np.stack(
                [np.outer(np.cos(a), np.sin(t) ** 0.55), np.broadcast_to(np.cos(t), (8, 11)) * (half / 0.31), np.outer(np.sin(a), np.sin(t) ** 0.55)],
                -1,
            )
            * 0.31
            * shrink
        )
        rings.append(rib)
    outer, inner = rings
    return loft(np.concatenate([outer, inner[:, ::-1]], 1) + pivot)


def bicycle_lamp(fit: BicycleFit) -> Part:
    """A white front light below the bar."""
    return Part("lamp_front", lamp((0.8, 0.8, 0.75), 0.6), ellipsoid((0.03, 0.025, 0.025), fit.bar + [0.09, 0, -0.14], 8, 6))
