"""Warp kernels of the LiDAR response; ``lidar_twin`` is their readable twin."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips
from tailgate.memory import recall
from tailgate.sensors.lidar import MAX_TAN, MID_REFLECTANCE, NEAR_LENGTH, REFERENCE_RANGE, WEAKEST, LidarResponse, Limits, range_offsets
from tailgate.sensors.lidar_random import BEYOND, DROP, DROP_GRAIN, INTENSITY, INTENSITY_TAIL, NOISE, NOISE_GRAIN, NOISE_TAIL, taps_of

wp.set_module_options({"enable_backward": False})

_INTENSITY, _NOISE_GRAIN, _DROP_GRAIN = (wp.constant(v) for v in (INTENSITY, NOISE_GRAIN, DROP_GRAIN))
_NOISE_TAIL, _INTENSITY_TAIL = wp.constant(NOISE_TAIL), wp.constant(INTENSITY_TAIL)
_BEYOND, _WEAKEST = wp.constant(BEYOND), wp.constant(WEAKEST)
_MAX_TAN, _NEAR, _TEN, _MID = (wp.constant(v) for v in (MAX_TAN, NEAR_LENGTH, REFERENCE_RANGE, MID_REFLECTANCE))


@wp.struct
class _Device:
    noise_sigma: wp.float32
    noise_per_metre: wp.float32
    noise_signal: wp.float32
    noise_incidence: wp.float32
    noise_grain: wp.float32
    noise_tail: wp.float32
    drop_base: wp.float32
    drop_near: wp.float32
    drop_per_metre: wp.float32
    drop_incidence: wp.float32
    grain: wp.float32
    range_10pct: wp.float32
    signal_incidence: wp.float32
    intensity_gain: wp.float32
    intensity_contrast: wp.float32
    intensity_incidence: wp.float32
    intensity_range: wp.float32
    intensity_spread: wp.float32
    intensity_tail: wp.float32
    intensity_step: wp.float32
    range_min: wp.float32
    range_max: wp.float32
    range_step: wp.float32
    extinction: wp.float32
    wrap: wp.int32


@wp.func
def _pcg(state: wp.uint32) -> wp.uint32:
    b = state * wp.uint32(747796405) + wp.uint32(2891336453)
    c = ((b >> ((b >> wp.uint32(28)) + wp.uint32(4))) ^ b) * wp.uint32(277803737)
    return (c >> wp.uint32(22)) ^ c


@wp.func
def uniform_pair(seed: wp.int32, cell: wp.int32, stream: wp.int32) -> wp.vec2:
    """Two independent numbers in [0, 1)."""
    key = _pcg(wp.uint32(cell) + _pcg(wp.uint32(stream)))
    a = _pcg(wp.uint32(seed) + key)
    b = _pcg(a)
    return wp.vec2(wp.float32(a >> wp.uint32(8)) / 16777216.0, wp.float32(b >> wp.uint32(8)) / 16777216.0)


@wp.func
def normal_from(uniform: wp.vec2) -> wp.float32:
    """Standard normal (Box and Muller 1958)."""
    return wp.sqrt(-2.0 * wp.log(wp.max(uniform[0], 1.0e-9))) * wp.cos(6.283185307179586 * uniform[1])


@wp.func
def normal_of(seed: wp.int32, cell: wp.int32, stream: wp.int32) -> wp.float32:
    return normal_from(uniform_pair(seed, cell, stream))


@wp.kernel
def _white(seed: wp.int32, stream: wp.int32, columns: wp.int32, wrap: wp.int32, strip: wp.int32, out: wp.array3d(dtype=wp.float32)):
    """Independent normals of a scan with ``out.shape[1] - columns`` columns before its first: those of its end where it wraps, else of their own. A
    thread works through ``strip`` cells of a beam."""
    row = out.shape[1] * out.shape[2]
    i = wp.tid() * strip / row
    j = wp.tid() * strip % row / out.shape[2]
    e = wp.tid() * strip % out.shape[2]
    for _ in range(strip):
        col = j - (out.shape[1] - columns)
        beyond = wp.int32(0)
        if col < 0:
            col = (col % columns + columns) % columns
            if wrap == 0:
                beyond = _BEYOND
        out[i, j, e] = normal_of(seed, (e * out.shape[0] + i) * columns + col + beyond, stream)
        e += 1
        if e == out.shape[2]:
            e = 0
            j += 1


@wp.func_native("""
#ifndef __CUDA_ARCH__
#pragma clang fp contract(off)
#endif
    const int row = out.shape[1] * out.shape[2], last = taps.shape[0] - 1;
    const float* from = white.data + first / row * (white.shape[1] * white.shape[2]) + first % row;
    float* to = out.data + first;
    for (int i = 0; i < count; ++i) to[i] = 0.0f;
    for (int k = 0; k <= last; ++k) {
        const float share = taps.data[k];
        const float* back = from + (last - k) * out.shape[2];
        for (int i = 0; i < count; ++i) to[i] += share * back[i];
    }
""")
def weigh(white: wp.array3d(dtype=wp.float32), taps: wp.array(dtype=wp.float32), first: int, count: int, out: wp.array3d(dtype=wp.float32)):
    """``_along_beams`` for ``count`` cells of a beam from ``first`` on: plain loops along the beam, which a compiler turns into vector code."""


@wp.kernel
def _along_beams(white: wp.array3d(dtype=wp.float32), taps: wp.array(dtype=wp.float32), strip: wp.int32, out: wp.array3d(dtype=wp.float32)):
    """Standard normals of a scan, correlated along the columns of a beam: weighted sums of ``_white`` at a cell and at those before it."""
    weigh(white, taps, wp.tid() * strip, strip, out)


@wp.func
def normal_cdf(z: wp.float32) -> wp.float32:
    t = 1.0 / (1.0 + 0.2316419 * wp.abs(z))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = wp.exp(-0.5 * z * z) * 0.3989422804 * poly
    return wp.where(z >= 0.0, 1.0 - upper, upper)


@wp.func
def _signal(r: wp.float32, cosine: wp.float32, reflectance: wp.float32, p: _Device) -> wp.float32:
    """Signal, 1 where half of the returns are detected; ``reflectance`` as weakened by the air."""
    reach = p.range_10pct / wp.max(r, 1.0e-3)
    return wp.min(reflectance / 0.1 * wp.pow(cosine, p.signal_incidence) * reach * reach, 1.0e4)


@wp.func
def _loss(r: wp.float32, cosine: wp.float32, signal: wp.float32, stray: bool, p: _Device) -> wp.float32:
    rate = wp.float32(0.0)
    if not stray:
        near = wp.exp(-r / _NEAR) - wp.exp(-_TEN / _NEAR)
        graze = 1.0 - cosine
        mirrored = graze * graze * graze * graze * graze
        rate = p.drop_base + p.drop_near * near + p.drop_per_metre * (r - _TEN) + p.drop_incidence * mirrored
    detected = wp.float32(1.0)
    if p.range_10pct > 0.0:
        m = _signal(r, cosine, signal, p)
        m4 = m * m * m * m
        detected = m4 / (1.0 + m4)
    return 1.0 - (1.0 - wp.clamp(rate, 0.0, 1.0)) * detected


@wp.func
def _tail(seed: wp.int32, cell: wp.int32, stream: wp.int32, tail: wp.float32) -> wp.float32:
    """Factor on a normal that gives it heavier tails and leaves its variance."""
    if tail <= 0.0:
        return wp.float32(1.0)
    return wp.exp(tail * normal_of(seed, cell, stream) - tail * tail)


@wp.kernel
def _measure(
    exact: wp.array3d(dtype=wp.float32),
    incidence: wp.array3d(dtype=wp.float32),
    reflectance: wp.array3d(dtype=wp.float32),
    noise: wp.array3d(dtype=wp.float32),
    loss: wp.array3d(dtype=wp.float32),
    offset: wp.array(dtype=wp.float32),
    p: _Device,
    seed: wp.int32,
    sure: wp.int32,
    out: wp.array3d(dtype=wp.float32),
):
    """Range of every echo, 0 where it is lost."""
    i, j, e = wp.tid()
    r = exact[i, j, e]
    out[i, j, e] = 0.0
    if not (r > 0.0):
        return
    cosine = wp.clamp(incidence[i, j, e], 1.0e-3, 1.0)
    signal = reflectance[i, j, e] * wp.exp(-2.0 * p.extinction * r)
    kept = 1.0 - _loss(r, cosine, signal, e >= sure, p)
    cell = (e * exact.shape[0] + i) * exact.shape[1] + j
    if 1.0 - normal_cdf(loss[i, j, e]) > wp.pow(kept, 1.0 - p.grain):
        return
    if p.grain > 0.0 and 1.0 - normal_cdf(normal_of(seed, cell, _DROP_GRAIN)) > wp.pow(kept, p.grain):
        return
    tan = wp.min(wp.sqrt(1.0 - cosine * cosine) / cosine, _MAX_TAN)
    far, slope = p.noise_per_metre * r, p.noise_incidence * tan
    device = p.noise_sigma * p.noise_sigma + far * far
    if p.noise_signal > 0.0 and p.range_10pct > 0.0:
        device = device + p.noise_signal * p.noise_signal / wp.max(_signal(r, cosine, signal, p), _WEAKEST)
    error = wp.sqrt((1.0 - p.noise_grain) * device + slope * slope) * noise[i, j, e]
    if p.noise_grain > 0.0:
        error = error + wp.sqrt(p.noise_grain * device) * normal_of(seed, cell, _NOISE_GRAIN)
    noisy = r + _tail(seed, cell, _NOISE_TAIL, p.noise_tail) * error + offset[i]
    if p.range_step > 0.0:
        noisy = wp.floor(noisy / p.range_step + 0.5) * p.range_step
    if noisy >= p.range_min and noisy <= p.range_max:
        out[i, j, e] = noisy


@wp.kernel
def _shine(
    exact: wp.array3d(dtype=wp.float32),
    incidence: wp.array3d(dtype=wp.float32),
    reflectance: wp.array3d(dtype=wp.float32),
    p: _Device,
    seed: wp.int32,
    out: wp.array3d(dtype=wp.float32),
):
    """Intensity of every echo, were it not lost."""
    i, j, e = wp.tid()
    r = exact[i, j, e]
    out[i, j, e] = 0.0
    if not (r > 0.0):
        return
    cosine = wp.clamp(incidence[i, j, e], 1.0e-3, 1.0)
    cell = (e * exact.shape[0] + i) * exact.shape[1] + j
    speckle = p.intensity_spread * _tail(seed, cell, _INTENSITY_TAIL, p.intensity_tail) * normal_of(seed, cell, _INTENSITY)
    scale = wp.pow(_TEN / wp.max(r, _TEN), p.intensity_range) * wp.exp(-2.0 * p.extinction * r) * wp.exp(speckle)
    tone = _MID * wp.pow(wp.max(reflectance[i, j, e], 1.0e-4) / _MID, p.intensity_contrast)
    value = wp.clamp(p.intensity_gain * tone * wp.pow(cosine, p.intensity_incidence) * scale, 0.0, 1.0)
    if p.intensity_step > 0.0:
        value = wp.min(wp.floor(value / p.intensity_step + 0.5) * p.intensity_step, 1.0)
    out[i, j, e] = value


@wp.kernel
def _returned(measured: wp.array3d(dtype=wp.float32), shine: wp.array3d(dtype=wp.float32), out: wp.array3d(dtype=wp.float32)):
    """Intensity of the echoes that are not lost, 0 of the others."""
    i, j, e = wp.tid()
    out[i, j, e] = wp.where(measured[i, j, e] > 0.0, shine[i, j, e], wp.float32(0.0))


def on_device(channel: Any, device: Any) -> Any:
    """A channel as Warp array, float32."""
    return channel if isinstance(channel, wp.array) else wp.array(np.asarray(channel, dtype=np.float32), dtype=wp.float32, device=device)


def white_normals(stream: tuple[int, int], shape: tuple[int, int, int], before: int, wrap: bool, device: Any) -> Any:
    """Independent normals of a scan of this shape and of so many columns before its first, see ``_white``; Warp float32, not to be written to.
    ``stream`` is a seed and the number of a stream."""
    beams, columns, echoes = shape

    def make() -> Any:
        out = wp.empty((beams, before + columns, echoes), dtype=wp.float32, device=device)
        threads, strip = strips(out.size, device, out.shape[1] * echoes)
        wp.launch(_white, dim=threads, inputs=[*stream, columns, int(wrap), strip], outputs=[out], device=device)
        return out

    return recall(("scan normals", *stream, str(device)), (shape, before, wrap), make)


def correlated_normals(stream: tuple[int, int], shape: tuple[int, int, int], correlation: float, wrap: bool, device: Any) -> Any:
    """Standard normals of a scan, (beams, columns, echoes), whose neighbours along a beam correlate; Warp float32, not to be written to."""
    taps = taps_of(correlation)

    def make() -> Any:
        white, out = white_normals(stream, shape, len(taps) - 1, wrap, device), wp.empty(shape, dtype=wp.float32, device=device)
        threads, strip = strips(out.size, device, shape[1] * shape[2])
        wp.launch(_along_beams, dim=threads, inputs=[white, wp.array(taps, dtype=wp.float32, device=device), strip], outputs=[out], device=device)
        return out

    return recall(("correlated normals", *stream, str(device)), (shape, correlation, wrap), make)


def launch_response(
    exact: tuple[Any, Any, Any], response: LidarResponse, limits: Limits, seed: int, device: Any, sure: int | None = None
) -> tuple[Any, Any]:
    """Run the kernels.

    Args:
        exact: range [m], |cos| of incidence and reflectance, each (beams, columns, echoes), numpy or Warp.
        sure: echoes from this one on are lost only where their signal is too weak; none by default.

    Returns:
        range [m] and intensity, Warp float32 arrays on ``device``, not to be written to.
    """
    p = _Device()
    patches, p.grain = response.patches
    for source in (response, limits):
        for name, value in vars(source).items():
            if name in _Device.vars:
                setattr(p, name, int(value) if name == "wrap" else float(value))
    arrays = [on_device(channel, device) for channel in exact]
    shape, seed, sure = arrays[0].shape, int(seed), arrays[0].shape[2] if sure is None else sure

    def launch(kernel: Any, *inputs: Any) -> Any:
        out = wp.empty(shape, dtype=wp.float32, device=device)
        wp.launch(kernel, dim=shape, inputs=list(inputs), outputs=[out], device=device)
        return out

    def measure() -> Any:
        drawn = ((NOISE, response.noise_correlation), (DROP, patches))
        fields = [correlated_normals((seed, stream), shape, correlation, limits.wrap, device) for stream, correlation in drawn]
        offset = wp.array(range_offsets(response, limits, shape[0]).astype(np.float32), dtype=wp.float32, device=device)
        return launch(_measure, *arrays, *fields, offset, p, seed, sure)

    bright, ranged = (tuple(v for name, v in vars(response).items() if name.startswith("intensity_") == own) for own in (True, False))
    measured = recall(("measured", *arrays), (ranged, limits, seed, sure), measure)
    shine = recall(("shine", *arrays), (bright, limits.extinction, seed), lambda: launch(_shine, *arrays, p, seed))
    return measured, launch(_returned, measured, shine)
