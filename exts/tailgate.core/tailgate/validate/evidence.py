"""What a frame leaves for its judges: additive sketches per place block, object crops, integrity codes and a signature of each sensor's picture. One
small file per frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tailgate.frames import Frame, host
from tailgate.validate.backbones import Backbone
from tailgate.validate.bundle import load_arrays, save_arrays
from tailgate.validate.crops import Crop, CropSource, camera_crops, lidar_crops, pack, unpack
from tailgate.validate.depth_statistics import DEPTH_STATISTICS, depth_sketches
from tailgate.validate.duplicates import signature
from tailgate.validate.fit_statistics import loss_sketches
from tailgate.validate.integrity import integrity
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches, measure_cells
from tailgate.validate.object_statistics import OBJECT_STATISTICS, object_sketches
from tailgate.validate.sketch import Sketch, Statistic

MODALITIES: dict[str, dict[str, Statistic]] = {"lidar": {**LIDAR_STATISTICS, **OBJECT_STATISTICS}, "rgbd": DEPTH_STATISTICS}
"""Statistics that gate, by modality."""
STATISTICS: dict[str, Statistic] = {name: statistic for own in MODALITIES.values() for name, statistic in own.items()}
"""Every statistic that gates, by name."""


@dataclass
class Evidence:
    """Measurements of one frame.

    Attributes:
        blocks: one sketch per place block: an azimuth sector of a scan, a depth image.
        crops: objects as each sensor saw them.
        codes: integrity failures, empty for a sound frame.
        signature: difference hash of each sensor, uint8 [sensors, 32].
        times: sensor -> start after the frame's first sensor, and duration [ms]; empty where the source has no clock.
        weather: that the frame was taken in; empty where nobody says.
    """

    blocks: list[Sketch] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    signature: np.ndarray = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    weather: str = ""

    @property
    def total(self) -> Sketch:
        """Sum of the blocks."""
        return Sketch.total(self.blocks)

    def save(self, path: Path) -> None:
        """Write one npz file, see ``bundle``."""
        arrays = {f"crop_{k}": v for k, v in pack(self.crops).items()}
        for i, block in enumerate(self.blocks):
            arrays.update({f"block_{i:04d}_{name}": counts for name, counts in block.counts.items()})
        arrays["blocks"] = np.array(len(self.blocks))
        arrays["codes"] = np.array(self.codes, dtype=np.str_)
        arrays["signature"], arrays["weather"] = self.signature, np.array(self.weather, dtype=np.str_)
        arrays["clocks"] = np.array(list(self.times), dtype=np.str_)
        arrays["times"] = np.array(list(self.times.values()), dtype=float).reshape(-1, 2)
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what ``save`` wrote."""
        arrays = load_arrays(path)
        blocks = [Sketch() for _ in range(int(arrays["blocks"]))]
        crops = {}
        for name, values in arrays.items():
            if name.startswith("block_"):
                blocks[int(name[6:10])].counts[name[11:]] = values
            elif name.startswith("crop_"):
                crops[name[5:]] = values
        times = {str(name): (float(a), float(b)) for name, (a, b) in zip(arrays["clocks"], arrays["times"], strict=True)}
        return cls(blocks, unpack(crops), [str(c) for c in arrays["codes"]], arrays["signature"], times, str(arrays["weather"]))


@dataclass(frozen=True)
class Cut:
    """How synthetic frames are cut so that they hold what the labels of a kind of reference hold.

    Attributes:
        axes: axes of RGB-D crops; "camera_up" where the reference has no boxes.
        surfaces: labelled surfaces that count beside objects; None for all.
        lidar_axes: axes of LiDAR crops; "view" where the reference has no boxes.
    """

    axes: str | None = None
    surfaces: tuple[str, ...] | None = None
    lidar_axes: str | None = None

    def apply(self, frame: Frame) -> Frame:
        """The frame with other surfaces unlabelled."""
        if self.surfaces is None:
            return frame
        kept = [frame.labels[s] for s in self.surfaces if s in frame.labels]
        sensors = {}
        for name, sensor in frame.sensors.items():
            channels = dict(sensor.channels)
            if sensor.kind == "camera":
                semantic, instance = (host(channels[c]) for c in ("semantic_segmentation", "instance_segmentation"))
                channels["semantic_segmentation"] = np.where((instance > 0) | np.isin(semantic, kept), semantic, 0).astype(np.uint32)
            sensors[name] = replace(sensor, channels=channels)
        return replace(frame, sensors=sensors)


CUTS = {"mosd": Cut("camera_up", ("table",)), "semantickitti": Cut(lidar_axes="view")}
"""By kind of reference."""


def measure(frame: Frame, name: str, group: str, cut: Cut = Cut(), backbone: Backbone | None = None, fitted: bool = False) -> Evidence:
    """Measure one frame, real or synthetic, through the same code. A camera's depth is judged where it is a measurement (channel ``valid``).

    Args:
        frame: with responses applied.
        name: frame name, part of each crop's seed.
        group: recording, part of one, or clip. Crops of one group are never compared in a null; the group of a tracked object is its track.
        cut: for synthetic frames, what the reference's labels hold.
        backbone: one that looks at whole images or scans leaves its features in the crops; others look at the crops when they are judged.
        fitted: whether responses are fitted to this frame: losses are then counted as finely as a fit needs them.
    """
    frame = cut.apply(frame)
    weather = frame.conditions.get("weather", "")
    evidence = Evidence(frame_blocks(frame, fitted), codes=integrity(frame), signature=signature(frame), times=_times(frame), weather=weather)
    source = CropSource(name, [f"{group.partition('#')[0]} {t}" for t in frame.objects.track] or group)
    for sensor in frame.sensors.values():
        if sensor.kind == "lidar":
            evidence.crops += lidar_crops(sensor, frame.objects, source, cut.lidar_axes, backbone and backbone.map(sensor))
        elif "valid" in sensor.channels:
            evidence.crops += camera_crops(sensor, frame.objects, source, cut.axes, backbone and backbone.map(sensor))
    return evidence


def frame_blocks(frame: Frame, fitted: bool = False) -> list[Sketch]:
    """Sketches of a frame: one per azimuth sector of each scan, one per measured depth image; ``fitted`` as in ``measure``."""
    blocks = []
    for sensor in frame.sensors.values():
        if sensor.kind == "lidar":
            cells = measure_cells(sensor)
            parts = [lidar_sketches(sensor, cells=cells), object_sketches(sensor, frame.objects)]
            parts += [loss_sketches(sensor, cells)] if fitted else []
            blocks += [Sketch.total(of_sector) for of_sector in zip(*parts, strict=True)]
        elif "valid" in sensor.channels:
            blocks += depth_sketches(sensor)
    return blocks


def _times(frame: Frame) -> dict[str, tuple[float, float]]:
    """When each sensor measured; nothing where all stamps are equal, as of a source without a clock."""
    first = min((s.t_start for s in frame.sensors.values()), default=0)
    times = {name: ((s.t_start - first) / 1e6, (s.t_end - s.t_start) / 1e6) for name, s in frame.sensors.items()}
    return times if any(t != (0.0, 0.0) for t in times.values()) else {}
