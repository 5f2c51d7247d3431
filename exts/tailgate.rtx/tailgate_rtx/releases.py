"""Isaac Sim 5.1 and 6.0: everything in which they differ, so that no other module has to ask.

Both are told apart by the version of omni.replicator.core. What an OmniLidar is made of and what its raw output is parsed with changed between them:
the report rate became the pattern firing rate, the level of auxiliary data moved from the sensor's schema to the render variable, scans are
accumulated by the renderer and the sensor has a tick rate of its own (migration guide of isaacsim.sensors.experimental.rtx).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tailgate.errors import UserError

CORE = "omni:sensor:Core:"
OUTSIDE = "--backend isaac works inside Isaac Sim: run the budget there with scripts/isaac_generate.py, or take --backend warp here"
AUX_LEVEL = "EXTRA"
"""Auxiliary data of LiDARs: from this level on they hold object and material ids."""

Value = tuple[str, Any]


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        name: "5.1" or "6.0".
        lidar: (scans a second, patterns a second) -> attributes of an OmniLidar in this release: name -> USD type and value.
        lidar_schemas: schemas beside those that both releases have.
        parse_scan: raw output -> generic model output.
        parse_names: raw map -> {stable id: prim path}.
        parse_objects: object ids, uint8 [16 n] -> stable ids [n].
        accumulates: whether an output of a LiDAR is a whole scan; else it is what was fired in a tick.
        keeps_exit_code: whether ``SimulationApp.close`` takes the exit code of the process.
    """

    name: str
    lidar: Callable[[int, int], dict[str, Value]]
    lidar_schemas: tuple[str, ...]
    parse_scan: Callable[[Any], Any]
    parse_names: Callable[[Any], dict[int, str]]
    parse_objects: Callable[[Any], list[int]]
    accumulates: bool
    keeps_exit_code: bool


def release() -> Release:
    """The release that runs; UserError outside Isaac Sim and for others."""
    version = replicator_version()
    if version[:2] == (1, 12):
        return _release_5_1()
    if version[:2] >= (1, 13):
        return _release_6_0()
    raise UserError(f"--backend isaac needs Isaac Sim 5.1 or 6.0 (omni.replicator.core 1.12 or 1.13), got {'.'.join(map(str, version))}")


def replicator_version() -> tuple[int, ...]:
    """Version of omni.replicator.core; UserError where there is no running Kit or the extension is not enabled."""
    try:
        import omni.kit.app
    except ImportError:
        raise UserError(OUTSIDE) from None
    app = omni.kit.app.get_app()
    if app is None:
        raise UserError(OUTSIDE)
    found = app.get_extension_manager().get_enabled_extension_id("omni.replicator.core")
    if not found:
        raise UserError("--backend isaac needs the extension omni.replicator.core: enable it, or start with --enable omni.replicator.core")
    return tuple(int(part) for part in found.partition("-")[2].split("+")[0].split(".")[:3])


def _release_5_1() -> Release:
    def parse_scan(data: Any) -> Any:
        from isaacsim.sensors.rtx import get_gmo_data

        return get_gmo_data(data)

    def parse_names(data: Any) -> dict[int, str]:
        from isaacsim.sensors.rtx import LidarRtx

        return LidarRtx.decode_stable_id_mapping(bytes(data))

    def parse_objects(ids: Any) -> list[int]:
        from isaacsim.sensors.rtx import LidarRtx

        return LidarRtx.get_object_ids(ids)

    def lidar(scans: int, patterns: int) -> dict[str, Value]:
        return {f"{CORE}reportRateBaseHz": ("uint", patterns), f"{CORE}auxOutputType": ("token", AUX_LEVEL)}

    return Release("5.1", lidar, (), parse_scan, parse_names, parse_objects, accumulates=False, keeps_exit_code=False)


def _release_6_0() -> Release:
    def parse_scan(data: Any) -> Any:
        from isaacsim.sensors.experimental.rtx import parse_generic_model_output_data

        return parse_generic_model_output_data(data)

    def parse_names(data: Any) -> dict[int, str]:
        from isaacsim.sensors.experimental.rtx import parse_stable_id_map_data

        return parse_stable_id_map_data(data)

    def parse_objects(ids: Any) -> list[int]:
        from isaacsim.sensors.experimental.rtx import parse_object_ids

        return parse_object_ids(ids)

    def lidar(scans: int, patterns: int) -> dict[str, Value]:
        return {
            f"{CORE}patternFiringRateHz": ("uint", patterns),
            f"{CORE}accumulateOutputs": ("bool", True),
            "omni:sensor:tickRate": ("float", float(scans)),
            "_replicator:rendervar:GenericModelOutput:channels": ("string[]", [AUX_LEVEL]),
        }

    return Release("6.0", lidar, ("OmniSensorAPI",), parse_scan, parse_names, parse_objects, accumulates=True, keeps_exit_code=True)


def close_arguments(exit_code: int) -> dict[str, int]:
    """What ``SimulationApp.close`` is given so that the process ends with ``exit_code``; in 5.1 it knows none and ends with 0."""
    return {"exit_code": exit_code} if release().keeps_exit_code else {}
