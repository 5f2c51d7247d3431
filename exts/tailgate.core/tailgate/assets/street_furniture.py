"""Things that stand on streets: cones, drums, bollards, barriers, signs.

Sizes: MUTCD (2009) part 6F and EN 13422: cones 0.45-1.0 m with white retroreflective bands, drums 0.9 m high and 0.46 m wide, barricade
rails 0.2-0.3 m high with 45° stripes; FHWA New Jersey barriers 0.81 m high on a 0.61 m base; bollards 0.8-1.1 m high and 0.1-0.25 m
thick; signs of 0.6-0.9 m at 2.0-2.5 m height (Vienna Convention 1968). Argoverse 2 medians: cone 0.6-0.75 m, bollard 0.97 m high.
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import BLACK_PLASTIC, DARK_METAL, METAL, RA1, RA2, RUBBER, Look, Part, lamp, paint, plastic, retro
from tailgate.assets.mesh_kit import Mesh, box, ellipsoid, extrude, join, lathe, loft, rod, rounded_rectangle, tube
from tailgate.assets.write import grounded

ORANGE: Color = (0.85, 0.15, 0.012)
WHITE: Color = (0.80, 0.80, 0.78)
RED: Color = (0.55, 0.02, 0.02)


def build_traffic_cone(draw: Draw) -> list[Part]:
    """A cone on a square base with one or two white retroreflective bands; ``height`` 0.3..1.05 m."""
    height = draw.real("height", *((0.3, 1.05) if "height" in draw.overrides else (0.45, 0.92)), typical=0.72)
    base, bands = 0.30 + 0.16 * height, draw.integer("bands", 1, 2)
    low, top, foot = 0.14 * height + 0.045, 0.032, 0.03
    radius = lambda z: low + (top - low) * (z - foot) / (height - foot)  # noqa: E731
    edges = [(0.56, 0.80)] if bands == 1 else [(0.36, 0.54), (0.66, 0.82)]
    outline = rounded_rectangle(base, base, 0.05, 3)
    levels = np.array([np.column_stack([outline * s, np.full(len(outline), z)]) for z, s in ((0.0, 1.0), (foot * 0.7, 1.0), (foot, 0.95))])
    shell = [
        (low + 0.025, foot * 0.8),
        (low + 0.01, foot + 0.012),
        (radius(foot + 0.02), foot + 0.02),
        (top, height - 0.006),
        (top - 0.006, height),
        (0.0, height),
    ]
    rings = [lathe([(radius(a * height) + 0.0025, a * height), (radius(b * height) + 0.0025, b * height)], 22) for a, b in edges]
    base_look = RUBBER if draw.chance("black_base", 0.5) else plastic(ORANGE)
    color = draw.color("color", (ORANGE, ORANGE, (0.75, 0.55, 0.01), (0.45, 0.75, 0.03)), None, 0.01)
    return grounded(
        [
            Part("plastic", plastic(color), lathe([(0.0, foot * 0.8), *shell], 22)),
            Part("retro_bands", retro(WHITE, RA2), join(*rings)),
            Part("rubber" if base_look is RUBBER else "plastic_base", base_look, loft(levels)),
        ]
    )


def build_barrel(draw: Draw) -> list[Part]:
    """A construction drum with alternating bands, on a rubber ring; ``height`` 0.9..1.05 m."""
    height, radius = draw.real("height", 0.90, 1.05, 0.95), draw.real("radius", 0.22, 0.26, 0.235)
    bands, body = [], []
    for k in range(5):
        z0, z1 = 0.08 + k * (height - 0.14) / 5, 0.08 + (k + 1) * (height - 0.14) / 5
        r = radius * (1 - 0.035 * k)
        (bands if k in (1, 3) else body).append(
            lathe([(0, z0), (r - 0.012, z0), (r, z0 + 0.015), (r * 0.985, z1 - 0.015), (r * 0.985 - 0.012, z1), (0, z1)], 26)
        )
    body += [rod((0, 0, height - 0.07), (0, 0, height - 0.03), 0.12, 16), box((0.16, 0.035, 0.07), (0, 0, height - 0.01), 0.012)]
    ring = lathe([(0.20, 0.0), (radius + 0.09, 0.0), (radius + 0.08, 0.07), (0.20, 0.09)], 24, closed=True)
    sheets = Part("retro_bands", retro(WHITE, RA2), join(*bands))
    return grounded([Part("plastic", plastic(ORANGE), join(*body)), sheets, Part("rubber", RUBBER, ring)])


def build_bollard(draw: Draw) -> list[Part]:
    """A bollard of steel, plastic or concrete; ``height`` 0.7..1.2 m, ``radius`` [m]."""
    style = draw.choice("style", ("steel", "flexible", "concrete", "heritage"), (0.4, 0.25, 0.2, 0.15))
    height = draw.real("height", 0.72, 1.15, 0.97)
    radius = draw.real("radius", 0.045, 0.13, {"steel": 0.07, "flexible": 0.05, "concrete": 0.12, "heritage": 0.075}[style])
    if style == "flexible":
        body = lathe([(0, 0.03), (radius * 1.1, 0.03), (radius, 0.08), (radius * 0.9, height - 0.03), (radius * 0.7, height), (0, height)], 16)
        foot = lathe([(0, 0), (0.13, 0), (0.12, 0.025), (radius * 1.2, 0.045), (0, 0.045)], 18)
        bands = [lathe([(radius * 0.97, z), (radius * 0.965, z + 0.09)], 16) for z in (height * 0.62, height * 0.8)]
        parts = [
            Part("plastic", plastic(draw.color("color", (ORANGE, (0.5, 0.5, 0.48), (0.03, 0.22, 0.10)), None, 0.02)), body),
            Part("rubber", RUBBER, foot),
        ]
        return grounded([*parts, Part("retro_bands", retro(WHITE, RA2), join(*bands))])
    if style == "concrete":
        dome = [(radius * np.cos(a), height - radius * 0.5 + radius * 0.5 * np.sin(a)) for a in np.linspace(0, np.pi / 2, 6)]
        return grounded([Part("concrete", Look((0.36, 0.35, 0.33), 0.4, 0.9), lathe([(0, 0), (radius * 1.12, 0), (radius * 1.1, 0.05), *dome], 22))])
    if style == "heritage":
        r = radius
        profile = [
            (0, 0),
            (r * 1.5, 0),
            (r * 1.5, 0.08),
            (r * 1.1, 0.13),
            (r, 0.18),
            (r * 0.82, height * 0.72),
            (r * 1.05, height * 0.75),
            (r * 1.05, height * 0.79),
            (r * 0.8, height * 0.82),
            (r * 0.9, height * 0.93),
            (r * 0.5, height * 0.99),
            (0, height),
        ]
        return grounded([Part("paint", paint((0.015, 0.016, 0.017)), lathe(profile, 20), 30)])
    body = lathe([(0, 0), (radius, 0), (radius, height - 0.035), (radius - 0.02, height - 0.006), (0, height)], 22)
    band = lathe([(radius + 0.002, height - 0.22), (radius + 0.002, height - 0.12)], 22)
    steel = draw.chance("stainless", 0.4)
    look = (
        METAL
        if steel
        else paint(draw.color("color", ((0.015, 0.016, 0.017), (0.70, 0.45, 0.01), (0.10, 0.11, 0.12), (0.45, 0.02, 0.02)), None, 0.01))
    )
    plate = lathe([(0, 0), (radius + 0.045, 0), (radius + 0.04, 0.012), (0, 0.012)], 22)
    sheet = Part("retro_bands", retro(WHITE, RA2), band)
    return grounded([Part("metal" if steel else "paint", look, body), Part("metal_base", DARK_METAL, plate), sheet])


def _stripes(length: float, height: float, pitch: float, thickness: float) -> tuple[Mesh, Mesh]:
    """A board in the plane y = 0 cut into 45° stripes of two colours."""
    first, second = [], []
    count = int(np.ceil((length + height) / pitch))
    for k in range(count):
        a = -length / 2 - height + k * pitch
        corners = np.array([[a, 0.0], [a + pitch, 0.0], [a + pitch + height, height], [a + height, height]])
        piece = _clip(_clip(corners, length / 2, 1.0), -length / 2, -1.0)
        if len(piece) >= 3:
            (first if k % 2 else second).append(extrude(piece, thickness))
    return join(*first), join(*second)


def _clip(polygon: np.ndarray, limit: float, sign: float) -> np.ndarray:
    """Sutherland-Hodgman against sign · x ≤ sign · limit."""
    kept = []
    for p, q in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        inside, other = sign * p[0] <= sign * limit + 1e-9, sign * q[0] <= sign * limit + 1e-9
        if inside:
            kept.append(p)
        if inside != other:
            kept.append(p + (q - p) * (limit - p[0]) / (q[0] - p[0]))
    distinct = [p for k, p in enumerate(kept) if np.linalg.norm(p - kept[k - 1]) > 1e-4]
    return np.array(distinct) if len(distinct) >= 3 else np.zeros((0, 2))


def build_barrier(draw: Draw) -> list[Part]:
    """A barrier across x: concrete or plastic block, striped barricade, or pedestrian fence; ``style``, ``length`` along y [m]."""
    style = draw.choice("style", ("jersey", "barricade", "plastic", "fence"), (0.3, 0.35, 0.2, 0.15))
    low, high = {"jersey": (2.0, 3.2), "barricade": (1.2, 2.4), "plastic": (1.2, 2.0), "fence": (2.0, 2.5)}[style]
    length = draw.real("length", *((0.9, 4.0) if "length" in draw.overrides else (low, high)))
    parts = {"jersey": _jersey, "plastic": _jersey, "barricade": _barricade, "fence": _fence}[style](draw, length)
    return grounded([Part(p.name, p.look, p.mesh.turned("z", 90), p.crease_deg) for p in parts])


def _jersey(draw: Draw, length: float) -> list[Part]:
    """New Jersey profile: 0.61 m base, 75 mm kerb, 55° and 84° slopes, 0.81 m high; as one concrete block or of red and white plastic."""
    molded = draw.used["style"] == "plastic"
    scale = 0.9 if molded else draw.real("size", 0.95, 1.1)
    half = [(0.305, 0.0), (0.305, 0.075), (0.127, 0.33), (0.076, 0.80), (0.06, 0.81)]
    outline = np.array([*half, *((-y, z) for y, z in half[::-1])]) * scale
    if not molded:
        wall = extrude(outline, length, axis="x")
        gap = [box((0.35, 0.64 * scale, 0.06), (x, 0, 0.02)) for x in (-length / 4, length / 4)]
        stripe = box((0.09, 0.17 * scale, 0.05), (0, 0, 0.79 * scale), 0.01)
        return [
            Part("concrete", Look((0.38, 0.37, 0.35), 0.4, 0.9), wall),
            Part("plastic", BLACK_PLASTIC, join(*gap)),
            Part("retro_bands", retro((0.75, 0.5, 0.03), RA1), stripe),
        ]
    count = 2
    pieces = [
        extrude(outline * (0.99 if k % 2 else 1.0), length / count - 0.02, axis="x").moved(x=(k - (count - 1) / 2) * length / count)
        for k in range(count)
    ]
    caps = [rod((x, 0, 0.8 * scale), (x, 0, 0.8 * scale + 0.03), 0.05, 12) for x in (-length / 4, length / 4)]
    return [
        Part("plastic_red", plastic(RED), pieces[0]),
        Part("plastic_white", plastic(WHITE), pieces[1]),
        Part("plastic", BLACK_PLASTIC, join(*caps)),
    ]


def _barricade(draw: Draw, length: float) -> list[Part]:
    """Two or three striped rails on A-frame legs, with or without a warning lamp."""
    height, rails = draw.real("height", 0.95, 1.5), draw.integer("rails", 1, 3)
    colors, white = [], []
    for k in range(rails):
        a, b = _stripes(length, 0.2, 0.15, 0.025)
        z = height - 0.22 - k * 0.34
        for y in (-0.03, 0.03):
            colors.append(a.moved(y=y, z=z))
            white.append(b.moved(y=y, z=z))
    legs = [rod((x, s * 0.28, 0.0), (x, s * 0.02, height), 0.022, 6) for x in (-length / 2 + 0.12, length / 2 - 0.12) for s in (-1, 1)]
    feet = [box((0.06, 0.62, 0.04), (x, 0, 0.05)) for x in (-length / 2 + 0.12, length / 2 - 0.12)]
    parts = [
        Part("retro_color", retro((0.8, 0.12, 0.01) if draw.chance("orange", 0.6) else RED, RA1), join(*colors)),
        Part("retro_white", retro(WHITE, RA2), join(*white)),
        Part("metal", METAL, join(*legs, *feet)),
    ]
    if draw.chance("lamp", 0.4):
        parts.append(Part("lamp_warning", lamp((0.9, 0.45, 0.02), 0.6), ellipsoid((0.09, 0.04, 0.09), (length / 2 - 0.15, 0, height + 0.10), 14, 8)))
    return parts


def _fence(draw: Draw, length: float) -> list[Part]:
    """A crowd-control fence: round frame, thin uprights, splayed feet; 1.1 m high."""
    height, half = 1.10, length / 2
    frame = rounded_rectangle(length, height - 0.22, 0.08, 4) + [0, 0.22 + (height - 0.22) / 2]
    loop = np.column_stack([frame[:, 0], np.zeros(len(frame)), frame[:, 1]])
    bars = [tube(np.concatenate([loop, loop[:1]]), 0.019, 7)]
    bars += [rod((x, 0, 0.24), (x, 0, height - 0.02), 0.007, 5) for x in np.linspace(-half + 0.1, half - 0.1, max(6, int(length / 0.12)))]
    bars += [rod((x, -0.28, 0.02), (x, 0.28, 0.02), 0.018, 6) for x in (-half + 0.25, half - 0.25)] + [
        rod((x, 0, 0.02), (x, 0, 0.26), 0.018, 6) for x in (-half + 0.25, half - 0.25)
    ]
    plate = box((length * 0.35, 0.006, 0.2), (0, 0.0, 0.78))
    return [
        Part("metal", METAL, join(*bars)),
        Part("plastic_plate", plastic(draw.color("plate_color", (WHITE, (0.03, 0.1, 0.4), (0.7, 0.45, 0.01)), None, 0.02)), plate),
    ]


def build_sign(draw: Draw) -> list[Part]:
    """A traffic sign that faces +x; ``style`` stop, warning, round, info; ``height`` of its centre [m]."""
    style = draw.choice("style", ("stop", "warning", "round", "info"))
    height, size = draw.real("height", 1.9, 2.6), draw.real("size", 0.55, 0.90)
    corners, turn = {"stop": (8, 22.5), "warning": (3, 90), "round": (28, 0), "info": (4, 45)}[style]
    a = np.deg2rad(np.arange(corners) * 360 / corners + turn)
    outline = np.stack([np.cos(a), np.sin(a)], 1) * size / 2 * (1.35 if style == "info" else 1.12 if style == "warning" else 1.0)
    face = {"stop": RED, "warning": WHITE, "round": WHITE, "info": (0.02, 0.09, 0.42)}[style]
    rim = {"stop": WHITE, "warning": RED, "round": RED, "info": WHITE}[style]
    plate = extrude(outline, 0.008, axis="x").moved(x=0.045, z=height)
    border = extrude(outline * 0.985, 0.004, axis="x").moved(x=0.051, z=height)
    panel = extrude(outline * (0.90 if style in ("stop", "info") else 0.76), 0.004, axis="x").moved(x=0.055, z=height)
    text = [
        box((0.004, size * w, size * h), (0.0595, 0, height + size * z))
        for w, h, z in {
            "stop": ((0.66, 0.2, 0),),
            "warning": ((0.07, 0.3, 0.05), (0.07, 0.06, -0.2)),
            "round": ((0.22, 0.34, 0),),
            "info": ((0.4, 0.5, 0),),
        }[style]
    ]
    ink = WHITE if style in ("stop", "info") else (0.012, 0.012, 0.012)
    pole = lathe([(0, 0), (0.034, 0), (0.034, height + size * 0.55), (0, height + size * 0.55)], 12)
    clamps = [box((0.06, 0.10, 0.03), (0.02, 0, height + size * z)) for z in (-0.25, 0.25)]
    return grounded(
        [
            Part("metal", METAL, join(pole, plate, *clamps)),
            Part("retro_rim", retro(rim, RA1), border),
            Part("retro_face", retro(face, RA1), panel),
            Part("retro_text", retro(ink, RA1), join(*text)) if ink == WHITE else Part("plastic_text", plastic(ink), join(*text)),
        ]
    )
