"""LiDARs that RTX traces: the timeline plays at a fixed step until every scan is whole, then it stops and the stage is as it was.

What comes back is compared with our own rays at the same firings: outputs of an earlier state are dropped, scans that lack too much are refused, and
incidence, which RTX does not give, is theirs where both met one surface.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from tailgate.config.rig import MountedSensor
from tailgate.errors import TailgateError, UserError
from tailgate.frames import SensorFrame
from tailgate.geometry.firing import firing_grid
from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.lidar_kernels import spin_of
from tailgate.render.raytrace.live import LiveScene
from tailgate.render.raytrace.visibility import Seen, look_with_lidar
from tailgate.turns import in_turns

from tailgate_rtx.labels import NOTHING, Paths, Row
from tailgate_rtx.nonvisual import PREFIX, PREFIX_SETTING, attributes_of
from tailgate_rtx.physics import Bodies
from tailgate_rtx.pictures import setting
from tailgate_rtx.products import Product
from tailgate_rtx.releases import release
from tailgate_rtx.rig_prims import RigPrims
from tailgate_rtx.scan import Sheet, agree, distinct, returns_of

STABLE_IDS = "/rtx-transient/stableIds/enabled"
LEAST = 0.75
"""Share of the returns that our own rays find which a scan must have."""
SCANS, LATE = 4, 32
"""A scan may take so many turns, and so many ticks more."""
DELAY = 6
"""Ticks that an output may come late at least: so many are passed over first, since they may show the state before."""
FASTEST = 60.0
"""Least ticks a second of the timeline."""
INVALID_MATERIAL = 31
UNNAMED: Row = (-1, 0, -1)


class Lidars:
    """All LiDARs of a rig that RTX traces, which may be none.

    Args:
        live: the stage on our device.
        prims: where attributes of materials are written.
        sensors: name -> model and place, path of its prim.
        bodies: what physics could move; None where there are no sensors.

    Raises:
        UserError: stable ids are off, or physics would move the stage while the timeline plays.
    """

    def __init__(self, live: LiveScene, prims: RigPrims, sensors: dict[str, tuple[MountedSensor, str]], bodies: Bodies | None):
        self._live, self._stage, self._bodies, self._version = live, live.watch.stage, bodies, live.watch.version
        self._sweepers: dict[str, Sweeper] = {}
        if not sensors:
            return
        if not setting(STABLE_IDS):
            raise UserError(f"tracer rtx needs stable ids: start Isaac Sim with --{STABLE_IDS}=true, or leave tracer: tailgate")
        self._bodies.refuse_dynamic()
        self._name_materials(prims, setting(PREFIX_SETTING) or PREFIX)
        rate = next(iter(sensors.values()))[0].model.rate_hz
        self._ticks = math.ceil(FASTEST / rate)
        self._dt = 1.0 / (rate * self._ticks)
        try:
            for name, (mounted, path) in sensors.items():
                self._sweepers[name] = Sweeper(name, mounted, path)
        except BaseException:
            self.close()
            raise

    def _name_materials(self, prims: RigPrims, prefix: str) -> None:
        readers = {r.path: (self._stage.GetPrimAtPath(r.path), r) for r in self._live.watch.arrays.readers.values()}
        own = {p: (prim, r) for p, (prim, r) in readers.items() if prim and not prim.IsInPrototype() and not prim.IsInstanceProxy()}
        prims.write_words({path: attributes_of(prim, reader.read(), prefix) for path, (prim, reader) in own.items()})

    async def sweep(self, poses: dict[str, np.ndarray], hints: Mapping[str, float], seen: Seen) -> dict[str, tuple[SensorFrame, list[str]]]:
        """One scan of each: frames, and what was missing, in words."""
        if not self._sweepers:
            return {}
        import omni.replicator.core as rep
        import omni.timeline

        if self._live.watch.version != self._version:
            self._bodies, self._version = await in_turns(Bodies, self._stage), self._live.watch.version
            self._bodies.refuse_dynamic()
        paths = Paths(self._stage, self._live.watch.arrays.movers, self._live.labels)
        for name, sweeper in self._sweepers.items():
            sweeper.begin(await asyncio.to_thread(self._live.scan, sweeper.mounted, poses[name], hints, seen))
        timeline, before = omni.timeline.get_timeline_interface(), self._bodies.poses()
        waiting = set(self._sweepers)
        self._switch(True)
        timeline.play()
        timeline.commit()
        try:
            for _ in range(SCANS * self._ticks + LATE):
                await rep.orchestrator.step_async(rt_subframes=1, delta_time=self._dt, pause_timeline=False)
                waiting -= {name for name in waiting if self._sweepers[name].collect(self._ticks)}
                if not waiting:
                    break
            self._bodies.refuse_moved(before)
        finally:
            self._switch(False)
            timeline.stop()
            timeline.commit()
        out = {}
        for name, sweeper in self._sweepers.items():
            hit = await asyncio.to_thread(sweeper.objects)
            rows = [UNNAMED if path is None else paths.row(path) for path in hit]
            out[name] = await asyncio.to_thread(sweeper.finish, self._live, seen, rows, float(hints.get("fog_extinction", 0.0)))
        return out

    def _switch(self, on: bool) -> None:
        for sweeper in self._sweepers.values():
            sweeper.product.switch(on)

    def close(self) -> None:
        """Detach and destroy everything; safe to call twice."""
        for sweeper in self._sweepers.values():
            sweeper.product.close()
        self._sweepers = {}


class Sweeper:
    """One LiDAR.

    Args:
        name: of the sensor.
        mounted: model and place.
        path: of its prim.
    """

    def __init__(self, name: str, mounted: MountedSensor, path: str):
        self.name, self.mounted, self._release = name, mounted, release()
        self._grid = firing_grid(mounted.model)
        self.product = Product(path, (1, 1), {"GenericModelOutput": {}, "StableIdMap": {}})

    def begin(self, ours: SensorFrame) -> None:
        """Start a scan; ``ours`` is the same sweep by our own rays."""
        self._ours, self._last, self._outputs, self._fresh, self._stale = ours, None, 0, 0, 0
        self._sheet = Sheet(self.mounted.model, self._grid, ours.channels["range"][..., 0])
        self._names: dict[int, str] = {}

    def collect(self, turn: int) -> bool:
        """Take what the last tick gave; True when the scan is whole.

        The first outputs (a scan, or a turn of ``turn`` ticks) are passed over: they may hold what was fired before the stage changed. Then a scan is
        whole when nothing is missing, or a whole turn and a tick was taken.
        """
        raw = np.asarray(self.product.data("GenericModelOutput"))
        if raw.dtype != np.uint8 or not raw.size:
            return False
        output = self._release.parse_scan(raw)
        number = (int(output.frameId), int(output.timestampNs))
        if number == self._last or not output.numElements:
            return False
        self._last = number
        early, needed = (1, 1) if self._release.accumulates else (max(turn, DELAY), turn + 1)
        self._outputs += 1
        if self._outputs <= early:
            return False
        shown = self._sheet.add(returns_of(output))
        self._fresh, self._stale = self._fresh + shown, self._stale + (not shown)
        self._names.update(self._map())
        return self._sheet.share == 1.0 or (self._fresh >= needed and self._sheet.share >= LEAST)

    def _map(self) -> dict[int, str]:
        raw = np.asarray(self.product.data("StableIdMap"))
        return self._release.parse_names(raw) if raw.dtype == np.uint8 and raw.size else {}

    def objects(self) -> list[str | None]:
        """Paths of the prims that were hit, None where the renderer does not name one; raises where too little came, or nothing has a name."""
        sheet, hit = self._sheet, self._sheet.range > 0
        if sheet.share < LEAST:
            late = f" ({self._stale} outputs showed an earlier state)" if self._stale else ""
            got = f"RTX gave {sheet.share:.0%} of the returns that are due in {SCANS} turns{late}"
            raise TailgateError(f"sensor '{self.name}': {got}; with tracer: tailgate Tailgate traces it")
        if hit.any() and not sheet.object[hit].any():
            message = "RTX names no object of its returns (all object ids are zero), so that they have no labels; take tracer: tailgate"
            raise UserError(f"sensor '{self.name}': {message}")
        unique, self._which = distinct(sheet.object[hit])
        return [self._names.get(i) for i in self._release.parse_objects(unique.ravel())] if len(unique) else []

    def finish(self, live: LiveScene, seen: Seen, rows: list[Row], fog: float) -> tuple[SensorFrame, list[str]]:
        """The frame, and what was missing; ``rows`` are the ids of ``objects``, ``fog`` the extinction of the air [1/m], which RTX has none of."""
        sheet, hit = self._sheet, self._sheet.range > 0
        labels = np.tile(np.array(NOTHING, np.int32), (*hit.shape, 1))
        labels[hit] = np.array(rows, np.int32).reshape(-1, 3)[self._which]
        unnamed = int((labels[..., 0] < 0).sum())
        notes = [f"{self.name}: {unnamed} returns are of prims that the renderer does not name"] if unnamed else []
        if hit.any() and (sheet.material[hit] == INVALID_MATERIAL).all():
            notes.append(f"{self.name}: RTX knows no material of any return (id {INVALID_MATERIAL}), so that intensity does not follow it")
        return self._frame(live, seen, np.maximum(labels, [0, 0, -1]), fog), notes

    def _frame(self, live: LiveScene, seen: Seen, rows: np.ndarray, fog: float) -> SensorFrame:
        sheet, ours, model = self._sheet, self._ours, self.mounted.model
        same = agree(sheet.range, ours.channels["range"][..., 0]) & (ours.channels["range"][..., 0] > 0)
        incidence = np.where(same, ours.channels["incidence"][..., 0], 1.0).astype(np.float32) * (sheet.range > 0)
        channels = {
            "range": sheet.range,
            "intensity": np.clip(sheet.intensity, 0.0, 1.0) * np.exp(-2.0 * fog * sheet.range),
            "semantic": rows[..., 0].astype(np.uint32),
            "instance": rows[..., 1].astype(np.uint32),
            "incidence": incidence,
            "time_offset": self._grid.time,
            "reflectance": np.clip(sheet.intensity, 0.0, 1.0) / np.maximum(incidence, 0.05),
        }
        channels = {name: channel[..., None] for name, channel in channels.items()}
        directions = {"azimuth": sheet.azimuth, "elevation": sheet.elevation, "ring": ours.channels["ring"]}
        spin = spin_of(model, self._grid, ours.T_world_sensor, fog, live.device)
        mover = wp.array(np.ascontiguousarray(rows[..., 2].reshape(-1, 1), np.int32), dtype=wp.int32, device=live.device)
        view = look_with_lidar(live.scene, spin, len(model.elevation_deg), ours.T_world_sensor[0], seen, mover)
        return replace(ours, channels=channels | directions, view=view)
