"""The embedded renderer: a ray tracer on Warp that needs no graphics driver and gives the same bits every time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.config.camera import Shutter
from tailgate.config.rig import MountedSensor, ResolvedRig
from tailgate.errors import TailgateError, UserError, unknown
from tailgate.frames import CAMERA_CHANNELS, LIDAR_CHANNELS, Frame, FrameId, Intrinsics, Objects, Sample, SensorFrame
from tailgate.rng import kernel_seed
from tailgate.stage.layers import open_base
from tailgate.stage.watch import StageState, StageWatch

if TYPE_CHECKING:
    from pxr import Usd

NO_OPEN_STAGE = "base '@open' is the stage that is open in Isaac Sim, and the warp backend has none: name a USD file"
KEYS = {"overcast": 0.85, "dusk": 0.55, "night": 0.3}
"""Brightness of an automatically exposed image as a share of a day's, by the condition ``light``."""
HINTS = {
    "fog_extinction": "supported: [1/m], dims colours and LiDAR intensity",
    "cloud_cover": "supported: 0..1, clouds in the sky that cameras see",
    "exposure": "supported: factor on radiance before the tone curve; chosen from the image when absent",
    "motion_blur": "refused: cameras declare it as their shutter's exposure_ms, and ego_speed moves them",
    "rolling_shutter": "refused: cameras declare it as their shutter's readout_ms, and ego_speed moves them",
    "ego_speed": "supported: [m/s] forward, moves sensors during a sweep, an exposure and a readout; objects stand still within a tick",
    "ego_yaw_rate": "supported: [deg/s] to the left, turns sensors about the rig meanwhile",
}


class WarpBackend:
    """``RenderBackend`` on Warp.

    Args:
        device: Warp device, "cpu" or "cuda:0".
        samples: rays to each light per pixel; 1 for data, 8 and more for stills. Depth and labels are exact at any value.
        smoothing: passes of the filter over the sampled light.
        edges: blend the colours at edges by coverage.
    """

    name = "warp"
    shares_loop = False

    def __init__(self, device: str = "cpu", samples: int = 1, smoothing: int = 3, edges: bool = True):
        self.device = device
        self._quality = {"samples": samples, "smoothing": smoothing, "edges": edges}
        self._watch: StageWatch | None = None
        self._scene: Any = None
        self._state: StageState | None = None
        self._films: dict[tuple[int, int], Any] = {}
        self._rays: dict[Intrinsics, Any] = {}
        self._sample: Sample | None = None

    @classmethod
    def check(cls, device: str) -> None:
        """Raise UserError where Warp does not find the device."""
        number = re.fullmatch(r"cuda(?::(\d{1,3}))?", device)
        if not number and device != "cpu":
            raise UserError(f"--device must be cpu or cuda:N, got '{device}'")
        if number:
            from tailgate.geometry.quiet import wp

            found = wp.get_cuda_device_count()
            if int(number[1] or 0) >= found:
                raise UserError(f"--device {device}: this machine has {found} CUDA devices that Warp can use; --device cpu works everywhere")

    @classmethod
    def open_stage_digest(cls) -> str:
        """There is no open stage outside Isaac Sim."""
        raise UserError(NO_OPEN_STAGE)

    async def load(self, base: Path | None) -> Usd.Stage:
        """Open a USD file."""
        if base is None:
            raise UserError(NO_OPEN_STAGE)
        return open_base(base)

    def open(self, stage: Usd.Stage, rig: ResolvedRig, labels: dict[str, int]) -> None:
        """Read the stage and build its trees. See ``RenderBackend.open``."""
        self.close()
        self.rig, self.labels = rig, dict(labels)
        self._watch = StageWatch(stage, self.labels)
        self._version, self._state = 0, None

    @property
    def skipped(self) -> list[str]:
        """What the stage holds and this renderer cannot show, by name."""
        return list(self._open_watch().arrays.skipped)

    def _open_watch(self) -> StageWatch:
        if self._watch is None:
            raise TailgateError("the renderer must be opened before it is used")
        return self._watch

    def apply(self, sample: Sample) -> None:
        """Take over a clip's values: moved prims, materials, lights and hints."""
        for name in sample.hints:
            if name not in HINTS:
                raise unknown("hint", name, HINTS)
            if HINTS[name].startswith("refused"):
                raise UserError(f"hint '{name}' is {HINTS[name]} by the warp backend")
        self._sample = sample
        self._update()

    def _update(self) -> StageState:
        from tailgate.render.raytrace.scene import DeviceScene

        watch = self._open_watch()
        state = watch.update()
        if state.version != self._version:
            self._scene, self._version = DeviceScene(watch.arrays, self.device), state.version
        if state is not self._state:
            self._scene.update(state)
        self._state = state
        return state

    async def capture(self, tick: int = 0) -> Frame:
        """Render every sensor of the rig at the stage's present state."""
        if self._sample is None:
            raise TailgateError("apply(sample) must come before capture()")
        from tailgate.render.raytrace.daylight import daylight

        state = self._update()
        address = replace(self._sample.id, tick=tick)
        seed = kernel_seed(*asdict(address).values(), "render")
        light = daylight(state.lights, self._sample.hints, seed, self.device)
        objects, seen = self._objects(state)
        sensors = {}
        for name, mounted in self.rig.sensors.items():
            pose = state.T_world_rig @ mounted.T_rig_sensor
            render = self._camera if mounted.model.type == "camera" else self._lidar
            sensors[name] = render(mounted, pose, light, seen, tick)
        return Frame(FrameId(**asdict(address)), sensors, objects, dict(self.labels), dict(self._sample.conditions), list(self.skipped))

    def _objects(self, state: StageState) -> tuple[Objects, Any]:
        """Visible labelled movers: the table and what visibility needs of it."""
        from tailgate.render.raytrace.visibility import Seen

        movers = self._open_watch().arrays.movers
        rows = [k for k, m in enumerate(movers) if k in self._scene.instance_of_mover and m.instance > 0 and self.labels.get(m.label or "", 0) > 0]
        lower, upper = (np.array([getattr(movers[k], name) for k in rows], np.float64).reshape(-1, 3) for name in ("lower", "upper"))
        poses = state.T_world_mover[rows]
        scale = np.linalg.norm(poses[:, :3, :3], axis=1)
        poses[:, :3, 3] += (poses[:, :3, :3] @ (0.5 * (lower + upper))[:, :, None])[:, :, 0]
        poses[:, :3, :3] /= scale[:, None]
        sizes = (upper - lower) * scale
        instance = np.array([movers[k].instance for k in rows], np.int32)
        objects = Objects(instance, [str(movers[k].label) for k in rows], poses, sizes, [movers[k].asset for k in rows])
        placed = np.array([self._scene.instance_of_mover[k] for k in rows], np.int64)
        return objects, Seen(np.array(rows, np.int64), placed, poses, sizes, len(movers))

    def _camera(self, mounted: MountedSensor, pose: np.ndarray, light: Any, seen: Any, tick: int) -> SensorFrame:
        from tailgate.render.raytrace.camera import CameraFilm, Quality, camera_of, lens_points
        from tailgate.render.raytrace.lens import ray_table
        from tailgate.render.raytrace.visibility import look_with_camera

        model = mounted.model
        size = (model.width, model.height)
        film = self._films.setdefault(size, None) or CameraFilm(*size, self.device)
        self._films[size] = film
        intrinsics, sample = model.intrinsics, self._sample
        if intrinsics not in self._rays:
            self._rays[intrinsics] = ray_table(intrinsics, self.device)
        shutter = model.shutter or Shutter()
        poses = np.stack([pose, carried_on(mounted, pose, sample.hints, 1e-3 * shutter.readout_ms)])
        moves = shutter.exposure_ms > 0 and any(sample.hints.get(name) for name in ("ego_speed", "ego_yaw_rate"))
        views = max(shutter.moments if moves else 1, model.focus.views if model.focus else 1)
        cameras = []
        for k, point in enumerate(lens_points(views)):
            seconds = 1e-3 * shutter.exposure_ms * ((k + 0.5) / views - 0.5)
            first, last = (carried_on(mounted, T, sample.hints, seconds) for T in poses)
            cameras.append(camera_of(model, first, self._rays[intrinsics], last, point))
        quality = Quality(**self._quality, exposure=sample.hints.get("exposure"), key=KEYS.get(sample.conditions.get("light", ""), 1.0))
        channels = film.expose(self._scene, cameras, light, quality)
        view = look_with_camera(self._scene, cameras[views // 2], intrinsics, poses, seen, film.truth.mover)
        t = round(tick * 1e9 / model.rate_hz)
        read = round(1e6 * shutter.readout_ms)
        return SensorFrame("camera", channels, poses, t, t + read, view, intrinsics, mounted.model_name)

    def _lidar(self, mounted: MountedSensor, pose: np.ndarray, light: Any, seen: Any, tick: int) -> SensorFrame:
        from tailgate.geometry.firing import firing_grid
        from tailgate.render.raytrace.lidar_echoes import fire
        from tailgate.render.raytrace.lidar_kernels import spin_of
        from tailgate.render.raytrace.visibility import look_with_lidar

        model = mounted.model
        grid = firing_grid(model)
        poses = np.stack([pose, carried_on(mounted, pose, self._sample.hints, 1e-9 * grid.sweep)])
        spin = spin_of(model, grid, poses, float(light.fog), self.device)
        channels, mover = fire(self._scene, spin, model, grid)
        view = look_with_lidar(self._scene, spin, len(model.elevation_deg), pose, seen, mover)
        t = round(tick * 1e9 / model.rate_hz)
        return SensorFrame("lidar", channels, poses, t, t + grid.sweep, view, None, mounted.model_name)

    def channels(self) -> dict[str, list[str]]:
        """Channels per kind of sensor."""
        lidar = [*LIDAR_CHANNELS, "reflectance", "azimuth", "elevation", "ring"]
        return {"camera": list(CAMERA_CHANNELS), "lidar": lidar}

    def hints(self) -> dict[str, str]:
        """Hints by name, supported or refused."""
        return dict(HINTS)

    def close(self) -> None:
        """Release the stage and the device memory; safe to call twice."""
        if self._watch is not None:
            self._watch.close()
        self._watch, self._scene, self._state, self._sample = None, None, None, None
        self._films, self._rays = {}, {}


def carried_on(mounted: MountedSensor, pose: np.ndarray, hints: Mapping[str, float], seconds: float) -> np.ndarray:
    """World pose of a sensor [4, 4] this long after it had ``pose``, the rig moving forward and turning at the hinted rates."""
    angle = np.deg2rad(hints.get("ego_yaw_rate", 0.0)) * seconds
    way = hints.get("ego_speed", 0.0) * seconds
    if not angle and not way:
        return pose
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:2, 3] = way * np.sinc(0.5 * angle / np.pi) * np.array([np.cos(0.5 * angle), np.sin(0.5 * angle)])
    return pose @ np.linalg.inv(mounted.T_rig_sensor) @ T @ mounted.T_rig_sensor
