"""Colours and type of every picture: class palette, perceptual maps, theme, text."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

Color = tuple[int, int, int]

PAGE: Color = (15, 18, 24)
PANEL: Color = (24, 28, 36)
VOID: Color = (13, 14, 18)
LOST: Color = (232, 58, 160)
LINE: Color = (58, 65, 78)
INK: Color = (236, 239, 244)
FAINT: Color = (152, 161, 176)
GOOD: Color = (76, 195, 138)
WARN: Color = (240, 180, 60)
BAD: Color = (240, 100, 100)

VERDICT_COLORS: dict[str, Color] = {
    **dict.fromkeys(("ok", "accepted"), GOOD),
    **dict.fromkeys(("off_target", "provisional", "unjudged", "surplus"), WARN),
    **dict.fromkeys(("failed", "rejected", "quarantined"), BAD),
}
"""Colour of a verdict; any other word is drawn faint."""

_APART = (0.22, 0.16, 0.1, 0.05)
"""OKLab distances asked of two class colours in one picture, in order of preference."""
_PLAIN = str.maketrans({"×": "x", "→": ">", "–": "-", "—": "-", "≥": ">=", "≤": "<=", "‖": "|", "−": "-", "✓": "+", "✗": "x", "²": "^2"})


def oklch(lightness: float, chroma: float, hue_deg: float) -> Color:
    """Colour of equal perceived lightness at any hue as sRGB 0..255, clipped to the gamut (OKLCH: Ottosson 2020, "A perceptual color space")."""
    a, b = chroma * math.cos(math.radians(hue_deg)), chroma * math.sin(math.radians(hue_deg))
    lms = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]) @ [lightness, a, b]
    to_rgb = [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965], [-0.0041960863, -0.7034186147, 1.7076147010]]
    linear = np.clip(np.array(to_rgb) @ lms**3, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(int(round(255 * float(c))) for c in srgb)


@lru_cache(maxsize=1)
def _slots() -> tuple[np.ndarray, tuple[Color, ...]]:
    """24 class colours, 12 hues at two lightnesses: OKLab coordinates [24, 3] and sRGB."""
    polar = [(lightness, 0.15, 30.0 * hue + shift) for lightness, shift in ((0.8, 18.0), (0.62, 33.0)) for hue in range(12)]
    lab = np.array([(li, c * math.cos(math.radians(h)), c * math.sin(math.radians(h))) for li, c, h in polar])
    return lab, tuple(oklch(*p) for p in polar)


def class_colors(names: Iterable[str]) -> dict[str, Color]:
    """Colour per class name: the slot of the name's hash, or the first one after it that lies far enough from the colours already given.

    The same set of names gives the same colours in every run, in any order; adding a class moves others only where colours would be confused.
    """
    return dict(_given(tuple(sorted(set(names)))))


@lru_cache(maxsize=64)
def _given(names: tuple[str, ...]) -> dict[str, Color]:
    """``class_colors`` of sorted names."""
    lab, colors = _slots()
    taken: list[int] = []
    given: dict[str, Color] = {}
    for name in names:
        start = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little") % len(colors)
        probe = [(start + 5 * i) % len(colors) for i in range(len(colors))]
        gap = np.linalg.norm(lab[probe][:, None] - lab[taken][None], axis=2).min(axis=1, initial=1.0)
        slot = next((s for apart in _APART for s, g in zip(probe, gap, strict=True) if g >= apart), start)
        taken.append(slot)
        given[name] = colors[slot]
    return given


def color_map(share: np.ndarray, name: str = "viridis") -> np.ndarray:
    """Map shares 0..1 [H, W] to RGB uint8 [H, W, 3]; values beyond are clipped, not-finite ones become the dark void colour.

    ``name``: "viridis", "magma", "cividis" (perceptually even, readable without colour vision), "bone" (grey), or "coolwarm" for signed
    shares around 0.5.
    """
    import cv2

    valid = np.isfinite(share)
    level = np.round(255 * np.clip(np.where(valid, share, 0), 0, 1)).astype(np.uint8)
    if name == "coolwarm":
        table = _diverging()
    else:
        table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1]
    out = table[level]
    out[~valid] = VOID
    return out


@lru_cache(maxsize=1)
def _diverging() -> np.ndarray:
    """Blue over dark grey to orange, uint8 [256, 3]: no change is dark, so that small changes stand out."""
    x = np.linspace(-1, 1, 256)[:, None]
    ends = np.where(x < 0, np.array([[88, 166, 255.0]]), np.array([[255, 150, 60.0]]))
    return np.round(np.array([[34, 38, 46.0]]) * (1 - np.abs(x)) + ends * np.abs(x)).astype(np.uint8)


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The typeface that Pillow carries, at ``size`` [px]: the same on every machine."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def plain(text: str) -> str:
    """Text in the glyphs that the built-in typeface has."""
    return str(text).translate(_PLAIN)


def fit(text: str, size: int, width: float) -> str:
    """Shorten text with an ellipsis until it is at most ``width`` [px] wide."""
    text, face = plain(text), font(size)
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, color: Color = INK, anchor: str = "ls") -> None:
    """Write one line; ``anchor`` as in Pillow ("ls" = left end of the base line)."""
    draw.text(at, plain(text), font=font(size), fill=color, anchor=anchor)
