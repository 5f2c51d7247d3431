"""Rigs read from a dataset's own calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tailgate.config.load import inside
from tailgate.config.rig import T_FORWARD_OPTICAL, load_sensor
from tailgate.config.sensor import CameraModel, Mount, Rig, RigSensor
from tailgate.errors import UserError, Where, nearest
from tailgate.reference.av2 import EGO_HEIGHT, LIDARS, read_poses
from tailgate.reference.files import read_json
from tailgate.reference.kitti import VELODYNE_HEIGHT, read_calibration

AV2_CAMERA, AV2_SCALE = "ring_front_center", 0.25
"""The camera that goes on the rig, and its size relative to the real one."""


def rig_from(spec: str, data_root: str | Path) -> Rig:
    """Build a rig from a dataset's calibration.

    Args:
        spec: ``av2:<log folder or calibration.json>`` or ``kitti:<calib file or dataset folder>``, paths under ``data_root``.
        data_root: the folder the user names with ``--data`` or ``TAILGATE_DATA``.

    Returns:
        A rig with its origin on the road and the axes of the vehicle (AV2) or of the LiDAR (KITTI).

    Raises:
        UserError: another dataset, a path outside the root, or a missing or damaged file.
    """
    kind, _, path = spec.partition(":")
    builders = {"av2": _av2_rig, "kitti": _kitti_rig}
    if kind not in builders or not path:
        raise UserError(f"a rig from calibration must be '<dataset>:<path>'{nearest(kind, builders)}, got '{spec}'", Where(key="rig"))
    return builders[kind](inside(data_root, path, Where(key="rig")))


def mount_of(T_rig_sensor: np.ndarray, camera: bool) -> Mount:
    """Mount whose pose is ``T_rig_sensor`` [4, 4]; for a camera that is its optical frame. At a pitch of 90 deg roll is taken as 0."""
    R = T_rig_sensor[:3, :3] @ (T_FORWARD_OPTICAL[:3, :3].T if camera else np.eye(3))
    pitch = np.arcsin(np.clip(-R[2, 0], -1.0, 1.0))
    if abs(R[2, 0]) < 1 - 1e-9:
        roll, yaw = np.arctan2(R[2, 1], R[2, 2]), np.arctan2(R[1, 0], R[0, 0])
    else:
        roll, yaw = 0.0, np.arctan2(-R[0, 1], R[1, 1])
    rpy = tuple(float(v) for v in np.rad2deg([roll, pitch, yaw]))
    return Mount(xyz=tuple(float(v) for v in T_rig_sensor[:3, 3]), rpy_deg=rpy)


def _av2_rig(path: Path) -> Rig:
    file = path / "calibration.json" if path.is_dir() else path
    poses = read_poses(file)
    T_rig_ego = np.eye(4)
    T_rig_ego[2, 3] = EGO_HEIGHT
    for name in (*LIDARS, AV2_CAMERA):
        if name not in poses:
            raise UserError(f"must hold the pose of '{name}'{nearest(name, poses)}", Where(file, key="egovehicle_SE3_sensor"))
    sensors = {name: RigSensor(model="vlp32c_av2", mount=mount_of(T_rig_ego @ poses[name], camera=False)) for name in LIDARS}
    camera = _av2_camera(file)
    sensors[AV2_CAMERA] = RigSensor(model=camera, mount=mount_of(T_rig_ego @ poses[AV2_CAMERA], camera=True))
    return Rig(name="av2", sensors=sensors)


def _av2_camera(file: Path) -> CameraModel:
    """The front camera at a quarter of its size, without its lens distortion."""
    rows = {row.get("sensor_name"): row for row in read_json(file).get("intrinsics", [])}
    if AV2_CAMERA not in rows:
        raise UserError(f"must hold the intrinsics of '{AV2_CAMERA}'", Where(file, key="intrinsics"))
    row, scale = rows[AV2_CAMERA], AV2_SCALE
    try:
        return CameraModel(
            source="Argoverse 2 calibration; lens distortion is left out",
            width=int(row["width_px"] * scale),
            height=int(row["height_px"] * scale),
            fx=row["fx_px"] * scale,
            fy=row["fy_px"] * scale,
            cx=(row["cx_px"] + 0.5) * scale - 0.5,
            cy=(row["cy_px"] + 0.5) * scale - 0.5,
            rate_hz=20.0,
            response=load_sensor("camera_vga")[0].response,
        )
    except KeyError as error:
        raise UserError(f"the intrinsics of '{AV2_CAMERA}' lack {error}", Where(file, key="intrinsics")) from None


def _kitti_rig(path: Path) -> Rig:
    file = path
    if path.is_dir():
        found = sorted((path / "calib").glob("*.txt"))
        if not found:
            raise UserError(f"a KITTI calibration must be a file, or a folder with calib/*.txt, and {path} has none", Where(key="rig"))
        file = found[0]
    if not file.is_file():
        raise UserError(f"file not found: {file}", Where(key="rig"))
    calibration = read_calibration(file)
    T_rig_velo = np.eye(4)
    T_rig_velo[2, 3] = VELODYNE_HEIGHT
    K = calibration.K
    intrinsics = {"fx": float(K[0, 0]), "fy": float(K[1, 1]), "cx": float(K[0, 2]), "cy": float(K[1, 2])}
    camera = load_sensor("kitti_cam2")[0].model_copy(update=intrinsics)
    sensors = {
        "lidar": RigSensor(model="hdl64e_kitti", mount=mount_of(T_rig_velo, camera=False)),
        "camera": RigSensor(model=camera, mount=mount_of(T_rig_velo @ calibration.T_velo_cam2, camera=True)),
    }
    return Rig(name="kitti", sensors=sensors)
