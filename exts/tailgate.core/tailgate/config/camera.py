"""Camera models: intrinsics, lens, depth principle and how the device responds."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from tailgate.config.load import Model
from tailgate.config.setting import Setting
from tailgate.frames import Intrinsics
from tailgate.geometry.lens import COUNTS, Distortion

Finite = Annotated[float, Field(allow_inf_nan=False)]
Focal = Annotated[float, Field(ge=0.1, le=1e6)]
"""[px]."""
Centre = Annotated[float, Field(ge=-1e5, le=1e5)]
"""[px]."""

NEAREST = 0.05
"""What a depth camera's eyes see from on [m], however far the nearest depth is that it measures."""


class Lens(Model):
    """Distortion of the lens, as OpenCV calibrates it.

    Attributes:
        model: "brown_conrady" (``cv2.calibrateCamera``) or "kannala_brandt" (``cv2.fisheye.calibrate``).
        coefficients: k1, k2, p1, p2 [, k3 [, k4, k5, k6]], or k1, k2, k3, k4 of a fisheye.
        fov_deg: full angle of what a fisheye images [deg]; pixels outside its circle are black. Left out, the model alone ends it.
    """

    model: Literal["brown_conrady", "kannala_brandt"]
    coefficients: list[Finite]
    fov_deg: float | None = Field(None, gt=0, le=360)

    @model_validator(mode="after")
    def _counted(self) -> Lens:
        if len(self.coefficients) not in COUNTS[self.model]:
            allowed = " or ".join(map(str, COUNTS[self.model]))
            raise ValueError(f"coefficients of {self.model} must be {allowed} numbers, got {len(self.coefficients)}")
        if self.fov_deg is not None and self.model != "kannala_brandt":
            raise ValueError(f"fov_deg must be left out of {self.model}, which images all of a picture, got {self.fov_deg:g}")
        return self


class Shutter(Model):
    """When the rows of an image collect light; what moves meanwhile is smeared and sheared. Done while tracing, by backends that can.

    Attributes:
        exposure_ms: how long each row collects light [ms].
        readout_ms: from the first row to the last [ms]; 0 for a global shutter.
        moments: views that are averaged over the exposure where the rig moves, at least: more where the image moves fast; an odd number of them,
            for labels show the middle.
    """

    exposure_ms: float = Field(0.0, ge=0, le=1000)
    readout_ms: float = Field(0.0, ge=0, le=1000)
    moments: int = Field(5, ge=1, le=64)


class Focus(Model):
    """A finite aperture: what lies before or behind the plane of focus blurs. Done while tracing, by backends that can.

    Attributes:
        distance: from the lens to the plane that is sharp [m].
        opening_mm: diameter of the aperture, the focal length over the f-number [mm].
        views: pinholes across the opening whose pictures are averaged.
    """

    distance: float = Field(ge=0.001, le=1e6)
    opening_mm: float = Field(gt=0, le=1000)
    views: int = Field(17, ge=3, le=256)


class CameraModel(Model):
    """A camera, with or without a depth channel.

    Attributes:
        width, height: [px].
        fx, fy, cx, cy: [px]; the centre of the first pixel is (0, 0).
        lens: distortion; none for a pinhole or a rectified image. Every channel and label is distorted with the picture.
        shutter: exposure time and readout; none for an instantaneous, global one.
        rate_hz: frames per second.
        focus: aperture and distance of focus; none for a picture that is sharp everywhere. Depth and labels are always sharp.
        near, far: nearest and furthest depth [m]. A camera without a depth principle sees nothing nearer; one with measures nothing there.
        depth: depth principle; "none" for a colour camera (depth is then exact ground truth).
        response: settings of the response model by parameter name (see ``tailgate.sensors``).
    """

    type: Literal["camera"] = "camera"
    source: str = ""
    width: int = Field(gt=0, le=8192)
    height: int = Field(gt=0, le=8192)
    fx: Focal
    fy: Focal
    cx: Centre
    cy: Centre
    lens: Lens | None = None
    shutter: Shutter | None = None
    focus: Focus | None = None
    rate_hz: float = Field(10.0, ge=0.001, le=10_000)
    near: float = Field(0.05, gt=0, le=1e6)
    far: float = Field(200.0, gt=0)
    depth: Literal["none", "kinect_v1", "active_stereo", "time_of_flight"] = "none"
    response: dict[str, Setting] = {}

    @property
    def clipping(self) -> tuple[float, float]:
        """Nearest that is seen and furthest exact depth [m]: a depth principle takes what is there, and makes its own limits of it."""
        return (self.near, self.far) if self.depth == "none" else (min(self.near, NEAREST), math.inf)

    @property
    def intrinsics(self) -> Intrinsics:
        """Intrinsics with the lens."""
        bent = Distortion(self.lens.model, tuple(self.lens.coefficients), self.lens.fov_deg) if self.lens else None
        return Intrinsics(self.width, self.height, self.fx, self.fy, self.cx, self.cy, bent)

    @model_validator(mode="after")
    def _ordered(self) -> CameraModel:
        if not self.near < self.far:
            raise ValueError(f"near must be below far, got {self.near:g} and {self.far:g}")
        return self

    @model_validator(mode="after")
    def _exposed_in_time(self) -> CameraModel:
        frame = 1000 / self.rate_hz
        for name in ("exposure_ms", "readout_ms") if self.shutter else ():
            if (taken := getattr(self.shutter, name)) > 1.001 * frame:
                raise ValueError(f"shutter.{name} must be within the {frame:.4g} ms of a frame at rate_hz {self.rate_hz:g}, got {taken:g}")
        return self

    @model_validator(mode="after")
    def _every_pixel_has_a_ray(self) -> CameraModel:
        if not self.lens:
            return self
        if self.depth != "none":
            raise ValueError(f"lens must be left out where depth is '{self.depth}': the depth image is matched and handed out undistorted")
        if self.lens.model == "kannala_brandt":
            nearest = self.intrinsics.rays(*(np.clip(at, 0, n - 1) for at, n in ((self.cx, self.width), (self.cy, self.height))))
            if np.isnan(nearest).any() or not self.intrinsics.distortion.half_angle:
                raise ValueError(f"lens must image some pixel, got a circle about ({self.cx:g}, {self.cy:g}) that does not reach the picture")
            return self
        if lost := _lost_pixels(self.intrinsics):
            raise ValueError(f"lens must have a ray within 86 deg of the axis for every pixel, got none for {lost}")
        return self


@lru_cache(maxsize=16)
def _lost_pixels(intrinsics: Intrinsics) -> str:
    """How many pixels the lens has no ray for, in words with an example; those of the border where it is some of them. Nothing where all have one."""
    width, height = intrinsics.width, intrinsics.height
    u, v = np.arange(width), np.arange(height)
    border = [np.append(u, u), np.repeat([0, height - 1], width)], [np.repeat([0, width - 1], height), np.append(v, v)]
    for words, (x, y) in (("border pixels", np.unique(np.hstack(border), axis=1)), ("pixels", (u, v[:, None]))):
        lost = np.isnan(intrinsics.unproject(x, y)[0])
        if lost.any():
            at = np.broadcast_to(x, lost.shape)[lost][0], np.broadcast_to(y, lost.shape)[lost][0]
            return f"{lost.sum()} {words}, such as ({at[0]}, {at[1]})"
    return ""
