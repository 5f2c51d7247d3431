"""What block matching finds at a depth edge: each pixel takes the surface for which most of the pattern in its window votes.

Structured light and stereo compare windows, not pixels (Scharstein and Szeliski 2002, "A taxonomy and evaluation of dense two-frame stereo
correspondence algorithms"). A window across an edge holds two surfaces: the one with more contrast wins, so an outline runs where the pattern happens
to put it, ragged over lengths of the window, and what is narrower than half a window vanishes. Near surfaces win more often than their share and so
grow over far ones ("foreground fattening"). A window that reaches into a shadow, where no pattern is, still finds the surface beside it as long as
enough of its pattern is seen: near and far surfaces alike grow into the shadow. Where all of it is seen one surface is found, however few pixels it
won by: between two lit surfaces nothing is missing. No depth between two surfaces comes out.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.sensors.inverse_depth import EDGE_JUMP, gradient, gradient_twin
from tailgate.sensors.noise_field import window_weights

wp.set_module_options({"enable_backward": False})

STEEPEST = 0.005
"""Change of inverse depth per pixel up to which the pattern beside a pixel still counts for it [1/m/px]: a window has one disparity, and the sliver
of a steeper flank does not win it. On the base line of a Kinect that is a fifth of a pixel of disparity per pixel, a whole one over half a window."""
_EDGE, _STEEPEST = wp.constant(EDGE_JUMP), wp.constant(STEEPEST)


@dataclass(frozen=True)
class Window:
    """A matching window.

    Attributes:
        rows, columns: its height and width [px].
        support: share of the window's pattern that must be seen, on whatever surface.
        speckle: standard deviation of the log of the pattern's contrast from pixel to pixel.
        fattening: how much more the pattern on its nearest surface counts, as a share.
    """

    rows: float
    columns: float
    support: float
    speckle: float
    fattening: float

    @property
    def acts(self) -> bool:
        """Whether it changes anything."""
        return max(self.rows, self.columns) > 1.0 and max(self.support, self.speckle, self.fattening) > 0.0


@wp.kernel
def pattern_kernel(contrast: wp.array(dtype=wp.float32, ndim=2), speckle: float, pattern: wp.array(dtype=wp.float32, ndim=2)):
    """Contrast of each pixel's pattern, 1 on average."""
    y, x = wp.tid()
    pattern[y, x] = wp.exp(speckle * contrast[y, x] - 0.5 * speckle * speckle)


@wp.kernel
def extremes_kernel(
    least: wp.array(dtype=wp.float32, ndim=2),
    most: wp.array(dtype=wp.float32, ndim=2),
    reach: int,
    axis: int,
    low: wp.array(dtype=wp.float32, ndim=2),
    high: wp.array(dtype=wp.float32, ndim=2),
):
    """Least of ``least`` and most of ``most`` within ``reach`` pixels along columns (axis 0) or rows (axis 1)."""
    y, x = wp.tid()
    a = least[y, x]
    b = most[y, x]
    if axis == 0:
        for i in range(wp.max(y - reach, 0), wp.min(y + reach + 1, least.shape[0])):
            a = wp.min(a, least[i, x])
            b = wp.max(b, most[i, x])
    else:
        for j in range(wp.max(x - reach, 0), wp.min(x + reach + 1, least.shape[1])):
            a = wp.min(a, least[y, j])
            b = wp.max(b, most[y, j])
    low[y, x] = a
    high[y, x] = b


@wp.func
def votes_for(
    candidate: float,
    seen: wp.array(dtype=wp.float32, ndim=2),
    pattern: wp.array(dtype=wp.float32, ndim=2),
    rows: wp.array(dtype=wp.float32),
    columns: wp.array(dtype=wp.float32),
    slope: float,
    y: int,
    x: int,
):
    """Votes for the surface at inverse depth ``candidate``, and its inverse depth nearest to the window's middle."""
    down = rows.shape[0] / 2
    across = columns.shape[0] / 2
    votes = float(0.0)
    found = float(0.0)
    closest = int(1 << 30)
    for i in range(wp.max(y - down, 0), wp.min(y + down + 1, seen.shape[0])):
        for j in range(wp.max(x - across, 0), wp.min(x + across + 1, seen.shape[1])):
            q = seen[i, j]
            dy = i - y
            dx = j - x
            if q > 0.0 and wp.abs(q - candidate) <= _EDGE + slope * float(wp.abs(dy) + wp.abs(dx)):
                votes += rows[dy + down] * columns[dx + across] * pattern[i, j]
                if dy * dy + dx * dx < closest:
                    closest = dy * dy + dx * dx
                    found = q
    return votes, found


@wp.kernel
def vote_kernel(
    surface: wp.array(dtype=wp.float32, ndim=2),
    seen: wp.array(dtype=wp.float32, ndim=2),
    low: wp.array(dtype=wp.float32, ndim=2),
    high: wp.array(dtype=wp.float32, ndim=2),
    pattern: wp.array(dtype=wp.float32, ndim=2),
    rows: wp.array(dtype=wp.float32),
    columns: wp.array(dtype=wp.float32),
    support: float,
    fattening: float,
    out: wp.array(dtype=wp.float32, ndim=2),
):
    """Inverse depth that each window finds, 0 where too little of it is seen; its own, the nearest and the furthest surface stand for election."""
    y, x = wp.tid()
    own = seen[y, x]
    steep = float(0.0)
    if surface[y, x] > 0.0:
        steep = wp.min(wp.length(gradient(surface, y, x)), _STEEPEST)
    down = rows.shape[0] / 2
    across = columns.shape[0] / 2
    if own > 0.0 and high[y, x] - low[y, x] <= _EDGE + steep * float(down + across):
        out[y, x] = own
        return
    whole = float(0.0)
    shown = float(0.0)
    furthest = high[y, x]
    for i in range(wp.max(y - down, 0), wp.min(y + down + 1, seen.shape[0])):
        for j in range(wp.max(x - across, 0), wp.min(x + across + 1, seen.shape[1])):
            share = rows[i - y + down] * columns[j - x + across] * pattern[i, j]
            whole += share
            if seen[i, j] > 0.0:
                shown += share
                furthest = wp.min(furthest, seen[i, j])
    best = float(0.0)
    found = float(0.0)
    for k in range(3):
        candidate = own
        if k == 1:
            candidate = high[y, x]
        if k == 2:
            candidate = furthest
        if candidate > 0.0 and (k == 0 or wp.abs(candidate - own) > _EDGE):
            votes, q = votes_for(candidate, seen, pattern, rows, columns, steep, y, x)
            weight = votes
            if high[y, x] - candidate <= _EDGE:
                weight = votes * (1.0 + fattening)
            if weight > best:
                best = weight
                found = q
    out[y, x] = 0.0
    if shown >= support * whole:
        out[y, x] = found


def match(surface: wp.array, seen: wp.array, contrast: wp.array, window: Window) -> wp.array:
    """Inverse depth that windows find [1/m], 0 where none, Warp float32 [H, W].

    Args:
        surface: inverse depth of what is there, 0 for nothing.
        seen: the same where the pattern is seen, else 0.
        contrast: standard normal that the contrast of each pixel's pattern is made of.
    """
    if not window.acts:
        return seen
    device, shape = seen.device, seen.shape
    weights = [wp.array(window_weights(side), dtype=wp.float32, device=device) for side in (window.rows, window.columns)]
    low, high = seen, seen
    pattern, out = (wp.empty(shape, dtype=wp.float32, device=device) for _ in range(2))
    wp.launch(pattern_kernel, dim=shape, inputs=[contrast, window.speckle, pattern], device=device)
    for axis, side in enumerate(weights):
        least, most = (wp.empty(shape, dtype=wp.float32, device=device) for _ in range(2))
        wp.launch(extremes_kernel, dim=shape, inputs=[low, high, len(side) // 2, axis, least, most], device=device)
        low, high = least, most
    arguments = [surface, seen, low, high, pattern, *weights, window.support, window.fattening, out]
    wp.launch(vote_kernel, dim=shape, inputs=arguments, device=device)
    return out


def match_twin(surface: np.ndarray, seen: np.ndarray, contrast: np.ndarray, window: Window) -> np.ndarray:
    """Readable twin of ``match`` on numpy arrays, one pixel of the window at a time for the whole image."""
    if not window.acts:
        return seen
    rows, columns = (window_weights(side) for side in (window.rows, window.columns))
    down, across = len(rows) // 2, len(columns) // 2
    weight = np.exp(window.speckle * contrast - 0.5 * window.speckle**2)
    padded = [np.pad(a, ((down, down), (across, across))) for a in (seen, weight)]

    def inside() -> object:
        for i, j in np.ndindex(len(rows), len(columns)):
            cut = (slice(i, i + seen.shape[0]), slice(j, j + seen.shape[1]))
            yield abs(i - down) + abs(j - across), (i - down) ** 2 + (j - across) ** 2, rows[i] * columns[j], *(p[cut] for p in padded)

    high, low, furthest, whole, shown = (np.full(seen.shape, v) for v in (0.0, np.inf, np.inf, 0.0, 0.0))
    for _, _, share, q, c in inside():
        high, whole, shown = np.maximum(high, q), whole + share * c, shown + share * np.where(q > 0, c, 0.0)
        low, furthest = np.where(c > 0, np.minimum(low, q), low), np.where(q > 0, np.minimum(furthest, q), furthest)
    steep = np.where(surface > 0, np.minimum(np.linalg.norm(gradient_twin(surface), axis=-1), STEEPEST), 0.0)
    alone = (seen > 0) & (high - low <= EDGE_JUMP + steep * (down + across))
    best, found = (np.zeros(seen.shape) for _ in range(2))
    others = (np.where(np.isfinite(c) & (np.abs(c - seen) > EDGE_JUMP), c, 0.0) for c in (high, furthest))
    for candidate in (seen, *others):
        votes, nearest, closest = np.zeros(seen.shape), np.zeros(seen.shape), np.full(seen.shape, np.inf)
        for steps, away, share, q, c in inside():
            member = (q > 0) & (candidate > 0) & (np.abs(q - candidate) <= EDGE_JUMP + steep * steps)
            votes += np.where(member, share * c, 0.0)
            nearer = member & (away < closest)
            nearest, closest = np.where(nearer, q, nearest), np.where(nearer, away, closest)
        weight = np.where(high - candidate <= EDGE_JUMP, 1 + window.fattening, 1.0) * votes
        wins = weight > best
        best, found = (np.where(wins, new, old) for new, old in ((weight, best), (nearest, found)))
    return np.where(alone, seen, np.where(shown >= window.support * whole, found, 0.0))
