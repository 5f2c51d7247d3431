"""Lens distortion: where a lens puts a ray that a pinhole would have put elsewhere, and back.

Image points are on the plane at unit depth, (x/z, y/z), or unit vectors where a lens looks further aside than that. The forward models are OpenCV's,
so that their calibrations can be used as they are:

* ``brown_conrady``: Brown 1966, "Decentering distortion of lenses", with the rational radial term of ``cv2.projectPoints``: k1, k2, p1, p2
  [, k3 [, k4, k5, k6]].
* ``kannala_brandt``: Kannala and Brandt 2006, "A generic camera model and calibration method for conventional, wide-angle, and fish-eye lenses",
  as in ``cv2.fisheye``: k1, k2, k3, k4 of the angle to the axis, which may exceed 90 degrees.

The inverses are iterated to 1e-10; a point without a ray inside the lens's ``half_angle`` comes back as NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

WIDEST = {"brown_conrady": math.radians(86.0), "kannala_brandt": math.radians(89.9)}
"""Largest angle between the optical axis and a ray at unit depth: depth along the axis means nothing near 90 degrees."""
COUNTS = {"brown_conrady": (4, 5, 8), "kannala_brandt": (4,)}
"""Model -> how many coefficients it may have."""
_ITERATIONS = 32
_TOLERANCE = 1e-10
_STEPS = 4096
_OUTWARDS = 32
"""Steps from the centre to a point whose ray is not found at once."""
_BLOCK = 65536
"""Points that are inverted at a time, for the sake of the cache."""


@dataclass(frozen=True)
class Distortion:
    """A distortion model and its coefficients in OpenCV's order.

    Attributes:
        model: see the module.
        coefficients: numbers as counted in ``COUNTS``; all 0 is a pinhole for ``brown_conrady`` and an equidistant fisheye for ``kannala_brandt``.
        fov: full angle of the cone that reaches the sensor [deg]; None where only the model ends it.
    """

    model: Literal["brown_conrady", "kannala_brandt"]
    coefficients: tuple[float, ...]
    fov: float | None = None

    @property
    def fisheye(self) -> bool:
        """Whether rays may look further aside than a plane before the camera."""
        return self.model == "kannala_brandt"

    @property
    def half_angle(self) -> float:
        """Largest angle to the axis that is imaged [rad]: up to where the radial model rises, within ``fov``."""
        widest = math.pi if self.fisheye else WIDEST[self.model]
        if self.fov is not None:
            widest = min(widest, math.radians(self.fov) / 2)
        angle = np.linspace(0.0, widest, _STEPS)
        falls = np.flatnonzero(np.diff(self.radius(angle)) <= 0)
        return float(angle[falls[0]] if len(falls) else widest)

    @property
    def reach(self) -> float:
        """Largest radius at unit depth that is imaged, at most tan ``WIDEST``."""
        return math.tan(min(self.half_angle, WIDEST[self.model]))

    def radius(self, angle: np.ndarray) -> np.ndarray:
        """Radius in the image of rays at these angles to the axis [rad], without the tangential part; any shape."""
        return _angle_polynomial(angle, self.coefficients) if self.fisheye else self.radial(np.tan(angle))

    def radial(self, r: np.ndarray) -> np.ndarray:
        """Radius in the image of a ray at radius ``r`` [at unit depth], without the tangential part; any shape."""
        if self.fisheye:
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
        if self.fisheye:
            r = np.sqrt(r2)
            gain = np.where(r > 1e-8, self.radial(r) / np.maximum(r, 1e-8), 1.0)
            return x * gain, y * gain
        gain, (p1, p2) = self._gain(r2), self.coefficients[2:4]
        return x * gain + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * gain + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y

    def undistort(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ray (x, y) at unit depth that the lens images at (u, v): the inverse of ``distort``; NaN where there is none."""
        u, v = np.broadcast_arrays(np.asarray(u, np.float64), np.asarray(v, np.float64))
        if self.fisheye:
            angle, d = self.angle(np.hypot(u, v)), np.hypot(u, v)
            with np.errstate(invalid="ignore"):
                gain = np.where(d > 1e-8, np.tan(angle) / np.maximum(d, 1e-8), 1.0)
                lost = ~(angle <= math.atan(self.reach))
            return np.where(lost, np.nan, u * gain), np.where(lost, np.nan, v * gain)
        blocks = (self._inverse(u.ravel()[i : i + _BLOCK], v.ravel()[i : i + _BLOCK]) for i in range(0, max(u.size, 1), _BLOCK))
        x, y = (np.concatenate(parts).reshape(u.shape) for parts in zip(*blocks, strict=True))
        return x, y

    def _inverse(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``undistort`` of points [n]: what Newton's method does not reach from the radial part alone is followed outwards from the centre."""
        x, y, lost = self._newton(u, v, *self._first_guess(u, v, self.reach))
        if lost.any():
            left, a, b = np.flatnonzero(lost), np.zeros(lost.sum()), np.zeros(lost.sum())
            for share in np.linspace(0.0, 1.0, _OUTWARDS + 1)[1:]:
                a, b, astray = self._newton(share * u[left], share * v[left], a, b)
                left, a, b = left[~astray], a[~astray], b[~astray]
            x[left], y[left], lost[left] = a, b, False
        return np.where(lost, np.nan, x), np.where(lost, np.nan, y)

    def _newton(self, u: np.ndarray, v: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rays [n] from first guesses, and which of them are none: not found, beyond ``reach`` or in a part of the image that is folded over. A step
        that leads further away is halved."""
        x, y, scale, left = x.copy(), y.copy(), np.ones(len(u)), np.arange(len(u))
        limit, reach = _TOLERANCE * (1 + np.hypot(u, v)), self.reach
        with np.errstate(all="ignore"):
            a, b = self._forward(x, y)
            for _ in range(_ITERATIONS):
                miss = np.hypot(a[left] - u[left], b[left] - v[left])
                left = left[~(miss < limit[left])]
                if not len(left):
                    break
                at, to = (x[left], y[left]), (u[left] - a[left], v[left] - b[left])
                xx, xy, yy = self._slopes(*at)
                share = scale[left] / (xx * yy - xy * xy)
                x_new, y_new = at[0] + (yy * to[0] - xy * to[1]) * share, at[1] + (xx * to[1] - xy * to[0]) * share
                a_new, b_new = self._forward(x_new, y_new)
                nearer = np.hypot(a_new - u[left], b_new - v[left]) < np.hypot(*to)
                good = left[nearer]
                x[good], y[good], a[good], b[good] = x_new[nearer], y_new[nearer], a_new[nearer], b_new[nearer]
                scale[left] = np.where(nearer, np.minimum(2 * scale[left], 1.0), scale[left] / 2)
            xx, xy, yy = self._slopes(x, y)
            met = np.hypot(a - u, b - v) < limit
            return x, y, ~(met & (np.hypot(x, y) <= reach) & (xx > 0) & (xx * yy > xy * xy))

    def _slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Derivatives of ``_forward``: of the image's x by x, of either coordinate by the other (they are equal), of its y by y."""
        r2, (p1, p2) = x * x + y * y, self.coefficients[2:4]
        gain, k = self._gain(r2), (*self.coefficients, *([0.0] * (8 - len(self.coefficients))))
        over, under = k[0] + r2 * (2 * k[1] + 3 * r2 * k[4]), k[5] + r2 * (2 * k[6] + 3 * r2 * k[7])
        grows = 2 * (over - gain * under) / (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7])))
        return gain + x * x * grows + 2 * p1 * y + 6 * p2 * x, x * y * grows + 2 * p1 * x + 2 * p2 * y, gain + y * y * grows + 6 * p1 * y + 2 * p2 * x

    def _first_guess(self, u: np.ndarray, v: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of the radial part alone, from a table: near enough for Newton's method to stay on the right branch."""
        table = np.tan(np.linspace(0.0, math.atan(reach), _STEPS))
        d = np.hypot(u, v)
        r = np.interp(d, self.radial(table), table)
        gain = np.where(d > 1e-12, r / np.maximum(d, 1e-12), 1.0)
        return u * gain, v * gain

    def angle(self, d: np.ndarray, beyond: bool = False) -> np.ndarray:
        """Angle to the axis [rad] of what a fisheye images at radii ``d``; NaN outside its circle, or with ``beyond`` carried on there in proportion
        to the radius, up to pi."""
        limit = self.half_angle
        table = np.linspace(0.0, limit, _STEPS)
        edge = float(_angle_polynomial(np.array(limit), self.coefficients))
        theta = np.interp(d, _angle_polynomial(table, self.coefficients), table)
        for _ in range(_ITERATIONS):
            slope = _angle_slope(theta, self.coefficients)
            theta = np.clip(theta + (d - _angle_polynomial(theta, self.coefficients)) / np.where(slope > 1e-6, slope, np.inf), 0.0, limit)
        lost = np.abs(_angle_polynomial(theta, self.coefficients) - d) > _TOLERANCE * (1 + d)
        return np.where(lost, np.minimum(d * (limit / edge), math.pi) if beyond else np.nan, theta)

    def rays(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Unit vectors [..., 3] that the lens images at (u, v); NaN where there are none."""
        u, v = np.broadcast_arrays(np.asarray(u, np.float64), np.asarray(v, np.float64))
        if not self.fisheye:
            x, y = self.undistort(u, v)
            return np.stack([x, y, np.ones_like(x)], -1) / np.sqrt(x * x + y * y + 1)[..., None]
        d = np.hypot(u, v)
        angle = self.angle(d)
        gain = np.where(d > 1e-8, np.sin(angle) / np.maximum(d, 1e-8), 1.0)
        return np.stack([u * gain, v * gain, np.cos(angle)], -1)

    def image(self, rays: np.ndarray, beyond: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Where the lens images rays [..., 3] of any length: the inverse of ``rays``; ``beyond`` as in ``angle``."""
        x, y, z = np.moveaxis(np.asarray(rays, np.float64), -1, 0)
        if not self.fisheye:
            with np.errstate(divide="ignore", invalid="ignore"):
                return self.distort(np.where(z > 0, x / z, np.nan), np.where(z > 0, y / z, np.nan))
        x = np.where(np.hypot(x, y) > 1e-12, x, 1e-12)
        flat, limit = np.hypot(x, y), self.half_angle
        angle = np.arctan2(flat, z)
        edge = float(_angle_polynomial(np.array(limit), self.coefficients))
        radius = np.where(angle <= limit, _angle_polynomial(angle, self.coefficients), angle * (edge / limit) if beyond else np.nan)
        return x * (radius / flat), y * (radius / flat)


def _angle_polynomial(theta: np.ndarray, k: tuple[float, ...]) -> np.ndarray:
    t = theta * theta
    return theta * (1 + t * (k[0] + t * (k[1] + t * (k[2] + t * k[3]))))


def _angle_slope(theta: np.ndarray, k: tuple[float, ...]) -> np.ndarray:
    t = theta * theta
    return 1 + t * (3 * k[0] + t * (5 * k[1] + t * (7 * k[2] + t * 9 * k[3])))
