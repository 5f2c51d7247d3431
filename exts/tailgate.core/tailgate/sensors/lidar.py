"""LiDAR response: what a device makes of exact ranges. Range noise, missed returns and the intensity law, as Warp kernels
(``lidar_kernels``) with a numpy twin (``lidar_twin``).

Echoes of the air (``lidar_air``) and of glare (``lidar_bloom``) join those of surfaces before the device chooses what it reports (``lidar_echo``);
what a recording's format does to coordinates comes last (``lidar_storage``).

Laws (r range [m], θ incidence, ρ reflectance):

* range error: N(0, s²) + a constant per beam (range_offset_m of the model, else beam_bias·N(0, 1)); s² = noise_sigma² + (noise_per_metre·r)²
  + noise_signal² / m + (noise_incidence·tan θ)², m the signal below: a pulse is timed the worse the weaker it is, as 1 / √signal (Wehr and Lohr
  1999, ISPRS J. 54, 68-82). The last term is the share of the footprint and of surface relief along the beam (Soudarissanane et al. 2011, ISPRS J.
  66, 389-399); it is correlated along the beam's sweep, and so is what noise_grain leaves of the others, that share being each return's own.
  Surfaces differ in relief and texture, so s itself spreads: times exp(noise_tail·N(0, 1) - noise_tail²), which leaves the variance (likewise the
  intensity's).
* signal: m = (ρ / 0.1)·cos^signal_incidence θ·(range_10pct / r)²·exp(-2 a r), the radar equation for an extended target (Wagner et al. 2006, ISPRS
  J. 60, 100-112), Lambertian at exponent 1; rough ground returns more at grazing incidence (Oren and Nayar 1994, SIGGRAPH). It is detected with
  probability m⁴ / (1 + m⁴): half of the returns of a 10 % target at ``range_10pct``.
* further losses: drop_base + drop_near·(exp(-r / 5 m) - exp(-10 m / 5 m)) + drop_per_metre·(r - 10 m) + drop_incidence·(1 - cos θ)⁵, at least 0:
  scenes tell the share that is lost at 10 m far better than either slope, and grazing light is mirrored away as by Fresnel's law (Schlick 1994,
  Computer Graphics Forum 13, 233-246). A share of all losses comes one by one, the others in patches along the
  beam's sweep: glass, dark paint and wet ground lose returns over many columns.
* intensity: intensity_gain·0.3·(ρ / 0.3)^intensity_contrast·cos^intensity_incidence θ·(10 m / max(r, 10 m))^intensity_range·
  exp(intensity_spread·exp(intensity_tail·N(0, 1) - intensity_tail²)·N(0, 1) - 2 a r), clipped to 0..1, stored in steps. Within 10 m what a
  receiver focused further away loses makes up for the range (near-distance effect, Kashani et al. 2015, Sensors 15, 28099-28128).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError, nearest
from tailgate.frames import SensorFrame, host
from tailgate.memory import recall
from tailgate.sensors.lidar_random import BIAS, BIAS_SEED, MAX_CORRELATION, normal_twin

NEAR_LENGTH = 5.0
"""Decay length of losses at close range [m]."""
REFERENCE_RANGE = 10.0
"""Range at which range changes neither intensity nor losses [m]."""
MAX_TAN = 20.0
"""tan θ is capped here (87.1 deg)."""
WEAKEST = 0.1
"""Signal below which range noise grows no more; hardly any such return is detected."""
MID_REFLECTANCE = 0.3
"""Reflectance that contrast leaves as it is."""
_GLARE, _AIR = ("bloom_level", "bloom_width"), ("backscatter", "scatter_spread", "overlap", "range_10pct")
"""Parameters of the response that echoes of glare, and of air that is not clear, depend on."""


@dataclass(frozen=True)
class LidarResponse:
    """Parameters of the response; the defaults change nothing.

    Attributes:
        noise_sigma: range noise at normal incidence and short range [m].
        noise_per_metre: growth of range noise with range [m/m].
        noise_signal: range noise at the signal of which half of the returns are detected, growing as that falls [m]; needs ``range_10pct``.
        noise_incidence: range noise per unit tan of incidence [m].
        noise_correlation: correlation of the correlated range noise between neighbouring columns of a beam, 0..0.96.
        noise_grain: share of the noise's variance, that of incidence apart, which every return has for itself.
        noise_tail: standard deviation of the log of the noise's strength from return to return: 0 for a normal distribution, more for heavier tails.
        beam_bias: standard deviation of the beams' constant range offsets [m] that the model's ``range_offset_m`` does not name.
        drop_base: share of returns lost at 10 m.
        drop_near: further share lost close by, decaying over 5 m.
        drop_per_metre: further share lost per metre [1/m].
        drop_incidence: further share lost where incidence grazes, at 90 degrees.
        drop_correlation: correlation between neighbouring columns of a beam of what decides about losses, those that come one by one among them,
            0..0.96.
        drop_grain: share of losses that come one by one, over the largest share that leaves neighbours as correlated; the more of them, the longer
            are the patches of the others (``patches``).
        range_10pct: range at which half of the returns of a 10 % target at normal incidence are detected [m]; 0 for no limit.
        signal_incidence: exponent of cos θ in the signal that is detected or not.
        intensity_gain: intensity over reflectance of a 30 % target at normal incidence and 10 m.
        intensity_contrast: exponent of reflectance: 1 for a linear receiver, less for one that compresses.
        intensity_incidence: exponent of cos θ.
        intensity_range: exponent of (10 m / r) beyond 10 m.
        intensity_spread: standard deviation of the log of intensity.
        intensity_tail: standard deviation of the log of that spread from return to return, as of the noise.
        intensity_step: storage step of intensity, 0 for none.
        backscatter: light that fog, rain or snow sends back, as a share of its extinction [1/sr]; 0 for none.
        scatter_spread: standard deviation of the log of what a slice of air sends back: fog below 0.5, rain and snow 1 and more.
        overlap: range from which the receiver sees the whole beam [m].
        bloom_level: share of a retroreflector's light that reaches a beam beside it; 0 for none.
        bloom_width: angle over which that share falls to 1/e [deg].
    """

    noise_sigma: float = 0.0
    noise_per_metre: float = 0.0
    noise_signal: float = 0.0
    noise_incidence: float = 0.0
    noise_correlation: float = 0.0
    noise_grain: float = 0.0
    noise_tail: float = 0.0
    beam_bias: float = 0.0
    drop_base: float = 0.0
    drop_near: float = 0.0
    drop_per_metre: float = 0.0
    drop_incidence: float = 0.0
    drop_correlation: float = 0.0
    drop_grain: float = 0.0
    range_10pct: float = 0.0
    signal_incidence: float = 1.0
    intensity_gain: float = 1.0
    intensity_contrast: float = 1.0
    intensity_incidence: float = 0.0
    intensity_range: float = 0.0
    intensity_spread: float = 0.0
    intensity_tail: float = 0.0
    intensity_step: float = 0.0
    backscatter: float = 0.0
    scatter_spread: float = 0.0
    overlap: float = 1.0
    bloom_level: float = 0.0
    bloom_width: float = 0.0

    @classmethod
    def of(cls, params: Mapping[str, float]) -> LidarResponse:
        """Build from parameter values by name; UserError with the nearest name for an unknown one or one that is not a finite number."""
        known = [f.name for f in fields(cls)]
        for name, value in params.items():
            if name not in known:
                raise UserError(f"unknown LiDAR response parameter '{name}'{nearest(name, known)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
                raise UserError(f"LiDAR response parameter '{name}' must be a finite number, got {value!r}")
        return cls(**{name: float(value) for name, value in params.items()})

    @property
    def patches(self) -> tuple[float, float]:
        """Correlation between neighbouring columns of what decides about losses in patches, and share of losses that come one by one.

        Short gaps tell the product of that correlation and the share that comes in patches, and hardly more: it is a setting, so that fits find it.
        """
        grain = self.drop_grain * (1.0 - self.drop_correlation / MAX_CORRELATION)
        return self.drop_correlation / max(1.0 - grain, 1e-6), grain


@dataclass(frozen=True)
class Limits:
    """What the device and the air allow.

    Attributes:
        range_min, range_max, range_step: [m]; step 0 for none.
        extinction: of the air [1/m].
        wrap: the last column borders the first.
        pulse: length of the pulse in range [m].
        offsets: constant error of each beam's range [m], None where it is not known; empty where none is.
        unit: 31-bit seed of what belongs to this unit of the device, in every frame alike.
    """

    range_min: float
    range_max: float
    range_step: float
    extinction: float = 0.0
    wrap: bool = True
    pulse: float = 0.9
    offsets: tuple[float | None, ...] = ()
    unit: int = BIAS_SEED


def limits_of(model: LidarModel, extinction: float = 0.0, unit: int = BIAS_SEED) -> Limits:
    """Limits of a sensor model, one ``unit`` of it, in air of this extinction [1/m]."""
    wrap, pulse = model.azimuth_fov_deg > 359.0, model.pulse_range
    return Limits(model.range_min, model.range_max, model.range_step, float(extinction), wrap, pulse, tuple(model.range_offset_m), unit)


def range_offsets(response: LidarResponse, limits: Limits, beams: int) -> np.ndarray:
    """Constant error of each beam's range [m], float64 [beams]: what the model names, and the same draw for every frame of what it does not."""
    named = np.resize(np.array(limits.offsets or (None,), dtype=np.float64), beams)
    return np.where(np.isnan(named), response.beam_bias * normal_twin(limits.unit, np.arange(beams), BIAS), named)


def respond_lidar(
    sensor: SensorFrame, model: LidarModel, params: Mapping[str, float], seed: int, extinction: float = 0.0, unit: int = BIAS_SEED
) -> dict[str, Any]:
    """Channels of a real device from exact ones.

    Args:
        sensor: exact scan, its echoes from the strongest to the weakest in clear air; ``reflectance`` where given (above 1 for retroreflectors), else
            ``intensity`` is taken for it; ``incidence`` where given, else normal incidence; ``rounding`` where its coordinates are to be stored so.
        model: the device; ``returns`` says how many echoes come out. One that reports the strongest heeds no other surface, so that a lost return
            is a hole and not the weaker echo behind it.
        params: values of ``LidarResponse`` by name.
        seed: 31-bit seed of this frame and sensor.
        extinction: of the air [1/m].
        unit: 31-bit seed of the device's own patterns.

    Returns:
        All channels: ``range`` (0 where the return is lost), ``intensity``, ``semantic`` and ``instance`` of what was reported (0 where lost, and for
        echoes of air and glare), the exact ``range_true``, ``reflectance`` and ``incidence`` of the surfaces that were reported, of the strongest
        ones where none was, and the others as they were.
        ``azimuth`` and ``elevation`` are those of each firing's first return, as reported and stored; ``aim`` holds those of all where a device that
        gives several has beams of their own height or rounded coordinates. Where beams err in azimuth, coordinates are rounded or another echo than
        the strongest came first from a beam of its own height, ``azimuth_true`` and ``elevation_true`` tell where the surface of ``range_true`` lies.
        numpy for numpy input, Warp arrays on the same device for Warp input.
    """
    from tailgate.geometry.quiet import wp
    from tailgate.sensors.lidar_aim import aim_returns, told_azimuth
    from tailgate.sensors.lidar_kernels import launch_response
    from tailgate.sensors.lidar_storage import store_returns

    channels = {name: channel for name, channel in sensor.channels.items() if name != "aim"}
    exact = sensor.channel("range")
    on_device = isinstance(exact, wp.array)
    device = exact.device if on_device else "cpu"
    response, limits = LidarResponse.of(params), limits_of(model, extinction, unit)
    stray = [getattr(response, name) for name in (_GLARE + _AIR if extinction > 0 else _GLARE)]
    met = recall(("met", id(sensor), id(model)), (seed, limits, stray), lambda: _met(sensor, model, response, limits, seed))
    rng, intensity = launch_response(met.echoes, response, limits, seed, device, sure=met.surfaces[0].shape[2])
    if met.echoes[0].shape[2] == model.echoes == 1:
        held, told, at = {name: host(value) for name, value in met.labels.items()}, met.surfaces, met.surfaces[0]
    else:
        rng, intensity, held, told, at = _report(met, (rng, intensity), model)
    lost = ~(host(rng) > 0)
    held = {name: np.where(lost, value.dtype.type(0), value) for name, value in held.items()}
    truth = dict(zip(("range_true", "incidence", "reflectance"), told, strict=True))
    if exact.shape[2] != model.echoes and "time_offset" in channels:
        truth["time_offset"] = np.repeat(host(channels["time_offset"])[..., :1], model.echoes, axis=2)
    channels |= truth | held | {"range": rng, "intensity": intensity}
    if any(model.beam_height_m):
        channels |= aim_returns(sensor, model, channels, host(at))
    if model.azimuth_error_deg:
        channels |= told_azimuth(channels, model)
    if sensor.rounding:
        channels |= store_returns(channels, sensor.rounding)
    if not on_device:
        return {name: host(value) for name, value in channels.items()}
    kinds = {"semantic": wp.uint32, "instance": wp.uint32}
    return {n: wp.array(v, dtype=kinds[n], device=device) if n in kinds and not isinstance(v, wp.array) else v for n, v in channels.items()}


@dataclass(frozen=True)
class _Met:
    """What the light of a scan's firings meets, whatever the device then makes of it.

    Attributes:
        surfaces: range [m], |cos| of incidence and reflectance of surfaces.
        echoes: the same of all that sends light back, surfaces first, on the device.
        labels: channels that tell which surfaces they are.
        extinction: of the air [1/m].
    """

    surfaces: tuple[Any, Any, Any]
    echoes: tuple[Any, Any, Any]
    labels: dict[str, Any]
    extinction: float

    @cached_property
    def crowded(self) -> tuple[np.ndarray, np.ndarray]:
        """Beams and columns of the firings that have more than their first echo, between which the device may choose."""
        return np.nonzero((host(self.echoes[0])[..., 1:] > 0).any(axis=2))

    @cached_property
    def power(self) -> np.ndarray:
        """Of every echo, see ``_power``."""
        return _power(self.echoes, self.extinction)


def _met(sensor: SensorFrame, model: LidarModel, response: LidarResponse, limits: Limits, seed: int) -> _Met:
    """Surfaces of an exact scan in the order and number that the device heeds, and what the air and glare add."""
    from tailgate.sensors.lidar_kernels import on_device

    channels, exact = sensor.channels, sensor.channel("range")
    ones = np.ones(exact.shape, dtype=np.float32)
    surfaces = (exact, channels.get("incidence", ones), channels.get("reflectance", channels.get("intensity", ones)))
    labels = {name: channels[name] for name in ("semantic", "instance") if name in channels}
    if limits.extinction > 0 and exact.shape[2] > 1:
        surfaces, labels = _ranked(surfaces, labels, limits.extinction)
    if model.returns == "strongest" and exact.shape[2] > 1:
        surfaces, labels = tuple(_first(value, 1) for value in surfaces), {name: _first(value, 1) for name, value in labels.items()}
    echoes = with_stray_light(surfaces, response, limits, model, seed)
    return _Met(surfaces, tuple(on_device(channel, getattr(exact, "device", "cpu")) for channel in echoes), labels, limits.extinction)


def with_stray_light(surfaces: tuple[Any, Any, Any], response: LidarResponse, limits: Limits, model: LidarModel, seed: int) -> tuple[Any, Any, Any]:
    """Range [m], |cos| of incidence and reflectance of all echoes: those of surfaces, then that of the air and that of glare where there are such,
    unless one of them drowns in another (``drown``)."""
    if response.backscatter <= 0 and response.bloom_level <= 0:
        return surfaces
    from tailgate.sensors.lidar_air import air_echo
    from tailgate.sensors.lidar_bloom import Glare, bloom_echo

    rng, incidence, reflectance = (host(channel) for channel in surfaces)
    stray = [air_echo(surfaces[0], response, limits, seed)]
    near = rng[..., 0], (reflectance * incidence)[..., 0]
    bloom = bloom_echo(*near, Glare.of(response, model), getattr(surfaces[0], "device", "cpu"))
    stray.append(tuple(channel[..., None] for channel in bloom) if bloom else None)
    added = [echo for echo in stray if echo is not None]
    if not added:
        return surfaces
    full = np.ones((*rng.shape[:2], len(added)), np.float32)
    joined = ((rng, *(r for r, _ in added)), (incidence, full), (reflectance, *(back for _, back in added)))
    return drown(tuple(np.concatenate(parts, axis=2).astype(np.float32) for parts in joined), rng.shape[2], limits)


def drown(echoes: tuple[np.ndarray, ...], surfaces: int, limits: Limits) -> tuple[np.ndarray, ...]:
    """Echoes without those of air and glare, from the one numbered ``surfaces`` on, or the surfaces, that lie within a pulse of a stronger one: a
    device tells them apart no more than two surfaces (``render.raytrace.lidar_echoes``). The stronger keeps its range."""
    rng = echoes[0]
    for stray in range(surfaces, rng.shape[2]):
        for other in range(stray):
            cells = np.nonzero((np.abs(rng[..., stray] - rng[..., other]) < limits.pulse) & (rng[..., stray] > 0) & (rng[..., other] > 0))
            pair = [np.stack([channel[(*cells, other)], channel[(*cells, stray)]]) for channel in echoes]
            power = _power(pair, limits.extinction)
            rng[(*cells, np.where(power[1] > power[0], other, stray))] = 0.0
    return echoes


def _report(met: _Met, measured: tuple[Any, Any], model: LidarModel) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], tuple, np.ndarray]:
    """What the device reports: range, intensity, the labels of what it saw, the surfaces as they are, and the exact ranges of what it saw."""
    from tailgate.sensors.lidar_echo import choose_echoes

    count, cells = max(met.echoes[0].shape[2], model.echoes), met.crowded
    chosen = choose_echoes(_first(measured[0], count)[cells], _first(met.power, count)[cells], model.returns)

    def pick(channel: Any, order: np.ndarray) -> np.ndarray:
        held = _first(channel, count)
        out = held[..., : model.echoes].copy()
        out[cells] = np.take_along_axis(held[cells], order, axis=-1)
        return out

    out, shine = (pick(channel, chosen) for channel in measured)
    seen = out[cells] > 0
    own = np.where(seen & (chosen < met.surfaces[0].shape[2]), chosen, np.arange(model.echoes))
    told = tuple(pick(channel, own) for channel in met.surfaces)
    at = told[0].copy()
    at[cells] = np.where(seen, pick(met.echoes[0], chosen)[cells], told[0][cells])
    return out, shine, {n: pick(v, chosen) for n, v in met.labels.items()}, told, at


def _power(echoes: tuple[Any, Any, Any], extinction: float) -> np.ndarray:
    """What every echo sends back through air of this extinction, without the device's constants."""
    r, incidence, reflectance = (host(channel).astype(np.float64) for channel in echoes)
    return reflectance * incidence / np.maximum(r, 1e-3) ** 2 * np.exp(-2 * extinction * r)


def _ranked(surfaces: tuple[Any, Any, Any], found: dict[str, Any], extinction: float) -> tuple[tuple[Any, Any, Any], dict[str, Any]]:
    """Surfaces and their labels from the strongest to the weakest in this air, those that are none last."""
    order = np.argsort(np.where(host(surfaces[0]) > 0, -_power(surfaces, extinction), np.inf), axis=2, kind="stable")

    def sort(channel: Any) -> np.ndarray:
        return np.take_along_axis(host(channel), order, axis=2)

    return tuple(sort(channel) for channel in surfaces), {name: sort(channel) for name, channel in found.items()}


def _first(channel: Any, echoes: int) -> np.ndarray:
    """A channel cut to this many echoes, or filled up with zeros."""
    held = np.ascontiguousarray(host(channel)[..., :echoes])
    missing = echoes - held.shape[2]
    return np.pad(held, ((0, 0), (0, 0), (0, missing))) if missing else held
