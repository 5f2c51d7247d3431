"""One PNG of a stage that a user brings: from above with its contexts drawn, from a camera, and what the check found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.report.draw import resize
from tailgate.report.palette import BAD, FAINT, GOOD, INK, LINE, PAGE, PANEL, VOID, WARN, Color, class_colors, fit, font, plain, write
from tailgate.stage.check.finding import figure
from tailgate.stage.check.units import metres

if TYPE_CHECKING:
    from tailgate.stage.check import Finding, StageReport
    from tailgate.stage.contexts import Context

GAP, PLAN, RIGHT, INDENT = 22, 760, 900, 76
SEVERITY_COLORS = {"problem": BAD, "warning": WARN, "note": FAINT}
SMALL = 3.0
"""Triangles up to this large are drawn as dots [px]."""
MOST = 9
"""Findings that are written out."""
STEP = 5.0
"""Arrows along a context are this far apart [m], or a third of its length."""


@dataclass(frozen=True)
class PlanPicture:
    """A picture from above and what maps world points [n, 3] m to its pixels [n, 2]; ``metre`` is a metre on the ground [px]."""

    image: np.ndarray
    pixels: Callable[[np.ndarray], np.ndarray]
    metre: float


def stage_sheet(report: StageReport, contexts: Sequence[Context], plan: PlanPicture, look: tuple[str, np.ndarray], path: Path) -> Path:
    """Write the sheet and return its path; ``look`` is the title and the RGB image of the view from a camera."""
    from PIL import Image, ImageDraw

    drawn = draw_contexts(plan, contexts)
    tall, long = drawn.shape[0], drawn.shape[1] > PLAN
    view, facts = _fitted(look[1], RIGHT, 560), _facts(report)
    lines = [line for finding in report.findings[:MOST] for line in _lines(finding, GAP + PLAN + RIGHT)]
    if (left_out := len(report.findings) - MOST) > 0:
        lines.append(("", FAINT, f"and {left_out} more, which 'tailgate check' prints"))
    left, top = (GAP, 84 + tall + GAP) if long else (2 * GAP + PLAN, 84)
    table = (left + view.shape[1] + GAP, top) if long else (left, top + view.shape[0] + 14)
    end = max(84 + tall, top + view.shape[0], table[1] + 25 * len(facts)) + GAP
    page = Image.new("RGB", (3 * GAP + PLAN + RIGHT, end + 24 * len(lines) + GAP), PAGE)
    pen = ImageDraw.Draw(page)
    _heading(pen, report, page.width)
    for image, x, y, title in ((drawn, GAP, 84, "from above, contexts drawn" if contexts else "from above"), (view, left, top, look[0])):
        page.paste(Image.fromarray(image), (x, y))
        _plate(pen, x, y, title)
    for k, (name, value) in enumerate(facts):
        write(pen, (table[0], table[1] + 20 + 25 * k), name, 15, FAINT)
        write(pen, (table[0] + 90, table[1] + 20 + 25 * k), fit(value, 15, page.width - GAP - table[0] - 90), 15)
    for k, (head, colour, text) in enumerate(lines):
        write(pen, (GAP, end + 16 + 24 * k), head, 15, colour)
        write(pen, (GAP + INDENT, end + 16 + 24 * k), text, 15, INK if colour != FAINT else FAINT)
    page.save(Path(path), "PNG", compress_level=6)
    return Path(path)


def _heading(pen: Any, report: StageReport, width: int) -> None:
    name = Path(report.stage).name or report.stage
    write(pen, (GAP, 46), fit(name, 28, width / 2), 28)
    word, _, rest = report.verdict.partition(": ")
    colour = BAD if not report.ok else WARN if report.of("warning") else GOOD
    length = font(15).getlength(rest)
    write(pen, (width - GAP, 46), plain(rest), 15, FAINT, anchor="rs")
    write(pen, (width - GAP - length - 14, 46), word, 22, colour, anchor="rs")
    pen.line([(GAP, 66), (width - GAP, 66)], fill=LINE)


def _facts(report: StageReport) -> list[tuple[str, str]]:
    """What the stage holds, in a few words each."""
    facts = report.facts
    size = " x ".join(map(figure, facts["size_m"]))
    kinds = Counter(c["kind"] for c in facts["contexts"])
    counted = [f"{len(facts[name])} {name[:-1] if len(facts[name]) == 1 else name}" for name in ("cameras", "lights")]
    return [
        ("size", f"{size} m"),
        ("declared", f"units of {facts['meters_per_unit']:g} m, {facts['up_axis']} up"),
        ("shapes", f"{facts['shapes']:,} with {facts['triangles_shown']:,} triangles"),
        ("holds", ", ".join(counted)),
        ("classes", ", ".join(facts["classes"]) or "none"),
        ("contexts", ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "none"),
    ]


def _lines(finding: Finding, width: float) -> list[tuple[str, Color, str]]:
    """A finding as wrapped lines: what stands before the first, its colour, the text."""
    lines = [""]
    for word in finding.sentence.split():
        longer = f"{lines[-1]} {word}".strip()
        if font(15).getlength(plain(longer)) <= width - INDENT:
            lines[-1] = longer
        else:
            lines.append(word)
    return [("" if k else finding.severity, SEVERITY_COLORS[finding.severity], text) for k, text in enumerate(lines)]


def _fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image as large as fits."""
    factor = min(width / image.shape[1], height / image.shape[0])
    return resize(image, round(image.shape[1] * factor), round(image.shape[0] * factor))


def _plate(pen: Any, x: int, y: int, text: str) -> None:
    length = font(13).getlength(plain(text)) + 12
    pen.rectangle([x, y, x + length, y + 20], fill=VOID)
    write(pen, (x + 6, y + 10), text, 13, INK, anchor="lm")


def draw_contexts(plan: PlanPicture, contexts: Sequence[Context]) -> np.ndarray:
    """The picture from above with contexts: bands and arrows of splines, areas of surfaces, names and a scale, RGB uint8 [H, W, 3]."""
    import cv2
    from PIL import Image, ImageDraw

    colours = class_colors({c.kind for c in contexts})
    image, tinted = plan.image.copy(), plan.image.copy()
    for context in sorted(contexts, key=lambda c: -c.area):
        _fill(tinted, plan, context, colours[context.kind])
    image = cv2.addWeighted(image, 0.68, tinted, 0.32, 0)
    for context in contexts:
        _outline(image, plan, context, colours[context.kind])
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    _names(pen, plan, contexts, colours)
    _scale(pen, plan, image.shape)
    return np.asarray(picture)


def _fill(image: np.ndarray, plan: PlanPicture, context: Context, colour: Color) -> None:
    """Cover the area of a context; of a surface, triangles smaller than a few pixels by their middles."""
    import cv2

    if context.is_spline:
        cv2.fillPoly(image, [np.round(plan.pixels(band(context))).astype(np.int32)], colour, cv2.LINE_AA)
        return
    corners = plan.pixels(context.points).astype(np.float32)[context.triangles]
    inside = (corners.max(1) >= 0).all(1) & (corners.min(1) < image.shape[1::-1]).all(1)
    corners = corners[inside]
    large = np.ptp(corners, axis=1).max(1) > SMALL
    for polygon in np.round(corners[large]).astype(np.int32):
        cv2.fillConvexPoly(image, polygon, colour, cv2.LINE_AA)
    dots = np.zeros(image.shape[:2], np.uint8)
    column, row = corners[~large].mean(1).astype(np.int64).clip(0, np.array(image.shape[1::-1]) - 1).T
    dots[row, column] = 1
    image[cv2.morphologyEx(dots, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0] = colour


def band(context: Context) -> np.ndarray:
    """Edge of the strip that a spline covers: left side forward, right side back, float64 [2 n, 3] m."""
    s = np.linspace(0, context.length, max(2, min(200, len(context.points) * 4)))
    left, right = (context.at(s, side * context.width / 2)[0] for side in (1.0, -1.0))
    return np.concatenate([left, right[::-1]])


def _outline(image: np.ndarray, plan: PlanPicture, context: Context, colour: Color) -> None:
    """Middle line and arrows of a spline; nothing of a surface."""
    import cv2

    if not context.is_spline:
        return
    line = np.round(plan.pixels(context.points)).astype(np.int32)
    cv2.polylines(image, [line], False, colour, 2, cv2.LINE_AA)
    step = max(STEP, 45 / plan.metre)
    places = np.arange(step / 2, context.length, step) if context.length > step else np.array([context.length * 0.7])
    at, heading = context.at(places)
    for xyz, yaw in zip(at, np.deg2rad(heading), strict=True):
        tip = xyz + 7 / plan.metre * np.array([math.cos(yaw), math.sin(yaw), 0])
        wings = [xyz + 6 / plan.metre * np.array([math.cos(yaw + turn), math.sin(yaw + turn), 0]) for turn in (2.4, -2.4)]
        cv2.fillPoly(image, [np.round(plan.pixels(np.array([tip, *wings]))).astype(np.int32)], colour, cv2.LINE_AA)


def _names(pen: Any, plan: PlanPicture, contexts: Sequence[Context], colours: dict[str, Color]) -> None:
    """Names of contexts where no other is; else left out."""
    taken: list[tuple[float, float, float, float]] = []
    for context in sorted(contexts, key=lambda c: -c.area):
        place = context.at(np.array([0.15 * context.length]))[0] if context.is_spline else context.centre[None]
        x, y = plan.pixels(place)[0]
        text = context.name if context.name != context.kind else context.kind
        length = font(13).getlength(plain(text)) + 8
        for dy in (-12, 12, -30, 30, 0):
            box = (x - length / 2, y + dy - 9, x + length / 2, y + dy + 9)
            inside = box[0] > 2 and box[1] > 22 and box[2] < plan.image.shape[1] - 2 and box[3] < plan.image.shape[0] - 2
            if inside and not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
                taken.append(box)
                pen.rectangle(box, fill=PANEL)
                write(pen, (x, y + dy), text, 13, colours[context.kind], anchor="mm")
                break


def _scale(pen: Any, plan: PlanPicture, shape: tuple[int, ...]) -> None:
    """A bar of a round length in the lower left corner, and the axes of the world."""
    length = max((n * 10.0**e for e in range(-4, 6) for n in (1, 2, 5) if n * 10.0**e * plan.metre <= 0.3 * shape[1]), default=1.0)
    x, y, text = 16, shape[0] - 18, metres(length)
    pen.rectangle([x - 8, y - 10, x + length * plan.metre + 16 + font(13).getlength(plain(text)), y + 10], fill=VOID)
    pen.line([(x, y), (x + length * plan.metre, y)], fill=INK, width=3)
    write(pen, (x + length * plan.metre + 8, y), text, 13, INK, anchor="lm")
    x, y = shape[1] - 56, shape[0] - 20
    pen.rectangle([x - 12, y - 38, x + 46, y + 12], fill=VOID)
    for dx, dy, name in ((26, 0, "x"), (0, -26, "y")):
        pen.line([(x, y), (x + dx, y + dy)], fill=INK, width=2)
        write(pen, (x + dx * 1.3, y + dy * 1.15), name, 12, INK, anchor="mm")
