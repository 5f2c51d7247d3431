"""Response of a camera: the rendered image and true depth in, what the device would have recorded out."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from tailgate.config.sensor import CameraModel
from tailgate.errors import UserError, unknown
from tailgate.frames import Intrinsics, SensorFrame, host
from tailgate.memory import recall
from tailgate.rng import kernel_seed
from tailgate.sensors.exposure import Device, lagged, meter
from tailgate.sensors.timing import Timing


def respond_camera(sensor: SensorFrame, model: CameraModel, params: dict[str, float], seed: int, device: Device = Device()) -> dict[str, Any]:  # noqa: B008
    """Apply the colour and depth response of a camera.

    Args:
        sensor: rendered channels; ``rgb`` is needed, and ``distance_to_image_plane`` where ``model.depth`` is not "none". On the host (numpy) or
            on a device (Warp arrays). Colour starts from ``HdrColor`` where that is given, exposed by the channel ``exposure`` (factor on
            radiance, float32 [1]) or, without it, by metering; else from ``rgb``.
        model: what the device is.
        params: response parameter -> value, named as in ``ColourResponse`` and the depth response; a name left out keeps its ideal value, and those
            of ``Timing`` change no channel.
        seed: 31-bit seed of this frame and sensor.
        device: what the camera carries from frame to frame.

    Returns:
        All channels of the sensor, where they were. ``rgb`` is the measured colour, ``exposure`` the factor that was used. With a depth principle,
        ``distance_to_image_plane`` is the measured depth [m] (inf where there is none), ``valid`` uint8 [H, W] tells where there is one, and
        ``distance_to_image_plane_true`` is the true depth. Labels and normals are the same objects as before.

    Raises:
        MissingChannel: a channel that is needed is not there.
        UserError: an unknown response parameter, or a channel of another shape or number type than the contract's.
    """
    check_camera(model, params)
    _check_channels(sensor)
    out = dict(sensor.channels)
    rgb = sensor.channel("rgb")
    back = host if isinstance(rgb, np.ndarray) else _same
    rendered = _device(rgb)
    out.update(_colour(sensor, rendered, params, seed, device))
    out["rgb"] = back(out["rgb"])
    if model.depth != "none":
        true = sensor.channel("distance_to_image_plane")
        depth, response = _device(true, np.float32), depth_response(model, params)
        measured = measure_depth((depth, rendered), sensor.intrinsics, model, response, kernel_seed(seed, "depth"))
        out["distance_to_image_plane_true"] = true
        out["distance_to_image_plane"] = back(measured)
        out["valid"] = back(_finite(measured))
    return out


def check_camera(model: CameraModel, params: dict[str, float]) -> None:
    """Refuse a parameter that the response of this camera does not have, by name."""
    from tailgate.sensors.colour import ColourResponse

    responses = [ColourResponse, Timing, *([depth_response(model, {})] if model.depth != "none" else [])]
    known = {f.name for response in responses for f in fields(response)}
    for name in params:
        if name not in known:
            raise unknown("response parameter", name, known)


def _check_channels(sensor: SensorFrame) -> None:
    """Refuse a picture or a depth image that another renderer gave in another form than ``frames.CAMERA_CHANNELS``."""
    size = (sensor.intrinsics.height, sensor.intrinsics.width)
    for name, number, colours in (("rgb", "uint8", True), ("HdrColor", "float", True), ("distance_to_image_plane", "float", False)):
        if name not in sensor.channels:
            continue
        array = sensor.channels[name]
        shape, kind = tuple(array.shape), getattr(array.dtype, "__name__", str(array.dtype))
        number = number if isinstance(array, np.ndarray) else number.replace("float", "float32")
        forms = [(*size, 3), (*size, 4)] if colours else [size]
        if shape not in forms or not kind.startswith(number):
            want = f"[{', '.join(map(str, size))}{', 3 or 4' if colours else ''}]"
            raise UserError(f"channel '{name}' of the renderer must be {number} {want}, got {kind} {list(shape)}")


def depth_response(model: CameraModel, params: dict[str, float]) -> Any:
    """Values of the depth settings for the camera's principle; none have a camera without."""
    from tailgate.sensors.kinect import KinectResponse
    from tailgate.sensors.stereo import StereoResponse
    from tailgate.sensors.tof import TofResponse

    kinds = {"kinect_v1": KinectResponse, "active_stereo": StereoResponse, "time_of_flight": TofResponse}
    return kinds[model.depth].from_params(params) if model.depth in kinds else None


def _colour(sensor: SensorFrame, rendered: Any, params: dict[str, float], seed: int, device: Device) -> dict[str, Any]:
    from tailgate.sensors.colour import ColourResponse, respond_colour, respond_radiance, seeds_of

    response = ColourResponse.from_params(params)
    seeds = seeds_of(seed, device)
    if "HdrColor" not in sensor.channels:
        return {"rgb": respond_colour(rendered, sensor.intrinsics, response, seeds)}
    hdr = sensor.channels["HdrColor"]
    given = sensor.channels.get("exposure")
    target = float(np.asarray(given)[0]) if given is not None else meter(hdr if isinstance(hdr, np.ndarray) else hdr.numpy())
    exposure = lagged(target, response.exposure_lag, device)
    picture = respond_radiance(_device(hdr, np.float32), rendered, exposure, sensor.intrinsics, response, seeds)
    return {"rgb": picture, "exposure": np.array([exposure], np.float32)}


def measure_depth(seen: tuple[Any, Any], intrinsics: Intrinsics, model: CameraModel, response: Any, seed: int) -> Any:
    """Measured depth [m] as a Warp array [H, W], inf where there is none.

    Args:
        seen: Warp arrays of the true depth and the rendered colour.
        intrinsics: of both.
        model: gives the principle and its limits.
        response: of ``depth_response``.
        seed: 31-bit seed.
    """
    from tailgate.sensors.colour import luminance_of
    from tailgate.sensors.kinect import respond_depth
    from tailgate.sensors.stereo import respond_stereo
    from tailgate.sensors.tof import respond_tof

    depth, rgb = seen
    luminance = recall(("luminance", rgb.ptr), (), lambda: luminance_of(rgb))
    limits = model.near, model.far
    if model.depth == "active_stereo":
        return respond_stereo(depth, luminance, intrinsics, limits, response, seed)
    if model.depth == "time_of_flight":
        return respond_tof(depth, luminance, intrinsics, limits, response, seed)
    return respond_depth(depth, luminance, intrinsics, limits, response, seed)


def _device(array: Any, kind: type | None = None) -> Any:
    """A Warp array as it is; a numpy array as one on the host, of another number type where kernels want one."""
    from tailgate.geometry.quiet import wp

    return wp.array(np.ascontiguousarray(array, kind), device="cpu") if isinstance(array, np.ndarray) else array


def _same(array: Any) -> Any:
    return array


def _finite(depth: Any) -> Any:
    from tailgate.geometry.quiet import wp
    from tailgate.sensors.kinect import finite_kernel

    valid = wp.empty(depth.shape, dtype=wp.uint8, device=depth.device)
    wp.launch(finite_kernel, dim=depth.shape, inputs=[depth, valid], device=depth.device)
    return valid
