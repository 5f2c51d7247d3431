"""Things of a table: crockery, packages, fruit.

Sizes are those of household goods: mug 82 × 96 mm, 330 ml can 66 × 115 mm, 0.5-1 l bottle 65-90 × 210-310 mm, bowl 120-180 mm, cereal
box 190 × 65 × 300 mm; the YCB object set (Calli et al. 2015) has the like: cracker box 60 × 158 × 210 mm, mug 80 × 82 mm, tomato can
66 × 101 mm.
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import METAL, Look, Part, plastic
from tailgate.assets.mesh_kit import Mesh, box, join, lathe, rod, spline, tube
from tailgate.assets.write import grounded

GLAZE: tuple[Color, ...] = (
    (0.74, 0.73, 0.70),
    (0.60, 0.58, 0.52),
    (0.03, 0.10, 0.30),
    (0.42, 0.03, 0.02),
    (0.05, 0.05, 0.055),
    (0.10, 0.32, 0.30),
    (0.70, 0.45, 0.05),
)
PRINT: tuple[Color, ...] = (
    (0.55, 0.02, 0.03),
    (0.70, 0.40, 0.02),
    (0.02, 0.12, 0.45),
    (0.04, 0.28, 0.07),
    (0.72, 0.71, 0.66),
    (0.30, 0.04, 0.25),
    (0.35, 0.17, 0.06),
)


def ceramic(color: Color) -> Look:
    """Glazed ceramic."""
    return Look(color, 0.25 + 0.45 * min(1.0, sum(color) / 2.1), 0.15)


def card(color: Color) -> Look:
    """Printed cardboard; ink hardly absorbs at 905 nm."""
    return Look(color, 0.62, 0.55)


def _vessel(outer: list[tuple[float, float]], wall: float, floor: float, sides: int = 30) -> Mesh:
    """An open vessel turned from its outer profile (from the foot up): the inside runs parallel at ``wall``."""
    outline = np.array(outer)
    inner = outline[outline[:, 1] > floor] - [wall, 0]
    return lathe([(0, outline[0, 1]), *outline, *inner[::-1], (max(inner[0, 0] * 0.9, 0.001), floor), (0, floor)], sides)


def build_mug(draw: Draw) -> list[Part]:
    """A mug with a handle; ``height``, ``radius`` [m], ``color``."""
    h, r = draw.real("height", 0.080, 0.115, 0.096), draw.real("radius", 0.036, 0.047, 0.041)
    waist = draw.real("waist", -0.10, 0.10, 0.0)
    z = np.linspace(0, 1, 8)
    profile = (
        [(r * 0.86, 0.0), (r * 0.95, 0.003)]
        + [(r * (0.96 + 0.04 * t + waist * np.sin(np.pi * t)), 0.008 + (h - 0.011) * t) for t in z]
        + [(r - 0.002, h)]
    )
    reach = draw.real("handle", 0.026, 0.036)
    a = np.deg2rad(np.linspace(95, -95, 13))
    path = np.stack([r * 0.95 + reach * np.cos(a), 0 * a, h * 0.52 + h * 0.30 * np.sin(a)], 1)
    body = join(_vessel(profile, 0.0042, 0.007), tube(path, np.tile([[0.0062, 0.0045]], (13, 1)), 10))
    color = draw.color("color", GLAZE, (4, 2, 2, 2, 1, 1, 1), 0.02)
    parts = [Part("ceramic", ceramic(color), body, 55)]
    if draw.chance("print", 0.5):
        band = [(r * (0.96 + 0.04 * t + waist * np.sin(np.pi * t)) + 0.0006, 0.008 + (h - 0.011) * t) for t in z[2:6]]
        parts.append(Part("ceramic_print", ceramic(draw.color("print_color", PRINT, None, 0.02)), lathe(band, 30)))
    if draw.chance("full", 0.3):
        level = r * (0.994 + waist * np.sin(np.pi * 0.84)) - 0.004
        parts.append(Part("liquid", Look((0.06, 0.025, 0.01), 0.1, 0.05), rod((0, 0, h * 0.82), (0, 0, h * 0.84), level, 26)))
    return grounded(parts)


def build_bowl(draw: Draw) -> list[Part]:
    """A bowl; ``radius`` [m], ``depth`` share of the radius."""
    r = draw.real("radius", 0.055, 0.12, 0.075)
    h = r * draw.real("depth", 0.6, 1.05, 0.8)
    a = np.linspace(0.12, 1.0, 9) * np.pi / 2
    foot = r * 0.45
    profile = [(foot, 0), (foot, 0.006)] + [(max(foot, r * np.sin(t) ** 0.8), 0.006 + (h - 0.006) * (1 - np.cos(t))) for t in a]
    color = draw.color("color", GLAZE, (5, 3, 2, 1, 1, 2, 1), 0.02)
    rim = lathe([(r - 0.002, h - 0.010), (r + 0.001, h - 0.010), (r + 0.001, h - 0.002), (r - 0.002, h - 0.002)], 30, closed=True)
    return grounded(
        [
            Part("ceramic", ceramic(color), _vessel(profile, 0.004, 0.010, 32), 55),
            Part("ceramic_rim", ceramic(draw.color("rim_color", GLAZE, None, 0.02)), rim),
        ]
    )


def build_bottle(draw: Draw) -> list[Part]:
    """A bottle of plastic or glass with label and cap; ``height``, ``radius`` [m]."""
    h, r = draw.real("height", 0.19, 0.33, 0.25), draw.real("radius", 0.030, 0.044, 0.036)
    shoulder, neck = draw.real("shoulder", 0.52, 0.70), draw.real("neck", 0.012, 0.016)
    t = np.linspace(0, 1, 7)
    slope = [(r + (neck - r) * (3 * s**2 - 2 * s**3), h * (shoulder + (0.90 - shoulder) * s)) for s in t]
    profile = [(0, 0.004), (r * 0.7, 0.0), (r * 0.92, 0.002), (r, 0.012), (r, h * shoulder * 0.5), *slope, (neck, h - 0.022), (0, h - 0.020)]
    glassy = draw.chance("glass", 0.4)
    color = draw.color(
        "color",
        ((0.02, 0.08, 0.03), (0.10, 0.045, 0.012), (0.03, 0.03, 0.035))
        if glassy
        else ((0.40, 0.50, 0.58), (0.62, 0.63, 0.62), (0.05, 0.20, 0.42), (0.50, 0.04, 0.03)),
        None,
        0.02,
    )
    look = Look(color, 0.12, 0.06) if glassy else Look(color, 0.3, 0.2)
    label = lathe([(r + 0.0006, h * shoulder * 0.32), (r + 0.0006, h * shoulder * 0.82)], 28)
    cap = lathe([(0, h - 0.026), (neck + 0.0025, h - 0.026), (neck + 0.0025, h - 0.002), (neck, h), (0, h)], 20)
    return grounded(
        [
            Part("glass" if glassy else "plastic", look, lathe(profile, 28), 50),
            Part("paper_label", card(draw.color("label_color", PRINT, None, 0.03)), label),
            Part("plastic_cap", plastic(draw.color("cap_color", PRINT, None, 0.02)), cap),
        ]
    )


def build_can(draw: Draw) -> list[Part]:
    """A drink can or a food tin; ``style``, ``height``, ``radius`` [m]."""
    style = draw.choice("style", ("drink", "tin", "biscuit"), (0.5, 0.35, 0.15))
    h, r = {"drink": (0.115, 0.033), "tin": (0.108, 0.037), "biscuit": (0.075, 0.095)}[style]
    h, r = h * draw.real("tall", 0.92, 1.2), r * draw.real("wide", 0.95, 1.08)
    sleeve = Look(draw.color("color", PRINT, None, 0.03), 0.45, 0.3, 0.3)
    if style == "drink":
        wall = lathe([(r * 0.80, 0.004), (r, 0.014), (r, h - 0.020), (r * 0.80, h - 0.009)], 28)
        lids = join(
            lathe([(0, 0.008), (r * 0.6, 0.007), (r * 0.76, 0.0), (r * 0.81, 0.005), (0, 0.02)], 26),
            lathe([(0, h - 0.012), (r * 0.83, h - 0.010), (r * 0.84, h), (r * 0.80, h), (r * 0.77, h - 0.006), (0, h - 0.006)], 26),
        )
        lids = join(lids, box((0.022, 0.013, 0.001), (0.006, 0, h - 0.0045)))
    else:
        wall = lathe([(r, 0.004), (r, h - 0.004)], 32)
        lids = join(
            lathe([(0, 0), (r + 0.0015, 0), (r + 0.0015, 0.005), (r - 0.001, 0.006), (0, 0.006)], 30),
            lathe(
                [
                    (0, h - 0.006),
                    (r - 0.001, h - 0.006),
                    (r + 0.0015, h - 0.005),
                    (r + 0.0015, h),
                    (r - 0.003, h),
                    (r - 0.004, h - 0.003),
                    (0, h - 0.003),
                ],
                30,
            ),
        )
        bands = lathe([(r + 0.0006, h * 0.3), (r + 0.0006, h * 0.7)], 32)
        return grounded(
            [
                Part("paint_print", sleeve, wall),
                Part("paper_label", card(draw.color("label_color", PRINT, None, 0.03)), bands),
                Part("metal", METAL, lids),
            ]
        )
    return grounded([Part("paint_print", sleeve, wall), Part("metal", METAL, lids)])


def _package(draw: Draw, size: tuple[float, float, float]) -> list[Part]:
    """A printed box standing on its narrow side: coloured panels on front and back, stripe, side text."""
    x, y, z = size
    stream = draw.stream("print")
    picks = stream.permutation(len(PRINT))
    parts = [Part("cardboard", card(draw.color("color", PRINT, None, 0.03)), box(size, (0, 0, z / 2), 0.0012))]
    panels: list[list[Mesh]] = [[], [], []]
    for s in (-1, 1):
        face = s * (x / 2 + 0.0004)
        panels[0].append(box((0.0006, y * 0.86, z * 0.16), (face, 0, z * stream.uniform(0.76, 0.84))))
        panels[1].append(box((0.0006, y * stream.uniform(0.5, 0.8), z * stream.uniform(0.28, 0.42)), (face, 0, z * stream.uniform(0.36, 0.44))))
        panels[2] += [box((0.0006, y * stream.uniform(0.3, 0.75), z * 0.022), (face, y * 0.05, z * (0.05 + 0.045 * k))) for k in range(3)]
        panels[2].append(box((x * 0.7, 0.0006, z * 0.5), (0, s * (y / 2 + 0.0004), z * 0.55)))
    panels[0].append(box((x * 0.6, y * 0.7, 0.0006), (0, 0, z + 0.0004)))
    for k, name in enumerate(("cardboard_title", "cardboard_picture", "cardboard_text")):
        parts.append(
            Part(name, card(tuple(float(c) for c in np.clip(np.array(PRINT[picks[k]]) * stream.uniform(0.7, 1.2), 0, 0.9))), join(*panels[k]))
        )
    return parts


def build_cereal_box(draw: Draw) -> list[Part]:
    """A cereal or cracker box that faces +x; ``depth``, ``width``, ``height`` [m]."""
    return grounded(
        _package(draw, (draw.real("depth", 0.045, 0.085, 0.062), draw.real("width", 0.14, 0.22, 0.19), draw.real("height", 0.20, 0.34, 0.28)))
    )


def build_packet(draw: Draw) -> list[Part]:
    """A small box such as tea or medicine, lying or standing; ``depth``, ``width``, ``height`` [m]."""
    return grounded(
        _package(draw, (draw.real("depth", 0.035, 0.08, 0.055), draw.real("width", 0.06, 0.17, 0.12), draw.real("height", 0.05, 0.12, 0.075)))
    )


def build_book(draw: Draw) -> list[Part]:
    """One to four books lying in a stack; ``count``."""
    stream, z, parts = draw.stream("books"), 0.0, []
    for k in range(draw.integer("count", 1, 4)):
        x, y, t = stream.uniform(0.17, 0.30), stream.uniform(0.11, 0.21), stream.uniform(0.012, 0.042)
        cover = join(
            box((x, y, 0.0025), (0, 0, 0.00125)), box((x, y, 0.0025), (0, 0, t - 0.00125)), box((x, 0.003, t), (0, -y / 2 + 0.0015, t / 2), 0.001)
        )
        pages = box((x - 0.008, y - 0.006, t - 0.005), (0, 0.0, t / 2))
        turn, shift = stream.uniform(-14, 14), stream.uniform(-0.012, 0.012)
        cover, pages = (m.turned("z", turn).moved(shift, 0, z) for m in (cover, pages))
        color = draw.color(f"color_{k}", PRINT, None, 0.03)
        parts += [Part(f"card_cover_{k}", card(color), cover), Part("paper", Look((0.68, 0.65, 0.56), 0.7, 0.9), pages)]
        z += t
    return grounded(parts)


def build_banana(draw: Draw) -> list[Part]:
    """A banana lying on its side; ``length`` along its curve [m]."""
    length, r = draw.real("length", 0.15, 0.21, 0.18), draw.real("radius", 0.015, 0.020, 0.0175)
    a = np.linspace(-0.62, 0.62, 14) * draw.real("curve", 0.85, 1.2)
    radius = length / (a[-1] - a[0])
    path = np.stack([radius * np.sin(a), radius * (np.cos(a) - 1), 0 * a], 1)
    t = np.linspace(0, 1, 14)
    thick = r * np.interp(t, [0, 0.06, 0.2, 0.5, 0.85, 0.94, 1], [0.35, 0.6, 0.9, 1.0, 0.82, 0.42, 0.28])
    skin = tube(path, np.stack([thick, thick * 0.95], 1), 7, side_hint=(0, 0, 1))
    ends = join(tube(path[-3:] + [0, 0, 0], thick[-3:] * 1.06, 7), tube(path[:2], thick[:2] * 1.08, 7))
    color = draw.color("color", ((0.72, 0.50, 0.03), (0.60, 0.52, 0.05), (0.65, 0.40, 0.02)), None, 0.02)
    return grounded([Part("fruit", Look(color, 0.6, 0.5), skin, 50), Part("fruit_ends", Look((0.10, 0.07, 0.02), 0.4, 0.8), ends)])


def build_apple(draw: Draw) -> list[Part]:
    """An apple with its stalk; ``radius`` [m]."""
    r = draw.real("radius", 0.033, 0.043, 0.038)
    a = np.linspace(-np.pi / 2, np.pi / 2, 15)
    profile = np.stack(
        [r * np.cos(a) ** 0.85 * (1 + 0.10 * np.sin(a)), r * (0.92 * np.sin(a) - 0.20 * np.exp(-((np.cos(a) / 0.35) ** 2)) * np.sign(np.sin(a)))], 1
    )
    profile[[0, -1], 0] = 0
    stalk = tube(spline([(0, 0, r * 0.66), (0.001, 0, r * 0.9), (0.006, 0, r * 1.12)], 5), 0.0014, 5)
    color = draw.color("color", ((0.45, 0.02, 0.02), (0.30, 0.45, 0.05), (0.62, 0.42, 0.06)), None, 0.02)
    return grounded([Part("fruit", Look(color, 0.65, 0.3), lathe(profile, 24), 60), Part("wood", Look((0.10, 0.06, 0.03), 0.5, 0.8), stalk)])


def build_cake_box(draw: Draw) -> list[Part]:
    """A round lidded food container; ``radius``, ``height`` [m]."""
    r, h = draw.real("radius", 0.07, 0.13, 0.10), draw.real("height", 0.07, 0.15, 0.11)
    base = lathe([(0, 0), (r * 1.02, 0), (r * 1.07, 0.008), (r * 1.07, 0.02), (0, 0.02)], 32)
    lid = lathe([(0, 0.02), (r, 0.02), (r * 0.97, h * 0.7), (r * 0.9, h * 0.9), (r * 0.74, h), (0, h)], 32)
    color = draw.color("color", ((0.68, 0.60, 0.22), (0.70, 0.70, 0.68), (0.12, 0.35, 0.40), (0.50, 0.06, 0.05)), None, 0.02)
    tabs = join(*(box((0.03, 0.02, 0.012), (r * 1.08, 0, 0.014), 0.003).turned("z", 90 * k) for k in range(4)))
    return grounded([Part("plastic", plastic(color, 0.3), join(base, tabs)), Part("plastic_lid", plastic(color, 0.35), lid)])
