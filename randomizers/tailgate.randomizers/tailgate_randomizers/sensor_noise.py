"""sensor_noise.response: the parameters of every sensor's response in this clip."""

from __future__ import annotations

from typing import ClassVar

from tailgate.config.setting import Setting
from tailgate.randomize.protocol import BaseRandomizer, Drawn, SampleContext, Streams


class Response(BaseRandomizer):
    """Fills ``sample.sensors``; the settings default to the ``response`` section of each sensor model of the rig.

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
            sensor, _, parameter = name.partition(".")
            value = draw(name)
            sensors[sensor].update(value if isinstance(value, dict) else {parameter: value})
        return Drawn({"sensors": sensors}, draw.draws, sensors=sensors)
