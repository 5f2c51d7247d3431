"""The rig's sensors as prims of the stage, in a session sublayer of their own: USD cameras and OmniLidars under ``/Tailgate/Rig``.

Camera attributes follow UsdGeomCamera (lengths in tenths of a stage unit, a principal point aside of the middle as aperture offsets). A lens, or
pixels that are not square, need the applied schemas OmniLensDistortionOpenCvPinholeAPI and OmniLensDistortionOpenCvFisheyeAPI; their principal point
counts from the image's corner, half a pixel before the centre of the first pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from tailgate.config.camera import CameraModel
from tailgate.config.rig import MountedSensor, ResolvedRig
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError, Where
from tailgate.stage.cameras import T_USD_OPTICAL
from tailgate.stage.extract import RIG
from tailgate.stage.layers import PoolLayer, add_sublayers, remove_sublayers

from tailgate_rtx.releases import CORE, Release

if TYPE_CHECKING:
    from pxr import Usd

FOCAL = 24.0
"""Focal length of every camera prim; only its ratio to the apertures and to the aperture of the lens counts."""
BEYOND = 1e6
"""Far clipping [m]: what is further than a model's ``far`` has no depth but is in the picture."""
LENSES = {
    "brown_conrady": ("opencvPinhole", "OmniLensDistortionOpenCvPinholeAPI", ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    "kannala_brandt": ("opencvFisheye", "OmniLensDistortionOpenCvFisheyeAPI", ("k1", "k2", "k3", "k4")),
}
"""Lens -> value of ``omni:lensdistortion:model``, which also names its attributes; schema; coefficients in our order."""
LIDAR_SCHEMAS = ("OmniSensorGenericLidarCoreAPI", "OmniSensorGenericLidarCoreEmitterStateAPI:s001")
SQUARE = 1e-6
"""Relative difference of focal lengths up to which pixels are square."""


def check_rig(rig: ResolvedRig) -> None:
    """Raise UserError, with the sensor's name, for what RTX cannot do of what a sensor asks for."""
    for name, mounted in rig.sensors.items():
        where = Where(f"rig {rig.name}", key=f"sensors.{name}")
        check = _check_camera if mounted.model.type == "camera" else _check_lidar
        reason = check(mounted.model)
        if reason:
            raise UserError(f"{reason} with --backend isaac", where)
    rates = {name: m.model.rate_hz for name, m in rig.sensors.items() if by_rtx(m)}
    if len(set(rates.values())) > 1:
        got = ", ".join(f"{name} {rate:g} Hz" for name, rate in rates.items())
        raise UserError(f"LiDARs that RTX traces must have one rate_hz (others crash Isaac Sim 6.0), got {got}", Where(f"rig {rig.name}"))


def _check_camera(model: CameraModel) -> str:
    if model.shutter and (model.shutter.exposure_ms > 0 or model.shutter.readout_ms > 0):
        return "shutter must be left out (exposure_ms and readout_ms 0)"
    if model.lens and model.focus:
        return "focus must be left out where the camera has a lens"
    return ""


def _check_lidar(model: LidarModel) -> str:
    if model.tracer == "tailgate":
        return ""
    if model.sub_rays > 1 or model.ghosts:
        return "tracer must be tailgate where sub_rays is 7 or ghosts are followed: RTX has its own beams"
    if model.returns != "strongest":
        return f"returns must be strongest where tracer is rtx, got {model.returns}"
    patterns = _patterns(model)
    if abs(model.rate_hz - round(model.rate_hz)) > 1e-9 or abs(patterns - round(patterns)) > 1e-6:
        return f"rate_hz and firings per second must be whole numbers where tracer is rtx, got {model.rate_hz:g} and {patterns:g}"
    return ""


def _patterns(model: LidarModel) -> float:
    """Columns a second while the head turns."""
    return model.columns * 360.0 / model.azimuth_fov_deg * model.rate_hz


def by_rtx(mounted: MountedSensor) -> bool:
    """Whether a sensor is a LiDAR that RTX traces."""
    return mounted.model.type == "lidar" and mounted.model.tracer == "rtx"


class RigPrims:
    """The prims of a rig's cameras, and of the LiDARs that RTX traces, on a stage until ``close``.

    Args:
        stage: composed stage; ``/Tailgate`` is in metres with z up, whatever the stage is in.
        rig: sensors.
        release: of Isaac Sim.

    Attributes:
        paths: path of each sensor's prim, by name.
    """

    def __init__(self, stage: Usd.Stage, rig: ResolvedRig, release: Release):
        from pxr import UsdGeom

        self._stage, self._layer = stage, PoolLayer("sensors")
        self._metres = UsdGeom.GetStageMetersPerUnit(stage)
        self.paths: dict[str, str] = {}
        for name, mounted in rig.sensors.items():
            if mounted.model.type == "camera":
                self._camera(name, mounted)
            elif by_rtx(mounted):
                self._lidar(name, mounted, release)
        add_sublayers(stage, [self._layer.layer])
        self._attached = True

    def _define(self, name: str, kind: str, T_rig_prim: np.ndarray) -> str:
        """A prim that is no larger on the stage than its attributes say: the scale of ``/Tailgate`` is taken back."""
        from pxr import Tf

        path = f"{RIG}/{Tf.MakeValidIdentifier(name)}"
        while path in self.paths.values():
            path += "_"
        self.paths[name] = path
        self._layer.define(path, kind)
        self._layer.single_transform(path)
        scaled = T_rig_prim @ np.diag([self._metres] * 3 + [1.0])
        self._layer.set(f"{path}.xformOp:transform", "matrix4d", scaled.tolist())
        return path

    def _camera(self, name: str, mounted: MountedSensor) -> None:
        path = self._define(name, "Camera", mounted.T_rig_sensor @ T_USD_OPTICAL)
        self._write(path, camera_attributes(mounted.model, self._metres))
        lens = lens_attributes(mounted.model)
        if lens:
            self._layer.schemas(path, [lens[0]])
            self._write(path, lens[1])

    def _lidar(self, name: str, mounted: MountedSensor, release: Release) -> None:
        path = self._define(name, "OmniLidar", mounted.T_rig_sensor)
        self._layer.schemas(path, [*LIDAR_SCHEMAS, *release.lidar_schemas])
        self._write(path, lidar_attributes(mounted.model, release))

    def _write(self, path: str, attributes: Mapping[str, tuple[str, Any]]) -> None:
        for name, (kind, value) in attributes.items():
            self._layer.set(f"{path}.{name}", kind, _usd(kind, value))

    def write_words(self, of_prims: Mapping[str, Mapping[str, str]]) -> None:
        """Write text attributes of prims of the stage: path -> attribute -> word."""
        from pxr import Sdf

        with Sdf.ChangeBlock():
            for path, attributes in of_prims.items():
                for name, word in attributes.items():
                    self._layer.set(f"{path}.{name}", "string", word, custom=True)

    def close(self) -> None:
        """Take them off; safe to call twice."""
        if self._attached:
            remove_sublayers(self._stage, [self._layer.layer])
            self._attached = False


def camera_attributes(model: CameraModel, metres: float = 1.0) -> dict[str, tuple[str, Any]]:
    """UsdGeomCamera attributes of a model on a stage whose unit is so many ``metres``: name -> USD type and value."""
    across = FOCAL * model.width / model.fx
    focus = model.focus
    return {
        "focalLength": ("float", FOCAL),
        "horizontalAperture": ("float", across),
        "verticalAperture": ("float", across * model.height / model.width),
        "horizontalApertureOffset": ("float", ((model.width - 1) / 2 - model.cx) * FOCAL / model.fx),
        "verticalApertureOffset": ("float", (model.cy - (model.height - 1) / 2) * FOCAL / model.fx),
        "clippingRange": ("float2", (model.clipping[0] / metres, BEYOND / metres)),
        "fStop": ("float", 100.0 * metres * FOCAL / focus.opening_mm if focus else 0.0),
        "focusDistance": ("float", focus.distance / metres if focus else 0.0),
    }


def lens_attributes(model: CameraModel) -> tuple[str, dict[str, tuple[str, Any]]] | None:
    """Schema and attributes of a lens; None for a pinhole with square pixels, which needs none."""
    if model.lens is None and abs(model.fy / model.fx - 1.0) <= SQUARE:
        return None
    kind, schema, names = LENSES[model.lens.model if model.lens else "brown_conrady"]
    given = list(model.lens.coefficients) if model.lens else []
    prefix = f"omni:lensdistortion:{kind}:"
    numbers = {"fx": model.fx, "fy": model.fy, "cx": model.cx + 0.5, "cy": model.cy + 0.5}
    numbers |= dict(zip(names, [*given, *[0.0] * (len(names) - len(given))], strict=True))
    attributes: dict[str, tuple[str, Any]] = {f"{prefix}{name}": ("float", value) for name, value in numbers.items()}
    attributes[f"{prefix}imageSize"] = ("int2", (model.width, model.height))
    attributes["omni:lensdistortion:model"] = ("token", kind)
    return schema, attributes


def lidar_attributes(model: LidarModel, release: Release) -> dict[str, tuple[str, Any]]:
    """Attributes of an OmniLidar that fires as a model does and measures exactly; noise and losses are the response's."""
    beams = len(model.elevation_deg)
    state = f"{CORE}emitterState:s001:"
    swept = model.azimuth_fov_deg
    return {
        f"{CORE}scanType": ("token", "ROTARY"),
        f"{CORE}rayType": ("token", "IDEALIZED"),
        f"{CORE}scanRateBaseHz": ("uint", round(model.rate_hz)),
        f"{CORE}rotationDirection": ("token", model.direction.upper()),
        f"{CORE}startAzimuthOffsetDeg": ("float", model.azimuth_start_deg),
        f"{CORE}validStartAzimuthDeg": ("float", 0.0),
        f"{CORE}validEndAzimuthDeg": ("float", swept),
        f"{CORE}nearRangeM": ("float", model.range_min),
        f"{CORE}farRangeM": ("float", model.range_max),
        f"{CORE}rangeAccuracyM": ("float", 0.0),
        f"{CORE}azimuthErrorStd": ("float", 0.0),
        f"{CORE}elevationErrorStd": ("float", 0.0),
        f"{CORE}intensityProcessing": ("token", "NORMALIZATION"),
        f"{CORE}pulseTimeNs": ("uint", round(model.pulse_ns)),
        f"{CORE}maxReturns": ("uint", 1),
        f"{CORE}elementsCoordsType": ("token", "SPHERICAL"),
        f"{CORE}outputFrameOfReference": ("token", "SENSOR"),
        f"{CORE}numberOfEmitters": ("uint", beams),
        f"{CORE}numberOfChannels": ("uint", beams),
        f"{state}elevationDeg": ("float[]", model.elevation_deg),
        f"{state}azimuthDeg": ("float[]", model.azimuth_offset_deg or [0.0] * beams),
        f"{state}vertOffsetM": ("float[]", model.beam_height_m or [0.0] * beams),
        f"{state}fireTimeNs": ("uint[]", [round(1e3 * t) for t in model.firing_us] or [0] * beams),
        f"{state}channelId": ("uint[]", list(range(1, beams + 1))),
        **release.lidar(round(model.rate_hz), round(_patterns(model))),
    }


def _usd(kind: str, value: Any) -> Any:
    """A value as USD stores it under a type."""
    from pxr import Gf, Vt

    vectors = {"float2": Gf.Vec2f, "int2": Gf.Vec2i}
    arrays = {"float[]": Vt.FloatArray, "uint[]": Vt.UIntArray, "string[]": Vt.StringArray}
    if kind in vectors:
        return vectors[kind](*value)
    return arrays[kind](value) if kind in arrays else value
