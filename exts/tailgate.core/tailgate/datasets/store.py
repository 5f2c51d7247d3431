"""The frame store: a Frame as a folder, and a digest of its content that knows nothing of codecs.

A folder holds ``frame.json`` (everything that is no image), one PNG per colour image (not compressed) or label image, and ``arrays.bin``: the other
channels one after the other, each compressed with Blosc2 (LZ4, byte shuffle). Where OpenCV or Blosc2 is absent (in Isaac Sim) images lie in
``arrays.bin`` as well, and zlib compresses; every folder is read everywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.datasets.files import decode_png, encode_png, sync_folder, write_bytes
from tailgate.errors import TailgateError, UserError
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame, host
from tailgate.geometry.rounding import Rounding
from tailgate.packages import found, need

VERSION = 1
_VIEW_TYPES = {
    "bbox_tight": "float32",
    "bbox_loose": "float32",
    "visible": "int32",
    "alone": "int32",
    "occluded": "float32",
    "truncated": "float32",
    "range": "float32",
}


def save(frame: Frame, folder: str | Path) -> None:
    """Write a frame so that the folder is either whole or absent, replacing an earlier one.

    Raises:
        UserError: the folder cannot be written (permission, no space left).
    """
    folder = Path(folder)
    draft = folder.parent / f".{folder.name}.partial"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _write(frame, draft)
        sync_folder(draft)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UserError(f"the frame cannot be written: {error.strerror or error}", folder) from None


def load(folder: str | Path) -> Frame:
    """Read a frame back; all arrays and values are equal to those saved.

    Raises:
        UserError: no frame there, a file missing or damaged, or a newer version of the store.
    """
    folder = Path(folder)
    try:
        record = json.loads((folder / "frame.json").read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise UserError(f"frame store version must be {VERSION}, got {record['version']}", folder / "frame.json")
        packed = memoryview((folder / "arrays.bin").read_bytes())
        return _frame_of(record, {key: _read_array(entry, folder, packed) for key, entry in record["arrays"].items()})
    except FileNotFoundError as error:
        raise UserError(f"holds no whole frame: {Path(str(error.filename)).name} is missing", folder) from None
    except (KeyError, ValueError, TypeError, RuntimeError, TailgateError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"the stored frame is damaged: {error}", folder) from None


def digest(frame: Frame) -> str:
    """SHA-256 of the content: decoded arrays (little endian, C order) and canonical JSON, hex.

    The order of sensors, channels, labels and object rows does not count; codecs and file bytes neither.
    """
    record = _record(frame, np.argsort(frame.objects.instance, kind="stable"))
    record["arrays"] = {f"{s}/{c}": _array_digest(host(a)) for s, sensor in frame.sensors.items() for c, a in sensor.channels.items()}
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _array_digest(array: np.ndarray) -> str:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    content = hashlib.sha256(f"{little.dtype.str}{list(little.shape)}".encode())
    content.update(little.tobytes() if little.ndim == 0 or not little.size else memoryview(little).cast("B"))
    return content.hexdigest()


def _record(frame: Frame, rows: np.ndarray) -> dict[str, Any]:
    """Everything but the arrays, as plain data; object rows in the order given."""
    o = frame.objects
    return {
        "version": VERSION,
        "id": asdict(frame.id),
        "labels": {k: int(v) for k, v in frame.labels.items()},
        "conditions": dict(frame.conditions),
        "hints": sorted(frame.hints),
        "objects": {
            "instance": np.asarray(o.instance)[rows].tolist(),
            "class_name": [o.class_name[r] for r in rows],
            "T_world_box": np.asarray(o.T_world_box, dtype=np.float64)[rows].tolist(),
            "size": np.asarray(o.size, dtype=np.float64)[rows].tolist(),
            "asset": [o.asset[r] for r in rows],
        },
        "sensors": {name: _sensor_record(s, rows) for name, s in frame.sensors.items()},
    }


def _sensor_record(sensor: SensorFrame, rows: np.ndarray) -> dict[str, Any]:
    return {
        "kind": sensor.kind,
        "model": sensor.model,
        "T_world_sensor": np.asarray(sensor.T_world_sensor, dtype=np.float64).tolist(),
        "t_start": int(sensor.t_start),
        "t_end": int(sensor.t_end),
        "intrinsics": asdict(sensor.intrinsics) if sensor.intrinsics else None,
        "view": {n: host(getattr(sensor.view, n)).astype(t)[rows].tolist() for n, t in _VIEW_TYPES.items()},
        **({"rounding": sensor.rounding.to_json()} if sensor.rounding else {}),
    }


def _write(frame: Frame, folder: Path) -> None:
    record = _record(frame, np.arange(len(frame.objects)))
    record["arrays"], packed, offset = {}, [], 0
    for name, sensor in frame.sensors.items():
        for channel, array in sensor.channels.items():
            array = np.ascontiguousarray(host(array))
            entry = {"shape": list(array.shape), "dtype": array.dtype.newbyteorder("<").str}
            image = _as_image(array)
            if image is not None:
                entry["png"] = f"{name}.{channel}.png"
                write_bytes(folder / entry["png"], encode_png(image, "labels" if image.dtype == np.uint16 else "draft"), durable=True)
            else:
                entry["codec"], data = _compress(array)
                entry |= {"offset": offset, "bytes": len(data)}
                packed.append(data)
                offset += len(data)
            record["arrays"][f"{name}/{channel}"] = entry
    write_bytes(folder / "arrays.bin", b"".join(packed), durable=True)
    write_bytes(folder / "frame.json", json.dumps(record, separators=(",", ":")).encode(), durable=True)


def _as_image(array: np.ndarray) -> np.ndarray | None:
    """What can be a PNG without loss: colour, and ids below 65,536; nothing where OpenCV is absent."""
    if not found("cv2"):
        return None
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4) and array.size:
        return array
    if array.dtype == np.uint32 and array.ndim == 2 and array.size and int(array.max()) < 65536:
        return array.astype(np.uint16)
    return None


def _compress(array: np.ndarray) -> tuple[str, bytes]:
    """Codec and bytes: ``blosc2``, or where that is absent ``zlib`` on the first bytes of all values, then the second ones, and so on."""
    blosc2 = found("blosc2")
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    if not blosc2:
        return "zlib", zlib.compress(little.reshape(-1, 1).view(np.uint8).T.tobytes(), level=1)
    if not array.size:
        return "blosc2", b""
    cparams = {"codec": blosc2.Codec.LZ4, "clevel": 1, "typesize": little.dtype.itemsize, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
    return "blosc2", blosc2.compress2(little, **cparams)


def _decompress(codec: str, data: memoryview, out: np.ndarray) -> None:
    """Inverse of ``_compress``, into an array; ValueError where the bytes are not those of such an array."""
    if codec == "zlib":
        try:
            held = zlib.decompress(data)
        except zlib.error as error:
            raise ValueError(error) from None
        out.reshape(-1, 1).view(np.uint8)[...] = np.frombuffer(held, np.uint8).reshape(out.itemsize, -1).T
    elif out.size:
        blosc2 = need("blosc2")
        if blosc2.get_cbuffer_sizes(data)[0] != out.nbytes:
            raise ValueError("arrays.bin holds an array of another size")
        blosc2.decompress2(data, dst=out)


def _read_array(entry: dict[str, Any], folder: Path, packed: memoryview) -> np.ndarray:
    if "png" in entry:
        image = decode_png((folder / entry["png"]).read_bytes())
        return image.astype(entry["dtype"], copy=False).reshape(entry["shape"])
    data = packed[entry["offset"] : entry["offset"] + entry["bytes"]]
    if len(data) != entry["bytes"]:
        raise ValueError("arrays.bin is too short")
    out = np.empty(entry["shape"], entry["dtype"])
    _decompress(entry.get("codec", "blosc2"), data, out)
    return out


def _frame_of(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> Frame:
    o, n = record["objects"], len(record["objects"]["class_name"])
    sensors = {}
    for name, s in record["sensors"].items():
        view = {k: np.array(s["view"][k], dtype=t).reshape((n, 4) if k.startswith("bbox") else n) for k, t in _VIEW_TYPES.items()}
        sensors[name] = SensorFrame(
            kind=s["kind"],
            channels={key.split("/", 1)[1]: a for key, a in arrays.items() if key.split("/", 1)[0] == name},
            T_world_sensor=np.array(s["T_world_sensor"]),
            t_start=s["t_start"],
            t_end=s["t_end"],
            view=ObjectView(**view),
            intrinsics=Intrinsics.from_json(s["intrinsics"]) if s["intrinsics"] else None,
            model=s["model"],
            rounding=Rounding.from_json(s["rounding"]) if "rounding" in s else None,
        )
    poses, sizes = np.array(o["T_world_box"]).reshape(n, 4, 4), np.array(o["size"]).reshape(n, 3)
    objects = Objects(np.array(o["instance"], dtype=np.int32), o["class_name"], poses, sizes, o["asset"])
    return Frame(FrameId(**record["id"]), sensors, objects, record["labels"], record["conditions"], record["hints"])
