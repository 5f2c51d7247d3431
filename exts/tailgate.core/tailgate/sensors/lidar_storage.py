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
    azimuth: wp.array3d(dtype=wp.float32),
    elevation: wp.array3d(dtype=wp.float32),
    R: wp.mat33d,
    t: wp.vec3d,
    step: wp.float64,
    out_range: wp.array3d(dtype=wp.float32),
    out_azimuth: wp.array3d(dtype=wp.float32),
    out_elevation: wp.array3d(dtype=wp.float32),
):
    i, j, e = wp.tid()
    out_range[i, j, e] = 0.0
    out_azimuth[i, j, e] = azimuth[i, j, e]
    out_elevation[i, j, e] = elevation[i, j, e]
    if exact[i, j, e] > 0.0:
        az, el = wp.float64(azimuth[i, j, e]) * _PER_DEGREE, wp.float64(elevation[i, j, e]) * _PER_DEGREE
        level = wp.cos(el)
        ray = wp.vec3d(level * wp.cos(az), level * wp.sin(az), wp.sin(el))
        held = R * (wp.float64(exact[i, j, e]) * ray) + t
        held = wp.vec3d(_to_grid(held[0], step), _to_grid(held[1], step), _to_grid(held[2], step))
        p = wp.transpose(R) * (held - t)
        out_range[i, j, e] = wp.float32(wp.length(p))
        out_azimuth[i, j, e] = wp.float32(wp.atan2(p[1], p[0]) / _PER_DEGREE)
        out_elevation[i, j, e] = wp.float32(wp.atan2(p[2], wp.sqrt(p[0] * p[0] + p[1] * p[1])) / _PER_DEGREE)


def store_returns(channels: Mapping[str, Any], rounding: Rounding) -> dict[str, Any]:
    """The channels that storage changes, on the device of the ranges.

    Args:
        channels: ``range`` [m] (beams, columns, echoes), ``azimuth`` and ``elevation`` [deg] (beams, columns), numpy or Warp; ``aim`` where echoes
            of a firing lie in different directions.
        rounding: the grid.

    Returns:
        ``range``, ``azimuth`` and ``elevation`` of the stored points, and ``aim`` where there are several echoes, directions on the host; and the
        directions as they were as ``azimuth_true`` and ``elevation_true``, unless those are told already.
    """
    exact, names = channels["range"], ("azimuth", "elevation")
    device = exact.device if isinstance(exact, wp.array) else "cpu"
    aims = np.moveaxis(host(channels["aim"]), 3, 0) if "aim" in channels else [host(channels[n])[..., None] for n in names]
    every = [exact, *(np.ascontiguousarray(np.broadcast_to(a, exact.shape)) for a in aims)]
    held = [a if isinstance(a, wp.array) else wp.array(a, dtype=wp.float32, device=device) for a in every]
    T = rounding.T_stored_sensor
    out = [wp.empty_like(a) for a in held]
    pose = [wp.mat33d(*map(float, T[:3, :3].ravel())), wp.vec3d(*map(float, T[:3, 3]))]
    wp.launch(_store, dim=exact.shape, inputs=[*held, *pose, wp.float64(rounding.step)], outputs=out, device=device)
    ranges = out[0] if isinstance(exact, wp.array) else out[0].numpy()
    truth = {f"{n}_true": host(channels.get(f"{n}_true", channels[n])) for n in names}
    return {"range": ranges, **told_directions(out[0].numpy(), *(a.numpy() for a in out[1:])), **truth}


def told_directions(ranges: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray) -> dict[str, np.ndarray]:
    """Channels that say where echoes lie: ``azimuth`` and ``elevation`` of each firing's first, and ``aim`` of all where there are several.

    Args:
        ranges: [m] (beams, columns, echoes).
        azimuth, elevation: of every echo [deg], same shape.
    """
    if ranges.shape[2] == 1:
        return {"azimuth": azimuth[..., 0], "elevation": elevation[..., 0]}
    first = np.argmax(ranges > 0, axis=2)[..., None]
    one = {n: np.take_along_axis(a, first, axis=2)[..., 0] for n, a in (("azimuth", azimuth), ("elevation", elevation))}
    return one | {"aim": np.stack([azimuth, elevation], axis=-1).astype(np.float32)}


def store_returns_twin(
    ranges: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray, rounding: Rounding
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readable twin: range [m], azimuth and elevation [deg] of the stored points, each (beams, columns, echoes) as given."""
    xyz = rounding.rounded(directions(*(angle.astype(np.float64) for angle in (azimuth, elevation))) * ranges[..., None])
    hit = ranges > 0
    found = np.arctan2(xyz[..., 1], xyz[..., 0]), np.arctan2(xyz[..., 2], np.hypot(xyz[..., 0], xyz[..., 1]))
    az, el = (np.where(hit, np.rad2deg(new), old).astype(np.float32) for new, old in zip(found, (azimuth, elevation), strict=True))
    return np.where(hit, np.linalg.norm(xyz, axis=-1), 0.0).astype(np.float32), az, el
