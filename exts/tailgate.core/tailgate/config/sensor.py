"""Sensor models: what a device is (geometry, grid, limits) and how it responds (settings of its response)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tailgate.config.camera import CameraModel
from tailgate.config.load import Model, Name, validate
from tailgate.config.setting import Setting

METRES_PER_NS = 0.149896229
"""Range per time of flight: half the speed of light [m/ns]."""
Angle = Annotated[float, Field(ge=-720, le=720)]
"""[deg]."""
Coordinate = Annotated[float, Field(ge=-1000, le=1000)]
"""Of something on a rig [m]."""
Place = Annotated[float, Field(ge=-1e7, le=1e7)]
"""Coordinate of a map [m]."""
HALF_REACH = 50_000.0
"""How far the origin of half-precision coordinates may lie [m]: they end at 65,504 m, with a rig and its ranges on the way."""


class Storage(Model):
    """How a recording holds coordinates: rounded, in one frame.

    Attributes:
        coordinates: "float16" for half-precision floats (IEEE 754 binary16: steps of 4 to 8 mm at 4 to 16 m, 31 mm at 32 to 64 m), or a step [m].
        frame: "sensor", or "rig" where returns are stored in the vehicle's frame.
        origin: of the stored coordinates in that frame [m], such as the rear axle of a vehicle whose rig stands on the ground.
    """

    coordinates: Literal["float16"] | Annotated[float, Field(gt=0, le=1)]
    frame: Literal["sensor", "rig"] = "sensor"
    origin: tuple[Place, Place, Place] = (0.0, 0.0, 0.0)

    @field_validator("coordinates", mode="before")
    @classmethod
    def _grid(cls, value: object) -> object:
        if value == "float16" or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1):
            return value
        raise ValueError(f"coordinates must be 'float16' or a step above 0 and up to 1 [m], got {value!r}")

    @field_validator("origin")
    @classmethod
    def _held(cls, origin: tuple[float, float, float], info: ValidationInfo) -> tuple[float, float, float]:
        if info.data.get("coordinates") == "float16" and max(map(abs, origin)) > HALF_REACH:
            raise ValueError(f"origin must lie within {HALF_REACH:,.0f} m where coordinates are float16, which end at 65,504 m; got {list(origin)}")
        return origin


_NUMBERS = ("azimuth_offset_deg", "firing_us", "beam_height_m", "range_offset_m", "azimuth_error_deg")
PER_BEAM = {**dict.fromkeys(_NUMBERS, "numbers"), "hidden_sectors_deg": "lists"}
"""Keys of a LiDAR that hold one entry per beam, or none, and what they hold."""


def _all_around(sectors: list[tuple[float, float]], start: float, swept: float) -> bool:
    """Whether these sectors [deg] cover all of a sweep from ``start`` over ``swept``, signed: past none of their ends anything is left."""
    unswept = [(start + swept, start + 360.0) if swept > 0 else (start, start + swept + 360.0)] if abs(swept) < 360.0 else []
    every = [(first, last - first if last - first >= 360.0 else (last - first) % 360.0) for first, last in [*sectors, *unswept]]
    ends = [first + span + 1e-6 for first, span in every]
    return bool(sectors) and all(any((end - first) % 360.0 <= span for first, span in every) for end in ends)


class LidarModel(Model):
    """A spinning LiDAR described by its beam table.

    Azimuths turn counter-clockwise seen from above, from the sensor's x axis. Columns of the organised scan share an azimuth: a beam that looks
    aside of the head fills a column some firings earlier or later than the others (``tailgate.geometry.firing``).

    Attributes:
        device: name of the device where this file describes one unit of it; by default the file's own name.
        source: datasheet or paper the table comes from.
        elevation_deg: elevation of each beam [deg], any order; ring index = position in this list.
        azimuth_offset_deg: azimuth of each beam relative to the head [deg]; one number per beam or empty for none.
        firing_us: moment of each beam's pulse after the first of its column [us]; one number per beam or empty where all fire at once.
        beam_height_m: height of each beam's origin above the sensor's [m]; one number per beam or empty for none. Ranges and elevations of a scan
            are those of its points as seen from the sensor's origin.
        range_offset_m: constant error of each beam's range [m], what the factory's calibration left; one number per beam, null where it is not known
            (the response's ``beam_bias`` draws it), or empty for all of them.
        azimuth_error_deg: constant error of each beam's reported azimuth [deg], likewise: the beam looks elsewhere, and points lie aside by so much.
        columns: firings per revolution.
        rate_hz: revolutions per second.
        range_min, range_max: [m].
        range_step: quantization of range [m], 0 for none.
        storage: what the format of recordings does to coordinates; absent: nothing.
        direction: sense of rotation seen from above, "cw" or "ccw".
        azimuth_start_deg, azimuth_fov_deg: first column's azimuth and the swept sector [deg].
        blind_sectors_deg: azimuth sectors from .. to [deg, counter-clockwise] in which nothing is fired or everything is masked.
        hidden_sectors_deg: the same for each beam, one list per beam or empty: what the vehicle hides of it, all of the turn for a dead one.
        divergence_mrad: horizontal and vertical full angle of the beam at 1/e^2 of its intensity [mrad].
        pulse_ns: length of the pulse at half maximum [ns]; echoes closer than half of it times the speed of light merge.
        sub_rays: rays traced per beam: 1 along its axis, or 7 over its ellipse (mixed pixels and several echoes, at seven times the cost).
        ghosts: follow the beam's axis into smooth metal and glass: one mirror image. Through glass every beam goes in any case.
        tracer: who follows the beams inside Isaac Sim: "tailgate" (this library on the open stage, with every effect of this file) or "rtx" (the
            simulator's own sensor). Elsewhere there is one tracer.
        returns: which echo of a firing the device reports; "dual" gives the strongest and the last, or the second strongest where they coincide;
            "two_strongest" the strongest and the second strongest.
        response: settings of the response model by parameter name (see ``tailgate.sensors``).
    """

    type: Literal["lidar"] = "lidar"
    device: str = ""
    source: str = ""
    elevation_deg: list[Annotated[float, Field(ge=-90, le=90)]] = Field(min_length=1, max_length=1024)
    azimuth_offset_deg: list[Angle] = []
    firing_us: list[Annotated[float, Field(ge=0, le=1e5)]] = []
    beam_height_m: list[Annotated[float, Field(ge=-10, le=10)]] = []
    range_offset_m: list[Annotated[float, Field(ge=-10, le=10)] | None] = []
    azimuth_error_deg: list[Angle] = []
    columns: int = Field(gt=0, le=16384)
    rate_hz: float = Field(10.0, ge=0.5, le=1000)
    range_min: float = Field(0.5, ge=0)
    range_max: float = Field(120.0, gt=0, le=10_000)
    range_step: float = Field(0.0, ge=0, le=10)
    storage: Storage | None = None
    direction: Literal["cw", "ccw"] = "cw"
    azimuth_start_deg: Angle = 180.0
    azimuth_fov_deg: float = Field(360.0, ge=0.1, le=360)
    blind_sectors_deg: list[tuple[Angle, Angle]] = []
    hidden_sectors_deg: list[list[tuple[Angle, Angle]]] = []
    divergence_mrad: tuple[Annotated[float, Field(ge=0, le=50)], Annotated[float, Field(ge=0, le=50)]] = (0.0, 0.0)
    pulse_ns: float = Field(6.0, gt=0, le=100)
    sub_rays: Literal[1, 7] = 1
    ghosts: bool = False
    tracer: Literal["tailgate", "rtx"] = "tailgate"
    returns: Literal["strongest", "last", "dual", "two_strongest"] = "strongest"
    response: dict[str, Setting] = {}

    @property
    def echoes(self) -> int:
        """Returns reported per firing."""
        return 2 if self.returns in ("dual", "two_strongest") else 1

    @property
    def pulse_range(self) -> float:
        """Range within which echoes of one pulse merge [m]."""
        return METRES_PER_NS * self.pulse_ns

    @classmethod
    def from_ouster(cls, path: str | Path) -> LidarModel:
        """The device that an Ouster ``metadata.json`` describes; see ``tailgate.config.ouster``."""
        from tailgate.config.ouster import OusterSource

        source = OusterSource(path)
        return validate(cls, source.data, source)

    @model_validator(mode="after")
    def _consistent(self) -> LidarModel:
        for name, what in PER_BEAM.items():
            values = getattr(self, name)
            if values and len(values) != len(self.elevation_deg):
                raise ValueError(f"{name} must hold {len(self.elevation_deg)} {what}, one per beam, got {len(values)}")
        if not self.range_min < self.range_max:
            raise ValueError(f"range_min must be below range_max, got {self.range_min} and {self.range_max}")
        sweep, late = 1e6 / self.rate_hz * self.azimuth_fov_deg / 360.0, max(self.firing_us, default=0.0)
        if late >= sweep / self.columns:
            most = max(math.ceil(sweep / late) - 1, 1)
            apart = f"one fires for {late:g} us (firing_us), {self.columns} are {sweep / self.columns:.4g} us apart"
            raise ValueError(f"columns must be at most {most} at {self.rate_hz:g} Hz, half as many for twice the rate of one device: {apart}")
        if _all_around(self.blind_sectors_deg, self.azimuth_start_deg, self.azimuth_fov_deg * (-1 if self.direction == "cw" else 1)):
            raise ValueError(f"blind_sectors_deg must leave a part of the sweep, got {[list(s) for s in self.blind_sectors_deg]}")
        if self.sub_rays > 1 and not any(self.divergence_mrad):
            raise ValueError("sub_rays must be 1 where divergence_mrad is not given, got 7")
        return self


SensorModel = Annotated[LidarModel | CameraModel, Field(discriminator="type")]


class Mount(Model):
    """Pose of a sensor in the rig frame (x forward, y left, z up, origin on the ground below the rig).

    ``rpy_deg`` turns the sensor's own natural frame: zero means a camera looking along +x or a LiDAR level with x forward.
    R = Rz(yaw) Ry(pitch) Rx(roll); positive pitch looks down.
    """

    xyz: tuple[Coordinate, Coordinate, Coordinate]
    rpy_deg: tuple[Angle, Angle, Angle] = (0.0, 0.0, 0.0)


class RigSensor(Model):
    """One sensor on the rig: a model (name of a file in configs/sensors, a path, or inline) and where it sits."""

    model: str | SensorModel
    mount: Mount


class Rig(Model):
    """The sensors of a vehicle, robot or stand by names that files can have; ``from`` reads them from a dataset's calibration instead."""

    name: str = ""
    sensors: dict[Name, RigSensor] = Field(min_length=1)
