"""What a frame leaves for its judges: additive sketches per place block, object crops and integrity codes. One small file per frame."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tailgate.frames import Frame
from tailgate.validate.crops import Crop, CropSource, camera_crops, lidar_crops, pack, unpack
from tailgate.validate.depth_statistics import DEPTH_STATISTICS, depth_sketches
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches
from tailgate.validate.object_statistics import OBJECT_STATISTICS, object_sketches
from tailgate.validate.sketch import Sketch, Statistic

MODALITIES: dict[str, dict[str, Statistic]] = {"lidar": {**LIDAR_STATISTICS, **OBJECT_STATISTICS}, "rgbd": DEPTH_STATISTICS}
"""Statistics by modality."""
STATISTICS: dict[str, Statistic] = {name: statistic for own in MODALITIES.values() for name, statistic in own.items()}
"""Every statistic by name."""


@dataclass
class Evidence:
    """Measurements of one frame.

    Attributes:
        blocks: one sketch per place block: an azimuth sector of a scan, a depth image.
        crops: objects as each sensor saw them.
        codes: integrity failures, empty for a sound frame.
    """

    blocks: list[Sketch] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    @property
    def total(self) -> Sketch:
        """Sum of the blocks."""
        return Sketch.total(self.blocks)

    def save(self, path: Path) -> None:
        """Write one npz file (temporary name, fsync, rename)."""
        arrays = {f"crop_{k}": v for k, v in pack(self.crops).items()}
        for i, block in enumerate(self.blocks):
            arrays.update({f"block_{i:04d}_{name}": counts for name, counts in block.counts.items()})
        arrays["blocks"] = np.array(len(self.blocks))
        arrays["codes"] = np.array(self.codes, dtype=np.str_)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            blocks = [Sketch() for _ in range(int(arrays["blocks"]))]
            crops = {}
            for name in arrays.files:
                if name.startswith("block_"):
                    blocks[int(name[6:10])].counts[name[11:]] = arrays[name]
                elif name.startswith("crop_"):
                    crops[name[5:]] = arrays[name]
            return cls(blocks, unpack(crops), [str(c) for c in arrays["codes"]])


@dataclass(frozen=True)
class Cut:
    """How synthetic frames are cut so that they hold what the labels of a kind of reference hold.

    Attributes:
        axes: axes of RGB-D crops; "camera_up" where the reference has no boxes.
        surfaces: labelled surfaces that count beside objects; None for all.
    """

    axes: str | None = None
    surfaces: tuple[str, ...] | None = None

    def apply(self, frame: Frame) -> Frame:
        """The frame with other surfaces unlabelled."""
        if self.surfaces is None:
            return frame
        kept = [frame.labels[s] for s in self.surfaces if s in frame.labels]
        sensors = {}
        for name, sensor in frame.sensors.items():
            channels = dict(sensor.channels)
            if sensor.kind == "camera":
                semantic, instance = (np.asarray(channels[c]) for c in ("semantic_segmentation", "instance_segmentation"))
                channels["semantic_segmentation"] = np.where((instance > 0) | np.isin(semantic, kept), semantic, 0).astype(np.uint32)
            sensors[name] = replace(sensor, channels=channels)
        return replace(frame, sensors=sensors)


CUTS = {"mosd": Cut("camera_up", ("table",))}
"""By kind of reference."""


def measure(frame: Frame, name: str, group: str, cut: Cut = Cut()) -> Evidence:
    """Measure one frame, real or synthetic, through the same code. A camera's depth is judged where it is a measurement (channel ``valid``).

    Args:
        frame: with responses applied.
        name: frame name, part of each crop's seed.
        group: recording or clip; crops of one group are never compared in a null.
        cut: for synthetic frames, what the reference's labels hold.
    """
    frame = cut.apply(frame)
    evidence = Evidence(codes=integrity(frame))
    source = CropSource(name, group)
    for sensor in frame.sensors.values():
        if sensor.kind == "lidar":
            evidence.blocks += [a + b for a, b in zip(lidar_sketches(sensor), object_sketches(sensor, frame.objects), strict=True)]
            evidence.crops += lidar_crops(sensor, frame.objects, source)
        elif "valid" in sensor.channels:
            evidence.blocks += depth_sketches(sensor)
            evidence.crops += camera_crops(sensor, frame.objects, source, cut.axes)
    return evidence


def integrity(frame: Frame) -> list[str]:
    """Codes of what makes a frame unusable: nothing seen, values that are not numbers, pixels and boxes that disagree."""
    codes = []
    for sensor in frame.sensors.values():
        if sensor.kind == "lidar":
            ranges = np.asarray(sensor.channel("range"))
            if not (ranges > 0).any():
                codes.append("empty_scan")
            if not np.isfinite(ranges).all():
                codes.append("not_a_number")
        elif np.ptp(np.asarray(sensor.channel("rgb"))[..., :3]) == 0:
            codes.append("empty_image")
        if sensor.kind == "camera" and not _masks_match_boxes(sensor, frame):
            codes.append("mask_box_mismatch")
    return sorted(set(codes))


def _masks_match_boxes(sensor, frame: Frame) -> bool:
    """Whether each tight box is the box of the object's visible pixels (real frames have no boxes and pass)."""
    if "instance_segmentation" not in sensor.channels or not len(frame.objects) or not (sensor.view.visible > 0).any():
        return True
    ids = np.asarray(sensor.channel("instance_segmentation"))
    counts = np.bincount(ids.ravel(), minlength=int(frame.objects.instance.max()) + 1)
    return bool((counts[frame.objects.instance] == sensor.view.visible).all())
