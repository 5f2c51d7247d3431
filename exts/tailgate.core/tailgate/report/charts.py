"""Small charts as inline SVG text: no script, no request, sharp in print. Every text that comes from data is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from tailgate.report.coverage import Coverage
from tailgate.report.score_record import Histogram

BLUE, ORANGE, GREEN, RED, GREY, PALE, INK, GRID = "#1f6fb2", "#d9730d", "#1a7f4b", "#b3261e", "#8a94a3", "#dfe5ec", "#1c2430", "#e6eaef"
Point = tuple[float, float]
STATE_COLORS = {"accepted": GREEN, "surplus": "#7fb89a", "rendered": PALE, "off_target": "#e0a030", "failed": ORANGE, "rejected": RED}


def svg(width: float, height: float, body: str, label: str) -> str:
    """Wrap shapes as one accessible picture that scales with its column."""
    name = escape(label, quote=True)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" aria-label="{name}">'
        f"<title>{escape(label)}</title>{body}</svg>"
    )


def rect(corner: Point, size: Point, fill: str, radius: float = 0, extra: str = "") -> str:
    """A filled rectangle from its upper left corner; widths below zero become none."""
    (x, y), (width, height) = corner, size
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="{radius:g}" fill="{fill}" {extra}/>'


def text(x: float, y: float, words: str, size: float = 11, color: str = INK, anchor: str = "start") -> str:
    """One line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{color}" text-anchor="{anchor}">{escape(words)}</text>'


def line(start: Point, end: Point, color: str = GRID, width: float = 1, dash: str = "") -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width:g}" stroke-dasharray="{dash}"/>'


def dot(x: float, y: float, radius: float, fill: str, extra: str = "") -> str:
    """A disc."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" {extra}/>'


def progress(achieved: int, target: int, width: int = 260) -> str:
    """Achieved against target: full width is the target, or the achieved count where that is larger; a tick marks the target."""
    top = max(achieved, target, 1)
    mark = width * target / top
    body = rect((0, 3), (width, 12), PALE, 3) + rect((0, 3), (width * achieved / top, 12), GREEN if achieved >= target else ORANGE, 3)
    body += line((min(mark, width - 1), 0), (min(mark, width - 1), 18), INK, 2)
    return svg(width, 18, body, f"{achieved} of {target}")


def shares(counts: Mapping[str, int], colors: Mapping[str, str], width: int = 980) -> str:
    """One stacked bar with a legend below it; zero counts are left out."""
    counts = {k: n for k, n in counts.items() if n}
    total, x, body = sum(counts.values()), 0.0, ""
    if not total:
        return svg(width, 20, rect((0, 0), (width, 20), PALE, 3), "nothing was made")
    for name, n in counts.items():
        body += rect((x, 0), (width * n / total - 1, 22), colors.get(name, GREY), 2)
        x += width * n / total
    x = 0.0
    for name, n in counts.items():
        words = f"{name.replace('_', ' ')} {n:,} ({n / total:.0%})"
        body += rect((x, 34), (11, 11), colors.get(name, GREY), 2) + text(x + 16, 44, words, 12)
        x += 30 + 6.6 * len(words)
    return svg(width, 50, body, ", ".join(f"{k} {n}" for k, n in counts.items()))


def ratio_strip(shares_of_limit: Sequence[float], null: tuple[float, float] | None, width: int = 420) -> str:
    """Values as shares of their limit: a dot each, the limit as a line at 1, real against real (median to 95th percentile) as a band."""
    top, mid = max(2.0, *(min(s, 4.0) for s in shares_of_limit)) if shares_of_limit else 2.0, 15
    x = [width * min(max(s, 0.0), top) / top for s in shares_of_limit]
    body = rect((0, mid - 1), (width, 2), PALE)
    if null:
        body += rect((width * min(null[0], top) / top, 6), (width * (min(null[1], top) - min(null[0], top)) / top, 18), "#bcd3e8", 2)
    opacity = max(0.15, min(0.7, 12 / max(len(x), 1)))
    for value, at in zip(shares_of_limit, x, strict=True):
        body += dot(min(max(at, 4), width - 4), mid, 4, RED if value > 1 else BLUE, f'fill-opacity="{opacity:.2f}"')
    body += line((width / top, 2), (width / top, 28), INK, 2)
    return svg(width, 30, body, f"{len(shares_of_limit)} values, largest {max(shares_of_limit, default=0):.2f} of the limit")


def histogram(values: Sequence[float], unit: str = "", width: int = 300, limit: float | None = None, bins: int = 24) -> str:
    """Distribution of values between their 1st and 99th percentile (outer bins hold the rest), with a limit and zero marked where inside."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    if limit is not None:
        low, high = min(low, limit), max(high, limit)
    low, high = (low - 0.5, high + 0.5) if high - low < 1e-12 else (low, high)
    counts = [0] * bins
    for value in ordered:
        counts[min(max(int((value - low) / (high - low) * bins), 0), bins - 1)] += 1
    peak, step, body = max(counts), width / bins, ""
    for i, n in enumerate(counts):
        body += rect((i * step + 0.5, 62 - 56 * n / peak), (step - 1, 56 * n / peak), BLUE, 1)
    for mark, color in ((0.0, GREY), (limit, INK)):
        if mark is not None and low < mark < high:
            x = width * (mark - low) / (high - low)
            body += line((x, 2), (x, 64), color, 1.5, "" if color == INK else "3 3")
    body += line((0, 62.5), (width, 62.5), GREY) + text(0, 76, f"{low:.3g}", 10.5, "#4b5665")
    body += text(width, 76, f"{high:.3g} {unit}".strip(), 10.5, "#4b5665", "end")
    return svg(width, 80, body, f"{len(values)} values from {ordered[0]:.3g} to {ordered[-1]:.3g}")


def comparison(found: Histogram, unit: str, width: int = 480) -> str:
    """Densities of real (grey bars) and synthetic (a line) values in one stratum, with the band of single real recordings; a rate as two bars."""
    label = f"{found.stratum}: real {found.typical[0]:.3g}, synthetic {found.typical[1]:.3g}"
    if found.rate:
        return svg(width, 62, _rates(found, width), label)
    low, high = found.low or (), found.high or ()
    height, left, span = 120, 4, width - 8
    start, end = found.edges[0], found.edges[-1]
    x = [left + span * (e - start) / (end - start) for e in found.edges]
    wide = [b - a for a, b in zip(x, x[1:], strict=False)]
    dense = [[v / w for v, w in zip(values, wide, strict=False)] for values in (found.real, found.synthetic, low, high)]
    peak = max(max(values, default=0.0) for values in dense)
    y = [[height - 6 - (height - 14) * v / peak for v in values] for values in dense]
    body = ""
    for i, top in enumerate(y[0]):
        body += rect((x[i] + 0.4, top), (x[i + 1] - x[i] - 0.8, height - 6 - top), "#c5ced9")
    for i, (bottom, top) in enumerate(zip(y[2], y[3], strict=True)):
        body += rect((x[i] + 0.4, top), (x[i + 1] - x[i] - 0.8, max(bottom - top, 1)), BLUE, 0, 'fill-opacity="0.35"')
    steps = " ".join(f"{x[i]:.1f},{v:.1f} {x[i + 1]:.1f},{v:.1f}" for i, v in enumerate(y[1]))
    body += f'<polyline points="{steps}" fill="none" stroke="{ORANGE}" stroke-width="2"/>'
    body += line((left, height - 5.5), (left + span, height - 5.5), GREY)
    body += text(left, height + 9, f"{start:.3g}", 10.5, "#4b5665") + text(
        left + span, height + 9, f"{end:.3g} {unit}".strip(), 10.5, "#4b5665", "end"
    )
    body += text(width / 2, height + 9, found.stratum, 10.5, "#4b5665", "middle")
    return svg(width, height + 14, body, label)


def _rates(found: Histogram, width: int) -> str:
    real, synthetic = found.real[1], found.synthetic[1]
    low, high = (found.low[1], found.high[1]) if found.low and found.high else (real, real)
    left, top = 74, max(real, synthetic, high, 1e-9) * 1.12
    scale = (width - left - 60) / top
    body = text(0, 16, "real", 12) + rect((left, 5), (real * scale, 15), "#c5ced9", 2)
    body += text(left + max(real, high) * scale + 6, 17, f"{real:.2%}", 11.5)
    body += rect((left + low * scale, 5), (max((high - low) * scale, 1.5), 15), BLUE, 0, 'fill-opacity="0.35"')
    body += (
        text(0, 40, "synthetic", 12)
        + rect((left, 29), (synthetic * scale, 15), ORANGE, 2)
        + text(left + synthetic * scale + 6, 41, f"{synthetic:.2%}", 11.5)
    )
    return body + text(left, 58, found.stratum, 10.5, "#4b5665")


def change(values: Sequence[float], floor: float | None, color: str, width: int = 250) -> str:
    """How one distance moved from the first round (ring) to the last (disc) on a scale from zero; the band reaches to real against
    real."""
    top = max([*values, floor or 0.0, 1e-12]) * 1.08
    first, last = (6 + (width - 12) * v / top for v in (values[0], values[-1]))
    body = rect((6, 10), (width - 12, 2), PALE)
    if floor is not None:
        body += rect((6, 4), ((width - 12) * floor / top, 14), "#d5e3ef", 2)
    for value in values[1:-1]:
        body += dot(6 + (width - 12) * value / top, 11, 2, color, 'fill-opacity="0.4"')
    body += line((first, 11), (last, 11), color, 2) + dot(first, 11, 4.5, "#fff", f'stroke="{color}" stroke-width="2"') + dot(last, 11, 5, color)
    return svg(width, 22, body, f"from {values[0]:.3g} to {values[-1]:.3g}" + (f", real against real {floor:.3g}" if floor is not None else ""))


def rounds(series: Mapping[str, Sequence[tuple[int, float]]], colors: Mapping[str, str], width: int = 470, height: int = 210) -> str:
    """A line per series over the rounds, with a dashed line at 1: synthetic as close to real as real is to real."""
    points = [p for line_ in series.values() for p in line_]
    top = max(1.0, *(y for _, y in points)) * 1.15
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    left, bottom, right = 42, height - 26, width - 96

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * ((x - first) / (last - first) if last > first else 0.5), bottom - (bottom - 12) * y / top

    body = ""
    for tick in _ticks(top):
        y = at(first, tick)[1]
        body += line((left, y), (right, y)) + text(left - 6, y + 4, f"{tick:g}", 10.5, "#4b5665", "end")
    for x in sorted({x for x, _ in points}):
        body += text(at(x, 0)[0], height - 8, f"round {x}" if last - first < 6 else str(x), 10.5, "#4b5665", "middle")
    y = at(first, 1.0)[1]
    body += line((left, y), (right, y), INK, 1.5, "5 4") + text(right + 6, y + 4, "real to real", 10.5)
    ends = _spread([(at(*line_[-1])[1], name) for name, line_ in series.items() if line_], y)
    for name, line_ in series.items():
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(*p) for p in line_))
        body += f'<polyline points="{path}" fill="none" stroke="{colors[name]}" stroke-width="2.5"/>'
        body += "".join(dot(*at(*p), 3.5, colors[name]) for p in line_)
        body += text(right + 6, ends[name] + 4, f"{name} {line_[-1][1]:.2f}", 11, colors[name])
    return svg(width, height, body, "; ".join(f"{n}: {v[0][1]:.2f} to {v[-1][1]:.2f}" for n, v in series.items() if v))


def stage_bars(seconds: Mapping[str, float], width: int = 640) -> str:
    """Time per stage as horizontal bars with seconds and share."""
    total, top, body = sum(seconds.values()), max(seconds.values(), default=1.0), ""
    for i, (name, value) in enumerate(seconds.items()):
        y = i * 26
        body += text(0, y + 16, name, 12) + rect((150, y + 4), ((width - 300) * value / max(top, 1e-9), 16), BLUE, 2)
        body += text(158 + (width - 300) * value / max(top, 1e-9), y + 16, f"{value:,.1f} s ({value / max(total, 1e-9):.0%})", 12)
    return svg(width, 26 * len(seconds) + 2, body, ", ".join(f"{k} {v:.1f} s" for k, v in seconds.items()))


def coverage(item: Coverage, width: int = 230) -> str:
    """Draws over a setting's bounds: pale for all that were drawn, solid for those that became data."""
    n, peak = len(item.drawn), max([*item.drawn, 1])
    step, body = width / n, ""
    for i, (drawn, kept) in enumerate(zip(item.drawn, item.kept, strict=True)):
        body += rect((i * step + 0.5, 40 - 36 * drawn / peak), (step - 1, 36 * drawn / peak), "#c5ced9", 1)
        body += rect((i * step + 0.5, 40 - 36 * kept / peak), (step - 1, 36 * kept / peak), BLUE, 1)
    body += line((0, 40.5), (width, 40.5), GREY)
    if item.continuous:
        body += text(0, 53, item.labels[0], 10, "#4b5665") + text(width, 53, f"{item.labels[-1]} {item.unit}".strip(), 10, "#4b5665", "end")
    else:
        room = max(2, int(step / 5.4))
        for i, label in enumerate(item.labels):
            body += text((i + 0.5) * step, 53, label if len(label) <= room else label[: room - 1] + "…", 10, "#4b5665", "middle")
    return svg(width, 57, body, f"{item.address}: {sum(item.drawn)} draws, {sum(item.kept)} in the data")


def _ticks(top: float) -> list[float]:
    raw = top / 4
    step = 10 ** math.floor(math.log10(raw))
    step *= next(m for m in (1, 2, 5, 10) if raw <= m * step)
    return [round(step * i, 10) for i in range(int(top / step) + 1)]


def _spread(ends: list[tuple[float, str]], fixed: float, gap: float = 15) -> dict[str, float]:
    """Push labels apart that would overlap each other or the fixed one."""
    out: dict[str, float] = {}
    taken = [fixed]
    for y, name in sorted(ends):
        spot = next(s for k in range(40) for s in (y - k * 3, y + k * 3) if all(abs(s - t) >= gap for t in taken))
        out[name] = spot
        taken.append(spot)
    return out
