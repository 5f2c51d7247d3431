"""Ablation sheets: what each effect does, from off to strong, on one PNG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import UserError
from tailgate.frames import Frame
from tailgate.report import draw
from tailgate.report.palette import FAINT, INK, PAGE, Color, fit, font, plain, write
from tailgate.report.sheet import GAP, PAD, STRIP, blank_page, boxed, first, picture_height, plate, save

if TYPE_CHECKING:
    from PIL import Image

PORTRAIT = 1.4
"""Height of a sheet as a share of its width, about: a page's."""


def ablation_sheet(rows: Sequence[tuple[str, Sequence[Frame]]], path: str | Path, title: str = "What each effect does") -> Path:
    """Write a PNG with one row per effect and one column per strength, from off to strong, showing only what the effect changes.

    Rows stand below and beside each other as on a page; those that change nothing are named at its end.

    Distances get a second line, the change against the first frame, because noise of centimetres is invisible beside a range of tens of metres.

    Args:
        rows: name of the effect and its frames, weakest first; all rows of one length.
        path: file to write.
        title: heading.

    Returns:
        The path.
    """
    if not rows or any(len(frames) < 2 for _, frames in rows):
        raise UserError("an ablation sheet needs at least one effect with two strengths")
    columns = max(len(frames) for _, frames in rows)
    cell = max(240, min(460, (1900 - GAP) // columns - GAP))
    wide = columns * (cell + GAP) - GAP
    seen = [(name, frames, _changed_lines(frames, cell)) for name, frames in rows]
    blocks = [_effect_row(name, frames, lines, cell) for name, frames, lines in seen if lines]
    if idle := [name for name, _, lines in seen if not lines]:
        blocks.append(_text(f"changes nothing that these sensors see: {'; '.join(idle)}", wide, 15, FAINT, len(idle)))
    stacks = _stacks([block.height for block in blocks], wide)
    height = max(sum(blocks[i].height + GAP for i in stack) for stack in stacks)
    page = blank_page(len(stacks) * (wide + 2 * GAP), height, title, "weak on the left, strong on the right; only what changes is shown", [])
    for k, stack in enumerate(stacks):
        y = page.top
        for i in stack:
            page.image.paste(blocks[i], (GAP + k * (wide + 2 * GAP), y))
            y += blocks[i].height + GAP
    return save(page.image, path)


def _stacks(heights: Sequence[int], width: int) -> list[list[int]]:
    """Rows of blocks that stand below each other, in order, so that a page of them beside each other is no taller than viewers show."""
    whole = sum(heights) + GAP * len(heights)
    count = max(1, math.ceil(math.sqrt(whole / (PORTRAIT * width))))
    stacks: list[list[int]] = [[]]
    filled = 0
    for i, height in enumerate(heights):
        if stacks[-1] and filled + height / 2 > whole / count * len(stacks):
            stacks.append([])
        stacks[-1].append(i)
        filled += height + GAP
    return stacks


def _text(words: str, width: int, size: int, colour: Color, most: int = 2) -> Image.Image:
    """Words on at most so many lines, the last one cut where they need more."""
    from PIL import Image, ImageDraw

    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(lines) == most or not lines[-1] or font(size).getlength(plain(longer)) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    image = Image.new("RGB", (width, 14 + (size + 7) * len(lines)), PAGE)
    pen = ImageDraw.Draw(image)
    for k, line in enumerate(lines):
        write(pen, (0, size + 6 + (size + 7) * k), fit(line, size, width), size, colour)
    return image


def _effect_row(name: str, frames: Sequence[Frame], lines: Sequence[_Line], cell: int) -> Image.Image:
    """One effect: its name and, per strength, the pictures of what differs between the first and the last frame."""
    from PIL import Image, ImageDraw

    width = len(frames) * cell + (len(frames) - 1) * GAP
    head = _text(name, width, 19, INK)
    image = Image.new("RGB", (width, head.height + sum(line.height + PAD for line in lines)), PAGE)
    image.paste(head, (0, 0))
    pen, y = ImageDraw.Draw(image), head.height
    for line in lines:
        for i, frame in enumerate(frames):
            x = i * (cell + GAP)
            if line.change and not i:
                for k, words in enumerate(("change against the first:", line.change, "magenta lost, white gained")):
                    write(pen, (x + cell, y + 18 + 20 * k), words, 13, FAINT, anchor="rs")
                continue
            image.paste(Image.fromarray(line.paint(frame, cell, line.height)), (x, y))
            plate(pen, x, y, line.title)
        y += line.height + PAD
    return image


@dataclass(frozen=True)
class _Line:
    title: str
    height: int
    paint: Callable[[Frame, int, int], np.ndarray]
    change: str = ""
    """What the colours of a change mean; nothing for a line that shows no change."""


def _changed_lines(frames: Sequence[Frame], cell: int) -> list[_Line]:
    """Pictures of every channel that differs between the weakest and the strongest frame."""
    before, after = frames[0], frames[-1]
    lines: list[_Line] = []
    camera, lidar = first(before, "camera"), first(before, "lidar")
    if camera and "rgb" in before.sensors[camera].channels:
        shape = draw.host(before.sensors[camera].channels["rgb"]).shape
        height = picture_height(shape, cell)
        color = _Line("colour", height, lambda f, w, h: boxed(lambda w, h: draw.resize(draw.rgb(f.sensors[camera]), w, h), shape)(w, h))
        if _differs(before, after, camera, "rgb"):
            lines += [color, _close_up(frames, camera, height)]
        if _differs(before, after, camera, "distance_to_image_plane"):
            lines += _distance_lines(frames, camera, height)
    if lidar and _differs(before, after, lidar, "range"):
        lines += _distance_lines(frames, lidar, STRIP)
    if lidar and _differs(before, after, lidar, "intensity"):
        lines += _intensity_lines(frames, lidar)
    return lines


CLOSER = 4
"""Magnification of a close-up: one pixel of the image is this many of the sheet."""


def _close_up(frames: Sequence[Frame], camera: str, height: int) -> _Line:
    """The patch of the colour image that changes most from the first to the last frame, pixel by pixel."""
    import cv2

    images = [draw.rgb(frame.sensors[camera]) for frame in (frames[0], frames[-1])]
    change = np.abs(images[1].astype(np.float32) - images[0]).sum(axis=2)
    reach = max(1, min(change.shape) // CLOSER // 2)
    v, u = np.unravel_index(cv2.blur(change, (2 * reach + 1, 2 * reach + 1), borderType=cv2.BORDER_CONSTANT).argmax(), change.shape)

    def paint(frame: Frame, w: int, h: int) -> np.ndarray:
        image = draw.rgb(frame.sensors[camera])
        tall, wide = min(-(-h // CLOSER), image.shape[0]), min(-(-w // CLOSER), image.shape[1])
        top, left = (int(np.clip(at - size // 2, 0, n - size)) for at, size, n in zip((v, u), (tall, wide), image.shape[:2], strict=True))
        part = image[top : top + tall, left : left + wide]
        whole = (tall, wide) == (-(-h // CLOSER), -(-w // CLOSER))
        return boxed(lambda w, h: draw.resize(part, w, h, smooth=False), (h, w) if whole else part.shape)(w, h)

    return _Line("close-up", height, paint)


def _differs(before: Frame, after: Frame, sensor: str, channel: str) -> bool:
    pair = [frame.sensors[sensor].channels.get(channel) for frame in (before, after)]
    return all(c is not None for c in pair) and not np.array_equal(draw.host(pair[0]), draw.host(pair[1]), equal_nan=True)


def _distance_lines(frames: Sequence[Frame], sensor: str, height: int) -> list[_Line]:
    """Distance itself and its change against the first frame, on scales common to the row."""
    lidar = frames[0].sensors[sensor].kind == "lidar"
    channel = "range" if lidar else "distance_to_image_plane"

    def grid(frame: Frame) -> np.ndarray:
        return draw.scan(frame.sensors[sensor], channel) if lidar else draw.host(frame.sensors[sensor].channel(channel))

    grids = [grid(frame) for frame in frames]
    limits, scale = draw.Limits.of(*grids), _change_scale(grids)

    def paint(frame: Frame, w: int, h: int) -> np.ndarray:
        device = frame.sensors[sensor]
        if lidar:
            return draw.lidar_range(device, w, h, limits)
        return boxed(lambda w, h: draw.resize(draw.depth(device, limits), w, h), grids[0].shape)(w, h)

    def paint_change(frame: Frame, w: int, h: int) -> np.ndarray:
        change = draw.signed_change(grids[0], grid(frame), scale)
        if lidar:
            return draw.panorama(change, w, h)
        return boxed(lambda w, h: draw.resize(change, w, h), change.shape)(w, h)

    word = f"LiDAR range{draw.echo_words(frames[0].sensors[sensor])}" if lidar else "depth"
    unit = f"{100 * scale:.2g} cm" if scale < 1 else f"{scale:.2g} m"
    return [_Line(word, height, paint), _Line(f"change of {word} ± {unit}", height, paint_change, "orange farther, blue nearer,")]


def _intensity_lines(frames: Sequence[Frame], sensor: str) -> list[_Line]:
    """Intensity and its change against the first frame, on scales common to the row."""

    def grid(frame: Frame) -> np.ndarray:
        """1 more than the intensity, for a return may have none; 0 where nothing returns."""
        device = frame.sensors[sensor]
        return np.where(draw.scan(device, "range") > 0, 1.0 + draw.scan(device, "intensity"), 0.0)

    grids, top = [grid(frame) for frame in frames], draw.brightest(frames[0].sensors[sensor])
    scale, word = _change_scale(grids), f"LiDAR intensity{draw.echo_words(frames[0].sensors[sensor])}"
    return [
        _Line(word, STRIP, lambda f, w, h: draw.lidar_intensity(f.sensors[sensor], w, h, top)),
        _Line(
            f"change of {word} ± {scale:.2g}",
            STRIP,
            lambda f, w, h: draw.panorama(draw.signed_change(grids[0], grid(f), scale), w, h),
            "orange brighter, blue darker,",
        ),
    ]


def _change_scale(grids: Sequence[np.ndarray]) -> float:
    """95th percentile of the absolute change over the row [m]."""
    valid = [np.isfinite(g) & (g > 0) for g in grids]
    moved = [np.abs(g[v & valid[0]] - grids[0][v & valid[0]]) for g, v in zip(grids[1:], valid[1:], strict=True)]
    pooled = np.concatenate([m[m > 0].ravel() for m in moved]) if moved else np.zeros(0)
    return float(np.quantile(pooled, 0.95)) if pooled.size else 0.01
