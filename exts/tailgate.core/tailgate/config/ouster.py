"""Ouster ``metadata.json`` as a sensor file: the beam table of this very unit and the mode it ran in.

Facts taken from the sensor's own documentation (Ouster software user manual, "Sensor Data" and "metadata"): ``beam_altitude_angles`` are elevations,
``beam_azimuth_angles`` are counted clockwise, ``lidar_mode`` is columns x rate, all beams of a column fire at once, and the head turns clockwise seen
from above. Its lidar frame lies ``lidar_to_sensor_transform`` above the sensor frame, azimuth windows turn counter-clockwise in it, and beams leave
``lidar_origin_to_beam_origin_mm`` from its axis. Dual profiles give the two strongest returns ("Return Order"). The product line gives what the file
does not hold (range, divergence, response).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.config.load import Source, key_path
from tailgate.errors import UserError, Where

_GROUPS = ("", "beam_intrinsics", "lidar_intrinsics", "sensor_info", "config_params", "lidar_data_format", "data_format")
"""Where firmware of different ages keeps its keys."""
MAX_BYTES = 10_000_000
GEN1_REACH = 18.0
"""Largest elevation of a first-generation OS1 [deg], 16.6 by the data sheet; later ones reach 22.5."""
LOW_BANDWIDTH_STEP = 0.008
"""Step of range where a profile gives it 15 bits [m]."""


class OusterSource(Source):
    """A metadata file whose ``data`` are the keys of a LiDAR model.

    Raises:
        UserError: not such a file, or a key is missing or of the wrong kind.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.data = _sensor_keys(_read(self.path), self.path)

    def where(self, loc: tuple) -> Where:
        """Return the place of a key of the model, of which the file holds no line."""
        return Where(self.path, key=key_path(loc))


def _sensor_keys(held: dict[str, Any], path: Path) -> dict[str, Any]:
    from tailgate.config.rig import load_sensor

    altitude, azimuth = (_numbers(held, key, path) for key in ("beam_altitude_angles", "beam_azimuth_angles"))
    mode = re.fullmatch(r"([1-9]\d{0,5})x(\d{1,4})", str(held.get("lidar_mode", "")))
    if mode is None:
        raise UserError(f"lidar_mode must be columns x rate such as 1024x10, got {held.get('lidar_mode')!r}", path)
    line, profile, columns = str(held.get("prod_line", "")), str(held.get("udp_profile_lidar", "")), int(mode[1])
    family = re.match(r"OS-?([012])(?:-|$)", line)
    if family is None:
        raise UserError(f"prod_line must be one of OS-0, OS-1, OS-2 with its number of beams, got '{line}'", path)
    first = family[1] == "1" and max(map(abs, altitude)) < GEN1_REACH
    data = load_sensor("os1_64_gen1" if first else f"os{family[1]}_128")[0].model_dump()
    start = data["azimuth_start_deg"] + 1e-3 * _number(held, "lidar_frame_azimuth_offset", path)
    data |= {
        "source": f"{path.name}: {line}, serial number {held.get('prod_sn', 'unknown')}",
        "elevation_deg": altitude,
        "azimuth_offset_deg": [-a for a in azimuth],
        "beam_height_m": _heights(held, altitude, path),
        "columns": columns,
        "rate_hz": float(mode[2]),
        "azimuth_start_deg": start,
        "blind_sectors_deg": _blind(held, columns, start, path),
    }
    if "DUAL" in profile:
        data["returns"] = "two_strongest"
    if profile.startswith("RNG15"):
        data["range_step"] = LOW_BANDWIDTH_STEP
    return data


def _heights(held: dict[str, Any], altitude: list[float], path: Path) -> list[float]:
    """Where the line of each beam meets the axis, above the sensor's origin [m]; empty where the file does not say where beams start."""
    above = _numbers(held, "lidar_to_sensor_transform", path, 16)[11] if "lidar_to_sensor_transform" in held else 0.0
    out = _number(held, "lidar_origin_to_beam_origin_mm", path)
    return (1e-3 * (above - out * np.tan(np.deg2rad(altitude)))).round(6).tolist() if above or out else []


def _blind(held: dict[str, Any], columns: int, start: float, path: Path) -> list[tuple[float, float]]:
    """Sector [deg] that the window of columns, or where the file holds none, that of azimuths [1/1000 deg] leaves out."""
    key, most = ("column_window", columns - 1) if "column_window" in held else ("azimuth_window", 360_000)
    if key not in held:
        return []
    low, high = _numbers(held, key, path, 2)
    if not 0 <= min(low, high) <= max(low, high) <= most:
        raise UserError(f"{key} must lie from 0 to {most:,}, got {held[key]}", path)
    if key == "column_window":
        seen = ((high - low) % columns + 1) * 360.0 / columns
        end = start - (low - 0.5) * 360.0 / columns
    else:
        seen, end = 1e-3 * (high - low) % 360.0 or 360.0, start + 1e-3 * high
    return [(round(end % 360.0, 6), round(end % 360.0 + 360.0 - seen, 6))] if seen < 360.0 else []


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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _number(held: dict[str, Any], key: str, path: Path) -> float:
    """A number that may be missing: 0."""
    if not _is_number(value := held.get(key, 0.0)):
        raise UserError(f"{key} must be a number, got {value!r}", path)
    return float(value)


def _numbers(held: dict[str, Any], key: str, path: Path, count: int | None = None) -> list[float]:
    """The numbers of a list, so many where ``count`` says so."""
    values = held.get(key)
    if not isinstance(values, list):
        got = "nothing" if values is None else type(values).__name__
    elif not values or (count and len(values) != count):
        got = f"{len(values)} of them"
    else:
        got = next((repr(v) for v in values if not _is_number(v)), "")
    if got:
        raise UserError(f"must hold {key}, a list of {f'{count} ' if count else ''}numbers, got {got}", path)
    return [float(v) for v in values]
