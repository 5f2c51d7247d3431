"""Generic model output and stable ids: the bytes that RTX LiDAR products give, and what the parsers make of them."""

from __future__ import annotations

import hashlib
import io
import json
from enum import IntEnum
from typing import Any

import numpy as np

from .checks import behaves, flavour
from .lidar import VALID, LidarShot, Returns
from .sim import sim

MAGIC = b"standin-gmo\0"


class CoordsType(IntEnum):
    """What x, y, z are."""

    CARTESIAN = 0
    SPHERICAL = 1


class FrameOfReference(IntEnum):
    """Whose axes they are in."""

    SENSOR = 0
    WORLD = 1
    CUSTOM = 2
    PARENT = 3


class FrameAtTime:
    """Pose at one moment: position [m] and orientation (x, y, z, w) in the world."""

    def __init__(self, posM: np.ndarray, orientation: np.ndarray, timestampNs: int):
        self.posM, self.orientation, self.timestampNs = posM, orientation, timestampNs


@behaves("isaacsim.sensors.rtx.generic_model_output.GenericModelOutput")
class GenericModelOutput:
    """One frame of a sensor; the fields that the aux level does not fill are empty."""

    def __init__(self):
        self.numElements = 0

    def __getattr__(self, name: str) -> Any:
        from . import table
        from .checks import NoBehaviour

        fields = table.find("isaacsim.sensors.rtx.generic_model_output.GenericModelOutput")["fields"]
        if name in fields or name == "timeOffsetNs":
            raise NoBehaviour(f"the stand-in has no behaviour for GenericModelOutput.{name} in Isaac Sim {flavour()}")
        raise AttributeError(f"GenericModelOutput has no field {name!r}")


def stable_id(path: str) -> bytes:
    """16 bytes that name a prim."""
    return hashlib.md5(path.encode(), usedforsecurity=False).digest()


def quaternion(R: np.ndarray) -> np.ndarray:
    """(x, y, z, w) of a rotation matrix, w >= 0 (Shepperd 1978)."""
    m = np.array([R[0, 0], R[1, 1], R[2, 2], np.trace(R)])
    k = int(np.argmax(m))
    if k == 3:
        q = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], 1 + m[3]])
    else:
        i, j, n = k, (k + 1) % 3, (k + 2) % 3
        q = np.empty(4)
        q[i], q[j], q[n], q[3] = 1 + R[i, i] - R[j, j] - R[n, n], R[i, j] + R[j, i], R[i, n] + R[n, i], R[n, j] - R[j, n]
    return q / np.linalg.norm(q) * (1.0 if q[3] >= 0 else -1.0)


def cartesian(held: Returns) -> np.ndarray:
    """Points in the sensor's frame [n, 3] m."""
    az, el = (np.deg2rad(held.arrays[a].astype(np.float64)) for a in ("azimuth", "elevation"))
    r = held.arrays["distance"].astype(np.float64)
    return np.stack([r * np.cos(el) * np.cos(az), r * np.cos(el) * np.sin(az), r * np.sin(el)], 1)


def object_ids(held: Returns) -> np.ndarray:
    """16 bytes per element, uint8 [16 n]; zero without a prim or where stable ids are off."""
    from .settings import setting

    table = np.zeros((len(held.paths) + 1, 16), np.uint8)
    if setting("/rtx-transient/stableIds/enabled") and sim().fault("zero_object_ids") is None:
        for n, path in enumerate(held.paths):
            table[n] = np.frombuffer(stable_id(path), np.uint8)
    return table[held.arrays["prim"]].ravel()


def material_of(held: Returns, shot: LidarShot) -> np.ndarray:
    """Material id per element, uint32 [n]."""
    if sim().fault("material_31") is not None:
        return np.full(len(held), 31, np.uint32)
    return np.array([*(shot.materials.get(p, 0) for p in held.paths), 0], np.uint32)[held.arrays["prim"]]


def emitted(shot: LidarShot) -> Returns:
    """Elements that the raw output of a tick holds: the tick's own, or with accumulation the whole scan when it is complete."""
    if not shot.device.values["accumulateOutputs"]:
        return thinned(shot.frame)
    return thinned(shot.scan) if shot.complete and shot.scan is not None else shot.frame.of(np.zeros(0, np.int64))


def thinned(held: Returns) -> Returns:
    """What is left of a scan with the fault that loses points."""
    fault = sim().fault("partial_scan")
    return held.of(np.arange(round(len(held) * (1 - fault["share"])))) if fault else held


def packed(shot: LidarShot) -> np.ndarray:
    """A frame as bytes, uint8 [B]."""
    held, values = emitted(shot), shot.device.values
    n, level = len(held), ("NONE", "BASIC", "EXTRA", "FULL").index(values["auxOutputType"])
    start = int(held.arrays["time"].min()) if n else shot.span[0]
    arrays: dict[str, np.ndarray] = {
        "scalar": held.arrays["intensity"],
        "flags": np.where(held.arrays["distance"] > 0, VALID, 0).astype(np.uint8),
        "timeOffset": (held.arrays["time"] - start).astype(np.int32),
    }
    world = values["outputFrameOfReference"] == "WORLD"
    if values["elementsCoordsType"] == "CARTESIAN":
        points = cartesian(held)
        if world:
            points = points @ shot.poses[1, :3, :3].T + shot.poses[1, :3, 3]
        arrays |= {axis: points[:, k].astype(np.float32) for k, axis in enumerate("xyz")}
    else:
        arrays |= {"x": held.arrays["azimuth"], "y": held.arrays["elevation"], "z": held.arrays["distance"]}
    if level >= 1:
        arrays |= {"emitterId": held.arrays["emitter"].astype(np.uint32), "channelId": held.arrays["channel"].astype(np.uint32)}
        arrays |= {"tickId": held.arrays["tick"].astype(np.uint32), "echoId": held.arrays["echo"].astype(np.uint8)}
        arrays["tickStates"] = np.zeros(n, np.uint8)
    if level >= 2:
        arrays |= {"objId": object_ids(held), "matId": material_of(held, shot)}
    if level >= 3:
        arrays |= {"velocities": np.zeros(3 * n, np.float32)}
    if sim().fault("half_timestamps") is not None:
        arrays["timeOffset"] = arrays["timeOffset"][: n // 2]
    poses = {f"pose{k}": np.concatenate([shot.poses[k, :3, 3], quaternion(shot.poses[k, :3, :3])]) for k in (0, 1)}
    head = {"n": n, "level": level, "start": start, "end": shot.span[1], "complete": bool(shot.complete), "frame": shot.time[0], "scan": shot.number}
    head |= {"coords": values["elementsCoordsType"], "reference": "WORLD" if world else "SENSOR"}
    out = io.BytesIO()
    np.savez(out, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays, **poses)
    return np.frombuffer(MAGIC + out.getvalue(), np.uint8)


def parsed(data: Any) -> GenericModelOutput:
    """The frame in bytes."""
    blob = np.asarray(data.numpy() if hasattr(data, "numpy") else data)
    if blob.dtype != np.uint8 or blob[: len(MAGIC)].tobytes() != MAGIC:
        raise ValueError(f"generic model output must be the annotator's bytes, got {blob.dtype} {blob.shape}")
    held = np.load(io.BytesIO(blob[len(MAGIC) :].tobytes()))
    head = json.loads(held["head"].tobytes())
    out = GenericModelOutput()
    for name in held.files:
        if name not in ("head", "pose0", "pose1", "timeOffset"):
            setattr(out, name, held[name])
    setattr(out, "timeOffSetNs" if flavour() == "5.1" else "timeOffsetNs", held["timeOffset"])
    out.numElements, out.timestampNs, out.frameId = head["n"], head["start"], head["frame"]
    out.elementsCoordsType, out.frameOfReference = CoordsType[head["coords"]], FrameOfReference[head["reference"]]
    out.frameStart, out.frameEnd = (FrameAtTime(held[f"pose{k}"][:3], held[f"pose{k}"][3:], head[("start", "end")[k]]) for k in (0, 1))
    out.motionCompensationState = 0
    if head["level"] >= 1:
        out.scanComplete, out.scanIdx, out.azimuthOffset = int(head["complete"]), head["scan"], 0.0
    return out


def packed_ids(shot: LidarShot) -> np.ndarray:
    """The map of stable ids as bytes, uint8 [B]."""
    paths = list(dict.fromkeys(shot.frame.paths + (shot.scan.paths if shot.scan else [])))
    fault = sim().fault("missing_stable_ids")
    if fault:
        paths = [p for n, p in enumerate(paths) if n % fault["every"] != fault["every"] - 1]
    held = {str(int.from_bytes(stable_id(p), "little")): p for p in paths}
    return np.frombuffer(json.dumps(held).encode(), np.uint8)


def parsed_ids(data: Any) -> dict[int, str]:
    """Stable id -> path of the prim."""
    blob = np.asarray(data.numpy() if hasattr(data, "numpy") else data, np.uint8).tobytes()
    return {int(k): v for k, v in json.loads(blob).items()} if blob else {}


def parsed_objects(obj_ids: Any) -> list[int]:
    """One number per element of 16 bytes."""
    blob = np.ascontiguousarray(obj_ids.numpy() if hasattr(obj_ids, "numpy") else obj_ids).tobytes()
    if len(blob) % 16:
        raise ValueError(f"object ids must be 16 bytes each, got {len(blob)} bytes")
    return [int.from_bytes(blob[k : k + 16], "little") for k in range(0, len(blob), 16)]


@behaves("isaacsim.sensors.rtx.get_gmo_data")
def get_gmo_data(dataPtr):
    return parsed(dataPtr)


@behaves("isaacsim.sensors.experimental.rtx.parse_generic_model_output_data")
def parse_generic_model_output_data(data):
    return parsed(data)


@behaves("isaacsim.sensors.experimental.rtx.parse_stable_id_map_data")
def parse_stable_id_map_data(data):
    return parsed_ids(data)


@behaves("isaacsim.sensors.experimental.rtx.parse_object_ids")
def parse_object_ids(obj_ids):
    return parsed_objects(obj_ids)
