"""Where a sensor is a moment later."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tailgate.config.rig import MountedSensor
from tailgate.errors import UserError


def carried_on(mounted: MountedSensor, pose: np.ndarray, hints: Mapping[str, float], seconds: float) -> np.ndarray:
    """World pose of a sensor [4, 4] this long after it had ``pose``: the rig runs along an arc at the hinted speed and turns about the world's
    vertical at the hinted rate. It sets out along its own x axis, or ``ego_course`` [deg] to the left of it and ``ego_climb`` [deg] above.

    Raises:
        UserError: a turn by 180 deg or more, whose sense two poses no longer tell.
    """
    angle = np.deg2rad(hints.get("ego_yaw_rate", 0.0)) * seconds
    if abs(angle) >= np.pi:
        turned = f"{hints['ego_yaw_rate']:g} deg/s over the {seconds:g} s of one sweep or readout"
        raise UserError(f"ego_yaw_rate must turn the rig by less than 180 deg while '{mounted.model_name}' looks once, got {turned}")
    way = hints.get("ego_speed", 0.0) * seconds
    if not angle and not way:
        return pose
    T_world_rig = pose @ np.linalg.inv(mounted.T_rig_sensor)
    course, climb = (np.deg2rad(hints.get(name, 0.0)) for name in ("ego_course", "ego_climb"))
    ahead = T_world_rig[:3, :3] @ [np.cos(course) * np.cos(climb), np.sin(course) * np.cos(climb), np.sin(climb)]
    T_world_rig[:3, 3] += way * np.sinc(0.5 * angle / np.pi) * (_turn(0.5 * angle) @ ahead)
    T_world_rig[:3, :3] = _turn(angle) @ T_world_rig[:3, :3]
    return T_world_rig @ mounted.T_rig_sensor


def _turn(angle: float) -> np.ndarray:
    """Rotation about the world's vertical [3, 3] by an angle [rad]."""
    return np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
