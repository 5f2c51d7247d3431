"""Ouster ``metadata.json`` as a sensor model: the beam table of this very unit and the mode it ran in.

Facts taken from the sensor's own documentation (Ouster software user manual, "Sensor Data" and "metadata"): ``beam_altitude_angles`` are elevations,
``beam_azimuth_angles`` are counted clockwise, ``lidar_mode`` is columns x rate, all beams of a column fire at once, and the head turns clockwise seen
from above. The product line gives what the file does not hold (range, divergence, response).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tailgate.config.load import validate
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError

_GROUPS = ("", "beam_intrinsics", "sensor_info", "config_params", "lidar_data_format", "data_format")
"""Where firmware of different ages keeps its keys."""
MAX_BYTES = 10_000_000


def read_ouster(path: str | Path) -> LidarModel:
    """Model of the unit a metadata file belongs to.

    Raises:
        UserError: not such a file, or a key is missing or of the wrong kind.
    """
    from tailgate.config.rig import load_sensor

    path = Path(path)
    held = _read(path)
    altitude, azimuth = (_numbers(held, key, path) for key in ("beam_altitude_angles", "beam_azimuth_angles"))
    mode = re.fullmatch(r"(\d+)x(\d+)", str(held.get("lidar_mode", "")))
    if mode is None:
        raise UserError(f"lidar_mode must be columns x rate such as 1024x10, got {held.get('lidar_mode')!r}", path)
    line = str(held.get("prod_line", ""))
    family = re.match(r"OS-?([012])(?:-|$)", line)
    if family is None:
        raise UserError(f"prod_line must be one of OS-0, OS-1, OS-2 with its number of beams, got '{line}'", path)
    base, _ = load_sensor(f"os{family[1]}_128")
    data = base.model_dump() | {
        "source": f"{path.name}: {line}, serial number {held.get('prod_sn', 'unknown')}",
        "elevation_deg": altitude,
        "azimuth_offset_deg": [-a for a in azimuth],
        "columns": int(mode[1]),
        "rate_hz": float(mode[2]),
    }
    return validate(LidarModel, data)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"must be an Ouster metadata file of at most {MAX_BYTES:,} bytes", path)
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("file not found", path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", path) from None
    except (json.JSONDecodeError, RecursionError):
        raise UserError("is not valid JSON", path) from None
    if not isinstance(tree, dict):
        raise UserError("must be an Ouster metadata file: a JSON object", path)
    found: dict[str, Any] = {}
    for name in _GROUPS:
        group = tree.get(name) if name else tree
        found.update(group if isinstance(group, dict) else {})
    return found


def _numbers(held: dict[str, Any], key: str, path: Path) -> list[float]:
    values = held.get(key)
    if not isinstance(values, list) or not values or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        raise UserError(f"must hold {key}, a list of numbers, got {'nothing' if values is None else type(values).__name__}", path)
    return [float(v) for v in values]
