"""What the LiDAR annotators hand out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .data import DATA, Given, Kind
from .gmo import cartesian, emitted, material_of, object_ids, packed, packed_ids, thinned
from .lidar import LidarShot, Returns, joined
from .sim import sim

PRIMS = ("OmniLidar",)


def _points(annotator: Any, held: Returns, shot: LidarShot) -> np.ndarray:
    """Points, float32 [n, 3]: in the sensor's frame, or in the world with ``transformPoints``."""
    points = cartesian(held)
    if annotator._init.get("transformPoints"):
        points = points @ shot.poses[1, :3, :3].T + shot.poses[1, :3, 3]
    return points.astype(np.float32)


def _infos(held: Returns, shot: LidarShot) -> dict[str, np.ndarray]:
    """Every array that may go with points, by name."""
    a = held.arrays
    timestamp = a["time"].astype(np.uint64)
    if sim().fault("half_timestamps") is not None:
        timestamp = timestamp[: len(timestamp) // 2]
    return {
        "azimuth": a["azimuth"],
        "elevation": a["elevation"],
        "distance": a["distance"],
        "intensity": a["intensity"],
        "timestamp": timestamp,
        "emitterId": a["emitter"].astype(np.uint32),
        "channelId": a["channel"].astype(np.uint32),
        "materialId": material_of(held, shot),
        "objectId": object_ids(held).view(np.uint32),
        "tickId": a["tick"].astype(np.uint32),
        "echoId": a["echo"].astype(np.uint8),
        "beamId": a["channel"].astype(np.uint32),
    }


def scan_buffer(annotator: Any, shot: LidarShot) -> Given:
    """The last whole scan (5.1); arrays by the output* parameters."""
    each = annotator._init.get("enablePerFrameOutput")
    held = shot.frame if each else shot.scan if shot.scan is not None else joined([])
    held = thinned(held)
    if annotator._init.get("keepOnlyPositiveDistance", True):
        held = held.of(np.flatnonzero(held.arrays["distance"] > 0))
    infos = _infos(held, shot)
    asked = {key[6].lower() + key[7:] for key, on in annotator._init.items() if key.startswith("output") and on}
    lacking = asked - set(infos)
    if lacking:
        from .checks import NoBehaviour

        raise NoBehaviour(f"the stand-in has no behaviour for {sorted(lacking)[0]} of {annotator._name}")
    info: dict[str, Any] = {name: infos[name] for name in sorted(asked)}
    return Given(_points(annotator, held, shot), {**info, "transform": shot.poses[1].T.ravel().copy()})


def point_cloud(annotator: Any, shot: LidarShot) -> Given:
    """The tick's points, or with accumulation those of the whole scan when it is complete (6.0); no parameters."""
    held = emitted(shot)
    held = held.of(np.flatnonzero(held.arrays["distance"] > 0))
    level = ("NONE", "BASIC", "EXTRA", "FULL").index(shot.device.values["auxOutputType"])
    infos = _infos(held, shot)
    infos.pop("beamId")
    for least, names in ((1, ("emitterId", "channelId", "tickId", "echoId")), (2, ("materialId", "objectId"))):
        if level < least:
            infos |= {name: infos[name][:0] for name in names}
    empty = {"tickState": np.zeros(0, np.uint8), "hitNormal": np.zeros(0, np.float32), "velocity": np.zeros(0, np.float32)}
    return Given(
        _points(annotator, held, shot), {**infos, **empty, "radialVelocityMS": np.zeros(0, np.float32), "transform": shot.poses[1].T.ravel().copy()}
    )


DATA.update(
    {
        "GenericModelOutput": Kind(lambda annotator, shot: Given(packed(shot)), PRIMS),
        "StableIdMap": Kind(lambda annotator, shot: Given(packed_ids(shot)), PRIMS),
        "IsaacCreateRTXLidarScanBuffer": Kind(scan_buffer, PRIMS),
        "IsaacExtractRTXSensorPointCloudNoAccumulator": Kind(point_cloud, PRIMS),
        "IsaacExtractRTXSensorPointCloud": Kind(point_cloud, PRIMS),
    }
)
DATA["ReferenceTime"] = Kind(DATA["ReferenceTime"].make, ("Camera", *PRIMS), array=False)
