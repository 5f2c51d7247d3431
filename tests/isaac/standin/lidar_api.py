"""How LiDARs are made: commands and LidarRtx (5.1, deprecated in 6.0), Lidar and LidarSensor (6.0)."""

from __future__ import annotations

from typing import Any

import numpy as np
from tailgate.errors import nearest

from . import commands
from .annotators import Annotator
from .checks import behaves, checked
from .gmo import parsed_ids, parsed_objects
from .lidar_model import AUX, CHANNELS, CORE, EMITTER_SCHEMA, SCHEMA, TICK_RATE
from .products import HydraTexture, Products, prim_path
from .sim import sim
from .writers import WriterRegistry
from .xforms import place, value_type

CONFIGS = "Example_Rotary Example_Rotary_2D Example_Solid_State Simple_Example_Solid_State XT32_SD10 OS0 OS1 OS2 RPLIDAR_S2E VLS_128".split()
"""Names of ``SUPPORTED_LIDAR_CONFIGS`` that the reference gives; all are files of the asset server, which is not here."""

SUPPORTED = behaves("isaacsim.sensors.rtx.SUPPORTED_LIDAR_CONFIGS")({f"/Isaac/Sensors/{name}.usd": set() for name in CONFIGS})
behaves("isaacsim.sensors.experimental.rtx.SUPPORTED_LIDAR_CONFIGS")(dict(SUPPORTED))


def refuse_config(config: Any) -> None:
    """Configurations are USD files of the asset server: their names are known, the files are not here."""
    if config is None:
        return
    if config not in CONFIGS:
        raise ValueError(f"unknown LiDAR configuration '{config}'{nearest(str(config), CONFIGS)}")
    raise RuntimeError(f"the LiDAR configuration {config} is a file of the asset server, which cannot be reached")


def define(path: str, attributes: dict[str, Any]) -> Any:
    """An OmniLidar prim with attributes."""
    stage = sim().stage
    prim = stage.DefinePrim(path, "OmniLidar")
    for schema in (SCHEMA, EMITTER_SCHEMA):
        prim.AddAppliedSchema(schema)
    for name, value in attributes.items():
        if not name.startswith(("omni:sensor:", "_replicator:rendervar:")):
            raise ValueError(f"a LiDAR has no attribute {name!r}: they begin with 'omni:sensor:'")
        prim.CreateAttribute(name, value_type(value)).Set(value)
    return prim


def create_rtx_lidar(path=None, parent=None, config=None, translation=None, orientation=None, visibility=False, variant=None, **more):
    """The command IsaacSensorCreateRtxLidar."""
    if more.pop("force_camera_prim", False):
        raise ValueError("camera-based LiDARs are deprecated: leave force_camera_prim out")
    more.pop("usd_path", None)
    refuse_config(config)
    prim = define((parent or "") + (path or "/RtxLidar"), more)
    quaternion = None if orientation is None else [orientation.GetReal(), *orientation.GetImaginary()]
    place(prim, None if translation is None else [float(v) for v in translation], quaternion)
    return prim


commands.COMMANDS["IsaacSensorCreateRtxLidar"] = checked("isaacsim.sensors.rtx.IsaacSensorCreateRtxLidar", create_rtx_lidar)


@behaves("omni.replicator.core.functional.create.omni_lidar")
def omni_lidar(position=None, rotation=None, name=None, parent=None, **kwargs):
    from .functional import free_path, pose_values

    prim = define(free_path(name or "OmniLidar", parent), kwargs)
    pose_values([prim], position, rotation, None)
    return prim


@behaves("isaacsim.sensors.rtx.LidarRtx")
class LidarRtx:
    """A LiDAR of 5.1 with its product and annotators."""

    def __init__(self, prim_path, name="lidar_rtx", position=None, translation=None, orientation=None, config_file_name=None, **kwargs):
        refuse_config(config_file_name)
        stage = sim().stage
        self._prim = stage.GetPrimAtPath(prim_path)
        if not self._prim:
            self._prim = define(prim_path, kwargs)
            place(self._prim, translation if translation is not None else position, orientation)
        self._annotators: dict[str, Annotator] = {}
        self._product: HydraTexture | None = None

    def initialize(self, physics_sim_view=None):
        self._product = sim().part(Products).make(str(self._prim.GetPath()), (1, 1), None, False)

    def attach_annotator(self, annotator_name, **kwargs):
        if self._product is None:
            raise RuntimeError("call initialize before attach_annotator")
        self._annotators[annotator_name] = Annotator(annotator_name, kwargs or None).attach(self._product)

    def get_current_frame(self):
        return {name: annotator.get_data() for name, annotator in self._annotators.items()}

    def get_render_product_path(self):
        return self._product.path if self._product else None

    def detach_all_annotators(self):
        for annotator in self._annotators.values():
            annotator.detach()
        self._annotators = {}

    @staticmethod
    def decode_stable_id_mapping(stable_id_mapping_raw):
        return parsed_ids(np.frombuffer(bytes(stable_id_mapping_raw), np.uint8))

    @staticmethod
    def get_object_ids(obj_ids):
        return parsed_objects(obj_ids)


E6 = "isaacsim.sensors.experimental.rtx."


@behaves(E6 + "Lidar")
class Lidar:
    """A LiDAR prim of 6.0."""

    def __init__(self, path, *, accumulate_outputs=True, aux_output_level="NONE", tick_rate=None, schemas=None, attributes=None, **pose):
        if aux_output_level not in AUX:
            raise ValueError(f"aux_output_level must be one of {AUX}, got {aux_output_level!r}")
        held = dict(attributes or {})
        held[CORE + "accumulateOutputs"] = bool(accumulate_outputs)
        held[CHANNELS] = [aux_output_level]
        if tick_rate is not None:
            held[TICK_RATE] = float(tick_rate)
        self._path = path if isinstance(path, str) else prim_path(path)
        self._prim = define(self._path, held)
        for name in ("translations", "positions"):
            if pose.get(name) is not None or pose.get("orientations") is not None:
                first = None if pose.get(name) is None else np.asarray(pose[name], float).reshape(-1, 3)[0]
                turn = None if pose.get("orientations") is None else np.asarray(pose["orientations"], float).reshape(-1, 4)[0]
                place(self._prim, first, turn)
                break

    @staticmethod
    def create(path, *, config=None, usd_path=None, variant=None, accumulate_outputs=None, **how):
        if usd_path is not None:
            raise RuntimeError(f"{usd_path} cannot be reached")
        refuse_config(config)
        return Lidar(path, accumulate_outputs=True if accumulate_outputs is None else accumulate_outputs, **how)

    @property
    def paths(self):
        return [self._path]

    @property
    def prims(self):
        return [self._prim]


SENSOR_ANNOTATORS = {"generic-model-output": "GenericModelOutput", "stable-id-map": "StableIdMap"}


class Sensor:
    """A sensor of 6.0: its product, annotators and writers."""

    _names: dict[str, str] = {}

    def _start(self, path: str, resolution: tuple[int, int], annotators: Any, writers: Any, how: dict[str, dict[str, Any]]) -> None:
        self._how, self._held, self._writers = how, {}, {}
        self._product = sim().part(Products).make(path, resolution, None, True)
        if annotators:
            self.attach_annotators(annotators)
        for name in [writers] if isinstance(writers, str) else writers or []:
            self.attach_writer(name)

    @property
    def render_product(self):
        return self._product

    def attach_annotators(self, annotators):
        for name in [annotators] if isinstance(annotators, str) else annotators:
            if name not in self._names:
                raise ValueError(f"unknown annotator '{name}'{nearest(name, self._names)}")
            if name not in self._held:
                self._held[name] = Annotator(self._names[name], **self._how.get(name, {})).attach(self._product)

    def detach_annotators(self, annotators):
        for name in [annotators] if isinstance(annotators, str) else list(annotators):
            self._held.pop(name).detach()

    def attach_writer(self, writer_name, **kwargs):
        self._writers[writer_name] = WriterRegistry.get(writer_name, kwargs, [self._product])

    def detach_writer(self, writer_name):
        self._writers.pop(writer_name).detach()

    def _get(self, name: str) -> tuple[Any, dict[str, Any]]:
        """Data and info of an annotator; None before there is any."""
        if name not in self._held:
            raise ValueError(f"annotator '{name}' is not attached{nearest(name, self._held)}")
        data = self._held[name].get_data()
        info = {}
        if isinstance(data, dict):
            data, info = data["data"], data["info"]
        return (None, info) if data.shape[0] == 0 and info == {} else (data, info)


@behaves(E6 + "LidarSensor")
class LidarSensor(Sensor):
    """A LiDAR's data of 6.0."""

    _names = SENSOR_ANNOTATORS

    def __init__(self, path, *, annotators=None, writers=None, render_vars=None):
        where = path._path if isinstance(path, Lidar) else prim_path(path)
        if sim().stage.GetPrimAtPath(where).GetTypeName() != "OmniLidar":
            raise ValueError(f"{where} must be an OmniLidar")
        self._start(where, (1, 1), list(SENSOR_ANNOTATORS) if annotators is None else annotators, writers, {})

    def get_data(self, annotator):
        return self._get(annotator)
