"""Where a sensor is a moment later."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tailgate.config.rig import MountedSensor
from tailgate.errors import UserError


def carried_on(mounted: MountedSensor, pose: np.ndarray, hints: Mapping[str, float], seconds: float) -> np.ndarray:
    """World pose of a sensor [4, 4] this long after it had ``pose``, the rig moving forward and turning at the hinted rates.

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
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:2, 3] = way * np.sinc(0.5 * angle / np.pi) * np.array([np.cos(0.5 * angle), np.sin(0.5 * angle)])
    return pose @ np.linalg.inv(mounted.T_rig_sensor) @ T @ mounted.T_rig_sensor
