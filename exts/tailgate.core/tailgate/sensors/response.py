"""Response of all sensors of a frame: what the devices of a rig make of exact channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType

import numpy as np

from tailgate.config.bounds import check_bounds
from tailgate.config.rig import ResolvedRig
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.config.setting import Setting
from tailgate.distributions import Constant, Ranged
from tailgate.errors import UserError, Where, nearest, placed
from tailgate.frames import Frame, Objects, ObjectView, Sample, SensorFrame
from tailgate.geometry.rounding import Rounding
from tailgate.rng import kernel_seed
from tailgate.sensors.camera import check_camera, depth_response, respond_camera
from tailgate.sensors.exposure import Device
from tailgate.sensors.timing import Timing, stamp

EXTINCTION_HINT = "fog_extinction"


def nominal(model: LidarModel | CameraModel) -> dict[str, float]:
    """The middle of every response setting of a model: the constant, or the distribution at its mean share."""
    return {name: _middle(name, setting) for name, setting in model.response.items()}


def ideal(model: LidarModel | CameraModel) -> dict[str, float]:
    """The value at which each effect of a sensor does nothing, by parameter name."""
    from tailgate.sensors.colour import ColourResponse
    from tailgate.sensors.lidar import LidarResponse

    responses = [LidarResponse()] if model.type == "lidar" else [ColourResponse(), *([depth_response(model, {})] if model.depth != "none" else [])]
    return {name: value for response in [Timing(), *responses] for name, value in asdict(response).items()}


def check_response(model: LidarModel | CameraModel, places: Mapping[str, Where] = MappingProxyType({})) -> None:
    """Refuse, by name and place, a setting that the response of this sensor does not have, or whose values mean nothing."""
    from tailgate.sensors.lidar import LidarResponse

    for name, setting in model.response.items():
        with placed(lambda _, name=name: places.get(name, Where(key=name))):
            check_bounds(name, setting.dist)
            _, params = Timing.split({name: _middle(name, setting)})
            if model.type == "lidar":
                LidarResponse.of(params)
            else:
                check_camera(model, params)


def respond(frame: Frame, sample: Sample, rig: ResolvedRig, seed_address: tuple[str | int, ...], before: Frame | None = None) -> Frame:
    """What the rig delivers of a frame: ``measured``, then ``delivered``."""
    return delivered(measured(frame, sample, rig, seed_address, before), sample, rig, seed_address)


def measured(frame: Frame, sample: Sample, rig: ResolvedRig, seed_address: tuple[str | int, ...], before: Frame | None = None) -> Frame:
    """Apply every sensor's response model, at the exact times.

    Args:
        frame: exact channels of all sensors of the rig.
        sample: values by sensor and parameter; a parameter that was not drawn takes its nominal value. ``hints.fog_extinction`` [1/m] dims LiDAR.
        rig: the models.
        seed_address: address of the frame's random streams, the run's seed first; each sensor gets its own. Fixed patterns depend on the run's
            seed and the sensor's name alone.
        before: the tick before as this gave it, which automatic exposure follows from.

    Returns:
        A new frame with all its sensors. Ground truth stays: ``range_true``, ``reflectance``, ``distance_to_image_plane_true``, segmentations,
        occlusion. A LiDAR's ``view.visible`` counts the returns that are left.

    Raises:
        UserError: a sensor that the rig does not hold, or an unknown parameter.
    """
    sensors = {}
    for name, sensor in frame.sensors.items():
        if name not in rig.sensors:
            raise UserError(f"sensor '{name}' is not on the rig '{rig.name}'{nearest(name, rig.sensors)}")
        model = rig.sensors[name].model
        _, params = Timing.split({**nominal(model), **sample.sensors.get(name, {})})
        seed, unit = kernel_seed(*seed_address, "response", name), unit_seed(seed_address[0], name)
        if sensor.kind == "lidar":
            stored = replace(sensor, rounding=Rounding.of(model.storage, rig.sensors[name].T_rig_sensor))
            sensors[name] = _lidar(stored, model, params, (seed, unit), sample.hints, frame.objects)
        else:
            device = _device(sensor, before.sensors.get(name) if before else None, unit)
            sensors[name] = replace(sensor, channels=respond_camera(sensor, model, params, seed, device))
    return replace(frame, sensors=sensors)


def delivered(frame: Frame, sample: Sample, rig: ResolvedRig, seed_address: tuple[str | int, ...]) -> Frame:
    """What comes of a frame that ``measured`` gave: every sensor with the stamps that it gives itself, those left out whose frame is dropped.

    Arguments as there.
    """
    sensors = {}
    for name, sensor in frame.sensors.items():
        timing, _ = Timing.split({**nominal(rig.sensors[name].model), **sample.sensors.get(name, {})})
        if (stamped := stamp(sensor, timing, kernel_seed(*seed_address, "response", name))) is not None:
            sensors[name] = stamped
    return replace(frame, sensors=sensors)


def unit_seed(seed: str | int, sensor: str) -> int:
    """31-bit seed of what belongs to one sensor of a rig in every frame of a run: fixed patterns and range errors of beams."""
    return kernel_seed(seed, "device", sensor)


def _lidar(
    sensor: SensorFrame, model: LidarModel, params: dict[str, float], seeds: tuple[int, int], hints: Mapping[str, float], objects: Objects
) -> SensorFrame:
    """Response of a LiDAR; ``seeds`` are those of this frame and of the unit."""
    from tailgate.sensors.lidar import respond_lidar

    channels = respond_lidar(sensor, model, params, seeds[0], hints.get(EXTINCTION_HINT, 0.0), seeds[1])
    return replace(sensor, channels=channels, view=_recount(sensor.view, channels.get("instance"), objects))


def _device(sensor: SensorFrame, before: SensorFrame | None, seed: int) -> Device:
    """What a camera carries over from the tick before."""
    if before is None or "exposure" not in before.channels:
        return Device(seed)
    return Device(seed, float(np.asarray(before.channels["exposure"])[0]), max(sensor.t_start - before.t_start, 0) * 1e-9)


def _recount(view: ObjectView, instance, objects: Objects) -> ObjectView:
    if instance is None or not len(objects):
        return view
    held = instance.numpy() if hasattr(instance, "numpy") else np.asarray(instance)
    if held.shape[2] > 1:
        held = np.where((held[..., 1:] == held[..., :1]).any(axis=2, keepdims=True) & (np.arange(held.shape[2]) > 0), 0, held)
    ids = np.asarray(objects.instance, dtype=np.int64)
    counts = np.bincount(held.ravel().astype(np.int64), minlength=int(ids.max()) + 1)
    return replace(view, visible=counts[ids].astype(np.int32))


def _middle(name: str, setting: Setting) -> float:
    if isinstance(setting.dist, Constant) and isinstance(setting.dist.value, (int, float)):
        return float(setting.dist.value)
    if isinstance(setting.dist, Ranged):
        return float(setting.dist.mean)
    raise UserError(f"response parameter '{name}' must be a constant, ranged or log_ranged number, got {setting.dist.kind}")
