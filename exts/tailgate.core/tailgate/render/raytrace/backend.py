"""The embedded renderer: a ray tracer on Warp that needs no graphics driver and gives the same bits every time."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.config.camera import Shutter
from tailgate.config.rig import MountedSensor, ResolvedRig
from tailgate.errors import TailgateError, UserError
from tailgate.frames import CAMERA_CHANNELS, LIDAR_CHANNELS, Frame, FrameId, Intrinsics, Sample, SensorFrame
from tailgate.render.backend import check_hints
from tailgate.rng import kernel_seed
from tailgate.stage.layers import open_base
from tailgate.stage.watch import StageState

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.render.raytrace.live import LiveScene

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
    "ego_yaw_rate": "supported: [deg/s] to the left, turns the rig about the vertical meanwhile",
    "ego_course": "supported: [deg] from the rig's x axis to the left, where ego_speed leads",
    "ego_climb": "supported: [deg] from the rig's x and y axes up, where ego_speed leads",
    "transparency": "supported: 0..1, share of their transparency that panes keep, 1 unless told; 0 shows them opaque",
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
        self._live: LiveScene | None = None
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

    @classmethod
    def check_rig(cls, rig: ResolvedRig) -> None:
        """Every sensor model can be rendered."""

    async def load(self, base: Path | None) -> Usd.Stage:
        """Open a USD file."""
        if base is None:
            raise UserError(NO_OPEN_STAGE)
        return open_base(base)

    def open(self, stage: Usd.Stage, rig: ResolvedRig, labels: dict[str, int]) -> None:
        """Read the stage and build its trees. See ``RenderBackend.open``."""
        from tailgate.render.raytrace.live import LiveScene

        self.close()
        self.rig, self.labels = rig, dict(labels)
        self._live = LiveScene(stage, self.labels, self.device)

    @property
    def skipped(self) -> list[str]:
        """What the stage holds and this renderer cannot show, by name."""
        return list(self._opened().watch.arrays.skipped)

    def _opened(self) -> LiveScene:
        if self._live is None:
            raise TailgateError("the renderer must be opened before it is used")
        return self._live

    def apply(self, sample: Sample) -> None:
        """Take over a clip's values: moved prims, materials, lights and hints."""
        check_hints(sample, HINTS, self.name)
        self._sample = sample
        self._update()

    def _update(self) -> StageState:
        live = self._opened()
        state = live.read()
        live.place(state, float(self._sample.hints.get("transparency", 1.0)))
        return state

    async def capture(self, tick: int = 0) -> Frame:
        """Render every sensor of the rig at the stage's present state."""
        if self._sample is None:
            raise TailgateError("apply(sample) must come before capture()")
        from tailgate.render.raytrace.daylight import daylight
        from tailgate.render.raytrace.guides import guides_of

        state = self._update()
        address = replace(self._sample.id, tick=tick)
        seed = kernel_seed(*asdict(address).values(), "render")
        light = daylight(state.lights, self._sample.hints, seed, self.device)
        light.guides = guides_of(self._live.scene, state)
        objects, seen = self._live.objects(state)
        sensors = {}
        for name, mounted in self.rig.sensors.items():
            pose = state.T_world_rig @ mounted.T_rig_sensor
            if mounted.model.type == "camera":
                sensors[name] = self._camera(mounted, pose, light, seen)
            else:
                sensors[name] = self._live.scan(mounted, pose, self._sample.hints, seen)
        return Frame(FrameId(**asdict(address)), sensors, objects, dict(self.labels), dict(self._sample.conditions), list(self.skipped))

    def _camera(self, mounted: MountedSensor, pose: np.ndarray, light: Any, seen: Any) -> SensorFrame:
        from tailgate.render.raytrace.camera import CameraFilm, Quality, camera_of, lens_points
        from tailgate.render.raytrace.lens import ray_table
        from tailgate.render.raytrace.motion import carried_on
        from tailgate.render.raytrace.smear import image_way, views_for
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

        def at(share: float) -> list[np.ndarray]:
            return [carried_on(mounted, T, sample.hints, 1e-3 * shutter.exposure_ms * share) for T in poses]

        views = max(shutter.moments if moves else 1, model.focus.views if model.focus else 1) | 1
        if moves:
            distance = film.distances(self._live.scene, camera_of(model, poses[0], self._rays[intrinsics], poses[1]))
            views = views_for(image_way(intrinsics, distance, np.stack([at(share)[0] for share in (-0.5, 0.0, 0.5)])), views)
        cameras = []
        for k, point in enumerate(lens_points(views)):
            first, last = at((k + 0.5) / views - 0.5)
            cameras.append(camera_of(model, first, self._rays[intrinsics], last, point))
        quality = Quality(**self._quality, exposure=sample.hints.get("exposure"), key=KEYS.get(sample.conditions.get("light", ""), 1.0))
        channels = film.expose(self._live.scene, cameras, light, quality)
        view = look_with_camera(self._live.scene, cameras[views // 2], intrinsics, poses, seen, film.truth.mover)
        return SensorFrame("camera", channels, poses, 0, round(1e6 * shutter.readout_ms), view, intrinsics, mounted.model_name)

    def channels(self) -> dict[str, list[str]]:
        """Channels per kind of sensor."""
        lidar = [*LIDAR_CHANNELS, "reflectance", "azimuth", "elevation", "ring"]
        return {"camera": list(CAMERA_CHANNELS), "lidar": lidar}

    def hints(self) -> dict[str, str]:
        """Hints by name, supported or refused."""
        return dict(HINTS)

    def close(self) -> None:
        """Release the stage and the device memory; safe to call twice."""
        if self._live is not None:
            self._live.close()
        self._live, self._sample = None, None
        self._films, self._rays = {}, {}
