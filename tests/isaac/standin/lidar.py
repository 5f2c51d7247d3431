"""RTX LiDARs: what their beams meet while the timeline plays, tick by tick and scan by scan, traced by the embedded renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tailgate.geometry.quiet import wp

from .lidar_model import Device, device_of
from .products import Products
from .sim import Sim

VALID = 1
"""Flag of an element that is a return."""
ARRAYS = {
    "azimuth": np.float32,
    "elevation": np.float32,
    "distance": np.float32,
    "intensity": np.float32,
    "time": np.int64,
    "emitter": np.int32,
    "channel": np.int32,
    "tick": np.int32,
    "echo": np.int32,
    "prim": np.int32,
}


@dataclass(frozen=True)
class Returns:
    """Elements of one frame or scan, [n] each: azimuth, elevation [deg], distance [m, 0: no return], intensity, time since the start of the
    timeline [ns], emitter, channel, tick (column), echo, prim (row of ``paths``, -1: none)."""

    arrays: dict[str, np.ndarray]
    paths: list[str]

    def __len__(self) -> int:
        return len(self.arrays["distance"])

    def of(self, rows: np.ndarray) -> Returns:
        """Some of them."""
        return Returns({name: a[rows] for name, a in self.arrays.items()}, self.paths)


def joined(parts: list[Returns]) -> Returns:
    """Several one after the other."""
    if not parts:
        return Returns({name: np.zeros(0, kind) for name, kind in ARRAYS.items()}, [])
    paths = list(dict.fromkeys(p for part in parts for p in part.paths))
    rows = {p: n for n, p in enumerate(paths)}
    arrays = {name: np.concatenate([p.arrays[name] for p in parts]) for name in ARRAYS}
    maps = [np.array([*(rows[p] for p in part.paths), -1], np.int32) for part in parts]
    arrays["prim"] = np.concatenate([m[p.arrays["prim"]] for m, p in zip(maps, parts, strict=True)])
    return Returns(arrays, paths)


@dataclass(frozen=True)
class LidarShot:
    """What a LiDAR's product holds after a tick.

    Attributes:
        time: app tick and time of the timeline [s].
        frame: elements of this tick, none while the timeline stands.
        complete: whether a scan ended in this tick.
        scan: the last whole scan, None before the first.
        number: of the scan that ``frame`` belongs to.
        poses: T_world_sensor at the start and the end of the frame, [2, 4, 4] m.
        span: start and end of the frame [ns].
        device: the LiDAR.
        materials: material id by path of a shape.
    """

    time: tuple[int, float]
    frame: Returns
    complete: bool
    scan: Returns | None
    number: int
    poses: np.ndarray
    span: tuple[int, int]
    device: Device
    materials: dict[str, int]


@dataclass
class State:
    """One product's progress: when it began and how long it has fired [s], elements of the present scan, those to come with the next frame, late
    frames."""

    origin: float
    starts: int
    clock: float = 0.0
    pending: list[Returns] = field(default_factory=list)
    overflow: list[Returns] = field(default_factory=list)
    scan: Returns | None = None
    number: int = 0
    pose: np.ndarray | None = None
    late: list[LidarShot] = field(default_factory=list)
    traced: tuple | None = None


class Lidars:
    """All LiDARs."""

    def __init__(self, owner: Sim):
        self.owner = owner
        self.states: dict[str, State] = {}

    def start(self, path: str) -> None:
        """A new product's LiDAR begins its first scan."""
        from .timeline import Timeline

        timeline = self.owner.part(Timeline)
        self.states[path] = State(timeline.elapsed, timeline.starts)

    def rest(self, path: str) -> None:
        """A LiDAR whose updates are off does not fire; what it had of a scan is lost."""
        from .timeline import Timeline

        state = self.states[path]
        state.clock = self.owner.part(Timeline).elapsed - state.origin
        state.pending, state.overflow = [], []

    def fire(self, product: Any, time: tuple[int, float]) -> None:
        """Let the LiDAR of a product fire for the time that passed since the last tick."""
        from .timeline import Timeline

        if self.states[product.path].starts != self.owner.part(Timeline).starts:
            late_ones = self.states[product.path].late
            self.start(product.path)
            self.states[product.path].late = late_ones
        state = self.states[product.path]
        elapsed = self.owner.part(Timeline).elapsed - state.origin
        renderer = self.owner.part(Products).renderer
        prim = renderer.stage.GetPrimAtPath(product.camera)
        device = device_of(prim)
        pose = pose_of(renderer.stage, product.camera)
        start, state.clock = state.clock, elapsed
        before, state.pose = (pose if state.pose is None else state.pose), pose
        frame, complete = joined([]), False
        mute = self.owner.flavour == "6.0" and device.tick_rate is not None and abs(device.tick_rate - device.model.rate_hz) > 1e-6
        if elapsed > start and not mute:
            frame, complete = self._advance(state, device, self._scan(state, renderer, device, pose), start, elapsed)
        span = (round((state.origin + start) * 1e9), round((state.origin + elapsed) * 1e9))
        materials = material_ids(renderer.stage, frame.paths + (state.scan.paths if state.scan else []))
        shot = LidarShot(time, frame, complete, state.scan, state.number, np.stack([before, pose]), span, device, materials)
        late = self.owner.fault("late_lidar")
        state.late.append(shot)
        if len(state.late) > (late["ticks"] if late else 0):
            product.latest = state.late.pop(0)
        elif product.latest is None:
            product.latest = LidarShot(time, joined([]), False, None, 0, shot.poses, span, device, {})

    def _advance(self, state: State, device: Device, whole: Returns, start: float, end: float) -> tuple[Returns, bool]:
        """Elements that fire between two moments, and whether a scan ends there. What fires after its end comes with the next frame."""
        period = device.period
        carried, state.overflow = state.overflow, []
        state.pending += carried
        first, last = int(start / period + 1e-9), int(end / period - 1e-9)
        ended = last if (last + 1) * period <= end + 1e-9 else last - 1
        if ended < first:
            part = _between(whole, last, period, (state.origin, start, end))
            state.pending.append(part)
            return joined([*carried, part]), False
        if ended > first:
            carried, state.pending = [], []
        part = _between(whole, ended, period, (state.origin, start, end))
        state.scan, state.pending, state.number = joined([*state.pending, part]), [], ended
        if last > ended:
            state.overflow = [_between(whole, last, period, (state.origin, start, end))]
        return joined([*carried, part]), True

    def _scan(self, state: State, renderer: Any, device: Device, pose: np.ndarray) -> Returns:
        """Every element of one scan fired from a pose into the stage as it is."""
        scene, stage_state = renderer.scene()
        key = (renderer.changes, pose.tobytes(), repr(device.values), device.model.model_dump_json(exclude={"response"}))
        if state.traced is None or state.traced[0] != key:
            state.traced = (key, trace(renderer, scene, device, pose))
        return state.traced[1]


def _between(whole: Returns, number: int, period: float, window: tuple[float, float, float]) -> Returns:
    """Elements of scan ``number`` that fire within a window (origin, start, end after it) [s], in order of time."""
    origin, start, end = (round(t * 1e9) for t in window)
    time = round(number * period * 1e9) + whole.arrays["time"]
    rows = np.flatnonzero((time >= start) & (time < end))
    rows = rows[np.argsort(time[rows], kind="stable")]
    out = whole.of(rows)
    out.arrays["time"] = time[rows] + origin
    return out


def trace(renderer: Any, scene: Any, device: Device, pose: np.ndarray) -> Returns:
    """Fire a whole grid. The prim of each return is asked of the tracer by putting the slot's own row into its label column."""
    from tailgate.render.raytrace.lidar_echoes import fire
    from tailgate.render.raytrace.lidar_kernels import spin_of

    model, grid = device.model, device.grid
    spin = spin_of(model, grid, np.stack([pose, pose]), float(renderer.look.hints.get("fog_extinction", 0.0)), scene.device)
    slots = np.array(renderer.arrays.slots, np.int32).reshape(-1, 4).copy()
    held, slots[:, 1] = scene.tables.slot, np.arange(1, len(slots) + 1)
    scene.tables.slot = wp.array(slots, dtype=wp.vec4i, device=scene.device)
    try:
        channels, _ = fire(scene, spin, model, grid)
    finally:
        scene.tables.slot = held
    beams, columns, echoes = channels["range"].shape
    shape = (beams, columns, echoes)
    beam, column, echo = (i.ravel() for i in np.indices(shape))
    keep = grid.live[beam, column] & ((channels["range"].ravel() > 0) | (echo == 0))
    emitter = column if device.per_column else beam
    arrays = {
        "azimuth": grid.azimuth[beam, column],
        "elevation": channels["elevation"][beam, column],
        "distance": channels["range"].ravel(),
        "intensity": channels["intensity"].ravel(),
        "time": channels["time_offset"].ravel().astype(np.int64),
        "emitter": emitter,
        "channel": device.channel[emitter],
        "tick": column,
        "echo": echo,
        "prim": channels["semantic"].ravel().astype(np.int32) - 1,
    }
    return Returns({name: arrays[name][keep].astype(kind) for name, kind in ARRAYS.items()}, list(renderer.arrays.slot_prims))


def pose_of(stage: Any, path: str) -> np.ndarray:
    """T_world_sensor [4, 4], metres, without scale. OmniLidar is no schema of stock OpenUSD, so its ops are read one by one."""
    from pxr import Usd, UsdGeom
    from tailgate.stage.extract import world_correction

    prim, now = stage.GetPrimAtPath(path), Usd.TimeCode.EarliestTime()
    local = np.eye(4)
    for name in prim.GetAttribute("xformOpOrder").Get() or ():
        if name != "!resetXformStack!":
            local = np.array(UsdGeom.XformOp(prim.GetAttribute(name)).GetOpTransform(now)) @ local
    above = np.array(UsdGeom.XformCache(now).GetLocalToWorldTransform(prim.GetParent()))
    T = world_correction(stage) @ (local @ above).T
    T[:3, :3] /= np.linalg.norm(T[:3, :3], axis=0)
    return T


def material_ids(stage: Any, paths: list[str]) -> dict[str, int]:
    """Non-visual material id of the material bound to each shape, 0 without one."""
    from pxr import UsdShade

    from .materials import encoded

    out = {}
    for path in dict.fromkeys(paths):
        prim = stage.GetPrimAtPath(path)
        material = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()[0] if prim else None
        out[path] = encoded(material.GetPrim()) if material else 0
    return out
