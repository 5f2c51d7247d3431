"""KITTI object data (Geiger et al. 2012): ``training/{image_2,velodyne,label_2,calib}`` and ``ImageSets/train.txt``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from tailgate.config.rig import T_FORWARD_OPTICAL
from tailgate.datasets.boxes import boxes_in_camera, inverse, levelling, poses_seen
from tailgate.datasets.files import write_bytes
from tailgate.datasets.shared import firing_table, firing_table_order, picture, still, stored
from tailgate.frames import Frame, SensorFrame, host
from tailgate.geometry.firing import pose_at

_LEVELS = (0.1, 0.5)
"""Occluded shares up to which an object is "fully visible" (0) and "partly occluded" (1); above it is "largely occluded" (2)."""


class KittiWriter:
    """Streams frames into KITTI's layout: the rig's first camera, its first LiDAR.

    KITTI boxes know a heading only, about the camera's vertical axis. A real rectified camera is nearly level; ours may be tilted, so ``R0_rect``
    turns the camera frame upright and ``P2`` = K R0_rect⁻¹ turns it back: labels lie in the upright frame, and projecting them is exact. Labelled
    are objects with at least one visible pixel; ``Tr_velo_to_cam`` is the pose at t_start. The files know no times: points and boxes of a rig under
    way lie as if it had stood still, see ``cloud``.

    Args:
        folder: an empty folder.
        aboard: sensor name -> kind, of all on the rig: a frame without its first camera or first LiDAR is passed over. Empty: those of each frame.
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
        firsts = [next((n for n, k in aboard.items() if k == kind), None) for kind in ("camera", "lidar")]
        if firsts[0] is None or any(name is not None and name not in frame.sensors for name in firsts):
            return []
        camera, lidar = (frame.sensors[name] if name is not None else None for name in firsts)
        rows = label_rows(frame, camera)
        files = {
            f"training/image_2/{number}.png": picture(camera),
            f"training/label_2/{number}.txt": "".join(f"{r}\n" for r in rows).encode(),
            f"training/calib/{number}.txt": calibration(camera, lidar).encode(),
        }
        if lidar:
            points = cloud(frame, camera, lidar)
            table = np.concatenate([points["xyz"], points["intensity"][:, None].astype(np.float32)], axis=1)
            files[f"training/velodyne/{number}.bin"] = table.astype("<f4").tobytes()
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
    poses, view, rows = level @ boxes_in_camera(frame, camera), camera.view, []
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


def cloud(frame: Frame, camera: SensorFrame, lidar: SensorFrame) -> dict[str, np.ndarray]:
    """``SensorFrame.points`` as from a rig that stood still, in ``firing_table_order``.

    All lie in the LiDAR's frame where the sweep began. Under a rolling shutter an image has no such moment of its own: points of each visible object
    lie where that object's box is, seen from the row in its middle, all others as seen from the middle row.
    """
    poses = np.asarray(camera.T_world_sensor, np.float64)
    if np.array_equal(*poses):
        return firing_table(lidar)
    points, T_world_lidar = still(lidar), np.asarray(lidar.T_world_sensor, np.float64)[0]
    T_camera_lidar = inverse(poses[0]) @ T_world_lidar
    seen_from = np.array([pose_at(poses, 0.5), *poses_seen(camera)])
    moves = np.array([inverse(T @ T_camera_lidar) @ T_world_lidar for T in seen_from])
    visible = host(camera.view.visible) > 0
    rows = {int(i): row for row, i in enumerate(frame.objects.instance, 1) if visible[row - 1]}
    move = moves[[rows.get(int(i), 0) for i in points["instance"]]]
    xyz = np.einsum("nij,nj->ni", move[:, :3, :3], points["xyz"].astype(np.float64)) + move[:, :3, 3]
    return firing_table_order({**points, "xyz": stored(lidar, xyz)})


def calibration(camera: SensorFrame, lidar: SensorFrame | None) -> str:
    """Text of ``calib``: P0..P3 (all the one camera), R0_rect, Tr_velo_to_cam, Tr_imu_to_velo. Without a LiDAR its frame is the camera's place."""
    T_world_camera = np.asarray(camera.T_world_sensor)[0]
    rectify = levelling(T_world_camera)
    P = np.concatenate([camera.intrinsics.matrix @ rectify.T, np.zeros((3, 1))], axis=1)
    T_camera_lidar = inverse(T_world_camera) @ np.asarray(lidar.T_world_sensor)[0] if lidar else inverse(T_FORWARD_OPTICAL)
    rows = {f"P{i}": P for i in range(4)} | {"R0_rect": rectify, "Tr_velo_to_cam": T_camera_lidar[:3], "Tr_imu_to_velo": np.eye(4)[:3]}
    return "".join(f"{name}: {' '.join(f'{v:.12e}' for v in np.ravel(values))}\n" for name, values in rows.items())
