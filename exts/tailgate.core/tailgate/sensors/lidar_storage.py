"""Storage of a LiDAR's returns, the last stage of its response: coordinates are rounded to the grid of a recording (``geometry.rounding``).

Range, azimuth and elevation become those of the stored point, as a reader recovers them from its coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tailgate.frames import host
from tailgate.geometry.beams import directions
from tailgate.geometry.quiet import wp
from tailgate.geometry.rounding import FRACTION_BITS, LEAST_EXPONENT, Rounding

wp.set_module_options({"enable_backward": False})

_BITS, _LEAST = wp.constant(wp.float64(FRACTION_BITS)), wp.constant(wp.float64(2.0**LEAST_EXPONENT))
_PER_DEGREE = wp.constant(wp.float64(np.pi / 180.0))


@wp.func
def _to_grid(value: wp.float64, step: wp.float64) -> wp.float64:
    width = step
    if step == wp.float64(0.0):
        width = wp.pow(wp.float64(2.0), wp.floor(wp.log2(wp.max(wp.abs(value), _LEAST))) - _BITS)
    return wp.rint(value / width) * width


@wp.kernel
def _store(
    exact: wp.array3d(dtype=wp.float32),
    azimuth: wp.array2d(dtype=wp.float32),
    elevation: wp.array2d(dtype=wp.float32),
    R: wp.mat33d,
    t: wp.vec3d,
    step: wp.float64,
    out_range: wp.array3d(dtype=wp.float32),
    out_azimuth: wp.array2d(dtype=wp.float32),
    out_elevation: wp.array2d(dtype=wp.float32),
):
    i, j = wp.tid()
    az, el = wp.float64(azimuth[i, j]) * _PER_DEGREE, wp.float64(elevation[i, j]) * _PER_DEGREE
    level = wp.cos(el)
    ray = wp.vec3d(level * wp.cos(az), level * wp.sin(az), wp.sin(el))
    out_azimuth[i, j] = azimuth[i, j]
    out_elevation[i, j] = elevation[i, j]
    told = wp.int32(0)
    for e in range(exact.shape[2]):
        out_range[i, j, e] = 0.0
        if exact[i, j, e] > 0.0:
            held = R * (wp.float64(exact[i, j, e]) * ray) + t
            held = wp.vec3d(_to_grid(held[0], step), _to_grid(held[1], step), _to_grid(held[2], step))
            p = wp.transpose(R) * (held - t)
            out_range[i, j, e] = wp.float32(wp.length(p))
            if told == 0:
                out_azimuth[i, j] = wp.float32(wp.atan2(p[1], p[0]) / _PER_DEGREE)
                out_elevation[i, j] = wp.float32(wp.atan2(p[2], wp.sqrt(p[0] * p[0] + p[1] * p[1])) / _PER_DEGREE)
                told = wp.int32(1)


def store_returns(channels: Mapping[str, Any], rounding: Rounding) -> dict[str, Any]:
    """The channels that storage changes, on the device of the ranges.

    Args:
        channels: ``range`` [m] (beams, columns, echoes), ``azimuth`` and ``elevation`` [deg] (beams, columns), numpy or Warp.
        rounding: the grid.

    Returns:
        ``range``, ``azimuth`` and ``elevation`` of the stored points, directions on the host, those of several echoes being the first one's; and the
        directions as they were as ``azimuth_true`` and ``elevation_true``, unless those are told already.
    """
    exact, names = channels["range"], ("azimuth", "elevation")
    device = exact.device if isinstance(exact, wp.array) else "cpu"
    held = [a if isinstance(a, wp.array) else wp.array(a, dtype=wp.float32, device=device) for a in (exact, *(channels[n] for n in names))]
    T = rounding.T_stored_sensor
    out = [wp.empty_like(a) for a in held]
    pose = [wp.mat33d(*map(float, T[:3, :3].ravel())), wp.vec3d(*map(float, T[:3, 3]))]
    wp.launch(_store, dim=held[1].shape, inputs=[*held, *pose, wp.float64(rounding.step)], outputs=out, device=device)
    ranges = out[0] if isinstance(exact, wp.array) else out[0].numpy()
    truth = {f"{n}_true": host(channels.get(f"{n}_true", channels[n])) for n in names}
    return {"range": ranges, **{n: a.numpy() for n, a in zip(names, out[1:], strict=True)}, **truth}


def store_returns_twin(
    ranges: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray, rounding: Rounding
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readable twin: range [m] (beams, columns, echoes), azimuth and elevation [deg] (beams, columns) of the stored points."""
    rays = directions(*(angle.astype(np.float64) for angle in (azimuth, elevation)))
    xyz = rounding.rounded(rays[:, :, None] * ranges[..., None])
    hit = ranges > 0
    first = np.take_along_axis(xyz, np.argmax(hit, axis=2)[..., None, None], axis=2)[:, :, 0]
    found = np.arctan2(first[..., 1], first[..., 0]), np.arctan2(first[..., 2], np.hypot(first[..., 0], first[..., 1]))
    az, el = (np.where(hit.any(axis=2), np.rad2deg(new), old).astype(np.float32) for new, old in zip(found, (azimuth, elevation), strict=True))
    return np.where(hit, np.linalg.norm(xyz, axis=-1), 0.0).astype(np.float32), az, el
