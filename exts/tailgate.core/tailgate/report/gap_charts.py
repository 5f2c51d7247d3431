"""Charts of the gap page: differences on a scale of real against real, and blocks on a plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tailgate.report.charts import BLUE, GREY, INK, ORANGE, PALE, RED, dot, line, rect, svg, text

LARGEST = 32.0
"""Times the floor at the right end of a scale."""
SMALLEST = 0.25


def floor_scale(ratio: float, interval: tuple[float, float], matters: bool, width: int = 240) -> str:
    """One difference on a logarithmic scale of times real against real: a disc with its interval, and a line at 1."""

    def at(value: float) -> float:
        share = math.log(min(max(value, SMALLEST), LARGEST) / SMALLEST) / math.log(LARGEST / SMALLEST)
        return 6 + (width - 12) * share

    color = RED if matters else BLUE
    body = rect((6, 10), (width - 12, 2), PALE) + rect((6, 4), (at(1.0) - 6, 14), "#d5e3ef", 2)
    body += line((at(interval[0]), 11), (at(interval[1]), 11), color, 2) + dot(at(ratio), 11, 5, color) + line((at(1.0), 1), (at(1.0), 21), INK, 1.5)
    return svg(width, 22, body, f"{ratio:.2f} times real against real, from {interval[0]:.2f} to {interval[1]:.2f}")


def scale_key(width: int = 240) -> str:
    """The axis of ``floor_scale``."""
    body = ""
    for value in (0.25, 1, 4, 16):
        x = 6 + (width - 12) * math.log(value / SMALLEST) / math.log(LARGEST / SMALLEST)
        body += text(x, 11, f"{value:g} ×", 10.5, "#4b5665", "middle" if value > SMALLEST else "start")
    return svg(width, 14, body, "times real against real")


def heat(ratio: float | None) -> str:
    """Background of a table cell: white up to real against real, then ever more red."""
    if ratio is None or ratio <= 1:
        return "#ffffff" if ratio is not None else "#f4f6f9"
    share = min(math.log(ratio) / math.log(16), 1.0)
    low, high = (255, 244, 241), (226, 106, 92)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))


def scatter(points: np.ndarray, real: np.ndarray, width: int = 470, height: int = 360) -> str:
    """Blocks on a plane: real (blue discs) and synthetic (orange rings)."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min((width - 24) / max(high[0] - low[0], 1e-9), (height - 44) / max(high[1] - low[1], 1e-9))
    x = 12 + (points[:, 0] - low[0]) * scale + ((width - 24) - (high[0] - low[0]) * scale) / 2
    y = 12 + (high[1] - points[:, 1]) * scale + ((height - 44) - (high[1] - low[1]) * scale) / 2
    radius = 3.5 if len(points) < 400 else 2.2
    body = rect((0.5, 0.5), (width - 1, height - 26), "#fafbfc", 6, f'stroke="{PALE}"')
    for k in np.flatnonzero(~real):
        body += dot(x[k], y[k], radius, "none", f'stroke="{ORANGE}" stroke-width="1.5"')
    for k in np.flatnonzero(real):
        body += dot(x[k], y[k], radius, BLUE, 'fill-opacity="0.65"')
    body += dot(10, height - 10, 4, BLUE) + text(20, height - 6, f"real ({int(real.sum()):,})", 12)
    body += dot(130, height - 10, 4, "none", f'stroke="{ORANGE}" stroke-width="1.5"') + text(
        140, height - 6, f"synthetic ({int((~real).sum()):,})", 12
    )
    return svg(width, height, body, f"map of {len(points)} place blocks")


def importances(rows: Sequence[tuple[str, float]], width: int = 560) -> str:
    """What a classifier goes by, longest bar first."""
    top, body = max((v for _, v in rows), default=1.0), ""
    for i, (words, value) in enumerate(rows):
        y = 40 * i
        body += text(0, y + 13, words, 12) + rect((0, y + 18), ((width - 70) * value / max(top, 1e-9), 11), RED if i == 0 else GREY, 2)
        body += text((width - 70) * value / max(top, 1e-9) + 6, y + 28, f"−{value:.3f} AUC", 11, "#4b5665")
    return svg(width, 40 * len(rows), body, "; ".join(words for words, _ in rows))
