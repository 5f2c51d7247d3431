"""camera.rig_pose: where the rig stands and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tailgate.config.rig import rotation
from tailgate.config.setting import Setting
from tailgate.errors import UserError
from tailgate.randomize.protocol import BaseRandomizer, Drawing, Drawn, SampleContext, Streams
from tailgate.stage.contexts import Context
from tailgate.stage.extract import RIG
from tailgate.stage.layers import FrameLayer

from tailgate_randomizers.make import ranged, rounded
from tailgate_randomizers.standing import tables

PATH_KINDS = ("ego", "lane", "aisle")
MOTION = ("ego_speed", "ego_yaw_rate", "ego_course", "ego_climb")
"""Hints on how a rig moves within a tick [m/s, deg/s, deg, deg]."""
TURNS = 8
"""A rig in orbit that would stand inside something solid is turned on by this share of a circle, until it does not."""


class RigPose(BaseRandomizer):
    """Puts the rig on a path (a vehicle or robot) or on a hemisphere about a surface (a camera over a table).

    Options:
        mode: "path" or "orbit"; by default "path" where the scene has an ``ego`` context and no table, else "orbit".
        ahead_m: length of path kept in front of the rig; by default none of an ``ego`` context and 30 m of a lane or aisle.
        radius_m: nothing is placed nearer to the rig than this.
        surface: name of the surface that an orbiting rig looks at.
        moving: a rig on a path also moves during a sweep, an exposure and a readout (hints ``MOTION``, one of each per tick); by default where a
            clip has several ticks. Between these it moves in any case.
    """

    name: ClassVar[str] = "camera.rig_pose"
    level: ClassVar[str] = "context"
    options: ClassVar[tuple[str, ...]] = ("mode", "ahead_m", "radius_m", "surface", "moving")

    def defaults(self) -> dict[str, Setting]:
        """Path: share along it, lateral offset, heading, speed. Orbit: range, elevation, azimuth, aim. Both: small pitch and roll."""
        return {
            "position": ranged(0, 1),
            "lateral_m": ranged(-0.4, 0.4, "m", (3, 3)),
            "yaw_deg": ranged(-4, 4, "deg", (3, 3)),
            "speed_m_s": ranged(0, 10, "m/s"),
            "range_m": ranged(0.7, 1.4, "m"),
            "elevation_deg": ranged(25, 60, "deg"),
            "azimuth_deg": ranged(-180, 180, "deg"),
            "aim_m": ranged(0, 0.15, "m"),
            "pitch_deg": ranged(-0.8, 0.8, "deg", (3, 3)),
            "roll_deg": ranged(-0.8, 0.8, "deg", (3, 3)),
        }

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """One T_world_rig per tick."""
        draw = ctx.drawing(streams)
        path = self._path(ctx, streams)
        poses, hints = self._on_path(ctx, draw, path) if path else (self._in_orbit(ctx, draw), {})
        poses = [np.array([rounded(row, 9) for row in T]) for T in poses]
        given = {"rig_radius_m": float(self.option("radius_m", 2.5 if path else 0.0))}
        return Drawn({"poses": [T.tolist() for T in poses]}, draw.draws, given, hints=hints, rig_poses=tuple(poses))

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Write the rig's transform."""
        poses = values["poses"]
        frame.write(f"{RIG}.xformOp:transform", poses[min(tick, len(poses) - 1)])

    def _path(self, ctx: SampleContext, streams: Streams) -> Context | None:
        splines = {kind: [c for c in ctx.contexts if c.kind == kind and c.is_spline] for kind in PATH_KINDS}
        mode = self.option("mode", "path" if splines["ego"] and not tables(ctx.contexts) else "orbit")
        if mode not in ("path", "orbit"):
            raise UserError(f"option mode of {self.name} must be 'path' or 'orbit', got {mode!r}")
        if mode == "orbit":
            return None
        found = next((splines[kind] for kind in PATH_KINDS if splines[kind]), None)
        if found is None:
            raise UserError(f"option mode 'path' of {self.name} needs a context of kind {', '.join(PATH_KINDS)} in the base scene")
        return found[int(streams("path").integers(len(found)))]

    def _on_path(self, ctx: SampleContext, draw: Drawing, path: Context) -> tuple[list[np.ndarray], dict[str, list[float]]]:
        """Poses, and how the rig moves within each tick."""
        ahead = float(self.option("ahead_m", 0.0 if path.kind == "ego" else min(30.0, path.length / 2)))
        start = draw("position") * max(path.length - ahead, 0.0)
        moving = bool(self.option("moving", ctx.ticks > 1))
        speed = draw("speed_m_s") if ctx.ticks > 1 or moving else 0.0
        lateral, tilt = draw("lateral_m"), (draw("roll_deg"), draw("pitch_deg"))
        turn = draw("yaw_deg")
        along = np.minimum(start + speed * ctx.tick_s * np.arange(ctx.ticks + 1), path.length)
        position, heading = path.at(along, lateral)
        position[:, 2] = ctx.queries.ground(position)
        poses = []
        for xyz, yaw in zip(position, heading, strict=True):
            T = np.eye(4)
            T[:3, :3] = rotation((*tilt, yaw + turn))
            T[:3, 3] = xyz
            poses.append(T)
        return poses[:-1], _motion(poses, ctx.tick_s) if moving and along[-1] > along[0] else {}

    def _in_orbit(self, ctx: SampleContext, draw: Drawing) -> list[np.ndarray]:
        surface = pick_surface(ctx.contexts, self.option("surface", None))
        aim = surface.centre + np.array([draw("aim_m"), 0.0, 0.0]) @ rotation((0, 0, draw.streams("aim").uniform(0, 360))).T
        pinned = ctx.cell.range if ctx.cell else None
        distance = draw.within("range_m", *pinned) if pinned else draw("range_m")
        elevation, azimuth = np.deg2rad([draw("elevation_deg"), draw("azimuth_deg")])
        offsets = [distance * _towards(elevation, azimuth + turn) for turn in np.arange(TURNS) * 2 * np.pi / TURNS]
        offset = next((o for o in offsets if not ctx.queries.inside_base(aim + o)), offsets[0])
        forward = -offset / distance
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        T_optical = np.eye(4)
        T_optical[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1) @ rotation((0, 0, draw("roll_deg")))
        T_optical[:3, 3] = aim + offset
        return [T_optical @ np.linalg.inv(optical_mount(ctx))]


def _motion(poses: list[np.ndarray], seconds: float) -> dict[str, list[float]]:
    """Hints ``MOTION`` of every tick, with which the rig runs along an arc from each pose [4, 4] to the next."""
    rows = []
    for T, following in zip(poses, poses[1:], strict=False):
        way, R = following[:3, 3] - T[:3, 3], following[:3, :3] @ T[:3, :3].T
        turn = np.arctan2(R[1, 0], R[0, 0])
        ahead = T[:3, :3].T @ rotation((0, 0, np.rad2deg(-0.5 * turn))) @ way
        length = np.linalg.norm(way) / np.sinc(0.5 * turn / np.pi)
        course, climb = np.arctan2(ahead[1], ahead[0]), np.arctan2(ahead[2], np.hypot(*ahead[:2]))
        rows.append(rounded((length / seconds, *np.rad2deg((turn / seconds, course, climb)))))
    return {name: list(values) for name, values in zip(MOTION, zip(*rows, strict=True), strict=True)}


def _towards(elevation: float, azimuth: float) -> np.ndarray:
    """Unit vector [3] at these angles [rad]."""
    return np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])


def optical_mount(ctx: SampleContext) -> np.ndarray:
    """T_rig_sensor of the primary sensor as an optical frame."""
    from tailgate.config.rig import T_FORWARD_OPTICAL

    sensor = ctx.views.rig.sensors[ctx.views.primary]
    return sensor.T_rig_sensor if sensor.model.type == "camera" else sensor.T_rig_sensor @ T_FORWARD_OPTICAL


def pick_surface(contexts: tuple[Context, ...], name: str | None = None) -> Context:
    """The named surface, else the table, else the smallest one."""
    from tailgate.errors import unknown

    surfaces = [c for c in contexts if not c.is_spline]
    if name is not None:
        found = next((c for c in surfaces if c.name == name), None)
        if found is None:
            raise unknown("surface context", name, [c.name for c in surfaces])
        return found
    if not surfaces:
        raise UserError("camera.rig_pose in orbit needs a surface context in the base scene, got none")
    return min(tables(contexts) or surfaces, key=lambda c: c.area)
