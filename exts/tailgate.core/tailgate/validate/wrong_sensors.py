"""Which sensors a negative control touches."""

from __future__ import annotations

from tailgate.frames import SensorFrame


def kind_of(sensor: SensorFrame) -> str | None:
    """Kind of controls that apply to a sensor: "lidar", "rgbd" where the depth is a measurement (channel ``valid``), else None."""
    if sensor.kind == "lidar":
        return "lidar"
    return "rgbd" if "valid" in sensor.channels else None
