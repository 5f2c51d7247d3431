"""Lens distortion: where a lens puts a ray that a pinhole would have put elsewhere, and back.

Image points are on the plane at unit depth, (x/z, y/z). The forward models are OpenCV's, so that their calibrations can be used as they are:

* ``brown_conrady``: Brown 1966, "Decentering distortion of lenses", with the rational radial term of ``cv2.projectPoints``: k1, k2, p1, p2
  [, k3 [, k4, k5, k6]].
* ``kannala_brandt``: Kannala and Brandt 2006, "A generic camera model and calibration method for conventional, wide-angle, and fish-eye lenses",
  as in ``cv2.fisheye``: k1, k2, k3, k4 of the angle to the axis.

The inverses are iterated to 1e-10; a point without a ray inside ``WIDEST`` comes back as NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

WIDEST = math.radians(86.0)
"""Largest angle between a ray and the optical axis: depth along the axis means nothing near 90 degrees."""
COUNTS = {"brown_conrady": (4, 5, 8), "kannala_brandt": (4,)}
"""Model -> how many coefficients it may have."""
_ITERATIONS = 12
_TOLERANCE = 1e-10
_STEPS = 4096


@dataclass(frozen=True)
class Distortion:
    """A distortion model and its coefficients in OpenCV's order.

    Attributes:
        model: see the module.
        coefficients: numbers as counted in ``COUNTS``; all 0 is a pinhole for ``brown_conrady`` and an equidistant fisheye for ``kannala_brandt``.
    """

    model: Literal["brown_conrady", "kannala_brandt"]
    coefficients: tuple[float, ...]

    @property
    def reach(self) -> float:
        """Largest radius at unit depth up to which the radial model rises, at most tan ``WIDEST``."""
        angle = np.linspace(0.0, WIDEST, _STEPS)
        falls = np.flatnonzero(np.diff(self.radial(np.tan(angle))) <= 0)
        return math.tan(angle[falls[0]] if len(falls) else WIDEST)

    def radial(self, r: np.ndarray) -> np.ndarray:
        """Radius in the image of a ray at radius ``r`` [at unit depth], without the tangential part; any shape."""
        if self.model == "kannala_brandt":
            return _angle_polynomial(np.arctan(r), self.coefficients)
        return r * self._gain(r * r)

    def _gain(self, r2: np.ndarray) -> np.ndarray:
        k = (*self.coefficients, *([0.0] * (8 - len(self.coefficients))))
        return (1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))) / (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7])))

    def distort(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the lens images the ray through (x, y), at unit depth and unit focal length; NaN beyond ``reach``."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            r = np.hypot(x, y)
            u, v = self._forward(x, y)
            lost = ~(r <= self.reach)
        return np.where(lost, np.nan, u), np.where(lost, np.nan, v)

    def _forward(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r2 = x * x + y * y
        if self.model == "kannala_brandt":
            r = np.sqrt(r2)
            gain = np.where(r > 1e-8, self.radial(r) / np.maximum(r, 1e-8), 1.0)
            return x * gain, y * gain
        gain, (p1, p2) = self._gain(r2), self.coefficients[2:4]
        return x * gain + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * gain + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y

    def undistort(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ray (x, y) at unit depth that the lens images at (u, v): the inverse of ``distort``; NaN where there is none."""
        u, v = np.broadcast_arrays(np.asarray(u, np.float64), np.asarray(v, np.float64))
        if self.model == "kannala_brandt":
            return self._undistort_angle(u, v)
        reach = self.reach
        x, y = self._first_guess(u, v, reach)
        h = 1e-6
        with np.errstate(all="ignore"):
            for _ in range(_ITERATIONS):
                a, b = self._forward(x, y)
                (xa, xb), (ya, yb) = self._forward(x + h, y), self._forward(x, y + h)
                j = (xa - a) / h, (ya - a) / h, (xb - b) / h, (yb - b) / h
                det = j[0] * j[3] - j[1] * j[2]
                x, y = x + (j[3] * (u - a) - j[1] * (v - b)) / det, y + (j[0] * (v - b) - j[2] * (u - a)) / det
            a, b = self._forward(x, y)
            lost = ~((np.hypot(a - u, b - v) < _TOLERANCE * (1 + np.hypot(u, v))) & (np.hypot(x, y) <= reach))
        return np.where(lost, np.nan, x), np.where(lost, np.nan, y)

    def _first_guess(self, u: np.ndarray, v: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of the radial part alone, from a table: near enough for Newton's method to stay on the right branch."""
        table = np.tan(np.linspace(0.0, math.atan(reach), _STEPS))
        d = np.hypot(u, v)
        r = np.interp(d, self.radial(table), table)
        gain = np.where(d > 1e-12, r / np.maximum(d, 1e-12), 1.0)
        return u * gain, v * gain

    def _undistort_angle(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d, limit = np.hypot(u, v), math.atan(self.reach)
        table = np.linspace(0.0, limit, _STEPS)
        theta = np.interp(d, _angle_polynomial(table, self.coefficients), table)
        for _ in range(_ITERATIONS):
            slope = _angle_slope(theta, self.coefficients)
            theta = np.clip(theta + (d - _angle_polynomial(theta, self.coefficients)) / np.where(slope > 1e-6, slope, np.inf), 0.0, limit)
        lost = np.abs(_angle_polynomial(theta, self.coefficients) - d) > _TOLERANCE * (1 + d)
        gain = np.where(d > 1e-8, np.tan(theta) / np.maximum(d, 1e-8), 1.0)
        return np.where(lost, np.nan, u * gain), np.where(lost, np.nan, v * gain)


def _angle_polynomial(theta: np.ndarray, k: tuple[float, ...]) -> np.ndarray:
    t = theta * theta
    return theta * (1 + t * (k[0] + t * (k[1] + t * (k[2] + t * k[3]))))


def _angle_slope(theta: np.ndarray, k: tuple[float, ...]) -> np.ndarray:
    t = theta * theta
    return 1 + t * (3 * k[0] + t * (5 * k[1] + t * (7 * k[2] + t * 9 * k[3])))
