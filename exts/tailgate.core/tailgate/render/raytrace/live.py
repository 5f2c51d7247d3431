"""A stage on a device, followed from clip to clip: what is there for any renderer to label its pictures by, and for LiDAR rays to meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tailgate.config.rig import MountedSensor
from tailgate.frames import Objects, SensorFrame
from tailgate.geometry.firing import firing_grid
from tailgate.render.raytrace.lidar_echoes import fire
from tailgate.render.raytrace.lidar_kernels import spin_of
from tailgate.render.raytrace.motion import carried_on
from tailgate.render.raytrace.scene import DeviceScene
from tailgate.render.raytrace.visibility import Seen, look_with_lidar
from tailgate.stage.watch import StageState, StageWatch

if TYPE_CHECKING:
    from pxr import Usd


class LiveScene:
    """Stage, device scene and labels. Call ``close`` when done.

    Args:
        stage: composed stage with the pool authored.
        labels: class name -> semantic id.
        device: Warp device.
    """

    def __init__(self, stage: Usd.Stage, labels: dict[str, int], device: str):
        self.labels, self.device = labels, device
        self.watch = StageWatch(stage, labels)
        self.scene: DeviceScene | None = None
        self._version, self._placed = 0, (None, 1.0)

    def read(self) -> StageState:
        """What the stage shows now; this alone touches the stage."""
        return self.watch.update()

    def place(self, state: StageState, transparency: float = 1.0) -> None:
        """Bring the device up to date: prototypes are built where the stage was read anew, nothing is done where nothing changed. Panes keep a share
        ``transparency`` of theirs."""
        if state.version != self._version:
            self.scene, self._version = DeviceScene(self.watch.arrays, self.device), state.version
        if state is not self._placed[0] or transparency != self._placed[1]:
            self.scene.update(state, transparency)
        self._placed = state, transparency

    def objects(self, state: StageState) -> tuple[Objects, Seen]:
        """Visible labelled movers: the table and what visibility needs of it."""
        movers, placed = self.watch.arrays.movers, self.scene.instance_of_mover
        rows = [k for k, m in enumerate(movers) if k in placed and m.instance > 0 and self.labels.get(m.label or "", 0) > 0]
        lower, upper = (np.array([getattr(movers[k], name) for k in rows], np.float64).reshape(-1, 3) for name in ("lower", "upper"))
        poses = state.T_world_mover[rows]
        scale = np.linalg.norm(poses[:, :3, :3], axis=1)
        poses[:, :3, 3] += (poses[:, :3, :3] @ (0.5 * (lower + upper))[:, :, None])[:, :, 0]
        poses[:, :3, :3] /= scale[:, None]
        sizes = (upper - lower) * scale
        instance = np.array([movers[k].instance for k in rows], np.int32)
        objects = Objects(instance, [str(movers[k].label) for k in rows], poses, sizes, [movers[k].asset for k in rows])
        return objects, Seen(np.array(rows, np.int64), np.array([placed[k] for k in rows], np.int64), poses, sizes, len(movers))

    def scan(self, mounted: MountedSensor, pose: np.ndarray, hints: Mapping[str, float], seen: Seen) -> SensorFrame:
        """One sweep of a LiDAR, traced here; ``pose`` [4, 4] is the sensor's when it begins, ``hints`` move it and thicken the air."""
        model = mounted.model
        grid = firing_grid(model)
        poses = np.stack([pose, carried_on(mounted, pose, hints, 1e-9 * grid.sweep)])
        spin = spin_of(model, grid, poses, float(hints.get("fog_extinction", 0.0)), self.device)
        channels, mover = fire(self.scene, spin, model, grid)
        view = look_with_lidar(self.scene, spin, len(model.elevation_deg), pose, seen, mover)
        return SensorFrame("lidar", channels, poses, 0, grid.sweep, view, None, mounted.model_name)

    def close(self) -> None:
        """Stop following; safe to call twice."""
        self.watch.close()
