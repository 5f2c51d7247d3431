"""OmniLidar prims as firing grids of the embedded tracer.

Attribute names are those of NVIDIA's schema OmniSensorGenericLidarCoreAPI (prefix ``omni:sensor:Core:``); the ones read here are in ``READ``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tailgate.config.sensor import LidarModel
from tailgate.geometry.firing import FiringGrid, firing_grid

from .checks import flavour

CORE = "omni:sensor:Core:"
EMITTERS = "emitterState:s001:"
TICK_RATE = "omni:sensor:tickRate"
CHANNELS = "_replicator:rendervar:GenericModelOutput:channels"
"""Where 6.0 says which auxiliary data the raw output holds; 5.1 reads ``auxOutputType``."""
SCHEMA, EMITTER_SCHEMA = "OmniSensorGenericLidarCoreAPI", "OmniSensorGenericLidarCoreEmitterStateAPI:s001"
PATTERNS = {"5.1": ("reportRateBaseHz", "patternFiringRateHz"), "6.0": ("patternFiringRateHz", "reportRateBaseHz")}
"""Attribute that holds the firings per second of a beam: the release's own name, then the other's."""
DEFAULTS: dict[str, Any] = {
    "scanType": "ROTARY",
    "scanRateBaseHz": 10.0,
    "patternFiringRateHz": 36000.0,
    "reportRateBaseHz": 36000.0,
    "nearRangeM": 0.3,
    "farRangeM": 200.0,
    "rotationDirection": "CW",
    "numberOfEmitters": 0,
    "maxReturns": 1,
    "auxOutputType": "NONE",
    "elementsCoordsType": "SPHERICAL",
    "outputFrameOfReference": "SENSOR",
    "startAzimuthOffsetDeg": 180.0,
    "validStartAzimuthDeg": 0.0,
    "validEndAzimuthDeg": 360.0,
    "accumulateOutputs": False,
}
EMITTER = ("azimuthDeg", "elevationDeg", "fireTimeNs", "channelId", "vertOffsetM")
READ = (*DEFAULTS, *(EMITTERS + name for name in EMITTER))
AUX = ("NONE", "BASIC", "EXTRA", "FULL")
BEAMS = 128
"""Emitters of a prim without its own: elevations spread over -15 .. 15 deg."""


@dataclass(frozen=True)
class Device:
    """One LiDAR.

    Attributes:
        model: what the tracer needs of it.
        grid: its firings.
        channel: channel id of each beam or emitter, int [beams], and of each column where emitters are columns.
        per_column: whether the emitters lie along the columns (solid state).
        values: attributes by name.
        tick_rate: of the sensor [Hz], None where it was not given.
    """

    model: LidarModel
    grid: FiringGrid
    channel: np.ndarray
    per_column: bool
    values: dict[str, Any]
    tick_rate: float | None

    @property
    def period(self) -> float:
        """Duration of a scan [s]."""
        return 1.0 / self.model.rate_hz


def device_of(prim: Any) -> Device:
    """Read an OmniLidar prim. Attributes count where their schema is applied."""
    values, given = dict(DEFAULTS), {}
    applied = schemas_of(prim)
    for needed in (SCHEMA, EMITTER_SCHEMA):
        if needed not in applied:
            raise ValueError(f"{prim.GetPath()} must have the schema {needed} applied, or its attributes mean nothing")
    for name in DEFAULTS:
        held = prim.GetAttribute(CORE + name)
        if held and held.Get() is not None:
            given[name] = type(DEFAULTS[name])(held.Get())
    values.update(given)
    patterns = [given[name] for name in PATTERNS[flavour()] if name in given]
    values["patternFiringRateHz"] = patterns[0] if patterns else DEFAULTS["patternFiringRateHz"]
    if flavour() == "6.0":
        held = prim.GetAttribute(CHANNELS)
        values["auxOutputType"] = str(held.Get()[0]) if held and held.Get() else "NONE"
    emitter = {name: prim.GetAttribute(CORE + EMITTERS + name) for name in EMITTER}
    emitter = {name: np.array(a.Get(), np.float64) for name, a in emitter.items() if a and a.Get() is not None}
    if "elevationDeg" not in emitter:
        emitter = {"elevationDeg": np.linspace(-15.0, 15.0, BEAMS)}
    count = len(emitter["elevationDeg"])
    for name, array in emitter.items():
        if len(array) != (values["numberOfEmitters"] or count):
            raise ValueError(f"{prim.GetPath()}: {CORE}{EMITTERS}{name} must hold numberOfEmitters = {values['numberOfEmitters']} values")
    if values["auxOutputType"] not in AUX:
        raise ValueError(f"{prim.GetPath()}: {CORE}auxOutputType must be one of {AUX}, got {values['auxOutputType']!r}")
    channel = emitter.get("channelId", np.arange(1, count + 1)).astype(np.int64)
    rate = prim.GetAttribute(TICK_RATE)
    tick_rate = float(rate.Get()) if rate and rate.Get() is not None else None
    make = _solid_state if values["scanType"] == "SOLID_STATE" else _rotary
    model, grid = make(values, emitter)
    return Device(model, grid, channel, make is _solid_state, values, tick_rate)


def schemas_of(prim: Any) -> list[str]:
    """Applied schemas by name, known to this OpenUSD or not."""
    listed = prim.GetMetadata("apiSchemas")
    names = list(listed.GetAddedOrExplicitItems()) if listed else []
    return [*map(str, prim.GetAppliedSchemas()), *map(str, names)]


def _rotary(values: dict[str, Any], emitter: dict[str, np.ndarray]) -> tuple[LidarModel, FiringGrid]:
    swept = (values["validEndAzimuthDeg"] - values["validStartAzimuthDeg"] - 1e-9) % 360.0 + 1e-9
    model = LidarModel(
        elevation_deg=emitter["elevationDeg"].tolist(),
        azimuth_offset_deg=emitter.get("azimuthDeg", np.zeros(0)).tolist(),
        firing_us=(emitter.get("fireTimeNs", np.zeros(0)) * 1e-3).tolist(),
        beam_height_m=emitter.get("vertOffsetM", np.zeros(0)).tolist(),
        columns=round(values["patternFiringRateHz"] / values["scanRateBaseHz"] * swept / 360.0),
        rate_hz=values["scanRateBaseHz"],
        range_min=values["nearRangeM"],
        range_max=values["farRangeM"],
        direction="ccw" if values["rotationDirection"].upper() == "CCW" else "cw",
        azimuth_start_deg=values["startAzimuthOffsetDeg"],
        azimuth_fov_deg=round(swept, 6),
    )
    return model, firing_grid(model)


def _solid_state(values: dict[str, Any], emitter: dict[str, np.ndarray]) -> tuple[LidarModel, FiringGrid]:
    """Every emitter fires once a scan: one row whose columns are the emitters."""
    count = len(emitter["elevationDeg"])
    model = LidarModel(
        elevation_deg=[0.0], columns=count, rate_hz=values["scanRateBaseHz"], range_min=values["nearRangeM"], range_max=values["farRangeM"]
    )
    grid = firing_grid(model)
    azimuth = emitter.get("azimuthDeg", np.zeros(count)).astype(np.float32)[None]
    time = np.rint(emitter.get("fireTimeNs", np.zeros(count))).astype(np.int32)[None]
    return model, replace(grid, azimuth=azimuth, elevation=emitter["elevationDeg"].astype(np.float32)[None], time=time)
