"""The renderer of Isaac Sim as a backend: Replicator's pictures, Tailgate's labels, LiDAR by either tracer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailgate.config.rig import ResolvedRig
from tailgate.errors import TailgateError, UserError
from tailgate.frames import CAMERA_CHANNELS, LIDAR_CHANNELS, Frame, Sample
from tailgate.render.backend import StageDisturbed, check_hints
from tailgate.render.raytrace.backend import WarpBackend
from tailgate.turns import in_turns

from tailgate_rtx.physics import Bodies
from tailgate_rtx.rig_prims import RigPrims, by_rtx, check_rig

if TYPE_CHECKING:
    from pxr import Usd
    from tailgate.render.raytrace.live import LiveScene

    from tailgate_rtx.calm import Calm

HINTS = {
    "fog_extinction": "supported: [1/m], dims colours by the exact depth, and LiDAR intensity",
    "cloud_cover": "supported: the lights follow it; RTX draws no clouds, and frames say so",
    "exposure": "supported: factor on radiance before the tone curve; chosen from the image when absent",
    "motion_blur": "refused: RTX takes each picture at one moment",
    "rolling_shutter": "refused: RTX takes each picture at one moment",
    "transparency": "refused: RTX shows panes as their materials say",
    "ego_speed": "supported: [m/s] forward, moves LiDARs that Tailgate traces during a sweep; cameras see one moment",
    "ego_yaw_rate": "supported: [deg/s] to the left, turns LiDARs that Tailgate traces during a sweep; cameras see one moment",
    "ego_course": "supported: [deg] from the rig's x axis to the left, where ego_speed leads",
    "ego_climb": "supported: [deg] from the rig's x and y axes up, where ego_speed leads",
}
NO_CLOUDS = "cloud_cover: RTX draws no clouds"


class RtxBackend:
    """``RenderBackend`` on omni.replicator.core.

    Cameras are rendered by RTX while the timeline stands. Boxes, occlusion and truncation are measured on the stage by Tailgate's own rays, with
    what RTX shows of each object, so that labels mean the same on every backend. LiDARs are traced by Tailgate on the stage, or by RTX where their
    file says ``tracer: rtx``.

    Args:
        device: Warp device: the GPU that the renderer draws on ("cuda:0"), or "cpu", to which every picture is copied.
    """

    name = "isaac"
    shares_loop = True

    def __init__(self, device: str = "cuda:0"):
        self.device = device
        self.on_gpu = device.startswith("cuda")
        self._stage: Usd.Stage | None = None
        self._prims: RigPrims | None = None
        self._calm: Calm | None = None
        self._instruments: Instruments | None = None
        self._sample: Sample | None = None

    @classmethod
    def check(cls, device: str) -> None:
        """Raise UserError outside Isaac Sim, in a release that is not known, and where Warp does not find the device."""
        from tailgate_rtx.releases import release

        release()
        WarpBackend.check(device)

    @classmethod
    def check_rig(cls, rig: ResolvedRig) -> None:
        """Raise UserError for what RTX cannot do of what a sensor asks for."""
        check_rig(rig)

    @classmethod
    def open_stage_digest(cls) -> str:
        """Hash over the layers of the open stage, Tailgate's own left out."""
        from tailgate_rtx.opening import open_stage, stage_digest

        return stage_digest(open_stage())

    async def load(self, base: Path | None) -> Usd.Stage:
        """Open a USD file in the application; None takes the stage that is open."""
        from tailgate_rtx.opening import load_stage

        return await load_stage(base)

    def open(self, stage: Usd.Stage, rig: ResolvedRig, labels: dict[str, int]) -> None:
        """Put the rig's prims on the stage. It is read, and products are made, when the first frame is taken. See ``RenderBackend.open``."""
        import omni.replicator.core as rep

        from tailgate_rtx.calm import Calm
        from tailgate_rtx.releases import release

        self.close()
        self.check_rig(rig)
        stop_timeline()
        rep.orchestrator.set_capture_on_play(False)
        self.rig, self.labels, self._stage = rig, dict(labels), stage
        self._prims = RigPrims(stage, rig, release())
        self._calm = Calm(stage)

    def apply(self, sample: Sample) -> None:
        """Take over a clip's values, which are on the stage; from now on it must be left alone."""
        check_hints(sample, HINTS, self.name)
        calm = self._opened()
        for name, mounted in self.rig.sensors.items():
            if by_rtx(mounted) and any(sample.hints.get(hint) for hint in ("ego_speed", "ego_yaw_rate")):
                words = f"must be 0 where RTX traces a LiDAR ('{name}'): it stands still during a sweep"
                raise UserError(f"ego_speed and ego_yaw_rate {words}; give camera.rig_pose the option moving: false")
        if timeline().is_playing():
            stop_timeline()
        calm.begin()
        self._sample = sample

    def _opened(self) -> Calm:
        if self._calm is None:
            raise TailgateError("the renderer must be opened before it is used")
        return self._calm

    async def capture(self, tick: int = 0) -> Frame:
        """Render every sensor of the rig at the stage's present state. Nothing but the renderer's own step holds the application's loop."""
        calm = self._opened()
        if self._sample is None:
            raise TailgateError("apply(sample) must come before capture()")
        try:
            if self._instruments is None:
                self._instruments = await self._make(calm)
            return await self._instruments.frame(self._sample, tick, calm)
        except StageDisturbed:
            if self._instruments is not None:
                self._instruments.pictures.forget()
            raise

    async def _make(self, calm: Calm) -> Instruments:
        """Read the stage, by turns with the application, and make products and annotators."""
        await asyncio.to_thread(warm, self.device)
        from tailgate.render.raytrace.live import LiveScene

        live = await in_turns(LiveScene, self._stage, self.labels, self.device)
        try:
            bodies = await in_turns(Bodies, self._stage) if any(map(by_rtx, self.rig.sensors.values())) else None
            calm.check()
            made = Instruments(live, self._prims, self.rig, bodies, self.on_gpu)
        except BaseException:
            live.close()
            raise
        calm.begin()
        return made

    def channels(self) -> dict[str, list[str]]:
        """Channels per kind of sensor."""
        return {"camera": list(CAMERA_CHANNELS), "lidar": [*LIDAR_CHANNELS, "reflectance", "azimuth", "elevation", "ring"]}

    def hints(self) -> dict[str, str]:
        """Hints by name, supported or refused."""
        return dict(HINTS)

    def close(self) -> None:
        """Destroy products, take the rig's prims off the stage and let go of it; safe to call twice."""
        for held in (self._instruments, self._calm, self._prims):
            if held is not None:
                held.close()
        self._instruments = self._calm = self._prims = self._stage = self._sample = None


class Instruments:
    """What takes frames of one stage. Call ``close`` when done.

    Args:
        live: the stage on our device; closed with the instruments.
        prims: the sensors' prims.
        rig: sensors.
        bodies: what physics could move; None without a LiDAR that RTX traces.
        on_gpu: whether annotators hand out buffers of the GPU.
    """

    def __init__(self, live: LiveScene, prims: RigPrims, rig: ResolvedRig, bodies: Bodies | None, on_gpu: bool):
        from tailgate_rtx.lidars import Lidars
        from tailgate_rtx.pictures import Pictures

        self.live, self.rig = live, rig
        placed = {name: (rig.sensors[name], path) for name, path in prims.paths.items()}
        self.lidars = Lidars(live, prims, {n: p for n, p in placed.items() if by_rtx(p[0])}, bodies)
        try:
            self.pictures = Pictures(live, {n: p for n, p in placed.items() if p[0].model.type == "camera"}, on_gpu)
        except BaseException:
            self.lidars.close()
            raise

    async def frame(self, sample: Sample, tick: int, calm: Calm) -> Frame:
        """One tick of a clip."""
        state = await in_turns(self.live.read)
        await asyncio.to_thread(self.live.place, state)
        objects, seen = self.live.objects(state)
        poses = {name: state.T_world_rig @ mounted.T_rig_sensor for name, mounted in self.rig.sensors.items()}
        shots = await self.pictures.shoot(state, poses, seen, calm)
        swept = await self.lidars.sweep(poses, sample.hints, seen)
        calm.check()
        frames = {name: frame for name, (frame, _) in swept.items()} | await self.pictures.develop(shots, poses, sample)
        for name, mounted in self.rig.sensors.items():
            if name not in frames:
                frames[name] = await asyncio.to_thread(self.live.scan, mounted, poses[name], sample.hints, seen)
        calm.check()
        notes = [note for taken, _ in shots.values() for note in taken.notes] + [note for _, said in swept.values() for note in said]
        if shots and sample.hints.get("cloud_cover"):
            notes.append(NO_CLOUDS)
        hints = sorted({*self.live.watch.arrays.skipped, *notes})
        ordered = {name: frames[name] for name in self.rig.sensors}
        return Frame(replace(sample.id, tick=tick), ordered, objects, dict(self.live.labels), dict(sample.conditions), hints)

    def close(self) -> None:
        """Destroy products and let go of the stage; safe to call twice."""
        self.pictures.close()
        self.lidars.close()
        self.live.close()


def warm(device: str) -> None:
    """Import what frames are taken with and compile the kernels that are launched on the application's loop: a first time, seconds go into it."""
    from tailgate.geometry.quiet import wp

    from tailgate_rtx import image_kernels, lidars, pictures  # noqa: F401

    wp.load_module(image_kernels, device=device)


def timeline() -> Any:
    """The application's timeline."""
    import omni.timeline

    return omni.timeline.get_timeline_interface()


def stop_timeline() -> None:
    """Pictures are taken of the stage as it is authored, at its start, and physics must not move it."""
    timeline().stop()
    timeline().commit()
