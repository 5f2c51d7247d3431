"""3-D boxes as each format wants them: in a sensor's frame, upright, with a heading."""

from __future__ import annotations

import numpy as np

from tailgate.frames import Frame, SensorFrame, host
from tailgate.geometry.firing import pose_at


def inverse(T: np.ndarray) -> np.ndarray:
    """Inverse of a rigid transform, float64 [4, 4]."""
    out = np.eye(4)
    out[:3, :3] = T[:3, :3].T
    out[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return out


def poses_seen(camera: SensorFrame) -> np.ndarray:
    """T_world_camera at which each object was seen, float64 [N, 4, 4]: that of the row in the middle of its visible pixels, for a rolling shutter."""
    poses, rows = np.asarray(camera.T_world_sensor, np.float64), host(camera.view.bbox_tight)[:, 1::2].mean(axis=1)
    shares = np.clip(rows / max(camera.intrinsics.height - 1, 1), 0.0, 1.0)
    return np.array([pose_at(poses, float(share)) for share in shares]).reshape(-1, 4, 4)


def boxes_in_camera(frame: Frame, camera: SensorFrame) -> np.ndarray:
    """T_camera_box of every object where the camera was when it saw it, float64 [N, 4, 4]."""
    boxes = np.asarray(frame.objects.T_world_box).reshape(-1, 4, 4)
    return np.array([inverse(T) @ box for T, box in zip(poses_seen(camera), boxes, strict=True)]).reshape(-1, 4, 4)


def levelling(T_world_camera: np.ndarray) -> np.ndarray:
    """R_level_camera [3, 3]: turns the optical frame about its own origin until y points straight down and z stays ahead.

    A camera that looks straight down keeps its x axis instead. A level camera gives the identity.
    """
    down = T_world_camera[:3, :3].T @ [0.0, 0.0, -1.0]
    ahead = np.array([0.0, 0.0, 1.0]) - down[2] * down
    if np.linalg.norm(ahead) < 1e-6:
        right = np.array([1.0, 0.0, 0.0]) - down[0] * down
        right /= np.linalg.norm(right)
        return np.stack([right, down, np.cross(right, down)])
    ahead /= np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])


def corners(T_a_box: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The eight corners of a box in frame a [m], float64 [8, 3]; ``size`` = length, width, height."""
    signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    return (signs * size) @ T_a_box[:3, :3].T + T_a_box[:3, 3]


def ego_box(T_camera_box: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [m] and heading [rad] of a box in the camera's place with x forward, y left, z up, from its pose in a levelled optical frame."""
    x, y, z = T_camera_box[:3, 3]
    axis = T_camera_box[:3, 0]
    return np.array([z, -x, -y]), float(np.arctan2(-axis[0], axis[2]))
