"""labels.annotator: labels as people draw them, beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tailgate.config.setting import Setting
from tailgate.frames import Frame
from tailgate.randomize.protocol import BaseRandomizer, Drawn, SampleContext, Streams
from tailgate.rng import kernel_seed, rng

from tailgate_randomizers.make import ranged


class Annotator(BaseRandomizer):
    """Draws how careful the annotator of this clip is; ``annotate`` turns a frame's true labels into theirs.

    Objects are missed by a logistic law in the logarithm of their visible pixels and in their hidden share; box edges are off by a share of the
    object's size. Real sets show both: tight boxes of trained annotators agree to about IoU 0.9 and small or hidden objects are left out.
    """

    name: ClassVar[str] = "labels.annotator"
    kind: ClassVar[str] = "annotation"
    level: ClassVar[str] = "sensor"

    def defaults(self) -> dict[str, Setting]:
        """Edge error, size below which half the objects are missed, hidden share above which half are missed."""
        return {
            "edge_error": ranged(0.01, 0.06, shape=(2, 3)),
            "half_missed_px": ranged(20, 250, "px", log=True),
            "half_missed_hidden": ranged(0.7, 0.97),
            "box_error_m": ranged(0.01, 0.12, "m", shape=(2, 3)),
            "yaw_error_deg": ranged(0.5, 6, "deg", shape=(2, 3)),
        }

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """The annotator's parameters and seed."""
        draw = ctx.drawing(streams)
        values: dict[str, Any] = {name: draw(name) for name in ctx.settings}
        values["seed"] = kernel_seed(streams.run_seed, streams.scenario, streams.round, streams.index, streams.attempt, streams.component)
        return Drawn(values, draw.draws)

    def annotate(self, frame: Frame, values: Mapping[str, Any]) -> dict[str, Any]:
        """Human-like labels of a frame, by sensor.

        Returns:
            For every camera one row per noticed object: ``instance``, ``class`` and ``bbox`` (x_min, y_min, x_max, y_max) [px]; for every LiDAR
            ``instance``, ``class``, ``centre`` [m], ``size`` [m] and ``yaw_deg`` in the world.
        """
        out: dict[str, Any] = {}
        for name, sensor in frame.sensors.items():
            rows = []
            for i, label in enumerate(frame.objects.class_name):
                instance = int(frame.objects.instance[i])
                generator = rng(int(values["seed"]), frame.id.scenario, frame.id.tick, instance, 0, self.name, name)
                visible, hidden = int(sensor.view.visible[i]), float(sensor.view.occluded[i])
                if visible > 0 and _noticed(values, visible * (1 if sensor.kind == "camera" else 10), hidden, generator):
                    rows.append({"instance": instance, "class": label, **_drawn_box(frame, name, i, values, generator)})
            out[name] = rows
        return out


def _noticed(values: Mapping[str, Any], pixels: int, hidden: float, generator: np.random.Generator) -> bool:
    by_size = 1.0 / (1.0 + (values["half_missed_px"] / pixels) ** 2)
    by_hiding = 1.0 / (1.0 + np.exp((hidden - values["half_missed_hidden"]) / 0.05))
    return bool(generator.random() < by_size * by_hiding)


def _drawn_box(frame: Frame, sensor: str, row: int, values: Mapping[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    view = frame.sensors[sensor]
    if view.kind == "camera":
        box = np.asarray(view.view.bbox_tight[row], float)
        extent = np.tile(box[2:] - box[:2] + 1, 2)
        moved = box + generator.standard_normal(4) * values["edge_error"] * extent
        limit = np.tile([view.intrinsics.width - 1, view.intrinsics.height - 1], 2)
        moved = np.clip(moved, 0, limit)
        return {"bbox": [round(float(v), 2) for v in (*np.minimum(moved[:2], moved[2:]), *np.maximum(moved[:2], moved[2:]))]}
    T, size = frame.objects.T_world_box[row], frame.objects.size[row]
    centre = T[:3, 3] + generator.standard_normal(3) * values["box_error_m"]
    wrong = np.maximum(size + generator.standard_normal(3) * values["box_error_m"], 0.05)
    yaw = np.degrees(np.arctan2(T[1, 0], T[0, 0])) + generator.standard_normal() * values["yaw_error_deg"]
    return {"centre": [round(float(v), 4) for v in centre], "size": [round(float(v), 4) for v in wrong], "yaw_deg": round(float(yaw), 3)}
