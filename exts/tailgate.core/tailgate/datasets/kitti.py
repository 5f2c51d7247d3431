"""KITTI object data (Geiger et al. 2012): ``training/{image_2,velodyne,label_2,calib}`` and ``ImageSets/train.txt``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from tailgate.config.rig import T_FORWARD_OPTICAL
from tailgate.datasets.boxes import boxes_in_sensor, inverse, levelling
from tailgate.datasets.files import write_bytes
from tailgate.datasets.shared import firing_table, picture
from tailgate.frames import Frame, SensorFrame, host

_LEVELS = (0.1, 0.5)
"""Occluded shares up to which an object is "fully visible" (0) and "partly occluded" (1); above it is "largely occluded" (2)."""


class KittiWriter:
    """Streams frames into KITTI's layout: the rig's first camera, its first LiDAR.

    KITTI boxes know a heading only, about the camera's vertical axis. A real rectified camera is nearly level; ours may be tilted, so ``R0_rect``
    turns the camera frame upright and ``P2`` = K R0_rect⁻¹ turns it back: labels lie in the upright frame, and projecting them is exact. Labelled
    are objects with at least one visible pixel; ``Tr_velo_to_cam`` is the pose at t_start.

    Args:
        folder: an empty folder.
        aboard: sensor name -> kind, of all on the rig: a frame without its first camera is passed over. Empty: those of each frame.
    """

    name = "kitti"
    needs = ("camera",)
    lenses = False

    def __init__(self, folder: Path, aboard: Mapping[str, str] = MappingProxyType({})):
        self.folder, self._aboard, self._count, self._labels = folder, aboard, 0, 0

    def add(self, frame: Frame) -> list[str]:
        """Write one frame; returns its files, relative to the folder."""
        number = f"{self._count:06d}"
        aboard = self._aboard or {name: sensor.kind for name, sensor in frame.sensors.items()}
        camera, lidar = (frame.sensors.get(next((n for n, k in aboard.items() if k == kind), "")) for kind in ("camera", "lidar"))
        if camera is None:
            return []
        rows = label_rows(frame, camera)
        files = {
            f"training/image_2/{number}.png": picture(camera),
            f"training/label_2/{number}.txt": "".join(f"{r}\n" for r in rows).encode(),
            f"training/calib/{number}.txt": calibration(camera, lidar).encode(),
        }
        if lidar:
            points = firing_table(lidar)
            cloud = np.concatenate([points["xyz"], points["intensity"][:, None].astype(np.float32)], axis=1)
            files[f"training/velodyne/{number}.bin"] = cloud.astype("<f4").tobytes()
        for name, data in files.items():
            write_bytes(self.folder / name, data)
        self._count, self._labels = self._count + 1, self._labels + len(rows)
        return list(files)

    def finish(self) -> dict[str, Any]:
        """Write the list of frames; returns a summary."""
        write_bytes(self.folder / "ImageSets" / "train.txt", "".join(f"{i:06d}\n" for i in range(self._count)).encode())
        return {"frames": self._count, "labels": self._labels}


def label_rows(frame: Frame, camera: SensorFrame) -> list[str]:
    """Lines of ``label_2``: type, truncated, occluded level, alpha, 2-D box, h w l [m], bottom centre x y z [m], rotation_y [rad]."""
    level = np.eye(4)
    level[:3, :3] = levelling(np.asarray(camera.T_world_sensor)[0])
    poses, view, rows = level @ boxes_in_sensor(frame, camera), camera.view, []
    for row in np.flatnonzero(host(view.visible) > 0):
        length, width, height = np.asarray(frame.objects.size)[row]
        x, y, z = poses[row][:3, 3]
        axis = poses[row][:3, 0]
        heading = float(np.arctan2(-axis[2], axis[0]))
        alpha = float(np.arctan2(np.sin(heading - np.arctan2(x, z)), np.cos(heading - np.arctan2(x, z))))
        numbers = [*map(float, view.bbox_tight[row]), height, width, length, x, y + height / 2, z, heading]
        kind = "_".join(frame.objects.class_name[row].split())
        state = f"{kind} {float(view.truncated[row]):.2f} {int(np.searchsorted(_LEVELS, view.occluded[row]))} {alpha:.4f}"
        rows.append(f"{state} {' '.join(f'{v:.4f}' for v in numbers)}")
    return rows


def calibration(camera: SensorFrame, lidar: SensorFrame | None) -> str:
    """Text of ``calib``: P0..P3 (all the one camera), R0_rect, Tr_velo_to_cam, Tr_imu_to_velo. Without a LiDAR its frame is the camera's place."""
    T_world_camera = np.asarray(camera.T_world_sensor)[0]
    rectify = levelling(T_world_camera)
    P = np.concatenate([camera.intrinsics.matrix @ rectify.T, np.zeros((3, 1))], axis=1)
    T_camera_lidar = inverse(T_world_camera) @ np.asarray(lidar.T_world_sensor)[0] if lidar else inverse(T_FORWARD_OPTICAL)
    rows = {f"P{i}": P for i in range(4)} | {"R0_rect": rectify, "Tr_velo_to_cam": T_camera_lidar[:3], "Tr_imu_to_velo": np.eye(4)[:3]}
    return "".join(f"{name}: {' '.join(f'{v:.12e}' for v in np.ravel(values))}\n" for name, values in rows.items())
