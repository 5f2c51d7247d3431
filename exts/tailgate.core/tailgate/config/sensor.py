"""Sensor models: what a device is (geometry, grid, limits) and how it responds (settings of its response)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tailgate.config.camera import CameraModel, Finite
from tailgate.config.load import Model
from tailgate.config.setting import Setting


class LidarModel(Model):
    """A spinning LiDAR described by its beam table.

    Attributes:
        source: datasheet or paper the table comes from.
        elevation_deg: elevation of each beam [deg], any order; ring index = position in this list.
        azimuth_offset_deg: azimuth of each beam relative to the head [deg]; one number per beam or empty for none.
        columns: firings per revolution.
        rate_hz: revolutions per second.
        range_min, range_max: [m].
        range_step: quantization of range [m], 0 for none.
        direction: sense of rotation seen from above, "cw" or "ccw".
        azimuth_start_deg, azimuth_fov_deg: first column's azimuth and the swept sector [deg].
        echoes: returns kept per firing.
        response: settings of the response model by parameter name (see ``tailgate.sensors``).
    """

    type: Literal["lidar"] = "lidar"
    source: str = ""
    elevation_deg: list[Finite] = Field(min_length=1, max_length=1024)
    azimuth_offset_deg: list[Finite] = []
    columns: int = Field(gt=0, le=16384)
    rate_hz: float = Field(10.0, gt=0)
    range_min: float = Field(0.5, ge=0)
    range_max: float = Field(120.0, gt=0)
    range_step: float = Field(0.0, ge=0)
    direction: Literal["cw", "ccw"] = "cw"
    azimuth_start_deg: float = 180.0
    azimuth_fov_deg: float = Field(360.0, gt=0, le=360)
    echoes: int = Field(1, ge=1, le=3)
    response: dict[str, Setting] = {}

    @model_validator(mode="after")
    def _consistent(self) -> LidarModel:
        if self.azimuth_offset_deg and len(self.azimuth_offset_deg) != len(self.elevation_deg):
            raise ValueError(f"azimuth_offset_deg must hold {len(self.elevation_deg)} numbers, one per beam, got {len(self.azimuth_offset_deg)}")
        if not self.range_min < self.range_max:
            raise ValueError(f"range_min must be below range_max, got {self.range_min} and {self.range_max}")
        return self


SensorModel = Annotated[LidarModel | CameraModel, Field(discriminator="type")]


class Mount(Model):
    """Pose of a sensor in the rig frame (x forward, y left, z up, origin on the ground below the rig).

    ``rpy_deg`` turns the sensor's own natural frame: zero means a camera looking along +x or a LiDAR level with x forward.
    R = Rz(yaw) Ry(pitch) Rx(roll); positive pitch looks down.
    """

    xyz: tuple[Finite, Finite, Finite]
    rpy_deg: tuple[Finite, Finite, Finite] = (0.0, 0.0, 0.0)


class RigSensor(Model):
    """One sensor on the rig: a model (name of a file in configs/sensors, a path, or inline) and where it sits."""

    model: str | SensorModel
    mount: Mount


class Rig(Model):
    """The sensors of a vehicle, robot or stand; ``from`` reads them from a dataset's calibration instead."""

    name: str = ""
    sensors: dict[str, RigSensor] = Field(min_length=1)
