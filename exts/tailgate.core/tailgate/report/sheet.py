"""Contact sheets: many frames on one PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import UserError
from tailgate.frames import Frame
from tailgate.report import draw
from tailgate.report.palette import FAINT, INK, LINE, PAGE, PANEL, VERDICT_COLORS, VOID, fit, font, plain, write
from tailgate.report.topview import top_view

if TYPE_CHECKING:
    from PIL import Image

TILE, GAP, PAD, CAPTION, STRIP = 620, 20, 12, 84, 76
WHOLE, HALF = TILE - 2 * PAD, (TILE - 3 * PAD) // 2
LOWEST, TALLEST = 24, 1.5
"""Least height of a camera's picture [px], and the largest as a share of its width."""


@dataclass(frozen=True)
class Caption:
    """What the ledger knows of a frame: the cell it was drawn for, its verdict and the reason codes."""

    cell: str = ""
    verdict: str = ""
    codes: Sequence[str] = ()


@dataclass(frozen=True)
class _Panel:
    """One picture of a tile: a name, its size in the tile and the function that draws it at that size."""

    title: str
    wide: bool
    height: int
    paint: Callable[[int, int], np.ndarray]


def contact_sheet(frames: Sequence[Frame], path: str | Path, title: str, columns: int = 3, captions: Sequence[Caption] | None = None) -> Path:
    """Write a PNG with one tile per frame: colour with boxes, depth, labels, top view, LiDAR panoramas and a caption.

    Args:
        frames: at least one; of each the first camera and the first LiDAR are shown.
        path: file to write.
        title: heading.
        columns: tiles per row.
        captions: cell, verdict and reason codes per frame, if known.

    Returns:
        The path.
    """
    if not frames:
        raise UserError("a contact sheet needs at least one frame, got none")
    captions = captions or [Caption()] * len(frames)
    frames = draw.alike(frames)
    tiles = [_tile(frame, caption) for frame, caption in zip(frames, captions, strict=True)]
    columns = min(columns, len(tiles))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    width = 2 * GAP + columns * TILE + (columns - 1) * GAP
    note, classes = f"{len(frames)} frame{'s' * (len(frames) > 1)}", sorted(draw.frame_colors(frames[0]))
    page = blank_page(width, sum(heights) + GAP * len(rows), title, note, classes)
    y = page.top
    for row, height in zip(rows, heights, strict=True):
        for i, tile in enumerate(row):
            page.image.paste(tile, (GAP + i * (TILE + GAP), y))
        y += height + GAP
    return save(page.image, path)


@dataclass(frozen=True)
class Page:
    image: Image.Image
    top: int


def blank_page(width: int, content: int, title: str, note: str, labels: list[str]) -> Page:
    """An empty page with its heading and, where there are labels, the legend of classes."""
    from PIL import Image, ImageDraw

    key = draw.legend(labels, width - 2 * GAP + 12, PAGE) if labels else np.zeros((0, 1, 3), np.uint8)
    top = 76 + key.shape[0] + (8 if labels else 0)
    image = Image.new("RGB", (width, top + content), PAGE)
    pen = ImageDraw.Draw(image)
    write(pen, (GAP, 46), fit(title, 28, width - 2 * GAP - 320), 28)
    write(pen, (width - GAP, 46), note, 15, FAINT, anchor="rs")
    pen.line([(GAP, 64), (width - GAP, 64)], fill=LINE)
    if labels:
        image.paste(Image.fromarray(key), (GAP - 12, 68))
    return Page(image, top)


def save(image: Image.Image, path: str | Path) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG", optimize=False, compress_level=6)
    return path


def first(frame: Frame, kind: str) -> str | None:
    """Name of the frame's first sensor of a kind ("camera", "lidar"), or None."""
    return next((name for name, sensor in frame.sensors.items() if sensor.kind == kind), None)


def _tile(frame: Frame, caption: Caption) -> Image.Image:
    """One frame as a card of width TILE."""
    from PIL import Image, ImageDraw

    panels = _panels(frame)
    places, y, left = [], PAD + CAPTION, True
    for panel in panels:
        width = WHOLE if panel.wide else HALF
        x = PAD if left or panel.wide else 2 * PAD + HALF
        places.append((x, y, width, panel))
        left = panel.wide or not left
        y += panel.height + PAD if left else 0
    image = Image.new("RGB", (TILE, y), PANEL)
    pen = ImageDraw.Draw(image)
    for x, top, width, panel in places:
        image.paste(Image.fromarray(panel.paint(width, panel.height)), (x, top))
        plate(pen, x, top, panel.title)
    _caption(pen, frame, caption)
    return image


def _caption(pen, frame: Frame, caption: Caption) -> None:
    """Id, verdict, cell and conditions at the head of a tile."""
    right = TILE - PAD
    if caption.verdict:
        word = caption.verdict.replace("_", " ")
        length = font(14).getlength(plain(word)) + 20
        pen.rounded_rectangle([right - length, PAD + 1, right, PAD + 23], 11, fill=VERDICT_COLORS.get(caption.verdict, FAINT))
        write(pen, (right - length / 2, PAD + 12), word, 14, VOID, anchor="mm")
        right -= length + 10
    write(pen, (PAD, PAD + 18), fit(str(frame.id), 18, right - PAD), 18)
    write(pen, (PAD, PAD + 42), fit(caption.cell or f"{len(frame.objects)} labelled objects", 15, TILE - 2 * PAD), 15)
    facts = [f"{k}: {v}" for k, v in sorted(frame.conditions.items())] + [f"not honoured: {h}" for h in frame.hints]
    reasons = [code.replace("_", " ") for code in caption.codes]
    line = "   ".join([*(["why: " + ", ".join(reasons)] if reasons else []), *facts])
    write(pen, (PAD, PAD + 64), fit(line or "no conditions", 14, TILE - 2 * PAD), 14, FAINT)


def plate(pen, x: int, y: int, text: str) -> None:
    """A small dark plate with the name of a picture, in its upper left corner."""
    length = font(12).getlength(plain(text)) + 10
    pen.rectangle([x, y, x + length, y + 17], fill=VOID)
    write(pen, (x + 5, y + 9), text, 12, INK, anchor="lm")


def _panels(frame: Frame) -> list[_Panel]:
    """The pictures that a frame's sensors allow, two halves side by side, panoramas across."""
    camera, lidar = first(frame, "camera"), first(frame, "lidar")
    panels = _camera_panels(frame, camera) if camera else []
    lonely = sum(not p.wide for p in panels) % 2 == 1
    above = lidar or (camera if camera and "distance_to_image_plane" in frame.sensors[camera].channels else None)
    if above:
        tall = panels[-1].height if lonely else 320
        panels.append(_Panel(f"{above}: from above", not lonely, tall, lambda w, h: top_view(frame, above, w, h)))
    elif lonely:
        panels[-1] = _Panel(panels[-1].title, True, panels[-1].height * 2, panels[-1].paint)
    if lidar:
        device = frame.sensors[lidar]
        limits = draw.Limits.of(device.channel("range"))
        echo, far = draw.echo_words(device), limits.words(device.channel("range"))
        panels.append(_Panel(f"{lidar}: range {far}{echo}", True, STRIP, lambda w, h: draw.lidar_range(device, w, h, limits)))
        if "intensity" in device.channels:
            panels.append(_Panel(f"{lidar}: intensity{echo}", True, STRIP, lambda w, h: draw.lidar_intensity(device, w, h)))
    return panels


def _camera_panels(frame: Frame, name: str) -> list[_Panel]:
    """Colour, depth and labels of a camera, as far as it gives them; side by side, or across where the image is wide."""
    device = frame.sensors[name]
    channels = device.channels
    shown = [c for c in ("rgb", "distance_to_image_plane", "semantic_segmentation") if c in channels]
    if not shown:
        return []
    rows, columns = draw.host(channels[shown[0]]).shape[:2]
    wide = columns > 2 * rows
    height = picture_height((rows, columns), WHOLE if wide else HALF)
    paints = {}
    if "rgb" in shown:
        paints["colour"] = lambda w, h: _exact(draw.overlay(frame, name, w), w, h)
    if "distance_to_image_plane" in shown:
        limits = draw.Limits.of(channels["distance_to_image_plane"])
        paints[f"depth {limits.words(channels['distance_to_image_plane'])}"] = lambda w, h: draw.resize(draw.depth(device, limits), w, h)
    if "semantic_segmentation" in shown:
        paints["labels"] = lambda w, h: draw.resize(draw.semantic(device, frame.labels), w, h, smooth=False)
    return [_Panel(f"{name}: {what}", wide, height, boxed(paint, (rows, columns))) for what, paint in paints.items()]


def picture_height(shape: tuple[int, ...], width: int) -> int:
    """Height of the picture of an image [rows, columns, ...] that is ``width`` wide, within bounds that a sheet can show."""
    return int(np.clip(round(width * shape[0] / shape[1]), LOWEST, TALLEST * width))


def boxed(paint: Callable[[int, int], np.ndarray], shape: tuple[int, ...]) -> Callable[[int, int], np.ndarray]:
    """``paint`` in the middle of a dark panel where that has not the image's shape [rows, columns, ...]."""

    def within(width: int, height: int) -> np.ndarray:
        if abs(height - width * shape[0] / shape[1]) <= 1:
            return paint(width, height)
        scale = min(width / shape[1], height / shape[0])
        w, h = (max(1, round(scale * n)) for n in (shape[1], shape[0]))
        out = np.full((height, width, 3), VOID, np.uint8)
        top, left = (height - h) // 2, (width - w) // 2
        out[top : top + h, left : left + w] = paint(w, h)
        return out

    return within


def _exact(image: np.ndarray, width: int, height: int) -> np.ndarray:
    return image if image.shape[:2] == (height, width) else draw.resize(image, width, height)
