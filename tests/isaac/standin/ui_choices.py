"""Lengths, flags, choices and colours of omni.ui."""

from __future__ import annotations

from enum import IntEnum

from .checks import behaves


def _length(name: str) -> None:
    @behaves(f"omni.ui.{name}")
    class Length:
        """A length."""

        def __init__(self, value, *more, **kwargs):
            self.value = float(value)


for _name in ("Percent", "Fraction", "Pixel"):
    _length(_name)

CHOICES = {
    "Alignment": "UNDEFINED LEFT_TOP LEFT_CENTER LEFT_BOTTOM CENTER_TOP CENTER CENTER_BOTTOM RIGHT_TOP RIGHT_CENTER RIGHT_BOTTOM "
    "LEFT RIGHT H_CENTER TOP BOTTOM V_CENTER",
    "DockPolicy": "DO_NOTHING CURRENT_WINDOW_IS_ACTIVE TARGET_WINDOW_IS_ACTIVE",
    "DockPosition": "LEFT RIGHT TOP BOTTOM SAME",
    "DockPreference": "DISABLED MAIN RIGHT LEFT RIGHT_TOP RIGHT_BOTTOM LEFT_BOTTOM",
    "FillPolicy": "STRETCH PRESERVE_ASPECT_FIT PRESERVE_ASPECT_CROP",
    "ScrollBarPolicy": "SCROLLBAR_AS_NEEDED SCROLLBAR_ALWAYS_OFF SCROLLBAR_ALWAYS_ON",
    "TextureFormat": "RGBA8_UNORM BGRA8_UNORM RGBA16_SFLOAT RGBA32_SFLOAT",
    "Type": "LINE HISTOGRAM LINE2D",
}
MADE = {name: behaves(f"omni.ui.{name}")(IntEnum(name, members, start=0)) for name, members in CHOICES.items()}
DockPosition, Type = MADE["DockPosition"], MADE["Type"]
FLAGS = "NONE NO_TITLE_BAR NO_RESIZE NO_MOVE NO_SCROLLBAR NO_COLLAPSE NO_SAVED_SETTINGS NO_CLOSE MODAL".split()
for _bit, _name in enumerate(FLAGS):
    behaves(f"omni.ui.WINDOW_FLAGS_{_name}")(1 << _bit >> 1)


@behaves("omni.ui.color")
def color(*args, **kwargs):
    """0xAABBGGRR of "#RRGGBB[AA]" or of channels 0 .. 255 or 0.0 .. 1.0."""
    if len(args) == 1 and isinstance(args[0], str):
        text = args[0].lstrip("#")
        parts = [int(text[k : k + 2], 16) for k in range(0, len(text), 2)]
    else:
        parts = [round(v * 255) if isinstance(v, float) else int(v) for v in args]
    parts = parts * 3 if len(parts) == 1 else parts
    r, g, b, a = (*parts, 255)[:4]
    return a << 24 | b << 16 | g << 8 | r
