"""What block matching finds at a depth edge: each pixel takes the surface for which most of the pattern in its window votes.

Structured light and stereo compare windows, not pixels (Scharstein and Szeliski 2002, "A taxonomy and evaluation of dense two-frame stereo
correspondence algorithms"). A window across an edge holds two surfaces: the one with more contrast wins, so an outline runs where the pattern happens
to put it, ragged over lengths of the window, and what is narrower than half a window vanishes. Near surfaces win more often than their share and so
grow over far ones ("foreground fattening"). A window that reaches into a shadow, where no pattern is, still finds the surface beside it as long as
enough of its pattern is seen: near and far surfaces alike grow into the shadow. Where all of it is seen one surface is found, however few pixels it
won by: between two lit surfaces nothing is missing. No depth between two surfaces comes out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.sensors.inverse_depth import EDGE_JUMP, gradient_twin
from tailgate.sensors.matching_kernels import extremes_kernel, pattern_kernel, vote_kernel
from tailgate.sensors.noise_field import window_weights

STEEPEST = 0.005
"""Change of inverse depth per pixel up to which the pattern beside a pixel still counts for it [1/m/px]: a window has one disparity, and the sliver
of a steeper flank does not win it. On the base line of a Kinect that is a fifth of a pixel of disparity per pixel, a whole one over half a window."""


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


def pattern_of(contrast: wp.array, window: Window) -> wp.array:
    """Contrast of each pixel's pattern, 1 on average, Warp float32 [H, W], made of a standard normal."""
    out = wp.empty(contrast.shape, dtype=wp.float32, device=contrast.device)
    threads, strip = strips(out.size, out.device, out.shape[1])
    wp.launch(pattern_kernel, dim=threads, inputs=[contrast, window.speckle, strip, out], device=out.device)
    return out


def match(steep: wp.array, seen: wp.array, pattern: wp.array, window: Window) -> wp.array:
    """Inverse depth that windows find [1/m], 0 where none, Warp float32 [H, W].

    Args:
        steep: change of inverse depth per pixel of what is there, 0 for nothing [1/m/px].
        seen: inverse depth where the pattern is seen, else 0.
        pattern: contrast of each pixel's pattern.
    """
    if not window.acts:
        return seen
    device, shape = seen.device, seen.shape
    weights = [wp.array(window_weights(side), dtype=wp.float32, device=device) for side in (window.rows, window.columns)]
    (threads, strip), low, high = strips(seen.size, device, shape[1]), seen, seen
    for axis, side in enumerate(weights):
        least, most = (wp.empty(shape, dtype=wp.float32, device=device) for _ in range(2))
        wp.launch(extremes_kernel, dim=threads, inputs=[low, high, len(side) // 2, axis, strip, least, most], device=device)
        low, high = least, most
    out = wp.empty(shape, dtype=wp.float32, device=device)
    arguments = [steep, seen, low, high, pattern, *weights, window.support, window.fattening, STEEPEST, strip, out]
    wp.launch(vote_kernel, dim=threads, inputs=arguments, device=device)
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
