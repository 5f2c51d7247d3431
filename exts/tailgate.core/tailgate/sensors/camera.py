"""Response of a camera: the rendered image and true depth in, what the device would have recorded out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tailgate.config.sensor import CameraModel
from tailgate.frames import SensorFrame
from tailgate.rng import kernel_seed


def respond_camera(sensor: SensorFrame, model: CameraModel, params: dict[str, float], seed: int) -> dict[str, Any]:
    """Apply the colour and depth response of a camera.

    Args:
        sensor: rendered channels; ``rgb`` is needed, and ``distance_to_image_plane`` where ``model.depth`` is not "none". On the host (numpy) or
            on a device (Warp arrays).
        model: what the device is.
        params: response parameter -> value, named as in ``ColourResponse`` and ``KinectResponse``; a name left out keeps its ideal value.
        seed: 31-bit seed of this frame and sensor.

    Returns:
        All channels of the sensor, where they were. ``rgb`` is the measured colour. With a depth principle, ``distance_to_image_plane`` is the
        measured depth [m] (inf where there is none), ``valid`` uint8 [H, W] tells where there is one, and ``distance_to_image_plane_true`` is the
        true depth. Labels and normals are the same objects as before.

    Raises:
        MissingChannel: a channel that is needed is not there.
        UserError: an unknown response parameter.
    """
    from tailgate.sensors.colour import ColourResponse, respond_colour
    from tailgate.sensors.kinect import KinectResponse

    depth_response, colour_response = KinectResponse.from_params(params), ColourResponse.from_params(params)
    out = dict(sensor.channels)
    rgb = sensor.channel("rgb")
    back = _host if isinstance(rgb, np.ndarray) else _same
    rendered = _device(rgb)
    out["rgb"] = back(respond_colour(rendered, colour_response, kernel_seed(seed, "colour")))
    if model.depth == "kinect_v1":
        true = sensor.channel("distance_to_image_plane")
        measured = measure_depth(_device(true), rendered, model, depth_response, kernel_seed(seed, "depth"))
        out["distance_to_image_plane_true"] = true
        out["distance_to_image_plane"] = back(measured)
        out["valid"] = back(_finite(measured))
    return out


def measure_depth(depth: Any, rgb: Any, model: CameraModel, response: Any, seed: int) -> Any:
    """Measured depth [m] as a Warp array [H, W], inf where there is none, from Warp arrays of the true depth and the rendered colour."""
    from tailgate.geometry.quiet import wp
    from tailgate.sensors.colour import decode_table, luminance_kernel
    from tailgate.sensors.kinect import respond_depth

    luminance = wp.empty(depth.shape, dtype=wp.float32, device=depth.device)
    decode = wp.array(decode_table(), dtype=wp.float32, device=depth.device)
    wp.launch(luminance_kernel, dim=depth.shape, inputs=[rgb, decode, luminance], device=depth.device)
    return respond_depth(depth, luminance, model.fx, (model.near, model.far), response, seed)


def _device(array: Any) -> Any:
    from tailgate.geometry.quiet import wp

    return wp.array(np.ascontiguousarray(array), device="cpu") if isinstance(array, np.ndarray) else array


def _host(array: Any) -> np.ndarray:
    return array.numpy()


def _same(array: Any) -> Any:
    return array


def _finite(depth: Any) -> Any:
    from tailgate.geometry.quiet import wp
    from tailgate.sensors.kinect import finite_kernel

    valid = wp.empty(depth.shape, dtype=wp.uint8, device=depth.device)
    wp.launch(finite_kernel, dim=depth.shape, inputs=[depth, valid], device=depth.device)
    return valid
