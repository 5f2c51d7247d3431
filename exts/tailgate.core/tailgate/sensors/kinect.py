"""Depth response of a structured-light camera (Kinect v1, Xtion): what block matching of an infrared pattern makes of the true depth.

Sources: Khoshelham and Elberink 2012, "Accuracy and resolution of Kinect depth data" (disparity, its 1/8 px step, random error growing with z²);
Nguyen, Izadi and Lovell 2012, "Modeling Kinect sensor noise" (axial and lateral noise against the angle of incidence); Mallick et al. 2014,
"Characterizations of noise in Kinect depth images" (shadow bands, holes at grazing and dark surfaces).

The depth image is registered to the colour camera, which sits between the infrared projector on its right and the infrared camera on its left.
A surface point is measured where both see it: what the projector misses is the wide band left of an object, what the infrared camera misses the
narrow one on its right.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from statistics import NormalDist

from tailgate.geometry.quiet import wp
from tailgate.rng import kernel_seed

wp.set_module_options({"enable_backward": False})

DISPARITY_CONSTANT = 586.0 * 0.075
"""Infrared focal length times base line [px m] (Khoshelham and Elberink 2012): disparity = DISPARITY_CONSTANT / z."""
EDGE_JUMP = wp.constant(0.03)
"""Step of inverse depth [1/m] that counts as a depth edge: 3 cm at 1 m."""
SHADOW_JUMP = wp.constant(0.01)
"""An occluder is nearer by at least this inverse depth [1/m]."""
SHADOW_REACH = wp.constant(0.6)
"""Half the width of a pixel seen from the projector, with a tenth of a pixel of slack [px]."""
MAX_EDGE = 16
"""Furthest pixel that an edge changes, beside shadows [px]."""


@dataclass(frozen=True)
class KinectResponse:
    """Values of the response settings; each field's unit is that of the setting of the same name.

    Attributes:
        axial_noise: standard deviation of depth at 1 m, growing with z² [mm].
        noise_window: side of the matching window, over which axial noise is one [px].
        disparity_step: quantization of disparity [px].
        depth_step: quantization of the depth that is handed out [mm].
        grazing_noise: growth of axial noise with incidence θ, as a share of it per θ² / (π/2 - θ)².
        lateral_noise: standard deviation of an edge's position [px]; inside a surface nothing moves.
        edge_window: side of the window over which an edge moves as one [px].
        fattening: growth of near surfaces over far ones [px].
        edge_loss: mean width of the missing band on the far side of any depth edge [px].
        mixed_pixels: share of far-side edge pixels with a depth between the two surfaces.
        projector_offset: distance of the projector to the right of the image's viewpoint [m].
        camera_offset: distance of the infrared camera to the left of it [m].
        grazing_limit: incidence beyond which nothing returns [deg].
        dark_limit: linear luminance below which nothing returns, 0..1.
        dropout: share of other surface that is lost, in patches as large as the matching window.
    """

    axial_noise: float = 0.0
    noise_window: float = 1.0
    disparity_step: float = 0.0
    depth_step: float = 0.0
    grazing_noise: float = 0.0
    lateral_noise: float = 0.0
    edge_window: float = 1.0
    fattening: float = 0.0
    edge_loss: float = 0.0
    mixed_pixels: float = 0.0
    projector_offset: float = 0.0
    camera_offset: float = 0.0
    grazing_limit: float = 90.0
    dark_limit: float = 0.0
    dropout: float = 0.0

    @classmethod
    def from_params(cls, params: dict[str, float]) -> KinectResponse:
        """Take the depth parameters of ``params``."""
        return cls(**{f.name: float(params[f.name]) for f in fields(cls) if f.name in params})

    @property
    def dropout_quantile(self) -> float:
        """Value of a standard normal field below which a pixel is lost."""
        return NormalDist().inv_cdf(self.dropout) if 0 < self.dropout < 1 else (-1e9 if self.dropout <= 0 else 1e9)


@wp.struct
class Optics:
    """Pinhole and range limits: focal length [px], nearest and furthest measurable depth [m]."""

    f: wp.float32
    near: wp.float32
    far: wp.float32


@wp.struct
class Response:
    """``KinectResponse`` as kernel arguments: noise in inverse depth [1/m], offsets times focal length [px m], incidence in radians."""

    axial: wp.float32
    step: wp.float32
    depth_step: wp.float32
    grazing_noise: wp.float32
    lateral: wp.float32
    fattening: wp.float32
    edge_loss: wp.float32
    mixed: wp.float32
    projector: wp.float32
    camera: wp.float32
    grazing_limit: wp.float32
    dark_limit: wp.float32
    dropout: wp.float32


@wp.kernel
def surface_kernel(
    depth: wp.array(dtype=wp.float32, ndim=2),
    optics: Optics,
    inverse: wp.array(dtype=wp.float32, ndim=2),
    nearest: wp.array(dtype=wp.float32),
):
    """Inverse depth [1/m] (0: nothing, or out of range) and its largest value in each row; one thread a row."""
    y = wp.tid()
    largest = float(0.0)
    for x in range(depth.shape[1]):
        z = depth[y, x]
        q = float(0.0)
        if z >= optics.near and z <= optics.far:
            q = 1.0 / z
        inverse[y, x] = q
        largest = wp.max(largest, q)
    nearest[y] = largest


@wp.func
def slope(before: float, here: float, after: float):
    """The flatter of the two one-sided differences, 0 where there is no neighbour."""
    a = here - before
    b = after - here
    if before <= 0.0:
        a = b
    if after <= 0.0:
        b = a
    if before <= 0.0 and after <= 0.0:
        return 0.0
    if wp.abs(a) < wp.abs(b):
        return a
    return b


@wp.func
def incidence(inverse: wp.array(dtype=wp.float32, ndim=2), y: int, x: int, f: float):
    """Angle between the optical axis and the surface normal [rad]; on a plane inverse depth is linear in pixels: tan θ = f |∇q| / q."""
    h = inverse.shape[0]
    w = inverse.shape[1]
    q = inverse[y, x]
    dx = slope(inverse[y, wp.max(x - 1, 0)], q, inverse[y, wp.min(x + 1, w - 1)])
    dy = slope(inverse[wp.max(y - 1, 0), x], q, inverse[wp.min(y + 1, h - 1), x])
    return wp.atan(f * wp.sqrt(dx * dx + dy * dy) / q)


@wp.func
def shadowed(inverse: wp.array(dtype=wp.float32, ndim=2), y: int, x: int, shift: float, nearest: float):
    """Whether a nearer surface hides pixel (y, x) from a viewpoint further along the row.

    ``shift`` is the viewpoint's offset times the focal length [px m], positive to the right: a surface of inverse depth q moves by -shift q [px].
    """
    q = inverse[y, x]
    side = int(1)
    if shift < 0.0:
        side = int(-1)
    reach = wp.abs(shift)
    last = int(wp.ceil(reach * (nearest - q) + 1.0))
    for k in range(1, last + 1):
        other = x + side * k
        if other >= 0 and other < inverse.shape[1]:
            step = inverse[y, other] - q
            if step > SHADOW_JUMP and wp.abs(float(k) - reach * step) <= SHADOW_REACH:
                return True
    return False


@wp.func
def nearer_neighbour(inverse: wp.array(dtype=wp.float32, ndim=2), y: int, x: int, k: int):
    """Largest inverse depth among the pixels k steps left, right, above and below."""
    h = inverse.shape[0]
    w = inverse.shape[1]
    a = wp.max(inverse[y, wp.max(x - k, 0)], inverse[y, wp.min(x + k, w - 1)])
    b = wp.max(inverse[wp.max(y - k, 0), x], inverse[wp.min(y + k, h - 1), x])
    return wp.max(a, b)


@wp.kernel
def observe_kernel(
    inverse: wp.array(dtype=wp.float32, ndim=2),
    nearest: wp.array(dtype=wp.float32),
    luminance: wp.array(dtype=wp.float32, ndim=2),
    noise: wp.array(dtype=wp.float32, ndim=3),
    edges: wp.array(dtype=wp.float32, ndim=3),
    optics: Optics,
    r: Response,
    out: wp.array(dtype=wp.float32, ndim=2),
):
    """Measured depth [m], inf where there is none. ``noise`` [2, H, W]: axial, patches; ``edges`` [2, H, W]: lateral along y and x.

    Half an image away a field is independent of here; mixed pixels and the widths of edge bands are read there.
    """
    y, x = wp.tid()
    fy = (y + inverse.shape[0] / 2) % inverse.shape[0]
    fx = (x + inverse.shape[1] / 2) % inverse.shape[1]
    breadth = edges[0, fy, fx]
    out[y, x] = wp.inf
    sy = wp.clamp(y + int(wp.rint(r.lateral * edges[0, y, x])), 0, inverse.shape[0] - 1)
    sx = wp.clamp(x + int(wp.rint(r.lateral * edges[1, y, x])), 0, inverse.shape[1] - 1)
    if inverse[y, x] > 0.0 and wp.abs(inverse[sy, sx] - inverse[y, x]) <= EDGE_JUMP:
        sy = y
        sx = x
    q = inverse[sy, sx]
    if q <= 0.0:
        return
    theta = incidence(inverse, sy, sx, optics.f)
    grown = int(wp.rint(wp.max(r.fattening + 0.5 * breadth, 0.0)))
    if r.fattening <= 0.0:
        grown = int(0)
    lost = int(wp.rint(r.edge_loss * wp.max(1.0 + 0.7 * breadth, 0.0)))
    covered = bool(False)
    missing = bool(False)
    for k in range(1, wp.min(grown + wp.max(lost, 1), MAX_EDGE) + 1):
        near = nearer_neighbour(inverse, sy, sx, k)
        allowed = EDGE_JUMP + wp.tan(theta) * q / optics.f * float(k)
        if not covered and not missing and near - q > allowed:
            if k <= grown:
                q = near
                covered = bool(True)
            elif k <= grown + lost:
                missing = bool(True)
            elif k == grown + 1 and noise[0, fy, fx] < r.mixed:
                q = 0.5 * (q + near)
                covered = bool(True)
    if missing:
        return
    if not covered:
        if r.projector > 0.0 and shadowed(inverse, sy, sx, r.projector, nearest[sy]):
            return
        if r.camera > 0.0 and shadowed(inverse, sy, sx, -r.camera, nearest[sy]):
            return
        if theta + 0.05 * noise[1, y, x] > r.grazing_limit:
            return
    if noise[1, y, x] < r.dropout or luminance[y, x] < r.dark_limit * (1.0 + 0.3 * noise[1, y, x]):
        return
    oblique = theta / wp.max(1.5707964 - theta, 0.1)
    q = q + r.axial * (1.0 + r.grazing_noise * oblique * oblique) * noise[0, y, x]
    if r.step > 0.0:
        q = wp.rint(q / r.step) * r.step
    if q > 0.0:
        z = 1.0 / q
        if r.depth_step > 0.0:
            z = wp.rint(z / r.depth_step) * r.depth_step
        if z >= optics.near and z <= optics.far:
            out[y, x] = z


@wp.kernel
def finite_kernel(depth: wp.array(dtype=wp.float32, ndim=2), valid: wp.array(dtype=wp.uint8, ndim=2)):
    """1 where there is a depth, else 0."""
    y, x = wp.tid()
    valid[y, x] = wp.uint8(0)
    if wp.isfinite(depth[y, x]):
        valid[y, x] = wp.uint8(1)


def response_struct(response: KinectResponse, f: float) -> Response:
    """Kernel arguments of a response for a camera of focal length ``f`` [px]."""
    r = Response()
    r.axial = response.axial_noise * 1e-3
    r.step = response.disparity_step / DISPARITY_CONSTANT
    r.depth_step = response.depth_step * 1e-3
    r.grazing_noise = response.grazing_noise
    r.lateral = response.lateral_noise
    r.fattening = response.fattening
    r.edge_loss = response.edge_loss
    r.mixed = NormalDist().inv_cdf(min(max(response.mixed_pixels, 1e-9), 1 - 1e-9))
    r.projector = response.projector_offset * f
    r.camera = response.camera_offset * f
    r.grazing_limit = math.radians(response.grazing_limit)
    r.dark_limit = response.dark_limit
    r.dropout = response.dropout_quantile
    return r


def respond_depth(depth: wp.array, luminance: wp.array, focal: float, limits: tuple[float, float], response: KinectResponse, seed: int) -> wp.array:
    """Measured depth [m], Warp float32 [H, W] on the device of ``depth``; inf where there is none.

    Args:
        depth: true distance to the image plane [m], inf where nothing was hit, [H, W].
        luminance: linear luminance of the scene in infrared, approximated by the colour image's, 0..1, [H, W].
        focal: focal length [px].
        limits: nearest and furthest measurable depth [m].
        response: values of the settings.
        seed: 31-bit seed.
    """
    from tailgate.sensors.noise_field import noise_fields

    device, shape = depth.device, depth.shape
    noise = noise_fields(seed, 1, shape, response.noise_window, device)
    edges = noise_fields(kernel_seed(seed, "edges"), 1, shape, response.edge_window, device)
    inverse = wp.empty(shape, dtype=wp.float32, device=device)
    nearest = wp.empty(shape[0], dtype=wp.float32, device=device)
    out = wp.empty(shape, dtype=wp.float32, device=device)
    optics = Optics()
    optics.f, optics.near, optics.far = focal, *limits
    wp.launch(surface_kernel, dim=shape[0], inputs=[depth, optics, inverse, nearest], device=device)
    arguments = [inverse, nearest, luminance, noise, edges, optics, response_struct(response, focal), out]
    wp.launch(observe_kernel, dim=shape, inputs=arguments, device=device)
    return out
