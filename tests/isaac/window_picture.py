"""A picture of a window of the stand-in: its widgets laid out and drawn roughly as omni.ui does. For people to look at, not for measuring."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageDraw
from tailgate.report.palette import FAINT, INK, LINE, PAGE, PANEL, VOID, font, plain

SCALE = 2
ROW, PAD, HEADER = 22, 5, 26
"""Least height of a field, padding of a button, height of a collapsable frame's title [px]."""


def picture(window: Any, width: int, height: int | None = None) -> Image.Image:
    """Draw a window's frame at ``width`` [px], as high as its content where no height is given."""
    root = window.frame
    root._draw()
    need = height or round(least(root, width)[1]) + 8
    image = Image.new("RGB", (width * SCALE, need * SCALE), PAGE)
    Painter(ImageDraw.Draw(image), image).paint(root, 0, 4, width, need - 8)
    return image


def kind(widget: Any) -> str:
    """Name of a widget's class in omni.ui."""
    return type(widget).__name__ if type(widget).__name__ != "_Collapsable" else "CollapsableFrame"


def styled(widget: Any, key: str, default: Any = None) -> Any:
    """A style property: the widget's own, else the nearest container's for its type, name and state."""
    own = getattr(widget, "style", None) or {}
    if key in own:
        return own[key]
    name, state = getattr(widget, "name", ""), "" if widget._active() else ":disabled"
    selectors = [f"{kind(widget)}::{name}{state}", f"{kind(widget)}{state}", f"{kind(widget)}::{name}", kind(widget)]
    at = widget
    while at is not None:
        sheet = getattr(at, "style", None) or {}
        for selector in dict.fromkeys(selectors):
            if key in (sheet.get(selector) or {}):
                return sheet[selector][key]
        at = at._parent
    return default


def rgb(color: int) -> tuple[int, int, int] | None:
    """0xAABBGGRR as RGB; None where it cannot be seen."""
    return (color & 255, color >> 8 & 255, color >> 16 & 255) if color >> 24 else None


def shown(widget: Any) -> list[Any]:
    """Children that are laid out."""
    if kind(widget) == "CollapsableFrame" and widget.collapsed:
        return []
    return [child for child in widget._children if child.visible]


def wraps(widget: Any) -> bool:
    return bool(getattr(widget, "word_wrap", False))


def lines(text: str, size: int, width: float) -> list[str]:
    """Text broken into lines of at most ``width`` [px]."""
    face, out = font(size), []
    for paragraph in plain(text).split("\n"):
        line = ""
        for word in paragraph.split(" "):
            trial = f"{line} {word}".strip()
            if line and face.getlength(trial) > 0.97 * width:
                out.append(line)
                trial = word
            line = trial
        out.append(line)
    return out


def own_size(widget: Any, width: float) -> tuple[float, float]:
    """Least width and height of a leaf's content."""
    size = styled(widget, "font_size", 14)
    name = kind(widget)
    if name == "Label":
        if wraps(widget):
            return 0, len(lines(widget.text, size, max(width, 20))) * (size + 4)
        return (0 if getattr(widget, "elided_text", False) else font(size).getlength(plain(widget.text))), size + 4
    if name == "Button":
        pad = styled(widget, "padding", PAD)
        return font(size).getlength(plain(widget.text)) + 2 * pad + 8, size + 2 * pad
    if name in ("StringField", "IntField", "FloatField", "IntDrag", "FloatDrag", "ComboBox"):
        return 30, ROW
    return (16, 16) if name == "CheckBox" else (0, 0)


def given(length: Any, whole: float) -> float | None:
    """Pixels of a length that is fixed; None for one that takes what is left."""
    if length is None or type(length).__name__ == "Fraction":
        return None
    if type(length).__name__ == "Percent":
        return whole * length.value / 100
    return float(getattr(length, "value", length))


def least(widget: Any, width: float) -> tuple[float, float]:
    """Least width and height that a widget needs when it is given ``width``."""
    fixed_w, fixed_h = given(widget.width, width), given(widget.height, 0)
    inner = fixed_w if fixed_w is not None and fixed_w > 0 else width
    children, name, gap = shown(widget), kind(widget), getattr(widget, "spacing", None) or 0
    if name == "CollapsableFrame":
        w, h = least(children[0], inner - 16) if children else (0, 0)
        w, h = w + 16, h + HEADER + (12 if children else 0)
    elif not children:
        w, h = own_size(widget, inner)
    elif name == "HStack":
        widths = shares([c.width for c in children], [least(c, inner)[0] for c in children], inner - gap * (len(children) - 1), inner)
        sizes = [least(c, w) for c, w in zip(children, widths, strict=True)]
        w, h = sum(s[0] for s in sizes) + gap * (len(children) - 1), max(s[1] for s in sizes)
    else:
        sizes = [least(c, inner) for c in children]
        heights = [s[1] for s in sizes]
        w, h = max(s[0] for s in sizes), sum(heights) + gap * (len(children) - 1) if name == "VStack" else max(heights)
    if name == "ScrollingFrame" and fixed_h:
        h = 0
    if name in ("ScrollingFrame", "Frame", "WindowFrame"):
        w = 0
    return max(w, fixed_w or 0), max(h, fixed_h or 0)


def shares(lengths: list[Any], need: list[float], room: float, whole: float) -> list[float]:
    """Lay lengths out along a line: fixed ones first, the rest shared by fraction, none below what it needs."""
    out = [max(given(length, whole), n) if given(length, whole) is not None else 0.0 for length, n in zip(lengths, need, strict=True)]
    free = {k: getattr(length, "value", 1.0) if length is not None else 1.0 for k, length in enumerate(lengths) if given(length, whole) is None}
    left = room - sum(out)
    while free:
        unit = left / sum(free.values())
        tight = [k for k, f in free.items() if f * unit < need[k]]
        for k in tight or list(free):
            out[k] = need[k] if tight else free[k] * unit
            left -= out[k]
            del free[k]
    return [max(0.0, v) for v in out]


class Painter:
    """Draws widgets into a picture of ``SCALE`` pixels per unit."""

    def __init__(self, draw: ImageDraw.ImageDraw, image: Image.Image):
        self._draw, self._image = draw, image

    def paint(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        """Draw a widget and what is inside into a box."""
        getattr(self, f"_{kind(widget).lower()}", self._nothing)(widget, x, y, w, h)
        children, gap = shown(widget), getattr(widget, "spacing", None) or 0
        if not children:
            return
        if kind(widget) == "CollapsableFrame":
            self.paint(children[0], x + 8, y + HEADER + 4, w - 16, h - HEADER - 8)
        elif kind(widget) == "HStack":
            need = [least(c, w)[0] for c in children]
            for child, cw in zip(children, shares([c.width for c in children], need, w - gap * (len(children) - 1), w), strict=True):
                self._place(child, x, y, cw, h)
                x += cw + gap
        elif kind(widget) == "VStack":
            need = [least(c, w)[1] for c in children]
            for child, ch in zip(children, shares([c.height for c in children], need, h - gap * (len(children) - 1), h), strict=True):
                cw = given(child.width, w)
                self.paint(child, x, y, w if not cw else min(w, max(cw, least(child, w)[0])), ch)
                y += ch + gap
        elif kind(widget) == "ScrollingFrame":
            self._clipped(children[0], x, y, w, h)
        else:
            for child in children:
                self._place(child, x, y, w, h)

    def _place(self, child: Any, x: float, y: float, w: float, h: float) -> None:
        """A child that fills its box unless its own size is fixed."""
        ch, cw = given(child.height, h), given(child.width, w)
        self.paint(child, x, y, max(cw, least(child, w)[0]) if cw else w, min(h, max(ch, least(child, w)[1])) if ch is not None else h)

    def _clipped(self, child: Any, x: float, y: float, w: float, h: float) -> None:
        """What of a child lies inside a box; a bar says that there is more."""
        need = least(child, w)
        whole = max(w, need[0]), max(h, need[1])
        part = Image.new("RGB", tuple(round(v * SCALE) for v in whole), self._image.getpixel((round(x * SCALE), round(y * SCALE))))
        Painter(ImageDraw.Draw(part), part).paint(child, 0, 0, *whole)
        self._image.paste(part.crop((0, 0, round(w * SCALE), round(h * SCALE))), (round(x * SCALE), round(y * SCALE)))
        if need[0] > w + 1:
            self._box(x, y + h - 5, w * w / need[0], 4, LINE, 2)

    def _box(self, x: float, y: float, w: float, h: float, color: Any, radius: float = 0, outline: Any = None) -> None:
        if w > 0 and h > 0 and (color or outline):
            edges = [round(x * SCALE), round(y * SCALE), round((x + w) * SCALE) - 1, round((y + h) * SCALE) - 1]
            if edges[2] >= edges[0] and edges[3] >= edges[1]:
                radius = min(radius, w / 2, h / 2)
                self._draw.rounded_rectangle(edges, round(radius * SCALE), fill=color, outline=outline)

    def _text(self, x: float, y: float, text: str, size: float, color: Any, anchor: str = "lm") -> None:
        if color:
            self._draw.text((x * SCALE, y * SCALE), plain(text), font=font(round(size * SCALE)), fill=color, anchor=anchor)

    def _fitted(self, text: str, size: int, w: float) -> str:
        face, text = font(size), plain(text)
        if face.getlength(text) <= w + 1:
            return text
        while text and face.getlength(text + "…") > w:
            text = text[:-1]
        return text + "…"

    def _nothing(self, *_: Any) -> None:
        """Containers and spacers show nothing themselves."""

    def _rectangle(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._box(x, y, w, h, rgb(styled(widget, "background_color", 0)), styled(widget, "border_radius", 0))

    def _label(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        size, color = styled(widget, "font_size", 14), rgb(styled(widget, "color", 0xFFFFFFFF))
        align = widget.alignment.name if widget.alignment is not None else "LEFT_CENTER"
        if wraps(widget):
            for k, line in enumerate(lines(widget.text, size, w)):
                self._text(x, y + (k + 0.5) * (size + 4), line, size, color)
            return
        text = self._fitted(widget.text, size, w) if getattr(widget, "elided_text", False) else widget.text
        at = {"RIGHT_CENTER": (x + w, "rm"), "CENTER": (x + w / 2, "mm")}.get(align, (x, "lm"))
        self._text(at[0], y + h / 2, text, size, color, at[1])

    def _button(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._box(x, y, w, h, rgb(styled(widget, "background_color", 0xFF3A3F4E)), styled(widget, "border_radius", 4))
        color = INK if widget._active() else LINE
        self._text(x + w / 2, y + h / 2, widget.text, styled(widget, "font_size", 14), color, "mm")

    def _field(self, widget: Any, x: float, y: float, w: float, h: float, anchor: str = "lm") -> None:
        self._box(x, y, w, h, rgb(styled(widget, "background_color", 0xFF000000)) or VOID, 4, LINE)
        text = self._fitted(widget._text(), 14, w - 12)
        self._text(x + 6 if anchor == "lm" else x + w / 2, y + h / 2, text, 14, INK, anchor)

    _stringfield = _field

    def _intdrag(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._field(widget, x, y, w, h, "mm")

    _floatdrag = _intfield = _floatfield = _intdrag

    def _combobox(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._field(widget, x, y, w, h)
        cx, cy = (x + w - 12) * SCALE, (y + h / 2) * SCALE
        self._draw.polygon([(cx - 7, cy - 4), (cx + 7, cy - 4), (cx, cy + 5)], fill=FAINT)

    def _checkbox(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._box(x, y + (h - 14) / 2, 14, 14, VOID, 3, LINE)
        if widget.model.get_value_as_bool():
            self._box(x + 4, y + (h - 6) / 2, 6, 6, INK, 1)

    def _progressbar(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._box(x, y, w, h, rgb(styled(widget, "background_color", 0)), 3)
        self._box(x, y, w * min(1.0, widget.model.get_value_as_float()), h, rgb(styled(widget, "color", 0)), 3)

    def _imagewithprovider(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        shot = Image.fromarray(widget._provider._pixels[..., :3]).resize((round(w * SCALE), round(h * SCALE)))
        self._image.paste(shot, (round(x * SCALE), round(y * SCALE)))

    def _collapsableframe(self, widget: Any, x: float, y: float, w: float, h: float) -> None:
        self._box(x, y, w, h, rgb(styled(widget, "background_color", 0)) or PANEL, styled(widget, "border_radius", 0))
        cx, cy = (x + 13) * SCALE, (y + HEADER / 2 + 1) * SCALE
        arrow = [(cx - 5, cy - 7), (cx - 5, cy + 7), (cx + 5, cy)] if widget.collapsed else [(cx - 7, cy - 5), (cx + 7, cy - 5), (cx, cy + 5)]
        self._draw.polygon(arrow, fill=FAINT)
        self._text(x + 24, y + HEADER / 2 + 1, widget.title, styled(widget, "font_size", 15), INK)
