"""Pictures of the open stage, made by Tailgate's embedded renderer through a USD camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tailgate.rng import kernel_seed

from .cameras import camera_values, model_of
from .labels import Labels
from .solo import Solo
from .things import Things, things_of


@dataclass(frozen=True)
class Look:
    """What a test may choose about the light in pictures; depth, labels and ids do not depend on it.

    Attributes:
        address: seeds the sampled light, as a frame's address does in a run.
        hints: as ``Sample.hints``, such as fog.
        key: brightness that the automatic exposure aims for.
        device: Warp device that renders.
    """

    address: tuple = ("standin",)
    hints: dict[str, float] = field(default_factory=dict)
    key: float = 1.0
    device: str = "cpu"


@dataclass(frozen=True)
class Needs:
    """What annotators will ask of a frame: semantic filters, and whether somebody wants occlusion and boxes."""

    filters: tuple[str, ...] = ()
    view: bool = False


@dataclass(frozen=True)
class Shot:
    """One rendered frame of a render product.

    Attributes:
        number: counts frames that were really traced.
        time: app tick the frame belongs to, and time of the timeline [s].
        channels: Tailgate's channels by name, numpy.
        things: labelled prims by semantic filter.
        model, T_world_camera: the camera, optical axes, metres.
        camera: values of the USD camera, see ``cameras.camera_values``.
        view: what the camera sees of each mover, None where nobody asked.
        movers: paths of the movers of ``view``.
        alone: other labelled prim -> its pixels were nothing else there, and their bounds; empty where nobody asked.
    """

    number: int
    time: tuple[int, float]
    channels: dict[str, np.ndarray]
    things: dict[str, Things]
    model: Any
    T_world_camera: np.ndarray
    camera: dict[str, Any]
    view: Any
    movers: list[str]
    alone: dict[str, tuple[int, np.ndarray]]


class Renderer:
    """Renders the context's stage; reads it again only where it changed.

    Args:
        stage: gives the open stage.
    """

    def __init__(self, stage: Callable[[], Any]):
        self._stage = stage
        self.look = Look()
        self.traced = 0
        self._watch: Any = None
        self._scene: Any = None
        self._films: dict[tuple[int, int], Any] = {}
        self._rays: dict[Any, Any] = {}
        self._listener: Any = None
        self.changes = 0
        self._kept: dict[tuple, tuple[tuple, Shot]] = {}
        self._labels: dict[str, Labels] = {}
        self._alone: tuple[tuple, Solo] | None = None

    def forget(self) -> None:
        """Let go of the stage."""
        if self._watch is not None:
            self._watch.close()
        if self._listener is not None:
            self._listener.Revoke()
        self._watch = self._scene = self._listener = self._alone = None
        self._kept, self._labels = {}, {}

    def scene(self) -> tuple[Any, Any]:
        """The renderer's scene and state of the stage as it is now."""
        from pxr import Tf, Usd
        from tailgate.render.raytrace.scene import DeviceScene
        from tailgate.stage.watch import StageWatch

        stage = self._stage()
        if stage is None:
            raise RuntimeError("no stage is open")
        if self._watch is None or self._watch.stage != stage:
            self.forget()
            self._watch, self._version = StageWatch(stage, {}), 0
            self._listener = Tf.Notice.Register(Usd.Notice.ObjectsChanged, self._changed, stage)
        state = self._watch.update()
        if state.version != self._version:
            self._scene, self._version = DeviceScene(self._watch.arrays, self.look.device), state.version
        self._scene.update(state)
        return self._scene, state

    def _changed(self, notice: Any, sender: Any) -> None:
        self.changes += 1
        if notice.GetResyncedPaths() or any(p.name.startswith("semantics:") for p in notice.GetChangedInfoOnlyPaths()):
            self._labels = {}

    def labels(self, text: str) -> Labels:
        """Labels of the stage under a filter."""
        if text not in self._labels:
            self._labels[text] = Labels(self._stage(), text)
        return self._labels[text]

    @property
    def stage(self) -> Any:
        """The open stage."""
        return self._stage()

    @property
    def arrays(self) -> Any:
        """What the stage holds; see ``tailgate.stage.extract.StageArrays``."""
        return self._watch.arrays

    def shoot(self, camera: str, resolution: tuple[int, int], needs: Needs, time: tuple[int, float]) -> Shot:
        """Trace what a camera prim sees, or hand out the last trace where nothing changed since."""
        key, asked = (camera, resolution), (needs, repr(self.look))
        scene, state = self.scene()
        held = self._kept.get(key)
        if held and held[0] == (self.changes, asked):
            return replace(held[1], time=time)
        shot = self._trace(scene, state, camera, resolution, needs, time)
        self._kept[key] = ((self.changes, asked), shot)
        return shot

    def _trace(self, scene: Any, state: Any, camera: str, resolution: tuple[int, int], needs: Needs, time: tuple[int, float]) -> Shot:
        from tailgate.render.raytrace.camera import CameraFilm, Quality, camera_of, lens_points
        from tailgate.render.raytrace.daylight import daylight
        from tailgate.render.raytrace.lens import ray_table
        from tailgate.render.raytrace.visibility import look_with_camera

        stage, device = self._stage(), self.look.device
        model, pose = model_of(stage, camera, resolution)
        if resolution not in self._films:
            self._films[resolution] = CameraFilm(*resolution, device)
        film = self._films[resolution]
        intrinsics = model.intrinsics
        if intrinsics not in self._rays:
            self._rays[intrinsics] = ray_table(intrinsics, device)
        light = daylight(state.lights, self.look.hints, kernel_seed(*self.look.address, "render"), device)
        views = (model.focus.views if model.focus else 1) | 1
        cameras = [camera_of(model, pose, self._rays[intrinsics], pose, point) for point in lens_points(views)]
        channels = film.expose(scene, cameras, light, Quality(exposure=self.look.hints.get("exposure"), key=self.look.key))
        view, movers = None, []
        if needs.view:
            seen, movers = self._seen(state)
            view = look_with_camera(scene, cameras[views // 2], intrinsics, np.stack([pose, pose]), seen, film.truth.mover)
        self.traced += 1
        slot, pane = film.pixels.slot.numpy(), film.pixels.pane.numpy()
        slot = np.where(pane >= 0, pane, slot).reshape(resolution[1], resolution[0])
        bounds = {str(m.prim.GetPath()): (m.lower, m.upper) for m in self.arrays.movers if not np.array_equal(m.lower, m.upper)}
        things = {text: things_of(stage, self.labels(text), slot, self.arrays.slot_prims, bounds) for text in needs.filters}
        others = sorted({p for t in things.values() for p in t.paths} - set(bounds)) if needs.view else []
        alone = {path: self._solo().seen(path, model, pose) for path in others}
        return Shot(self.traced, time, channels, things, model, pose, camera_values(stage, camera), view, movers, alone)

    def _solo(self) -> Solo:
        """Labelled prims by themselves, as the stage was read."""
        from .labels import SemanticFilter
        from .sim import sim

        text = sim().part(SemanticFilter).text
        key = (self._version, text)
        if self._alone is None or self._alone[0] != key:
            self._alone = (key, Solo(self.arrays, self.labels(text).entity, self.look.device))
        return self._alone[1]

    def _seen(self, state: Any) -> tuple[Any, list[str]]:
        """The visible movers as the renderer's visibility tests want them, and their paths."""
        from tailgate.render.raytrace.visibility import Seen

        movers = self.arrays.movers
        rows = [k for k in range(len(movers)) if k in self._scene.instance_of_mover]
        poses, sizes = np.zeros((len(rows), 4, 4)), np.zeros((len(rows), 3))
        for n, k in enumerate(rows):
            T, mover = state.T_world_mover[k], movers[k]
            scale = np.linalg.norm(T[:3, :3], axis=0)
            middle = np.eye(4)
            middle[:3, 3] = 0.5 * (mover.lower + mover.upper)
            poses[n] = T @ middle
            poses[n, :3, :3] /= scale
            sizes[n] = (mover.upper - mover.lower) * scale
        placed = np.array([self._scene.instance_of_mover[k] for k in rows], np.int64)
        return Seen(np.array(rows, np.int64), placed, poses, sizes, len(movers)), [str(movers[k].prim.GetPath()) for k in rows]
