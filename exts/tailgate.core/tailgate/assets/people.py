"""People on foot: adults, children and construction workers in a moment of their gait. Sizes: see ``body``."""

from __future__ import annotations

from tailgate.assets.body import Body, walking
from tailgate.assets.draw import Color, Draw
from tailgate.assets.figure import Clothes, figure
from tailgate.assets.looks import Part
from tailgate.assets.write import grounded

SKIN: tuple[Color, ...] = ((0.60, 0.36, 0.26), (0.52, 0.30, 0.20), (0.38, 0.20, 0.12), (0.24, 0.12, 0.07), (0.10, 0.05, 0.032))
HAIR: tuple[Color, ...] = ((0.012, 0.009, 0.008), (0.045, 0.024, 0.013), (0.12, 0.065, 0.03), (0.38, 0.25, 0.11), (0.32, 0.31, 0.30))
UPPER: tuple[Color, ...] = (
    (0.02, 0.02, 0.022), (0.03, 0.045, 0.10), (0.70, 0.70, 0.68), (0.30, 0.02, 0.02), (0.12, 0.16, 0.09), (0.30, 0.31, 0.32),
    (0.06, 0.16, 0.34), (0.55, 0.36, 0.06), (0.42, 0.33, 0.22), (0.05, 0.20, 0.13), (0.35, 0.12, 0.25),
)  # fmt: skip
LOWER: tuple[Color, ...] = (
    (0.018, 0.018, 0.02),
    (0.035, 0.06, 0.13),
    (0.07, 0.10, 0.19),
    (0.28, 0.23, 0.15),
    (0.14, 0.14, 0.145),
    (0.10, 0.075, 0.05),
)
SHOES: tuple[Color, ...] = ((0.015, 0.014, 0.014), (0.60, 0.60, 0.58), (0.10, 0.05, 0.025), (0.12, 0.13, 0.15))
HIGH_VISIBILITY: tuple[Color, ...] = ((0.62, 0.85, 0.05), (0.95, 0.24, 0.02))


def draw_body(draw: Draw, age: str) -> Body:
    """Draw the sizes of a person; ``stature`` [m], ``girth`` 0..1."""
    sex = draw.choice("sex", ("woman", "man"))
    low, high, typical = {"child": (1.0, 1.5, 1.25), "woman": (1.48, 1.83, 1.63), "man": (1.58, 1.96, 1.756)}[age if age == "child" else sex]
    if "stature" in draw.overrides:
        low, high = 0.9, 2.1
    stature = draw.real("stature", low, high, typical)
    girth = draw.real("girth", 0.0, 1.0, 0.3)
    shoulder, hip = {"woman": (0.95, 1.06), "man": (1.04, 0.97)}[sex] if age != "child" else (0.94, 0.96)
    return Body(stature, girth, shoulder, hip)


def draw_clothes(draw: Draw, tops: tuple[str, ...], bottoms: tuple[str, ...], heads: tuple[str, ...], bag: float = 0.2) -> Clothes:
    """Draw garments and their colours."""
    colors = {
        "top": draw.color("top_color", UPPER, jitter=0.05),
        "bottom": draw.color("bottom_color", LOWER),
        "shoes": draw.color("shoe_color", SHOES, jitter=0.01),
        "skin": draw.color("skin_color", SKIN, jitter=0.01),
        "hair": draw.color("hair_color", HAIR, jitter=0.005),
        "bag": draw.color("bag_color", UPPER),
        "hat": draw.color("hat_color", UPPER),
    }
    return Clothes(draw.choice("top", tops), draw.choice("bottom", bottoms), draw.choice("head", heads), draw.chance("bag", bag), colors)


def build_person(draw: Draw) -> list[Part]:
    """A walking or standing adult or child; ``phase`` 0..1 in the gait cycle, ``vigour`` 0 (standing) .. 1.3."""
    age = draw.choice("age", ("adult", "child"), (0.85, 0.15))
    body = draw_body(draw, age)
    woman = draw.used["sex"] == "woman"
    bottoms = ("trousers", "trousers", "shorts", "skirt") if woman else ("trousers", "trousers", "trousers", "shorts")
    heads = ("long", "bun", "short", "beanie", "cap") if woman else ("short", "short", "cap", "beanie", "bald", "hood")
    tops = ("tshirt", "shirt", "jacket", "coat") if age == "adult" else ("tshirt", "shirt", "jacket")
    if "bottom" in draw.overrides:
        bottoms = ("trousers", "shorts", "skirt")
    if "head" in draw.overrides:
        heads = ("long", "bun", "short", "beanie", "cap", "bald", "hood")
    wear = draw_clothes(draw, tops, bottoms, heads)
    pose = walking(body, draw.real("phase", 0.0, 1.0), draw.real("vigour", 0.0, 1.3, 1.0))
    return grounded(figure(body, pose, wear))


def build_construction_worker(draw: Draw) -> list[Part]:
    """An adult with a hard hat and a high-visibility vest with retroreflective bands."""
    body = draw_body(draw, "adult")
    wear = draw_clothes(draw, ("vest",), ("trousers",), ("hardhat",), 0.0)
    wear.colors["top"] = draw.color("vest_color", HIGH_VISIBILITY, jitter=0.01)
    wear.colors["hat"] = draw.color("helmet_color", ((0.85, 0.85, 0.83), (0.85, 0.55, 0.03), (0.80, 0.10, 0.02), (0.05, 0.14, 0.45)), jitter=0.01)
    pose = walking(body, draw.real("phase", 0.0, 1.0), draw.real("vigour", 0.0, 1.2, 0.6))
    return grounded(figure(body, pose, wear))
