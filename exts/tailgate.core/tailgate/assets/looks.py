"""Surface looks: colour for cameras and reflectance at 905 nm for LiDAR.

Diffuse reflectances at 905 nm follow the orders of magnitude of the ECOSTRESS spectral library (Meerdink et al. 2019) and of LiDAR makers'
target tables: dark rubber 0.05, asphalt 0.15-0.2, concrete 0.35-0.45, brick 0.4, bare wood 0.6, foliage 0.5, skin 0.55-0.65. Most textile dyes are
transparent in the near infrared, so dark cloth is bright there (0.3-0.6). Car paint follows its colour, dark paint being the known weak target.

A surface of luminance L under illuminance E returns pi L / E times what a white Lambertian one would, so retroreflective sheeting with a coefficient
of retroreflection R [cd/lx/m2] (CIE 17-24-103) has a reflectance of pi R. Its dyes are taken for clear at 905 nm: all colours have the coefficient of
white. Coefficients are those required of new sheeting at 12' of observation and 5 deg of entrance, close to what a LiDAR sees.

Windows of vehicles pass at least 70 % of visible light (UN Regulation 43), two sheets of clear glass in houses about 80 %. Iron in green glass and
coatings against heat take part of the near infrared (Rubin 1985, Solar Energy Materials 12, 275-288): about half is let through here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tailgate.assets.mesh_kit import Mesh
from tailgate.stage.images import luminance

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """Material of one part. Colours are linear RGB 0..1; ``reflectance`` is Lambertian at 905 nm, 0..1, or a retroreflector's above 1. An ``opacity``
    below 1 makes a pane, whose glass passes ``transmittance`` of light at 905 nm, as much as of visible light if left out; ``clearcoat`` is the share
    of a polished clear coat."""

    color: Color
    reflectance: float
    roughness: float = 0.7
    metallic: float = 0.0
    emissive: Color = (0.0, 0.0, 0.0)
    opacity: float = 1.0
    transmittance: float | None = None
    clearcoat: float = 0.0


@dataclass(frozen=True)
class Part:
    """One Mesh prim: ``name`` starts with what it is made of (``paint``, ``cloth_upper``, ``rubber`` …); ``crease_deg`` bounds smooth shading."""

    name: str
    look: Look
    mesh: Mesh
    crease_deg: float = 40.0


def paint(color: Color, roughness: float = 0.25) -> Look:
    """Gloss paint: reflectance from 0.08 (black) to 0.8 (white)."""
    return Look(color, 0.08 + 0.72 * min(1.0, luminance(color) / 0.8), roughness)


def lacquer(color: Color) -> Look:
    """Car paint: a broad sheen under a clear coat."""
    return replace(paint(color, 0.35), clearcoat=1.0)


def cloth(color: Color) -> Look:
    """Textile: bright in the near infrared whatever its colour."""
    return Look(color, 0.33 + 0.27 * min(1.0, luminance(color) / 0.6), 0.9)


def plastic(color: Color, roughness: float = 0.5) -> Look:
    """Solid plastic; carbon-black filled when dark."""
    return Look(color, 0.1 + 0.6 * min(1.0, luminance(color) / 0.6), roughness)


def skin(color: Color) -> Look:
    """Human skin, nearly the same at 905 nm for all tones."""
    return Look(color, 0.55 + 0.08 * min(1.0, luminance(color) / 0.4), 0.6)


def hair(color: Color) -> Look:
    """Hair; melanin absorbs less in the near infrared than in the visible."""
    return Look(color, 0.2 + 0.3 * min(1.0, luminance(color) / 0.3), 0.8)


def retro(color: Color, coefficient: float) -> Look:
    """Retroreflective sheeting of this coefficient [cd/lx/m2]."""
    return Look(color, float(np.pi * coefficient), 0.4)


def lamp(color: Color, glow: float) -> Look:
    """A light's lens that glows by ``glow``."""
    return Look(color, 0.35, 0.15, 0.0, tuple(glow * c for c in color))


RUBBER = Look((0.018, 0.018, 0.019), 0.05, 0.9)
RA1, RA2, CLOTHING, PLATE, CONTOUR = 70.0, 250.0, 330.0, 150.0, 450.0
"""Coefficients [cd/lx/m2] of traffic signs and cones (EN 12899-1, classes RA1 and RA2), high-visibility clothing (EN ISO 20471), registration plates
(BS AU 145d) and the markings of heavy vehicles (UN Regulation 104)."""
GLASS = Look((0.025, 0.032, 0.036), 0.05, 0.06)
"""Glass before something dark: opaque."""
WINDOW = Look((0.06, 0.07, 0.068), 0.03, 0.03, opacity=0.2, transmittance=0.5)
PRIVACY = Look((0.02, 0.022, 0.022), 0.01, 0.03, opacity=0.72, transmittance=0.25)
"""Vehicle windows, and those behind the driver that are dark on purpose; dust scatters about half a percent back."""
PANE = Look((0.08, 0.09, 0.085), 0.05, 0.03, opacity=0.1, transmittance=0.55)
"""Windows of houses."""
MIRROR = Look((0.82, 0.83, 0.84), 0.04, 0.02, 1.0)
LINING = Look((0.16, 0.155, 0.15), 0.4, 0.9)
UPHOLSTERY = Look((0.035, 0.035, 0.038), 0.3, 0.85)
"""Inside of vehicles: ceiling and pillars, seats and floor."""
METAL = Look((0.55, 0.55, 0.56), 0.5, 0.3, 0.9)
DARK_METAL = Look((0.06, 0.06, 0.065), 0.2, 0.45, 0.6)
BLACK_PLASTIC = Look((0.022, 0.022, 0.024), 0.09, 0.6)
WOOD = Look((0.42, 0.29, 0.17), 0.6, 0.8)
