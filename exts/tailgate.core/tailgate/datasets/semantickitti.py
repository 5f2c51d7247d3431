"""SemanticKITTI (Behley et al. 2019): ``sequences/NN/{velodyne,labels,poses.txt,calib.txt,times.txt}`` and the label names as YAML."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.config.load import dump
from tailgate.datasets.basicwriter import colours
from tailgate.datasets.files import write_bytes
from tailgate.datasets.shared import firing_table
from tailgate.errors import TailgateError
from tailgate.frames import Frame

APART = 1000.0
"""Time [s] between two scenes of one sequence: their scans are no neighbours."""


class SemanticKittiWriter:
    """Streams frames. A clip of several frames has a sequence per LiDAR of its own, and the others share one per LiDAR.

    ``velodyne``: float32 x, y, z [m, sensor frame], intensity 0..1. ``labels``: uint32 per point, semantic id in the lower 16 bits (0 unlabeled),
    instance in the upper. ``Tr`` is the identity, so ``poses.txt`` holds world from LiDAR. The files know no times of points: those of a sensor under
    way lie where its sweep began, as does the pose. Times rise within a sequence: a stamp that jitter puts before the one before is written just
    after it. Clips are different
    scenes, each with a world of its own: in a shared sequence no scan has to do with the next, and they lie ``APART``. ``frames.txt`` names the
    frames.

    Args:
        folder: an empty folder.
        clips: those of which several frames come, see ``FrameId.clip``.
    """

    name = "semantickitti"
    needs = ("lidar",)
    lenses = True

    def __init__(self, folder: Path, clips: Collection[str] = ()):
        self.folder, self._clips, self._count = folder, clips, 0
        self._labels: dict[str, int] = {}
        self._poses: dict[str, list[str]] = {}
        self._times: dict[str, list[int]] = {}
        self._frames: dict[str, list[str]] = {}
        self._sequence: dict[tuple[str, str], str] = {}

    def add(self, frame: Frame) -> list[str]:
        """Write one frame; returns its files, relative to the folder."""
        self._learn(frame)
        files = []
        for name, sensor in ((n, s) for n, s in frame.sensors.items() if s.kind == "lidar"):
            own = frame.id.clip if frame.id.clip in self._clips else ""
            sequence = self._sequence.setdefault((own, name), f"{len(self._sequence):02d}")
            scans = len(self._frames.setdefault(sequence, []))
            number, start = f"{scans:06d}", 0 if own else scans * round(1e9 * APART)
            points = firing_table(sensor)
            cloud = np.concatenate([points["xyz"], points["intensity"][:, None].astype(np.float32)], axis=1)
            data = {"velodyne": (cloud.astype("<f4"), "bin"), "labels": (packed_labels(frame, points), "label")}
            for part, (array, suffix) in data.items():
                files.append(f"sequences/{sequence}/{part}/{number}.{suffix}")
                write_bytes(self.folder / files[-1], array.tobytes())
            pose = np.asarray(sensor.T_world_sensor)[0][:3].ravel()
            self._poses.setdefault(sequence, []).append(" ".join(f"{v:.9e}" for v in pose))
            times = self._times.setdefault(sequence, [])
            times.append(max(start + int(sensor.t_start), times[-1] + 1) if times else start + int(sensor.t_start))
            self._frames[sequence].append(str(frame.id))
        self._count += 1
        return files

    def finish(self) -> dict[str, Any]:
        """Write poses, calibration, times and label names; returns a summary."""
        tr = " ".join(f"{v:.9e}" for v in np.eye(4)[:3].ravel())
        for sequence, poses in self._poses.items():
            times = [f"{t * 1e-9:.9f}" for t in self._times[sequence]]
            texts = {"poses": poses, "calib": [f"Tr: {tr}"], "times": times, "frames": self._frames[sequence]}
            for name, lines in texts.items():
                write_bytes(self.folder / "sequences" / sequence / f"{name}.txt", "".join(f"{line}\n" for line in lines).encode())
        write_bytes(self.folder / "semantic-kitti.yaml", dump(self._names()).encode())
        return {"frames": self._count, "sequences": sorted(self._poses)}

    def _names(self) -> dict[str, Any]:
        names = {0: "unlabeled"} | {i: name for name, i in sorted(self._labels.items(), key=lambda item: item[1])}
        same = {i: i for i in names}
        return {
            "labels": names,
            "color_map": {i: colours(np.array([i]))[0, 2::-1].tolist() for i in names},
            "learning_map": same,
            "learning_map_inv": same,
            "learning_ignore": {i: i == 0 for i in names},
            "split": {"train": [int(s) for s in sorted(self._poses)], "valid": [], "test": []},
        }

    def _learn(self, frame: Frame) -> None:
        for name, i in frame.labels.items():
            if self._labels.setdefault(name, int(i)) != int(i) or not 0 <= i < 65536:
                raise TailgateError(f"frame {frame.id}: label '{name}' must keep one id below 65,536, got {i} after {self._labels[name]}")


def packed_labels(frame: Frame, points: dict[str, np.ndarray]) -> np.ndarray:
    """Semantic id and instance of each point in one uint32 [n]."""
    instance = points["instance"].astype(np.uint32)
    if instance.size and int(instance.max()) > 65535:
        raise TailgateError(f"frame {frame.id}: SemanticKITTI holds instances up to 65,535, got {int(instance.max())}")
    return (instance << np.uint32(16) | points["semantic"].astype(np.uint32) & np.uint32(0xFFFF)).astype("<u4")
