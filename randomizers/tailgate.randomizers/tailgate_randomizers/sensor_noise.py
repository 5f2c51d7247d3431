"""sensor_noise.response: the parameters of every sensor's response in this clip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from tailgate.config.setting import Setting
from tailgate.distributions import Joint
from tailgate.randomize.protocol import BaseRandomizer, Drawn, PoolScene, SampleContext, Streams
from tailgate.stage.extract import RIG
from tailgate.stage.layers import FrameLayer


class Response(BaseRandomizer):
    """Fills ``sample.sensors``, mirrored as ``tailgate:response:<sensor>:<parameter>`` on the rig; the settings default to the ``response``
    section of each sensor model of the rig.

    Settings are called ``<sensor>.<parameter>``. A Joint distribution gives several parameters at once, named by its marginals.
    """

    name: ClassVar[str] = "sensor_noise.response"
    kind: ClassVar[str] = "sensor"
    level: ClassVar[str] = "sensor"

    def defaults(self) -> dict[str, Setting]:
        """The response settings of all sensors."""
        return {f"{name}.{parameter}": s for name, sensor in self.setup.rig.sensors.items() for parameter, s in sensor.model.response.items()}

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """One value per parameter."""
        draw = ctx.drawing(streams)
        sensors: dict[str, dict[str, float]] = {name: {} for name in self.setup.rig.sensors}
        for name in ctx.settings:
            sensor, _, parameter = name.rpartition(".")
            value = draw(name)
            sensors[sensor].update(value if isinstance(value, dict) else {parameter: value})
        return Drawn({"sensors": sensors}, draw.draws, sensors=sensors)

    def author(self, scene: PoolScene) -> None:
        """Declare the mirrored attributes."""
        for name, setting in self.defaults().items():
            sensor, _, parameter = name.rpartition(".")
            for one in setting.dist.marginals if isinstance(setting.dist, Joint) else [parameter]:
                scene.layers.frame.declare(mirror(sensor, one), "double", 0.0, custom=True)

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Mirror the values; parameters that the scenario file adds to a joint setting are not mirrored."""
        for sensor, parameters in values["sensors"].items():
            for parameter, value in parameters.items():
                if mirror(sensor, parameter) in frame.declared and isinstance(value, int | float):
                    frame.write(mirror(sensor, parameter), float(value))


def mirror(sensor: str, parameter: str) -> str:
    """Path of the attribute that mirrors one response parameter."""
    sensor, parameter = (re.sub(r"\W", "_", part) for part in (sensor, parameter))
    return f"{RIG}.tailgate:response:{sensor}:{parameter}"
