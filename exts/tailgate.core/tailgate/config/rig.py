"""Rigs: sensor models and mounts resolved to matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from tailgate.config.bounds import check_bounds
from tailgate.config.layered import Layered, layered
from tailgate.config.load import Source, validate, within
from tailgate.config.ouster import OusterSource
from tailgate.config.sensor import PER_BEAM, CameraModel, LidarModel, Mount, Rig, SensorModel
from tailgate.errors import UserError, Where, nearest

T_FORWARD_OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Pose of an optical frame (x right, y down, z forward) in a frame with x forward, y left, z up."""
DEFAULT_RIG = "quickstart_street"
RIGS = {"table_top": "tabletop_kinect", "mosd_tabletop": "tabletop_kinect", "warehouse": "warehouse"}
"""Rig of a shipped scenario where none is named; others take ``DEFAULT_RIG``."""


@dataclass(frozen=True)
class MountedSensor:
    """A sensor model and its pose in the rig frame.

    Attributes:
        model: LidarModel or CameraModel.
        model_name: file stem of the model, or "inline".
        T_rig_sensor: float64 [4, 4]; a camera's own frame is optical (x right, y down, z forward).
        places: response parameter -> where a file gives it, for complaints.
    """

    model: LidarModel | CameraModel
    model_name: str
    T_rig_sensor: np.ndarray
    places: Mapping[str, Where] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ResolvedRig:
    """All sensors of a rig by name."""

    name: str
    sensors: dict[str, MountedSensor]

    def to_json(self) -> dict[str, Any]:
        """Plain data; ``ResolvedRig.from_json`` gives the same rig back, in the same order from a file whose keys were sorted."""
        sensors = {
            n: {"model": s.model.model_dump(mode="json"), "model_name": s.model_name, "T_rig_sensor": s.T_rig_sensor.tolist()}
            for n, s in self.sensors.items()
        }
        return {"name": self.name, "sensors": sensors, "order": list(sensors)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ResolvedRig:
        """Rebuild a rig from ``to_json``."""
        read = TypeAdapter(SensorModel).validate_python
        held = {n: data["sensors"][n] for n in data.get("order", data["sensors"])}
        return cls(data["name"], {n: MountedSensor(read(s["model"]), s["model_name"], np.array(s["T_rig_sensor"])) for n, s in held.items()})


def configs_root() -> Path:
    """Folder ``configs`` of the checkout, or the one shipped inside an installed package."""
    here = Path(__file__).resolve()
    for parent in here.parents:
        if (parent / "configs" / "sensors").is_dir():
            return parent / "configs"
    return here.parent


def find_config(name: str, folder: str, roots: Sequence[Path] = (), where: Where | None = None) -> Path:
    """Find a config by path or by name in ``configs/<folder>``.

    Args:
        roots: where a path may lead besides the shipped configs; it is relative to the first. Empty: anywhere.
        where: place of the name, for complaints.
    """
    shipped = configs_root()
    beside = roots[0] if roots else Path()
    for base, path in ((beside, name), (shipped / folder, f"{name}.yaml"), (shipped / folder, name), (shipped, name)):
        if (base / path).is_file():
            return within((*roots, shipped), path, where, base) if roots else base / path
    if roots and Path(name).parent != Path("."):
        within((*roots, shipped), name, where)
    known = [p.stem for p in (shipped / folder).glob("*.yaml")]
    raise UserError(f"{folder.rstrip('s')} '{name}' was not found as a file or in configs/{folder}{nearest(name, known)}", where)


def load_sensor(name: str, roots: Sequence[Path] = (), where: Where | None = None) -> tuple[LidarModel | CameraModel, str]:
    """Read a sensor model by name or path, or an Ouster's metadata.json; returns the model and the device's name."""
    return _read_sensor(name, roots, where)[:2]


def _read_sensor(name: str, roots: Sequence[Path], where: Where | None) -> tuple[LidarModel | CameraModel, str, dict[str, Where]]:
    """As ``load_sensor``, and where each response parameter stands."""
    path = find_config(name, "sensors", roots, where)
    source = layered(path, lambda base, at: find_config(base, "sensors", roots, at), _source)
    kinds = {"lidar": LidarModel, "camera": CameraModel}
    kind = source.data.get("type")
    if kind not in kinds:
        raise UserError(f"type must be 'lidar' or 'camera', got {kind!r}", source.at("type"))
    if isinstance(source, Layered) and kind == "lidar":
        _check_beams(source)
    model = validate(kinds[kind], source.data, source)
    places = {parameter: source.where(("response", parameter)) for parameter in model.response}
    for parameter, setting in model.response.items():
        check_bounds(parameter, setting.dist, places[parameter])
    return model, getattr(model, "device", "") or path.stem, places


def _source(path: Path) -> Source:
    return OusterSource(path) if path.suffix == ".json" else Source(path)


def _check_beams(source: Layered) -> None:
    """Refuse a LiDAR of other beams than its base has, where it takes over what the base says of each beam."""
    beams = source.data.get("elevation_deg")
    angles = isinstance(beams, list) and all(isinstance(b, (int, float)) and abs(b) <= 90 for b in beams)
    if source.takes_over("elevation_deg") or not angles:
        return
    held = {name: source.data[name] for name in PER_BEAM if source.takes_over(name)}
    short = [name for name, values in held.items() if isinstance(values, list) and values and len(values) != len(beams)]
    if short:
        words = f"must come with {' and '.join(short)} for its {len(beams)} beams"
        raise UserError(f"{words}: the base's are for {len(held[short[0]])}", source.at("elevation_deg"))


def rotation(rpy_deg: tuple[float, float, float]) -> np.ndarray:
    """Rz(yaw) Ry(pitch) Rx(roll), float64 [3, 3]; angles [deg]."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.deg2rad(rpy_deg)), np.sin(np.deg2rad(rpy_deg))
    rx = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    ry = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    rz = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1.0]])
    return rz @ ry @ rx


def pose(mount: Mount, model: SensorModel) -> np.ndarray:
    """T_rig_sensor of a mount; cameras get their optical frame."""
    T = np.eye(4)
    T[:3, :3] = rotation(mount.rpy_deg)
    T[:3, 3] = mount.xyz
    return T @ T_FORWARD_OPTICAL if model.type == "camera" else T


def resolve(rig: Rig, roots: Sequence[Path] = (), source: Source | None = None) -> ResolvedRig:
    """Load every sensor model of a rig and compute its pose; ``roots`` as in ``find_config``, ``source`` is the file the rig was read from."""
    sensors = {}
    for name, sensor in rig.sensors.items():
        if isinstance(sensor.model, str):
            model, label, places = _read_sensor(sensor.model, roots, source.where(("sensors", name, "model")) if source else None)
        else:
            model, label = sensor.model, "inline"
            places = {p: source.where(("sensors", name, "model", "response", p)) for p in model.response} if source else {}
        sensors[name] = MountedSensor(model, label, pose(sensor.mount, model), places)
    return ResolvedRig(rig.name or "rig", sensors)


def load_rig(name: str, roots: Sequence[Path] = (), where: Where | None = None) -> ResolvedRig:
    """Read and resolve a rig YAML by name or path."""
    path = find_config(name, "rigs", roots, where)
    source = Source(path)
    return resolve(validate(Rig, source.data, source), (path.parent, *roots), source)
