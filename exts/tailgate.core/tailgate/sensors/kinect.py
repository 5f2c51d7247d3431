"""Depth response of a structured-light camera (Kinect v1, Xtion): what block matching of an infrared pattern makes of the true depth.

Sources: Khoshelham and Elberink 2012, "Accuracy and resolution of Kinect depth data" (disparity, its 1/8 px step, random error growing with z²);
Nguyen, Izadi and Lovell 2012, "Modeling Kinect sensor noise" (axial noise against distance and incidence); Mallick et al. 2014,
"Characterizations of noise in Kinect depth images" (shadow bands, holes at grazing and dark surfaces); edges as in ``matching``.

The depth image is that of the infrared camera, moved to the viewpoint of the colour camera, which sits between the infrared projector on its right
and the infrared camera on its left. What the projector does not light is missing left of near objects, and windows grow into it from both sides. What
the infrared camera does not see is missing on their right: a band as wide as the move tears open, with two outlines of one shape. So that surfaces do
not crack, the move gives each depth to 2 x 2 pixels, of which the nearest stay.

Noise grows away from the axis of the pattern: on the table tops of mOSD, seen at one distance, by a quarter from 0.2 left of the image's axis to 0.45
right of it (tangents).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

from tailgate.frames import Intrinsics
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.memory import recall
from tailgate.rng import kernel_seed
from tailgate.sensors.inverse_depth import Optics, close_kernel, move_kernel, optics_of, shadow_kernel, slant_kernel, spread_kernel, surface_kernel
from tailgate.sensors.matching import Window, match, pattern_of
from tailgate.sensors.noise_field import noise_fields
from tailgate.sensors.parameters import Parameters

wp.set_module_options({"enable_backward": False})

DISPARITY_CONSTANT = 586.0 * 0.075
"""Infrared focal length times base line [px m] (Khoshelham and Elberink 2012): disparity = DISPARITY_CONSTANT / z."""

WIDEST = 4
"""Columns of the infrared camera's image per column of the colour camera's, at most."""


@dataclass(frozen=True)
class KinectResponse(Parameters):
    """Values of the response settings; each field's unit is that of the setting of the same name.

    Attributes:
        axial_noise: standard deviation of depth at 1 m, growing with z² [mm].
        near_noise: standard deviation of depth that does not grow, added in square [mm].
        noise_window, noise_rows: width and height of the matching window, over which noise is one and edges are decided [px].
        noise_grain: share of the noise's variance that every pixel has for itself.
        noise_period: disparity over which noise runs through a period, since interpolation between pixels errs by where it lies between them [px]:
            noise is less alike from row to row on a slanted surface; 0 for noise that does not depend on disparity.
        disparity_step: quantization of disparity [px].
        depth_step: quantization of the depth that is handed out [mm].
        field_noise: growth of noise away from the axis of the pattern, as a share of it per square of the tangent of the angle to it.
        field_aside: how far right of the image's axis that axis points, as the tangent of the angle.
        grazing_noise: growth of noise with incidence θ, as a share of it per θ² / (π/2 - θ)².
        speckle: standard deviation of the log of the pattern's contrast from pixel to pixel: how ragged outlines are.
        support: share of a window's pattern that must be seen for its surface to be found.
        fattening: how much more the pattern on a window's nearest surface counts, as a share.
        projector_offset: distance of the projector to the right of the image's viewpoint [m]; below 0 to the left.
        camera_offset: distance of the infrared camera to the left of it [m]; 0 for depth that was never moved.
        registration: columns that moved depth lies right of the colour image [px].
        grazing_limit: incidence beyond which nothing returns [deg]; 90 for none.
        dark_limit: linear luminance below which nothing returns, 0..1.
        dropout: share of other surface that is lost, in patches as large as the matching window.
    """

    paired: ClassVar[bool] = False
    """Whether the other side is a camera, whose image ends where this one's does; a projector reaches further."""

    axial_noise: float = 0.0
    near_noise: float = 0.0
    noise_window: float = 1.0
    noise_rows: float = 1.0
    noise_grain: float = 0.0
    noise_period: float = 0.0
    disparity_step: float = 0.0
    depth_step: float = 0.0
    field_noise: float = 0.0
    field_aside: float = 0.0
    grazing_noise: float = 0.0
    speckle: float = 0.0
    support: float = 0.0
    fattening: float = 0.0
    projector_offset: float = 0.0
    camera_offset: float = 0.0
    registration: float = 0.0
    grazing_limit: float = 90.0
    dark_limit: float = 0.0
    dropout: float = 0.0

    @property
    def dropout_quantile(self) -> float:
        """Value of a standard normal field below which a pixel is lost."""
        return NormalDist().inv_cdf(self.dropout) if 0 < self.dropout < 1 else (-1e9 if self.dropout <= 0 else 1e9)

    @property
    def steepest(self) -> float:
        """Incidence beyond which nothing returns [rad]; without end where no surface is too steep."""
        return math.radians(self.grazing_limit) if self.grazing_limit < 90.0 else math.inf

    @property
    def window(self) -> Window:
        """The matching window."""
        return Window(self.noise_rows, self.noise_window, self.support, self.speckle, self.fattening)

    @property
    def lighting(self) -> tuple[float, ...]:
        """Values that decide where the pattern is seen."""
        return self.noise_rows, self.noise_window, self.projector_offset, self.camera_offset, self.dark_limit, self.grazing_limit

    @property
    def matching(self) -> tuple[float, ...]:
        """Values that decide what windows find; the others act on what was found."""
        return *self.lighting, self.support, self.speckle, self.fattening

    @property
    def turn(self) -> float:
        """Phase of noise per inverse depth [rad m]."""
        return 2.0 * math.pi * DISPARITY_CONSTANT / self.noise_period if self.noise_period > 0 else 0.0

    def seen_width(self, width: int, focal: float, near: float) -> int:
        """Columns of the infrared camera's image that hold all the colour camera sees in ``width`` columns, at most ``WIDEST`` times as many: what is
        so near that it would move further is not measured."""
        return width + min(math.ceil(self.camera_offset * focal / near), (WIDEST - 1) * width)


@wp.struct
class Response:
    """``KinectResponse`` as kernel arguments: noise in inverse depth [1/m], near noise in depth [m], turn of noise per inverse depth [rad m],
    axis of the pattern [px], base line times focal length [px m], radians."""

    axial: wp.float32
    near_noise: wp.float32
    grain: wp.float32
    turn: wp.float32
    step: wp.float32
    depth_step: wp.float32
    field_noise: wp.float32
    axis: wp.vec2
    grazing_noise: wp.float32
    base: wp.float32
    paired: wp.int32
    grazing_limit: wp.float32
    dropout: wp.float32


@wp.kernel
def lit_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    luminance: wp.array(dtype=wp.float32, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    limit: float,
    near: float,
    strip: int,
    lit: wp.array(dtype=wp.float32, ndim=2),
):
    """Inverse depth of surfaces that are not too near and bright enough to show the pattern, else 0; a thread works through ``strip`` pixels of a
    row."""
    y = wp.tid() * strip / inverse.shape[1]
    first = wp.tid() * strip % inverse.shape[1]
    for x in range(first, first + strip):
        lit[y, x] = 0.0
        if inverse[y, x] * near <= 1.000001 and luminance[y, x] >= limit * (1.0 + 0.3 * noise[2, y, x]):
            lit[y, x] = inverse[y, x]


@wp.kernel
def seen_kernel(
    surface: wp.array(dtype=wp.float32, ndim=2),
    theta: wp.array(dtype=wp.float32, ndim=2),
    hidden: wp.array(dtype=wp.uint8, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    r: Response,
    strip: int,
    seen: wp.array(dtype=wp.float32, ndim=2),
):
    """Take from ``seen``, the lit surfaces, what a darker one hides, what the projector does not reach and what it meets too obliquely. ``theta`` is
    the incidence [rad], ``hidden`` what nearer surfaces hide from the projector; a thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / surface.shape[1]
    first = wp.tid() * strip % surface.shape[1]
    for x in range(first, first + strip):
        q = surface[y, x]
        if q <= 0.0 or seen[y, x] < q or hidden[y, x] != wp.uint8(0):
            seen[y, x] = 0.0
        elif r.paired == 1 and float(x) < r.base * q - 0.5:
            seen[y, x] = 0.0
        elif theta[y, x] + 0.05 * noise[2, y, x] > r.grazing_limit:
            seen[y, x] = 0.0


@wp.kernel
def disparity_kernel(
    matched: wp.array(dtype=wp.float32, ndim=2),
    theta: wp.array(dtype=wp.float32, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    white: wp.array(dtype=wp.float32, ndim=3),
    focal: wp.vec2,
    r: Response,
    strip: int,
    found: wp.array(dtype=wp.float32, ndim=2),
):
    """Noise and steps of the inverse depth that was matched, 0 where a patch is lost. ``theta`` is the incidence [rad]; ``noise`` [4, H, W]: two that
    windows share, and patches; ``white`` [2, H, W]: of each pixel. A thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / matched.shape[1]
    first = wp.tid() * strip % matched.shape[1]
    for x in range(first, first + strip):
        q = matched[y, x]
        if q > 0.0 and noise[2, y, x] >= r.dropout:
            oblique = theta[y, x] / wp.max(1.5707964 - theta[y, x], 0.1)
            near = r.near_noise * q * q
            du = (float(x) - r.axis[0]) / focal[0]
            dv = (float(y) - r.axis[1]) / focal[1]
            spread = wp.sqrt(r.axial * r.axial + near * near) * (1.0 + r.grazing_noise * oblique * oblique)
            spread = spread * (1.0 + r.field_noise * (du * du + dv * dv))
            smooth = wp.cos(r.turn * q) * noise[0, y, x] + wp.sin(r.turn * q) * noise[1, y, x]
            q = q + spread * (wp.sqrt(1.0 - r.grain) * smooth + wp.sqrt(r.grain) * white[0, y, x])
            if r.step > 0.0:
                q = wp.rint(q / r.step) * r.step
            found[y, x] = wp.max(q, 0.0)
        else:
            found[y, x] = 0.0


@wp.kernel
def depth_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2), near: float, far: float, step: float, strip: int, out: wp.array(dtype=wp.float32, ndim=2)
):
    """Depth as handed out [m], inf where there is none; a thread works through ``strip`` pixels of a row."""
    y = wp.tid() * strip / inverse.shape[1]
    first = wp.tid() * strip % inverse.shape[1]
    for x in range(first, first + strip):
        out[y, x] = wp.inf
        if inverse[y, x] > 0.0:
            z = 1.0 / inverse[y, x]
            if step > 0.0:
                z = wp.rint(z / step) * step
            if z >= near and z <= far:
                out[y, x] = z


@wp.kernel
def finite_kernel(depth: wp.array(dtype=wp.float32, ndim=2), valid: wp.array(dtype=wp.uint8, ndim=2)):
    """1 where there is a depth, else 0."""
    y, x = wp.tid()
    valid[y, x] = wp.uint8(0)
    if wp.isfinite(depth[y, x]):
        valid[y, x] = wp.uint8(1)


def response_struct(response: KinectResponse, k: Intrinsics) -> Response:
    """Kernel arguments of a response for a camera."""
    r, f = Response(), k.fx
    r.field_noise, r.axis = response.field_noise, wp.vec2(k.cx + response.field_aside * f, k.cy)
    r.axial = response.axial_noise * 1e-3
    r.near_noise = response.near_noise * 1e-3
    r.grain = min(max(response.noise_grain, 0.0), 1.0)
    r.turn = response.turn
    r.step = response.disparity_step / DISPARITY_CONSTANT
    r.depth_step = response.depth_step * 1e-3
    r.grazing_noise = response.grazing_noise
    r.base = (response.projector_offset + response.camera_offset) * f
    r.paired, r.grazing_limit = int(response.paired), response.steepest
    r.dropout = response.dropout_quantile
    return r


def respond_depth(
    depth: wp.array, luminance: wp.array, intrinsics: Intrinsics, limits: tuple[float, float], response: KinectResponse, seed: int
) -> wp.array:
    """Measured depth [m], Warp float32 [H, W] on the device of ``depth``; inf where there is none.

    Args:
        depth: true distance to the image plane [m], inf where nothing was hit, [H, W].
        luminance: linear luminance of the scene in infrared, approximated by the colour image's, 0..1, [H, W].
        intrinsics: of the image.
        limits: nearest and furthest measurable depth [m].
        response: values of the settings.
        seed: 31-bit seed.
    """
    device, (height, width) = depth.device, depth.shape
    focal = intrinsics.fx
    shape = height, response.seen_width(width, focal, limits[0])
    noise = noise_fields(seed, 2, shape, (response.noise_rows, response.noise_window), device)
    white = noise_fields(kernel_seed(seed, "white"), 1, shape, device=device)
    optics, r, move = optics_of(intrinsics, limits), response_struct(response, intrinsics), response.camera_offset * focal
    kept, scene = (depth.ptr, seed), (depth, luminance, noise, optics, r)
    ground = recall(("surface", *kept), (move, intrinsics, limits), lambda: _ground(depth, optics, move, shape))
    seen = recall(("seen", *kept), (response.lighting, intrinsics, limits), lambda: _seen(scene, ground, response, move))
    pattern = recall(("pattern", *kept), (response.speckle, shape), lambda: pattern_of(white[1], response.window))
    matched = recall(("kinect", *kept), (response.matching, intrinsics, limits), lambda: match(ground.steep, seen, pattern, response.window))
    found, (threads, strip) = wp.empty(shape, dtype=wp.float32, device=device), strips(matched.size, device, shape[1])
    wp.launch(disparity_kernel, dim=threads, inputs=[matched, ground.theta, noise, white, optics.f, r, strip, found], device=device)
    if move > 0.0:
        narrow, found = _moved(found, (-move, response.registration), depth.shape), wp.empty(depth.shape, dtype=wp.float32, device=device)
        threads, strip = strips(depth.size, device, depth.shape[1])
        wp.launch(spread_kernel, dim=threads, inputs=[narrow, strip, found], device=device)
    out = wp.empty(depth.shape, dtype=wp.float32, device=device)
    wp.launch(depth_kernel, dim=threads, inputs=[found, *limits, r.depth_step, strip, out], device=device)
    return out


@dataclass(frozen=True)
class _Ground:
    """What stands before the cameras.

    Attributes:
        inverse: inverse depth before the colour camera [1/m], [H, W].
        nearest: its largest value in each row, [H].
        surface: inverse depth before the infrared camera [1/m], [H, seen width]; so are the others.
        theta: incidence [rad].
        steep: change of inverse depth per pixel [1/m/px].
    """

    inverse: wp.array
    nearest: wp.array
    surface: wp.array
    theta: wp.array
    steep: wp.array


def _ground(depth: wp.array, optics: Optics, move: float, shape: tuple[int, int]) -> _Ground:
    device, height = depth.device, depth.shape[0]
    inverse, nearest = wp.empty(depth.shape, dtype=wp.float32, device=device), wp.empty(height, dtype=wp.float32, device=device)
    wp.launch(surface_kernel, dim=height, inputs=[depth, optics, inverse, nearest], device=device)
    surface = inverse
    if move > 0.0:
        surface = _moved(inverse, (move, 0.0), shape)
        wp.launch(close_kernel, dim=height, inputs=[surface], device=device)
    theta, steep = (wp.empty(shape, dtype=wp.float32, device=device) for _ in range(2))
    threads, strip = strips(surface.size, device, shape[1])
    wp.launch(slant_kernel, dim=threads, inputs=[surface, optics, strip, theta, steep], device=device)
    return _Ground(inverse, nearest, surface, theta, steep)


def _seen(scene: tuple, ground: _Ground, response: KinectResponse, move: float) -> wp.array:
    """Inverse depth of surfaces before the infrared camera whose pattern it sees [1/m], else 0, [H, seen width]."""
    depth, luminance, noise, optics, r = scene
    device, shape = depth.device, ground.surface.shape
    seen, (threads, strip) = wp.empty(depth.shape, dtype=wp.float32, device=device), strips(depth.size, device, depth.shape[1])
    wp.launch(lit_kernel, dim=threads, inputs=[ground.inverse, luminance, noise, response.dark_limit, optics.near, strip, seen], device=device)
    if move > 0.0:
        seen = _moved(seen, (move, 0.0), shape)
    hidden, (threads, strip) = wp.empty(shape, dtype=wp.uint8, device=device), strips(seen.size, device, shape[1])
    wp.launch(shadow_kernel, dim=threads, inputs=[ground.surface, r.base, ground.nearest, strip, hidden], device=device)
    wp.launch(seen_kernel, dim=threads, inputs=[ground.surface, ground.theta, hidden, noise, r, strip, seen], device=device)
    return seen


def _moved(image: wp.array, shift: tuple[float, float], shape: tuple[int, int]) -> wp.array:
    """The image of inverse depth q moved by shift[0] q + shift[1] columns, in an image of this shape."""
    out = wp.zeros(shape, dtype=wp.float32, device=image.device)
    wp.launch(move_kernel, dim=shape[0], inputs=[image, *shift, out], device=image.device)
    return out
